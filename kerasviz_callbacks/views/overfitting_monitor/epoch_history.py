"""The Keras logs of each epoch, and the best epoch so far."""

import math
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ...draw.overfitting_charts import is_accuracy

LOSS = "val_loss"


@dataclass
class EpochHistory:
    """The Keras logs by epoch, and the best epoch: with the lowest `val_loss`; `None` until there is a finite one."""

    logs: dict[int, dict[str, float]] = field(default_factory=dict)
    best: int | None = None

    def record(self, epoch: int, logs: Mapping[str, Any], *, without: Collection[str] = ()) -> None:
        """Record the logs of an epoch but for the keys `without`; those of later epochs, from an earlier fit, go."""
        self.logs = {step: known for step, known in self.logs.items() if step < epoch}
        self.logs[epoch] = {}
        for key, value in logs.items():
            if key not in without:
                with suppress(Exception):  # logs may contain any object
                    self.logs[epoch][key] = float(value)
        losses = {step: known[LOSS] for step, known in self.logs.items() if math.isfinite(known.get(LOSS, math.nan))}
        self.best = min(losses, key=lambda step: losses[step]) if losses else None

    def curve(self, key: str) -> tuple[tuple[int, ...], tuple[float, ...]]:
        """Return the epochs at which a metric was logged, and its values."""
        found = {step: known[key] for step, known in self.logs.items() if key in known}
        return tuple(found), tuple(found.values())

    @property
    def has_loss(self) -> bool:
        """Whether a loss of the whole model is logged, or nothing has been logged yet."""
        return not self.logs or any("loss" in known or LOSS in known for known in self.logs.values())

    def metrics(self, charts: int, *, losses: bool = False) -> list[str]:
        """Return the metrics to plot besides the loss: preferably with validation values, preferably an accuracy.

        They and the loss fill so many charts; parts of the loss, such as `kl_loss`, are among them with `losses`. Where
        there is no loss, they come first and take its place.
        """
        losses = losses or not self.has_loss
        keys = [key for key in next(iter(self.logs.values()), {}) if not key.startswith("val_")]
        known = {key for logs in self.logs.values() for key in logs}
        others = ("learning_rate", "lr", *(() if losses else ("_loss",)))
        metrics = [key for key in keys if key != "loss" and not key.endswith(others)]
        metrics.sort(key=lambda key: (f"val_{key}" not in known, not is_accuracy(key)))
        if self.has_loss:
            return metrics[: charts - 1]
        return sorted(metrics, key=lambda key: not key.endswith("_loss"))[:charts]
