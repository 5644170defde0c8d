"""The decoder of an autoencoder: where its codes are, and how codes are decoded, in any kind of model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import keras
import numpy as np

from .._autodiff import framework
from .._typing import Array
from .batches import cut_rows, repeated
from .heads import applies_sigmoid
from .layouts import channels_back, channels_last
from .output_recorder import Call, OutputRecorder
from .passes import half_to_float32
from .reader import Capture, Reader
from .scores import Score

ROWS = 4  # on which the decoder is tested
NEAREST = 16  # calls around the codes that are tested
CLOSE = 1e-3  # relative to the largest value: the effect of half precision and of the position in a batch


@dataclass(frozen=True)
class Decoder:
    """The call that outputs the codes of an autoencoder, and the one whose output codes replace to be decoded."""

    codes: Call
    entry: Call

    @property
    def samples(self) -> bool:
        """Whether the codes are means, and the decoder takes samples drawn around them."""
        return self.entry.path != self.codes.path

    @property
    def capture(self) -> Capture:
        """The capture of the codes."""
        return Capture(self.codes.path)


def decoder_input(reader: Reader, inputs: Any, codes: Call, number: int) -> Call | None:
    """The call whose output alone determines the reconstruction, so that codes can be decoded from there.

    Usually this is the call of the codes. In a VAE, whose codes are the means, it is the sample drawn around them: an
    output of the codes' shape whose derivative with respect to them is the identity.

    Returns:
        The first such call, given which the reconstruction (the output of index `number`, flattened) depends neither
        on an input (skip connections) nor on random numbers; `None` if there is none.
    """

    def candidates() -> Iterator[Call]:
        yield codes
        yield from _moving_with(reader, codes, [call for call in _alike(reader, codes) if call.path != codes.path])

    for call in candidates():
        if decisive(reader, [[call]], number)[0] and _alone_by_numbers(reader, inputs, codes, call, number):
            return call
    return None


def posterior_mean(reader: Reader, inputs: Any, code: Call) -> Call | None:
    """The call that outputs a VAE's mean, as opposed to its variance of the same shape, which is that of `code`.

    Returns:
        The first call of that shape that is deterministic, and with respect to which a random one has the identity as
        derivative; `None` if there is none.
    """
    alike = _alike(reader, code)
    if len(alike) < 2:
        return None
    twice = repeated(cut_rows(inputs, 0, 1), 2)
    captured = reader.read([Capture(call.path) for call in alike], twice)
    drawn = [call for call in alike if not rows_agree(captured[Capture(call.path)].output)]
    others = [call for call in alike if call not in drawn] if drawn else []
    return next((call for call in others if _moving_with(reader, call, drawn)), None)


def quantizer(reader: Reader, inputs: Any, codes: Call) -> Call | None:
    """The layer after the codes that quantises them, as in a VQ-VAE; `None` if there is none.

    Its output has the shape of the codes and the identity as derivative with respect to them (a straight-through
    estimator), draws no random numbers, and is not the codes plus a constant.
    """
    alike = _alike(reader, codes)
    after = [call for call in reader.calls[reader.calls.index(codes) + 1 :] if call in alike]
    following = _moving_with(reader, codes, [call for call in after if call.repeats is None])
    if not following:
        return None
    captures = [Capture(call.path) for call in (codes, *following)]
    several = reader.read(captures, cut_rows(inputs, 0, ROWS))
    same = reader.read(captures, repeated(cut_rows(inputs, 0, 1), 2))
    for call, capture in zip(following, captures[1:], strict=True):
        moved = several[capture].output.astype(np.float64) - several[captures[0]].output
        if rows_agree(same[capture].output) and not rows_agree(moved):
            return call
    return None


def decoded(reader: Reader, inputs: Any, call: Call, codes: Array, number: int) -> Array:
    """The reconstructions of codes `(n, *shape)`, which replace the output of a call from `decoder_input`.

    Args:
        reader: of the model.
        inputs: as the model takes them, n rows; only their shapes matter.
        call: whose output the codes replace.
        codes: one for each row.
        number: index of the reconstruction among the flattened outputs.
    """

    def body(inputs: Any, codes: Any) -> Any:
        codes = channels_back(codes, call.channel_axis)
        changed = {call.path: lambda output: keras.ops.cast(codes, output.dtype)}
        outputs = OutputRecorder(reader.model, [call.ref]).forward(inputs, changed=changed)
        return half_to_float32(channels_last(keras.tree.flatten(outputs)[number], reader.output_axes[number]))

    codes = np.asarray(codes)
    return np.asarray(reader.run(("decoded", call.path, number, str(codes.dtype)), body, (inputs, codes)))


def wanted_of(fed: Array, targets: Any) -> Array:
    """The targets of a reconstruction: those of y (or `None`) of the input's shape that differ from it, else `fed`."""
    for target in [] if targets is None else keras.tree.flatten(targets):
        if np.shape(target) == fed.shape and not np.array_equal(target, fed, equal_nan=fed.dtype.kind == "f"):
            return np.asarray(target)
    return fed


def gives_logits(model: Any, number: int, outputs: int) -> bool:
    """Whether the loss of one output (its index, of so many outputs) applies a sigmoid to it."""
    losses = keras.tree.flatten(getattr(model, "loss", None))
    return len(losses) == outputs and applies_sigmoid(losses[number])


@cache
def score_of_output(number: int) -> Score:
    """The mean of each row of an output (its index, flattened), as a score; the same one for the same index."""

    def mean(outputs: Any) -> Any:
        chosen = keras.tree.flatten(outputs)[number]
        return keras.ops.mean(keras.ops.reshape(chosen, (keras.ops.shape(chosen)[0], -1)), axis=-1)

    return Score(of="output", function=mean)


def decisive(reader: Reader, groups: Sequence[Sequence[Call]], number: int, *, of_first: bool = False) -> list[bool]:
    """Whether each group of calls decides an output: it depends on them, and on the inputs through them alone.

    With `of_first` other inputs than the first may go by them, such as the condition of a conditional autoencoder.
    Random numbers may go by them in any case.
    """
    try:
        return reader.separating(groups, score_of_output(number), of_first=of_first)
    except NotImplementedError:
        return [_decisive_by_slopes(reader, group, number, of_first) for group in groups]


def _decisive_by_slopes(reader: Reader, calls: Sequence[Call], number: int, of_first: bool) -> bool:
    """Whether an output has a gradient by some of the calls, and none by an input that bypasses them."""
    found = [False]

    def body(inputs: Any) -> None:
        recorder = OutputRecorder(reader.model, {call.ref.path: call.ref for call in calls}.values())
        watched: list[Any] = []

        def forward(watch: Any) -> Any:
            flat = keras.tree.flatten(inputs)
            for index, tensor in enumerate(flat[: 1 if of_first else None]):
                if keras.backend.is_float_dtype(tensor.dtype):
                    flat[index] = watch(tensor)
                    watched.append(flat[index])

            def held(output: Any) -> Any:
                return watch(keras.ops.zeros_like(keras.ops.stop_gradient(output)))

            changed = {call.path: held for call in calls}
            return recorder.forward(keras.tree.pack_sequence_as(inputs, flat), changed=changed)

        (slopes,) = framework().gradients(
            forward,
            lambda outputs: [_summed(keras.tree.flatten(outputs)[number])],
            lambda: [[*(recorder.tensor(call.path) for call in calls), *watched]],
        )[1]
        own, bypassing = slopes[: len(calls)], slopes[len(calls) :]
        found[0] = any(one is not None for one in own) and all(one is None for one in bypassing)

    reader.abstractly(body, (reader.few(),))
    return found[0]


def _alone_by_numbers(reader: Reader, inputs: Any, codes: Call, call: Call, number: int) -> bool:
    """Whether one code decodes to the same values whatever the inputs: finds random numbers, and integer inputs."""
    few = cut_rows(inputs, 0, ROWS)
    one = reader.read([capture := Capture(codes.path)], cut_rows(few, 0, 1))[capture].output
    if one.dtype.kind != "f":
        return False
    # One row more, so that random numbers are found even if the inputs are a single row.
    count = 1 + len(keras.tree.flatten(few)[0])
    return rows_agree(decoded(reader, repeated(few, count), call, np.repeat(one, count, axis=0), number))


def rows_agree(rows: Array) -> bool:
    """Whether all rows are equal up to rounding."""
    values = np.asarray(rows, np.float64).reshape(len(rows), -1)
    with np.errstate(invalid="ignore", over="ignore"):
        largest = np.abs(values[0]).max(initial=0.0)
        return bool(np.allclose(values[1:], values[:1], rtol=0, atol=CLOSE * largest, equal_nan=True))


def _alike(reader: Reader, codes: Call) -> list[Call]:
    """The calls of the codes' shape, in execution order; of many the nearest."""
    at = reader.calls.index(codes)
    alike = [index for index, call in enumerate(reader.calls) if call.visible and call.shape == codes.shape]
    nearest = sorted(alike, key=lambda index: abs(index - at))[:NEAREST]
    return [reader.calls[index] for index in sorted(nearest)]


def _moving_with(reader: Reader, codes: Call, others: Sequence[Call]) -> list[Call]:
    """The calls whose derivative with respect to the codes is the identity, such as `code + noise`."""
    if not others:
        return []

    def body(inputs: Any, directions: Any) -> list[Any]:
        recorder = OutputRecorder(reader.model, {call.ref.path: call.ref for call in (codes, *others)}.values())

        def moved(call: Call) -> Any:
            return channels_last(recorder.tensor(call.path), call.channel_axis)

        slopes = framework().gradients(
            lambda watch: recorder.forward(inputs, watch),
            lambda outputs: [_summed(keras.ops.cast(moved(call), directions.dtype) * directions) for call in others],
            lambda: [[recorder.tensor(codes.path)] for _ in others],
        )[1]
        still = keras.ops.zeros_like(directions)
        found = [still if one is None else keras.ops.cast(one, directions.dtype) for (one,) in slopes]
        return [one if one is still else channels_last(one, codes.channel_axis) for one in found]

    rows = reader.few()
    shape = (len(keras.tree.flatten(rows)[0]), *(size or 1 for size in codes.shape))
    # The identity maps each direction to itself. Half precision holds these numbers exactly.
    directions = np.random.default_rng(0).integers(32, 96, shape).astype(np.float32) / 64
    slopes = reader.run(("moving with", codes.path, *(call.path for call in others)), body, (rows, directions))
    return [c for c, slope in zip(others, slopes, strict=True) if np.allclose(slope, directions, 1e-5, 1e-5)]


def _summed(tensor: Any) -> Any:
    """The sum of each row."""
    return keras.ops.sum(keras.ops.reshape(tensor, (keras.ops.shape(tensor)[0], -1)), axis=-1)
