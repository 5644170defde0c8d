"""Linear resampling between the centres of cells, as `tf.image.resize` does it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def resize(values: NDArray[Any], sides: Sequence[int]) -> NDArray[np.float64]:
    """Resize the first axes of an array linearly to the given lengths, one after the other.

    Example:
        >>> resize(np.array([[0.0, 1.0]]), (1, 4)).tolist()
        [[0.0, 0.25, 0.75, 1.0]]
    """
    resized = np.asarray(values, np.float64)
    for axis, side in enumerate(sides):
        if resized.shape[axis] != side:
            weights = resize_weights(resized.shape[axis], side)
            resized = np.moveaxis(np.tensordot(weights, resized, axes=(1, axis)), 0, axis)
    return resized


def resize_weights(old: int, new: int) -> NDArray[np.float64]:
    """Compute the matrix `(new, old)` that resizes an axis linearly from the one length to the other; rows of sum 1.

    The centres of the outermost cells are not extrapolated beyond: what lies outside takes the outermost value.

    Example:
        >>> resize_weights(2, 4).tolist()
        [[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]]
    """
    positions = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    weights: NDArray[np.float64] = np.maximum(1 - np.abs(positions[:, None] - np.arange(old)), 0.0)
    return weights
