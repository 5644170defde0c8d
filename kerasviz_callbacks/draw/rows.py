"""Labels beside rows; a class that has several rows is named once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kerasviz_callbacks.draw.colour import Picture
from kerasviz_callbacks.draw.text import INK, SMALL, write


def label_width(size: int) -> int:
    """Pixels that a class label may take beside its rows, in a font of so many pixels."""
    return 92 * size // (SMALL + 1)


def groups(names: Sequence[str]) -> list[int]:
    """The rows at which a new name begins."""
    return [row for row in range(len(names)) if not row or names[row] != names[row - 1]]


def write_rows(
    canvas: Picture,
    names: Sequence[str],
    middles: NDArray[np.float64],
    right: float,
    starts: Sequence[int],
    size: int = SMALL + 1,
) -> None:
    """Names the rows in place, those of a group once in its middle, as far as they fit.

    `middles` are pixels from the top, one a row; the names end `right` pixels from the left; `starts` are the first
    rows of the groups, `size` is that of the font.
    """
    free, width = 0.0, label_width(size)
    for start, end in zip(starts, [*starts[1:], len(names)], strict=True):
        y = float(middles[start:end].mean())
        if y - size * 0.6 >= free:
            write(canvas, (right, y), names[start], size=size, colour=INK, anchor="rm", width=width)
            free = y + size * 0.6
