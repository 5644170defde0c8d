"""Errors in the inputs of a model, reported under the user's name for the argument."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from ..probe.messages import short_message
from .training_mode import TrainingOnlyError


class PartsError(ValueError):
    """A model without `call` has no part, or several, that its data run through; `reason` says which."""

    def __init__(self, message: str, reason: str):
        super().__init__(message)
        self.reason = reason


def check_types(model: Any, inputs: Any) -> None:
    """Raise TypeError for text where a model declares numeric inputs, which tracing alone would not detect."""
    captured = keras.tree.flatten(getattr(model, "inputs", None) or [])
    fed = keras.tree.flatten(inputs)
    if len(captured) != len(fed):
        return  # Keras reports it
    for tensor, array in zip(captured, fed, strict=True):
        if array.dtype.kind in "SUTO" and keras.backend.standardize_dtype(tensor.dtype) != "string":
            raise TypeError(f'input "{tensor.name}" takes {tensor.dtype}, got text')


@contextmanager
def blame_argument(argument: str, model: Any) -> Iterator[None]:
    """Report errors of a new reader under the name of the argument that holds the inputs, as a ValueError."""
    try:
        yield
    except (NotImplementedError, PartsError, TrainingOnlyError):  # another backend; a model that no data fit
        raise
    except Exception as error:
        raise ValueError(
            f'{argument}: model "{model.name}" cannot be run on it: {short_message(error)}; pass inputs as the model '
            "is fed."
        ) from error
