"""Curves of metrics over the whole training: two data sets on one pair of axes, the best step marked."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from kerasviz_callbacks.draw.colour import NON_FINITE, Picture
from kerasviz_callbacks.draw.lines import coverage, extremes
from kerasviz_callbacks.draw.marks import fill, frame
from kerasviz_callbacks.draw.text import INK, LINE, PAPER, QUIET, Colour, format_number, short_number, text_width, write
from kerasviz_callbacks.draw.ticks import integer_ticks, round_ticks

Values = NDArray[np.float64]
SETS: dict[str, Colour] = {"training": (213, 94, 0), "validation": (0, 88, 155)}
"""The data sets in the order in which they are drawn, and their colours; training is dashed too."""

HEAD = 46
"""Pixels above the plot: a title and a subtitle."""
AXIS, FOOT = 50, 22
"""Pixels left of the plot and below it, for numbers."""

_GRID: Colour = (225, 229, 233)
_SINCE: Colour = (252, 243, 231)  # the ground since the best step
_DASH, _THICK, _RING, _DISC = 8, 2.4, 6.0, 4.0
_TIMES = 3
_LONGEST = 6000  # pixels of a line that is drawn along its length; a longer one is drawn by columns
_TITLE, _WORDS, _NUMBERS = 17, 15, 14  # font sizes: readable where a sheet is shrunk to TensorBoard's 350 pixels
_LEAST = 9  # font size of a text that would else be cut
_BESIDE = 8  # pixels between a title and its hint
_EDGE = 3  # pixels above the highest value and below the lowest, so that a line there is seen whole
_FAR = 1e6


@dataclass(frozen=True)
class Curve:
    """A metric over the steps.

    Attributes:
        steps: in increasing order, `(t,)`.
        values: `(t,)`; what is not finite breaks the line and is a column in its own colour; `None`, where there was
            nothing to measure, is a gap.
        best: the step that is marked with a ring; `None`: none is.
    """

    steps: Sequence[int]
    values: Sequence[float | None]
    best: int | None = None

    @property
    def last(self) -> tuple[int, float] | None:
        """The newest step that is known, and its value, NaN in a gap."""
        known = self.values[-1] if len(self.steps) else None
        return (self.steps[-1], math.nan if known is None else known) if len(self.steps) else None


@dataclass(frozen=True)
class Chart:
    """Curves on one pair of axes.

    Attributes:
        curves: by the name of the set, `"validation"` or `"training"`.
        low: the value at the lower edge.
        high: the value at the upper edge.
        subtitle: the line below the title, such as the best value and the newest.
        hint: beside the title, quietly; left out where there is no room for it.
        log: values stand at their logarithm to base 10; `low` and `high` are above 0.
        level: a value that is marked by a dotted line right across.
        level_name: what it is; beside the title, or at the line where there is no room.
    """

    title: str
    curves: Mapping[str, Curve]
    low: float
    high: float
    subtitle: str = ""
    hint: str = ""
    log: bool = False
    level: float | None = None
    level_name: str = ""


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
    level_told = _paint_heading(canvas, chart, width - AXIS)
    plot = canvas[HEAD : height - FOOT, AXIS:]
    axes = _Axes(chart, axis, *plot.shape[:2])
    if axis.best is not None and axis.now > axis.best:
        fill(plot, (axes.across(axis.best), 0, axes.across(axis.now), plot.shape[0]), _SINCE)
    for value in axes.ticks():
        row = float(axes.down(np.array([value]))[0])
        fill(plot, (0, row, plot.shape[1], row), _GRID)
        place, left = (AXIS - 5, HEAD + row), AXIS - 6
        number = short_number(value)
        write(canvas, place, number, size=_NUMBERS, colour=QUIET, anchor="rm", width=left, least=_LEAST)
    if chart.level is not None:
        _paint_level(plot, float(axes.down(np.array([chart.level]))[0]), "" if level_told else chart.level_name)
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
    for step in integer_ticks(axis.first, axis.last, 5):
        x, foot = AXIS + axes.across(step), height - FOOT
        fill(canvas, (x, foot, x, foot + 2), QUIET)
        write(canvas, (x, foot + 5), format_number(step), size=_NUMBERS, colour=QUIET, anchor="mt")


def _paint_heading(canvas: Picture, chart: Chart, room: int) -> bool:
    """The title, smaller where a hint fits beside it only then, and the subtitle; whether the level is named there."""
    hints = [chart.hint, f"dotted: {chart.level_name}" if chart.level_name else "", chart.level_name]
    sizes = [_TITLE, _NUMBERS]
    beside = [room - _BESIDE - min(text_width(chart.title, size, bold=True), room) for size in sizes]
    fitting = [one for left in beside for one in hints if one and text_width(one, _NUMBERS) <= left]
    hint = fitting[0] if fitting else ""  # half a hint helps nobody
    title = room - _BESIDE - text_width(hint, _NUMBERS) if hint else room
    taken = write(canvas, (AXIS, 17), chart.title, size=_TITLE, bold=True, width=title, least=_NUMBERS)
    write(canvas, (AXIS + taken + _BESIDE, 17), hint, size=_NUMBERS, colour=QUIET)
    write(canvas, (AXIS, 37), chart.subtitle, size=_WORDS, colour=QUIET, width=room, least=_LEAST)
    return bool(hint) and hint in hints[1:]


def _paint_level(plot: Picture, row: float, name: str) -> None:
    """A dotted line right across, its name at its right end, on the side where there is more room."""
    for left in range(0, plot.shape[1], 5):
        fill(plot, (left, row, left + 1, row), INK)
    above = row > plot.shape[0] / 2
    place = (plot.shape[1] - 4, row - 4 if above else row + 5)
    write(plot, place, name, size=_NUMBERS, colour=QUIET, anchor="rs" if above else "rt")


def paint_key(canvas: Picture, x: float, y: float, names: Sequence[str]) -> None:
    """Paints the legend of the data sets, in place, from `x` to the right, the middle of the text at `y`."""
    for name in names:
        for start in (0, 1) if name == "training" else (0,):
            end = 24 if name != "training" else start * 14 + 10
            fill(canvas, (x + start * 14, y - 1, x + end, y + 1), SETS[name])
        x += 30 + write(canvas, (x + 30, y), name, size=_WORDS, anchor="lm") + 18


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
            powers = integer_ticks(math.ceil(self.low - 1e-9), math.floor(self.high + 1e-9), 3)
            return [10.0**power for power in powers]
        return round_ticks(self.low, self.high, 3, least=2)

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
    near = np.clip(rows, -axes.height, 2 * axes.height)  # what lies far outside leaves the plot as steeply
    length = np.nansum(np.hypot(np.diff(places), np.diff(near)))
    if length <= _LONGEST:
        covered = _stroke(places, near, (axes.height, axes.width), dashed)
    else:
        highest, lowest = extremes(rows[None], places, axes.width)
        covered = coverage(highest[0] - _THICK / 2, lowest[0] + _THICK / 2, axes.height)
        if dashed:
            covered = covered * (np.arange(axes.width) // _DASH % 2 == 0)
    share = covered[..., None]
    plot[:] = np.rint(plot + (np.array(ink) - plot.astype(np.float32)) * share).astype(np.uint8)


def _stroke(places: Values, rows: Values, size: tuple[int, int], dashed: bool) -> NDArray[np.float32]:
    """How much of each pixel a line covers that is as thick and, if `dashed`, as dashed where it is steep.

    A point without neighbours is a disc.
    `places` and `rows` are of its points `(t,)`, NaN where it is broken. Drawn `_TIMES` as large and reduced.
    """
    image = Image.new("L", (size[1] * _TIMES, size[0] * _TIMES))
    draw = ImageDraw.Draw(image)
    points = np.stack([places, rows], axis=1) * _TIMES - 0.5
    wide = round(_THICK * _TIMES)
    for run in np.split(points, np.flatnonzero(np.isnan(rows))):
        line = run[np.isfinite(run).all(axis=1)]
        for piece in _dashes(line) if dashed and len(line) > 1 else [line]:
            if len(piece) > 1:
                draw.line(piece.ravel().tolist(), fill=255, width=wide, joint="curve")
            elif len(piece):
                (x, y), half = piece[0].tolist(), _DISC * _TIMES
                draw.ellipse((x - half, y - half, x + half, y + half), fill=255)
    return np.asarray(image.reduce(_TIMES), np.float32) / np.float32(255)


def _dashes(line: Values) -> Iterator[Values]:
    """The parts of a line `(t, 2)` that are drawn, with its corners, by its own length."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    for start in np.arange(0.0, along[-1], 2 * _DASH * _TIMES):
        ends = np.array([start, min(start + _DASH * _TIMES, along[-1])])
        first, last = np.searchsorted(along, ends, side="right")
        at = np.stack([np.interp(ends, along, line[:, axis]) for axis in (0, 1)], axis=1)
        yield np.concatenate([at[:1], line[first : max(last, first)], at[1:]])


def _paint_best(canvas: Picture, curve: Curve, axes: _Axes, ink: Colour) -> None:
    if curve.best is None:
        return
    value = dict(zip(curve.steps, curve.values, strict=True)).get(curve.best)
    if value is not None and math.isfinite(value):
        row = float(axes.down(np.array([value]))[0])
        if 0 <= row < axes.height:
            paint_dot(canvas, AXIS + axes.across(curve.best), HEAD + row, ink, hollow=True)


def _paint_non_finite(plot: Picture, curve: Curve, axes: _Axes) -> None:
    """Colours the columns of the steps whose value is not finite."""
    for step, value in zip(curve.steps, curve.values, strict=True):
        if value is not None and not math.isfinite(value):
            left = axes.across(step) - axes.cell / 2
            fill(plot, (left, 0, max(left + axes.cell - 1, left), axes.height), NON_FINITE)
