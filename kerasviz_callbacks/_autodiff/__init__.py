"""The few lines in which a framework computes, differentiates and compiles.

One module a framework, chosen by `keras.backend.backend()`. Nothing else in the package imports a framework, and
nothing else needs to change when another one is added: it gives the same names as `tensorflow.py`.
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
