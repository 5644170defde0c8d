"""`Visualizer`: selects the views that suit the model."""

import copy
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, cast

import keras

from ..callback import VALIDATION, Image, ProbeView, View
from ..callback.failures import Failures
from ..callback.snapshot import by_name, one_picture, snapshot
from ..callback.view_context import ViewContext
from ..fit_context import FitContext
from ..probe.messages import short_message
from ..record.console import say
from ..record.notebook import shown_in_notebook
from ..taps.input_errors import PartsError
from ..views.activation_maps import ActivationMaps
from ..views.confusion_matrix import ConfusionMatrix
from ..views.data_map import DataMap
from ..views.filter_images import FilterImages
from ..views.overfitting_monitor import OverfittingMonitor
from .choice import Choice, fitting_views, why_not_run
from .requested import VIEWS, requested

_SHARED = ("freq", "start_from_epoch", "unit", "save_dir", "timelapse", "notebook", "show", "on_error")
_ARGUMENTS = ("log_dir", "validation_data", "training_data", "count", "class_names", "display", "model", "save_dir")
_GIVEN = tuple(f"{name}{sign}" for name in _ARGUMENTS for sign in "=:")  # begin errors in what the user passed


class Visualizer(keras.callbacks.Callback):
    """Watch a model learn with one callback: selects the views that suit the model, and prints which.

    - Weights: convolution kernels as images, other kernels as matrices; without data both, and the coefficients of the
      bottleneck layer.
    - With data: layer activations.
    - Classifiers: Grad-CAM and, with labels, `OverfittingMonitor`, which evaluates up to 500 rows of each data set at
      every epoch (pass the other views in `views` to leave it out), `ConfusionMatrix` and, with training data,
      `DataMap`, on the same rows.
    - Masks, image to image, values per pixel such as depth, boxes, points, forecasts: `Predictions` beside the truth.
    - Autoencoders: trajectories and profiles of the latent codes, reconstructions, and the curves of the loss and its
      parts.

    Views that a person might expect are left out where they do not fit; a second line says which, and why.

    Args:
        log_dir: the TensorBoard log directory.
        validation_data: the data for the views; `None`: only views of the weights. See `ProbeView`.
        training_data: also show training data, as a second run in TensorBoard.
        views: the views to use instead of the automatic selection: classes, their names, or instances (which keep
            their own arguments).
        publish: whether `OverfittingMonitor` adds its metrics to `logs`, or the names of the metrics to add. `None`:
            only if `views` names it.
        model: a part of the trained model that all views look at in its place, see `View`. A model without `call` is
            shown by its parts: the weights of all, and what the data run through (an encoder with its decoder, or the
            only part that takes them); the printed line says what the parts are taken for.
        options: options of the views: `freq`, `start_from_epoch`, `unit`, `save_dir`, `timelapse`, `notebook`,
            `show`, `on_error`, `count`, `class_names`, `display`.

    Raises:
        TypeError: `views` is not a list of views, or an unknown option.
        ValueError: an unknown name in `views`; before the first batch, data that cannot be read, or a view named in
            `views` that does not suit the model.

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
        model: Any = None,
        count: int | None = None,
        class_names: Sequence[str] | None = None,
        display: Callable[[Any], Any] | None = None,
        **options: Any,
    ):
        super().__init__()
        of_data = {"training_data": training_data, "count": count, "class_names": class_names, "display": display}
        unknown = set(options) - set(_SHARED)
        if unknown:
            raise TypeError(f"{min(unknown)}: no such argument; expected one of {', '.join([*_SHARED, *of_data])}.")
        if training_data is not None and validation_data is None:
            raise ValueError("training_data is given without validation_data; the views compare the two: pass both.")
        self.log_dir, self.validation_data = log_dir, validation_data
        self.options, self.of_data = {**options, "model": model}, of_data
        self.views = None if views is None else requested(views)
        self.publish = views is not None if publish is None else publish
        self._running: list[View] = []
        self._choice = Choice()
        self._begun = False
        self._known_probes: dict[Any, Any] = {}  # probes read in the last fit, for `picture`
        # Validates the arguments as a view does.
        self._make(FilterImages if validation_data is None else OverfittingMonitor)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Select the views, begin them, and print their names in one line."""
        self.abandon()  # after an exception in `fit`, Keras does not call `on_train_end`
        self._running, self._begun = [], True
        # Take part in the fit during the selection, so that the views reuse the data read and the model traced.
        fit = FitContext.join(self.model, self, self.params)
        try:
            chosen = self.fitting_views(fit)
            for view in chosen:
                view.set_model(self.model)
                view.set_params(self.params)
            try:
                for view in chosen:
                    self._running.append(view)
                    with self._left_out_unless_it_fits(view):
                        view.on_train_begin(logs)
            except BaseException:
                self.abandon()
                raise
        finally:
            fit.leave(self, quietly=True)
        self._known_probes = fit.probes
        if (self.params or {}).get("verbose", 1):
            self._say_choice()

    @contextmanager
    def _left_out_unless_it_fits(self, view: View) -> Iterator[None]:
        """Leave out a view that was chosen and refuses to begin, unless an argument of the user is at fault."""
        try:
            yield
        except ValueError as error:
            if self.views is not None or str(error).startswith(_GIVEN):
                raise
            self._running.remove(view)
            self._choice.leave_out(type(view).__name__, short_message(error))

    def _say_choice(self) -> None:
        """Print the views, what the parts of the model are taken for, and what is left out."""
        roles = f" ({self._choice.roles})" if str(self._choice.roles) else ""
        chosen = ", ".join(view.chosen_summary() for view in self._running)
        say(f"kerasviz_callbacks: {chosen or self.nothing_fits()}{roles}.")
        self._say_left_out()

    def _say_left_out(self, known: int = 0) -> None:
        """Print what is left out, and why, but for the first ones that are known."""
        reasons = self._choice.reasons(known)
        if reasons and (self.params or {}).get("verbose", 1):
            say(f"kerasviz_callbacks: left out: {reasons}.")

    def nothing_fits(self) -> str:
        """Return in words that no view fits the model, and the remedy."""
        without = "" if self.validation_data is not None else " without validation_data"
        return f'no view fits model "{self.model.name}"{without}; name some in views=: {", ".join(VIEWS)}'

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Call the hook of each view."""
        if not self._begun:
            self.on_train_begin()
        try:
            with self._frozen_weights():
                known = len(self._choice.left_out)
                for view in list(self._running):  # at the first epoch each runs once, and may still refuse
                    with self._left_out_unless_it_fits(view):
                        view.on_epoch_begin(epoch, logs)
                self._say_left_out(known)
        except BaseException:
            self.abandon()
            raise

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Call the hook of each view; the weights are fingerprinted once for all views."""
        self._begin_late()
        with self._frozen_weights():
            for view in self._running:
                view.on_epoch_end(epoch, logs)

    @property
    def on_train_batch_end(self) -> Callable[..., None]:
        """Call the hook of the views with `unit="batch"` or in a notebook; else the base method, which Keras skips."""
        views = [cast(View, view) for view in self.views or () if isinstance(view, View)]
        units = [self.options.get("unit"), *(view.unit for view in views)]
        notebooks = [self.options.get("notebook", "auto"), *(view.notebook for view in views)]
        if "batch" in units or any(shown_in_notebook(notebook) for notebook in notebooks):
            return self._batch_ended
        return cast(Callable[..., None], super().on_train_batch_end)

    def _batch_ended(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._begin_late()
        with self._frozen_weights():
            for view in self._running:
                view.on_train_batch_end(batch, logs)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Call the hook of each view."""
        self._begun = False
        for view in self._running:
            view.on_train_end(logs)

    def abandon(self) -> None:
        """Leave a fit that does not begin, or that an exception has ended."""
        self._begun = False
        for view in self._running:
            view.abandon()

    def _begin_late(self) -> None:
        """Begin if a custom loop skipped the earlier hooks; errors follow `on_error`, and it is tried once."""
        if self._begun:
            return
        failures = Failures(type(self).__name__, self.options.get("on_error", "warn"))
        with failures.collect("begin (call on_train_begin before the first batch, to see this error earlier)"):
            self.on_train_begin()
        self._begun = True
        failures.report()

    def picture(self, model: Any, tag: str | None = None) -> Any:
        """See the model with its current weights as an array, uint8 `(h, w, 3)`: all views stacked, or one `tag`.

        Before a fit of this model, views are selected for it as `fit` would do; see `View.picture`.

        Example:
            >>> Image.fromarray(kv.Visualizer("logs", (x_val, y_val)).picture(model))  # doctest: +SKIP
        """
        return one_picture(self._snapshot(model), tag)

    def pictures(self, model: Any) -> dict[str, Any]:
        """Return the images of `picture` one by one: `{"validation/grad_cam/conv2": uint8 (h, w, 3)}`."""
        return by_name(self._snapshot(model))

    def _snapshot(self, model: Any) -> list[Image]:
        def select(fit_context: FitContext) -> list[View]:
            if self._running and self._model is model:
                return self._running
            duplicate = copy.copy(self)
            duplicate.set_model(model)
            fit_context.probes.update(self._known_probes)
            self._known_probes = fit_context.probes
            chosen = duplicate.fitting_views(fit_context)
            if not chosen:
                raise ValueError(f"views=None: {duplicate.nothing_fits()}.")
            return chosen

        return snapshot(select, model)

    def observes(self, step: int, unit: str) -> bool:
        """Return `False`: only the views capture the model."""
        return False

    def requests(self) -> dict[tuple[int, int], Any]:
        """Return nothing: only the views request captures."""
        return {}

    def __getstate__(self) -> dict[str, Any]:
        """Exclude the fit, the model and the views selected for it from copies."""
        part = self.options["model"]
        options = {**self.options, "model": part if isinstance(part, str | None) else part.name}
        kept: dict[str, Any] = {
            "_model": None,
            "_running": [],
            "_begun": False,
            "_known_probes": {},
            "_choice": Choice(),
        }
        return {**self.__dict__, **kept, "options": options}

    def _frozen_weights(self) -> AbstractContextManager[None]:
        fit_context = next((view.fit_context for view in self._running if view.in_fit), None)
        return nullcontext() if fit_context is None else fit_context.frozen_weights()

    def fitting_views(self, fit_context: FitContext) -> list[View]:
        """Create the requested views, or those that suit the model."""
        self._choice = Choice()
        if self.views is not None:
            return [self._make(view) for view in self.views]
        kind = FilterImages if self.validation_data is None else ActivationMaps
        context = ViewContext(self._make(kind), self.model, self.params, fit=fit_context)
        view = context.view
        model, why = view.read_model(), ""
        try:
            if isinstance(view, ProbeView) and view.can_prepare():  # reading the data builds the model
                view.read_data()
            elif isinstance(view, ProbeView):
                why = why_not_run(model, view.list_layers())
        except PartsError as error:
            why = f"{error.reason}; {error.remedy}"
        finally:
            fit_context.participants.remove(context)
        probes, readers = (getattr(view, name, {}) for name in ("probes", "readers"))
        self._choice = fitting_views(model, view.list_layers(), readers.get(VALIDATION), probes, why)
        views = [self._make(one, **arguments) for one, arguments in self._choice.views]
        for one in views:
            if isinstance(one, (ConfusionMatrix, DataMap)) and self.of_data["count"] is None:
                one.rows_like = OverfittingMonitor  # one pass for all
        return views

    def _make(self, view: type[View] | View, **arguments: Any) -> View:
        """Create a view with the arguments of the visualizer, replaced by `arguments`; an instance keeps its own."""
        if isinstance(view, View):
            return cast(View, view)
        if not issubclass(view, ProbeView):
            return view(self.log_dir, **self.options)
        options = {**self.of_data, **self.options}
        if issubclass(view, OverfittingMonitor):
            options["publish"] = self.publish
        return view(self.log_dir, self.validation_data, **{**options, **arguments})
