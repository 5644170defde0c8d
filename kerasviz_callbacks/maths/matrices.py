"""Kernels as matrices, and downsampling of matrices that keeps extreme values."""

from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Axes = tuple[int, ...]


class Largest(NamedTuple):
    """The finite entry of largest magnitude of a matrix, and its position."""

    value: float
    row: int
    column: int


def fold(kernel: NDArray[Any], inputs: Axes, outputs: Axes) -> NDArray[Any]:
    """Reshape a kernel to a matrix `(fan-in, units)`: one row per input of a unit, one column per unit.

    Args:
        kernel: Array with any number of axes.
        inputs: The axes of a unit's inputs, slowest first; empty: one row.
        outputs: The axes of the units, slowest first; empty: one column.

    Raises:
        ValueError: If inputs and outputs together are not the kernel's axes, each once.

    Example:
        >>> fold(np.zeros((3, 3, 16, 32)), (0, 1, 2), (3,)).shape
        (144, 32)
    """
    order = (*inputs, *outputs)
    if sorted(order) != list(range(kernel.ndim)):
        raise ValueError(f"inputs={inputs}, outputs={outputs}: must be the {kernel.ndim} axes of the kernel, each once")
    return kernel.transpose(order).reshape(prod(kernel.shape[axis] for axis in inputs), -1)


def unfolded_index(shape: tuple[int, ...], inputs: Axes, outputs: Axes, row: int, column: int) -> tuple[int, ...]:
    """Convert a position in a folded kernel to an index of the kernel itself, one number per axis.

    `kernel[index] == fold(kernel, inputs, outputs)[row, column]`, `shape` being that of the kernel.
    """
    at = dict.fromkeys(range(len(shape)), 0)
    for axes, number in ((inputs, row), (outputs, column)):
        if axes:
            found = np.unravel_index(number, tuple(shape[axis] for axis in axes))
            at.update((axis, int(index)) for axis, index in zip(axes, found, strict=True))
    return tuple(at[axis] for axis in range(len(shape)))


def edges(length: int, blocks: int) -> NDArray[np.intp]:
    """Compute the bounds of blocks of nearly equal length, `(blocks + 1,)`; at most one block per entry."""
    count = max(1, min(blocks, length))
    bounds: NDArray[np.intp] = (np.arange(count + 1) * length) // count
    return bounds


def block_extremes(matrix: ArrayLike, rows: int, columns: int) -> NDArray[Any]:
    """Downsample a matrix to the entry of largest magnitude in each block, with its sign.

    The mean of a block of weights is nearly zero in any case; the extreme value shows outliers. A block with a NaN is
    NaN, one with an infinity is infinite.

    Args:
        matrix: `(h, w)`, at least one entry a side.
        rows: Maximum number of rows.
        columns: Maximum number of columns.

    Returns:
        `(min(h, rows), min(w, columns))`, same type; the matrix itself where it is small enough. Of `a` and `-a` in one
        block, `a` is taken.
    """
    low = high = np.asarray(matrix)
    if rows < len(low):
        # Block by block: `reduceat` takes ten times as long along the first axis of a large matrix.
        parts = np.split(low, edges(len(low), rows)[1:-1])
        low, high = np.stack([part.min(axis=0) for part in parts]), np.stack([part.max(axis=0) for part in parts])
    if columns < low.shape[1]:
        begins = edges(low.shape[1], columns)[:-1]
        low, high = np.minimum.reduceat(low, begins, axis=1), np.maximum.reduceat(high, begins, axis=1)
    return low if low is high else np.where(-low > high, low, high)


def largest(matrix: ArrayLike) -> Largest | None:
    """Find the finite entry of largest magnitude of a matrix, the first of equals; None where no entry is finite."""
    values = np.asarray(matrix)
    magnitudes = np.abs(values)
    magnitudes[~np.isfinite(magnitudes)] = -1
    if not magnitudes.size or magnitudes.max() < 0:
        return None
    row, column = np.unravel_index(int(magnitudes.argmax()), values.shape)
    return Largest(float(values[row, column]), int(row), int(column))


def block_of(index: int, length: int, blocks: int) -> int:
    """Find which of the at most `blocks` blocks of `block_extremes` contains an entry of an axis of that length."""
    return int(np.searchsorted(edges(length, blocks), index, side="right")) - 1


def strongest(values: ArrayLike) -> NDArray[np.float64]:
    """Take the value of largest magnitude over the last axis, with its sign: the first of equals, NaN where one is NaN.

    For channels, say, where values of opposite sign would cancel in the mean.

    Example:
        >>> strongest([[0.2, -0.5, 0.1]]).tolist()
        [-0.5]
    """
    numbers = np.asarray(values, np.float64)
    place = np.abs(numbers).argmax(axis=-1)  # argmax returns the first NaN
    return np.take_along_axis(numbers, place[..., None], axis=-1)[..., 0]
