"""Curves of metrics over the whole training: two data sets on one pair of axes, the best step marked."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kerasviz_callbacks.draw.colour import NON_FINITE, Picture
from kerasviz_callbacks.draw.lines import coverage, extremes
from kerasviz_callbacks.draw.marks import fill, frame
from kerasviz_callbacks.draw.text import INK, LINE, PAPER, QUIET, Colour, format_number, write
from kerasviz_callbacks.draw.ticks import integer_ticks, round_ticks

Values = NDArray[np.float64]
SETS: dict[str, Colour] = {"training": (213, 94, 0), "validation": (0, 88, 155)}
"""The data sets in the order in which they are drawn, and their colours; training is dashed too."""

HEAD = 36
"""Pixels above the plot: a title and a subtitle."""
AXIS, FOOT = 44, 18
"""Pixels left of the plot and below it, for numbers."""

_GRID: Colour = (225, 229, 233)
_SINCE: Colour = (252, 243, 231)  # the ground since the best step
_DASH, _THICK, _RING = 7, 2.0, 5.0
_EDGE = 3  # pixels above the highest value and below the lowest, so that a line there is seen whole
_FAR = 1e6


@dataclass(frozen=True)
class Curve:
    """A metric over the steps.

    Attributes:
        steps: in increasing order, `(t,)`.
        values: `(t,)`; what is not finite breaks the line and is a column in its own colour.
        best: the step that is marked with a ring; `None`: none is.
    """

    steps: Sequence[int]
    values: Sequence[float]
    best: int | None = None

    @property
    def last(self) -> tuple[int, float] | None:
        """The newest step that is known, and its value."""
        return (self.steps[-1], self.values[-1]) if len(self.steps) else None


@dataclass(frozen=True)
class Chart:
    """Curves on one pair of axes.

    Attributes:
        curves: by the name of the set, `"validation"` or `"training"`.
        low: the value at the lower edge.
        high: the value at the upper edge.
        subtitle: the line below the title, such as the best value and the newest.
        hint: beside the title, quietly.
        log: values stand at their logarithm to base 10; `low` and `high` are above 0.
    """

    title: str
    curves: Mapping[str, Curve]
    low: float
    high: float
    subtitle: str = ""
    hint: str = ""
    log: bool = False


@dataclass(frozen=True)
class StepAxis:
    """The horizontal axis, the same for all charts.

    Attributes:
        best: the best step, a line through all charts; `None`: none is known.
        now: the newest step; the ground is tinted from the best step to it.
    """

    first: int
    last: int
    best: int | None
    now: int


def paint_chart(canvas: Picture, chart: Chart, axis: StepAxis) -> None:
    """Paints a chart over the whole of a canvas of white paper, larger than what `HEAD`, `AXIS` and `FOOT` take."""
    height, width = canvas.shape[:2]
    taken = AXIS + write(canvas, (AXIS, 13), chart.title, size=13, bold=True, width=width - AXIS) + 8
    write(canvas, (taken, 13), chart.hint, size=11, colour=QUIET, width=max(width - taken, 0))
    write(canvas, (AXIS, 29), chart.subtitle, size=11, colour=QUIET, width=width - AXIS)
    plot = canvas[HEAD : height - FOOT, AXIS:]
    axes = _Axes(chart, axis, *plot.shape[:2])
    if axis.best is not None and axis.now > axis.best:
        fill(plot, (axes.across(axis.best), 0, axes.across(axis.now), plot.shape[0]), _SINCE)
    for value in axes.ticks():
        row = float(axes.down(np.array([value]))[0])
        fill(plot, (0, row, plot.shape[1], row), _GRID)
        write(canvas, (AXIS - 5, HEAD + row), format_number(value), size=10, colour=QUIET, anchor="rm", width=AXIS - 6)
    curves = {name: chart.curves[name] for name in SETS if name in chart.curves}
    for curve in curves.values():
        _paint_non_finite(plot, curve, axes)
    if axis.best is not None:
        x = axes.across(axis.best)
        for top in range(0, plot.shape[0], 6):
            fill(plot, (x, top, x, top + 2), INK)
    for name, curve in curves.items():
        _paint_line(plot, curve, axes, SETS[name], dashed=name == "training")
    frame(canvas, (AXIS, HEAD, width - 1, height - FOOT - 1), LINE)
    for name, curve in curves.items():
        _paint_best(canvas, curve, axes, SETS[name])
    for step in integer_ticks(axis.first, axis.last, 8):
        x, foot = AXIS + axes.across(step), height - FOOT
        fill(canvas, (x, foot, x, foot + 2), QUIET)
        write(canvas, (x, foot + 4), format_number(step), size=10, colour=QUIET, anchor="mt")


def paint_key(canvas: Picture, x: float, y: float, names: Sequence[str]) -> None:
    """Paints the legend of the data sets, in place, from `x` to the right, the middle of the text at `y`."""
    for name in names:
        for start in (0, 1) if name == "training" else (0,):
            end = 24 if name != "training" else start * 14 + 10
            fill(canvas, (x + start * 14, y - 1, x + end, y + 1), SETS[name])
        x += 30 + write(canvas, (x + 30, y), name, size=12, anchor="lm") + 18


def paint_dot(canvas: Picture, x: float, y: float, ink: Colour, *, radius: float = _RING, hollow: bool = False) -> None:
    """Paints a disc, or a ring filled with paper, with smooth edges, in place; what lies outside is left out."""
    left, top = max(math.floor(x - radius - 1), 0), max(math.floor(y - radius - 1), 0)
    part = canvas[top : max(math.ceil(y + radius + 2), 0), left : max(math.ceil(x + radius + 2), 0)]
    if not part.size:
        return
    rows, columns = np.ogrid[top : top + part.shape[0], left : left + part.shape[1]]
    away = np.hypot(rows + 0.5 - y, columns + 0.5 - x)[..., None]
    for outer, colour in ((radius, ink), (radius - 2, PAPER if hollow else ink)):
        share = np.clip(outer + 0.5 - away, 0, 1)
        part[:] = np.rint(part + (np.array(colour) - part) * share).astype(np.uint8)


class _Axes:
    """From steps and values to pixels of a plot."""

    def __init__(self, chart: Chart, axis: StepAxis, height: int, width: int) -> None:
        self.log = chart.log
        self.low, self.high = float(self._transform(chart.low)), float(self._transform(chart.high))
        if not self.low < self.high:
            self.low, self.high = self.low - 1.0, self.low + 1.0
        self.first, self.height, self.width = axis.first, height, width
        self.cell = width / (axis.last - axis.first + 1)

    def across(self, step: float) -> float:
        return (step - self.first + 0.5) * self.cell

    def down(self, values: Values) -> Values:
        with np.errstate(over="ignore", invalid="ignore"):
            share = (self.high - self._transform(values)) / (self.high - self.low)
        rows: Values = _EDGE + np.clip(share, -_FAR, _FAR) * (self.height - 1 - 2 * _EDGE)
        return rows

    def ticks(self) -> list[float]:
        """Round numbers, at least three where that is possible."""
        if self.log:
            powers = integer_ticks(math.ceil(self.low - 1e-9), math.floor(self.high + 1e-9), 4)
            return [10.0**power for power in powers]
        return round_ticks(self.low, self.high, 4, least=3)

    def _transform(self, values: float | Values) -> Values:
        given = np.asarray(values, np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log10(given) if self.log else given


def _paint_line(plot: Picture, curve: Curve, axes: _Axes, ink: Colour, *, dashed: bool) -> None:
    values = np.asarray(curve.values, np.float64)
    if not len(values):
        return
    places = np.array([axes.across(step) for step in curve.steps])
    rows = np.where(np.isfinite(values), axes.down(np.where(np.isfinite(values), values, axes.high)), np.nan)
    highest, lowest = extremes(rows[None], places, axes.width)
    covered = coverage(highest[0] - _THICK / 2, lowest[0] + _THICK / 2, axes.height)
    if dashed and len(values) > 1:
        covered = covered * (np.arange(axes.width) // _DASH % 2 == 0)
    share = covered[..., None]
    plot[:] = np.rint(plot + (np.array(ink) - plot.astype(np.float32)) * share).astype(np.uint8)


def _paint_best(canvas: Picture, curve: Curve, axes: _Axes, ink: Colour) -> None:
    if curve.best is None:
        return
    value = dict(zip(curve.steps, curve.values, strict=True)).get(curve.best, math.nan)
    if math.isfinite(value):
        row = float(axes.down(np.array([value]))[0])
        if 0 <= row < axes.height:
            paint_dot(canvas, AXIS + axes.across(curve.best), HEAD + row, ink, hollow=True)


def _paint_non_finite(plot: Picture, curve: Curve, axes: _Axes) -> None:
    """Colours the columns of the steps whose value is not finite."""
    for step, value in zip(curve.steps, curve.values, strict=True):
        if not math.isfinite(value):
            left = axes.across(step) - axes.cell / 2
            fill(plot, (left, 0, max(left + axes.cell - 1, left), axes.height), NON_FINITE)
