"""How strongly each neuron answers to each picture: a hue a neuron, the stronger the darker."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kerasviz_callbacks.draw.colour import NON_FINITE, Picture, count_non_finite, share
from kerasviz_callbacks.draw.marks import fill
from kerasviz_callbacks.draw.rows import LABEL, groups, write_rows
from kerasviz_callbacks.draw.sheet import Scale, Sheet, blank
from kerasviz_callbacks.draw.text import QUIET, SMALL, clean, text_width, write
from kerasviz_callbacks.draw.ticks import numbered_cells
from kerasviz_callbacks.draw.tiles import enlarge, place, shrink

# Degrees in OKLab. No two that follow each other are nearer than 0.09 there when dark, with normal, protan, deutan or
# tritan vision: found by search among cool and warm hues in turn, those near the magenta of NaN left out.
_HUES = (230.0, 5.0, 290.0, 55.0, 190.0, 95.0)
_STEPS = 257
_DARKEST = 0.42
_CHROMA = 0.15

_WIDE, _HIGH = 640, 400  # pixels that the cells fill at most, unless there are more neurons
_ROWS = 480  # more pictures are averaged down to so many rows


@lru_cache(maxsize=1)
def ramps() -> Picture:
    """From white to the full hue, for each hue of the cycle and last a grey: `(7, 257, 3)`, read-only.

    Equal steps look equal, and all hues are equally dark at a step, so that two neurons can be compared.
    """
    light = np.linspace(1.0, _DARKEST, _STEPS)
    angles = np.radians(_HUES)[:, None]
    directions = np.concatenate([np.stack([np.cos(angles), np.sin(angles)], -1), np.zeros((1, 1, 2))])
    most = np.linspace(0.0, _CHROMA, 2 * _STEPS)
    # The largest chroma that the screen can show, up to a common bound that rises with the strength.
    bound = np.minimum(_CHROMA, 2 * _CHROMA * (1 - light) / (1 - _DARKEST))
    chroma = np.zeros((len(directions), _STEPS))
    for tried in most:
        seen = _linear(light, tried * directions)
        inside = ((seen >= -1e-9) & (seen <= 1 + 1e-9)).all(axis=-1) & (tried <= bound)
        chroma = np.where(inside, tried, chroma)
    colours = np.clip(_linear(light, chroma[..., None] * directions), 0.0, 1.0)
    encoded = np.where(colours <= 0.0031308, 12.92 * colours, 1.055 * colours ** (1 / 2.4) - 0.055)
    entries: Picture = np.rint(encoded * 255).astype(np.uint8)
    entries.flags.writeable = False
    return entries


def _linear(light: NDArray[np.float64], sides: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear red, green and blue of OKLab lightness `(s,)` and its two other axes `(hues, s or 1, 2)`."""
    sides = np.broadcast_to(sides, (len(sides), len(light), 2))
    lab = np.concatenate([np.broadcast_to(light[:, None], (*sides.shape[:2], 1)), sides], axis=-1)
    cones = lab @ np.transpose(
        [
            [1.0, 0.3963377774, 0.2158037573],
            [1.0, -0.1055613458, -0.0638541728],
            [1.0, -0.0894841775, -1.2914855480],
        ]
    )
    to_screen = [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
    screen: NDArray[np.float64] = cones**3 @ np.transpose(to_screen)
    return screen


def strengths_as_colours(strengths: ArrayLike, high: float) -> Picture:
    """Colours responses `(n, neurons)`: white at 0, the neuron's full hue at `high`; not finite in that colour."""
    shares = share(strengths, 0.0, high)
    steps = np.rint(np.nan_to_num(shares) * (_STEPS - 1)).astype(np.intp)
    picture: Picture = ramps()[np.arange(shares.shape[1]) % len(_HUES), steps]
    picture[np.isnan(shares)] = NON_FINITE
    return picture


def response_strengths(
    strengths: ArrayLike,
    means: ArrayLike,
    *,
    high: float,
    caption: str,
    neurons: Sequence[int],
    classes: Sequence[str],
    labels: Sequence[str] | None = None,
    note: str = "",
) -> Picture:
    """Shows each neuron as a column of a hue: above its response to each picture, below its mean over each class.

    Args:
        strengths: `(n, neurons)`, at least 0, pictures of a class side by side.
        means: `(k, neurons)`.
        high: the strength of the darkest colour.
        caption: layer and shape; never the step.
        neurons: the number of each neuron shown.
        classes: what each row of `means` is of, k of them.
        labels: the class of each picture, n of them; equal ones that follow each other are named once.
        note: figures that change from step to step, for the strip below.

    Returns:
        The picture, `(h, w, 3)`.
    """
    values = np.asarray(strengths)
    names = [""] * len(values) if labels is None else [clean(label) for label in labels]
    fewer = shrink(values, (_ROWS, values.shape[1]))
    if len(fewer) < len(values):
        names = [names[row * len(values) // len(fewer)] for row in range(len(fewer))]
    below = [clean(name) for name in classes]
    size = SMALL + 1
    across = int(np.clip(_WIDE // values.shape[1], 1, 24))
    left = min(max(text_width(name, size) for name in (*names, *below, "neuron")), LABEL) + 10
    panels = [
        _panel(fewer, high, groups(names), int(np.clip(_HIGH // len(fewer), 1, 18)), across),
        _panel(np.asarray(means), high, [0], int(np.clip(_HIGH // 2 // len(below), 1, 16)), across),
    ]
    top, gap = size + 10, size + 12
    heights = [panel.shape[0] for panel, _ in panels]
    page = Sheet(top + heights[0] + gap + heights[1] + 2, left + panels[0][0].shape[1] + 8, caption)
    canvas = page.body
    corners = [top + 1, top + heights[0] + gap + 1]
    for (panel, _), y in zip(panels, corners, strict=True):
        place(canvas, panel, left + 1, y)
    _write_neurons(canvas, neurons, left, top, across, size)
    for (_, middles), y, words in zip(panels, corners, (names, below), strict=True):
        write_rows(
            canvas, words, middles + y, left - 7, groups(words) if words is names else range(len(words)), size=size
        )
    heading = "mean" if labels is None else "class means"
    write(canvas, (left + 1, corners[1] - 6), heading, size=size, colour=QUIET, bold=True)
    legend = Scale(0.0, high, "grey", "mean |activation|", ramps()[-1])
    return page.finished(legend=legend, note=note, bad=count_non_finite(values))


def _panel(
    values: NDArray[np.float64], high: float, starts: Sequence[int], down: int, across: int
) -> tuple[Picture, NDArray[np.float64]]:
    """The cells, a little apart where a class begins (if rows are high enough), and the middle of each row."""
    painted = enlarge(strengths_as_colours(values, high), (down, across))
    parts, apart = np.split(painted, [down * start for start in starts[1:]]), 3 * (down > 3)
    between = blank(apart, painted.shape[1])
    pieces = [piece for part in parts for piece in (between, part)][1:]
    shifts = np.searchsorted(np.asarray(starts), np.arange(len(values)), side="right") - 1
    return np.concatenate(pieces), (np.arange(len(values)) + 0.5) * down + shifts * float(apart)


def _write_neurons(canvas: Picture, neurons: Sequence[int], left: int, top: int, across: int, size: int) -> None:
    write(canvas, (left - 7, top - 6), "neuron", size=size, colour=QUIET, bold=True, anchor="rs")
    for column in numbered_cells(len(neurons), across, text_width(str(max(neurons)), size) + 8):
        x = left + 1 + (column + 0.5) * across
        fill(canvas, (x, top - 4, x, top - 1), QUIET)
        write(canvas, (x, top - 6), neurons[column], size=size, colour=QUIET, anchor="ms")
