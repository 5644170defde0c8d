"""Matrix products on one thread: numpy's own wake the BLAS threads, which then take a core from the training."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_SIDE = 64
_MULTIPLICATIONS = _SIDE**3
"""OpenBLAS, which numpy brings, takes one thread for a product of so many multiplications. For a larger one it wakes
the others, which wait for more work in a busy loop for a tenth of a second: 100 ms of a core for a product of 1 ms."""


def product(left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """Compute `left @ right` of `(m, k)` and `(k, n)` in blocks, each on the calling thread: the same but for rounding.

    ValueError if they are not two matrices, or the inner sizes differ.
    """
    if left.ndim != 2 or right.ndim != 2 or left.shape[1] != right.shape[0]:
        raise ValueError(f"left, right: must be (m, k) and (k, n), got {left.shape} and {right.shape}")
    (m, k), n = left.shape, right.shape[1]
    inner, across = min(k, _SIDE), min(n, _SIDE)
    down = max(1, _MULTIPLICATIONS // max(1, inner * across))
    found = np.zeros((m, n), np.result_type(left, right))
    for row in range(0, m, down):
        rows = slice(row, row + down)
        for column in range(0, n, _SIDE):
            columns = slice(column, column + _SIDE)
            for start in range(0, k, _SIDE):
                both = slice(start, start + _SIDE)
                found[rows, columns] += left[rows, both] @ right[both, columns]
    return found


def squared_sum(values: NDArray[Any]) -> float:
    """Compute the sum of the squares of all values, as `np.vdot(values, values)` does for real ones."""
    return float(np.sum(np.square(values)))
