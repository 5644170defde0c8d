"""Work handed over step by step: begun when all of a step is there, and drawn only while drawing keeps up."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from kerasviz_callbacks.record.worker import Ticket, Worker

PATIENCE = 1.0
"""Seconds that a step waits at most for the pictures of the step before."""

ROOM_PATIENCE = 10.0
"""Seconds that a step waits at most for room, where what waits to be done holds too much memory."""


class _Job(NamedTuple):
    run: Callable[[], None]
    size: int
    drawn: bool


class StepQueue:
    """What is to be done for each step of a training, on the worker, in order.

    Work is held back until all that belongs to a step was handed over: done meanwhile, it would take a core from what
    the training is waiting for. Where drawing is slower than training, whole steps go undrawn, the newest last.

    Attributes:
        steps: The steps of which anything was handed over.
    """

    def __init__(self) -> None:
        self.steps: set[int] = set()
        self._left_out: set[int] = set()
        self._made_up: set[int] = set()
        self._worker = Worker()
        self._held: deque[_Job] = deque()
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
                self._left_out.add(step)
        if must:
            self._draws = True
            self._left_out.discard(step)
        return self._draws

    @property
    def skipped(self) -> set[int]:
        """The steps that are not drawn."""
        return self._left_out - self._made_up

    def left_out(self, step: int) -> bool:
        """Say whether a step was not drawn when it was handed over."""
        return step in self._left_out

    def make_up(self, job: Callable[[], None], *, step: int) -> None:
        """Draw a step after all, once nothing else is waiting."""
        self._made_up.add(step)
        self.submit(job, step=step, size=0, drawn=True)

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
        until = time.monotonic() + ROOM_PATIENCE
        while self._held:
            job = self._held.popleft()
            patience = max(0.0, until - time.monotonic())
            ticket = self._worker.submit(job.run, size=job.size, patience=patience)
            if job.drawn:
                self._drawing.append(ticket)

    def wait(self, patience: float, *, anyway: bool = False) -> bool:
        """Begin, and wait until all is done, at most so many seconds; say whether it is.

        Who waited in vain, or presses Ctrl-C here, waits no more, unless `anyway`.
        """
        done = False
        try:
            self.begin()
            done = self._worker.close(0.0 if self._hurried and not anyway else patience)
        finally:
            self._hurried = not done
        return done

    def __del__(self) -> None:
        # A training that died between two callbacks: what the first had taken is drawn all the same.
        if self._held:
            self.begin()
