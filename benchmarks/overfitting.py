"""Whether the figures of `OverfittingMonitor` say that a model overfits, and how early; where one looks that cheats."""

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

from .alarms import set_apart, stop, turn
from .models import EXAMPLES
from .table import Row, at_least, at_most, grid, markdown

EPOCHS, PATIENCE, TOO_SURE = 40, 5, 0.1
PAIRS = ("AB", "AC", "DE", "DC")  # the first overfits, the second less or not
NAMES = {
    "A": "200 pictures",
    "B": "200, regularised",
    "C": "4,000 pictures",
    "D": "40 % wrong labels",
    "E": "40 % wrong, regularised",
}
ABOUT = """
The arms of `examples/watch_overfitting.py`, a small CNN on Fashion-MNIST, {rounds} seeds each, {epochs} epochs of 20
steps: A few pictures (200), B the same regularised (dropout, weight decay, augmentation), C healthy (4,000 pictures, a
smaller learning rate), D 40 % wrong labels (of 1,000 pictures), E the same regularised. The figures are those of 500
validation pictures. A cell is the mean over seeds and, in brackets, the range. Epochs count from 0.
"""
LAST = """
Read at epoch {last}, the last. The *gap* is of the model as it then is: accuracy on the training pictures, by the
labels it was told, less accuracy in validation; *of losses*: `val_loss` less the loss on the training pictures.
"""
APART = """
The share of pairs, a run of each arm, in which the first arm's figure at epoch {last} is the worse (area under the ROC
curve; 1.00: it sets apart every pair, less: **missed**). *Gap*: Spearman's rank correlation over all runs.
"""
TURNS = """
The epoch of a figure's best value less that of the least `val_loss`, unsmoothed: below 0, it turns earlier. `cam_drift`
is left out: it is 0 at each new best of `val_loss` by definition. The first row is the epoch of the least `val_loss`.
"""
STOPS = """
The epoch at which `EarlyStopping(patience={patience})` on the figure ends the training, by the recorded curves;
{epochs} stands for not at all. Wanted: D stopped no later than on `val_loss`, and C no earlier.
"""
ALARM = """
Of {rounds} seeds an arm. `cam_drift` is 0 in the first epoch and at each new best of `val_loss`, so that it can only
stop at once. Overconfidence is least in the first epochs, when the model knows more than it says and it is below 0: its
value says more than its turn. The value asked for here, 0.1, was chosen after the runs were seen.
"""
HANS = """
`examples/watch_it_cheat.py`: 4,000 training pictures with a mark on 2 % of each, which tells the class, and the same
training without; {rounds} seeds, 5 epochs. The share of the heat (Grad-CAM of the true class, 500 training pictures,
maps of 7 x 7) in the four cells that touch the mark, {area:.1f} % of the maps' area.
"""


@dataclass(frozen=True)
class Run:
    """A training that was recorded.

    Attributes:
        curves: what `History` has of it.
        gap: in accuracy between the training pictures and validation, at the end.
        gap_of_losses: validation less training.
    """

    curves: dict[str, list[float]]
    gap: float
    gap_of_losses: float


Runs = dict[str, list[Run]]  # by arm, a run a seed


def modes() -> dict[str, str]:
    """The figures of the monitor, and which way each is better."""
    return {name.removeprefix("val_"): mode for name, mode in _example("watch_overfitting").MODES.items()}


def recorded(rounds: int) -> Runs:
    """Train every arm with every seed."""
    example = _example("watch_overfitting")
    few = example.ARMS["few_samples"]
    known = {
        "A": few,
        "B": example.Arm(few.pictures, regularised=True),
        "C": example.ARMS["healthy"],
        "D": example.ARMS["wrong_labels"],
        "E": example.ARMS["regularised"],
    }
    train, test, _ = _example("fashion").load()
    runs: Runs = {name: [] for name in known}
    for seed in range(1, rounds + 1):
        for name, arm in known.items():
            told = example.data(arm, train, seed)
            curves, model = example.fitted(arm, told, test, EPOCHS, [_monitor(test)], seed, verbose=0)
            pairs = [model.evaluate(*pair, batch_size=500, verbose=0) for pair in (told, test)]
            losses, rights = zip(*pairs, strict=True)
            runs[name].append(Run(curves, rights[0] - rights[1], losses[1] - losses[0]))
            print(f"{name}, seed {seed}: gap {runs[name][-1].gap:.2f}", file=sys.stderr, flush=True)
    return runs


def real_stop() -> Row:
    """`EarlyStopping` itself, in a training on wrong labels, beside what `stop` says of the curve it saw."""
    example, (train, test, _) = _example("watch_overfitting"), _example("fashion").load()
    arm, name = example.ARMS["wrong_labels"], "val_overconfidence"
    stopping = keras.callbacks.EarlyStopping(name, patience=PATIENCE, mode="min")
    told = example.data(arm, train)
    curves, _ = example.fitted(arm, told, test, EPOCHS, [_monitor(test), stopping], verbose=0)
    found, expected = len(curves[name]) - 1, stop(curves[name], "min", PATIENCE)
    detail = f"epoch {found}, read {expected:g}"
    return Row(f"Keras' own EarlyStopping on `{name}`, D", detail, "as read off the curve", found == expected)


def at_the_end(runs: Runs) -> list[list[str]]:
    """A row a figure, a column an arm: what it is at the last epoch."""
    rows = [[f"`{name}`", *_by_arm(runs, lambda run, name=name: run.curves[f"val_{name}"][-1])] for name in modes()]
    rows.append(["gap", *_by_arm(runs, lambda run: run.gap)])
    rows.append(["gap of losses", *_by_arm(runs, lambda run: run.gap_of_losses)])
    return rows


def apart(runs: Runs) -> list[list[str]]:
    """A row a figure: which arms it sets apart, and how it goes with the gap."""
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
    """A row a figure, a column an arm: how long before or after `val_loss` it turns."""
    rows = [["`val_loss`", *_by_arm(runs, lambda run: turn(run.curves["val_loss"], "min"), "{:.1f}", "{:.0f}")]]
    for name, mode in modes().items():
        if name != "cam_drift":

            def later(run: Run, name: str = name, mode: str = mode) -> float:
                return turn(run.curves[f"val_{name}"], mode) - turn(run.curves["val_loss"], "min")

            rows.append([f"`{name}`", *_by_arm(runs, later, "{:+.1f}", "{:+.0f}")])
    return rows


def stops(runs: Runs) -> tuple[list[list[str]], list[Row]]:
    """A row a figure, a column an arm: when it would stop; and whether that is when it should."""
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


def above(runs: Runs) -> list[Row]:
    """In which runs overconfidence was ever above a value."""
    rows = []
    for arms, wanted in (("AD", True), ("BCE", False)):
        reached = [max(run.curves["val_overconfidence"]) > TOO_SURE for arm in arms for run in runs[arm]]
        what = f"`val_overconfidence` above {TOO_SURE} at some epoch of {', '.join(arms[:-1])} and {arms[-1]}"
        expected = f"{len(reached) if wanted else 0} of {len(reached)}"
        rows.append(Row(what, f"{sum(reached)} of {len(reached)}", expected, all(one == wanted for one in reached)))
    return rows


def cheating(rounds: int) -> list[Row]:
    """How much of the heat lies on the mark, with and without it."""
    example = _example("watch_it_cheat")
    train, test, _ = _example("fashion").load()
    found: dict[str, list[list[float]]] = {"cheating": [], "honest": []}
    for seed in range(1, rounds + 1):
        for name, data in example.arms(train).items():
            curves = example.fitted(data, test, 5, [example.MarkShare(kv.Probe(data, count=500))], seed, verbose=0)
            keys = ("mark_share", "mark_share_mean", "mark_empty", "accuracy", "val_accuracy")
            found[name].append([curves[key][-1] for key in keys])
    rows = []
    for name, values in found.items():
        share, mean, empty, *accuracies = np.transpose(values)
        detail = f"{_spread(100 * share, '{:.1f}')}; the pictures' own shares {_spread(100 * mean, '{:.1f}')}; without "
        detail += f"heat {empty.max():.0f} at most; accuracy {' and in validation '.join(map(_spread, accuracies))}"
        what = f"{name}: share of the heat on the mark, the "
        cheats = name == "cheating"
        worst, row = (share.min(), at_least) if cheats else (share.max(), at_most)
        rows.append(row(what + ("least" if cheats else "most"), 100 * worst, 80 if cheats else 20, "%", detail))
    return rows


def table(rounds: int) -> str:
    """Markdown."""
    runs, given = recorded(rounds), {"rounds": rounds, "epochs": EPOCHS, "last": EPOCHS - 1, "patience": PATIENCE}
    heads = [f"{arm}: {name}" for arm, name in NAMES.items()]
    cells, rows = stops(runs)
    sections = [
        f"## Overfitting\n\n{ABOUT.format(**given).strip()}\n",
        f"### At the end\n\n{LAST.format(**given).strip()}\n\n{grid(['figure', *heads], at_the_end(runs))}",
        f"### What it sets apart\n\n{APART.format(**given).strip()}\n\n"
        + grid(["figure", *("/".join(pair) for pair in PAIRS), "gap", "gap of losses"], apart(runs)),
        f"### When it turns\n\n{TURNS.strip()}\n\n{grid(['figure', *heads], turns(runs))}",
        f"### When it would stop\n\n{STOPS.format(**given).strip()}\n\n{grid(['figure', *heads], cells)}",
        "#" + markdown("As an alarm", ALARM.format(rounds=rounds), [*rows, *above(runs), real_stop()]),
        markdown("A model that cheats", HANS.format(rounds=rounds, area=100 * 4 / 49), cheating(rounds)),
    ]
    return "\n".join(sections)


def _monitor(test: Any) -> Any:
    # Drawn at the end alone: its figures are measured at every epoch all the same.
    return kv.OverfittingMonitor(tempfile.mkdtemp(), test, freq=EPOCHS)


def _example(name: str) -> Any:
    if str(EXAMPLES) not in sys.path:
        sys.path.insert(0, str(EXAMPLES))
    return __import__(name)


def _by_arm(runs: Runs, value: Callable[[Run], float], *forms: str) -> list[str]:
    return [_spread([value(run) for run in some], *forms) for some in runs.values()]


def _spread(values: Iterable[float], form: str = "{:.2f}", ends: str = "") -> str:
    """The mean, and the range in brackets."""
    values = np.asarray(list(values), "float64")
    low, high = ((ends or form).format(end) for end in (values.min(), values.max()))
    return f"{form.format(values.mean())} ({low} to {high})"


def _of_all(what: str, held: Sequence[bool]) -> Row:
    return Row(what, f"{sum(held)} of {len(held)}", f"{len(held)} of {len(held)}", all(held))
