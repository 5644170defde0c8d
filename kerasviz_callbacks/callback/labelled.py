"""The labels with which the answers of a classifier are compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._typing import Array
from ..fit_context import FitContext
from ..maths.sample_scores import SampleScores
from ..probe import Probe
from ..taps.output_form import targets_of
from ..taps.output_labels import labels_of_output
from ..taps.reader import Captured, Reader
from ..taps.task import Task, task_of, truth_of
from .types import ARGUMENTS


@dataclass(frozen=True)
class Labelled:
    """The labels of one data source.

    Attributes:
        task: that the labels imply: of `"classes"` or `"labels"`.
        truth: classes `(n,)`, -1 for none, or 0 and 1 `(n, k)`.
        known: which of them are known, of the same shape: not -1, beside 0 and 1 neither.
        weights: what each row counts for, so that classes have the proportions of the data, `(n,)`, mean 1.
    """

    task: Task
    truth: Array
    known: Array
    weights: Array

    @property
    def is_weighted(self) -> bool:
        """Whether the rows have other proportions than the data."""
        given = self.weights
        return not np.allclose(given[given > 0], given.max())


def labelled(reader: Reader, probe: Probe, source: str, *, view: str, makes: str, hard: bool = False) -> Labelled:
    """Return the labels of a data source for the first output.

    Args:
        reader: of the model.
        probe: the data.
        source: which data source it is, for errors.
        view: the view that needs them, for errors.
        makes: what it makes of them, for errors, such as "confusion matrix".
        hard: whether soft labels are refused, too, with which no answer can be compared.

    Raises:
        ValueError: there are none for such an output, or a class that the model does not have.
    """
    labels = labels_of_output(reader, probe)
    task = task_of(reader, probe, labels.numbers)
    truth = truth_of(task, reader, probe, labels.numbers) if task.kind in ("classes", "labels") else None
    if truth is None or (hard and labels.soft and task.kind == "classes"):
        why = labels.why_none or f"the model's output of shape {(None, *reader.output_shapes[0])} gives no classes"
        why = labels.why_not_hard if truth is not None else why
        raise ValueError(
            f"{ARGUMENTS[source]}: has no labels for the predictions of a classifier ({why}), so there is no "
            f"{makes}; pass (x, y) with class numbers, one-hot rows, or rows of 0 and 1 for a model with "
            f"several sigmoids, or leave {view} out."
        )
    if task.kind == "classes" and truth.max(initial=0) >= task.choices:
        raise ValueError(
            f"{ARGUMENTS[source]}: holds class {int(truth.max())}, but the model's output has {task.choices} "
            f"classes; expected 0 to {task.choices - 1}."
        )
    if task.kind == "classes":
        known = truth >= 0
    else:
        truth, known = (np.asarray(truth) > 0.5).astype(np.int64), _known_labels(reader, probe, truth.shape)
    if not known.any():
        raise ValueError(f"{ARGUMENTS[source]}: none of its {len(truth)} rows has a label, all are -1; pass labels.")
    own = probe.labels is not None and np.array_equal(truth, probe.labels)
    return Labelled(task, truth, known, probe.row_weights if own else np.ones(len(probe)))


def _known_labels(reader: Reader, probe: Probe, shape: tuple[int, ...]) -> Array:
    """Return which labels of yes and no are known: all where -1 means no, as for a hinge; -1 is unknown beside 0."""
    targets = targets_of(reader, probe)
    if targets is None or not (targets == 0).any():
        return np.ones(shape, bool)
    known: Array = (targets >= 0).reshape(shape)
    return known


def sample_scores(fit: FitContext, logits: Captured, task: Task, truth: Array) -> SampleScores:
    """Compare the logits of a pass, as `LOGITS` captures them, with labels: once for all views of the fit."""
    found: SampleScores = fit.derived(logits, ("sample scores", task), lambda: task.sample_scores(logits.output, truth))
    return found
