"""How far two vectors point apart, exact down to the smallest turn."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def unit(vectors: ArrayLike, axis: int = -1) -> NDArray[np.float64]:
    """Scale vectors to length 1, without overflow or underflow on the way.

    Args:
        vectors: Any shape; the vectors lie along `axis`.
        axis: The axis along which a vector lies.

    Returns:
        The same shape in float64; NaN all along a vector that is zero or holds NaN or infinity.
    """
    values = np.asarray(vectors, np.float64)
    with np.errstate(invalid="ignore"):
        scale = np.max(np.abs(values), axis=axis, keepdims=True, initial=0.0)
        usable = np.isfinite(scale) & (scale > 0)
    scaled = np.where(usable, values, 0.0) / np.where(usable, scale, 1.0)
    length = np.sqrt(np.sum(scaled * scaled, axis=axis, keepdims=True))
    return np.where(usable, scaled / np.where(usable, length, 1.0), np.nan)


def cosine_distance(u: ArrayLike, v: ArrayLike, axis: int = -1) -> NDArray[np.float64]:
    """Measure how far two directions are apart: `1 - cos(u, v)`, exact for the smallest angles too.

    Computed as `||u/|u| - v/|v|||^2 / 2`: the plain form loses every digit below 1e-16 (1e-7 in float32,
    where it even turns negative), and late in training filters turn by less than that.

    Args:
        u: Vectors along `axis`, any unit: only directions count.
        v: The same shape, or one that broadcasts with it.
        axis: The axis along which a vector lies.

    Returns:
        One distance a pair, `axis` gone: 0 same direction, 1 at right angles, 2 opposite. NaN where a
        vector is zero or holds NaN or infinity. Floor it (1e-12) before a logarithm: equal vectors give 0.

    Example:
        >>> cosine_distance([[1.0, 0.0], [1.0, 0.0]], [[3.0, 0.0], [0.0, 2.0]]).tolist()
        [0.0, 1.0]
    """
    difference = unit(u, axis) - unit(v, axis)
    distance: NDArray[np.float64] = np.sum(difference * difference, axis=axis) / 2
    return np.minimum(distance, 2.0)  # rounding may pass it by one digit
