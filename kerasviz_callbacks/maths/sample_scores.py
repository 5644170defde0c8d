"""What one answer of a classifier says of one label: probability, margin, and the label that it would give instead."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .confidence import sigmoid, softmax

_Real = NDArray[np.float64]
_BLOCK_VALUES = 2**20
"""Number of logits that are compared at once: 8 MiB."""


@dataclass(frozen=True)
class SampleScores:
    """The answers of a classifier compared with labels, at one time: one for each row, or for each label of each row.

    Attributes:
        probability: given to the label, `(n,)`.
        right: whether the answer is the label, `(n,)`; never without an answer.
        margin: logit of the label minus the largest other one, `(n,)`; NaN without an answer or a label.
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

    def of_rows(self, rows: NDArray[np.intp]) -> "SampleScores":
        """Return the scores of some rows."""
        return SampleScores(self.probability[rows], self.right[rows], self.margin[rows], self.rival[rows])


def class_scores(logits: ArrayLike, labels: ArrayLike, *, independent: bool = False) -> SampleScores:
    """Compare logits `(n, k)`, k at least 2, with the one class of each row, `(n,)`, from 0 to k - 1; -1: it has none.

    Of equal logits the lower class is the answer. Differences of logits are those of logarithms of probabilities, so
    these may be passed too. `independent` logits have a sigmoid each in place of a softmax. There is no answer where a
    logit is NaN or infinite; minus infinity, which excludes a class, is a logit like others but for the label itself.
    """
    given, own = np.asarray(logits), np.asarray(labels, np.intp)
    size = max(1, _BLOCK_VALUES // max(1, given.shape[1]))
    blocks = [
        _block_scores(given[start : start + size].astype(np.float64), own[start : start + size], independent)
        for start in range(0, max(len(given), 1), size)
    ]
    fields = ("probability", "right", "margin", "rival")
    return SampleScores(*(np.concatenate([getattr(block, name) for block in blocks]) for name in fields))


def _block_scores(values: _Real, labels: NDArray[np.intp], independent: bool) -> SampleScores:
    rows, true = np.arange(len(values)), np.maximum(labels, 0)
    unknown = np.isnan(values).any(axis=1) | (values == np.inf).any(axis=1) | (labels < 0)
    values[unknown] = np.nan
    others = values.copy()
    others[rows, true] = -np.inf
    rival = others.argmax(axis=1)
    with np.errstate(invalid="ignore"):
        margin = values[rows, true] - others[rows, rival]
    margin = np.where(np.isfinite(margin), margin, np.nan)
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
