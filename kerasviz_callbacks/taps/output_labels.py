"""The labels of the explained output: one class a row, several, or a class a pixel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._typing import Array
from ..probe import Probe
from ..probe.labels import ONLY_NO_CLASS, Labels, classes_of, labels_of
from .output_form import targets_of
from .reader import Reader
from .task import task_of


def labels_of_output(reader: Reader, probe: Probe) -> Labels:
    """Return the labels of the explained output; with a dict `y`, those under the output's name."""

    def labels_in(y: Any) -> Labels:
        read = labels_of(y, probe.inputs)
        if read.numbers is None:
            return read
        return read._replace(numbers=classes_of(read.numbers, of_signs=reader.head.of_logits), why_none=ONLY_NO_CLASS)

    found = Labels(probe.labels, why_none=probe.why_no_labels, soft=probe.soft_labels)
    y, name = probe.targets, reader.first_output
    if isinstance(y, Mapping) and len(y) > 1 and name in y:
        inferred = labels_in(y).numbers
        if found.numbers is None or (inferred is not None and np.array_equal(found.numbers, inferred)):
            return labels_in(y[name])  # otherwise the user passed labels beside y
    return labels_in(y) if found.why_none == ONLY_NO_CLASS else found


def kind_of_labels(reader: Reader, probe: Probe, labels: Labels) -> str:
    """Return whether the output are `"masks"` or several `"labels"`; empty if neither."""
    form = task_of(reader, probe, labels.numbers).form if reader.head.dense or reader.head.multi_label else ""
    return form if form in ("masks", "labels") else ""


def marks_of(kind: str, reader: Reader, probe: Probe) -> Array | None:
    """Return the true labels of each row as numbers above 0, or how many pixels have each class: `(n, classes)`."""
    truth, head = targets_of(reader, probe), reader.head
    if truth is None or not kind:
        return None
    if truth.ndim == len(reader.output_shapes[0]) + 1 and truth.shape[-1] == head.classes > 1:
        marks: Array = (truth > 0).reshape(len(truth), -1, head.classes).sum(axis=1)  # of rows of 0 and 1
        return marks
    rows = truth.reshape(len(truth), -1)
    return np.stack([(rows == label).sum(axis=1) for label in range(head.choices)], axis=1)
