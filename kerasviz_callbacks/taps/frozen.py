"""Whether a layer's output stays the same while the model trains."""

from typing import Any

import keras

from .layers import below
from .reader import Reader


def is_frozen(reader: Reader, path: str) -> bool:
    """Whether training changes nothing that the output of a call, by its path, depends on.

    Every trainable variable of the model belongs to layers that are called after it only, and no layer up to it keeps
    statistics of its inputs while training. Where a variable cannot be told, it may change.
    """
    place = next((number for number, call in enumerate(reader.calls) if call.path == path), None)
    trainable = getattr(reader.model, "trainable_variables", None)
    if place is None or trainable is None:
        return False
    later = {call.path for call in reader.calls[place + 1 :]}
    inside = {id(layer) for layer in below(reader.calls[place].ref.layer)}
    leaves = reader.leaves()
    after = [one.ref.layer for one in leaves if one.path in later and id(one.ref.layer) not in inside]
    before = [one.ref.layer for one in leaves if one.path not in later or id(one.ref.layer) in inside]
    free = _ids(after) - _ids(before)
    return all(id(one) in free for one in trainable) and not any(_keeps_statistics(layer) for layer in before)


def _ids(layers: list[Any]) -> set[int]:
    return {id(variable) for layer in layers for variable in getattr(layer, "trainable_variables", ())}


def _keeps_statistics(layer: Any) -> bool:
    """Whether a layer may assign weights while training, as batch normalization does unless it is frozen."""
    adapted = isinstance(layer, keras.layers.Normalization)  # before training
    weights = getattr(layer, "non_trainable_weights", ())
    return bool(weights) and bool(getattr(layer, "trainable", True)) and not adapted
