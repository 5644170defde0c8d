"""Work handed over step by step: begun when all of a step is there, and drawn only while drawing keeps up."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from kerasviz_callbacks.record.worker import Ticket, Worker

PATIENCE = 1.0
"""Seconds that a step waits at most for the pictures of the step before."""


class _Job(NamedTuple):
    run: Callable[[], None]
    size: int
    drawn: bool


class HandOver:
    """What is to be done for each step of a training, on the worker, in order.

    Work is held back until all that belongs to a step was handed over: done meanwhile, it would take a core from what
    the training is waiting for. Where drawing is slower than training, whole steps go undrawn, the newest last.

    Attributes:
        steps: The steps of which anything was handed over.
        skipped: Those that are not drawn.
    """

    def __init__(self) -> None:
        self.steps: set[int] = set()
        self.skipped: set[int] = set()
        self._worker = Worker()
        self._held: list[_Job] = []
        self._drawing: list[Ticket] = []
        self._step: int | None = None
        self._draws = True
        self._hurried = False

    def draws(self, step: int, *, must: bool) -> bool:
        """Say whether this step's pictures are drawn: not when those of the step before still are, after a short wait.

        Args:
            step: The step being handed over; asked once a step, the answer then holds for all.
            must: Draw in any case, as at the last epoch.
        """
        if step != self._step:
            self._step = step
            self.begin()
            until = time.monotonic() + PATIENCE
            self._draws = all(ticket.wait(max(0.0, until - time.monotonic())) for ticket in self._drawing)
            if self._draws:
                self._drawing.clear()
            else:
                self.skipped.add(step)
        if must:
            self._draws = True
            self.skipped.discard(step)
        return self._draws

    def submit(self, job: Callable[[], None], *, step: int, size: int, drawn: bool) -> None:
        """Have a job done, from `begin` on.

        Args:
            job: What is done.
            step: Of which step.
            size: Bytes that it holds until it is done.
            drawn: Whether it draws.
        """
        self._held.append(_Job(job, size, drawn))
        self.steps.add(step)

    def begin(self) -> None:
        """Give the worker all that was held back."""
        held, self._held = self._held, []
        for job in held:
            ticket = self._worker.submit(job.run, size=job.size)
            if job.drawn:
                self._drawing.append(ticket)

    def wait(self, patience: float) -> bool:
        """Begin, and wait until all is done, at most so many seconds; say whether it is.

        Who presses Ctrl-C here waits no more, neither now nor later.
        """
        self.begin()
        try:
            return self._worker.close(0.0 if self._hurried else patience)
        except KeyboardInterrupt:
            self._hurried = True
            raise
