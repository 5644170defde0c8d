"""What a view does on the worker: measure, write, draw, and at the end of training the animation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..record.png import encode
from .fit import Fit, Last
from .numbers import Drawn

if TYPE_CHECKING:
    from .view import View


def work(view: View, fit: Fit, taken: dict[str, Any], step: int, *, note: str, weights: bytes, draw: bool) -> None:
    """Measure every source, then draw; a failure of one stage is told on the training thread.

    Args:
        view: the view.
        fit: where it writes.
        taken: by source, what the view took of the model.
        step: the epoch.
        note: what stands in the strip of changing figures beside the view's own.
        weights: a fingerprint of the weights.
        draw: whether this step is drawn, not only measured.
    """
    stage, measured = "measure", {}
    try:
        for source, found in taken.items():
            measured[source] = view.measure(found, source, step)
            if note:
                measured[source] = replace(measured[source], note=note)
        view._last = Last(measured, weights)
        stage = "write"
        for source, one in measured.items():
            for tag, value in one.scalars.items():
                fit.log.scalar(source, tag, step, value, view.describe(tag))
        if draw:
            stage = "draw"
            for drawn in view.draw(measured):
                _record(fit, drawn, step)
            stage = "write"
            for source, points in view.points(measured):
                fit.log.points(source, points)
    except Exception as error:
        view._failures.add(stage, error)
    finally:
        _flush(view, fit)


def animate(view: View, fit: Fit) -> None:
    """Write the animation of all that was drawn."""
    try:
        if fit.timelapse is not None:
            fit.timelapse.write(fit.log, fit.save_dir)
    except Exception as error:
        view._failures.add("write the timelapse", error)
    finally:
        _flush(view, fit)


def _record(fit: Fit, drawn: Drawn, step: int) -> None:
    png = encode(drawn.picture)
    fit.log.encoded(drawn.source, drawn.tag, step, png, drawn.description, save_dir=fit.save_dir)
    if fit.timelapse is not None:
        fit.timelapse.add(drawn, step, png)


def _flush(view: View, fit: Fit) -> None:
    try:
        fit.log.flush()
    except OSError as error:
        view._failures.add("write", error)
