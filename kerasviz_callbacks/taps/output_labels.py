"""The labels of the explained output: one class a row, several, or a class a pixel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._typing import Array
from ..maths.masks import iou_of_rows
from ..probe import Probe
from ..probe.labels import ONLY_NO_CLASS, Labels, classes_of, labels_of
from .heads import Head, loss_of
from .output_form import is_one_hot, targets_of
from .reader import Reader
from .scores import answers
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


def true_masks(reader: Reader, probe: Probe) -> Array | None:
    """Return the true class of each pixel, `(n, pixels)`, -1 for none; of overlapping masks 1 or 0 for each class."""
    truth, head = targets_of(reader, probe), reader.head
    if truth is None:
        return None
    values = np.nan_to_num(truth, nan=-1)
    if truth.ndim == len(reader.output_shapes[0]) + 1 and truth.shape[-1] == head.classes > 1:
        values = values.reshape(len(truth), -1, head.classes)
        if head.multi_label and not is_one_hot(truth, truth.shape[1:]):
            return np.where(values < 0, -1, values > 0).astype(np.int8)  # `(n, pixels, classes)`
        return np.where((values > 0).any(axis=-1), values.argmax(axis=-1), -1).astype(np.int16)
    ignored = getattr(loss_of(reader.model, reader.output_names, 0), "ignore_class", None)
    known = np.isin(values, [label for label in range(head.choices) if label != ignored])
    return np.where(known, values, -1).astype(np.int16).reshape(len(truth), -1)


def true_quantities(reader: Reader, probe: Probe) -> Array | None:
    """Return the true value of each row, `(n,)`, of an explained output that is one number; `None` if unknown."""
    truth = targets_of(reader, probe) if reader.head.regression else None
    if truth is None or truth.dtype.kind not in "buif" or truth.size != len(truth):
        return None
    return truth.reshape(len(truth))


def marks_of(kind: str, reader: Reader, probe: Probe) -> Array | None:
    """Return the true labels of each row as numbers above 0, or how many pixels have each class: `(n, classes)`."""
    masks = true_masks(reader, probe) if kind else None
    if masks is None:
        return None
    if masks.ndim == 3:
        marks: Array = (masks > 0).sum(axis=1)
        return marks
    return np.stack([(masks == label).sum(axis=1) for label in range(reader.head.choices)], axis=1)


def iou_of_classes(masks: Array, output: Array, head: Head, classes: Array) -> Array | None:
    """Return the intersection over union of one class in each row, `(n,)`; `None` if masks are of other pixels.

    NaN where a row neither has nor is predicted to have its class. `masks` are those of `true_masks`, `output` is
    `(n, ..., units)`.
    """
    values = output.reshape(len(output), -1, head.classes)
    if values.shape[:2] != masks.shape[:2]:
        return None
    if masks.ndim == 3:
        own = classes[:, None, None]
        true, found = (np.take_along_axis(one, own, axis=2)[..., 0] for one in (masks, values >= head.threshold))
        return iou_of_rows(true, found)
    true = np.where(masks < 0, -1, masks == classes[:, None])
    return iou_of_rows(true, answers(values, head.threshold) == classes[:, None])
