"""Bounding boxes, and the classes or scores of another output."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np

from ..._typing import Array
from ...callback import VALIDATION
from ...callback.types import Memory
from ...draw.predicted_tiles import UNJUDGED, box_tile, touches
from ...draw.predictions import Key
from ...draw.text import INK
from ...maths.boxes import box_iou, guess_format, matched_iou, partners, to_xyxy
from ...maths.confidence import sigmoid, softmax
from ...taps.reader import Capture, Captured
from ...taps.scores import is_probabilities
from .outputs import Output
from .places import Places, count_bad
from .prediction_kind import MAX_ROWS, Shown

MAX_BOXES = 100
MAX_NAMES = 16  # boxes of an image beside which their classes stand
LEAST_SCORE = 0.5
_OF_SCORES = ("class", "label", "score", "conf", "logit", "objectness")


class Boxes(Places):
    """Bounding boxes, true and predicted, over the input."""

    kind = "boxes"
    scalars: ClassVar[Mapping[str, str]] = {
        "mean_iou": "Mean intersection over union (IoU) of boxes matched one to one so that it is largest; a box "
        "without a partner, true or predicted, counts 0. Over all rows of the probe.",
    }
    reading = (
        "true and predicted boxes over the input; where another output scores them, those of at least 0.5. Below each "
        "image its mean IoU: 1 is perfect, a box without a partner counts 0. Where an output gives classes, they stand "
        "at the predicted boxes: on dark ground, with the true class, if the true box that it is matched with has "
        "another, on grey and not judged if the two do not overlap."
    )
    bad_signs = "the same boxes for every input (the model has learned the mean box), many boxes without a partner."

    def __init__(self, output: Output, scores: Output | None = None):
        super().__init__(output)
        self.scores = None if scores is None else replace(scores)
        self._scored = None if scores is None else Capture(scores.path)
        truth = self.output.truths.get(VALIDATION)
        given = output.options.bounding_box_format
        self.guessed = given is None
        self.format = given or ("rel_xyxy" if truth is None else guess_format(truth[~self._padded(VALIDATION)]))
        self._true = {source: self._true_boxes(source) for source in output.probes}
        self._most_true = 0 if truth is None else truth.shape[1]
        self._true_classes = {source: self._classes_of_truth(source) for source in output.probes}
        if any(self._true_classes.values()):
            self.further_keys = [Key("wrong class", INK), Key("class not judged", UNJUDGED)]

    @classmethod
    def fits(cls, output: Output) -> bool:
        """`(k, 4)`, or one box `(4,)`, over images."""
        return super().fits(output) and output.shape[-1:] == (4,) and len(output.shape) <= 2

    def fitted(self, y: Array, output: Output) -> Array | None:
        """Return `(n, m, 4)`: there may be more true boxes than predicted ones."""
        fits = y.ndim in (2, 3) and y.shape[-1] == 4 and y.dtype.kind in "iuf"
        return y.reshape(len(y), -1, 4).astype(np.float64) if fits else None

    @property
    def captures(self) -> tuple[Capture, ...]:
        """The boxes, and their scores if there are any."""
        return (self.capture, *(() if self._scored is None else (self._scored,)))

    def _padded(self, source: str) -> Array:
        """Return which true boxes `(n, m)` only fill up: of label -1, or all four numbers -1 or all 0."""
        truth = self.output.truths[source]
        boxes = np.zeros((0, 0, 4)) if truth is None else truth
        padded: Array = (boxes == -1).all(axis=-1) | (boxes == 0).all(axis=-1)
        labels = None if self.scores is None else self.scores.truths.get(source)
        if labels is not None and labels.shape[:2] == padded.shape and labels.dtype.kind in "if":
            padded = padded | (labels.reshape(*padded.shape, -1)[..., 0] == -1)
        return padded

    def _true_boxes(self, source: str) -> list[Array] | None:
        truth = self.output.truths.get(source)
        if truth is None:
            return None
        kept = ~self._padded(source)
        return [to_xyxy(row[keep], self.format, *self.sides) for row, keep in zip(truth, kept, strict=True)]

    def _all_count(self, places: int) -> bool:
        """Return whether every predicted box counts: a softmax says of which class it is, not whether it is one."""
        head = None if self.scores is None else self.scores.head
        scores_boxes = head is not None and head.is_sigmoid
        return not scores_boxes and places <= self._most_true

    def _classes_of_truth(self, source: str) -> list[Array] | None:
        """Return the classes of the true boxes of each row, -1 for none; `None` if nothing says so."""
        y, truth = None if self.scores is None else self.scores.truths.get(source), self.output.truths.get(source)
        if y is None or truth is None or self._units < 2 or y.dtype.kind not in "buif":
            return None
        places = truth.shape[:2]
        if y.size == math.prod(places):
            classes = y.reshape(places).astype(np.int64)
        elif y.size == math.prod(places) * self._units:
            hot = y.reshape(*places, self._units)
            classes = np.where((hot > 0).any(axis=-1), hot.argmax(axis=-1), -1)
        else:
            return None
        return [row[keep] for row, keep in zip(classes, ~self._padded(source), strict=True)]

    @property
    def _units(self) -> int:
        """The number of classes of each box, 1 for a score and 0 without."""
        return 0 if self.scores is None else 4 * math.prod(self.scores.shape) // math.prod(self.output.shape)

    def _kept(self, values: Array | None, rows: int, places: int) -> list[Array]:
        """Return which boxes of each row are shown: those that the scores are sure of, the surest first."""
        if values is None or self.scores is None or self._all_count(places):
            return [np.arange(min(places, MAX_BOXES))] * rows
        if self.scores.head.kind is None and values.shape[-1] > 1 and not is_probabilities(values):
            values = sigmoid(values) if self.scores.head.of_logits else softmax(values)
        elif self.scores.head.of_logits:
            values = sigmoid(values)
        sure = np.nan_to_num(values.max(axis=-1), nan=1.0)  # a box of no known score is seen
        order = np.argsort(-sure, axis=1, kind="stable")
        return [k[row[k] >= LEAST_SCORE][:MAX_BOXES] for row, k in zip(sure, order, strict=True)]

    def measure(self, captured: Mapping[Capture, Captured], source: str, memory: Memory) -> Shown:
        """Match predicted with true boxes, in every row."""
        boxes = np.asarray(captured[self.capture].output, np.float64)
        boxes = to_xyxy(boxes.reshape(len(boxes), -1, 4), self.format, *self.sides)
        values = None if self._scored is None else np.asarray(captured[self._scored].output, np.float64)
        values = None if values is None else values.reshape(*boxes.shape[:2], -1)
        kept = self._kept(values, *boxes.shape[:2])
        predicted = [row[one] for row, one in zip(boxes, kept, strict=True)]
        true, named, right = self._true[source], list[list[tuple[str, bool | None]]](), list[bool]()
        if values is not None and self._units > 1:
            found = np.where(np.isfinite(values).all(axis=-1), values.argmax(axis=-1), -1)
            named, right = self._judged([row[one] for row, one in zip(found, kept, strict=True)], predicted, source)
        outside = sum(not touches(box, *self.sides[::-1]) for row in predicted for box in row)
        pairs = f"{len(right)} overlapping pair{'s' * (len(right) > 1)}"
        more = [f"class right in {np.mean(right):.0%} of {pairs}" if right else ""]
        more.append(f"{outside} outside the image" if outside else "")
        if true is None:
            return Shown((predicted[:MAX_ROWS], None, named[:MAX_ROWS]), ", ".join(filter(None, more)), {})
        overlaps = [matched_iou(one, other) for one, other in zip(true, predicted, strict=True)]
        every = np.concatenate(overlaps)
        finite = all(np.isfinite(row).all() for row in predicted)
        value = float(every.mean()) if every.size and finite else float("nan")
        of_rows = [f"IoU {row.mean():.2f}" if row.size else "no box" for row in overlaps[:MAX_ROWS]]
        hidden = boxes.shape[0] * boxes.shape[1] - sum(map(len, predicted))
        more.append(f"{hidden} of scores below {LEAST_SCORE} left out" if hidden else "")
        note = (
            "" if np.isnan(value) else ", ".join(filter(None, [f"mean IoU {value:.3f} of {every.size} boxes", *more]))
        )
        return Shown((predicted[:MAX_ROWS], of_rows, named[:MAX_ROWS]), note, {"mean_iou": value})

    def _judged(
        self, found: list[Array], predicted: list[Array], source: str
    ) -> tuple[list[list[tuple[str, bool | None]]], list[bool]]:
        """Return the class of each box with whether it is wrong, and all those that are known to be right or wrong.

        The class of a box is compared with that of the true box that it is matched with, if the two overlap; of others
        it is not judged: `None`. Where no true classes are known, none is wrong.
        """
        true, classes, right = self._true[source] or [], self._true_classes[source], list[bool]()
        unjudged: bool | None = False if classes is None else None
        named = [[(self.output.display.class_name(one), unjudged) for one in row.tolist()] for row in found]
        for row, (of_row, boxes) in enumerate(zip(classes or [], predicted, strict=False)):
            overlap = box_iou(true[row], boxes)
            for k, at in zip(*partners(overlap), strict=True):
                if of_row[k] >= 0 and overlap[k, at] > 0:
                    right.append(bool(of_row[k] == found[row][at]))
                    truth = "" if right[-1] else f", true: {self.output.display.class_name(of_row[k])}"
                    named[row][at] = (named[row][at][0] + truth, not right[-1])
        return named, right

    def draw(self, shown: Shown, source: str, memory: Memory, note: str) -> Array:
        """Draw the boxes over the inputs."""
        predicted, of_rows, named = shown.data
        grounds, factors = self.grounds(source, len(predicted))
        scale, true = np.tile(factors, 2), self._true[source]
        tiles = [
            box_tile(
                ground,
                None if true is None else true[row] * scale,
                predicted[row] * scale,
                named[row] if named and len(predicted[row]) <= MAX_NAMES else (),
            )
            for row, ground in enumerate(grounds)
        ]
        how = f"format {self.format}" + (", as y looks; pass bounding_box_format" if self.guessed else "")
        return self.sheet(source, tiles, self.caption(source, how), of_rows, note, count_bad(predicted))


def scores_of(boxes: Output, outputs: Sequence[Output]) -> Output | None:
    """The output that holds the classes or scores of the boxes: of as many rows, and named so if there are several."""
    count = int(np.prod(boxes.shape)) // 4
    if len(boxes.shape) == 2:
        fitting = [one for one in outputs if one is not boxes and one.shape[:1] == (count,) and len(one.shape) <= 2]
    else:
        fitting = [one for one in outputs if one is not boxes and len(one.shape) <= 1]
    fitting = [one for one in fitting if not Boxes.fits(one) or any(word in one.name.lower() for word in _OF_SCORES)]
    named = [one for one in fitting if any(word in one.name.lower() for word in _OF_SCORES)]
    return next(iter(named or fitting), None)
