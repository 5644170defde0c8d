"""Work off the training thread, in order and within a bound of memory."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple


class Ticket:
    """What `Worker.submit` gives for a job: whether it has run, and what it raised.

    Attributes:
        error: What the job raised, once it has run; else None.
    """

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self._ran = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the job has run, at most `timeout` seconds (None: for ever); say whether it has."""
        return self._ran.wait(timeout)


class _Job(NamedTuple):
    run: Callable[[], None]
    size: int
    ticket: Ticket

    def __call__(self) -> None:
        try:
            self.run()
        except BaseException as error:
            # SystemExit too: whoever holds the ticket decides, and the jobs that follow are not to blame.
            self.ticket.error = error
        finally:
            self.ticket._ran.set()


class Worker:
    """Runs jobs one after the other, in the order given, on a daemon thread.

    The thread lives while there are jobs: it starts with the first, ends after the last, and starts again
    with the next. So an idle worker holds nothing, and one that is dropped without `close` leaves no thread
    behind. A copy or pickle of a worker is a fresh one with the same limits.

    Args:
        bound: Bytes that waiting and running jobs may hold together, by the `size` given with each.
        patience: Seconds that `submit` waits at most for room.

    Example:
        >>> worker = Worker()
        >>> ticket = worker.submit(lambda: print("drawn"), size=2**20)
        >>> worker.close(timeout=10)
        drawn
        True
    """

    def __init__(self, bound: int = 256 * 2**20, patience: float = 10.0) -> None:
        self.bound = bound
        self.patience = patience
        self._jobs: deque[_Job] = deque()
        self._held = 0
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()

    def __reduce__(self) -> tuple[type[Worker], tuple[int, float]]:
        return Worker, (self.bound, self.patience)

    def submit(self, job: Callable[[], None], *, size: int = 0, patience: float | None = None) -> Ticket:
        """Queue a job; wait for room first, at most `patience` seconds, then take it anyway.

        There is room when all jobs together hold at most `bound` bytes, and always when there is none: a job
        larger than the bound runs alone. A job that submits a job never waits.

        Args:
            job: Called without arguments on the worker's thread; let go of as soon as it has run.
            size: Bytes that the job keeps alive until it has run.
            patience: Seconds, in place of the worker's own.

        Returns:
            The job's ticket. What the job raises is kept there, and the next job runs all the same.
        """
        ticket = Ticket()
        with self._changed:
            if self._thread is not threading.current_thread():
                wait = self.patience if patience is None else patience
                self._changed.wait_for(lambda: self._has_room(size), wait)
            self._jobs.append(_Job(job, size, ticket))
            self._held += size
            started = self._thread is not None or self._start()
        if not started:
            self._run()
        return ticket

    def close(self, timeout: float | None = None) -> bool:
        """Wait until all jobs have run and the thread has ended; may be called again.

        Args:
            timeout: Seconds to wait at most; None for as long as it takes.

        Returns:
            Whether all is done. If not, the jobs go on. Called by a job: False, at once.
        """
        with self._changed:
            thread = self._thread
            if thread is threading.current_thread():
                return False
            done = self._changed.wait_for(lambda: self._thread is None, timeout)
        if done and thread is not None:
            thread.join(timeout)
        return done

    def _has_room(self, size: int) -> bool:
        return self._thread is None or self._held + size <= self.bound

    def _start(self) -> bool:
        """Start the thread; the lock is held. Without one, the caller does the work itself.

        From Python 3.12 on no thread can be started once the interpreter shuts down; late is better than
        lost.
        """
        self._thread = threading.Thread(target=self._run, name="kerasviz_callbacks", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            self._thread = threading.current_thread()
            return False
        return True

    def _run(self) -> None:
        """Run jobs until there are none."""
        while True:
            with self._changed:
                if not self._jobs:
                    self._thread = None
                    self._changed.notify_all()
                    return
                job = self._jobs.popleft()
            job()
            size = job.size
            # The job's arrays go before their bytes count as free.
            del job
            with self._changed:
                self._held -= size
                self._changed.notify_all()
