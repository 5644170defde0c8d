"""Norms and rotations of the weight vectors of a layer's units over a training.

Weights are `(units, inputs)`, one unit per row.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .matrices import edges
from .similarity import cosine_distance, unit

FLOOR = 1e-12
"""The smallest cosine distance that is distinguished from 0: smaller ones are rounding errors."""


def lengths(units: ArrayLike) -> NDArray[np.float64]:
    """Compute the norm `||w_u||` of each unit, `(units,)`, without intermediate overflow; NaN with NaN or infinity."""
    values = np.asarray(units, np.float64)
    finite = np.asarray(np.isfinite(values).all(axis=1))
    safe = np.where(finite[:, None], values, 0.0)
    scale = np.abs(safe).max(axis=1, initial=0.0, keepdims=True)
    scaled = safe / np.where(scale > 0, scale, 1.0)
    with np.errstate(over="ignore"):  # beyond the largest float: infinite
        norms = scale[:, 0] * np.sqrt(np.square(scaled).sum(axis=1))
    return np.where(finite, norms, np.nan)


def directions(units: ArrayLike) -> NDArray[np.float64]:
    """Normalise the weights of each unit to length 1; all zero ones stay zero, those with NaN or infinity are NaN."""
    values = np.asarray(units, np.float64)
    return np.where((values == 0).all(axis=1, keepdims=True), 0.0, unit(values))


def log_turn(units: ArrayLike, before: ArrayLike) -> NDArray[np.float64]:
    """Measure how far the weights of each unit rotated, `(units,)`: `log10(1 - cos(now, before))`.

    From -12 (a distance of at most 1e-12) to log10(2), reversed. A unit that became zero, or was zero before, counts as
    orthogonal (0). NaN where a weight is NaN or infinite.
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
    """Resample a history to the columns of a chart whose axis has all steps, future ones included.

    Args:
        values: `(t, units)`, the measurements, oldest first.
        starts: For each measurement the step after which it is valid, increasing.
        ends: For each the last step for which it is valid, increasing: a measurement covers the steps from `start + 1`
            to `end`.
        first: The axis's first step.
        last: The axis's last step.
        columns: Maximum number of columns; if there are more steps, neighbouring steps share one.
        fold: How a column combines the measurements that share it: their mean, or the largest.

    Returns:
        `(units, c)` and `(c,)`: whether a column has any measurement. The others are NaN.
    """
    measured = np.asarray(values, np.float64)
    bounds = first + edges(last - first + 1, columns)  # the first step of each column, and the one after the last
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
