"""Correlated channels: a matrix of correlations."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kerasviz_callbacks.draw.colour import DIVERGING, Picture, colourise
from kerasviz_callbacks.draw.marks import frame
from kerasviz_callbacks.draw.sheet import Scale, Sheet, blank
from kerasviz_callbacks.draw.text import INK, LINE, QUIET, card_size, text_width, write
from kerasviz_callbacks.draw.tiles import enlarge, place

DEAD = (150, 150, 150)
"""Grey of a dead channel: darker than any neutral colour of the map."""

_SIDE = 560  # pixels that the matrix fills, about
_BARS = 100  # pixels of a bar that stands for 1


def overlap_matrix(
    correlation: ArrayLike,
    largest: ArrayLike,
    *,
    caption: str,
    channels: Sequence[int],
    constant: ArrayLike,
    pairs: Sequence[tuple[int, int]] = (),
    note: str = "",
) -> Picture:
    """Shows the correlation of every two channels as a cell, and each channel's largest correlation as a bar.

    Args:
        correlation: `(c, c)`, from -1 to 1, in the order of drawing; NaN where it is not known.
        largest: `(c,)`, from 0 to 1, the length of a channel's bar; NaN for no bar.
        caption: layer and shape.
        channels: the number of each channel, c of them.
        constant: `(c,)`, whether a channel is constant: drawn grey, while others that are NaN get the colour of that.
        pairs: places `(i, j)` of the pairs that are framed.
        note: see `draw`.
    """
    values, lengths, gone = np.asarray(correlation), np.asarray(largest), np.asarray(constant, bool)
    count = len(values)
    cell = int(np.clip(_SIDE // count, 1, 36))
    size = card_size(count * cell + _BARS + 80)
    digits = max(text_width(str(channel), size) for channel in channels)
    upright = cell < digits + 4
    left, top = digits + 12, (digits if upright else size) + 12
    side = count * cell
    page = Sheet(top + side + 2, left + side + 2 + 10 + _BARS + 2, caption)
    canvas = page.body
    place(canvas, enlarge(_cells(values, gone), cell), left, top)
    _paint_bars(canvas, lengths, left + side + 10, top, cell)
    for number in range(0, count, -(-size // cell)):  # as many as fit
        middle = (number + 0.5) * cell
        write(canvas, (left - 6, top + middle), channels[number], size=size, colour=QUIET, anchor="rm")
        _write_above(canvas, left + middle, top - 6, str(channels[number]), size, upright=upright)
    write(canvas, (left + side + 10, top - 6), "largest |r|", size=size, colour=QUIET, width=_BARS)
    for i, j in pairs:
        for x, y in ((left + j * cell, top + i * cell), (left + i * cell, top + j * cell)):
            frame(canvas, (x - 1, y - 1, x + cell, y + cell), INK)
    spoilt = int(np.count_nonzero(np.isnan(np.diagonal(values)) & ~gone))
    bad = f"{spoilt:,} channel{'s' * (spoilt > 1)} NaN" if spoilt else ""
    legend = Scale(-1.0, 1.0, DIVERGING, "correlation r   grey: constant")
    return page.finished(legend=legend, note=note, bad=bad)


def _cells(values: NDArray[np.float64], gone: NDArray[np.bool_]) -> Picture:
    """One pixel per pair; a channel's correlation with itself is left light, so that pairs stand out."""
    cells = colourise(values, -1.0, 1.0, DIVERGING)
    itself = np.arange(len(values))
    cells[itself, itself] = np.where(np.isnan(np.diagonal(values))[:, None], cells[itself, itself], LINE)
    cells[gone] = cells[:, gone] = DEAD
    return cells


def _paint_bars(canvas: Picture, lengths: NDArray[np.float64], x: int, top: int, cell: int) -> None:
    """One bar per channel, beside its row, in place; the hairline on the right is 1."""
    canvas[top : top + len(lengths) * cell, [x - 1, x + _BARS]] = LINE
    thick = max(1, cell - max(1, cell // 5)) if cell > 1 else 1
    for number, length in enumerate(lengths):
        if np.isfinite(length):
            y = top + number * cell + (cell - thick) // 2
            canvas[y : y + thick, x : x + round(float(np.clip(length, 0.0, 1.0)) * _BARS)] = QUIET


def _write_above(canvas: Picture, x: float, y: float, text: str, size: int, *, upright: bool) -> None:
    """Writes a line above a column, upwards where columns are narrow."""
    if not upright:
        write(canvas, (x, y), text, size=size, colour=QUIET, anchor="ms")
        return
    long, high = text_width(text, size), size + 2
    line = blank(high, long)
    write(line, (0, high / 2), text, size=size, colour=QUIET, anchor="lm")
    top, before = round(y + 1 - long), round(x - high / 2)
    canvas[top : top + long, before : before + high] = np.rot90(line)
