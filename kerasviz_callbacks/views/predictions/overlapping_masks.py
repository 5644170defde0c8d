"""Overlapping masks: several labels for every pixel, each of its own sigmoid."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np

from ..._typing import Array
from ...draw.predicted_tiles import BAD, GROUND, NO_CLASS, label_tiles, wrong_label_tiles
from ...draw.predictions import Key
from ...maths.masks import confusion, iou_by_class, mean_of_known
from ...taps.output_form import is_one_hot
from ...taps.reader import Capture
from .masks import Masks
from .outputs import Output


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

    about, hatched, counted = "overlapping: colours are mixed", "hatched: not known", "values"
    further_keys = (Key("none", GROUND),)
    volume_axes = 5

    def __init__(self, output: Output):
        super().__init__(output)
        self.capture = Capture(output.path, reduce=_Present(output.head.threshold))

    @classmethod
    def fits(cls, output: Output) -> bool:
        """Several channels, each of its own, whose truth does not say that there is one class a pixel."""
        one_hot = any(is_one_hot(y, output.shape) for y in output.truths.values())
        return super().fits(output) and output.head.multi_label and len(output.shape) > 2 and not one_hot

    def fitted(self, y: Array, output: Output) -> Array | None:
        """Return 1 where a label is present, else 0, `NO_CLASS` where y does not say: `(n, *pixels, labels)`."""
        if y.shape[1:] != output.shape or y.dtype.kind not in "buif":
            return None
        numbers = np.nan_to_num(y, nan=NO_CLASS).astype(np.int64)
        ignored = output.options.ignore_class
        known = (numbers >= 0) & (numbers <= 1) & (numbers != (NO_CLASS if ignored is None else ignored))
        return np.where(known, numbers, NO_CLASS)

    def _iou_by_class(self, truth: Array, found: Array) -> Array:
        """Return the IoU of the pixels that have each label, `(labels,)`; NaN of those that no pixel has."""
        each = ((truth[..., label], np.maximum(found[..., label], 0)) for label in range(self.classes))
        return np.array([iou_by_class(confusion(*pair, 2))[1] for pair in each])

    def _iou_of_row(self, truth: Array, found: Array) -> float:
        """Return the mean IoU over the labels that one row has."""
        occurring = (truth == 1).reshape(-1, self.classes).any(axis=0)
        return mean_of_known(self._iou_by_class(truth, found)[occurring])

    def _tiles(self, classes: Array, size: tuple[int, int]) -> Array:
        return label_tiles(classes, size)

    def _wrong_tiles(self, truth: Array, found: Array, size: tuple[int, int]) -> Array:
        return wrong_label_tiles(truth, found, size)

    def _slice(self, classes: Array) -> Array:
        """Return the middle slice of volumes `(n, d, h, w, labels)`."""
        if classes.ndim < 5:
            return classes
        cut = [super(OverlappingMasks, self)._slice(classes[..., label]) for label in range(classes.shape[-1])]
        return np.stack(cut, axis=-1)
