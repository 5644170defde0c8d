"""Tiles: enlarged, shrunk, resized, and laid out in a grid."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from kerasviz_callbacks.draw.colour import Picture, at_least_float
from kerasviz_callbacks.draw.text import LINE


def enlarge(pictures: NDArray[Any], factor: int | tuple[int, int]) -> NDArray[Any]:
    """Makes every pixel of `(..., h, w, 3)` a block of `factor` pixels a side (or of two: down, across)."""
    down, across = (factor, factor) if isinstance(factor, int) else factor
    return pictures.repeat(across, axis=-2).repeat(down, axis=-3)  # pixels are dearer to repeat than rows of them


def resize(values: ArrayLike, size: tuple[int, ...]) -> NDArray[Any]:
    """Resizes the last axes linearly between the centres of the cells, as `tf.image.resize` does.

    Numbers `(..., *old size)` become floats `(..., *size)`. Nothing leaves the range of its neighbours: what is not
    negative stays so, a constant stays the constant. A NaN reaches only the cells beside it.
    """
    result = at_least_float(values)
    for axis, length in zip(range(-len(size), 0), size, strict=True):
        result = _resize_axis(result, axis, length)
    return result


def _resize_axis(values: NDArray[Any], axis: int, length: int) -> NDArray[Any]:
    old = values.shape[axis]
    if old == length:
        return values
    places = np.clip((np.arange(length) + 0.5) * old / length - 0.5, 0, old - 1)
    before = np.minimum(places.astype(np.intp), max(old - 2, 0))
    weight = (places - before).astype(values.dtype).reshape([-1] + [1] * (-axis - 1))
    low = np.take(values, before, axis)
    high = np.take(values, np.minimum(before + 1, old - 1), axis)
    with np.errstate(invalid="ignore"):  # infinity times nothing: still not finite, still shown as such
        mixed = low * (1 - weight) + high * weight
        # Rounding may step out of the range by a last bit; a weight of 0 must not let a NaN through.
        mixed = np.clip(mixed, np.minimum(low, high), np.maximum(low, high))
    exact: NDArray[Any] = np.where(weight == 0, low, np.where(weight == 1, high, mixed))
    return exact


def shrink(values: ArrayLike, size: tuple[int, ...]) -> NDArray[Any]:
    """Shrinks as many last axes as `size` has to it, by the mean over blocks; an axis that is not longer stays.

    Every value counts in exactly one block, so a NaN darkens one cell and no other.
    """
    result = at_least_float(values)
    for axis, length in zip(range(-len(size), 0), size, strict=True):
        old = result.shape[axis]
        if length >= old:
            continue
        edges = (np.arange(length + 1) * old) // length
        counts = np.diff(edges)
        parts = np.repeat(counts, counts).reshape([-1] + [1] * (-axis - 1))
        with np.errstate(invalid="ignore", over="ignore"):  # infinity minus infinity: NaN, which is shown
            # Divided first, so that the sum of the largest floats overflows by rounding at most.
            means = np.add.reduceat(result / parts, edges[:-1], axis=axis)
        if np.isinf(means).any() and np.isfinite(result).all():
            means = np.nan_to_num(means)
        result = means.astype(result.dtype)
    return result


def shrink_pictures(pictures: Picture, size: tuple[int, int]) -> Picture:
    """Shrinks pictures `(..., h, w, 3)` of bytes to `(..., *size, 3)` by the mean over blocks."""
    planes = shrink(np.moveaxis(pictures, -1, 0), size)
    small: Picture = np.rint(np.moveaxis(planes, 0, -1)).astype(np.uint8)
    return small


def fit(pictures: Picture, largest: int | tuple[int, int]) -> Picture:
    """Makes pictures `(..., h, w, 3)` readable: neither side above `largest` (or above two: down, across), close to it.

    Larger ones shrink by the mean over blocks, smaller ones grow by a whole factor: pixels stay square.
    """
    height, width = pictures.shape[-3:-1]
    down, across = (largest, largest) if isinstance(largest, int) else largest
    limit, side = (down, height) if down * width < across * height else (across, width)  # the side that fills its room
    if side > limit:
        size = (max(1, round(height * limit / side)), max(1, round(width * limit / side)))
        return shrink_pictures(pictures, size)
    return enlarge(pictures, limit // side)


def whole_factor(size: int, target: int) -> int:
    """The whole factor that brings `size` pixels nearest to `target`, at least 1."""
    return max(1, round(target / size))


@dataclass(frozen=True)
class Grid:
    """The places of tiles: row by row, each with space above it (a number) and below it (a caption).

    Attributes:
        count: how many tiles.
        columns: how many beside each other.
        height: of a tile, in pixels.
        width: of a tile, in pixels.
        gap: pixels between tiles, one of which is the frame.
        above: pixels kept free above every tile.
        below: pixels kept free below every tile.
    """

    count: int
    columns: int
    height: int
    width: int
    gap: int = 6
    above: int = 0
    below: int = 0

    @property
    def rows(self) -> int:
        """How many rows the tiles fill."""
        return math.ceil(self.count / self.columns)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the whole, with a frame of one pixel round the outermost tiles."""
        down = self.rows * (self.height + self.above + self.below + self.gap) - self.gap + 2
        return down, self.columns * (self.width + self.gap) - self.gap + 2

    def corner(self, index: int) -> tuple[int, int]:
        """The x and y of a tile's upper left pixel."""
        row, column = divmod(index, self.columns)
        down = row * (self.height + self.above + self.below + self.gap) + self.above + 1
        return column * (self.width + self.gap) + 1, down

    def paint(self, canvas: Picture, tiles: Picture, x: int = 0, y: int = 0) -> None:
        """Paints the tiles `(count, height, width, 3)` with a hairline frame onto a canvas, in place."""
        pitch = self.height + self.above + self.below + self.gap, self.width + self.gap
        full, rest = divmod(self.count, self.columns)
        for first, rows, columns in ((0, full, self.columns), (self.count - rest, 1, rest)):
            left, top = self.corner(first)
            part = tiles[first : first + rows * columns].reshape(rows, columns, *tiles.shape[1:])
            place_all(canvas, part, x + left, y + top, pitch)


def place(canvas: Picture, tile: Picture, x: int, y: int) -> None:
    """Paints one tile with a hairline frame onto a canvas, in place."""
    place_all(canvas, tile[None, None], x, y, (1, 1))


def place_all(canvas: Picture, tiles: Picture, x: int, y: int, pitch: tuple[int, int], *, tall: int = 1) -> None:
    """Paints rows of tiles, each with a hairline frame, onto a canvas, in place.

    Args:
        canvas: `(H, W, 3)`, a whole picture or a rectangle of it.
        tiles: `(rows, columns, h, w, 3)`.
        x: where the first tile begins, in pixels from the left.
        y: and from the top.
        pitch: pixels from one tile to the next, down and across.
        tall: how often each line of a tile is painted, as `enlarge` would repeat it.
    """
    if not tiles.size:
        return
    rows, columns, height, width, _ = tiles.shape
    lines = canvas.reshape(len(canvas), -1)  # three bytes a pixel, so that a tile's row is copied in one piece
    framed = sliding_window_view(lines, (height * tall + 2, 3 * (width + 2)), writeable=True)
    framed = framed[y - 1 :: pitch[0], 3 * (x - 1) :: 3 * pitch[1]][:rows, :columns]
    framed[:, :, :: height * tall + 1] = np.tile(LINE, width + 2)
    framed[..., :3] = framed[..., -3:] = LINE
    for line in range(1, tall + 1):
        framed[:, :, line:-1:tall, 3:-3] = tiles.reshape(rows, columns, height, 3 * width)


def compact(count: int, height: int, width: int) -> int:
    """How many columns make `count` cells a grid a little wider than high, full rows if that can be had."""

    def cost(columns: int) -> float:
        rows = math.ceil(count / columns)
        empty = rows * columns - count
        shape = abs(math.log(columns * width / (rows * height) / 1.3))
        return shape + (0.5 + empty / count if empty else 0.0)

    return min(range(1, count + 1), key=cost)
