"""Series: forecasts behind what was fed."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from ..._typing import Array
from ...callback import VALIDATION
from ...callback.types import Memory
from ...draw.colour import count_non_finite
from ...draw.predicted_tiles import PREDICTED, TRUE_LINE, forecast_tile
from ...draw.predictions import Column, Key, prediction_rows
from ...draw.text import INK, QUIET, format_number, join_notes, write
from ...maths.choice import most_variable
from ...taps.reader import Capture, Captured
from .outputs import Output
from .prediction_kind import MAX_ROWS, PredictionKind, Shown

MAX_VARIABLES = 3
_TALL, _WIDE, _BETWEEN = 64, 200, 3
_NUMBER = 11  # the size of a variable's number at its curves


class Series(PredictionKind):
    """A forecast: what was fed, then truth and output; several variables one below the other."""

    kind = "series"
    scalars: ClassVar[Mapping[str, str]] = {
        "mae": "Mean absolute error of the forecasts over all rows of the probe, in the units of y.",
    }
    reading = (
        "grey is what was fed, then truth and output, every variable on a scale that never changes. At the bottom the "
        "mean absolute error, and its ratio to that of repeating the last value fed (1 is no better)."
    )
    bad_signs = "a forecast that repeats the last value (a flat line), the same curve for every input, a ratio above 1."

    def __init__(self, output: Output):
        super().__init__(output)
        fed, truth = output.signals(VALIDATION), self.output.truths.get(VALIDATION)
        fed = np.zeros((1, 1, 1)) if fed is None else fed
        variables = output.shape[1] if len(output.shape) > 1 else 1
        self.of_fed = fed_variables(fed, truth, variables)
        self.shown = most_variable(fed[..., self.of_fed].var(axis=(0, 1)), MAX_VARIABLES)
        self.aligned = truth is not None and _is_aligned(fed[..., self.of_fed], truth)
        self.scales = []
        for variable in self.shown.tolist():
            of_y = [] if truth is None else [truth[..., variable]]
            values = np.concatenate([part.ravel() for part in [fed[..., self.of_fed[variable]], *of_y]])
            finite = values[np.isfinite(values)]
            self.scales.append((float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0))

    @classmethod
    def fits(cls, output: Output) -> bool:
        """`(horizon,)` or `(horizon, variables)` of signals."""
        return output.signals(VALIDATION) is not None and len(output.shape) in (1, 2)

    def fitted(self, y: Array, output: Output) -> Array | None:
        """Return `(n, horizon, variables)`."""
        fits = y.dtype.kind in "iuf" and y.size == len(y) * int(np.prod(output.shape))
        return _as_series(y, output.shape) if fits else None

    def measure(self, captured: Mapping[Capture, Captured], source: str, memory: Memory) -> Shown:
        """Compute the error over all rows, and that of repeating the last value."""
        found, truth = _as_series(captured[self.capture].output, self.output.shape), self.output.truths.get(source)
        if truth is None:
            return Shown((found[:MAX_ROWS], None), self._beyond(source, [found]), {})
        errors = np.abs(found - truth)
        value, fed = float(errors.mean()), self.output.signals(source)
        note = "" if np.isnan(value) else f"MAE {format_number(value)}"
        if fed is not None and not self.aligned:
            repeated = float(np.abs(fed[:, -1:, self.of_fed] - truth).mean())
            if note and repeated > 0:
                note += f", {value / repeated:.2g} × that of repeating the last value"
        of_rows = ["" if np.isnan(row).any() else f"MAE {format_number(row.mean())}" for row in errors[:MAX_ROWS]]
        note = join_notes(self._beyond(source, [found, truth]), note)
        return Shown((found[:MAX_ROWS], of_rows), note, {"mae": value})

    def draw(self, shown: Shown, source: str, memory: Memory, note: str) -> Array:
        """Draw what was fed, the truth and the output."""
        found, of_rows = shown.data
        fed, truth = self.output.signals(source), self.output.truths.get(source)
        tiles = np.full((len(found), len(self.scales) * (_TALL + _BETWEEN) - _BETWEEN, _WIDE, 3), 255, np.uint8)
        for row, tile in enumerate(tiles):
            for place, variable in enumerate(self.shown.tolist()):
                top = place * (_TALL + _BETWEEN)
                tile[top : top + _TALL] = forecast_tile(
                    np.zeros(1) if fed is None else fed[row, :, self.of_fed[variable]],
                    None if truth is None else truth[row, :, variable],
                    found[row, :, variable],
                    self.scales[place],
                    (_TALL, _WIDE),
                    aligned=self.aligned,
                )
                if len(self.of_fed) > 1:
                    write(tile, (3, top + _NUMBER), f"variable {variable}", size=_NUMBER, colour=INK)
        keys = [Key("fed", QUIET), *([] if truth is None else [Key("truth", TRUE_LINE)]), Key("output", PREDICTED)]
        return prediction_rows(
            [Column("what was fed, and the output", tiles)],
            caption=self.caption(source, self._scales_in_words()),
            names=self.names(source, len(found)),
            scores=of_rows,
            keys=keys,
            note=join_notes(note),
            bad=count_non_finite(found),
        )

    def _beyond(self, source: str, lines: Sequence[Array]) -> str:
        """Say how many values are drawn at the edge since the scale of their variable ends before them."""
        fed, count = self.output.signals(source), 0
        fed = None if fed is None else fed[:MAX_ROWS, :, self.of_fed]
        for (low, high), variable in zip(self.scales, self.shown.tolist(), strict=True):
            values = [one[:MAX_ROWS, :, variable] for one in (*lines, fed) if one is not None]
            count += sum(int(((one < low) | (one > high)).sum()) for one in values)
        return f"{count:,} value{'s' * (count > 1)} beyond the scale" if count else ""

    def _scales_in_words(self) -> str:
        several = len(self.of_fed) > 1
        texts = [
            f"{f'variable {variable}: ' if several else ''}from {format_number(low)} to {format_number(high)}"
            for variable, (low, high) in zip(self.shown.tolist(), self.scales, strict=True)
        ]
        left_out = len(self.of_fed) - len(texts)
        return ", ".join(texts) + (f"; {left_out} more variables not drawn" if left_out else "")


def _as_series(values: Array, shape: tuple[int, ...]) -> Array:
    """Forecasts `(n, horizon, variables)`."""
    return np.asarray(values, np.float64).reshape(len(values), shape[0], -1)


def fed_variables(fed: Array, truth: Array | None, variables: int) -> Array:
    """The channel of the input that each variable of the output continues, `(variables,)`.

    The same channels if there are as many; else the one whose last value is nearest to the first true one.
    """
    if variables == fed.shape[-1] or truth is None:
        same: Array = np.arange(variables) % fed.shape[-1]
        return same
    gaps = np.abs(fed[:, -1, :, None] - truth[:, :1]).mean(axis=0)
    nearest: Array = np.argmin(np.nan_to_num(gaps, nan=np.inf), axis=0)
    return nearest


def _is_aligned(fed: Array, truth: Array) -> bool:
    """Whether y is of the times that were fed, not of those that follow: as long, and nearer to them."""
    if truth.shape != fed.shape:
        return False
    return bool(np.abs(truth - fed).mean() < np.abs(truth[:, 0] - fed[:, -1]).mean())
