"""`ReconstructionDisplay`: reconstructions as images or signals, on the value range of their targets."""

from typing import Any

import numpy as np

from ..._typing import Array
from ...callback import VALIDATION
from ...callback.probe_display import ProbeDisplay
from ...draw.inputs import IntensityRange
from ...draw.reconstructions import signal_tiles
from ...draw.text import format_number
from ...draw.volumes import middle_slice
from ...maths.choice import most_variable
from ...maths.matrices import strongest
from ...maths.reconstruction import differences, mean_baseline_mse
from ...maths.scale import count_outside

MAX_LINES = 4
_COLOURS = ("blue", "orange", "purple", "green")  # of the lines, in the order of `class_colours`


class ReconstructionDisplay:
    """How reconstructions are displayed, decided once from the targets of the validation data, `(n, ...)`.

    Targets that are the inputs are shown on the range of these (`of_inputs`).

    Attributes:
        signals: whether signals are drawn, not images.
        what: `"signal"` or `"image"`.
        lines: indices of the signal channels that are drawn, those that vary most.
    """

    def __init__(self, shown: ProbeDisplay, targets: Array, *, series: bool, of_inputs: bool):
        self._shown = shown
        self._scale: IntensityRange | None = None  # that of the inputs
        images = None if series else shown.images(targets)  # a series `(t, c)` may have the size of an image
        self.signals = images is None
        self.what = "signal" if self.signals else "image"
        self.lines = np.arange(0)
        if images is not None:
            if not of_inputs or shown.display is not None:
                self._scale = IntensityRange.of(images if shown.display is not None else targets)
        else:
            images = as_signals(targets)
            finite = images[np.isfinite(images)]
            self._scale = IntensityRange(float(finite.min(initial=0)), float(finite.max(initial=0)))
            with np.errstate(invalid="ignore", over="ignore"):
                self.lines = most_variable(images.var(axis=(0, 1)), MAX_LINES)
        # Twice the RMS error of always predicting the mean target: the errors of an untrained model may have any
        # size, and would make all later errors too pale to see.
        limit = 2 * np.sqrt(mean_baseline_mse(images))
        self._error_limit = float(limit)

    @property
    def scale(self) -> IntensityRange:
        """The value range, shown as dark to bright or as the bottom and top of a line plot."""
        return self._shown.shown_range(VALIDATION) if self._scale is None else self._scale

    @property
    def largest_error(self) -> float:
        """Upper limit of the error scale, in units of the targets."""
        return self._error_limit if self._error_limit > 0 else self.scale.high - self.scale.low or np.inf

    def errors(self, reconstructed: Array, targets: Array) -> Array:
        """Return signed errors `(n, h, w)` or `(n, t)`; of several channels, the one of largest magnitude."""
        if self.signals:
            return strongest(differences(as_signals(reconstructed), as_signals(targets)))
        images = differences(self._images(reconstructed), self._images(targets))
        return strongest(images) if images.ndim == 4 else images

    def pictures(self, values: Array) -> Array:
        """Convert arrays of the inputs' shape to images, uint8 `(n, h, w, 3)`."""
        return self.scale(self._images(values))

    def traces(self, values: Array) -> Array:
        """Return the channels to draw, `(n, t, lines)`."""
        return as_signals(values)[..., self.lines]

    def traces_in_words(self) -> str:
        """Return the range of the traces and, of several, which channel has which colour."""
        scale = f"traces from {format_number(self.scale.low)} to {format_number(self.scale.high)}"
        if len(self.lines) < 2:
            return scale
        colours = ", ".join(f"{number} {colour}" for number, colour in zip(self.lines.tolist(), _COLOURS, strict=False))
        return f"{scale}   channel {colours}"

    def clipped(self, *values: Array) -> str:
        """Return how many of the values of signals that are drawn lie outside the range, in words; none of images."""
        if not self.signals:
            return ""
        drawn = np.concatenate([self.traces(one).ravel() for one in values])
        return count_outside(drawn, self.scale.low, self.scale.high, "trace value")

    def tiles(self, values: Array) -> Array:
        """Return one small image each, uint8 `(n, h, w, 3)`."""
        if not self.signals:
            return self.pictures(values)
        return signal_tiles(self.traces(values), self.scale.low, self.scale.high, size=(48, 64))

    def _images(self, values: Array) -> Array:
        images: Any = self._shown.images(values)
        return middle_slice(images) if images.ndim == 5 else images


def as_signals(values: Array) -> Array:
    """Return signals `(n, t, c)`; arrays of other ranks are flattened to one channel."""
    return values if values.ndim == 3 else values.reshape(len(values), -1, 1)
