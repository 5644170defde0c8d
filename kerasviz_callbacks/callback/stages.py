"""`Stages`: the arguments of a view and the methods that a subclass implements; `View` adds the hooks of Keras."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import keras

from .._arguments import whole_number
from ..fit_context import Request
from ..record.projector import Points
from .arguments import auto_or_bool, directory, one_of, tag_patterns
from .schedule import Unit
from .types import FitResult, Image, Measured, Memory, Text


class Stages(keras.callbacks.Callback, ABC):
    """What `ViewContext` knows of a view; the arguments and attributes are documented in `View`."""

    every_epoch: ClassVar[bool] = False
    scalar_descriptions: ClassVar[Mapping[str, str]] = {}
    selection: str = ""

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        *,
        freq: int = 1,
        start_from_epoch: int = 0,
        unit: Unit = "epoch",
        save_dir: str | os.PathLike[str] | None = None,
        timelapse: bool = False,
        notebook: bool | str = "auto",
        show: Sequence[str] | None = None,
        on_error: str = "warn",
        model: Any = None,
    ):
        super().__init__()
        self.log_dir = directory(log_dir, "log_dir")
        self.freq = whole_number(freq, "freq", minimum=1)
        self.start_from_epoch = whole_number(start_from_epoch, "start_from_epoch", minimum=0)
        one_of(unit, "unit", "epoch", "batch")
        self.unit = unit
        self.save_dir = None if save_dir is None else directory(save_dir, "save_dir")
        if not isinstance(timelapse, bool):
            raise TypeError(f"timelapse={timelapse!r}: expected True or False, got {type(timelapse).__name__}.")
        self.timelapse = timelapse
        self.notebook = auto_or_bool(notebook, "notebook")
        self.show = tag_patterns(show, "show")
        one_of(on_error, "on_error", "warn", "raise")
        self.on_error = on_error
        if not (model is None or isinstance(model, (str, keras.layers.Layer))):
            raise TypeError(
                f"model={model!r}: expected a part of the trained model or its name, such as "
                f'"generator" or "gan.generator", got {type(model).__name__}.'
            )
        self.part = model  # a path once a fit has begun
        self.memory = Memory()
        self.context: Any = None
        self.result: FitResult | None = None
        self.known_probes: dict[Any, Any] = {}  # the probes read last; `picture` uses the same rows

    # The methods that a subclass implements.

    @abstractmethod
    def prepare(self) -> None:
        """Find the layers. Called before the first batch; raises an error if an argument does not fit the model."""

    @abstractmethod
    def capture(self, step: int) -> dict[str, Any]:
        """Copy the required tensors, keyed by data source, validation first. Runs on the training thread."""

    @abstractmethod
    def measure(self, captured: Any, source: str, step: int) -> Measured:
        """Compute the data to draw and the scalars, in pure numpy. Called in step order; keep histories in `memory`."""

    @abstractmethod
    def draw(self, measured: Mapping[str, Measured]) -> Iterator[Image]:
        """Draw images of all data sources, which share one scale. Skipped if drawing falls behind training."""

    def points(self, measured: Mapping[str, Measured]) -> Iterator[tuple[str, Points]]:
        """Return the points for TensorBoard's projector, by data source. Default: none."""
        return iter(())

    def texts(self, measured: Mapping[str, Measured]) -> Iterator[Text]:
        """Return texts for TensorBoard's Text tab. Default: none."""
        return iter(())

    def files(self, measured: Mapping[str, Measured]) -> Iterator[tuple[str, str, bytes]]:
        """Return files that replace the previous ones: data source, name and content. Default: none."""
        return iter(())

    def restore(self, first_step: int, read: Callable[[str, str], bytes | None]) -> None:
        """Continue from an earlier fit that this one resumes at a step, before it is measured. Default: nothing to do.

        Its `memory` is there already where the view itself has seen the model's last fit; `read` gives the content of
        a file of that fit, by data source and name, `None` without one.
        """

    def on_logs(self, step: int, logs: Mapping[str, Any]) -> None:
        """Receive the epoch's Keras logs, before the step is measured. Default: ignore them."""

    def published(self) -> bool:
        """Return whether the view adds metrics to `logs`; `measure` then runs on the training thread. Default: no."""
        return False

    def logged_metrics(self, measured: Mapping[str, Measured]) -> dict[str, float]:
        """Return the metrics for `logs`, always with the same keys (NaN if not measured). Default: none."""
        return {}

    def requests(self) -> Mapping[tuple[int, int], Request]:
        """Return the captures required from the forward passes that all callbacks share. Default: none."""
        return {}

    def tags(self) -> Mapping[str, Hashable]:
        """Return the tags that the view writes, known after `prepare`, each with a key that identifies its content.

        Two views of one fit may write the same tag if its keys are equal. The key `None` equals no other: a second
        view with that tag gets tags with a suffix, such as `"grad_cam-2/conv2"`.
        """
        return {}

    def can_prepare(self) -> bool:
        """Return whether `prepare` can run yet, such as after the model is built; otherwise it is retried later."""
        return True

    def check(self, captured: dict[str, Any]) -> None:
        """Check the tensors captured before the first batch; raises errors that only running the model reveals."""

    def describe(self, tag: str) -> str:
        """Return the description of a scalar, in Markdown."""
        return self.scalar_descriptions.get(tag.rpartition("/")[2], "")

    def summary(self) -> str:
        """Return the view and what it shows in a few words, for the line that lists the chosen views."""
        return type(self).__name__
