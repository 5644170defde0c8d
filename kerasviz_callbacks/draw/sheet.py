"""The sheet around every picture: a caption that stays, the body, and one strip for values that change.

    caption: layer and shape         never changes during a run
    body                             the picture itself
    strip: scale, NaN count, note    changes from step to step, always in the same place

So the difference of two steps shows the model's change and leaves the caption black.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from PIL import Image

from kerasviz_callbacks.draw.colour import NON_FINITE, Picture, is_signed, share, table
from kerasviz_callbacks.draw.marks import fill
from kerasviz_callbacks.draw.text import (
    INK,
    LINE,
    PAPER,
    QUIET,
    SMALL,
    STRIP,
    clean,
    format_number,
    text_width,
    wrapped,
    write,
)

MARGIN = 12
ALERT = "\N{WARNING SIGN} "
"""Begins a line of a caption that is a warning, and is written in the colour of one."""

ALERT_INK = (176, 74, 0)  # vermilion, dark enough for text
_NARROWEST = 360  # a TensorBoard card is 350 wide; anything less would be blown up
_CAPTION = 640  # a caption may widen the sheet up to this


@dataclass(frozen=True)
class Scale:
    """The legend of a colour map.

    Attributes:
        low: the value of the first colour.
        high: the value of the last colour.
        colours: the colour map's name.
        label: what the values are, in a word or two.
        entries: the colours themselves where they are not simply the map's, `(k, 3)`; of several maps on one scale,
            below each other, `(maps, k, 3)`.
    """

    low: float
    high: float
    colours: str
    label: str = ""
    entries: Picture | None = None

    def beginning(self, least: float) -> Self:
        """The part of the scale from `least` on: a value keeps its colour."""
        entries = table(self.colours) if self.entries is None else self.entries
        first = int(float(share(least, self.low, self.high)) * (len(entries) - 1))
        return replace(self, low=least, entries=entries[first:])

    def bar(self, width: int, height: int) -> Picture:
        """The colours from left to right."""
        entries = table(self.colours) if self.entries is None else self.entries
        maps = entries.reshape(-1, *entries.shape[-2:])
        steps = np.rint(np.linspace(0, maps.shape[1] - 1, width)).astype(np.intp)
        return maps[np.arange(height) * len(maps) // height][:, steps]


@dataclass(frozen=True)
class Ruler:
    """The legend of a distance: a bar `pixels` long that stands for `length`."""

    length: float
    pixels: int


def type_size(width: int) -> int:
    """Font size of the strips: larger on wide pictures, which TensorBoard's cards shrink to 350 pixels."""
    return max(12, round(width / 46))


def header_height(width: int, caption: str) -> int:
    """Pixels that the caption takes."""
    size = type_size(width)
    return 10 + round(size * 1.5) + round(size * 1.3) * (len(_caption_lines(caption, width)) - 1) + 6


def footer_height(width: int) -> int:
    """Pixels of the strip at the bottom, which holds all that changes; depends on the width alone."""
    return round(type_size(width) * 3.3) + 12


def blank(height: int, width: int) -> Picture:
    """White paper."""
    return np.full((height, width, 3), PAPER[0], np.uint8)  # a number for each colour takes 50 times as long


class Sheet:
    """A caption above a body that is still white paper; what stands on it is painted in place.

    Attributes:
        body: `(height, width, 3)`, a part of the sheet.

    Args:
        height: of the body, in pixels; must not depend on the step.
        width: of the body, likewise.
        caption: the first line in bold, further lines quieter, those that begin with `ALERT` as warnings; must not
            change during a run. A line that is too wide goes on in one more.
    """

    def __init__(self, height: int, width: int, caption: str) -> None:
        across = max(width + 2 * MARGIN, _NARROWEST)
        lines, size = enumerate(map(clean, caption.split("\n"))), type_size(across)
        longest = max(text_width(line, size, not number or line.startswith(ALERT)) for number, line in lines)
        across = max(across, min(longest + 2 * MARGIN, _CAPTION))
        top, left = header_height(across, caption), (across - width) // 2
        self._whole = blank(top + height + MARGIN + footer_height(across), across)
        _write_caption(self._whole[:top], caption)
        self.body: Picture = self._whole[top : top + height, left : left + width]

    def finished(self, *, legend: Scale | Ruler | None = None, note: str = "", bad: str = "") -> Picture:
        """The whole sheet, with the strip of changing values at the bottom.

        Args:
            legend: the scale to show in the strip.
            note: further values that change from step to step.
            bad: how many values were not finite, as `count_non_finite` says it.

        Returns:
            The picture, `(h, w, 3)`; its size depends on the body's size and the caption alone.
        """
        _draw_strip(self._whole[-footer_height(self._whole.shape[1]) :], legend, note, bad)
        return self._whole


def sheet(
    body: Image.Image | Picture, *, caption: str, legend: Scale | Ruler | None = None, note: str = "", bad: str = ""
) -> Picture:
    """Puts a finished body `(h, w, 3)` onto a `Sheet`; the other arguments are those of `Sheet` and its `finished`."""
    picture = np.asarray(body)
    page = Sheet(len(picture), picture.shape[1], caption)
    page.body[:] = picture
    return page.finished(legend=legend, note=note, bad=bad)


def _caption_lines(caption: str, width: int) -> list[tuple[int, bool, str]]:
    """The lines of a caption on a sheet `width` pixels wide: number in the caption, whether a warning, and text."""
    across, size, found = width - 2 * MARGIN, type_size(width), []
    for number, line in enumerate(map(clean, caption.split("\n"))):
        alert = line.startswith(ALERT)
        found += [(number, alert, part) for part in _folded(line, across, size - (number > 0), alert or not number)]
    return found


def _folded(line: str, across: int, size: int, bold: bool) -> list[str]:
    """A line, or two if it is too wide: the second begins at the last wide space possible, or else at a word."""
    if text_width(line, size, bold) <= across:
        return [line]
    pieces = line.split("   ")
    for at in range(len(pieces) - 1, 0, -1):
        first = "   ".join(pieces[:at])
        if text_width(first, size, bold) <= across:
            return [first, "   ".join(pieces[at:])]
    return _folded_at_words(line, across, size, bold)


def _folded_at_words(line: str, across: int, size: int, bold: bool = False) -> list[str]:
    """A line, or two if it is too wide; dots stand for the wide spaces, which words in lines have not."""
    first, *rest = wrapped(line.replace("   ", " · "), across, size, bold) or [""]
    return [first, " ".join(rest)] if rest else [first]


def _write_caption(header: Picture, caption: str) -> None:
    width = header.shape[1]
    size = type_size(width)
    high, low = round(size * 1.5), round(size * 1.3)
    for row, (number, alert, line) in enumerate(_caption_lines(caption, width)):
        colour = ALERT_INK if alert else QUIET if number else INK
        place = MARGIN, 10 + size + row * low + (high - low if number else 0)
        bold, across = alert or not number, width - 2 * MARGIN
        write(header, place, line, size=size - (number > 0), colour=colour, bold=bold, width=across)


def _draw_strip(strip: Picture, legend: Scale | Ruler | None, note: str, bad: str) -> None:
    """The legend in the first line; what was not finite, and the note, below it."""
    width = strip.shape[1]
    size = type_size(width)
    fill(strip, (0, 0, width - 1, len(strip) - 1), STRIP)
    fill(strip, (0, 0, width - 1, 0), LINE)
    first_line, second_line = 8 + size, 8 + round(size * 2.65)
    if isinstance(legend, Scale):
        _write_scale(strip, legend, first_line, size)
    elif isinstance(legend, Ruler):
        _write_ruler(strip, legend, first_line, size)
    left = MARGIN
    if bad:
        fill(strip, (left, second_line - size + 2, left + size - 2, second_line), NON_FINITE)
        left += size + 4
        left += write(strip, (left, second_line), bad, size=size - 1, bold=True, width=width - left - MARGIN) + 14
    if width - left - MARGIN > 3 * size:
        _write_note(strip, note, left, second_line, size - 1)


def _write_note(strip: Picture, note: str, left: int, baseline: int, size: int) -> None:
    """One line, in smaller letters if it is too long, or then two in its place."""
    across, line, bottom = strip.shape[1] - left - MARGIN, clean(note), len(strip) - 5
    small = _least(size)
    if text_width(line, small) <= across:
        write(strip, (left, baseline), line, size=size, colour=QUIET, width=across, least=small)
        return
    parts = _folded(line, across, small, bold=False)
    if text_width(parts[-1], small) > across:
        parts = _folded_at_words(line, across, small)
    for part, y in zip(parts, (bottom - round(1.2 * small), bottom), strict=False):
        write(strip, (left, y), part, size=small, colour=QUIET, width=across, least=SMALL)


def _write_ruler(strip: Picture, ruler: Ruler, baseline: int, size: int) -> None:
    right = MARGIN + ruler.pixels
    fill(strip, (MARGIN, baseline - 3, right, baseline - 1), INK)
    for end in (MARGIN, right - 1):
        fill(strip, (end, baseline - 7, end + 1, baseline - 1), INK)
    write(strip, (right + 8, baseline), format_number(ruler.length), size=size)


def _write_scale(strip: Picture, scale: Scale, baseline: int, size: int) -> None:
    long, high = size * 10, size
    left = MARGIN + write(strip, (MARGIN, baseline), format_number(scale.low), size=size) + 7
    top = baseline - high + 1
    fill(strip, (left - 1, top - 1, left + long, top + high), LINE)
    strip[top : top + high, left : left + long] = scale.bar(long, high)
    if scale.low < 0 < scale.high and is_signed(scale.colours):
        zero = left + round(long * float(share(0.0, scale.low, scale.high)))
        fill(strip, (zero, top + high - 4, zero, top + high - 1), INK)
    left += long + 7
    left += write(strip, (left, baseline), format_number(scale.high), size=size) + size
    width = max(0, strip.shape[1] - left - MARGIN)
    write(strip, (left, baseline), scale.label, size=size - 1, colour=QUIET, width=width, least=_least(size - 1))


def _least(size: int) -> int:
    """The size that letters of the strip are made smaller to, so that no word is cut."""
    return max(SMALL, round(size * 0.8))
