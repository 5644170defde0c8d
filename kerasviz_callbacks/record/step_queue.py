"""Work of one step after the other on the worker, bounded so that a slow disk neither stalls training nor fills memory.

For each step: `admit` says what of it is done, `submit` takes the work of each view, `begin` starts it.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from .worker import Job, Worker, run_job

MAX_BYTES = 256 * 2**20
MAX_JOBS = 1000

LONGEST_WAIT = 1.0
"""Seconds that `admit` waits at most; a tenth of the time since the previous step began, if that is less."""

FORCED_WAIT = 10.0
"""Seconds that a forced step waits at most for room."""

MAX_LAG = 5.0
"""Seconds that drawing may be behind training; beyond, steps are not drawn until it has caught up."""

FLUSH_INTERVAL = 1.0
"""Seconds between flushes while undrawn steps wait in a row, so that a slow disk is not asked once a step."""


class Admission(NamedTuple):
    """What is done of a step.

    Attributes:
        measure: Capture it and measure it; False only where the queue is full.
        draw: Draw it as well.
    """

    measure: bool
    draw: bool


class _Submission(NamedTuple):
    """The work of one view for one step."""

    size: int
    measure: Job | None
    draw: Job | None


class StepQueue:
    """Measures and draws the steps of a training on the worker, in order.

    The work of a step is held back until `begin`: done earlier, it would take a core from what the training is
    waiting for. Then all its metrics are measured and flushed before anything is drawn. Where drawing or the disk
    is slower than training, whole steps are not drawn, and where the queue is full they are not measured either.

    Args:
        flush: Called on the worker after the measuring and after the drawing of a step; writes what is buffered.
        max_bytes: What the jobs that wait or run may hold together, by the `size` given with each. A single step
            that is larger is taken when nothing else is there.
        max_jobs: How many measuring and drawing jobs may wait or run.

    Attributes:
        steps: The steps of which anything was submitted.
        dropped: The steps that were neither measured nor drawn, because the queue was full.
    """

    def __init__(self, flush: Job = lambda: None, *, max_bytes: int = MAX_BYTES, max_jobs: int = MAX_JOBS) -> None:
        self.max_bytes, self.max_jobs = max_bytes, max_jobs
        self.steps: set[int] = set()
        self.dropped: set[int] = set()
        self._flush = flush
        self._left_out: set[int] = set()
        self._drawn_later: set[int] = set()
        self._worker = Worker()
        self._held: deque[_Submission] = deque()
        self._step: int | None = None
        self._admission = Admission(measure=True, draw=True)
        self._draw_decided = False  # whether anybody who would draw has asked about the step
        self._began = time.monotonic()
        self._hurried = False
        # Of the work that was begun and is not done; changed on both threads.
        self._changed = threading.Condition()
        self._jobs = self._bytes = 0
        self._drawing_since: deque[float] = deque()  # when each step began that is still to be drawn
        self._drawing_began: float | None = None  # when the worker began to draw the step that it draws now
        self._drawing_took = 0.0  # seconds for the step drawn last
        # What the last step took: the next one is expected to take as much.
        self._jobs_a_step = self._bytes_a_step = 0
        self._flushed = -FLUSH_INTERVAL

    def __reduce__(self) -> tuple[Callable[..., StepQueue], tuple[Job]]:
        """A copy has the same limits, and none of the work."""
        return partial(StepQueue, max_bytes=self.max_bytes, max_jobs=self.max_jobs), (self._flush,)

    def admit(self, step: int, *, force: bool, draw: bool = True) -> Admission:
        """Say what is done of a step; asked on the training thread before anything is captured.

        Where drawing is more than `MAX_LAG` behind, or the queue is full, it waits for that to change, at most a tenth
        of the time since the previous step began and at most a second. The answer holds for all who ask about the same
        step.

        Args:
            step: The epoch or batch.
            force: Measure and draw in any case, as at the last epoch; waits up to 10 s for room in the queue.
            draw: Whether who asks would draw; a step that nobody would draw is not counted as skipped.
        """
        patience = 0.0
        if step != self._step:
            self.begin()
            now = time.monotonic()
            patience, self._began = min((now - self._began) / 10, LONGEST_WAIT), now
            self._step, self._admission, self._draw_decided = step, Admission(measure=True, draw=True), False
            if not force and not draw:
                self._admission = Admission(measure=self._wait_for_room(patience), draw=True)
        if force and not (self._draw_decided and self._admission.draw):
            self._wait_for_room(FORCED_WAIT)
            self._admission, self._draw_decided = Admission(measure=True, draw=True), True
        elif draw and not self._draw_decided:
            self._admission, self._draw_decided = self._admitted(patience), True
        for out, wanted in ((self._left_out, self._admission.draw), (self.dropped, self._admission.measure)):
            if wanted:
                out.discard(step)
            else:
                out.add(step)
        return self._admission

    @property
    def skipped(self) -> set[int]:
        """The steps that were not drawn."""
        return self._left_out - self._drawn_later

    def left_out(self, step: int) -> bool:
        """Say whether a step was not to be drawn when it was admitted, whatever `draw_later` did since."""
        return step in self._left_out

    def submit(self, step: int, *, size: int, measure: Job, draw: Job | None) -> None:
        """Add the work of one view for an admitted step; it is held back until `begin`.

        Args:
            step: The epoch or batch.
            size: Bytes that the jobs keep alive until they have run.
            measure: Measures, and records scalars.
            draw: Draws, and records images; None where the step is not drawn.
        """
        self._held.append(_Submission(size, measure, draw))
        self.steps.add(step)

    def draw_later(self, step: int, job: Job) -> None:
        """Draw a step that was left out after all, behind what is under way; held back until `begin` or `wait`."""
        self._drawn_later.add(step)
        self._held.append(_Submission(0, None, job))
        self.steps.add(step)

    def begin(self) -> None:
        """Give the worker all that was held back; returns at once."""
        if not self._held:
            return
        work, self._held = self._held, deque()
        self._jobs_a_step = sum((one.measure is not None) + (one.draw is not None) for one in work)
        self._bytes_a_step = sum(one.size for one in work)
        with self._changed:
            self._jobs += self._jobs_a_step
            self._bytes += self._bytes_a_step
            if any(one.draw is not None for one in work):
                self._drawing_since.append(time.monotonic())
        self._worker.submit(partial(self._work, work))

    def wait(self, patience: float, *, anyway: bool = False) -> bool:
        """Begin, and wait until all is done, for `patience` seconds at most; say whether it is. For the end of a fit.

        After a wait in vain, or one ended by Ctrl-C, later ones do not wait, except with `anyway`.
        """
        done = False
        try:
            self.begin()
            done = self._worker.wait(0.0 if self._hurried and not anyway else patience)
        finally:
            self._hurried = not done
        return done

    def __del__(self) -> None:
        # A training that died between two callbacks: what the first had captured is drawn all the same. Once the
        # interpreter shuts down it is too late: before Python 3.12, starting a thread would wait for ever.
        if getattr(self, "_held", None) and not sys.is_finalizing():
            self.begin()

    def _admitted(self, patience: float) -> Admission:
        with self._changed:
            draw = self._changed.wait_for(lambda: self._keeps_up() and self._has_room(), patience)
            return Admission(measure=draw or self._has_room(), draw=draw)

    def _wait_for_room(self, patience: float) -> bool:
        with self._changed:
            return self._changed.wait_for(self._has_room, patience)

    def _keeps_up(self) -> bool:
        """Say whether drawing is not too far behind training, now and when all that waits is drawn at this pace."""
        if not self._drawing_since:
            return True
        now = time.monotonic()
        pace = max(self._drawing_took, 0.0 if self._drawing_began is None else now - self._drawing_began)
        return max(now - self._drawing_since[0], len(self._drawing_since) * pace) < MAX_LAG

    def _has_room(self) -> bool:
        """Say whether a step like the last one fits into the queue."""
        return self._jobs == 0 or (
            self._jobs + self._jobs_a_step <= self.max_jobs and self._bytes + self._bytes_a_step <= self.max_bytes
        )

    def _work(self, work: deque[_Submission]) -> None:
        """Do the work of one step, on the worker: all metrics before the first image."""
        draws: deque[tuple[Job, int]] = deque()
        while work:
            size, measure, draw = work.popleft()
            if measure is not None:
                run_job(measure)
            if draw is not None:
                draws.append((draw, size))
            jobs, freed = int(measure is not None), size if draw is None else 0
            del measure, draw  # what they hold is freed before it counts as free
            self._done(jobs, freed)
        # Where only more measuring waits behind, flushing is left to that, for a while.
        if draws or not self._worker.waiting or time.monotonic() - self._flushed >= FLUSH_INTERVAL:
            run_job(self._flush)
            self._flushed = time.monotonic()
        if draws:
            with self._changed:
                self._drawing_began = time.monotonic()
            while draws:
                draw, size = draws.popleft()
                run_job(draw)
                del draw
                self._done(1, size)
            run_job(self._flush)
            with self._changed:
                self._drawing_took, self._drawing_began = time.monotonic() - self._drawing_began, None
                self._drawing_since.popleft()
                self._changed.notify_all()

    def _done(self, jobs: int, size: int) -> None:
        with self._changed:
            self._jobs -= jobs
            self._bytes -= size
            self._changed.notify_all()
