"""`Visualizer`: looks at the model and picks the views that fit it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, cast

import keras

from .callback import VALIDATION, ProbeView, View
from .observer import Observer
from .probe import Probe
from .taps.choosing import last_maps, reconstruction
from .taps.reader import Reader
from .taps.scores import Head, Score
from .taps.weights import convolution_layout
from .views.activation_maps import ActivationMaps
from .views.filter_images import FilterImages, filter_kernels
from .views.grad_cam import GradCAM
from .views.latent_trajectory import LatentTrajectory

VIEWS: dict[str, type[View]] = {
    view.__name__: view for view in (FilterImages, ActivationMaps, GradCAM, LatentTrajectory)
}
_SHARED = ("freq", "start_from_epoch", "save_dir", "on_error")
_OF_DATA = ("training_data", "count", "class_names", "display")


class Visualizer(keras.callbacks.Callback):
    """See a model learn with one line: picks the views that fit the model and says which.

    Convolutions: their filters, and with data what they answer. A classifier: Grad-CAM. An autoencoder: the
    trajectories of its codes.

    Args:
        log_dir: where TensorBoard looks.
        validation_data: what the views look at; `None`: only views of the weights. See `ProbeView`.
        training_data: the same views of training data, beside it in TensorBoard.
        views: instead of the automatic choice: classes, their names, or instances (whose own arguments win).
        options: as for the single views: `freq`, `start_from_epoch`, `save_dir`, `on_error`, `count`, `class_names`,
            `display`.

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
        self.views = None if views is None else _requested(views)
        self._running: list[View] = []
        self._make(FilterImages if validation_data is None else ActivationMaps)  # checks the arguments, as a view does

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Choose the views, begin them, and say in one line which they are."""
        verbose = (self.params or {}).get("verbose", 1)
        # A member while it chooses, so that the views find the data read and the model traced.
        observer = Observer.join(self.model, self, self.params)
        try:
            self._running = self._fitting(observer) if self.views is None else [self._made(v) for v in self.views]
            for view in self._running:
                view.set_model(self.model)
                view.set_params(self.params)
            begun = []
            try:
                for view in self._running:
                    begun.append(view)
                    view.on_train_begin(logs)
            except BaseException:
                for view in begun:
                    view.abandon()
                raise
        finally:
            observer.leave(self, quietly=True)
        if verbose:
            print(f"kerasviz_callbacks: {', '.join(view.shows() for view in self._running)}.", flush=True)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Hand on to the views."""
        try:
            for view in self._running:
                view.on_epoch_begin(epoch, logs)
        except BaseException:
            for view in self._running:
                view.abandon()
            raise

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Hand on to the views."""
        for view in self._running:
            view.on_epoch_end(epoch, logs)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Hand on to the views."""
        for view in self._running:
            view.on_train_end(logs)

    def due(self, step: int) -> bool:
        """The visualizer itself looks at nothing."""
        return False

    def wants(self) -> dict[tuple[int, int], Any]:
        """The visualizer itself wants nothing."""
        return {}

    def __getstate__(self) -> dict[str, Any]:
        """A copy takes no fit along, neither the model nor the views chosen for it."""
        return {**self.__dict__, "_model": None, "_running": []}

    def _fitting(self, observer: Observer) -> list[View]:
        """The views that fit the model.

        Raises:
            ValueError: none does.
        """
        of_data: list[type[View]] = []
        if self.validation_data is not None:  # first, since this builds the model, if it was not
            view = ActivationMaps(self.log_dir, self.validation_data, **self.of_data)
            view.set_model(self.model)
            view.read(observer)
            convolves = any(convolution_layout(place.layer) for place in observer.places())
            of_data = _fitting(view.readers[VALIDATION], view.probes[VALIDATION], convolves)
        # A model that is not built yet has no weights to judge by; what cannot be shown is told later.
        has_filters = not self.model.built or filter_kernels(self.model, observer.places())
        chosen: list[type[View]] = [*([FilterImages] if has_filters else []), *of_data]
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
        return view(self.log_dir, self.validation_data, **self.of_data, **self.options)


def _requested(views: Any) -> list[type[View] | View]:
    if isinstance(views, (str, View, type)) or not isinstance(views, Sequence):
        raise TypeError(f"views={views!r}: expected a list of views, their classes or names.")
    if not views:
        raise ValueError(f"views=[]: name at least one of {', '.join(VIEWS)}, or leave it out.")
    return [_view(one) for one in views]


def _view(one: Any) -> type[View] | View:
    if isinstance(one, View) or (isinstance(one, type) and issubclass(one, View)):
        return one
    if not isinstance(one, str):
        raise TypeError(f"views: {one!r} is no view; expected an instance, a class or a name of {', '.join(VIEWS)}.")
    if one not in VIEWS:
        raise ValueError(f"views: {one!r}: no such view; expected one of {', '.join(VIEWS)}.")
    return VIEWS[one]


def _fitting(reader: Reader, probe: Probe, convolves: bool) -> list[type[View]]:
    """The views of data that fit: what layers answer, and what a classifier or an autoencoder is about."""
    if reconstruction(reader, probe.inputs) is not None:
        return [ActivationMaps, LatentTrajectory] if convolves else [LatentTrajectory]
    answers = _classifies(reader.head, probe)
    shown: list[type[View]] = [ActivationMaps] if answers or convolves else []
    return [*shown, GradCAM] if answers and _has_evidence(reader) else shown


def _classifies(head: Head, probe: Probe) -> bool:
    """Whether the model's first output are classes: a softmax or sigmoid, or logits of the labels' classes."""
    if head.kind is not None:
        return True
    return probe.labels is not None and head.classes > int(probe.labels.max(initial=0)) and head.classes > 1


def _has_evidence(reader: Reader) -> bool:
    """Whether some layer has maps that the score depends on."""
    try:
        last_maps(reader, Score())
    except ValueError:
        return False
    return True
