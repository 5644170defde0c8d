"""Health figures of filters and channels: not signs of overfitting, but of a network that wastes its width.

Filters come as `(f, ...)`, one filter a row (`geometry.filters_of` folds a kernel so); what follows the
first axis is flattened to the fan-in p. Channels come as figures of each probe row, worked out where the
activations are, so that only small arrays travel; `channel_metrics` folds the rows.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .similarity import cosine_distance, unit

DEAD = 1e-6
"""A channel whose largest value (or standard deviation, if not rectified) is no larger is dead."""

DORMANT = 0.025
"""A channel whose mean |a| is no larger a share of the layer's average is dormant (Sokar et al. 2023)."""


def redundancy(filters: ArrayLike) -> float:
    """Say how alike the filters of a layer are, in a unit that can be compared between layers.

    `p * mean over i != j of cos^2(f_i, f_j)`, through the smaller of the two Gram matrices: the sum of the
    squared entries of `U U'` and of `U' U` is the same.

    Args:
        filters: `(f, ...)`, f filters of fan-in p; any unit, only directions count.

    Returns:
        From 0 (all at right angles) through 1 (what random filters have in expectation; it scatters widely
        where they are few and small) to p (all equal up to sign and length). Filters that are zero or hold
        NaN or infinity are left out; NaN if fewer than two are left.
    """
    units = unit(_rows(filters))
    units = units[~np.isnan(units[:, :1]).any(axis=1)]
    count, fan_in = units.shape
    if count < 2:
        return float("nan")
    gram = units @ units.T if count <= fan_in else units.T @ units
    of_itself = np.sum(np.sum(units * units, axis=1) ** 2)
    others = max(float(np.vdot(gram, gram) - of_itself), 0.0)  # rounding may pass below 0
    return float(fan_in * others / (count * (count - 1)))


def turn(filters: ArrayLike, previous: ArrayLike) -> float:
    """Say how far the filters of a layer have turned since the previous look: the mean of `1 - cos`.

    Args:
        filters: `(f, ...)`, the filters now.
        previous: The same shape, the same filters before.

    Returns:
        From 0 (none has turned) to 2 (all point the other way). Filters that are zero or hold NaN or
        infinity, now or before, are left out; NaN if none is left.

    Raises:
        ValueError: If the shapes differ.
    """
    now, before = np.asarray(filters), np.asarray(previous)
    if now.shape != before.shape:
        raise ValueError(f"previous: must have the shape of filters {now.shape}, got {before.shape}")
    return _mean_of_finite(cosine_distance(_rows(now), _rows(before)))


def norm(filters: ArrayLike) -> float:
    """Say how long the filters of a layer are: the mean of `||f||`, in the unit of the weights.

    Args:
        filters: `(f, ...)`.

    Returns:
        At least 0. Filters that hold NaN or infinity are left out; NaN if none is left.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        return _mean_of_finite(np.linalg.norm(_rows(filters), axis=1))


@dataclass(frozen=True, eq=False)
class ChannelMetrics:
    """What the channels of a layer did over a probe and all its positions; every array is `(channels,)`.

    A channel that was NaN or infinite in any row has NaN in every figure but `non_finite`. What was not worked out is
    None: each figure costs the training a look at every activation.

    Attributes:
        mean_abs: The mean of |a|.
        largest: The largest activation.
        share_not_positive: The mean of `a <= 0`, from 0 to 1.
        variance: The population variance over rows and positions together.
        non_finite: The number of probe rows in which a figure of the channel was NaN or infinite.
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
    """Fold the figures of each probe row, worked out inside the model's pass, into one figure a channel.

    The variance is folded by the law of total variance (mean of the variances + variance of the means), which
    keeps its digits where mean of squares - square of mean loses them all.

    Args:
        mean_abs: `(n, channels)`, for each row the mean of |a| over its positions.
        largest: The same, the largest activation.
        share_not_positive: The same, the mean of `a <= 0`.
        mean: The same, the mean; goes with the variance.
        variance: The same, the population variance within the row (0 where a row has one position).

    Returns:
        The figures over all rows. Every row has the same number of positions, so rows weigh the same.

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
    bad = ~np.logical_and.reduce([np.isfinite(values) for values in rows.values()])
    spoilt = bad.any(axis=0)
    rows = {name: np.where(spoilt, 0.0, values) for name, values in rows.items()}
    averaged = [name for name in ("mean_abs", "share_not_positive") if name in rows]
    folded: dict[str, NDArray[np.float64]] = {name: rows[name].mean(axis=0) for name in averaged}
    if "largest" in rows:
        folded["largest"] = rows["largest"].max(axis=0)
    if "variance" in rows:
        within = np.maximum(rows["variance"], 0.0)  # mean of squares - square of mean in float32 may pass below 0
        folded["variance"] = within.mean(axis=0) + rows["mean"].var(axis=0)
    finite = {name: np.where(spoilt, np.nan, values) for name, values in folded.items()}
    return ChannelMetrics(**finite, non_finite=np.count_nonzero(bad, axis=0).astype(np.intp))


def dead_channels(metrics: ChannelMetrics, rectified: bool | None) -> NDArray[np.bool_]:
    """Find the channels that are dead: the one definition that every view uses.

    Args:
        metrics: Of the channels over the probe.
        rectified: True if the layer's own output is cut off at 0 (ReLU): dead is a maximum of at most 1e-6. False for
            other activation functions (GELU, SiLU, tanh): dead is a standard deviation of at most 1e-6. None for a
            linear output, such as that of a convolution before batch normalisation: none of its channels is dead.

    Returns:
        `(channels,)`; False for channels that are not finite.

    Raises:
        ValueError: If the statistic that this needs was not computed.
    """
    if rectified is None:
        return np.zeros(metrics.non_finite.shape, bool)
    if rectified:
        return np.asarray(_known(metrics.largest, "largest") <= DEAD)
    return np.asarray(np.sqrt(_known(metrics.variance, "variance")) <= DEAD)


def dead(metrics: ChannelMetrics, rectified: bool) -> float:
    """Say which share of the channels answers to nothing.

    Args:
        metrics: What the channels did over the probe.
        rectified: Whether the layer's own output is cut off at 0 (ReLU): then dead means a largest value of
            at most 1e-6; else (GELU, SiLU, tanh) a standard deviation of at most 1e-6.

    Returns:
        From 0 to 1, of the channels that are finite; NaN if none is.

    Raises:
        ValueError: If the figure that this goes by was not worked out.
    """
    finite = metrics.non_finite == 0
    return float(dead_channels(metrics, rectified)[finite].mean()) if finite.any() else float("nan")


def dormant(metrics: ChannelMetrics) -> float:
    """Say which share of the channels hardly speaks beside the others.

    Args:
        metrics: What the channels did over the probe.

    Returns:
        The share with mean |a| of at most 0.025 of its mean over channels, from 0 to 1, of the channels
        that are finite; 1 if all are zero; NaN if none is finite.

    Reference:
        Sokar et al., "The Dormant Neuron Phenomenon in Deep Reinforcement Learning", ICML 2023.
    """
    mean_abs = _known(metrics.mean_abs, "mean_abs")
    finite = mean_abs[np.isfinite(mean_abs)]
    return float(np.mean(finite <= DORMANT * finite.mean())) if finite.size else float("nan")


def sparsity(metrics: ChannelMetrics) -> float:
    """Say which share of all activations is not positive; for rectified outputs only.

    Args:
        metrics: What the channels did over the probe.

    Returns:
        The mean of `a <= 0` over probe, positions and the channels that are finite, from 0 to 1; NaN if
        none is.

    Raises:
        ValueError: If that figure was not worked out.
    """
    return _mean_of_finite(_known(metrics.share_not_positive, "share_not_positive"))


def _known(format_number: NDArray[np.float64] | None, name: str) -> NDArray[np.float64]:
    if format_number is None:
        raise ValueError(f"figures: {name} was not worked out; give it to channel_metrics")
    return format_number


def _rows(filters: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(filters, np.float64)
    if values.ndim < 2:
        raise ValueError(f"filters: must be (f, ...), one filter a row, got {values.shape}")
    return values.reshape(len(values), int(np.prod(values.shape[1:])))


def _mean_of_finite(values: NDArray[np.float64]) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else float("nan")
