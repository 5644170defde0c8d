"""Training-thread time of a drawn epoch relative to the floor: the bare compiled forward pass and gradient."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import kerasviz_callbacks as kv

from .measure import Hooks, Seconds, interleaved, ratio
from .models import EXAMPLE, MOBILENET, RESNET, TWO_CONVOLUTIONS, Case
from .table import Row, at_most, markdown, ms

ABOUT = """
Training-thread time at the end of a drawn epoch with `FilterImages`, `ActivationMaps` and `GradCAM` in one `Visualizer`
on 16 validation and 16 training images, beside the floor: the bare model on both, compiled, up to the outputs of the
layers shown and the gradient of the predicted class' logit with respect to the last feature maps. Medians over rounds
of the ratio within a round.
"""


def bare_pass(model: keras.Model, shown: list[str], maps: str) -> Callable[[Any], tuple[Any, Any, Any]]:
    """Return the floor: the computation that reading these layers requires, and nothing else.

    Args:
        model: functional, ending in a dense layer with a softmax.
        shown: names of the layers whose outputs are returned.
        maps: name of the layer whose output the score is differentiated with respect to.

    Returns:
        A compiled function of images: the outputs of `shown`, that of `maps`, and the gradient of the predicted class'
        logit with respect to it.
    """
    head = model.layers[-1]
    wanted = [model.get_layer(name).output for name in shown]
    read = keras.Model(model.inputs, [*wanted, model.get_layer(maps).output, head.input, model.outputs[0]])

    @tf.function
    def bare(x: Any) -> Any:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            *outputs, above, features, answer = read(x, training=False)
            logits = tf.matmul(features, head.kernel) + head.bias
            score = tf.reduce_sum(tf.gather(logits, tf.argmax(answer, axis=-1), batch_dims=1))
        return outputs, above, tape.gradient(score, above)

    return bare


def timed_passes(bare: Callable[[Any], tuple[Any, Any, Any]], inputs: Any) -> Callable[[], Seconds]:
    """Return a function that times the floor on arrays of images, one per probe."""
    tensors = [tf.constant(one) for one in inputs]

    def timed() -> Seconds:
        began = time.perf_counter()
        for tensor in tensors:
            bare(tensor)[2].numpy()
        return time.perf_counter() - began

    return timed


def of_visualizer(case: Case, rounds: int, most: float | None) -> Row:
    """Return the row of one model."""
    train, test = case.data()
    model = case.build()
    chosen = ["FilterImages", "ActivationMaps", "GradCAM"]
    view = kv.Visualizer(tempfile.mkdtemp(), test, training_data=train, views=chosen, on_error="raise")
    hooks = Hooks(view, model)
    by_kind = {type(one).__name__: one.context.view for one in view._running}  # the copies that are at work
    shown = [call.path for call in by_kind["ActivationMaps"].calls.values()]
    probes = [probe.inputs for probe in by_kind["GradCAM"].probes.values()]
    floor = timed_passes(bare_pass(model, shown, by_kind["GradCAM"].path), probes)
    times = interleaved({"ours": hooks.epoch_end, "floor": floor}, rounds)
    hooks.end()
    value = ratio(times["ours"], times["floor"])
    detail = f"{ms(np.median(times['ours']))} beside {ms(np.median(times['floor']))}"
    detail += f"; before the first batch, which compiles, {hooks.first:.2g} s"
    what = f"{case.name}: a drawn epoch beside the floor"
    return Row(what, f"{value:.3g} x ({detail})") if most is None else at_most(what, value, most, detail=detail)


def two_gradients(model: keras.Model, maps: str) -> Callable[[Any, Any], list[Any]]:
    """Return the computation that the monitor's Grad-CAM metrics require, and nothing else.

    Args:
        model: functional, ending in a dense layer with a softmax.
        maps: name of the layer whose output the scores are differentiated with respect to.

    Returns:
        A compiled function of images and labels: features, predictions, the maps, and the gradients of the true and the
        predicted class' logits with respect to them.
    """
    head = model.layers[-1]
    read = keras.Model(model.inputs, [model.get_layer(maps).output, head.input, model.outputs[0]])

    @tf.function
    def bare(x: Any, labels: Any) -> list[Any]:
        with tf.GradientTape(watch_accessed_variables=False, persistent=True) as tape:
            tape.watch(x)
            above, features, answer = read(x, training=False)
            logits = tf.matmul(features, head.kernel) + head.bias
            true = tf.reduce_sum(tf.gather(logits, labels, batch_dims=1))
            said = tf.reduce_sum(tf.gather(logits, tf.argmax(answer, axis=-1), batch_dims=1))
        return [features, answer, above, tape.gradient(true, above), tape.gradient(said, above)]

    return bare


def of_monitor(case: Case, rounds: int) -> Row:
    """Return the row of `OverfittingMonitor`, relative to the bare passes on its probes."""
    train, test = (_as_many(*pair) for pair in case.data())
    model = case.build()
    view = kv.OverfittingMonitor(tempfile.mkdtemp(), test, training_data=train, on_error="raise")
    hooks = Hooks(view, model)
    at_work = view.context.view  # a copy
    bare = two_gradients(model, at_work.maps_path)
    probes = [(tf.constant(one.inputs), tf.constant(one.labels)) for one in at_work.probes.values()]

    def floor() -> Seconds:
        began = time.perf_counter()
        for probe in probes:
            bare(*probe)[-1].numpy()
        return time.perf_counter() - began

    times = interleaved({"ours": hooks.epoch_end, "floor": floor}, rounds)
    hooks.end()
    detail = f"{ms(np.median(times['ours']))} beside {ms(np.median(times['floor']))}"
    rows = " and ".join(str(len(labels)) for _, labels in probes)
    what = f"{case.name}: `OverfittingMonitor`, {rows} pictures, beside a bare pass and two gradients"
    return at_most(what, ratio(times["ours"], times["floor"]), 1.3, detail=detail)


def _as_many(x: Any, y: Any, rows: int = 500) -> tuple[Any, Any]:
    """Return as many rows as the monitor evaluates; if there are fewer, they are repeated with a little noise."""
    noise = np.random.default_rng(0).random((rows, *x.shape[1:]), np.float32) * (len(x) < rows) * 0.1
    return np.resize(x, (rows, *x.shape[1:])) + noise, np.resize(y, rows)


def five_views(case: Case, rounds: int) -> list[Row]:
    """Return the row of five views on one probe, relative to the slowest of them."""
    _, test = case.data()
    probe, model = kv.Probe(test), case.build()
    of_data = (kv.ActivationMaps, kv.GradCAM, kv.NeuronResponses, kv.FilterOverlap)

    def made() -> list[Any]:
        where = tempfile.mkdtemp()
        return [kv.FilterImages(where, on_error="raise"), *(kind(where, probe, on_error="raise") for kind in of_data)]

    together = Hooks(kv.Visualizer(tempfile.mkdtemp(), probe, views=made()), model)
    alone = {type(one).__name__: Hooks(one, model) for one in made()}
    jobs = {"together": together.epoch_end, **{name: hooks.epoch_end for name, hooks in alone.items()}}
    times = interleaved(jobs, rounds)
    together.end()
    for hooks in alone.values():
        hooks.end()
    slowest = max(alone, key=lambda name: np.median(times[name]))
    detail = f"{ms(np.median(times['together']))} beside {ms(np.median(times[slowest]))} of {slowest}"
    value = ratio(times["together"], times[slowest])
    return [at_most(f"{case.name}: five views on one probe beside the dearest alone", value, 1.25, detail=detail)]


def table(rounds: int) -> str:
    """Return the section as Markdown."""
    rows = []
    for case, most, share in ((EXAMPLE, None, 1), (TWO_CONVOLUTIONS, None, 1), (MOBILENET, 1.3, 1), (RESNET, 1.3, 2)):
        rows.append(of_visualizer(case, max(3, rounds // share), most))
    for case in (EXAMPLE, MOBILENET):
        rows += five_views(case, rounds)
    for case, share in ((EXAMPLE, 1), (TWO_CONVOLUTIONS, 1), (MOBILENET, 3)):
        rows.append(of_monitor(case, max(3, rounds // share)))
    return markdown("Beside the floor", ABOUT, rows)
