"""How much samples differ from each other."""

import numpy as np
from numpy.typing import ArrayLike


def diversity(samples: ArrayLike, low: float, high: float) -> float:
    """Compute the mean distance of two samples: the root mean square of the differences of their values.

    Args:
        samples: `(n, ...)`.
        low: The least of the values that they may have.
        high: The largest.

    Returns:
        In shares of the range: 0 if all are the same, 1 for pairs of black and white. NaN of fewer than two samples,
        of an empty range, and where a value is not finite.
    """
    from scipy.spatial.distance import pdist

    values = np.asarray(samples, np.float64)
    values = values.reshape(len(values), -1) if len(values) else values
    if len(values) < 2 or not high > low or not np.isfinite(values).all():
        return float("nan")
    return float(pdist(values).mean() / np.sqrt(values.shape[1]) / (high - low))


def diversity_within(samples: ArrayLike, groups: ArrayLike, low: float, high: float) -> float:
    """Compute the mean over groups, given by a number for each sample `(n,)`, of the diversity within each.

    Groups of fewer than two samples are left out; NaN if none is left, and where a value is not finite.
    """
    values, members = np.asarray(samples), np.asarray(groups)
    numbers, sizes = np.unique(members, return_counts=True)
    found = [diversity(values[members == number], low, high) for number in numbers[sizes > 1]]
    return float(np.mean(found)) if found else float("nan")
