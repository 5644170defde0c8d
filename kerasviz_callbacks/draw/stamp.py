"""The step below a frame of an animation."""

import numpy as np

from kerasviz_callbacks.draw.colour import Picture
from kerasviz_callbacks.draw.marks import fill
from kerasviz_callbacks.draw.sheet import MARGIN, type_size
from kerasviz_callbacks.draw.text import LINE, QUIET, STRIP, text_width, write

_THICK = 4
_GAP = 8


def stamp_height(width: int) -> int:
    """Pixels that the stamp adds at the bottom; depends on the width alone."""
    return round(type_size(width) * 1.6)


def stamped(picture: Picture, *, step: int, first: int, last: int) -> Picture:
    """Puts a strip below a picture: a line that fills from the first step to the last, and the step as text."""
    width = picture.shape[1]
    size, high = type_size(width) - 1, stamp_height(width)
    longest = max(text_width(_label(one), size) for one in (first, last))  # keeps the line's length from step to step
    strip = np.full((high, width, 3), STRIP, np.uint8)
    free = max(0, width - 2 * MARGIN)
    write(strip, (width - MARGIN, high // 2), _label(step), size=size, colour=QUIET, anchor="rm", width=free)
    line = width - 2 * MARGIN - longest - _GAP
    if line > 0:
        share = (step - first) / (last - first) if last > first else 1.0
        top = (high - _THICK) // 2
        fill(strip, (MARGIN, top, MARGIN + line - 1, top + _THICK - 1), LINE)
        filled = round(share * line)
        if filled:
            fill(strip, (MARGIN, top, MARGIN + filled - 1, top + _THICK - 1), QUIET)
    return np.concatenate([picture, strip])


def _label(step: int) -> str:
    return "before training" if step < 0 else f"step {step}"
