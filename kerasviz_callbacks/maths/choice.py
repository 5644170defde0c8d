"""Deterministic selection of the layers, channels and filters that are shown."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

T = TypeVar("T")
MOST_LAYERS = 8  # that a view shows when the user names none


def evenly_by_depth(items: Sequence[T], most: int = MOST_LAYERS) -> list[T]:
    """Select at most `most` evenly spaced items, including the first and the last.

    Args:
        items: In the order of depth, such as the layers of a model.
        most: The largest number wanted, at least 1.

    Returns:
        All of them where they are no more than `most`; else `most` of them in their order. `most=1` returns
        the last: the deepest layer.

    Raises:
        ValueError: If `most` is less than 1.

    Example:
        >>> evenly_by_depth("abcdefg", 3)
        ['a', 'd', 'g']
    """
    _at_least("most", most, 1)
    if len(items) <= most:
        return list(items)
    if most == 1:
        return [items[-1]]
    gaps = most - 1
    return [items[(place * (len(items) - 1) + gaps // 2) // gaps] for place in range(most)]


def most_variable(variance: ArrayLike, most: int = 16) -> NDArray[np.intp]:
    """Select the channels of largest variance over the probe.

    Args:
        variance: `(channels,)`.
        most: The largest number wanted, at least 1.

    Returns:
        At most `most` channels in increasing order. Of equal ones the first is taken; NaN and infinity rank
        after every finite value.
    """
    return _largest("variance", variance, most)


def largest_norm(norms: ArrayLike, most: int = 64) -> NDArray[np.intp]:
    """Select the filters of largest norm.

    Args:
        norms: `(filters,)`.
        most: The largest number wanted, at least 1.

    Returns:
        At most `most` filters in increasing order. Of equal ones the first is taken; NaN and infinity
        rank after every finite value.
    """
    return _largest("norms", norms, most)


def _largest(name: str, values: ArrayLike, most: int) -> NDArray[np.intp]:
    given = np.asarray(values, np.float64)
    if given.ndim != 1:
        raise ValueError(f"{name}: must be one number each, (n,), got {given.shape}")
    _at_least("most", most, 1)
    finite = np.isfinite(given)
    order = np.lexsort((-np.where(finite, given, 0.0), ~finite))  # stable: the first of equals
    return np.sort(order[:most]).astype(np.intp)


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise ValueError(f"{name}: must be at least {least}, got {value}")
