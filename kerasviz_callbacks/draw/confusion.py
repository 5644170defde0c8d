"""Confusion matrices: rows are true classes, columns predicted ones, and beside them what was confused."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kerasviz_callbacks.draw.colour import Picture, colourise, luminance, table
from kerasviz_callbacks.draw.marks import fill
from kerasviz_callbacks.draw.reconstructions import fit_marked
from kerasviz_callbacks.draw.rows import label_width
from kerasviz_callbacks.draw.sheet import Scale, Sheet, blank
from kerasviz_callbacks.draw.text import INK, LINE, PAPER, QUIET, SMALL, STRIP, clean, text_width, write
from kerasviz_callbacks.draw.tiles import place

MAX_CLASSES = 30
MAX_EXAMPLES = 6
RIGHT, WRONG = "Blues", "Oranges"

_HEADLINE, _APART = 60, 30
_TILE, _COLUMN, _TEXT = 96, 168, 15
_LEAST = 9  # font size of a line that would else be cut
_LABEL = label_width(SMALL + 1)
_PAIR = 17


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix.

    Attributes:
        values: what the colours show, `(k, k)`, true classes down; NaN: the rows have no answer.
        counts: the rows looked at, whole numbers `(k, k)`.
        names: of the classes, k.
    """

    values: NDArray[Any]
    counts: NDArray[Any]
    names: Sequence[str]


@dataclass(frozen=True)
class Confused:
    """What was confused.

    Attributes:
        titles: two texts for each example; the first is broken in two lines where it is long.
        most: as many examples as there can be, at most `MAX_EXAMPLES`.
        pictures: the examples, bytes `(len(titles), h, w, 3)`; `None`: the inputs are no images.
        pairs: further lines of text; `room` for as many is kept.
        room: see `pairs`.
        longest: the longest first text that there can be, for which space is kept.
    """

    titles: Sequence[tuple[str, str]]
    pictures: Picture | None
    most: int = MAX_EXAMPLES
    pairs: Sequence[str] = ()
    room: int = 0
    longest: str = ""


def confusion_sheet(
    matrices: Sequence[tuple[str, Matrix]],
    confused: Confused,
    headline: tuple[str, str],
    *,
    high: float,
    unit: str,
    caption: str,
    note: str = "",
    bad: str = "",
) -> Picture:
    """Shows one matrix, or one of 2 x 2 for each label with its title, and examples of what was confused.

    Colours run from 0 to `high`; `unit` says of what. What is right is blue, what is wrong orange.
    """
    cells = [_with_names(matrix, high) for _, matrix in matrices]
    several = len(matrices) > 1
    height, width = (max(one.shape[axis] for one in cells) for axis in (0, 1))
    columns = min(len(cells), 5) if several else 1
    above = 22 if several else 0
    rows = -(-len(cells) // columns)
    left = columns * (width + 16) - 16
    side = 2 * _COLUMN + _APART
    below = 24 + _examples_height(confused) + (confused.room + 1) * _PAIR * bool(confused.room)
    page = Sheet(_HEADLINE + max(rows * (height + above + 12) - 12, below), left + side, caption)
    _paint_headline(page.body[: _HEADLINE - 10], headline)
    for number, ((title, _), picture) in enumerate(zip(matrices, cells, strict=True)):
        x, y = number % columns * (width + 16), _HEADLINE + number // columns * (height + above + 12)
        if several:
            write(page.body, (x + width, y + 15), title, size=13, bold=True, anchor="rs", width=width)
        page.body[y + above : y + above + len(picture), x : x + picture.shape[1]] = picture
    _paint_examples(page.body[_HEADLINE:, left + _APART :], confused)
    both = np.stack([table(RIGHT), table(WRONG)])
    legend = Scale(0.0, high, RIGHT, f"{unit}: right blue, wrong orange", both)
    return page.finished(legend=legend, note=note, bad=bad)


def cell_size(classes: int) -> int:
    """Pixels of a side of a cell."""
    return next((size for most, size in ((2, 64), (5, 56), (10, 42), (15, 34), (20, 27)) if classes <= most), 22)


def _with_names(matrix: Matrix, high: float) -> Picture:
    """The cells with a hairline round each, the true classes on the left and the predicted ones above, upright."""
    count, cell = len(matrix.names), cell_size(len(matrix.names))
    size = 12 if cell >= 27 else 11
    longest = max(text_width(clean(name), size) for name in matrix.names)
    left = max(min(longest, _LABEL), text_width("predicted →", 11)) + 10
    top = max(min(longest, _LABEL), 34) + 10
    side = count * (cell + 1) + 1
    canvas = blank(top + side, left + side)
    upright = blank(side, top - 4)
    for number, name in enumerate(matrix.names):
        middle = number * (cell + 1) + cell / 2 + 1
        write(canvas, (left - 6, top + middle), name, size=size, anchor="rm", width=_LABEL)
        write(upright, (2, middle), name, size=size, anchor="lm", width=_LABEL)
    canvas[: top - 4, left:] = np.rot90(upright)  # so that names read upwards
    write(canvas, (left - 6, top - 20), "predicted →", size=11, colour=QUIET, anchor="rs")
    write(canvas, (left - 6, top - 5), "true ↓", size=11, colour=QUIET, anchor="rs")
    fill(canvas, (left, top, left + side - 1, top + side - 1), LINE)
    _paint_cells(canvas[top:, left:], matrix, high, cell)
    return canvas


def _paint_cells(canvas: Picture, matrix: Matrix, high: float, cell: int) -> None:
    right = np.eye(len(matrix.names), dtype=bool)[..., None]
    colours = np.where(right, colourise(matrix.values, 0.0, high, RIGHT), colourise(matrix.values, 0.0, high, WRONG))
    empty = matrix.counts.sum(axis=1) == 0
    for row, column in np.ndindex(*matrix.counts.shape):
        x, y = column * (cell + 1) + 1, row * (cell + 1) + 1
        colour, number = colours[row, column], int(matrix.counts[row, column])
        if not number and np.isfinite(matrix.values[row, column]):
            colour = np.array(STRIP if empty[row] else PAPER)
        red, green, blue = colour.tolist()
        fill(canvas, (x, y, x + cell - 1, y + cell - 1), (red, green, blue))
        size = next((one for one in (14, 12, 10) if text_width(f"{number}", one) <= cell - 4), 0)
        if number and size and size <= cell - 8:
            ink = INK if luminance(colour) > 130 else (255, 255, 255)
            write(canvas, (x + cell / 2, y + cell / 2), f"{number}", size=size, colour=ink, anchor="mm")


def _paint_headline(strip: Picture, headline: tuple[str, str]) -> None:
    width = strip.shape[1]
    fill(strip, (0, 0, width - 1, len(strip) - 1), STRIP)
    write(strip, (12, 21), headline[0], size=16, bold=True, width=width - 24, least=_LEAST)
    write(strip, (12, 41), headline[1], size=13, colour=QUIET, width=width - 24, least=_LEAST)


def _paint_examples(part: Picture, confused: Confused) -> None:
    heading = (
        "the worst confusions, p of the surest" if confused.pictures is None else "the surest of the worst confusions"
    )
    write(part, (0, 15), heading, size=14, bold=True, width=part.shape[1])
    if not confused.titles:
        write(part, (0, 40), "none", size=13, colour=QUIET)
    tiles = (
        None
        if confused.pictures is None or not len(confused.pictures)
        else fit_marked(confused.pictures, (_TILE, _COLUMN - 8))
    )
    for number, (first, second) in enumerate(confused.titles[: confused.most]):
        row, column = divmod(number, 2)
        x, y = column * _COLUMN, 24 + row * _example_height(confused)
        if tiles is not None:
            place(part, tiles[number], x + 1, y + 1)
            y += tiles.shape[1] + 2
        for line in _title_lines(first):
            y += _TEXT
            write(part, (x, y), line, size=12, bold=True, width=_COLUMN - 8, least=_LEAST)
        write(part, (x, y + _TEXT), second, size=12, colour=QUIET, width=_COLUMN - 8, least=_LEAST)
    for number, line in enumerate(confused.pairs[: confused.room]):
        y = 24 + _examples_height(confused) + (number + 1) * _PAIR
        write(part, (0, y), line, size=12, width=part.shape[1])


def _examples_height(confused: Confused) -> int:
    return -(-confused.most // 2) * _example_height(confused)


def _example_height(confused: Confused) -> int:
    picture = 0 if confused.pictures is None else _TILE + 2
    return picture + _TEXT * (len(_title_lines(confused.longest)) + 1) + 10


def _title_lines(title: str) -> list[str]:
    """The title, broken where the two classes or a label and what is wrong meet if it is too long for one line."""
    mark = next((mark for mark in ("\N{RIGHTWARDS ARROW} ", ": ") if mark in title), "")
    if not mark or text_width(clean(title), 12, bold=True) <= _COLUMN - 8:
        return [title]
    first, _, rest = title.partition(mark)
    return [first + mark.rstrip(), rest]
