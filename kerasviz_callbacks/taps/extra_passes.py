"""Additional passes: scores of changed inputs and of changed layers, gradients with respect to the inputs.

Each is compiled once per reader and score, runs in batches of bounded memory, and changes no variable. `inputs` are as
the model takes them, `classes` `(n,)` from `resolve_classes`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from .._autodiff import ImpossibleError, framework
from .._typing import Array
from .layouts import channels_back, channels_last
from .output_recorder import Call, OutputRecorder
from .passes import half_to_float32
from .reader import Reader
from .scores import Score, score, selected_classes


def resolve_classes(reader: Reader, inputs: Any, classes: Array, background: int | None = None) -> Array:
    """The class of each row `(n,)`, with `PREDICTED` replaced by the model's prediction for these inputs.

    Changed inputs can then be scored for the class predicted from the unchanged ones. `background` is that of `Score`.
    """

    def body(inputs: Any, classes: Any) -> Any:
        return selected_classes(_run(reader, inputs), classes, reader.model, background)

    return np.asarray(reader.run(("resolve_classes", background), body, (inputs, classes)))


def scores(reader: Reader, wanted: Score, inputs: Any, classes: Array) -> Array:
    """The score of each row `(n,)`, float64."""

    def outputs(inputs: Any) -> Any:
        return _run(reader, inputs)

    return _scored(reader, wanted, ("scores", _kinds(inputs)), outputs, classes, (inputs,))


def masked_scores(reader: Reader, wanted: Score, inputs: Any, classes: Array, masks: Array) -> Array:
    """The score of each row `(n,)`, float64, with its first input multiplied by a mask.

    That input is `(n, *spatial, channels)`, as `to_channels_last` gives it, or `(n, *spatial)`, the masks are
    `(n, *spatial)`.
    """

    def outputs(inputs: Any, masks: Any) -> Any:
        first, *others = keras.tree.flatten(inputs)
        first = channels_last(first, axis_of_first)
        first = keras.ops.cast(first, masks.dtype) if not keras.backend.is_float_dtype(first.dtype) else first
        masks = keras.ops.reshape(masks, (-1, *masks.shape[1:], *[1] * (len(first.shape) - len(masks.shape))))
        masked = first * keras.ops.cast(masks, first.dtype)
        return _run(reader, keras.tree.pack_sequence_as(inputs, [channels_back(masked, axis_of_first), *others]))

    axis_of_first = reader.input_axes[0]
    masks = np.asarray(masks, np.float32)
    return _scored(reader, wanted, ("masked scores", masks.shape[1:]), outputs, classes, (inputs, masks))


def ablated_scores(
    reader: Reader, wanted: Score, inputs: Any, classes: Array, call: Call, channel: int | None
) -> Array:
    """The score of each row `(n,)`, float64, with one channel (`None`: no channel) of a layer's output set to 0."""

    def outputs(inputs: Any, channel: Any) -> Any:
        def ablate(output: Any) -> Any:
            values = channels_last(output, call.channel_axis)
            kept = keras.ops.arange(keras.ops.shape(values)[-1], dtype="int32") != channel
            return channels_back(keras.ops.where(kept, values, keras.ops.zeros_like(values)), call.channel_axis)

        return OutputRecorder(reader.model, [call.ref]).forward(inputs, changed={call.path: ablate})

    chosen = np.asarray(-1 if channel is None else channel, np.int32)
    return _scored(reader, wanted, ("ablated scores", call.path), outputs, classes, (inputs,), chosen)


def _scored(
    reader: Reader,
    wanted: Score,
    key: tuple[Any, ...],
    outputs: Callable[..., Any],
    classes: Array,
    rows: tuple[Any, ...],
    *constants: Any,
) -> Array:
    """The score of each row `(n,)`, float64, of the model's outputs as `outputs(*rows, *constants)` gives them."""

    def body(classes: Any, *given: Any) -> Any:
        return half_to_float32(score(wanted, outputs(*given), classes, reader.model))

    return np.asarray(reader.run((*key, wanted), body, (classes, *rows), *constants), np.float64)


def input_gradients(
    reader: Reader, wanted: Score, inputs: Any, classes: Array, *, guided: bool = False
) -> dict[int, Array]:
    """The gradient of each row's score with respect to its inputs, by input index, of the input's shape, channels last.

    Integer inputs are cast to float32, which a model of images takes as well. Where `guided`, every ReLU passes back
    positive gradients only (guided backpropagation).

    Returns:
        Excludes inputs with respect to which the score has no gradient, such as token ids.

    Raises:
        ValueError: the score has no gradient by any input, or guided backpropagation is impossible.
    """
    fed = keras.tree.map_structure(_as_float, inputs)

    def body(inputs: Any, classes: Any) -> dict[str, Any]:
        flat = keras.tree.flatten(inputs)
        numbers = [number for number, one in enumerate(flat) if keras.backend.is_float_dtype(one.dtype)]
        by = [flat[number] for number in numbers]
        if guided:
            slopes = framework().guided_gradients(
                lambda: score(wanted, _run(reader, inputs), classes, reader.model), by
            )
        else:
            slopes = _slopes(reader, wanted, inputs, classes, numbers)
        found = {n: slope for n, slope in zip(numbers, slopes, strict=True) if slope is not None}
        if not found:
            raise ImpossibleError(
                "the score has no gradient by any input: the model takes them as whole numbers or text, or the score "
                'does not depend on them. Use method="occlusion" or "rise", which need none.'
            )
        return {str(n): half_to_float32(slope) for n, slope in found.items()}

    found = reader.run(("input gradients", wanted, guided, _kinds(fed)), body, (fed, classes))
    axes = reader.input_axes
    return {int(n): channels_last(np.asarray(slope), axes[int(n)], np.moveaxis) for n, slope in found.items()}


def _slopes(reader: Reader, wanted: Score, inputs: Any, classes: Any, numbers: Sequence[int]) -> list[Any]:
    watched: list[Any] = []

    def forward(watch: Any) -> Any:
        flat = keras.tree.flatten(inputs)
        for number in numbers:
            watched.append(watch(flat[number]))
            flat[number] = watched[-1]
        return _run(reader, keras.tree.pack_sequence_as(inputs, flat))

    slopes = framework().gradients(
        forward, lambda outputs: [score(wanted, outputs, classes, reader.model)], lambda: [watched]
    )[1]
    return list(slopes[0])


def _run(reader: Reader, inputs: Any) -> Any:
    return OutputRecorder(reader.model, []).forward(inputs)


def _as_float(given: Any) -> Array:
    array: Array = np.asarray(given)
    return array.astype(np.float32) if array.dtype.kind in "biu" else array


def _kinds(inputs: Any) -> tuple[str, ...]:
    return tuple(str(np.asarray(array).dtype) for array in keras.tree.flatten(inputs))
