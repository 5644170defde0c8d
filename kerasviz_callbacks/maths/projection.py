"""Projection of latent codes to a plane that is stable over the training.

Principal components fitted anew at each step rotate by themselves, which is then mistaken for movement of the codes. So
the plane is kept until it shows less than 90 % of the variance that the two leading principal components would show,
and when it is refitted, its axes are rotated within the new plane to match the old ones as well as possible.

Codes are `(n, d)`, n the rows of the probe, in the range of float32. Every function centres them first; the movement of
their mean is `latent.mean_shift`. ValueError if a code is NaN or infinite: leave that step out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .latent import centred, radius
from .products import product, squared_sum
from .singular import right_singular_vectors

KEPT_SHARE = 0.9
"""The plane is kept while it shows this fraction of the variance that the best plane of the step would show."""

SPREAD_FLOOR = 0.05
"""Below this fraction of the largest spread so far the codes have collapsed, and no plane is fitted to them."""

POOLED_STEPS = 5
"""A plane is fitted to this many steps together, so that it does not follow a single one."""


@dataclass(frozen=True, eq=False)
class Plane:
    """Two axes in the space of the codes, and the state needed to keep them.

    Attributes:
        basis: `(d, 2)`, orthonormal columns.
        fitted_at: The step at which the axes were fitted.
        largest_spread: The largest `latent.spread` seen up to the newest step.
    """

    basis: NDArray[np.float64]
    fitted_at: int
    largest_spread: float


def hold_plane(plane: Plane | None, recent: Sequence[ArrayLike], step: int) -> tuple[Plane, bool]:
    """Keep the plane while it shows enough of the newest codes, refit it otherwise.

    With B the basis, C the covariance of the newest codes and l its eigenvalues, the plane is kept while
    `tr(B'CB) >= 0.9 (l1 + l2)`, and always while the spread is below 5 % of the largest seen. Else it is fitted to the
    last 5 steps, each centred and scaled to unit spread: at the first fit the entry of largest magnitude of each axis
    is made positive; later the axes are rotated within the new plane onto the old ones (orthogonal Procrustes). So at
    each step the condition holds, or the plane was just fitted, or the spread is below the floor. (Just after a fit the
    condition may not hold: the plane then fits the pooled steps, not the newest alone.)

    Args:
        plane: The plane of the previous step; None at the first.
        recent: The codes `(n, d)` of up to the last 5 steps, the newest last; older ones are ignored.
        step: The step of the newest codes, stored in the plane if it is fitted.

    Returns:
        The plane to project to and to pass at the next step, and whether its axes were fitted at this one (the first
        included). With d = 2 the axes are always the codes' own. Codes without any spread get arbitrary axes; the first
        step with some spread is then the first fit.

    Raises:
        ValueError: If d is less than 2, a code is NaN or infinite, or shapes do not match.
    """
    if not len(recent):
        raise ValueError("recent: must hold the codes of at least the newest step, got none")
    newest = _centred(recent[-1])
    width = newest.shape[1]
    if width < 2:
        raise ValueError(f"recent: codes must have at least 2 variables to span a plane, got {width}")
    spread = radius(newest)
    if plane is not None and plane.largest_spread == 0 < spread and width > 2:
        plane = None  # it was fitted to codes without spread
    if plane is None:
        basis = np.eye(2) if width == 2 else _with_fixed_signs(_principal_axes(_pooled(recent, newest)))
        return Plane(basis, step, spread), True
    if plane.basis.shape != (width, 2):
        raise ValueError(f"plane: was fitted to {plane.basis.shape[0]} variables, the newest codes have {width}")
    plane = replace(plane, largest_spread=max(plane.largest_spread, spread))
    if spread < SPREAD_FLOOR * plane.largest_spread or _shows_enough(newest, plane.basis):
        return plane, False
    axes = _principal_axes(_pooled(recent, newest))
    return replace(plane, basis=_rotated_onto(axes, plane.basis), fitted_at=step), True


def project(codes: ArrayLike, basis: NDArray[np.float64]) -> NDArray[np.float64]:
    """Project the codes, once centred, to the plane of a `Plane.basis` `(d, 2)`: `(n, 2)`, in their unit, mean 0."""
    return product(_centred(codes), basis)


def shares(codes: ArrayLike, previous: ArrayLike | None, basis: NDArray[np.float64]) -> tuple[float, float]:
    """Compute the fractions of variance and of movement that the plane shows, each from 0 to 1.

    `tr(B'CB) / tr C` and `||dz B||^2 / ||dz||^2` for centred codes and a `Plane.basis` `(d, 2)`. NaN where there is no
    variance, no movement or no previous step (None).
    """
    now = _centred(codes)
    moved = float("nan") if previous is None else _share_shown(now - _centred(previous), basis)
    return _share_shown(now, basis), moved


def _centred(codes: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(codes, np.float64)
    if values.ndim != 2 or not len(values):
        raise ValueError(f"codes: must be (n >= 1, d), got {values.shape}; flatten the axes after the first")
    finite = np.isfinite(values)
    if not finite.all():
        count = values.size - np.count_nonzero(finite)
        raise ValueError(f"codes: must be finite, {count} of {values.size} are not; leave this step out")
    return centred(values)


def _share_shown(rows: NDArray[np.float64], basis: NDArray[np.float64]) -> float:
    total = squared_sum(rows)
    return min(squared_sum(product(rows, basis)) / total, 1.0) if total > 0 else float("nan")


def _shows_enough(cloud: NDArray[np.float64], basis: NDArray[np.float64]) -> bool:
    """`tr(B'CB) >= 0.9 (l1 + l2)`; the eigenvalues are not needed where B shows that share of everything."""
    shown = squared_sum(product(cloud, basis))
    if shown >= KEPT_SHARE * squared_sum(cloud):
        return True
    return shown >= KEPT_SHARE * squared_sum(product(cloud, right_singular_vectors(cloud, 2)))


def _pooled(recent: Sequence[ArrayLike], newest: NDArray[np.float64]) -> NDArray[np.float64]:
    """Stack the last steps, each centred and scaled to unit spread; one without spread stays 0."""
    steps = list(recent)[-POOLED_STEPS:]
    pooled = np.empty((len(steps), *newest.shape))
    for index, codes in enumerate(steps):
        if np.shape(codes) != newest.shape:
            raise ValueError(f"recent: every step must be {newest.shape} as the newest, got {np.shape(codes)}")
        cloud = _centred(codes)
        np.divide(cloud, radius(cloud) or 1.0, out=pooled[index])
    return pooled.reshape(-1, newest.shape[1])


def _principal_axes(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The two leading right singular vectors `(d, 2)` of `rows (m, d)`, larger first, signs arbitrary."""
    vectors = right_singular_vectors(rows, 2)
    missing = np.zeros((rows.shape[1], 2 - vectors.shape[1]))
    # QR by reflections completes a single vector (from a single row) to an orthonormal pair.
    return np.linalg.qr(np.concatenate([vectors, missing], axis=1))[0]


def _with_fixed_signs(axes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Flip the axes so that the entry of largest magnitude of each is positive."""
    entries = axes[np.argmax(np.abs(axes), axis=0), [0, 1]]
    return axes * np.where(entries < 0, -1.0, 1.0)


def _rotated_onto(axes: NDArray[np.float64], old: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotate the axes within their plane to match the old ones (orthogonal Procrustes, Schönemann 1966)."""
    left, _, right = np.linalg.svd(axes.T @ old)
    rotated: NDArray[np.float64] = axes @ (left @ right)
    return rotated
