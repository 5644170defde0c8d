"""The sheet that every picture is on: a caption that stays, the body, and one strip for figures that change.

    caption: layer and shape         never changes during a run
    body                             what the model is
    strip: scale, NaN count, note    changes from step to step, always in the same place

So the difference of two steps shows the model's change and leaves the caption black.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from kerasviz_callbacks.draw.colour import NON_FINITE, Picture, is_signed, table
from kerasviz_callbacks.draw.text import INK, LINE, PAPER, QUIET, STRIP, clean, figure, text_width, write

MARGIN = 12
_NARROWEST = 360  # a TensorBoard card is 350 wide; anything less would be blown up
_CAPTION = 640  # a caption may widen the sheet up to this


@dataclass(frozen=True)
class Scale:
    """The legend of a colour map.

    Attributes:
        low: the value of the first colour.
        high: the value of the last colour.
        colours: the colour map's name.
        of: what the colours mean, in a word or two.
        entries: the colours themselves where they are not simply the map's, `(k, 3)`.
    """

    low: float
    high: float
    colours: str
    of: str = ""
    entries: Picture | None = None

    def bar(self, width: int, height: int) -> Picture:
        """The colours from left to right."""
        entries = table(self.colours) if self.entries is None else self.entries
        steps = np.rint(np.linspace(0, len(entries) - 1, width)).astype(np.intp)
        return np.broadcast_to(entries[steps], (height, width, 3))


@dataclass(frozen=True)
class Ruler:
    """The legend of a distance: a bar `pixels` long that stands for `length`."""

    length: float
    pixels: int


def type_size(width: int) -> int:
    """Font size of the strips: larger on wide pictures, which TensorBoard's cards shrink."""
    return 12 if width <= 480 else 14 if width <= 760 else 16


def header_height(width: int, caption: str) -> int:
    """Pixels that the caption takes; depends on its number of lines, not on its words."""
    size = type_size(width)
    return 10 + round(size * 1.5) + round(size * 1.3) * caption.count("\n") + 6


def footer_height(width: int) -> int:
    """Pixels of the strip at the bottom, where all that changes stands; depends on the width alone."""
    return round(type_size(width) * 3.3) + 12


def blank(height: int, width: int) -> Picture:
    """White paper."""
    return np.full((height, width, 3), PAPER[0], np.uint8)  # a number for each colour takes 50 times as long


def sheet(
    body: Image.Image | Picture,
    *,
    caption: str,
    legend: Scale | Ruler | None = None,
    note: str = "",
    bad: str = "",
) -> Picture:
    """Puts a caption above a body and the strip of changing figures below it.

    Args:
        body: the picture itself; what stands on it must not depend on the step in size.
        caption: the first line in bold, further lines quieter; must not change during a run.
        legend: the scale to show in the strip.
        note: further figures that change from step to step.
        bad: how many values were not finite, as `count_non_finite` says it.

    Returns:
        The picture, `(h, w, 3)`; its size depends on the body's size and the caption alone.
    """
    picture = body if isinstance(body, Image.Image) else Image.fromarray(body)
    lines = [clean(line) for line in caption.split("\n")]
    width = max(picture.width + 2 * MARGIN, _NARROWEST)
    size = type_size(width)
    longest = max(text_width(line, size, bold=number == 0) for number, line in enumerate(lines))
    width = max(width, min(longest + 2 * MARGIN, _CAPTION))
    size = type_size(width)
    top, bottom = header_height(width, caption), footer_height(width)

    whole = Image.new("RGB", (width, top + picture.height + MARGIN + bottom), PAPER)
    draw = ImageDraw.Draw(whole)
    room = width - 2 * MARGIN
    baseline = 10 + size
    for number, line in enumerate(lines):
        first = number == 0
        colour = INK if first else QUIET
        write(draw, (MARGIN, baseline), line, size=size - (not first), colour=colour, bold=first, width=room)
        baseline += round(size * 1.5) if first else round(size * 1.3)
    whole.paste(picture, ((width - picture.width) // 2, top))
    strip = top + picture.height + MARGIN
    draw.rectangle((0, strip, width, whole.height), fill=STRIP)
    draw.line((0, strip, width, strip), fill=LINE)

    first_line, second_line = strip + 8 + size, strip + 8 + round(size * 2.65)
    if isinstance(legend, Scale):
        _write_scale(whole, draw, legend, first_line, size)
    elif isinstance(legend, Ruler):
        draw.rectangle((MARGIN, first_line - 3, MARGIN + legend.pixels, first_line - 1), fill=INK)
        for end in (MARGIN, MARGIN + legend.pixels - 1):
            draw.rectangle((end, first_line - 7, end + 1, first_line - 1), fill=INK)
        write(draw, (MARGIN + legend.pixels + 8, first_line), figure(legend.length), size=size)
    left = MARGIN
    if bad:
        draw.rectangle((left, second_line - size + 2, left + size - 2, second_line), fill=NON_FINITE)
        left += size + 4
        left += write(draw, (left, second_line), bad, size=size - 1, bold=True, width=width - left - MARGIN) + 14
    if width - left - MARGIN > 3 * size:
        write(draw, (left, second_line), note, size=size - 1, colour=QUIET, width=width - left - MARGIN)
    return np.asarray(whole).copy()


def _write_scale(whole: Image.Image, draw: ImageDraw.ImageDraw, scale: Scale, baseline: int, size: int) -> None:
    long, high = size * 10, size
    left = MARGIN + write(draw, (MARGIN, baseline), figure(scale.low), size=size) + 7
    top = baseline - high + 1
    draw.rectangle((left - 1, top - 1, left + long, top + high), fill=LINE)
    whole.paste(Image.fromarray(scale.bar(long, high)), (left, top))
    if scale.low < 0 < scale.high and is_signed(scale.colours):
        draw.line((left + long // 2, top + high - 4, left + long // 2, top + high - 1), fill=INK)
    left += long + 7
    left += write(draw, (left, baseline), figure(scale.high), size=size) + size
    write(
        draw,
        (left, baseline),
        scale.of,
        size=size - 1,
        colour=QUIET,
        width=max(0, whole.width - left - MARGIN),
    )
