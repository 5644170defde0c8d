"""What all callbacks of one `fit` share: the pass over the model, the worker, the sinks, the closing line."""

from __future__ import annotations

import atexit
import inspect
import os
import threading
import warnings
import weakref
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Protocol

import keras
import numpy as np

from ._autodiff import framework
from ._typing import Array
from .draw.inputs import IntensityRange
from .probe import Probe, as_probe
from .record.console import say
from .record.event_files import EventFileSink
from .record.notebook import NotebookSink
from .record.png_files import PNGFileSink
from .record.sink import Sink
from .record.step_queue import StepQueue
from .taps.layers import has_call
from .taps.reader import Capture, Captured, Reader
from .taps.roles import reader_of_parts

_FIRST_STEPS = 2  # the untrained model and the first epoch
LAST_PATIENCE = 120.0  # seconds at the end of a fit, when nothing else is waiting


class Participant(Protocol):
    """What the context of a fit must know of a callback to read the model for all of them at once."""

    def observes(self, step: int, unit: str) -> bool:
        """Whether it reads the model at this step, counted in epochs or batches."""

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

    The `params` are what Keras tells the callbacks of a fit; nothing is printed at `verbose` 0.

    Attributes:
        participants: the callbacks that take part.
        training: whether the first epoch has begun; who leaves earlier has written nothing, and gives its tags back.
        probes: what was read of the data, and the data themselves, so that the ids by which they are found stay theirs.
        at_exit: what the interpreter calls as it ends, where the fit did not.
        queue: what the worker is given, step by step.
    """

    _running: ClassVar[weakref.WeakValueDictionary[int, FitContext]] = weakref.WeakValueDictionary()

    def __init__(self, model: Any, params: Any):
        self.model, self.params = model, params
        self.verbose = (params or {}).get("verbose", 1)
        self.participants: list[Participant] = []
        self.training = False
        self.probes: dict[Any, tuple[Any, Probe]] = {}
        self.intensity_ranges: dict[tuple[int, int], IntensityRange] = {}  # by probe and input
        self.queue = StepQueue(self._flush)
        self._readers: dict[Any, Reader] = {}
        self._sinks: dict[tuple[type, Path], Sink] = {}
        self._notebooks: dict[Path, NotebookSink] = {}
        self._tags: dict[Hashable, dict[str, Any]] = {}
        self._log_keys: dict[str, Any] = {}
        self._captured: dict[tuple[int, int], tuple[int, bytes, dict[Capture, Captured]]] = {}
        self._derived: weakref.WeakKeyDictionary[Captured, dict[Hashable, Any]] = weakref.WeakKeyDictionary()
        self._fingerprint: Callable[[], bytes] | None = None
        self._fingerprinted: list[int] = []
        self._frozen = False  # while callbacks look at the model, its weights do not change
        self._weights: bytes | None = None  # their fingerprint meanwhile
        self._observed_step: tuple[int, str] | None = None
        self._observed_by: list[Participant] = []
        self.at_exit = partial(_close, weakref.ref(self))
        self._thread = threading.current_thread() if _within_fit(params) else None

    @classmethod
    def join(cls, model: Any, participant: Participant, params: Any) -> FitContext:
        """The context of this model's fit, a new one for a new fit: Keras gives each fit params of its own."""
        found = cls._running.get(id(model))
        if found is not None and not found.is_same_fit(params):
            if found.may_be_over():
                found.close(LAST_PATIENCE)
            found = None  # else a fit of the model within another one, which goes on afterwards
        if found is None:
            found = cls(model, params)
            atexit.register(found.at_exit)
            cls._running[id(model)] = found
        found.participants.append(participant)
        return found

    @classmethod
    @contextmanager
    def alone(cls, model: Any) -> Iterator[FitContext]:
        """One of no fit, for a look at the model as it is: nothing is printed or written, and nothing stays behind."""
        context = cls(model, {"verbose": 0})
        try:
            yield context
        finally:
            context.participants.clear()
            context.close(LAST_PATIENCE)

    def is_same_fit(self, params: Any) -> bool:
        """Whether callbacks that were given these params belong to this fit.

        Keras gives all callbacks of a fit the same object. Without any (hooks called by hand), those that join within
        the first steps do; later ones are taken to belong to a new fit.
        """
        if params is not None:
            return params is self.params
        return self.params is None and len(self.queue.steps) <= _FIRST_STEPS

    def may_be_over(self) -> bool:
        """Whether the fit is over, or nobody can know."""
        return self._thread is None or self.is_over()

    def leave(self, participant: Participant, *, quietly: bool = False) -> None:
        """Leave the fit; the last to leave closes the sinks and prints how to look at the log."""
        if participant in self.participants:
            self.participants.remove(participant)
        if not self.training:
            for known in (*self._tags.values(), self._log_keys):
                for key in [key for key, owner in known.items() if owner is participant]:
                    del known[key]
        if self.participants:
            return
        finished = self.close(LAST_PATIENCE)
        if finished:
            atexit.unregister(self.at_exit)
        if self._running.get(id(self.model)) is self:
            del self._running[id(self.model)]
        if not finished:
            warnings.warn(
                "kerasviz_callbacks: pictures are still being written; the last may be missing.", stacklevel=2
            )
        self.update_notebooks(last=True)
        if not quietly and self.verbose and self.queue.steps:
            self._say_how_to_look()
        if finished and not quietly and self.queue.steps:
            for notebook in self._notebooks.values():
                notebook.show_page(quiet=not self.verbose)

    def _say_how_to_look(self) -> None:
        """Print how to see every step, ready to paste, and what is missing."""
        lines = []
        for kind in dict.fromkeys(kind for kind, _ in self._sinks):
            found = {directory: sink for (other, directory), sink in self._sinks.items() if other is kind}
            shown = list(found.values())
            if len(found) > 1:
                with suppress(ValueError):  # on Windows, directories on two drives have none in common
                    shown = [kind(os.path.commonpath(list(found)))]
            lines += [line for sink in shown for line in sink.closing_lines()]
        counts = {
            "steps not drawn: drawing or writing took longer than training": len(self.queue.skipped),
            "steps not measured: too much was waiting to be written": len(self.queue.dropped),
            "images and scalars could not be written": sum(sink.errors.count for sink in self._sinks.values()),
        }
        missing = [f"({count} {what})" for what, count in counts.items() if count]
        if missing:
            lines[:1] = ["  ".join([*lines[:1], *missing])]  # behind the first line
        for line in lines:
            say(f"kerasviz_callbacks: {line}")

    def writes_to(self, place: tuple[type, Path]) -> bool:
        """Whether it has a sink of this kind and directory."""
        return place in self._sinks

    def is_over(self) -> bool:
        """Whether nobody takes part any more, or an exception has ended the call of `fit`."""
        if not self.participants or self._thread is None:
            return not self.participants
        within = self._thread is not threading.current_thread() or _within_fit(self.params)
        return not (within and self._thread.is_alive())

    def probe(
        self, data: Any, *, count: int | None, default_count: int, class_names: Any, argument: str, random: bool
    ) -> Probe:
        """The probe of some data, the same for all callbacks that look at the same rows."""
        parts = tuple(id(part) for part in data) if isinstance(data, tuple) else (id(data),)
        key = (parts, count or default_count, repr(class_names), random)
        if key not in self.probes:
            probe = as_probe(
                data,
                count=count,
                default_count=default_count,
                class_names=class_names,
                argument=argument,
                random=random,
            )
            alike = (one for other, (_, one) in self.probes.items() if (other[0], other[2]) == (parts, key[2]))
            self.probes[key] = (data, next((one for one in alike if np.array_equal(one.index, probe.index)), probe))
        return self.probes[key][1]

    def largest_probe(self, probe: Probe) -> Probe:
        """The probe with the most rows of the same data, from which all callbacks decide how these are shown."""
        known = list(self.probes.items())
        parts = next((key[0] for key, (_, one) in known if one is probe), None)
        return max((one for key, (_, one) in known if key[0] == parts), key=len, default=probe)

    def reader(self, model: Any, inputs: Any, paths: Mapping[int, str] | None = None) -> Reader:
        """What reads `model` on inputs of this kind; training and validation share it, and its compiled passes.

        Of a model without `call` it reads the parts that take the inputs (PartsError: none or several do); `paths` are
        those of its layers that do not follow from their names, see `list_layers`.
        """
        kind = keras.tree.map_structure(lambda array: (array.shape[1:], str(array.dtype)), inputs)
        key = (id(model), repr(kind))
        if key not in self._readers:
            whole = has_call(model)
            self._readers[key] = (
                Reader(model, inputs, paths) if whole else reader_of_parts(model, inputs, paths or {}, self.reader)
            )
        return self._readers[key]

    def sinks(
        self, log_dir: str, save_dir: str | None, first_step: int, *, notebook: bool, show: Sequence[str] | None
    ) -> list[Sink]:
        """Where a callback writes: event files below `log_dir`, PNG files below `save_dir`, and perhaps the notebook.

        Callbacks that name the same directory share the sink. A sink that already holds later steps, or is written to
        by another fit, counts its runs on ("views-2"), which is said in a line.
        """
        wanted = ((EventFileSink, log_dir), (PNGFileSink, save_dir))
        found = [self._sink(kind, directory, first_step) for kind, directory in wanted if directory is not None]
        events = found[0]
        if notebook and isinstance(events, EventFileSink):
            shown = self._notebooks.setdefault(events.directory, NotebookSink(events))
            shown.show(show)
            found.append(shown)
        return found

    def update_notebooks(self, *, last: bool = False) -> None:
        """Show what is new in the notebook, on the training thread."""
        for notebook in self._notebooks.values():
            notebook.update(last=last)

    def _sink(self, kind: type, directory: str, first_step: int) -> Sink:
        key = kind, Path(directory).expanduser().resolve()
        if key not in self._sinks:
            for other in list(self._running.values()):
                if other is not self and other.writes_to(key) and other.is_over():
                    other.close(LAST_PATIENCE)  # it died; what it still writes decides which runs are free
            sink: Sink = kind(directory)
            group = sink.begin(first_step)
            if group != "views" and self.verbose:
                why, remedy = "already holds later steps, or another fit writes there", ""
                if first_step < 0 and (self.params or {}).get("epochs") == 1:  # of a loop, each from epoch 0 again
                    remedy = " To go on with one training, pass initial_epoch=n, epochs=n + 1 to fit."
                say(f'kerasviz_callbacks: "{directory}" {why}; this fit is written as {group}/.{remedy}')
            self._sinks[key] = sink
        return self._sinks[key]

    def claim_tags(self, participant: Participant, places: Sequence[Hashable], tags: Mapping[str, Hashable]) -> str:
        """What is added to the sections of the tags of a callback, so that no other of this fit writes the same ones.

        The tags come with what each is of: two callbacks may share a tag that is of the same; `None` is its own alone.
        It is "" for the first, "-2", "-3", ... where another callback writes one of them in the same places.
        """
        taken = [self._tags.setdefault(place, {}) for place in places]
        own: dict[str, Any] = {tag: participant if of is None else of for tag, of in tags.items()}
        number = 1
        while True:
            suffix = "" if number == 1 else f"-{number}"
            wanted = {with_suffix(tag, suffix): of for tag, of in own.items()}
            if all(known.get(tag, of) == of for known in taken for tag, of in wanted.items()):
                for known in taken:
                    known.update(wanted)
                return suffix
            number += 1

    def claim_log_keys(self, participant: Participant, keys: Iterator[str] | list[str]) -> bool:
        """Whether a callback may publish metrics under these keys into `logs`: no other of the fit does."""
        wanted = list(keys)
        if any(self._log_keys.get(key, participant) is not participant for key in wanted):
            return False
        self._log_keys.update(dict.fromkeys(wanted, participant))
        return True

    def read(
        self, participant: Participant, reader: Reader, probe: Probe, step: int, unit: str
    ) -> dict[Capture, Captured]:
        """What all callbacks that look at this step want of this probe, from one pass.

        The first to ask pays; the others get the same, unless the weights have changed in between (a callback that
        swaps in averaged weights, say).
        """
        key = (id(reader), id(probe))
        own = participant.requests()[key]
        now = self.fingerprint() if len(self.participants) > 1 else b""
        known = self._captured.get(key)
        if known is not None and known[:2] == (step, now) and all(one in known[2] for one in own.captures):
            return known[2]
        others = [one for one in self.participants if one is not participant and one.observes(step, unit)]
        requests = [own, *(request for one in others if (request := one.requests().get(key)) is not None)]
        captures = dict.fromkeys(one for request in requests for one in request.captures)
        targets = {name: row for request in requests for name, row in request.targets.items()}
        choices = {one: choice for request in requests for one, choice in request.choices.items()}
        captured = reader.read(captures, probe.inputs, targets=targets, choices=choices)
        self._captured[key] = (step, now, captured)
        return captured

    def derived(self, captured: Captured, what: Hashable, compute: Callable[[], Any]) -> Any:
        """What callbacks compute from a captured output: computed by the first to ask, kept as long as the output."""
        known = self._derived.setdefault(captured, {})
        if what not in known:
            known[what] = compute()
        return known[what]

    @contextmanager
    def frozen_weights(self) -> Iterator[None]:
        """While open, no weight changes, so that all that is read meanwhile shares one fingerprint, taken when asked.

        For as long as one callback takes what it needs, or several that nothing comes between.
        """
        outermost, self._frozen = not self._frozen, True
        try:
            yield
        finally:
            if outermost:
                self._frozen, self._weights = False, None

    def forget(self) -> None:
        """The next to ask reads the model again: what is wanted of the pass has changed."""
        self._captured.clear()

    def fingerprint(self) -> bytes:
        """Equal for equal weights; the state of random numbers does not count."""
        if self._weights is not None:
            return self._weights
        ids = [id(one) for one in self.model.weights]  # some come only when the model is built
        if self._fingerprint is None or ids != self._fingerprinted:
            self._fingerprint, self._fingerprinted = framework().fingerprint(self.model.weights), ids
        found = self._fingerprint()
        if self._frozen:
            self._weights = found
        return found

    def mark_observed(self, participant: Participant, step: int, unit: str) -> None:
        """A callback has captured what it needs of a step, or could not; after the last, the worker begins.

        Drawing meanwhile would take a core from the pass that the training waits for.
        """
        if (step, unit) != self._observed_step:
            self._observed_step, self._observed_by = (step, unit), []
        self._observed_by.append(participant)
        self.update_notebooks()
        if all(one in self._observed_by or not one.observes(step, unit) for one in self.participants):
            self.queue.begin()

    def wait(self) -> bool:
        """Wait until all that was handed over is done; whether it is."""
        return self.queue.wait(LAST_PATIENCE)

    def close(self, patience: float, *, anyway: bool = False) -> bool:
        """Finish what is under way and close the sinks; whether that was done in time, see `StepQueue.wait`."""
        finished = self.queue.wait(patience, anyway=anyway)
        if finished:
            for sink in self._sinks.values():
                try:
                    sink.close()
                except OSError as error:
                    warnings.warn(f"kerasviz_callbacks: {error}", stacklevel=2)
        self._captured.clear()
        return finished

    def _flush(self) -> None:
        for sink in (*self._sinks.values(), *self._notebooks.values()):
            with sink.errors.collect():
                sink.flush()


def _within_fit(params: Any) -> bool:
    """Whether this thread is within the call of Keras' `fit` that gave its callbacks these params."""
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code.co_name == "fit" and getattr(frame.f_locals.get("callbacks"), "params", None) is params:
            return params is not None
        frame = frame.f_back
    return False


def with_suffix(tag: str, suffix: str) -> str:
    """A tag whose section, what stands before the first `/`, has a suffix: `"grad_cam-2/conv2"`."""
    section, slash, rest = tag.partition("/")
    return f"{section}{suffix}{slash}{rest}"


def with_part(tag: str, part: str) -> str:
    """A tag with the path of a part behind its section, unless it stands there: `"overfitting/critic/summary"`."""
    section, slash, rest = tag.partition("/")
    return tag if not part or f"{rest}/".startswith(f"{part}/") else f"{section}/{part}{slash}{rest}"


def _close(reference: weakref.ref[FitContext]) -> None:
    context = reference()
    if context is not None:
        context.close(10.0, anyway=True)
