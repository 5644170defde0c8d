"""TensorFlow: compile one pass, differentiate by a layer's output, find what feeds the softmax."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from .tensorflow_gradients import DIFFERENTIABLE, in_graph
from .tensorflow_gradients import dense as dense
from .tensorflow_gradients import gradients as gradients
from .tensorflow_gradients import guided_gradients as guided_gradients
from .tensorflow_gradients import loss_gradients as loss_gradients
from .tensorflow_private import private
from .tensorflow_random import RUNS_EAGERLY, kept_eager_stream, kept_global_states, may_draw_elsewhere, python_functions
from .tensorflow_variables import changed_variables
from .tensorflow_variables import fingerprint as fingerprint

Tensor = Any
_OF_SHAPES = {"Shape", "ShapeN", "Size", "Rank"}
_PROBABILITIES = {"Softmax": "softmax", "LogSoftmax": "softmax", "Sigmoid": "sigmoid"}


class Compiled:
    """`function(*arguments)` as one graph, for any number of rows.

    Neither tracing nor a call changes a variable, or a random state that it can keep (see `tensorflow_random`).

    Args:
        function: gets one tensor for each array of `example` (same structure), gives a structure of tensors.
        example: the arguments as numpy arrays, for their types and shapes.
        fixed_rows: keep the number of rows of `example`, for models that were built for one batch size only.
    """

    def __init__(self, function: Callable[..., Any], example: Sequence[Any], *, fixed_rows: bool = False):
        def flat(*tensors: Tensor) -> list[Tensor]:
            results = function(*keras.tree.pack_sequence_as(tuple(example), list(tensors)))
            self._results = keras.tree.map_structure(lambda tensor: None, results)
            return list(keras.tree.flatten(results))

        # Flat, since TensorFlow takes as long to walk through a structure at each call as to run a small model.
        specs = [_spec(array, fixed_rows) for array in keras.tree.flatten(tuple(example))]
        with kept_global_states():
            self._graph = tf.function(flat, autograph=False).get_concrete_function(*specs)
        self._changed = changed_variables(self._graph)
        self._python_functions = python_functions(self._graph.graph)

    def __call__(self, *arguments: Any) -> Any:
        tensors = [tf.convert_to_tensor(array) for array in keras.tree.flatten(arguments)]
        kept = [tf.identity(variable) for variable in self._changed]
        try:
            with self._kept_random_states():
                found = [_numpy(tensor) for tensor in self._graph(*tensors)]
        finally:
            for variable, value in zip(self._changed, kept, strict=True):
                variable.assign(value)
        return keras.tree.pack_sequence_as(self._results, found)

    def _kept_random_states(self) -> AbstractContextManager[Any]:
        """A graph without Python functions can draw from no global random state, so nothing is looked at."""
        if not self._python_functions:
            return nullcontext()
        kept = ExitStack()
        if RUNS_EAGERLY in self._python_functions and not may_draw_elsewhere():
            kept.enter_context(kept_eager_stream(in_all_threads=True))
        kept.enter_context(kept_global_states())
        return kept


class Eager:
    """The same without a graph, for models that cannot be traced or are compiled with `run_eagerly=True`.

    `variables` gives every variable that the pass might assign, at each call anew; for `builds` see `Traced`.
    """

    def __init__(self, function: Callable[..., Any], variables: Callable[[], Sequence[Any]], *, builds: bool = False):
        self._function, self._variables, self._builds = function, variables, builds

    def __call__(self, *arguments: Any) -> Any:
        kept = [(variable, variable.numpy().copy()) for variable in self._variables()]
        try:
            with kept_eager_stream(), nullcontext() if self._builds else kept_global_states():
                result = self._function(*keras.tree.map_structure(tf.convert_to_tensor, arguments))
        finally:
            for variable, value in kept:
                if not np.array_equal(variable.numpy(), value, equal_nan=value.dtype.kind in "fc"):
                    variable.assign(value)
        return keras.tree.map_structure(_numpy, result)


class Traced:
    """`function` run once on symbols only, as for `Compiled`: nothing is computed, and no variable changes.

    Where the pass `builds` the model, its layers draw their first weights from Python's global random state: these
    numbers are the model's, and are not given back.
    """

    def __init__(
        self, function: Callable[..., Any], example: Sequence[Any], *, fixed_rows: bool = False, builds: bool = False
    ):
        specs = keras.tree.map_structure(lambda array: _spec(array, fixed_rows), tuple(example))
        with nullcontext() if builds else kept_global_states():
            self._graph = tf.function(function, autograph=False).get_concrete_function(*specs).graph
        self._fed = self._graph.inputs[: len(keras.tree.flatten(specs))]  # the others are weights

    def depends(self, score: Callable[[], Tensor], tensors: Sequence[Tensor]) -> list[bool]:
        """Whether a score, computed from symbols that were met on the way, depends smoothly on each of some of them.

        NotImplementedError: this TensorFlow does not tell.
        """
        with kept_global_states(), self._graph.as_default():
            behind = _smoothly_behind(score())
        return [id(tensor) in behind for tensor in tensors]

    def separates(
        self, score: Callable[[], Tensor], groups: Sequence[Sequence[Tensor]], *, of_first: bool = False
    ) -> list[bool]:
        """Whether a score depends smoothly on each group of tensors, and on the inputs through the group alone.

        With `of_first` other inputs than the first may go by the group. NotImplementedError: this TensorFlow does not
        tell.
        """
        with kept_global_states(), self._graph.as_default():
            start = score()
            behind = _smoothly_behind(start)
        fed = {id(tensor) for tensor in self._fed[: 1 if of_first else None]}
        # What is made of whole numbers, such as the pixels of bytes, has no gradient by them.
        sources = fed | {key for key, (made, _) in behind.items() if _is_made_of_numbers(made, fed)}
        found = []
        for group in groups:
            held = {id(tensor) for tensor in group}
            reached, waiting = {id(start)}, [id(start)]
            while waiting:
                new = set(behind[waiting.pop()][1]) - reached
                reached |= new
                waiting += new - held
            found.append(bool(reached & held) and not (reached - held) & sources)
        return found


def _is_made_of_numbers(tensor: Tensor, fed: set[int]) -> bool:
    """Whether an operation makes a tensor of whole numbers that come from a fed tensor (its shape does not count)."""
    waiting = [given for given in tensor.op.inputs if given.dtype not in DIFFERENTIABLE]
    seen: set[int] = set()
    while waiting:
        given = waiting.pop()
        if id(given) in fed:
            return True
        if id(given) not in seen and given.op.type not in _OF_SHAPES:
            seen.add(id(given))
            waiting += [one for one in given.op.inputs if one.dtype not in DIFFERENTIABLE]
    return False


def _smoothly_behind(tensor: Tensor) -> dict[int, tuple[Tensor, list[int]]]:
    """By id all tensors by which a symbol has a gradient, itself among them, with the ids of what each is made of.

    No gradient is traced for it.
    """
    gradient_of = private("get_gradient_function")
    if gradient_of is None:
        raise NotImplementedError("this TensorFlow does not tell which operations have a gradient")
    found: dict[int, tuple[Tensor, list[int]]] = {id(tensor): (tensor, [])}
    waiting = [tensor]
    while waiting:
        made = waiting.pop()
        try:
            if gradient_of(made.op) is None:
                continue  # such as argmax, or the shape of something
        except LookupError:
            continue
        for given in made.op.inputs:
            if given.dtype in DIFFERENTIABLE:
                found[id(made)][1].append(id(given))
                if id(given) not in found:
                    found[id(given)] = (given, [])
                    waiting.append(given)
    return found


def before_softmax(output: Tensor) -> tuple[Tensor, str | None]:
    """What feeds the softmax or sigmoid that made `output`, laid out like `output`, and which of the two it was.

    Looks back through operations that only rearrange (cast, reshape, transpose). `(output, None)` where there is none.
    """
    if not in_graph(output):
        return _before_softmax_eager(output)
    made_by = _rearranged(output)[-1].op
    kind = _PROBABILITIES.get(made_by.type)
    if kind is None:
        return output, None
    logits = made_by.inputs[0]
    for tensor in reversed(_rearranged(output)[:-1]):
        logits = _REARRANGE[tensor.op.type](logits, tensor.op)
    return logits, kind


def made_from(output: Tensor) -> list[Tensor]:
    """`output`, its logits and their rearrangements: the tensors that are the answer itself, not evidence for it."""
    if not in_graph(output):
        return [output, _before_softmax_eager(output)[0]]
    tensors = _rearranged(output)
    if tensors[-1].op.type in _PROBABILITIES:
        tensors += _rearranged(tensors[-1].op.inputs[0])
    return tensors


def _rearranged(tensor: Tensor) -> list[Tensor]:
    """`tensor` and those before it, back to the first that was computed and not only rearranged."""
    tensors = [tensor]
    while tensors[-1].op.type in _REARRANGE:
        tensors.append(tensors[-1].op.inputs[0])
    return tensors


def visible(tensor: Any) -> bool:
    """Whether `tensor` has rows and belongs to the pass being run, not to a function compiled inside the model."""
    if not isinstance(tensor, tf.Tensor) or not tensor.shape.rank:
        return False
    if tf.executing_eagerly():
        return not tf.is_symbolic_tensor(tensor)
    return tf.is_symbolic_tensor(tensor) and tensor.graph is tf.compat.v1.get_default_graph()


_REARRANGE: Mapping[str, Callable[[Tensor, Any], Tensor]] = {
    "Identity": lambda tensor, op: tensor,
    "Cast": lambda tensor, op: tf.cast(tensor, op.outputs[0].dtype),
    "Reshape": lambda tensor, op: tf.reshape(tensor, op.inputs[1]),
    "Squeeze": lambda tensor, op: tf.squeeze(tensor, op.get_attr("squeeze_dims")),
    "ExpandDims": lambda tensor, op: tf.expand_dims(tensor, op.inputs[1]),
    "Transpose": lambda tensor, op: tf.transpose(tensor, op.inputs[1]),
}


def _before_softmax_eager(output: Tensor) -> tuple[Tensor, str | None]:
    logits = getattr(output, "_keras_logits", None)  # Keras keeps it for its own cross-entropy
    if logits is None:
        return output, None
    # Without a graph the function's name is not kept. A softmax of one unit is 1 everywhere, so the values tell.
    is_sigmoid = bool(tf.reduce_all(tf.abs(tf.sigmoid(logits) - output) < 1e-2))
    return logits, "sigmoid" if is_sigmoid else "softmax"


def _spec(array: Any, fixed_rows: bool) -> tf.TensorSpec:
    array = np.asarray(array)
    dtype = tf.string if array.dtype.kind in "USO" else array.dtype
    if array.ndim == 0:
        return tf.TensorSpec((), dtype)
    return tf.TensorSpec(array.shape if fixed_rows else (None, *array.shape[1:]), dtype)


def _numpy(tensor: Tensor) -> np.ndarray[Any, Any]:
    return np.asarray(tensor.numpy())
