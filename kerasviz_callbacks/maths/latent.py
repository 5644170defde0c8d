"""How the codes of a probe move, and in how many dimensions.

Codes are `(n, d)`: one row a probe picture, one column a latent variable, in the range of float32. With NaN
or infinity among them every figure is NaN.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

ACTIVE = 0.01
"""A latent variable is active if its variance over the probe is above this (Burda et al. 2016)."""

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Which quantiles of a latent variable its profile shows: 5-95 %, 25-75 % and the median."""


def centred(codes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take the mean off codes that are known to be finite.

    Args:
        codes: `(n, d)`, n at least 1.

    Returns:
        The same shape, mean 0; exactly 0 in a variable that is the same everywhere, where the mean alone
        would leave rounding, which then looks like a cloud.
    """
    moved: NDArray[np.float64] = codes - codes[0]
    moved -= moved.mean(axis=0)
    return moved


def radius(cloud: NDArray[np.float64]) -> float:
    """Say how wide centred codes are: `sqrt(mean ||z||^2)`.

    Args:
        cloud: `(n, d)`, what `centred` returns.

    Returns:
        At least 0, in the unit of the codes.
    """
    return float(np.sqrt(np.vdot(cloud, cloud) / len(cloud)))


def spread(codes: ArrayLike) -> float:
    """Say how wide the cloud of codes is: `sqrt(mean ||z - mean||^2)`, in the unit of the codes.

    Args:
        codes: `(n, d)`.

    Returns:
        At least 0; falls to 0 as the codes collapse.
    """
    values = _finite(codes)
    return float("nan") if values is None else radius(centred(values))


def move(codes: ArrayLike, previous: ArrayLike) -> float:
    """Say how far the codes moved within the cloud since the step before, beside its width.

    Args:
        codes: `(n, d)`, the codes now.
        previous: `(n, d)`, the same rows a step before.

    Returns:
        Mean `||dz||` of centred codes / the root mean square of both spreads: 0 where nothing moved, about
        1.4 where the new codes have nothing to do with the old. NaN without any spread.

    Raises:
        ValueError: If the shapes differ.
    """
    now, before = _pair(codes, previous)
    if now is None or before is None:
        return float("nan")
    now, before = centred(now), centred(before)
    return _ratio(float(np.linalg.norm(now - before, axis=1).mean()), _width(now, before))


def mean_shift(codes: ArrayLike, previous: ArrayLike) -> float:
    """Say how far the cloud moved as a whole since the step before, beside its width.

    Args:
        codes: `(n, d)`, the codes now.
        previous: `(n, d)`, the same rows a step before.

    Returns:
        `||mean - mean before||` / the root mean square of both spreads. NaN without any spread.

    Raises:
        ValueError: If the shapes differ.
    """
    now, before = _pair(codes, previous)
    if now is None or before is None:
        return float("nan")
    way = float(np.linalg.norm(now.mean(axis=0) - before.mean(axis=0)))
    return _ratio(way, _width(centred(now), centred(before)))


def active(codes: ArrayLike, absolute: bool) -> NDArray[np.bool_]:
    """Say which latent variables are in use.

    Args:
        codes: `(n, d)`; of a VAE the posterior means.
        absolute: True for posterior means, whose prior has variance 1: active is a variance above 0.01.
            False for codes of any unit: active is a variance above 0.01 of the largest.

    Returns:
        `(d,)`; False where a variable is not finite in some row: nothing is known of it.

    Reference:
        Burda et al., "Importance Weighted Autoencoders", ICLR 2016, section 5.2.
    """
    variance = variances(codes)
    known = ~np.isnan(variance)
    least = ACTIVE if absolute else ACTIVE * variance.max(initial=0.0, where=known)
    return known & (np.where(known, variance, 0.0) > least)


def active_units(codes: ArrayLike, absolute: bool) -> float:
    """Count the latent variables that are in use, as `active` says it.

    Args:
        codes: `(n, d)`; of a VAE the posterior means.
        absolute: as for `active`.

    Returns:
        A whole number from 0 to d; NaN with NaN or infinity among the codes.
    """
    values = _finite(codes)
    return float("nan") if values is None else float(np.count_nonzero(active(values, absolute)))


def variances(codes: ArrayLike) -> NDArray[np.float64]:
    """Say how far each latent variable varies over the probe.

    Args:
        codes: `(n, d)`.

    Returns:
        The mean squared distance from the variable's mean, `(d,)`: at least 0, exactly 0 where it is the same
        in all rows, NaN where it is not finite in some row or there are no rows.
    """
    values = _matrix(codes)
    known = np.isfinite(values).all(axis=0)
    if not len(values):
        return np.full(values.shape[1], np.nan)
    spread_out = np.square(centred(np.where(known, values, 0.0))).mean(axis=0)
    return np.where(known, spread_out, np.nan)


def quantiles(codes: ArrayLike) -> NDArray[np.float64]:
    """Say where the codes lie in each latent variable: its 5, 25, 50, 75 and 95 % quantiles over the probe.

    Args:
        codes: `(n, d)`.

    Returns:
        `(5, d)`, ascending, within the range of the variable (linear between the two nearest codes in order);
        NaN where the variable is not finite in some row or there are no rows.
    """
    values = _matrix(codes)
    known = np.isfinite(values).all(axis=0)
    if not len(values):
        return np.full((len(QUANTILES), values.shape[1]), np.nan)
    found = np.quantile(np.where(known, values, 0.0), QUANTILES, axis=0)
    return np.where(known, found, np.nan)


def participation_ratio(codes: ArrayLike) -> float:
    """Say in how many dimensions the cloud spreads: `(tr C)^2 / tr C^2`, C the covariance of the codes.

    Never show it without `spread`: it rises as codes collapse to noise.

    Args:
        codes: `(n, d)`.

    Returns:
        From 1 (a line) to min(d, n - 1) (the same spread in every direction). NaN without any spread.
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
    gram = cloud.T @ cloud if width <= count else cloud @ cloud.T  # both have the eigenvalues of C, but for 0
    return float(np.trace(gram) ** 2 / np.vdot(gram, gram))


def _finite(codes: ArrayLike) -> NDArray[np.float64] | None:
    """The codes in float64, or None where no figure can be had: nothing there, or not all of it finite."""
    values = _matrix(codes)
    return values if values.size and np.isfinite(values).all() else None


def _matrix(codes: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(codes, np.float64)
    if values.ndim != 2:
        raise ValueError(f"codes: must be (n, d), got {values.shape}; flatten what follows the first axis")
    return values


def _pair(codes: ArrayLike, previous: ArrayLike) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    if np.shape(codes) != np.shape(previous):
        raise ValueError(f"previous: must have the shape of codes {np.shape(codes)}, got {np.shape(previous)}")
    return _finite(codes), _finite(previous)


def _width(now: NDArray[np.float64], before: NDArray[np.float64]) -> float:
    return float(np.sqrt((radius(now) ** 2 + radius(before) ** 2) / 2))


def _ratio(length: float, width: float) -> float:
    return length / width if width > 0 else float("nan")
