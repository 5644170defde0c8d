"""What the metrics of `OverfittingMonitor` detect, and how early; and the Grad-CAM of a model with a leaked label."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from scipy.stats import spearmanr

import kerasviz_callbacks as kv

from .alarms import kept, set_apart, stop, turn
from .data_sets import DataSet, clothes, digits
from .models import example
from .table import Row, at_least, at_most, grid, markdown

EPOCHS, PATIENCE, OVERCONFIDENT = 40, 10, 0.1
PAIRS = ("AB", "AC", "DE", "DC")  # the first overfits, the second less or not at all
NAMES = {
    "A": "few images",
    "B": "few, regularised",
    "C": "healthy",
    "D": "40 % wrong labels",
    "E": "40 % wrong, regularised",
}
ABOUT = """
The arms of `examples/watch_overfitting.py`, a small CNN, on two data sets: Fashion-MNIST (28x28) and scikit-learn's
handwritten digits (8x8); {rounds} seeds each, {epochs} epochs of 20 steps: A few images (200 and 100), B the same with
regularisation (dropout, weight decay, augmentation), C healthy (4,000 and 1,200 images, a smaller learning rate),
D 40 % wrong labels (of 1,000 and 600 images), E the same with regularisation. The metrics are those of 500 validation
images. A cell is the mean over seeds and, in brackets, the range. Epochs count from 0.
"""
LAST = """
Values at epoch {last}, the last. The *gap* is the accuracy of the final model on the training images, with the labels
used in training, minus its validation accuracy; *of losses*: `val_loss` minus the loss on the training images.
"""
APART = """
The share of pairs of runs, one of each arm, in which the metric at epoch {last} is worse in the first arm: the area
under the ROC curve (1.00: all pairs are separated; less: **missed**). *Gap*: Spearman's rank correlation over all runs.
"""
TURNS = """
The epoch of a metric's best value minus that of the lowest `val_loss`, without smoothing: below 0, the metric turns
earlier. `cam_drift` is left out: by definition it is 0 at each new best `val_loss`. The first row is the epoch of the
lowest `val_loss`.
"""
STOPS = """
The epoch at which `EarlyStopping(patience={patience})` on the metric ends the training, computed from the recorded
curves; {epochs} means never. The aim: D is stopped no later than on `val_loss`, and C no earlier.
"""
KEPT = """
The validation accuracy of the model that `EarlyStopping(patience={patience}, restore_best_weights=True)` on the metric
keeps, and that of the last epoch.
"""
ALARM = """
Of {rounds} seeds per arm. `cam_drift` is 0 at the first epoch and at each new best `val_loss`, so it can only stop at
once. Overconfidence is lowest at the first epochs, when the model is underconfident and the value is negative: its
value is more informative than its turning point. The threshold used here, 0.1, was chosen after seeing the runs.
"""
HANS = """
`examples/watch_it_cheat.py`: 4,000 training images with a watermark on 2 % of each image that leaks the label, and the
same training without it; {rounds} seeds, 5 epochs. The share of the heat (Grad-CAM of the true class, 500 training
images, maps of 7 x 7) in the four cells that overlap the watermark, {area:.1f} % of the area of the maps.
"""


@dataclass(frozen=True)
class Run:
    """A recorded training.

    Attributes:
        curves: its Keras history, metric name -> values by epoch.
        gap: final training accuracy minus validation accuracy.
        gap_of_losses: final validation loss minus training loss.
    """

    curves: dict[str, list[float]]
    gap: float
    gap_of_losses: float


Runs = dict[str, list[Run]]  # by arm, one run per seed


def modes() -> dict[str, str]:
    """Return the metrics of the monitor, each with `"min"` or `"max"`."""
    return {name.removeprefix("val_"): mode for name, mode in example("watch_overfitting").MODES.items()}


def recorded(data: DataSet, rounds: int) -> Runs:
    """Return the trainings of every arm with every seed."""
    trains = example("watch_overfitting")
    known = {
        "A": trains.Arm(data.few),
        "B": trains.Arm(data.few, regularised=True, flip=data.flip),
        "C": trains.Arm(len(data.train[1]), learning_rate=5e-4),
        "D": trains.Arm(data.wrong, wrong=0.4),
        "E": trains.Arm(data.wrong, wrong=0.4, regularised=True, flip=data.flip),
    }
    runs: Runs = {name: [] for name in known}
    for seed in range(1, rounds + 1):
        for name, arm in known.items():
            told = trains.data(arm, data.train, seed)
            curves, model = trains.fitted(arm, told, data.test, EPOCHS, [monitor(data.test)], seed, verbose=0)
            pairs = [model.evaluate(*pair, batch_size=500, verbose=0) for pair in (told, data.test)]
            losses, rights = zip(*pairs, strict=True)
            runs[name].append(Run(curves, rights[0] - rights[1], losses[1] - losses[0]))
            print(f"{data.name} {name}, seed {seed}: gap {runs[name][-1].gap:.2f}", file=sys.stderr, flush=True)
    return runs


def real_stop() -> Row:
    """Return a row that compares `EarlyStopping` in a training on wrong labels with `stop` on the recorded curve."""
    trains, data = example("watch_overfitting"), clothes()
    arm, name = trains.ARMS["wrong_labels"], "val_overconfidence"
    stopping = keras.callbacks.EarlyStopping(name, patience=PATIENCE, mode="min")
    told = trains.data(arm, data.train)
    curves, _ = trains.fitted(arm, told, data.test, EPOCHS, [monitor(data.test), stopping], verbose=0)
    found, expected = len(curves[name]) - 1, stop(curves[name], "min", PATIENCE)
    detail = f"epoch {found}, read {expected:g}"
    return Row(f"Keras' own EarlyStopping on `{name}`, D", detail, "as read off the curve", found == expected)


def at_the_end(runs: Runs) -> list[list[str]]:
    """Return one row per metric and one column per arm: the value at the last epoch."""
    rows = [[f"`{name}`", *_by_arm(runs, lambda run, name=name: run.curves[f"val_{name}"][-1])] for name in modes()]
    rows.append(["gap", *_by_arm(runs, lambda run: run.gap)])
    rows.append(["gap of losses", *_by_arm(runs, lambda run: run.gap_of_losses)])
    return rows


def apart(runs: Runs) -> list[list[str]]:
    """Return one row per metric: which arms it separates, and its correlation with the gap."""
    rows, everything = [], [run for arm in runs.values() for run in arm]
    for name, mode in modes().items():
        last = {arm: [run.curves[f"val_{name}"][-1] for run in some] for arm, some in runs.items()}
        shares = [set_apart(last[bad], last[good], mode) for bad, good in PAIRS]
        values = [value for some in last.values() for value in some]
        gaps = ([run.gap for run in everything], [run.gap_of_losses for run in everything])
        ranks = [spearmanr(values, gap, nan_policy="omit").statistic for gap in gaps]
        cells = [f"{share:.2f}" if share == 1 else f"{share:.2f} **missed**" for share in shares]
        rows.append([f"`{name}`", *cells, *(f"{rank:.2f}" for rank in ranks)])
    return rows


def turns(runs: Runs) -> list[list[str]]:
    """Return one row per metric and one column per arm: how many epochs before or after `val_loss` it turns."""
    rows = [["`val_loss`", *_by_arm(runs, lambda run: turn(run.curves["val_loss"], "min"), "{:.1f}", "{:.0f}")]]
    for name, mode in modes().items():
        if name != "cam_drift":

            def later(run: Run, name: str = name, mode: str = mode) -> float:
                return turn(run.curves[f"val_{name}"], mode) - turn(run.curves["val_loss"], "min")

            rows.append([f"`{name}`", *_by_arm(runs, later, "{:+.1f}", "{:+.0f}")])
    return rows


def stops(runs: Runs) -> tuple[list[list[str]], list[Row]]:
    """Return one row per metric and one column per arm: when it would stop; and rows that compare this with the aim."""
    cells, rows = [], []
    for key, mode in {"val_loss": "min", **{f"val_{name}": mode for name, mode in modes().items()}}.items():

        def when(run: Run, key: str = key, mode: str = mode) -> float:
            return min(stop(run.curves[key], mode, PATIENCE), EPOCHS)

        cells.append([f"`{key}`", *_by_arm(runs, when, "{:.1f}", "{:.0f}")])
        if key == "val_loss":
            continue
        early = [when(run) <= when(run, "val_loss", "min") for run in runs["D"]]
        late = [when(run) >= when(run, "val_loss", "min") for run in runs["C"]]
        rows.append(_of_all(f"`{key}` stops D no later than `val_loss`", early))
        rows.append(_of_all(f"`{key}` does not stop C before `val_loss`", late))
    return cells, rows


def kept_accuracy(runs: Runs) -> list[list[str]]:
    """Return one row per metric and one column per arm: the accuracy of the model that early stopping keeps."""
    rows = [["last epoch", *_by_arm(runs, lambda run: run.curves["val_accuracy"][-1])]]
    for key, mode in {"val_loss": "min", **{f"val_{name}": mode for name, mode in modes().items()}}.items():

        def accuracy(run: Run, key: str = key, mode: str = mode) -> float:
            return run.curves["val_accuracy"][kept(run.curves[key], mode, PATIENCE)]

        rows.append([f"`{key}`", *_by_arm(runs, accuracy)])
    return rows


def above(runs: Runs) -> list[Row]:
    """Return rows: in how many runs overconfidence exceeded the threshold at some epoch."""
    rows = []
    for arms, wanted in (("AD", True), ("BCE", False)):
        reached = [max(run.curves["val_overconfidence"]) > OVERCONFIDENT for arm in arms for run in runs[arm]]
        what = f"`val_overconfidence` above {OVERCONFIDENT} at some epoch of {', '.join(arms[:-1])} and {arms[-1]}"
        expected = f"{len(reached) if wanted else 0} of {len(reached)}"
        rows.append(Row(what, f"{sum(reached)} of {len(reached)}", expected, all(one == wanted for one in reached)))
    return rows


def cheating(rounds: int) -> list[Row]:
    """Return rows: the share of the heat on the watermark, with and without it."""
    trains, given = example("watch_it_cheat"), clothes()
    found: dict[str, list[list[float]]] = {"cheating": [], "honest": []}
    for seed in range(1, rounds + 1):
        for name, data in trains.arms(given.train).items():
            share = trains.MarkShare(kv.Probe(data, count=500))
            curves = trains.fitted(data, given.test, 5, [share], seed, verbose=0)
            keys = ("mark_share", "mark_share_mean", "mark_empty", "accuracy", "val_accuracy")
            found[name].append([curves[key][-1] for key in keys])
    rows = []
    for name, values in found.items():
        share, mean, empty, *accuracies = np.transpose(values)
        detail = f"{spread(100 * share, '{:.1f}')}; the images' own shares {spread(100 * mean, '{:.1f}')}; without "
        detail += f"heat {empty.max():.0f} at most; accuracy {' and in validation '.join(map(spread, accuracies))}"
        what = f"{name}: share of the heat on the watermark, the "
        cheats = name == "cheating"
        worst, row = (share.min(), at_least) if cheats else (share.max(), at_most)
        rows.append(row(what + ("least" if cheats else "most"), 100 * worst, 80 if cheats else 20, "%", detail))
    return rows


def table(rounds: int) -> str:
    """Return the section as Markdown."""
    return "\n".join(
        [
            f"## Overfitting\n\n{ABOUT.format(rounds=rounds, epochs=EPOCHS).strip()}\n",
            *(_of_data_set(data, rounds) for data in (clothes(), digits())),
            markdown(
                "A watermark that leaks the label", HANS.format(rounds=rounds, area=100 * 4 / 49), cheating(rounds)
            ),
        ]
    )


def _of_data_set(data: DataSet, rounds: int) -> str:
    runs, given = recorded(data, rounds), {"rounds": rounds, "epochs": EPOCHS, "last": EPOCHS - 1, "patience": PATIENCE}
    heads = ["metric", *(f"{arm}: {name}" for arm, name in NAMES.items())]
    cells, rows = stops(runs)
    sections = {
        ("At the end", LAST): grid(heads, at_the_end(runs)),
        ("What it separates", APART): grid(
            ["metric", *("/".join(p) for p in PAIRS), "gap", "gap of losses"], apart(runs)
        ),
        ("When it turns", TURNS): grid(heads, turns(runs)),
        ("When it would stop", STOPS): grid(heads, cells),
        ("What it would keep", KEPT): grid(heads, kept_accuracy(runs)),
    }
    texts = [
        f"### {data.name}: {title.lower()}\n\n{about.format(**given).strip()}\n\n{table}"
        for (title, about), table in sections.items()
    ]
    real = [real_stop()] if data.name == clothes().name else []
    alarms = markdown(f"{data.name}: as an alarm", ALARM.format(rounds=rounds), [*rows, *above(runs), *real])
    return "\n".join([*texts, f"#{alarms}"])


def monitor(test: Any) -> Any:
    """Return an `OverfittingMonitor` that draws the last epoch only; metrics are measured at every epoch anyway."""
    return kv.OverfittingMonitor(tempfile.mkdtemp(), test, freq=EPOCHS)


def _by_arm(runs: Runs, value: Callable[[Run], float], *forms: str) -> list[str]:
    return [spread([value(run) for run in some], *forms) for some in runs.values()]


def spread(values: Iterable[float], form: str = "{:.2f}", ends: str = "") -> str:
    """Return the mean, and the range in brackets."""
    values = np.asarray(list(values), "float64")
    low, high = ((ends or form).format(end) for end in (values.min(), values.max()))
    return f"{form.format(values.mean())} ({low} to {high})"


def _of_all(what: str, held: Sequence[bool]) -> Row:
    return Row(what, f"{sum(held)} of {len(held)}", f"{len(held)} of {len(held)}", all(held))
