"""How strongly each neuron responds to each input: one hue per neuron, the stronger the darker."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kerasviz_callbacks.draw.colour import NON_FINITE, Picture, count_non_finite, share
from kerasviz_callbacks.draw.marks import fill
from kerasviz_callbacks.draw.rows import groups, label_width, write_rows
from kerasviz_callbacks.draw.sheet import Scale, Sheet, blank
from kerasviz_callbacks.draw.text import QUIET, card_size, clean, text_width, write
from kerasviz_callbacks.draw.ticks import numbered_cells
from kerasviz_callbacks.draw.tiles import enlarge, place, shrink

# One row per hue, the last one grey: the colours at 1/16, 2/16, ... 16/16 of the scale; 0 is white. All hues are
# equally dark (lightness 1 to 0.42 in OKLab), and as colourful as a screen allows up to a chroma of 0.15. Neighbouring
# hues are at least 0.09 apart in OKLab when dark, with normal, protan, deutan or tritan vision; none is near the
# magenta of NaN.
_RAMPS = (
    "e7f6fd cfecfc b6e3fa 9cd9f7 81cff5 63c5f2 3cbbef 02b0e8 00a4d9 0198c9 018dba 0081ab 00769c 016a8e 015f7f 005572",
    "ffeef1 fedde4 fdccd6 fbbbc9 f8aabb f599ae f188a2 ed7595 e06a8a d45f7f c75474 bb486a ae3d60 a23156 96254c 8a1842",
    "f2f1ff e6e3ff dad6ff cec8fe c2bafd b7acfb ac9efa a18ff8 9684eb 8c79df 816dd3 7762c7 6c58bb 624daf 5942a3 4f3797",
    "fef0e7 fce1d0 fad2b8 f7c3a1 f3b489 f0a470 ec9556 e78537 db7929 cf6e18 c26300 b25b00 a35301 944a00 854200 773a00",
    "e6f7f6 ccf0ec b1e8e3 95e0da 75d7d1 4ecfc8 02c6bf 01b9b2 02ada6 01a09a 00948e 018883 007c77 01706c 006561 005956",
    "f7f3e5 efe7cc e6dbb2 ded097 d6c47c cfb75f c7ab3c be9f01 b19400 a48901 987f00 8b7401 7f6a00 736001 675600 5c4c01",
    "f3f3f3 e7e7e7 dbdbdb cfcfcf c3c3c3 b8b8b8 adadad a1a1a1 969696 8b8b8b 808080 767676 6b6b6b 616161 575757 4d4d4d",
)
_HUES = len(_RAMPS) - 1
_STEPS = 257

_WIDE, _HIGH = 640, 400  # pixels that the cells take at most, unless there are more neurons
_ROWS = 480  # more inputs are averaged down to so many rows


class Hues(Scale):
    """The legend of all hues: a stripe each, since they mean the same."""

    def bar(self, width: int, height: int) -> Picture:
        """The colours from left to right, the hues below each other."""
        steps = np.rint(np.linspace(0, _STEPS - 1, width)).astype(np.intp)
        return ramps()[np.arange(height) * _HUES // height][:, steps]


@lru_cache(maxsize=1)
def ramps() -> Picture:
    """From white to the full hue, for each hue of the cycle and last a grey: `(7, 257, 3)`, read-only.

    Equal steps look equal, and all hues are equally dark at a step, so that two neurons can be compared.
    """
    known = np.array([[[255] * 3, *(list(bytes.fromhex(colour)) for colour in row.split())] for row in _RAMPS])
    at, steps = np.linspace(0, 1, known.shape[1]), np.linspace(0, 1, _STEPS)
    channels = [[np.interp(steps, at, row[:, channel]) for channel in range(3)] for row in known]
    entries: Picture = np.rint(np.moveaxis(np.array(channels), 1, -1)).astype(np.uint8)
    entries.flags.writeable = False
    return entries


def strengths_as_colours(strengths: ArrayLike, high: float) -> Picture:
    """Colours responses `(n, neurons)`: white at 0, the neuron's full hue at `high`; not finite in that colour."""
    shares = share(strengths, 0.0, high)
    steps = np.rint(np.nan_to_num(shares) * (_STEPS - 1)).astype(np.intp)
    picture: Picture = ramps()[np.arange(shares.shape[1]) % _HUES, steps]
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
    """Shows each neuron as a column of one hue: above its response to each input, below its mean over each class.

    `strengths` are `(n, neurons)`, at least 0, inputs of a class below each other; `means` are `(k, neurons)`, one row
    for each of `classes`. The darkest colour is `high`; `neurons` are numbers. `labels` are the class of each input;
    equal ones that follow each other are named once.
    """
    values = np.asarray(strengths)
    names = [""] * len(values) if labels is None else [clean(label) for label in labels]
    fewer = shrink(values, (_ROWS, values.shape[1]))
    if len(fewer) < len(values):
        names = [names[row * len(values) // len(fewer)] for row in range(len(fewer))]
    below = [clean(name) for name in classes]
    across = int(np.clip(_WIDE // values.shape[1], 1, 24))
    size = card_size(across * values.shape[1] + 120)
    left = min(max(text_width(name, size) for name in (*names, *below, "neuron")), label_width(size)) + 10
    starts = groups(names)
    panels = [
        _panel(fewer, high, starts, int(np.clip(_HIGH // len(fewer), 1, 18)), across),
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
    write_rows(canvas, names, panels[0][1] + corners[0], left - 7, starts, size)
    write_rows(canvas, below, panels[1][1] + corners[1], left - 7, range(len(below)), size)
    heading = "mean" if labels is None else "class means"
    write(canvas, (left + 1, corners[1] - 6), heading, size=size, colour=QUIET, bold=True)
    legend = Hues(0.0, high, "grey", "mean |activation|, dark: strong; hues only tell columns apart", ramps()[-1])
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
