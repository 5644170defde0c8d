"""One class activation method on one layer: its capture in the shared pass, its additional passes, and its maps."""

import math
from dataclasses import dataclass
from typing import Any

import keras

from .._typing import Array
from ..maths.class_activation import cam_method
from ..maths.geometry import fold_tokens
from ..taps.extra_passes import ablated_scores, masked_scores, resolve_classes
from ..taps.input_spec import inputs_of, position_axes
from ..taps.layer_selection import check_scored, map_layer
from ..taps.reader import Capture, Captured, Reader
from ..taps.scores import Score
from ..taps.tokens import Patches, patches_of


class LayerMaps:
    """A class activation method on a layer, prepared once and evaluated at every step.

    Args:
        reader: of the model.
        layer: a name, path, layer or call; `None`: the last one with maps on the path to the score.
        wanted: the score that is explained.
        method: a name, see `maths.class_activation.METHODS`.

    Attributes:
        call: the layer's call.
        shape: of its maps, `(*spatial, channels)`; tokens are reshaped to their grid on the image.
        capture: what is requested of the shared pass.
        input: the number of the input that the maps lie over, if the layer's output depends on one of several.

    Raises:
        ValueError: an unknown method or layer, a layer without maps, or one that the method cannot explain.
    """

    def __init__(self, reader: Reader, layer: Any, wanted: Score, method: str):
        self.method = cam_method(method)
        if self.method.needs != "activations":
            check_scored(reader, wanted)
        self.call = map_layer(reader, layer, wanted)
        self.input: int | None = None
        self.capture = Capture(self.call.path, score=wanted if self.method.needs == "gradient" else None)
        self._score, self._name = wanted, method
        self._patches = patches_of(reader, self.call)
        self.shape = self.call.shape if self._patches is None else (*self._patches.grid, self.call.shape[-1])
        if self.method.needs == "masked scores":
            self._check_maskable(reader, method)

    def weights(self, reader: Reader, captured: Captured, inputs: Any, classes: Array) -> Array | None:
        """The weights of channels `(n, channels)` that need additional passes; `None` for methods without.

        Score-CAM runs one pass per channel, Ablation-CAM one more. `classes` are `(n,)`, `PREDICTED` for the predicted
        one.
        """
        if self.method.weights is None:
            return None
        score = self._score
        fixed = classes if score.function else resolve_classes(reader, inputs, classes, score.background)

        def masked(masks: Array) -> Array:
            return masked_scores(reader, score, inputs, fixed, masks)

        def ablated(channel: int | None) -> Array:
            return ablated_scores(reader, score, inputs, fixed, self.call, channel)

        activations = self._folded(captured.output)
        if self.method.needs == "ablated scores":
            return self.method.weights(activations, ablated)
        return self.method.weights(activations, masked, reader.input_shapes[0][: len(self.shape) - 1])

    def maps(self, captured: Captured, weights: Array | None = None) -> Array:
        """Raw maps `(n, *spatial)`, float32, of what `capture` gave and, for some methods, `weights`."""
        activations = self._folded(captured.output)
        if weights is not None:
            return self.method.maps(activations, weights)
        given = [activations]
        if self.method.needs == "gradient":
            given.append(self._folded(captured.required_gradient))
        if not self.call.of_frames:
            return self.method.maps(*given)
        rows, frames = activations.shape[:2]  # every frame is a picture of its own
        maps = self.method.maps(*(values.reshape(rows * frames, *values.shape[2:]) for values in given))
        return maps.reshape(rows, frames, *maps.shape[1:])

    def caution(self, captured: Captured) -> str:
        """What to tell the user if the method is unreliable for the activations that `capture` gave; else empty."""
        if not self.method.divides or not (self._folded(captured.output) < 0).any():
            return ""
        return (
            f'method="{self._name}": it divides by sums over each channel, and activations of "{self.call.path}" are '
            "negative, so sums can come close to 0 and weights be unreliable; name the layer after its ReLU, or use "
            "grad_cam or layer_cam"
        )

    def within_pass(self, wanted: Score) -> Capture:
        """A capture of Grad-CAM maps computed inside the pass, for rows whose activations take too much memory."""
        return Capture(self.call.path, score=wanted, maps=_GradCam(self._patches, self.call.of_frames))

    def _folded(self, values: Array) -> Array:
        return values if self._patches is None else fold_tokens(values, self._patches.first, self._patches.grid)

    def _check_maskable(self, reader: Reader, method: str) -> None:
        shape = reader.input_shapes[0]
        axes = position_axes(reader, shape)
        if axes != len(self.shape) - 1 or math.prod(shape) == 0:
            raise ValueError(
                f'method="{method}": it masks the input with the maps of "{self.call.path}" {self.shape[:-1]}, but the '
                f"input's shape {shape} has other axes; use a method without masks, such as grad_cam."
            )


def maps_by_input(reader: Reader, layer: Any, wanted: Score, method: str) -> list[LayerMaps]:
    """The `LayerMaps` of a layer; of one that is called on several inputs, those of the last call on each."""
    last = LayerMaps(reader, layer, wanted, method)
    if len(reader.input_shapes) == 1:
        return [last]
    calls = [call for call in reader.calls if call.ref is last.call.ref]
    if isinstance(layer, str) and layer.rpartition(":")[2].isdecimal():
        calls = [last.call]  # the call that the user named
    calls = reader.connected(calls, wanted) or [last.call]
    inputs = dict(zip((call.path for call in calls), inputs_of(reader, calls), strict=True))
    if any(len(own) != 1 for own in inputs.values()):
        return [last]
    found = []
    for number, call in sorted({inputs[call.path][0]: call for call in calls}.items()):
        found.append(LayerMaps(reader, call, wanted, method))
        found[-1].input = number
    return found


@dataclass(frozen=True)
class _GradCam:
    """`maths.class_activation.grad_cam` on tensors; equal objects make equal captures, which are computed once."""

    patches: Patches | None
    of_frames: bool

    def __call__(self, output: Any, gradient: Any) -> Any:
        ops = keras.ops
        activations, slopes = (self._folded(ops.cast(values, "float32")) for values in (output, gradient))
        shape = ops.shape(activations)[:-1]
        if self.of_frames:  # every frame is a picture of its own
            activations, slopes = (ops.reshape(values, (-1, *values.shape[2:])) for values in (activations, slopes))
        weights = ops.mean(slopes, axis=tuple(range(1, len(slopes.shape) - 1)))
        by_position = ops.reshape(activations, (ops.shape(activations)[0], -1, activations.shape[-1]))
        # A matrix product: multiplying and then summing would allocate another array of the activations' size.
        evidence = ops.reshape(ops.matmul(by_position, weights[..., None]), (-1, *shape[1:]))
        return ops.where(evidence > 0, evidence, evidence * 0)  # NaN stays NaN, and minus infinity becomes NaN

    def _folded(self, values: Any) -> Any:
        if self.patches is None:
            return values
        return keras.ops.reshape(values[:, self.patches.first :], (-1, *self.patches.grid, values.shape[-1]))
