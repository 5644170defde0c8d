"""The task of a model: classification, multi-label classification or regression."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np

from .._typing import Array
from ..maths.confidence import AnswerScores, multiclass_scores, multilabel_scores, sigmoid, softmax
from ..probe import Probe
from .layer_selection import reconstruction
from .layouts import channels_last
from .reader import Reader
from .scores import PREDICTED, Score, applies_sigmoid, class_targets, is_probabilities, score_for

_LABELS = "weights of the labels"  # the name of the targets of the scores below
_OF_CLASSES = {"categorical_crossentropy", "sparse_categorical_crossentropy", "categorical_focal_crossentropy"}
_OF_QUANTITIES = {
    *("mse", "mae", "mape", "msle", "huber", "huber_loss", "log_cosh", "mean_squared_error", "mean_absolute_error"),
    *("mean_absolute_percentage_error", "mean_squared_logarithmic_error"),
}


@dataclass(frozen=True)
class Task:
    """The task of the model's first output, and how its values become probabilities.

    Attributes:
        kind: `"classes"`: classification; `"labels"`: multi-label classification; `"values"`: regression or
            reconstruction; `"positions"`: a prediction per pixel.
        output: the output holds `"probabilities"` (or their logarithms), or `"logits"`.
        units: number of values per row.
    """

    kind: Literal["classes", "labels", "values", "positions"]
    output: Literal["probabilities", "logits"] = "probabilities"
    units: int = 1

    @property
    def choices(self) -> int:
        """The number of classes: 2 for one unit of a binary classifier."""
        return 2 if self.units == 1 else self.units

    def answer_scores(self, output: Array, truth: Array) -> AnswerScores:
        """What answers `(n, units)` or `(n,)` are worth, given classes `(n,)`, or 0 and 1 `(n, units)` for labels."""
        values = output.reshape(len(output), self.units).astype(np.float64)
        if self.kind == "labels":
            return multilabel_scores(sigmoid(values) if self.output == "logits" else values, truth)
        if self.units == 1:
            yes = sigmoid(values) if self.output == "logits" else values
            return multiclass_scores(np.concatenate([1 - yes, yes], axis=1), truth)
        if self.output == "logits" and not is_probabilities(values):  # they may come from a softmax that was not found
            values = softmax(values)
        return multiclass_scores(np.exp(values) if values.min(initial=0) < 0 else values, truth)  # a log-softmax

    def scores(self, of: Literal["logits", "output"]) -> tuple[Score, Score]:
        """The scores of the true and of the predicted class; of several labels their sum."""
        if self.kind == "classes" and not (self.units == 1 and self.output == "logits"):
            return score_for("true", of), score_for(None, of)
        positive = _positive_logits if of == "logits" else _positive_probabilities
        predicted = _absolute_logit if self.kind == "classes" else positive
        return Score(of, None, _LABELS), Score(of, predicted, _LABELS)

    def targets(self, reader: Reader, truth: Array, of: Literal["logits", "output"]) -> dict[str, Array]:
        """The targets of these scores, by name; ValueError for a class that the model does not have."""
        true, predicted = self.scores(of)
        if true.targets != _LABELS:
            classes = class_targets(truth, reader.head, len(truth), argument="labels")
            return {true.targets: classes, predicted.targets: np.full(len(truth), PREDICTED, np.int32)}
        weights = 2 * truth[:, None] - 1 if self.kind == "classes" else truth
        return {_LABELS: weights.astype(np.int32)}


def task_of(reader: Reader, probe: Probe, labels: Array | None) -> Task:
    """The task of a model, inferred from its output, its loss, the data and their class indices, if any."""
    head = reader.head
    of_logits = head.kind is None and applies_sigmoid(_loss(reader))
    put_out: Literal["probabilities", "logits"] = "logits" if head.kind is None else "probabilities"
    if not of_logits and _reconstructs(reader, probe):
        return Task("values")
    if head.dense:
        return Task("positions")
    if head.kind is None and _loss_of(reader) in _OF_QUANTITIES:
        return Task("values")
    if labels is None:
        several = (head.kind == "sigmoid" or of_logits) and _yes_or_no(targets_of(reader, probe), head.classes)
        return Task("labels", put_out, head.classes) if several else Task("values")
    if head.regression and not of_logits:
        return Task("values")
    return Task("classes", put_out, head.classes)


def truth_of(task: Task, reader: Reader, probe: Probe, labels: Array | None) -> Array | None:
    """The ground truth of each row: classes, multi-label targets or target values; `None` if unknown."""
    if task.kind == "classes":
        return labels
    targets = targets_of(reader, probe)
    if task.kind == "labels":
        return targets
    size = math.prod(n or 0 for n in reader.output_shapes[0])
    fits = targets is not None and targets.dtype.kind in "buif" and targets.size == size * len(targets)
    if fits and reader.head.kind != "softmax" and _loss_of(reader) not in _OF_CLASSES:
        return targets
    reconstructs = _reconstructs(reader, probe)
    return np.asarray(keras.tree.flatten(reader.to_channels_last(probe.inputs))[0]) if reconstructs else None


def targets_of(reader: Reader, probe: Probe) -> Array | None:
    """The targets of the model's first output, channels last: by its name in a dict, else the first."""
    y, name = probe.targets, reader.first_output
    if y is None:
        return None
    if isinstance(y, Mapping) and name in y:
        y = y[name]
    first = np.asarray(keras.tree.flatten(y)[0])
    axis = reader.output_axes[0] if first.ndim == len(reader.output_shapes[0]) + 1 else None
    return np.asarray(channels_last(first, axis, np.moveaxis))


def _reconstructs(reader: Reader, probe: Probe) -> bool:
    """Whether the first output has the input's shape; never for a softmax, which gives classes."""
    return reader.head.kind != "softmax" and reconstruction(reader, probe.inputs) == 0


def _yes_or_no(targets: Array | None, units: int) -> bool:
    """Whether y holds 0 or 1 for each unit."""
    return targets is not None and targets.shape[1:] == (units,) and bool(np.isin(targets, (0, 1)).all())


def _loss_of(reader: Reader) -> str:
    """Keras' name of the first output's loss; empty if there is none."""
    loss = _loss(reader)
    return loss if isinstance(loss, str) else str(getattr(loss, "name", getattr(loss, "__name__", "")))


def _loss(reader: Reader) -> Any:
    losses = getattr(reader.model, "loss", None)
    if isinstance(losses, Mapping):
        return losses.get(reader.first_output)
    return (losses[0] if losses else None) if isinstance(losses, (list, tuple)) else losses


def _absolute_logit(outputs: Any) -> Any:
    """The magnitude of one logit: the score of the predicted class of a binary classifier."""
    return keras.ops.abs(keras.ops.reshape(keras.tree.flatten(outputs)[0], (-1,)))


def _positive_logits(outputs: Any) -> Any:
    """The sum of the positive logits: the score of the predicted labels."""
    return keras.ops.sum(keras.ops.relu(keras.tree.flatten(outputs)[0]), axis=-1)


def _positive_probabilities(outputs: Any) -> Any:
    """The sum of the probabilities of the predicted labels."""
    values = keras.tree.flatten(outputs)[0]
    return keras.ops.sum(keras.ops.where(values >= 0.5, values, 0 * values), axis=-1)
