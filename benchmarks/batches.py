"""The cost of a step with `unit="batch"` beside that of an epoch."""

from __future__ import annotations

import tempfile
from typing import Any

import numpy as np

import kerasviz_callbacks as kv

from .measure import BatchHooks, Hooks, interleaved, ratio
from .models import AUTOENCODER, EXAMPLE, Case
from .table import Row, at_most, markdown, ms

ABOUT = """
Training-thread time of `Visualizer` with validation data at a step that is drawn, with `unit="batch"` (`freq=1`)
relative to the end of an epoch, interleaved on one model; and at a batch that is not drawn (`freq=1000000`). Median
over rounds of the ratio within a round.
"""


def rows_of(case: Case, rounds: int) -> list[Row]:
    """The rows of one model."""
    _, test = case.data()
    model = case.build()

    def made(**options: Any) -> kv.Visualizer:
        return kv.Visualizer(tempfile.mkdtemp(), test, on_error="raise", **options)

    epochs = Hooks(made(), model)
    drawn, between = (BatchHooks(made(unit="batch", freq=freq), model) for freq in (1, 10**6))
    jobs = {"epoch": epochs.epoch_end, "batch": drawn.batch_end, "between": between.batch_end}
    times = interleaved(jobs, rounds)
    for hooks in (epochs, drawn, between):
        hooks.end()
    detail = f"{ms(float(np.median(times['batch'])))} beside {ms(float(np.median(times['epoch'])))}"
    what = f"{case.name}: a drawn batch beside the end of a drawn epoch"
    return [
        at_most(what, ratio(times["batch"], times["epoch"]), 1.2, detail=detail),
        Row(f"{case.name}: a batch that is not drawn", ms(float(np.median(times["between"])))),
    ]


def table(rounds: int) -> str:
    """Markdown."""
    return markdown("Batches", ABOUT, rows_of(EXAMPLE, rounds) + rows_of(AUTOENCODER, rounds))
