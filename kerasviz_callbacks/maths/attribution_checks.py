"""Validation of the arguments of attribution methods: options, inputs, axes, baseline."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._arguments import whole_number

Array = NDArray[Any]


def check_values(**options: Any) -> None:
    """Check options by name; an option means the same for all methods that have it.

    `steps`, `samples`: whole numbers of 1 to 100,000; `steps` may be None; `cells`: of 1 to 1000; `seed`: of at least
    0. `patch`, `stride`: None, a whole number of at least 1, or a tuple of them, one per axis. `noise`: a number >= 0.
    `keep`: a number between 0 and 1, both left out. `baseline`: a number or an array of numbers, all finite as float32.

    Raises:
        TypeError: One is of the wrong type.
        ValueError: One is out of its range.
    """
    for name, value in options.items():
        _CHECKS[name](name, value)


def floats_of(x: Any) -> Array:
    """Convert inputs `(n, ...)` to floats without loss: float32; float64 for float64 and integers of more than 16 bits.

    Raises:
        TypeError: `x` holds no real numbers.
        ValueError: `x` has no axis of rows.
    """
    values = np.asarray(x)
    if values.dtype.kind in "OSUMmc":
        raise TypeError(f"x: expected an array of real numbers, got {values.dtype}.")
    if values.ndim == 0:
        raise ValueError("x: must be (n, ...), one input a row, got a single number.")
    return values.astype(np.result_type(values.dtype, np.float32), copy=False)


def baseline_like(baseline: Any, x: Array) -> Array:
    """Broadcast the baseline, the input that represents the absence of information, to all rows.

    Args:
        baseline: A number, or an array of the shape of one input or of all of `x`; finite.
        x: `(n, ...)` floats.

    Returns:
        `x`'s shape and type; read-only where rows share it.

    Raises:
        TypeError: The baseline holds no numbers.
        ValueError: It is not finite, or of another shape.
    """
    check_values(baseline=baseline)
    given = np.asarray(baseline)
    if given.shape not in ((), x.shape[1:], x.shape):
        raise ValueError(
            f"baseline: expected a number, one input's shape {x.shape[1:]} or x's shape {x.shape}, got {given.shape}; "
            "np.broadcast_to spreads one that is smaller."
        )
    return np.broadcast_to(given.astype(x.dtype), x.shape)


def check_spatial(spatial: tuple[int, ...], x: Array) -> None:
    """Check the axes of positions of `x`; the others after the first are channels.

    ValueError if they are not one or more axes of `x` after the first, each once, in their order in `x`.
    """
    axes = tuple(spatial)
    if not axes or list(axes) != sorted(set(axes)) or axes[0] < 1 or axes[-1] >= x.ndim:
        raise ValueError(
            f"spatial={axes}: expected axes between 1 and {x.ndim - 1} of an array of shape {x.shape}, at least one, "
            "in ascending order."
        )


def check_answer(answer: Any, shape: tuple[int, ...], name: str) -> Array:
    """Convert what a callable returned to an array; ValueError if its shape is not the expected one."""
    given = np.asarray(answer)
    if given.shape != shape:
        raise ValueError(f"{name}: must return an array of shape {shape} for these rows, got {given.shape}.")
    return given


def to_float32(values: Array) -> NDArray[np.float32]:
    """Convert to float32; numbers beyond its range become infinite, without a warning."""
    with np.errstate(invalid="ignore", over="ignore"):
        return values.astype(np.float32)


def _extent(name: str, value: Any) -> None:
    if value is None:
        return
    several = isinstance(value, tuple | list)
    if several and not value:
        raise ValueError(f"{name}={value!r}: expected a whole number, or one for each axis of positions.")
    for part in value if several else (value,):
        whole_number(part, name, minimum=1, shown=value)


def _real(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{name}={value!r}: expected a number, got {type(value).__name__}.")
    return _as_float(value)


def _as_float(value: Any) -> float:
    """Convert to float; infinity for an int beyond the range of floats."""
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _noise(name: str, value: Any) -> None:
    if not 0 <= _real(name, value) < np.inf:
        raise ValueError(f"{name}={value}: expected a finite number of at least 0, a fraction of the input's range.")


def _share(name: str, value: Any) -> None:
    if not 0 < _real(name, value) < 1:
        raise ValueError(f"{name}={value}: expected a number between 0 and 1, both left out.")


def _baseline(name: str, value: Any) -> None:
    try:
        given = np.asarray(_as_float(value) if type(value) is int else value)
    except ValueError as error:
        raise TypeError(f"{name}: expected a number or an array of numbers, got rows of unequal length.") from error
    if given.dtype.kind not in "iuf":
        received = repr(value) if given.ndim == 0 else f"an array of {given.dtype}"
        raise TypeError(f"{name}: expected a number or an array of numbers, got {received}.")
    if not (np.abs(given) <= np.finfo(np.float32).max).all():
        raise ValueError(f"{name}: must be finite, but holds NaN, infinity or what is infinite as float32.")


def _counted(most: int, reason: str) -> Callable[[str, Any], None]:
    """A check for a whole number from 1 to `most`; `reason` completes the error of a larger one."""

    def check(name: str, value: Any) -> None:
        if whole_number(value, name, minimum=1) > most:
            raise ValueError(f"{name}={value}: expected at most {most:,}{reason}.")

    return check


_passes = _counted(100_000, "; each is a pass over every input")  # more would take hours a step
_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "steps": lambda name, value: None if value is None else _passes(name, value),
    "samples": _passes,
    "cells": _counted(1000, ", and fewer than an input has positions"),  # more would exhaust the memory
    "seed": lambda name, value: whole_number(value, name, minimum=0),
    "patch": _extent,
    "stride": _extent,
    "noise": _noise,
    "keep": _share,
    "baseline": _baseline,
}
