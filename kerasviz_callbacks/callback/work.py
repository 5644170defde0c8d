"""What a view does on the worker: measure, write, draw, and at the end of training the animation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ..record.png import encode
from .fit import Fit, Last
from .types import Measured

if TYPE_CHECKING:
    from .view import View

Measure = Callable[[], Mapping[str, Measured]]


def work(view: View, fit: Fit, measure: Measure, step: int, *, note: str, weights: bytes, draw: bool) -> None:
    """Measure, then write and draw; a failure of one stage is told on the training thread.

    Args:
        view: the view.
        fit: where it writes.
        measure: gives what was measured, by source.
        step: the epoch.
        note: what stands in the strip of changing figures beside the view's own.
        weights: a fingerprint of the weights.
        draw: whether this step is drawn, not only measured.
    """
    try:
        found = measure()
    except BaseException as error:  # `sys.exit` in a function of the user's too: on this thread it would end nothing
        view._failures.add("measure", error)
        return
    if note:
        found = {source: replace(one, note=note) for source, one in found.items()}
    view._last = Last(step, found, weights)
    _attempt(view, fit, "write figures", _metrics)
    if draw:
        drawn_last(view, fit, step)


def drawn_last(view: View, fit: Fit, step: int) -> None:
    """Draw what was measured last, if it is of this step: measuring may have failed."""
    if view._last is not None and view._last.step == step:
        _attempt(view, fit, "draw", _pictures)
        _attempt(view, fit, "write points", _points)


def _attempt(view: View, fit: Fit, stage: str, write: Callable[[View, Fit, Last], None]) -> None:
    if view._last is not None:
        try:
            write(view, fit, view._last)
        except BaseException as error:
            view._failures.add(stage, error)


def animate(view: View, fit: Fit) -> None:
    """Write the animation of all that was drawn."""
    try:
        if fit.timelapse is not None:
            fit.timelapse.write(fit.log, fit.save_dir)
    except BaseException as error:
        view._failures.add("write the timelapse", error)


# One thing at a time is written, and what the disk refuses is noted: the next may find room.


def _metrics(view: View, fit: Fit, last: Last) -> None:
    for source, one in last.measured.items():
        for tag, value in one.scalars.items():
            about = view.describe(tag)
            with fit.log.losses.noted():
                fit.log.scalar(source, tag, last.step, value, about)


def _pictures(view: View, fit: Fit, last: Last) -> None:
    for drawn in view.draw(last.measured):
        png = encode(drawn.picture)
        with fit.log.losses.noted():
            fit.log.encoded(drawn.source, drawn.tag, last.step, png, drawn.description, save_dir=fit.save_dir)
        if fit.timelapse is not None:
            fit.timelapse.add(drawn, last.step, png)


def _points(view: View, fit: Fit, last: Last) -> None:
    for source, points in view.points(last.measured):
        with fit.log.losses.noted():
            fit.log.points(source, points)
