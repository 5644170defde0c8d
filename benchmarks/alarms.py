"""What recorded curves show: which runs a metric separates, when it turns, and when it would stop a training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Curve = Sequence[float]  # a metric by epoch; NaN: not available
NEVER = np.inf  # the stopping epoch of a training that is not stopped


def set_apart(bad: Curve, good: Curve, mode: str) -> float:
    """Return the share of pairs of a bad and a good run in which the metric of the bad run is worse.

    This is the area under the ROC curve: 1 separates all pairs, 0.5 is chance. A tie or a NaN counts half.

    Args:
        bad: the metric of each bad run.
        good: the metric of each good run.
        mode: `"min"` if lower values are better, `"max"` if higher ones are.
    """
    worse = _signed(bad, mode)[:, None] - _signed(good, mode)
    return float(np.mean(np.where(np.isnan(worse), 0.5, (np.sign(worse) + 1) / 2)))


def turn(curve: Curve, mode: str) -> int:
    """Return the epoch of a curve's best value, the first on a tie.

    Raises:
        ValueError: all values are NaN.
    """
    return int(np.nanargmin(_signed(curve, mode)))


def stop(curve: Curve, mode: str, patience: int = 5) -> float:
    """Return the epoch at which `keras.callbacks.EarlyStopping(patience=...)` ends a training, or `NEVER`.

    As in Keras, no value improves on a NaN at the first epoch, and values are compared as float32.
    """
    return _stopped(curve, mode, patience)[0]


def kept(curve: Curve, mode: str, patience: int = 5) -> int:
    """Return the epoch whose weights `EarlyStopping(patience=..., restore_best_weights=True)` keeps."""
    return _stopped(curve, mode, patience)[1]


def _stopped(curve: Curve, mode: str, patience: int) -> tuple[float, int]:
    best, best_epoch, wait = None, 0, 0
    for epoch, value in enumerate(np.asarray(_signed(curve, mode), "float32")):
        wait += 1
        if best is None or value < best:
            best, best_epoch, wait = value, epoch, 0
        elif wait >= patience and epoch > 0:
            return epoch, best_epoch
    return NEVER, best_epoch


def _signed(values: Curve, mode: str) -> np.ndarray:
    """Return the values, negated if higher ones are better."""
    if mode not in ("min", "max"):
        raise ValueError(f'mode="{mode}": expected "min" or "max".')
    return np.asarray(values, "float64") * (1 if mode == "min" else -1)
