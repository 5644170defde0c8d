"""Leading singular vectors of a matrix, without its full decomposition."""

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]

_FULL_SVD_RANK = 32
"""Up to this smaller side the full decomposition is as quick as the iterative one."""

_ROUNDING = 1e-12


def first_component(matrix: Real) -> Real:
    """Project each row onto the first right singular vector of the matrix, not centred: `A v`, `(rows,)`.

    A singular vector has no sign of its own: here the sum is at least 0; where the sum is 0 but for rounding, the first
    of the values of largest magnitude is positive. Zeros for zeros, all NaN where a value of the matrix is not finite.
    """
    largest = np.abs(matrix).max()
    if not np.isfinite(largest):
        return np.full(len(matrix), np.nan)
    if largest == 0:
        return np.zeros(len(matrix))
    scaled = matrix / largest  # its squares neither overflow nor underflow
    component: Real = scaled @ right_singular_vectors(scaled, 1)[:, 0] * largest
    magnitude = np.abs(component)
    sign = component.sum()
    if abs(sign) <= _ROUNDING * magnitude.sum():
        sign = component[np.argmax(magnitude >= (1 - _ROUNDING) * magnitude.max())]
    return -component if sign < 0 else component


def right_singular_vectors(matrix: Real, count: int) -> Real:
    """Compute the leading right singular vectors, `(columns, min(count, rows, columns))`, the largest value's first.

    Large matrices go through ARPACK (`scipy.sparse.linalg.svds`), which there is up to a hundred times quicker than the
    full decomposition. Its start vector is drawn from a fixed seed, so the result is reproducible; a start computed
    from the matrix, such as its mean row, can be orthogonal to the vectors sought.

    The matrix must be finite, with no value so large or small that its square is not a float. The vectors are
    orthonormal, the sign of each is arbitrary but the same for the same matrix. Of equal singular values an arbitrary
    basis of their subspace.
    """
    from scipy.sparse.linalg import ArpackError, svds

    rank = min(matrix.shape)
    if rank > max(_FULL_SVD_RANK, count):
        start = np.random.default_rng(0).standard_normal(rank)
        try:
            _, values, vectors = svds(matrix, k=count, v0=start)
            return np.asarray(vectors[np.argsort(-values, kind="stable")].T)
        except ArpackError:  # it did not converge, or the matrix is zero
            pass
    return np.asarray(np.linalg.svd(matrix, full_matrices=False)[2][:count].T)
