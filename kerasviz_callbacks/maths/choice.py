"""Which layers, channels and probe rows are looked at: fixed by what is given and a seed, never by chance."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

T = TypeVar("T")


def evenly_by_depth(items: Sequence[T], most: int = 8) -> list[T]:
    """Choose at most `most` of the items at even distances, the first and the last among them.

    Args:
        items: In the order of depth, such as the layers of a model.
        most: The largest number wanted, at least 1.

    Returns:
        All of them where they are no more than `most`; else `most` of them in their order. `most=1` gives
        the last: the deepest layer says most about what was learned.

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
    """Choose the channels that vary most over the probe.

    Args:
        variance: `(channels,)`.
        most: The largest number wanted, at least 1.

    Returns:
        At most `most` channels in increasing order, so that a tile's place is natural. Of equal ones the
        first wins; NaN and infinity come after every number.
    """
    return _largest("variance", variance, most)


def largest_norm(norms: ArrayLike, most: int = 64) -> NDArray[np.intp]:
    """Choose the filters of largest norm.

    Args:
        norms: `(filters,)`.
        most: The largest number wanted, at least 1.

    Returns:
        At most `most` filters in increasing order. Of equal ones the first wins; NaN and infinity come
        after every number.
    """
    return _largest("norms", norms, most)


def spread_over_classes(labels: ArrayLike, count: int, seed: int) -> NDArray[np.intp]:
    """Choose rows evenly over the classes, in turns, so that every beginning of the choice is even too.

    Each class is shuffled once; then the classes take turns in the order of their labels: 0, 1, ..., k - 1,
    0, 1, ... A class that has run out leaves its turns to the others. A smaller `count` gives a beginning
    of a larger one.

    Args:
        labels: `(n,)`, one label a row: integers (or anything that sorts); every different value is a class.
        count: How many rows are wanted, at least 0.
        seed: Which rows of each class are taken.

    Returns:
        `(min(count, n),)` row numbers, none twice, in the order of the turns (also where all are taken).

    Raises:
        ValueError: If labels are not `(n,)` or count is negative.

    Example:
        >>> labels = np.array([1, 1, 1, 0, 0, 2])
        >>> labels[spread_over_classes(labels, 5, seed=0)].tolist()
        [0, 1, 2, 0, 1]
    """
    given = np.asarray(labels)
    if given.ndim != 1:
        raise ValueError(f"labels: must be (n,), one a row, got {given.shape}; take the argmax of one-hot rows")
    _at_least("count", count, 0)
    classes, of_row = np.unique(given, return_inverse=True)
    shuffled = np.random.default_rng(seed).permutation(len(given))
    by_class = shuffled[np.argsort(of_row[shuffled], kind="stable")]
    sizes = np.bincount(of_row, minlength=len(classes))
    first = np.repeat(np.cumsum(sizes) - sizes, sizes)
    turn = np.arange(len(given)) - first
    order = np.lexsort((of_row[by_class], turn))
    return by_class[order][:count].astype(np.intp)


def spread_without_classes(n: int, count: int, seed: int) -> NDArray[np.intp]:
    """Choose rows at random where there are no labels, so that every beginning of the choice is random too.

    The order is random on purpose: a view that looks at the first 16 of 500 rows would, were they sorted,
    see only the beginning of the data, which is one class where the data lie class by class. A smaller
    `count` gives a beginning of a larger one.

    Args:
        n: How many rows there are, at least 0.
        count: How many are wanted, at least 0.
        seed: Which rows are taken, and in which order.

    Returns:
        `(min(count, n),)` row numbers, none twice.

    Raises:
        ValueError: If n or count is negative.
    """
    _at_least("n", n, 0)
    _at_least("count", count, 0)
    return np.random.default_rng(seed).permutation(n)[:count].astype(np.intp)


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
