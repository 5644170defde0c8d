"""Text on pictures, in the font that comes with matplotlib."""

import math
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from kerasviz_callbacks.draw.colour import Picture

Colour = tuple[int, int, int]
Face = tuple[int, bool]  # size, and whether bold

PAPER: Colour = (255, 255, 255)
STRIP: Colour = (246, 247, 249)
INK: Colour = (31, 35, 40)
QUIET: Colour = (99, 107, 116)
LINE: Colour = (208, 213, 219)

SMALL = 10
"""Font size of the numbers beside tiles, in pixels."""
_SHORT = 40  # letters of a line at most that is kept as drawn; most longer ones are notes, which change at every step
CARD = 350
"""Width to which TensorBoard shrinks a picture, in pixels."""


def card_size(width: int) -> int:
    """The font size, at least 11, of words beside tiles that are still read where `width` pixels shrink to a card's."""
    return max(SMALL + 1, round(8 * width / CARD))


@lru_cache(maxsize=64)
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans at a size in pixels; matplotlib brings it, so the same pixels come out on every machine."""
    import matplotlib

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)


def clean(text: object) -> str:
    """One line of printable characters: class names come from anywhere."""
    line = str(text)
    if not line.isprintable():
        line = "".join(letter if letter.isprintable() else " " for letter in line)
    return line.strip()


@lru_cache(maxsize=1024)
def text_width(text: str, size: int, bold: bool = False) -> int:
    """The width of a line in pixels, rounded up."""
    return math.ceil(font(size, bold).getlength(text))


@lru_cache(maxsize=1024)
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


def wrapped(text: str, width: int, size: int, bold: bool = False) -> list[str]:
    """The words of a text in lines of at most `width` pixels; a longer word is a line of its own."""
    lines = [""]
    for word in clean(text).split():
        longer = f"{lines[-1]} {word}".strip()
        lines = [*lines[:-1], longer] if text_width(longer, size, bold) <= width else [*lines, word]
    return [line for line in lines if line]


def write(
    on: Picture | ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: object,
    *,
    size: int = SMALL,
    colour: Colour = INK,
    bold: bool = False,
    anchor: str = "ls",
    width: int | None = None,
    least: int = 0,
) -> int:
    """Writes one line of text.

    Args:
        on: where to write: a canvas, in place, or what Pillow draws on.
        place: x and y of the anchor, in pixels.
        text: the line; characters that cannot be printed become spaces.
        size: of the font, in pixels.
        colour: of the letters.
        bold: whether in the bold face.
        anchor: which point of the text lies at `place`, two letters as in Pillow (`"ls"`: left, baseline).
        width: the most pixels it may take; longer text ends in an ellipsis.
        least: a font size down to which longer text is made smaller first, so that no number is cut.

    Returns:
        The width of what was written, in pixels.
    """
    line = clean(text)
    if width is not None:
        while least < size and least and text_width(line, size, bold) > width:
            size -= 1
        line = shorten(line, width, size, bold)
    if isinstance(on, ImageDraw.ImageDraw):
        on.text(place, line, fill=colour, font=font(size, bold), anchor=anchor)
    elif line:
        _print(on, place, line, (size, bold), anchor, colour)
    return text_width(line, size, bold)


def _print(canvas: Picture, place: tuple[float, float], line: str, face: Face, anchor: str, colour: Colour) -> None:
    """Writes a line as Pillow does, to the last bit, without taking the canvas to Pillow and back."""
    x, y = math.floor(place[0]), math.floor(place[1])
    inked = _inked if len(line) <= _SHORT else _inked.__wrapped__
    kept, ink, before, above = inked(line, face, anchor, place[0] - x, place[1] - y, colour)
    top, left = y - above, x - before
    bottom, right = top + ink.shape[0], left + ink.shape[1]
    below = canvas[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    first, start = max(-top, 0), max(-left, 0)
    part = slice(first, first + below.shape[0]), slice(start, start + below.shape[1])
    mixed = below * kept[part]
    mixed += ink[part]
    mixed += mixed >> 8
    below[:] = mixed >> 8  # divided by 255 and rounded


@lru_cache(maxsize=1024)
def _inked(
    line: str, face: Face, anchor: str, across: float, down: float, colour: Colour
) -> tuple[NDArray[np.uint16], NDArray[np.uint16], int, int]:
    """How much of what is below a line is kept, of 255, and what its ink adds, `(height, width, 3)`; its beginning.

    Both are as wide as a picture's colours, since numpy takes five times as long for a last axis of one. The other
    arguments and the beginning are those of `_letters`.
    """
    covered, before, above = _letters(line, face, anchor, across, down)
    share = np.repeat(covered[..., None], 3, axis=-1).astype(np.uint16)
    return 255 - share, share * np.array(colour, np.uint16) + 128, before, above


@lru_cache(maxsize=1024)
def _letters(line: str, face: Face, anchor: str, across: float, down: float) -> tuple[Picture, int, int]:
    """How much a line covers of each pixel below it, of 255, and where it begins.

    Nearly all texts are the same at every step, and to draw them takes most of the time. The anchor lies `across` right
    of a whole pixel and `down` below it, 0 to 1 each.

    Returns:
        Bytes `(height, width)`, and how far left of and above the anchor they begin, in pixels.
    """
    left, top, right, bottom = font(*face).getbbox(line, anchor=anchor)
    before, above = 1 - math.floor(left), 1 - math.floor(top)
    picture = Image.new("L", (before + math.ceil(right) + 2, above + math.ceil(bottom) + 2))
    ImageDraw.Draw(picture).text((before + across, above + down), line, fill=255, font=font(*face), anchor=anchor)
    return np.array(picture), before, above


def shape_text(shape: Iterable[object]) -> str:
    """A shape as captions give it: `14 × 14 × 48`."""
    return " × ".join(str(size) for size in shape)


def plural(noun: str, count: int = 2) -> str:
    """A noun as it follows a count: `1 epoch`, `2 epochs`, `2 batches`."""
    return noun if count == 1 else f"{noun}es" if noun.endswith("tch") else f"{noun}s"


def counted_rows(count: int) -> str:
    """So many rows, in words."""
    return f"{count:,} {plural('row', count)}"


def join_notes(*notes: str) -> str:
    """Join several notes for one strip; empty ones are left out."""
    return "   ".join(note for note in notes if note)


def format_number(value: float) -> str:
    """A number in at most three digits, `0.25`, `-1.2e-5`, with a true minus sign; `NaN`."""
    text = f"{value + 0.0:.3g}".replace("nan", "NaN")  # the sum of -0.0 and 0.0 has no sign
    if "e" in text:
        digits, exponent = text.split("e")
        text = f"{digits}e{int(exponent)}"
    return text.replace("-", "\N{MINUS SIGN}")


def short_number(value: float) -> str:
    """A number as `format_number` writes it, but those below a thousandth in two digits, `1.2e-4`."""
    if not 0 < abs(value) < 1e-3:
        return format_number(value)
    digits, exponent = f"{value:.1e}".split("e")
    return f"{digits.removesuffix('.0')}e{int(exponent)}".replace("-", "\N{MINUS SIGN}")
