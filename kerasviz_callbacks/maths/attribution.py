"""Gradient-based attribution: how much each value of the input contributes to a score, signed and not rescaled.

The model is passed as `gradients`: a callable that takes rows `(n, ...)` of floats and returns the gradient of each
row's score with respect to that row, in the same shape. The score must be the same function at every call: for a
classifier, the class is chosen once, for `x` itself, and not again for the modified inputs.

Every method takes `x`, `(n, ...)`, one input a row, and returns attributions of its shape. It calls `gradients` with
arrays of that shape and of one dtype, so that the model is compiled once. NaN or infinity in one row, or in its
gradients, does not affect other rows. It raises TypeError for an option of the wrong type or an `x` that holds no real
numbers, ValueError for an option out of its range or `gradients` that return another shape.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .attribution_checks import Array, baseline_like, check_answer, check_spatial, check_values, floats_of, to_float32
from .matrices import strongest

Gradients = Callable[[Array], Any]

_RESOLUTION = 1e-6  # float32 rounding: scores whose relative difference is smaller count as equal
LEAST_STEPS, MOST_STEPS = 32, 512  # of integrated gradients, where the number is not given
TOLERANCE = 0.05  # of the change of the score, which the attributions of a row may miss
_SMALL_CHANGE = 0.01  # of the sum of a row's magnitudes: a smaller change of the score counts as this


def gradient(gradients: Gradients, x: Any) -> NDArray[np.float32]:
    """Compute the gradient of the score with respect to the input; with those of a guided pass, guided backpropagation.

    In the unit of the score per unit of the input; `gradients` is called once.

    Example:
        >>> gradient(lambda x: 2 * x, [[1.0, -3.0]]).tolist()  # the score is the sum of squares
        [[2.0, -6.0]]

    Reference:
        Simonyan et al., "Deep Inside Convolutional Networks: Visualising Image Classification Models and Saliency
        Maps", 2014, https://arxiv.org/abs/1312.6034. Guided: Springenberg et al., "Striving for Simplicity: The All
        Convolutional Net", 2015, https://arxiv.org/abs/1412.6806.
    """
    values = floats_of(x)
    return to_float32(check_answer(gradients(values), values.shape, "gradients"))


def input_x_gradient(gradients: Gradients, x: Any) -> NDArray[np.float32]:
    """Compute `x * gradient`: the contribution of each input to a score that is linear between zero and `x`.

    In the unit of the score; for a linear model without bias it sums to the score. `gradients` is called once.

    Example:
        >>> input_x_gradient(lambda x: 2 * x, [[1.0, -3.0]]).tolist()
        [[2.0, 18.0]]

    Reference:
        Shrikumar et al., "Not Just a Black Box: Learning Important Features Through Propagating Activation
        Differences", 2016, https://arxiv.org/abs/1605.01713.
    """
    values = floats_of(x)
    grads = check_answer(gradients(values), values.shape, "gradients")
    with np.errstate(invalid="ignore", over="ignore"):
        return to_float32(np.multiply(values, grads, dtype=np.float64))


def smooth_grad(
    gradients: Gradients, x: Any, *, samples: int = 16, noise: float = 0.15, seed: int = 0
) -> NDArray[np.float32]:
    """Average the gradient over noisy copies of each input, which removes its high-frequency noise.

    In the unit of the score per unit of the input. For an input whose values are all equal it is the plain gradient.

    Args:
        gradients: Called `samples` times.
        x: `(n, ...)`, one input a row.
        samples: How many noisy copies of each input.
        noise: Standard deviation of the Gaussian noise as a fraction of the input's own range: the largest minus the
            smallest of its finite values, all channels or features together.
        seed: Seed of the noise, which is the same at every call and for every row (scaled to the row's range), so that
            steps can be compared and rows do not depend on their order; numpy's global generator is not used.

    Example:
        >>> smooth_grad(lambda x: 2 * x, [[1.0, -3.0]], noise=0.0).tolist()
        [[2.0, -6.0]]

    Reference:
        Smilkov et al., "SmoothGrad: removing noise by adding noise", 2017, https://arxiv.org/abs/1706.03825.
    """
    check_values(samples=samples, noise=noise, seed=seed)
    values = floats_of(x)
    generator = np.random.default_rng(seed)
    deviation = noise * _range(values)

    def noisy(_: int) -> Array:
        return values + deviation * generator.standard_normal(values.shape[1:])

    return to_float32(_mean_gradient(gradients, values, noisy, samples))


def integrated_gradients(
    gradients: Gradients, x: Any, *, baseline: ArrayLike = 0.0, steps: int | None = None
) -> NDArray[np.float32]:
    """Integrate the gradient along the straight path from a baseline to the input.

    `(x - baseline)` times the mean gradient at the midpoints of `steps` equal intervals of that path (the midpoint
    rule, whose error falls with the square of `steps`). Over a row it sums to `score(x) - score(baseline)`, up to the
    error of the numerical integration, which `completeness_error` measures; so it has the unit of the score.

    Args:
        gradients: Called `steps` times.
        x: `(n, ...)`, one input a row.
        baseline: The input that represents the absence of information: a number, an array of the shape of one input, or
            of `x`'s shape; ValueError for another.
        steps: Number of intervals; None: 32. `complete_gradients` takes as many as completeness needs.

    Example:
        >>> integrated_gradients(lambda x: 2 * x, [[1.0, -3.0]], steps=1).tolist()
        [[1.0, 9.0]]

    Reference:
        Sundararajan et al., "Axiomatic Attribution for Deep Networks", ICML 2017, https://arxiv.org/abs/1703.01365.
    """
    check_values(steps=steps)
    steps = LEAST_STEPS if steps is None else steps
    values = floats_of(x)
    start = baseline_like(baseline, values).astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        path = values - start
    mean = _mean_gradient(gradients, values, lambda step: start + (step + 0.5) / steps * path, steps)
    with np.errstate(invalid="ignore", over="ignore"):
        return to_float32(path * mean)


def complete_gradients(
    gradients: Callable[[Array, NDArray[np.intp]], Any], x: Any, changes: ArrayLike, *, baseline: ArrayLike = 0.0
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Compute integrated gradients in as many steps as their completeness needs, each row by itself.

    32 steps, doubled up to 512 for the rows whose attributions do not sum to the change of their score within 5 % of
    it. A change below 1 % of the sum of the attributions' magnitudes counts as that: where positive and negative
    evidence cancel, the sum says nothing about the error of either.

    Args:
        gradients: Called with points on the path and the numbers of their rows, `(points, rows)`; at most 992 times.
        x: `(n, ...)`, one input a row.
        changes: `(n,)`, `score(x) - score(baseline)` of each row.
        baseline: As in `integrated_gradients`.

    Returns:
        The attributions, and `(n,)` whether a row still misses its change; False where something is not finite.

    Example:
        >>> cubes = lambda x, rows: 3 * x**2
        >>> complete_gradients(cubes, [[2.0], [1.0]], [8.0, 5.0])[1].tolist()  # the second change is wrong
        [False, True]
    """
    values = floats_of(x)
    start = baseline_like(baseline, values)
    wanted = check_answer(changes, values.shape[:1], "changes").astype(np.float64)
    found, missing, steps = np.zeros(values.shape, np.float32), np.ones(len(values), np.bool_), LEAST_STEPS
    while missing.any() and steps <= MOST_STEPS:
        rows = np.flatnonzero(missing)

        def of_rows(points: Array, rows: NDArray[np.intp] = rows) -> Any:
            return gradients(points, rows)

        found[rows] = integrated_gradients(of_rows, values[rows], baseline=start[rows], steps=steps)
        missing[rows] = _misses(found[rows], wanted[rows])
        steps *= 2
    return found, missing


def _misses(attributions: Array, changes: Array) -> NDArray[np.bool_]:
    parts = attributions.reshape(len(attributions), -1).astype(np.float64)
    with np.errstate(invalid="ignore"):
        whole = np.maximum(np.abs(changes), _SMALL_CHANGE * np.abs(parts).sum(axis=1))
        return np.asarray(np.abs(parts.sum(axis=1) - changes) > TOLERANCE * whole)


def completeness_error(attributions: ArrayLike, scores_at_x: ArrayLike, scores_at_baseline: ArrayLike) -> float:
    """Measure the relative error of the completeness axiom of integrated gradients.

    `sum_i |sum of row i's attributions - d_i| / sum_i |d_i|` with `d_i = score(x_i) - score(baseline_i)`. It is a ratio
    of sums over rows: a mean of the ratios of rows would be dominated by rows with a near-zero denominator.

    Args:
        attributions: `(n, ...)`, before or after the channels are summed.
        scores_at_x: `(n,)`, the score of each row; ValueError for another shape.
        scores_at_baseline: `(n,)`, the same score of the row's baseline.

    Returns:
        At least 0; 0.01 means that the attributions are off by 1 % in total: increase `steps`. Rows with NaN or
        infinity are left out. NaN where no row is left, or where all scores equal those of their baselines within the
        precision of float32.

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
    """Reduce the channels of each position to one signed value.

    Args:
        attributions: `(n, ...)`, a value for each value of the input.
        spatial: The axes of positions, ascending: `(1, 2)` of `(n, h, w, channels)` and of `(n, h, w)`, `(1,)` of
            `(n, t, channels)` and of `(n, features)`, `(2, 3)` of `(n, channels, h, w)`.
        largest: False: the sum over the channels, for methods whose attributions are additive. True: the value of
            largest magnitude over the channels with its sign (the first of equals), for gradients, which are not.

    Returns:
        `(n, *positions)`; unchanged where there are no channels. NaN where a channel is NaN.

    Raises:
        ValueError: `spatial` are not axes of positions, or an axis of channels has length 0.

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
            return to_float32(values.sum(axis=channels, dtype=np.float64))
    positions = (len(values), *(values.shape[axis] for axis in spatial))
    last = np.moveaxis(values, channels, range(values.ndim - len(channels), values.ndim))
    last = last.reshape(*positions, -1) if channels else last[..., None]
    return to_float32(strongest(last))


def _mean_gradient(gradients: Gradients, x: Array, point: Callable[[int], Array], count: int) -> Array:
    """Average the gradients at `point(0)` to `point(count - 1)`, each fed in the type of `x`."""
    total = np.zeros(x.shape)
    for number in range(count):
        with np.errstate(invalid="ignore", over="ignore"):
            fed = point(number).astype(x.dtype)
        grads = check_answer(gradients(fed), x.shape, "gradients")
        with np.errstate(invalid="ignore", over="ignore"):
            total += grads
    return total / count


def _range(values: Array) -> Array:
    """Largest minus smallest finite value of each row, shaped to broadcast with the rows; 0 without finite values."""
    axes, finite = tuple(range(1, values.ndim)), np.isfinite(values)
    wide = values.astype(np.float64)
    high = np.max(wide, axis=axes, keepdims=True, initial=-np.inf, where=finite)
    low = np.min(wide, axis=axes, keepdims=True, initial=np.inf, where=finite)
    with np.errstate(over="ignore"):
        spread: Array = np.maximum(high - low, 0.0)
    return spread
