"""The time before the first batch relative to the model's own first training step, each in a new process."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

import kerasviz_callbacks as kv

from .fits import classifier_views
from .measure import Hooks, Seconds, cpu_seconds
from .models import EXAMPLE, MOBILENET, RESNET, Case
from .table import Row, at_most, markdown

ABOUT = """
The time that `Visualizer` with validation data spends before the first batch (`on_train_begin` and the first
`on_epoch_begin`: checks, tracing, the first run of each compiled pass, the untrained model), relative to the first
training step of the same model in `fit`, tracing and compiling included. Each is measured in a new Python process,
interleaved: CPU seconds of the whole process, which depend little on other work on the machine, and the wall clock. The
ratio is that of the medians over rounds. *Alone*: one view in place of `Visualizer`.
"""
MOST = 1.2
CASES = {"cnn": EXAMPLE, "mobilenet": MOBILENET, "resnet": RESNET}
OWN = "first training step"
Times = tuple[Seconds, Seconds]  # wall clock and CPU


class FirstStep(keras.callbacks.Callback):
    """Measures the first training step of a fit.

    Attributes:
        times: wall clock and CPU seconds from before the first batch to its end.
    """

    times: Times = (0.0, 0.0)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Start the clocks."""
        self._began = time.perf_counter(), cpu_seconds()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Read them."""
        self.times = time.perf_counter() - self._began[0], cpu_seconds() - self._began[1]


def measured(case: Case, what: str) -> Times:
    """Wall clock and CPU seconds in this process, in which nothing else may have run.

    Args:
        case: the model and its data.
        what: `OWN`, `"Visualizer"`, or the name of a view of a classifier.
    """
    train, test = case.data()
    model = case.build()
    if what == OWN:
        first = FirstStep()
        model.fit(train[0][:16], train[1][:16], batch_size=16, verbose=0, callbacks=[first])
        return first.times
    views = {"Visualizer": lambda test, train: kv.Visualizer(tempfile.mkdtemp(), test), **classifier_views()}
    hooks = Hooks(views[what](test, None), model)
    hooks.end()
    return hooks.first, hooks.first_cpu


def in_new_process(name: str, what: str) -> Times:
    """`measured` of a case by its key in `CASES`, in a new Python process."""
    command = [sys.executable, "-m", __name__, name, what]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])
    if done.returncode:
        raise RuntimeError(f"{name}, {what}: exit status {done.returncode}\n{done.stderr[-2000:]}")
    wall, cpu = json.loads(done.stdout.splitlines()[-1])
    return wall, cpu


def rows_of(name: str, whats: list[str], rounds: int) -> list[Row]:
    """A row for each of `whats` but the first, beside it, which is the model's own step."""
    found: dict[str, list[Times]] = {what: [] for what in whats}
    for turn in range(rounds):
        for what in whats if turn % 2 else reversed(whats):
            found[what].append(in_new_process(name, what))
    medians = {what: np.median(times, axis=0) for what, times in found.items()}
    own = medians.pop(whats[0])
    rows = []
    for what, (wall, cpu) in medians.items():
        detail = f"{cpu:.3g} s beside {own[1]:.3g} s; wall clock {wall:.3g} s beside {own[0]:.3g} s"
        label = what if what == "Visualizer" else f"{what} alone"
        rows.append(at_most(f"{CASES[name].name}: {label}", cpu / own[1], MOST, detail=detail))
    return rows


def table(rounds: int) -> str:
    """Markdown."""
    rows = []
    for name in CASES:
        rows += rows_of(name, [OWN, "Visualizer"], rounds)
    rows += rows_of("cnn", [OWN, *classifier_views()], rounds)
    return markdown("Before the first batch", ABOUT, rows)


if __name__ == "__main__":
    print(json.dumps(measured(CASES[sys.argv[1]], sys.argv[2])))
