"""Which rows are looked at: evenly over the classes, fixed by what is given and a seed, never by chance."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


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
    _not_negative("count", count)
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
    _not_negative("n", n)
    _not_negative("count", count)
    return np.random.default_rng(seed).permutation(n)[:count].astype(np.intp)


def _not_negative(name: str, value: int) -> None:
    if value < 0:
        raise ValueError(f"{name}: must be at least 0, got {value}")
