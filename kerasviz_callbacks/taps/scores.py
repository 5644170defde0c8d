"""The score that a map explains: one number per input, taken from the output before its softmax or sigmoid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np

from .._autodiff import framework
from .._typing import Array
from ..maths.confidence import sigmoid, softmax
from ..probe.messages import short_message
from .heads import Head, heads_of

Tensor = Any
_ONE_A_ROW = "target=<callable>: must return one number per row, shape (n,); it returned"
PREDICTED = -1  # in place of a class: the class that the model predicts


@dataclass(frozen=True)
class Score:
    """A score: of the classes passed with the inputs, or of a callable on the model's outputs.

    Attributes:
        of: `"logits"` (before the softmax or sigmoid) or `"output"`.
        function: outputs -> `(n,)`; `None`: the class passed for each row, `PREDICTED` for the predicted one.
        targets: the name under which the classes are passed.
        background: of a prediction per position, the class that counts as predicted only where it is everywhere; else
            `PREDICTED` is the class of the largest mean among the others.
    """

    of: Literal["logits", "output"] = "logits"
    function: Callable[[Any], Any] | None = None
    targets: str = "predicted"
    background: int | None = None


def score_for(target: Any, of: Any) -> Score:
    """The score meant by the user's `target` and `score`.

    Raises:
        TypeError: `target` is not `None`, an int, `"true"`, `(n,)` ints or a callable.
        ValueError: `of` is neither `"logits"` nor `"output"`.
    """
    known = isinstance(of, str) and of in ("logits", "output")
    if not known:
        raise ValueError(f'score={of!r}: expected "logits" or "output".')
    if callable(target):
        return Score(of, target, f"callable {id(target)}")
    if target is None:
        return Score(of, None, "predicted")
    if isinstance(target, str) and target == "true":
        return Score(of, None, "true")
    given = _classes_given(target)
    if given is None:
        raise TypeError(f'target={target!r}: expected None, a class (int), "true" or a callable.')
    return Score(of, None, f"class {target}" if given.ndim == 0 else f"classes {id(target)}")


def _classes_given(target: Any) -> Array | None:
    """A class, or one per row `(n,)`, as an array; `None` for anything else."""
    if isinstance(target, int) and not isinstance(target, bool):
        return np.array(target, object if abs(target) > np.iinfo(np.int64).max else np.int64)
    try:
        given = np.asarray(target)
    except Exception:  # whatever its `__array__` raises, or lists of unequal length: no classes
        return None
    return given if given.dtype.kind in "iu" and given.ndim < 2 else None


def logits_of(outputs: Any) -> Any:
    """The outputs, each before its softmax or sigmoid; those without one unchanged."""
    return keras.tree.map_structure(lambda output: framework().before_softmax(output)[0], outputs)


def score(wanted: Score, outputs: Any, targets: Tensor, model: Any) -> Tensor:
    """One number a row `(n,)`: the class' logit, for dense outputs its mean over the positions.

    `targets` are `(n,)` integers, a class each or `PREDICTED`; or `(n, classes)` weights of the logits, such as
    multi-label targets; unused with a callable. The `model` is asked for its loss.
    """
    scored = logits_of(outputs) if wanted.of == "logits" else outputs
    if wanted.function is not None:
        return _rowwise(wanted.function, scored)
    head = heads_of(outputs, model)[0]
    values = _by_class(keras.tree.flatten(scored)[0])
    if len(targets.shape) == 2:
        return keras.ops.sum(values * keras.ops.cast(targets, values.dtype), axis=1)
    if head.classes == 1:
        value = values[:, 0]
        if head.regression:
            return value
        opposite = -value if wanted.of == "logits" or head.of_logits else 1 - value  # the score of class 0
        return keras.ops.where(selected_classes(outputs, targets, model, wanted.background) == 1, value, opposite)
    # Not `take_along_axis`: it and its gradient take ten times as long to trace, for the same numbers.
    chosen = selected_classes(outputs, targets, model, wanted.background)
    meant = keras.ops.arange(head.classes, dtype=targets.dtype) == chosen[:, None]
    return keras.ops.sum(keras.ops.where(meant, values, keras.ops.zeros_like(values)), axis=1)


def selected_classes(outputs: Any, targets: Tensor, model: Any, background: int | None = None) -> Tensor:
    """The class of each row `(n,)`: the one passed, or the predicted one in place of `PREDICTED`; see `Score`."""
    output = keras.tree.flatten(outputs)[0]
    threshold = heads_of(outputs, model)[0].threshold if len(output.shape) < 2 or output.shape[-1] == 1 else 0.0
    predicted = keras.ops.cast(_predicted(output, _by_class(output), threshold, background, keras.ops), targets.dtype)
    return keras.ops.where(targets < 0, predicted, targets)


def _predicted(values: Any, means: Any, threshold: float, background: int | None, ops: Any) -> Any:
    """The class predicted by values `(n, ..., classes)` of these means `(n, classes)`, with `keras.ops` or numpy."""
    units = means.shape[1]
    if background is None:
        return answers(means, threshold, ops)
    positions = tuple(range(1, len(values.shape) - 1))
    everywhere = ops.all(answers(values, threshold, ops) == background, axis=positions)
    others = ops.where(ops.arange(units) == background, -np.inf, means)
    return ops.where(everywhere, background, 1 - background if units == 1 else answers(others, threshold, ops))


def answers(values: Any, threshold: float, ops: Any = np) -> Any:
    """The class of values `(..., classes)`: by the threshold of a single unit, or the largest."""
    return ops.where(values[..., 0] >= threshold, 1, 0) if values.shape[-1] == 1 else ops.argmax(values, axis=-1)


def _by_class(values: Tensor) -> Tensor:
    """Values as `(n, classes)`: of dense outputs the mean of each class map."""
    if len(values.shape) == 1:
        return values[:, None]
    return values if len(values.shape) == 2 else keras.ops.mean(values, axis=tuple(range(1, len(values.shape) - 1)))


def _rowwise(function: Callable[[Any], Any], outputs: Any) -> Tensor:
    """Call the user's function on the outputs and check its result."""
    try:
        given = function(outputs)
    except Exception as error:
        shapes = keras.tree.map_structure(lambda output: tuple(output.shape), outputs)
        raise ValueError(
            f"target=<callable>: raised {type(error).__name__} ({short_message(error)}) on outputs of shape {shapes}; "
            "it is called with the model's whole output and must return one number per row, shape (n,)."
        ) from error
    try:
        values = keras.ops.convert_to_tensor(given)
        dtype = keras.backend.standardize_dtype(values.dtype)
    except Exception as error:
        raise ValueError(f"{_ONE_A_ROW} of type {type(given).__name__}.") from error
    if dtype == "string" or dtype.startswith("complex"):
        raise ValueError(f"{_ONE_A_ROW} {dtype}; return real numbers, such as outputs[:, 3].")
    rows = keras.tree.flatten(outputs)[0].shape[0]
    if len(values.shape) != 1 or (None not in (rows, values.shape[0]) and values.shape[0] != rows):
        raise ValueError(f"{_ONE_A_ROW} {tuple(values.shape)}. Index the class, or take a mean over the other axes.")
    return values if keras.backend.is_float_dtype(dtype) else keras.ops.cast(values, "float32")


def class_targets(targets: Any, head: Head, n: int, *, argument: str = "target") -> Array:
    """`(n,)` classes for `None` (the predicted ones), an int, or `(n,)` ints.

    Raises:
        TypeError: not an integer or integers.
        ValueError: a class that the model does not have, or another number of classes than `n`.
    """
    if targets is None:
        return np.full(n, PREDICTED, np.int32)
    given = _classes_given(targets)
    if given is None:
        raise TypeError(f"{argument}={targets!r}: expected None, a class (int), (n,) ints or a callable.")
    if given.ndim == 1 and len(given) != n:
        raise ValueError(f"{argument}: {len(given)} classes for {n} inputs; pass one class per input, or one int.")
    wrong = given[(given < 0) | (given >= head.choices)]
    if wrong.size and not (head.regression and argument == "labels"):
        raise ValueError(
            f"{argument}={int(wrong.flat[0])}: the model's output has {head.choices} "
            f"{'classes' if head.choices > 1 else 'unit'}; expected 0 to {head.choices - 1}."
        )
    return np.broadcast_to(given, (n,)).astype(np.int32)


@dataclass(frozen=True)
class Predictions:
    """The model's prediction for each row."""

    classes: Array | None  # `(n,)`; `None` for a regression
    confidence: Array  # `(n,)` probability of that class, of dense outputs as `predictions` says; or a predicted value
    iou: Array | None = None  # `(n,)` of masks with known truth: the intersection over union of that class


def predictions(output: Array, head: Head, background: int | None = None, label: int | None = None) -> Predictions:
    """The class and its probability for each row, from the model's first output `(n, ...)`.

    The class of dense outputs is that of the largest mean over positions, its probability the mean over the positions
    predicted as it, or over all where there are none: a mean over all would be about the area of what is seen.
    `background` is that of the `Score`; `label` is a class in place of the predicted one.
    """
    values = output.reshape(len(output), -1, head.classes).astype(np.float64)
    if head.regression:
        return Predictions(None, values.mean(axis=(1, 2)))
    classes = _predicted(values, values.mean(axis=1), head.threshold, background, np)
    if label is not None:
        classes = np.full_like(classes, label)
    own = answers(values, head.threshold) == classes[:, None]
    own |= ~own.any(axis=1, keepdims=True)
    values = probabilities(values, of_logits=head.kind is None, independent=head.is_sigmoid)
    if head.classes == 1:
        values = np.concatenate([1 - values, values], axis=2)
    chosen = np.take_along_axis(values, classes[:, None, None], axis=2)[..., 0]
    known = np.isfinite(chosen).all(axis=1)
    return Predictions(classes, np.where(known, chosen.mean(axis=1, where=own), np.nan))


def probabilities(values: Array, *, of_logits: bool, independent: bool) -> Array:
    """Probabilities from values `(..., units)`: probabilities, their logarithms, or logits.

    Linear outputs of several units are logits, unless they come from a softmax that was not found. `independent` units
    have a sigmoid each, also where a row has but one of their classes.
    """
    if of_logits and independent:
        return sigmoid(values)
    if of_logits and not is_probabilities(values):
        return softmax(values)
    return np.exp(values) if not independent and values.min(initial=0) < 0 else values  # a log-softmax


def check_looked_through(wanted: Score, head: Head, output: Array) -> None:
    """Raise ValueError if logits are requested but not found before the softmax of the output `(n, ..., classes)`."""
    if wanted.of == "logits" and head.kind is None and is_probabilities(output):
        raise ValueError(
            'score="logits": the model\'s output are probabilities (each row sums to 1) or their logarithms, but no '
            "softmax was found just before it that could be looked through: something stands between, or it is hidden "
            'in a @tf.function or written by hand. Pass score="output", or let the model end in the softmax.'
        )


def is_probabilities(output: Array) -> bool:
    """Whether the rows `(..., k)`, k >= 2, are probabilities or their logarithms: none negative, of sum 1."""
    if output.ndim < 2 or output.shape[-1] < 2 or not np.isfinite(output).all():
        return False
    values = output.astype(np.float64)
    if (values <= 0).all():
        values = np.exp(values)
    return bool((values >= 0).all() and np.allclose(values.sum(axis=-1), 1, atol=1e-3))
