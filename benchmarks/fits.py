"""A whole `fit` with and without our callbacks."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

import kerasviz_callbacks as kv

from .measure import Seconds, Timed, ratio
from .models import AUTOENCODER, EXAMPLE, Case
from .table import Row, at_most, markdown, ms

ABOUT = """
The models of the examples on 4,000 images of clothes, validated on 1,000 at each epoch, drawn at every epoch with
validation and training data. A round is one fit of each kind, in one process. *Wall clock*: the median over rounds of
the time of the whole `fit`, compiling included, beside the same fit without callbacks. *A drawn epoch*: the time that
the training thread spends in our hooks, as a share of the epoch, both without the first epoch; the monitor evaluates
500 images of each data set, the other views 16. *Before the first batch*: the time for checks, compiling and the
untrained model.
"""
Make = Callable[[Any, Any], Any]
Fits = tuple[list[Seconds], list[Timed]]  # the time of each fit, and of our hooks in it
Limits = tuple[float, float]  # of the wall clock ratio, and of the training-thread share in percent


def classifier_views() -> dict[str, Make]:
    """Return each view of a classifier, by name."""
    both = {"FilterImages": kv.FilterImages, "Coefficients": kv.Coefficients}
    of_data = (
        kv.WeightHeatmaps,
        kv.ActivationMaps,
        kv.NeuronResponses,
        kv.FilterOverlap,
        kv.GradCAM,
        kv.Attribution,
        kv.OverfittingMonitor,
    )
    views: dict[str, Make] = {name: lambda test, train, kind=kind: kind(_new()) for name, kind in both.items()}
    return views | {kind.__name__: _of(kind) for kind in of_data}


def autoencoder_views() -> dict[str, Make]:
    """Return each view of an autoencoder, by name."""
    return {kind.__name__: _of(kind) for kind in (kv.LatentTrajectory, kv.LatentProfiles, kv.Reconstructions)}


def _of(kind: Any) -> Make:
    return lambda test, train: kind(_new(), test, training_data=train)


def _without_monitor(test: Any, train: Any) -> Any:
    """Return the views that use 16 images of each data set; the monitor uses 500."""
    views = ["FilterImages", "ActivationMaps", "GradCAM"]
    return kv.Visualizer(_new(), test, training_data=train, views=views)


def _new() -> str:
    return tempfile.mkdtemp()


def fitted(case: Case, make: Make | None, epochs: int) -> tuple[Seconds, Timed]:
    """Return the time of a fit, and that of our hooks in it."""
    train, test = case.data()
    keras.utils.set_random_seed(1)
    model = case.build()
    target = train[0] if model.output_shape == model.input_shape else train[1]
    validation = (test[0], test[0] if target is train[0] else test[1])
    timed = Timed(None if make is None else make(test, _labelled(case, train)))
    began = time.perf_counter()
    model.fit(train[0], target, validation_data=validation, epochs=epochs, batch_size=64, verbose=0, callbacks=[timed])
    return time.perf_counter() - began, timed


def _labelled(case: Case, train: Any) -> Any:
    """Return the training data for the views."""
    return train if case is not AUTOENCODER else train[0]


def compared(
    case: Case, views: dict[str, Make], epochs: int, rounds: int
) -> dict[str, tuple[list[Seconds], list[Timed]]]:
    """Return the fits of every kind, those without callbacks under `""`; a first round warms up."""
    kinds: dict[str, Make | None] = {"": None, **views}
    found: dict[str, Fits] = {name: ([], []) for name in kinds}
    for turn in range(-1, rounds):
        for name in kinds if turn % 2 else reversed(kinds):
            captured, timed = fitted(case, kinds[name], epochs if turn >= 0 else 1)
            if turn >= 0:
                found[name][0].append(captured)
                found[name][1].append(timed)
    return found


def rows_of(case: Case, views: dict[str, Make], epochs: int, rounds: int, limits: Limits | None = None) -> list[Row]:
    """Return two rows per kind of fit: the wall clock, and the training thread."""
    found = compared(case, views, epochs, rounds)
    without, rows = found.pop("")[0], []
    for name, (wall, timed) in found.items():
        what, value = f"{case.name}, {epochs} epochs, {name}: wall clock", ratio(wall, without)
        detail = f"{np.median(wall):.3g} s beside {np.median(without):.3g} s"
        rows.append(at_most(what, value, limits[0], "x", detail) if limits else Row(what, f"{value:.3g} x ({detail})"))
        what = f"{case.name}, {name}: a drawn epoch on the training thread"
        share = 100 * float(np.median([np.median(one.epochs[1:]) / np.median(one.lasted[1:]) for one in timed]))
        detail = ms(float(np.median([np.median(one.epochs[1:]) for one in timed])))
        detail += f"; before the first batch {np.median([one.first for one in timed]):.2g} s"
        of = "% of the epoch"
        rows.append(
            at_most(what, share, limits[1], of, detail) if limits else Row(what, f"{share:.2g} {of} ({detail})")
        )
    return rows


def table(rounds: int) -> str:
    """Return the section as Markdown."""
    everything: dict[str, Make] = {"Visualizer": _of(kv.Visualizer)}
    rows = rows_of(EXAMPLE, {"Visualizer without the monitor": _without_monitor}, 12, rounds, (1.05, 3.0))
    rows += rows_of(EXAMPLE, everything, 12, max(2, rounds // 2))
    rows += rows_of(EXAMPLE, classifier_views(), 3, max(2, rounds // 2))
    rows += rows_of(AUTOENCODER, everything | autoencoder_views(), 5, max(2, rounds // 2))
    return markdown("Whole fits", ABOUT, rows)
