"""Metrics of latent codes: spread, movement, active units, dimension.

Codes are `(n, d)`: one row per example of the probe, one column per latent variable, in the range of float32. With NaN
or infinity among them every metric is NaN. ValueError if two steps differ in shape.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .products import product, squared_sum

ACTIVE = 0.01
"""A latent variable is active if its variance over the probe is above this (Burda et al. 2016)."""

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""The quantiles of a latent variable: 5-95 %, 25-75 % and the median."""


def centred(codes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Subtract the mean from finite codes, one or more.

    Exactly 0 in a constant variable, where subtracting the mean alone would leave rounding errors.
    """
    moved: NDArray[np.float64] = codes - codes[0]
    moved -= moved.mean(axis=0)
    return moved


def radius(cloud: NDArray[np.float64]) -> float:
    """Compute the root mean square distance of centred codes from 0, in their unit: `sqrt(mean ||z||^2)`."""
    return float(np.sqrt(squared_sum(cloud) / len(cloud)))


def spread(codes: ArrayLike) -> float:
    """Compute the spread of codes, their root mean square distance from the mean: `sqrt(mean ||z - mean||^2)`.

    At least 0, in the unit of the codes; falls to 0 as the codes collapse.
    """
    values = _finite(codes)
    return float("nan") if values is None else radius(centred(values))


def move(codes: ArrayLike, previous: ArrayLike) -> float:
    """Measure how far the codes moved since the previous step, relative to their spread.

    Mean `||dz||` of centred codes / the root mean square of both spreads: 0 without movement, about 1.4 for independent
    codes. NaN without any spread.
    """
    now, before = _pair(codes, previous)
    if now is None or before is None:
        return float("nan")
    now, before = centred(now), centred(before)
    return _ratio(float(np.linalg.norm(now - before, axis=1).mean()), _width(now, before))


def mean_shift(codes: ArrayLike, previous: ArrayLike) -> float:
    """Measure how far the mean of the codes moved since the previous step, relative to their spread.

    `||mean - previous mean||` / the root mean square of both spreads. NaN without any spread.
    """
    now, before = _pair(codes, previous)
    if now is None or before is None:
        return float("nan")
    distance = float(np.linalg.norm(now.mean(axis=0) - before.mean(axis=0)))
    return _ratio(distance, _width(centred(now), centred(before)))


def active(codes: ArrayLike, absolute: bool) -> NDArray[np.bool_]:
    """Find the latent variables that are active, `(d,)`.

    Args:
        codes: `(n, d)`; for a VAE the posterior means.
        absolute: True for posterior means, whose prior has variance 1: active is a variance above 0.01. False for codes
            of arbitrary scale: active is a variance above 0.01 of the largest.

    Returns:
        False where a variable is not finite in some row.

    Reference:
        Burda et al., "Importance Weighted Autoencoders", ICLR 2016, section 5.2.
    """
    variance = variances(codes)
    known = ~np.isnan(variance)
    least = ACTIVE if absolute else ACTIVE * variance.max(initial=0.0, where=known)
    return known & (np.where(known, variance, 0.0) > least)


def active_units(codes: ArrayLike, absolute: bool) -> float:
    """Count the active latent variables, as `active` defines them; NaN with NaN or infinity among the codes."""
    values = _finite(codes)
    return float("nan") if values is None else float(np.count_nonzero(active(values, absolute)))


def variances(codes: ArrayLike) -> NDArray[np.float64]:
    """Compute the population variance of each latent variable over the probe, `(d,)`.

    Exactly 0 for a constant variable, NaN where it is not finite in some row or there are no rows.
    """
    values = _matrix(codes)
    known = np.isfinite(values).all(axis=0)
    if not len(values):
        return np.full(values.shape[1], np.nan)
    spread_out = np.square(centred(np.where(known, values, 0.0))).mean(axis=0)
    return np.where(known, spread_out, np.nan)


def quantiles(codes: ArrayLike) -> NDArray[np.float64]:
    """Compute the 5, 25, 50, 75 and 95 % quantiles of each latent variable over the probe, `(5, d)`, ascending.

    Interpolated linearly between the two nearest order statistics; NaN where the variable is not finite in some row or
    there are no rows.
    """
    values = _matrix(codes)
    known = np.isfinite(values).all(axis=0)
    if not len(values):
        return np.full((len(QUANTILES), values.shape[1]), np.nan)
    found = np.quantile(np.where(known, values, 0.0), QUANTILES, axis=0)
    return np.where(known, found, np.nan)


def participation_ratio(codes: ArrayLike) -> float:
    """Compute the participation ratio, an effective dimension: `(tr C)^2 / tr C^2`, C the covariance of the codes.

    From 1 (a line) to min(d, n - 1) (the same spread in every direction). NaN without any spread. Read it only together
    with `spread`: it rises as codes collapse to noise.
    """
    values = _finite(codes)
    if values is None:
        return float("nan")
    cloud = centred(values)
    scale = np.abs(cloud).max()
    if scale == 0:
        return float("nan")
    cloud /= scale
    count, width = cloud.shape
    # Either product has the nonzero eigenvalues of C.
    gram = product(cloud.T, cloud) if width <= count else product(cloud, cloud.T)
    return float(np.trace(gram) ** 2 / squared_sum(gram))


def _finite(codes: ArrayLike) -> NDArray[np.float64] | None:
    """The codes in float64, or None if they are empty or not all finite."""
    values = _matrix(codes)
    return values if values.size and np.isfinite(values).all() else None


def _matrix(codes: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(codes, np.float64)
    if values.ndim != 2:
        raise ValueError(f"codes: must be (n, d), got {values.shape}; flatten the axes after the first")
    return values


def _pair(codes: ArrayLike, previous: ArrayLike) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    if np.shape(codes) != np.shape(previous):
        raise ValueError(f"previous: must have the shape of codes {np.shape(codes)}, got {np.shape(previous)}")
    return _finite(codes), _finite(previous)


def _width(now: NDArray[np.float64], before: NDArray[np.float64]) -> float:
    return float(np.sqrt((radius(now) ** 2 + radius(before) ** 2) / 2))


def _ratio(length: float, width: float) -> float:
    return length / width if width > 0 else float("nan")
