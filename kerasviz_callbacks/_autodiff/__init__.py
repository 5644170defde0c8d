"""The few lines in which a framework computes, differentiates and compiles.

One module per framework, chosen by `keras.backend.backend()`. Nothing else in the package imports a framework. Adding
one means a module with the names of `tensorflow.py`.

tensorflow              compile one pass, find what feeds the softmax
tensorflow_gradients    gradients of scores and losses
tensorflow_random       random states that a pass must leave as they were
tensorflow_variables    which variables a graph changes; a fingerprint of variables
tensorflow_private      where private names are looked up

Private names of TensorFlow, with the reason and what happens without them. Each is looked up through
`tensorflow_private.private`, which warns once if it is missing; training goes on.

`get_gradient_function`
    Used to tell which layers a score depends on. Without it: the model is traced once more, which is slower.
`context`, `_seed`, `_rng`
    Used to give random operations that run eagerly seeds of our own. Without them: they change the training's.
`captures`
    Used to find the variables that a graph may assign. Without it: all of them are restored, which is slower.
`_dataset`, `_inputs`, `_functions`
    Used to tell whether a live `tf.data` iterator runs Python functions. Without them: the random states of Python and
    numpy are not restored while an iterator is alive.

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
    """The module of the framework that Keras runs on.

    Raises:
        NotImplementedError: Keras runs on a framework that has no module here yet.
    """
    name = keras.backend.backend()
    if name not in SUPPORTED:
        raise NotImplementedError(
            f'Keras backend "{name}": kerasviz_callbacks reads models on {", ".join(SUPPORTED)} so far; '
            'set KERAS_BACKEND="tensorflow" before Keras is imported.'
        )
    return import_module(f"{__name__}.{name}")
