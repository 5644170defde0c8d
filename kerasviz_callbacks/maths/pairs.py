"""Whether two arrays belong together row by row, and the signal-to-noise ratio between them."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def psnr(squared_error: float, span: float) -> float:
    """Peak signal-to-noise ratio in decibels: `20 log10(span) - 10 log10(squared_error)`.

    `span` is the width of the value range, 255 for bytes. NaN if one of them is not finite or the range is empty,
    infinite without any error.

    Example:
        >>> psnr(0.01, 1.0)
        20.0
    """
    if not (np.isfinite(squared_error) and np.isfinite(span) and span > 0):
        return float("nan")
    return float("inf") if squared_error == 0 else float(20 * np.log10(span) - 10 * np.log10(squared_error))


def belong_together(one: ArrayLike, other: ArrayLike) -> bool:
    """Whether rows of two arrays of one shape are pairs: more alike or more opposed than rows chosen at random.

    Compares the mean correlation of the pairs with that of all other combinations; they are pairs if it is further
    from it than three standard errors. Fewer than four rows are taken to be pairs.
    """
    left, right = _standardised(one), _standardised(other)
    count = len(left)
    if count < 4:
        return True
    alike = left @ right.T
    pairs, others = np.diag(alike), alike[~np.eye(count, dtype=bool)]
    error = max(others.std() / np.sqrt(count), 1e-9)
    return bool(abs(pairs.mean() - others.mean()) > 3 * error)


def _standardised(rows: ArrayLike) -> NDArray[np.float64]:
    """Rows without what they have in common, of unit length."""
    values = np.nan_to_num(np.asarray(rows, np.float64).reshape(len(np.asarray(rows)), -1))
    values = values - values.mean(axis=0)
    values = values - values.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    unit: NDArray[np.float64] = np.divide(values, lengths, out=np.zeros_like(values), where=lengths > 0)
    return unit
