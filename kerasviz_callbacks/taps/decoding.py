"""The decoder of an autoencoder, told apart from the rest of the model, whatever the model is made of."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from .._autodiff import framework
from .batches import cut_rows
from .noting import Call, Noted
from .passes import travelling
from .reader import Reader, Tap

Array = np.ndarray[Any, Any]
ROWS = 4  # that the decoder is tried on
NEAREST = 16  # calls before and after the codes that are tried
CLOSE = 1e-3  # beside the largest number: what half precision and the place in a batch may change


def decoder_input(reader: Reader, inputs: Any, codes: Call, number: int) -> Call | None:
    """The call whose output alone decides a reconstruction: where codes can be put in to see them decoded.

    Mostly that are the codes themselves. Of a VAE, whose codes are the means, it is the sample drawn round them, since
    the spread comes in between: an output of the codes' shape that moves one for one with them.

    Args:
        reader: of the model.
        inputs: as the model is fed, a few rows.
        codes: the call whose output are the codes.
        number: which output of the model, flattened, is the reconstruction.

    Returns:
        The first such call with which the reconstruction depends on no input any more (skip connections), and on no
        chance; `None` where there is none.
    """
    if _decides(reader, inputs, codes, codes, number):
        return codes
    for call in _moving_with(reader, codes):
        if _decides(reader, inputs, codes, call, number):
            return call
    return None


def decoded(reader: Reader, inputs: Any, call: Call, codes: Array, number: int) -> Array:
    """What the model reconstructs from codes `(n, *shape)` put in place of a call's output.

    Args:
        reader: of the model.
        inputs: as the model is fed, n rows; only their shapes matter.
        call: from `decoder_input`.
        codes: one for each row.
        number: which output of the model, flattened.
    """

    def body(inputs: Any, codes: Any) -> Any:
        noted = Noted(reader.model, [call.place])
        changed = {call.path: lambda output: keras.ops.cast(codes, output.dtype)}
        return travelling(keras.tree.flatten(noted.forward(inputs, lambda tensor: tensor, changed))[number])

    codes = np.asarray(codes)
    return np.asarray(reader.run(("decoded", call.path, number, str(codes.dtype)), body, (inputs, codes)))


def repeated(inputs: Any, rows: int) -> Any:
    """`rows` rows of inputs, from the first on and over again."""
    return keras.tree.map_structure(lambda array: np.asarray(array)[np.arange(rows) % len(array)], inputs)


def _decides(reader: Reader, inputs: Any, codes: Call, call: Call, number: int) -> bool:
    """Whether the reconstruction hangs on the output of `call`, and on nothing beside it."""
    return _alone_by_slopes(reader, call, number) and _alone_by_numbers(reader, inputs, codes, call, number)


def _alone_by_slopes(reader: Reader, call: Call, number: int) -> bool:
    """Whether the reconstruction has a slope by the held output of `call`, and none by any input beside it."""
    found = [False]

    def body(inputs: Any) -> None:
        noted = Noted(reader.model, [call.place])
        watched: list[Any] = []

        def forward(watch: Any) -> Any:
            flat = keras.tree.flatten(inputs)
            for place, tensor in enumerate(flat):
                if keras.backend.is_float_dtype(tensor.dtype):
                    flat[place] = watch(tensor)
                    watched.append(flat[place])

            def held(output: Any) -> Any:
                return watch(keras.ops.zeros_like(keras.ops.stop_gradient(output)))

            return noted.forward(keras.tree.pack_sequence_as(inputs, flat), lambda tensor: tensor, {call.path: held})

        def reconstruction(outputs: Any) -> list[Any]:
            return [_summed(keras.tree.flatten(outputs)[number])]

        slopes = framework().gradients(forward, reconstruction, lambda: [[noted.tensor(call.path), *watched]])[1][0]
        found[0] = slopes[0] is not None and all(slope is None for slope in slopes[1:])

    reader.abstractly(body, (reader.few(),))
    return found[0]


def _alone_by_numbers(reader: Reader, inputs: Any, codes: Call, call: Call, number: int) -> bool:
    """Whether one code, put in beside different inputs, is decoded to the same.

    It shows what slopes do not: chance, and inputs that are whole numbers.
    """
    few = cut_rows(inputs, 0, ROWS)
    one = reader.read([tap := Tap(codes.path)], cut_rows(few, 0, 1))[tap].output
    if one.dtype.kind != "f":
        return False
    # The first row twice: with a single row, chance would be all that can be told.
    rows = repeated(few, 1 + len(keras.tree.flatten(few)[0]))
    found = decoded(reader, rows, call, np.repeat(one, len(keras.tree.flatten(rows)[0]), axis=0), number)
    found = found.astype(np.float64).reshape(len(found), -1)
    with np.errstate(invalid="ignore", over="ignore"):
        largest = np.abs(found[0]).max(initial=0.0)
        return bool(np.allclose(found[1:], found[:1], rtol=0, atol=CLOSE * largest, equal_nan=True))


def _moving_with(reader: Reader, codes: Call) -> list[Call]:
    """The calls whose output moves one for one with the codes: `code + noise`, whatever the noise is made of."""
    at = reader.calls.index(codes)
    order = sorted(range(len(reader.calls)), key=lambda place: abs(place - at))
    alike = [call for call in map(reader.calls.__getitem__, order) if call.visible and call.shape == codes.shape]
    others = [call for call in alike if call.path != codes.path][:NEAREST]
    if not others:
        return []

    def body(inputs: Any, directions: Any) -> list[Any]:
        noted = Noted(reader.model, {call.place.path: call.place for call in (codes, *others)}.values())

        def along(outputs: Any) -> list[Any]:
            return [_summed(keras.ops.cast(noted.tensor(c.path), directions.dtype) * directions) for c in others]

        slopes = framework().gradients(
            lambda watch: noted.forward(inputs, watch), along, lambda: [[noted.tensor(codes.path)] for _ in others]
        )[1]
        still = keras.ops.zeros_like(directions)
        return [still if one is None else keras.ops.cast(one, directions.dtype) for (one,) in slopes]

    rows = reader.few()
    shape = (len(keras.tree.flatten(rows)[0]), *(size or 1 for size in codes.shape))
    # What gives back any direction as it is has the slope of the code itself.
    directions = np.random.default_rng(0).uniform(0.5, 1.5, shape).astype(np.float32)
    slopes = reader.run(("moving with", codes.path), body, (rows, directions))
    moving = [c for c, slope in zip(others, slopes, strict=True) if np.allclose(slope, directions, 1e-2, 1e-2)]
    return sorted(moving, key=reader.calls.index)


def _summed(tensor: Any) -> Any:
    """One number a row."""
    return keras.ops.sum(keras.ops.reshape(tensor, (keras.ops.shape(tensor)[0], -1)), axis=-1)
