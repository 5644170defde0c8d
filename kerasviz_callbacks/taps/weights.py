"""The kernels of a model's layers, as filters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from ..maths.geometry import Kind, dense_filters, filters_of, picture_shape
from .layers import Place

Array = np.ndarray[Any, Any]
_TRANSPOSED = (keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose)
_DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)
_SEPARABLE = (keras.layers.SeparableConv1D, keras.layers.SeparableConv2D)
_NORMALISING = (keras.layers.Normalization, keras.layers.BatchNormalization, keras.layers.LayerNormalization)
_CONVOLUTION = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)


@dataclass(frozen=True)
class Kernel:
    """One layer's weights, seen as filters.

    Attributes:
        place: the layer.
        kind: how the weights are laid out.
        picture: of a dense layer, the `(h, w, c)` of the picture it is fed.
    """

    place: Place
    kind: Kind
    picture: tuple[int, int, int] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """As the layer keeps it."""
        return tuple(self._variable.shape)

    @property
    def _variable(self) -> Any:
        layer = self.place.layer
        return layer.depthwise_kernel if isinstance(layer, _SEPARABLE) else layer.kernel

    def filters(self) -> Array:
        """A copy of the weights now, `(filters, inputs, *spatial)`, float32."""
        array = np.array(keras.ops.convert_to_numpy(keras.ops.cast(self._variable, "float32")))
        if self.picture is not None:
            return dense_filters(array, self.picture)
        return filters_of(array, self.kind)


def convolution_kind(layer: Any) -> Kind | None:
    """How a convolution lays out its kernel; `None` for any other layer."""
    if isinstance(layer, _TRANSPOSED):
        return "conv_transpose"
    if isinstance(layer, (*_DEPTHWISE, *_SEPARABLE)):
        return "depthwise"
    return "conv" if isinstance(layer, _CONVOLUTION) else None


def filter_kernels(model: Any, known: list[Place]) -> list[Kernel]:
    """Every convolution's kernel, and the first dense layer's where it is fed pictures, in the order of tracking."""
    found = []
    for place in known:
        kind = convolution_kind(place.layer)
        if kind is not None and place.layer.built:
            found.append(Kernel(place, kind))
    weighted = [p for p in known if p.leaf and p.layer.weights and not isinstance(p.layer, _NORMALISING)]
    if weighted and isinstance(weighted[0].layer, keras.layers.Dense):
        picture = _picture_fed(model, int(weighted[0].layer.kernel.shape[0]))
        if picture is not None:
            found.insert(0, Kernel(weighted[0], "conv", picture))
    return found


def _picture_fed(model: Any, fan_in: int) -> tuple[int, int, int] | None:
    """The shape of the picture whose every number a dense layer of this fan-in gets."""
    inputs = keras.tree.flatten(getattr(model, "inputs", None) or [])
    shapes = [tuple(tensor.shape[1:]) for tensor in inputs] or [(fan_in,)]
    for shape in shapes:
        if None not in shape and math.prod(shape) == fan_in:
            return picture_shape(shape)
    return None
