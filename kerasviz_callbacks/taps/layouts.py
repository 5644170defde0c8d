"""Where the channels of tensors are, in models whose layers take them before the positions (`channels_first`).

Only layers such as convolutions and poolings say it; activations, normalisations, sums and nested models do not. So the
tensors of one pass are grouped: those between which nothing is rearranged have the same layout.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import keras

from .layers import LayerRef, children

_REARRANGING = (
    *(keras.layers.Permute, keras.layers.Reshape, keras.layers.RepeatVector, keras.layers.Dense, keras.layers.Dot),
    *(keras.layers.EinsumDense, keras.layers.Embedding, keras.layers.RNN, keras.layers.MultiHeadAttention),
    *(keras.layers.GroupQueryAttention, keras.layers.Attention, keras.layers.AdditiveAttention),
)
_REARRANGING_OPERATIONS = {"Transpose", "Moveaxis", "Swapaxes", "Reshape", "Einsum", "Matmul", "Tensordot", "Dot"}


class Frames(list[Any]):
    """The outputs of the calls within a `TimeDistributed`, a tensor for each frame."""


class Traced(NamedTuple):
    """One call of a layer as a pass records it."""

    ref: LayerRef
    outputs: Sequence[Any]  # its first output, or `Frames`
    given: Sequence[Any]  # the tensors that it takes


def any_channels_first(refs: Iterable[LayerRef]) -> bool:
    """Whether any layer of a model takes the channels first."""
    return any(_data_format(ref.layer) == "channels_first" for ref in refs)


class Layouts:
    """The axis of channels of the tensors of one pass, given the model's inputs and the calls in execution order."""

    def __init__(self, inputs: Sequence[Any], calls: Sequence[Traced]):
        self._tensors: list[Any] = []
        self._group: list[int] = []  # of each tensor: the number of another one of its group, or its own
        self._positions: dict[int, int] = {}  # of a group: how many axes of positions follow the channels
        for tensor in inputs:
            self._number(tensor)
        for place, call in enumerate(calls):
            self._add(call, calls[:place])

    def axis(self, tensor: Any) -> int | None:
        """The axis of the channels, counted from the end; `None`: it is the last one."""
        number = self._known(tensor)
        positions = 0 if number is None else self._positions.get(self._root(number), 0)
        return -1 - positions if positions and len(tensor.shape) >= positions + 2 else None

    def _add(self, call: Traced, before: Sequence[Traced]) -> None:
        given = [tensor for tensor in call.given if len(getattr(tensor, "shape", ())) >= 3]
        layer, output, numbers = call.ref.layer, call.outputs[0], [self._number(tensor) for tensor in given]
        if len(getattr(output, "shape", ())) < 3:
            output = None
        data_format = _data_format(layer)
        if data_format is not None:
            for tensor in [*given[:1], *([] if output is None else [output])]:
                positions = _positions(layer, tensor) if data_format == "channels_first" else 0
                self._positions.setdefault(self._root(self._number(tensor)), positions)
            return
        inner = [one for one in before if one.ref.path.startswith(call.ref.path + "/")] if children(layer) else []
        if inner:
            self._join_inner(inner, given, output)
        elif output is not None and not _rearranges(layer):
            for tensor, number in zip(given, numbers, strict=True):
                if len(tensor.shape) == len(output.shape):
                    self._join(self._number(output), number)

    def _join_inner(self, inner: Sequence[Traced], given: Sequence[Any], output: Any) -> None:
        """A layer with sublayers has the layouts of its first sublayer's input and of its last one's output."""
        own = [one.outputs[0] for one in inner if getattr(one.outputs[0], "shape", None) is not None]
        first = [tensor for tensor in inner[0].given if len(getattr(tensor, "shape", ())) >= 3]
        for outer, within in ((given, first), ([] if output is None else [output], own[::-1])):
            ranks = {len(tensor.shape): tensor for tensor in reversed(within)}
            for tensor in outer[:1]:
                rank = len(tensor.shape)
                other = ranks.get(rank, ranks.get(rank - 1))  # less by one: of a frame
                if other is not None:
                    self._join(self._number(tensor), self._number(other))

    def _number(self, tensor: Any) -> int:
        """The number of a tensor; one not seen before (a cast, or the result of an operation) joins its last like."""
        known = self._known(tensor)
        if known is not None:
            return known
        shape = tuple(tensor.shape[1:])
        alike = [n for n, other in enumerate(self._tensors) if len(shape) > 1 and tuple(other.shape[1:]) == shape]
        self._tensors.append(tensor)
        self._group.append(len(self._group))
        if alike:
            self._join(len(self._group) - 1, alike[-1])
        return len(self._group) - 1

    def _known(self, tensor: Any) -> int | None:
        return next((number for number, other in enumerate(self._tensors) if other is tensor), None)

    def _root(self, number: int) -> int:
        while self._group[number] != number:
            number = self._group[number]
        return number

    def _join(self, one: int, other: int) -> None:
        first, second = self._root(one), self._root(other)
        if first != second:
            self._group[first] = second
            if first in self._positions:
                self._positions.setdefault(second, self._positions[first])


def channels_last(tensor: Any, axis: int | None, moveaxis: Any = keras.ops.moveaxis) -> Any:
    """A tensor, or with numpy's `moveaxis` an array, with the axis of its channels moved to the end."""
    return tensor if axis is None else moveaxis(tensor, axis, -1)


def channels_back(tensor: Any, axis: int | None, moveaxis: Any = keras.ops.moveaxis) -> Any:
    """The inverse of `channels_last`."""
    return tensor if axis is None else moveaxis(tensor, -1, axis)


def moved_shape(shape: Sequence[int | None], axis: int | None) -> tuple[int | None, ...]:
    """The shape of a row, without the batch, channels last."""
    own = tuple(shape)
    return own if axis is None else (*own[:axis], *own[len(own) + axis + 1 :], own[axis])


def _data_format(layer: Any) -> str | None:
    found = getattr(layer, "data_format", None) or getattr(getattr(layer, "cell", None), "data_format", None)
    return found if found in ("channels_first", "channels_last") else None


def _positions(layer: Any, tensor: Any) -> int:
    """The axes of positions of an input or output of a layer that says its data format."""
    rank = getattr(getattr(layer, "cell", None), "rank", None)  # a recurrent one also has an axis of time
    return int(rank) if rank else len(tensor.shape) - 2


def _rearranges(layer: Any) -> bool:
    return isinstance(layer, _REARRANGING) or type(layer).__name__ in _REARRANGING_OPERATIONS
