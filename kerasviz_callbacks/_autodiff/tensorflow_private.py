"""Private names of TensorFlow: looked up here only, so that a TensorFlow without one costs a feature, never a fit."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class PrivateName:
    """A name that TensorFlow does not document, and may drop."""

    owner: str  # the module or the class that has it
    attribute: str
    without: str  # what is missing without it, for the warning


_TRACED_AGAIN = "layers on which a score depends are found by tracing the model once more, which is slower"
_TRAINING_MOVED = "random operations of TensorFlow in a model that is run eagerly change the training's random numbers"
_ALL_RESTORED = "every variable of a model is copied and restored around a pass, which is slower"
_NOT_RESTORED = (
    "random numbers that a model draws from `random` or `numpy.random` are not given back while a tf.data iterator is "
    "alive"
)
_DRAWN_ANEW = "pictures that are sampled by eager random operations of TensorFlow differ from step to step by these too"
PRIVATE_NAMES = {
    name.attribute: name
    for name in (
        PrivateName("tensorflow.python.framework.ops", "get_gradient_function", _TRACED_AGAIN),
        PrivateName("tensorflow.python.eager.context", "context", _TRAINING_MOVED),
        PrivateName("tensorflow.python.eager.context.Context", "_seed", _TRAINING_MOVED),
        PrivateName("tensorflow.python.eager.context.Context", "_rng", _TRAINING_MOVED),
        PrivateName("tensorflow.python.framework.func_graph.FuncGraph", "captures", _ALL_RESTORED),
        PrivateName("tensorflow.python.data.ops.iterator_ops.OwnedIterator", "_dataset", _NOT_RESTORED),
        PrivateName("tensorflow.data.Dataset", "_inputs", _NOT_RESTORED),
        PrivateName("tensorflow.data.Dataset", "_functions", _NOT_RESTORED),
        PrivateName("tensorflow.python.ops", "gen_random_ops", _DRAWN_ANEW),
    )
}
_warned: set[str] = set()


def private(name: str, owner: Any = None) -> Any | None:
    """The attribute, of `owner` or else of the module that `PRIVATE_NAMES` gives for this name.

    `None`, and a warning once in a process, where TensorFlow does not have it.
    """
    known = PRIVATE_NAMES[name]
    try:
        return getattr(import_module(known.owner) if owner is None else owner, known.attribute)
    except (AttributeError, ImportError):
        if name not in _warned:
            _warned.add(name)
            warnings.warn(
                f"kerasviz_callbacks: this TensorFlow has no {known.owner}.{known.attribute}: {known.without}.",
                stacklevel=2,
            )
        return None
