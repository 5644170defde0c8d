"""`SummaryContext`: what the summary sheet needs to know beside what was measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..._typing import Array
from ...callback.probe_display import ProbeDisplay
from ...callback.schedule import Schedule
from ...draw.inputs import IntensityRange
from ...probe import Probe
from ...taps.task import Task


@dataclass(frozen=True)
class SummaryContext:
    """What is the same at every step of a fit.

    Attributes:
        name: of the model, or the path of the part of it that is looked at.
        task: what the output predicts.
        output: the name of the output that is looked at.
        judged: which output that is of several, in words.
        loss_of: which outputs the loss is of, in words.
        metrics: those available for this model.
        frozen: those that cannot change, as the features are frozen.
        schedule: what a step is, and the last one.
        probes: by data source.
        labels: by data source, the classes `(n,)`, or `None`.
        truth: of the validation rows: classes, 0 and 1 by label, or regression targets.
        display: how the validation rows are shown.
        ranges: of the inputs, by data source; `None`: they have none.
        weighting: which weights count in Keras' curves, in words.
        own_loop: whether the training is no `fit`.
        maps_path: the layer of the Grad-CAM maps; empty without any.
        loss_rows: rows of charts kept for Keras' curves.
    """

    name: str
    task: Task
    output: str
    judged: str
    loss_of: str
    metrics: Sequence[str]
    frozen: Sequence[str]
    schedule: Schedule
    probes: Mapping[str, Probe]
    labels: Mapping[str, Array | None]
    truth: Array
    display: ProbeDisplay
    ranges: Mapping[str, IntensityRange | None]
    weighting: str
    own_loop: bool
    maps_path: str
    loss_rows: int
