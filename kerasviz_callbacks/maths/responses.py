"""Responses of the neurons of a layer to a probe, by example and by class."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def by_class(labels: ArrayLike) -> NDArray[np.intp]:
    """Order examples by class `(n,)`, and within a class in the given order: a permutation."""
    return np.argsort(np.asarray(labels), kind="stable")


def class_means(strengths: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Average the responses `(n, neurons)` over the examples of each class `(n,)`.

    Returns:
        The classes that occur, `(k,)`, in increasing order, and their means, `(k, neurons)`; a mean over NaN or
        infinity is not finite.

    Raises:
        ValueError: If there are not as many labels as rows.

    Example:
        >>> class_means([[1.0], [5.0], [3.0]], [4, 0, 4])
        (array([0, 4]), array([[5.],
               [2.]]))
    """
    values, given = np.asarray(strengths, np.float64), np.asarray(labels, np.int64)
    if given.shape != values.shape[:1]:
        raise ValueError(f"labels: must be one for each of {len(values)} rows, got {given.shape}")
    classes, class_of_row, counts = np.unique(given, return_inverse=True, return_counts=True)
    shape = (len(classes), *values.shape[1:])
    means, lowest, highest = np.zeros(shape), np.full(shape, np.inf), np.full(shape, -np.inf)
    with np.errstate(invalid="ignore", over="ignore"):  # infinity minus infinity is NaN, which is shown
        # Divided first, and kept between the extremes: the sum of the largest floats must not overflow.
        np.add.at(means, class_of_row, values / counts[class_of_row][:, None])
        np.minimum.at(lowest, class_of_row, values)
        np.maximum.at(highest, class_of_row, values)
        return classes, np.clip(means, lowest, highest)


def response_variance(strengths: ArrayLike) -> NDArray[np.float64]:
    """Compute the variance of each neuron's responses `(n, neurons)` over the examples, one or more.

    At least 0; not finite where a response is NaN or infinite.
    """
    values = np.asarray(strengths, np.float64)
    finite = np.isfinite(values).all(axis=0)
    with np.errstate(over="ignore", invalid="ignore"):  # overflows to infinity or NaN, which rank last
        return np.where(finite, np.where(finite, values, 0.0).var(axis=0), np.nan)
