"""Kernels of any shape as matrices, and large matrices made small without losing their spikes."""

from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Axes = tuple[int, ...]


class Largest(NamedTuple):
    """The number of largest magnitude in a matrix, and where it stands; NaN and infinity do not count."""

    value: float
    row: int
    column: int


def fold(kernel: NDArray[Any], inputs: Axes, outputs: Axes) -> NDArray[Any]:
    """Lay a kernel out as a matrix: a row for each input of a unit, a column for each unit.

    Args:
        kernel: Any number of axes.
        inputs: The axes that count a unit's inputs, the slowest first; none: one row.
        outputs: The axes that count the units, the slowest first; none: one column.

    Returns:
        `(fan-in, units)`, same values.

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


def place_in(shape: tuple[int, ...], inputs: Axes, outputs: Axes, row: int, column: int) -> tuple[int, ...]:
    """Say where an entry of a folded kernel stands in the kernel itself.

    Args:
        shape: Of the kernel.
        inputs: As for `fold`.
        outputs: As for `fold`.
        row: In the matrix.
        column: In the matrix.

    Returns:
        One index an axis: `kernel[place] == fold(kernel, inputs, outputs)[row, column]`.
    """
    at = dict.fromkeys(range(len(shape)), 0)
    for axes, number in ((inputs, row), (outputs, column)):
        if axes:
            found = np.unravel_index(number, tuple(shape[axis] for axis in axes))
            at.update((axis, int(index)) for axis, index in zip(axes, found, strict=True))
    return tuple(at[axis] for axis in range(len(shape)))


def edges(length: int, blocks: int) -> NDArray[np.intp]:
    """Where blocks of nearly equal length begin and the last ends, `(blocks + 1,)`; no more blocks than entries."""
    count = max(1, min(blocks, length))
    bounds: NDArray[np.intp] = (np.arange(count + 1) * length) // count
    return bounds


def block_extremes(matrix: ArrayLike, rows: int, columns: int) -> NDArray[Any]:
    """Shrink a matrix by the entry of largest magnitude in each block, its sign kept.

    The mean of a block of weights is nearly zero whatever they are; the extreme is what a spike leaves behind. A block
    with a NaN is NaN, one with an infinity is infinite.

    Args:
        matrix: `(h, w)`, at least one entry a side.
        rows: The most rows wanted.
        columns: The most columns wanted.

    Returns:
        `(min(h, rows), min(w, columns))`, same type; the matrix itself where it is small enough. Of `a` and `-a` in
        one block, `a` wins.
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
    """Find the finite entry of largest magnitude; the first of equals.

    Args:
        matrix: `(h, w)`.

    Returns:
        None where no entry is finite.
    """
    values = np.asarray(matrix)
    magnitudes = np.abs(values)
    magnitudes[~np.isfinite(magnitudes)] = -1
    if not magnitudes.size or magnitudes.max() < 0:
        return None
    row, column = np.unravel_index(int(magnitudes.argmax()), values.shape)
    return Largest(float(values[row, column]), int(row), int(column))


def block_of(index: int, length: int, blocks: int) -> int:
    """The block of `block_extremes` that holds an entry.

    Args:
        index: Of the entry, along one side.
        length: Of that side.
        blocks: The most blocks wanted.
    """
    return int(np.searchsorted(edges(length, blocks), index, side="right")) - 1


def strongest(values: ArrayLike) -> NDArray[np.float64]:
    """Keep the number of largest magnitude over the last axis, its sign with it.

    Of channels or colours, say, where numbers of opposite sign would cancel in the mean.

    Args:
        values: `(..., c)`.

    Returns:
        `(...)`; of two as large the first; NaN where one of the `c` is.

    Example:
        >>> strongest([[0.2, -0.5, 0.1]]).tolist()
        [-0.5]
    """
    numbers = np.asarray(values, np.float64)
    place = np.abs(numbers).argmax(axis=-1)  # numpy takes the first NaN for the largest
    return np.take_along_axis(numbers, place[..., None], axis=-1)[..., 0]
