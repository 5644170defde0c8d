"""Deterministic selection of the layers, channels and filters that are shown."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

T = TypeVar("T")
MOST_LAYERS = 8  # that a view shows when the user names none


def evenly_by_depth(items: Sequence[T], most: int = MOST_LAYERS) -> list[T]:
    """Select at most `most` (at least 1) evenly spaced items in their order, including the first and the last.

    `most=1` returns the last: of the layers of a model, in the order of depth, the deepest.

    Example:
        >>> evenly_by_depth("abcdefg", 3)
        ['a', 'd', 'g']
    """
    _check_most(most)
    if len(items) <= most:
        return list(items)
    if most == 1:
        return [items[-1]]
    gaps = most - 1
    return [items[(place * (len(items) - 1) + gaps // 2) // gaps] for place in range(most)]


def selection_text(shown: int, whole: int, what: str = "layers") -> str:
    """Describe what `evenly_by_depth` selected, for the user; empty if that is everything.

    Example:
        >>> selection_text(8, 14)
        '8 of 14 layers, evenly spaced by depth; name others in layers='
    """
    return f"{shown} of {whole} {what}, evenly spaced by depth; name others in layers=" if shown < whole else ""


def most_variable(variance: ArrayLike, most: int = 16) -> NDArray[np.intp]:
    """Select the `most` channels of largest variance `(channels,)` over the probe, in increasing order.

    Of equal ones the first is taken; NaN and infinity rank after every finite value.
    """
    return _largest("variance", variance, most)


def largest_norm(norms: ArrayLike, most: int = 64) -> NDArray[np.intp]:
    """Select the `most` filters of largest norm `(filters,)`, in increasing order.

    Of equal ones the first is taken; NaN and infinity rank after every finite value.
    """
    return _largest("norms", norms, most)


def _largest(name: str, values: ArrayLike, most: int) -> NDArray[np.intp]:
    given = np.asarray(values, np.float64)
    if given.ndim != 1:
        raise ValueError(f"{name}: must be one number each, (n,), got {given.shape}")
    _check_most(most)
    finite = np.isfinite(given)
    order = np.lexsort((-np.where(finite, given, 0.0), ~finite))  # stable: the first of equals
    return np.sort(order[:most]).astype(np.intp)


def _check_most(most: int) -> None:
    if most < 1:
        raise ValueError(f"most: must be at least 1, got {most}")
