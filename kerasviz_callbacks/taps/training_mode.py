"""Models that cannot be run with `training=False`: found by trying the other ways, when reading a model fails."""

from __future__ import annotations

from collections.abc import Callable
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
    """Raise TrainingOnlyError, naming the layer if known, for a model that runs, but not with `training=False`.

    Called after such an attempt failed; `run` runs a function of the inputs on symbols.
    """
    refused = _attempt(model, run, {"training": False})
    if refused.error is None:
        return
    for how, arguments in (("with training=True", {"training": True}), ("without the argument `training`", {})):
        other = _attempt(model, run, arguments)
        if other.error is None:
            raise TrainingOnlyError(_message(model, refused, other, how)) from refused.error


def _message(model: Any, refused: _Attempt, other: _Attempt, how: str) -> str:
    pairs = zip(refused.outputs, other.outputs, strict=False)
    layer = next((ref for (ref, found), (its, trained) in pairs if ref.path == its.path and found != trained), None)
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

    def note(ref: LayerRef, output: Any, given: Any) -> Any:
        # Of what structure the output is, and of how many axes each of its tensors.
        axes = keras.tree.map_structure(lambda one: None if one is None else len(getattr(one, "shape", ())), output)
        attempt.outputs.append((ref, str(axes)))
        return output

    def note_error(ref: LayerRef, error: Exception) -> None:
        if attempt.raised is None:
            attempt.raised, attempt.reason = ref, _in_words(error)

    def body(inputs: Any) -> None:
        attempt.outputs.clear()  # where the model cannot be traced it is run a second time, eagerly
        attempt.raised, attempt.reason = None, ""
        with call_hooks(model, list_layers(model), note, note_error):
            model(inputs, **arguments)

    try:
        run(body)
    except Exception as error:
        attempt.error = error
    return attempt


def _in_words(error: Exception | None) -> str:
    kind, message = type(error).__name__, "" if error is None else short_message(error)
    return kind if message in ("", kind) else f"{kind}: {message}"
