"""Layer activations: maps as tiles, dense layers as a matrix."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kerasviz_callbacks.draw.colour import DIVERGING, SEQUENTIAL, Picture, colourise, count_non_finite
from kerasviz_callbacks.draw.heat import WRONG
from kerasviz_callbacks.draw.marks import fill
from kerasviz_callbacks.draw.rows import groups, label_width, write_rows
from kerasviz_callbacks.draw.sheet import Scale, Sheet
from kerasviz_callbacks.draw.text import LINE, QUIET, SMALL, card_size, clean, text_width, write
from kerasviz_callbacks.draw.ticks import numbered_cells
from kerasviz_callbacks.draw.tiles import enlarge, fit, place, place_all, shrink, whole_factor
from kerasviz_callbacks.draw.traces import bars

_MAP = 56  # pixels of a side, about
_MARK = 5  # pixels of the mark of a dead unit


def activation_tiles(
    pictures: Picture | None,
    maps: ArrayLike,
    *,
    low: float,
    high: float,
    caption: str,
    channels: Sequence[int],
    labels: Sequence[str] | None = None,
    dead: Sequence[bool] | None = None,
    note: str = "",
) -> Picture:
    """Shows one row per probe input: the image, then its activation map in each of the chosen channels.

    `pictures` are bytes `(n, H, W, 3)`, or None; `maps` are `(n, c, h, w)`, or `(n, c, t)` of signals, drawn as areas
    from zero. `channels` are numbers, `labels` the class of each input; `dead` says for each
    channel whether it is dead, which its number says in words. Colours run from `low` to `high`; with `low`
    below 0 they diverge, and the range should be symmetric.
    """
    values = np.asarray(maps)
    rows, columns = values.shape[:2]
    colours = SEQUENTIAL if low >= 0 else DIVERGING
    tiles, tall = _map_tiles(values, low, high, colours)
    height, width = tiles.shape[2] * tall, tiles.shape[3]
    shown = None if pictures is None else fit(pictures, picture_side(columns))
    names = None if labels is None else [clean(label) for label in labels]

    gap = 5 if columns <= 8 else 3
    size = card_size(100 + (0 if shown is None else shown.shape[2]) + columns * (width + gap))
    top = size + 8 + (0 if dead is None else _under(size) + 2)
    left = 0 if names is None else min(max(text_width(name, size) for name in names), label_width(size)) + 8
    line = height if shown is None else max(height, shown.shape[1])
    start = left if shown is None else left + shown.shape[2] + 12
    cell = max(width, max(text_width(str(channel), size) for channel in channels))
    cell = max(cell, 0 if dead is None else text_width("dead", _under(size), bold=True))
    page = Sheet(top + rows * (line + gap) - gap + 2, start + columns * (cell + gap) - gap + 2, caption)
    canvas = page.body
    pitch = line + gap, cell + gap
    if shown is not None:
        place_all(canvas, shown[:, None], left + 1, top + 1 + (line - shown.shape[1]) // 2, pitch)
    place_all(canvas, tiles, start + 1 + (cell - width) // 2, top + 1 + (line - height) // 2, pitch, tall=tall)
    _write_channels(canvas, channels, start, size + 3, cell, gap, size)
    for column in np.flatnonzero(dead if dead is not None else []).tolist():
        place = (start + column * (cell + gap) + cell / 2 + 1, top - 4)
        write(canvas, place, "dead", size=_under(size), colour=WRONG, bold=True, anchor="ms")
    for row, name in enumerate(names or []):
        y = top + row * (line + gap) + line / 2
        write(canvas, (left - 7, y), name, size=size, anchor="rm", width=label_width(size))
    return page.finished(legend=Scale(low, high, colours, "activation"), note=note, bad=count_non_finite(values))


def _under(size: int) -> int:
    """The font size of the word below a channel's number."""
    return max(SMALL, size * 7 // 10)


def _write_channels(
    canvas: Picture, channels: Sequence[int], start: int, y: int, cell: int, gap: int, size: int
) -> None:
    """Numbers above the columns, the first of which begins at `start`, and the word before them if it fits."""
    for column, channel in enumerate(channels):
        x = start + column * (cell + gap) + cell / 2 + 1
        write(canvas, (x, y), channel, size=size, colour=QUIET, anchor="ms")
    if start >= text_width("channel", size) + 10:
        left = start - 8
        write(canvas, (left, y), "channel", size=size, colour=QUIET, bold=True, anchor="rs", width=left - 2)


def picture_side(columns: int) -> int:
    """The most pixels that a side of a picture takes beside so many maps."""
    return 64 if columns <= 8 else _MAP


def _map_tiles(maps: NDArray[Any], low: float, high: float, colours: str) -> tuple[Picture, int]:
    """Coloured maps `(n, c, height, width, 3)`, grown by a whole factor, and how often their lines are yet repeated."""
    if maps.ndim == 3:
        return bars(maps, low, high, (_MAP * 3 // 4, max(_MAP, min(96, 640 // maps.shape[1]))), colours), 1
    height, width = maps.shape[2:]
    longest = max(height, width)
    if longest > _MAP + 8:
        size = (max(1, round(height * _MAP / longest)), max(1, round(width * _MAP / longest)))
        return colourise(shrink(maps, size), low, high, colours), 1
    factor = min(whole_factor(longest, _MAP), (_MAP + 8) // longest)
    return colourise(maps, low, high, colours, across=factor), factor


def response_matrix(
    values: ArrayLike,
    *,
    low: float,
    high: float,
    caption: str,
    labels: Sequence[str] | None = None,
    dead: Sequence[bool] | None = None,
    note: str = "",
) -> Picture:
    """Shows the activations of a dense layer `(n, units)`: one row per input, one column per unit.

    Colours are as for `activation_tiles`; equal labels that follow each other are written once. A dead unit has a mark
    above its column.
    """
    numbers = np.asarray(values)
    rows, units = numbers.shape
    colours = SEQUENTIAL if low >= 0 else DIVERGING
    across = int(np.clip(640 // units, 1, 32))
    down = int(np.clip(480 // rows, 1, 20))
    fewer = shrink(numbers, (min(rows, 800), min(units, 880)))
    painted = enlarge(colourise(fewer, low, high, colours), (down, across))
    height, width = painted.shape[:2]

    size = card_size(width + 100)
    names = [str(row) for row in range(rows)] if labels is None else [clean(label) for label in labels]
    longest = min(max(text_width(name, size) for name in names), label_width(size))
    left = max(longest, text_width("input", size, True)) + 10
    top = size + 10 + (0 if dead is None else _MARK + 1)
    above = size + 10
    page = Sheet(top + height + 2, left + width + 8, caption)
    canvas = page.body
    place(canvas, painted, left + 1, top + 1)
    write(canvas, (left - 7, above - 6), "unit", size=size, colour=QUIET, bold=True, anchor="rs")
    pixels = width / units
    for unit in numbered_cells(units, pixels, text_width(str(units), size) + 10):
        x = left + 1 + (unit + 0.5) * pixels
        fill(canvas, (x, above - 4, x, above - 1), QUIET)
        write(canvas, (x, above - 6), unit, size=size, colour=QUIET, anchor="ms")
    for unit in np.flatnonzero(dead if dead is not None else []).tolist():
        fill(canvas, (left + 1 + unit * pixels, above, left + (unit + 1) * pixels, above + _MARK - 1), WRONG)
    starts = range(rows) if labels is None else groups(names)
    write_rows(canvas, names, top + 1 + (np.arange(rows) + 0.5) * height / rows, left - 7, starts, size)
    for begin, end in pairwise([*starts, rows]):
        if begin and end - begin > 1:
            edge = top + 1 + begin * height / rows
            fill(canvas, (left - 5, edge, left - 1, edge), LINE)
    return page.finished(legend=Scale(low, high, colours, "activation"), note=note, bad=count_non_finite(numbers))
