"""Models that cannot be run with `training=False`: found by trying the other ways, when reading a model fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras

from ..probe.messages import short_message
from .call_hooks import call_hooks
from .layers import LayerRef, list_layers


class TrainingOnlyError(ValueError):
    """A model or a layer in it cannot be run with `training=False`; the data are not at fault."""


Run = Callable[[Callable[[Any], None]], Any]


@dataclass
class _Attempt:
    """What the layers of a model did in one attempt to run it."""

    outputs: list[tuple[LayerRef, str]] = field(default_factory=list)  # in the order in which the calls ended
    raised: LayerRef | None = None  # the innermost layer whose `call` raised
    reason: str = ""
    error: Exception | None = None


def check_training_only(model: Any, run: Run) -> None:
    """Raise where a model that could not be run with `training=False` can be run otherwise.

    Args:
        model: the model, after the attempt that failed.
        run: runs a function of the inputs on symbols.

    Raises:
        TrainingOnlyError: so it is; the message names the layer, where one can be told.
    """
    refused = _attempt(model, run, {"training": False})
    if refused.error is None:
        return
    for how, arguments in (("with training=True", {"training": True}), ("without the argument `training`", {})):
        other = _attempt(model, run, arguments)
        if other.error is None:
            raise TrainingOnlyError(_message(model, refused, other, how)) from refused.error


def _message(model: Any, refused: _Attempt, other: _Attempt, how: str) -> str:
    layer = _first_difference(refused.outputs, other.outputs)
    reason = "its output has another structure than in training"
    if layer is None:
        layer, reason = refused.raised, refused.reason or _in_words(refused.error)
    what = "it" if layer is None else f'layer "{layer.path}" ({type(layer.layer).__name__})'
    return (
        f'model "{model.name}" runs {how}, but not with training=False: {what} has no inference mode ({reason}). The '
        "data are not at fault: let `call` take training=False and handle it, as `predict` and `evaluate` need it too."
    )


def _attempt(model: Any, run: Run, arguments: dict[str, bool]) -> _Attempt:
    attempt = _Attempt()

    def body(inputs: Any) -> None:
        attempt.outputs.clear()  # where the model cannot be traced it is run a second time, eagerly
        attempt.raised, attempt.reason = None, ""
        with _observed(model, attempt):
            model(inputs, **arguments)

    try:
        run(body)
    except Exception as error:
        attempt.error = error
    return attempt


@contextmanager
def _observed(model: Any, attempt: _Attempt) -> Iterator[None]:
    """While open, outputs of layers and the innermost error are noted."""

    def note(ref: LayerRef, output: Any) -> Any:
        attempt.outputs.append((ref, _structure(output)))
        return output

    def note_error(ref: LayerRef, error: Exception) -> None:
        if attempt.raised is None:
            attempt.raised, attempt.reason = ref, _in_words(error)

    with call_hooks(model, list_layers(model), note, note_error):
        yield


def _in_words(error: Exception | None) -> str:
    kind, message = type(error).__name__, "" if error is None else short_message(error)
    return kind if message in ("", kind) else f"{kind}: {message}"


def _structure(output: Any) -> str:
    """Of what structure an output is, and of how many axes each of its tensors."""
    return str(
        keras.tree.map_structure(lambda one: len(getattr(one, "shape", ())) if one is not None else None, output)
    )


def _first_difference(
    refused: Sequence[tuple[LayerRef, str]], trained: Sequence[tuple[LayerRef, str]]
) -> LayerRef | None:
    for (ref, structure), (other, expected) in zip(refused, trained, strict=False):
        if ref.path == other.path and structure != expected:
            return ref
    return None
