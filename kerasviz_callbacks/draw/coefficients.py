"""The units of a layer: their weights now, and their length and turn over all steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kerasviz_callbacks.draw.colour import Picture, colourise
from kerasviz_callbacks.draw.marks import fill
from kerasviz_callbacks.draw.sheet import Scale, Sheet
from kerasviz_callbacks.draw.text import INK, LINE, PAPER, QUIET, format_number, text_width, write
from kerasviz_callbacks.draw.ticks import integer_ticks, numbered_cells
from kerasviz_callbacks.draw.tiles import place

ACROSS = 216
"""Pixels that a panel is wide, and the most columns that it has."""

_HIGH, _LEAST, _MOST = 208, 2, 24  # pixels: of a panel, and of a unit in it
_SIZE = 12
_GAP = 18
_BAR = 46


@dataclass(frozen=True)
class Heat:
    """One panel with one row per unit.

    Attributes:
        cells: `(units, columns)`, at most `ACROSS` columns.
        scale: the values of the colours; shown beside the title.
        ticks: `(place, name)` along the bottom, the place from 0 to 1 of the width.
        axis: what the columns are: `"input"`, `"epoch"` or `"batch"`.
        filled: `(columns,)`, those that hold values; the others stay white. `None`: all.
    """

    title: str
    cells: NDArray[Any]
    scale: Scale
    ticks: Sequence[tuple[float, str]]
    axis: str
    filled: NDArray[np.bool_] | None = None


def coefficient_panels(
    panels: Sequence[Heat], *, units: Sequence[int], caption: str, note: str = "", bad: str = ""
) -> Picture:
    """Shows four panels, two and two, whose rows are the same units; `units` are their numbers.

    The scale of the last panel stands in the strip, where its label fits.
    """
    tall = unit_height(len(units))
    height = tall * len(units)
    title, below = _SIZE + 12, _SIZE + 10
    labels = ["unit", str(max(units, default=0)), *(panel.axis for panel in panels)]
    left = max(text_width(word, _SIZE - 1, bold=True) for word in labels) + 10
    page = Sheet(2 * (title + height + below) + _GAP // 2, left + 2 * ACROSS + _GAP + 12, caption)
    canvas = page.body
    corners = [
        (left + (number % 2) * (ACROSS + _GAP), title + (number // 2) * (title + height + below + _GAP // 2))
        for number in range(len(panels))
    ]
    for panel, (x, y) in zip(panels, corners, strict=True):
        place(canvas, _stretched(panel, tall), x, y)
    for number, (panel, (x, y)) in enumerate(zip(panels, corners, strict=True)):
        if number < len(panels) - 1:
            _head(canvas, panel, x, y)
        else:
            write(canvas, (x, y - 7), panel.title, size=_SIZE, bold=True, width=ACROSS)
        _foot(canvas, panel, x, y + height, named=number % 2 == 0)
        if number % 2 == 0:
            _number_units(canvas, units, x, y, tall)
    return page.finished(legend=panels[-1].scale, note=note, bad=bad)


def unit_height(count: int) -> int:
    """Pixels of one unit's row."""
    return int(np.clip(round(_HIGH / max(count, 1)), _LEAST, _MOST))


def step_ticks(first: int, last: int) -> list[tuple[float, str]]:
    """The numbers along an axis from the first step to the last, at most seven.

    Returns:
        `(place, name)` of each: the middle of the step's column, from 0 to 1 of the width.
    """
    steps = last - first + 1
    return [((step - first + 0.5) / steps, str(step)) for step in integer_ticks(first, last, 6)]


def input_ticks(count: int) -> list[tuple[float, str]]:
    """The numbers along an axis of `count` inputs, as `step_ticks` gives them."""
    return step_ticks(0, count - 1)


def _stretched(panel: Heat, tall: int) -> Picture:
    """The panel's colours, each unit `tall` pixels high and all columns together `ACROSS` wide."""
    coloured = colourise(panel.cells, panel.scale.low, panel.scale.high, panel.scale.colours)
    if panel.filled is not None:
        coloured[:, ~panel.filled] = PAPER
    columns = np.arange(ACROSS) * coloured.shape[1] // ACROSS
    return coloured[:, columns].repeat(tall, axis=0)


def _head(canvas: Picture, panel: Heat, x: int, y: int) -> None:
    """The title, and at the right end of its line the scale."""
    baseline = y - 7
    high, low = format_number(panel.scale.high), format_number(panel.scale.low)
    right = x + ACROSS
    write(canvas, (right, baseline), high, size=_SIZE - 1, colour=QUIET, anchor="rs")
    right -= text_width(high, _SIZE - 1) + 4
    fill(canvas, (right - _BAR - 1, baseline - 9, right, baseline), LINE)
    canvas[baseline - 8 : baseline, right - _BAR : right] = panel.scale.bar(_BAR, 8)
    right -= _BAR + 5
    write(canvas, (right, baseline), low, size=_SIZE - 1, colour=QUIET, anchor="rs")
    right -= text_width(low, _SIZE - 1) + 6
    write(canvas, (x, baseline), panel.title, size=_SIZE, bold=True, width=right - x)


def _foot(canvas: Picture, panel: Heat, x: int, y: int, *, named: bool) -> None:
    """Numbers below the panel; left of those of a first panel the name of the axis."""
    for share, name in panel.ticks:
        at = x + share * ACROSS
        fill(canvas, (at, y + 1, at, y + 4), QUIET)
        write(canvas, (at, y + _SIZE + 4), name, size=_SIZE - 1, colour=QUIET, anchor="ms")
    if named:
        write(canvas, (x - 8, y + _SIZE + 4), panel.axis, size=_SIZE - 1, colour=QUIET, bold=True, anchor="rs")


def _number_units(canvas: Picture, units: Sequence[int], x: int, y: int, tall: int) -> None:
    """Numbers of units left of a panel, as many as fit."""
    write(canvas, (x - 8, y - 7), "unit", size=_SIZE - 1, colour=QUIET, bold=True, anchor="rs")
    for row in numbered_cells(len(units), tall, _SIZE + 4):
        middle = y + (row + 0.5) * tall
        fill(canvas, (x - 5, middle, x - 2, middle), QUIET)
        write(canvas, (x - 8, middle), units[row], size=_SIZE - 1, colour=INK, anchor="rm")
