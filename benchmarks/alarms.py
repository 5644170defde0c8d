"""What is read off recorded curves: what a figure sets apart, when it turns, when it would stop a training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Curve = Sequence[float]  # a figure, epoch by epoch; NaN: it was not known
NEVER = np.inf  # the epoch at which a training is stopped that runs to its end


def set_apart(bad: Curve, good: Curve, mode: str) -> float:
    """The share of pairs, one run of each kind, in which the bad run's figure is the worse.

    It is the area under the ROC curve: 1 sets apart every pair, 0.5 none. A tie, or a NaN, counts half.

    Args:
        bad: one figure a run.
        good: likewise.
        mode: `"min"` if less is better, `"max"` if more is.
    """
    worse = _signed(bad, mode)[:, None] - _signed(good, mode)
    return float(np.mean(np.where(np.isnan(worse), 0.5, (np.sign(worse) + 1) / 2)))


def turn(curve: Curve, mode: str) -> int:
    """The epoch of a curve's best value, from which on it gets worse; of equals the first.

    Raises:
        ValueError: it is NaN throughout.
    """
    return int(np.nanargmin(_signed(curve, mode)))


def stop(curve: Curve, mode: str, patience: int = 5) -> float:
    """The epoch at which `keras.callbacks.EarlyStopping(patience=...)` ends a training; `NEVER` if it does not.

    As Keras does it: a first NaN is never beaten, and values are compared as float32.
    """
    best, wait = None, 0
    for epoch, value in enumerate(np.asarray(_signed(curve, mode), "float32")):
        wait += 1
        if best is None or value < best:
            best, wait = value, 0
        elif wait >= patience and epoch > 0:
            return epoch
    return NEVER


def _signed(values: Curve, mode: str) -> np.ndarray:
    """The values so that less is better."""
    if mode not in ("min", "max"):
        raise ValueError(f'mode="{mode}": expected "min" or "max".')
    return np.asarray(values, "float64") * (1 if mode == "min" else -1)
