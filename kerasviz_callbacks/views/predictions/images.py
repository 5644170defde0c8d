"""Images: image to image, and values for every pixel, such as depth."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np

from ..._typing import Array
from ...callback import VALIDATION
from ...callback.types import Memory
from ...draw.colour import DIVERGING, SEQUENTIAL, colourise, count_non_finite
from ...draw.inputs import IntensityRange
from ...draw.predictions import Column, prediction_rows, sized, tile_size
from ...draw.reconstructions import error_tiles
from ...draw.sheet import Scale
from ...draw.text import format_number, join_notes
from ...draw.tiles import resize
from ...draw.volumes import middle_slice
from ...maths.confidence import sigmoid
from ...maths.geometry import image_shape
from ...maths.matrices import strongest
from ...maths.pairs import psnr
from ...maths.reconstruction import differences, mean_baseline_mse, mean_squared_error
from ...maths.scale import count_clipped, count_outside, robust_max
from ...taps.heads import applies_sigmoid
from ...taps.layers import has_frames
from ...taps.output_form import image_of
from ...taps.reader import Capture, Captured
from .outputs import Output
from .prediction_kind import MAX_ROWS, PredictionKind, Shown


@dataclass(frozen=True)
class _ImagesData:
    images: Array  # `(n, h, w, c)`, of the first rows
    errors: Array | None  # `(n, h, w)`, signed
    scores: list[str] | None


class Images(PredictionKind):
    """Image to image: denoised, enlarged, coloured, next frames; never rescaled from step to step."""

    kind = "images"
    scalars: ClassVar[Mapping[str, str]] = {
        "psnr": "Peak signal-to-noise ratio in decibels, `20 log10(range) - 10 log10(mean squared error)`, over all "
        "rows of the probe; higher is better.",
    }
    reading = (
        "truth and output on one scale that never changes; *difference* is output - truth: red too high, blue too low, "
        "on a scale that only grows and is shared by training and validation data; of several channels the one with "
        "the largest error."
    )
    whole_range: ClassVar[bool] = True  # whether errors as large as the range are shown: black for white is one
    bad_signs = (
        "blurred edges, colours that fade to grey, identical outputs for different inputs, a PSNR no better than that "
        "of the input itself (of another size: resized bilinearly; of clips: the last frame)."
    )

    def __init__(self, output: Output):
        super().__init__(output)
        self.range: IntensityRange | None = None
        self._copies: dict[str, tuple[float, str]] = {}
        self.largest_error = np.inf
        truth = self.output.truths.get(VALIDATION)
        if truth is not None:
            self.range = self.decided_range(truth)
            limit = max(2 * np.sqrt(mean_baseline_mse(truth)), self.whole_range * (self.range.high - self.range.low))
            self.largest_error = float(limit) if limit > 0 else np.inf

    @classmethod
    def fits(cls, output: Output) -> bool:
        """An image, a clip or volume of them, or a flat vector that is one."""
        return image_of(output.shape) is not None or image_shape(output.shape) is not None

    def decided_range(self, values: Array) -> IntensityRange:
        """Return the range of values that is drawn, decided once."""
        return IntensityRange.of(values)

    def fitted(self, y: Array, output: Output) -> Array | None:
        """Return images `(n, ..., h, w, c)`."""
        same = y.shape[1:] == output.shape or (*y.shape[1:], 1) == output.shape or y.shape[1:] == (*output.shape, 1)
        return self._as_images(y) if same and y.dtype.kind in "buif" else None

    def _as_images(self, values: Array) -> Array:
        shape = image_shape(self.output.shape) if hasattr(self, "output") else None
        shape = image_shape(values.shape[1:]) if shape is None and values.ndim < 4 else shape
        return values if values.ndim > 3 or shape is None else values.reshape(len(values), *shape)

    def measure(self, captured: Mapping[Capture, Captured], source: str, memory: Memory) -> Shown:
        """Compute the error over all rows, and keep the first ones to draw."""
        values, truth = self._as_images(np.asarray(captured[self.capture].output)), self.output.truths.get(source)
        if applies_sigmoid(self.output.loss):
            values = sigmoid(values)
        if self.range is None:
            self.range = memory.shared.setdefault(f"{self.output.name}/range", self.decided_range(values))
        if truth is None:
            return Shown(_ImagesData(self._flat(values[:MAX_ROWS]), None, None), "", {})
        every = differences(values, truth)
        errors = strongest(self._flat(every[:MAX_ROWS]))
        memory.extend_scale(f"{self.output.name}/error", min(robust_max(errors), self.largest_error))
        scalars, note, scores = self.compared(every, source)
        data = _ImagesData(self._flat(values[:MAX_ROWS]), errors, scores)
        return Shown(data, note, scalars)

    def compared(self, errors: Array, source: str) -> tuple[dict[str, float], str, list[str]]:
        """Return the scalars, the note, and the text below each row."""
        span = 0.0 if self.range is None else self.range.high - self.range.low
        value = psnr(mean_squared_error(errors), span)
        of_rows = [psnr(mean_squared_error(row), span) for row in self._flat(errors[:MAX_ROWS])]  # of what is drawn
        note = "" if np.isnan(value) else f"PSNR {value:.2f} dB{self._of_whole(errors)}"
        copied, words = self._of_copies(source)
        if note and np.isfinite(copied):
            note += f", of {words} {copied:.2f} dB"
        return {"psnr": value}, note, ["" if np.isnan(one) else f"{one:.1f} dB" for one in of_rows]

    def _of_whole(self, errors: Array) -> str:
        """Say that a score is of whole clips or volumes, of which a part is drawn."""
        frames = "frames" if has_frames(self.output.reader.layers) else "slices"
        return f" of all {frames}" if errors.ndim > 4 else ""

    def _of_copies(self, source: str) -> tuple[float, str]:
        """The PSNR of putting out the input, of clips the last frame fed, resized to the truth; and what that is.

        NaN if inputs cannot be outputs.
        """
        truth, span = np.asarray(self.output.truths[source]), self.range
        if source not in self._copies and span is not None:
            inputs = self.output.reader.to_channels_last(self.output.probes[source].inputs)
            fed, words = self._as_images(np.asarray(keras.tree.flatten(inputs)[0])), "the input itself"
            if fed.ndim == truth.ndim + 1 and has_frames(self.output.reader.layers):
                fed, words = fed[:, -1], "the last input frame"
            fits = fed.ndim == truth.ndim == 4 and fed.dtype.kind in "buif" and truth.shape[3] == fed.shape[3]
            if fits and truth.shape[1:3] != fed.shape[1:3]:
                fed = np.moveaxis(resize(np.moveaxis(fed, -1, 1), truth.shape[1:3]), 1, -1)
                words = f"{words.removesuffix(' itself')} resized bilinearly"
            own, width = IntensityRange.of(fed), span.high - span.low
            alike = fed.shape == truth.shape and max(abs(own.low - span.low), abs(own.high - span.high)) <= width / 4
            value = psnr(mean_squared_error(differences(fed, truth)), width) if alike else float("nan")
            self._copies[source] = value, words
        return self._copies.get(source, (float("nan"), ""))

    def draw(self, shown: Shown, source: str, memory: Memory, note: str) -> Array:
        """Draw inputs, truth, output and error."""
        data: _ImagesData = shown.data
        rows, scale = len(data.images), memory.scales.get(f"{self.output.name}/error", 0.0)
        size, truth = tile_size(data.images.shape[1:3], rows), self.output.truths.get(source)
        inputs = self.inputs(source, rows)
        columns = [] if inputs is None else [Column("input", sized(inputs, size))]
        columns += [] if truth is None else [Column("truth", self.tiles(self._flat(truth[:rows]), size))]
        columns.append(Column("output", self.tiles(data.images, size)))
        legend, clipped = None, ""
        if data.errors is not None:
            columns.append(Column("difference", error_tiles(data.errors, scale, size)))
            channels = " (largest of the channels)" if data.images.shape[-1] > 1 else ""
            legend = Scale(-scale or 0.0, scale, DIVERGING, f"difference{channels}: red too high, blue too low")
            clipped = count_clipped(data.errors, scale, "difference")
        return prediction_rows(
            columns,
            caption=self.caption(source, self.range_text(), self._part),
            names=self.names(source, rows),
            scores=data.scores,
            legend=legend,
            note=join_notes(self._clipped(data.images), clipped, note),
            bad=count_non_finite(data.images),
        )

    def _clipped(self, images: Array) -> str:
        """Say how many values drawn of the output lie outside the fixed scale, whose ends they look like."""
        if self.range is None or self.range.bands:
            return ""
        return count_outside(images, self.range.low, self.range.high, "output value")

    def inputs(self, source: str, rows: int) -> Array | None:
        """The inputs of the first rows as images; of clips the last frame."""
        shown = self.output.display.pictures(source)
        if shown is not None and shown.ndim == 5 and has_frames(self.output.reader.layers):
            return shown[:rows, -1]
        return self.output.pictures(source, rows)

    def _flat(self, images: Array) -> Array:
        """Return the last frame of clips `(n, t, h, w, c)`, the middle slice of volumes; images unchanged."""
        if images.ndim < 5:
            return images
        if has_frames(self.output.reader.layers):
            return images[:, -1]
        return middle_slice(self.output.display.slices_first(images))

    @property
    def _part(self) -> str:
        """What is drawn of a clip or a volume, in words."""
        if len(self.output.shape) < 4:
            return ""
        return f"last of {self.output.shape[0]} frames" if has_frames(self.output.reader.layers) else "middle slice"

    def tiles(self, images: Array, size: tuple[int, int]) -> Array:
        """Draw images `(n, h, w, c)` on the fixed scale."""
        shown: Any = self.range
        return sized(shown(images), size)

    def range_text(self) -> str:
        """Return the fixed scale, in words."""
        if self.range is None:
            return ""
        return f"from {format_number(self.range.low)} (black) to {format_number(self.range.high)} (white)"


class Values(Images):
    """One value for every pixel, such as depth, in perceptually uniform colours."""

    kind = "values"
    scalars: ClassVar[Mapping[str, str]] = {
        "mae": "Mean absolute error over all rows of the probe, in the units of y.",
    }
    reading = Images.reading.replace("on one scale", "(dark: low, yellow: high) on one scale")
    whole_range = False
    bad_signs = "a constant output, edges that are not those of the input, errors of one sign everywhere."

    @classmethod
    def fits(cls, output: Output) -> bool:
        """One channel."""
        shape = image_of(output.shape)
        return shape is not None and shape[2] == 1

    def decided_range(self, values: Array) -> IntensityRange:
        """Return the range of finite values."""
        finite = values[np.isfinite(values)]
        return IntensityRange(float(finite.min()), float(finite.max())) if finite.size else IntensityRange(0.0, 1.0)

    def compared(self, errors: Array, source: str) -> tuple[dict[str, float], str, list[str]]:
        """Return the mean absolute error."""
        of_rows = [float(np.abs(row).mean()) for row in self._flat(errors[:MAX_ROWS])]
        value = float(np.abs(errors).mean())
        note = "" if np.isnan(value) else f"MAE {format_number(value)}"
        return {"mae": value}, note, ["" if np.isnan(one) else f"MAE {format_number(one)}" for one in of_rows]

    def tiles(self, images: Array, size: tuple[int, int]) -> Array:
        """Draw values `(n, h, w, 1)` on the fixed scale."""
        limits = (0.0, 1.0) if self.range is None else (self.range.low, self.range.high)
        return sized(colourise(images[..., 0], *limits, SEQUENTIAL), size)

    def range_text(self) -> str:
        """Return the fixed scale, in words."""
        if self.range is None:
            return ""
        return f"from {format_number(self.range.low)} (dark) to {format_number(self.range.high)} (yellow)"
