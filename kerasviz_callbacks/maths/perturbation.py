"""Perturbation-based attribution: how much each position contributes to a score, not rescaled.

The model is passed as `scores`: a callable that takes rows `(n, ...)` of floats and returns each row's score `(n,)`.
The score must be the same function at every call: for a classifier, the class is chosen once, for `x` itself, and not
again for the perturbed inputs.

Both methods call it with arrays of the shape of `x`, `(n, ...)`, one input a row, and of one dtype, a new one at each
call, so that the model is compiled once and memory stays bounded. They return `(n, *positions)`, in the unit of the
score. NaN or infinity in one row does not affect other rows. They raise TypeError for an `x` or an option of the wrong
type, ValueError for an option out of its range or not fitting `x`'s shape, or `scores` that are not one per row.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .attribution_checks import Array, baseline_like, check_answer, check_spatial, check_values, floats_of, to_float32
from .resampling import resize_weights

Scores = Callable[[Array], Any]
Extent = int | Sequence[int] | None

_PATCHES_PER_SIDE = 8  # of the default patch


def occlusion(
    scores: Scores,
    x: Any,
    *,
    spatial: tuple[int, ...],
    patch: Extent = None,
    stride: Extent = None,
    baseline: ArrayLike = 0.0,
) -> NDArray[np.float32]:
    """Measure how far the score drops when a patch of the input is replaced by the baseline.

    At each position the mean of `score(x) - score(covered)` over the patches that cover it. Positive: the position
    contributes to the score.

    Args:
        scores: Called once for `x` and once for each position of the patch: on an axis of length `side`
            `1 + ceil((side - patch) / stride)` times, on several axes the product.
        x: `(n, ...)`, one input a row.
        spatial: The axes of positions, ascending: `(1, 2)` of `(n, h, w, channels)`. The others are channels and are
            replaced together.
        patch: Lengths of the sides of the patch, one number or one per axis. None: about an eighth of each side; for
            `(n, features)` a single feature.
        stride: Distance between patches, one number or one per axis, at most the patch. None: half of the patch. The
            last patch is shifted back to the border, so that every position is covered.
        baseline: The replacement: a number, an array of the shape of one input, or of `x`'s shape.

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
    replacement = baseline_like(baseline, values)
    sides = tuple(values.shape[axis] for axis in spatial)
    sizes, strides = _patches(patch, stride, sides, features=values.ndim == 2)
    before = _call(scores, values.copy(), len(sides))
    sums, counts = np.zeros((len(values), *sides)), np.zeros(sides)
    for region in _regions(sides, sizes, strides):
        where = [slice(None)] * values.ndim
        for axis, part in zip(spatial, region, strict=True):
            where[axis] = part
        covered = values.copy()
        covered[tuple(where)] = replacement[tuple(where)]
        after = _call(scores, covered, len(sides))
        with np.errstate(invalid="ignore", over="ignore"):
            sums[(slice(None), *region)] += before - after
        counts[region] += 1
    return to_float32(sums / counts)


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
    """Compute RISE: the mean score over the random masks that keep a position.

    `sum_i s_i M_i / sum_i M_i`, with `s_i` the score of `M_i x + (1 - M_i) baseline`. Divided by the sum of the masks
    drawn rather than by its expectation, so that a constant score gives that score everywhere. So maps lie around the
    mean score of masked inputs, and only differences within a map are meaningful. NaN at a position that no mask kept:
    increase `samples`.

    Args:
        scores: Called `samples` times.
        x: `(n, ...)`, one input a row.
        spatial: The axes of positions, ascending: `(1, 2)` of `(n, h, w, channels)`. The others are channels and are
            masked together.
        samples: Number of masks, which are the same for every row.
        cells: Number of random cells of a mask along each side. For `(n, features)` each feature is a cell of its own
            and this has no effect.
        keep: Probability that a cell is kept.
        baseline: The value where nothing is kept: a number, an array of the shape of one input, or of `x`'s shape.
        seed: Seed of the masks; numpy's global generator is not used.

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
    background = baseline_like(baseline, values)
    sides = tuple(values.shape[axis] for axis in spatial)
    shape = [size if axis in spatial else 1 for axis, size in enumerate(values.shape)][1:]
    sums, kept = np.zeros((len(values), *sides)), np.zeros(sides)
    for mask in rise_masks(sides, samples=samples, cells=None if values.ndim == 2 else cells, keep=keep, seed=seed):
        # Expanded in full once for all rows: broadcasting along a short last axis is many times slower.
        share = np.ascontiguousarray(np.broadcast_to(mask.reshape(shape), values.shape[1:]), values.dtype)
        with np.errstate(invalid="ignore", over="ignore"):
            masked = share * values
            masked += (1 - share) * background
        answer = _call(scores, masked, len(sides))
        with np.errstate(invalid="ignore", over="ignore"):
            sums += answer * mask
        kept += mask
    with np.errstate(invalid="ignore", over="ignore"):
        return to_float32(sums / np.where(kept > 0, kept, np.nan))


def rise_masks(
    sides: Sequence[int], *, samples: int = 500, cells: int | None = 7, keep: float = 0.5, seed: int = 0
) -> Iterator[NDArray[np.float32]]:
    """Generate the masks of `rise`: random grids, upsampled linearly and shifted at random.

    Random bits, `cells` along each side, are resized linearly to `(cells + 1) * size`, `size = ceil(side / cells)`, and
    a window of the sides is cut at a random shift below `size`. The masks have the shape `sides`, values from 0 to 1
    and the expectation `keep` at each position.

    Args:
        sides: Number of positions along each axis.
        samples: Number of masks; smaller numbers give the first of the same sequence.
        cells: Number of bits along each axis; None: a bit for each position, neither resized nor shifted.
        keep: Probability of a bit to be one.
        seed: Seed of the masks.
    """
    generator = np.random.default_rng(seed)
    if cells is None:
        for _ in range(samples):
            yield (generator.random(sides) < keep).astype(np.float32)
        return
    sizes = [-(-side // cells) for side in sides]
    resizes = [resize_weights(cells, (cells + 1) * size) for size in sizes]
    for _ in range(samples):
        mask = (generator.random([cells] * len(sides)) < keep).astype(np.float64)
        for axis, (weights, side, size) in enumerate(zip(resizes, sides, sizes, strict=True)):
            shift = int(generator.integers(size))
            mask = np.moveaxis(np.tensordot(weights[shift : shift + side], mask, axes=(1, axis)), 0, axis)
        yield mask.astype(np.float32)


def _patches(
    patch: Extent, stride: Extent, sides: tuple[int, ...], *, features: bool
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Sides and strides of the patch, one per axis of positions; ValueError if they do not fit."""
    default = tuple(1 if features else max((side + _PATCHES_PER_SIDE // 2) // _PATCHES_PER_SIDE, 1) for side in sides)
    sizes = _by_axis("patch", patch, default)
    strides = _by_axis("stride", stride, tuple(max(size // 2, 1) for size in sizes))
    if any(size > side for size, side in zip(sizes, sides, strict=True)):
        raise ValueError(f"patch={patch}: larger than the positions {sides}; pass at most that, one number per axis.")
    if any(far > size for far, size in zip(strides, sizes, strict=True)):
        raise ValueError(
            f"stride={stride}: larger than the patch {sizes}, so that positions between would never be covered; "
            "pass at most that, or a larger patch."
        )
    return sizes, strides


def _by_axis(name: str, given: Extent, default: tuple[int, ...]) -> tuple[int, ...]:
    if given is None:
        return default
    if not isinstance(given, Sequence):
        return (int(given),) * len(default)
    if len(given) != len(default):
        raise ValueError(
            f"{name}={given}: expected one number, or one for each of the {len(default)} axes of positions."
        )
    return tuple(int(part) for part in given)


def _regions(sides: tuple[int, ...], sizes: tuple[int, ...], strides: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    """Yield every position of the patch, the last on each axis at the border."""
    by_axis = [
        [slice(start, start + size) for start in (*range(0, side - size, far), side - size)]
        for side, size, far in zip(sides, sizes, strides, strict=True)
    ]
    for place in np.ndindex(*map(len, by_axis)):
        yield tuple(parts[index] for parts, index in zip(by_axis, place, strict=True))


def _call(scores: Scores, points: Array, axes: int) -> NDArray[np.float64]:
    """Get the scores of the rows, shaped to broadcast over that many axes of positions."""
    return check_answer(scores(points), points.shape[:1], "scores").astype(np.float64).reshape(-1, *[1] * axes)
