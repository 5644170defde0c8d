"""The titles below explained inputs: what is true, what is predicted, and whether that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .._typing import Array
from ..draw.text import format_number
from ..probe.labels import Labels
from ..taps.scores import Predictions

LEAST_IOU = 0.5
UNSURE = "none; highest "
_ALONE = "only "  # before the background, where nothing else is predicted
Titles = tuple[list[tuple[str, str]], list[bool] | None]


@dataclass(frozen=True)
class PredictionTitles:
    """Writes the titles of the rows of a data source.

    Attributes:
        labels: the class of each row, if any.
        marks: the labels of each row, or the pixels of each class, as `marks_of` returns them.
        kind: `"masks"`, several `"labels"`, or empty.
        background: the class of masks that is named only if there is no other.
        named: from a class to its name.
        output: what a quantity is called.
        truths: the true quantity of each row, if known.
    """

    labels: Labels
    marks: Array | None
    kind: str
    background: int | None
    named: Callable[[int], str]
    output: str = "output"
    truths: Array | None = None

    def __call__(self, predicted: Predictions) -> Titles:
        """Return the true label and the prediction of each row, and whether it is wrong; `None` if that is unknown."""
        classes, true = predicted.classes, self._true(len(predicted.confidence))
        if classes is None:
            said = [f"{self.output} {format_number(one)}" for one in predicted.confidence]
            true = [""] * len(said) if self.truths is None else [f"true {format_number(one)}" for one in self.truths]
            return list(zip(true, said, strict=True)), None
        known = np.isfinite(predicted.confidence)  # NaN is no answer, and so never right
        answers = zip(classes, predicted.confidence, known, strict=True)
        texts = [f"{self.named(one)} {p:.2f}" if finite else "NaN" for one, p, finite in answers]
        wrong = None
        if self.kind == "labels":
            unsure = known & (predicted.confidence < 0.5)
            texts = [UNSURE + text if is_unsure else text for text, is_unsure in zip(texts, unsure, strict=True)]
            if self.marks is not None:
                hit = self.marks[np.arange(len(known)), classes] > 0
                wrong = ~(known & np.where(unsure, ~self.marks.any(axis=1), hit))
        elif predicted.iou is not None:
            missed = self._missed(classes)
            ious = [f" IoU {value:.2f}" if np.isfinite(value) else "" for value in predicted.iou]
            rows = zip(texts, ious, missed, strict=True)
            texts = [_ALONE + text if alone else text + iou for text, iou, alone in rows]
            wrong = (predicted.iou < LEAST_IOU) | missed | ~known
        elif self.labels.numbers is not None and not self.labels.soft:
            wrong = (np.asarray(self.labels.numbers) != classes) | ~known
        return list(zip(true, texts, strict=True)), None if wrong is None else wrong.tolist()

    def _true(self, rows: int) -> list[str]:
        if self.marks is not None:
            return [self._marked(row) for row in self.marks]
        numbers = self.labels.numbers
        return [""] * rows if numbers is None else [self.named(label) for label in numbers]

    def _marked(self, marks: Array) -> str:
        """Return the names of the labels of a row, or of the classes of its mask beside the background."""
        order = [label for label in np.argsort(-marks, kind="stable") if marks[label] > 0]
        shown = [label for label in order if label != self.background] or order
        return ", ".join(self.named(label) for label in shown) or "none"

    def _missed(self, classes: Array) -> Array:
        """Return whether nothing but background is predicted for a row that has more, `(n,)`."""
        if self.background is None or self.marks is None:
            return np.zeros(len(classes), bool)
        missed: Array = (classes == self.background) & np.delete(self.marks, self.background, axis=1).any(axis=1)
        return missed
