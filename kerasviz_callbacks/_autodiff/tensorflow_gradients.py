"""TensorFlow: gradients of scores by what layers put out and by inputs, guided or not, and of a loss by variables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from . import ImpossibleError

Tensor = Any


def gradients(
    forward: Callable[[Callable[[Tensor], Tensor]], Any],
    scores: Callable[[Any], Sequence[Tensor]],
    captured: Callable[[], Sequence[Sequence[Tensor]]],
) -> tuple[Any, list[list[Tensor | None]]]:
    """The model's outputs, and for each of several scores the gradients by what layers put out on the way.

    Args:
        forward: runs the model; is given `watch`, to be applied to each output that is differentiated by.
        scores: outputs -> one tensor `(n,)` a score.
        captured: after `forward`, for each score the tensors to differentiate it by; a gradient is `None` where the
            score does not depend on the tensor.
    """
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:

        def watch(tensor: Tensor) -> Tensor:
            if tensor.dtype in DIFFERENTIABLE:  # the tape would log a warning of any other
                tape.watch(tensor)
            return tensor

        outputs = forward(watch)
        totals = [tf.reduce_sum(score) for score in scores(outputs)]
    found = [_slopes(tape, total, list(tensors)) for total, tensors in zip(totals, captured(), strict=True)]
    return outputs, found


def _slopes(tape: Any, total: Tensor, tensors: list[Tensor]) -> list[Tensor | None]:
    return _unflushed(lambda seed: tape.gradient(total, tensors, output_gradients=seed), total, tensors)


def _unflushed(
    ask: Callable[[Tensor], Sequence[Tensor | None]], total: Tensor, tensors: Sequence[Tensor]
) -> list[Tensor | None]:
    """The gradients, in a type that holds them: scaled up on their way through float16, whose smallest number is 6e-8.

    Where that is too much for its largest, 65504, they are taken unscaled. `ask` gives the gradients of `total` by
    `tensors`, each times the number that it is given.
    """

    def scaled(scale: float) -> list[Tensor | None]:
        raw = ask(tf.constant(scale, total.dtype))
        wide = [tf.cast(one, tf.float32) if one is not None and one.dtype in _HALF else one for one in raw]  # exact
        return [None if one is None else one / scale for one in wide]

    if not _any_half(total, tensors):
        return scaled(1.0)
    pairs = zip(scaled(_LOSS_SCALE), scaled(1.0), strict=True)
    return [None if fine is None else tf.where(tf.math.is_finite(fine), fine, coarse) for fine, coarse in pairs]


def _any_half(total: Tensor, tensors: Sequence[Tensor]) -> bool:
    """Whether gradients may go through float16: of a graph anything in it, else what can be seen."""
    seen = [total, *tensors]
    if in_graph(total):
        seen = [tensor for operation in total.graph.get_operations() for tensor in operation.outputs]
    return any(tensor.dtype == tf.float16 for tensor in seen)


def guided_gradients(forward: Callable[[], Tensor], inputs: Sequence[Tensor]) -> list[Tensor | None]:
    """The gradients of a score by inputs, where every ReLU passes back only what speaks for it.

    `forward` runs the model on them and gives the score `(n,)`; only within a graph, where each ReLU can be known.

    Raises:
        ImpossibleError: no ReLU was met, so the gradient would not be guided; one that cannot be guided was met; or
            the pass is not a graph.
    """
    if tf.executing_eagerly():
        raise ImpossibleError("guided backpropagation needs a model that can be compiled, without run_eagerly=True.")
    graph = tf.compat.v1.get_default_graph()
    before = len(graph.get_operations())
    with graph.gradient_override_map({"Relu": _GUIDED_RELU, "Relu6": _GUIDED_RELU6}):
        score = forward()
    within = graph.as_graph_def().library.function  # each with a graph of its own, which the override does not reach
    if any(node.op in _RELUS for function in within for node in function.node_def):
        raise ImpossibleError(
            "guided backpropagation cannot guide a ReLU within a @tf.function or a loop, such as that of a recurrent "
            "layer. Take @tf.function off `call` (fit compiles it anyway), or use another method."
        )
    if all(operation.type not in _RELUS for operation in graph.get_operations()[before:]):
        raise ImpossibleError("guided backpropagation is defined by what ReLU lets through, and the model has none.")
    total = tf.reduce_sum(score)
    # `tf.gradients`, since a tape does not look at the override.
    return _unflushed(lambda seed: tf.gradients(total, list(inputs), grad_ys=[seed]), total, inputs)


def loss_gradients(loss: Callable[[], Tensor], variables: Sequence[Any]) -> list[Any]:
    """The gradients of a loss (a number) by Keras variables, as a training step gets them.

    `None` where the loss does not depend on a variable; sparse where only some rows of it were looked up.
    """
    with tf.GradientTape() as tape:
        total = loss()
    found: list[Any] = tape.gradient(total, [variable.value for variable in variables])
    return found


def dense(gradient: Any) -> Tensor:
    """A gradient as a tensor of its variable's shape, rows that were looked up several times summed."""
    return tf.convert_to_tensor(gradient)


def in_graph(tensor: Tensor) -> bool:
    """Whether `tensor` is a symbol of a graph that is being traced, and so can be asked how it was made."""
    return not tf.executing_eagerly() and hasattr(tensor, "op")


_HALF = (tf.float16, tf.bfloat16)
# The types of tensors that can have a gradient: numbers but integers, and the lists of a recurrent layer.
DIFFERENTIABLE = frozenset({*_HALF, tf.float32, tf.float64, tf.complex64, tf.complex128, tf.variant})
_LOSS_SCALE = 1024.0  # a power of two, so exact
_RELUS = ("Relu", "Relu6")
_GUIDED_RELU, _GUIDED_RELU6 = "KerasvizGuidedRelu", "KerasvizGuidedRelu6"


def _guided_relu(op: Any, gradient: Tensor) -> Tensor:
    return tf.where((op.outputs[0] > 0) & (gradient > 0), gradient, tf.zeros_like(gradient))


def _guided_relu6(op: Any, gradient: Tensor) -> Tensor:
    return tf.where((op.outputs[0] > 0) & (op.outputs[0] < 6) & (gradient > 0), gradient, tf.zeros_like(gradient))


tf.RegisterGradient(_GUIDED_RELU)(_guided_relu)
tf.RegisterGradient(_GUIDED_RELU6)(_guided_relu6)
