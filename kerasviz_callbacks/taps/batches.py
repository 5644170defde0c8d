"""Rows of inputs in batches: cutting, and padding for models that were built for one size only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

Array = np.ndarray[Any, Any]


def fixed_rows(layers: Sequence[Any]) -> int | None:
    """The batch size of a model that was built for one only, by itself or by a model within it."""
    sizes = set()
    for layer in layers:
        # A Sequential without Input notes the size of the batch it was first called with, and takes any other.
        if not isinstance(layer, keras.Sequential) or any(getattr(one, "stateful", False) for one in layer.layers):
            sizes |= {tensor.shape[0] for tensor in keras.tree.flatten(getattr(layer, "inputs", None) or [])}
    sizes.discard(None)
    return int(sizes.pop()) if sizes else None


def unpadded(structure: Any, rows: int, padded: int | None) -> Any:
    """Without what comes of the rows that were added; a layer may put out several rows for each it gets."""
    if padded is None or rows == padded:
        return structure
    return keras.tree.map_structure(lambda array: array[: len(array) * rows // padded], structure)


def cut_rows(structure: Any, start: int, stop: int, *, pad: int | None = None) -> Any:
    """The rows from `start` to `stop` of every array, the last one repeated up to `pad` rows."""

    def cut(array: Array) -> Array:
        rows = np.asarray(array)[start:stop]
        missing = (pad or 0) - len(rows)
        return np.concatenate([rows, np.repeat(rows[-1:], missing, axis=0)]) if missing > 0 else rows

    return keras.tree.map_structure(cut, structure)
