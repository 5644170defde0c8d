"""One window on latent codes: dots with fading tails, the paths of the class means, discs at their ends."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

from kerasviz_callbacks.draw.colour import luminance
from kerasviz_callbacks.draw.text import INK, LINE, PAPER, Colour, write

TIMES = 2
"""Drawn twice as large and reduced: smooth edges, much quicker than matplotlib's."""

DISC = 11
_AXIS: Colour = (236, 238, 241)
_UNKNOWN: Colour = (150, 156, 163)
# Iterations that also pull crowded discs back to their place, and those that only part them.
_PULLED, _PUSHED = 100, 800
_CROWD = 40  # more discs than this are left where they are


@dataclass(frozen=True)
class Cloud:
    """Where the codes of one data set are, and where they came from.

    Attributes:
        tails: the codes of the last steps, oldest first, `(t, n, 2)`; the last ones are drawn as dots.
        means: the class means of all steps, oldest first, `(T, k, 2)`.
        classes: the class of each code, `(n,)`, -1 where it is not known; `None`: one colour.
        name: the heading above it.
        collapsed: the codes have collapsed to a point, so to speak: the ends of the paths bear no discs, which would
            need more space than the codes have, and a word says so.
    """

    tails: NDArray[np.float64]
    means: NDArray[np.float64] | None
    classes: NDArray[np.intp] | None
    name: str = ""
    collapsed: bool = False

    @classmethod
    def of(
        cls,
        tails: ArrayLike,
        means: ArrayLike | None,
        classes: ArrayLike | None,
        name: str = "",
        *,
        collapsed: bool = False,
    ) -> Self:
        """Build a cloud from anything that numpy takes as arrays."""
        return cls(
            np.asarray(tails, np.float64),
            None if means is None else np.asarray(means, np.float64),
            None if classes is None else np.asarray(classes).astype(np.intp).ravel(),
            name,
            collapsed,
        )

    @property
    def class_count(self) -> int:
        """The number of classes, by labels and means."""
        known = 0 if self.classes is None or not self.classes.size else int(self.classes.max()) + 1
        return max(known, 0 if self.means is None else self.means.shape[1])

    @property
    def skipped(self) -> int:
        """The number of codes that are not finite now."""
        return int((~np.isfinite(self.tails[-1]).all(axis=-1)).sum())


def draw_cloud(cloud: Cloud, inks: list[Colour], *, side: int, half_width: float) -> Image.Image:
    """A square window on the finite codes, `side` pixels and twice `half_width` wide; `inks` are of the classes."""
    edge = side * TIMES

    def pixels(points: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(over="ignore", invalid="ignore"):
            relative = points / half_width * np.array([1.0, -1.0])
        # What lies far outside still points the right way, near enough, and fits into Pillow's integers.
        placed: NDArray[np.float64] = (np.clip(relative, -20, 20) + 1) * (edge / 2)
        return placed

    picture = Image.new("RGB", (edge, edge), PAPER)
    draw = ImageDraw.Draw(picture)
    draw.line((edge / 2, 0, edge / 2, edge), fill=_AXIS, width=TIMES)
    draw.line((0, edge / 2, edge, edge / 2), fill=_AXIS, width=TIMES)
    dots = [inks[0]] * cloud.tails.shape[1]
    if cloud.classes is not None:
        dots = [inks[label] if label >= 0 else _UNKNOWN for label in cloud.classes.tolist()]
    _draw_tails(draw, pixels(cloud.tails), dots)
    _draw_dots(draw, pixels(cloud.tails[-1]), dots)
    if cloud.means is not None and len(cloud.means):
        _draw_paths(draw, pixels(cloud.means), inks)
        if not cloud.collapsed:
            _draw_discs(draw, pixels(cloud.means[-1]), inks, edge)
    small = picture.reduce(TIMES)
    finished = ImageDraw.Draw(small)
    finished.rectangle((0, 0, side - 1, side - 1), outline=LINE)
    if cloud.collapsed:
        write(finished, (side / 2, 34), "collapsed", size=24, bold=True, anchor="ms")
    return small


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
            draw.line(line, fill=shades[inks[index]], width=TIMES)


def _draw_dots(draw: ImageDraw.ImageDraw, points: NDArray[np.float64], inks: list[Colour]) -> None:
    radius = 3 * TIMES
    rims = {ink: _towards(ink, (0, 0, 0), 0.3) for ink in set(inks)}
    seen = np.isfinite(points).all(axis=1)
    for index, (x, y) in zip(np.flatnonzero(seen).tolist(), points[seen].tolist(), strict=True):
        ink = inks[index]
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ink, outline=rims[ink], width=TIMES // 2)


def _draw_paths(draw: ImageDraw.ImageDraw, points: NDArray[np.float64], inks: list[Colour]) -> None:
    """The whole path of each class mean in its colour with a white casing, from a ring at its beginning."""
    for number in range(points.shape[1]):
        path = points[:, number]
        pieces = np.split(path, np.flatnonzero(~np.isfinite(path).all(axis=1)))
        stretches = [piece[np.isfinite(piece).all(axis=1)] for piece in pieces]
        runs = [stretch.ravel().tolist() for stretch in stretches if len(stretch)]  # x, y, x, y, ...
        for colour, width in ((PAPER, 7), (inks[number], 4)):
            for run in runs:
                if len(run) > 2:
                    draw.line(run, fill=colour, width=width * TIMES * 3 // 4, joint="curve")
        if runs:
            x, y = runs[0][:2]
            radius = 4 * TIMES
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), PAPER, inks[number], 2 * TIMES)


def _draw_discs(draw: ImageDraw.ImageDraw, ends: NDArray[np.float64], inks: list[Colour], edge: int) -> None:
    """A disc at each path's end; discs that would hide each other step aside, a line and a dot show from where."""
    radius = DISC * TIMES
    aside = np.clip(ends, radius, edge - radius)
    if len(ends) <= _CROWD:
        aside = spread_apart(ends, 2 * radius + TIMES, float(edge - radius))
    seen = np.flatnonzero(np.isfinite(ends).all(axis=1)).tolist()
    for casing in (True, False):
        for number in seen:
            line = (*ends[number].tolist(), *aside[number].tolist())
            draw.line(line, fill=PAPER if casing else inks[number], width=(4 if casing else 2) * TIMES)
    for number in seen:
        x, y = aside[number].tolist()
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), inks[number], PAPER, 2 * TIMES)
        write_number(draw, x, y, number, inks[number])
    for number in seen:  # above all discs
        if math.dist(ends[number], aside[number]) > radius / 2:
            (x, y), dot = ends[number].tolist(), 3 * TIMES
            draw.line((x, y, *_rim(ends[number], aside[number], radius)), fill=inks[number], width=2 * TIMES)
            draw.ellipse((x - dot, y - dot, x + dot, y + dot), inks[number], PAPER, TIMES)


def _rim(end: NDArray[np.float64], disc: NDArray[np.float64], radius: float) -> tuple[float, float]:
    """Where the way from an end to its disc meets the disc; the end itself if it lies inside."""
    away = math.dist(end, disc)
    x, y = end + (disc - end) * max(1 - radius / away, 0)
    return float(x), float(y)


def write_number(draw: ImageDraw.ImageDraw, x: float, y: float, number: int, ink: Colour) -> None:
    """Writes the number of a class into its disc, on a picture drawn `TIMES` as large."""
    text = str(number)
    size = (13 if len(text) == 1 else 11 if len(text) == 2 else 8) * TIMES
    colour = INK if luminance(ink) > 140 else PAPER
    write(draw, (x, y), text, size=size, colour=colour, bold=True, anchor="mm")


def spread_apart(points: NDArray[np.float64], distance: float, edge: float) -> NDArray[np.float64]:
    """Moves points `(k, 2)` apart until all are `distance` from each other, as little as it takes, all in pixels.

    The same points always move the same way. Points that are alone stay; those not finite are ignored. No coordinate
    is below `distance / 2` or above `edge`.
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
