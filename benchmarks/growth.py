"""How the cost grows with the number of views, images, channels, layers and epochs."""

from __future__ import annotations

import gc
import tempfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

import kerasviz_callbacks as kv

from .measure import Hooks, interleaved, resident
from .models import EXAMPLE, TWO_CONVOLUTIONS, many_convolutions, noise, two_convolutions
from .table import Row, at_most, markdown, ms

ABOUT = """
Training-thread time of one drawn epoch (medians over rounds) and the amount of data logged, on one probe. *Memory* is
the increase of the process's memory over 500 drawn epochs, counted from the tenth; *threads* and *event files* are
counted at the same two moments.
"""
EPOCHS = 500
KINDS = (kv.ActivationMaps, kv.GradCAM, kv.NeuronResponses, kv.FilterOverlap, kv.FilterImages)


def _row(what: str, sizes: Iterable[Any], made: Callable[[Any], Hooks], rounds: int) -> Row:
    hooks = {str(size): made(size) for size in sizes}
    times = interleaved({name: one.epoch_end for name, one in hooks.items()}, rounds)
    found = []
    for name, one in hooks.items():
        one.end()
        logged = sum(file.stat().st_size for file in Path(one.log_dir).rglob("*tfevents*")) / one.epochs / 1e3
        found.append(f"{name}: {ms(float(np.median(times[name])))}, {logged:.0f} kB")
    return Row(what, "; ".join(found))


def _views(count: int) -> Hooks:
    where, probe = tempfile.mkdtemp(), kv.Probe(EXAMPLE.data()[1])
    views = [kind(where) if kind is kv.FilterImages else kind(where, probe) for kind in KINDS[:count]]
    return Hooks(kv.Visualizer(where, probe, views=views, on_error="raise"), EXAMPLE.build())


def _both(model: Any, probe: Any, **given: Any) -> Hooks:
    where = tempfile.mkdtemp()
    views = [kv.ActivationMaps(where, probe, **given), kv.GradCAM(where, probe)]
    return Hooks(kv.Visualizer(where, probe, views=views, on_error="raise"), model)


def _long_run() -> list[Row]:
    """Return the rows of a long training."""
    where = Path(tempfile.mkdtemp())
    train, test = TWO_CONVOLUTIONS.data()
    hooks = Hooks(kv.Visualizer(where, test, training_data=train, on_error="raise"), TWO_CONVOLUTIONS.build())
    captured, sizes = [], {}
    for epoch in range(EPOCHS + 10):
        captured.append(hooks.epoch_end())
        if epoch in (9, EPOCHS + 9):
            gc.collect()
            files = list(where.rglob("*tfevents*"))
            written = sum(file.stat().st_size for file in files)
            sizes[epoch] = (resident(), threading.active_count(), len(files), written)
    hooks.end()
    (memory, threads, files, written), (more, later, also, total) = sizes[9], sizes[EPOCHS + 9]
    early, late = (float(np.median(part)) for part in (captured[10:60], captured[-50:]))
    left = later - threads + also - files
    return [
        at_most(f"{EPOCHS} epochs: memory", (more - memory) / 2**20, 5, "MiB"),
        at_most(f"{EPOCHS} epochs: threads and event files more than after the tenth", left, 0, ""),
        Row(f"{EPOCHS} epochs: a drawn epoch, the first 50 and the last 50", f"{ms(early)}, {ms(late)}"),
        Row(f"{EPOCHS} epochs: log an epoch", f"{(total - written) / EPOCHS / 1e3:.0f} kB"),
    ]


def table(rounds: int) -> str:
    """Return the section as Markdown."""
    images = noise(32, 256)[1]
    rows = [
        _row("example CNN, by number of views", range(1, 6), _views, rounds),
        _row(
            "two convolutions, by number of pictures",
            (16, 64, 256),
            lambda count: _both(two_convolutions(), kv.Probe(images, count=count)),
            rounds,
        ),
        _row(
            "two convolutions, by number of channels",
            (16, 64, 256),
            lambda width: _both(two_convolutions(width), kv.Probe(images)),
            rounds,
        ),
        _row(
            "12 convolutions, by number of layers shown",
            (1, 4, 12),
            lambda count: _both(many_convolutions(12), kv.Probe(images), layers=[f"conv{n}" for n in range(count)]),
            rounds,
        ),
    ]
    return markdown("Growth", ABOUT, rows + _long_run())
