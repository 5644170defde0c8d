"""How well features separate the classes: nearest neighbours, silhouette, within-class to between-class variance.

Features are `(n, d)`, or `FeatureDistances` of them: one row per example of the probe; labels are `(n,)`. With NaN or
infinity among the features every metric is NaN; ValueError if features or labels have another shape.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .products import product

_BLOCK_VALUES = 2**21
"""Number of distances held at once: 16 MiB."""


class FeatureDistances:
    """Features `(n, d)` prepared once for several metrics: in float64, the first shifted to 0, with cached distances.

    Attributes:
        values: `(n, d)`; `None` if there are none or some are not finite: every metric is then NaN.
        count: n.
    """

    def __init__(self, features: ArrayLike) -> None:
        values = np.array(features, np.float64)
        if values.ndim != 2:
            raise ValueError(f"features: must be (n, d), got {values.shape}; flatten the axes after the first")
        self.count = len(values)
        self.values: NDArray[np.float64] | None = None
        if values.size and np.isfinite(values).all():
            values -= values[0].copy()  # smaller values lose fewer digits; exactly 0 where all are equal
            self.values = values
        self._whole: NDArray[np.float64] | None = None

    def squared_distances(self) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float64]]]:
        """Yield rows in blocks with their squared distances to all rows, from dot products: quick, off by rounding."""
        values = self.values
        if values is None:
            return
        block = max(1, _BLOCK_VALUES // self.count)
        if self._whole is None and block >= self.count:
            self._whole = _squares(values, np.arange(self.count))
        for start in range(0, self.count, block):
            rows = np.arange(start, min(start + block, self.count))
            yield rows, (_squares(values, rows) if self._whole is None else self._whole.copy())


def _squares(values: NDArray[np.float64], rows: NDArray[np.intp]) -> NDArray[np.float64]:
    lengths = np.einsum("ij,ij->i", values, values)
    products = product(values if len(rows) == len(values) else values[rows], values.T)
    apart: NDArray[np.float64] = lengths[rows, None] + lengths - 2 * products
    return apart


def knn_accuracy(features: ArrayLike | FeatureDistances, labels: ArrayLike, k: int = 5) -> float:
    """Compute the fraction of each row's `k` nearest neighbours that share its label (leave-one-out), by class.

    The mean over classes of the mean over their rows: a mean over all rows rewards the majority. From 0 to 1; of n
    unrelated features about `1 / classes` (the mean of `(n_c - 1) / (n - 1)`), of perfect ones 1, or less if a class
    has no more than k rows: `(n_c - 1) / k` is the most that one of n_c rows can reach.

    Distances are Euclidean; of equal ones the lower row number counts as nearer. All other rows if they are fewer than
    k; NaN with fewer than two rows; ValueError if k is less than 1.
    """
    agreement = knn_agreement(features, labels, k)
    if np.isnan(agreement).any() or not len(agreement):
        return float("nan")
    _, own, counts = np.unique(np.asarray(labels), return_inverse=True, return_counts=True)
    return float(np.mean(np.bincount(own, agreement) / counts))


def knn_agreement(features: ArrayLike | FeatureDistances, labels: ArrayLike, k: int = 5) -> NDArray[np.float64]:
    """Compute the fraction of each row's `k` nearest neighbours that share its label, `(n,)`; see `knn_accuracy`."""
    prepared, given = _checked(features, labels)
    values = prepared.values
    if k < 1:
        raise ValueError(f"k: must be at least 1, got {k}")
    if values is None or len(values) < 2:
        return np.full(prepared.count, np.nan)
    k = min(k, len(values) - 1)
    same = [_same_label(values, given, rows, rough, k) for rows, rough in prepared.squared_distances()]
    return np.concatenate(same) / k


def _same_label(
    values: NDArray[np.float64], labels: NDArray[np.generic], rows: NDArray[np.intp], rough: NDArray[np.float64], k: int
) -> NDArray[np.intp]:
    """Count, for each of some rows, its neighbours of the same label, given their approximate squared distances.

    These only preselect candidates; where more than k are within rounding of the k-th distance, the distances of those
    are computed exactly, so that equal distances stay equal.
    """
    rough[np.arange(len(rows)), rows] = np.inf
    slack = 4 * (values.shape[1] + 8) * np.finfo(np.float64).eps * np.einsum("ij,ij->i", values, values).max()
    near = rough <= (np.partition(rough, k - 1, axis=1)[:, k - 1] + slack)[:, None]
    same: NDArray[np.intp] = np.count_nonzero(near & (labels[rows, None] == labels), axis=1)
    for number in np.flatnonzero(near.sum(axis=1) > k):
        row, found = rows[number], np.flatnonzero(near[number])
        apart = values[found] - values[row]
        found = found[np.argsort(np.sum(apart * apart, axis=1), kind="stable")[:k]]
        same[number] = np.count_nonzero(labels[found] == labels[row])
    return same


def silhouette(features: ArrayLike | FeatureDistances, labels: ArrayLike) -> float:
    """Compute the mean silhouette coefficient: the distance to the nearest other class relative to the own class.

    The mean over rows of `(b - a) / max(a, b)`: a is the mean distance (Euclidean) to the other rows of the own class,
    b the least mean distance to the rows of another. A row that is alone in its class counts as 0.

    Returns:
        From -1 (rows lie in other classes) through 0 (classes overlap) to 1 (compact and well separated). NaN with
        fewer than two classes, or no two rows of one class.

    Reference:
        Rousseeuw, "Silhouettes: a graphical aid to the interpretation and validation of cluster analysis", Journal of
        Computational and Applied Mathematics 20, 1987.
    """
    prepared, given = _checked(features, labels)
    values = prepared.values
    if values is None:
        return float("nan")
    classes, own = np.unique(given, return_inverse=True)
    if not 2 <= len(classes) < len(values):
        return float("nan")
    one_hot = (own[:, None] == np.arange(len(classes))).astype(np.float64)
    counts = one_hot.sum(axis=0)
    total = 0.0
    for rows, squares in prepared.squared_distances():
        squares[np.arange(len(rows)), rows] = 0.0
        sums = product(np.sqrt(np.maximum(squares, 0.0)), one_hot)  # (rows, classes)
        own_class = (np.arange(len(rows)), own[rows])
        others = counts[own[rows]] - 1
        within = sums[own_class] / np.maximum(others, 1)
        between = sums / counts
        between[own_class] = np.inf
        nearest = between.min(axis=1)
        wider = np.maximum(within, nearest)
        ratio = (nearest - within) / np.where(wider > 0, wider, 1)
        total += float(np.sum(np.where((others > 0) & (wider > 0), ratio, 0)))
    return total / len(values)


def within_to_between(features: ArrayLike | FeatureDistances, labels: ArrayLike) -> float:
    """Compute the ratio of within-class to between-class variance: a scalar form of NC1.

    `sum_i ||z_i - m_y(i)||^2 / sum_c n_c ||m_c - m||^2`, m_c the mean of class c, m that of all rows. It falls towards
    0 as the features of each class collapse into one point; NaN where all class means are the same point, or no two
    rows are of one class. The paper's form takes a pseudo-inverse of the covariance of the class means instead, which
    this form avoids.

    Reference:
        Papyan, Han & Donoho, "Prevalence of neural collapse during the terminal phase of deep learning training", PNAS
        2020 (NC1).
    """
    prepared, given = _checked(features, labels)
    values = prepared.values
    if values is None:
        return float("nan")
    classes, own = np.unique(given, return_inverse=True)
    if len(classes) == len(values):
        return float("nan")
    one_hot = (own == np.arange(len(classes))[:, None]).astype(np.float64)
    means = product(one_hot, values) / one_hot.sum(axis=1, keepdims=True)
    within = float(np.square(values - means[own]).sum())
    between = float(one_hot.sum(axis=1) @ np.square(means - values.mean(axis=0)).sum(axis=1))
    # Class means that differ by rounding alone are the same point.
    least = len(values) * (np.finfo(np.float64).eps * np.abs(values).max(initial=0.0)) ** 2 * values.shape[1]
    return within / between if between > least else float("nan")


def _checked(features: ArrayLike | FeatureDistances, labels: ArrayLike) -> tuple[FeatureDistances, NDArray[np.generic]]:
    rows, given = features if isinstance(features, FeatureDistances) else FeatureDistances(features), np.asarray(labels)
    if given.shape != (rows.count,):
        raise ValueError(f"labels: must be one per row, {(rows.count,)}, got {given.shape}")
    return rows, given
