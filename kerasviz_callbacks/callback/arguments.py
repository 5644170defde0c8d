"""Checks of what the user passed, before training begins."""

from __future__ import annotations

import os
from typing import Any

from .._arguments import whole_number as whole_number


def one_of(value: Any, argument: str, *allowed: str | None) -> None:
    """Raise ValueError unless the value is one of those allowed; it may be anything, an array too."""
    if not isinstance(value, (str, type(None))) or value not in allowed:
        *others, last = ["None" if one is None else f'"{one}"' for one in allowed]
        raise ValueError(f"{argument}={value!r}: expected {', '.join(others)} or {last}.")


def directory(value: Any, argument: str) -> str:
    """A path as text; else TypeError."""
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"{argument}={value!r}: expected a path, got {type(value).__name__}.")
    return os.fspath(value)
