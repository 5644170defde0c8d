"""The decoder of an autoencoder, told apart from the rest of the model, whatever the model is made of."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from .._autodiff import framework
from .noting import Call, Noted
from .passes import travelling
from .reader import Reader

Array = np.ndarray[Any, Any]


def decoder_input(reader: Reader, shape: tuple[int | None, ...], number: int) -> Call | None:
    """The call whose output alone decides a reconstruction: what the decoder is fed.

    Of a VAE that is the sampled code, not its mean: between the two the spread comes in.

    Args:
        reader: of the model.
        shape: of the codes, without the batch.
        number: which output of the model, flattened, is the reconstruction.

    Returns:
        The last call of that shape such that the reconstruction no longer depends on the inputs when its output is
        held; `None` where there is none (skip connections).
    """
    candidates = [call for call in reader.calls if call.visible and not call.answer and call.shape == shape]
    for call in reversed(candidates):
        if _alone_decides(reader, call, number):
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

    rows = (inputs, np.asarray(codes, np.float32))
    return np.asarray(reader.run(("decoded", call.path, number), body, rows))


def _alone_decides(reader: Reader, call: Call, number: int) -> bool:
    """Whether the reconstruction depends on the held output of `call`, and on no input beside it."""
    found: list[list[bool]] = []

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
            chosen = keras.tree.flatten(outputs)[number]
            return [keras.ops.mean(keras.ops.reshape(chosen, (keras.ops.shape(chosen)[0], -1)), axis=-1)]

        slopes = framework().gradients(forward, reconstruction, lambda: [[noted.tensor(call.path), *watched]])[1]
        found[:] = [[slope is not None for slope in slopes[0]]]

    reader.abstractly(body, (reader.few(),))
    by_codes, *by_inputs = found[0]
    return by_codes and bool(by_inputs) and not any(by_inputs)
