"""How what an autoencoder gives back is shown: as pictures or signals, on the scale of what was wanted."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...callback.probe_display import ProbeDisplay
from ...draw.inputs import IntensityRange
from ...draw.reconstructions import signal_tiles
from ...maths.choice import most_variable
from ...maths.matrices import strongest
from ...maths.reconstruction import differences, mean_baseline_mse

Array = np.ndarray[Any, Any]
MOST_LINES = 4


class ReconstructionDisplay:
    """Decides once, on what was wanted in validation data, how all that a model gives back is shown.

    Args:
        shown: how the probes are shown.
        wanted: `(n, ...)`, what should have been given back.
        series: whether inputs `(t, c)` are signals, be they of the sides of a picture.

    Attributes:
        signals: whether signals are shown, not pictures.
        what: `"signal"` or `"picture"`.
        scale: what is dark and what is bright, or the edges of a trace.
        largest_error: where the scale of errors ends.
        lines: which channels of signals are drawn: those that vary most.
    """

    def __init__(self, shown: ProbeDisplay, wanted: Array, *, series: bool):
        self._shown = shown
        images = None if series else shown.images(wanted)
        self.signals = images is None
        self.what = "signal" if self.signals else "picture"
        self.lines = np.arange(0)
        if images is not None:
            self.scale = IntensityRange.of(images if shown.display is not None else wanted)
        else:
            images = as_signals(wanted)
            finite = images[np.isfinite(images)]
            self.scale = IntensityRange(float(finite.min(initial=0)), float(finite.max(initial=0)))
            with np.errstate(invalid="ignore", over="ignore"):
                self.lines = most_variable(images.var(axis=(0, 1)), MOST_LINES)
        # Twice what always giving the mean picture costs, typically: the errors of an untrained model may be of any
        # size, and would make all later ones too pale to be seen.
        typical = 2 * np.sqrt(mean_baseline_mse(images))
        self.largest_error = float(typical) if typical > 0 else self.scale.high - self.scale.low or np.inf

    def errors(self, given_back: Array, wanted: Array) -> Array:
        """How far off, signed: `(n, h, w)` or `(n, t)`; of several colours or channels the furthest off."""
        if self.signals:
            return strongest(differences(as_signals(given_back), as_signals(wanted)))
        images = differences(self._images(given_back), self._images(wanted))
        return strongest(images) if images.ndim == 4 else images

    def pictures(self, values: Array) -> Array:
        """Bytes `(n, h, w, 3)` of anything of the inputs' shape."""
        return self.scale(self._images(values))

    def traces(self, values: Array) -> Array:
        """The channels that are drawn, `(n, t, lines)`."""
        return as_signals(values)[..., self.lines]

    def tiles(self, values: Array) -> Array:
        """A small tile of each, `(n, h, w, 3)`."""
        if not self.signals:
            return self.pictures(values)
        return signal_tiles(self.traces(values), self.scale.low, self.scale.high, size=(48, 64))

    def _images(self, values: Array) -> Array:
        images: Any = self._shown.images(values)
        return middle(images)


def as_signals(values: Array) -> Array:
    """`(n, t, c)`: series as they are, anything else as one channel."""
    return values if values.ndim == 3 else values.reshape(len(values), -1, 1)


def middle(pictures: Any) -> Array:
    """Of volumes the middle slice."""
    found: Array = pictures
    return found[:, found.shape[1] // 2] if found.ndim == 5 else found
