"""The few lines in which a framework computes, differentiates and compiles.

One module per framework, chosen by `keras.backend.backend()`. Nothing else in the package imports a framework. Adding
one means a module with the names of `tensorflow.py`.

tensorflow              compile one pass, find what feeds the softmax
tensorflow_gradients    gradients of scores and losses
tensorflow_random       random states that a pass must leave as they were
tensorflow_sampling     the user's own sampling, with the same random numbers at every call
tensorflow_variables    which variables a graph changes; a fingerprint of variables
tensorflow_private      where private names are looked up

Private names of TensorFlow, and what they tell: `get_gradient_function` on which layers a score depends; `captures`
the variables that a graph may assign; `_dataset`, `_inputs`, `_functions` whether a live `tf.data` iterator runs Python
functions. `context`, `_seed`, `_rng` give random operations that run eagerly seeds of our own, `gen_random_ops` has
these operations. Each is looked up through `tensorflow_private.private`, which warns once of what is lost if it is
missing; training goes on.

Undocumented attributes of graphs (`ConcreteFunction.graph` and `.variables`, `Tensor.consumers`, `Variable.handle`) are
read while a pass is compiled: without them the readers run the model eagerly, with a warning.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import keras

SUPPORTED = ("tensorflow",)


class ImpossibleError(ValueError):
    """What is asked of the model cannot be had, in whichever way it is run."""


def framework() -> Any:
    """The module of the framework that Keras runs on; NotImplementedError if it has no module here yet."""
    name = keras.backend.backend()
    if name not in SUPPORTED:
        raise NotImplementedError(
            f'Keras backend "{name}": kerasviz_callbacks reads models on {", ".join(SUPPORTED)} so far; '
            'set KERAS_BACKEND="tensorflow" before Keras is imported.'
        )
    return import_module(f"{__name__}.{name}")
