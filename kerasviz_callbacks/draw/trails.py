"""How codes move: dots with fading tails, the whole paths of the class means, a window that only grows."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

from kerasviz_callbacks.draw.colour import Picture, class_colours, luminance
from kerasviz_callbacks.draw.sheet import Ruler, sheet
from kerasviz_callbacks.draw.text import INK, LINE, PAPER, QUIET, Colour, clean, text_width, write

_SIDE = 600
_TIMES = 2  # drawn twice as large and reduced: smooth edges at a fraction of what matplotlib costs
_UNKNOWN: Colour = (150, 156, 163)
_DISC = 11
_LEGEND = 150
_PULLED, _PUSHED = 100, 800  # turns in which crowded discs are drawn home too, and in which they only part
_CROWD = 40  # more discs than this have no room to step aside
_FARTHEST = 1e300  # beyond it the powers of 1.25 leave the floats
Points = list[tuple[float, float]]


def grow(half_width: float, needed: float) -> float:
    """The half width of the window that holds `needed`: the least power of 1.25, never less than before.

    Args:
        half_width: so far; 0 before the first step.
        needed: the largest distance to be shown; one that is not finite changes nothing.

    Returns:
        The half width; 0 as long as nothing but zero was seen.
    """
    if not half_width < needed < _FARTHEST:  # NaN too
        return half_width
    power = math.ceil(round(math.log(needed, 1.25), 9))
    while 1.25**power < needed:
        power += 1
    return max(half_width, 1.25**power)


def round_length(span: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is at most `span`."""
    power = 10.0 ** math.floor(math.log10(span))
    for factor in (5, 2, 1):
        if factor * power <= span:
            return factor * power
    return power / 2


def trajectory(
    tails: ArrayLike,
    means: ArrayLike | None = None,
    classes: ArrayLike | None = None,
    *,
    half_width: float,
    centre: tuple[float, float] = (0.0, 0.0),
    names: Sequence[str] | None = None,
    colours: ArrayLike | None = None,
    title: str,
    note: str = "",
    numbered: bool = True,
) -> Picture:
    """Draws where codes are, where they came from, and the whole way of the class means.

    Args:
        tails: the codes of the last steps, oldest first, `(t, n, 2)`; the last ones are the dots.
        means: the class means of all steps, oldest first, `(T, k, 2)`.
        classes: the class of each code, `(n,)`, -1 where it is not known; one colour if left out.
        half_width: half the side of the square window, as `grow` gives it.
        centre: the middle of the window.
        names: of the classes; their numbers if left out.
        colours: of the classes, bytes `(k, 3)`.
        title: caption; must not change during a run.
        note: figures that change from step to step, for the strip below.
        numbered: whether the discs at the ends of the paths carry the numbers of the classes.

    Returns:
        The picture, `(h, w, 3)`. Codes that are not finite are left out and counted in the strip.
    """
    moving = np.asarray(tails, np.float64)
    ways = None if means is None else np.asarray(means, np.float64)
    kinds = None if classes is None else np.asarray(classes).astype(np.intp).ravel()
    count = max(
        0 if ways is None else ways.shape[1],
        0 if names is None else len(names),
        0 if kinds is None or not kinds.size else int(kinds.max()) + 1,
    )
    palette = class_colours(max(count, 1)) if colours is None else np.asarray(colours, np.uint8)
    inks = [_colour(palette[index % len(palette)]) for index in range(max(count, 1))]
    window = half_width if 1e-300 < half_width < _FARTHEST else 1.0

    def pixels(points: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(over="ignore", invalid="ignore"):
            relative = (points / window - np.asarray(centre) / window) * np.array([1.0, -1.0])
        # What lies far outside still points the right way, near enough, and fits into Pillow's integers.
        placed: NDArray[np.float64] = (np.clip(relative, -20, 20) + 1) * (_SIDE * _TIMES / 2)
        return placed

    picture = Image.new("RGB", (_SIDE * _TIMES, _SIDE * _TIMES), PAPER)
    draw = ImageDraw.Draw(picture)
    middle = pixels(np.zeros((1, 2)))[0]
    draw.line((middle[0], 0, middle[0], _SIDE * _TIMES), fill=(236, 238, 241), width=_TIMES)
    draw.line((0, middle[1], _SIDE * _TIMES, middle[1]), fill=(236, 238, 241), width=_TIMES)
    dots = [inks[0]] * moving.shape[1]
    if kinds is not None:
        dots = [inks[kind] if kind >= 0 else _UNKNOWN for kind in kinds.tolist()]
    _draw_tails(draw, pixels(moving), dots)
    _draw_dots(draw, pixels(moving[-1]), dots)
    if ways is not None and len(ways):
        _draw_ways(draw, pixels(ways), inks)
        _draw_discs(draw, pixels(ways[-1]), inks, numbered)
    small = picture.reduce(_TIMES)
    ImageDraw.Draw(small).rectangle((0, 0, _SIDE - 1, _SIDE - 1), outline=LINE)

    if count:
        labels = [str(index) for index in range(count)] if names is None else [clean(name) for name in names]
        small = _with_legend(small, labels, inks, numbered)
    skipped = int((~np.isfinite(moving[-1]).all(axis=-1)).sum())
    bad = f"{skipped:,} not finite, left out" if skipped else ""
    length = round_length(window / 2)
    ruler = Ruler(length, max(1, round(length / window * _SIDE / 2)))
    return sheet(small, caption=title, legend=ruler, note=note, bad=bad)


def _colour(entry: NDArray[np.uint8]) -> Colour:
    red, green, blue = (int(part) for part in entry)
    return red, green, blue


def _towards(colour: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return red, green, blue


def _draw_tails(draw: ImageDraw.ImageDraw, points: NDArray[np.float64], inks: list[Colour]) -> None:
    """Every step a segment, the older the paler; the oldest lie at the bottom."""
    steps = len(points)
    for step in range(steps - 1):
        pale = 0.82 - 0.5 * (step + 1) / max(steps - 1, 1)
        shades = {ink: _towards(ink, PAPER, pale) for ink in set(inks)}
        pairs = np.concatenate([points[step], points[step + 1]], axis=1)
        seen = np.isfinite(pairs).all(axis=1)
        for index, line in zip(np.flatnonzero(seen).tolist(), pairs[seen].tolist(), strict=True):
            draw.line(line, fill=shades[inks[index]], width=_TIMES)


def _draw_dots(draw: ImageDraw.ImageDraw, points: NDArray[np.float64], inks: list[Colour]) -> None:
    radius = 3 * _TIMES
    rims = {ink: _towards(ink, (0, 0, 0), 0.3) for ink in set(inks)}
    seen = np.isfinite(points).all(axis=1)
    for index, (x, y) in zip(np.flatnonzero(seen).tolist(), points[seen].tolist(), strict=True):
        ink = inks[index]
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ink, outline=rims[ink], width=_TIMES // 2)


def _draw_ways(draw: ImageDraw.ImageDraw, points: NDArray[np.float64], inks: list[Colour]) -> None:
    """The whole path of each class mean in its colour with a white casing, from a ring at its beginning."""
    for number in range(points.shape[1]):
        runs = _unbroken(points[:, number])
        for colour, width in ((PAPER, 7), (inks[number], 4)):
            for run in runs:
                if len(run) > 1:
                    draw.line(run, fill=colour, width=width * _TIMES * 3 // 4, joint="curve")
        if runs:
            x, y = runs[0][0]
            radius = 4 * _TIMES
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), PAPER, inks[number], 2 * _TIMES)


def _unbroken(path: NDArray[np.float64]) -> list[Points]:
    """The stretches of a path `(t, 2)` between points that are not finite."""
    runs: list[Points] = [[]]
    for x, y in path.tolist():
        if math.isfinite(x) and math.isfinite(y):
            runs[-1].append((x, y))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _draw_discs(draw: ImageDraw.ImageDraw, ends: NDArray[np.float64], inks: list[Colour], numbered: bool) -> None:
    """A disc at each path's end; discs that would hide each other step aside, tied to their end by a line."""
    radius = (_DISC if numbered else 6) * _TIMES
    aside = np.clip(ends, radius, _SIDE * _TIMES - radius)
    if len(ends) <= _CROWD:
        aside = spread_apart(ends, 2 * radius + _TIMES, float(_SIDE * _TIMES - radius))
    seen = [number for number in range(len(ends)) if np.isfinite(ends[number]).all()]
    for number in seen:
        line = (*ends[number].tolist(), *aside[number].tolist())
        draw.line(line, fill=PAPER, width=4 * _TIMES)
    for number in seen:
        line = (*ends[number].tolist(), *aside[number].tolist())
        draw.line(line, fill=inks[number], width=2 * _TIMES)
    for number in seen:
        x, y = aside[number].tolist()
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), inks[number], PAPER, 2 * _TIMES)
        if numbered:
            _write_number(draw, x, y, number, inks[number], _TIMES)


def _write_number(draw: ImageDraw.ImageDraw, x: float, y: float, number: int, ink: Colour, times: int) -> None:
    text = str(number)
    size = (13 if len(text) == 1 else 11 if len(text) == 2 else 8) * times
    colour = INK if luminance(ink) > 140 else PAPER
    write(draw, (x, y), text, size=size, colour=colour, bold=True, anchor="mm")


def spread_apart(points: NDArray[np.float64], distance: float, edge: float) -> NDArray[np.float64]:
    """Moves points `(k, 2)` apart until all are `distance` from each other, as little as it takes.

    The same points always move the same way. Points that are alone stay; those not finite are ignored.

    Args:
        points: in pixels.
        distance: that should lie between any two.
        edge: the largest coordinate allowed; the least is `distance / 2`.
    """
    finite = np.flatnonzero(np.isfinite(points).all(axis=1))
    low = min(distance / 2, edge)
    result = np.full(points.shape, np.nan)
    result[finite] = np.clip(points[finite], low, edge)
    homes = result[finite] @ np.array([1, 1j])  # complex numbers make the distances of all pairs cheap
    # Points in the very same place need directions to part in: one for each, none the mirror of another.
    nudges = 0.01 * distance * np.exp(1j * np.pi * (3 - math.sqrt(5)) * finite)
    places = homes + nudges
    touched = np.zeros(len(finite), bool)
    for turn in range(_PULLED + _PUSHED):
        apart = places[:, None] - places[None, :]
        same = apart == 0  # a corner of the window brought them together again
        apart[same] = (nudges[:, None] - nudges[None, :])[same]
        gaps = np.abs(apart)
        np.fill_diagonal(gaps, distance)
        overlap = np.maximum(distance - gaps, 0.0)
        if overlap.max(initial=0.0) <= 0.02 * distance and (turn == 0 or turn > _PULLED):
            break
        near = np.count_nonzero(overlap, axis=1)
        touched |= near > 0
        push = (apart * (overlap / gaps)).sum(axis=1) / np.maximum(near, 1)
        # At first they are drawn home as well: the crowd ends up packed closely around where it belongs.
        pull = 0.12 * (homes - places) if turn < _PULLED else 0.0
        moved = places + 0.6 * push + pull
        places = np.where(touched, np.clip(moved.real, low, edge) + 1j * np.clip(moved.imag, low, edge), places)
    result[finite[touched]] = np.stack([places.real, places.imag], axis=1)[touched]
    return result


def _with_legend(window: Image.Image, labels: list[str], inks: list[Colour], numbered: bool) -> Image.Image:
    """Puts the classes, disc and name, to the right of the window."""
    count = len(labels)
    line = min(26, (_SIDE - 4) // min(count, 32))
    size = 13 if line >= 20 else 11
    radius = min(_DISC, line // 2 - 1)
    inside = numbered and radius >= _DISC - 1
    if numbered and not inside:
        pairs = enumerate(labels)
        labels = [name if name == str(number) else f"{number}  {name}" for number, name in pairs]
    fitting = count if count <= _SIDE // line else _SIDE // line - 1
    widest = max(text_width(label, size) for label in labels[:fitting])
    beside = min(_LEGEND, 16 + 2 * radius + 8 + widest)
    whole = Image.new("RGB", (_SIDE + beside, _SIDE), PAPER)
    whole.paste(window, (0, 0))
    big = Image.new("RGB", ((2 * radius + 2) * _TIMES, _SIDE * _TIMES), PAPER)
    draw = ImageDraw.Draw(big)
    for number in range(fitting):
        x, y = (radius + 1) * _TIMES, (number + 0.5) * line * _TIMES
        reach = radius * _TIMES
        draw.ellipse((x - reach, y - reach, x + reach, y + reach), inks[number])
        if inside:
            _write_number(draw, x, y, number, inks[number], _TIMES)
    whole.paste(big.reduce(_TIMES), (_SIDE + 14, 0))
    draw = ImageDraw.Draw(whole)
    left = _SIDE + 14 + 2 * radius + 8
    for number in range(fitting):
        place = (left, (number + 0.5) * line)
        write(draw, place, labels[number], size=size, anchor="lm", width=_SIDE + beside - left)
    if fitting < count:
        place = (left, (fitting + 0.5) * line)
        write(draw, place, f"+ {count - fitting}", size=size, colour=QUIET, anchor="lm")
    return whole
