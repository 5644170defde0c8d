"""Signals over time as small pictures."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

from kerasviz_callbacks.draw.colour import (
    NON_FINITE,
    Picture,
    at_least_float,
    class_colours,
    colourise,
    is_signed,
    share,
)
from kerasviz_callbacks.draw.text import INK

_GROUND = (238, 240, 243)


def envelope(signals: ArrayLike, width: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """The least and the largest value of signals `(..., t)` behind each of `width` pixels.

    So a peak of a single step stays visible however long the signal is. NaN where one of the values is NaN.
    """
    values = at_least_float(signals)
    steps = values.shape[-1]
    starts = np.arange(width) * steps // width
    if steps <= width:
        chosen = values[..., starts]
        return chosen, chosen
    with np.errstate(invalid="ignore"):
        return np.minimum.reduceat(values, starts, axis=-1), np.maximum.reduceat(values, starts, axis=-1)


def bars(signals: ArrayLike, low: float, high: float, size: tuple[int, int], colours: str) -> Picture:
    """Shows signals `(..., t)` as areas from zero `(..., *size, 3)`, every moment in the colour of its value.

    Heights and colours go from `low` to `high`; a moment that is not finite is a whole column in its colour.
    """
    height, width = size
    least, most = envelope(signals, width)
    bad = ~(np.isfinite(least) & np.isfinite(most))
    least, most = np.where(bad, 0, least), np.where(bad, 0, most)
    strongest = np.where(np.abs(most) >= np.abs(least), most, least)
    ink = colourise(strongest, low, high, colours)
    ink[bad] = NON_FINITE
    rows = np.arange(height)[:, None]
    zero = share(min(max(0.0, low), high), low, high, constant=0.5 if is_signed(colours) else 0.0)
    top = np.rint((1 - np.maximum(share(most, low, high), zero)) * (height - 1))[..., None, :]
    bottom = np.rint((1 - np.minimum(share(least, low, high), zero)) * (height - 1))[..., None, :]
    inside = (rows >= top) & (rows <= bottom) | bad[..., None, :]
    # To choose among numbers of colours and look these up takes a third of choosing among colours.
    entries = np.concatenate([ink.reshape(-1, 3), np.array([_GROUND], np.uint8)])
    numbers = np.arange(bad.size).reshape(bad.shape)[..., None, :]
    tiles: Picture = np.take(entries, np.where(inside, numbers, bad.size), axis=0)
    return tiles


def trace_pictures(signals: ArrayLike, *, low: float, high: float, size: tuple[int, int] = (48, 96)) -> Picture:
    """Draws signals `(n, t, c)` as pictures `(n, *size, 3)`: one line per channel, from `low` (below) to `high`."""
    values = np.asarray(signals)
    pictures = np.full((len(values), *size, 3), _GROUND, np.uint8)
    channels = values.shape[-1]
    inks = [INK] if channels == 1 else [(red, green, blue) for red, green, blue in class_colours(channels).tolist()]
    for index, signal in enumerate(values):
        pictures[index] = draw_lines(pictures[index], signal, low, high, inks)
    return pictures


def draw_lines(
    ground: Picture,
    signal: NDArray[Any],
    low: float,
    high: float,
    inks: list[tuple[int, int, int]],
    casing: tuple[int, int, int] | None = None,
) -> Picture:
    """Draws the channels of a signal `(t, c)` as smooth lines over a picture; NaN is a coloured column."""
    height, width = ground.shape[:2]
    times = 2
    picture = Image.fromarray(np.ascontiguousarray(ground)).resize((width * times, height * times), 0)
    draw = ImageDraw.Draw(picture)
    steps = min(signal.shape[0], width)
    x = (np.arange(steps) + 0.5) * width / steps * times
    edge = 3.0 * times
    inside = height * times - 2 * edge
    paths: list[list[float]] = []  # x, y, x, y, ...
    broken = np.zeros(steps, bool)
    for channel in signal.T:
        least, most = envelope(channel, steps)
        bad = ~(np.isfinite(least) & np.isfinite(most))
        broken |= bad
        ends = edge + (1 - share(np.stack([least, most], 1), low, high, constant=0.5)) * inside
        points = np.stack([np.repeat(x, 2), ends.ravel()], 1)[~np.repeat(bad, 2)]
        paths.append(points.ravel().tolist())
    joint = "curve" if steps < width // 2 else None
    for colour, thick in ([(casing, 3 * times)] if casing else []) + [(None, times)]:
        for number, path in enumerate(paths):
            if len(path) > 2:
                draw.line(path, fill=colour or inks[number % len(inks)], width=thick, joint=joint)
    result = np.asarray(picture.reduce(times)).copy()
    result[:, broken[np.arange(width) * steps // width]] = NON_FINITE
    return result
