"""When a view is drawn, which step is the last, and what the axis of the steps is called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .types import UNTRAINED

Unit = Literal["epoch", "batch"]


@dataclass
class Schedule:
    """When one view is drawn in one fit, counted in epochs or in batches.

    In epochs the step is the number of the epoch, 0-based. In batches it is how many batches were trained, so that a
    fit of 500 batches with `freq=50` has the steps 50, 100, ... 500. The untrained model is step -1 in both.

    Attributes:
        freq: every how many epochs or batches.
        start: the first epoch or batch that counts; at 0 the untrained model is drawn too.
        unit: what is counted, and what the axis of the steps is called.
        epochs: the planned epochs; 0 where nobody has said.
        batches_per_epoch: `None` where it is not known.
        forced: a step that is drawn whatever the rest says.
    """

    freq: int = 1
    start: int = 0
    unit: Unit = "epoch"
    epochs: int = 0
    batches_per_epoch: int | None = None
    forced: int | None = None
    _epoch: int = UNTRAINED
    _trained: int = 0  # batches, up to the last that has ended
    _before: int = 0  # batches, up to the end of the epoch before

    def plan(self, params: Mapping[str, Any] | None) -> None:
        """Note what Keras says of the fit: the number of epochs, and of the batches of one."""
        self.epochs = int((params or {}).get("epochs") or 0)
        self.batches_per_epoch = (params or {}).get("steps")

    def begin(self, epoch: int) -> None:
        """The fit begins at this epoch.

        Raises:
            ValueError: batches are counted, and how many came before this epoch is not known.
        """
        if self.unit == "batch" and epoch > 0:
            if self.batches_per_epoch is None:
                raise ValueError(
                    f'unit="batch": the fit begins at epoch {epoch}, and the number of batches of an epoch is not '
                    'known, so the batches trained before cannot be counted; pass steps_per_epoch to fit, or unit="epoch".'
                )
            self._before = self._trained = epoch * int(self.batches_per_epoch)

    def batch_ended(self, batch: int) -> int | None:
        """The step that is drawn after a batch of the epoch, 0-based; `None` where none is.

        Keras reports several batches at once with `steps_per_execution`: the first report at or after a step counts.
        """
        since, self._trained = self._trained, self._before + batch + 1
        due = any(self.is_due(step) for step in range(since + 1, self._trained + 1))
        return self._trained if due else None

    def epoch_ended(self, epoch: int) -> int:
        """The step at which an epoch ends."""
        self._epoch, self._before = epoch, self._trained
        return self.step

    @property
    def step(self) -> int:
        """The last step that has ended; -1 before any."""
        if self.unit == "epoch":
            return self._epoch
        return self._trained or UNTRAINED

    def ends_epoch(self, step: int) -> bool:
        """Whether this many batches are known to end an epoch."""
        return self.batches_per_epoch is not None and step - self._before == self.batches_per_epoch

    def is_due(self, step: int) -> bool:
        """Whether this step is drawn."""
        if step == self.forced:
            return True
        if step == UNTRAINED:
            return self.start == 0
        late = step - self.start
        return (late >= 0 and late % self.freq == 0) or step == self.last

    @property
    def first(self) -> int:
        """The first step that is drawn, of a fit that begins at epoch 0."""
        return UNTRAINED if self.start == 0 else self.start

    @property
    def last(self) -> int:
        """The last planned step; -1 where it is not known."""
        if self.unit == "epoch":
            return self.epochs - 1
        return self.epochs * self.batches_per_epoch if self.epochs and self.batches_per_epoch else UNTRAINED
