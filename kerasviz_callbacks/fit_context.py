"""What all callbacks of one `fit` share: the pass over the model, the worker, the event files, the closing line."""

from __future__ import annotations

import atexit
import os
import shlex
import sys
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Protocol

import keras
import numpy as np

from ._autodiff import framework
from .probe import Probe, as_probe
from .record.log import Log
from .record.step_queue import StepQueue
from .record.steps import claimed_free_run
from .taps.layers import LayerRef, list_layers
from .taps.reader import Capture, Captured, Reader

Array = np.ndarray[Any, Any]
LAST_PATIENCE = 120.0  # seconds at the end of a fit, when nothing else is waiting


class Participant(Protocol):
    """What the observer must know of a callback to read the model for all of them at once."""

    def observes(self, step: int) -> bool:
        """Whether it reads the model at this step."""

    def requests(self) -> Mapping[tuple[int, int], Request]:
        """What it wants of each reader and probe, by their identities."""


@dataclass(frozen=True)
class Request:
    """What one callback wants of one pass."""

    captures: tuple[Capture, ...]
    targets: Mapping[str, Array] = field(default_factory=dict)
    choices: Mapping[Capture, Array] = field(default_factory=dict)


class FitContext:
    """One for each model in `fit`. Callbacks `join` it as training begins and `leave` it at the end.

    Args:
        model: the model being trained.
        params: what Keras tells the callbacks of a fit; nothing is printed at `verbose` 0.

    Attributes:
        probes: what was read of the data, and the data themselves, so that the ids by which they are found stay theirs.
        work: what is handed over to the worker.
    """

    _watching: ClassVar[weakref.WeakValueDictionary[int, FitContext]] = weakref.WeakValueDictionary()

    def __init__(self, model: Any, params: Any):
        self.model = model
        self.params = params
        self.verbose = (params or {}).get("verbose", 1)
        self.participants: list[Participant] = []
        self.training = False  # from the first epoch on: who comes later belongs to another fit
        self.probes: dict[Any, tuple[Any, Probe]] = {}
        self.work = StepQueue()
        self._readers: dict[Any, Reader] = {}
        self._logs: dict[Path, Log] = {}
        self._named: dict[Path, str] = {}
        self._taken: dict[tuple[int, int], tuple[int, bytes, dict[Capture, Captured]]] = {}
        self._fingerprint: Callable[[], bytes] | None = None
        self._fingerprinted: list[int] = []
        self._weights: bytes | None = None  # their fingerprint, while callbacks look at the model
        self._observed_step: int | None = None
        self._observed_by: list[Participant] = []
        self._at_exit = partial(_close, weakref.ref(self))

    @classmethod
    def join(cls, model: Any, participant: Participant, params: Any) -> FitContext:
        """The observer of this model's fit, a new one for a new fit.

        Args:
            model: the model being trained.
            participant: the callback that joins.
            params: what Keras tells the callbacks of the fit: the same object to all of one fit.
        """
        found = cls._watching.get(id(model))
        if found is not None and not found._is_same_fit(participant, params):
            found.close(LAST_PATIENCE)
            found = None
        if found is None:
            found = cls(model, params)
            atexit.register(found._at_exit)
            cls._watching[id(model)] = found
        found.participants.append(participant)
        return found

    @classmethod
    @contextmanager
    def alone(cls, model: Any) -> Iterator[FitContext]:
        """One of no fit, for a look at the model as it is: nothing is printed or written, and nothing stays behind."""
        fit_context = cls(model, {"verbose": 0})
        try:
            yield fit_context
        finally:
            fit_context.participants.clear()
            fit_context.close(LAST_PATIENCE)

    def _is_same_fit(self, participant: Participant, params: Any) -> bool:
        """Whether the fit is that of the member, and not one that died, in training or before its first batch."""
        return params is self.params and not self.training and participant not in self.participants

    def leave(self, participant: Participant, *, quietly: bool = False) -> None:
        """The last to leave closes the files and prints how to look at them."""
        if participant in self.participants:
            self.participants.remove(participant)
        if self.participants:
            return
        finished = self.close(LAST_PATIENCE)
        if finished:
            atexit.unregister(self._at_exit)
        if self._watching.get(id(self.model)) is self:
            del self._watching[id(self.model)]
        if not finished:
            warnings.warn(
                "kerasviz_callbacks: pictures are still being written; the last may be missing.", stacklevel=2
            )
        if not quietly and self.verbose and self.work.steps:
            say(self.closing_line())

    def closing_line(self) -> str:
        """How to see every step, ready to paste; TensorBoard shows ten otherwise."""
        at = os.path.commonpath(list(self._logs)) if len(self._logs) > 1 else next(iter(self._named.values()))
        shown = max(1000, 2 * len(self.work.steps))
        line = f"kerasviz_callbacks: tensorboard --logdir {shlex.quote(at or '.')} --samples_per_plugin images={shown}"
        if self.work.skipped:
            line += f"  ({len(self.work.skipped)} epochs not drawn: drawing took longer than training)"
        lost = sum(log.losses.count for log in self._logs.values())
        if lost:
            line += f"  ({lost} pictures and figures could not be written)"
        return line

    def layers(self) -> list[LayerRef]:
        """The model's layers as they are now; some come only when it is built."""
        return list_layers(self.model)

    def probe(self, data: Any, *, count: int | None, default_count: int, class_names: Any, argument: str) -> Probe:
        """The probe of some data; read once, however many callbacks look at it."""
        parts = tuple(id(part) for part in data) if isinstance(data, tuple) else (id(data),)
        key = (parts, count or default_count, repr(class_names))
        if key not in self.probes:
            probe = as_probe(data, count=count, default_count=default_count, class_names=class_names, argument=argument)
            self.probes[key] = (data, probe)
        return self.probes[key][1]

    def reader(self, model: Any, inputs: Any) -> Reader:
        """What reads `model` on inputs of this kind; training and validation share it, and its compiled passes."""
        kind = keras.tree.map_structure(lambda array: (array.shape[1:], str(array.dtype)), inputs)
        key = (id(model), repr(kind))
        if key not in self._readers:
            self._readers[key] = Reader(model, inputs)
        return self._readers[key]

    def log(self, log_dir: str | os.PathLike[str], first_step: int) -> Log:
        """The one log of this directory, in run directories that hold no later steps of an earlier fit."""
        where = Path(log_dir).resolve()
        if where not in self._logs:
            for other in list(self._watching.values()):
                if where in other._logs:
                    other.wait()  # of a fit that died: what it still writes decides which runs are free
            group = claimed_free_run(where, first_step)
            if group != "views" and self.verbose:
                why = "already holds later steps, or another process logs there"
                say(f'kerasviz_callbacks: "{log_dir}" {why}; this fit is logged as {group}/.')
            self._logs[where] = Log(where, group, claimed=True)
            self._named[where] = os.fspath(log_dir)
        return self._logs[where]

    def read(self, participant: Participant, reader: Reader, probe: Probe, step: int) -> dict[Capture, Captured]:
        """What all callbacks that draw at this step want of this probe, from one pass.

        The first to ask pays; the others get the same, unless the weights have changed in between (a callback that
        swaps in averaged weights, say).
        """
        key = (id(reader), id(probe))
        own = participant.requests()[key]
        now = self.fingerprint() if len(self.participants) > 1 else b""
        known = self._taken.get(key)
        if known is not None and known[:2] == (step, now) and all(capture in known[2] for capture in own.captures):
            return known[2]
        others = [one.requests().get(key) for one in self.participants if one is not participant and one.observes(step)]
        requests = [own, *(request for request in others if request is not None)]
        captures = dict.fromkeys(capture for request in requests for capture in request.captures)
        targets = {name: row for request in requests for name, row in request.targets.items()}
        choices = {capture: choice for request in requests for capture, choice in request.choices.items()}
        captured = reader.read(captures, probe.inputs, targets=targets, choices=choices)
        self._taken[key] = (step, now, captured)
        return captured

    @contextmanager
    def frozen_weights(self) -> Iterator[bytes]:
        """While open, no weight changes, so that all that is read meanwhile shares one fingerprint.

        For as long as one callback takes what it needs, or several whom nothing comes between.
        """
        outermost = self._weights is None
        try:
            if outermost:
                self._weights = self.fingerprint()
            yield self.fingerprint()
        finally:
            if outermost:
                self._weights = None

    def forget(self) -> None:
        """The next to ask reads the model again: what is wanted of the pass has changed."""
        self._taken.clear()

    def fingerprint(self) -> bytes:
        """Equal for equal weights; the state of random numbers is not looked at."""
        if self._weights is not None:
            return self._weights
        weights = self.model.weights
        if self._fingerprint is None or [id(one) for one in weights] != self._fingerprinted:
            self._fingerprint = framework().fingerprint(weights)
            self._fingerprinted = [id(one) for one in weights]  # some come only when the model is built
        return self._fingerprint()

    def mark_observed(self, participant: Participant, step: int) -> None:
        """A callback has taken what it needs of a step, or could not; after the last, the work begins."""
        if step != self._observed_step:
            self._observed_step, self._observed_by = step, []
        self._observed_by.append(participant)
        if all(one in self._observed_by or not one.observes(step) for one in self.participants):
            self.work.begin()

    def wait(self) -> None:
        """Until all that was handed over is done."""
        self.work.wait(LAST_PATIENCE)

    def close(self, patience: float, *, anyway: bool = False) -> bool:
        """Finish what is under way and close the files; whether that was done in time.

        Args:
            patience: seconds to wait at most.
            anyway: also where that was waited for in vain before.
        """
        finished = self.work.wait(patience, anyway=anyway)
        if finished:
            for log in self._logs.values():
                try:
                    log.close()
                except OSError as error:
                    warnings.warn(f"kerasviz_callbacks: {error}", stacklevel=2)
        self._taken.clear()
        return finished


def say(text: str) -> None:
    """Print a line, whatever a name in it holds: the terminal must be able to show it, and is not to be steered."""
    shown = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(shown.encode(encoding, "backslashreplace").decode(encoding), flush=True)


def _close(reference: weakref.ref[FitContext]) -> None:
    fit_context = reference()
    if fit_context is not None:
        fit_context.close(10.0, anyway=True)
