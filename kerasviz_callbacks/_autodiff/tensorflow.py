"""TensorFlow: compile one pass, differentiate by a layer's output, find what feeds the softmax."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework import ops

from .tensorflow_gradients import dense as dense
from .tensorflow_gradients import gradients as gradients
from .tensorflow_gradients import guided_gradients as guided_gradients
from .tensorflow_gradients import in_graph
from .tensorflow_gradients import loss_gradients as loss_gradients
from .tensorflow_gradients import wide as wide

Tensor = Any
# What a graph does with a variable that leaves it as it was; whatever else touches one is taken to change it.
_READS = frozenset({"ReadVariableOp", "ResourceGather", "ResourceGatherNd", "VariableShape", "VarIsInitializedOp"})
_PROBABILITIES = {"Softmax": "softmax", "LogSoftmax": "softmax", "Sigmoid": "sigmoid"}


class Compiled:
    """`function(*arguments)` as one graph, for any number of rows; it leaves every variable as it found it.

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
        self._graph = tf.function(flat, autograph=False).get_concrete_function(*specs)
        self._changed = _changed_variables(self._graph.graph)

    def __call__(self, *arguments: Any) -> Any:
        tensors = [tf.convert_to_tensor(array) for array in keras.tree.flatten(arguments)]
        kept = [tf.identity(variable) for variable in self._changed]
        try:
            found = self._graph(*tensors)
        finally:
            for variable, value in zip(self._changed, kept, strict=True):
                variable.assign(value)
        return keras.tree.pack_sequence_as(self._results, [_numpy(tensor) for tensor in found])


class Eager:
    """The same without a graph, for models that cannot be traced or are compiled with `run_eagerly=True`.

    Args:
        function: as for `Compiled`.
        variables: every variable that the pass might assign; looked up anew at each call.
    """

    def __init__(self, function: Callable[..., Any], variables: Callable[[], Sequence[Any]]):
        self._function = function
        self._variables = variables

    def __call__(self, *arguments: Any) -> Any:
        kept = [(variable, variable.numpy().copy()) for variable in self._variables()]
        try:
            with _kept_random_state():
                result = self._function(*keras.tree.map_structure(tf.convert_to_tensor, arguments))
        finally:
            for variable, value in kept:
                if not np.array_equal(variable.numpy(), value, equal_nan=value.dtype.kind in "fc"):
                    variable.assign(value)
        return keras.tree.map_structure(_numpy, result)


class Traced:
    """`function` run once on symbols only: nothing is computed, and no variable changes.

    Args:
        function: as for `Compiled`; what it gives does not matter.
        example: the arguments as numpy arrays, for their types and shapes.
        fixed_rows: as for `Compiled`.
    """

    def __init__(self, function: Callable[..., Any], example: Sequence[Any], *, fixed_rows: bool = False):
        specs = keras.tree.map_structure(lambda array: _spec(array, fixed_rows), tuple(example))
        self._graph = tf.function(function, autograph=False).get_concrete_function(*specs).graph

    def depends(self, score: Callable[[], Tensor], tensors: Sequence[Tensor]) -> list[bool]:
        """Whether a score depends smoothly on each of some tensors that were met on the way.

        Args:
            score: computes it from symbols that were met.
            tensors: such symbols.
        """
        with self._graph.as_default():
            behind = _smoothly_behind(score())
        return [id(tensor) in behind for tensor in tensors]


def _smoothly_behind(tensor: Tensor) -> set[int]:
    """The ids of all tensors by which a symbol has a gradient, itself among them; no gradient is traced for it."""
    found, waiting = {id(tensor)}, [tensor]
    while waiting:
        made_by = waiting.pop().op
        try:
            if ops.get_gradient_function(made_by) is None:
                continue  # such as argmax, or the shape of something
        except LookupError:
            continue
        for given in made_by.inputs:
            if id(given) not in found and given.dtype in _SMOOTH:
                found.add(id(given))
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


def fingerprint(variables: Sequence[Any]) -> Callable[[], bytes]:
    """A function that says whether variables have changed: equal bytes for equal values, at memory speed."""
    numeric = [v.value for v in variables if tf.as_dtype(v.dtype).size in _BITS]

    def sums() -> Tensor:
        # Bits, not values: NaN equals itself, and adding integers does not depend on the order.
        bits = [tf.bitcast(v, _BITS[v.dtype.size]) for v in numeric]
        return tf.stack([tf.reduce_sum(tf.cast(b, tf.int32)) for b in bits] or [tf.constant(0)])

    # Concrete: a second fit's would else be taken for a retracing of the first's, and warned of.
    compiled = tf.function(sums, autograph=False).get_concrete_function()
    return lambda: bytes(compiled().numpy().tobytes())


# What has a gradient, and the lists that a recurrent layer gathers its steps in.
_SMOOTH = frozenset({tf.float16, tf.bfloat16, tf.float32, tf.float64, tf.complex64, tf.complex128, tf.variant})
_BITS: Mapping[int, Any] = {1: tf.uint8, 2: tf.int16, 4: tf.int32, 8: tf.int64}
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


def _changed_variables(graph: Any) -> list[tf.Variable]:
    """The variables that the graph may assign: a sampling layer's seed state, a counter, a table of averages."""
    by_handle = {id(variable.handle): variable for variable in graph.variables}
    changed = []
    for outside, inside in graph.captures:
        variable = by_handle.get(id(outside))
        if variable is not None and any(operation.type not in _READS for operation in inside.consumers()):
            changed.append(variable)
    return changed


@contextmanager
def _kept_random_state() -> Iterator[None]:
    """TensorFlow numbers the random operations run eagerly; ours must not move the count."""
    from tensorflow.python.eager import context

    generator = getattr(context.context(), "_rng", None)
    state = generator.getstate() if generator is not None else None
    if generator is not None:
        # An operation's kernel is kept by its number and counts what it drew: ours must never get the user's number.
        generator.seed("kerasviz_callbacks")
    try:
        yield
    finally:
        if generator is not None:
            generator.setstate(state)
