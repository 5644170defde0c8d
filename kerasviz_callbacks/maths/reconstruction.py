"""Reconstruction errors of an autoencoder, and linear interpolation between its codes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

MOST_PAIRS = 4
_LARGEST = 1e150  # the square of anything above is no float
POSITIONS = 8


def differences(reconstructions: ArrayLike, targets: ArrayLike) -> NDArray[np.float64]:
    """Subtract targets from reconstructions of the same shape: positive where the reconstruction is too bright.

    NaN where either of the two is not finite; ValueError if the shapes differ.
    """
    given, target = np.asarray(reconstructions, np.float64), np.asarray(targets, np.float64)
    if given.shape != target.shape:
        raise ValueError(f"reconstructions: must have the shape of the targets, {target.shape}, got {given.shape}")
    both = np.isfinite(given) & np.isfinite(target)
    with np.errstate(over="ignore"):  # the difference of the two largest floats
        return np.where(both, np.where(both, given, 0.0) - np.where(both, target, 0.0), np.nan)


def mean_squared_error(error: ArrayLike) -> float:
    """Compute the mean squared error, given the `differences`; NaN if one is not finite, or there are none.

    Example:
        >>> mean_squared_error([[3.0, -1.0]])
        5.0
    """
    values = np.asarray(error, np.float64)
    largest = np.abs(values).max(initial=0.0)
    if not values.size or not largest <= _LARGEST:
        return float("nan")
    return float(np.square(values).mean())


def mean_baseline_mse(targets: ArrayLike) -> float:
    """Compute the error of a baseline that always predicts the mean of all targets `(n, ...)`.

    The mean squared distance of the rows from their mean; NaN where a value is not finite, or there are none.
    """
    values = np.asarray(targets, np.float64)
    if not values.size or not np.abs(values).max() <= _LARGEST:
        return float("nan")
    return mean_squared_error(values - values.mean(axis=0))


def interpolation_pairs(
    labels: Sequence[int] | NDArray[np.integer] | None, count: int, most: int = MOST_PAIRS
) -> NDArray[np.intp]:
    """Choose pairs of examples to interpolate between: neighbours in the given order, of different classes if possible.

    Args:
        labels: `(count,)` class numbers, or None.
        count: Number of examples.
        most: Maximum number of pairs.

    Returns:
        `(pairs, 2)` row numbers; no example is in two pairs. Each pair is the first example left and the first one
        after it of another class, as long as there are such; then the remaining ones two by two.

    Example:
        >>> interpolation_pairs([7, 7, 1, 1, 7], 5).tolist()
        [[0, 2], [1, 3]]
    """
    left = list(range(count))
    found: list[tuple[int, int]] = []
    if labels is not None:
        for first in range(count):
            if first not in left or len(found) == most:
                continue
            other = next((row for row in left if row > first and labels[row] != labels[first]), None)
            if other is not None:
                found.append((first, other))
                left = [row for row in left if row not in found[-1]]
    for first, other in zip(left[::2], left[1::2], strict=False):
        if len(found) < most:
            found.append((first, other))
    return np.array(sorted(found), np.intp).reshape(-1, 2)


def interpolate(codes: ArrayLike, between: NDArray[np.intp], positions: int = POSITIONS) -> NDArray[np.floating]:
    """Interpolate linearly between codes in equal steps.

    Args:
        codes: `(n, *shape)`.
        between: `(pairs, 2)` row numbers, as from `interpolation_pairs`.
        positions: Number of points, both ends included; ValueError if they are less than 2.

    Returns:
        `(pairs, positions, *shape)` of the codes' own type (at least float32); the ends are the codes themselves.
    """
    if positions < 2:
        raise ValueError(f"positions: must be at least 2, both ends included, got {positions}")
    given = np.asarray(codes)
    numbers = given.astype(np.result_type(given.dtype, np.float32))
    first, last = numbers[between[:, 0]][:, None], numbers[between[:, 1]][:, None]
    share = np.linspace(0, 1, positions, dtype=numbers.dtype).reshape(1, -1, *[1] * (numbers.ndim - 1))
    with np.errstate(invalid="ignore", over="ignore"):  # between infinite codes lies NaN
        inside = first * (1 - share) + last * share
    inside[:, 0], inside[:, -1] = first[:, 0], last[:, 0]
    points: NDArray[np.floating] = inside
    return points


def walk_metrics(walks: ArrayLike, ends: ArrayLike) -> tuple[float, float]:
    """Measure the length and evenness of decoded interpolations.

    Args:
        walks: `(pairs, positions, ...)`, the decoded interpolations.
        ends: `(pairs, 2, ...)`, the two examples of each pair.

    Returns:
        Two means over the pairs. The distance between the decoded ends relative to that between the examples: 1 for
        perfect reconstructions, 0 if all codes are decoded to the same output. The largest step of an interpolation
        relative to its mean step: 1 if all are equal. Distances are Euclidean; NaN if a value is not finite. Pairs of
        equal examples, and interpolations that are constant, are left out; NaN if none is left.

    Example:
        >>> walk_metrics([[[0.0], [1.0], [4.0]]], [[[0.0], [8.0]]])
        (0.5, 1.5)
    """
    numbers, examples = _flat(walks), _flat(ends)
    if not numbers.size or not max(np.abs(numbers).max(), np.abs(examples).max()) <= _LARGEST:
        return float("nan"), float("nan")
    steps = np.linalg.norm(np.diff(numbers, axis=1), axis=2)
    apart = np.linalg.norm(numbers[:, -1] - numbers[:, 0], axis=1)
    targets = np.linalg.norm(examples[:, -1] - examples[:, 0], axis=1)
    return _mean_ratio(apart, targets), _mean_ratio(steps.max(axis=1), steps.mean(axis=1))


def _flat(walks: ArrayLike) -> NDArray[np.float64]:
    """`(pairs, positions, values)`."""
    values = np.asarray(walks, np.float64)
    return values.reshape(*values.shape[:2], int(np.prod(values.shape[2:])))


def _mean_ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> float:
    there = below > 0
    return float((above[there] / below[there]).mean()) if there.any() else float("nan")
