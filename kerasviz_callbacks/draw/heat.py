"""Heat maps over what they explain: pictures, signals, volumes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

from kerasviz_callbacks.draw.colour import (
    HEAT,
    Picture,
    count_non_finite,
)
from kerasviz_callbacks.draw.marks import fill, frame
from kerasviz_callbacks.draw.overlay import legend_of, overlay
from kerasviz_callbacks.draw.sheet import Sheet
from kerasviz_callbacks.draw.text import INK, LINE, PAPER, QUIET, text_width, write
from kerasviz_callbacks.draw.tiles import Grid, fit, resize, shrink
from kerasviz_callbacks.draw.traces import draw_lines

WRONG = (213, 94, 0)
"""Vermilion of a wrong prediction's frame and sign, which say it without their colour too."""

_FRAME = 4
_WORDS = 13
_GAP = 10
_HEADING = 26
_BETWEEN = 34  # the halves: three times the gap between tiles, with a hairline in it
_ABREAST = 2  # tiles of a half
Halves = tuple[tuple[str, int], tuple[str, int]]


def heat_tiles(
    pictures: Picture,
    maps: ArrayLike,
    *,
    scale: float,
    caption: str,
    titles: Sequence[tuple[str, str]] | None = None,
    wrong: Sequence[bool] | None = None,
    note: str = "",
    colours: str = HEAT,
    signed: bool = False,
    halves: Halves | None = None,
) -> Picture:
    """Shows each picture and, beside it, its heat map over the greyed picture.

    Args:
        pictures: what was looked at, bytes `(n, H, W, 3)`.
        maps: `(n, h, w)`, not negative unless `signed`; resized to the pictures linearly.
        scale: the value of the hottest colour, shared by all maps.
        caption: layer and method; never the step.
        titles: per picture what it is, and what was predicted with its probability.
        wrong: per picture whether the prediction was wrong.
        note: figures that change from step to step, for the strip below.
        colours: the colour map of the heat.
        signed: whether negative values mean something too: blue against red, `-scale` to `scale`.
        halves: two sets of data beside each other, the tiles in this order: what stands above each, and how many of
            the tiles are its own.

    Returns:
        The picture, `(h, w, 3)`.
    """
    values = np.asarray(maps)
    count = len(values)
    side = 160 if count <= 4 else 112 if count <= 9 else 96
    shown = fit(pictures, side)
    laid = overlay(shown, values, scale=scale, colours=colours, signed=signed)
    # An empty map divided by its maximum would be noise; it is told in words.
    say_empty(laid, values)
    pairs = np.concatenate([shown, np.full((*shown.shape[:2], 2, 3), PAPER, np.uint8), laid], axis=2)
    return _heat_sheet(pairs, values, scale, caption, titles, wrong, note, colours, signed, halves)


def heat_signals(
    signals: ArrayLike,
    maps: ArrayLike,
    *,
    scale: float,
    caption: str,
    titles: Sequence[tuple[str, str]] | None = None,
    wrong: Sequence[bool] | None = None,
    note: str = "",
    colours: str = HEAT,
    signed: bool = False,
    halves: Halves | None = None,
) -> Picture:
    """Shows each signal as a line over a ground whose colour is the heat at that moment.

    Args:
        signals: what was looked at, `(n, t, c)`; one line a channel, all on the range of all signals.
        maps: `(n, t')`, not negative unless `signed`; resized to the signals linearly.
        scale: the value of the hottest colour, shared by all maps.
        caption: layer and method; never the step.
        titles: per signal what it is, and what was predicted with its probability.
        wrong: per signal whether the prediction was wrong.
        note: figures that change from step to step, for the strip below.
        colours: the colour map of the heat.
        signed: whether negative values mean something too.
        halves: as for `heat_tiles`.

    Returns:
        The picture, `(h, w, 3)`.
    """
    lines, values = np.asarray(signals), np.asarray(maps)
    height, width = 96, 216
    finite = lines[np.isfinite(lines)].astype(np.float64)
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    along = shrink(values, (width,)) if values.shape[1] > width else values
    ground = np.full((len(values), 1, width, 3), 72, np.uint8)
    ground = overlay(ground, along[:, None, :], scale=scale, colours=colours, signed=signed).repeat(height, axis=1)
    channels = lines.shape[-1]
    greys = np.linspace(255, 170, min(channels, 4)).astype(int).tolist()
    inks = [(grey, grey, grey) for grey in greys]
    pairs = zip(ground, lines, strict=True)
    tiles = np.stack([draw_lines(tile, line, low, high, inks, casing=(0, 0, 0)) for tile, line in pairs])
    say_empty(tiles, values)
    return _heat_sheet(tiles, values, scale, caption, titles, wrong, note, colours, signed, halves)


def heat_volumes(
    volumes: Picture,
    maps: ArrayLike,
    *,
    scale: float,
    caption: str,
    titles: Sequence[tuple[str, str]] | None = None,
    wrong: Sequence[bool] | None = None,
    note: str = "",
    colours: str = HEAT,
    signed: bool = False,
    halves: Halves | None = None,
) -> Picture:
    """Shows four slices of each volume, evenly spaced in depth, and below them the same with the heat map.

    Args:
        volumes: what was looked at, bytes `(n, d, H, W, 3)`.
        maps: `(n, d', h, w)`, not negative unless `signed`; resized to the volumes linearly.
        scale: the value of the hottest colour, shared by all maps.
        caption: layer and method; never the step.
        titles: per volume what it is, and what was predicted with its probability.
        wrong: per volume whether the prediction was wrong.
        note: figures that change from step to step, for the strip below.
        colours: the colour map of the heat.
        signed: whether negative values mean something too.
        halves: as for `heat_tiles`.

    Returns:
        The picture, `(h, w, 3)`.
    """
    values = np.asarray(maps)
    depth = volumes.shape[1]
    slices = depth_slices(depth)
    shown = fit(volumes[:, slices], 72)
    deep = np.moveaxis(resize(np.moveaxis(values, 1, -1), (depth,)), -1, 1)[:, slices]
    laid = overlay(shown, deep, scale=scale, colours=colours, signed=signed)

    def beside(tiles: Picture) -> Picture:
        gap = np.full((*tiles[:, 0].shape[:2], 2, 3), PAPER, np.uint8)
        parts = [part for index in range(tiles.shape[1]) for part in (gap, tiles[:, index])]
        return np.concatenate(parts[1:], axis=2)

    below = beside(laid)
    say_empty(below, values)
    gap = np.full((len(values), 2, below.shape[2], 3), PAPER, np.uint8)
    tiles = np.concatenate([beside(shown), gap, below], axis=1)
    return _heat_sheet(tiles, values, scale, caption, titles, wrong, note, colours, signed, halves)


def depth_slices(depth: int, count: int = 4) -> list[int]:
    """The indices of at most `count` slices, evenly spaced, each in the middle of its part."""
    if depth <= count:
        return list(range(depth))
    return [int((index + 0.5) * depth / count) for index in range(count)]


def say_empty(tiles: Picture, maps: NDArray[Any]) -> None:
    """Writes "no evidence" over the tiles whose map is zero everywhere, in place."""
    for index, values in enumerate(maps):
        if np.any(values != 0):
            continue
        tile, width, middle = tiles[index], tiles.shape[2], tiles.shape[1] / 2
        size = 12
        words = "no evidence" if text_width("no evidence", size) + 4 <= width else "none"
        fill(tile, (0, middle - 10, width, middle + 10), (24, 26, 29))
        write(tile, (width / 2, middle), words, size=size, colour=PAPER, anchor="mm", width=width)


def _heat_sheet(
    tiles: Picture,
    maps: NDArray[Any],
    scale: float,
    caption: str,
    titles: Sequence[tuple[str, str]] | None,
    wrong: Sequence[bool] | None,
    note: str,
    colours: str,
    signed: bool,
    halves: Halves | None,
) -> Picture:
    count, height, width = tiles.shape[:3]
    words = 0 if titles is None else 2 * round(_WORDS * 1.35) + 2
    cell = height + 2 * _FRAME + words, width + 2 * _FRAME
    if halves is None:
        columns = min(count, 2 if count <= 4 else 3 if count <= 9 else 4)
        grid = Grid(count, columns, *cell, gap=_GAP)
        page = Sheet(*grid.size, caption)
        _paint_tiles(page.body, grid, tiles, titles, wrong)
    else:
        grids = [Grid(own, min(own, _ABREAST), *cell, gap=_GAP) for _, own in halves]
        page = Sheet(_HEADING + max(grid.size[0] for grid in grids), _right_of(grids[0]) + grids[1].size[1], caption)
        _paint_halves(page.body, grids, tiles, titles, wrong, [name for name, _ in halves])
    legend = legend_of(scale, colours, signed)
    return page.finished(legend=legend, note=note, bad=count_non_finite(maps))


def _right_of(grid: Grid) -> int:
    """Where the right half begins."""
    return grid.size[1] + _BETWEEN


def _paint_halves(
    canvas: Picture,
    grids: Sequence[Grid],
    tiles: Picture,
    titles: Sequence[tuple[str, str]] | None,
    wrong: Sequence[bool] | None,
    names: Sequence[str],
) -> None:
    """Paints each set of tiles below its name, and a hairline between them, in place."""
    first = left = 0
    for grid, name in zip(grids, names, strict=True):
        own = slice(first, first + grid.count)
        across = grid.size[1]
        write(canvas, (left + 1 + _FRAME, 16), name, size=16, bold=True, width=across - 2 - 2 * _FRAME)
        part = canvas[_HEADING:, left : left + across]
        _paint_tiles(part, grid, tiles[own], titles and titles[own], wrong and wrong[own])
        first, left = own.stop, _right_of(grid)
    middle = grids[0].size[1] + _BETWEEN // 2
    fill(canvas, (middle, 0, middle, len(canvas) - 1), LINE)


def _paint_tiles(
    canvas: Picture,
    grid: Grid,
    tiles: Picture,
    titles: Sequence[tuple[str, str]] | None,
    wrong: Sequence[bool] | None,
) -> None:
    """Paints tiles with their frames and words onto a canvas, in place."""
    height, width = tiles.shape[1:3]
    grid.paint(canvas, tiles, _FRAME, _FRAME)
    for index in np.flatnonzero(wrong if wrong is not None else []).tolist():
        x, y = grid.corner(index)
        frame(canvas, (x, y, x + width + 2 * _FRAME - 1, y + height + 2 * _FRAME - 1), WRONG, thick=_FRAME)
    for index, (true, predicted) in enumerate(titles or []):
        x, y = grid.corner(index)
        first = y + height + 2 * _FRAME + _WORDS + 1
        second = first + round(_WORDS * 1.35)
        room = width + 2 * _FRAME
        write(canvas, (x + _FRAME, first), true, size=_WORDS, bold=True, width=room - 2 * _FRAME)
        left = x + _FRAME
        if wrong is not None and wrong[index]:
            canvas[second - _WORDS + 2 : second + 2, left : left + _WORDS] = _cross(_WORDS)
            left += _WORDS + 4
        _write_prediction(canvas, predicted, left, second, x + room - left - _FRAME)


@cache
def _cross(size: int) -> Picture:
    """A white cross in a square: the sign of a wrong prediction, readable without its colour."""
    picture = Image.new("RGB", (size, size), WRONG)
    draw = ImageDraw.Draw(picture)
    near, far = 3, size - 4
    draw.line((near, near, far, far), fill=PAPER, width=2)
    draw.line((near, far, far, near), fill=PAPER, width=2)
    return np.asarray(picture)


def _write_prediction(canvas: Picture, text: str, x: float, y: float, room: float) -> None:
    """Writes "name p" so that a long name is shortened but never its probability."""
    name, _, probability = text.rpartition(" ")
    if not name or not probability[:1].isdigit():
        write(canvas, (x, y), text, size=_WORDS, colour=QUIET, width=int(room))
        return
    taken = text_width(probability, _WORDS) + 6
    written = write(canvas, (x, y), name, size=_WORDS, colour=QUIET, width=max(0, int(room - taken)))
    write(canvas, (x + written + 6, y), probability, size=_WORDS, colour=INK)
