"""One class activation method on one layer: what it wants of the shared pass, its further passes, and its maps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from ..maths.class_activation import cam_method
from ..maths.geometry import fold_tokens
from ..taps.extra_passes import ablated_scores, masked_scores, settled
from ..taps.input_spec import position_axes
from ..taps.layer_selection import map_layer
from ..taps.reader import Capture, Captured, Reader
from ..taps.scores import Score
from ..taps.tokens import Patches, patches_of

Array = np.ndarray[Any, Any]


class LayerMaps:
    """A method on a layer, ready to be asked at every step.

    Args:
        reader: of the model.
        layer: a name, path or layer; `None`: the last with maps on the way to the score.
        wanted: the score that is explained.
        method: a name, see `maths.class_activation.METHODS`.

    Attributes:
        call: the layer.
        shape: of its maps, `(*spatial, channels)`; tokens are folded onto the picture.
        capture: what is wanted of the shared pass.

    Raises:
        ValueError: an unknown method or layer, a layer without maps, one that the method cannot explain.
    """

    def __init__(self, reader: Reader, layer: Any, wanted: Score, method: str):
        self.method = cam_method(method)
        self.call = map_layer(reader, layer, wanted)
        self.capture = Capture(self.call.path, score=wanted if self.method.needs == "gradient" else None)
        self._score = wanted
        self._patches = patches_of(reader, self.call)
        self.shape = self.call.shape if self._patches is None else (*self._patches.grid, self.call.shape[-1])
        if self.method.needs == "masked scores":
            self._check_maskable(reader, method)

    def weights(self, reader: Reader, captured: Captured, inputs: Any, classes: Array) -> Array | None:
        """What takes further passes: a weight for each channel `(n, channels)`; `None` for methods that need none.

        Score-CAM takes a pass a channel, ablation-CAM one more than that.

        Args:
            reader: of the model.
            captured: of `capture`.
            inputs: as the model was fed.
            classes: `(n,)`, `PREDICTED` for the predicted one.
        """
        if self.method.weights is None:
            return None
        score = self._score
        fixed = settled(reader, inputs, classes) if score.function is None else classes

        def masked(masks: Array) -> Array:
            return masked_scores(reader, score, inputs, fixed, masks)

        def ablated(channel: int | None) -> Array:
            return ablated_scores(reader, score, inputs, fixed, self.call, channel)

        scores = masked if self.method.needs == "masked scores" else ablated
        return self.method.weights(self._folded(captured.output), scores)

    def maps(self, captured: Captured, weights: Array | None = None) -> Array:
        """Raw maps `(n, *spatial)`, float32.

        Args:
            captured: of `capture`.
            weights: from `weights`.
        """
        activations = self._folded(captured.output)
        if self.method.needs == "activations":
            return self.method.maps(activations)
        given = self._folded(captured.required_gradient) if weights is None else weights
        return self.method.maps(activations, given)

    def within_pass(self, wanted: Score) -> Capture:
        """The maps themselves, made by Grad-CAM inside the pass: of many rows, what a layer puts out is too much.

        Args:
            wanted: the score that is explained.
        """
        return Capture(self.call.path, score=wanted, maps=_GradCam(self._patches))

    def _folded(self, values: Array) -> Array:
        return values if self._patches is None else fold_tokens(values, self._patches.first, self._patches.grid)

    def _check_maskable(self, reader: Reader, method: str) -> None:
        shape = reader.input_shapes[0]
        axes = position_axes(reader, shape)
        if axes != len(self.shape) - 1 or math.prod(shape) == 0:
            raise ValueError(
                f'method="{method}": it lays the maps of "{self.call.path}" {self.shape[:-1]} over the input, whose '
                f"shape {shape} has other axes; use a method that needs no masks, such as grad_cam."
            )


@dataclass(frozen=True)
class _GradCam:
    """`maths.class_activation.grad_cam` on tensors; equal ones are one tap, so it is computed once for all who ask."""

    patches: Patches | None

    def __call__(self, output: Any, gradient: Any) -> Any:
        ops = keras.ops
        activations, slopes = (self._folded(ops.cast(values, "float32")) for values in (output, gradient))
        weights = ops.mean(slopes, axis=tuple(range(1, len(slopes.shape) - 1)))
        list_layers = ops.reshape(activations, (ops.shape(activations)[0], -1, activations.shape[-1]))
        # A product of matrices: to multiply and then sum makes another array as large as the activations.
        evidence = ops.reshape(ops.matmul(list_layers, weights[..., None]), (-1, *ops.shape(activations)[1:-1]))
        return ops.where(evidence > 0, evidence, evidence * 0)  # NaN stays NaN, and minus infinity becomes it

    def _folded(self, values: Any) -> Any:
        if self.patches is None:
            return values
        return keras.ops.reshape(values[:, self.patches.first :], (-1, *self.patches.grid, values.shape[-1]))
