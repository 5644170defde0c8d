"""What the metrics of `OverfittingMonitor` tell where 2.5 % of the rows are positive."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score

from kerasviz_callbacks.maths.classes import knn_accuracy, silhouette

from .alarms import kept, stop
from .data_sets import DataSet, clothes, digits, rare
from .models import example
from .overfitting import EPOCHS, PATIENCE, modes, monitor, spread
from .table import grid

SHARE = 0.025  # of the rows are positive
POSITIVES = {"Fashion-MNIST": 6, "digits": 8}  # shirts and eights
NAMES = {"F": "few positives", "H": "healthy"}
ROWS, DRAWS, NEGATIVES = (4, 8, 16, 32, 60), 5, 400
ABOUT = """
One class against the rest (shirts of Fashion-MNIST, eights of the digits), with 2.5 % positives in training and
validation data: the CNN of the section before, {rounds} seeds each, {epochs} epochs of 20 steps. F: few positives
({few}, large learning rate), H: all images ({healthy} positives, small learning rate). The monitor sees 500 validation
rows, {seen} of them positive. *AP* is the average precision on the whole test set with all its positives, so it is what
is really learned; at chance it is 0.1. A cell is the mean over seeds and, in brackets, the range.
"""
KEPT = """
The AP of the model that `EarlyStopping(patience={patience}, restore_best_weights=True)` keeps; *best* is the largest AP
of any epoch. *Follows*: Spearman's rank correlation over the epochs of the metric, its sign turned so that better is
larger, with AP. *Stops*: the epoch, {epochs} means never.
"""
BY_ROWS = """
`knn` and `silhouette` of {negatives} negative rows and of few positive ones, drawn {draws} times from the test set, in
H: the rank correlation with AP over the epochs; the standard deviation over the draws at the last epoch, beside, in
brackets, how far the metric rose in training; and the share of draws in which it fell in training though AP rose.
"""


@dataclass(frozen=True)
class Run:
    """A recorded training: its Keras history, and by epoch the AP and the features of the test set."""

    curves: dict[str, list[float]]
    precision: list[float]
    features: list[Any]


class Truth(keras.callbacks.Callback):
    """Record average precision and features of the test set at every epoch."""

    def __init__(self, x: Any, y: Any) -> None:
        super().__init__()
        self.x, self.y, self.precision, self.features = x, y, [], []

    def on_train_begin(self, logs: Any = None) -> None:
        """Make the model that gives the features and the predictions."""
        outputs = [self.model.get_layer("hidden").output, self.model.outputs[0]]
        self.both = keras.Model(self.model.inputs[0], outputs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Record the epoch."""
        features, shares = (np.asarray(given) for given in self.both(self.x, training=False))
        self.features.append(features)
        self.precision.append(average_precision_score(self.y, shares[:, 1]))


def recorded(data: DataSet, rounds: int) -> dict[str, list[Run]]:
    """Return the trainings of both arms with every seed."""
    trains, positive = example("watch_overfitting"), POSITIVES[data.name]
    train, test = (rare(pair, positive, SHARE) for pair in (data.train, data.test))
    known = {"F": trains.Arm(data.wrong), "H": trains.Arm(len(train[1]), learning_rate=5e-4)}
    runs: dict[str, list[Run]] = {name: [] for name in known}
    for seed in range(1, rounds + 1):
        for name, arm in known.items():
            truth = Truth(data.test[0], data.test[1] == positive)
            told = trains.data(arm, train, seed)
            curves, _ = trains.fitted(arm, told, test, EPOCHS, [monitor(test), truth], seed, verbose=0)
            runs[name].append(Run(curves, truth.precision, truth.features))
            print(f"{data.name} {name}, seed {seed}: AP {truth.precision[-1]:.2f}", file=sys.stderr, flush=True)
    return runs


def kept_precision(runs: dict[str, list[Run]]) -> list[list[str]]:
    """Return one row per metric: for both arms the AP kept, how the metric follows AP, and when it stops."""
    rows = [["best", *(cell for some in runs.values() for cell in (spread(max(r.precision) for r in some), "", ""))]]
    rows.append(
        ["last epoch", *(cell for some in runs.values() for cell in (spread(r.precision[-1] for r in some), "", ""))]
    )
    keys = {"val_loss": "min", "val_accuracy": "max", **{f"val_{name}": mode for name, mode in modes().items()}}
    for key, mode in keys.items():
        row, sign = [f"`{key}`"], 1 if mode == "max" else -1
        for some in runs.values():
            ranks = [
                spearmanr(np.multiply(sign, r.curves[key]), r.precision, nan_policy="omit").statistic for r in some
            ]
            row.append(spread(r.precision[kept(r.curves[key], mode, PATIENCE)] for r in some))
            row.append(spread(ranks))
            row.append(spread((min(stop(r.curves[key], mode, PATIENCE), EPOCHS) for r in some), "{:.1f}", "{:.0f}"))
        rows.append(row)
    return rows


def by_rows(runs: list[Run], labels: Any) -> list[list[str]]:
    """Return one row per number of positive rows: how `knn` and `silhouette` follow AP, scatter, and fall."""
    table = []
    for count in ROWS:
        row = [str(count)]
        for metric in (knn_accuracy, silhouette):
            ranks, scatter, fell, rise = [], [], [], []
            for seed, run in enumerate(runs):
                curves = _drawn(metric, run, labels, count, seed)
                ranks += [spearmanr(curve, run.precision).statistic for curve in curves]
                scatter.append(np.std(curves[:, -1]))
                fell += list(curves[:, -1] < curves[:, 0])
                rise.append(np.mean(curves[:, -1] - curves[:, 0]))
            row += [spread(ranks), f"{np.mean(scatter):.3f} ({np.mean(rise):+.3f})", f"{100 * np.mean(fell):.0f} %"]
        table.append(row)
    return table


def _drawn(metric: Any, run: Run, labels: Any, count: int, seed: int) -> Any:
    """Return `(draws, epochs)` of a metric on draws of the test set with `count` positive rows."""
    curves = []
    for draw in range(DRAWS):
        order = np.random.default_rng(1000 * seed + draw).permutation(len(labels))
        rows = np.concatenate([order[labels[order]][:count], order[~labels[order]][:NEGATIVES]])
        curves.append([metric(features[rows], labels[rows]) for features in run.features])
    return np.array(curves)


def table(rounds: int) -> str:
    """Return the section as Markdown."""
    sections, facts = [], []
    for data in (clothes(), digits()):
        runs, positive = recorded(data, rounds), POSITIVES[data.name]
        counts = [int(rare(pair, positive, SHARE)[1].sum()) for pair in (data.train, data.test)]
        facts.append((round(SHARE * data.wrong), *counts))
        heads = ["metric", *(f"{arm}: {what}" for arm in NAMES for what in ("AP kept", "follows", "stops"))]
        words = ("follows", "scatter (rise)", "fell")
        by = ["positive rows", *(f"`{name}` {word}" for name in ("knn", "silhouette") for word in words)]
        about = KEPT.format(patience=PATIENCE, epochs=EPOCHS).strip()
        sections.append(f"### {data.name}, 2.5 % positives\n\n{about}\n\n{grid(heads, kept_precision(runs))}")
        about = BY_ROWS.format(negatives=NEGATIVES, draws=DRAWS).strip()
        cells = by_rows(runs["H"], data.test[1] == positive)
        sections.append(f"### {data.name}: by the number of positive rows\n\n{about}\n\n{grid(by, cells)}")
    few, healthy, seen = (" and ".join(map(str, numbers)) for numbers in zip(*facts, strict=True))
    given = {"rounds": rounds, "epochs": EPOCHS, "few": few, "healthy": healthy, "seen": seen}
    return "\n".join([f"## A rare class\n\n{ABOUT.format(**given).strip()}\n", *sections])
