"""Validation of user arguments, before training begins."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any


def one_of(value: Any, argument: str, *allowed: str | None) -> None:
    """Raise a `ValueError` unless `value`, any object, an array too, is one of `allowed`."""
    if not isinstance(value, (str, type(None))) or value not in allowed:
        *others, last = ["None" if one is None else f'"{one}"' for one in allowed]
        raise ValueError(f"{argument}={value!r}: expected {', '.join(others)} or {last}.")


def auto_or_bool(value: Any, argument: str) -> bool | str:
    """Return `"auto"`, True or False; anything else raises a `ValueError`."""
    if isinstance(value, bool) or (isinstance(value, str) and value == "auto"):
        return value
    raise ValueError(f'{argument}={value!r}: expected "auto", True or False.')


def tag_patterns(value: Any, argument: str) -> list[str] | None:
    """Return a list of patterns of tags, or None; anything else raises a `TypeError`."""
    if value is None:
        return None
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(one, str) for one in value):
        raise TypeError(f'{argument}={value!r}: expected a list of tags or patterns, such as ["activations/*"].')
    return list(value)


def directory(value: Any, argument: str) -> str:
    """Return a path as a string; anything but a string or a path raises a `TypeError`."""
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"{argument}={value!r}: expected a path, got {type(value).__name__}.")
    return os.fspath(value)
