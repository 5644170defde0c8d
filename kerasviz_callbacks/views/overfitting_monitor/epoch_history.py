"""The Keras logs of each epoch, and the best epoch so far."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...draw.overfitting_charts import is_accuracy

LOSS = "val_loss"


@dataclass
class EpochHistory:
    """The Keras logs of a training run.

    Attributes:
        logs: the logs by epoch.
        best: the epoch with the lowest `val_loss` so far; `None` until there is a finite one.
    """

    logs: dict[int, dict[str, float]] = field(default_factory=dict)
    best: int | None = None

    def record(self, epoch: int, logs: Mapping[str, Any], *, without: Collection[str] = ()) -> None:
        """Record the logs of an epoch, and discard those of this and later epochs from an earlier fit.

        Args:
            epoch: the epoch that has ended, 0-based.
            logs: its Keras logs.
            without: keys to ignore.
        """
        self.logs = {step: known for step, known in self.logs.items() if step < epoch}
        self.logs[epoch] = {
            key: float(value) for key, value in logs.items() if key not in without and _is_number(value)
        }
        losses = {step: known[LOSS] for step, known in self.logs.items() if math.isfinite(known.get(LOSS, math.nan))}
        self.best = min(losses, key=lambda step: losses[step]) if losses else None

    def curve(self, key: str) -> tuple[tuple[int, ...], tuple[float, ...]]:
        """Return the epochs at which a metric was logged, and its values."""
        found = {step: known[key] for step, known in self.logs.items() if key in known}
        return tuple(found), tuple(found.values())

    def metric(self) -> str | None:
        """Return the metric to plot besides the loss: preferably with validation values, preferably an accuracy."""
        keys = [key for key in next(iter(self.logs.values()), {}) if not key.startswith("val_")]
        known = {key for logs in self.logs.values() for key in logs}
        metrics = [key for key in keys if key != "loss" and not key.endswith(("_loss", "learning_rate", "lr"))]
        return min(metrics, key=lambda key: (f"val_{key}" not in known, not is_accuracy(key)), default=None)


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except Exception:  # logs may contain any object
        return False
    return True
