"""Laying heat over pictures: cold regions stay the plain picture, hot ones take the colour."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kerasviz_callbacks.draw.colour import DIVERGING, HEAT, NON_FINITE, Picture, blend, look_up, luminance, share, table
from kerasviz_callbacks.draw.sheet import Scale
from kerasviz_callbacks.draw.tiles import resize


def opacity(heat: ArrayLike) -> NDArray[np.float64]:
    """How much of the picture heat of 0 to 1 hides: nothing where it is cold, most where it is hot."""
    return 0.95 * np.clip(np.asarray(heat, np.float64), 0, 1) ** 0.8


def overlay(pictures: Picture, maps: ArrayLike, *, scale: float, signed: bool = False) -> Picture:
    """Lays heat maps over greyed pictures; where it is cold the grey picture is left as it is.

    Args:
        pictures: bytes `(..., H, W, 3)`.
        maps: `(..., h, w)`, resized to the pictures linearly.
        scale: the value of the hottest colour.
        signed: whether the map runs from `-scale`, with nothing at 0.

    Returns:
        The pictures with the maps over them, `(..., H, W, 3)`.
    """
    large = resize(maps, (pictures.shape[-3], pictures.shape[-2]))
    shares = share(large, -scale if signed else 0.0, scale, constant=0.5 if signed else 0.0)
    return _lay(_ground(luminance(pictures), signed), shares, signed)


def evidence_scale(scale: float, signed: bool = False) -> Scale:
    """The legend of maps laid over pictures: the colours as they look there, over a middling grey."""
    entries = _lay(_ground(np.full(257, 100.0), signed), np.linspace(0, 1, 257), signed)
    return Scale(-scale if signed else 0.0, scale, DIVERGING if signed else HEAT, "evidence", entries)


def _ground(light: NDArray[np.float64], signed: bool) -> NDArray[np.float64]:
    """The grey below the heat: dark where the hottest colour is light, light where the ends are dark."""
    return 150 + 0.4 * light if signed else 24 + 0.38 * light


def _lay(grey: NDArray[np.float64], shares: NDArray[np.float64], signed: bool) -> Picture:
    """Colours over a grey ground; `shares` are places between the ends of the scale, NaN is drawn as such.

    Colours follow the square root of the evidence, the legend likewise: one strong map sets the scale that all share,
    and what is weak beside it must still be seen.
    """
    # The map's black beginning would darken the picture; what is cold is told by the opacity already.
    entries = table(DIVERGING) if signed else table(HEAT)[len(table(HEAT)) // 5 :]
    bad = np.isnan(shares)
    strength = np.sqrt(np.abs(2 * shares - 1) if signed else shares)
    shares = 0.5 + np.copysign(strength, shares - 0.5) / 2 if signed else strength
    laid = blend(grey[..., None], look_up(shares, entries), opacity(np.where(bad, 0, strength))[..., None])
    laid[bad] = NON_FINITE
    return laid
