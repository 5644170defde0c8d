"""`GradCAM`: where the network looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import numpy as np

from ..callback import COMPARISON, TRAINING, VALIDATION, Image, Measured
from ..callback.explained_view import MOST_COMPARED, ExplainedView
from ..callback.markdown import code_span
from ..draw.text import shape_text
from ..explain.layer_maps import LayerMaps
from ..fit_context import Request
from ..maths.class_activation import cam_method
from ..taps.reader import Reader

_DESCRIPTION = """**Where the network looks** ({method} of {path}, {score}).

*How to read it:* each tile is a picture of the probe and the same with its heat map: {colours} {target}.
Below it the true class | the predicted class and its probability; wrong predictions are framed and marked. All maps
are divided by the largest value so far of both sets of data (printed below), so they can be compared between steps.
*Bad signs:* heat on the background or in a corner (a shortcut in the data), sharp and certain maps on training
pictures beside diffuse ones on validation pictures, "no evidence" where there should be some.

Source: {source}"""
_BESIDE = """**Where the network looks on training data and on what it has not seen** ({method} of {path}, {score}).

*How to read it:* left pictures of the training data, right of the validation data, {most} of each at most; mostly the
same class stands in the same place of both halves. Each tile is a picture and the same with its heat map: {colours}
{target}. Below it the true class | the predicted class and its probability; wrong predictions are framed and marked.
All maps are divided by the largest value so far of both sets (printed below), so the halves can be compared.
*Bad signs:* frames on the right alone and certain predictions on the left (memorised), sharp maps left beside diffuse
ones right, heat left on something that the pictures right do not have (a shortcut in the training data).

Source: {source}"""


class GradCAM(ExplainedView):
    """See where the network looks: the class activation map over each picture of the probe, at every step.

    With `training_data` the run of validation data has one more picture, `<tag>/train_and_validation`: pictures of both
    beside each other. It is left out where the inputs of the two have not the same size.

    Args:
        log_dir: where TensorBoard looks.
        validation_data: pictures, signals or volumes; see `ProbeView`.
        layer: whose maps; `None`: the last output with more than one position on the way to the score.
        target: what is explained: `None` the predicted class, an int, `"true"` the labelled class, or a callable from
            the model's outputs (before softmax with `score="logits"`) to one number a row.
        method: `"grad_cam"`, `"grad_cam++"`, `"hires_cam"`, `"layer_cam"`, `"xgrad_cam"`, `"eigen_cam"`, or, with a
            pass a channel more at each drawn epoch, `"score_cam"`, `"ablation_cam"`; see `maths/class_activation.py`.
        score: `"logits"`: what feeds the softmax or sigmoid, whose gradients do not saturate; or `"output"`.
        options: `training_data`, `count`, `class_names`, `display`, and those of `View`.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: before the first batch: an unknown layer or method, no maps, no labels for `"true"`, a class that
            the model has not, a softmax that cannot be looked through.

    Example:
        >>> model.fit(x, y, callbacks=[kv.GradCAM("logs", (x_val, y_val))])  # doctest: +SKIP
    """

    def __init__(
        self,
        log_dir: Any,
        validation_data: Any,
        *,
        layer: Any = None,
        target: int | Literal["true"] | Callable[[Any], Any] | None = None,
        method: str = "grad_cam",
        score: Literal["logits", "output"] = "logits",
        **options: Any,
    ):
        super().__init__(log_dir, validation_data, target=target, score=score, **options)
        cam_method(method)
        self.layer, self.method = layer, method

    def choose(self, reader: Reader) -> None:
        """Find the layer, and the class of each row."""
        super().choose(reader)
        self._explained = LayerMaps(reader, self.layer, self.score, self.method)
        self.path = self._explained.call.path

    def summary(self) -> str:
        """The view and its layers."""
        return f"{type(self).__name__} of {self.path}"

    def request(self, source: str) -> Request:
        """The layer's output and the gradient of the score by it; the predictions."""
        return Request((self._explained.capture, self.output), targets={self.score.targets: self.targets[source]})

    def capture(self, step: int) -> dict[str, dict[Any, Any]]:
        """One pass a probe, and those that the method takes beside it."""
        captured: dict[str, dict[Any, Any]] = dict(super().capture(step))
        for source, probe in self.probes.items():
            found, classes = captured[source][self._explained.capture], self.targets[source]
            captured[source]["weights"] = self._explained.weights(self.readers[source], found, probe.inputs, classes)
        return captured

    def measure(self, captured: dict[Any, Any], source: str, step: int) -> Measured:
        """Raw maps `(n, *spatial)` and predictions."""
        maps = self._explained.maps(captured[self._explained.capture], captured["weights"])
        strength = np.abs(maps[np.isfinite(maps)])
        self.memory.extend_scale(self.path, float(strength.max(initial=0)))
        return Measured(step, (maps, self.answers(captured)))

    def draw(self, measured: Mapping[str, Measured]) -> Iterator[Image]:
        """A picture a source, and one of both beside each other, on one scale."""
        method = self._explained.method
        explained, target = self.target_in_words(), self.target_in_words(code_span)
        if method.needs == "activations":
            explained = target = "whatever the class"
        caption = f"{self.method} of {self.path}   {shape_text(self._explained.shape)}   {explained}"
        words = {
            "method": self.method,
            "path": code_span(self.path),
            "score": f"score: {self.score.of}",
            "colours": "red is evidence for, blue against:" if method.signed else "bright is evidence for",
            "target": target,
            "source": method.paper,
        }
        tag, scale = f"{self.method}/{self.path}", self.memory.scales.get(self.path, 0.0)
        given: dict[str, Any] = {"scale": scale, "caption": caption, "signed": method.signed}
        for source, one in measured.items():
            picture = self.heat(source, *one.data, note=one.note, **given)
            yield Image(source, tag, picture, _DESCRIPTION.format(**words))
        if TRAINING in measured:
            maps = {source: one.data[0] for source, one in measured.items()}
            answers = {source: one.data[1] for source, one in measured.items()}
            beside = self.comparison_sheet(maps, answers, note=measured[VALIDATION].note, **given)
            if beside is not None:
                yield Image(VALIDATION, f"{tag}/{COMPARISON}", beside, _BESIDE.format(most=MOST_COMPARED, **words))
