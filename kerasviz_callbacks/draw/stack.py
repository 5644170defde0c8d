"""Several pictures on one sheet of white paper."""

from collections.abc import Sequence

import numpy as np

from kerasviz_callbacks.draw.colour import Picture
from kerasviz_callbacks.draw.sheet import MARGIN, blank, type_size
from kerasviz_callbacks.draw.text import QUIET, write


def on_paper(picture: Picture, height: int, width: int) -> Picture:
    """A picture `(h, w, 3)`, or grey `(h, w)`, in the upper left corner of white paper that is at least as large."""
    coloured = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=-1)
    if coloured.shape[:2] == (height, width):
        return coloured
    paper = blank(height, width)
    paper[: coloured.shape[0], : coloured.shape[1]] = coloured
    return paper


def stacked(pictures: Sequence[Picture], headings: Sequence[str] | None = None) -> Picture:
    """Pictures below each other, at least one, left edges in line, each below its heading if there are any.

    As wide as the widest; a single picture without a heading as it is.
    """
    width = max(picture.shape[1] for picture in pictures)
    parts = []
    for number, picture in enumerate(pictures):
        if number:
            parts.append(blank(MARGIN, width))
        if headings is not None:
            parts.append(_heading(headings[number], width))
        parts.append(on_paper(picture, picture.shape[0], width))
    return np.concatenate(parts)


def _heading(text: str, width: int) -> Picture:
    size = type_size(width)
    line = blank(round(size * 1.8), width)
    write(line, (MARGIN, round(size * 1.4)), text, size=size, colour=QUIET, width=max(0, width - MARGIN))
    return line
