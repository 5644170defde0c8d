"""Clouds of points in space, as their projections on three planes."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kerasviz_callbacks.draw.colour import Picture, share
from kerasviz_callbacks.draw.overlay import overlay
from kerasviz_callbacks.draw.text import PAPER

PLANES = ((0, 1), (0, 2), (1, 2))
"""The axes across and up of each projection: x-y, x-z, y-z."""

_GROUND = 24
_DOT = (225, 225, 225)
_GAP = 2


def projections(
    points: ArrayLike,
    low: float,
    high: float,
    *,
    size: int = 84,
    maps: ArrayLike | None = None,
    scale: float = 1.0,
    signed: bool = False,
) -> Picture:
    """Draws clouds of points `(n, points, 3)` as dots, each on three planes side by side: `(n, size, 3 * size + 4, 3)`.

    All axes go from `low` to `high`. With `maps`, `(n, points)`, each dot has the colour of its evidence, as heat maps
    have it (`overlay`), strong evidence in front; a dot without a finite place is left out.
    """
    clouds = np.asarray(points, np.float64)
    colours = np.broadcast_to(np.array(_DOT, np.uint8), clouds.shape)
    order = np.zeros(clouds.shape[:2])
    if maps is not None:
        values = np.asarray(maps)
        # Each dot is a picture of its own, so that none is taken for the outline between two that follow each other.
        dots, alone = colours[:, :, None, None], values[:, :, None, None]
        colours = overlay(dots, alone, scale=scale, signed=signed)[:, :, 0, 0]
        order = np.where(np.isfinite(values), np.abs(values, dtype=np.float64), np.inf)
    dot = 3 if clouds.shape[1] <= 300 else 2
    places = share(clouds, low, high, constant=0.5) * (size - dot)
    tiles = np.full((len(clouds), size, 3 * size + 2 * _GAP, 3), _GROUND, np.uint8)
    for number, (x, y) in enumerate(PLANES):
        left = number * (size + _GAP)
        if number:
            tiles[:, :, left - _GAP : left] = PAPER
        for tile, place, ink, rank in zip(tiles, places, colours, order, strict=True):
            _dots(tile[:, left : left + size], place[:, [x, y]], ink, np.argsort(rank, kind="stable"), dot)
    return tiles


def _dots(tile: Picture, places: NDArray[Any], inks: Picture, order: NDArray[np.intp], dot: int) -> None:
    """Paints square dots in an order, places in pixels from the lower left, in place."""
    order = order[np.isfinite(places[order]).all(axis=-1)]
    across, up = np.rint(places[order]).astype(np.intp).T
    for down in range(dot):
        for right in range(dot):
            tile[len(tile) - 1 - up - down, across + right] = inks[order]
