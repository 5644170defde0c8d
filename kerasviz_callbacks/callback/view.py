"""`View`: a callback that looks at the model as training goes on, and never breaks it."""

from __future__ import annotations

import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ..observer import Observer, Request
from ..record.directories import check_writable
from ..taps.reader import Taken
from .arguments import directory, whole_number
from .numbers import UNTRAINED, Drawn, Measured, Memory


@dataclass
class _Fit:
    """What a view knows of the fit that is under way."""

    observer: Observer
    log: Any = None
    save_dir: Path | None = None
    first: bool = True
    last_epoch: int | None = None
    drawn_step: int | None = None
    weights: bytes = b""
    prepared: bool = False


class View(keras.callbacks.Callback, ABC):
    """A callback that looks at the model at the end of an epoch and logs what it sees.

    A view says what it takes of the model (`take`, on the training thread), what numbers it makes of that (`measure`)
    and how they look (`draw`), both on the worker. Everything else is here.

    Args:
        log_dir: where TensorBoard looks; the view writes into run directories of its own below it.
        freq: drawn when `(epoch - start_from_epoch) % freq == 0`, and at the last epoch.
        start_from_epoch: the first epoch drawn, 0-based. At 0 the untrained model is drawn too, as step -1.
        save_dir: also write each picture to `save_dir/<run>/<tag>/000007.png`.
        on_error: `"warn"`: a failure of the view warns once a cause, and training goes on; `"raise"`: it raises.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: `freq` < 1, `start_from_epoch` < 0, or another `on_error`.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        *,
        freq: int = 1,
        start_from_epoch: int = 0,
        save_dir: str | os.PathLike[str] | None = None,
        on_error: str = "warn",
    ):
        super().__init__()
        self.log_dir = directory(log_dir, "log_dir")
        self.freq = whole_number(freq, "freq", least=1)
        self.start_from_epoch = whole_number(start_from_epoch, "start_from_epoch", least=0)
        self.save_dir = None if save_dir is None else directory(save_dir, "save_dir")
        if on_error not in ("warn", "raise"):
            raise ValueError(f'on_error={on_error!r}: expected "warn" or "raise".')
        self.on_error = on_error
        self.memory = Memory()
        self._remembers: int | None = None  # the model that the memory is of; a resumed fit goes on with it
        self._fit: _Fit | None = None
        self._told: set[tuple[str, str]] = set()
        self._failures: list[tuple[str, Exception]] = []

    # What a view is.

    @abstractmethod
    def prepare(self) -> None:
        """Find the layers; called before the first batch. Raises what is wrong with the request, in plain words."""

    @abstractmethod
    def take(self, step: int) -> dict[str, Any]:
        """On the training thread: what is needed of the model now, copied, by source; validation first."""

    @abstractmethod
    def measure(self, taken: Any, source: str, step: int) -> Measured:
        """Numbers from what was taken; pure numpy. Runs in the order of the steps and keeps history in `memory`."""

    @abstractmethod
    def draw(self, measured: Mapping[str, Measured]) -> Iterator[Drawn]:
        """Pictures from numbers, all sources at once, so that they share their scale."""

    def wants(self) -> Mapping[tuple[int, int], Request]:
        """What is wanted of the passes that all callbacks share."""
        return {}

    def ready(self) -> bool:
        """Whether the layers can be found already; else that is done as soon as they can."""
        return True

    # When.

    def due(self, step: int) -> bool:
        """Whether this step is drawn."""
        if step == UNTRAINED:
            return self.start_from_epoch == 0
        late = step - self.start_from_epoch
        return (late >= 0 and late % self.freq == 0) or step == (self.params or {}).get("epochs", 0) - 1

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Check all that can be known before the first batch; what is wrong raises, whatever `on_error`."""
        self._leave(quietly=True)  # a fit that died calls no `on_train_end`
        self._fit = _Fit(Observer.join(self.model, self, self.params))
        self._told, self._failures = set(), []
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
        self._fit.observer.training = True
        try:
            if epoch == 0 or self._remembers != id(self.model):
                self.memory, self._remembers = Memory(), id(self.model)
            self._fit.log = self._fit.observer.log(self.log_dir, UNTRAINED if epoch == 0 else epoch)
            self._prepare_if_ready()
            if self._fit.prepared:
                self.check(self.take(UNTRAINED))
            elif self.observer.verbose:
                print(
                    f"kerasviz_callbacks: the model has no weights yet, so {type(self).__name__} begins "
                    "after the first epoch; give the model an Input to see it untrained.",
                    flush=True,
                )
        except BaseException:
            self._leave(quietly=True)
            raise
        if epoch == 0 and self.due(UNTRAINED):
            self._look(UNTRAINED)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at the model, if this epoch is drawn."""
        if self._fit is None:
            return
        self._fit.last_epoch = epoch
        if self.due(epoch):
            self._look(epoch)
        else:
            self._fit.weights = self._fit.observer.fingerprint()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """After an early stop, draw the last epoch if it was not; then finish writing."""
        fit = self._fit
        if fit is None:
            return
        try:
            if fit.last_epoch is not None and fit.drawn_step != fit.last_epoch:
                changed = fit.weights != fit.observer.fingerprint()
                self._look(fit.last_epoch, note="restored" if changed else "", must=True)
            fit.observer.wait()
            self._tell()
        finally:
            self._leave()

    def check(self, taken: dict[str, Any]) -> None:
        """Look at what was taken before the first batch; raises what can only be seen by running the model."""

    # How.

    @property
    def observer(self) -> Observer:
        """What this view shares with the other callbacks of the fit."""
        if self._fit is None:
            raise RuntimeError(f"{type(self).__name__} is not in a fit.")
        return self._fit.observer

    def _prepare_if_ready(self) -> None:
        if self._fit is not None and not self._fit.prepared and self.ready():
            self.prepare()
            self._fit.prepared = True

    def _look(self, step: int, note: str = "", must: bool = False) -> None:
        """Take on this thread, hand the rest over."""
        fit, observer = self._fit, self.observer
        last = step == (self.params or {}).get("epochs", 0) - 1
        try:
            self._tell()
            self._prepare_if_ready()
            if not fit.prepared:  # type: ignore[union-attr]
                return
            drawn = observer.draws(step, must=must or last)
            taken = self.take(step)
        except Exception as error:
            self._failed("take", error)
            self._tell()
            return
        log, save_dir = fit.log, fit.save_dir  # type: ignore[union-attr]

        def work() -> None:
            self._work(log, save_dir, taken, step, note, drawn)

        observer.submit(work, step=step, size=_bytes(taken), drawn=drawn)
        fit.drawn_step = step  # type: ignore[union-attr]

    def _work(self, log: Any, save_dir: Any, taken: dict[str, Any], step: int, note: str, must_draw: bool) -> None:
        """On the worker: measure every source, then draw; a failure of one stage is told on the training thread."""
        stage, measured = "measure", {}
        try:
            for source, found in taken.items():
                measured[source] = self.measure(found, source, step)
                if note:
                    measured[source] = replace(measured[source], note=note)
            stage = "write"
            for source, one in measured.items():
                for tag, value in one.scalars.items():
                    log.scalar(source, tag, step, value, self.describe(tag))
            if must_draw:
                stage = "draw"
                for drawn in self.draw(measured):
                    log.picture(drawn.source, drawn.tag, step, drawn.picture, drawn.description, save_dir=save_dir)
        except Exception as error:
            self._failed(stage, error)
        finally:
            try:
                log.flush()
            except OSError as error:
                self._failed("write", error)

    def describe(self, tag: str) -> str:
        """What stands behind the "i" of a scalar, in Markdown."""
        return ""

    def _failed(self, stage: str, error: Exception) -> None:
        self._failures.append((stage, error))

    def _tell(self) -> None:
        """Say what failed since the last time, each cause once; on the training thread, where a warning is seen."""
        failures, self._failures = self._failures, []
        for stage, error in failures:
            if self.on_error == "raise":
                raise error
            cause = (stage, type(error).__name__)
            if cause not in self._told:
                self._told.add(cause)
                warnings.warn(
                    f"{type(self).__name__} could not {stage} ({type(error).__name__}: {error}); training goes on. "
                    'Further failures of this kind are not shown; on_error="raise" stops at the first.',
                    stacklevel=3,
                )

    def abandon(self) -> None:
        """Leave a fit that will not begin after all."""
        self._leave(quietly=True)

    def shows(self) -> str:
        """What it shows, in a few words, for the line that says what was chosen."""
        return type(self).__name__

    def _leave(self, *, quietly: bool = False) -> None:
        fit, self._fit = self._fit, None
        if fit is not None:
            fit.observer.leave(self, quietly=quietly)

    def __getstate__(self) -> dict[str, Any]:
        """A copy (KerasTuner makes them) takes no fit along: no threads, files or compiled functions."""
        return {**self.__dict__, "_fit": None, "_remembers": None, "_model": None}


def _bytes(taken: Any) -> int:
    """How much memory is held, roughly: numpy arrays in nested dicts and dataclasses."""
    if isinstance(taken, np.ndarray):
        return taken.nbytes
    if isinstance(taken, Mapping):
        return sum(_bytes(value) for value in taken.values())
    return sum(_bytes(value) for value in vars(taken).values()) if isinstance(taken, Taken) else 0
