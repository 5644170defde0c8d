"""What speaks against the inputs of a model, told by the name under which the user passed them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from ..probe.messages import short_message
from .training_mode import TrainingOnlyError


def check_types(model: Any, inputs: Any) -> None:
    """Raise TypeError for text where a model says that it takes numbers: tracing alone would not notice."""
    captured = keras.tree.flatten(getattr(model, "inputs", None) or [])
    fed = keras.tree.flatten(inputs)
    if len(captured) != len(fed):
        return  # Keras will say so
    for tensor, array in zip(captured, fed, strict=True):
        if array.dtype.kind in "SUTO" and keras.backend.standardize_dtype(tensor.dtype) != "string":
            raise TypeError(f'input "{tensor.name}" takes {tensor.dtype}, got text')


@contextmanager
def blame_argument(argument: str, model: Any) -> Iterator[None]:
    """While a reader is made: what speaks against the inputs is told by the name under which the user passed them.

    Args:
        argument: that name, such as `"validation_data"`.
        model: the model.

    Raises:
        ValueError: the model cannot be run on them.
    """
    try:
        yield
    except (NotImplementedError, TrainingOnlyError):  # another backend; a model that cannot be run on any data
        raise
    except Exception as error:
        raise ValueError(
            f'{argument}: model "{model.name}" cannot be run on it: {short_message(error)}; pass inputs as the model '
            "is fed."
        ) from error
