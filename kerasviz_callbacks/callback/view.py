"""`View`: a callback that looks at the model as training goes on, and never breaks it."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, ClassVar, cast

import keras

from ..fit_context import FitContext, Request
from ..record.projector import Points
from .arguments import directory, one_of, whole_number
from .failures import Failures
from .schedule import Schedule, Unit
from .snapshot import by_name, one_picture, snapshot
from .types import Array, FitResult, Image, Measured, Memory
from .view_context import ViewContext


class View(keras.callbacks.Callback, ABC):
    """A callback that looks at the model during training and logs what it sees.

    A view says what it captures of the model (`capture`, on the training thread), what numbers it makes (`measure`)
    and how they look (`draw`), both on the worker. When that happens, and where it goes, is up to its `ViewContext`,
    which works with a copy of the view: what `prepare` finds, and `memory`, belong to one fit.

    Args:
        log_dir: where TensorBoard looks; the view writes into run directories of its own below it.
        freq: drawn when `(epoch - start_from_epoch) % freq == 0`, and at the last epoch.
        start_from_epoch: the first epoch drawn, 0-based. At 0 the untrained model is drawn too, as step -1.
        unit: `"epoch"`, or `"batch"`: `freq` and `start_from_epoch` count batches, and the step is the number of
            batches trained: a fit of 500 batches with `freq=50` has the steps -1, 50, 100, ... 500.
        save_dir: also write each picture to `save_dir/<run>/<tag>/000007.png`.
        timelapse: at the end of training also log all its drawn steps as one animated picture, `<tag>/timelapse`.
        on_error: `"warn"`: a failure of the view warns once a cause, and training goes on; `"raise"`: it raises.

    Attributes:
        every_epoch: whether it looks and measures at the end of every epoch; drawn is only what `freq` says.
        memory: what it remembers of the training, in the order of the steps; after a fit, of the last one.
        context: the fit it takes part in; `None` outside of one.
        result: what the last fit left, for `picture` and for a fit that is resumed.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: `freq` < 1, `start_from_epoch` < 0, another `unit` or `on_error`.
    """

    every_epoch: ClassVar[bool] = False

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        *,
        freq: int = 1,
        start_from_epoch: int = 0,
        unit: Unit = "epoch",
        save_dir: str | os.PathLike[str] | None = None,
        timelapse: bool = False,
        on_error: str = "warn",
    ):
        super().__init__()
        self.log_dir = directory(log_dir, "log_dir")
        self.freq = whole_number(freq, "freq", least=1)
        self.start_from_epoch = whole_number(start_from_epoch, "start_from_epoch", least=0)
        one_of(unit, "unit", "epoch", "batch")
        self.unit = unit
        self.save_dir = None if save_dir is None else directory(save_dir, "save_dir")
        if not isinstance(timelapse, bool):
            raise TypeError(f"timelapse={timelapse!r}: expected True or False, got {type(timelapse).__name__}.")
        self.timelapse = timelapse
        one_of(on_error, "on_error", "warn", "raise")
        self.on_error = on_error
        self.memory = Memory()
        self.context: ViewContext | None = None
        self.result: FitResult | None = None
        self.known_probes: dict[Any, Any] = {}  # as they were read last; `picture` looks at the same rows
        self._gave_up = False

    # What a view is.

    @abstractmethod
    def prepare(self) -> None:
        """Find the layers; called before the first batch. Raises what is wrong with the request, in plain words."""

    @abstractmethod
    def capture(self, step: int) -> dict[str, Any]:
        """Copy the required tensors, keyed by data source, validation first. Runs on the training thread."""

    @abstractmethod
    def measure(self, captured: Any, source: str, step: int) -> Measured:
        """Numbers from what was captured; pure numpy. Runs in the order of the steps; histories go into `memory`."""

    @abstractmethod
    def draw(self, measured: Mapping[str, Measured]) -> Iterator[Image]:
        """Pictures from numbers, all sources at once, so that they share their scale. May be skipped."""

    def points(self, measured: Mapping[str, Measured]) -> Iterator[tuple[str, Points]]:
        """What TensorBoard's projector shows of this step, by source. Default: nothing."""
        return iter(())

    def on_logs(self, step: int, logs: Mapping[str, Any]) -> None:
        """Receive the epoch's Keras logs, before the step is measured. Default: ignore them."""

    def published(self) -> bool:
        """Whether metrics go into `logs`: they are then measured at once, on the training thread. Default: no."""
        return False

    def logged_metrics(self, measured: Mapping[str, Measured]) -> dict[str, float]:
        """The metrics that go into `logs`; the same keys where nothing could be measured. Default: none."""
        return {}

    def requests(self) -> Mapping[tuple[int, int], Request]:
        """What is wanted of the passes that all callbacks share. Default: nothing."""
        return {}

    def tags(self) -> Mapping[str, Hashable]:
        """The tags it writes, known once it is prepared, each with what it is of.

        Two views of one fit may write the same tag where it is of the same; `None` is a view's own alone, and a second
        view that would write it too gets tags of its own, such as `"grad_cam-2/conv2"`.
        """
        return {}

    def can_prepare(self) -> bool:
        """Whether the layers can be found already; else that is done as soon as they can."""
        return True

    def check(self, captured: dict[str, Any]) -> None:
        """Check what was captured before the first batch; raises what can only be seen by running the model."""

    def describe(self, tag: str) -> str:
        """The description of a scalar, in Markdown."""
        return ""

    def summary(self) -> str:
        """The view and what it shows in a few words, for the line that says what was chosen."""
        return type(self).__name__

    def chosen_summary(self) -> str:
        """The same of a view in a fit, which knows the layers that were found for it."""
        summary: str = (self.context.view if self.context is not None else self).summary()
        return summary

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

    # When: Keras calls these; all else is up to the context.

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Check all that can be known before the first batch; what is wrong raises, whatever `on_error`."""
        self.abandon()  # a fit that died calls no `on_train_end`
        self._gave_up = False
        context = self.context = ViewContext(self, self.model, self.params)
        self.known_probes = context.fit.probes
        self._or_abandon(context.check_request)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Before the first batch: try the whole way once, and draw the untrained model."""
        if self.context is None:
            self.on_train_begin()
        if self.context is not None and not self.context.begun:
            context = self.context
            self._or_abandon(lambda: context.begin(epoch, untrained=True))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at the model, if this epoch is drawn, or its metrics are published."""
        self._begin_late(epoch)
        if self.context is not None:
            self.context.epoch_ended(epoch, logs)

    @property
    def on_train_batch_end(self) -> Callable[..., None]:
        """Look at the model, if this batch is drawn. Keras' own, which it never calls, where epochs are counted."""
        if self.unit == "batch":
            return self._batch_ended
        return cast(Callable[..., None], super().on_train_batch_end)

    def _batch_ended(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._begin_late(0)
        if self.context is not None:
            self.context.batch_ended(batch)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """After an early stop, draw the last epoch if it was not; then the animation, and finish writing."""
        context, self.context = self.context, None
        if context is not None:
            self._keep(None)
            self._keep(context.finish())

    def abandon(self) -> None:
        """Leave a fit that will not begin after all, or that an exception has ended."""
        context, self.context = self.context, None
        if context is not None:
            left = context.abandon()
            if context.begun:
                self._keep(left)

    def _begin_late(self, epoch: int) -> None:
        """Begin where the hooks are called by hand and those before were left out: under `on_error`, once."""
        if self._gave_up or (self.context is not None and self.context.begun):
            return
        failures = Failures(type(self).__name__, self.on_error)
        with failures.collect("begin (call on_train_begin before the first batch, to be told then)"):
            if self.context is None:
                self.on_train_begin()
            if self.context is not None:
                context = self.context
                self._or_abandon(lambda: context.begin(epoch, untrained=False))
        self._gave_up = self.context is None
        failures.report()

    def _or_abandon(self, step: Callable[[], None]) -> None:
        try:
            step()
        except BaseException:
            self.abandon()
            raise

    def _keep(self, result: FitResult | None) -> None:
        """Keep what a fit left."""
        self.result = result
        self.memory = Memory() if result is None else result.memory

    # How: what a working copy finds here.

    @property
    def in_fit(self) -> bool:
        """Whether a fit is under way, and this view is a part of it."""
        return self.context is not None

    @property
    def fit_context(self) -> FitContext:
        """What this view shares with the other callbacks of the fit."""
        return self._in_context().fit

    @property
    def schedule(self) -> Schedule:
        """When it is drawn, which step is the last, and what the axis of the steps is called."""
        return self._in_context().schedule

    def _in_context(self) -> ViewContext:
        if self.context is None:
            raise RuntimeError(f"{type(self).__name__} is not in a fit.")
        return self.context

    def __getstate__(self) -> dict[str, Any]:
        """A copy (KerasTuner makes them) takes no fit along: no threads, files or compiled functions."""
        return {**self.__dict__, "context": None, "result": None, "known_probes": {}, "_model": None}
