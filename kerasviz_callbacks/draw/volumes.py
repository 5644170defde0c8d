"""Volumes as flat images: the axis along which they are cut, and which of their slices are shown."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def is_depth_last(sides: Sequence[int]) -> bool:
    """Whether a volume is cut along the last of its three axes, because it is the shortest.

    Scans are often `(height, width, depth)`. All others are cut along the first axis, `(depth, height, width)`, as are
    clips, `(frames, height, width)`.
    """
    first, second, last = sides
    return last < min(first, second)


def slices_first(volumes: NDArray[Any], axis: int = 1, *, sides: Sequence[int] | None = None) -> NDArray[Any]:
    """Volumes with the axis along which they are cut as the first of their three, which begin at `axis`.

    `sides` are those of the volume that belongs to them, if it may have other proportions.
    """
    sides = volumes.shape[axis : axis + 3] if sides is None else sides
    return np.moveaxis(volumes, axis + 2, axis) if is_depth_last(sides) else volumes


def middle_slice(volumes: NDArray[Any], axis: int = 1) -> NDArray[Any]:
    """The slice halfway along an axis."""
    index = (slice(None),) * axis + (volumes.shape[axis] // 2,)
    return volumes[index]


def hottest_slices(maps: NDArray[Any]) -> NDArray[np.intp]:
    """The slice of each volume `(k, d, h, w)` with the largest finite value, `(k,)`; the middle if none is above 0."""
    heat = np.max(maps, axis=(2, 3), where=np.isfinite(maps), initial=0.0)
    return np.asarray(np.where(heat.max(axis=1) > 0, heat.argmax(axis=1), maps.shape[1] // 2), np.intp)


def flat_maps(maps: NDArray[Any], slices: NDArray[np.intp] | None = None) -> NDArray[Any]:
    """Maps `(k, *spatial)` as `(k, h, w)`: those of signals are one row high; of volumes one slice, the middle one.

    `slices` are the numbers of others, `(k,)`.
    """
    if maps.ndim == 2:
        return maps[:, None]
    if maps.ndim < 4:
        return maps
    return middle_slice(maps) if slices is None else maps[np.arange(len(maps)), slices]


def depth_slices(depth: int, count: int = 4) -> list[int]:
    """The indices of at most `count` slices, evenly spaced, each in the middle of its part."""
    if depth <= count:
        return list(range(depth))
    return [int((index + 0.5) * depth / count) for index in range(count)]
