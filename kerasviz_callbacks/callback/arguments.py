"""Validation of user arguments, before training begins."""

from __future__ import annotations

import os
from typing import Any

import numpy as np


def whole_number(value: Any, argument: str, *, minimum: int) -> int:
    """Return `value` as an `int`.

    Args:
        value: an `int` or a numpy integer.
        argument: the user's name for it, used in the error message.
        minimum: the smallest allowed value.

    Raises:
        TypeError: `value` is not an integer (a bool is not).
        ValueError: `value` is below `minimum`.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{argument}={value!r}: expected a whole number, got {type(value).__name__}.")
    if value < minimum:
        raise ValueError(f"{argument}={value}: expected at least {minimum}.")
    return int(value)


def one_of(value: Any, argument: str, *allowed: str | None) -> None:
    """Check that `value` is one of `allowed`.

    Args:
        value: any object, an array too.
        argument: the user's name for it, used in the error message.
        allowed: the valid values.

    Raises:
        ValueError: `value` is none of them.
    """
    if not isinstance(value, (str, type(None))) or value not in allowed:
        *others, last = ["None" if one is None else f'"{one}"' for one in allowed]
        raise ValueError(f"{argument}={value!r}: expected {', '.join(others)} or {last}.")


def directory(value: Any, argument: str) -> str:
    """Return a path as a string.

    Raises:
        TypeError: `value` is neither a string nor a path.
    """
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"{argument}={value!r}: expected a path, got {type(value).__name__}.")
    return os.fspath(value)
