"""Bars, hairlines and frames, straight onto a canvas, upright, without a drawing library; and hatching."""

import numpy as np
from numpy.typing import NDArray

from kerasviz_callbacks.draw.colour import Picture
from kerasviz_callbacks.draw.text import Colour

Box = tuple[float, float, float, float]
"""Left, top, right and bottom in pixels, all of them inside; a fraction of a pixel counts as none."""

_HATCH = 6  # pixels from a stripe to the next


def fill(canvas: Picture, box: Box, colour: Colour) -> None:
    """Fills a box, or draws an upright hairline where two sides are the same; what lies outside is left out."""
    left, top, right, bottom = (int(side) for side in box)
    inside = canvas[max(top, 0) : max(bottom + 1, 0), max(left, 0) : max(right + 1, 0)]
    inside[:1] = colour
    inside[1:] = inside[:1]  # a row is copied in one piece, the numbers of a colour are not


def frame(canvas: Picture, box: Box, colour: Colour, thick: int = 1) -> None:
    """Draws the frame of a box, `thick` pixels inwards from its sides."""
    left, top, right, bottom = box
    inner = thick - 1
    for side in (
        (left, top, right, top + inner),
        (left, bottom - inner, right, bottom),
        (left, top, left + inner, bottom),
        (right - inner, top, right, bottom),
    ):
        fill(canvas, side, colour)


def hatching(height: int, width: int, thick: int = 1) -> NDArray[np.bool_]:
    """Which pixels of an area belong to its diagonal stripes, `thick` pixels wide."""
    down, across = np.ogrid[:height, :width]
    return (down + across) % _HATCH < thick
