"""Checks of arguments that every part of the package shares."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np


def integer(value: Any) -> int | None:
    """A whole number of any integer type (Python's, numpy's, a tensor's) as an int; `None` for anything else.

    True and False are no whole numbers here.
    """
    if isinstance(value, (bool, np.bool_)):
        return None
    try:
        return operator.index(value)
    except Exception:  # a tensor of floats raises whatever its framework raises
        return None


def whole_number(value: Any, argument: str, *, minimum: int, shown: Any = None) -> int:
    """A whole number of at least `minimum`.

    Args:
        value: what the user passed.
        argument: its name, for the error.
        minimum: the smallest number allowed.
        shown: what the error shows in place of `value`, such as the tuple that holds it.

    Raises:
        TypeError: it is no whole number (True is none).
        ValueError: it is less than `minimum`.
    """
    shown = value if shown is None else shown
    whole = integer(value)
    if whole is None:
        raise TypeError(f"{argument}={shown!r}: expected a whole number, got {type(value).__name__}.")
    if whole < minimum:
        raise ValueError(f"{argument}={shown}: expected at least {minimum}.")
    return whole
