"""Labels beside rows; a class that has several rows is named once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kerasviz_callbacks.draw.colour import Picture
from kerasviz_callbacks.draw.text import INK, SMALL, write

LABEL = 92
"""Pixels that a class label may take beside its rows."""


def groups(names: Sequence[str]) -> list[int]:
    """The rows at which a new name begins."""
    return [row for row in range(len(names)) if not row or names[row] != names[row - 1]]


def write_rows(
    canvas: Picture, names: Sequence[str], middles: NDArray[np.float64], right: float, starts: Sequence[int]
) -> None:
    """Names the rows in place, those of a group once in its middle, as far as they fit.

    `middles` are pixels from the top, one a row; the names end `right` pixels from the left; `starts` are the first
    rows of the groups.
    """
    size, free = SMALL + 1, 0.0
    for start, end in zip(starts, [*starts[1:], len(names)], strict=True):
        y = float(middles[start:end].mean())
        if y - size * 0.6 >= free:
            write(canvas, (right, y), names[start], size=size, colour=INK, anchor="rm", width=LABEL)
            free = y + size * 0.6
