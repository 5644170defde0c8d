"""Noting what layers put out, for the length of one forward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .. import _keras
from .layers import LayerRef, below

Note = Callable[[LayerRef, Any], Any]


@contextmanager
def call_hooks(model: Any, watched: Sequence[LayerRef], note: Note) -> Iterator[None]:
    """While open, each call of a watched layer hands its output to `note`, which gives what goes on.

    The wrapper stands in place of `layer.call` on the instance, so it works for every kind of model, nested, shared
    or subclassed, where `keras.Model(model.input, layer.output)` does not. All is as before afterwards: the layers,
    and the losses that they hold between two steps of the training.
    """
    restore_losses = _keras.keep_losses([model, *below(model)])
    put_back: list[Callable[[], None]] = []
    try:
        for ref in watched:
            for method in ("call", "quantized_call"):
                if hasattr(ref.layer, method):
                    put_back.append(_wrap(ref, method, note))
        yield
    finally:
        for restore in reversed(put_back):
            restore()
        restore_losses()


def _wrap(ref: LayerRef, method: str, note: Note) -> Callable[[], None]:
    # Through `__dict__`, past Keras' tracking of attributes, which would take the wrapper for a part of the model.
    own = vars(ref.layer)
    had, before = method in own, getattr(ref.layer, method)

    def recorder(*args: Any, **kwargs: Any) -> Any:
        return note(ref, before(*args, **kwargs))

    own[method] = recorder
    return lambda: own.__setitem__(method, before) if had else own.__delitem__(method)
