"""The layers that a view shows when the user names none."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import keras

from .. import _keras
from .batches import cut_rows, repeated
from .decoding import Decoder, decisive, decoder_input, posterior_mean, rows_agree, score_of_output
from .layers import below
from .output_recorder import Call
from .passes import Capture, output_path
from .reader import Reader
from .scores import Score
from .tokens import depends_on_patches, within_attention
from .weights import convolution_layout

_SHOWN = (keras.layers.Dense, keras.layers.ConvLSTM1D, keras.layers.ConvLSTM2D, keras.layers.ConvLSTM3D)


def activation_layers(reader: Reader) -> list[Call]:
    """The convolutional and dense layers, in execution order.

    Raises:
        ValueError: the model has neither.
    """
    leaves = reader.leaves()
    shown = [c for c in leaves if isinstance(c.ref.layer, _SHOWN) or convolution_layout(c.ref.layer)]
    if not shown:
        raise ValueError(
            "layers=None: the model has no convolution and no dense layer that can be read; "
            f"name layers, such as {[call.path for call in leaves[:3]]}."
        )
    return shown


def map_layer(reader: Reader, layer: Any, score: Score) -> Call:
    """The layer whose maps explain the score: the one that the user named, or the last one with maps; a call is itself.

    Raises:
        ValueError: no such layer, its output has no positions, or the score does not depend on it.
    """
    if layer is None:
        return last_maps(reader, score)
    if isinstance(layer, Call):
        return layer
    call = reader.resolve(layer, last=True)
    if not has_maps(call):
        raise ValueError(
            f'layer="{call.path}": its output {(None, *call.shape)} has no maps; expected (batch, *spatial, channels) '
            "of more than one position, as a convolution gives."
        )
    if not reader.connected([call], score):
        raise ValueError(
            f'layer="{call.path}": the score does not depend on its output, so there is nothing to explain; name a '
            "layer on the way to the output that is explained, or explain another with a callable target."
        )
    return call


def check_scored(reader: Reader, wanted: Score) -> None:
    """Raise ValueError for a score of classes whose axis is not the last one."""
    if wanted.function is None and reader.output_axes[:1] not in ([], [None]):
        raise ValueError(
            f'model "{reader.model.name}": its output {(None, *reader.output_shapes[0])} has the channels first, and '
            "classes are counted along the last axis. Pass a callable target that takes the class, or end the model "
            "with keras.layers.Permute((2, 3, 1))."
        )


def last_maps(reader: Reader, score: Score) -> Call:
    """The last output `(batch, *spatial, channels)` with more than one position on the path to the score.

    The scored output, the input of its softmax and the layers inside attention layers are excluded. Tokens of a vision
    transformer count as positions if the score depends on more than the class token.

    Raises:
        ValueError: the model has no such output.
    """
    maps = [call for call in reader.calls if call.visible and not call.is_output and has_maps(call)]
    within = within_attention(reader, maps)
    maps = [call for call in maps if call.path not in within and (call.repeats is None or call.repeats in within)]
    # Of clips, maps of each frame are preferred to what is left of the frames after them: their number alone.
    frames = {call.shape[0] for call in maps if call.of_frames}
    maps = [call for call in maps if len(call.shape) > 2 or call.shape[0] not in frames]
    # Usually it is one of the last; the gradients of the whole model are traced only if necessary.
    for group in (maps[-4:], maps[-16:-4], maps[:-16]):
        found = reader.connected(group, score) if group else []
        found = [call for call, reaches in zip(found, depends_on_patches(reader, found, score), strict=True) if reaches]
        if found:
            return found[-1]
    raise ValueError(
        "layer=None: no layer on the path to the score has maps, an output (batch, *spatial, channels) of more than "
        f"one position; the model has {_listed(reader.leaves())}. Grad-CAM needs one: use another view for this model."
    )


def has_maps(call: Call) -> bool:
    """Whether the output is `(batch, *spatial, channels)` with more than one position."""
    return len(call.shape) >= 2 and math.prod(n or 2 for n in call.shape[:-1]) > 1


def penultimate(reader: Reader) -> Call | None:
    """The penultimate layer: the one that feeds the last layer with a kernel, which computes the logits.

    `None` if no layer with weights comes before the logits.
    """
    calls = reader.connected([call for call in reader.leaves() if call.size > 0], Score())
    kernels = [number for number, call in enumerate(calls) if _has_kernel(call.ref.layer)]
    if not kernels:
        return None
    last = kernels[-1]
    # A model may compute its logits by an operation of its own, which is no layer.
    makes_logits = calls[last].is_output or calls[last].shape[-1:] == (reader.head.classes,)
    before = [call for call in calls[: last if makes_logits else None] if not call.is_output]
    return before[-1] if before and any(_has_kernel(call.ref.layer) for call in before) else None


def features_of(call: Call) -> Capture:
    """Capture the output of a layer as one vector a row, `(n, d)`: the mean over positions."""
    return Capture(call.path, reduce=_mean_over_positions)


def _mean_over_positions(output: Any, choice: Any) -> Any:
    """Average over positions, as global average pooling does: `(n, d)`."""
    if len(output.shape) == 1:
        return output[:, None]
    axes = tuple(range(1, len(output.shape) - 1))
    return keras.ops.mean(output, axis=axes) if axes else output


def _has_kernel(layer: Any) -> bool:
    """Whether a layer has a weight matrix, trainable or not; biases, scales and statistics do not count."""
    return not isinstance(layer, keras.layers.Normalization) and any(
        len(weight.shape) > 1 for weight in getattr(layer, "weights", [])
    )


def reconstruction(reader: Reader) -> int | None:
    """The index of the output (flattened) with the shape of the first input, as of an autoencoder; `None` if none.

    A single number beside a single number is a prediction: a classifier of a table is fed columns `(n, 1)`.
    """
    shape = reader.input_shapes[0]
    alike = shape in reader.output_shapes and math.prod(n or 2 for n in shape) > 1
    return reader.output_shapes.index(shape) if alike else None


def bottleneck(reader: Reader, inputs: Any) -> Call:
    """The narrowest output through which everything passes on the way to the reconstruction; of a VAE the mean.

    It has fewer values than the first input and alone decides its reconstruction: no skip connection goes by it, though
    other inputs may. It is not one of several calls of a shared layer, nor within a `TimeDistributed`; on a tie it is
    the first one called. Of a model that samples, mean and variance decide together. Sampling layers are excluded.

    Raises:
        ValueError: no output of the model has the shape of its input, or there is no such layer between the two.
    """
    number = reconstruction(reader)
    if number is None:
        shape = reader.input_shapes[0]
        hidden = [call.path for call in reader.leaves() if not call.is_output and call.ref.layer.weights]
        such = f', such as layer="{hidden[-1]}"' if hidden else ""
        raise ValueError(
            f"layer=None: no output of the model has the shape of its input {shape}, so no bottleneck can be found; "
            f"name the layer that outputs the codes{such}, or pass the encoder model."
        )
    between = [call for call in reader.calls if call.visible and not call.is_output and call.size > 0]
    between = reader.connected(between, score_of_output(number))
    if all(samples(call.ref.layer) for call in between):
        raise ValueError("layer=None: no layer lies between the model's input and its reconstruction; name one.")
    narrow = _narrow(reader, between)
    alike = [[other for other in between if other.shape == call.shape] for call in narrow]
    decided = decisive(reader, [*([call] for call in narrow), *alike], number, of_first=True)
    for call, alone, together in zip(narrow, decided, decided[len(narrow) :], strict=False):
        if not alone and not (together and _is_random(reader, inputs, number)):
            continue
        mean = posterior_mean(reader, inputs, call)
        if mean in between:
            return mean
        if not samples(call.ref.layer):
            return call
    raise ValueError(
        "layer=None: the model has no bottleneck, an output of fewer values than its input through which everything "
        "passes; name the layer that outputs the codes."
    )


def _narrow(reader: Reader, calls: Sequence[Call]) -> list[Call]:
    """The calls with fewer values than the input, of layers that are called once, the narrowest first."""
    times = Counter(id(call.ref.layer) for call in reader.calls)
    wrappers = [ref.layer for ref in reader.layers if isinstance(ref.layer, keras.layers.TimeDistributed)]
    repeated_layers = {id(layer) for wrapper in wrappers for layer in below(wrapper)}
    size = math.prod(reader.input_shapes[0])
    once = [call for call in calls if times[id(call.ref.layer)] == 1 and id(call.ref.layer) not in repeated_layers]
    return sorted((call for call in once if call.size < size), key=lambda call: call.size)


def _is_random(reader: Reader, inputs: Any, number: int) -> bool:
    """Whether two equal rows get different outputs, as in a VAE that samples."""
    twice = repeated(cut_rows(inputs, 0, 1), 2)
    capture = Capture(output_path(number))
    return not rows_agree(reader.read([capture], twice)[capture].output)


def find_decoder(reader: Reader, inputs: Any, number: int, layer: Any = None) -> Decoder | None:
    """The codes of an autoencoder and the entry of its decoder; `None` if the decoder cannot be separated.

    The reconstruction is the output of index `number`, flattened; the codes are those of `layer`, else of the
    bottleneck. ValueError: no such layer.
    """
    try:
        codes = bottleneck(reader, inputs) if layer is None else reader.resolve(layer)
    except ValueError:
        if layer is not None:
            raise
        return None  # no layer lies between input and reconstruction
    entry = decoder_input(reader, inputs, codes, number)
    return None if entry is None else Decoder(codes, entry)


def samples(layer: Any) -> bool:
    """Whether a layer draws random numbers at inference; noise and dropout layers do not."""
    quiet = (
        keras.layers.Dropout,
        keras.layers.GaussianNoise,
        keras.layers.GaussianDropout,
        keras.layers.AlphaDropout,
        keras.layers.SpatialDropout1D,
        keras.layers.SpatialDropout2D,
        keras.layers.SpatialDropout3D,
        keras.Model,  # it may contain a sampling layer and still return the mean
    )
    return bool(_keras.seed_generators(layer)) and not isinstance(layer, quiet)


def _listed(calls: Sequence[Call]) -> str:
    shown = ", ".join(f'"{call.path}" {(None, *call.shape)}' for call in calls[-4:])
    return shown or "no readable layers (a @tf.function inside the model hides them: remove it from `call`)"
