"""Masks: a class for every pixel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np

from ..._typing import Array
from ...callback.types import Memory
from ...draw.colour import class_colours
from ...draw.predicted_tiles import BAD, NO_CLASS, WRONG, mask_tiles, wrong_tiles
from ...draw.predictions import Column, Key, prediction_rows, sized, tile_size
from ...draw.text import QUIET
from ...draw.volumes import middle_slice
from ...maths.masks import confusion, iou_by_class, mean_iou, mean_of_known
from ...taps.output_form import image_of
from ...taps.reader import Capture, Captured
from .outputs import Output
from .prediction_kind import MAX_ROWS, PredictionKind, Shown

MAX_SCALARS = 20
_NAMED = 6  # classes whose IoU stands below the image


@dataclass(frozen=True)
class _ClassNumbers:
    """Class numbers of an output, inside the pass; `BAD` where it is not finite. Equal ones are computed once."""

    binary: bool
    threshold: float
    has_channel: bool

    def __call__(self, output: Any, choice: Any) -> Any:
        ops = keras.ops
        values = output if self.has_channel else output[..., None]
        finite = ops.all(ops.isfinite(values), axis=-1)
        if self.binary:
            numbers = ops.cast(values[..., 0] >= self.threshold, "int32")
        else:
            numbers = ops.cast(ops.argmax(values, axis=-1), "int32")
        return ops.where(finite, numbers, ops.full_like(numbers, BAD))


class Masks(PredictionKind):
    """A class for every pixel: softmax, logits, or one sigmoid channel or logit."""

    kind = "masks"
    scalars: ClassVar[Mapping[str, str]] = {
        "mean_iou": "Mean over the classes of intersection over union (IoU), as `keras.metrics.MeanIoU` computes it, "
        "over all rows of the probe; of one sigmoid channel as `keras.metrics.BinaryIoU` of both classes at 0.5.",
    }
    reading = (
        "every class has its colour, the same at every step; *difference* is dark where the predicted class is wrong. "
        "Hatched pixels have no class and count nowhere. Below each row: its mean intersection over union "
        "(IoU; 1 is perfect) over the classes that it has, the ground among them."
    )
    bad_signs = "whole objects dark, a class that is never predicted, masks on the left but not on the right."

    about, hatched, counted = "", "hatched: no class", "pixels"  # words of the caption, the legend and the count of NaN
    further_keys: Sequence[Key] = ()
    volume_axes = 4  # of the class numbers of volumes, with the rows

    def __init__(self, output: Output):
        channels = 1 if image_of(output.shape) is None or len(output.shape) == 2 else output.shape[-1]
        self.binary, self.classes = channels == 1, max(channels, 2)
        super().__init__(output)
        has_channel = len(output.shape) > 2
        self.capture = Capture(output.path, reduce=_ClassNumbers(self.binary, output.head.threshold, has_channel))

    @classmethod
    def fits(cls, output: Output) -> bool:
        """An image, or a volume of them."""
        return image_of(output.shape) is not None

    def fitted(self, y: Array, output: Output) -> Array | None:
        """Return class numbers `(n, *pixels)`, `NO_CLASS` where there is none."""
        pixels = output.shape if len(output.shape) == 2 else output.shape[:-1]
        if y.shape[1:] == (*pixels, 1):
            y = y[..., 0]
        elif y.shape[1:] == (*pixels, self.classes) and not self.binary:
            unlabelled = ~(y > 0).any(axis=-1)
            y = np.where(unlabelled, NO_CLASS, y.argmax(axis=-1))
        if y.shape[1:] != pixels or y.dtype.kind not in "buif":
            return None
        ignored = output.options.ignore_class
        if ignored is None:
            ignored = getattr(output.loss, "ignore_class", None)
        numbers = np.nan_to_num(y, nan=NO_CLASS).astype(np.int64)
        known = (numbers >= 0) & (numbers < self.classes) & (numbers != (NO_CLASS if ignored is None else ignored))
        return np.where(known, numbers, NO_CLASS)

    def measure(self, captured: Mapping[Capture, Captured], source: str, memory: Memory) -> Shown:
        """Compute the IoU of each class over all rows, and the mean of each of the first rows."""
        found, truth = np.asarray(captured[self.capture].output), self.output.truths.get(source)
        bad = int((found == BAD).sum())
        if truth is None:
            return Shown((found[:MAX_ROWS], None, bad), "", {})
        by_class = self._iou_by_class(truth, found)
        pairs = zip(truth[:MAX_ROWS], found[:MAX_ROWS], strict=True)
        of_rows = [float("nan") if (row == BAD).any() else self._iou_of_row(true, row) for true, row in pairs]
        scalars: dict[str, float] = {"mean_iou": float("nan") if bad else mean_of_known(by_class)}
        if self.classes <= MAX_SCALARS and not bad:
            names = [self._name(one).replace("/", "_") for one in range(self.classes)]
            scalars |= {f"iou/{name}": float(value) for name, value in zip(names, by_class, strict=True)}
        note = "" if bad else self._iou_text(by_class, scalars["mean_iou"])
        return Shown((found[:MAX_ROWS], of_rows, bad), note, scalars)

    def draw(self, shown: Shown, source: str, memory: Memory, note: str) -> Array:
        """Draw inputs, true masks, predicted masks, and where they differ."""
        found, of_rows, bad = shown.data
        rows, truth = len(found), self.output.truths.get(source)
        masks, true = self._slice(found), None if truth is None else self._slice(truth[:rows])
        cut = "middle slice" if found.ndim == self.volume_axes else ""
        size, inputs = tile_size(masks.shape[1:3], rows), self.output.pictures(source, rows)
        columns = [] if inputs is None else [Column("input", sized(inputs, size))]
        columns += [] if true is None else [Column("truth", self._tiles(true, size))]
        columns.append(Column("output", self._tiles(masks, size)))
        columns += [] if true is None else [Column("difference", self._wrong_tiles(true, masks, size))]
        keys = [] if true is None else [Key("difference: wrong", WRONG)]
        keys += [Key(self._name(n), (r, g, b)) for n, (r, g, b) in enumerate(class_colours(self.classes).tolist())]
        keys += self.further_keys
        if truth is not None and (truth == NO_CLASS).any():
            keys.append(Key(self.hatched, QUIET))
        of_true = "" if of_rows is None else "each row: mean IoU of its true classes"
        scores = None if of_rows is None else ["" if np.isnan(value) else f"mean IoU {value:.2f}" for value in of_rows]
        return prediction_rows(
            columns,
            caption=self.caption(source, self.about, cut, of_true),
            names=self.names(source, rows),
            scores=scores,
            keys=keys,
            note=note,
            bad=f"{bad:,} {self.counted} are NaN" if bad else "",
        )

    def _iou_by_class(self, truth: Array, found: Array) -> Array:
        """Return the IoU of each class, `(classes,)`; NaN of those that neither occur nor are predicted."""
        return iou_by_class(confusion(truth, np.maximum(found, 0), self.classes))

    def _iou_of_row(self, truth: Array, found: Array) -> float:
        """Return the mean IoU over the classes that one row has."""
        return mean_iou(confusion(truth, found, self.classes), of_true=True)

    def _tiles(self, classes: Array, size: tuple[int, int]) -> Array:
        return mask_tiles(classes, self.classes, size)

    def _wrong_tiles(self, truth: Array, found: Array, size: tuple[int, int]) -> Array:
        return wrong_tiles(truth, found, size)

    def _iou_text(self, by_class: Array, mean: float) -> str:
        """Return the mean IoU in words, with that of each class, or of how many classes that occur it is the mean."""
        known = [(self._name(number), value) for number, value in enumerate(by_class) if np.isfinite(value)]
        if len(known) > _NAMED:
            return f"mean IoU of {len(known)} classes {mean:.3f}"
        return f"mean IoU {mean:.3f} ({', '.join(f'{name}: {value:.3f}' for name, value in known)})"

    def _name(self, number: int) -> str:
        name = self.output.display.class_name(number)
        return f"class {name}" if name == str(number) else name

    def _slice(self, classes: Array) -> Array:
        """Return the middle slice of volumes `(n, d, h, w)`."""
        return middle_slice(self.output.display.slices_first(classes)) if classes.ndim == 4 else classes
