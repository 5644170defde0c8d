"""The data sets of the overfitting benchmark: Fashion-MNIST, scikit-learn's digits, and both with a rare class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .models import example

Pair = tuple[Any, Any]


@dataclass(frozen=True)
class DataSet:
    """Images and labels, and how many images each training gets.

    Attributes:
        name: its name in the tables.
        train: training images `(n, height, width, 1)`, 0 to 1, and classes `(n,)`.
        test: held-out images and classes.
        few: number of images of a training on few.
        wrong: of one with wrong labels.
        flip: whether a mirrored image keeps its class.
    """

    name: str
    train: Pair
    test: Pair
    few: int
    wrong: int
    flip: bool


def clothes() -> DataSet:
    """Return Fashion-MNIST: 4,000 training and 1,000 test images of 28x28."""
    train, test, _ = example("fashion").load()
    return DataSet("Fashion-MNIST", train, test, few=200, wrong=1000, flip=True)


def digits() -> DataSet:
    """Return scikit-learn's handwritten digits: 1,200 training and 597 test images of 8x8."""
    from sklearn.datasets import load_digits

    found, order = load_digits(), np.random.default_rng(0).permutation(1797)
    x, y = found.images[order, ..., None].astype("float32") / 16, found.target[order].astype("uint8")
    return DataSet("digits", (x[:1200], y[:1200]), (x[1200:], y[1200:]), few=100, wrong=600, flip=False)


def rare(pair: Pair, positive: int, share: float) -> Pair:
    """Return the images with two classes, 1 for `positive`, of which only `share` of all are kept, the first ones."""
    x, y = pair[0], (pair[1] == positive).astype("int64")
    kept = (y == 0) | (np.cumsum(y) <= round(share / (1 - share) * np.sum(y == 0)))
    return x[kept], y[kept]
