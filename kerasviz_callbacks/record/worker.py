"""Jobs run one after the other on a thread of their own."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable

Job = Callable[[], None]


def run_job(job: Job) -> None:
    """Run a job; what it raises goes to `threading.excepthook`, and the jobs that follow run all the same.

    `SystemExit` too: raised by a user's function on the worker, it must not end the worker.
    """
    try:
        job()
    except BaseException as error:
        what = threading.ExceptHookArgs((type(error), error, error.__traceback__, threading.current_thread()))
        threading.excepthook(what)


class Worker:
    """Runs jobs one after the other, in the order given, on a daemon thread.

    The thread lives while there are jobs: it starts with the first, ends after the last, and starts again with the
    next. So an idle worker holds nothing, and one that is dropped leaves no thread behind. How much may wait is
    bounded by whoever submits (`StepQueue`).
    """

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()

    @property
    def waiting(self) -> int:
        """How many jobs wait, without the one that runs."""
        return len(self._jobs)

    def submit(self, job: Job) -> None:
        """Queue a job, and return at once; the worker drops it as soon as it has run."""
        with self._changed:
            self._jobs.append(job)
            started = self._thread is not None or self._start()
        if not started:
            self._run()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until all jobs have run and the thread has ended, for so many seconds at most; say whether all is done.

        If not, the jobs go on. Called by a job: False, at once.
        """
        with self._changed:
            thread = self._thread
            if thread is threading.current_thread():
                return False
            done = self._changed.wait_for(lambda: self._thread is None, timeout)
        if done and thread is not None:
            thread.join(timeout)
        return done

    def _start(self) -> bool:
        """Start the thread; the lock is held. Without a thread, the caller does the work itself.

        No thread can be started once the interpreter shuts down: from Python 3.12 on that raises, before it would
        wait for ever. Late is better than lost.
        """
        self._thread = threading.Thread(target=self._run, name="kerasviz_callbacks", daemon=True)
        try:
            if sys.is_finalizing():
                raise RuntimeError("the interpreter is shutting down")
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
            run_job(job)
            del job  # its arrays are freed before the thread waits for the lock
