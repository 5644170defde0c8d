"""The overfitting sheet: whether a model overfits, since when, on which classes and on which examples."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kerasviz_callbacks.draw.colour import NON_FINITE, Picture, count_non_finite
from kerasviz_callbacks.draw.curves import SETS, Chart, StepAxis, paint_chart, paint_dot, paint_key
from kerasviz_callbacks.draw.heat import mark_empty
from kerasviz_callbacks.draw.marks import fill
from kerasviz_callbacks.draw.overlay import evidence_scale, overlay
from kerasviz_callbacks.draw.sheet import Sheet
from kerasviz_callbacks.draw.text import LINE, QUIET, STRIP, text_width, wrapped, write
from kerasviz_callbacks.draw.tiles import fit, place
from kerasviz_callbacks.draw.volumes import flat_maps

MAX_DEGRADED = 4
"""Examples shown at most."""
MAX_CLASSES = 12
"""Classes shown at most."""

# Narrow and large type, so that the sheet can be read where it is shrunk to the 350 pixels of a TensorBoard card.
_WIDTH, _GAP, _ACROSS = 640, 16, 2
_HEADLINE = 104
_TOP, _METRICS = 236, 164  # heights of the charts of losses, and of the charts of metrics
_TITLE, _WORDS, _NUMBERS, _LEAST = 17, 15, 14, 10  # font sizes, the last of a line that would else be cut
_HEADING = 46
_SIDE = 112
_LINES = 54  # pixels that the two lines of an example take
_TILE = _SIDE + _LINES  # from one example to the next
_CLASSES_WIDTH = 256  # width of the scores by class
_NAME = 104


@dataclass(frozen=True)
class DegradedExample:
    """Examples on which the model has become worse since the best step, the largest drop first.

    Attributes:
        pictures: bytes `(k, H, W, 3)`; `None`: the inputs are not images.
        then: heat maps of the best step, `(k, *spatial)`; `None`: the model has no maps.
        now: heat maps of this step.
        scale: the value of the hottest colour.
        titles: two lines of text for each.
        slices: which slice of the maps of volumes is drawn, `(k,)`; `None`: the middle one.
    """

    pictures: Picture | None
    then: NDArray[np.float32] | None
    now: NDArray[np.float32] | None
    scale: float
    titles: Sequence[tuple[str, str]]
    slices: NDArray[np.intp] | None = None


@dataclass(frozen=True)
class PerClassScores:
    """The mean probability of the true class, by class.

    Attributes:
        names: of the classes, at most `MAX_CLASSES`.
        then: at the best step, 0 to 1, `(k,)`; `None`: there is none before this step.
        now: at this step, `(k,)`; NaN where the class has no row.
        heading: above them.
        legend: below the heading: which mark is which.
    """

    names: Sequence[str]
    then: NDArray[np.float64] | None
    now: NDArray[np.float64]
    heading: str = ""
    legend: str = ""


@dataclass(frozen=True)
class Summary:
    """The contents of the sheet.

    Attributes:
        headline: two lines of text.
        losses: charts of the logs of Keras, two beside each other.
        metrics: the charts below them, likewise.
        steps: the horizontal axis of all charts.
        sets: the names of the data sets.
        class_scores: `None`: there are no classes.
        degraded: `None`: no space is kept for any.
        heading: above the examples.
        placeholder: the text in place of the examples where there are none now.
        loss_rows: rows of space kept for `losses`, which are not all known before training.
        example_columns: how many examples stand beside each other.
        memorised: at the bottom, how many labels are memorised, and the first of them; `None`: no space is kept.
    """

    headline: tuple[str, str]
    losses: Sequence[Chart]
    metrics: Sequence[Chart]
    steps: StepAxis
    sets: Sequence[str]
    class_scores: PerClassScores | None = None
    degraded: DegradedExample | None = None
    heading: str = ""
    placeholder: str = ""
    loss_rows: int = 1
    example_columns: int = 1
    memorised: tuple[str, Sequence[str]] | None = None


def overfitting_sheet(shown: Summary, *, caption: str, note: str = "") -> Picture:
    """Draws the losses and metrics of both data sets, the scores by class, and the examples that became worse.

    The picture's size depends only on the number of charts, on whether there are examples and classes, and on the
    caption.
    """
    rows = -(-len(shown.metrics) // _ACROSS)
    below = 0
    if shown.class_scores is not None or shown.degraded is not None:
        below = _HEADING + -(-MAX_DEGRADED // shown.example_columns) * _TILE
    last = 0 if shown.memorised is None else _LINES
    page = Sheet(_HEADLINE + shown.loss_rows * _TOP + rows * _METRICS + below + last, _WIDTH, caption)
    body, top = page.body, _HEADLINE
    _paint_headline(body[:top], shown)
    for row in range(shown.loss_rows):
        charts = shown.losses[_ACROSS * row : _ACROSS * (row + 1)]
        _paint_charts(body[top : top + _TOP - 10], charts, shown.steps)
        top += _TOP
    for row in range(rows):
        charts = shown.metrics[_ACROSS * row : _ACROSS * (row + 1)]
        _paint_charts(body[top : top + _METRICS - 14], charts, shown.steps)
        top += _METRICS
    if shown.class_scores is not None:
        _paint_class_scores(body[top : len(body) - last, :_CLASSES_WIDTH], shown.class_scores)
    if shown.degraded is not None:
        part = body[top:, _CLASSES_WIDTH + _GAP :] if shown.class_scores is not None else body[top:]
        _paint_degraded(part, shown.degraded, shown)
    if shown.memorised is not None:
        under = len(body) - last
        write(body, (0, under + 17), shown.memorised[0], size=_WORDS, bold=True, width=_WIDTH, least=_LEAST)
        write(body, (0, under + 38), _whole(shown.memorised[1], _WIDTH), size=_WORDS, colour=QUIET)
    bad, legend = "", None
    if shown.degraded is not None and shown.degraded.pictures is not None and shown.degraded.scale > 0:
        maps = [one for one in (shown.degraded.then, shown.degraded.now) if one is not None and len(one)]
        sliced = any(one.ndim == 4 for one in maps)
        legend = evidence_scale(shown.degraded.scale, sliced=sliced) if maps else None
        bad = count_non_finite(*maps)
    return page.finished(legend=legend, note=note, bad=bad)


def _whole(entries: Sequence[str], width: int) -> str:
    """As many of the entries, in a line, as fit into `width` pixels."""
    for count in range(len(entries), 0, -1):
        line = ",  ".join(entries[:count]) + (",  ..." if count < len(entries) else "")
        if count == 1 or text_width(line, _WORDS) <= width:
            return line
    return ""


def _paint_headline(strip: Picture, shown: Summary) -> None:
    """The first line in bold, broken in two where it is long, the second below it, and the legend of the curves."""
    width = strip.shape[1] - 24
    fill(strip, (0, 0, strip.shape[1], strip.shape[0] - 12), STRIP)
    first, *rest = wrapped(shown.headline[0], width, _TITLE, bold=True) or [""]
    write(strip, (12, 22), first, size=_TITLE, bold=True, width=width)
    write(strip, (12, 43), " ".join(rest), size=_TITLE, bold=True, width=width, least=_LEAST)
    names = [name for name in reversed(SETS) if name in shown.sets]
    key = sum(text_width(name, _WORDS) + 48 for name in names)
    paint_key(strip, strip.shape[1] - key, 79, names)
    room = width - key if rest else width
    write(strip, (12, 84 if rest else 50), shown.headline[1], size=_WORDS, colour=QUIET, width=room, least=_LEAST)


def _paint_charts(strip: Picture, charts: Sequence[Chart], axis: StepAxis) -> None:
    width = (strip.shape[1] - (_ACROSS - 1) * _GAP) // _ACROSS
    for number, chart in enumerate(charts):
        left = number * (width + _GAP)
        paint_chart(strip[:, left : left + width], chart, axis)


def _paint_class_scores(part: Picture, class_scores: PerClassScores) -> None:
    """A line for each class: a ring where it was, a disc where it is, and a bar between them."""
    write(part, (0, 17), class_scores.heading, size=_TITLE, bold=True, width=part.shape[1])
    write(part, (0, 37), class_scores.legend, size=_WORDS, colour=QUIET, width=part.shape[1], least=_LEAST)
    count = len(class_scores.names)
    left, right = _NAME + 8, part.shape[1] - 22
    foot = part.shape[0] - 30
    line = min((foot - _HEADING - 10) / max(count, 1), 52.0)
    bottom = _HEADING + 10 + line * count
    for share in (0.0, 0.5, 1.0):
        x = left + share * (right - left)
        fill(part, (x, _HEADING + 6, x, bottom), LINE)
        write(part, (x, bottom + 6), f"{share:.0%}", size=_NUMBERS, colour=QUIET, anchor="mt")
    for number, name in enumerate(class_scores.names):
        y = _HEADING + 10 + line * (number + 0.5)
        write(part, (_NAME, y), name, size=_WORDS, anchor="rm", width=_NAME)
        now = float(class_scores.now[number])
        then = now if class_scores.then is None else float(class_scores.then[number])
        if not np.isfinite(now):
            fill(part, (left + 1, y - 10, left + 46, y + 10), NON_FINITE)
            write(part, (left + 24, y), "NaN", size=_NUMBERS, bold=True, anchor="mm")
            continue
        then = then if np.isfinite(then) else now
        x, before = (left + min(max(value, 0.0), 1.0) * (right - left) for value in (now, then))
        lost = now < then
        ink = SETS["validation"]
        if class_scores.then is not None:
            fill(part, (min(x, before), y - (2 if lost else 1), max(x, before), y + (1 if lost else 0)), ink)
            paint_dot(part, before, y, ink, radius=5, hollow=True)
        paint_dot(part, x, y, ink, radius=6)


def _paint_degraded(part: Picture, degraded: DegradedExample, shown: Summary) -> None:
    write(part, (0, 17), shown.heading, size=_TITLE, bold=True, width=part.shape[1])
    if not degraded.titles:
        fill(part, (0, _HEADING, part.shape[1] - 1, _HEADING + 60), STRIP)
        room = part.shape[1] - 8
        lines = wrapped(shown.placeholder, room, _WORDS)
        for number, line in enumerate(lines):
            middle = (part.shape[1] / 2, _HEADING + 30 + 20 * number - 10 * (len(lines) - 1))
            write(part, middle, line, size=_WORDS, colour=QUIET, anchor="mm", width=room)
        return
    tiles = _triples(degraded)
    if tiles is not None and tiles.shape[1] > 1:
        for column, name in enumerate(("input", "heat then", "heat now")):
            place_of_name = (column * (_SIDE + 8) + 1, 37)
            write(part, place_of_name, name, size=_WORDS, colour=QUIET, width=_SIDE)
    width = part.shape[1] // shown.example_columns
    for number, (first, second) in enumerate(degraded.titles[:MAX_DEGRADED]):
        row, column = divmod(number, shown.example_columns)
        under, left = _HEADING + row * (_TILE if tiles is not None else _LINES), column * width
        if tiles is not None:
            for place_of_tile, tile in enumerate(tiles[number]):
                place(part, tile, left + place_of_tile * (_SIDE + 8) + 1, under + 1)
            under += tiles.shape[2] + 2
        write(part, (left, under + 17), first, size=_WORDS, bold=True, width=width - 4, least=_LEAST)
        write(part, (left, under + 36), second, size=_WORDS, colour=QUIET, width=width - 4, least=_LEAST)


def _triples(degraded: DegradedExample) -> Picture | None:
    """The picture, and the picture with its heat map then and now: `(k, 1 to 3, h, w, 3)`."""
    if degraded.pictures is None:
        return None
    shown = fit(degraded.pictures, _SIDE)
    tiles = [shown]
    for maps in (degraded.then, degraded.now):
        if maps is not None:
            flat = flat_maps(maps, degraded.slices)
            laid = overlay(shown, flat, scale=degraded.scale)
            mark_empty(laid, maps, flat)
            tiles.append(laid)
    return np.stack(tiles, axis=1)
