"""From numbers to colours: lookup tables, a colour for what is not a number, and colours for classes."""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Picture = NDArray[np.uint8]
"""A picture `(h, w, 3)` of bytes, or several of them with leading axes."""

NON_FINITE = (255, 0, 255)
"""Magenta, far from every colour of the tables in use: NaN and infinity are seen at once."""

SEQUENTIAL = "viridis"
DIVERGING = "RdBu_r"
HEAT = "inferno"

_STEPS = 257  # odd, so that zero has an entry of its own in the middle of a diverging table
_SIGNED = frozenset({"RdBu_r", "RdBu", "PuOr", "PuOr_r", "BrBG", "BrBG_r", "coolwarm", "seismic", "bwr", "grey"})

# Ten colours no two of which are nearer than 0.085 in OKLab with normal, protan, deutan or tritan vision;
# Petroff's ten have 0.06, Okabe and Ito's eight 0.076. Found by search among those and Tol's.
_CLASSES = (
    (0x00, 0x77, 0xBB),
    (0xEE, 0x77, 0x33),
    (0xAA, 0x33, 0x77),
    (0x44, 0xAA, 0x99),
    (0x33, 0x22, 0x88),
    (0xDD, 0xCC, 0x77),
    (0xCC, 0x33, 0x11),
    (0x33, 0xBB, 0xEE),
    (0x66, 0x11, 0x00),
    (0x92, 0xDA, 0xDD),
)


@lru_cache(maxsize=32)
def table(colours: str) -> Picture:
    """The `(257, 3)` lookup table of a colour map known to matplotlib, or `"grey"`, lowest value first; read-only.

    Raises:
        ValueError: if no colour map has that name.
    """
    import matplotlib

    name = "gray" if colours == "grey" else colours
    if name not in matplotlib.colormaps:
        nearest = ", ".join(f'"{known}"' for known in (SEQUENTIAL, DIVERGING, HEAT, "grey"))
        raise ValueError(f'colours="{colours}": no such colour map; for instance {nearest}')
    steps = matplotlib.colormaps[name].resampled(_STEPS)(np.arange(_STEPS))
    entries: Picture = np.rint(steps[:, :3] * 255).astype(np.uint8)
    entries.flags.writeable = False
    return entries


def is_signed(colours: str) -> bool:
    """Whether the middle of this colour map means zero."""
    return colours in _SIGNED


def share(values: ArrayLike, low: float, high: float, *, constant: float = 0.0) -> NDArray[np.float64]:
    """Where each value lies between `low` (0) and `high` (1), clipped; NaN where a value is not finite.

    Where the range is empty, a value equal to both becomes `constant`; others become 0 or 1.

    Raises:
        ValueError: if the range is not finite, or upside down.
    """
    if not (np.isfinite(low) and np.isfinite(high) and low <= high):
        raise ValueError(f"low={low}, high={high}: a scale must be finite and low at most high")
    numbers = np.asarray(values, np.float64)
    # Halves, so that the range of the largest floats does not overflow.
    distance, span = numbers / 2 - low / 2, high / 2 - low / 2
    with np.errstate(invalid="ignore", over="ignore"):
        result = np.sign(distance) * 0.5 + 0.5 if span == 0 else distance / span
        if span == 0:
            result = np.where(numbers == low, constant, result)
        result = np.clip(result, 0.0, 1.0)
    clipped: NDArray[np.float64] = np.where(np.isfinite(numbers), result, np.nan)
    return clipped


def look_up(shares: NDArray[np.float64], entries: Picture, *, across: int = 1) -> Picture:
    """The colours of shares (0 to 1) `(..., w)` in a lookup table `(k, 3)`, as `(..., w * across, 3)`.

    NaN gets the colour of what is not finite.
    """
    steps = np.where(np.isnan(shares), len(entries), np.rint(shares * (len(entries) - 1))).astype(np.intp)
    colours = np.concatenate([entries, np.array([NON_FINITE], np.uint8)])
    # To repeat the entries, not what is looked up, saves a pass over every pixel.
    runs = colours.repeat(across, axis=0).reshape(len(colours), -1)
    picture: Picture = np.take(runs, steps, axis=0)  # indexing by a single step would give a view
    return picture if across == 1 else picture.reshape(*steps.shape[:-1], -1, 3)


def colourise(values: ArrayLike, low: float, high: float, colours: str = SEQUENTIAL, *, across: int = 1) -> Picture:
    """Colours a scale that is handed in: `low` is the map's first colour, `high` its last, the rest clipped.

    `low` may equal `high`. Each value becomes `across` pixels beside each other; NaN and infinity are in `NON_FINITE`.
    """
    shares = share(values, low, high, constant=0.5 if is_signed(colours) else 0.0)
    return look_up(shares, table(colours), across=across)


def rgb(values: ArrayLike, low: float, high: float) -> Picture:
    """Takes the last axis of `(..., 3)` as red, green and blue, each from `low` (dark) to `high` (bright)."""
    shares = share(values, low, high, constant=0.5)
    bad = np.asarray(np.isnan(shares).any(axis=-1))
    picture: Picture = np.rint(np.where(bad[..., None], 0.0, shares) * 255).astype(np.uint8)
    picture[bad] = NON_FINITE
    return picture


def blend(below: ArrayLike, above: ArrayLike, alpha: ArrayLike) -> Picture:
    """Lays colours over colours: `alpha` 0 leaves what is below, 1 hides it."""
    parts = np.broadcast_arrays(*(np.asarray(part, np.float32) for part in (below, above, alpha)))
    blended: Picture = np.empty(parts[0].shape, np.uint8)
    for band in range(blended.shape[-1]):  # numpy takes twice as long for a last axis of three against one
        under, over, share = (part[..., band] for part in parts)
        mixed = (over - under) * share
        mixed += under
        blended[..., band] = np.rint(mixed)
    return blended


def class_colours(count: int) -> Picture:
    """A colour for each class, `(count, 3)`: ten that the colour-blind can tell apart, then shades of them.

    The colour of a class does not depend on how many classes there are.
    """
    base = np.array(_CLASSES, np.float64)
    result = np.empty((count, 3), np.uint8)
    for cycle, start in enumerate(range(0, count, len(base))):
        depth = 0.0 if cycle == 0 else 0.38 * 0.8 ** ((cycle - 1) // 2)
        shades = base + (((0.0, 255.0)[cycle % 2 == 0]) - base) * depth
        part = result[start : start + len(base)]
        part[:] = np.rint(shades)[: len(part)]
    return result


def luminance(colours: ArrayLike) -> NDArray[np.float64]:
    """How light each colour of `(..., 3)` looks, 0 to 255."""
    light: NDArray[np.float64] = np.asarray(colours, np.float64) @ np.array([0.2126, 0.7152, 0.0722])
    return light


def count_non_finite(*values: ArrayLike) -> str:
    """Says how many values are not numbers, `"3 NaN, 2 inf"`; empty if all are finite."""
    arrays = [np.asarray(array) for array in values]
    nan = sum(int(np.isnan(array).sum()) for array in arrays)
    infinite = sum(int(np.isinf(array).sum()) for array in arrays)
    return ", ".join(f"{count:,} {name}" for count, name in ((nan, "NaN"), (infinite, "inf")) if count)


def at_least_float(values: Any) -> NDArray[Any]:
    """The array itself if it holds floats of 32 or 64 bits, else as float32 (float16, integers, booleans)."""
    array: NDArray[Any] = np.asarray(values)
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float32)
