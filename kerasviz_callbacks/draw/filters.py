"""Kernels as tiles."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kerasviz_callbacks.draw.colour import DIVERGING, Picture, colourise, count_non_finite, is_signed, rgb
from kerasviz_callbacks.draw.sheet import Scale, Sheet
from kerasviz_callbacks.draw.text import LINE, PAPER, QUIET, SMALL, text_width, write
from kerasviz_callbacks.draw.ticks import numbered_cells
from kerasviz_callbacks.draw.tiles import Grid, compact, enlarge, shrink, whole_factor

# A kernel's longest side before it is shrunk: a dense layer's is as large as the picture it is fed.
_LARGEST = 64


def filter_tiles(
    kernels: ArrayLike,
    *,
    scale: float,
    caption: str,
    note: str = "",
    numbers: Sequence[object] | None = None,
    colours: str = DIVERGING,
    slice_width: int | None = None,
) -> Picture:
    """Shows one tile per filter, all on one scale that is symmetric around zero.

    `kernels` are `(n, h, w)`, or `(n, h, w, 3)` on colour pictures: grey is zero there. `scale` is the magnitude of the
    strongest colour; `numbers` are of the filters, 0 to n - 1 if left out. The `colours` of `(n, h, w)` are symmetric
    around zero (`"RdBu_r"`, `"grey"`); others are for values from 0 to `scale`. Of slices of so many columns that stand
    side by side in a kernel, every column between two is drawn as a gap.
    """
    weights = np.asarray(kernels)
    count = len(weights)
    names = [str(number) for number in (range(count) if numbers is None else numbers)]
    target = 96 if count <= 4 else 72 if count <= 18 else 56 if count <= 36 else 44
    tiles = _tiles(weights, scale, colours, target, slice_width=slice_width)
    height, width = tiles.shape[1:3]
    columns = compact(count, height + SMALL + 10, width + 8)
    grid = Grid(count, columns, height, width, gap=8, above=SMALL + 2)
    page = Sheet(*grid.size, caption)
    canvas = page.body
    grid.paint(canvas, tiles)
    for index, name in enumerate(names):
        x, y = grid.corner(index)
        write(canvas, (x, y - 3), name, colour=QUIET, width=width + 6)
    coloured = weights.ndim == 4
    label = "RGB weights" if coloured else "weight"
    legend = Scale(_lowest(scale, colours), scale, "grey" if coloured else colours, label)
    return page.finished(legend=legend, note=note, bad=count_non_finite(weights))


def filter_matrix(
    kernels: ArrayLike,
    *,
    scale: float,
    caption: str,
    row_numbers: Sequence[int] | None = None,
    column_numbers: Sequence[object] | None = None,
    slice_width: int | None = None,
    note: str = "",
) -> Picture:
    """Shows every kernel of a deeper layer: one row per input channel, one column per filter.

    `kernels` are `(rows, columns, h, w)`, `scale` is the magnitude of the strongest colour. Rows and columns are
    numbered from 0 where their numbers are left out. `slice_width` is that of `filter_tiles`. Where few filters have
    many inputs, the rows go on in further blocks to the right.
    """
    weights = np.asarray(kernels)
    rows, columns = weights.shape[:2]
    down = [str(number) for number in (range(rows) if row_numbers is None else row_numbers)]
    across = [str(number) for number in (range(columns) if column_numbers is None else column_numbers)]
    blocks = _blocks(rows, columns)
    each = weights.reshape(rows * columns, *weights.shape[2:])
    target = _matrix_target(rows, columns, blocks)
    tiles = _tiles(each, scale, DIVERGING, target, whole=False, slice_width=slice_width)
    height, width = tiles.shape[1:3]
    size = SMALL + (min(height, width) >= 24)
    left, top = max(text_width(name, size) for name in [*down, "in"]) + 8, 2 * size + 10
    longest = -(-rows // blocks)
    block_height, block_width = Grid(longest * columns, columns, height, width, gap=4).size
    pitch = left + block_width + 12
    room = max((blocks - 1) * pitch + left + block_width, left + 1 + text_width("filter", size, bold=True))
    page = Sheet(top + block_height, room, caption)
    write(page.body, (left + 1, size), "filter", size=size, colour=QUIET, bold=True)
    for block in range(blocks):
        own = slice(block * longest, min((block + 1) * longest, rows))
        shown = tiles[own.start * columns : own.stop * columns]
        _paint_block(page.body[:, block * pitch :], shown, down[own], across, (left, top), size)
    legend = Scale(-scale, scale, DIVERGING, "weight")
    return page.finished(legend=legend, note=note, bad=count_non_finite(weights))


def _matrix_target(rows: int, columns: int, blocks: int) -> int:
    """The longest side of a tile of a matrix whose rows are broken into blocks, each with its row numbers."""
    return int(np.clip(620 // max(blocks * (columns + 1) - 1, -(-rows // blocks)), 15, 56))


def _blocks(rows: int, columns: int) -> int:
    """Into how many blocks the rows are broken: one, unless that makes the tiles larger by a quarter or more."""
    every = [blocks for blocks in range(1, rows + 1) if -(-rows // -(-rows // blocks)) == blocks]  # none of them empty
    largest = max(_matrix_target(rows, columns, blocks) for blocks in every)
    if largest < 1.25 * _matrix_target(rows, columns, 1):
        return 1
    fit = [blocks for blocks in every if _matrix_target(rows, columns, blocks) == largest]
    return min(fit, key=lambda blocks: abs(math.log((blocks * (columns + 1) - 1) / -(-rows // blocks))))


def _paint_block(
    canvas: Picture, tiles: Picture, down: Sequence[str], across: Sequence[str], corner: tuple[int, int], size: int
) -> None:
    """Paints rows of tiles with the numbers of their inputs and filters onto a canvas, in place."""
    (height, width), (left, top), columns = tiles.shape[1:3], corner, len(across)
    grid = Grid(len(tiles), columns, height, width, gap=4)
    grid.paint(canvas, tiles, left, top)
    write(canvas, (left - 6, top - 5), "in", size=size, colour=QUIET, bold=True, anchor="rs")
    # Where columns are narrow only every second, fifth, ... is numbered.
    widest = max(text_width(name, size) for name in across) + 3
    for column in numbered_cells(columns, width + 4, widest):
        x = left + grid.corner(column)[0] + width / 2
        write(canvas, (x, top - 5), across[column], size=size, colour=QUIET, anchor="ms")
    for row in numbered_cells(len(down), height + 4, size + 1):
        y = top + grid.corner(row * columns)[1] + height / 2
        write(canvas, (left - 6, y), down[row], size=size, colour=QUIET, anchor="rm")


def _lowest(scale: float, colours: str) -> float:
    """The value of the first colour: weights are signed; norms, on a sequential map, begin at zero."""
    return -scale if is_signed(colours) else 0.0


def _tiles(
    kernels: NDArray[Any], scale: float, colours: str, target: int, *, whole: bool = True, slice_width: int | None
) -> Picture:
    """Colours kernels and brings them to about `target` pixels a side (`whole`), or to at most so many."""
    height, width = kernels.shape[1:3]
    longest = max(height, width)
    if longest > _LARGEST:
        slice_width = None  # gaps are shrunk with the others
        height, width = (max(1, round(length * _LARGEST / longest)) for length in (height, width))
        # Colours, where there are any, come last; they are not shrunk.
        colour_last = kernels[..., None] if kernels.ndim == 3 else kernels
        shrunk = np.moveaxis(shrink(np.moveaxis(colour_last, -1, 1), (height, width)), 1, -1)
        kernels, longest = shrunk.reshape(*shrunk.shape[:3], *kernels.shape[3:]), max(height, width)
    if kernels.ndim == 4:
        painted = rgb(kernels, -scale, scale)
    else:
        painted = colourise(kernels, _lowest(scale, colours), scale, colours)
    factor = whole_factor(longest, target) if whole else max(1, target // longest)
    # The kernel of a one-dimensional convolution is a line: a strip is easier to see.
    down = max(factor, 16) if height == 1 else factor
    across = max(factor, 16) if width == 1 else factor
    tiles = enlarge(painted, (down, across))
    if slice_width is not None:
        for start in range(slice_width * across, tiles.shape[-2], (slice_width + 1) * across):
            tiles[..., start : start + across, :] = PAPER
            tiles[..., [start, start + across - 1], :] = LINE
    return tiles
