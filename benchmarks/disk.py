"""Short epochs on a disk that is much slower than they are."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import keras
import numpy as np

import kerasviz_callbacks as kv

from .measure import Seconds, resident
from .models import TWO_CONVOLUTIONS, noise
from .table import Row, at_most, markdown, ms

ABOUT = """
A small model in epochs of about 0.05 s, on a disk that takes 0.3 s for a write (every `os.write`, `os.writev` and
`os.pwrite` to a file waits as long), drawn every epoch. *Epoch*: from the beginning of one to that of the next, the
callbacks included, medians, without the first five; in a `fit` each, one after the other. *Lost* are the scalars that
the same fit writes on a quick disk and this one does not. *Memory* is what the process holds after the last epoch more
than after the twentieth.
"""
DELAY, EPOCHS, ROWS = 0.3, 300, 256
Scalar = tuple[str, str, int]  # run, tag, step


class Clock(keras.callbacks.Callback):
    """Notes when epochs begin, and what the process holds.

    Args:
        callback: of ours, in the same fit; `None`: there is none.
    """

    def __init__(self, callback: Any = None):
        super().__init__()
        self.callback = callback
        self.began: list[Seconds] = []
        self.memory: list[int] = []
        self.queue: Any = None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Note them."""
        self.began.append(time.perf_counter())
        self.memory.append(resident())
        if self.callback is not None and self.queue is None:
            self.queue = getattr(self.callback, "_running", [self.callback])[0].fit_context.queue

    @property
    def epoch(self) -> Seconds:
        """The median epoch."""
        return float(np.median(np.diff(self.began[5:])))

    @property
    def growth(self) -> int:
        """Bytes after the last epoch more than after the twentieth."""
        return self.memory[-1] - self.memory[min(20, len(self.memory) - 1)]


@contextmanager
def slow_disk(seconds: Seconds) -> Iterator[None]:
    """While open, every write to a file waits before it begins."""

    def slow(write: Callable[..., int]) -> Callable[..., int]:
        def waiting(descriptor: int, *given: Any) -> int:
            if descriptor > 2:
                time.sleep(seconds)
            return write(descriptor, *given)

        return waiting

    names = [name for name in ("write", "writev", "pwrite", "pwritev") if hasattr(os, name)]
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(patch.object(os, name, slow(getattr(os, name))))
        yield


def fitted(callback: Any, epochs: int) -> Clock:
    """A fit with a callback, or with none."""
    train, _ = noise(32, ROWS)
    keras.utils.set_random_seed(1)
    clock = Clock(callback)
    given = [clock] if callback is None else [callback, clock]
    TWO_CONVOLUTIONS.build().fit(*train, batch_size=32, epochs=epochs, verbose=0, callbacks=given)
    return clock


def scalars(log_dir: str) -> set[Scalar]:
    """All scalars in the event files below a directory."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    found, plugins = set(), {}
    for file in Path(log_dir).rglob("*tfevents*"):
        run = file.parent.relative_to(log_dir).as_posix()
        for event in EventFileLoader(str(file)).Load():
            for value in event.summary.value:
                name = value.metadata.plugin_data.plugin_name
                plugins[run, value.tag] = name or plugins.get((run, value.tag), "")
                if plugins[run, value.tag] == "scalars":
                    found.add((run, value.tag, event.step))
    return found


def rows_of(name: str, make: Callable[[str], Any], epochs: int, most: float | None) -> list[Row]:
    """The rows of one callback."""
    bare, quick, slow = fitted(None, epochs).epoch, tempfile.mkdtemp(), tempfile.mkdtemp()
    on_quick_disk = fitted(make(quick), epochs)
    with slow_disk(DELAY):
        clock = fitted(make(slow), epochs)
    value, what = clock.epoch / bare, f"{name}: an epoch"
    detail = f"{ms(clock.epoch)} beside {ms(bare)} with none; on a quick disk {ms(on_quick_disk.epoch)}"
    expected = scalars(quick)
    return [
        Row(what, f"{value:.3g} x ({detail})") if most is None else at_most(what, value, most, detail=detail),
        Row(f"{name}: steps not drawn", f"{len(clock.queue.skipped)} of {epochs + 1}"),
        at_most(f"{name}: scalars lost", len(expected - scalars(slow)), 0, "", f"of {len(expected)}"),
        Row(f"{name}: memory", f"{clock.growth / 2**20:.3g} MiB"),
    ]


def table(rounds: int) -> str:
    """Markdown; each round is 100 epochs of every fit."""
    _, test = noise(32, ROWS)
    fitted(None, 3)
    epochs = 100 * rounds
    rows = rows_of("FilterImages", kv.FilterImages, epochs, 1.5)
    rows += rows_of("Visualizer", lambda where: kv.Visualizer(where, test), epochs, None)
    return markdown("A slow disk", ABOUT, rows)
