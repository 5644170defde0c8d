"""The held plane: codes of an autoencoder, seen along axes that stay while they still show enough.

Axes fitted anew at each step move by themselves, and what is then seen moving is the axes. So the plane is
kept until it shows less than 90 % of what the best plane would, and when it must change it is turned,
within itself, as near to the old one as it can be.

Codes are `(n, d)`, n the probe's rows, in the range of float32. Every function centres them first: what the
cloud does as a whole is `latent.drift`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .latent import centred, radius
from .singular import right_singular_vectors

KEPT_SHARE = 0.9
"""The plane is held while it shows this share of what the best plane of the step would show."""

SPREAD_FLOOR = 0.05
"""Below this share of the largest spread so far the cloud is noise, and no plane is fitted to it."""

POOLED_STEPS = 5
"""A plane is fitted to this many steps at once, so that it does not follow one of them."""


@dataclass(frozen=True, eq=False)
class Plane:
    """Two axes in the space of the codes, and what must be remembered to hold them.

    Attributes:
        basis: `(d, 2)`, orthonormal columns.
        fitted_at: The step at which the axes were fitted.
        largest_spread: The largest `latent.spread` seen up to the newest step.
    """

    basis: NDArray[np.float64]
    fitted_at: int
    largest_spread: float


def hold_plane(plane: Plane | None, recent: Sequence[ArrayLike], step: int) -> tuple[Plane, bool]:
    """Hold the plane while it shows enough of the newest codes, fit it anew where it does not.

    With B the basis, C the covariance of the newest codes and l its eigenvalues, the plane is kept while
    `tr(B'CB) >= 0.9 (l1 + l2)`, and always while the spread is below 5 % of the largest seen. Else it is
    fitted to the last 5 steps, each centred and scaled to unit spread: at the first fit the entry of
    largest magnitude of each axis is made positive; later the axes are rotated within the new plane onto
    the old ones (orthogonal Procrustes). So at each step the condition holds, or the plane was just fitted,
    or the spread is below the floor. (Just after a fit the condition may not hold: the plane then fits the
    pooled steps, not the newest alone.)

    Args:
        plane: What the step before returned; None at the first.
        recent: The codes `(n, d)` of up to the last 5 steps, the newest last; older ones are ignored.
        step: The step of the newest codes, to be noted where the plane is fitted.

    Returns:
        The plane to draw with and to give back at the next step, and whether its axes were fitted at this
        one (the first time included). With d = 2 the axes are the codes' own, from the first step on for
        ever. Codes without any spread get axes that mean nothing; the first step that has some is then the
        first fit.

    Raises:
        ValueError: If d is less than 2 (there is no plane), a code is NaN or infinite (leave that step
            out), or shapes do not fit each other.
    """
    if not len(recent):
        raise ValueError("recent: must hold the codes of at least the newest step, got none")
    newest = _centred(recent[-1])
    width = newest.shape[1]
    if width < 2:
        raise ValueError(f"recent: codes must have at least 2 variables to span a plane, got {width}")
    spread = radius(newest)
    if plane is not None and plane.largest_spread == 0 < spread and width > 2:
        plane = None  # so far there was nothing but a point to fit it to
    if plane is None:
        basis = np.eye(2) if width == 2 else _upright(_principal_axes(_pooled(recent, newest)))
        return Plane(basis, step, spread), True
    if plane.basis.shape != (width, 2):
        raise ValueError(f"plane: was fitted to {plane.basis.shape[0]} variables, the newest codes have {width}")
    plane = replace(plane, largest_spread=max(plane.largest_spread, spread))
    if spread < SPREAD_FLOOR * plane.largest_spread or _shows_enough(newest, plane.basis):
        return plane, False
    axes = _principal_axes(_pooled(recent, newest))
    return replace(plane, basis=_rotated_onto(axes, plane.basis), fitted_at=step), True


def project(codes: ArrayLike, basis: NDArray[np.float64]) -> NDArray[np.float64]:
    """See the centred codes in the plane.

    Args:
        codes: `(n, d)`.
        basis: `(d, 2)`, of a `Plane`.

    Returns:
        `(n, 2)`, in the unit of the codes, mean 0.

    Raises:
        ValueError: If a code is NaN or infinite.
    """
    return _centred(codes) @ basis


def shares(codes: ArrayLike, previous: ArrayLike | None, basis: NDArray[np.float64]) -> tuple[float, float]:
    """Say how much of what happens the plane shows.

    Args:
        codes: `(n, d)`, the codes now.
        previous: The same rows a step before, or None.
        basis: `(d, 2)`, of a `Plane`.

    Returns:
        The share of the variance, `tr(B'CB) / tr C`, and of the movement, `||dz B||^2 / ||dz||^2` for
        centred codes; each from 0 to 1. NaN where there is no variance, no movement or no step before.

    Raises:
        ValueError: If a code is NaN or infinite.
    """
    now = _centred(codes)
    moved = float("nan") if previous is None else _share_shown(now - _centred(previous), basis)
    return _share_shown(now, basis), moved


def _centred(codes: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(codes, np.float64)
    if values.ndim != 2 or not len(values):
        raise ValueError(f"codes: must be (n >= 1, d), got {values.shape}; flatten what follows the first axis")
    finite = np.isfinite(values)
    if not finite.all():
        count = values.size - np.count_nonzero(finite)
        raise ValueError(f"codes: must be finite, {count} of {values.size} are not; leave this step out")
    return centred(values)


def _squares(values: NDArray[np.float64]) -> float:
    return float(np.vdot(values, values))


def _share_shown(rows: NDArray[np.float64], basis: NDArray[np.float64]) -> float:
    total = _squares(rows)
    return min(_squares(rows @ basis) / total, 1.0) if total > 0 else float("nan")


def _shows_enough(cloud: NDArray[np.float64], basis: NDArray[np.float64]) -> bool:
    """`tr(B'CB) >= 0.9 (l1 + l2)`; the eigenvalues are not needed where B shows that share of everything."""
    shown = _squares(cloud @ basis)
    return shown >= KEPT_SHARE * _squares(cloud) or shown >= KEPT_SHARE * _best_shown(cloud)


def _best_shown(rows: NDArray[np.float64]) -> float:
    """The sum of the two largest eigenvalues of `rows' rows`."""
    return _squares(rows @ right_singular_vectors(rows, 2))


def _pooled(recent: Sequence[ArrayLike], newest: NDArray[np.float64]) -> NDArray[np.float64]:
    """The last steps, each centred and scaled to unit spread, one under the other; no spread stays 0."""
    steps = list(recent)[-POOLED_STEPS:]
    pooled = np.empty((len(steps), *newest.shape))
    for place, codes in enumerate(steps):
        if np.shape(codes) != newest.shape:
            raise ValueError(f"recent: every step must be {newest.shape} as the newest, got {np.shape(codes)}")
        cloud = _centred(codes)
        np.divide(cloud, radius(cloud) or 1.0, out=pooled[place])
    return pooled.reshape(-1, newest.shape[1])


def _principal_axes(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The two leading right singular vectors `(d, 2)` of `rows (m, d)`, larger first, signs arbitrary."""
    vectors = right_singular_vectors(rows, 2)
    missing = np.zeros((rows.shape[1], 2 - vectors.shape[1]))
    # QR by reflections completes a single vector (from a single row) to an orthonormal pair.
    return np.linalg.qr(np.concatenate([vectors, missing], axis=1))[0]


def _upright(axes: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same axes, each with its entry of largest magnitude positive."""
    entries = axes[np.argmax(np.abs(axes), axis=0), [0, 1]]
    return axes * np.where(entries < 0, -1.0, 1.0)


def _rotated_onto(axes: NDArray[np.float64], old: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same plane, its axes as near to the old ones as can be (orthogonal Procrustes, Schönemann 1966)."""
    left, _, right = np.linalg.svd(axes.T @ old)
    turned: NDArray[np.float64] = axes @ (left @ right)
    return turned
