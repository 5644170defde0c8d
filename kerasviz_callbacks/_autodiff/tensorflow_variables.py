"""TensorFlow: which variables a graph may change, and whether variables have changed."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from .tensorflow_private import private

try:
    from isal.isal_zlib import crc32  # six times as fast
except ImportError:
    crc32 = zlib.crc32

# What a graph does with a variable that leaves it as it was; whatever else touches one is taken to change it.
_READS = frozenset({"ReadVariableOp", "ResourceGather", "ResourceGatherNd", "VariableShape", "VarIsInitializedOp"})


def changed_variables(concrete: Any) -> list[tf.Variable]:
    """The variables that a concrete function may assign: a sampling layer's seed state, a counter, running averages."""
    captures = private("captures", concrete.graph)
    if captures is None:
        return list(concrete.variables)
    by_handle = {id(variable.handle): variable for variable in concrete.variables}
    return [
        by_handle[id(outside)]
        for outside, inside in captures
        if id(outside) in by_handle and any(operation.type not in _READS for operation in inside.consumers())
    ]


def fingerprint(variables: Sequence[Any]) -> Callable[[], bytes]:
    """A function that says whether variables have changed: equal bytes for equal values, at memory speed.

    A checksum (CRC-32) of each variable's bytes, so that the place of a value counts too, and NaN equals itself. The
    values are read where they lie if that is on the processor, and copied from an accelerator otherwise. What cannot be
    read is left out.
    """
    return lambda: b"".join(map(_checksum, variables))


def _checksum(variable: Any) -> bytes:
    try:
        value = getattr(variable, "value", variable)
        tensor = tf.convert_to_tensor(value() if callable(value) else value)
        if tensor.shape.rank == 0:  # TensorFlow gives a scalar of bfloat16 as no array
            tensor = tf.reshape(tensor, (1,))
        array = np.asarray(tensor)  # copies nothing, as it would of a variable
        if array.dtype == object:  # text: the array holds only where it stands
            return crc32(repr(array.tolist()).encode()).to_bytes(4, "big")
        return crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8)).to_bytes(4, "big")
    except Exception:  # a kind of variable that has no one value, such as one that was deleted
        return b"none"
