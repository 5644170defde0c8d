"""What views show of a model as it is now, outside of any fit."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import keras

from ..draw.stack import stacked
from ..fit_context import FitContext
from ..taps.layers import list_layers
from .failures import Failures
from .fit import Fit
from .types import TRAINING, UNTRAINED, Array, Image, Memory

if TYPE_CHECKING:
    from .view import View

_NO_WEIGHTS = (
    'model: "{model}" has no weights yet, so there is nothing to see; call it once on data, such as model(x[:1]), or '
    "give it an Input."
)


def snapshot(views: Sequence[View] | Callable[[FitContext], Sequence[View]], model: Any) -> list[Image]:
    """The pictures of views in their order, validation data before training data; model and views stay as they were.

    Args:
        views: the views, or what chooses them, given what they then share.
        model: a Keras model that has weights.

    Raises:
        TypeError: `model` is no Keras model.
        ValueError: it has no weights yet, or what a view finds wrong.
        RuntimeError: a view is in a fit.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"model: expected a keras.Model, got {type(model).__name__}.")
    if not _has_weights(model):
        raise ValueError(_NO_WEIGHTS.format(model=model.name))
    with FitContext.alone(model) as fit_context:
        chosen = views(fit_context) if callable(views) else views
        twins = [_working_copy(view, fit_context) for view in chosen]
        for twin in twins:  # all before the first pass, so that they share it
            if not twin.ready():
                raise ValueError(_NO_WEIGHTS.format(model=model.name))
            twin.prepare()
        return [drawn for twin, view in zip(twins, chosen, strict=True) for drawn in _drawn(twin, view)]


def _has_weights(model: Any) -> bool:
    """Whether all its layers are built; a model that is all `train_step` is never called itself."""
    layers = [ref.layer for ref in list_layers(model)]
    return bool(model.built or (layers and all(getattr(layer, "built", True) for layer in layers)))


def _working_copy(view: View, fit_context: FitContext) -> View:
    """A copy to work with: what it finds, takes and remembers leaves the view as it was."""
    name = type(view).__name__
    if view._fit is not None:
        raise RuntimeError(
            f"{name} is in a fit, which goes on with what it remembers: look at TensorBoard, or make another {name} "
            "for the picture. If that fit was ended by an exception, call its abandon() first."
        )
    twin = copy.copy(view)  # takes neither fit nor model along
    twin._failures = Failures()
    twin._fit = Fit(fit_context)
    known = view._remembers == id(fit_context.model)
    twin.memory = copy.deepcopy(view.memory) if known else Memory()
    twin.set_model(fit_context.model)
    twin.set_params(dict(view.params or {}) if known else {})
    fit_context.participants.append(twin)
    fit_context.probes.update({key: probe for key, probe in view._read.items() if key not in fit_context.probes})
    view._read = fit_context.probes
    return twin


def _drawn(twin: View, view: View) -> Iterator[Image]:
    """The last step once more while the weights are those of it, else one step more."""
    last = view._last if view._remembers == id(twin.model) else None
    if last is not None and last.weights == twin.fit_context.fingerprint():
        measured = dict(last.measured)
    else:
        step = UNTRAINED if last is None else last.step + 1
        twin._fit.force_step = step  # type: ignore[union-attr]
        if last is not None:
            twin.params["epochs"] = max(twin.params.get("epochs", 0), step + 1)
        captured = twin.capture(step)
        twin.check(captured)
        measured = {source: twin.measure(found, source, step) for source, found in captured.items()}
    yield from sorted(twin.draw(measured), key=lambda drawn: drawn.source == TRAINING)


def by_name(drawn: Sequence[Image]) -> dict[str, Array]:
    """Pictures by run and tag."""
    return {f"{one.source}/{one.tag}": one.picture for one in drawn}


def one_picture(drawn: Sequence[Image], tag: str | None) -> Array:
    """All pictures, or those of a tag, below each other; of several runs each under the name of its run.

    Raises:
        ValueError: no picture has this tag.
    """
    found = [one for one in drawn if tag in (None, one.tag, f"{one.source}/{one.tag}")]
    if not found:
        tags = ", ".join(f'"{one}"' for one in dict.fromkeys(one.tag for one in drawn))
        raise ValueError(f"tag={tag!r}: no such picture; expected one of {tags or 'none: nothing was drawn'}.")
    several = len({one.source for one in found}) > 1
    return stacked([one.picture for one in found], [one.source for one in found] if several else None)
