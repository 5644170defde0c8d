"""`ViewContext`: one view during one fit: when it captures, measures and draws, and what its errors are."""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ..fit_context import FitContext, Participant
from ..record.console import say
from ..record.directories import check_writable
from ..record.notebook import shown_in_notebook
from ..taps.parts import find_part
from .failures import Failures
from .schedule import Schedule
from .stages import Stages
from .types import UNTRAINED, FitResult, LastStep, Measured, Memory, held_bytes
from .view_writer import ViewWriter


class ViewContext(Participant):
    """One view during one fit.

    It works on a copy of the view as the user created it, so that the state belongs to this fit: a worker that is still
    busy with it cannot interfere with the next fit. Without `fit`, it joins the fit of the model.

    Attributes:
        view: the working copy of the view.
        fit: state shared with the other callbacks of the fit.
        schedule: which steps are drawn.
        failures: errors not reported yet.
        writer: writes what is measured and drawn.
        last: the latest measurements.
        begun: whether the first epoch has begun.
    """

    def __init__(self, view: Stages, model: Any, params: Any, *, fit: FitContext | None = None):
        part = None if view.part is None else find_part(model, view.part)
        view.part = None if part is None else part.path  # which copies of the view find in another model too
        self.view = copy.copy(view)
        self.view.set_model(model)
        self.view.set_params(params)
        self.view.memory, self.view.context = Memory(), self
        self.schedule = Schedule(view.freq, view.start_from_epoch, view.unit)
        self.schedule.plan(params)
        self.failures = Failures(type(view).__name__, view.on_error)
        self.writer = ViewWriter(self.view, self.failures, view.part or "")
        self.last: LastStep | None = None
        self.begun = False
        self._source = view
        self._places: list[Path] = []  # the directories that it writes to
        self._unread_logs: list[tuple[int, dict[str, Any]]] = []  # of epochs that were not measured
        self._prepared = False
        self._resumed_at: int | None = None  # the step at which the fit resumes an earlier one, until that is restored
        self._ended: int | None = None  # the last completed step
        self._observed: int | None = None  # the last observed step
        self._drawn: int | None = None  # the last step due to be drawn; the queue may have skipped it
        self._weights = b""  # a fingerprint at the end of `_ended`
        self.fit = FitContext.join(model, self, params) if fit is None else fit
        if fit is not None:
            fit.participants.append(self)

    def _resume(self) -> None:
        """Continue from the result of the last fit of this model, if there is one."""
        result = self._source.result
        if result is not None and result.model() is self.fit.model:
            self.view.memory, self.last = copy.deepcopy(result.memory), result.last

    @property
    def trained(self) -> bool:
        """Whether an epoch, or a batch that is looked at, was trained."""
        return self._ended is not None

    # The course of a fit, on the training thread.

    def check_request(self) -> None:
        """Raise errors before the first batch, such as directories that are not writable or unknown layers."""
        self._places = [check_writable(self.view.log_dir, "log_dir").resolve()]
        if self.view.save_dir is not None:
            self._places.append(check_writable(self.view.save_dir, "save_dir").resolve())
        self.prepare()

    def begin(self, epoch: int, *, untrained: bool) -> None:
        """Begin the first epoch: capture once as a check, and draw the untrained model.

        If the epoch, 0-based, is not 0, the fit is resumed and the view continues from its last result. Untrained means
        that no batch of this fit has been trained yet.
        """
        self.begun = self.fit.training = True
        self.schedule.begin(epoch)
        resumed = epoch if self.schedule.unit == "epoch" else self.schedule.step + 1
        if epoch > 0:
            self._resume()
            self._resumed_at = resumed
        first_step = UNTRAINED if epoch == 0 else resumed
        notebook = shown_in_notebook(self.view.notebook)
        self.writer.sinks = self.fit.sinks(
            self.view.log_dir, self.view.save_dir, first_step, notebook=notebook, show=self.view.show
        )
        self.prepare()
        captured = None
        if self._prepared and untrained:
            captured = self.view.capture(UNTRAINED)
            self.view.check(captured)
        elif untrained and self.fit.verbose:
            say(
                f"kerasviz_callbacks: the model has no weights yet, so {self.failures.name} begins after the first "
                "epoch; give the model an Input to see it before training."
            )
        if epoch == 0 and untrained and self.schedule.is_due(UNTRAINED):
            self.observe(UNTRAINED, captured=captured)

    def batch_ended(self, batch: int) -> None:
        """Observe the model if a step is due after this batch of the epoch."""
        self.fit.update_notebooks()
        if self.schedule.unit != "batch":
            return
        step = self.schedule.batch_ended(batch)
        if step is None or (self.view.every_epoch and self.schedule.ends_epoch(step)):
            return  # with `every_epoch`, wait for `epoch_ended`, which has the logs
        self.observe(step)
        self._ended = step

    def epoch_ended(self, epoch: int, logs: dict[str, Any] | None) -> None:
        """Observe the model if a step is due at the end of this epoch."""
        step = self._ended = self.schedule.epoch_ended(epoch)
        if step == UNTRAINED:
            self.failures.add("count batches", RuntimeError("on_train_batch_end was not called"))
            self._report()
            return
        if self.view.every_epoch or (step != self._observed and self.schedule.is_due(step)):
            self.observe(step, logs=logs)
        elif step != self._observed:
            with self.failures.collect("read the weights"):
                self._weights = self.fit.fingerprint()
            self._report()

    def finish(self, *, abandoned: bool = False) -> FitResult | None:
        """End training: draw the last step if it was not drawn, then the animation, and wait until all is written.

        With `abandoned` it only waits: the fit does not begin, or an exception has ended it. The result is the state
        from which a resumed fit continues, `None` if the worker is still busy with it.
        """
        finished = False
        try:
            if not abandoned:
                self._observe_last()
                if self.view.timelapse and self._observed is not None:
                    self.fit.queue.draw_later(self._observed, self.writer.animate)
            if self._observed is not None:
                self.fit.queue.submit(self._observed, size=0, measure=self.writer.write_waiting_files, draw=None)
            finished = self.fit.wait()
            if not abandoned:
                self._report()
        finally:
            self.fit.leave(self, quietly=abandoned)
            if finished:
                self.view.context = None  # also frees the functions compiled for the fit
        if not finished or not self.begun:
            return None
        probes, params = getattr(self.view, "probes", {}), dict(self.fit.params or {})
        return FitResult(weakref.ref(self.fit.model), self.view.memory, self.last, params, probes)

    def _observe_last(self) -> None:
        """Observe the last step if it was not observed; if it was, draw it unless it was drawn."""
        step, queue = self._ended, self.fit.queue
        if self.schedule.unit == "batch" and self.schedule.step != UNTRAINED:
            step = self.schedule.step
        if step is None:
            return
        if self._observed != step:
            note = ""
            with self.failures.collect("read the weights"):
                note = "restored" if step == self._ended and self._weights != self.fit.fingerprint() else ""
            self.schedule.forced = step
            self.observe(step, note=note)
        elif queue.left_out(step) or self._drawn != step:
            queue.draw_later(step, partial(self._draw, step))

    # One step, on the training thread.

    def observes(self, step: int, unit: str) -> bool:
        """Return whether the view captures the model at this step."""
        if unit != self.schedule.unit:
            return False
        return (self.view.every_epoch and step != UNTRAINED and unit == "epoch") or self.schedule.is_due(step)

    def requests(self) -> Mapping[tuple[int, int], Any]:
        """Return the captures that the view requires from the shared forward passes."""
        return self.view.requests() if self._prepared else {}

    def observe(self, step: int, *, logs: dict[str, Any] | None = None, note: str = "", captured: Any = None) -> None:
        """Capture the model at a step, queue measuring and drawing on the worker, and add metrics to `logs`.

        The note is for the status line below the image; `captured` are tensors, by data source, that are there already.
        """
        self._report()
        measured: Mapping[str, Measured] = {}
        try:
            with self.failures.collect("read the model"):
                self.prepare()
                if self._prepared:
                    measured = self._capture_and_submit(step, logs, note, captured)
            self._report()
        finally:
            with self.failures.collect("publish metrics"):
                if logs is not None and self._prepared and self.view.published():
                    logs.update(self.view.logged_metrics(measured))
            self.fit.mark_observed(self, step, self.schedule.unit)

    def _capture_and_submit(
        self, step: int, logs: Mapping[str, Any] | None, note: str, captured: Any
    ) -> Mapping[str, Measured]:
        """Return the measurements of a view that publishes metrics; otherwise none: the worker measures later."""
        due = self.schedule.is_due(step) and self._drawn != step
        force = step in (self.schedule.forced, self.schedule.last)
        admission = self.fit.queue.admit(step, draw=due, force=force)
        published = self.view.published()
        if logs is not None:
            self._unread_logs.append((step, dict(logs)))
        if not admission.measure and not published:
            return {}
        with self.fit.frozen_weights():
            weights = self.fit.fingerprint()
            captured = self.view.capture(step) if captured is None else captured
        read_logs, self._unread_logs = self._unread_logs, []
        found: Mapping[str, Measured] = {}
        measure: Callable[[], Mapping[str, Measured]] = partial(self._measure, captured, step, read_logs)
        size = held_bytes(captured)
        if published:
            found = measure()
            measure, size = partial(dict, found), held_bytes(found)
        if admission.measure:
            self.fit.queue.submit(
                step,
                size=size,
                measure=partial(self._keep, measure, step, note, weights),
                draw=partial(self._draw, step) if due and admission.draw else None,
            )
        self._observed, self._weights = step, weights
        self._drawn = step if due else self._drawn
        return found

    def prepare(self) -> bool:
        """Prepare the view if it can be and was not yet; return whether it is prepared."""
        if not self._prepared and self.view.can_prepare():
            self.view.prepare()
            self._prepared = True
            tags = {self.writer.tag(tag): of for tag, of in self.view.tags().items()}
            self.writer.suffix = self.fit.claim_tags(self, self._places, tags)
            if self.writer.suffix and self.fit.verbose:
                say(
                    f"kerasviz_callbacks: another {self.failures.name} of this fit writes the same tags; this one "
                    f'adds "{self.writer.suffix}" to theirs: {self.writer.tag(next(iter(self.view.tags())))}.'
                )
        if self._prepared and self._resumed_at is not None:
            resumed, self._resumed_at = self._resumed_at, None
            with self.failures.collect("continue from the earlier fit"):
                self.view.restore(resumed, self.writer.read_file)
        return self._prepared

    def _report(self) -> None:
        self.failures.report(self.writer.sinks)

    # One step, on the worker.

    def _measure(
        self, captured: Mapping[str, Any], step: int, logs: Sequence[tuple[int, Mapping[str, Any]]]
    ) -> dict[str, Measured]:
        """Measure every data source; after an error, keep the others only if the view publishes metrics.

        The logs are those of this step, and of those before that were not measured.
        """
        for at, of_epoch in logs:
            self.view.on_logs(at, of_epoch)
        found = {}
        for source, tensors in captured.items():
            try:
                found[source] = self.view.measure(tensors, source, step)
            except Exception as error:
                self.failures.add("measure", error)
                if not self.view.published():
                    return {}
        return found

    def _keep(self, measure: Callable[[], Mapping[str, Measured]], step: int, note: str, weights: bytes) -> None:
        """Measure, store the measurements, and write the scalars."""
        found: Mapping[str, Measured] = {}
        with self.failures.collect("measure", BaseException):  # on the worker `sys.exit` in user code has no effect
            found = measure()
            if note:
                found = {source: replace(one, note=note) for source, one in found.items()}
        if found:
            self.last = LastStep(step, found, weights)
            self.writer.write_scalars(found, step)
            self.writer.write_files(self.last)

    def _draw(self, step: int) -> None:
        """Draw the latest measurements if they are of this step: measuring may have failed."""
        if self.last is not None and self.last.step == step:
            self.writer.draw(self.last)

    # Without a fit.

    def show(self) -> None:
        """Draw the current model: the last step again if the weights have not changed, otherwise one further step."""
        self.begun = True
        self._resume()
        if self.last is not None and self.last.weights == self.fit.fingerprint():
            self.fit.queue.draw_later(self.last.step, partial(self._draw, self.last.step))
            return
        step = UNTRAINED if self.last is None else self.last.step + 1
        self.schedule.forced = step
        self.schedule.epochs = max(self.schedule.epochs, step + 1 if self.last is not None else 0)
        captured = self.view.capture(step)
        self.view.check(captured)
        self.observe(step, captured=captured)
