"""`View`: a callback that looks at the model as training goes on, and never breaks it."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, ClassVar

import keras

from ..fit_context import FitContext, Request, say
from ..record.directories import check_writable
from ..record.projector import Points
from .arguments import directory, one_of, whole_number
from .failures import Failures, report_write_errors
from .fit import Fit, Last
from .hand_over import hand_over
from .snapshot import by_name, one_picture, snapshot
from .timelapse import Timelapse
from .types import UNTRAINED, Array, Image, Measured, Memory
from .work import animate, drawn_last


class View(keras.callbacks.Callback, ABC):
    """A callback that looks at the model at the end of an epoch and logs what it sees.

    A view says what it captures of the model (`capture`, on the training thread), what numbers it makes (`measure`)
    and how they look (`draw`), both on the worker. Everything else is here.

    Args:
        log_dir: where TensorBoard looks; the view writes into run directories of its own below it.
        freq: drawn when `(epoch - start_from_epoch) % freq == 0`, and at the last epoch.
        start_from_epoch: the first epoch drawn, 0-based. At 0 the untrained model is drawn too, as step -1.
        save_dir: also write each picture to `save_dir/<run>/<tag>/000007.png`.
        timelapse: at the end of training also log all its drawn steps as one animated picture, `<tag>/timelapse`.
        on_error: `"warn"`: a failure of the view warns once a cause, and training goes on; `"raise"`: it raises.

    Attributes:
        publishes: whether it looks and measures at the end of every epoch, at once, and puts figures into `logs` for
            the callbacks listed after it; drawn is only what `freq` says.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: `freq` < 1, `start_from_epoch` < 0, or another `on_error`.
    """

    publishes: ClassVar[bool] = False

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        *,
        freq: int = 1,
        start_from_epoch: int = 0,
        save_dir: str | os.PathLike[str] | None = None,
        timelapse: bool = False,
        on_error: str = "warn",
    ):
        super().__init__()
        self.log_dir = directory(log_dir, "log_dir")
        self.freq = whole_number(freq, "freq", least=1)
        self.start_from_epoch = whole_number(start_from_epoch, "start_from_epoch", least=0)
        self.save_dir = None if save_dir is None else directory(save_dir, "save_dir")
        if not isinstance(timelapse, bool):
            raise TypeError(f"timelapse={timelapse!r}: expected True or False, got {type(timelapse).__name__}.")
        self.timelapse = timelapse
        one_of(on_error, "on_error", "warn", "raise")
        self.on_error = on_error
        self.memory = Memory()
        self._remembers: int | None = None  # the model that the memory is of; a resumed fit goes on with it
        self._last: Last | None = None
        self._read: dict[Any, Any] = {}  # the probes as the last fit read them; `picture` looks at the same rows
        self._fit: Fit | None = None
        self._failures = Failures()

    # What a view is.

    @abstractmethod
    def prepare(self) -> None:
        """Find the layers; called before the first batch. Raises what is wrong with the request, in plain words."""

    @abstractmethod
    def capture(self, step: int) -> dict[str, Any]:
        """On the training thread: what is needed of the model now, copied, by source; validation first."""

    @abstractmethod
    def measure(self, captured: Any, source: str, step: int) -> Measured:
        """Numbers from what was taken; pure numpy. Runs in the order of the steps and keeps history in `memory`."""

    @abstractmethod
    def draw(self, measured: Mapping[str, Measured]) -> Iterator[Image]:
        """Pictures from numbers, all sources at once, so that they share their scale."""

    def points(self, measured: Mapping[str, Measured]) -> Iterator[tuple[str, Points]]:
        """What TensorBoard's projector shows of this step, by source; nothing, for most views."""
        return iter(())

    def on_logs(self, step: int, logs: Mapping[str, Any]) -> None:
        """What Keras says of an epoch, before it is looked at; nothing to most views."""

    def logged_metrics(self, measured: Mapping[str, Measured]) -> dict[str, float]:
        """What goes into `logs`, of a view that `publishes`; the same keys where nothing could be measured."""
        return {}

    def requests(self) -> Mapping[tuple[int, int], Request]:
        """What is wanted of the passes that all callbacks share."""
        return {}

    def ready(self) -> bool:
        """Whether the layers can be found already; else that is done as soon as they can."""
        return True

    # Without `fit`.

    def picture(self, model: Any, tag: str | None = None) -> Array:
        """See the model as it is now, as an array: before, after or without `fit`; nothing is written or printed.

        After a fit of this model it is what the next step would look like, with the channels, scales and histories of
        that fit; the last step itself while the weights are those of the last step. Neither model nor view change.

        Args:
            model: a Keras model that has weights; it need not be compiled.
            tag: which picture, such as `"filters/conv1"` or `"train/grad_cam/conv2"`; `None`: all of them.

        Returns:
            uint8 `(h, w, 3)`; several pictures stand below each other, validation data first.

        Raises:
            TypeError: `model` is no Keras model.
            ValueError: no such tag, a model without weights, and what `fit` would refuse before its first batch.
            RuntimeError: this view is in a fit.

        Example:
            >>> Image.fromarray(kv.GradCAM("logs", (x_val, y_val)).picture(model))  # doctest: +SKIP
        """
        return one_picture(snapshot([self], model), tag)

    def pictures(self, model: Any) -> dict[str, Array]:
        """As `picture`, each by run and tag: `{"validation/grad_cam/conv2": uint8 (h, w, 3)}`."""
        return by_name(snapshot([self], model))

    # When.

    def due(self, step: int) -> bool:
        """Whether this step is drawn."""
        if self._fit is not None and step == self._fit.force_step:
            return True
        if step == UNTRAINED:
            return self.start_from_epoch == 0
        late = step - self.start_from_epoch
        return (late >= 0 and late % self.freq == 0) or step == (self.params or {}).get("epochs", 0) - 1

    def observes(self, step: int) -> bool:
        """Whether the model is read at this step."""
        return (self.publishes and step != UNTRAINED) or self.due(step)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Check all that can be known before the first batch; what is wrong raises, whatever `on_error`."""
        self._leave(quietly=True)  # a fit that died calls no `on_train_end`
        self._fit = Fit(FitContext.join(self.model, self, self.params), Timelapse() if self.timelapse else None)
        self._read, self._failures = self._fit.fit_context.probes, Failures()
        try:
            check_writable(self.log_dir, "log_dir")
            if self.save_dir is not None:
                self._fit.save_dir = check_writable(self.save_dir, "save_dir")
            self._prepare_if_ready()
        except BaseException:
            self._leave(quietly=True)
            raise

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Before the first batch: try the whole way once, and draw the untrained model."""
        if self._fit is None or not self._fit.first:
            return
        self._fit.first = False
        self._fit.fit_context.training = True
        captured = None
        try:
            if epoch == 0 or self._remembers != id(self.model):
                self.memory, self._last, self._remembers = Memory(), None, id(self.model)
            self._fit.log = self._fit.fit_context.log(self.log_dir, UNTRAINED if epoch == 0 else epoch)
            self._prepare_if_ready()
            if self._fit.prepared:
                captured = self.capture(UNTRAINED)
                self.check(captured)
            elif self.fit_context.verbose:
                say(
                    f"kerasviz_callbacks: the model has no weights yet, so {type(self).__name__} begins "
                    "after the first epoch; give the model an Input to see it untrained."
                )
        except BaseException:
            self._leave(quietly=True)
            raise
        if epoch == 0 and self.due(UNTRAINED):
            self._look(UNTRAINED, captured=captured)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at the model, if this epoch is drawn, or its figures are published."""
        if self._fit is None:
            return
        self._fit.last_epoch = epoch
        if self.observes(epoch):
            self._look(epoch, logs=logs)
        else:
            self._fit.weights = self._fit.fit_context.fingerprint()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """After an early stop, draw the last epoch if it was not; then the animation, and finish writing."""
        fit = self._fit
        if fit is None:
            return
        try:
            self._look_at_last(fit)
            if fit.timelapse is not None and fit.last_observed_step is not None:
                fit.fit_context.work.submit(
                    partial(animate, self, fit), step=fit.last_observed_step, size=0, drawn=False
                )
            fit.fit_context.wait()
            self._report()
        finally:
            self._leave()

    def _look_at_last(self, fit: Fit) -> None:
        """The last epoch, if it was not drawn; of one that was left out only the drawing is missing."""
        last, work = fit.last_epoch, fit.fit_context.work
        if last is not None and fit.last_observed_step != last:
            changed = fit.weights != fit.fit_context.fingerprint()
            fit.force_step = last
            self._look(last, note="restored" if changed else "")
        elif last is not None and (work.left_out(last) or not self.due(last)):
            work.make_up(partial(drawn_last, self, fit, last), step=last)

    def check(self, captured: dict[str, Any]) -> None:
        """Look at what was taken before the first batch; raises what can only be seen by running the model."""

    # How.

    @property
    def in_fit(self) -> bool:
        """Whether a fit is under way, and this view is a part of it."""
        return self._fit is not None

    @property
    def fit_context(self) -> FitContext:
        """What this view shares with the other callbacks of the fit."""
        if self._fit is None:
            raise RuntimeError(f"{type(self).__name__} is not in a fit.")
        return self._fit.fit_context

    def _prepare_if_ready(self) -> None:
        if self._fit is not None and not self._fit.prepared and self.ready():
            self.prepare()
            self._fit.prepared = True

    def _look(self, step: int, note: str = "", *, captured: Any = None, logs: dict[str, Any] | None = None) -> None:
        """Take on this thread, unless that was done; hand the rest over, and publish."""
        if self._fit is None:
            return
        found: Mapping[str, Measured] = {}
        try:
            found = hand_over(self, self._fit, step, note=note, captured=captured, logs=logs)
        finally:
            if logs is not None:
                logs.update(self.logged_metrics(found))
            self._fit.fit_context.mark_observed(self, step)

    def describe(self, tag: str) -> str:
        """What stands behind the "i" of a scalar, in Markdown."""
        return ""

    def _report(self) -> None:
        self._failures.report(type(self).__name__, self.on_error)
        if self._fit is not None and self._fit.log is not None:
            report_write_errors(self._fit.log, self.on_error)

    def abandon(self) -> None:
        """Leave a fit that will not begin after all, or that an exception has ended."""
        self._leave(quietly=True)

    def summary(self) -> str:
        """What it shows, in a few words, for the line that says what was chosen."""
        return type(self).__name__

    def _leave(self, *, quietly: bool = False) -> None:
        fit, self._fit = self._fit, None
        if fit is not None:
            fit.fit_context.leave(self, quietly=quietly)

    def __getstate__(self) -> dict[str, Any]:
        """A copy (KerasTuner makes them) takes no fit along: no threads, files or compiled functions."""
        return {**self.__dict__, "_fit": None, "_remembers": None, "_last": None, "_read": {}, "_model": None}
