"""Generated pictures beside real ones, below a bar of how much they differ from each other."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from kerasviz_callbacks.draw.colour import Picture
from kerasviz_callbacks.draw.marks import fill
from kerasviz_callbacks.draw.reconstructions import fit_marked
from kerasviz_callbacks.draw.sheet import Scale, Sheet
from kerasviz_callbacks.draw.text import INK, LINE, QUIET, STRIP, Colour, write
from kerasviz_callbacks.draw.tiles import Grid

_HEADLINE, _HEADING, _APART = 78, 24, 28
_GENERATED: Colour = (0xEE, 0x77, 0x33)
_NARROWEST = 400
_NAME = 11  # pixels of the letters above a picture


@dataclass(frozen=True)
class Diversity:
    """How much samples differ, and from what it is told whether that is little.

    Attributes:
        value: of the samples; NaN: not known.
        reference: what is much: that of real pictures, or the largest so far; 0: there is none yet.
        what: the reference in words.
        headline: two lines of text.
    """

    value: float
    reference: float
    what: str
    headline: tuple[str, str]


def sample_grid(
    samples: Picture,
    real: Picture | None,
    diversity: Diversity,
    *,
    caption: str,
    names: Sequence[Sequence[str] | None] = (),
    legend: Scale | None = None,
    note: str = "",
    bad: str = "",
) -> Picture:
    """Shows generated pictures, bytes `(n, h, w, 3)`, and beside them real ones if there are any, `(m, H, W, 3)`.

    Above them, a bar is as long as the samples differ, with a mark at what is to be expected; it ends in an arrowhead
    where it is cut. `names` of the generated
    and of the real ones stand above the pictures.
    """
    blocks = [("generated", _GENERATED, samples), *([] if real is None else [("real", INK, real)])]
    side = 88 if len(samples) <= 16 else 64 if len(samples) <= 36 else 48
    tiles = [fit_marked(pictures, side) for _, _, pictures in blocks]
    above = _NAME + 4 if any(names) else 0
    grids = [
        Grid(len(one), math.ceil(math.sqrt(len(one))), one.shape[1], one.shape[2], gap=4, above=above) for one in tiles
    ]
    across = sum(grid.size[1] for grid in grids) + _APART * (len(grids) - 1)
    width = max(across, _NARROWEST)
    page = Sheet(_HEADLINE + _HEADING + max(grid.size[0] for grid in grids), width, caption)
    _paint_diversity(page.body[: _HEADLINE - 10], diversity)
    left = (width - across) // 2
    for number, ((title, colour, _), one, grid) in enumerate(zip(blocks, tiles, grids, strict=True)):
        middle = (left + grid.size[1] / 2, _HEADLINE + 13)
        write(page.body, middle, title, size=14, colour=colour, bold=True, anchor="ms", width=grid.size[1])
        grid.paint(page.body, one, left, _HEADLINE + _HEADING)
        for index, name in enumerate((names[number] if number < len(names) else None) or []):
            x, y = grid.corner(index)
            place = (left + x + grid.width / 2, _HEADLINE + _HEADING + y - 4)
            write(page.body, place, name, size=_NAME, anchor="ms", width=grid.width + 2)
        left += grid.size[1] + _APART
    return page.finished(legend=legend, note=note, bad=bad)


def _paint_diversity(strip: Picture, shown: Diversity) -> None:
    """Two lines, and a bar with the reference marked at four fifths of its length."""
    width = strip.shape[1]
    fill(strip, (0, 0, width - 1, len(strip) - 1), STRIP)
    for number, line in enumerate(shown.headline):
        ink = QUIET if number else INK
        write(
            strip,
            (10, 19 + 18 * number),
            line,
            size=15 - 2 * number,
            colour=ink,
            bold=not number,
            width=width - 20,
            least=9,
        )
    left, right, top = 10, width - 11, 44
    fill(strip, (left, top, right, top + 8), LINE)
    if not shown.reference > 0:
        return
    mark = left + 0.8 * (right - left)
    if math.isfinite(shown.value):
        end = left + shown.value / shown.reference * (mark - left)
        fill(strip, (left, top, max(min(end, right), left + 1), top + 8), _GENERATED)
        for back in range(4 if end > right else 0):  # an arrowhead: it is longer than there is room for
            fill(strip, (right - back, top, right - back, top + 3 - back), STRIP)
            fill(strip, (right - back, top + 5 + back, right - back, top + 8), STRIP)
    fill(strip, (mark - 1, top - 3, mark, top + 11), INK)
    write(strip, (mark - 5, top + 20), shown.what, size=11, colour=QUIET, anchor="rs", width=round(mark) - 20)
