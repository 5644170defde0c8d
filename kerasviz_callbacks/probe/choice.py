"""The choice of rows: evenly over the classes, and determined by the data and a seed."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

_IN_ORDER = 16  # classes, as many as most views show rows; of more of them the first rows are spread over all


def spread_over_classes(labels: ArrayLike, count: int, seed: int) -> NDArray[np.intp]:
    """Choose rows evenly over the classes, such that any first rows of the choice are even too.

    Each class is shuffled once; then the classes alternate in the order of their labels: 0, 1, ..., k - 1, 0, 1, ...
    Of more than 16 classes the order halves the gaps (0, k / 2, k / 4, ...), so that the first rows are spread over all
    labels, which may be ages. A class with no rows left is skipped. The choice for a smaller `count` is a prefix of
    that for a larger one.

    Args:
        labels: `(n,)`, one label per row: integers (or any sortable values); each distinct value is a class.
        count: Number of rows, at least 0.
        seed: Determines the rows of each class.

    Returns:
        `(min(count, n),)` distinct row indices, in alternating order (even if all rows are taken).

    Raises:
        ValueError: If labels are not `(n,)` or count is negative.

    Example:
        >>> labels = np.array([1, 1, 1, 0, 0, 2])
        >>> labels[spread_over_classes(labels, 5, seed=0)].tolist()
        [0, 1, 2, 0, 1]
    """
    given = np.asarray(labels)
    if given.ndim != 1:
        raise ValueError(f"labels: must be (n,), one per row, got {given.shape}; take the argmax of one-hot rows")
    _not_negative("count", count)
    _, of_row, sizes = np.unique(given, return_inverse=True, return_counts=True)
    shuffled = np.random.default_rng(seed).permutation(len(given))
    by_class = shuffled[np.argsort(of_row[shuffled], kind="stable")]
    turn = np.arange(len(given)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    order = np.lexsort((_places(len(sizes))[of_row[by_class]], turn))
    return by_class[order][:count].astype(np.intp)


def _places(classes: int) -> NDArray[np.intp]:
    """The place of each class in a turn: that of its label, of many classes of its bits from the last to the first."""
    places = np.arange(classes)
    if classes <= _IN_ORDER:
        return places
    bits = (classes - 1).bit_length()
    reversed_bits = sum(((places >> bit) & 1) << (bits - 1 - bit) for bit in range(bits))
    return np.argsort(np.argsort(reversed_bits, kind="stable"), kind="stable").astype(np.intp)


def spread_without_classes(n: int, count: int, seed: int) -> NDArray[np.intp]:
    """Choose `(min(count, n),)` distinct rows of n at random, for data without labels; ValueError if one is negative.

    The rows are not sorted, so that the first 16 of 500 rows are a random choice too: sorted, they would all come from
    the start of the data, which is one class if the data are sorted by class. The choice for a smaller `count` is a
    prefix of that for a larger one.
    """
    _not_negative("n", n)
    _not_negative("count", count)
    return np.random.default_rng(seed).permutation(n)[:count].astype(np.intp)


def weights_of_proportions(chosen: ArrayLike, sizes: ArrayLike) -> NDArray[np.float64]:
    """Weight chosen rows such that each class counts as in all the data; the mean weight is 1.

    Args:
        chosen: `(count,)`, the class of each chosen row, from 0; negative where it has none.
        sizes: `(classes,)`, the number of rows of each class in the data.

    Returns:
        `(count,)`, above 0, and 0 of rows without a class, which the mean leaves out. A class of which no row was
        chosen is left out.

    Example:
        >>> weights_of_proportions([0, 1], [3, 1]).tolist()
        [1.5, 0.5]
    """
    labels = np.asarray(chosen, np.int64)
    known = labels >= 0
    weights, own = np.zeros(len(labels)), labels[known]
    weights[known] = np.asarray(sizes, np.float64)[own] / np.bincount(own)[own]
    return weights / weights[known].mean() if known.any() else weights


def _not_negative(name: str, value: int) -> None:
    if value < 0:
        raise ValueError(f"{name}: must be at least 0, got {value}")
