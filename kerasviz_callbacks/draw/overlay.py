"""Laying heat over pictures: cold regions stay the plain picture, hot ones take the colour.

One strong map sets the scale that all share, so a weak one is pale beside it. An outline shows where it lies without
making it look strong.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kerasviz_callbacks.draw.colour import DIVERGING, HEAT, NON_FINITE, Picture, blend, look_up, luminance, share, table
from kerasviz_callbacks.draw.sheet import Scale
from kerasviz_callbacks.draw.tiles import resize

OUTLINE = (150, 240, 255)
"""Light cyan, which neither the heat nor a grey ground has."""
OUTLINED = 0.5
"""The outline is drawn where a map passes this share of its own largest value."""

_MOST = 0.5  # of a map: an outline of more looks like one of the rest
_LEAST = 0.01  # of the scale: a map that stays below is weak, and has no outline, which would show noise


def opacity(heat: ArrayLike) -> NDArray[np.float64]:
    """How much of the picture heat of 0 to 1 hides: nothing where it is cold, most where it is hot."""
    return 0.95 * np.clip(np.asarray(heat, np.float64), 0, 1) ** 0.8


def overlay(
    pictures: Picture,
    maps: ArrayLike,
    *,
    scale: float,
    signed: bool = False,
    outlined: bool = True,
    tops: ArrayLike | None = None,
) -> Picture:
    """Lays heat maps over greyed pictures; where it is cold the grey picture is left as it is.

    Args:
        pictures: bytes `(..., H, W, 3)`.
        maps: `(..., h, w)`, resized to the pictures linearly.
        scale: the value of the hottest colour.
        signed: whether the map runs from `-scale`, with nothing at 0; signed maps have no outline.
        outlined: whether unsigned maps have one.
        tops: see `outline`.

    Returns:
        The pictures with the maps over them, `(..., H, W, 3)`.
    """
    large = resize(maps, (pictures.shape[-3], pictures.shape[-2]))
    shares = share(large, -scale if signed else 0.0, scale, constant=0.5 if signed else 0.0)
    laid = _lay(_ground(luminance(pictures), signed), shares, signed)
    if outlined and not signed:
        laid[outline(large, _LEAST * scale, tops)] = OUTLINE
    return laid


def outline(maps: ArrayLike, least: float, tops: ArrayLike | None = None) -> NDArray[np.bool_]:
    """The inner edge of where each map `(..., h, w)` reaches half of its own largest finite value.

    Maps whose largest value is at most `least` have none, and those most of which it would enclose, since it would be
    read as the edge of what is weak; the edge of the picture is none. Of volumes `(..., slices, h, w)`, of which there
    may be more slices, `tops` are the largest values `(...)`.
    """
    values = np.asarray(maps, np.float64)
    known, axes = np.where(np.isfinite(values), values, 0.0), (-2, -1) if tops is None else (-3, -2, -1)
    own = known.max(axis=axes, initial=0.0) if tops is None else np.asarray(tops, np.float64)
    top = np.expand_dims(own, axes)
    inside = (known >= OUTLINED * top) & (top > least)
    inside &= inside.mean(axis=axes, keepdims=True) <= _MOST
    padded = np.pad(inside, [(0, 0)] * (inside.ndim - 2) + [(1, 1), (1, 1)], mode="edge")
    beside = (padded[..., :-2, 1:-1], padded[..., 2:, 1:-1], padded[..., 1:-1, :-2], padded[..., 1:-1, 2:])
    edge: NDArray[np.bool_] = inside & ~np.logical_and.reduce(beside)
    return edge


def weak_maps(maps: ArrayLike, scale: float) -> NDArray[np.bool_]:
    """Which maps `(n, ...)` are not zero, but at most a hundredth of the scale everywhere: they look empty."""
    values = np.abs(np.asarray(maps, np.float64))
    tops = values.max(axis=tuple(range(1, values.ndim)), initial=0.0)
    weak: NDArray[np.bool_] = (tops > 0) & (tops <= _LEAST * scale)  # NaN, which is seen, is neither
    return weak


def evidence_scale(scale: float, signed: bool = False, outlined: bool = True, *, sliced: bool = False) -> Scale:
    """The legend of maps laid over pictures, outlined or not: the colours as they look there, over a middling grey.

    `sliced` says that a tile shows some slices of a map, within which the outline's share is meant.
    """
    entries = _lay(_ground(np.full(257, 100.0), signed), np.linspace(0, 1, 257), signed)
    outlines = f"evidence; outlined: small areas above half the {'tile' if sliced else 'map'}'s largest"
    label = outlines if outlined and not signed else "evidence"
    return Scale(-scale if signed else 0.0, scale, DIVERGING if signed else HEAT, label, entries)


def _ground(light: NDArray[np.float64], signed: bool) -> NDArray[np.float64]:
    """The grey below the heat: darker than the hottest colour, lighter than the weakest; light where the ends are dark.

    A black background is grey there, so that weak heat on it is seen.
    """
    return 150 + 0.4 * light if signed else 64 + 0.36 * light


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
