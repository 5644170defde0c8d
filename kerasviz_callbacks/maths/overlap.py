"""Redundant channels of a layer: correlations of their activations over a probe and all positions.

The activations themselves are too large to be transferred. Instead the pass computes, for each row of the probe, the
mean of every channel and the products of the deviations, so that the result does not depend on the batches.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .health import ChannelMetrics, dead_channels, mean_of_finite
from .products import product

CONSTANT = 1e-6
"""A channel has no correlation if its standard deviation is at most this, or at most this share of its largest mean:
float32 resolves no more, and the rounding errors of a constant correlate by chance."""


@dataclass(frozen=True, eq=False)
class Overlap:
    """The correlations of the channels of a layer over a probe.

    Attributes:
        correlation: `(c, c)`, Pearson, from -1 to 1, symmetric, 1 on the diagonal; NaN in the rows and columns of
            channels that are constant or were NaN or infinite somewhere.
        constant: `(c,)`, whether a channel is constant up to the resolution of float32.
        dead: `(c,)`, whether a channel is dead, as `health.dead_channels` defines it. A dead channel is constant; a
            constant one need not be dead.
    """

    correlation: NDArray[np.float64]
    constant: NDArray[np.bool_]
    dead: NDArray[np.bool_]


def channel_overlap(
    means: ArrayLike,
    widths: ArrayLike | None = None,
    products: ArrayLike | None = None,
    *,
    rectified: bool | None = None,
    largest: ArrayLike | None = None,
) -> Overlap:
    """Correlate every two channels over all rows and positions together, in float64.

    The covariance follows from the law of total covariance (mean of the covariances within the rows + covariance of
    their means), which avoids the cancellation of mean of products - product of means. Rows have the same weight, as
    they have the same number of positions.

    Args:
        means: `(n, c)`, for each row the mean of a channel over its positions.
        widths: `(n, c)`, at least 0: the scale of the deviations from these means in `products`.
        products: `(n, c, c)`, for each row the mean over its positions of the product of two channels' deviations from
            their means, each divided by its `widths`. Both None where a row has one position.
        rectified: Whether the layer's own output is cut off at 0; None: it is linear, and no channel is dead.
        largest: `(n, c)`, for each row the maximum of a channel over its positions; needed where `rectified` is True.

    Raises:
        ValueError: If there is no row, the shapes do not fit, or one of `widths` and `products` is missing.

    Example:
        >>> channel_overlap([[1.0, 5.0, 7.0], [2.0, 3.0, 7.0], [3.0, 1.0, 7.0]]).correlation.round(6)
        array([[ 1., -1., nan],
               [-1.,  1., nan],
               [nan, nan, nan]])
    """
    centres, units, within = _checked(means, widths, products)
    with np.errstate(invalid="ignore", over="ignore"):
        moved = centres - centres[0]  # exactly 0 in a constant channel
        size = np.max(np.maximum(np.abs(moved), units), axis=0)
    finite = np.isfinite(size) & np.isfinite(units).all(axis=0)
    if within is not None:  # a value that is not finite need not show in means and widths
        finite &= np.isfinite(np.diagonal(within, axis1=1, axis2=2)).all(axis=0)
    scale = np.where(finite & (size > 0), size, 1.0)
    moved = np.where(finite, moved, 0.0) / scale
    moved -= moved.mean(axis=0)
    covariance = product(moved.T, moved) / len(moved)
    if within is not None:
        shares = np.where(finite, units, 0.0) / scale
        both = finite[:, None] & finite
        total = np.zeros_like(covariance)
        # One row at a time: all at once needs twice the memory.
        for share, within_row in zip(shares, within, strict=True):
            total += np.where(both, within_row, 0.0) * np.outer(share, share)
        covariance += total / len(moved)
    deviation = np.sqrt(np.maximum(np.diagonal(covariance), 0.0))
    level = np.max(np.abs(np.where(finite, centres, 0.0)), axis=0)
    unscaled = deviation * np.where(finite, size, 0.0)
    constant = finite & (unscaled <= CONSTANT * np.maximum(1.0, level))
    with np.errstate(over="ignore"):
        metrics = ChannelMetrics(
            non_finite=(~finite).astype(np.intp),
            largest=None if largest is None else np.asarray(largest, np.float64).max(axis=0),
            variance=np.square(unscaled),
        )
    dead = finite & dead_channels(metrics, rectified)
    return Overlap(_correlation(covariance, deviation, finite & ~constant), constant, dead)


def _checked(
    means: ArrayLike, widths: ArrayLike | None, products: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[Any] | None]:
    centres = np.asarray(means, np.float64)
    if centres.ndim != 2 or not len(centres):
        raise ValueError(f"means: must be (n >= 1, channels), got {centres.shape}")
    if (widths is None) != (products is None):
        missing = "widths" if widths is None else "products"
        raise ValueError(f"{missing}: must be given too, as widths and products go together")
    if widths is None or products is None:
        return centres, np.zeros_like(centres), None
    units, within = np.asarray(widths, np.float64), np.asarray(products)
    if units.shape != centres.shape:
        raise ValueError(f"widths: must be like means {centres.shape}, got {units.shape}")
    if within.shape != (*centres.shape, centres.shape[1]):
        raise ValueError(f"products: must be {(*centres.shape, centres.shape[1])}, got {within.shape}")
    return centres, units, within


def _correlation(
    covariance: NDArray[np.float64], deviation: NDArray[np.float64], counted: NDArray[np.bool_]
) -> NDArray[np.float64]:
    unit = np.where(counted, deviation, 1.0)
    found = covariance / unit[:, None] / unit
    found = np.clip((found + found.T) / 2, -1.0, 1.0)  # rounding can exceed 1
    np.fill_diagonal(found, 1.0)
    return np.where(counted[:, None] & counted, found, np.nan)


def largest_overlap(correlation: ArrayLike) -> NDArray[np.float64]:
    """Compute the largest |correlation| of each channel with any other, `(c,)`, from the correlations `(c, c)`.

    From 0 (uncorrelated) to 1 (another channel is the same up to sign, scale and offset); NaN for a channel that is
    constant or not finite, or the only one left.
    """
    magnitudes = np.abs(np.asarray(correlation, np.float64))
    known = ~np.isnan(magnitudes)
    np.fill_diagonal(known, False)
    largest = np.max(np.where(known, magnitudes, 0.0), axis=1, initial=0.0)
    return np.where(known.any(axis=1), largest, np.nan)


def overlap(correlation: ArrayLike) -> float:
    """Compute how redundant the channels of a layer are, from 0 to 1: the mean of `largest_overlap`.

    Channels that are constant or not finite are left out; NaN if fewer than two are left.
    """
    return mean_of_finite(largest_overlap(correlation))


def strongest_pairs(correlation: ArrayLike, most: int = 3) -> list[tuple[int, int, float]]:
    """Find the at most `most` pairs of channels of largest |correlation|: `(i, j, correlation)` with i < j.

    The strongest first, of equal ones the first; pairs with a channel that is constant or not finite are left out.
    """
    values = np.asarray(correlation, np.float64)
    rows, columns = np.triu_indices(len(values), 1)
    pairs = values[rows, columns]
    known = np.flatnonzero(~np.isnan(pairs))
    order = known[np.argsort(-np.abs(pairs[known]), kind="stable")[:most]]
    return [(int(rows[k]), int(columns[k]), float(pairs[k])) for k in order]


def clustered_order(correlation: ArrayLike) -> NDArray[np.intp]:
    """Order channels so that correlated ones are neighbours, `(c,)`: hierarchical clustering.

    Average linkage on `1 - |correlation|` with optimal leaf ordering; channels that are constant or not finite come
    last, in their original order.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage

    values = np.asarray(correlation, np.float64)
    unknown = np.isnan(np.diagonal(values))
    known = np.flatnonzero(~unknown)
    if len(known) > 2:
        distance = 1.0 - np.abs(values[np.ix_(known, known)])
        tree = linkage(distance[np.triu_indices(len(known), 1)], "average", optimal_ordering=True)
        known = known[leaves_list(tree)]
    return np.concatenate([known, np.flatnonzero(unknown)]).astype(np.intp)
