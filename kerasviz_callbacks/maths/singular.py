"""The strongest direction of a matrix, without its whole decomposition."""

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]

_RESIDUAL = 1e-12
_EXHAUSTED = 1e-14
_STEPS_BETWEEN_LOOKS = 8
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

    Golub-Kahan-Lanczos: a basis of the rows' space is grown by `A'A`, each vector made orthogonal to all
    before, until the best direction within it is an eigenvector of `A'A`, which takes 8 to 100 steps where a
    whole decomposition of 512 columns takes a second. The start is drawn from a fixed seed: a start made from
    the matrix, as its mean row, can be at right angles to the answer and would then never find it.

    Args:
        matrix: `(rows, columns)`, finite, not all zero, no value so large or small that its square is not.

    Returns:
        `(columns,)`, of length 1 and either sign; the same for the same matrix. Of two equal largest singular
        values some vector of their plane.

    Reference:
        Golub & Van Loan, "Matrix Computations", 4th edition, chapter 10.
    """
    start = matrix.T @ np.random.default_rng(0).standard_normal(len(matrix))
    basis, images = [start / np.linalg.norm(start)], []
    rank = min(matrix.shape)
    while True:
        images.append(matrix.T @ (matrix @ basis[-1]))
        spanned = np.array(basis)
        rest = images[-1] - (spanned @ images[-1]) @ spanned
        length = np.linalg.norm(rest)
        whole = len(basis) == rank or bool(length <= _EXHAUSTED * np.linalg.norm(images[-1]))
        if whole or len(basis) % _STEPS_BETWEEN_LOOKS == 0:
            best, residual = _best(spanned, np.array(images))
            if whole or residual <= _RESIDUAL:
                return best
        rest /= length
        rest -= (spanned @ rest) @ spanned  # a second time, or rounding brings back what was taken away
        basis.append(rest / np.linalg.norm(rest))


def _best(basis: Real, images: Real) -> tuple[Real, float]:
    """The best direction within a basis, and how far it is from an eigenvector, beside the eigenvalue."""
    values, vectors = np.linalg.eigh(basis @ images.T)
    best, image = vectors[:, -1] @ basis, vectors[:, -1] @ images
    return best / np.linalg.norm(best), float(np.linalg.norm(image - values[-1] * best) / values[-1])
