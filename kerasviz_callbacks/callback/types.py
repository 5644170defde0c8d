"""What passes between the parts of a view: what it remembers, what it measured, what it drew, what a fit leaves."""

from __future__ import annotations

import weakref
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field, is_dataclass
from typing import Any, Protocol

import numpy as np

from ..fit_context import Request
from ..record.projector import Points

Array = np.ndarray[Any, Any]
UNTRAINED = -1
MODEL, VALIDATION, TRAINING = "model", "validation", "train"
COMPARISON = "train_and_validation"
"""Below the tag of two pictures: the one that has both sets of data beside each other, in the run of validation."""

COMPARED_SOURCES = {TRAINING: "training", VALIDATION: "validation"}
"""The sources on that picture, from left to right, and what they are called there."""

ARGUMENTS = {VALIDATION: "validation_data", TRAINING: "training_data"}  # the user's name of the data of a source


@dataclass
class Memory:
    """What a view remembers over one training, in the order of the steps. It can be pickled.

    Attributes:
        shared: what is decided once, on validation data, and then holds for both: channels, order, projection.
        scales: by layer, the largest value of the colour scale, for all sources; it only grows.
        per_source: by source, histories.
    """

    shared: dict[str, Any] = field(default_factory=dict)
    scales: dict[str, float] = field(default_factory=dict)
    per_source: dict[str, dict[str, Any]] = field(default_factory=dict)

    def for_source(self, source: str) -> dict[str, Any]:
        """The history of one source."""
        return self.per_source.setdefault(source, {})

    def extend_scale(self, key: str, value: float) -> float:
        """Extend a scale to cover `value`, and return it; NaN and infinity leave it as it is."""
        if np.isfinite(value):
            self.scales[key] = max(self.scales.get(key, 0.0), float(value))
        return self.scales.get(key, 0.0)


@dataclass(frozen=True)
class Measured:
    """What a view makes of one source at one step.

    Attributes:
        step: the epoch, or the number of batches; -1 for the untrained model.
        data: what its picture is drawn from.
        scalars: by tag; a value that is NaN is not written.
        note: what stands in the strip of changing values, such as "restored".
    """

    step: int
    data: Any
    scalars: Mapping[str, float] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Image:
    """One finished picture.

    Attributes:
        source: the run it belongs to: `"validation"`, `"train"` or `"model"`.
        tag: such as `"grad_cam/conv2"`.
        picture: uint8 `(height, width, 3)`.
        description: Markdown.
    """

    source: str
    tag: str
    picture: Array
    description: str


@dataclass(frozen=True)
class LastStep:
    """What a view measured last: when, by source, and a fingerprint of the weights that it was measured of."""

    step: int
    measured: Mapping[str, Measured]
    weights: bytes


@dataclass(frozen=True)
class FitResult:
    """What a fit leaves to a view: `picture` shows it, and a resumed fit of the same model goes on from it.

    Attributes:
        model: the model that was trained, as a weak reference.
        memory: what the view remembers.
        last: what it measured last.
        params: what Keras told the callbacks of the fit.
        probes: by source, the rows that were looked at, of a view that looks at data.
    """

    model: weakref.ref[Any]
    memory: Memory
    last: LastStep | None
    params: Mapping[str, Any]
    probes: Mapping[str, Any]


class ViewMethods(Protocol):
    """What the context of a view calls on it; `View` says what each of them is for."""

    memory: Memory
    context: Any
    result: FitResult | None
    log_dir: str
    save_dir: str | None
    freq: int
    start_from_epoch: int
    unit: Any
    timelapse: bool
    on_error: str
    every_epoch: bool

    def set_model(self, model: Any) -> None: ...
    def set_params(self, params: Any) -> None: ...
    def prepare(self) -> None: ...
    def can_prepare(self) -> bool: ...
    def requests(self) -> Mapping[tuple[int, int], Request]: ...
    def capture(self, step: int) -> dict[str, Any]: ...
    def check(self, captured: dict[str, Any]) -> None: ...
    def on_logs(self, step: int, logs: Mapping[str, Any]) -> None: ...
    def measure(self, captured: Any, source: str, step: int) -> Measured: ...
    def logged_metrics(self, measured: Mapping[str, Measured]) -> dict[str, float]: ...
    def published(self) -> bool: ...
    def draw(self, measured: Mapping[str, Measured]) -> Iterator[Image]: ...
    def points(self, measured: Mapping[str, Measured]) -> Iterator[tuple[str, Points]]: ...
    def tags(self) -> Mapping[str, Hashable]: ...
    def describe(self, tag: str) -> str: ...
    def summary(self) -> str: ...


def held_bytes(captured: Any) -> int:
    """How much memory is held, roughly: numpy arrays in nested dicts and dataclasses."""
    if isinstance(captured, np.ndarray):
        return captured.nbytes
    if isinstance(captured, Mapping):
        return sum(held_bytes(value) for value in captured.values())
    return sum(held_bytes(value) for value in vars(captured).values()) if is_dataclass(captured) else 0
