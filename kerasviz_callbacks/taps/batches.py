"""Slices of inputs, padded for models that were built for a fixed batch size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from .._typing import Array


def fixed_rows(layers: Sequence[Any]) -> int | None:
    """The fixed batch size of a model or of a model nested in it; `None` if it takes any."""
    sizes = set()
    for layer in layers:
        # A Sequential without Input keeps the size of the first batch it was called with, but accepts any other.
        if not isinstance(layer, keras.Sequential) or any(getattr(one, "stateful", False) for one in layer.layers):
            sizes |= {tensor.shape[0] for tensor in keras.tree.flatten(getattr(layer, "inputs", None) or [])}
    sizes.discard(None)
    return int(sizes.pop()) if sizes else None


def repeated(structure: Any, rows: int) -> Any:
    """Repeat the rows of every array cyclically, or cut them, to `rows` rows."""
    return keras.tree.map_structure(lambda array: np.asarray(array)[np.arange(rows) % len(array)], structure)


def remove_padding(structure: Any, rows: int, padded: int | None) -> Any:
    """Remove the outputs of padded rows; a layer may output several rows per input row."""
    if padded is None or rows == padded:
        return structure
    return keras.tree.map_structure(lambda array: array[: len(array) * rows // padded], structure)


def cut_rows(structure: Any, start: int, stop: int, *, pad: int | None = None) -> Any:
    """Slice the rows from `start` to `stop` of every array; repeat the last one up to `pad` rows."""

    def cut(array: Array) -> Array:
        rows = np.asarray(array)[start:stop]
        missing = (pad or 0) - len(rows)
        return np.concatenate([rows, np.repeat(rows[-1:], missing, axis=0)]) if missing > 0 else rows

    return keras.tree.map_structure(cut, structure)
