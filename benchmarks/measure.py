"""Hooks called and timed as `fit` calls them, rounds that are interleaved, and the memory of this process."""

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
    """A callback whose hooks are called as `fit` calls them, with nothing trained in between.

    Args:
        callback: any Keras callback.
        model: the compiled model.

    Attributes:
        first: seconds from the beginning of training to its first batch.
        first_cpu: CPU seconds of the process meanwhile.
        epochs: how many have ended.
        log_dir: of a callback of ours.
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
        """The training thread's time of one drawn epoch; what goes on elsewhere is waited for afterwards, untimed."""
        self._kernel.assign(self._kernel * 0.999)  # what is seen must be seen anew
        began = time.perf_counter()
        self._callback.on_epoch_end(self.epochs)
        captured = time.perf_counter() - began
        self.epochs += 1
        self.drain()
        return captured

    def end(self) -> None:
        """The end of training."""
        self._callback.on_train_end()

    def drain(self) -> None:
        """Wait for our worker; other packages have none."""
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
    """Stands for a callback in `fit`, and notes what its hooks cost the training thread.

    Attributes:
        first: seconds before the first batch.
        epochs: seconds at the end of each epoch.
        last: seconds at the end of training.
        lasted: seconds from the beginning of each epoch to its end, this callback's own left out.
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
        """Hand on."""
        if self._callback is not None:
            self._callback.set_model(self.model)
            self._callback.set_params(self.params)
        self.first += self._hook("on_train_begin", logs)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Hand on."""
        self.first += self._hook("on_epoch_begin", epoch, logs)
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Hand on."""
        self.lasted.append(time.perf_counter() - self._began)
        self.epochs.append(self._hook("on_epoch_end", epoch, logs))

    def on_train_end(self, logs: Any = None) -> None:
        """Hand on."""
        self.last = self._hook("on_train_end", logs)


def interleaved(
    jobs: Mapping[str, Callable[[], Seconds]], rounds: int, *, warm_up: int = 2
) -> dict[str, list[Seconds]]:
    """The times of jobs that take turns, so that what else the machine does falls on all alike.

    Args:
        jobs: each gives its own time.
        rounds: how often each is timed.
        warm_up: how often each is run before.
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
    """The median over rounds of one time beside the other of the same round."""
    return float(np.median(np.divide(above, below)))


def resident() -> int:
    """Bytes that this process holds in memory; where the system does not say, the most it ever held."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return pages * os.sysconf("SC_PAGE_SIZE")
