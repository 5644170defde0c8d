"""Which positions a score hangs on, from the scores of inputs with parts taken away, raw.

The model comes in as `scores`: a callable from rows `(n, ...)` of floats to each row's score `(n,)`. The score must
stay the same function at every call: of a classifier, the class is chosen once, on `x` itself, and not again where
parts of it are gone.

Both methods hand it arrays of `x`'s shape and of one type, a new one at each call, so that it is compiled once and
memory stays bounded; neither rescales what it finds. A row with NaN or infinity keeps it to itself.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .attribution_checks import Array, baseline_like, check_answer, check_spatial, check_values, floats_of
from .resampling import resize_weights

Scores = Callable[[Array], Any]
Extent = int | Sequence[int] | None

_PART = 8  # a patch is about an eighth of a side


def occlusion(
    scores: Scores,
    x: Any,
    *,
    spatial: tuple[int, ...],
    patch: Extent = None,
    stride: Extent = None,
    baseline: ArrayLike = 0.0,
) -> NDArray[np.float32]:
    """See where covering the input costs score: how far it drops when a patch is set to the baseline.

    Args:
        scores: Called once for `x` and once for each place of the patch: on an axis of `side` positions the patch
            has `1 + ceil((side - patch) / stride)` places, on several axes their product.
        x: `(n, ...)`, one input a row.
        spatial: Which axes are positions, ascending: `(1, 2)` of `(n, h, w, channels)`. The others are channels and
            are covered together.
        patch: Sides of the patch, one number or one an axis. None: about an eighth of each side; of `(n, features)`
            a single feature.
        stride: How far the patch moves, one number or one an axis, at most the patch. None: half of the patch. The
            last place is shifted back to the border, so that every position is covered.
        baseline: What covers: a number, an array of the shape of one input, or of `x`'s shape.

    Returns:
        `(n, *positions)`, in the unit of the score: at each position the mean of `score(x) - score(covered)` over
        the patches that cover it. Positive: what is there speaks for the score.

    Raises:
        TypeError: `x` or an option of the wrong type.
        ValueError: An option out of its range or not fitting `x`'s shape, or `scores` not one a row.

    Example:
        >>> occlusion(lambda x: x @ [1.0, 10.0], [[2.0, 3.0]], spatial=(1,)).tolist()
        [[2.0, 30.0]]

    Reference:
        Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014,
        https://arxiv.org/abs/1311.2901.
    """
    check_values(patch=patch, stride=stride)
    values = floats_of(x)
    check_spatial(spatial, values)
    cover = baseline_like(baseline, values)
    sides = tuple(values.shape[axis] for axis in spatial)
    sizes, strides = _patches(patch, stride, sides, features=values.ndim == 2)
    before = _ask(scores, values.copy())
    sums, counts = np.zeros((len(values), *sides)), np.zeros(sides)
    for region in _regions(sides, sizes, strides):
        where = [slice(None)] * values.ndim
        for axis, part in zip(spatial, region, strict=True):
            where[axis] = part
        covered = values.copy()
        covered[tuple(where)] = cover[tuple(where)]
        after = _ask(scores, covered)
        with np.errstate(invalid="ignore", over="ignore"):
            sums[(slice(None), *region)] += _spread(before - after, len(sides))
        counts[region] += 1
    return _single(sums / counts)


def rise(
    scores: Scores,
    x: Any,
    *,
    spatial: tuple[int, ...],
    samples: int = 500,
    cells: int = 7,
    keep: float = 0.5,
    baseline: ArrayLike = 0.0,
    seed: int = 0,
) -> NDArray[np.float32]:
    """See where keeping the input keeps the score: the mean score over random masks that let a position through.

    `sum_i s_i M_i / sum_i M_i`, with `s_i` the score of `M_i x + (1 - M_i) baseline`. Divided by the masks drawn and
    not by their expectation, so that a score that never changes gives that score everywhere.

    Args:
        scores: Called `samples` times.
        x: `(n, ...)`, one input a row.
        spatial: Which axes are positions, ascending: `(1, 2)` of `(n, h, w, channels)`. The others are channels and
            are masked together.
        samples: How many masks; the same for every row.
        cells: How many random cells a mask has along each side. Of `(n, features)` each feature is a cell of its own
            and this has no effect.
        keep: Chance of a cell to be kept.
        baseline: What stands where nothing is kept: a number, an array of the shape of one input, or of `x`'s shape.
        seed: Fixes the masks; numpy's global generator is left alone.

    Returns:
        `(n, *positions)`, in the unit of the score, around the mean score of masked inputs: only differences within
        a map mean something. NaN at a position that no mask kept: take more `samples`.

    Raises:
        TypeError: `x` or an option of the wrong type.
        ValueError: An option out of its range or not fitting `x`'s shape, or `scores` not one a row.

    Example:
        >>> rise(lambda x: np.full(len(x), 3.0), [[2.0, 5.0]], spatial=(1,), samples=16).tolist()
        [[3.0, 3.0]]

    Reference:
        Petsiuk et al., "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018,
        https://arxiv.org/abs/1806.07421, equation 6.
    """
    check_values(samples=samples, cells=cells, keep=keep, seed=seed)
    values = floats_of(x)
    check_spatial(spatial, values)
    away = baseline_like(baseline, values)
    sides = tuple(values.shape[axis] for axis in spatial)
    of_one = [size if axis in spatial else 1 for axis, size in enumerate(values.shape)][1:]
    sums, kept = np.zeros((len(values), *sides)), np.zeros(sides)
    for mask in rise_masks(sides, samples=samples, cells=None if values.ndim == 2 else cells, keep=keep, seed=seed):
        # Laid out in full once for all rows: broadcasting along a short last axis is many times slower.
        share = np.ascontiguousarray(np.broadcast_to(mask.reshape(of_one), values.shape[1:]), values.dtype)
        with np.errstate(invalid="ignore", over="ignore"):
            masked = share * values
            masked += (1 - share) * away
        answer = _ask(scores, masked)
        with np.errstate(invalid="ignore", over="ignore"):
            sums += _spread(answer, len(sides)) * mask
        kept += mask
    with np.errstate(invalid="ignore", over="ignore"):
        return _single(sums / np.where(kept > 0, kept, np.nan))


def rise_masks(
    sides: Sequence[int], *, samples: int = 500, cells: int | None = 7, keep: float = 0.5, seed: int = 0
) -> Iterator[NDArray[np.float32]]:
    """The masks of `rise`, one by one: soft random blobs, each with a shift of its own.

    Random bits, `cells` a side, are stretched bilinearly to `(cells + 1) * size`, `size = ceil(side / cells)`, and
    a window of the sides is cut at a random shift below `size`.

    Args:
        sides: How many positions along each axis.
        samples: How many masks. Fewer are the first of more.
        cells: How many bits along each axis; None: a bit for each position, neither stretched nor shifted.
        keep: Chance of a bit to be one.
        seed: Fixes the masks.

    Yields:
        `sides`, from 0 to 1, at each position `keep` in expectation.
    """
    draws = np.random.default_rng(seed)
    if cells is None:
        for _ in range(samples):
            yield (draws.random(sides) < keep).astype(np.float32)
        return
    sizes = [-(-side // cells) for side in sides]
    resizes = [resize_weights(cells, (cells + 1) * size) for size in sizes]
    for _ in range(samples):
        mask = (draws.random([cells] * len(sides)) < keep).astype(np.float64)
        for axis, (weights, side, size) in enumerate(zip(resizes, sides, sizes, strict=True)):
            shift = int(draws.integers(size))
            mask = np.moveaxis(np.tensordot(weights[shift : shift + side], mask, axes=(1, axis)), 0, axis)
        yield mask.astype(np.float32)


def _patches(
    patch: Extent, stride: Extent, sides: tuple[int, ...], *, features: bool
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Sides and strides of the patch, one an axis of positions; ValueError where they do not fit."""
    usual = tuple(1 if features else max((side + _PART // 2) // _PART, 1) for side in sides)
    sizes = _by_axis("patch", patch, usual)
    strides = _by_axis("stride", stride, tuple(max(size // 2, 1) for size in sizes))
    if any(size > side for size, side in zip(sizes, sides, strict=True)):
        raise ValueError(f"patch={patch}: larger than the positions {sides}; pass at most that, one number an axis.")
    if any(far > size for far, size in zip(strides, sizes, strict=True)):
        raise ValueError(
            f"stride={stride}: larger than the patch {sizes}, so that positions between would never be covered; "
            "pass at most that, or a larger patch."
        )
    return sizes, strides


def _by_axis(name: str, given: Extent, usual: tuple[int, ...]) -> tuple[int, ...]:
    if given is None:
        return usual
    if not isinstance(given, Sequence):
        return (int(given),) * len(usual)
    if len(given) != len(usual):
        raise ValueError(f"{name}={given}: expected one number, or one for each of the {len(usual)} axes of positions.")
    return tuple(int(part) for part in given)


def _regions(sides: tuple[int, ...], sizes: tuple[int, ...], strides: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    """Every place of the patch, the last on each axis at the border."""
    by_axis = [
        [slice(start, start + size) for start in (*range(0, side - size, far), side - size)]
        for side, size, far in zip(sides, sizes, strides, strict=True)
    ]
    for place in np.ndindex(*map(len, by_axis)):
        yield tuple(parts[index] for parts, index in zip(by_axis, place, strict=True))


def _ask(scores: Scores, points: Array) -> NDArray[np.float64]:
    return check_answer(scores(points), points.shape[:1], "scores").astype(np.float64)


def _spread(of_rows: Array, axes: int) -> Array:
    """One number a row, to be laid over that many axes of positions."""
    return of_rows.reshape(-1, *[1] * axes)


def _single(values: Array) -> NDArray[np.float32]:
    with np.errstate(invalid="ignore", over="ignore"):
        return values.astype(np.float32)
