"""Inputs of an autoencoder beside their reconstructions, and walks through its latent space."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kerasviz_callbacks.draw.colour import DIVERGING, NON_FINITE, Picture, blend, class_colours, colourise, share, table
from kerasviz_callbacks.draw.sheet import Scale, Sheet, blank, sheet
from kerasviz_callbacks.draw.text import INK, LINE, QUIET, Colour, clean, text_width, write
from kerasviz_callbacks.draw.tiles import Grid, fit, place_all, shrink, shrink_pictures
from kerasviz_callbacks.draw.traces import draw_lines, envelope

_SIZE = 12
_GAP = 4
_ACROSS = 8  # pictures beside each other
_LONGEST = 160  # pixels of a name; longer ones end in an ellipsis
_SIGNAL = (72, 184)  # height and width of a signal's tile
_GROUND = (238, 240, 243)
_TOO_LOW, _TOO_HIGH = table(DIVERGING)[[26, 230]]
_TARGET: Colour = INK
_RECONSTRUCTION: Colour = (0xEE, 0x77, 0x33)  # much lighter than ink, so that the colour-blind can tell them apart


class Strip(NamedTuple):
    """One row of tiles `(n, h, w, 3)`, one per input, and lines of text that say what they show, with their colours."""

    title: Sequence[tuple[str, Colour]]
    tiles: Picture


def reconstruction_tiles(
    pictures: Picture,
    reconstructions: Picture,
    errors: ArrayLike,
    *,
    scale: float,
    caption: str,
    targets: Picture | None = None,
    names: Sequence[str] | None = None,
    note: str = "",
    bad: str = "",
) -> Picture:
    """Shows each input, below it its reconstruction, and below that the error.

    Images are bytes `(n, H, W, 3)`, what is not finite already in its colour; `targets` are there where they are not
    the inputs (a denoising model). `errors` are reconstruction - target, `(n, H, W)`, signed; `scale` is the magnitude
    of their strongest colour. `names` are the class of each input.
    """
    values = np.asarray(errors)
    side = 144 if len(values) <= 4 else 96
    shown = [("input", pictures), ("target", targets), ("reconstruction", reconstructions)]
    strips = [Strip([(title, INK)], fit_marked(tiles, side)) for title, tiles in shown if tiles is not None]
    strips.append(Strip([("error", INK)], error_tiles(values, scale, strips[0].tiles.shape[1:3])))
    body = _blocks(strips, names, _ACROSS)
    return _finished(body, scale, caption, note, bad)


def reconstruction_traces(
    signals: ArrayLike,
    reconstructions: ArrayLike,
    errors: ArrayLike,
    *,
    low: float,
    high: float,
    scale: float,
    caption: str,
    names: Sequence[str] | None = None,
    note: str = "",
    bad: str = "",
) -> Picture:
    """Shows each target signal with its reconstruction over it, and below the error as an area from zero.

    `signals` are the targets, `(n, t, c)`, one line per channel, as are `reconstructions`, from `low` at the lower edge
    to `high`. `errors` are reconstruction - target, `(n, t)`, signed; `scale` is the magnitude of the largest shown.
    """
    values = np.asarray(errors)
    tiles = signal_tiles(np.asarray(signals), low, high, over=np.asarray(reconstructions))
    below = error_areas(values, scale, (_SIGNAL[0] // 2 + 1, _SIGNAL[1]))
    both = [("pale: target", QUIET), ("reconstruction", INK)]
    if np.asarray(signals).shape[-1] == 1:
        both = [("target", _TARGET), ("reconstruction", _RECONSTRUCTION)]
    body = _blocks([Strip(both, tiles), Strip([("error", INK)], below)], names, 4)
    return _finished(body, scale, caption, note, bad, np.stack([_TOO_LOW, _TOO_HIGH]))


def walk_tiles(
    ends: Picture,
    walks: Picture,
    *,
    caption: str,
    what: str = "input",
    headline: str = "",
    legend: Scale | None = None,
    names: Sequence[tuple[str, str]] | None = None,
    note: str = "",
    bad: str = "",
) -> Picture:
    """Shows decoded interpolations between the codes of two inputs: one row per pair, the inputs at both ends.

    `ends` are the inputs as bytes `(walks, 2, H, W, 3)`, below the heading `what`, with a pair of `names` a walk;
    `walks` are what is decoded between them, `(walks, positions, H, W, 3)`, below the `headline`. `legend` is the scale
    of the brightness.
    """
    positions = walks.shape[1]
    originals, between = fit_marked(ends, 64), fit_marked(walks, 64)
    height, width = between.shape[2:4]
    top, apart = _SIZE + 8, 10
    labels = [(clean(a), clean(b)) for a, b in names] if names is not None else []
    left = max((min(text_width(name, _SIZE), _LONGEST) for pair in labels for name in pair), default=-8) + 8
    end, tiles = max(width, text_width(what, _SIZE, True)), positions * (width + _GAP) - _GAP
    start, across = left + end + apart, max(tiles, text_width(headline, _SIZE + 1, True))
    page = Sheet(top + len(walks) * (height + _GAP) - _GAP + 2, start + across + apart + end + left + 2, caption)
    canvas = page.body
    pitch, right = (height + _GAP, width + _GAP), start + across + apart
    for parts, x in ((originals[:, :1], left + (end - width) // 2), (originals[:, 1:], right + (end - width) // 2)):
        place_all(canvas, parts, x + 1, top + 1, pitch)
    place_all(canvas, between, start + (across - tiles) // 2 + 1, top + 1, pitch)
    for x in (left + end / 2, right + end / 2):
        write(canvas, (x, top - 6), what, size=_SIZE, bold=True, anchor="ms")
    write(canvas, (start + across / 2, top - 6), headline, size=_SIZE + 1, bold=True, anchor="ms")
    for row, (first, last) in enumerate(labels):
        y = top + row * (height + _GAP) + height / 2
        write(canvas, (left - 7, y), first, size=_SIZE, anchor="rm", width=_LONGEST)
        write(canvas, (right + end + 9, y), last, size=_SIZE, anchor="lm", width=_LONGEST)
    return page.finished(legend=legend, note=note, bad=bad)


def signal_tiles(
    signals: NDArray[Any], low: float, high: float, *, over: NDArray[Any] | None = None, size: tuple[int, int] = _SIGNAL
) -> Picture:
    """Draws signals `(n, t, c)` as tiles `(n, h, w, 3)`, with others over them if `over` is given.

    One channel is black, and orange over it; several have one colour each, pale below.
    """
    channels = signals.shape[-1]
    full = [(red, green, blue) for red, green, blue in class_colours(channels).tolist()]
    pale = [(red, green, blue) for red, green, blue in blend(class_colours(channels), _GROUND, 0.65).tolist()]
    below, above = ([_TARGET], [_RECONSTRUCTION]) if channels == 1 else (full if over is None else pale, full)
    tiles = np.full((len(signals), *size, 3), _GROUND, np.uint8)
    for index, signal in enumerate(signals):
        tiles[index] = draw_lines(tiles[index], signal, low, high, below)
        if over is not None:
            tiles[index] = draw_lines(tiles[index], over[index], low, high, above)
    return tiles


def error_tiles(errors: ArrayLike, scale: float, size: tuple[int, int]) -> Picture:
    """Colours differences `(n, h, w)`, red above 0 and blue below, brought to tiles of `size` pixels.

    Larger ones shrink by the mean over blocks; smaller ones grow, every value a block of its own colour.
    """
    values = shrink(np.asarray(errors), size)
    rows, columns = (np.arange(length) * old // length for length, old in zip(size, values.shape[1:], strict=True))
    return colourise(values, -scale, scale, DIVERGING)[:, rows][:, :, columns]


def error_areas(errors: ArrayLike, scale: float, size: tuple[int, int]) -> Picture:
    """Draws differences `(n, t)` as areas from zero: red upwards, blue downwards, as far as the error is large.

    A moment that is not finite is a whole column in its colour.
    """
    height, width = size
    least, most = envelope(errors, width)
    bad = ~(np.isfinite(least) & np.isfinite(most))
    middle, rows = height // 2, np.arange(height)[:, None]
    up, down = (np.rint(share(np.where(bad, 0, part), 0, scale) * middle)[:, None] for part in (most, -least))
    tiles = np.full((len(up), height, width, 3), _GROUND, np.uint8)
    tiles[(rows < middle) & (rows >= middle - up)] = _TOO_HIGH
    tiles[(rows > middle) & (rows <= middle + down)] = _TOO_LOW
    tiles[:, middle] = LINE
    tiles[np.broadcast_to(bad[:, None], tiles.shape[:3])] = NON_FINITE
    return tiles


def fit_marked(pictures: Picture, largest: int | tuple[int, int]) -> Picture:
    """Makes pictures readable as `fit` does, and keeps the colour of what is not finite where it shrinks them."""
    fitted = fit(pictures, largest)
    return _marked(fitted, pictures)


def shrink_marked(pictures: Picture, size: tuple[int, int]) -> Picture:
    """Shrinks pictures as `shrink_pictures` does, and keeps the colour of what is not finite."""
    return _marked(shrink_pictures(pictures, size), pictures)


def _marked(fitted: Picture, pictures: Picture) -> Picture:
    """Marks, in place, the blocks that hold a pixel in the colour of what is not finite."""
    height, width = fitted.shape[-3:-1]
    if height < pictures.shape[-3] or width < pictures.shape[-2]:
        marked = (pictures == NON_FINITE).all(axis=-1)
        if marked.any():
            fitted[shrink(marked, (height, width)) > 0] = NON_FINITE
    return fitted


def _blocks(strips: Sequence[Strip], names: Sequence[str] | None, columns: int) -> Picture:
    """Lays the strips below each other, as many pictures wide as `columns`, then the next pictures below those."""
    count, _, width = strips[0].tiles.shape[:3]
    columns = min(count, columns)
    left = max(text_width(line, _SIZE, True) for strip in strips for line, _ in strip.title) + 10
    above = 0 if names is None else _SIZE + 7
    heights = [strip.tiles.shape[1] + 3 for strip in strips]  # a hairline round each, and a pixel of paper below
    cell = max([width, *(min(text_width(clean(name), _SIZE) + 2, _LONGEST) for name in names or [])])
    grid = Grid(count, columns, sum(heights), cell + 2, gap=_GAP, above=above, below=10)
    height, across = grid.size
    canvas = blank(height - 10, left + across)
    for strip, down in zip(strips, accumulate(heights, initial=1), strict=False):
        grid.paint(canvas, strip.tiles, left + 1 + (cell - width) // 2, down)
    for index, name in enumerate(names or []):
        x, y = grid.corner(index)
        write(canvas, (left + x + cell / 2, y - 5), clean(name), size=_SIZE, anchor="ms", width=cell + 2)
    for row in range(grid.rows):
        y = grid.corner(row * columns)[1]
        for strip in strips:
            middle = y + strip.tiles.shape[1] / 2 - (len(strip.title) - 1) * _SIZE * 0.7
            for line, colour in strip.title:
                write(canvas, (left - 8, middle), line, size=_SIZE, colour=colour, bold=True, anchor="rm")
                middle += _SIZE * 1.4
            y += strip.tiles.shape[1] + 3
    return canvas


def _finished(
    body: Picture, scale: float, caption: str, note: str, bad: str, entries: Picture | None = None
) -> Picture:
    # "or", so that nothing is not written as minus nothing.
    legend = Scale(-scale or 0.0, scale, DIVERGING, "error: red too high, blue too low", entries)
    return sheet(body, caption=caption, legend=legend, note=note, bad=bad)
