"""Words and numbers on pictures, in the font that comes with matplotlib."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from PIL import ImageDraw, ImageFont

Colour = tuple[int, int, int]

PAPER: Colour = (255, 255, 255)
STRIP: Colour = (246, 247, 249)
INK: Colour = (31, 35, 40)
QUIET: Colour = (99, 107, 116)
LINE: Colour = (208, 213, 219)

SMALL = 10
"""Font size of the numbers beside tiles, in pixels."""


@lru_cache(maxsize=64)
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans at a size in pixels; matplotlib brings it, so the same pixels come out on every machine."""
    import matplotlib

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)


def clean(text: object) -> str:
    """One line of printable characters: class names come from anywhere."""
    return "".join(letter if letter.isprintable() else " " for letter in str(text)).strip()


def text_width(text: str, size: int, bold: bool = False) -> int:
    """The width of a line in pixels, rounded up."""
    return math.ceil(font(size, bold).getlength(text))


@lru_cache(maxsize=4096)
def shorten(text: str, width: int, size: int, bold: bool = False) -> str:
    """The text, or as much of its beginning as fits into `width` pixels with an ellipsis after it."""
    if text_width(text, size, bold) <= width:
        return text
    fits, too_long = 0, len(text)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if text_width(text[:middle].rstrip() + "…", size, bold) <= width:
            fits = middle
        else:
            too_long = middle
    return text[:fits].rstrip() + "…" if fits else ""


def write(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: object,
    *,
    size: int = SMALL,
    colour: Colour = INK,
    bold: bool = False,
    anchor: str = "ls",
    width: int | None = None,
) -> int:
    """Writes one line and says how wide it became.

    Args:
        draw: where to write.
        place: x and y of the anchor, in pixels.
        text: what to write; what cannot be printed becomes a space.
        size: of the font, in pixels.
        colour: of the letters.
        bold: whether in the bold face.
        anchor: which point of the text lies at `place`, two letters as in Pillow (`"ls"`: left, baseline).
        width: the most pixels it may take; longer text ends in an ellipsis.

    Returns:
        The width of what was written, in pixels.
    """
    line = clean(text)
    if width is not None:
        line = shorten(line, width, size, bold)
    draw.text(place, line, fill=colour, font=font(size, bold), anchor=anchor)
    return text_width(line, size, bold)


def shape_text(shape: Iterable[object]) -> str:
    """A shape as captions give it: `14 × 14 × 48`."""
    return " × ".join(str(size) for size in shape)


def together(*notes: str) -> str:
    """Several notes in one strip; those that are empty take no room."""
    return "   ".join(note for note in notes if note)


def figure(value: float) -> str:
    """A number in at most three digits, `0.25`, `-1.2e-5`, with a true minus sign."""
    text = f"{value:.3g}"
    if "e" in text:
        digits, exponent = text.split("e")
        text = f"{digits}e{int(exponent)}"
    return text.replace("-", "\N{MINUS SIGN}")
