"""The task of an output: the one decision of what a model does, from its head, its loss and the labels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np

from .._autodiff import framework
from .._typing import Array
from ..maths.confidence import AnswerScores, multiclass_scores, multilabel_scores
from ..maths.sample_scores import SampleScores, class_scores, label_scores
from ..probe import Probe
from ..probe.labels import labels_of
from .heads import OF_CLASSES, loss_name, loss_of
from .layer_selection import reconstruction
from .layers import has_own_train_step
from .output_form import OF_QUANTITIES, Form, form_of, targets_of
from .reader import OUTPUT, Capture, Reader
from .scores import PREDICTED, Score, class_targets, is_probabilities, probabilities, score_for

_ROWS = 1000  # that tell whether outputs are probabilities
_LABELS = "weights of the labels"  # the name of the targets of the scores below


def _logits(output: Any, choice: Any) -> Any:
    return framework().before_softmax(output)[0]


LOGITS = Capture(OUTPUT, reduce=_logits)
"""The first output before its softmax or sigmoid, where that can be found; else the output itself."""


@dataclass(frozen=True)
class Task:
    """What one output of the model predicts, and how its values become probabilities.

    Attributes:
        kind: `"classes"`: classification; `"labels"`: multi-label classification; `"values"`: regression or
            reconstruction; `"positions"`: a prediction per pixel, or another one for which a row has no single answer.
        output: the output holds `"probabilities"` (or their logarithms), or `"logits"`.
        units: number of values per row.
        independent: each value is a probability of its own, or its logit, also where a row has but one class.
        form: what is seen of it, as the kinds of `Predictions` are named, or `"labels"`; `"numbers"`: nothing known.
    """

    kind: Literal["classes", "labels", "values", "positions"]
    output: Literal["probabilities", "logits"] = "probabilities"
    units: int = 1
    form: Form = "numbers"
    independent: bool = False

    @property
    def choices(self) -> int:
        """The number of classes: 2 for one unit of a binary classifier."""
        return 2 if self.units == 1 else self.units

    def answer_scores(self, output: Array, truth: Array) -> AnswerScores:
        """What answers `(n, units)` or `(n,)` are worth, given classes `(n,)`, or 0 and 1 `(n, units)` for labels."""
        values = output.reshape(len(output), self.units).astype(np.float64)
        values = probabilities(values, of_logits=self.output == "logits", independent=self.independent)
        if self.kind == "labels":
            return multilabel_scores(values, truth)
        return multiclass_scores(np.concatenate([1 - values, values], axis=1) if self.units == 1 else values, truth)

    def sample_scores(self, logits: Array, truth: Array) -> SampleScores:
        """Compare answers, as `LOGITS` captures them, with classes `(n,)`, or 0 and 1 `(n, units)` for labels."""
        values = logits.reshape(len(logits), self.units)
        if self.kind == "labels" or self.units == 1:
            return label_scores(values, truth)
        some = values[np.isfinite(values).all(axis=1)][:_ROWS]
        if self.output == "logits" and not self.independent and is_probabilities(some) and some.min(initial=0) >= 0:
            values = np.log(np.maximum(values, float(np.finfo(np.float32).tiny)))  # of a softmax that was not found
        return class_scores(values, truth, independent=self.independent)

    def scores(self, of: Literal["logits", "output"]) -> tuple[Score, Score]:
        """The scores of the true and of the predicted class; of several labels their sum."""
        if self.kind == "classes":
            return score_for("true", of), score_for(None, of)
        positive = _positive_logits if of == "logits" else _positive_probabilities
        return Score(of, None, _LABELS), Score(of, positive, _LABELS)

    def targets(self, reader: Reader, truth: Array, of: Literal["logits", "output"]) -> dict[str, Array]:
        """The targets of these scores, by name; ValueError for a class that the model does not have."""
        true, predicted = self.scores(of)
        if true.targets != _LABELS:
            classes = class_targets(truth, reader.head, len(truth), argument="labels")
            return {true.targets: classes, predicted.targets: np.full(len(truth), PREDICTED, np.int32)}
        return {_LABELS: truth.astype(np.int32)}


def task_of(reader: Reader, probe: Probe, labels: Array | None, number: int = 0) -> Task:
    """The task of one output, by its head, its loss, the data and the class indices in its y, if any.

    This is the only place where it is decided: the choice of views, maps, monitor and predictions all ask here.
    """
    head, form = reader.heads[number], form_of(reader, probe, number)
    put_out: Literal["probabilities", "logits"] = "logits" if head.kind is None else "probabilities"
    if form == "masks":
        return Task("positions", put_out, head.classes, form)
    if not head.of_logits and number == 0 and _reconstructs(reader):
        return Task("values", form=form)
    if head.dense:
        return Task("positions", form=form)
    fitted = head.kind is None and _loss(reader, number) in OF_QUANTITIES
    if fitted or (head.regression and labels is not None):
        return Task("values", form=form)
    if labels is not None:
        if head.kind is None and _are_codes(reader, number, probe, labels):
            return Task("values", units=head.classes, form="numbers")
        return Task("classes", put_out, head.classes, "classes", head.is_sigmoid)
    targets = targets_of(reader, probe, number)
    if head.kind == "softmax" or (head.binary and targets is None):
        return Task("classes", put_out, head.classes, "classes", head.is_sigmoid)  # nobody says which is right
    if head.is_sigmoid and (targets is None or _yes_or_no(targets, head.classes)):
        return Task("labels", put_out, head.classes, "labels", independent=True)
    return Task("values", form=form)


def predicts_quantity(reader: Reader, number: int = 0) -> bool:
    """Whether an output is one number, fitted to y as a quantity: whole numbers in its y are then no classes."""
    head = reader.heads[number]
    return head.regression and not head.dense and _loss(reader, number) in OF_QUANTITIES


def labels_are_quantities(reader: Reader, probe: Probe) -> bool:
    """Whether the labels of the data are whole numbers that their output, by default the first, gives as quantities."""
    targets = (targets_of(reader, probe, number) for number in range(len(reader.heads)))
    found = [None if one is None else labels_of(one, probe.inputs).numbers for one in targets]
    own = (
        number for number, one in enumerate(found) if one is not None and np.array_equal(one, np.asarray(probe.labels))
    )
    return predicts_quantity(reader, next(own, 0))


def truth_of(task: Task, reader: Reader, probe: Probe, labels: Array | None) -> Array | None:
    """The ground truth of each row: classes, multi-label targets or target values; `None` if unknown."""
    if task.kind == "classes":
        return labels
    targets = targets_of(reader, probe)
    if task.kind == "labels":
        return None if targets is None else targets > 0  # a hinge takes -1 for 0
    size = math.prod(n or 0 for n in reader.output_shapes[0])
    fits = targets is not None and targets.dtype.kind in "buif" and targets.size == size * len(targets)
    if fits and reader.head.kind != "softmax" and _loss(reader, 0) not in OF_CLASSES:
        return targets
    reconstructs = _reconstructs(reader)
    return np.asarray(keras.tree.flatten(reader.to_channels_last(probe.inputs))[0]) if reconstructs else None


def _reconstructs(reader: Reader) -> bool:
    """Whether the first output has the input's shape; never for a softmax or a loss of classes."""
    of_classes = reader.head.kind == "softmax" or _loss(reader, 0) in OF_CLASSES
    return not of_classes and reconstruction(reader) == 0


def _loss(reader: Reader, number: int) -> str:
    return loss_name(loss_of(reader.model, reader.output_names, number))


def _are_codes(reader: Reader, number: int, probe: Probe, labels: Array) -> bool:
    """Whether linear outputs are codes, which no loss compares with y: of unit norm, or not as many as the classes.

    A `train_step` of one's own may do anything with the compiled loss.
    """
    loss = loss_of(reader.model, reader.output_names, number)
    if loss is not None and not has_own_train_step(reader.model):
        return False
    of_unit_norm = (isinstance(c.ref.layer, keras.layers.UnitNormalization) for c in reader.calls if c.is_output)
    return any(of_unit_norm) or not _as_many(reader.heads[number].classes, probe, labels)


def _as_many(units: int, probe: Probe, labels: Array) -> bool:
    """Whether linear units may be the classes of the labels, which else only say of what kind a row's codes are.

    As many as the class names; without names the rows need not hold every class, but those of at least half the units.
    """
    classes = int(labels.max(initial=0)) + 1
    return classes <= units and (units < 2 * classes if probe.class_names is None else units == len(probe.class_names))


def _yes_or_no(targets: Array | None, units: int) -> bool:
    """Whether y holds 0 or 1, or -1 or 1, for each unit."""
    return targets is not None and targets.shape[1:] == (units,) and bool(np.isin(targets, (-1, 0, 1)).all())


def _positive_logits(outputs: Any) -> Any:
    """The sum of the positive logits: the score of the predicted labels."""
    return keras.ops.sum(keras.ops.relu(keras.tree.flatten(outputs)[0]), axis=-1)


def _positive_probabilities(outputs: Any) -> Any:
    """The sum of the probabilities of the predicted labels."""
    values = keras.tree.flatten(outputs)[0]
    return keras.ops.sum(keras.ops.where(values >= 0.5, values, 0 * values), axis=-1)
