"""Event files: writing speed, and how long the interpreter lock is held; and the import time."""

from __future__ import annotations

import gc
import subprocess
import sys
import tempfile
import time
from unittest.mock import patch

import numpy as np

from kerasviz_callbacks.record.events import EventFile

from .table import Row, at_least, at_most, markdown

ABOUT = """
Encoded images of 400 kB and 4 MB written as records, in megabytes per second of CPU time, so that other work on the
machine does not count. *Lock*: the longest CPU time of a record without the system call, which releases the
interpreter lock. *Import*: in a new interpreter.
"""
SIZES = (400_000, 4_000_000)


def speed(size: int) -> float:
    """Return the writing speed in MB per second of CPU time of the thread."""
    blob = np.random.default_rng(0).integers(0, 256, size, np.uint8).tobytes()
    file = EventFile(tempfile.mkdtemp())
    file.image("warm", 0, blob, width=1, height=1)
    file.flush()
    count = 40_000_000 // size
    began = time.thread_time()
    for step in range(count):
        file.image("picture", step, blob, width=1, height=1)
        file.flush()
    took = time.thread_time() - began
    file.close()
    return count * size / 1e6 / took


def longest_held(size: int) -> float:
    """Return the longest CPU time of one record, without the system call, which releases the interpreter lock."""
    blob = np.random.default_rng(0).integers(0, 256, size, np.uint8).tobytes()
    file = EventFile(tempfile.mkdtemp())
    file.image("warm", 0, blob, width=1, height=1)
    file.flush()
    held = []
    gc.disable()  # without the time of garbage collection
    with patch("kerasviz_callbacks.record.events.write_all", lambda descriptor, parts: None):
        for step in range(20):
            began = time.thread_time()
            file.image("picture", step, blob, width=1, height=1)
            file.flush()
            held.append(time.thread_time() - began)
    gc.enable()
    file.close()
    return max(held)


def import_seconds() -> float:
    """Return the seconds to import this package in a new interpreter that has imported keras."""
    code = "import keras, time; t = time.perf_counter(); import kerasviz_callbacks; print(time.perf_counter() - t)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def table(rounds: int) -> str:
    """Return the section as Markdown."""
    rows: list[Row] = []
    for size in SIZES:
        name = f"{size / 1e6:g} MB"
        rows.append(at_least(f"records of {name}", float(np.median([speed(size) for _ in range(rounds)])), 200, "MB/s"))
        held = 1e3 * max(longest_held(size) for _ in range(rounds))
        rows.append(at_most(f"interpreter lock held for a record of {name}", held, 2, "ms"))
    importing = float(np.median([import_seconds() for _ in range(max(3, rounds // 3))]))
    rows.append(at_most("import kerasviz_callbacks after import keras", importing, 0.2, "s"))
    return markdown("Writing and importing", ABOUT, rows)
