"""What `DataMap` costs, by itself and beside the monitor, and the memory that it takes."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

import kerasviz_callbacks as kv

from .measure import Hooks, Seconds, cpu_seconds, interleaved, ratio, resident
from .models import EXAMPLE, MOBILENET, TWO_CONVOLUTIONS, Case
from .table import Row, at_most, markdown, ms

ROWS, EPOCHS, MANY = 2000, 100, 50_000
NEVER = 10**8  # a `freq` so large that no epoch is drawn
ABOUT = """
The time of the training thread at the end of an epoch, and in brackets the CPU time of all threads, worker included.
*Bare pass*: the compiled model on the same 2,000 rows, features and predictions copied to numpy, nothing else. The
monitor and the map look at the same 500 rows. Figures are measured at every epoch; where a row says so, the image is
drawn and neighbours are compared as well. Medians over rounds of the ratio within a round.
"""


def _rows(case: Case, count: int) -> tuple[Any, Any]:
    """Return so many rows; if there are fewer, they are repeated with a little noise."""
    x, y = case.data()[0]
    noise = np.random.default_rng(0).random((count, *x.shape[1:]), np.float32) * (len(x) < count) * 0.1
    return np.resize(x, (count, *x.shape[1:])) + noise, np.resize(y, count)


def bare_pass(model: keras.Model, x: Any) -> Callable[[], Seconds]:
    """Return a function that times the model on some rows: the input of the last layer, and the predictions."""
    read = tf.function(keras.Model(model.inputs[0], [model.layers[-1].input, model.outputs[0]]))
    rows = tf.constant(x)

    def timed() -> Seconds:
        began = time.perf_counter()
        for one in read(rows, training=False):
            one.numpy()
        return time.perf_counter() - began

    return timed


class _Both:
    """A job, its CPU times recorded beside the times that it returns."""

    def __init__(self, job: Callable[[], Seconds]) -> None:
        self.job, self.used = job, list[Seconds]()

    def __call__(self) -> Seconds:
        began = cpu_seconds()
        found = self.job()
        self.used.append(cpu_seconds() - began)
        return found


def _compared(what: str, ours: Hooks, other: Callable[[], Seconds], rounds: int, most: float | None) -> Row:
    jobs = {"ours": _Both(ours.epoch_end), "other": _Both(other)}
    times = interleaved(jobs, rounds)
    ours.end()
    value, used = ratio(times["ours"], times["other"]), ratio(jobs["ours"].used, jobs["other"].used)
    detail = f"{ms(float(np.median(times['ours'])))} beside {ms(float(np.median(times['other'])))}; CPU {used:.3g} x"
    return Row(what, f"{value:.3g} x ({detail})") if most is None else at_most(what, value, most, detail=detail)


def alone(case: Case, rounds: int, *, drawn: bool) -> Row:
    """Return the row of the map by itself."""
    data, model = _rows(case, ROWS), case.build()
    freq = 1 if drawn else NEVER
    view = kv.DataMap(tempfile.mkdtemp(), training_data=data, count=ROWS, freq=freq, on_error="raise")
    what = f"{case.name}: `DataMap` of {ROWS:,} rows beside a bare pass{', drawn' if drawn else ''}"
    return _compared(what, Hooks(view, model), bare_pass(model, data[0]), rounds, None if drawn else 1.3)


def beside_the_monitor(case: Case, rounds: int) -> Row:
    """Return the row of the map and the monitor on one probe, beside the monitor."""
    test, train = (kv.Probe(data, count=500) for data in (_rows(case, 500), _rows(case, 1000)))
    model = case.build()
    given = {"training_data": train, "freq": NEVER, "on_error": "raise"}

    def made(*kinds: Any) -> Hooks:
        where = tempfile.mkdtemp()
        return Hooks(kv.Visualizer(where, test, views=[kind(where, test, **given) for kind in kinds]), model)

    monitor = made(kv.OverfittingMonitor)
    what = f"{case.name}: `OverfittingMonitor` and `DataMap` on its rows beside the monitor"
    row = _compared(what, made(kv.OverfittingMonitor, kv.DataMap), monitor.epoch_end, rounds, 1.1)
    monitor.end()
    return row


def memory() -> Row:
    """Return the memory that many rows over many epochs take, the copy of the data included."""
    draws = np.random.default_rng(0)
    x, y = draws.random((MANY, 32), np.float32), draws.integers(0, 10, MANY)
    model = keras.Sequential([keras.Input((32,)), layers.Dense(64, activation="relu"), layers.Dense(10, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    small = Hooks(kv.DataMap(tempfile.mkdtemp(), training_data=(x[:2000], y[:2000])), model)  # what is loaded once
    for _ in range(3):
        small.epoch_end()
    small.end()
    before, most = resident(), 0
    hooks = Hooks(kv.DataMap(tempfile.mkdtemp(), training_data=(x, y), count=MANY, freq=10), model)
    for _ in range(EPOCHS):
        hooks.epoch_end()
        most = max(most, resident())
    hooks.end()
    detail = f"{MANY:,} rows of 32 numbers, {EPOCHS} epochs, 10 of them drawn"
    return at_most("`DataMap`: memory, most at the end of an epoch", (most - before) / 1e6, 100, "MB", detail)


def table(rounds: int) -> str:
    """Return the section as Markdown."""
    rows = []
    for case, share in ((EXAMPLE, 1), (TWO_CONVOLUTIONS, 1), (MOBILENET, 3)):
        several = max(3, rounds // share)
        rows += [beside_the_monitor(case, several), alone(case, several, drawn=False)]
        rows.append(alone(case, several, drawn=True))
    return markdown("The data map", ABOUT, [*rows, memory()])
