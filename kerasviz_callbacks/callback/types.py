"""What passes between the parts of a view: what it remembers, what it measured, what it drew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
UNTRAINED = -1
MODEL, VALIDATION, TRAINING = "model", "validation", "train"
COMPARISON = "train_and_validation"
"""Below the tag of two pictures: the one that has both sets of data beside each other, in the run of validation."""

COMPARED_SOURCES = {TRAINING: "training", VALIDATION: "validation"}
"""What stands on that one, from left to right, and what it is called there."""

ARGUMENTS = {VALIDATION: "validation_data", TRAINING: "training_data"}  # what the user calls the data of a source


@dataclass
class Memory:
    """What a view remembers over one training: one pickleable value, in the order of the steps.

    Attributes:
        shared: what is decided once, on validation data, and then holds for both: channels, order, projection.
        scales: by layer, how far the scale reaches, for all sources; it only grows.
        per_source: by source, histories.
    """

    shared: dict[str, Any] = field(default_factory=dict)
    scales: dict[str, float] = field(default_factory=dict)
    per_source: dict[str, dict[str, Any]] = field(default_factory=dict)

    def for_source(self, source: str) -> dict[str, Any]:
        """The history of one source."""
        return self.per_source.setdefault(source, {})

    def extend_scale(self, key: str, value: float) -> float:
        """Extend the scale to cover `value`; NaN and infinity leave it as it is."""
        if np.isfinite(value):
            self.scales[key] = max(self.scales.get(key, 0.0), float(value))
        return self.scales.get(key, 0.0)


@dataclass(frozen=True)
class Measured:
    """What a view makes of one source at one step.

    Attributes:
        step: the epoch, -1 for the untrained model.
        data: what its picture is drawn from.
        scalars: figures by tag; one that is NaN is not written.
        note: what stands in the strip of changing figures, such as "restored".
    """

    step: int
    data: Any
    scalars: Mapping[str, float] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Image:
    """One finished picture: where it belongs, uint8 `(h, w, 3)`, and what it is, in Markdown."""

    source: str
    tag: str
    picture: Array
    description: str
