"""How latent codes move: dots with fading tails, the paths of the class means, a window that only grows."""

import math
from collections.abc import Sequence

from numpy.typing import ArrayLike
from PIL import Image, ImageDraw

from kerasviz_callbacks.draw.clouds import DISC, TIMES, Cloud, draw_cloud, write_number
from kerasviz_callbacks.draw.colour import Picture, class_colours
from kerasviz_callbacks.draw.sheet import Ruler, sheet
from kerasviz_callbacks.draw.text import PAPER, QUIET, Colour, clean, text_width, write
from kerasviz_callbacks.draw.ticks import round_length

_SIDE, _BESIDE = 600, 450  # of a window that is alone, and of each of two
_GAP, _HEADING = 14, 28
_LEGEND = 150
_FARTHEST = 1e300  # beyond it the powers of 1.25 leave the floats


def extend_window(half_width: float, needed: float) -> float:
    """The half width of the window that holds `needed`: the least power of 1.25, never less than before.

    It is 0 before the first step, and as long as nothing but zero is `needed`; what is not finite changes nothing.
    """
    if not half_width < needed < _FARTHEST:  # NaN too
        return half_width
    power = math.ceil(round(math.log(needed, 1.25), 9))
    while 1.25**power < needed:
        power += 1
    return max(half_width, 1.25**power)


def trajectory(
    tails: ArrayLike,
    means: ArrayLike | None = None,
    classes: ArrayLike | None = None,
    *,
    half_width: float,
    names: Sequence[str] | None = None,
    title: str,
    note: str = "",
    collapsed: bool = False,
) -> Picture:
    """Draws the latent codes, their last positions, and the whole paths of the class means.

    `tails`, `means`, `classes` and `collapsed` are as in a `Cloud`. `half_width` is half the side of the square window,
    as `extend_window` gives it. The classes are numbered without `names`; the caption is `title`. Codes that are not
    finite are left out and counted in the strip.
    """
    cloud = Cloud.of(tails, means, classes, collapsed=collapsed)
    return trajectories([cloud], half_width=half_width, names=names, title=title, note=note)


def trajectories(
    clouds: Sequence[Cloud], *, half_width: float, names: Sequence[str] | None = None, title: str, note: str = ""
) -> Picture:
    """Draws clouds of the same classes from left to right, each below its name, in one window, with one legend.

    The arguments are those of `trajectory`.
    """
    side = _SIDE if len(clouds) == 1 else _BESIDE
    count = max(0 if names is None else len(names), *(cloud.class_count for cloud in clouds), 0)
    inks = [(red, green, blue) for red, green, blue in class_colours(max(count, 1)).tolist()]
    window = half_width if 1e-300 < half_width < _FARTHEST else 1.0
    parts = [draw_cloud(cloud, inks, side=side, half_width=window) for cloud in clouds]
    if count:
        labels = [str(index) for index in range(count)] if names is None else [clean(name) for name in names]
        parts.append(_legend(labels, inks, side))
    body = _side_by_side(parts, side, [cloud.name for cloud in clouds])
    skipped = [cloud.skipped for cloud in clouds]
    bad = f"{sum(skipped):,} not finite, left out" if any(skipped) else ""
    length = round_length(window / 2)
    ruler = Ruler(length, max(1, round(length / window * side / 2)))
    return sheet(body, caption=title, legend=ruler, note=note, bad=bad)


def _side_by_side(parts: Sequence[Image.Image], side: int, names: Sequence[str]) -> Image.Image:
    """Windows, each below its name if any has one, and right of them what else there is."""
    top = _HEADING if any(names) else 0
    windows = len(names)
    across = windows * side + (windows - 1) * _GAP
    whole = Image.new("RGB", (across + sum(part.width for part in parts[windows:]), top + side), PAPER)
    draw = ImageDraw.Draw(whole)
    for number, part in enumerate(parts):
        left = number * (side + _GAP) if number < windows else across
        whole.paste(part, (left, top))
        if top and number < windows:
            write(draw, (left + 1, top - 10), names[number], size=16, bold=True, width=side - 2)
    return whole


def _legend(labels: list[str], inks: list[Colour], height: int) -> Image.Image:
    """The classes below each other, disc and name."""
    count = len(labels)
    line = min(26, (height - 4) // min(count, 32))
    size = 13 if line >= 20 else 11
    radius = min(DISC, line // 2 - 1)
    inside = radius >= DISC - 1
    if not inside:
        labels = [name if name == str(number) else f"{number}  {name}" for number, name in enumerate(labels)]
    fitting = count if count <= height // line else height // line - 1
    widest = max(text_width(label, size) for label in labels[:fitting])
    whole = Image.new("RGB", (min(_LEGEND, 16 + 2 * radius + 8 + widest), height), PAPER)
    big = Image.new("RGB", ((2 * radius + 2) * TIMES, height * TIMES), PAPER)
    draw = ImageDraw.Draw(big)
    for number in range(fitting):
        x, y = (radius + 1) * TIMES, (number + 0.5) * line * TIMES
        reach = radius * TIMES
        draw.ellipse((x - reach, y - reach, x + reach, y + reach), inks[number])
        if inside:
            write_number(draw, x, y, number, inks[number])
    whole.paste(big.reduce(TIMES), (14, 0))
    draw = ImageDraw.Draw(whole)
    left = 14 + 2 * radius + 8
    for number in range(fitting):
        write(draw, (left, (number + 0.5) * line), labels[number], size=size, anchor="lm", width=whole.width - left)
    if fitting < count:
        write(draw, (left, (fitting + 0.5) * line), f"+ {count - fitting}", size=size, colour=QUIET, anchor="lm")
    return whole
