"""Masks: how far the pixels of each class and their predictions are the same."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def confusion(truth: ArrayLike, predicted: ArrayLike, classes: int) -> NDArray[np.int64]:
    """Count pixels by true and predicted class, `(classes, classes)`; pixels whose truth is no class are left out.

    Args:
        truth: Class numbers of any shape; what is not from 0 to `classes - 1` is no class.
        predicted: Class numbers of the same shape, from 0 to `classes - 1`.
        classes: Number of classes.
    """
    true, found = np.asarray(truth).ravel().astype(np.int64), np.asarray(predicted).ravel().astype(np.int64)
    known = (true >= 0) & (true < classes)
    counts = np.bincount(true[known] * classes + found[known], minlength=classes * classes)
    return counts.reshape(classes, classes)


def iou_by_class(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Intersection over union of each class, from `confusion`; NaN for classes that neither occur nor are predicted.

    Example:
        >>> iou_by_class(np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]])).tolist()
        [0.75, 0.8, nan]
    """
    both = np.diag(counts).astype(np.float64)
    union = counts.sum(axis=0) + counts.sum(axis=1) - both
    shares: NDArray[np.float64] = np.divide(both, union, out=np.full(len(both), np.nan), where=union > 0)
    return shares


def mean_iou(counts: NDArray[np.int64], *, of_true: bool = False) -> float:
    """Mean of `iou_by_class` over the classes that occur or are predicted, as `keras.metrics.MeanIoU`; NaN if none.

    With `of_true` over those that occur alone: in one row a class that is predicted for a few pixels weighs little.
    """
    found = iou_by_class(counts)
    return mean_of_known(found[counts.any(axis=1)] if of_true else found)


def iou_of_rows(truth: ArrayLike, predicted: ArrayLike) -> NDArray[np.float64]:
    """Intersection over union of one class in each row, `(n,)`; NaN where it neither occurs nor is predicted.

    Args:
        truth: Whether each pixel has the class, `(n, pixels)`: 1, 0, or -1 for pixels that are left out.
        predicted: Whether it is predicted there, of the same shape.

    Example:
        >>> iou_of_rows([[1, 1, 0, -1], [0, 0, 0, 0]], [[1, 0, 1, 1], [0, 0, 0, 0]]).round(3).tolist()
        [0.333, nan]
    """
    true, found = np.asarray(truth), np.asarray(predicted, bool)
    both = ((true > 0) & found).sum(axis=1)
    either = ((true > 0) | (found & (true >= 0))).sum(axis=1)
    shares: NDArray[np.float64] = np.divide(both, either, out=np.full(len(true), np.nan), where=either > 0)
    return shares


def mean_of_known(values: NDArray[np.float64]) -> float:
    """Mean of those values `(n,)` that are finite; NaN if none is.

    Example:
        >>> mean_of_known(np.array([0.5, np.nan, 0.7]))
        0.6
    """
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")
