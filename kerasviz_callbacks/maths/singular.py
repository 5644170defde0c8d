"""The strongest direction of a matrix, without its whole decomposition."""

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]

_SMALL = 32  # up to this rank the whole decomposition is as quick
_ROUNDING = 1e-12


def first_component(matrix: Real) -> Real:
    """Say how far each row goes along the strongest direction of all: `A v`.

    Args:
        matrix: `(rows, columns)`, uncentred; at least one of each.

    Returns:
        `(rows,)`, such that the sum is at least 0; where that is 0 but for rounding, such that the first of
        the strongest values is positive. Zeros for zeros, all NaN where not all values are finite.
    """
    largest = np.abs(matrix).max()
    if not np.isfinite(largest):
        return np.full(len(matrix), np.nan)
    if largest == 0:
        return np.zeros(len(matrix))
    scaled = matrix / largest  # its squares neither overflow nor underflow
    line: Real = scaled @ first_right_singular_vector(scaled) * largest
    strength = np.abs(line)
    side = line.sum()
    if abs(side) <= _ROUNDING * strength.sum():
        side = line[np.argmax(strength >= (1 - _ROUNDING) * strength.max())]
    return -line if side < 0 else line


def first_right_singular_vector(matrix: Real) -> Real:
    """Find the direction in which the rows of a matrix are longest: the first right singular vector.

    Of large matrices by ARPACK, a hundred times quicker there than the whole decomposition. Its start is drawn from a
    fixed seed: a start made from the matrix, as its mean row, can be at right angles to the answer.

    Args:
        matrix: `(rows, columns)`, finite, not all zero, no value so large or small that its square is not.

    Returns:
        `(columns,)`, of length 1 and either sign; the same for the same matrix. Of two equal largest singular
        values some vector of their plane.
    """
    from scipy.sparse.linalg import ArpackError, svds

    rank = min(matrix.shape)
    if rank > _SMALL:
        start = np.random.default_rng(0).standard_normal(rank)
        try:
            return np.asarray(svds(matrix, k=1, v0=start)[2][0])
        except ArpackError:  # it did not converge
            pass
    return np.asarray(np.linalg.svd(matrix, full_matrices=False)[2][0])
