"""`Schedule`: which steps are drawn, counted in epochs or batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .types import UNTRAINED

Unit = Literal["epoch", "batch"]


@dataclass
class Schedule:
    """Which steps of one fit a view draws, counted in epochs or batches.

    With `unit="epoch"` the step is the epoch, 0-based. With `unit="batch"` it is the number of batches trained, so a
    fit of 500 batches with `freq=50` has the steps 50, 100, ... 500. The untrained model is step -1 in both.

    Attributes:
        freq: number of epochs or batches between drawn steps.
        start: the first epoch or batch to draw; at 0 the untrained model is drawn too.
        unit: `"epoch"` or `"batch"`.
        epochs: number of epochs planned; 0 if unknown.
        batches_per_epoch: `None` if unknown.
        forced: a step that is drawn in any case.
    """

    freq: int = 1
    start: int = 0
    unit: Unit = "epoch"
    epochs: int = 0
    batches_per_epoch: int | None = None
    forced: int | None = None
    _epoch: int = UNTRAINED
    _trained: int = 0  # number of batches trained
    _due_at: int = UNTRAINED  # the step at which a report of several batches made one of them due
    _before: int = 0  # number of batches trained before this epoch

    def plan(self, params: Mapping[str, Any] | None) -> None:
        """Read the number of epochs and the batches per epoch from the `params` of a Keras callback."""
        self.epochs = int((params or {}).get("epochs") or 0)
        self.batches_per_epoch = (params or {}).get("steps")

    def begin(self, epoch: int) -> None:
        """Begin the fit at this epoch, 0-based; with `unit="batch"`, the batches before it must be known."""
        if self.unit == "batch" and epoch > 0:
            if self.batches_per_epoch is None:
                raise ValueError(
                    f'unit="batch": the fit begins at epoch {epoch}, and the number of batches per epoch is not known, '
                    "so the batches trained before cannot be counted; pass steps_per_epoch to fit, or "
                    'unit="epoch".'
                )
            self._before = self._trained = epoch * int(self.batches_per_epoch)

    def batch_ended(self, batch: int) -> int | None:
        """Return the step to draw after this batch of the epoch (0-based), or `None`.

        With `steps_per_execution` Keras reports several batches at once; a step within them is drawn at their end.
        """
        # With several batches at once, Keras' number of the last one may lie beyond the end of the epoch.
        ended = batch + 1 if self.batches_per_epoch is None else min(batch + 1, self.batches_per_epoch)
        if self._before + ended <= self._trained:
            self._before = self._trained  # an epoch whose end nobody has reported
        previous, self._trained = self._trained, self._before + ended
        if any(self.is_due(step) for step in range(previous + 1, self._trained + 1)):
            self._due_at = self._trained
        return self._trained if self._due_at == self._trained else None

    def epoch_ended(self, epoch: int) -> int:
        """Return the step at the end of an epoch."""
        self._epoch, self._before = epoch, self._trained
        return self.step

    @property
    def step(self) -> int:
        """The last completed step; -1 before the first."""
        if self.unit == "epoch":
            return self._epoch
        return self._trained or UNTRAINED

    def ends_epoch(self, step: int) -> bool:
        """Return whether this step, in batches, is known to be the end of an epoch."""
        return self.batches_per_epoch is not None and step - self._before == self.batches_per_epoch

    def is_due(self, step: int) -> bool:
        """Return whether this step is drawn."""
        if step == self.forced or (step == self._due_at and step != UNTRAINED):
            return True
        if step == UNTRAINED:
            return self.start == 0
        offset = step - self.start
        return (offset >= 0 and offset % self.freq == 0) or step == self.last

    @property
    def first(self) -> int:
        """The first drawn step of a fit that begins at epoch 0."""
        return UNTRAINED if self.start == 0 else self.start

    @property
    def last(self) -> int:
        """The last planned step; -1 if unknown."""
        if self.unit == "epoch":
            return self.epochs - 1
        return self.epochs * self.batches_per_epoch if self.epochs and self.batches_per_epoch else UNTRAINED
