"""Overlapping masks: several labels for every pixel, each of its own sigmoid."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np

from ..._typing import Array
from ...callback.types import Memory
from ...draw.colour import class_colours
from ...draw.predicted_tiles import BAD, GROUND, NO_CLASS, WRONG, label_tiles, wrong_label_tiles
from ...draw.predictions import Column, Key, prediction_rows, sized, tile_size
from ...draw.text import QUIET
from ...maths.masks import confusion, iou_by_class
from ...taps.output_form import is_one_hot
from ...taps.reader import Capture, Captured
from .masks import MAX_SCALARS, Masks
from .outputs import Output
from .prediction_kind import MAX_ROWS, Shown


@dataclass(frozen=True)
class _Present:
    """1 where a label is present, else 0, inside the pass; `BAD` where the output is not finite."""

    threshold: float

    def __call__(self, output: Any, choice: Any) -> Any:
        ops = keras.ops
        present = ops.cast(output >= self.threshold, "int32")
        return ops.where(ops.isfinite(output), present, ops.full_like(present, BAD))


class OverlappingMasks(Masks):
    """Labels of which a pixel may have several, or none: one sigmoid or logit for each."""

    scalars: ClassVar[Mapping[str, str]] = {
        "mean_iou": "Mean over the labels of intersection over union (IoU) of the pixels that have the label, as "
        "`keras.metrics.BinaryIoU(target_class_ids=[1])` of each channel, over all rows of the probe.",
    }
    reading = (
        "every label has its colour, the same at every step; where labels overlap their colours are mixed. "
        "*difference* is dark where a label is missing or too many. Below each row: its mean IoU over the labels that "
        "it has (1 is perfect)."
    )
    bad_signs = "a label that is never predicted, labels that always come together, masks on the left but not right."

    def __init__(self, output: Output):
        super().__init__(output)
        self.capture = Capture(output.path, reduce=_Present(output.head.threshold))

    @classmethod
    def fits(cls, output: Output) -> bool:
        """Several channels, each of its own, whose truth does not say that there is one class a pixel."""
        several = output.head.classes > 1 and (output.head.kind == "sigmoid" or output.head.of_logits)
        one_hot = any(is_one_hot(y, output.shape) for y in output.truths.values())
        return super().fits(output) and several and len(output.shape) > 2 and not one_hot

    def fitted(self, y: Array, output: Output) -> Array | None:
        """Return 1 where a label is present, else 0, `NO_CLASS` where y does not say: `(n, *pixels, labels)`."""
        if y.shape[1:] != output.shape or y.dtype.kind not in "buif":
            return None
        numbers = np.nan_to_num(y, nan=NO_CLASS).astype(np.int64)
        ignored = output.options.ignore_class
        known = (numbers >= 0) & (numbers <= 1) & (numbers != (NO_CLASS if ignored is None else ignored))
        return np.where(known, numbers, NO_CLASS)

    def measure(self, captured: Mapping[Capture, Captured], source: str, memory: Memory) -> Shown:
        """Compute the IoU of each label over all rows, and of each of the first rows."""
        found, truth = np.asarray(captured[self.capture].output), self.output.truths.get(source)
        bad = int((found == BAD).sum())
        if truth is None:
            return Shown((found[:MAX_ROWS], None, bad), "", {})
        by_label = _iou_by_label(truth, found)
        of_rows = [
            float("nan") if (row == BAD).any() else _mean(_iou_by_label(true, row)[_occurring(true)])
            for true, row in zip(truth[:MAX_ROWS], found[:MAX_ROWS], strict=True)
        ]
        scalars = {"mean_iou": float("nan") if bad else _mean(by_label)}
        if self.classes <= MAX_SCALARS and not bad:
            names = [self._name(one).replace("/", "_") for one in range(self.classes)]
            scalars |= {f"iou/{name}": float(value) for name, value in zip(names, by_label, strict=True)}
        note = "" if bad else self._iou_text(by_label, scalars["mean_iou"])
        return Shown((found[:MAX_ROWS], of_rows, bad), note, scalars)

    def draw(self, shown: Shown, source: str, memory: Memory, note: str) -> Array:
        """Draw inputs, true labels, predicted labels, and where they differ."""
        found, of_rows, bad = shown.data
        rows, truth = len(found), self.output.truths.get(source)
        labels, true = self._slice(found), None if truth is None else self._slice(truth[:rows])
        size, inputs = tile_size(labels.shape[1:3], rows), self.output.pictures(source, rows)
        columns = [] if inputs is None else [Column("input", sized(inputs, size))]
        columns += [] if true is None else [Column("truth", label_tiles(true, size))]
        columns.append(Column("output", label_tiles(labels, size)))
        columns += [] if true is None else [Column("difference", wrong_label_tiles(true, labels, size))]
        keys = [] if true is None else [Key("difference: wrong", WRONG)]
        keys += [Key(self._name(n), (r, g, b)) for n, (r, g, b) in enumerate(class_colours(self.classes).tolist())]
        keys += [Key("none", GROUND)]
        if truth is not None and (truth == NO_CLASS).any():
            keys.append(Key("hatched: not known", QUIET))
        scores = None if of_rows is None else ["" if np.isnan(one) else f"mean IoU {one:.2f}" for one in of_rows]
        return prediction_rows(
            columns,
            caption=self.caption(source, "overlapping: colours are mixed", *self._of_volume(found)),
            names=self.names(source, rows),
            scores=scores,
            keys=keys,
            note=note,
            bad=f"{bad:,} values are NaN" if bad else "",
        )

    def _slice(self, classes: Array) -> Array:
        """Return the middle slice of volumes `(n, d, h, w, labels)`."""
        if classes.ndim < 5:
            return classes
        cut = [super(OverlappingMasks, self)._slice(classes[..., label]) for label in range(classes.shape[-1])]
        return np.stack(cut, axis=-1)

    @staticmethod
    def _of_volume(found: Array) -> list[str]:
        return ["middle slice"] if found.ndim == 5 else []


def _iou_by_label(truth: Array, found: Array) -> Array:
    """The IoU of the pixels that have a label, `(labels,)`; NaN where none has it, in truth or prediction."""
    each = range(truth.shape[-1])
    return np.array([iou_by_class(confusion(truth[..., k], np.maximum(found[..., k], 0), 2))[1] for k in each])


def _occurring(truth: Array) -> Array:
    return np.asarray((truth == 1).reshape(-1, truth.shape[-1]).any(axis=0))


def _mean(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")
