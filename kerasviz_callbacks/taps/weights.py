"""The kernels of a model's layers; reading them needs no pass."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import keras
import numpy as np

from .. import _keras
from .._typing import Array
from .layers import LayerRef, find

Layout = Literal["conv", "conv_transpose", "depthwise"]
_TRANSPOSED = (keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose)
_DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)
_SEPARABLE = (keras.layers.SeparableConv1D, keras.layers.SeparableConv2D)
_NORMALISING = (keras.layers.Normalization, keras.layers.BatchNormalization, keras.layers.LayerNormalization)
_CONVOLUTION = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
_ATTENTION = (keras.layers.MultiHeadAttention, keras.layers.GroupQueryAttention)
_MOST_HEADS = 32  # that are told apart
# Attributes that hold the weights by which layers multiply their inputs; the first one found represents a layer.
_KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel", "embeddings", "recurrent_kernel")


def convolution_layout(layer: Any) -> Layout | None:
    """The layout of a convolution's kernel; `None` for other layers."""
    if isinstance(layer, _TRANSPOSED):
        return "conv_transpose"
    if isinstance(layer, (*_DEPTHWISE, *_SEPARABLE)):
        return "depthwise"
    return "conv" if _is_conv_lstm_cell(layer) or isinstance(layer, _CONVOLUTION) else None


def _is_conv_lstm_cell(layer: Any) -> bool:
    return hasattr(layer, "recurrent_kernel") and hasattr(layer, "rank")


def is_separable(layer: Any) -> bool:
    """Whether a layer has a depthwise kernel, which `kernel` gives, and a pointwise one that makes the filters."""
    return isinstance(layer, _SEPARABLE)


def overrides_its_computation(layer: Any) -> bool:
    """Whether a layer's class replaces how Keras computes with the kernel, so that it may use another, as a masked one.

    Wrappers such as `SpectralNormalization` are layers of their own, and leave the wrapped layer's class as it is.
    """
    for name in ("call", "convolution_op"):
        owner = next((one for one in type(layer).__mro__ if name in vars(one)), keras.layers.Layer)
        if not _is_of_keras(owner):
            return True
    return False


def _is_of_keras(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == "keras"


def kernel_shape(layer: Any) -> tuple[int, ...]:
    """The shape of a layer's kernel; of a separable convolution the depthwise one."""
    return tuple(_kernel(layer).shape)


def kernel(layer: Any) -> Array:
    """A copy of a layer's kernel, float32."""
    return _copied(_kernel(layer))


def with_own_kernel(layers: Sequence[LayerRef]) -> list[str]:
    """The paths of convolutions or dense layers, of those that share one kernel the first."""
    found: dict[Any, str] = {}
    for ref in layers:
        weights = _kernel(ref.layer)  # a tensor if the layer computes it (LoRA)
        found.setdefault(id(weights) if isinstance(weights, keras.Variable) else ref.path, ref.path)
    return list(found.values())


def convolves_one_axis(layer: Any) -> bool:
    """Whether a layer is a convolution over positions along one axis."""
    return convolution_layout(layer) is not None and len(kernel_shape(layer)) == 3


def first_dense(model: Any, known: Sequence[LayerRef]) -> tuple[LayerRef, tuple[int, ...]] | None:
    """The dense layer that takes a whole input before any other layer with weights, and that input's shape.

    If the model's input shapes are unknown, the shape is `(fan-in,)`.
    """
    weighted = [p for p in known if p.leaf and p.layer.weights and not isinstance(p.layer, _NORMALISING)]
    if not weighted or not isinstance(weighted[0].layer, keras.layers.Dense):
        return None
    fan_in = int(weighted[0].layer.kernel.shape[0])
    inputs = keras.tree.flatten(getattr(model, "inputs", None) or [])
    flattened = [ref.layer for ref in known if isinstance(ref.layer, keras.layers.Flatten)]
    first = flattened and flattened[0].data_format == "channels_first"  # it moves them to the end
    shapes = [tuple(tensor.shape[1:]) for tensor in inputs]
    for shape in [(*shape[1:], shape[0]) if first and len(shape) > 1 else shape for shape in shapes] or [(fan_in,)]:
        if None not in shape and math.prod(shape) == fan_in:
            return weighted[0], shape
    return None


def _kernel(layer: Any) -> Any:
    return layer.depthwise_kernel if is_separable(layer) else layer.kernel


def _copied(weights: Any) -> Array:
    return np.array(keras.ops.convert_to_numpy(keras.ops.cast(weights, "float32")))


@dataclass(frozen=True)
class Blocks:
    """Equal parts of the rows or columns of a matrix, in their order."""

    what: str  # what a part is, such as `"gate"`
    names: tuple[str, ...]
    meaning: str = ""  # of the names, in words


@dataclass(frozen=True)
class WeightMatrix:
    """One kernel of a layer as a matrix of inputs by outputs."""

    path: str  # of the layer; for a second kernel of a layer followed by the kernel's name
    ref: LayerRef
    attribute: str  # of the layer, such as `"kernel"`
    inputs: tuple[int, ...]  # the axes of a unit's inputs
    outputs: tuple[int, ...]  # the axes of the units
    in_attention: bool = False  # whether the layer is a part of an attention layer
    custom: bool = False  # whether it is a matrix of a custom layer, whose rows and columns may be anything

    @property
    def weights(self) -> Any:
        """The layer's variable; a tensor if the layer computes its kernel (LoRA)."""
        return getattr(self.ref.layer, self.attribute)

    @property
    def shape(self) -> tuple[int, ...]:
        """The kernel's own shape."""
        return tuple(self.weights.shape)

    @property
    def sides(self) -> tuple[int, int]:
        """The number of inputs and of units."""
        shape = self.shape
        return math.prod(shape[axis] for axis in self.inputs), math.prod(shape[axis] for axis in self.outputs)

    def array(self) -> Array:
        """A copy of the weights in the kernel's own shape, float32."""
        return _copied(self.weights)

    @property
    def is_table(self) -> bool:
        """Whether its rows and columns are no inputs and units: an embedding table, or a matrix of a custom layer."""
        return self.custom or self.attribute == "embeddings"

    @property
    def row_blocks(self) -> Blocks | None:
        """The heads whose outputs are the rows: of the kernel that joins them, or of another with several such axes."""
        joins = not self.in_attention or self.ref.name == "attention_output"
        return self._heads(self.inputs) if joins else None

    @property
    def column_blocks(self) -> Blocks | None:
        """The gates of a recurrent cell, or the heads of attention, that the columns belong to."""
        gates = cell_gates(self.ref.layer)
        if gates is not None and self.attribute in ("kernel", "recurrent_kernel"):
            return gates
        return None if self.in_attention and self.ref.name == "attention_output" else self._heads(self.outputs)

    def _heads(self, axes: tuple[int, ...]) -> Blocks | None:
        """The parts along the first of several axes, none of which is a single row or column."""
        if not isinstance(self.ref.layer, keras.layers.EinsumDense) or len(axes) < 2:
            return None
        count, each = self.shape[axes[0]], math.prod(self.shape[axis] for axis in axes[1:])
        if not (1 < count <= _MOST_HEADS and each > 1):
            return None
        return Blocks("head" if self.in_attention else f"axis {axes[0]}", tuple(map(str, range(count))))

    @property
    def variable(self) -> Any:
        """The variable that training updates; `None` if the kernel is computed."""
        return self.weights if isinstance(self.weights, keras.Variable) else None


def cell_gates(layer: Any) -> Blocks | None:
    """The gates that the last axis of a recurrent cell's kernels is made of, in Keras' order; `None` without gates."""
    if isinstance(layer, keras.layers.GRUCell):
        return Blocks("gate", ("z", "r", "h"), "z update, r reset, h candidate")
    if isinstance(layer, keras.layers.LSTMCell) or _is_conv_lstm_cell(layer):
        return Blocks("gate", ("i", "f", "c", "o"), "i input, f forget, c cell, o output")
    return None


def weight_matrices(known: Sequence[LayerRef], *, custom: bool = False) -> list[WeightMatrix]:
    """All kernels of the layers, in the order of tracking, including depthwise and recurrent ones and embeddings.

    With `custom` also the matrices of custom layers without a kernel, such as codebooks and embeddings of positions.
    A kernel shared by several layers counts once: for the wrapped layer, not its wrapper, or else for the first.
    """
    found: dict[Any, WeightMatrix] = {}
    attention = tuple(f"{ref.path}/" for ref in known if isinstance(ref.layer, _ATTENTION))
    for ref in known:
        for number, matrix in enumerate(_matrices_of(ref) or (_custom_matrices(ref) if custom else [])):
            path = ref.path if number == 0 else f"{ref.path}/{matrix.attribute}"
            key = path if matrix.variable is None else id(matrix.variable)
            earlier = found.get(key)
            if earlier is None or ref.path.startswith(earlier.ref.path + "/"):
                within = bool(attention) and ref.path.startswith(attention)
                found[key] = replace(matrix, path=path, in_attention=within)
    return list(found.values())


def matrices_named(known: Sequence[LayerRef], wanted: Any, *, argument: str) -> list[WeightMatrix]:
    """The kernels of the layer that `wanted` names; if it has none, those of its sublayers; ValueError if neither."""
    ref = find(known, wanted, argument=argument)[0]
    matrices = weight_matrices(known, custom=True)
    chosen = [matrix for matrix in matrices if matrix.ref is ref]
    chosen = chosen or [matrix for matrix in matrices if matrix.ref.path.startswith(ref.path + "/")]
    if not chosen:
        raise ValueError(
            f'{argument}="{ref.path}": {type(ref.layer).__name__} has no kernel to show; those that have: '
            f"{', '.join(dict.fromkeys(matrix.ref.path for matrix in matrices)) or 'none'}."
        )
    return chosen


def narrowest_hidden(model: Any, known: Sequence[LayerRef]) -> WeightMatrix | None:
    """The bottleneck as far as kernels show it: the hidden dense layer with the fewest units, the first on a tie.

    Layers that compute an output of the model and the last layer with a kernel are not hidden. Without a hidden dense
    layer: the hidden convolution with the fewest filters if an output has the shape of the input, as in an autoencoder,
    else the last hidden convolution; else the last hidden layer of any kind, else the output layer. `None`: no kernels.
    """
    firsts = {id(matrix.ref): matrix for matrix in reversed(weight_matrices(known))}
    layers = list(reversed(firsts.values()))
    outputs = {id(_keras.producing_operation(tensor)) for tensor in _symbolic_outputs(model)}
    hidden = [matrix for matrix in layers[:-1] if id(matrix.ref.layer) not in outputs]
    dense = [matrix for matrix in hidden if isinstance(matrix.ref.layer, keras.layers.Dense)]
    if dense:
        return min(dense, key=lambda matrix: matrix.shape[-1])
    convolutions = [matrix for matrix in hidden if convolution_layout(matrix.ref.layer)]
    if convolutions and _gives_back_its_input(model):
        return min(convolutions, key=lambda matrix: matrix.sides[1])
    return next(reversed(convolutions or hidden or layers), None)


def _gives_back_its_input(model: Any) -> bool:
    inputs = keras.tree.flatten(getattr(model, "inputs", None) or [])
    return bool(inputs) and any(tuple(one.shape) == tuple(inputs[0].shape) for one in _symbolic_outputs(model))


def _symbolic_outputs(model: Any) -> list[Any]:
    outputs = keras.tree.flatten(getattr(model, "outputs", None) or [])
    return [tensor for tensor in outputs if isinstance(tensor, keras.KerasTensor)]


def _matrices_of(ref: LayerRef) -> list[WeightMatrix]:
    """A layer's own kernels, in the order of `_KERNELS`; empty before it is built."""
    layer, found = ref.layer, []
    if not (isinstance(layer, keras.layers.Layer) and layer.built):
        return []
    for attribute in _KERNELS:
        weights: Any = getattr(layer, attribute, None)
        shape = tuple(getattr(weights, "shape", None) or ())
        if not shape or not keras.backend.is_float_dtype(keras.backend.standardize_dtype(weights.dtype)):
            continue
        inputs, outputs = _axes(layer, attribute, len(shape))
        found.append(WeightMatrix(ref.path, ref, attribute, inputs, outputs))
    return found


def _custom_matrices(ref: LayerRef) -> list[WeightMatrix]:
    """The two-dimensional weights of a layer that is not one of Keras', by the attributes that hold them."""
    if not isinstance(ref.layer, keras.layers.Layer) or _is_of_keras(type(ref.layer)):
        return []
    held = [(name, one) for name, one in vars(ref.layer).items() if isinstance(one, keras.Variable)]
    matrices = [name for name, one in held if len(one.shape) == 2 and keras.backend.is_float_dtype(one.dtype)]
    return [WeightMatrix(ref.path, ref, name, (0,), (1,), custom=True) for name in matrices]


def _axes(layer: Any, attribute: str, ndim: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The axes of a kernel that are inputs of a unit, and those that are units."""
    axes = tuple(range(ndim))
    if isinstance(layer, keras.layers.EinsumDense) and attribute == "kernel":
        given, _, answer = layer.equation.replace(" ", "").partition("->")
        letters = given.partition(",")[2]
        if len(letters) == ndim:
            outputs = tuple(axis for axis in axes if letters[axis] in answer)
            return tuple(axis for axis in axes if axis not in outputs), outputs
    layout = convolution_layout(layer)
    if layout == "conv_transpose":
        return (*axes[:-2], axes[-1]), (axes[-2],)
    if layout == "depthwise" and attribute != "pointwise_kernel":
        return axes[:-2], axes[-2:]
    return axes[:-1], axes[-1:]
