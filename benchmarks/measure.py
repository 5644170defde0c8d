"""Timing of hooks as `fit` calls them, interleaved rounds, and the memory of this process."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

Seconds = float


class Hooks:
    """Calls the hooks of a callback as `fit` does, without training in between.

    Args:
        callback: any Keras callback.
        model: the compiled model.

    Attributes:
        first: seconds from the beginning of training to its first batch.
        first_cpu: CPU seconds of the process meanwhile.
        epochs: number of epochs that have ended.
        log_dir: the log directory of a callback of ours, else `None`.
    """

    _more_params: Mapping[str, Any] = {}

    def __init__(self, callback: Any, model: keras.Model):
        self._callback, self._model = callback, model
        callback.set_model(model)
        callback.set_params({"epochs": 10**9, "verbose": 0, **self._more_params})
        self.epochs = 0
        self.log_dir = getattr(callback, "log_dir", None)
        self._kernel = next(weight for weight in model.trainable_weights if weight.name == "kernel")
        began, used = time.perf_counter(), cpu_seconds()
        callback.on_train_begin()
        callback.on_epoch_begin(0)
        self.first, self.first_cpu = time.perf_counter() - began, cpu_seconds() - used
        self.drain()

    def epoch_end(self) -> Seconds:
        """Return the training-thread time of one drawn epoch; the worker is waited for afterwards, untimed."""
        self._kernel.assign(self._kernel * 0.999)  # new weights, so that nothing is reused
        began = time.perf_counter()
        self._callback.on_epoch_end(self.epochs)
        captured = time.perf_counter() - began
        self.epochs += 1
        self.drain()
        return captured

    def end(self) -> None:
        """End the training."""
        self._callback.on_train_end()

    def drain(self) -> None:
        """Wait for the worker of our callbacks; other packages have none."""
        views = getattr(self._callback, "_running", [self._callback])
        for view in views:
            if getattr(view, "in_fit", False):
                view.fit_context.wait()


class BatchHooks(Hooks):
    """The same for a callback with `unit="batch"`, in one epoch that never ends."""

    _more_params: Mapping[str, Any] = {"steps": 10**9}

    def batch_end(self) -> Seconds:
        """The training thread's time at the end of the next batch; the worker is waited for afterwards, untimed."""
        self._kernel.assign(self._kernel * 0.999)
        began = time.perf_counter()
        self._callback.on_train_batch_end(self.epochs)
        captured = time.perf_counter() - began
        self.epochs += 1
        self.drain()
        return captured


class Timed(keras.callbacks.Callback):
    """Passes the hooks of `fit` to a callback and records the time they take on the training thread.

    Attributes:
        first: seconds before the first batch.
        epochs: seconds at the end of each epoch.
        last: seconds at the end of training.
        lasted: seconds from the beginning to the end of each epoch, without the time of this callback.
    """

    def __init__(self, callback: Any = None):
        super().__init__()
        self._callback = callback
        self.first = self.last = 0.0
        self.epochs: list[Seconds] = []
        self.lasted: list[Seconds] = []
        self._began = 0.0

    def _hook(self, name: str, *given: Any) -> Seconds:
        began = time.perf_counter()
        if self._callback is not None:
            getattr(self._callback, name)(*given)
        return time.perf_counter() - began

    def on_train_begin(self, logs: Any = None) -> None:
        """Call the hook of the callback."""
        if self._callback is not None:
            self._callback.set_model(self.model)
            self._callback.set_params(self.params)
        self.first += self._hook("on_train_begin", logs)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Call the hook of the callback."""
        self.first += self._hook("on_epoch_begin", epoch, logs)
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Call the hook of the callback."""
        self.lasted.append(time.perf_counter() - self._began)
        self.epochs.append(self._hook("on_epoch_end", epoch, logs))

    def on_train_end(self, logs: Any = None) -> None:
        """Call the hook of the callback."""
        self.last = self._hook("on_train_end", logs)


def interleaved(
    jobs: Mapping[str, Callable[[], Seconds]], rounds: int, *, warm_up: int = 2
) -> dict[str, list[Seconds]]:
    """Return the times of jobs that run in turn, so that other work on the machine affects all of them.

    Args:
        jobs: functions that return their own time.
        rounds: number of timed rounds.
        warm_up: number of untimed rounds before.
    """
    times: dict[str, list[Seconds]] = {name: [] for name in jobs}
    for turn in range(-warm_up, rounds):
        order = list(jobs) if turn % 2 else list(reversed(jobs))
        for name in order:
            gc.collect()
            captured = jobs[name]()
            if turn >= 0:
                times[name].append(captured)
    return times


def cpu_seconds() -> Seconds:
    """CPU time of this process so far, all its threads together."""
    return time.process_time()


def ratio(above: Sequence[Seconds], below: Sequence[Seconds]) -> float:
    """Return the median over rounds of the ratio of two times of the same round."""
    return float(np.median(np.divide(above, below)))


def resident() -> int:
    """Return the bytes of memory of this process; its maximum so far on systems that report nothing else."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return pages * os.sysconf("SC_PAGE_SIZE")
