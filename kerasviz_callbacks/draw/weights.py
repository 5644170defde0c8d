"""A kernel as a matrix, before and right after a training step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kerasviz_callbacks.draw.colour import DIVERGING, Picture, colourise
from kerasviz_callbacks.draw.marks import fill, frame
from kerasviz_callbacks.draw.sheet import Scale, Sheet
from kerasviz_callbacks.draw.text import INK, PAPER, QUIET, text_width, write
from kerasviz_callbacks.draw.ticks import numbered_cells
from kerasviz_callbacks.draw.tiles import enlarge, place

SIDE = 200
"""The most rows and columns of a matrix that is drawn, in cells and in pixels without lines."""

Blocks = tuple[str, Sequence[str]]
"""Equal parts of the rows or columns of a matrix: what a part is, such as "gate", and the names of all."""

_WIDEST = 20  # pixels of one cell
_LEAST = 12  # pixels of its longer side, if there is room: the mark of the largest weight must not hide its neighbours
_SIZE = 12
_GAP = 16
_RING = 5
_LINE = (PAPER, INK, PAPER)  # between blocks, pixel by pixel: seen on any colour


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
    row_name: str = "in",
    row_blocks: Blocks | None = None,
    column_blocks: Blocks | None = None,
    note: str = "",
    bad: str = "",
) -> Picture:
    """Shows matrices of the same shape side by side, red for positive, blue for negative, white for zero.

    The first one's scale is that of the legend. `inputs` and `outputs` are the rows and columns of the whole matrix,
    of which the cells may be a part. Blocks are named, and separated by lines; their number must divide that of the
    rows or columns. `row_name` stands above the numbers of the rows.
    """
    rows, columns = panels[0].cells.shape
    cell = cell_size(rows, columns)
    down, across = _Axis(inputs, rows, cell[0], row_blocks), _Axis(outputs, columns, cell[1], column_blocks)
    height, width = down.pixels, across.pixels
    title, ticks = _SIZE + 8 + (_SIZE + 4) * (column_blocks is not None), _SIZE + 6
    number_width = max(text_width(str(inputs), _SIZE), text_width(row_name, _SIZE, bold=True)) + 10
    left = number_width + _names_width(row_blocks)
    left = left if column_blocks is None else max(left, text_width(column_blocks[0], _SIZE, bold=True) + 10)
    pitch = max(width, *(text_width(panel.title, _SIZE, bold=True) for panel in panels)) + _GAP
    spill = text_width(str(outputs), _SIZE) // 2  # of the last number, half of which may stand beyond the panel
    page = Sheet(title + ticks + height + _RING + 3, left + pitch * len(panels) - _GAP + spill, caption)
    canvas = page.body
    lefts = [left + number * pitch for number in range(len(panels))]
    for panel, x in zip(panels, lefts, strict=True):
        cells = enlarge(colourise(panel.cells, -panel.scale, panel.scale, DIVERGING), cell)
        place(canvas, across.separated(down.separated(cells, axis=0), axis=1), x, title + ticks)
    for panel, x in zip(panels, lefts, strict=True):
        write(canvas, (x, _SIZE), panel.title, size=_SIZE, bold=True)
        _number(canvas, across, x, title + ticks, across=True)
        _name_columns(canvas, across, x, title)
        if panel.mark is not None:
            row, column = panel.mark
            _ring(canvas, x + across.cell_middle(column), title + ticks + down.cell_middle(row), cell)
    _number(canvas, down, left, title + ticks, across=False)
    _name_rows(canvas, down, left - number_width, title + ticks)
    if column_blocks is not None:
        write(canvas, (left - 8, title), column_blocks[0], size=_SIZE, colour=QUIET, bold=True, anchor="rs")
    write(canvas, (left - 8, title + ticks - 6), row_name, size=_SIZE, colour=QUIET, bold=True, anchor="rs")
    legend = Scale(-panels[0].scale, panels[0].scale, DIVERGING, "weight")
    return page.finished(legend=legend, note=note, bad=bad)


def cell_size(rows: int, columns: int) -> tuple[int, int]:
    """Pixels of one cell, down and across: as large as `SIDE` allows, and not too far from a square if it is large."""
    down, across = (max(1, min(_WIDEST, SIDE // count)) for count in (rows, columns))
    return min(down, max(_LEAST, 3 * across)), min(across, max(_LEAST, 3 * down))


@dataclass(frozen=True)
class _Axis:
    """The rows or columns of a drawn matrix, with a line between two blocks."""

    count: int  # of the whole matrix
    cells: int  # that are drawn
    size: int  # pixels of a cell
    named: Blocks | None = None

    @property
    def blocks(self) -> int:
        return 1 if self.named is None else len(self.named[1])

    @property
    def pixels(self) -> int:
        return self.cells * self.size + len(_LINE) * (self.blocks - 1)

    def separated(self, picture: Picture, axis: int) -> Picture:
        """The cells `(h, w, 3)` with lines between blocks along an axis."""
        starts = [block * self.cells // self.blocks * self.size for block in range(1, self.blocks)]
        line = np.expand_dims(np.tile(_LINE, (len(starts), 1)), 1 - axis) if starts else np.uint8(0)
        return np.insert(picture, np.repeat(starts, len(_LINE)).astype(np.intp), line, axis)

    def middle(self, index: int) -> float:
        """The pixel in the middle of a row or column of the whole matrix."""
        return (index + 0.5) * self.cells * self.size / self.count + len(_LINE) * (index * self.blocks // self.count)

    def cell_middle(self, cell: int) -> float:
        """The pixel in the middle of a cell."""
        return (cell + 0.5) * self.size + len(_LINE) * (cell * self.blocks // self.cells)

    def block_middle(self, block: int) -> float:
        """The pixel in the middle of a block."""
        return (block + 0.5) * self.pixels / self.blocks


def _names_width(blocks: Blocks | None) -> int:
    """The pixels that the names of blocks take beside the numbers of the rows."""
    if blocks is None:
        return 0
    return max(text_width(blocks[0], _SIZE, bold=True), *(text_width(name, _SIZE) for name in blocks[1]), 0) + 6


def _name_columns(canvas: Picture, axis: _Axis, x: int, y: int) -> None:
    """Writes the names of as many blocks of columns as fit above them, on the line `y`."""
    if axis.named is None:
        return
    names = axis.named[1]
    needed = max(text_width(name, _SIZE) for name in names) + 4
    for block in numbered_cells(len(names), axis.pixels / len(names), needed):
        write(canvas, (x + axis.block_middle(block), y), names[block], size=_SIZE, anchor="ms")


def _name_rows(canvas: Picture, axis: _Axis, right: int, y: int) -> None:
    """Writes the names of as many blocks of rows as fit left of them, and above them what they are."""
    if axis.named is None:
        return
    what, names = axis.named
    write(canvas, (right, y - 6), what, size=_SIZE, colour=QUIET, bold=True, anchor="rs")
    for block in numbered_cells(len(names), axis.pixels / len(names), _SIZE + 2):
        write(canvas, (right, y + axis.block_middle(block)), names[block], size=_SIZE, anchor="rm")


def _number(canvas: Picture, axis: _Axis, x: int, y: int, *, across: bool) -> None:
    """Writes the numbers of inputs down the left side, or of outputs along the top, as many as fit."""
    needed = text_width(str(axis.count), _SIZE) + 12 if across else 2 * _SIZE
    for index in numbered_cells(axis.count, axis.cells * axis.size / axis.count, needed):
        along = axis.middle(index)
        if across:
            fill(canvas, (x + along, y - 5, x + along, y - 2), QUIET)
            write(canvas, (x + along, y - 6), index, size=_SIZE - 1, colour=QUIET, anchor="ms")
        else:
            fill(canvas, (x - 5, y + along, x - 2, y + along), QUIET)
            write(canvas, (x - 8, y + along), index, size=_SIZE - 1, colour=QUIET, anchor="rm")


def _ring(canvas: Picture, x: float, y: float, cell: tuple[int, int]) -> None:
    """A frame round the cell with this middle, in ink with white on both sides, seen on any colour."""
    down, across = (max(side / 2, _RING) for side in cell)
    for away, colour in ((0, PAPER), (1, INK), (2, INK), (3, PAPER)):
        frame(canvas, (x - across - away, y - down - away, x + across + away - 1, y + down + away - 1), colour)
