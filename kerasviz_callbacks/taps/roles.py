"""What the parts of a model without `call` are for, and which of them the user's data run through."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from ..maths.geometry import image_shape
from .batches import cut_rows, repeated
from .decoding import rows_agree
from .input_errors import PartsError
from .layer_selection import reconstruction
from .layers import attribute_paths
from .parts import Part, Shape, callable_parts, generators, input_shapes, listed_parts
from .passes import Capture, output_path
from .reader import Reader

ReaderOf = Callable[[Any, Any, Mapping[int, str]], Reader]  # of a model with `call`, its inputs, and paths of layers


class Autoencoder(keras.Model):
    """An encoder and a decoder that fit each other as one model, to be read; it holds the parts themselves.

    Of an encoder with several outputs of the code's shape, the decoder gets the one of index `number`.

    Attributes:
        encoder: the part that makes the codes.
        decoder: the part that makes the reconstruction.
        decodes: what the decoder gets, `"means"` or `"samples"`, of an encoder with several outputs of the code's
            shape: mean and variance; else empty.
    """

    def __init__(self, encoder: Any, decoder: Any, number: int, *, decodes: str):
        # A name of its own leaves Keras' automatic names as they are; the parts cast their inputs themselves.
        super().__init__(name="autoencoder", autocast=False)
        self.encoder, self.decoder, self._number = encoder, decoder, number
        self.decodes = decodes

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The reconstruction of inputs."""
        outputs = keras.tree.flatten(self.encoder(inputs, training=training))
        return self.decoder(outputs[self._number], training=training)


def decoded_kind(model: Any) -> str:
    """What a decoder gets of an encoder's posterior, `"means"` or `"samples"`; empty for other models."""
    return model.decodes if isinstance(model, Autoencoder) else ""


def reader_of_parts(model: Any, inputs: Any, paths: Mapping[int, str], reader_of: ReaderOf) -> Reader:
    """The reader of what inputs run through in a model without `call`.

    That is an encoder and a decoder that fit each other; else the only part that takes the inputs; of several the only
    one that gives back their shape. Parts that are not built are not tried: that would build them with these inputs.

    Raises:
        PartsError: no part takes the inputs, or several do.
    """
    paths = paths or attribute_paths(model)
    built = [part for part in callable_parts(model) if part.layer.built]
    takers = {}
    for part in built:
        reader = _tried(part.layer, inputs, paths, reader_of)
        if reader is not None:
            takers[part] = reader
    for encoder, codes in takers.items():
        for decoder in built:
            reader = None if decoder is encoder else _composed(encoder, codes, decoder, inputs, paths, reader_of)
            if reader is not None:
                return reader
    restoring = [reader for reader in takers.values() if reconstruction(reader) is not None]
    found = list(takers.values()) if len(takers) == 1 else restoring
    if len(found) == 1:
        return found[0]
    shape = " and ".join(str((None, *array.shape[1:])) for array in keras.tree.flatten(inputs))
    several = f"several of its parts take inputs of shape {shape}: {listed_parts(list(takers))}"
    none = f"none of its parts takes inputs of shape {shape}; it has {_with_inputs(callable_parts(model))}"
    reason = several if takers else none
    one = listed_parts((list(takers) or built)[:1])
    remedy = "name one of them in model=" if takers else "pass data that one of them takes, and name it in model="
    message = f'model "{model.name}" has no `call`, and {reason}. Say which part to look at: model={one}.'
    raise PartsError(message, reason, remedy)


def _with_inputs(parts: Sequence[Part]) -> str:
    """The parts, and what each takes."""
    shapes = [input_shapes(part.layer) if part.layer.built else None for part in parts[:8]]
    texts = [" and ".join(str((None, *shape)) for shape in found or ()) for found in shapes]
    listed = [listed_parts([part]) + (text and f" of {text}") for part, text in zip(parts, texts, strict=False)]
    return ", ".join(listed + ["..."] * (len(parts) > 8)) or listed_parts([])


def _tried(layer: Any, inputs: Any, paths: Mapping[int, str], reader_of: ReaderOf) -> Reader | None:
    """The reader of a part; `None` if it does not take the inputs."""
    shapes, known = [array.shape[1:] for array in keras.tree.flatten(inputs)], input_shapes(layer)
    if known is not None and not (len(known) == len(shapes) and all(map(_fits, known, shapes))):
        return None
    try:
        return reader_of(layer, inputs, paths)
    except Exception:  # whatever a part does not take
        return None


def _composed(
    encoder: Part, codes: Reader, decoder: Part, inputs: Any, paths: Mapping[int, str], reader_of: ReaderOf
) -> Reader | None:
    """The reader of an encoder with a decoder that gives its code the inputs' shape; `None` if they do not fit."""
    fed = tuple(keras.tree.flatten(inputs)[0].shape[1:])
    taken, made = input_shapes(decoder.layer), getattr(decoder.layer, "outputs", None)
    if taken is None or len(taken) != 1 or not (made is None or any(_fits(tuple(one.shape[1:]), fed) for one in made)):
        return None
    fitting = [number for number, shape in enumerate(codes.output_shapes) if _fits(taken[0], shape)]
    fitting = [number for number in fitting if _size(codes.output_shapes[number]) < _size(fed)]
    if not fitting:
        return None
    steady = _steady(codes, inputs, fitting) if len(fitting) > 1 else []
    decodes = ("means" if steady else "samples") if len(fitting) > 1 else ""
    model = Autoencoder(encoder.layer, decoder.layer, (steady or fitting)[0], decodes=decodes)
    reader = _tried(model, inputs, paths, reader_of)
    return None if reader is None or reconstruction(reader) is None else reader


def _steady(reader: Reader, inputs: Any, numbers: Sequence[int]) -> list[int]:
    """Those of some outputs that draw no random numbers, a VAE's mean first."""
    captures = {number: Capture(output_path(number)) for number in numbers}
    found = reader.read(captures.values(), repeated(cut_rows(inputs, 0, 1), 2))
    return [number for number, capture in captures.items() if rows_agree(found[capture].output)]


@dataclass(frozen=True)
class Roles:
    """What the parts of a model are taken for, by path.

    Attributes:
        encoder: makes codes of the data, with a decoder that fits; empty without.
        decoder: makes the reconstruction; empty without.
        generators: make pictures of a vector.
        critics: make of pictures a number or a map of numbers.
        translators: make of pictures others of their shape.
    """

    encoder: str = ""
    decoder: str = ""
    generators: tuple[str, ...] = ()
    critics: tuple[str, ...] = ()
    translators: tuple[str, ...] = ()

    def __str__(self) -> str:
        """All of them in words; empty if there are none."""
        several = {"generator": self.generators, "critic": self.critics, "image to image": self.translators}
        texts = [f"encoder: {self.encoder}, decoder: {self.decoder}"] if self.encoder else []
        texts += [f"{role}: {' and '.join(paths)}" for role, paths in several.items() if paths]
        return ", ".join(texts).replace("/", ".")


def roles_of(model: Any, reader: Reader | None = None) -> Roles:
    """What the parts of a model without `call` are for; the encoder and decoder are those that `reader` reads."""
    parts, read = [part for part in callable_parts(model) if part.layer.built], getattr(reader, "model", None)
    path = {id(part.layer): part.path for part in parts}
    pair = (path[id(read.encoder)], path[id(read.decoder)]) if isinstance(read, Autoencoder) else ("", "")
    making = [part.path for part in generators(model) if id(part.layer) in path and part.path not in pair]
    judging = [part.path for part in parts if part.path not in pair and _judges(part.layer)]
    translating = [part.path for part in parts if _translates(part.layer)]
    return Roles(*pair, tuple(making), tuple(judging), tuple(translating))


def _judges(part: Any) -> bool:
    given, made = input_shapes(part), _made(part)
    if not given or not made or not all(map(_of_pictures, given)):
        return False
    patches = len(made[0]) == 3 and _size(made[0]) < _size(given[0][:-1])
    return made[0][-1:] == (1,) and (len(made[0]) == 1 or patches)


def _translates(part: Any) -> bool:
    given, made = input_shapes(part), _made(part)
    return bool(given and made and _of_pictures(given[0]) and given[0] == made[0])


def _made(part: Any) -> list[Shape]:
    return [tuple(one.shape[1:]) for one in keras.tree.flatten(getattr(part, "outputs", None) or [])]


def _of_pictures(shape: Shape) -> bool:
    return len(shape) == 3 and image_shape(tuple(size or 2**6 for size in shape)) is not None


def _fits(wanted: Shape, shape: Shape) -> bool:
    return len(wanted) == len(shape) and all(
        a == b or a is None or b is None for a, b in zip(wanted, shape, strict=True)
    )


def _size(shape: Shape) -> int:
    return int(np.prod([size or 1 for size in shape]))
