"""What Keras says of each epoch, and which was the best so far."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...draw.overfitting_charts import is_accuracy

LOSS = "val_loss"


@dataclass
class EpochHistory:
    """The logs of a training, epoch by epoch.

    Attributes:
        logs: by epoch, what Keras said of it.
        best: the epoch of least validation loss so far; `None` until a validation loss was seen.
    """

    logs: dict[int, dict[str, float]] = field(default_factory=dict)
    best: int | None = None

    def record(self, epoch: int, logs: Mapping[str, Any], *, without: Collection[str] = ()) -> None:
        """Note an epoch; one that is trained again, after a fit that went further, replaces all from it on.

        Args:
            epoch: that has ended.
            logs: what Keras says of it.
            without: keys that are left out.
        """
        self.logs = {step: known for step, known in self.logs.items() if step < epoch}
        self.logs[epoch] = {
            key: float(value) for key, value in logs.items() if key not in without and _is_number(value)
        }
        losses = {step: known[LOSS] for step, known in self.logs.items() if math.isfinite(known.get(LOSS, math.nan))}
        self.best = min(losses, key=lambda step: losses[step]) if losses else None

    def curve(self, key: str) -> tuple[tuple[int, ...], tuple[float, ...]]:
        """The epochs at which a figure was given, and its values."""
        found = {step: known[key] for step, known in self.logs.items() if key in known}
        return tuple(found), tuple(found.values())

    def metric(self) -> str | None:
        """The metric to look at beside the loss: an accuracy if there is one, of both sets if possible."""
        keys = [key for key in next(iter(self.logs.values()), {}) if not key.startswith("val_")]
        known = {key for logs in self.logs.values() for key in logs}
        metrics = [key for key in keys if key != "loss" and not key.endswith(("_loss", "learning_rate", "lr"))]
        return min(metrics, key=lambda key: (f"val_{key}" not in known, not is_accuracy(key)), default=None)


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except Exception:  # anything may stand in logs
        return False
    return True
