"""What a view knows of the fit that is under way, and what stays of it for later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..fit_context import FitContext
from .timelapse import Timelapse
from .types import Measured


@dataclass
class Fit:
    """The fit that is under way.

    Attributes:
        observer: what is shared with the other callbacks of the fit.
        timelapse: where the frames of the animation are kept; `None`: none is wanted.
        log: the event files, from the first epoch on.
        save_dir: where the pictures go as files too.
        first: no epoch has begun yet.
        last_epoch: the last that has ended.
        last_observed_step: the last that was looked at; it is drawn, unless drawing was behind.
        force_step: a step that is drawn whatever `freq` and `start_from_epoch` say.
        weights: a fingerprint of the weights at the end of `last_epoch`.
        prepared: the layers were found.
    """

    fit_context: FitContext
    timelapse: Timelapse | None = None
    log: Any = None
    save_dir: Path | None = None
    first: bool = True
    last_epoch: int | None = None
    last_observed_step: int | None = None
    force_step: int | None = None
    weights: bytes = b""
    prepared: bool = False


@dataclass(frozen=True)
class Last:
    """What a view measured last: when, by source, and a fingerprint of the weights that it was measured of."""

    step: int
    measured: Mapping[str, Measured]
    weights: bytes


def held_bytes(captured: Any) -> int:
    """How much memory is held, roughly: numpy arrays in nested dicts and dataclasses."""
    if isinstance(captured, np.ndarray):
        return captured.nbytes
    if isinstance(captured, Mapping):
        return sum(held_bytes(value) for value in captured.values())
    return sum(held_bytes(value) for value in vars(captured).values()) if is_dataclass(captured) else 0
