"""The distribution of each latent variable over all steps: one panel each, quantiles as ribbons, and the median."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kerasviz_callbacks.draw.colour import NON_FINITE, Picture
from kerasviz_callbacks.draw.lines import coverage, extremes
from kerasviz_callbacks.draw.marks import fill, frame
from kerasviz_callbacks.draw.sheet import blank, sheet
from kerasviz_callbacks.draw.text import INK, LINE, PAPER, QUIET, Colour, format_number, plural, text_width, write
from kerasviz_callbacks.draw.ticks import integer_ticks, round_ticks
from kerasviz_callbacks.draw.tiles import Grid

MOST_PANELS = 32
_WIDTH, _AXIS, _GAP, _TITLE, _LEGEND, _TICKS = 640, 44, 10, 19, 22, 16
_HEIGHTS = {1: 220, 2: 140, 3: 100, 4: 72}  # of a panel, by how many stand beside each other
_FAR = 1e6  # windows: what lies farther away leaves the panel as steeply
_OFF: Colour = (222, 225, 229)  # the background of the steps at which a unit is inactive
_GRID: Colour = (208, 213, 219)
# Outer ribbon, inner ribbon, median: they differ in lightness, so that the colour-blind can tell them apart; inactive
# units differ by their background too.
_BLUES: tuple[Colour, ...] = ((176, 212, 236), (94, 162, 210), (0, 62, 116))
_GREYS: tuple[Colour, ...] = ((196, 200, 205), (160, 165, 171), (96, 102, 110))
_VERMILION: Colour = (213, 94, 0)
"""The lines of a second data set over the ribbons: distinct from blue and grey for the colour-blind too."""

_MEDIAN, _BORDER = 2.5, 0.7  # half their thickness; this median shows on both sides of the other where they agree
_NAMES = 18  # pixels of the second line of the legend
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Window:
    """The range of both axes, the same for all panels: values from at most 0 to at least 0, and steps."""

    low: float
    high: float
    first: int
    last: int


@dataclass(frozen=True)
class Lines:
    """A second data set, drawn as lines over the ribbons of the first.

    Attributes:
        quantiles: as for `profiles`, `(t, 5, k)`, of the same units.
        steps: in increasing order, `(t,)`; not always those of the ribbons.
        name: of this set in the legend.
        ribbons: the name of the first one.
    """

    quantiles: ArrayLike
    steps: ArrayLike
    name: str
    ribbons: str


def profiles(
    quantiles: ArrayLike,
    active: ArrayLike,
    steps: ArrayLike,
    *,
    window: Window,
    units: Sequence[int],
    title: str,
    note: str = "",
    bad: str = "",
    lines: Lines | None = None,
    axis: str = "epoch",
) -> Picture:
    """Draws the distribution of the codes in each latent variable, step by step.

    Args:
        quantiles: of each unit at each step, ascending, `(t, 5, k)`: 5, 25, 50, 75 and 95 %. A unit that is not finite
            at a step has a column in the colour of what is not finite.
        active: whether the unit was in use then, `(t, k)`: blue ribbons, else grey ones on a grey ground.
        steps: in increasing order, `(t,)`.
        window: the axes that all panels share.
        units: the number of each unit, `(k,)`, at most 32.
        title: the caption.
        note: see `draw`.
        bad: how many codes are not finite.
        lines: a second set: its median and the borders of its 25-75 % as lines; its steps that are not finite are
            columns of that colour too.
        axis: what a step is, `"epoch"` or `"batch"`: the name of the x axis.
    """
    grid, legend = _grid(len(units)), _LEGEND + (_NAMES if lines else 0)
    low, high = (window.low, window.high) if window.low < window.high else (-1.0, 1.0)
    shown = Window(low, high, window.first, window.last)
    rows, places, broken = _placed(quantiles, steps, shown, grid)
    ticks = [(high - value) / (high - low) * grid.height for value in _ticks(low, high)]
    size, cell = (grid.height, grid.width), grid.width / (window.last - window.first + 1)
    second = None if lines is None else _placed(lines.quantiles, lines.steps, shown, grid)
    panels = _panels(rows, np.asarray(active, bool).T, places, size, cell, ticks, second and second[:2])
    _mark(panels, broken, places, cell)
    if second:
        _mark(panels, second[2], second[1], cell)
    body = blank(legend + max(grid.rows, 1) * (_TITLE + grid.height) + _TICKS, _WIDTH)
    corners = [_corner(grid, number, legend) for number in range(len(units))]
    for panel, (left, top) in zip(panels, corners, strict=True):
        body[top : top + grid.height, left : left + grid.width] = panel
    _write_legend(body, lines, plural(axis))
    _write_axes(body, grid, corners, shown, units)
    return sheet(body, caption=title, note=note, bad=bad)


def _placed(
    quantiles: ArrayLike, steps: ArrayLike, window: Window, grid: Grid
) -> tuple[Values, Values, NDArray[np.bool_]]:
    """Where quantiles stand in a panel.

    Returns:
        Rows in pixels from the top `(5, k, t)`, NaN where a unit is not finite; the steps in pixels from the left,
        `(t,)`; and whether a unit is not finite at a step, `(k, t)`.
    """
    values = np.asarray(quantiles, np.float64)
    cell = grid.width / (window.last - window.first + 1)
    places = (np.asarray(steps, np.float64) - window.first + 0.5) * cell
    finite: NDArray[np.bool_] = np.all(np.isfinite(values), axis=1, keepdims=True)
    with np.errstate(over="ignore"):  # a window of denormal numbers
        below = (window.high - np.where(finite, values, 0.0)) / (window.high - window.low)
    rows = np.where(finite, np.clip(below, -_FAR, _FAR) * grid.height, np.nan)
    return np.moveaxis(rows, 0, -1), places, ~finite[:, 0].T


def _grid(count: int) -> Grid:
    """The panels, each below a line for its title; `_corner` says where they stand on the sheet."""
    columns = min(max(math.ceil(math.sqrt(count)), 1), 4)
    width = (_WIDTH - _AXIS - _GAP * (columns - 1)) // columns
    return Grid(count, columns, _HEIGHTS[columns], width, gap=_GAP, above=_TITLE - _GAP)


def _corner(grid: Grid, number: int, legend: int) -> tuple[int, int]:
    """The x and y of a panel's upper left pixel, below a legend of so many pixels."""
    x, y = grid.corner(number)
    return x - 1 + _AXIS, y - 1 + _GAP + legend  # a panel has its frame inside, a tile outside


def _panels(
    rows: Values,
    active: NDArray[np.bool_],
    places: Values,
    size: tuple[int, int],
    cell: float,
    ticks: list[float],
    second: tuple[Values, Values] | None,
) -> Picture:
    """The panels `(k, *size, 3)`: ground, lines at the rows `ticks`, ribbons, lines of the second set, median.

    `rows` and `places` are as `_placed` gives them, in `second` likewise; `active` is `(k, t)`; a step is `cell` wide.
    """
    height, width = size
    columns = np.arange(width) + 0.5
    nearest = np.searchsorted((places[1:] + places[:-1]) / 2, columns)
    blue = active[:, nearest]
    seen = (columns > places[0] - cell / 2) & (columns < places[-1] + cell / 2)
    known = np.asarray(np.isfinite(rows).all(axis=0))
    off = known[:, nearest] & ~blue & seen  # (k, width)
    canvas = np.empty((3, len(active), height, width), np.float32)  # a plane a colour: long rows of one number each
    canvas[:] = np.where(off, np.array(_OFF)[:, None, None], np.array(PAPER)[:, None, None])[:, :, None]
    for tick in ticks:
        canvas[:, :, min(int(tick), height - 1)] = np.array(_GRID)[:, None, None]
    highest, lowest = extremes(rows, places, width)
    bands = [(highest[4], lowest[0]), (highest[3], lowest[1]), (highest[2] - 1, lowest[2] + 1)]
    for number, (top, bottom) in enumerate(bands):
        if second and number == 2:
            _lay_lines(canvas, *second)
        inks = (np.array(colours[number])[:, None, None] for colours in (_BLUES, _GREYS))
        colour = np.where(blue, *inks).astype(np.float32)
        canvas += (colour[:, :, None] - canvas) * coverage(top, bottom, height)
    picture: Picture = np.ascontiguousarray(np.moveaxis(np.rint(canvas).astype(np.uint8), 0, -1))
    return picture


def _lay_lines(canvas: NDArray[np.float32], rows: Values, places: Values) -> None:
    """Draws the median and the 25-75 % of a second set over the panels `(3, k, height, width)`, in place."""
    height, width = canvas.shape[2:]
    highest, lowest = extremes(rows[1:4], places, width)
    colour = np.array(_VERMILION, np.float32)[:, None, None, None]
    for number, half in ((0, _BORDER), (2, _BORDER), (1, _MEDIAN)):
        canvas += (colour - canvas) * coverage(highest[number] - half, lowest[number] + half, height)


def _mark(panels: Picture, broken: NDArray[np.bool_], places: Values, cell: float) -> None:
    """Colours the steps `(k, t)` at which a unit is not finite."""
    width = panels.shape[2]
    for step in np.flatnonzero(broken.any(axis=0)).tolist():
        left = min(int(places[step] - cell / 2), width - 1)
        right = max(math.ceil(places[step] + cell / 2), left + 1)
        panels[broken[:, step], :, left:right] = NON_FINITE


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers that do not touch the edges, 0 among them."""
    return round_ticks(0.9 * low, 0.9 * high, 4, least=3)


def _write_axes(
    body: Picture, grid: Grid, corners: Sequence[tuple[int, int]], window: Window, units: Sequence[int]
) -> None:
    span = window.last - window.first + 1
    marks = integer_ticks(window.first, window.last, 5)
    for number, (unit, (left, top)) in enumerate(zip(units, corners, strict=True)):
        frame(body, (left, top, left + grid.width - 1, top + grid.height - 1), LINE)
        write(body, (left + 1, top - 4), f"unit {unit}", size=11, width=grid.width)
        if number % grid.columns == 0:
            for value in _ticks(window.low, window.high):
                row = top + (window.high - value) / (window.high - window.low) * grid.height
                write(body, (left - 5, row), format_number(value), size=10, colour=QUIET, anchor="rm", width=_AXIS - 5)
        if number + grid.columns >= len(units):  # the last of its column
            for step in marks:
                across = left + (step - window.first + 0.5) * grid.width / span
                foot = top + grid.height
                fill(body, (across, foot, across, foot + 2), QUIET)
                write(body, (across, foot + 4), format_number(step), size=10, colour=QUIET, anchor="mt")


def _write_legend(body: Picture, lines: Lines | None, axis: str) -> None:
    left, middle = _AXIS, 8
    below = middle + _NAMES
    if lines:
        write(body, (left, middle), lines.ribbons, size=11, bold=True, anchor="lm")
        write(body, (left, below), lines.name, size=11, bold=True, anchor="lm")
        left += max(text_width(name, 11, bold=True) for name in (lines.ribbons, lines.name)) + 14
    entries = (("5–95 %", 5, 0), ("25–75 %", 5, 1), ("median", 1, 4))
    for blue, (name, high, thick) in zip(_BLUES, entries, strict=True):
        fill(body, (left, middle - high, left + 18, middle + high), blue)
        if lines and thick:
            fill(body, (left, below - thick // 2, left + 18, below + thick // 2), _VERMILION)
            write(body, (left + 24, below), name, size=11, colour=INK, anchor="lm")
        left += 24 + write(body, (left + 24, middle), name, size=11, colour=INK, anchor="lm") + 18
    fill(body, (left, middle - 6, left + 18, middle + 6), _OFF)
    frame(body, (left, middle - 6, left + 18, middle + 6), LINE)
    fill(body, (left + 1, middle - 3, left + 17, middle + 3), _GREYS[0])
    fill(body, (left + 1, middle - 1, left + 17, middle + 1), _GREYS[2])
    write(body, (left + 24, middle), "inactive", size=11, colour=INK, anchor="lm")
    write(body, (_WIDTH - text_width(axis, 11), middle), axis, size=11, colour=QUIET, anchor="lm")
