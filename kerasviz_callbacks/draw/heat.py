"""Heat maps over the inputs that they explain: pictures, signals, volumes."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

from kerasviz_callbacks.draw.colour import Picture, count_non_finite
from kerasviz_callbacks.draw.marks import fill, frame
from kerasviz_callbacks.draw.overlay import evidence_scale, overlay, weak_maps
from kerasviz_callbacks.draw.points import projections
from kerasviz_callbacks.draw.sheet import Sheet
from kerasviz_callbacks.draw.text import INK, LINE, PAPER, QUIET, clean, text_width, write
from kerasviz_callbacks.draw.ticks import numbered_cells
from kerasviz_callbacks.draw.tiles import Grid, fit, resize, shrink
from kerasviz_callbacks.draw.token_tiles import hatch_padding, readable, token_tiles
from kerasviz_callbacks.draw.traces import draw_lines
from kerasviz_callbacks.draw.volumes import depth_slices

WRONG = (213, 94, 0)
"""Vermilion of a wrong prediction's frame and sign, which say it without their colour too."""

_FRAME = 4
_TEXT = 13
_GAP = 10
_HEADING = 26
_BETWEEN = 34  # the halves: three times the gap between tiles, with a hairline in it
_HALF_COLUMNS = 2
_HEADING_WIDTH = 120  # of a half
_WIDE = 1.5  # times its height: below each other, such a picture and its map are larger than beside each other
_LONGEST = 240  # pixels of a title; longer ones end in an ellipsis
Halves = tuple[tuple[str, int], tuple[str, int]]


def heat_maps(
    inputs: ArrayLike,
    maps: ArrayLike,
    *,
    scale: float,
    caption: str,
    titles: Sequence[tuple[str, str]] | None = None,
    wrong: Sequence[bool] | None = None,
    note: str = "",
    signed: bool = False,
    halves: Halves | None = None,
    words: Sequence[str] = (),
    points: tuple[float, float] | None = None,
    slice_name: str = "slice",
    tokens: Sequence[Sequence[str]] | None = None,
) -> Picture:
    """Shows heat maps over the inputs that they explain, one tile an input.

    Pictures stand beside their map, wide ones above it; it lies over the greyed picture. Signals are lines over a
    ground in the colour of the map. Of a volume, slices evenly spaced in depth stand above the same slices with the
    map; the caption says which. A map that is zero in these alone is marked "empty here", one that is too weak
    to be seen in these alone "weak here".

    Args:
        inputs: pictures, bytes `(n, H, W, 3)`; volumes, bytes `(n, d, H, W, 3)`; or signals `(n, t, c)`, one line a
            channel, all on the range of all signals; without a channel the maps alone, cell by cell over their numbers.
        maps: of pictures `(n, h, w)`, of volumes `(n, d', h, w)`, of signals `(n, t')`; not negative unless `signed`;
            resized to the inputs linearly. A map that is zero everywhere is marked "empty map".
        scale: the value of the hottest colour, shared by all maps.
        caption: layer and method.
        titles: for each input its true label, and the predicted label with its probability.
        wrong: for each input whether the prediction is wrong.
        note: see `draw`.
        signed: whether negative values mean evidence against the class: blue against red, `-scale` to `scale`.
        halves: two data sets side by side: for each its heading and its number of tiles; together all, in this order.
        points: the inputs are clouds of points `(n, t, 3)`, shown as projections between these limits.
        words: the labels that titles may hold at any step; a cell is as wide as the widest of them.
        slice_name: what a slice of a volume is called: of clips `"frame"`.
        tokens: of inputs without a channel the texts that they are, each with as many tokens, `""` for padding: short
            ones are written on the colours of their maps, of others the padding is hatched.
    """
    shown, values = np.asarray(inputs), np.asarray(maps)
    caption += _slices_in_words(shown, slice_name)
    tiles = _tiles(shown, values, scale, signed, points, tokens)
    parts = halves or (("", len(tiles)),)
    grids = _grids([count for _, count in parts], tiles, titles, words)
    top, across = _HEADING if halves else 0, sum(grid.size[1] for grid in grids) + _BETWEEN * (len(grids) - 1)
    page = Sheet(top + max(grid.size[0] for grid in grids), across, caption)
    first = left = 0
    for grid, (name, _) in zip(grids, parts, strict=True):
        own, width = slice(first, first + grid.count), grid.size[1]
        write(page.body, (left + 1 + _FRAME, 16), name, size=16, bold=True, width=width - 2 - 2 * _FRAME)
        part = page.body[top:, left : left + width]
        _paint_tiles(part, grid, tiles[own], titles and titles[own], wrong and wrong[own])
        first, left = own.stop, left + width + _BETWEEN
    if halves:
        middle = grids[0].size[1] + _BETWEEN // 2
        fill(page.body, (middle, 0, middle, len(page.body) - 1), LINE)
    outlined = points is None and shown.ndim > 3  # round a moment of a signal two lines would be taken for evidence
    legend = evidence_scale(scale, signed, outlined, sliced=shown.ndim == 5)
    return page.finished(legend=legend, note=note, bad=count_non_finite(values))


def _slices_in_words(inputs: NDArray[Any], name: str) -> str:
    """A further line of the caption: which slices of volumes are drawn, where that is not all of them."""
    drawn = depth_slices(inputs.shape[1]) if inputs.ndim == 5 else []
    if not drawn or len(drawn) == inputs.shape[1]:
        return ""
    return f"\n{name}s {', '.join(str(number + 1) for number in drawn)} of {inputs.shape[1]}"


def _grids(
    counts: Sequence[int], tiles: Picture, titles: Sequence[tuple[str, str]] | None, words: Sequence[str]
) -> list[Grid]:
    """The places of the tiles of each half, or of all, with room for frames and titles."""
    count, halves = len(tiles), len(counts) > 1
    columns = _HALF_COLUMNS if halves else 2 if count <= 4 else 3 if count <= 9 else 4
    lines = 0 if titles is None else 2 if any(clean(true) for true, _ in titles) else 1
    width = max(tiles.shape[2], _words_width(titles or [], words), _HEADING_WIDTH // columns if halves else 0)
    height = tiles.shape[1] + (lines and lines * round(_TEXT * 1.35) + 2)
    return [Grid(own, min(own, columns), height + 2 * _FRAME, width + 2 * _FRAME, gap=_GAP) for own in counts]


def _tiles(
    inputs: NDArray[Any],
    maps: NDArray[Any],
    scale: float,
    signed: bool,
    points: tuple[float, float] | None,
    tokens: Sequence[Sequence[str]] | None,
) -> Picture:
    """The inputs with their maps, a tile each; the arguments are those of `heat_maps`."""
    if points is not None:
        return _cloud_tiles(inputs, maps, scale, signed, points)
    if inputs.ndim == 3 and inputs.shape[-1]:
        return _signal_tiles(inputs, maps, scale, signed)
    if inputs.ndim == 3 and tokens is not None and readable(tokens):
        texts = token_tiles(tokens, maps, scale, signed)
        mark_empty(texts[:, -20:], maps)
        return texts
    if inputs.ndim == 3:
        return _cell_tiles(maps, scale, signed, tokens)
    return (_volume_tiles if inputs.ndim == 5 else _picture_tiles)(inputs, maps, scale, signed)


def _words_width(titles: Sequence[tuple[str, str]], words: Sequence[str]) -> int:
    """The width of the widest title, whichever of the words stands in it, up to `_LONGEST`."""
    beside = _TEXT + 10 + text_width("0.00", _TEXT)  # the cross before a name, its probability after it
    names = [max(text_width(word, _TEXT, True), text_width(word, _TEXT) + beside) for word in map(clean, words)]
    given = [(text_width(clean(true), _TEXT, True), text_width(clean(said), _TEXT)) for true, said in titles]
    return min(max([*names, *(max(pair) + (0 if words else _TEXT + 4) for pair in given)], default=0), _LONGEST)


def _picture_tiles(pictures: Picture, maps: NDArray[Any], scale: float, signed: bool) -> Picture:
    """The picture, and right of it, of a wide one below it, the map over the greyed picture."""
    count, (height, width) = len(maps), pictures.shape[1:3]
    largest = 160 if count <= 4 else 112 if count <= 9 else 96
    wide = width >= _WIDE * height
    shown = fit(pictures, (largest, 2 * largest + 2) if wide else largest)  # both no wider than two squares
    laid = overlay(shown, maps, scale=scale, signed=signed)
    mark_empty(laid, maps)
    gap = np.full((count, 2, shown.shape[2], 3) if wide else (*shown.shape[:2], 2, 3), PAPER, np.uint8)
    return np.concatenate([shown, gap, laid], axis=1 if wide else 2)


def _signal_tiles(signals: NDArray[Any], maps: NDArray[Any], scale: float, signed: bool) -> Picture:
    """The signal as lines over a ground whose colour is the map at that moment."""
    height, width = 96, 216
    finite = signals[np.isfinite(signals)].astype(np.float64)
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    along = shrink(maps, (width,)) if maps.shape[1] > width else maps
    ground = np.full((len(maps), 1, width, 3), 72, np.uint8)
    ground = overlay(ground, along[:, None, :], scale=scale, signed=signed, outlined=False).repeat(height, axis=1)
    greys = np.linspace(255, 170, min(signals.shape[-1], 4)).astype(int).tolist()
    inks = [(grey, grey, grey) for grey in greys]
    pairs = zip(ground, signals, strict=True)
    tiles = np.stack([draw_lines(tile, line, low, high, inks, casing=(0, 0, 0)) for tile, line in pairs])
    mark_empty(tiles, maps)
    return tiles


def _cell_tiles(
    maps: NDArray[Any], scale: float, signed: bool, tokens: Sequence[Sequence[str]] | None = None
) -> Picture:
    """The map alone, over the numbers of its cells."""
    height, size, count = 80, 11, maps.shape[1]
    each = max(1, round(216 / count))  # as wide as each other, so that they can be counted
    cells = shrink(maps, (216,)) if count > 216 else maps.repeat(each, axis=1)
    width = cells.shape[1]
    ground = np.full((len(maps), 1, width, 3), 72, np.uint8)
    laid = overlay(ground, cells[:, None, :], scale=scale, signed=signed, outlined=False).repeat(height, axis=1)
    if tokens is not None:
        hatch_padding(laid, tokens)
    mark_empty(laid, maps)
    axis = np.full((16, width, 3), PAPER, np.uint8)
    for number in numbered_cells(count, width / count, text_width(str(count), size) + 8):
        middle = (number + 0.5) * width / count
        fill(axis, (middle, 0, middle, 2), INK)
        half = text_width(str(number), size) / 2
        write(axis, (min(max(middle, half), width - half), 13), number, size=size, colour=QUIET, anchor="ms")
    return np.concatenate([laid, np.broadcast_to(axis, (len(maps), *axis.shape))], axis=1)


def _volume_tiles(volumes: Picture, maps: NDArray[Any], scale: float, signed: bool) -> Picture:
    """Four slices of the volume, and below them the same slices with the map over them, outlined as one map."""
    depth = volumes.shape[1]
    slices = depth_slices(depth)
    shown = fit(volumes[:, slices], 72)
    deep = np.moveaxis(resize(np.moveaxis(maps, 1, -1), (depth,)), -1, 1)[:, slices]
    tops = np.max(deep, axis=(1, 2, 3), where=np.isfinite(deep), initial=0.0)
    laid = overlay(shown, deep, scale=scale, signed=signed, tops=tops)

    def beside(tiles: Picture) -> Picture:
        gap = np.full((*tiles[:, 0].shape[:2], 2, 3), PAPER, np.uint8)
        parts = [part for index in range(tiles.shape[1]) for part in (gap, tiles[:, index])]
        return np.concatenate(parts[1:], axis=2)

    below = beside(laid)
    mark_empty(below, maps, deep, scale)
    gap = np.full((len(maps), 2, below.shape[2], 3), PAPER, np.uint8)
    return np.concatenate([beside(shown), gap, below], axis=1)


def _cloud_tiles(
    clouds: NDArray[Any], maps: NDArray[Any], scale: float, signed: bool, limits: tuple[float, float]
) -> Picture:
    """The projections of the cloud, and below them the same in the colours of the map."""
    plain = projections(clouds, *limits)
    below = projections(clouds, *limits, maps=maps, scale=scale, signed=signed)
    mark_empty(below, maps)
    return np.concatenate([plain, np.full((len(maps), 2, *plain.shape[2:]), PAPER, np.uint8), below], axis=1)


def mark_empty(tiles: Picture, maps: NDArray[Any], drawn: NDArray[Any] | None = None, scale: float = 0.0) -> None:
    """Writes "empty map" over the tiles whose map is zero everywhere, "empty here" where what is drawn of it is.

    "weak here": what is drawn is below a hundredth of the scale, the map as a whole is not.
    """
    parts = maps if drawn is None else drawn
    weak = weak_maps(parts, scale) & ~weak_maps(maps, scale)
    for index, (values, shown) in enumerate(zip(maps, parts, strict=True)):
        if np.any(shown != 0) and not weak[index]:
            continue
        words = "weak here" if weak[index] else "empty here" if np.any(values != 0) else "empty map"
        tile, width, middle = tiles[index], tiles.shape[2], tiles.shape[1] / 2
        size = 12
        text = next((text for text in (words, "empty") if text_width(text, size) + 4 <= width), "–")
        fill(tile, (0, middle - 10, width, middle + 10), (24, 26, 29))
        write(tile, (width / 2, middle), text, size=size, colour=PAPER, anchor="mm", width=width)


def _paint_tiles(
    canvas: Picture, grid: Grid, tiles: Picture, titles: Sequence[tuple[str, str]] | None, wrong: Sequence[bool] | None
) -> None:
    """Paints tiles with their frames and titles onto a canvas, in place."""
    (height, width), room = tiles.shape[1:3], grid.width - 2 * _FRAME
    grid.paint(canvas, tiles, _FRAME, _FRAME)
    for index in np.flatnonzero(wrong if wrong is not None else []).tolist():
        x, y = grid.corner(index)
        frame(canvas, (x, y, x + width + 2 * _FRAME - 1, y + height + 2 * _FRAME - 1), WRONG, thick=_FRAME)
    named = any(clean(true) for true, _ in titles or [])
    for index, (true, predicted) in enumerate(titles or []):
        x, y = grid.corner(index)
        first = y + height + 2 * _FRAME + _TEXT + 1
        second = first + round(_TEXT * 1.35) if named else first
        write(canvas, (x + _FRAME, first), true, size=_TEXT, bold=True, width=room)
        left = x + _FRAME
        if wrong is not None and wrong[index]:
            canvas[second - _TEXT + 2 : second + 2, left : left + _TEXT] = _cross(_TEXT)
            left += _TEXT + 4
        _write_prediction(canvas, predicted, left, second, x + _FRAME + room - left)


@cache
def _cross(size: int) -> Picture:
    """A white cross in a square, the mark of a wrong prediction, readable without its colour."""
    picture = Image.new("RGB", (size, size), WRONG)
    draw = ImageDraw.Draw(picture)
    near, far = 3, size - 4
    draw.line((near, near, far, far), fill=PAPER, width=2)
    draw.line((near, far, far, near), fill=PAPER, width=2)
    return np.asarray(picture)


def _write_prediction(canvas: Picture, text: str, x: float, y: float, width: float) -> None:
    """Writes "name probability", or that and "IoU 0.00"; a long name is shortened, numbers never."""
    found = re.fullmatch(r"(.+?) ((?:\S+ IoU )?\N{MINUS SIGN}?\d\S*)", text)
    name, probability = found.groups() if found else ("", "")
    if not name:
        write(canvas, (x, y), text, size=_TEXT, colour=QUIET, width=int(width))
        return
    taken = text_width(probability, _TEXT) + 6
    written = write(canvas, (x, y), name, size=_TEXT, colour=QUIET, width=max(0, int(width - taken)))
    write(canvas, (x + written + 6, y), probability, size=_TEXT, colour=INK)
