"""The overfitting sheet: whether a model overfits, since when, on which classes and on which examples."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kerasviz_callbacks.draw.colour import Picture, count_non_finite
from kerasviz_callbacks.draw.curves import SETS, Chart, StepAxis, paint_chart, paint_dot, paint_key
from kerasviz_callbacks.draw.heat import mark_empty
from kerasviz_callbacks.draw.marks import fill
from kerasviz_callbacks.draw.overlay import evidence_scale, overlay
from kerasviz_callbacks.draw.sheet import Sheet
from kerasviz_callbacks.draw.text import INK, LINE, QUIET, STRIP, write
from kerasviz_callbacks.draw.tiles import fit, place

MAX_DEGRADED = 8
"""Examples shown at most."""
MAX_CLASSES = 12
"""Classes shown at most."""

_WIDTH, _GAP = 880, 26
_HEADLINE = 58
_TOP, _METRICS = 220, 150  # heights of the charts of losses, and of the charts of metrics
_HEADING = 30
_SIDE = 84
_TILE, _COLUMNS = 124, 2  # pixels from one example to the next, and how many stand side by side
_CLASSES_WIDTH = 278  # width of the scores by class
_NAME = 92


@dataclass(frozen=True)
class DegradedExample:
    """Examples on which the model has become worse since the best step, the largest drop first.

    Attributes:
        pictures: bytes `(k, H, W, 3)`; `None`: the inputs are not images.
        then: heat maps of the best step, `(k, h, w)`; `None`: the model has no maps.
        now: heat maps of this step.
        scale: the value of the hottest colour.
        titles: two lines of text for each.
    """

    pictures: Picture | None
    then: NDArray[np.float32] | None
    now: NDArray[np.float32] | None
    scale: float
    titles: Sequence[tuple[str, str]]


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
        losses: at most two charts side by side.
        metrics: the charts below them, three beside each other.
        steps: the horizontal axis of all charts.
        sets: the names of the data sets.
        class_scores: `None`: there are no classes.
        degraded: `None`: no space is kept for any.
        heading: above the examples.
        placeholder: the text in place of the examples where there are none now.
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


def overfitting_sheet(shown: Summary, *, caption: str, note: str = "") -> Picture:
    """Draws the losses and metrics of both data sets, the scores by class, and the examples that became worse.

    The picture's size depends only on the number of charts, on whether there are examples and classes, and on the
    caption.
    """
    rows = -(-len(shown.metrics) // 3)
    below = 0
    if shown.class_scores is not None or shown.degraded is not None:
        below = _HEADING + (MAX_DEGRADED // _COLUMNS) * _TILE
    page = Sheet(_HEADLINE + (_TOP if shown.losses else 0) + rows * _METRICS + below, _WIDTH, caption)
    body, top = page.body, _HEADLINE
    _paint_headline(body[:top], shown)
    if shown.losses:
        _paint_charts(body[top : top + _TOP - 10], shown.losses, 2, shown.steps)
        top += _TOP
    for row in range(rows):
        _paint_charts(body[top : top + _METRICS - 10], shown.metrics[3 * row : 3 * row + 3], 3, shown.steps)
        top += _METRICS
    if shown.class_scores is not None:
        _paint_class_scores(body[top:, :_CLASSES_WIDTH], shown.class_scores)
    if shown.degraded is not None:
        part = body[top:, _CLASSES_WIDTH + _GAP :] if shown.class_scores is not None else body[top:]
        _paint_degraded(part, shown.degraded, shown.heading, shown.placeholder)
    bad, legend = "", None
    if shown.degraded is not None and shown.degraded.scale > 0:
        legend = evidence_scale(shown.degraded.scale)
        bad = count_non_finite(*(maps for maps in (shown.degraded.then, shown.degraded.now) if maps is not None))
    return page.finished(legend=legend, note=note, bad=bad)


def _paint_headline(strip: Picture, shown: Summary) -> None:
    fill(strip, (0, 0, strip.shape[1], strip.shape[0] - 10), STRIP)
    for number, line in enumerate(shown.headline):
        ink, bold = (INK, True) if number == 0 else (QUIET, False)
        write(strip, (12, 19 + 20 * number), line, size=14 - number, colour=ink, bold=bold, width=strip.shape[1] - 250)
    paint_key(strip, strip.shape[1] - 222, 24, [name for name in reversed(SETS) if name in shown.sets])


def _paint_charts(strip: Picture, charts: Sequence[Chart], across: int, axis: StepAxis) -> None:
    width = (strip.shape[1] - (across - 1) * _GAP) // across
    for number, chart in enumerate(charts):
        left = number * (width + _GAP)
        paint_chart(strip[:, left : left + width], chart, axis)


def _paint_class_scores(part: Picture, class_scores: PerClassScores) -> None:
    """A line for each class: a ring where it was, a disc where it is, and a bar between them."""
    write(part, (0, 13), class_scores.heading, size=13, bold=True, width=part.shape[1])
    write(part, (0, 28), class_scores.legend, size=11, colour=QUIET, width=part.shape[1])
    count = len(class_scores.names)
    left, right = _NAME + 6, part.shape[1] - 18
    foot = part.shape[0] - 26
    line = min((foot - _HEADING - 10) / max(count, 1), 40.0)
    bottom = _HEADING + 10 + line * count
    for share in (0.0, 0.5, 1.0):
        x = left + share * (right - left)
        fill(part, (x, _HEADING + 6, x, bottom), LINE)
        write(part, (x, bottom + 5), f"{share:.0%}", size=10, colour=QUIET, anchor="mt")
    for number, name in enumerate(class_scores.names):
        y = _HEADING + 10 + line * (number + 0.5)
        write(part, (_NAME, y), name, size=11, anchor="rm", width=_NAME)
        now = float(class_scores.now[number])
        then = now if class_scores.then is None else float(class_scores.then[number])
        if not (np.isfinite(now) and np.isfinite(then)):
            continue
        x, before = (left + min(max(value, 0.0), 1.0) * (right - left) for value in (now, then))
        lost = now < then
        ink = SETS["validation"]
        if class_scores.then is not None:
            fill(part, (min(x, before), y - (2 if lost else 1), max(x, before), y + (1 if lost else 0)), ink)
            paint_dot(part, before, y, ink, radius=4, hollow=True)
        paint_dot(part, x, y, ink, radius=5)


def _paint_degraded(part: Picture, degraded: DegradedExample, heading: str, placeholder: str) -> None:
    write(part, (0, 13), heading, size=13, bold=True, width=part.shape[1])
    width = (part.shape[1] - (_COLUMNS - 1) * 14) // _COLUMNS
    if not degraded.titles:
        fill(part, (0, _HEADING, part.shape[1] - 1, _HEADING + 60), STRIP)
        middle = (part.shape[1] / 2, _HEADING + 30)
        write(part, middle, placeholder, size=12, colour=QUIET, anchor="mm", width=part.shape[1])
        return
    tiles = _triples(degraded)
    for number, (first, second) in enumerate(degraded.titles[:MAX_DEGRADED]):
        row, column = divmod(number, _COLUMNS)
        left, top = column * (width + 14), _HEADING + row * _TILE
        under = top
        if tiles is not None:
            for column_of_tile, tile in enumerate(tiles[number]):
                place(part, tile, left + 1 + column_of_tile * (_SIDE + 6), top + 1)
            under = top + tiles.shape[2] + 2
        write(part, (left, under + 13), first, size=12, bold=True, width=width)
        write(part, (left, under + 28), second, size=11, colour=QUIET, width=width)


def _triples(degraded: DegradedExample) -> Picture | None:
    """The picture, and the picture with its heat map then and now: `(k, 1 to 3, h, w, 3)`."""
    if degraded.pictures is None:
        return None
    shown = fit(degraded.pictures, _SIDE)
    tiles = [shown]
    for maps in (degraded.then, degraded.now):
        if maps is not None:
            laid = overlay(shown, maps, scale=degraded.scale)
            mark_empty(laid, maps)
            tiles.append(laid)
    return np.stack(tiles, axis=1)
