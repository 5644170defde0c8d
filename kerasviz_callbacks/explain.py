"""What a model does, as numbers, without `fit`: activations and class activation maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import keras
import numpy as np

from .maths.class_activation import method_named
from .taps.choosing import map_layer
from .taps.reader import OUTPUT, Reader, Tap
from .taps.scores import check_looked_through, class_targets, score_for

Array = np.ndarray[Any, Any]


def activations(model: Any, inputs: Any, layers: Sequence[Any] | None = None) -> dict[str, Array]:
    """What the layers of a model put out for some inputs.

    Args:
        model: any Keras model; it is left as it was.
        inputs: an array `(n, ...)`, or a list or dict of them, as the model is fed.
        layers: names, paths or layers; `None`: every leaf layer (one that holds no others) that the model calls.

    Returns:
        For each path the output `(n, ...)`, in the order in which the layers run. A layer called again is
        `path:1`, `path:2`, ...; of several outputs of one layer the first. Half precision comes as float32 (exact).

    Raises:
        TypeError: `model` is not a Keras model, or `inputs` are not arrays.
        ValueError: an unknown or ambiguous layer (the nearest are named), no rows, or arrays of unequal length.

    Example:
        >>> maps = kv.activations(model, x[:16], ["conv1"])["conv1"]  # doctest: +SKIP
    """
    reader, fed, _ = _reader(model, inputs)
    if layers is None:
        calls = reader.leaves()
    else:
        if isinstance(layers, str) or not isinstance(layers, Sequence):
            raise TypeError(f"layers={layers!r}: expected a list of names or paths.")
        calls = [reader.resolve(layer, argument="layers") for layer in layers]
    if not calls:
        return {}
    taken = reader.read([Tap(call.path) for call in calls], fed)
    return {call.path: taken[Tap(call.path)].output for call in calls}


def class_activation_map(
    model: Any,
    inputs: Any,
    *,
    layer: Any = None,
    target: int | Sequence[int] | Array | Callable[[Any], Any] | None = None,
    method: str = "grad_cam",
    score: Literal["logits", "output"] = "logits",
) -> Array:
    """How much each position of a layer speaks for a class: raw maps, never rescaled, never upsampled.

    Args:
        model: any Keras model; it is left as it was.
        inputs: an array `(n, ...)`, or a list or dict of them, as the model is fed.
        layer: a name, path or layer; `None`: the last output `(batch, *spatial, channels)` of more than one position on
            the way to the score. Of a layer that is called several times the last call.
        target: `None`: the predicted class of each row; an int; `(n,)` ints; or a callable from the model's whole
            output (before softmax with `score="logits"`) to one number a row. Of a single sigmoid unit, class 1 is
            its logit z and class 0 is -z; a single linear unit is itself the score; dense outputs count by the mean
            over their positions.
        method: `"grad_cam"` (Selvaraju et al. 2017, https://arxiv.org/abs/1610.02391): the channels weighted by the
            mean of their gradient, after ReLU.
        score: `"logits"`: what feeds the softmax or sigmoid; `"output"`: what comes out of it.

    Returns:
        `(n, *spatial)` of the layer, float32, >= 0.

    Raises:
        TypeError: `model`, `inputs` or `target` of the wrong type.
        ValueError: an unknown layer or method, a layer without maps, a class that the model has not, a softmax that
            cannot be looked through.

    Example:
        >>> heat = kv.class_activation_map(model, x[:16], target=3)  # doctest: +SKIP
    """
    maps_of, wanted = method_named(method), score_for(target, score)
    if wanted.targets == "true":
        raise ValueError('target="true": labels are not known here; pass them as target, (n,) ints.')
    reader, fed, rows = _reader(model, inputs)
    call = map_layer(reader, layer, wanted)
    maps, output = Tap(call.path, score=wanted), Tap(OUTPUT)
    classes = class_targets(None if callable(target) else target, reader.head, rows)
    taken = reader.read([maps, output], fed, targets={wanted.targets: classes})
    check_looked_through(wanted, reader.head, taken[output].output)
    return maps_of(taken[maps].output, taken[maps].slope)


def _reader(model: Any, inputs: Any) -> tuple[Reader, Any, int]:
    """A reader for these inputs, the inputs as numpy arrays, and how many rows they have."""
    if not isinstance(model, keras.Model):
        raise TypeError(f"model={model!r}: expected a keras.Model, got {type(model).__name__}.")
    fed = keras.tree.map_structure(np.asarray, inputs)
    flat = keras.tree.flatten(fed)
    if not flat or any(array.dtype.kind == "O" or array.ndim == 0 for array in flat):
        raise TypeError(f"inputs={type(inputs).__name__}: expected an array (n, ...), or a list or dict of arrays.")
    lengths = {len(array) for array in flat}
    if lengths == {0} or len(lengths) > 1:
        raise ValueError(f"inputs: arrays of {sorted(lengths)} rows; expected the same number in each, at least one.")
    return Reader(model, fed), fed, len(flat[0])
