"""Checks of what the user passed, before training begins."""

from __future__ import annotations

import os
from typing import Any

import numpy as np


def whole_number(value: Any, argument: str, *, least: int) -> int:
    """A whole number of at least `least`; else TypeError or ValueError."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{argument}={value!r}: expected a whole number, got {type(value).__name__}.")
    if value < least:
        raise ValueError(f"{argument}={value}: expected at least {least}.")
    return int(value)


def directory(value: Any, argument: str) -> str:
    """A path as text; else TypeError."""
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"{argument}={value!r}: expected a path, got {type(value).__name__}.")
    return os.fspath(value)
