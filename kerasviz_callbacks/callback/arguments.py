"""Validation of user arguments, before training begins."""

from __future__ import annotations

import os
from typing import Any


def one_of(value: Any, argument: str, *allowed: str | None) -> None:
    """Raise a `ValueError` unless `value`, any object, an array too, is one of `allowed`."""
    if not isinstance(value, (str, type(None))) or value not in allowed:
        *others, last = ["None" if one is None else f'"{one}"' for one in allowed]
        raise ValueError(f"{argument}={value!r}: expected {', '.join(others)} or {last}.")


def directory(value: Any, argument: str) -> str:
    """Return a path as a string; anything but a string or a path raises a `TypeError`."""
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"{argument}={value!r}: expected a path, got {type(value).__name__}.")
    return os.fspath(value)
