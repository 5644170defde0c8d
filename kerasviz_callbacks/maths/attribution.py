"""Which inputs a score hangs on, from its gradients by the input, raw.

The model comes in as `gradients`: a callable from rows `(n, ...)` of floats to the gradient of each row's own
score by that row, the same shape. The score must stay the same function at every call: of a classifier, the class
is chosen once, on `x` itself, and not again where the inputs are moved.

Every method hands it arrays of `x`'s shape and of one type, so that it is compiled once; none rescales what it
finds. A row with NaN or infinity keeps it to itself, and so do its gradients.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .attribution_checks import Array, baseline_like, check_answer, check_spatial, check_values, floats_of
from .matrices import strongest

Gradients = Callable[[Array], Any]

_RESOLUTION = 1e-6  # a few roundings in float32: scores that differ by less, relative to their size, are equal


def gradient(gradients: Gradients, x: Any) -> NDArray[np.float32]:
    """See what the score would answer to first: its gradient by the input.

    With the gradients that guided backpropagation lets through, this is that method's map.

    Args:
        gradients: Called once.
        x: `(n, ...)`, one input a row.

    Returns:
        `x`'s shape, signed, in the unit of the score per unit of the input.

    Raises:
        TypeError: `x` holds no real numbers.
        ValueError: `gradients` returns another shape than `x`'s.

    Example:
        >>> gradient(lambda x: 2 * x, [[1.0, -3.0]]).tolist()  # the score is the sum of squares
        [[2.0, -6.0]]

    Reference:
        Simonyan et al., "Deep Inside Convolutional Networks: Visualising Image Classification Models and Saliency
        Maps", 2014, https://arxiv.org/abs/1312.6034. Guided: Springenberg et al., "Striving for Simplicity: The All
        Convolutional Net", 2015, https://arxiv.org/abs/1412.6806.
    """
    return _single(_ask(gradients, floats_of(x)))


def input_x_gradient(gradients: Gradients, x: Any) -> NDArray[np.float32]:
    """See what each input adds to the score where the model is straight from zero to here: `x * gradient`.

    Args:
        gradients: Called once.
        x: `(n, ...)`, one input a row.

    Returns:
        `x`'s shape, signed, in the unit of the score. Of a linear model without bias it sums to the score.

    Raises:
        TypeError: `x` holds no real numbers.
        ValueError: `gradients` returns another shape than `x`'s.

    Example:
        >>> input_x_gradient(lambda x: 2 * x, [[1.0, -3.0]]).tolist()
        [[2.0, 18.0]]

    Reference:
        Shrikumar et al., "Not Just a Black Box: Learning Important Features Through Propagating Activation
        Differences", 2016, https://arxiv.org/abs/1605.01713.
    """
    values = floats_of(x)
    slopes = _ask(gradients, values)
    with np.errstate(invalid="ignore", over="ignore"):
        return _single(np.multiply(values, slopes, dtype=np.float64))


def smooth_grad(
    gradients: Gradients, x: Any, *, samples: int = 16, noise: float = 0.15, seed: int = 0
) -> NDArray[np.float32]:
    """See the gradient without its speckle: its mean over noisy copies of each input.

    Args:
        gradients: Called `samples` times.
        x: `(n, ...)`, one input a row.
        samples: How many noisy copies of each input.
        noise: Standard deviation of the Gaussian noise, a share of the input's own range: the largest minus the
            smallest of its finite values, all channels or features together.
        seed: Fixes the noise. It is the same at every call and for every row (scaled to the row's range), so that
            steps can be compared and no row depends on its place; numpy's global generator is left alone.

    Returns:
        `x`'s shape, signed, in the unit of the score per unit of the input. An input without range gives its plain
        gradient.

    Raises:
        TypeError: `x` or an option of the wrong type.
        ValueError: An option out of its range, or `gradients` returns another shape than `x`'s.

    Example:
        >>> smooth_grad(lambda x: 2 * x, [[1.0, -3.0]], noise=0.0).tolist()
        [[2.0, -6.0]]

    Reference:
        Smilkov et al., "SmoothGrad: removing noise by adding noise", 2017, https://arxiv.org/abs/1706.03825.
    """
    check_values(samples=samples, noise=noise, seed=seed)
    values = floats_of(x)
    draws = np.random.default_rng(seed)
    deviation = noise * _range(values)
    total = np.zeros(values.shape)
    for _ in range(samples):
        with np.errstate(invalid="ignore", over="ignore"):
            noisy = (values + deviation * draws.standard_normal(values.shape[1:])).astype(values.dtype)
        slopes = _ask(gradients, noisy)
        with np.errstate(invalid="ignore", over="ignore"):
            total += slopes
    return _single(total / samples)


def integrated_gradients(
    gradients: Gradients, x: Any, *, baseline: ArrayLike = 0.0, steps: int = 32
) -> NDArray[np.float32]:
    """See what each input adds to the score on the straight way from a baseline: the parts sum to the whole.

    `(x - baseline)` times the mean gradient at the midpoints of `steps` equal pieces of that way, whose error
    falls with the square of `steps`.

    Args:
        gradients: Called `steps` times.
        x: `(n, ...)`, one input a row.
        baseline: The input that stands for "nothing there": a number, an array of the shape of one input, or of
            `x`'s shape.
        steps: How many pieces the way is cut into.

    Returns:
        `x`'s shape, signed, in the unit of the score. Over a row it sums to `score(x) - score(baseline)`, as nearly
        as `steps` allow; `completeness_error` says how nearly.

    Raises:
        TypeError: `x` or an option of the wrong type.
        ValueError: An option out of its range, a baseline of another shape, or `gradients` returns another shape
            than `x`'s.

    Example:
        >>> integrated_gradients(lambda x: 2 * x, [[1.0, -3.0]], steps=1).tolist()
        [[1.0, 9.0]]

    Reference:
        Sundararajan et al., "Axiomatic Attribution for Deep Networks", ICML 2017,
        https://arxiv.org/abs/1703.01365.
    """
    check_values(steps=steps)
    values = floats_of(x)
    start = baseline_like(baseline, values).astype(np.float64)
    total = np.zeros(values.shape)
    with np.errstate(invalid="ignore", over="ignore"):
        way = values - start
    for step in range(steps):
        with np.errstate(invalid="ignore", over="ignore"):
            point = (start + (step + 0.5) / steps * way).astype(values.dtype)
        slopes = _ask(gradients, point)
        with np.errstate(invalid="ignore", over="ignore"):
            total += slopes
    with np.errstate(invalid="ignore", over="ignore"):
        return _single(way * (total / steps))


def completeness_error(attributions: ArrayLike, scores_at_x: ArrayLike, scores_at_baseline: ArrayLike) -> float:
    """Say which share of the scores' rise over the baseline integrated gradients do not account for.

    `sum_i |sum of row i's attributions - d_i| / sum_i |d_i|` with `d_i = score(x_i) - score(baseline_i)`. The sums
    over rows come first: a mean of each row's own ratio would hang on the one row whose score hardly moved.

    Args:
        attributions: `(n, ...)`, before or after the channels are summed.
        scores_at_x: `(n,)`, the score of each row.
        scores_at_baseline: `(n,)`, the same score of the row's baseline.

    Returns:
        At least 0; 0.01 means that 1 % is missing or too much: take more `steps`. Rows in which something is NaN or
        infinite are left out. NaN where no row is left, or the scores do not rise or fall by more than float32 can
        tell: there is nothing to account for.

    Raises:
        ValueError: The scores are not one a row.

    Example:
        >>> completeness_error([[1.0, 2.0], [4.0, 4.0]], [4.0, 6.0], [0.0, 0.0])  # 3 of 4, 8 of 6
        0.3
    """
    parts = np.asarray(attributions, np.float64)
    top = check_answer(scores_at_x, parts.shape[:1], "scores_at_x").astype(np.float64)
    bottom = check_answer(scores_at_baseline, parts.shape[:1], "scores_at_baseline").astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(parts.sum(axis=tuple(range(1, parts.ndim))) - (top - bottom))
        difference = np.abs(top - bottom)
        usable = np.isfinite(error)
        whole = difference[usable].sum()
        if not whole > _RESOLUTION * (np.abs(top) + np.abs(bottom))[usable].sum():
            return float("nan")
        return float(error[usable].sum() / whole)


def reduce_channels(attributions: ArrayLike, *, spatial: tuple[int, ...], largest: bool) -> NDArray[np.float32]:
    """Fold the channels of each position into one signed value, as maps are shown.

    Args:
        attributions: `(n, ...)`, a value for each number of the input.
        spatial: Which axes are positions, ascending: `(1, 2)` of `(n, h, w, channels)` and of `(n, h, w)`, `(1,)` of
            `(n, t, channels)` and of `(n, features)`, `(2, 3)` of `(n, channels, h, w)`.
        largest: False: the sum over the channels, for methods whose parts add up. True: the channel's value of
            largest magnitude with its sign kept (the first of equals), for gradients, which do not.

    Returns:
        `(n, *positions)`; what has no channels stays as it is. NaN where a channel is NaN.

    Raises:
        ValueError: `spatial` names no such axes, or there are no channels in an axis of channels.

    Example:
        >>> reduce_channels([[[1.0, -3.0], [2.0, 1.0]]], spatial=(1,), largest=True).tolist()
        [[-3.0, 2.0]]
    """
    values = np.asarray(attributions)
    check_spatial(spatial, values)
    channels = tuple(axis for axis in range(1, values.ndim) if axis not in spatial)
    if any(values.shape[axis] == 0 for axis in channels):
        raise ValueError(f"attributions: an axis of channels is empty in shape {values.shape}.")
    if not largest:
        with np.errstate(invalid="ignore", over="ignore"):
            return _single(values.sum(axis=channels, dtype=np.float64))
    positions = (len(values), *(values.shape[axis] for axis in spatial))
    last = np.moveaxis(values, channels, range(values.ndim - len(channels), values.ndim))
    last = last.reshape(*positions, -1) if channels else last[..., None]
    return _single(strongest(last))


def _ask(gradients: Gradients, points: Array) -> Array:
    return check_answer(gradients(points), points.shape, "gradients")


def _range(values: Array) -> Array:
    """Of each row, largest minus smallest finite value, shaped to broadcast with the rows; 0 where none is."""
    axes, finite = tuple(range(1, values.ndim)), np.isfinite(values)
    wide = values.astype(np.float64)
    high = np.max(wide, axis=axes, keepdims=True, initial=-np.inf, where=finite)
    low = np.min(wide, axis=axes, keepdims=True, initial=np.inf, where=finite)
    with np.errstate(over="ignore"):
        spread: Array = np.maximum(high - low, 0.0)
    return spread


def _single(values: Array) -> NDArray[np.float32]:
    with np.errstate(invalid="ignore", over="ignore"):
        return values.astype(np.float32)
