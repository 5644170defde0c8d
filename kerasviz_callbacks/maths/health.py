"""Health metrics of filters and channels: signs of unused capacity, not of overfitting.

Filters are `(f, ...)`, one filter per row (as from `geometry.filters_of`); all axes after the first are flattened to
the fan-in p. Channels are described by statistics of each row of the probe, computed inside the model's pass so that
only small arrays are transferred; `channel_metrics` combines the rows. The metrics of channels raise ValueError where
the statistic that they need was not computed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .products import product, squared_sum
from .similarity import cosine_distance, unit

DEAD = 1e-6
"""A channel whose maximum (or standard deviation, if not rectified) is at most this is dead."""

DORMANT = 0.025
"""A channel whose mean |a| is at most this fraction of the layer's average is dormant (Sokar et al. 2023)."""


def redundancy(filters: ArrayLike) -> float:
    """Measure how similar the filters of a layer are, on a scale that can be compared between layers.

    `p * mean over i != j of cos^2(f_i, f_j)`, computed from the smaller of the two Gram matrices: the sum of the
    squared entries of `U U'` and of `U' U` is the same.

    Returns:
        From 0 (all orthogonal) through 1 (the expectation for random filters, with a large variance where they are few
        and small) to p (all equal up to sign and length). Filters that are zero or hold NaN or infinity are left out;
        NaN if fewer than two are left.
    """
    units = unit(_rows(filters))
    units = units[~np.isnan(units[:, :1]).any(axis=1)]
    count, fan_in = units.shape
    if count < 2:
        return float("nan")
    gram = product(units, units.T) if count <= fan_in else product(units.T, units)
    diagonal = np.sum(np.sum(units * units, axis=1) ** 2)
    others = max(squared_sum(gram) - diagonal, 0.0)  # rounding can make it negative
    return float(fan_in * others / (count * (count - 1)))


def turn(filters: ArrayLike, previous: ArrayLike) -> float:
    """Measure how far the filters of a layer have rotated since the previous step: the mean of `1 - cos`.

    From 0 (unchanged directions) to 2 (all reversed). Filters that are zero or hold NaN or infinity, now or before, are
    left out; NaN if none is left. ValueError if the shapes differ.
    """
    now, before = np.asarray(filters), np.asarray(previous)
    if now.shape != before.shape:
        raise ValueError(f"previous: must have the shape of filters {now.shape}, got {before.shape}")
    return mean_of_finite(cosine_distance(_rows(now), _rows(before)))


def norm(filters: ArrayLike) -> float:
    """Compute the mean norm of the filters of a layer; those with NaN or infinity are left out, NaN if none is left."""
    with np.errstate(invalid="ignore", over="ignore"):
        return mean_of_finite(np.linalg.norm(_rows(filters), axis=1))


@dataclass(frozen=True, eq=False)
class ChannelMetrics:
    """Statistics of the channels of a layer over a probe and all positions; every array is `(channels,)`.

    A channel that was NaN or infinite in any row has NaN in every statistic but `non_finite`. Statistics that were not
    computed are None: each one reads every activation once more.

    Attributes:
        mean_abs: The mean of |a|.
        largest: The largest activation.
        share_not_positive: The mean of `a <= 0`, from 0 to 1.
        variance: The population variance over rows and positions together.
        non_finite: The number of probe rows in which a statistic of the channel was NaN or infinite.
    """

    non_finite: NDArray[np.intp]
    mean_abs: NDArray[np.float64] | None = None
    largest: NDArray[np.float64] | None = None
    share_not_positive: NDArray[np.float64] | None = None
    variance: NDArray[np.float64] | None = None


def channel_metrics(
    *,
    mean_abs: ArrayLike | None = None,
    largest: ArrayLike | None = None,
    share_not_positive: ArrayLike | None = None,
    mean: ArrayLike | None = None,
    variance: ArrayLike | None = None,
) -> ChannelMetrics:
    """Combine the statistics of each probe row, computed inside the model's pass, to one per channel.

    All rows have the same weight, as they have the same number of positions. The variance follows from the law of total
    variance (mean of the variances + variance of the means), which avoids the cancellation of mean of squares - square
    of mean.

    Args:
        mean_abs: `(n, channels)`, for each row the mean of |a| over its positions.
        largest: The same, the largest activation.
        share_not_positive: The same, the mean of `a <= 0`.
        mean: The same, the mean; required with the variance.
        variance: The same, the population variance within the row (0 where a row has one position).

    Raises:
        ValueError: If there is no row, or the shapes differ.
    """
    given = {"mean_abs": mean_abs, "largest": largest, "share_not_positive": share_not_positive}
    given |= {"mean": mean, "variance": variance}
    if (mean is None) != (variance is None):
        raise ValueError("mean, variance: the means of the rows are a part of the variance; give both or neither")
    rows = {name: np.asarray(values, np.float64) for name, values in given.items() if values is not None}
    if not rows:
        raise ValueError(f"{', '.join(given)}: all are None; give at least one")
    first, shape = next((name, values.shape) for name, values in rows.items())
    for name, values in rows.items():
        if values.ndim != 2 or values.shape != shape or not len(values):
            raise ValueError(f"{name}: must be (n >= 1, channels) like {first} {shape}, got {values.shape}")
    non_finite = ~np.logical_and.reduce([np.isfinite(values) for values in rows.values()])
    invalid = non_finite.any(axis=0)
    rows = {name: np.where(invalid, 0.0, values) for name, values in rows.items()}
    averaged = [name for name in ("mean_abs", "share_not_positive") if name in rows]
    combined: dict[str, NDArray[np.float64]] = {name: rows[name].mean(axis=0) for name in averaged}
    if "largest" in rows:
        combined["largest"] = rows["largest"].max(axis=0)
    if "variance" in rows:
        within = np.maximum(rows["variance"], 0.0)  # mean of squares - square of mean in float32 can be negative
        combined["variance"] = within.mean(axis=0) + rows["mean"].var(axis=0)
    finite = {name: np.where(invalid, np.nan, values) for name, values in combined.items()}
    return ChannelMetrics(**finite, non_finite=np.count_nonzero(non_finite, axis=0).astype(np.intp))


def dead_channels(metrics: ChannelMetrics, rectified: bool | None) -> NDArray[np.bool_]:
    """Find the channels that are dead, `(channels,)`: the one definition that every view uses.

    Args:
        metrics: Of the channels over the probe.
        rectified: True if the layer's own output is cut off at 0 (ReLU): dead is a maximum of at most 1e-6. False for
            other activation functions (GELU, SiLU, tanh): dead is a standard deviation of at most 1e-6. None for a
            linear output, such as that of a convolution before batch normalisation: none of its channels is dead.

    Returns:
        False for channels that are not finite.
    """
    if rectified is None:
        return np.zeros(metrics.non_finite.shape, bool)
    if rectified:
        return np.asarray(_known(metrics.largest, "largest") <= DEAD)
    return np.asarray(np.sqrt(_known(metrics.variance, "variance")) <= DEAD)


def dead(metrics: ChannelMetrics, rectified: bool) -> float:
    """Compute the fraction of the finite channels that are dead, as `dead_channels` defines it; NaN without any."""
    finite = metrics.non_finite == 0
    return float(dead_channels(metrics, rectified)[finite].mean()) if finite.any() else float("nan")


def dormant(metrics: ChannelMetrics) -> float:
    """Compute the fraction of channels that are almost inactive compared with the others.

    Those with mean |a| of at most 0.025 of its mean over channels, from 0 to 1, of the channels that are finite; 1 if
    all are zero; NaN if none is finite.

    Reference:
        Sokar et al., "The Dormant Neuron Phenomenon in Deep Reinforcement Learning", ICML 2023.
    """
    mean_abs = _known(metrics.mean_abs, "mean_abs")
    finite = mean_abs[np.isfinite(mean_abs)]
    return float(np.mean(finite <= DORMANT * finite.mean())) if finite.size else float("nan")


def sparsity(metrics: ChannelMetrics) -> float:
    """Compute the fraction of activations that are not positive; for rectified outputs only.

    The mean of `a <= 0` over probe, positions and the channels that are finite, from 0 to 1; NaN if none is.
    """
    return mean_of_finite(_known(metrics.share_not_positive, "share_not_positive"))


def _known(statistic: NDArray[np.float64] | None, name: str) -> NDArray[np.float64]:
    if statistic is None:
        raise ValueError(f"metrics: {name} was not computed; give it to channel_metrics")
    return statistic


def _rows(filters: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(filters, np.float64)
    if values.ndim < 2:
        raise ValueError(f"filters: must be (f, ...), one filter per row, got {values.shape}")
    return values.reshape(len(values), int(np.prod(values.shape[1:])))


def mean_of_finite(values: NDArray[np.float64]) -> float:
    """Compute the mean of the finite values; NaN if there are none."""
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else float("nan")
