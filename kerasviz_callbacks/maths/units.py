"""How the units of a layer learn: how long their weights are, how far they turn, over all steps of a training.

The units come as `(units, inputs)`, one a row.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .matrices import edges
from .similarity import cosine_distance, unit

FLOOR = 1e-12
"""The least turn that is told apart from none: below it rounding is all there is."""


def lengths(units: ArrayLike) -> NDArray[np.float64]:
    """Measure `||w_u||` of each unit, without overflow on the way.

    Args:
        units: `(units, inputs)`.

    Returns:
        `(units,)`, at least 0; NaN where a weight is NaN or infinite.
    """
    values = np.asarray(units, np.float64)
    finite = np.asarray(np.isfinite(values).all(axis=1))
    safe = np.where(finite[:, None], values, 0.0)
    scale = np.abs(safe).max(axis=1, initial=0.0, keepdims=True)
    scaled = safe / np.where(scale > 0, scale, 1.0)
    with np.errstate(over="ignore"):  # longer than the largest float: infinite
        long = scale[:, 0] * np.sqrt(np.square(scaled).sum(axis=1))
    return np.where(finite, long, np.nan)


def directions(units: ArrayLike) -> NDArray[np.float64]:
    """Scale each unit to length 1.

    Args:
        units: `(units, inputs)`.

    Returns:
        The same shape. A unit of length zero has no direction and stays zero; one with a NaN or infinity is NaN.
    """
    values = np.asarray(units, np.float64)
    return np.where((values == 0).all(axis=1, keepdims=True), 0.0, unit(values))


def log_turn(units: ArrayLike, before: ArrayLike) -> NDArray[np.float64]:
    """Measure how far each unit turned: `log10(1 - cos(now, before))`.

    Args:
        units: `(units, inputs)`, now.
        before: The same units before.

    Returns:
        `(units,)`, from -12 (at most 1e-12, or not at all) to log10(2), the other way round. A unit that came to be
        zero, or to be anything but zero, counts as turned by a right angle (0). NaN where a weight is NaN or infinite.
    """
    now, earlier = np.asarray(units, np.float64), np.asarray(before, np.float64)
    zero, was_zero = (now == 0).all(axis=1), (earlier == 0).all(axis=1)
    finite = np.isfinite(now).all(axis=1) & np.isfinite(earlier).all(axis=1)
    turned = cosine_distance(now, earlier)
    turned = np.where(zero | was_zero, np.where(zero & was_zero, 0.0, 1.0), turned)
    floored = np.log10(np.maximum(np.where(finite, turned, 1.0), FLOOR))
    return np.where(finite, floored, np.nan)


def along_steps(
    values: ArrayLike,
    starts: Sequence[int],
    ends: Sequence[int],
    *,
    first: int,
    last: int,
    columns: int,
    fold: Literal["mean", "largest"],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Lay a history out along the axis of all steps, those to come included.

    Args:
        values: `(t, units)`, what was measured, oldest first.
        starts: For each measurement the step after which it holds, increasing.
        ends: For each the last step for which it holds, increasing: a measurement fills the steps from `start + 1` to
            `end`.
        first: The axis's first step.
        last: The axis's last step.
        columns: The most columns wanted; where there are more steps, neighbours share one.
        fold: What a column shows of the measurements that share it: their mean, or the largest.

    Returns:
        `(units, c)` and `(c,)`: which columns hold anything. The others are NaN.
    """
    measured = np.asarray(values, np.float64)
    bounds = edges_of_steps(first, last, columns)
    filled = np.zeros(len(bounds) - 1, bool)
    grid = np.full((measured.shape[1], len(filled)), np.nan)
    begins = np.searchsorted(ends, bounds[:-1])  # the first that ends in the column or later
    stops = np.searchsorted(starts, bounds[1:] - 1)  # the first that starts only after the column
    for column, (begin, stop) in enumerate(zip(begins.tolist(), stops.tolist(), strict=True)):
        if stop > begin:
            part = measured[begin:stop]
            grid[:, column] = part.mean(axis=0) if fold == "mean" else part.max(axis=0)
            filled[column] = True
    return grid, filled


def edges_of_steps(first: int, last: int, columns: int) -> NDArray[np.intp]:
    """The step at which each column of `along_steps` begins, and the one after the last, `(c + 1,)`."""
    return first + edges(last - first + 1, columns)
