"""Robust limits of colour scales: single outliers must not flatten the rest of an image."""

import numpy as np
from numpy.typing import ArrayLike

SHARE_SHOWN = 0.995
"""The fraction of the values within the scale; the others are clipped to its ends."""

_VISIBLE = 1.01  # times a scale, where a value begins to look different from the end of it


def robust_max(values: ArrayLike, share: float = SHARE_SHOWN) -> float:
    """Compute the smallest of the magnitudes that at least the fraction `share` (0 to 1) of them do not exceed.

    With fewer than 200 values that is the largest one. NaN and infinity are ignored; 0 where no value is finite.

    Example:
        >>> robust_max([3.0, -4.0, float("nan")])
        4.0
    """
    magnitudes = np.abs(np.asarray(values, np.float64))
    magnitudes = magnitudes[np.isfinite(magnitudes)]
    return float(np.quantile(magnitudes, share, method="higher")) if magnitudes.size else 0.0


def reach_within(values: ArrayLike, scale: float) -> float | None:
    """Compute `robust_max` of values that use less than a tenth of a scale; `None` where they use more, or are none.

    Example:
        >>> reach_within([0.03, -0.05], 1.0)
        0.05
    """
    magnitudes = np.abs(np.asarray(values, np.float64))
    beyond = np.count_nonzero(magnitudes >= scale / 10)  # counting is quicker than a quantile
    if beyond > (1 - SHARE_SHOWN) * magnitudes.size or not np.isfinite(magnitudes).any():
        return None
    reach = robust_max(magnitudes)
    return reach if reach < scale / 10 else None


def count_clipped(values: ArrayLike, scale: float, what: str = "value") -> str:
    """Describe how many finite values exceed the scale by over 1 %, for a caption; empty if there are none.

    What exceeds it by less has the same colour or height within what can be seen.
    `what` is what is counted, in the singular, such as `"activation"`.
    """
    magnitudes = np.abs(np.asarray(values, np.float64))
    count = int(np.count_nonzero(np.isfinite(magnitudes) & (magnitudes > scale * _VISIBLE)))
    return f"{count:,} {what}{'s' * (count > 1)} beyond the scale" if count else ""


def count_outside(values: ArrayLike, low: float, high: float, what: str) -> str:
    """Describe, as `count_clipped`, how many finite values lie outside a range by over 1 % of half of it."""
    return count_clipped(np.asarray(values, np.float64) - (low + high) / 2, (high - low) / 2, what)
