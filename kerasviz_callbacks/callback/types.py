"""Data passed between capture, measurement and drawing, and what is kept after a fit."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field, is_dataclass
from typing import Any

import numpy as np

from .._typing import Array

UNTRAINED = -1
MODEL, VALIDATION, TRAINING = "model", "validation", "train"
COMPARISON = "train_and_validation"
"""Tag suffix of the image that shows training and validation data side by side; it belongs to the validation run."""

COMPARED_SOURCES = {TRAINING: "training", VALIDATION: "validation"}
"""The data sources in that image from left to right, with their headings."""

ARGUMENTS = {VALIDATION: "validation_data", TRAINING: "training_data"}  # data source -> argument name


@dataclass
class Memory:
    """State of a view over one training run; picklable.

    Attributes:
        shared: choices made once on validation data and used for all data sources: channels, their order, projection.
        scales: by layer, the upper limit of the colour scale, shared by all data sources; it never decreases.
        per_source: by data source, histories over the steps.
    """

    shared: dict[str, Any] = field(default_factory=dict)
    scales: dict[str, float] = field(default_factory=dict)
    per_source: dict[str, dict[str, Any]] = field(default_factory=dict)

    def for_source(self, source: str) -> dict[str, Any]:
        """Return the history of one data source."""
        return self.per_source.setdefault(source, {})

    def extend_scale(self, key: str, value: float) -> float:
        """Extend a scale to include `value`, and return its limit; NaN and infinity are ignored."""
        if np.isfinite(value):
            self.scales[key] = max(self.scales.get(key, 0.0), float(value))
        return self.scales.get(key, 0.0)


@dataclass(frozen=True)
class Measured:
    """The measurements of one data source at one step.

    Attributes:
        step: the epoch, or the number of batches trained; -1 for the untrained model.
        data: the data to draw.
        scalars: values by tag; NaN is not written.
        note: text for the status line below the image, such as "restored".
    """

    step: int
    data: Any
    scalars: Mapping[str, float] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Image:
    """One finished image.

    Attributes:
        source: its TensorBoard run: `"validation"`, `"train"` or `"model"`.
        tag: its TensorBoard tag, such as `"grad_cam/conv2"`.
        picture: uint8 `(height, width, 3)`.
        description: text behind TensorBoard's "i", in Markdown.
    """

    source: str
    tag: str
    picture: Array
    description: str


@dataclass(frozen=True)
class Text:
    """One text for TensorBoard's Text tab.

    Attributes:
        source: its TensorBoard run.
        tag: its TensorBoard tag.
        markdown: the text.
        description: text behind TensorBoard's "i", in Markdown.
    """

    source: str
    tag: str
    markdown: str
    description: str


@dataclass(frozen=True)
class LastStep:
    """The latest measurements of a view, by data source, with the step and a fingerprint of the weights."""

    step: int
    measured: Mapping[str, Measured]
    weights: bytes


@dataclass(frozen=True)
class FitResult:
    """State of a view after a fit: `picture` shows it, and a resumed fit of the same model continues from it.

    Attributes:
        model: weak reference to the trained model.
        memory: the state of the view.
        last: its latest measurements.
        params: the Keras callback `params` of the fit.
        probes: by data source, the probes of a `ProbeView`; empty for other views.
    """

    model: weakref.ref[Any]
    memory: Memory
    last: LastStep | None
    params: Mapping[str, Any]
    probes: Mapping[str, Any]


def held_bytes(captured: Any) -> int:
    """Return the approximate size in bytes: numpy arrays in nested dicts and dataclasses."""
    if isinstance(captured, np.ndarray):
        return captured.nbytes
    if isinstance(captured, Mapping):
        return sum(held_bytes(value) for value in captured.values())
    return sum(held_bytes(value) for value in vars(captured).values()) if is_dataclass(captured) else 0
