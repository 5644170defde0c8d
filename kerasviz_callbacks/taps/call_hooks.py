"""Hooks on the calls of layers, for the length of one forward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .. import _keras
from .layers import LayerRef, below

Note = Callable[[LayerRef, Any, Any], Any]
NoteError = Callable[[LayerRef, Exception], None]


@contextmanager
def call_hooks(
    model: Any, watched: Sequence[LayerRef], note: Note, note_error: NoteError | None = None
) -> Iterator[None]:
    """While open, each call of a watched layer passes its output and arguments to `note`, which returns the output.

    What a call raises is passed to `note_error` and raised on. `layer.call` is wrapped on the instance, so this works
    for every kind of model (nested, shared, subclassed), where `keras.Model(model.input, layer.output)` does not. On
    exit the layers are restored, and so are the losses that they hold between two training steps.
    """
    restore_losses = _keras.keep_losses([model, *below(model)])
    put_back: list[Callable[[], None]] = []
    try:
        for ref in watched:
            for method in ("call", "quantized_call"):
                if hasattr(ref.layer, method):
                    put_back.append(_wrap(ref, method, note, note_error))
        yield
    finally:
        for restore in reversed(put_back):
            restore()
        restore_losses()


def _wrap(ref: LayerRef, method: str, note: Note, note_error: NoteError | None) -> Callable[[], None]:
    # Through `__dict__`, since Keras' tracking of attributes would take the wrapper for a part of the model.
    own = vars(ref.layer)
    had, before = method in own, getattr(ref.layer, method)

    def recorder(*args: Any, **kwargs: Any) -> Any:
        try:
            output = before(*args, **kwargs)
        except Exception as error:
            if note_error is not None:
                note_error(ref, error)
            raise
        return note(ref, output, (args, kwargs))

    own[method] = recorder
    return lambda: own.__setitem__(method, before) if had else own.__delitem__(method)
