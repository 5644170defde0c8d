"""The decoder of an autoencoder, told apart from the rest of the model, whatever the model is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from .._autodiff import framework
from .batches import cut_rows
from .output_recorder import Call, OutputRecorder
from .passes import travelling
from .reader import Capture, Reader

Array = np.ndarray[Any, Any]
ROWS = 4  # that the decoder is tried on
NEAREST = 16  # calls round the codes that are tried
CLOSE = 1e-3  # beside the largest number: what half precision and the place in a batch may change


@dataclass(frozen=True)
class Decoder:
    """Where the codes are, and where they are put in to be decoded.

    Attributes:
        codes: the call whose output are the codes.
        entry: the call whose output they take the place of.
    """

    codes: Call
    entry: Call

    @property
    def samples(self) -> bool:
        """Whether the codes are means, and what is decoded is drawn round them."""
        return self.entry.path != self.codes.path

    @property
    def capture(self) -> Capture:
        """What gives the codes."""
        return Capture(self.codes.path)


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
    for call in _moving_with(reader, codes, [call for call in _alike(reader, codes) if call.path != codes.path]):
        if _decides(reader, inputs, codes, call, number):
            return call
    return None


def posterior_mean(reader: Reader, inputs: Any, code: Call) -> Call | None:
    """The call round whose output codes are drawn: a VAE's mean, told from the spread that is of the same shape.

    Args:
        reader: of the model.
        inputs: as the model is fed.
        code: any call of the codes' shape.

    Returns:
        The first of that shape that chance does not touch, and that one which it does touch moves one for one with;
        `None` where there is none.
    """
    alike = _alike(reader, code)
    if len(alike) < 2:
        return None
    twice = repeated(cut_rows(inputs, 0, 1), 2)
    captured = reader.read([Capture(call.path) for call in alike], twice)
    drawn = [call for call in alike if not _rows_agree(captured[Capture(call.path)].output)]
    others = [call for call in alike if call not in drawn] if drawn else []
    return next((call for call in others if _moving_with(reader, call, drawn)), None)


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
        recorder = OutputRecorder(reader.model, [call.ref])
        changed = {call.path: lambda output: keras.ops.cast(codes, output.dtype)}
        return travelling(keras.tree.flatten(recorder.forward(inputs, lambda tensor: tensor, changed))[number])

    codes = np.asarray(codes)
    return np.asarray(reader.run(("decoded", call.path, number, str(codes.dtype)), body, (inputs, codes)))


def repeated(inputs: Any, rows: int) -> Any:
    """`rows` rows of inputs, from the first on and over again."""
    return keras.tree.map_structure(lambda array: np.asarray(array)[np.arange(rows) % len(array)], inputs)


def wanted_of(fed: Array, targets: Any) -> Array:
    """What should be given back: targets of the inputs' shape, where they are others than the inputs; else these.

    Args:
        fed: what the model reconstructs.
        targets: what it is trained to give, arrays in any structure, or `None`.
    """
    for target in [] if targets is None else keras.tree.flatten(targets):
        if np.shape(target) == fed.shape and not np.array_equal(target, fed, equal_nan=fed.dtype.kind == "f"):
            return np.asarray(target)
    return fed


def gives_logits(model: Any, number: int, outputs: int) -> bool:
    """Whether the loss of the model's output of this number, of so many, puts a sigmoid behind it."""
    losses = keras.tree.flatten(getattr(model, "loss", None))
    binary = (keras.losses.BinaryCrossentropy, keras.losses.BinaryFocalCrossentropy)
    loss = losses[number] if len(losses) == outputs else None
    return isinstance(loss, binary) and bool(loss.from_logits)


def _decides(reader: Reader, inputs: Any, codes: Call, call: Call, number: int) -> bool:
    """Whether the reconstruction hangs on the output of `call`, and on nothing beside it."""
    return _alone_by_slopes(reader, call, number) and _alone_by_numbers(reader, inputs, codes, call, number)


def _alone_by_slopes(reader: Reader, call: Call, number: int) -> bool:
    """Whether the reconstruction has a slope by the held output of `call`, and none by any input beside it."""
    found = [False]

    def body(inputs: Any) -> None:
        recorder = OutputRecorder(reader.model, [call.ref])
        watched: list[Any] = []

        def forward(watch: Any) -> Any:
            flat = keras.tree.flatten(inputs)
            for ref, tensor in enumerate(flat):
                if keras.backend.is_float_dtype(tensor.dtype):
                    flat[ref] = watch(tensor)
                    watched.append(flat[ref])

            def held(output: Any) -> Any:
                return watch(keras.ops.zeros_like(keras.ops.stop_gradient(output)))

            return recorder.forward(keras.tree.pack_sequence_as(inputs, flat), lambda tensor: tensor, {call.path: held})

        def reconstruction(outputs: Any) -> list[Any]:
            return [_summed(keras.tree.flatten(outputs)[number])]

        slopes = framework().gradients(forward, reconstruction, lambda: [[recorder.tensor(call.path), *watched]])[1][0]
        found[0] = slopes[0] is not None and all(slope is None for slope in slopes[1:])

    reader.abstractly(body, (reader.few(),))
    return found[0]


def _alone_by_numbers(reader: Reader, inputs: Any, codes: Call, call: Call, number: int) -> bool:
    """Whether one code, put in beside different inputs, is decoded to the same.

    It shows what slopes do not: chance, and inputs that are whole numbers.
    """
    few = cut_rows(inputs, 0, ROWS)
    one = reader.read([capture := Capture(codes.path)], cut_rows(few, 0, 1))[capture].output
    if one.dtype.kind != "f":
        return False
    # The first row twice: with a single row, chance would be all that can be told.
    rows = repeated(few, 1 + len(keras.tree.flatten(few)[0]))
    found = decoded(reader, rows, call, np.repeat(one, len(keras.tree.flatten(rows)[0]), axis=0), number)
    return _rows_agree(found)


def _rows_agree(rows: Array) -> bool:
    """Whether all rows are the same, as far as numbers of this kind can be."""
    values = np.asarray(rows, np.float64).reshape(len(rows), -1)
    with np.errstate(invalid="ignore", over="ignore"):
        largest = np.abs(values[0]).max(initial=0.0)
        return bool(np.allclose(values[1:], values[:1], rtol=0, atol=CLOSE * largest, equal_nan=True))


def _alike(reader: Reader, codes: Call) -> list[Call]:
    """The calls of the codes' shape, in the order in which they run; of very many the nearest."""
    at = reader.calls.index(codes)
    near = sorted(range(len(reader.calls)), key=lambda ref: abs(ref - at))
    alike = [ref for ref in near if reader.calls[ref].visible and reader.calls[ref].shape == codes.shape]
    return [reader.calls[ref] for ref in sorted(alike[:NEAREST])]


def _moving_with(reader: Reader, codes: Call, others: Sequence[Call]) -> list[Call]:
    """Those calls whose output moves one for one with the codes: `code + noise`, whatever the noise is made of."""
    if not others:
        return []

    def body(inputs: Any, directions: Any) -> list[Any]:
        recorder = OutputRecorder(reader.model, {call.ref.path: call.ref for call in (codes, *others)}.values())

        def along(outputs: Any) -> list[Any]:
            return [_summed(keras.ops.cast(recorder.tensor(c.path), directions.dtype) * directions) for c in others]

        slopes = framework().gradients(
            lambda watch: recorder.forward(inputs, watch),
            along,
            lambda: [[recorder.tensor(codes.path)] for _ in others],
        )[1]
        still = keras.ops.zeros_like(directions)
        return [still if one is None else keras.ops.cast(one, directions.dtype) for (one,) in slopes]

    rows = reader.few()
    shape = (len(keras.tree.flatten(rows)[0]), *(size or 1 for size in codes.shape))
    # What gives back any direction as it is has the slope of the code itself. Half precision holds these exactly.
    directions = np.random.default_rng(0).integers(32, 96, shape).astype(np.float32) / 64
    slopes = reader.run(("moving with", codes.path, *(call.path for call in others)), body, (rows, directions))
    return [c for c, slope in zip(others, slopes, strict=True) if np.allclose(slope, directions, 1e-5, 1e-5)]


def _summed(tensor: Any) -> Any:
    """One number a row."""
    return keras.ops.sum(keras.ops.reshape(tensor, (keras.ops.shape(tensor)[0], -1)), axis=-1)
