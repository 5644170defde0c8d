"""The kernels of a model's layers, which can be read without a pass."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import keras
import numpy as np

from .layers import Place

Array = np.ndarray[Any, Any]
Layout = Literal["conv", "conv_transpose", "depthwise"]
_TRANSPOSED = (keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose)
_DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)
_SEPARABLE = (keras.layers.SeparableConv1D, keras.layers.SeparableConv2D)
_NORMALISING = (keras.layers.Normalization, keras.layers.BatchNormalization, keras.layers.LayerNormalization)
_CONVOLUTION = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)


def convolution_layout(layer: Any) -> Layout | None:
    """How a convolution lays out its kernel; `None` for any other layer."""
    if isinstance(layer, _TRANSPOSED):
        return "conv_transpose"
    if isinstance(layer, (*_DEPTHWISE, *_SEPARABLE)):
        return "depthwise"
    return "conv" if isinstance(layer, _CONVOLUTION) else None


def kernel_shape(layer: Any) -> tuple[int, ...]:
    """The shape of a layer's kernel as the layer keeps it; of a separable convolution its depthwise one."""
    return tuple(_kernel(layer).shape)


def kernel(layer: Any) -> Array:
    """A copy of a layer's kernel as it is now, float32."""
    return np.array(keras.ops.convert_to_numpy(keras.ops.cast(_kernel(layer), "float32")))


def first_dense(model: Any, known: Sequence[Place]) -> tuple[Place, tuple[int, ...]] | None:
    """The dense layer that weighs every number of an input before any other layer does, and that input's shape.

    Where the model does not tell the shapes of its inputs, the shape is `(fan-in,)`.
    """
    weighted = [p for p in known if p.leaf and p.layer.weights and not isinstance(p.layer, _NORMALISING)]
    if not weighted or not isinstance(weighted[0].layer, keras.layers.Dense):
        return None
    fan_in = int(weighted[0].layer.kernel.shape[0])
    inputs = keras.tree.flatten(getattr(model, "inputs", None) or [])
    for shape in [tuple(tensor.shape[1:]) for tensor in inputs] or [(fan_in,)]:
        if None not in shape and math.prod(shape) == fan_in:
            return weighted[0], shape
    return None


def _kernel(layer: Any) -> Any:
    return layer.depthwise_kernel if isinstance(layer, _SEPARABLE) else layer.kernel
