"""Inputs, truth and predictions beside each other: rows of tiles with the same columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kerasviz_callbacks.draw.colour import Picture
from kerasviz_callbacks.draw.marks import fill, frame
from kerasviz_callbacks.draw.reconstructions import shrink_marked
from kerasviz_callbacks.draw.sheet import Scale, Sheet
from kerasviz_callbacks.draw.text import INK, LINE, QUIET, Colour, clean, text_width, write
from kerasviz_callbacks.draw.tiles import place

_SIZE = 12
_HEAD = _SIZE + 8  # pixels of the line of titles
_GAP = 4
_BETWEEN = 14  # pixels between two groups beside each other
_WIDEST = 810  # pixels that the groups beside each other may take
_MOST_KEYS = 24
_LONGEST = 240  # pixels of a title; longer ones end in an ellipsis


class Column(NamedTuple):
    """One column of tiles `(n, h, w, 3)`, as they are painted; all columns of a sheet have tiles of one size."""

    title: str
    tiles: Picture


class Key(NamedTuple):
    """What a colour stands for."""

    name: str
    colour: Colour


def prediction_rows(
    columns: Sequence[Column],
    *,
    caption: str,
    names: Sequence[str] | None = None,
    scores: Sequence[str] | None = None,
    keys: Sequence[Key] = (),
    legend: Scale | None = None,
    note: str = "",
    bad: str = "",
) -> Picture:
    """Shows each row of a probe as a group of tiles beside each other, one per column.

    `names` stand below the groups on the left, `scores`, which change from step to step, on the right. `keys` explain
    colours, below all groups.
    """
    count, height, width = columns[0].tiles.shape[:3]
    cell = max([width, *(min(text_width(clean(column.title), _SIZE, True), _LONGEST) for column in columns)])
    groups = _Groups(
        count,
        height,
        len(columns) * (cell + _GAP) - _GAP,
        _SIZE + 8 if names is not None or scores is not None else _GAP,
    )
    high, across = groups.size
    across = max([across, *map(_key_width, keys)])
    lines = _key_lines(keys, across)
    page = Sheet(_HEAD + high + len(lines) * (_SIZE + 6), across, caption)
    canvas = page.body[_HEAD:]
    for number, column in enumerate(columns):
        left = number * (cell + _GAP)
        for group in range(groups.beside):
            middle = groups.corner(group)[0] + left + cell / 2
            write(page.body, (middle, _SIZE + 2), column.title, size=_SIZE, bold=True, anchor="ms", width=cell)
        for index, tile in enumerate(column.tiles):
            x, y = groups.corner(index)
            place(canvas, tile, x + left + (cell - width) // 2, y)
    _write_below(canvas, groups, names, scores)
    _write_keys(page.body, lines, _HEAD + high)
    return page.finished(legend=legend, note=note, bad=bad)


@dataclass(frozen=True)
class _Groups:
    """Where the groups of tiles stand, one a row of the probe: `height` and `width` pixels each, with text below."""

    count: int
    height: int
    width: int
    below: int

    @property
    def beside(self) -> int:
        """How many stand beside each other."""
        return max(1, min(self.count, (_WIDEST + _BETWEEN) // (self.width + _BETWEEN)))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of all, with a frame of one pixel round the tiles."""
        lines = -(-self.count // self.beside)
        return lines * (self.height + self.below + 2), self.beside * (self.width + _BETWEEN) - _BETWEEN + 2

    def corner(self, index: int) -> tuple[int, int]:
        """The x and y of a group's upper left pixel."""
        row, column = divmod(index, self.beside)
        return 1 + column * (self.width + _BETWEEN), 1 + row * (self.height + self.below + 2)


def _write_below(canvas: Picture, groups: _Groups, names: Sequence[str] | None, scores: Sequence[str] | None) -> None:
    for index in range(groups.count):
        x, y = groups.corner(index)
        right, bottom, free = x + groups.width, y + groups.height + _SIZE + 1, groups.width
        if scores is not None:
            score, size = scores[index], _SIZE - 1
            free -= 8 + write(canvas, (right, bottom), score, size=size, colour=QUIET, anchor="rs", width=free)
        if names is not None:
            write(canvas, (x, bottom), names[index], size=_SIZE - 1, width=max(0, free))


def _key_lines(keys: Sequence[Key], width: int) -> list[list[tuple[int, Key]]]:
    """The keys in lines of at most `width` pixels, each with its place from the left."""
    shown = list(keys[:_MOST_KEYS])
    if len(keys) > len(shown):
        shown.append(Key(f"and {len(keys) - len(shown)} more", LINE))
    lines: list[list[tuple[int, Key]]] = []
    left = width
    for key in shown:
        needed = _key_width(key)
        if left + needed > width or not lines:
            lines.append([])
            left = 0
        lines[-1].append((left, key))
        left += needed
    return lines


def _key_width(key: Key) -> int:
    return min(text_width(clean(key.name), _SIZE - 1), 140) + _SIZE + 18


def _write_keys(body: Picture, lines: list[list[tuple[int, Key]]], top: int) -> None:
    for line in lines:
        for left, key in line:
            box = (left, top + 1, left + _SIZE, top + _SIZE + 1)
            fill(body, box, key.colour)
            frame(body, box, LINE)
            write(body, (left + _SIZE + 5, top + _SIZE), key.name, size=_SIZE - 1, colour=INK, width=140)
        top += _SIZE + 6


def tile_size(shape: tuple[int, ...], count: int, *, largest: int | None = None) -> tuple[int, int]:
    """The size of tiles for arrays of this height and width, the first two numbers: larger where there are few.

    They are enlarged by a whole factor, unless that would leave them small. `largest` is the longest side, in pixels.
    """
    largest = largest or (144 if count <= 4 else 96)
    height, width = shape[:2]
    longest = max(height, width)
    factor: float = largest // longest
    if factor * longest < 0.75 * largest:
        factor = largest / longest
    return max(1, round(height * factor)), max(1, round(width * factor))


def nearest(values: NDArray[np.generic], size: tuple[int, int]) -> NDArray[np.generic]:
    """Brings arrays `(n, h, w, ...)` to a size by the nearest cell, so that class numbers stay class numbers."""
    rows, columns = (np.arange(new) * old // new for new, old in zip(size, values.shape[1:3], strict=True))
    return values[:, rows][:, :, columns]


def sized(pictures: Picture, size: tuple[int, int]) -> Picture:
    """Brings pictures `(n, h, w, 3)` to a size: larger ones by the mean over blocks, smaller ones by the nearest.

    A block with a pixel in the colour of what is not finite is in that colour.
    """
    small = shrink_marked(pictures, size)
    fitted: Picture = nearest(small, size)  # type: ignore[assignment]  # bytes stay bytes
    return fitted
