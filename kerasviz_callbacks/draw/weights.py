"""A kernel as a matrix, before and right after a training step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from kerasviz_callbacks.draw.colour import DIVERGING, Picture, colourise
from kerasviz_callbacks.draw.marks import fill, frame
from kerasviz_callbacks.draw.sheet import Scale, Sheet
from kerasviz_callbacks.draw.text import INK, PAPER, QUIET, text_width, write
from kerasviz_callbacks.draw.ticks import numbered_cells
from kerasviz_callbacks.draw.tiles import enlarge, place

SIDE = 200
"""The most rows and columns of a matrix that is drawn, in cells and in pixels."""

_WIDEST = 20  # pixels of one cell
_LEAST = 12  # pixels of its longer side, if there is room: the mark of the largest weight must not hide its neighbours
_SIZE = 12
_GAP = 16
_RING = 5


@dataclass(frozen=True)
class Panel:
    """One matrix and its title.

    Attributes:
        cells: `(rows, columns)`, at most `SIDE` each.
        scale: the magnitude of the strongest colour.
        mark: row and column of the cell that is ringed.
    """

    title: str
    cells: NDArray[Any]
    scale: float
    mark: tuple[int, int] | None = None


def weight_panels(
    panels: Sequence[Panel],
    *,
    inputs: int,
    outputs: int,
    caption: str,
    rows: str = "in",
    note: str = "",
    bad: str = "",
) -> Picture:
    """Shows matrices of the same shape side by side, red for positive, blue for negative, white for zero.

    The first one's scale is that of the legend. `inputs` and `outputs` are the rows and columns of the whole matrix,
    of which the cells may be a part; `rows` stands above the numbers of the rows.
    """
    cell = cell_size(*panels[0].cells.shape)
    height, width = (count * side for count, side in zip(panels[0].cells.shape, cell, strict=True))
    title, ticks = _SIZE + 8, _SIZE + 6
    left = max(text_width(str(inputs), _SIZE), text_width(rows, _SIZE, bold=True)) + 10
    pitch = max(width, *(text_width(panel.title, _SIZE, bold=True) for panel in panels)) + _GAP
    spill = text_width(str(outputs), _SIZE) // 2  # of the last number, half of which may stand beyond the panel
    page = Sheet(title + ticks + height + _RING + 3, left + pitch * len(panels) - _GAP + spill, caption)
    canvas = page.body
    lefts = [left + number * pitch for number in range(len(panels))]
    for panel, x in zip(panels, lefts, strict=True):
        place(canvas, enlarge(colourise(panel.cells, -panel.scale, panel.scale, DIVERGING), cell), x, title + ticks)
    for panel, x in zip(panels, lefts, strict=True):
        write(canvas, (x, _SIZE), panel.title, size=_SIZE, bold=True)
        _number(canvas, outputs, width, x, title + ticks, across=True)
        if panel.mark is not None:
            _ring(canvas, x, title + ticks, panel.mark, cell)
    _number(canvas, inputs, height, lefts[0], title + ticks, across=False)
    write(canvas, (left - 8, title + ticks - 6), rows, size=_SIZE, colour=QUIET, bold=True, anchor="rs")
    legend = Scale(-panels[0].scale, panels[0].scale, DIVERGING, "weight")
    return page.finished(legend=legend, note=note, bad=bad)


def cell_size(rows: int, columns: int) -> tuple[int, int]:
    """Pixels of one cell, down and across: as large as `SIDE` allows, and not too far from a square if it is large."""
    down, across = (max(1, min(_WIDEST, SIDE // count)) for count in (rows, columns))
    return min(down, max(_LEAST, 3 * across)), min(across, max(_LEAST, 3 * down))


def _number(canvas: Picture, count: int, pixels: int, x: int, y: int, *, across: bool) -> None:
    """Writes the numbers of inputs down the left side, or of outputs along the top, as many as fit."""
    needed = text_width(str(count), _SIZE) + 12 if across else 2 * _SIZE
    for index in numbered_cells(count, pixels / count, needed):
        along = (index + 0.5) * pixels / count
        if across:
            fill(canvas, (x + along, y - 5, x + along, y - 2), QUIET)
            write(canvas, (x + along, y - 6), index, size=_SIZE - 1, colour=QUIET, anchor="ms")
        else:
            fill(canvas, (x - 5, y + along, x - 2, y + along), QUIET)
            write(canvas, (x - 8, y + along), index, size=_SIZE - 1, colour=QUIET, anchor="rm")


def _ring(canvas: Picture, x: int, y: int, mark: tuple[int, int], cell: tuple[int, int]) -> None:
    """A frame round one cell, in ink with white on both sides, seen on any colour."""
    row, column = mark
    down, across = (max(side / 2, _RING) for side in cell)
    middle = (x + (column + 0.5) * cell[1], y + (row + 0.5) * cell[0])
    for away, colour in ((0, PAPER), (1, INK), (2, INK), (3, PAPER)):
        box = (
            middle[0] - across - away,
            middle[1] - down - away,
            middle[0] + across + away - 1,
            middle[1] + down + away - 1,
        )
        frame(canvas, box, colour)
