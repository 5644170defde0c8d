"""The kernels of a model's layers, which can be read without a pass."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import keras
import numpy as np

from .. import _keras
from .layers import LayerRef, find

Array = np.ndarray[Any, Any]
Layout = Literal["conv", "conv_transpose", "depthwise"]
_TRANSPOSED = (keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose)
_DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)
_SEPARABLE = (keras.layers.SeparableConv1D, keras.layers.SeparableConv2D)
_NORMALISING = (keras.layers.Normalization, keras.layers.BatchNormalization, keras.layers.LayerNormalization)
_CONVOLUTION = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
# What layers call the weights that multiply what they are fed; the first that a layer has stands for it.
_KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel", "embeddings", "recurrent_kernel")


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
    return _copied(_kernel(layer))


def first_dense(model: Any, known: Sequence[LayerRef]) -> tuple[LayerRef, tuple[int, ...]] | None:
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


def _copied(weights: Any) -> Array:
    return np.array(keras.ops.convert_to_numpy(keras.ops.cast(weights, "float32")))


@dataclass(frozen=True)
class WeightMatrix:
    """One kernel of a layer, seen as a matrix of inputs by outputs.

    Attributes:
        path: the layer's path; of a second kernel of one layer with the kernel's name below it.
        place: the layer.
        attribute: what the layer calls it, such as `"kernel"`.
        inputs: the axes that count a unit's inputs.
        outputs: the axes that count the units.
    """

    path: str
    ref: LayerRef
    attribute: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @property
    def weights(self) -> Any:
        """The layer's own variable; a tensor where the layer computes its kernel anew (LoRA)."""
        return getattr(self.ref.layer, self.attribute)

    @property
    def shape(self) -> tuple[int, ...]:
        """As the layer keeps it."""
        return tuple(self.weights.shape)

    @property
    def sides(self) -> tuple[int, int]:
        """Inputs and units, as many as they are."""
        rows, columns = (math.prod(self.shape[axis] for axis in axes) for axes in (self.inputs, self.outputs))
        return rows, columns

    def array(self) -> Array:
        """A copy of the weights as they are now and as the layer lays them out, float32."""
        return _copied(self.weights)

    @property
    def variable(self) -> Any:
        """The variable that training changes; `None` where there is none."""
        return self.weights if isinstance(self.weights, keras.Variable) else None


def weight_matrices(known: Sequence[LayerRef]) -> list[WeightMatrix]:
    """Every kernel of the layers, in the order of tracking: also depthwise and recurrent ones, and embeddings.

    A kernel that several layers hold counts once: for a layer that a wrapper holds, or else the first.
    """
    found: dict[Any, WeightMatrix] = {}
    for ref in known:
        for number, matrix in enumerate(_matrices_of(ref)):
            path = ref.path if number == 0 else f"{ref.path}/{matrix.attribute}"
            key = path if matrix.variable is None else id(matrix.variable)
            earlier = found.get(key)
            if earlier is None or ref.path.startswith(earlier.ref.path + "/"):
                found[key] = replace(matrix, path=path)
    return list(found.values())


def matrices_named(known: Sequence[LayerRef], wanted: Any, *, argument: str) -> list[WeightMatrix]:
    """The kernels of the layer that `wanted` names; of a layer without any those of the layers it holds.

    Raises:
        ValueError: no such layer, or neither it nor a layer in it has a kernel.
    """
    ref = find(known, wanted, argument=argument)[0]
    matrices = weight_matrices(known)
    chosen = [matrix for matrix in matrices if matrix.ref is ref]
    chosen = chosen or [matrix for matrix in matrices if matrix.ref.path.startswith(ref.path + "/")]
    if not chosen:
        raise ValueError(
            f'{argument}="{ref.path}": {type(ref.layer).__name__} has no kernel to show; those that have: '
            f"{', '.join(dict.fromkeys(matrix.ref.path for matrix in matrices)) or 'none'}."
        )
    return chosen


def narrowest_hidden(model: Any, known: Sequence[LayerRef]) -> WeightMatrix | None:
    """The bottleneck as the kernels tell it: the hidden dense layer of fewest units, the first on a tie.

    What makes the model's outputs does not count, nor does the last layer that has a kernel. Without a hidden dense
    layer: the hidden convolution of fewest filters where the model gives back the shape of its input, as an
    autoencoder does, else the last one; else the last hidden layer of any kind, else the output. `None`: no kernels.
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
    return [
        one for one in keras.tree.flatten(getattr(model, "outputs", None) or []) if isinstance(one, keras.KerasTensor)
    ]


def _matrices_of(ref: LayerRef) -> list[WeightMatrix]:
    """A layer's own kernels, in the order of `_KERNELS`; none before it is built."""
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


def _axes(layer: Any, attribute: str, ndim: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Which axes of a kernel count the inputs of a unit, and which the units."""
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
