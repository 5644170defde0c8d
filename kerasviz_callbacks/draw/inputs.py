"""Model inputs as images, on one intensity range that is decided once."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kerasviz_callbacks.draw.colour import Picture, rgb, share
from kerasviz_callbacks.draw.text import format_number
from kerasviz_callbacks.draw.tiles import shrink

LARGEST = 512
"""Pixels of a side that a picture has at most; larger inputs are reduced to it by the mean over blocks."""

_USUAL = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))
_ROBUST = (0.5, 99.5)  # percentiles
_MOST = 2**22  # values that percentiles are taken of; of more, a random choice
_APART = 4.0  # ranges that differ by a larger factor are not shown on one
_AT_ONCE = 2**21  # values converted together


@dataclass(frozen=True)
class IntensityRange:
    """Shows model inputs as images, always on the range found in the first ones.

    A picture's brightness therefore means the same at every step.

    Attributes:
        low: the value shown as black.
        high: the value shown as white.
        bands: of images of many bands on no usual range, the two values of each band.
    """

    low: float
    high: float
    bands: tuple[tuple[float, float], ...] = ()

    @classmethod
    def of(cls, images: ArrayLike) -> Self:
        """Decides the range from the first images, `(n, h, w)` or `(n, ..., h, w, c)`.

        Bytes are 0 to 255, and so are other numbers without negatives whose largest is within 1 % of 255. Numbers
        within 0 to 1, or within -1 to 1, are shown on that range. Any others, such as standardised pictures, run from
        their 0.5th to their 99.5th percentile; each band by itself if there are neither 1 nor 3 nor 4 of them.
        """
        values = np.asarray(images)
        if values.dtype == np.uint8:
            return cls(0.0, 255.0)
        numbers = values[np.isfinite(values)]
        if not numbers.size:
            return cls(0.0, 1.0)
        low, high = float(numbers.min()), float(numbers.max())
        for usual, top in _USUAL[:2]:
            if usual <= low and high <= top:
                return cls(usual, top)
        if low >= 0 and abs(high - 255) <= 2.55:
            return cls(0.0, 255.0)
        if values.ndim < 4 or values.shape[-1] in (1, 3, 4):
            return cls(*_robust(numbers))
        bands = tuple(_robust(band[np.isfinite(band)]) for band in np.moveaxis(values, -1, 0))
        return cls(min(band[0] for band in bands), max(band[1] for band in bands), bands)

    @classmethod
    def robust(cls, values: ArrayLike) -> Self | None:
        """The 0.5th and 99.5th percentiles of inputs; `None` for integers that are no bytes, such as token ids."""
        given = np.asarray(values)
        if given.dtype.kind != "f" and given.dtype != np.uint8:
            return None
        finite = given[np.isfinite(given)]
        return cls(*_robust(finite)) if finite.size else None

    def __call__(self, images: ArrayLike) -> Picture:
        """Pictures as bytes: `(n, h, w)` or `(n, ..., h, w, c)` become `(n, h, w, 3)` or `(n, ..., h, w, 3)`.

        One channel is grey, three are red, green and blue, of four the first three; of any other number the
        mean is shown. A pixel with a NaN or infinity in it gets the colour of what is not finite. Sides of more than
        `LARGEST` pixels are reduced.
        """
        values = np.asarray(images)
        if values.ndim < 3:
            raise ValueError(f"images: must be (n, h, w) or (n, h, w, channels), got shape {values.shape}")
        values = values[..., None] if values.ndim == 3 else values
        rows = max(1, _AT_ONCE // max(1, values[:1].size))  # converted to floats piece by piece, to take less memory
        parts = [self._shown(values[start : start + rows]) for start in range(0, max(1, len(values)), rows)]
        return np.concatenate(parts) if parts[1:] else parts[0]

    def _shown(self, values: NDArray[Any]) -> Picture:
        values = _reduced(values).astype(np.float64)
        if not self.bands or len(self.bands) != values.shape[-1]:
            return rgb(_three_channels(values), self.low, self.high)
        shares = [share(values[..., band], *ends, constant=0.5) for band, ends in enumerate(self.bands)]
        return rgb(_three_channels(np.stack(shares, axis=-1)), 0.0, 1.0)

    @property
    def usual(self) -> bool:
        """Whether it is a range that images commonly have, and not one of percentiles."""
        return (self.low, self.high) in _USUAL

    def text(self) -> str:
        """The range in words, `0 to 255`."""
        return f"{format_number(self.low)} to {format_number(self.high)}"


def far_apart(ranges: Sequence[IntensityRange]) -> bool:
    """Whether two of the ranges differ by more than a factor of four, in their span or their largest magnitude."""
    sizes = [(one.high - one.low, max(abs(one.low), abs(one.high))) for one in ranges]
    pairs = [pair for one, other in combinations(sizes, 2) for pair in zip(one, other, strict=True)]
    return any(max(pair) > _APART * min(pair) for pair in pairs)


def common_range(ranges: Sequence[IntensityRange]) -> IntensityRange:
    """The range from the least to the largest value of several."""
    bands: tuple[tuple[float, float], ...] = ()
    if len({len(one.bands) for one in ranges}) == 1:
        bands = tuple(
            (min(low for low, _ in band), max(high for _, high in band))
            for band in zip(*(one.bands for one in ranges), strict=True)
        )
    return IntensityRange(min(one.low for one in ranges), max(one.high for one in ranges), bands)


def _robust(numbers: NDArray[Any]) -> tuple[float, float]:
    """The percentiles of finite numbers; the least and the largest where nearly all are equal."""
    if not numbers.size:
        return 0.0, 1.0
    chosen = np.random.default_rng(0).choice(numbers, _MOST) if numbers.size > _MOST else numbers
    low, high = np.percentile(chosen.astype(np.float64), _ROBUST).tolist()
    return (low, high) if high > low else (float(numbers.min()), float(numbers.max()))


def _reduced(values: NDArray[Any]) -> NDArray[Any]:
    """Images `(..., h, w, c)` with neither side above `LARGEST`."""
    height, width = values.shape[-3:-1]
    longest = max(height, width)
    if longest <= LARGEST:
        return values
    size = (max(1, round(height * LARGEST / longest)), max(1, round(width * LARGEST / longest)))
    return np.moveaxis(shrink(np.moveaxis(values, -1, 0), size), 0, -1)


def _three_channels(values: NDArray[np.float64]) -> NDArray[np.float64]:
    channels = values.shape[-1]
    if channels in (3, 4):
        return values[..., :3]
    with np.errstate(invalid="ignore", over="ignore"):  # what comes out not finite is shown as such
        grey = values if channels == 1 else values.mean(axis=-1, keepdims=True)
    return np.repeat(grey, 3, axis=-1)
