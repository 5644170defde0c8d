"""The data map: which samples are learned, forgotten and doubtful, and the most doubtful ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kerasviz_callbacks.draw.colour import NON_FINITE, Picture, look_up, share
from kerasviz_callbacks.draw.curves import StepAxis, paint_dot
from kerasviz_callbacks.draw.marks import fill, frame
from kerasviz_callbacks.draw.reconstructions import fit_marked
from kerasviz_callbacks.draw.sheet import ALERT_INK, Scale, Sheet
from kerasviz_callbacks.draw.text import INK, LINE, PAPER, QUIET, STRIP, Colour, format_number, write
from kerasviz_callbacks.draw.ticks import integer_ticks
from kerasviz_callbacks.draw.tiles import place

MAX_DOUBTFUL = 16
"""Samples shown at most."""

RIGHT: Colour = (0, 88, 155)
WRONG: Colour = (230, 97, 0)
GROUPS: dict[str, Colour] = {"never learned": WRONG, "forgotten": (253, 184, 99), "learned": (146, 189, 219)}
"""The groups by which the chart divides the samples, from the bottom, and their colours."""

_WIDTH, _HEADLINE, _BETWEEN = 872, 62, 22
_MAP, _CHART, _PLOT = 482, 356, 340  # widths of the map and the chart, and the height of both plots
_HEAD, _FOOT, _AXIS = 44, 28, 46
_WORDS, _NUMBERS, _TITLE, _LEAST = 13, 12, 15, 9  # font sizes, the last of a line that would else be cut
_COLUMNS, _TILE, _CELL, _TEXT = 8, 96, 109, 15
_LINES = 4
_DOT = 2.2
_RING = 6.0
_PAD = 9  # pixels round the dots
_REGIONS = (  # where no dot can be, with an arrow to where they are
    (0.42, 0.97, "ls", "\N{LEFTWARDS ARROW} easy to learn"),
    (0.99, 0.88, "rs", "ambiguous \N{DOWNWARDS ARROW}"),
    (0.42, 0.005, "ls", "\N{LEFTWARDS ARROW} hard to learn"),
)
_GRID: Colour = (229, 232, 236)
_FULL_VARIABILITY = 0.5  # the largest standard deviation of numbers from 0 to 1


@dataclass(frozen=True)
class DataMapSheet:
    """The contents of the sheet.

    Attributes:
        headline: two lines of text.
        alert: whether the first of them is a warning.
        variability: standard deviation of the probability of each label, `(n,)`; NaN: not shown.
        confidence: its mean, 0 to 1, `(n,)`.
        correctness: share of right answers, 0 to 1, `(n,)`.
        marked: numbers of the samples with a ring: those below, the most doubtful one first.
        steps: the horizontal axis of the chart.
        shares: of the `GROUPS` by step, `(t, 3)`; what is missing to 1 has no answer.
        share_steps: the steps, `(t,)`.
        things: what the samples are, such as `"rows"`.
        heading: above the most doubtful ones.
        titles: four lines of text for each of them.
        pictures: of them, bytes `(len(titles), h, w, 3)`; `None`: the inputs are no images.
        most: as many of them as there can be, at most `MAX_DOUBTFUL`.
    """

    headline: tuple[str, str]
    alert: bool
    variability: NDArray[np.float64]
    confidence: NDArray[np.float64]
    correctness: NDArray[np.float64]
    marked: Sequence[int]
    steps: StepAxis
    shares: ArrayLike
    share_steps: Sequence[int]
    things: str
    heading: str
    titles: Sequence[tuple[str, str, str, str]]
    pictures: Picture | None
    most: int = MAX_DOUBTFUL


def data_map_sheet(shown: DataMapSheet, *, caption: str, note: str = "", bad: str = "") -> Picture:
    """Draws the map, the shares of learned, forgotten and never learned samples by step, and the most doubtful ones.

    The picture's size depends on the caption, on `most`, and on whether there are pictures.
    """
    above = _HEADLINE + _HEAD + _PLOT + _FOOT + _BETWEEN
    rows = -(-shown.most // _COLUMNS)
    page = Sheet(above + 30 + rows * _cell_height(shown), _WIDTH, caption)
    body = page.body
    _paint_headline(body[: _HEADLINE - 10], shown)
    charts = body[_HEADLINE : above - _BETWEEN]
    _paint_map(charts[:, :_MAP], shown)
    _paint_shares(charts[:, -_CHART:], shown)
    _paint_doubtful(body[above:], shown)
    legend = Scale(0.0, 1.0, "", "correctness: share of epochs answered right", correctness_colours())
    return page.finished(legend=legend, note=note, bad=bad)


def correctness_colours() -> Picture:
    """The colours from never right to always right, `(257, 3)`."""
    steps = np.linspace(0, 1, 257)[:, None]
    colours: Picture = np.rint(np.array(WRONG) * (1 - steps) + np.array(RIGHT) * steps).astype(np.uint8)
    return colours


def _paint_headline(strip: Picture, shown: DataMapSheet) -> None:
    width = strip.shape[1]
    fill(strip, (0, 0, width - 1, len(strip) - 1), STRIP)
    colour = ALERT_INK if shown.alert else INK
    write(strip, (12, 21), shown.headline[0], size=16, bold=True, colour=colour, width=width - 24, least=_LEAST)
    write(strip, (12, 42), shown.headline[1], size=_WORDS, colour=QUIET, width=width - 24, least=_LEAST)


def _paint_map(part: Picture, shown: DataMapSheet) -> None:
    """A dot for each sample: how much the probability of its label varies across, its mean up."""
    room = _MAP - _AXIS
    write(part, (_AXIS, 17), f"data map: a dot for each of {shown.things}", size=_TITLE, bold=True, width=room)
    axes = "probability of the label: mean (up), standard deviation (across)"
    write(part, (_AXIS, 36), axes, size=_WORDS, colour=QUIET, width=room, least=_LEAST)
    plot = part[_HEAD : _HEAD + _PLOT, _AXIS:]
    height, width = plot.shape[:2]

    def across(part_of_width: Any) -> Any:
        return _PAD + part_of_width * (width - 1 - 2 * _PAD)

    def down(part_of_height: Any) -> Any:
        return _PAD + (1 - part_of_height) * (height - 1 - 2 * _PAD)

    mean, deviation = 1 - (np.arange(height) - _PAD) / (height - 1 - 2 * _PAD), np.arange(width) - _PAD
    most = np.sqrt(np.clip(mean * (1 - mean), 0, None)) / _FULL_VARIABILITY  # the largest deviation for this mean
    plot[deviation > most[:, None] * (width - 1 - 2 * _PAD)] = STRIP
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        y, x = down(tick), across(tick)
        fill(plot, (0, y, width - 1, y), _GRID)
        fill(plot, (x, 0, x, height - 1), _GRID)
        write(part, (_AXIS - 6, _HEAD + y), format_number(tick), size=_NUMBERS, colour=QUIET, anchor="rm")
        place_of_number = (_AXIS + x, _HEAD + height + 6)
        number = format_number(tick * _FULL_VARIABILITY)
        write(part, place_of_number, number, size=_NUMBERS, colour=QUIET, anchor="rt" if tick == 1 else "mt")
    for x, y, anchor, name in _REGIONS:
        write(plot, (across(x), down(y)), name, size=_TITLE, colour=QUIET, bold=True, anchor=anchor)
    xs, ys = across(share(shown.variability, 0.0, _FULL_VARIABILITY)), down(share(shown.confidence, 0.0, 1.0))
    _paint_dots(plot, xs, ys, share(shown.correctness, 0.0, 1.0))
    for marked in reversed(shown.marked):
        if np.isfinite(xs[marked] + ys[marked]):
            _paint_ring(plot, float(xs[marked]), float(ys[marked]))
    frame(part, (_AXIS, _HEAD, part.shape[1] - 1, _HEAD + height - 1), LINE)


def _paint_dots(
    plot: Picture, across: NDArray[np.float64], down: NDArray[np.float64], correctness: NDArray[np.float64]
) -> None:
    """Small discs, those with the least right answers on top."""
    order = np.argsort(-correctness, kind="stable")
    order = order[np.isfinite(across[order]) & np.isfinite(down[order]) & np.isfinite(correctness[order])]
    x, y = (np.rint(one[order]).astype(np.intp) for one in (across, down))
    colours = look_up(correctness[order], correctness_colours())
    reach = round(_DOT)
    padded = np.full((plot.shape[0] + 2 * reach, plot.shape[1] + 2 * reach, 3), PAPER, np.uint8)
    padded[reach:-reach, reach:-reach] = plot
    disc = np.argwhere(np.hypot(*np.ogrid[-reach : reach + 1, -reach : reach + 1]) <= _DOT)
    # All pixels of a dot are painted before those of the next one, so that dots on top are whole.
    rows, columns = (y[:, None] + disc[:, 0]).ravel(), (x[:, None] + disc[:, 1]).ravel()
    padded[rows, columns] = np.repeat(colours, len(disc), axis=0)
    plot[:] = padded[reach:-reach, reach:-reach]


def _paint_ring(plot: Picture, x: float, y: float) -> None:
    """A ring that leaves what is within it as it is."""
    left, top = max(int(x - _RING - 2), 0), max(int(y - _RING - 2), 0)
    part = plot[top : int(y + _RING + 3), left : int(x + _RING + 3)]
    rows, columns = np.ogrid[top : top + part.shape[0], left : left + part.shape[1]]
    away = np.abs(np.hypot(rows - y, columns - x) - _RING)
    share = np.clip(1.3 - away, 0, 1)[..., None]
    part[:] = np.rint(part + (np.array(INK) - part.astype(np.float64)) * share).astype(np.uint8)


def _paint_shares(part: Picture, shown: DataMapSheet) -> None:
    """A column for each step, divided by the groups; what has no answer is in the colour of NaN."""
    axis, shares = shown.steps, share(shown.shares, 0.0, 1.0).reshape(-1, len(GROUPS))
    write(part, (_AXIS, 17), "what is learned, step by step", size=_TITLE, bold=True, width=_CHART - _AXIS)
    x: float = _AXIS
    for name, colour in reversed(GROUPS.items()):
        paint_dot(part, x + 5, 32, colour, radius=5)
        x += 14 + write(part, (x + 14, 36), name, size=_WORDS, colour=QUIET) + 12
    plot = part[_HEAD : _HEAD + _PLOT, _AXIS:]
    height, width = plot.shape[:2]
    cell = width / (axis.last - axis.first + 1)
    places = {int((step - axis.first) * cell): number for number, step in enumerate(shown.share_steps)}  # of many, some
    for step, groups in ((shown.share_steps[number], shares[number]) for number in places.values()):
        left = (step - axis.first) * cell
        right = max(left + cell - (1 if cell >= 4 else 0), left + 1) - 1
        fill(plot, (left, 0, right, height - 1), NON_FINITE)
        filled = np.minimum(np.cumsum([0.0, *np.nan_to_num(groups)]), 1.0)
        edges = np.rint((1 - filled) * height).tolist()  # from the bottom up
        for bottom, top, colour in zip(edges, edges[1:], GROUPS.values(), strict=False):
            if top < bottom:
                fill(plot, (left, top, right, bottom - 1), colour)
    if axis.best is not None:
        middle = (axis.best - axis.first + 0.5) * cell
        for top in range(0, height, 6):
            fill(plot, (middle, top, middle, top + 2), INK)
    for tick in (0.0, 0.5, 1.0):
        y = _HEAD + (1 - tick) * (height - 1)
        write(part, (_AXIS - 6, y), f"{tick:.0%}", size=_NUMBERS, colour=QUIET, anchor="rm")
    frame(part, (_AXIS, _HEAD, part.shape[1] - 1, _HEAD + height - 1), LINE)
    for step in integer_ticks(axis.first, axis.last, 5):
        x, foot = _AXIS + (step - axis.first + 0.5) * cell, _HEAD + height
        fill(part, (x, foot, x, foot + 2), QUIET)
        write(part, (x, foot + 6), format_number(step), size=_NUMBERS, colour=QUIET, anchor="mt")


def _cell_height(shown: DataMapSheet) -> int:
    return (0 if shown.pictures is None else _TILE + 4) + _LINES * _TEXT + 12


def _paint_doubtful(part: Picture, shown: DataMapSheet) -> None:
    write(part, (0, 15), shown.heading, size=_TITLE, bold=True, width=part.shape[1], least=_LEAST)
    tiles = None
    if shown.pictures is not None and len(shown.pictures):
        tiles = fit_marked(shown.pictures, (_TILE, _CELL - 6))
    for number, lines in enumerate(shown.titles[: shown.most]):
        row, column = divmod(number, _COLUMNS)
        x, y = column * _CELL, 30 + row * _cell_height(shown)
        if tiles is not None:
            place(part, tiles[number], x + 1, y + 1)
            y += tiles.shape[1] + 4
        for line, text in enumerate(lines):
            y += _TEXT
            bold, colour = line < 2, INK if line < 2 else QUIET
            write(
                part,
                (x, y - 2),
                text,
                size=_NUMBERS if bold else _NUMBERS - 1,
                bold=bold,
                colour=colour,
                width=_CELL - 6,
                least=_LEAST,
            )
