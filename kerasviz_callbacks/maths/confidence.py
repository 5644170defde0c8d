"""How sure a model is, beside how often it is right."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_Real = NDArray[np.float64]


@dataclass(frozen=True)
class AnswerScores:
    """What a model's answers are worth, given the right ones.

    Attributes:
        confidence: How sure each answer is, the largest probability: `(n,)`, with several labels a row `(n * k,)`.
        right: Whether it is right, likewise.
        true: The probability given to what is true, `(n,)`; with several labels a row the mean over them.
        predicted: The class predicted, `(n,)`; `None` with several labels a row.
    """

    confidence: _Real
    right: NDArray[np.bool_]
    true: _Real
    predicted: NDArray[np.intp] | None

    @property
    def wrong_rows(self) -> NDArray[np.bool_]:
        """Rows in which an answer is wrong, `(n,)`."""
        right: NDArray[np.bool_] = np.all(self.right.reshape(len(self.true), -1), axis=1)
        return ~right


def of_classes(probabilities: ArrayLike, labels: ArrayLike) -> AnswerScores:
    """Grade answers of which one class is true.

    Args:
        probabilities: `(n, k)`. A row of NaN grades as NaN and wrong.
        labels: `(n,)`, from 0 to k - 1.
    """
    values, true = np.asarray(probabilities, np.float64), np.asarray(labels, np.intp)
    rows = np.arange(len(values))
    predicted = values.argmax(axis=1)
    right = (predicted == true) & np.isfinite(values).all(axis=1)
    return AnswerScores(values[rows, predicted], right, values[rows, true], predicted)


def of_labels(probabilities: ArrayLike, labels: ArrayLike) -> AnswerScores:
    """Grade answers of yes or no to each of several labels, each by itself.

    Args:
        probabilities: Of yes, `(n, k)`.
        labels: `(n, k)`, 1 for yes and 0 for no.
    """
    yes, true = np.asarray(probabilities, np.float64), np.asarray(labels) > 0.5
    given = np.where(true, yes, 1 - yes)
    return AnswerScores(np.maximum(yes, 1 - yes).ravel(), ((yes >= 0.5) == true).ravel(), given.mean(axis=1), None)


def overconfidence(answer_scores: AnswerScores) -> float:
    """Say how much surer a model is than it should be: mean confidence less the share of right answers.

    It is the calibration error of all answers taken together (one bin), with its sign.

    Returns:
        From -1 (never sure, always right) over 0 (as sure as it should be) to 1 (always sure, always wrong). NaN where
        a confidence is not finite, or without any.

    Reference:
        Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
    """
    if not answer_scores.confidence.size or not np.isfinite(answer_scores.confidence).all():
        return float("nan")
    return float(answer_scores.confidence.mean() - answer_scores.right.mean())


def softmax(logits: ArrayLike) -> _Real:
    """Probabilities `(n, k)` from logits, without overflow."""
    values = np.asarray(logits, np.float64)
    with np.errstate(invalid="ignore"):
        powers = np.exp(values - values.max(axis=-1, keepdims=True))
        shares: _Real = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def sigmoid(logits: ArrayLike) -> _Real:
    """Probabilities of yes from logits of any shape, without overflow."""
    values = np.asarray(logits, np.float64)
    small = np.exp(-np.abs(values))
    chances: _Real = np.where(values >= 0, 1 / (1 + small), small / (1 + small))
    return chances
