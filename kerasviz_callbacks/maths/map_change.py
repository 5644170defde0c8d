"""How far heat maps point elsewhere: those of another epoch, or of another class.

Maps are `(n, *spatial)`, at least 0; one that is 0 everywhere is empty, and points nowhere.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .similarity import cosine_distance

_Real = NDArray[np.float64]


class Change(NamedTuple):
    """How far maps differ.

    Attributes:
        mean: Over pictures, of 1 - cos: 0 all alike, 1 nothing in common. NaN where no picture counts, or a map that
            is compared is not finite.
        left_out: How many pictures do not count, because of empty maps.
    """

    mean: float
    left_out: int


def map_distance(now: ArrayLike, then: ArrayLike) -> Change:
    """Compare the maps of each picture with its own of an earlier time; pictures with an empty one are left out.

    Args:
        now: `(n, *spatial)`.
        then: The same shape.

    Raises:
        ValueError: If the shapes differ.
    """
    maps, others = _rows(now, then)
    counts = ~(_empty(maps) | _empty(others))
    if now is then and np.isfinite(maps).all():
        return _mean(np.zeros(int(counts.sum())), int((~counts).sum()))
    return _mean(cosine_distance(maps[counts], others[counts]), int((~counts).sum()))


def true_versus_predicted(true: ArrayLike, predicted: ArrayLike, right: ArrayLike) -> Change:
    """Compare what speaks for the true class with what speaks for the predicted one.

    0 where the prediction is right, 1 where one map is empty; where both are, the picture is left out.

    Args:
        true: Maps of the true class, `(n, *spatial)`.
        predicted: Maps of the predicted class, the same shape.
        right: Whether the two classes are the same, `(n,)`.

    Raises:
        ValueError: If the shapes differ.
    """
    maps, others = _rows(true, predicted)
    wrong = np.flatnonzero(~np.asarray(right, bool))  # only these are compared
    maps, others = maps[wrong], others[wrong]
    one, other = _empty(maps), _empty(others)
    distances = np.where(one ^ other, 1.0, 0.0)
    distances[~one & ~other] = cosine_distance(maps[~one & ~other], others[~one & ~other])
    counted = np.concatenate([distances[~(one & other)], np.zeros(np.shape(true)[0] - len(wrong))])
    return _mean(counted, int((one & other).sum()))


def empty(maps: ArrayLike) -> NDArray[np.bool_]:
    """Say which maps are 0 everywhere, `(n,)`."""
    return _empty(_rows(maps, maps)[0])


def _rows(maps: ArrayLike, others: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    if np.shape(maps) != np.shape(others):
        raise ValueError(f"maps: both must have one shape, got {np.shape(maps)} and {np.shape(others)}")
    one, other = np.asarray(maps), np.asarray(others)
    return one.reshape(len(one), -1), other.reshape(len(other), -1)


def _empty(maps: NDArray[Any]) -> NDArray[np.bool_]:
    nothing: NDArray[np.bool_] = np.asarray(~maps.any(axis=1))
    return nothing


def _mean(distances: _Real, left_out: int) -> Change:
    return Change(float(distances.mean()) if distances.size else float("nan"), left_out)
