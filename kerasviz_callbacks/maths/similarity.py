"""Cosine distance, accurate down to the smallest angles."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def unit(vectors: ArrayLike, axis: int = -1) -> NDArray[np.float64]:
    """Normalise vectors along an axis to length 1, without intermediate overflow or underflow.

    In float64; NaN in every entry of a vector that is zero or holds NaN or infinity.
    """
    values = np.asarray(vectors, np.float64)
    with np.errstate(invalid="ignore"):
        scale = np.max(np.abs(values), axis=axis, keepdims=True, initial=0.0)
        usable = np.isfinite(scale) & (scale > 0)
    scaled = np.where(usable, values, 0.0) / np.where(usable, scale, 1.0)
    length = np.sqrt(np.sum(scaled * scaled, axis=axis, keepdims=True))
    return np.where(usable, scaled / np.where(usable, length, 1.0), np.nan)


def cosine_distance(u: ArrayLike, v: ArrayLike, axis: int = -1) -> NDArray[np.float64]:
    """Compute the cosine distance `1 - cos(u, v)` of vectors along an axis, accurate for the smallest angles too.

    Computed as `||u/|u| - v/|v|||^2 / 2`: the direct form has an absolute error of 1e-16 (1e-7 in float32, where it can
    be negative), and late in training filters rotate by less than that.

    Returns:
        One distance per pair, `axis` removed: 0 same direction, 1 orthogonal, 2 opposite. NaN where a vector is zero or
        holds NaN or infinity. Clip it at 1e-12 before taking a logarithm: equal vectors give 0.

    Example:
        >>> cosine_distance([[1.0, 0.0], [1.0, 0.0]], [[3.0, 0.0], [0.0, 2.0]]).tolist()
        [0.0, 1.0]
    """
    difference = unit(u, axis) - unit(v, axis)
    distance: NDArray[np.float64] = np.sum(difference * difference, axis=axis) / 2
    return np.minimum(distance, 2.0)  # rounding can exceed 2
