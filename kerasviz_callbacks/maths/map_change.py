"""Distances between heat maps of different epochs or classes.

Maps are `(n, *spatial)`, at least 0; one that is 0 everywhere is empty and has no direction. ValueError if the shapes
of the maps differ.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .similarity import cosine_distance

_Real = NDArray[np.float64]


class MapDistance(NamedTuple):
    """The mean distance between maps.

    Attributes:
        mean: Mean over images of `1 - cos`: 0 for proportional maps, 1 for disjoint ones. NaN where no image is left,
            or a compared map is not finite.
        left_out: Number of images left out because of empty maps.
    """

    mean: float
    left_out: int


def map_distance(now: ArrayLike, then: ArrayLike) -> MapDistance:
    """Compare the maps of each image with those at another step; images with an empty map are left out."""
    maps, others = _rows(now, then)
    counts = ~(_empty(maps) | _empty(others))
    if now is then and np.isfinite(maps).all():
        return _mean(np.zeros(int(counts.sum())), int((~counts).sum()))
    return _mean(cosine_distance(maps[counts], others[counts]), int((~counts).sum()))


def true_versus_predicted(true: ArrayLike, predicted: ArrayLike, right: ArrayLike) -> MapDistance:
    """Compare the maps of the true class with those of the predicted class.

    `right` is `(n,)`: whether the two classes are the same. The distance is 0 for correct predictions and 1 where one
    map is empty; wrong ones with both maps empty are left out.
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
    """Find the maps that are 0 everywhere, `(n,)`."""
    return _empty(_rows(maps, maps)[0])


def _rows(maps: ArrayLike, others: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    if np.shape(maps) != np.shape(others):
        raise ValueError(f"maps: both must have the same shape, got {np.shape(maps)} and {np.shape(others)}")
    one, other = np.asarray(maps), np.asarray(others)
    return one.reshape(len(one), -1), other.reshape(len(other), -1)


def _empty(maps: NDArray[Any]) -> NDArray[np.bool_]:
    return np.asarray(~maps.any(axis=1))


def _mean(distances: _Real, left_out: int) -> MapDistance:
    return MapDistance(float(distances.mean()) if distances.size else float("nan"), left_out)
