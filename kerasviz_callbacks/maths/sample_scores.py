"""What one answer of a classifier says of one label: probability, margin, and the label that it would give instead."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .confidence import sigmoid, softmax

_Real = NDArray[np.float64]


@dataclass(frozen=True)
class SampleScores:
    """The answers of a classifier compared with labels, at one time: one for each row, or for each label of each row.

    Attributes:
        probability: given to the label, `(n,)`.
        right: whether the answer is the label, `(n,)`; never without an answer.
        margin: logit of the label minus the largest other one, `(n,)`; NaN without an answer, where a logit is NaN or
            infinite.
        rival: the class with the largest other logit, `(n,)`.
    """

    probability: _Real
    right: NDArray[np.bool_]
    margin: _Real
    rival: NDArray[np.intp]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Where there is an answer, `(n,)`."""
        return ~np.isnan(self.margin)


def class_scores(logits: ArrayLike, labels: ArrayLike, *, independent: bool = False) -> SampleScores:
    """Compare logits `(n, k)`, k at least 2, with the one class of each row, `(n,)`, from 0 to k - 1.

    Of equal logits the lower class is the answer. Differences of logits are those of logarithms of probabilities, so
    these may be passed too. `independent` logits have a sigmoid each in place of a softmax.
    """
    values, true = np.asarray(logits, np.float64), np.asarray(labels, np.intp)
    rows = np.arange(len(values))
    values = np.where(np.isfinite(values).all(axis=1, keepdims=True), values, np.nan)
    others = values.copy()
    others[rows, true] = -np.inf
    rival = others.argmax(axis=1)
    margin = values[rows, true] - others[rows, rival]
    right = (values.argmax(axis=1) == true) & ~np.isnan(margin)
    probability = sigmoid(values[rows, true]) if independent else softmax(values)[rows, true]
    return SampleScores(probability, right, margin, rival)


def label_scores(logits: ArrayLike, labels: ArrayLike) -> SampleScores:
    """Compare logits with labels of yes and no, 1 or 0, of the same shape; the results are flattened.

    The margin is the logit where the label is yes, else minus the logit: the difference of the logits of two classes.
    A logit of 0 means yes.
    """
    values, yes = np.asarray(logits, np.float64).ravel(), np.asarray(labels).ravel() > 0.5
    margin = np.where(np.isfinite(values), np.where(yes, values, -values), np.nan)
    right = ((values >= 0) == yes) & ~np.isnan(margin)
    return SampleScores(sigmoid(margin), right, margin, np.where(yes, 0, 1))
