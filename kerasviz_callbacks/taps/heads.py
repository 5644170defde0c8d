"""The kind of each output: its activation, its number of classes, and whether the compiled loss takes its logits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from .._autodiff import framework

OF_CLASSES = {"categorical_crossentropy", "sparse_categorical_crossentropy", "categorical_focal_crossentropy"}
"""Names of the losses of one class among several."""


@dataclass(frozen=True)
class Head:
    """The kind of one of the model's outputs, found once while tracing.

    Attributes:
        kind: `"softmax"`, `"sigmoid"` or `None` (linear, or another activation).
        classes: size of the last axis, 1 for an output `(n,)`.
        dense: whether there is a prediction per position (pixel), not only per input.
        of_logits: whether each unit is a logit of two classes, by the compiled loss: positive means class 1.
    """

    kind: str | None
    classes: int
    dense: bool
    of_logits: bool = False

    @property
    def binary(self) -> bool:
        """Whether one unit decides between two classes: a sigmoid, or a logit by the compiled loss."""
        return self.classes == 1 and self.is_sigmoid

    @property
    def multi_label(self) -> bool:
        """Whether each of several units is a label of its own."""
        return self.classes > 1 and self.is_sigmoid

    @property
    def is_sigmoid(self) -> bool:
        """Whether each unit is a probability of its own: a sigmoid, or its logit by the compiled loss."""
        return self.kind == "sigmoid" or self.of_logits

    @property
    def regression(self) -> bool:
        """Whether the output is one linear unit: a quantity, not a class."""
        return self.kind is None and self.classes == 1 and not self.of_logits

    @property
    def choices(self) -> int:
        """The number of classes: 2 for one sigmoid unit or logit, 1 for one linear unit."""
        return 2 if self.binary else self.classes

    @property
    def threshold(self) -> float:
        """The least output of a binary head that means class 1."""
        return 0.0 if self.of_logits else 0.5


def heads_of(outputs: Any, model: Any) -> list[Head]:
    """The kind of each output, flattened."""
    names, heads = output_names(model, outputs), []
    for number, output in enumerate(keras.tree.flatten(outputs)):
        kind = framework().before_softmax(output)[1]
        classes = 1 if len(output.shape) < 2 else int(output.shape[-1] or 1)
        of_logits = kind is None and takes_logits(loss_of(model, names, number))
        heads.append(Head(kind, classes, len(output.shape) > 2, of_logits))
    return heads


def output_names(model: Any, outputs: Any) -> list[Any]:
    """The keys under which y and the losses hold the outputs, flattened; empty if outputs have no names.

    Keras sorts the keys of a dict; a list of outputs goes by the names of its layers.
    """
    if isinstance(outputs, Mapping):
        return sorted(outputs)
    return list(getattr(model, "output_names", None) or [])


def loss_of(model: Any, names: Sequence[Any], number: int) -> Any:
    """The compiled loss of one output, as it was passed; `None` if there is none."""
    losses = getattr(model, "loss", None)
    if isinstance(losses, Mapping):
        return losses.get(names[number]) if number < len(names) else None
    if isinstance(losses, (list, tuple)):
        return losses[number] if number < len(losses) else None
    return losses


def loss_name(loss: Any) -> str:
    """Keras' name of a loss; empty if there is none."""
    return loss if isinstance(loss, str) else str(getattr(loss, "name", getattr(loss, "__name__", "")))


def applies_sigmoid(loss: Any) -> bool:
    """Whether a loss is a binary cross-entropy of logits."""
    binary = (keras.losses.BinaryCrossentropy, keras.losses.BinaryFocalCrossentropy)
    return isinstance(loss, binary) and bool(loss.from_logits)


def takes_logits(loss: Any) -> bool:
    """Whether a loss takes each unit as the logit of two classes: a binary cross-entropy of logits, or a hinge."""
    hinge = isinstance(loss, (keras.losses.Hinge, keras.losses.SquaredHinge))
    return applies_sigmoid(loss) or hinge or loss_name(loss) in ("hinge", "squared_hinge")
