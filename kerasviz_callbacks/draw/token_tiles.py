"""Texts as tiles: each token on the colour of its evidence."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kerasviz_callbacks.draw.colour import Picture, luminance
from kerasviz_callbacks.draw.marks import fill, hatching
from kerasviz_callbacks.draw.overlay import overlay
from kerasviz_callbacks.draw.text import INK, PAPER, clean, text_width, write
from kerasviz_callbacks.draw.tiles import resize

MOST_TOKENS = 40
"""Texts with more tokens than this, padding left out, are too long to be read in a tile."""

_GROUND = 72
_SIZE = 12
_LINE = 19
_WIDTH = 232
_SWATCH = 20  # what is hatched of the cell of padding
_LIGHT = 120  # of 255: lighter grounds have dark letters
_FEWEST_LINES = 2  # one of text and one for what is said below it


def readable(tokens: Sequence[Sequence[str]]) -> bool:
    """Whether texts are short enough to be written; tokens that are `""` are padding."""
    return max((sum(map(bool, row)) for row in tokens), default=0) <= MOST_TOKENS


def token_tiles(tokens: Sequence[Sequence[str]], maps: NDArray[Any], scale: float, signed: bool) -> Picture:
    """Writes each text in lines; below it a hatched cell stands for its padding, in the colour of its largest value.

    Args:
        tokens: `n` texts of as many tokens each; `""` is padding.
        maps: `(n, t')`; of fewer positions than tokens, as after a convolution without padding or with strides, each
            position stands on the tokens that it was computed from, with linear interpolation between them.
        scale: the value of the strongest colour.
        signed: whether maps run from `-scale`.
    """
    values = _aligned(np.asarray(maps), len(tokens[0])) if len(tokens) else np.asarray(maps)
    places = [_lines([clean(token) for token in row if token]) for row in tokens]
    lines = max([_FEWEST_LINES, *(row[-1][1] + 2 for row in places if row)])  # the last for padding and "empty map"
    tiles = _coloured(np.zeros((len(values), 1)), scale, signed)
    tiles = np.broadcast_to(tiles, (len(values), lines * _LINE, _WIDTH, 3)).copy()
    colours = _coloured(values, scale, signed)[:, 0]
    for tile, row, where, own, map_values in zip(tiles, tokens, places, colours, values, strict=True):
        padding = [number for number, token in enumerate(row) if not token]
        written = [number for number, token in enumerate(row) if token]
        for number, (x, line, width) in zip(written, where, strict=True):
            box = (x, line * _LINE + 1, x + width - 1, (line + 1) * _LINE - 2)
            fill(tile, box, tuple(own[number].tolist()))
            _write(tile, row[number], x, line, width, own[number])
        if padding:
            strongest = padding[int(np.argmax(np.nan_to_num(np.abs(map_values[padding]), nan=np.inf)))]
            _padding(tile, len(padding), lines - 1, own[strongest])
    return tiles


def _aligned(maps: NDArray[Any], count: int) -> NDArray[Any]:
    """Values `(n, count)` at the tokens, of maps `(n, t')` whose positions lie evenly around the middle of the text."""
    length = maps.shape[1]
    if not 0 < length < count:
        return resize(maps, (count,))
    stride = -(-count // length)
    if -(-count // stride) != length:  # not padded to a whole number of strides: tokens at both ends are left out
        stride = count // length
    centres = (count - 1) / 2 + stride * (np.arange(length) - (length - 1) / 2)
    return np.stack([np.interp(np.arange(count), centres, row) for row in maps])


def hatch_padding(cells: Picture, tokens: Sequence[Sequence[str]]) -> None:
    """Hatches, in place, the part of each strip of cells `(n, h, w, 3)` that stands for padding."""
    height, width = cells.shape[1:3]
    padding = np.array([[not token for token in row] for row in tokens], bool).reshape(len(cells), -1)
    along = padding[:, np.arange(width) * padding.shape[1] // width]
    light = (luminance(cells) > _LIGHT)[..., None]
    inks = np.where(light, np.array(INK, np.uint8), np.array(PAPER, np.uint8))
    where = along[:, None, :] & hatching(height, width)
    cells[where] = inks[where]


def _coloured(values: NDArray[Any], scale: float, signed: bool) -> Picture:
    """The colours `(n, 1, t, 3)` of values `(n, t)`."""
    ground = np.full((len(values), 1, values.shape[1], 3), _GROUND, np.uint8)
    return overlay(ground, values[:, None, :], scale=scale, signed=signed, outlined=False)


def _lines(words: Sequence[str]) -> list[tuple[int, int, int]]:
    """The left side, the line and the width of each word."""
    found, x, line = [], 0, 0
    for word in words:
        width = min(text_width(word, _SIZE) + 6, _WIDTH)
        if x and x + width > _WIDTH:
            x, line = 0, line + 1
        found.append((x, line, width))
        x += width + 1
    return found


def _write(tile: Picture, text: str, x: int, line: int, width: int, ground: NDArray[np.uint8]) -> None:
    ink = INK if luminance(ground) > _LIGHT else PAPER
    write(tile, (x + 3, (line + 1) * _LINE - 5), text, size=_SIZE, colour=ink, width=width - 5)


def _padding(tile: Picture, count: int, line: int, colour: NDArray[np.uint8]) -> None:
    """A hatched cell, with how many positions it stands for."""
    text, box = f"padding {count}", tile[line * _LINE + 1 : (line + 1) * _LINE - 1]
    width = text_width(text, _SIZE) + 8
    box[:, : _SWATCH + width] = colour
    box[:, :_SWATCH][hatching(len(box), _SWATCH)] = INK if luminance(colour) > _LIGHT else PAPER
    _write(tile, text, _SWATCH, line, width, colour)
