"""Confusion matrices: which class is taken for which."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .confidence import AnswerScores

Normalize = Literal["true", "pred", "all"] | None
_NO_ANSWER = -1
_ALL_CLASSES = 256  # of more, only those that occur are counted: most cells of a larger matrix are empty
_Real = NDArray[np.float64]
_Whole = NDArray[np.intp]


def confusion_counts(true: ArrayLike, predicted: ArrayLike, classes: int, weights: ArrayLike | None = None) -> _Real:
    """Count, or sum the weights `(n,)` of, the rows of each true class (rows) that are taken for each class (columns).

    `true` and `predicted` are `(n,)`, from 0 to `classes` - 1; a row with a negative number is left out. Returns
    `(classes, classes)`.
    """
    actual, answered = np.asarray(true, np.intp), np.asarray(predicted, np.intp)
    known = (actual >= 0) & (answered >= 0)
    given = np.ones(len(actual)) if weights is None else np.asarray(weights, np.float64)
    cells = actual[known] * classes + answered[known]
    counts: _Real = np.bincount(cells, given[known], classes * classes).astype(np.float64)
    return counts.reshape(classes, classes)


def normalized(counts: ArrayLike, normalize: Normalize) -> _Real:
    """Divide `(..., k, k)` by the sums of rows (`"true"`), of columns (`"pred"`) or of all (`"all"`), as scikit-learn.

    A cell is 0 where that sum is 0.
    """
    values: _Real = np.asarray(counts, np.float64)
    if normalize is None:
        return values
    axes: dict[str, tuple[int, ...]] = {"true": (-1,), "pred": (-2,), "all": (-2, -1)}
    sums = values.sum(axis=axes[normalize], keepdims=True)
    shares: _Real = np.divide(values, sums, out=np.zeros_like(values), where=sums > 0)
    return shares


def accuracies(true: ArrayLike, predicted: ArrayLike, weights: ArrayLike | None = None) -> tuple[float, float]:
    """Compute the share of correct rows, and its mean over the classes that occur (balanced accuracy).

    Arguments as for `confusion_counts`; a row without an answer is wrong, one without a class is left out. NaN without
    any row.
    """
    actual, answered = np.asarray(true, np.intp), np.asarray(predicted, np.intp)
    known = actual >= 0
    given = (np.ones(len(actual)) if weights is None else np.asarray(weights, np.float64))[known]
    if not given.sum() > 0:
        return float("nan"), float("nan")
    right = (actual == answered)[known] * given
    sums = np.bincount(actual[known], given)
    recalls = np.bincount(actual[known], right)[sums > 0] / sums[sums > 0]
    return float(right.sum() / given.sum()), float(recalls.mean())


def label_accuracies(true: ArrayLike, right: ArrayLike) -> tuple[float, float, float, tuple[float, ...]]:
    """Compute how well several labels a row are answered, beside always answering each as most rows have it.

    Args:
        true: 0 or 1, `(n, k)`.
        right: Whether each answer is correct, of as many elements.

    Returns:
        The share of correct answers, the balanced accuracy (mean over the labels that some rows have and some do not),
        the share of correct answers of such constant ones, and how many rows are without and with a label (harmonic
        means over those labels; empty without any).
    """
    actual = np.asarray(true) > 0.5
    correct = np.asarray(right, bool).reshape(actual.shape)
    sizes = np.stack([(~actual).sum(axis=0), actual.sum(axis=0)]).astype(np.float64)  # (2, k)
    constant = float(sizes.max(axis=0).sum() / actual.size) if actual.size else float("nan")
    accuracy = float(correct.mean()) if actual.size else float("nan")
    both = sizes.min(axis=0) > 0
    if not both.any():
        return accuracy, float("nan"), constant, ()
    columns = zip(actual[:, both].T, (actual == correct)[:, both].T, strict=True)
    balanced = float(np.mean([accuracies(*pair)[1] for pair in columns]))
    return accuracy, balanced, constant, tuple((1 / (1 / sizes[:, both]).mean(axis=1)).tolist())


@dataclass(frozen=True)
class Answers:
    """Predicted classes beside the true ones.

    Attributes:
        true: The classes, `(n, m)`: one column, or one of 0 and 1 for each label.
        predicted: The same; negative where there is no answer.
        sure: The probability of each answer, `(n, m)`.
        weights: Of the rows, `(n,)`.
    """

    true: _Whole
    predicted: _Whole
    sure: _Real
    weights: _Real

    @classmethod
    def of(cls, scores: AnswerScores, truth: ArrayLike, weights: ArrayLike) -> "Answers":
        """Read the answers from the scores of classes `(n,)` or labels `(n, m)`; a NaN is no answer."""
        true = np.asarray(truth, np.intp)
        right, sure = scores.right.reshape(true.shape), scores.confidence.reshape(true.shape)
        made = np.where(right, true, 1 - true) if scores.predicted is None else scores.predicted
        made = np.where(np.isfinite(sure), made, _NO_ANSWER)
        shape = (len(true), -1)
        return cls(true.reshape(shape), made.reshape(shape), sure.reshape(shape), np.asarray(weights, np.float64))

    def accuracies(self) -> tuple[float, float]:
        """Compute the accuracy (of several labels the share of rows with all correct) and the balanced accuracy."""
        columns = [accuracies(*pair, self.weights) for pair in zip(self.true.T, self.predicted.T, strict=True)]
        if len(columns) == 1:
            return columns[0]
        every = (self.true == self.predicted).all(axis=1)
        return float(np.average(every, weights=self.weights)), float(np.mean([one for _, one in columns]))


@dataclass(frozen=True)
class Confusion:
    """One cell beside the diagonal.

    Attributes:
        label: The number of its matrix.
        true: The true class.
        predicted: The class that it is taken for.
        value: The value of the cell.
        count: How many rows.
        of: The rows of the true class.
        row: The row with the surest of these answers.
        probability: Of that answer.
    """

    label: int
    true: int
    predicted: int
    value: float
    count: int
    of: int
    row: int
    probability: float


@dataclass(frozen=True)
class Confusions:
    """Confusion matrices.

    Attributes:
        values: Normalized and weighted, `(m, k, k)`; NaN in rows that hold no answer.
        counts: The rows in each cell, `(m, k, k)`.
        numbers: The numbers of the k classes; of several matrices their own, m.
        worst: The worst confusions, of all matrices, the largest value first.
        unanswered: How many answers are missing.
        confidence: The mean probability of the answers; NaN where one is missing.
        right: The share of the answers that are right; of several labels a row, each label is one.
    """

    values: _Real
    counts: _Real
    numbers: tuple[int, ...]
    worst: tuple[Confusion, ...]
    unanswered: int
    confidence: float
    right: float

    @classmethod
    def of(
        cls, answers: Answers, classes: int, normalize: Normalize, *, worst: int, also: Sequence[int] = ()
    ) -> "Confusions":
        """Count the answers; of more than 256 classes only those that occur, and some `also` (at least the first)."""
        numbers, columns = np.arange(classes), list(zip(answers.true.T, answers.predicted.T, strict=True))
        if classes > _ALL_CLASSES:
            occurring = np.unique(np.concatenate([*columns[0], numbers[:_ALL_CLASSES], np.array(also, np.intp)]))
            numbers = occurring[occurring >= 0]
            true, made = (np.where(one < 0, -1, np.searchsorted(numbers, one)) for one in columns[0])
            columns = [(true, made)]
        size = len(numbers)
        counts = np.stack([confusion_counts(true, made, size) for true, made in columns])
        weighted = np.stack([confusion_counts(true, made, size, answers.weights) for true, made in columns])
        rows = np.stack([np.bincount(true[true >= 0], minlength=size) for true, _ in columns])
        values = normalized(weighted, normalize)
        found = [
            _confusion(label, cell, numbers, (true, made, answers.sure[:, label]), float(values[label][cell]), rows)
            for label, (true, made) in enumerate(columns)
            for cell in _worst_cells(values[label], counts[label], worst)
        ]
        found.sort(key=lambda one: (-one.value, -one.count))
        values[(counts.sum(axis=2) == 0) & (rows > 0)] = np.nan
        shown = tuple((numbers if len(columns) == 1 else np.arange(len(columns))).tolist())
        confidence = float(np.average(answers.sure.mean(axis=1), weights=answers.weights))
        right = float(np.average((answers.predicted == answers.true).mean(axis=1), weights=answers.weights))
        missing = int((answers.predicted < 0).sum())
        return cls(values, counts, shown, tuple(found[:worst]), missing, confidence, right)

    def classes(self, wanted: Sequence[int]) -> "Confusions":
        """Keep some classes of the one matrix."""
        places = np.searchsorted(self.numbers, wanted)
        values, counts = (part[:, places][:, :, places] for part in (self.values, self.counts))
        return replace(self, values=values, counts=counts, numbers=tuple(wanted))

    def labels(self, wanted: Sequence[int]) -> "Confusions":
        """Keep some of several matrices."""
        places = list(wanted)
        return replace(self, values=self.values[places], counts=self.counts[places], numbers=tuple(wanted))


def _confusion(
    label: int, cell: tuple[int, int], numbers: _Whole, column: tuple[_Whole, _Whole, _Real], value: float, rows: _Whole
) -> Confusion:
    true, made, sure = column
    within = np.flatnonzero((true == cell[0]) & (made == cell[1]))
    row = int(within[np.argmax(sure[within])])
    actual, taken = (int(numbers[one]) for one in cell)
    return Confusion(label, actual, taken, value, len(within), int(rows[label][cell[0]]), row, float(sure[row]))


def _worst_cells(values: _Real, counts: _Real, number: int) -> list[tuple[int, int]]:
    """The cells beside the diagonal with the largest values, then counts: at most `number`, none that is empty."""
    off = (counts > 0) & ~np.eye(len(counts), dtype=bool)
    true, predicted = np.nonzero(off)
    order = np.lexsort((-counts[off], -values[off]))[:number]
    return [(int(true[one]), int(predicted[one])) for one in order]


def most_confused(found: Confusions, number: int) -> tuple[int, ...]:
    """The classes with the most wrong rows, of theirs and taken for them: at most `number`, in ascending order."""
    counts = found.counts[0]
    wrong = counts.sum(axis=0) + counts.sum(axis=1) - 2 * np.diagonal(counts)
    chosen = np.sort(np.argsort(-wrong, kind="stable")[:number])
    return tuple(found.numbers[one] for one in chosen)


def most_wrong(counts: _Real, number: int) -> tuple[int, ...]:
    """Of several matrices `(m, 2, 2)` those with the most wrong rows: at most `number`, in ascending order."""
    wrong = counts[:, 0, 1] + counts[:, 1, 0]
    return tuple(np.sort(np.argsort(-wrong, kind="stable")[:number]).tolist())
