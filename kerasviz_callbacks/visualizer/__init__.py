"""`Visualizer`: looks at the model and picks the views that fit it."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, cast

import keras

from ..callback import VALIDATION, Image, ProbeView, View
from ..callback.failures import Failures
from ..callback.snapshot import by_name, one_picture, snapshot
from ..callback.view_context import ViewContext
from ..fit_context import FitContext, say
from ..views.activation_maps import ActivationMaps
from ..views.filter_images import FilterImages
from ..views.overfitting_monitor import OverfittingMonitor
from .choice import VIEWS, fitting_views, requested

_SHARED = ("freq", "start_from_epoch", "unit", "save_dir", "timelapse", "on_error")
_OF_DATA = ("training_data", "count", "class_names", "display")


class Visualizer(keras.callbacks.Callback):
    """See a model learn with one line: picks the views that fit the model and says which.

    The weights: as filters where they are pictures, else as matrices; without data as both, and the coefficients of
    the bottleneck. With data, what the layers answer; of a classifier Grad-CAM and, where there are labels, whether it
    overfits (which looks at up to 500 rows of each set at every epoch; name the other views to do without); of an
    autoencoder the trajectories and profiles of its codes and its reconstructions.

    Args:
        log_dir: where TensorBoard looks.
        validation_data: what the views look at; `None`: only views of the weights. See `ProbeView`.
        training_data: the same views of training data, beside it in TensorBoard.
        views: instead of the automatic choice: classes, their names, or instances (whose own arguments win).
        publish: whether `OverfittingMonitor` puts its metrics into `logs`, or the names of those that it does; `None`:
            it does where it is named in `views`, and not where it was chosen automatically.
        options: as for the single views: `freq`, `start_from_epoch`, `unit`, `save_dir`, `timelapse`, `on_error`,
            `count`, `class_names`, `display`.

    Raises:
        TypeError: `views` holds something else, or an unknown option.
        ValueError: an unknown view's name; before the first batch, a model for which no view fits.

    Example:
        >>> model.fit(x, y, callbacks=[kv.Visualizer("logs", (x_val, y_val), training_data=(x, y))])  # doctest: +SKIP
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        validation_data: Any = None,
        *,
        training_data: Any = None,
        views: Sequence[str | type[View] | View] | None = None,
        publish: bool | Sequence[str] | None = None,
        count: int | None = None,
        class_names: Sequence[str] | None = None,
        display: Callable[[Any], Any] | None = None,
        **options: Any,
    ):
        super().__init__()
        unknown = set(options) - set(_SHARED)
        if unknown:
            raise TypeError(f"{sorted(unknown)[0]}: no such argument; expected one of {', '.join(_SHARED + _OF_DATA)}.")
        if training_data is not None and validation_data is None:
            raise ValueError("training_data is given without validation_data; the views compare the two: pass both.")
        self.log_dir, self.validation_data = log_dir, validation_data
        self.options = options
        self.of_data = {
            "training_data": training_data,
            "count": count,
            "class_names": class_names,
            "display": display,
        }
        self.views = None if views is None else requested(views)
        self.publish = views is not None if publish is None else publish
        self._running: list[View] = []
        self._begun = False
        self._known_probes: dict[Any, Any] = {}  # what was read of the data, for `picture`
        self._make(
            FilterImages if validation_data is None else OverfittingMonitor
        )  # checks the arguments, as a view does

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Choose the views, begin them, and say in one line which they are."""
        self.abandon()  # a fit that died calls no `on_train_end`
        self._running, self._begun = [], True
        verbose = (self.params or {}).get("verbose", 1)
        # A participant while it chooses, so that the views find the data read and the model traced.
        fit = FitContext.join(self.model, self, self.params)
        try:
            chosen = self.fitting_views(fit) if self.views is None else [self._made(view) for view in self.views]
            for view in chosen:
                view.set_model(self.model)
                view.set_params(self.params)
            try:
                for view in chosen:
                    self._running.append(view)
                    view.on_train_begin(logs)
            except BaseException:
                self.abandon()
                raise
        finally:
            fit.leave(self, quietly=True)
        self._known_probes = fit.probes
        if verbose:
            say(f"kerasviz_callbacks: {', '.join(view.chosen_summary() for view in self._running)}.")

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Hand on to the views."""
        if not self._begun:
            self.on_train_begin()
        try:
            with self._frozen_weights():
                for view in self._running:
                    view.on_epoch_begin(epoch, logs)
        except BaseException:
            self.abandon()
            raise

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Hand on to the views, one right after the other: the weights are compared once for all."""
        self._begin_late()
        with self._frozen_weights():
            for view in self._running:
                view.on_epoch_end(epoch, logs)

    @property
    def on_train_batch_end(self) -> Callable[..., None]:
        """Hand on to the views that count batches; Keras' own, which it never calls, where none does."""
        units = [getattr(view, "unit", None) for view in self.views or ()]  # of instances; classes have none
        if "batch" in (*units, self.options.get("unit")):
            return self._batch_ended
        return cast(Callable[..., None], super().on_train_batch_end)

    def _batch_ended(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._begin_late()
        for view in self._running:
            if view.unit == "batch":
                view.on_train_batch_end(batch, logs)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Hand on to the views."""
        self._begun = False
        for view in self._running:
            view.on_train_end(logs)

    def abandon(self) -> None:
        """Leave a fit that will not begin after all, or that an exception has ended."""
        self._begun = False
        for view in self._running:
            view.abandon()

    def _begin_late(self) -> None:
        """Begin where the hooks are called by hand and those before were left out: under `on_error`, once."""
        if self._begun:
            return
        failures = Failures(type(self).__name__, self.options.get("on_error", "warn"))
        with failures.collect("begin (call on_train_begin before the first batch, to be told then)"):
            self.on_train_begin()
        self._begun = True
        failures.report()

    def picture(self, model: Any, tag: str | None = None) -> Any:
        """See the model as it is now, as an array uint8 `(h, w, 3)`: all its views below each other, or one `tag`.

        Before a fit of this model the views that fit it are chosen for it alone; see `View.picture`.

        Example:
            >>> Image.fromarray(kv.Visualizer("logs", (x_val, y_val)).picture(model))  # doctest: +SKIP
        """
        return one_picture(self._now(model), tag)

    def pictures(self, model: Any) -> dict[str, Any]:
        """As `picture`, each by run and tag: `{"validation/grad_cam/conv2": uint8 (h, w, 3)}`."""
        return by_name(self._now(model))

    def _now(self, model: Any) -> list[Image]:
        def chosen(fit_context: FitContext) -> list[View]:
            if self._running and self._model is model:
                return self._running
            twin = copy.copy(self)
            twin.set_model(model)
            fit_context.probes.update(self._known_probes)
            self._known_probes = fit_context.probes
            return twin.fitting_views(fit_context) if self.views is None else [self._made(v) for v in self.views]

        return snapshot(chosen, model)

    def observes(self, step: int, unit: str) -> bool:
        """The visualizer itself looks at nothing."""
        return False

    def requests(self) -> dict[tuple[int, int], Any]:
        """The visualizer itself wants nothing."""
        return {}

    def __getstate__(self) -> dict[str, Any]:
        """A copy takes no fit along, neither the model nor the views chosen for it."""
        return {**self.__dict__, "_model": None, "_running": [], "_begun": False, "_known_probes": {}}

    @contextmanager
    def _frozen_weights(self) -> Iterator[None]:
        with ExitStack() as stack:
            watching = next((view.fit_context for view in self._running if view.in_fit), None)
            if watching is not None:
                with suppress(Exception):  # each view then looks by itself, and says what is wrong
                    stack.enter_context(watching.frozen_weights())
            yield

    def fitting_views(self, fit_context: FitContext) -> list[View]:
        """The views that fit the model.

        Raises:
            ValueError: none does.
        """
        reader, probes = None, []
        if self.validation_data is not None:  # first, since this builds the model, if it was not
            looking = ViewContext(self._make(ActivationMaps), self.model, self.params, fit=fit_context)
            try:
                view = cast(ProbeView, looking.view)
                view.read_data()
                reader, probes = view.readers[VALIDATION], list(view.probes.values())
            finally:
                fit_context.participants.remove(looking)
        chosen = fitting_views(self.model, fit_context.layers(), reader, probes)
        if not chosen:
            without = "" if self.validation_data is not None else " without validation_data"
            raise ValueError(
                f'views=None: no view fits model "{self.model.name}"{without}; name some in views=: {", ".join(VIEWS)}.'
            )
        return [self._make(one) for one in chosen]

    def _made(self, view: type[View] | View) -> View:
        return self._make(view) if isinstance(view, type) else cast(View, view)

    def _make(self, view: type[View]) -> View:
        if not issubclass(view, ProbeView):
            return view(self.log_dir, **self.options)
        options = {**self.of_data, **self.options}
        if issubclass(view, OverfittingMonitor):
            options["publish"] = self.publish
        return view(self.log_dir, self.validation_data, **options)
