"""The autoencoder example's whole fit with `Visualizer`, and where the difference comes from."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np

import kerasviz_callbacks as kv

from .fits import fitted
from .measure import Seconds, cpu_seconds, ratio
from .models import AUTOENCODER
from .table import Row, at_most, markdown

ABOUT = """
Five epochs of the autoencoder example on 4,000 images of clothes, drawn every epoch with 500 validation and 500
training images, relative to the same fit without callbacks, interleaved in one process. *CPU time* is that of the whole
process. The other rows say where the difference comes from: wall-clock time on the training thread before the first
batch and at the ends of the epochs, CPU time of the worker thread, which measures, draws and writes, and the time for
which `fit` waits at its end until the last step is written.
"""
EPOCHS = 5


@contextmanager
def worker_seconds() -> Iterator[list[Seconds]]:
    """While open, the list receives the CPU seconds of every thread that is started and ends."""
    run, found = threading.Thread.run, []

    def timed(thread: threading.Thread) -> None:
        began = time.thread_time()
        try:
            run(thread)
        finally:
            found.append(time.thread_time() - began)

    with patch.object(threading.Thread, "run", timed):
        yield found


def once(callback: bool) -> dict[str, Seconds]:
    """The seconds of one fit, by name."""
    began = cpu_seconds()
    with worker_seconds() as worker:
        wall, timed = fitted(AUTOENCODER, _visualizer if callback else None, EPOCHS)
    return {
        "wall clock": wall,
        "CPU time": cpu_seconds() - began,
        "before the first batch": timed.first,
        "ends of epochs": sum(timed.epochs),
        "at the end": timed.last,
        "worker": sum(worker),
    }


def _visualizer(test: Any, train: Any) -> Any:
    return kv.Visualizer(tempfile.mkdtemp(), test, training_data=train)


def table(rounds: int) -> str:
    """Markdown."""
    found: dict[bool, list[dict[str, Seconds]]] = {True: [], False: []}
    for turn in range(-1, rounds):
        for callback in (False, True) if turn % 2 else (True, False):
            times = once(callback)
            if turn >= 0:
                found[callback].append(times)
    rows = []
    for name in ("wall clock", "CPU time"):
        ours, bare = ([times[name] for times in found[callback]] for callback in (True, False))
        detail = f"{np.median(ours):.3g} s beside {np.median(bare):.3g} s"
        rows.append(at_most(f"{AUTOENCODER.name}, {EPOCHS} epochs, {name}", ratio(ours, bare), 1.2, detail=detail))
    for name in ("before the first batch", "ends of epochs", "worker", "at the end"):
        rows.append(Row(f"`Visualizer`: {name}", f"{np.median([times[name] for times in found[True]]):.2g} s"))
    return markdown("The autoencoder example", ABOUT, rows)
