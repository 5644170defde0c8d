"""Confidence of predictions compared with their accuracy."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_Real = NDArray[np.float64]


@dataclass(frozen=True)
class AnswerScores:
    """Predictions compared with the true labels.

    Attributes:
        confidence: Probability of each prediction: `(n,)`, with several labels a row `(n * k,)`.
        right: Whether each prediction is correct, of the same shape.
        true: The probability given to the true class, `(n,)`; with several labels a row the mean over them.
        predicted: The predicted class, `(n,)`; `None` with several labels a row.
    """

    confidence: _Real
    right: NDArray[np.bool_]
    true: _Real
    predicted: NDArray[np.intp] | None

    @property
    def wrong_rows(self) -> NDArray[np.bool_]:
        """Rows with at least one wrong prediction, `(n,)`."""
        right: NDArray[np.bool_] = np.all(self.right.reshape(len(self.true), -1), axis=1)
        return ~right


def multiclass_scores(probabilities: ArrayLike, labels: ArrayLike) -> AnswerScores:
    """Compare predictions `(n, k)` with the one true class of each row, `(n,)`, from 0 to k - 1.

    A row with NaN counts as wrong, with a confidence of NaN.
    """
    values, true = np.asarray(probabilities, np.float64), np.asarray(labels, np.intp)
    rows = np.arange(len(values))
    predicted = values.argmax(axis=1)
    right = (predicted == true) & np.isfinite(values).all(axis=1)
    return AnswerScores(values[rows, predicted], right, values[rows, true], predicted)


def multilabel_scores(probabilities: ArrayLike, labels: ArrayLike) -> AnswerScores:
    """Compare predictions with several labels a row, each a binary decision of its own with the threshold 0.5.

    `probabilities` that a label applies and `labels`, 1 where it does and 0 where it does not, are both `(n, k)`.
    NaN is never right.
    """
    positive, true = np.asarray(probabilities, np.float64), np.asarray(labels) > 0.5
    of_true = np.where(true, positive, 1 - positive)
    confidence = np.maximum(positive, 1 - positive)
    right = ((positive >= 0.5) == true) & np.isfinite(positive)
    return AnswerScores(confidence.ravel(), right.ravel(), of_true.mean(axis=1), None)


def overconfidence(answer_scores: AnswerScores, row_weights: ArrayLike | None = None) -> float:
    """Compute mean confidence minus accuracy: the signed calibration error of all predictions in one bin.

    Args:
        answer_scores: The predictions.
        row_weights: `(n,)`, at least 0, what each row counts for; None: each the same. A calibrated model is calibrated
            for the proportions of the classes in its data: rows chosen in others must be weighted back to them.

    Returns:
        From -1 (confidence 0, all correct) to 1 (confidence 1, all wrong); 0 for a model that is as confident as it is
        accurate. NaN where a confidence is not finite, or without any prediction.

    Reference:
        Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
    """
    if not answer_scores.confidence.size or not np.isfinite(answer_scores.confidence).all():
        return float("nan")
    excess = (answer_scores.confidence - answer_scores.right).reshape(len(answer_scores.true), -1).mean(axis=1)
    return float(np.average(excess, weights=None if row_weights is None else np.asarray(row_weights, np.float64)))


def softmax(logits: ArrayLike) -> _Real:
    """Compute class probabilities `(..., k)` from logits, in float64; NaN in rows with NaN or plus infinity."""
    from scipy.special import softmax as scipy_softmax

    with np.errstate(invalid="ignore"):
        return np.asarray(scipy_softmax(np.asarray(logits, np.float64), axis=-1))


def sigmoid(logits: ArrayLike) -> _Real:
    """Compute the probabilities of binary labels from logits of any shape, in float64."""
    from scipy.special import expit

    return np.asarray(expit(np.asarray(logits, np.float64)))
