"""The same task in other packages: Grad-CAM and activations of 16 images at the end of each epoch.

Requires the extra `compare`, and tf-explain 0.3.1 and xplique 2.0.2 installed with `--no-deps`. Packages that are not
installed are left out of the table.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import keras
import numpy as np

import kerasviz_callbacks as kv

from .floor import bare_pass, timed_passes
from .measure import Hooks, Seconds, interleaved, ratio
from .models import MOBILENET, TWO_CONVOLUTIONS, Case
from .table import Row, at_most, markdown, ms

ABOUT = """
Training-thread time at the end of an epoch for 16 images, with the same weights and layer. tf-explain runs as its own
callback, with the two lines that make it run on Keras 3. tf-keras-vis and Xplique run in a callback that builds the
explainer once (building it at each epoch costs more) and discards the maps; ours are also logged. Medians over rounds
of the ratio within a round. The floor is the bare compiled pass.
"""
CLASS = 1


class Explained(keras.callbacks.Callback):
    """Computes maps at the end of each epoch with an explainer that was built once, as a user would."""

    def __init__(self, explain: Callable[[], Any]):
        super().__init__()
        self._explain = explain

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Compute the maps as numpy arrays."""
        np.asarray(self._explain())


def shimmed_tf_explain() -> None:
    """Add the attributes of Keras 2 that tf-explain requires to Keras 3."""
    keras.layers.Layer.output_shape = property(lambda layer: layer.output.shape)


def grad_cams(model: keras.Model, layer: str, x: Any) -> dict[str, Any]:
    """Return one callback for each package that is installed."""
    found: dict[str, Any] = {"ours": kv.GradCAM(tempfile.mkdtemp(), x, layer=layer, target=CLASS, on_error="raise")}
    if find_spec("xplique"):
        from xplique.attributions import GradCAM

        explainer = GradCAM(model, conv_layer=layer)
        targets = np.eye(model.output_shape[-1], dtype=np.float32)[[CLASS] * len(x)]
        found["Xplique"] = Explained(lambda: explainer(x, targets))
    if find_spec("tf_keras_vis"):
        from tf_keras_vis.gradcam import Gradcam
        from tf_keras_vis.utils.scores import CategoricalScore

        visualizer, score = Gradcam(model, clone=False), CategoricalScore([CLASS] * len(x))
        found["tf-keras-vis"] = Explained(lambda: visualizer(score, x, penultimate_layer=layer))
    if find_spec("tf_explain"):
        shimmed_tf_explain()
        from tf_explain.callbacks.grad_cam import GradCAMCallback

        found["tf-explain"] = GradCAMCallback((x, None), CLASS, layer, output_dir=tempfile.mkdtemp())
    return found


def activations(layers: list[str], x: Any) -> dict[str, Any]:
    """Return one callback for each package that is installed."""
    found: dict[str, Any] = {"ours": kv.ActivationMaps(tempfile.mkdtemp(), x, layers=layers, on_error="raise")}
    if find_spec("tf_explain"):
        shimmed_tf_explain()
        from tf_explain.callbacks.activations_visualization import ActivationsVisualizationCallback

        found["tf-explain"] = ActivationsVisualizationCallback((x, None), layers, output_dir=tempfile.mkdtemp())
    return found


def compared(
    callbacks: dict[str, Any], model: keras.Model, rounds: int, floor: Callable[[], Seconds]
) -> dict[str, list[Seconds]]:
    """Return the times of each callback and of the floor."""
    hooks = {name: Hooks(callback, model) for name, callback in callbacks.items()}
    times = interleaved({"floor": floor, **{name: one.epoch_end for name, one in hooks.items()}}, rounds)
    for one in hooks.values():
        one.end()
    return times


def rows_of(what: str, times: dict[str, list[Seconds]], limits: dict[str, float]) -> list[Row]:
    """Return one row for each package that ours is compared with."""
    rows = []
    for name in times:
        if name == "ours":
            continue
        value = ratio(times["ours"], times[name])
        detail = f"{ms(np.median(times['ours']))} beside {ms(np.median(times[name]))}"
        label = f"{what}: ours beside {'the floor' if name == 'floor' else name}"
        rows.append(
            at_most(label, value, limits[name], detail=detail)
            if name in limits
            else Row(label, f"{value:.3g} x ({detail})")
        )
    return rows


def of_case(case: Case, layer: str, rounds: int, limits: dict[str, float]) -> list[Row]:
    """Return the rows of Grad-CAM on one model."""
    x, model = case.data()[1][0][:16], case.build()
    times = compared(grad_cams(model, layer, x), model, rounds, timed_passes(bare_pass(model, [], layer), [x]))
    return rows_of(f"Grad-CAM, {case.name}", times, limits)


def of_activations(case: Case, layer: str, rounds: int) -> list[Row]:
    """Return the rows of the activations of one layer; tf-explain fails on layers of different sizes."""
    x, model = case.data()[1][0][:16], case.build()
    times = compared(activations([layer], x), model, rounds, timed_passes(bare_pass(model, [layer], layer), [x]))
    return rows_of(f"activations, {case.name}", times, {"tf-explain": 0.1})


def table(rounds: int) -> str:
    """Return the section as Markdown."""
    keras.utils.disable_interactive_logging()  # tf-explain calls `predict`, which prints progress bars
    fifth = dict.fromkeys(("Xplique", "tf-keras-vis", "tf-explain"), 0.2)
    rows = of_case(TWO_CONVOLUTIONS, "conv2", rounds, fifth)
    rows += of_case(MOBILENET, "out_relu", rounds, {"Xplique": 0.7, "tf-keras-vis": 0.125, "tf-explain": 0.125})
    rows += of_activations(TWO_CONVOLUTIONS, "conv2", rounds)
    rows += of_activations(MOBILENET, "block_5_expand", rounds)
    return markdown("Beside other packages", ABOUT, rows)
