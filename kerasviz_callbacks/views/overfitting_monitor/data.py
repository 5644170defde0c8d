"""What is measured of one data source, and drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..._typing import Array
from ...callback.evaluated_view import Evaluation

Histories = dict[str, tuple[tuple[int, ...], tuple[float, ...]]]


@dataclass(frozen=True)
class BestEpoch:
    """State at the best epoch: quality of each prediction `(n,)`, and Grad-CAM of the true class `(n, *spatial)`."""

    step: int
    true_score: Array
    maps: Array | None


@dataclass(frozen=True)
class OverfittingData:
    """The data to draw of one data source, copied because measuring continues while it is drawn.

    Attributes:
        histories: steps and values of each metric, by name.
        curves: epochs and values of the Keras logs, by key.
        scales: limits of the axes.
        best: the best epoch, if there is one.
        metric: the key of the metric plotted besides the loss, if there is one.
        now: evaluation of the rows at this step, without what is not drawn.
        then: state at the best epoch, if that was earlier.
        left_out: number of rows excluded from `cam_drift` and from `cam_true_vs_predicted`.
    """

    histories: Histories
    curves: Histories
    scales: Mapping[str, float]
    best: int | None
    metric: str | None
    now: Evaluation
    then: BestEpoch | None
    left_out: tuple[int, int]
