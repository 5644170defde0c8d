"""How far a colour scale reaches, so that one stray number does not turn a whole picture grey."""

import numpy as np
from numpy.typing import ArrayLike

SHARE_SHOWN = 0.995
"""The share of the numbers that lie within the scale; the rest is drawn in the colour of its ends."""


def robust_max(values: ArrayLike, share: float = SHARE_SHOWN) -> float:
    """Find the least magnitude among the values that at least `share` of them do not exceed.

    Of fewer than 200 values that is the largest one.

    Args:
        values: Any shape; NaN and infinity do not count.
        share: From 0 to 1.

    Returns:
        At least 0; 0 where no value is finite.

    Example:
        >>> reach([3.0, -4.0, float("nan")])
        4.0
    """
    magnitudes = np.abs(np.asarray(values, np.float64))
    magnitudes = magnitudes[np.isfinite(magnitudes)]
    return float(np.quantile(magnitudes, share, method="higher")) if magnitudes.size else 0.0


def count_clipped(values: ArrayLike, scale: float) -> str:
    """Say how many finite values a scale does not reach, as a caption does; empty if there are none."""
    magnitudes = np.abs(np.asarray(values, np.float64))
    count = int(np.count_nonzero(np.isfinite(magnitudes) & (magnitudes > scale)))
    return f"{count:,} beyond the scale" if count else ""
