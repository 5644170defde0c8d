"""Points: places in the image."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from ..._typing import Array
from ...callback import VALIDATION
from ...callback.types import Memory
from ...draw.predicted_tiles import point_tile
from ...draw.text import format_number
from ...taps.reader import Capture, Captured
from .outputs import Output
from .places import Places, count_bad
from .prediction_kind import MAX_ROWS, Shown


class Points(Places):
    """Points `(x, y)`, true and predicted, over the input."""

    kind = "points"
    scalars: ClassVar[Mapping[str, str]] = {
        "distance": "Mean Euclidean distance of predicted points from the true ones, in pixels of the input, over all "
        "rows of the probe.",
    }
    reading = (
        "true and predicted points over the input, each pair joined; below each image their mean distance. Predicted "
        "points outside the image are counted in the caption."
    )
    bad_signs = "the same points for every input (the model has learned the mean), lines that all point one way."

    def __init__(self, output: Output):
        super().__init__(output)
        truth = self.output.truths.get(VALIDATION)
        self.relative = truth is None or bool(np.nanmax(np.abs(truth), initial=0) <= 1.5)

    def fitted(self, y: Array, output: Output) -> Array | None:
        """Return `(n, k, 2)`."""
        fits = y.dtype.kind in "iuf" and y.size == len(y) * int(np.prod(output.shape))
        return y.reshape(len(y), -1, 2).astype(np.float64) if fits else None

    def _in_pixels(self, points: Array) -> Array:
        return points * np.array(self.sides[::-1]) if self.relative else points

    def measure(self, captured: Mapping[Capture, Captured], source: str, memory: Memory) -> Shown:
        """Compute the distances, in every row."""
        values, truth = np.asarray(captured[self.capture].output, np.float64), self.output.truths.get(source)
        found = self._in_pixels(values.reshape(len(values), -1, 2))
        hidden = np.isfinite(found).all(axis=-1) & ((found < 0) | (found > self.sides[::-1])).any(axis=-1)
        outside = f"{hidden.sum():,} of {hidden.size:,} points outside the image" if hidden.any() else ""
        if truth is None:
            return Shown((found[:MAX_ROWS], None), outside, {})
        distances = np.linalg.norm(found - self._in_pixels(truth), axis=-1)
        value = float(distances.mean())
        of_rows = ["" if np.isnan(row).any() else f"{row.mean():.1f} px" for row in distances[:MAX_ROWS]]
        mean = "" if np.isnan(value) else f"mean distance {format_number(value)} px"
        note = ", ".join(filter(None, [mean, outside]))
        return Shown((found[:MAX_ROWS], of_rows), note, {"distance": value})

    def draw(self, shown: Shown, source: str, memory: Memory, note: str) -> Array:
        """Draw the points over the inputs."""
        found, of_rows = shown.data
        grounds, factors = self.grounds(source, len(found))
        truth = self.output.truths.get(source)
        true = None if truth is None else self._in_pixels(truth[: len(found)]) * factors
        tiles = [
            point_tile(ground, None if true is None else true[row], found[row] * factors)
            for row, ground in enumerate(grounds)
        ]
        how = "in shares of the sides" if self.relative else "in pixels"
        return self.sheet(source, tiles, self.caption(source, how), of_rows, note, count_bad(list(found)))
