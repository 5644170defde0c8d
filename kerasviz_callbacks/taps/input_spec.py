"""What a model is fed: the names of its inputs, and which of their axes are positions."""

from __future__ import annotations

import math
import re
from typing import Any

import keras

from ..maths.geometry import image_shape
from .reader import Reader

_NUMBERED = re.compile(r"(keras_tensor|input_layer|input)(_\d+)?")  # names that Keras makes up, new in every process


def input_names(model: Any, inputs: Any) -> list[str]:
    """A name for each input, in the order of `keras.tree.flatten`.

    The keys of a dict; else the names that the model's inputs were given; else `"input"`, or `"input_0"`, `"input_1"`.
    """
    count = len(keras.tree.flatten(inputs))
    if isinstance(inputs, dict) and len(inputs) == count:
        return sorted(str(key) for key in inputs)  # the order in which `flatten` takes a dict
    made_up = ["input"] if count == 1 else [f"input_{number}" for number in range(count)]
    given = [str(tensor.name) for tensor in keras.tree.flatten(getattr(model, "inputs", None) or [])]
    if len(given) != count or len(set(given)) != count:
        return made_up
    return [own if _NUMBERED.fullmatch(name) else name for name, own in zip(given, made_up, strict=True)]


def position_axes(reader: Reader, shape: tuple[int, ...]) -> int:
    """How many axes of an input `(n, *shape)` are positions, the rest being channels.

    The last axis is that of the channels, as everywhere in Keras. `(features,)` are positions each; and so is
    `(height, width)` where the model takes it for a picture: the first layer to change its shape adds a channel axis,
    or flattens what has the sides of a picture.

    Args:
        reader: of the model.
        shape: of one input, without the batch.
    """
    if len(shape) < 2:
        return len(shape)
    if len(shape) == 2 and _is_made_a_picture(reader, shape):
        return 2
    return len(shape) - 1


def _is_made_a_picture(reader: Reader, shape: tuple[int, ...]) -> bool:
    changed = [call for call in reader.calls if call.visible and call.shape != shape]
    if len(reader.input_shapes) > 1:  # the first of them may have changed another input
        changed = [call for call in changed if call.size == math.prod(shape)]
    if not changed:
        return False
    first = changed[0].shape
    return first == (*shape, 1) or (first == (math.prod(shape),) and image_shape(shape) is not None)
