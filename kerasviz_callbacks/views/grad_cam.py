"""`GradCAM`: which regions of the input are evidence for a class."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import keras
import numpy as np

from ..callback import COMPARISON, TRAINING, VALIDATION, Image, Measured
from ..callback.explained_view import MAX_COMPARED, ExplainedView
from ..callback.markdown import code_span
from ..draw.text import shape_text
from ..explain.layer_maps import LayerMaps, maps_by_input
from ..fit_context import Request
from ..maths.class_activation import cam_method
from ..record.console import say
from ..taps.input_spec import input_names
from ..taps.output_recorder import Call
from ..taps.reader import Captured, Reader

_DESCRIPTION = """**Which regions the prediction depends on** ({method} of {path}, {score}).

*How to read it:* each tile shows an input, and the input with its heat map: {colours} {target}. Below each tile:
{titles}. All maps are divided by the largest value so far in training and validation data (printed below), so they are
comparable between steps.
*Bad signs:* heat on the background or in a corner (a shortcut in the data), sharp maps with high confidence on training
data but diffuse maps on validation data.
{empty}
Source: {source}"""
_COMPARISON = """**Which regions the prediction depends on, training and validation** ({method} of {path}, {score}).

*How to read it:* left: training data; right: validation data; at most {most} inputs of each, where possible with the
same class at the same position. Each tile shows an input, and the input with its heat map: {colours} {target}. Below
each tile: {titles}. All maps are divided by the largest value so far in both data sets (printed below), so the two
halves are comparable.
*Bad signs:* wrong predictions only on the right and high confidence on the left (memorisation), sharp maps on the left
but diffuse maps on the right, heat on the left on objects that validation inputs lack (a shortcut in the training
data).
{empty}
Source: {source}"""

_EMPTY = """*Empty maps* are {zero}: the method finds nothing that speaks for the class, though the prediction may be
certain.{more} Their number is printed below, and that of maps which look empty since they stay below 1 % of the scale.
"""
_FLATTENED = (
    " Grad-CAM weighs each channel by its mean gradient over positions. Before a `Flatten`, as in this model, "
    'gradients differ between positions and their mean may be negative; `method="hires_cam"` takes no mean.'
)
_BRIGHT = (
    "a thin outline encloses where the map exceeds half of its own largest value, however weak that is, unless that is "
    "most of the map; of a volume or clip, half of the largest in the slices drawn; bright is evidence for"
)


class GradCAM(ExplainedView):
    """See which regions are evidence for a class: the class activation map over each input, at every step.

    Of a layer that is called on several inputs, as of a siamese model, there is one image for each input. With
    `training_data`, the validation run has another image, `<tag>/train_and_validation`, that shows both data sets
    side by side. It is left out if training and validation inputs differ in size.

    Args:
        log_dir: the TensorBoard log directory.
        validation_data: images, signals or volumes; see `ProbeView`.
        layer: the layer with the feature maps; `None`: the last layer before the score whose output has more than one
            position.
        target: what to explain: `None` the predicted class (of masks with known truth, other than its most frequent
            class), an int that class, `"true"` the labelled class, or a callable from the model's outputs (before the
            softmax with `score="logits"`) to one value per row.
        method: `"grad_cam"`, `"grad_cam++"`, `"hires_cam"`, `"layer_cam"`, `"xgrad_cam"`, `"eigen_cam"`, or, with one
            more forward pass per channel at each drawn epoch, `"score_cam"`, `"ablation_cam"`; see
            `maths/class_activation.py` for the papers. A message says if `"grad_cam++"` or `"xgrad_cam"` is unreliable
            because activations of the layer are negative.
        score: `"logits"`: the input of the softmax or sigmoid, whose gradients do not saturate; or `"output"`.
        options: `training_data`, `count`, `class_names`, `display`, and those of `View`.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: before the first batch: an unknown layer or method, no layer with feature maps, no labels for
            `"true"`, a class that the model does not have, or a softmax whose logits cannot be found.

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

    def find_layers(self, reader: Reader) -> None:
        """Find the layer, and the explained class of each row."""
        super().find_layers(reader)
        self._explained: list[LayerMaps] = maps_by_input(reader, self.layer, self.score, self.method)
        self._input_names = input_names(reader.model, self.probes[VALIDATION].inputs)
        calls = [one.call for one in self._explained]
        self.path = calls[0].path if len(calls) == 1 else calls[0].ref.path
        self._flattened = self._flattens(reader, calls)
        self._cautioned = False

    def _flattens(self, reader: Reader, calls: list[Call]) -> bool:
        """Return whether gradients are averaged over positions although the model tells positions apart."""
        after = reader.calls[max(map(reader.calls.index, calls)) :]
        return self.method == "grad_cam" and any(isinstance(call.ref.layer, keras.layers.Flatten) for call in after)

    def summary(self) -> str:
        """Return the name of the view and its layer."""
        return f"{type(self).__name__} of {self.path}"

    def request(self, source: str) -> Request:
        """Request the layer's output, the gradient of the score with respect to it, and the predictions."""
        captures = (*(one.capture for one in self._explained), self.output)
        return Request(captures, targets={self.score.targets: self.targets[source]})

    def tags(self) -> Mapping[str, None]:
        """Return one image tag per input that the layer is called on."""
        return dict.fromkeys(f"{self.method}/{one.call.path}" for one in self._explained)

    def capture(self, step: int) -> dict[str, dict[Any, Any]]:
        """Run the shared forward pass and those of the method, for each data source."""
        captured: dict[str, dict[Any, Any]] = dict(super().capture(step))
        for source, probe in self.probes.items():
            reader, classes, found = self.readers[source], self.targets[source], captured[source]
            found["weights"] = [
                one.weights(reader, found[one.capture], probe.inputs, classes) for one in self._explained
            ]
            for one in self._explained:
                self._say_caution(one, found[one.capture])
        return captured

    def _say_caution(self, explained: LayerMaps, captured: Captured) -> None:
        """Say once a fit that the method is unreliable for these activations."""
        caution = "" if self._cautioned else explained.caution(captured)
        if caution and self.fit_context.verbose:
            self._cautioned = True
            say(f"kerasviz_callbacks: {type(self).__name__}, {caution}.")

    def measure(self, captured: dict[Any, Any], source: str, step: int) -> Measured:
        """Return raw maps `(n, *spatial)`, for each input that the layer is called on, and predictions."""
        found = []
        for one, weights in zip(self._explained, captured["weights"], strict=True):
            maps = one.maps(captured[one.capture], weights)
            self.memory.extend_scale(self.path, float(np.abs(maps[np.isfinite(maps)]).max(initial=0)))
            found.append(maps)
        return Measured(step, (*found, self.read_predictions(captured, source)))

    def draw(self, measured: Mapping[str, Measured]) -> Iterator[Image]:
        """Draw one image per input and data source, and one with both sources side by side, all on one scale."""
        for number, one in enumerate(self._explained):
            yield from self._images_of(one, number, measured)

    def _images_of(self, layer_maps: LayerMaps, number: int, measured: Mapping[str, Measured]) -> Iterator[Image]:
        method, call = layer_maps.method, layer_maps.call
        explained, target = self.target_in_words(), self.target_in_words(code_span)
        if method.needs == "activations":
            explained = target = "any class"
        caption = f"{self.method} of {call.title()}   {shape_text(layer_maps.shape)}   {explained}"
        if layer_maps.input is not None:
            caption += f"   on input {self._input_names[layer_maps.input]}"
        if self._flattened:
            caption += "\nFlatten after these maps: hires_cam tells positions apart"
        texts = {
            "method": self.method,
            "path": call.title(code_span),
            "score": f"score: {self.score.of}",
            "colours": "red is evidence for, blue against," if method.signed else _BRIGHT,
            "target": target,
            "titles": self.titles_in_words(),
            "empty": _EMPTY.format(
                zero="zero everywhere" if method.signed else "nowhere positive",
                more=_FLATTENED if self._flattened else "",
            ),
            "source": method.paper,
        }
        tag, scale = f"{self.method}/{call.path}", self.memory.scales.get(self.path, 0.0)
        options: dict[str, Any] = {"scale": scale, "caption": caption, "signed": method.signed}
        options["number"] = layer_maps.input
        options["slice_name"] = self.probe_display.slice_name
        for source, one in measured.items():
            picture = self.heat(source, one.data[number], one.data[-1], note=one.note, **options)
            yield Image(source, tag, picture, _DESCRIPTION.format(**texts))
        if TRAINING in measured:
            maps = {source: one.data[number] for source, one in measured.items()}
            predicted = {source: one.data[-1] for source, one in measured.items()}
            comparison = self.comparison_sheet(maps, predicted, note=measured[VALIDATION].note, **options)
            if comparison is not None:
                about = _COMPARISON.format(most=MAX_COMPARED, **texts)
                yield Image(VALIDATION, f"{tag}/{COMPARISON}", comparison, about)
