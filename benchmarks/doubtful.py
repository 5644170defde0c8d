"""How well the figures of `DataMap` find planted wrong labels, beside cleanlab's label quality scores."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from sklearn.metrics import roc_auc_score

from kerasviz_callbacks.maths.classes import knn_agreement
from kerasviz_callbacks.maths.confidence import softmax
from kerasviz_callbacks.maths.dynamics import SampleDynamics, doubt
from kerasviz_callbacks.maths.sample_scores import class_scores

from .data_sets import DataSet, Pair, clothes, digits
from .models import example
from .table import Row, at_least, grid, markdown

EPOCHS, FOLDS, FOLD_SEEDS = 40, 5, 2
ROWS = {"Fashion-MNIST": (2000, 1000), "digits": (1200, 597)}  # training and validation images
NOISE = {"10 % random": (0.1, False), "40 % random": (0.4, False), "10 % confusable": (0.1, True)}
ALIKE = {  # pairs of classes that look alike; a bag looks like nothing else, and is not mislabelled
    "Fashion-MNIST": {0: 6, 6: 0, 2: 4, 4: 2, 1: 3, 3: 1, 5: 7, 7: 9, 9: 7},
    "digits": {0: 6, 6: 0, 1: 8, 8: 1, 2: 3, 3: 2, 4: 7, 7: 4, 5: 9, 9: 5},
}


NEIGHBOURS = 10
COLUMNS = {
    "doubt_rank": "`doubt_rank`",
    "margin": "`margin`",
    "margin_to_the_end": "`margin_to_the_end`",
    "confidence": "`confidence`",
    "loss": "loss now",
    "knn_disagreement": "`knn_disagreement`",
    "forgetting": "`forgetting`",
    "cleanlab": "cleanlab",
    "out_of_sample": "cleanlab, 5 folds",
}
ABOUT = """
Which figures of `DataMap` find planted wrong labels: {rounds} seeds, two data sets (2,000 clothes, 1,200 digits), the
small CNN of `examples/watch_overfitting.py` over {epochs} epochs of 20 steps, without and with regularisation (dropout,
weight decay, augmentation). Labels are wrong at random in 10 and 40 % of the rows, or in 10 % exchanged for the class
that looks alike (shirt and T-shirt, 4 and 7); in the validation data too, as they would be. A cell is the area under
the ROC curve and, behind it, the share of planted labels among as many rows of the highest rank; means over seeds.

`doubt_rank` is the ranking of `DataMap`: the mean of the ranks by `margin` (up to the lowest `val_loss`) and by
`knn_disagreement` (of the moment). *loss now* is the cross-entropy of the row, *cleanlab* its label quality score
(self-confidence) of the same model's probabilities, *5 folds* that of probabilities of models that were not trained on
the row: five trainings more, {folds} seeds. Rows that were never right count as forgotten most often.
"""
WHEN = {"best": "At the epoch of the lowest val_loss", "end": "At the end of the training"}
AIMS = """
The area under the ROC curve of `doubt_rank` at the end minus that of the other, means over seeds. Where in-sample
scores find nearly all planted labels, as of digits, no ranking can be ahead by 0.02.
"""


@dataclass(frozen=True)
class Recorded:
    """What was recorded of the training rows of one training.

    Attributes:
        logits: at the end of every epoch, `(epochs, n, classes)`.
        features: of the last hidden layer, by epoch, `(n, d)`: of the best epoch and of the last.
        best: the epoch of the lowest `val_loss`.
        labels: those used in training, `(n,)`.
        wrong: which of them are planted, `(n,)`.
        out_of_sample: probabilities of models that were not trained on the row, `(n, classes)`; `None`: not trained.
    """

    logits: Any
    features: dict[int, Any]
    best: int
    labels: Any
    wrong: Any
    out_of_sample: Any


class Recorder(keras.callbacks.Callback):
    """Record features and logits of some rows at the end of every epoch, and the best epoch so far."""

    def __init__(self, x: Any):
        super().__init__()
        self.x, self.logits, self.features = x, [], {}
        self.best, self.lowest = 0, np.inf

    def on_train_begin(self, logs: Any = None) -> None:
        """Find the last hidden layer."""
        self.hidden = keras.Model(self.model.inputs[0], self.model.get_layer("hidden").output)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Record this epoch."""
        features = np.asarray(self.hidden(self.x, training=False))
        kernel, bias = (np.asarray(weight, np.float64) for weight in self.model.get_layer("classes").weights)
        self.logits.append((features.astype(np.float64) @ kernel + bias).astype(np.float32))
        kept = {self.best} if logs["val_loss"] >= self.lowest else set()
        if not kept:
            self.best, self.lowest = epoch, logs["val_loss"]
        self.features = {one: known for one, known in self.features.items() if one in kept} | {epoch: features}


def mislabelled(pair: Pair, data: DataSet, noise: str, draws: np.random.Generator) -> tuple[Any, Any]:
    """Return labels of which a share is wrong, and which: to any other class, or to the one that looks alike."""
    share, confusable = NOISE[noise]
    y, classes = pair[1].astype(np.int64), int(pair[1].max()) + 1
    alike = np.array([ALIKE[data.name].get(one, -1) for one in range(classes)])
    may = np.flatnonzero(alike[y] >= 0) if confusable else np.arange(len(y))
    rows = draws.choice(may, round(share * len(y)), replace=False)
    told = y.copy()
    told[rows] = alike[y[rows]] if confusable else (y[rows] + draws.integers(1, classes, len(rows))) % classes
    return told, told != y


def recorded(data: DataSet, noise: str, regularised: bool, seed: int) -> Recorded:
    """Train once, and on the first seeds also once a fold."""
    trains, draws = example("watch_overfitting"), np.random.default_rng(seed)
    n, held_out = ROWS[data.name]
    chosen = draws.permutation(len(data.train[1]))[:n]
    train = (data.train[0][chosen], data.train[1][chosen])
    labels, wrong = mislabelled(train, data, noise, draws)
    test = (data.test[0][:held_out], data.test[1][:held_out])
    test = (test[0], mislabelled(test, data, noise, draws)[0])  # who has wrong labels has them in validation too
    x, outside = train[0], None
    watched = _trained(trains.Arm(n, regularised=regularised, flip=data.flip), (x, labels), test, x, seed)
    if seed <= FOLD_SEEDS:
        outside, fold = np.zeros((n, watched.logits[0].shape[1])), draws.permutation(n) % FOLDS
        for number in range(FOLDS):
            inside = fold != number
            arm = trains.Arm(int(inside.sum()), regularised=regularised, flip=data.flip)
            found = _trained(arm, (x[inside], labels[inside]), test, x[~inside], seed)
            outside[~inside] = softmax(found.logits[found.best])
    return Recorded(np.stack(watched.logits), watched.features, watched.best, labels, wrong, outside)


def _trained(arm: Any, train: Pair, test: Pair, watched: Any, seed: int) -> Recorder:
    recorder = Recorder(watched)
    example("watch_overfitting").fitted(arm, train, test, EPOCHS, [recorder], seed, verbose=0)
    return recorder


def settings(rounds: int) -> Iterator[tuple[DataSet, str, bool, int]]:
    """Yield the settings of all trainings."""
    for data in (clothes(), digits()):
        for seed in range(1, rounds + 1):
            for noise in NOISE:
                for regularised in (False, True):
                    print(f"{data.name}, {noise}, regularised {regularised}, seed {seed}", file=sys.stderr, flush=True)
                    yield data, noise, regularised, seed


def figures(run: Recorded, epoch: int) -> dict[str, Any]:
    """Return every figure after an epoch, `(n,)` each, the higher the more doubtful."""
    from cleanlab.rank import get_label_quality_scores

    dynamics, rows = SampleDynamics.of(len(run.labels)), np.arange(len(run.labels))
    for step in range(epoch + 1):
        scores = class_scores(run.logits[step], run.labels)
        dynamics.add(scores, step, -float(step <= run.best) * (step + 1))  # lowest at the best epoch
    disagreement = 1 - knn_agreement(run.features[epoch], run.labels, NEIGHBOURS)
    found = {
        "doubt_rank": doubt(dynamics.margin, disagreement),
        "margin": -dynamics.margin,
        "margin_to_the_end": -dynamics.margin_to_the_end,
        "confidence": -dynamics.confidence,
        "loss": -np.log(np.maximum(scores.probability, 1e-300)),
        "knn_disagreement": disagreement,
        "forgetting": np.where(dynamics.sums["right_epochs"] > 0, dynamics.forgetting, EPOCHS),
        "cleanlab": -get_label_quality_scores(run.labels, softmax(run.logits[epoch]), method="self_confidence"),
    }
    if run.out_of_sample is not None:
        found["out_of_sample"] = -run.out_of_sample[rows, run.labels]
    return found


def found_by(values: Any, wrong: Any) -> tuple[float, float]:
    """Return the area under the ROC curve, and the precision at the number of planted labels."""
    first = np.argsort(-values, kind="stable")[: int(wrong.sum())]
    return float(roc_auc_score(wrong, values)), float(wrong[first].mean())


Results = dict[tuple[str, str, bool], dict[str, list[dict[str, tuple[float, float]]]]]
"""By data set, noise and whether regularised, and by when: of each seed, area and precision by figure."""


def results(rounds: int) -> Results:
    """Train all, and return what each figure finds."""
    found: Results = {}
    for data, noise, regularised, seed in settings(rounds):
        run = recorded(data, noise, regularised, seed)
        of_setting = found.setdefault((data.name, noise, regularised), {when: [] for when in WHEN})
        for when, epoch in (("best", run.best), ("end", EPOCHS - 1)):
            values = figures(run, epoch)
            of_setting[when].append({name: found_by(one, run.wrong) for name, one in values.items()})
    return found


def mean(seeds: list[dict[str, tuple[float, float]]], name: str) -> tuple[float, float]:
    """Return the mean area and precision of a figure over the seeds that have it."""
    area, precision = np.mean([seed[name] for seed in seeds if name in seed], axis=0)
    return float(area), float(precision)


def ahead(found: Results) -> list[Row]:
    """Return how far the ranking is ahead of cleanlab's scores."""
    rows = []
    for (data, noise, regularised), of_setting in found.items():
        seeds = of_setting["end"]
        ours, inside = mean(seeds, "doubt_rank")[0], mean(seeds, "cleanlab")[0]
        folded = [seed for seed in seeds if "out_of_sample" in seed]
        outside = mean(folded, "doubt_rank")[0] - mean(folded, "out_of_sample")[0]
        how = "regularised" if regularised else "not regularised"
        least = -0.01 if regularised else 0.02
        what = f"{data}, {noise}, {how}: ahead of in-sample scores"
        rows.append(at_least(what, ours - inside, least, "", f"{ours:.3f}; ahead of 5 folds {outside:+.3f}"))
    return rows


def table(rounds: int) -> str:
    """Return the section as Markdown."""
    found = results(rounds)
    folds = min(rounds, FOLD_SEEDS)
    texts = [f"## Wrong labels\n\n{ABOUT.format(rounds=rounds, epochs=EPOCHS, folds=folds).strip()}\n"]
    for when, title in WHEN.items():
        rows = []
        for (data, noise, regularised), of_setting in found.items():
            cells = [mean(of_setting[when], name) for name in COLUMNS]
            how = "regularised" if regularised else "not regularised"
            rows.append([f"{data}, {noise}, {how}", *(f"{area:.3f} {share:.2f}" for area, share in cells)])
        texts.append(f"### {title}\n\n{grid(['setting', *COLUMNS.values()], rows)}")
    return "\n".join([*texts, f"#{markdown('Ahead of the scores of cleanlab', AIMS, ahead(found))}"])
