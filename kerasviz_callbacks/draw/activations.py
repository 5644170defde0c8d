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
from kerasviz_callbacks.draw.text import QUIET, SMALL, card_size, clean, text_width, write
from kerasviz_callbacks.draw.ticks import numbered_cells
from kerasviz_callbacks.draw.tiles import enlarge, fit, place, place_all, shrink, whole_factor
from kerasviz_callbacks.draw.traces import bars

_MAP = 56  # pixels of a side, about
LARGEST = _MAP + 8
"""The most pixels that a side of a map, and of the picture beside maps, takes."""

_MARK = 5  # pixels of the mark of a dead unit
MOST_NAMED = 12
"""The most units of a matrix whose columns are wide enough for names."""

_NAMED = 64  # pixels of a column that has a name


def activation_tiles(
    pictures: Picture | None,
    maps: ArrayLike,
    *,
    low: float,
    high: float,
    least: float | None = None,
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
    below 0 they diverge, and the range should be symmetric. The legend begins at `least` if values below it never
    occur.
    """
    values = np.asarray(maps)
    rows, columns = values.shape[:2]
    colours = SEQUENTIAL if low >= 0 else DIVERGING
    tiles, tall = _map_tiles(values, low, high, colours)
    height, width = tiles.shape[2] * tall, tiles.shape[3]
    shown = None if pictures is None else fit(pictures, LARGEST)
    names = None if labels is None else [clean(label) for label in labels]

    gap = 5 if columns <= 8 else 3
    size = card_size(100 + (0 if shown is None else shown.shape[2]) + columns * (width + gap))
    top = size + 8 + (0 if dead is None else _under(size) + 2)
    left = 0 if names is None else min(max(text_width(name, size) for name in names), label_width(size)) + 8
    line = height if shown is None else max(height, shown.shape[1])
    start = left if shown is None else left + shown.shape[2] + 12
    cell = max(width, _widest(channels, size))
    cell = max(cell, 0 if dead is None else text_width("dead", _under(size), bold=True))
    page = Sheet(top + rows * (line + gap) - gap + 2, start + columns * (cell + gap) - gap + 2, caption)
    canvas = page.body
    pitch = line + gap, cell + gap
    if shown is not None:
        place_all(canvas, shown[:, None], left + 1, top + 1 + (line - shown.shape[1]) // 2, pitch)
    place_all(canvas, tiles, start + 1 + (cell - width) // 2, top + 1 + (line - height) // 2, pitch, tall=tall)
    _head_columns(canvas, channels, dead, start + 1 + cell / 2 + np.arange(columns) * pitch[1], size)
    for row, name in enumerate(names or []):
        y = top + row * (line + gap) + line / 2
        write(canvas, (left - 7, y), name, size=size, anchor="rm", width=label_width(size))
    return page.finished(legend=_legend(low, high, least), note=note, bad=count_non_finite(values))


def _legend(low: float, high: float, least: float | None) -> Scale:
    whole = Scale(low, high, SEQUENTIAL if low >= 0 else DIVERGING, "activation")
    return whole if least is None else whole.beginning(least)


def _head_columns(
    canvas: Picture, channels: Sequence[int], dead: Sequence[bool] | None, middles: NDArray[Any], size: int
) -> None:
    """Writes the number of each channel above its column, whose `middles` are given, and a word where it is dead."""
    for number, (channel, x) in enumerate(zip(channels, middles.tolist(), strict=True)):
        write(canvas, (x, size + 3), channel, size=size, colour=QUIET, anchor="ms")
        if dead is not None and dead[number]:
            write(canvas, (x, size + 6 + _under(size)), "dead", size=_under(size), colour=WRONG, bold=True, anchor="ms")


def _under(size: int) -> int:
    """The font size of the word below a channel's number."""
    return max(SMALL, size * 7 // 10)


def _map_tiles(maps: NDArray[Any], low: float, high: float, colours: str) -> tuple[Picture, int]:
    """Coloured maps `(n, c, height, width, 3)`, grown by a whole factor, and how often their lines are yet repeated."""
    if maps.ndim == 3:
        return bars(maps, low, high, (_MAP * 3 // 4, max(_MAP, min(96, 640 // maps.shape[1]))), colours), 1
    height, width = maps.shape[2:]
    longest = max(height, width)
    if longest > LARGEST:
        size = (max(1, round(height * _MAP / longest)), max(1, round(width * _MAP / longest)))
        return colourise(shrink(maps, size), low, high, colours), 1
    factor = min(whole_factor(longest, _MAP), LARGEST // longest)
    return colourise(maps, low, high, colours, across=factor), factor


def response_matrix(
    values: ArrayLike,
    *,
    low: float,
    high: float,
    least: float | None = None,
    caption: str,
    channels: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    dead: Sequence[bool] | None = None,
    note: str = "",
) -> Picture:
    """Shows the activations of a dense layer `(n, units)`: one row per input, one column per unit.

    Colours and legend are as for `activation_tiles`; `channels` are the numbers of the units, 0 to units - 1 if left
    out, and `names` the classes that they stand for, at most `MOST_NAMED`. Equal labels that follow each other are
    written once, beside a line as long as their rows. A dead unit has a mark above its column.
    """
    numbers = np.asarray(values)
    rows, units = numbers.shape
    colours = SEQUENTIAL if low >= 0 else DIVERGING
    across = int(np.clip(640 // units, 1, 32)) if names is None else _NAMED
    down = int(np.clip(480 // rows, 1, 20))
    fewer = shrink(numbers, (min(rows, 800), min(units, 880)))
    painted = enlarge(colourise(fewer, low, high, colours), (down, across))
    height, width = painted.shape[:2]

    size = card_size(width + 100)
    heads: Sequence[object] = names or (range(units) if channels is None else channels)
    beside = [f"input {row}" for row in range(rows)] if labels is None else [clean(label) for label in labels]
    longest = min(max(text_width(name, size) for name in beside), label_width(size))
    spill = 0 if names else max(0, int(_widest(heads, size) - across) // 2)  # of the first number, beyond its column
    title = "class" if names else "unit"
    left = max(longest, text_width(title, size, True) + spill) + 10
    above = size + 10
    top = above + (0 if dead is None else _MARK + 1)
    page = Sheet(top + height + 2, left + width + 8, caption)
    place(page.body, painted, left + 1, top + 1)
    write(page.body, (left - 7 - spill, above - 6), title, size=size, colour=QUIET, bold=True, anchor="rs")
    _mark_units(page.body, heads, dead, left + 1, above, width, size)
    _label_rows(page.body, beside, range(rows) if labels is None else groups(beside), left, top, height, size)
    return page.finished(legend=_legend(low, high, least), note=note, bad=count_non_finite(numbers))


def _widest(numbers: Sequence[object], size: int) -> int:
    return max(text_width(str(number), size) for number in numbers)


def _mark_units(
    canvas: Picture, heads: Sequence[object], dead: Sequence[bool] | None, x: int, y: int, width: int, size: int
) -> None:
    """Writes what heads the columns, which begin at `x`, for as many units as fit, and marks dead units below `y`.

    Columns with names are wide; these have one size, in which all fit if they can, and are else shortened.
    """
    pixels = width / len(heads)
    most = _NAMED - 4 if pixels == _NAMED else None
    if most is not None:
        size = next((one for one in range(size, SMALL, -1) if _widest(heads, one) <= most), SMALL)
    for unit in numbered_cells(len(heads), pixels, _widest(heads, size) + 10 if most is None else pixels):
        middle = x + (unit + 0.5) * pixels
        fill(canvas, (middle, y - 4, middle, y - 1), QUIET)
        write(canvas, (middle, y - 6), heads[unit], size=size, colour=QUIET, anchor="ms", width=most)
    for unit in np.flatnonzero(dead if dead is not None else []).tolist():
        fill(canvas, (x + unit * pixels, y, x - 1 + (unit + 1) * pixels, y + _MARK - 1), WRONG)


def _label_rows(
    canvas: Picture, names: Sequence[str], starts: Sequence[int], left: int, top: int, height: int, size: int
) -> None:
    """Names rows left of the matrix, each in smaller type if need be; a line says which rows share a name."""
    pitch = height / len(names)
    middles = top + 1 + (np.arange(len(names)) + 0.5) * height / len(names)
    write_rows(canvas, names, middles, left - 7, starts, int(np.clip(pitch / 1.2, SMALL, size)))
    for begin, end in pairwise([*starts, len(names)]):
        if end - begin > 1:
            fill(canvas, (left - 4, top + 2 + begin * pitch, left - 4, top - 1 + end * pitch), QUIET)
