"""`View`: base class of all views, callbacks that visualize the model during training and never break it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, cast

from .._typing import Array
from ..fit_context import FitContext
from ..maths.choice import MOST_LAYERS, evenly_by_depth, selection_text
from ..record.notebook import shown_in_notebook
from ..taps.layers import LayerRef, attribute_paths, has_call, list_layers
from ..taps.parts import find_part, is_built
from .failures import HOOKS_LEFT_OUT, Failures
from .schedule import Schedule
from .snapshot import by_name, one_picture, snapshot
from .stages import Stages
from .types import FitResult, Memory
from .view_context import ViewContext


class View(Stages):
    """A callback that visualizes the model during training and logs images and scalars to TensorBoard.

    A subclass implements three stages: `capture` copies tensors from the model on the training thread; `measure`
    computes from them, and `draw` draws images, both on a worker thread. `ViewContext` schedules them and writes the
    results. It works on a copy of the view, so `memory` and the layers that `prepare` finds belong to one fit.

    Args:
        log_dir: the TensorBoard log directory; the view writes into its own run directories below it.
        freq: draw when `(epoch - start_from_epoch) % freq == 0`, and at the last epoch.
        start_from_epoch: the first epoch to draw, 0-based. At 0 the model before training is drawn too, as step -1.
        unit: `"epoch"`, or `"batch"`: `freq` and `start_from_epoch` count batches, and the step is the number of
            batches trained: a fit of 500 batches with `freq=50` has the steps -1, 50, 100, ... 500.
        save_dir: also write each image to `save_dir/<run>/<tag>/000007.png`.
        timelapse: at the end of training also log all drawn steps as one animated image, `<tag>/timelapse`.
        notebook: `"auto"`: in Jupyter, Colab, Kaggle and VS Code the newest images appear below the cell while `fit`
            runs, and a page with all steps at its end. `True`, `False`: always or never.
        show: which images appear there, at most four: patterns of tags such as `["activations/*"]`. `None`: of
            overfitting, predictions, Grad-CAM and latent codes, then of other views.
        on_error: `"warn"`: warn once for each cause of an error and continue training; `"raise"`: raise it.
        model: a part of the trained model that is looked at in its place: the attribute that holds it (`"encoder"`,
            `"gan.generator"`, `"networks.0"`), its name, or the part itself. Its path begins those in tags:
            `filters/generator/conv1`.

    Attributes:
        every_epoch: whether the view measures at the end of every epoch; it still draws only as `freq` says.
        scalar_descriptions: what each scalar means, in Markdown, by the last part of its tag.
        memory: its state during a fit; afterwards that of the last fit.
        selection: which of the model's layers are shown if the view chose among too many, in words.
        context: the fit that it takes part in; `None` outside of `fit`.
        result: what the last fit left, used by `picture` and by a resumed fit.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: `freq` < 1, `start_from_epoch` < 0, another `unit`, `notebook` or `on_error`; before the first
            batch: a `model` that is not a part of the trained one.
    """

    context: ViewContext | None
    _gave_up = False

    def chosen_summary(self) -> str:
        """Return `summary` with the layers found for the current fit, if there is one."""
        return (self if self.context is None else self._in_context().view).summary()

    # Without `fit`.

    def picture(self, model: Any, tag: str | None = None) -> Array:
        """See the model with its current weights as an array, before, after or without `fit`; nothing is written.

        After a fit of this model, the image keeps that fit's channels, scales and histories: it shows the last step
        again if the weights have not changed, otherwise one further step. Neither model nor view changes.

        Args:
            model: a built Keras model; it need not be compiled.
            tag: which image, such as `"filters/conv1"` or `"train/grad_cam/conv2"`; `None`: all of them.

        Returns:
            uint8 `(h, w, 3)`; several images are stacked vertically, validation data first.

        Raises:
            TypeError: `model` is not a Keras model.
            ValueError: an unknown tag, a model without weights, or any error that `fit` would raise before its first
                batch.
            RuntimeError: this view is taking part in a fit.

        Example:
            >>> Image.fromarray(kv.GradCAM("logs", (x_val, y_val)).picture(model))  # doctest: +SKIP
        """
        return one_picture(snapshot([self], model), tag)

    def pictures(self, model: Any) -> dict[str, Array]:
        """Return the images of `picture` one by one: `{"validation/grad_cam/conv2": uint8 (h, w, 3)}`."""
        return by_name(snapshot([self], model))

    # Hooks that Keras calls; the context does the rest.

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Check the arguments against the model before the first batch; errors raise, whatever `on_error`."""
        self.abandon()  # after an exception in `fit`, Keras does not call `on_train_end`
        self._gave_up = False
        self.context = ViewContext(self, self.model, self.params)
        self.known_probes = self.context.fit.probes
        self._or_abandon(self.context.check_request)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Before the first batch: capture once as a check, and draw the untrained model."""
        if self.context is None:
            self.on_train_begin()
        if not self._in_context().begun:
            self._or_abandon(lambda: self._in_context().begin(epoch, untrained=True))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Capture the model if this epoch is drawn or metrics are due."""
        self._begin_late(epoch)
        if self.context is not None:
            self.context.epoch_ended(epoch, logs)

    @property
    def on_train_batch_end(self) -> Callable[..., None]:
        """Capture the model if this batch is drawn, and show what is new in a notebook.

        With `unit="epoch"` outside of notebooks it is the base method, which Keras skips.
        """
        if self.unit == "batch" or shown_in_notebook(self.notebook):
            return self._batch_ended
        return cast(Callable[..., None], super().on_train_batch_end)

    def _batch_ended(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self.unit == "batch":
            self._begin_late(0)
        if self.context is not None:
            self.context.batch_ended(batch)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Draw the last step if training stopped early, write the animation, and wait until all is written."""
        context, self.context = self.context, None
        if context is not None and context.begun:
            self._keep(None)
            self._keep(context.finish())
        elif context is not None:
            context.finish()  # a fit without epochs

    def abandon(self) -> None:
        """Leave a fit that does not begin, or that an exception has ended."""
        context, self.context = self.context, None
        if context is not None:
            result = context.finish(abandoned=True)
            if context.begun:
                self._keep(result)

    def _begin_late(self, epoch: int) -> None:
        """Begin if a custom loop skipped the earlier hooks; errors follow `on_error`, and it is tried once."""
        if self._gave_up or (self.context is not None and self.context.begun):
            return
        failures = Failures(type(self).__name__, self.on_error)
        with failures.collect("begin (call on_train_begin before the first batch, to see this error earlier)"):
            if self.context is None:
                self.on_train_begin()
            self._or_abandon(lambda: self._in_context().begin(epoch, untrained=False))
        self._gave_up = self.context is None
        failures.report()
        if not self._gave_up:
            warnings.warn(HOOKS_LEFT_OUT, stacklevel=3)

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

    # What a view can use during a fit.

    @property
    def part_path(self) -> str:
        """The path of the part that is looked at; empty if it is the trained model itself."""
        return self.part or ""

    @property
    def in_fit(self) -> bool:
        """Whether this view is taking part in a fit."""
        return self.context is not None

    @property
    def fit_context(self) -> FitContext:
        """The state shared with the other callbacks of the fit."""
        return self._in_context().fit

    @property
    def schedule(self) -> Schedule:
        """Which steps are drawn in this fit."""
        return self._in_context().schedule

    def read_model(self) -> Any:
        """Return the model to read: the one being trained, or the part of it that `model` names."""
        model = self.model
        return model if self.part is None else find_part(model, self.part).layer

    def layer_paths(self) -> dict[int, str]:
        """Return the paths of layers that do not follow from their names, by `id`; see `list_layers`."""
        model, part = self.model, View.read_model(self)
        if part is model:
            return attribute_paths(model)
        return {**attribute_paths(model), **attribute_paths(part, f"{self.part}/"), id(part): self.part_path}

    def list_layers(self) -> list[LayerRef]:
        """Return the layers of the model to read as they are now; some come only when it is built."""
        return list_layers(self.read_model(), self.layer_paths())

    def has_weights(self) -> bool:
        """Return whether the model to read is built, after the first epoch at least some of its parts."""
        return is_built(self.read_model(), partly=self._in_context().trained)

    def evenly(self, paths: Sequence[str], what: str = "layers") -> list[str]:
        """Select at most eight layers evenly by depth, and note it; of a model without `call`, from each of its parts.

        `what` is the name of what is selected.
        """
        groups: dict[str, list[str]] = {}
        parts = [] if has_call(self.read_model()) else list(self.layer_paths().values())
        for path in paths:
            within = [part for part in parts if f"{path}/".startswith(f"{part}/")]
            groups.setdefault(max(within, key=len, default=""), []).append(path)
        each = max(1, MOST_LAYERS // max(1, len(groups)))
        chosen = [path for group in groups.values() for path in evenly_by_depth(group, each)]
        self.selection = selection_text(len(chosen), len(paths), what)
        return chosen

    def _in_context(self) -> ViewContext:
        if self.context is None:
            raise RuntimeError(f"{type(self).__name__} is not in a fit.")
        return self.context

    def __getstate__(self) -> dict[str, Any]:
        """Exclude the fit from copies (KerasTuner makes them): no threads, files or compiled functions, no model."""
        part = self.part if isinstance(self.part, str | None) else self.part.name
        return {**self.__dict__, "context": None, "result": None, "known_probes": {}, "_model": None, "part": part}
