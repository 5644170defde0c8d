"""Errors in the inputs of a model, reported under the user's name for the argument."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from ..probe import Probe
from ..probe.messages import short_message
from .training_mode import TrainingOnlyError

_MORE_INPUTS = (
    " Of a tuple, the first member is x, the second y and the third sample weights; if all are inputs, put them "
    "together: data.map(lambda *inputs: (inputs,)) of a data set, ([a, b, c],) of arrays."
)


def _may_be_inputs(probe: Probe) -> bool:
    """Whether y has the shape of the one input."""
    fed, targets = keras.tree.flatten(probe.inputs), keras.tree.flatten(probe.targets)
    return len(fed) == 1 and bool(targets) and np.shape(targets[0]) == fed[0].shape


class PartsError(ValueError):
    """A model without `call` has no part, or several, that its data run through: `reason` and `remedy` say more."""

    def __init__(self, message: str, reason: str, remedy: str):
        super().__init__(message)
        self.reason, self.remedy = reason, remedy


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
def blame_argument(argument: str, model: Any, probe: Probe | None = None) -> Iterator[None]:
    """Report errors of a new reader under the name of the argument that holds the inputs, as a ValueError.

    If y of the probe looks like another input, as in a data set of anchors, positives and negatives, the error says how
    to pass several inputs.
    """
    try:
        yield
    except (NotImplementedError, PartsError, TrainingOnlyError):  # another backend; a model that no data fit
        raise
    except Exception as error:
        raise ValueError(
            f'{argument}: model "{model.name}" cannot be run on it: {short_message(error)}; pass inputs as the model '
            f"is fed.{_MORE_INPUTS if probe is not None and _may_be_inputs(probe) else ''}"
        ) from error
