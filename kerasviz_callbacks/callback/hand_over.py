"""What a view does of a step on the training thread: take, and hand over to the worker what can be done there."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from .fit import Fit, held_bytes
from .types import Measured
from .work import work

if TYPE_CHECKING:
    from .view import View


def hand_over(
    view: View, fit: Fit, step: int, *, note: str, captured: Any, logs: Mapping[str, Any] | None
) -> Mapping[str, Measured]:
    """Take what is needed of the model, unless that was done, and hand it over.

    Args:
        view: the view.
        fit: that is under way.
        step: the epoch.
        note: what stands in the strip of changing figures beside the view's own.
        captured: by source, what was taken already; `None`: nothing yet.
        logs: what Keras says of the epoch, for a view that listens.

    Returns:
        What was measured, of a view that publishes; empty where measuring is left to the worker, or was not possible.
    """
    fit_context = fit.fit_context
    must = step == fit.force_step or step == (view.params or {}).get("epochs", 0) - 1
    found: Mapping[str, Measured] = {}
    try:
        view._report()
        if logs is not None:
            view.on_logs(step, logs)
        view._prepare_if_ready()
        if not fit.prepared:
            return {}
        drawn = view.due(step) and fit_context.work.draws(step, must=must)
        with fit_context.frozen_weights() as weights:
            captured = view.capture(step) if captured is None else captured
        measure, size = partial(measured, view, captured, step), held_bytes(captured)
    except Exception as error:
        view._failures.add("take", error)
        view._report()
        return {}
    if view.publishes:
        found = _measured_now(view, captured, step)
        measure, size = partial(dict, found), held_bytes(found)
    job = partial(work, view, fit, measure, step, note=note, weights=weights, draw=drawn)
    fit_context.work.submit(job, step=step, size=size, drawn=drawn)
    fit.last_observed_step = step
    return found


def _measured_now(view: View, captured: Mapping[str, Any], step: int) -> dict[str, Measured]:
    """The sources that can be measured; what fails is told at once."""
    found = {}
    for source, of_source in captured.items():
        try:
            found[source] = view.measure(of_source, source, step)
        except Exception as error:
            view._failures.add("measure", error)
    view._report()
    return found


def measured(view: View, captured: Mapping[str, Any], step: int) -> dict[str, Measured]:
    """Every source, measured."""
    return {source: view.measure(found, source, step) for source, found in captured.items()}
