"""How well the figures of `DataMap` find planted wrong labels, beside cleanlab's label quality scores."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kerasviz_callbacks.maths.confidence import softmax

from .data_sets import DataSet, Pair, clothes, digits
from .models import example

EPOCHS, FOLDS, FOLD_SEEDS = 40, 5, 2
ROWS = {"Fashion-MNIST": (2000, 1000), "digits": (1200, 597)}  # training and validation images
NOISE = {"10 % random": (0.1, False), "40 % random": (0.4, False), "10 % confusable": (0.1, True)}
ALIKE = {  # pairs of classes that look alike; a bag looks like nothing else, and is not mislabelled
    "Fashion-MNIST": {0: 6, 6: 0, 2: 4, 4: 2, 1: 3, 3: 1, 5: 7, 7: 9, 9: 7},
    "digits": {0: 6, 6: 0, 1: 8, 8: 1, 2: 3, 3: 2, 4: 7, 7: 4, 5: 9, 9: 5},
}


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
