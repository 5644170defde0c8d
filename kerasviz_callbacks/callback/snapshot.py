"""Images of a model without `fit`: views run as they do during a fit, and write into memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras

from .._typing import Array
from ..draw.stack import stacked
from ..fit_context import FitContext
from ..record.memory import MemorySink
from ..taps.parts import is_built
from .types import TRAINING, Image
from .view_context import ViewContext

_NO_WEIGHTS = (
    'model: "{model}" has no weights yet, so there is nothing to see; call it once on data, such as model(x[:1]), or '
    "give it an Input."
)


def snapshot(views: Sequence[Any] | Callable[[FitContext], Sequence[Any]], model: Any) -> list[Image]:
    """Draw the views of a model with its current weights; neither model nor views change.

    The views may be a callable that selects them, given the `FitContext` that they share. The images come in the order
    of the views, of each validation data before training data.

    Raises:
        TypeError: `model` is not a Keras model.
        ValueError: `model` has no weights yet, or an argument of a view is invalid for it.
        RuntimeError: a view is taking part in a fit.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"model: expected a keras.Model, got {type(model).__name__}.")
    if not is_built(model, partly=True):
        raise ValueError(_NO_WEIGHTS.format(model=model.name))
    with FitContext.alone(model) as fit:
        contexts = [_context(view, fit) for view in (views(fit) if callable(views) else views)]
        for context in contexts:  # prepare all before the first forward pass, so that they share it
            if not context.prepare():
                raise ValueError(_NO_WEIGHTS.format(model=model.name))
        for context in contexts:
            context.show()
        fit.wait()
        return [image for context in contexts for image in _images(context)]


def _context(view: Any, fit: FitContext) -> ViewContext:
    """Create a context that writes into memory and raises errors."""
    if view.in_fit:
        name = type(view).__name__
        raise RuntimeError(
            f"{name} is in a fit, which goes on with what it remembers: look at TensorBoard, or make another {name} "
            "for the picture. If that fit was ended by an exception, call its abandon() first."
        )
    fit.probes.update({key: probe for key, probe in view.known_probes.items() if key not in fit.probes})
    view.known_probes = fit.probes
    known = view.result is not None and view.result.model() is fit.model
    context = ViewContext(view, fit.model, dict(view.result.params) if known else {}, fit=fit)
    context.failures.on_error = "raise"
    context.writer.sinks = [MemorySink()]
    return context


def _images(context: ViewContext) -> list[Image]:
    """Return the drawn images, validation data before training data."""
    context.failures.report(context.writer.sinks)
    context.view.context = None
    sink: Any = context.writer.sinks[0]
    found = [
        Image(run, tag, next(reversed(steps.values())), sink.descriptions[run, tag])
        for (run, tag), steps in sink.pictures.items()
    ]
    return sorted(found, key=lambda image: image.source == TRAINING)


def by_name(images: Sequence[Image]) -> dict[str, Array]:
    """Return images by `"<run>/<tag>"`."""
    return {f"{one.source}/{one.tag}": one.picture for one in images}


def one_picture(images: Sequence[Image], tag: str | None) -> Array:
    """Stack all images, or those with a tag, vertically; images of several runs get the run's name as a heading.

    Raises:
        ValueError: no image has this tag.
    """
    found = [one for one in images if tag in (None, one.tag, f"{one.source}/{one.tag}")]
    if not found:
        tags = ", ".join(f'"{one}"' for one in dict.fromkeys(one.tag for one in images))
        raise ValueError(f"tag={tag!r}: no such picture; expected one of {tags or 'none: nothing was drawn'}.")
    several = len({one.source for one in found}) > 1
    return stacked([one.picture for one in found], [one.source for one in found] if several else None)
