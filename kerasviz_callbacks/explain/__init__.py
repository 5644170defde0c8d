"""Activations, class activation maps and attributions as arrays, without `fit`.

layer_maps   a class activation method applied to a layer
input_maps   an attribution method applied to the inputs
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal

import keras

from .._typing import Array
from ..taps.input_errors import blame_argument
from ..taps.reader import OUTPUT, Capture, Reader
from ..taps.scores import Score, check_looked_through, class_targets, score_for
from .input_maps import InputMaps, to_array
from .layer_maps import LayerMaps


def activations(model: Any, inputs: Any, layers: Sequence[Any] | None = None) -> dict[str, Array]:
    """Compute the activations of the layers of a model.

    Args:
        model: any Keras model; it is not changed.
        inputs: an array `(n, ...)`, or a list or dict of them, as the model takes them.
        layers: names, paths or layers; `None`: every leaf layer (one without sublayers) that the model calls.

    Returns:
        For each path the output `(n, ...)`, in execution order. Further calls of a layer are `path:1`, `path:2`, ...;
        of several outputs of a layer, the first is returned. Half precision is returned as float32 (exact).

    Raises:
        TypeError: `model` is not a Keras model, or `inputs` are not arrays.
        ValueError: an unknown layer (the error lists the nearest) or an ambiguous one, no rows, or arrays of unequal
            length.

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
    captured = reader.read([Capture(call.path) for call in calls], fed)
    return {call.path: captured[Capture(call.path)].output for call in calls}


def class_activation_map(
    model: Any,
    inputs: Any,
    *,
    layer: Any = None,
    target: int | Sequence[int] | Array | Callable[[Any], Any] | None = None,
    method: str = "grad_cam",
    score: Literal["logits", "output"] = "logits",
) -> Array:
    """Compute class activation maps of a layer, neither rescaled nor upsampled.

    Args:
        model: any Keras model; it is not changed.
        inputs: an array `(n, ...)`, or a list or dict of them, as the model takes them.
        layer: a name, path or layer; `None`: the last output `(batch, *spatial, channels)` with more than one position
            on the path to the score. Of a layer that is called several times the last call. The tokens of a vision
            transformer are reshaped to their grid on the image, without the class token.
        target: `None`: the predicted class of each row; an int; `(n,)` ints; or a callable from the model's whole
            output (before softmax with `score="logits"`) to one number per row. Of a single sigmoid unit, and of a
            linear one whose compiled loss takes logits of two classes, class 1 is the logit z and class 0 is -z;
            another linear unit is itself the score; dense outputs are averaged over their positions.
        method: `"grad_cam"`, `"grad_cam++"`, `"hires_cam"`, `"layer_cam"`, `"xgrad_cam"`, `"eigen_cam"` (needs
            no score), `"score_cam"` (one pass per channel, over masked inputs) or `"ablation_cam"` (one pass per
            channel, with that channel set to 0); for formulas and papers see `maths/class_activation.py`.
            `"grad_cam++"` and `"xgrad_cam"` warn if activations of the layer are negative: they are unreliable there.
        score: `"logits"`: the input of the softmax or sigmoid; `"output"`: its output.

    Returns:
        `(n, *spatial)` of the layer, float32; >= 0, except `hires_cam` and `eigen_cam`, which are signed.

    Raises:
        TypeError: `model`, `inputs` or `target` of the wrong type.
        ValueError: an unknown layer or method, a layer without maps, a class that the model does not have, or a softmax
            whose logits cannot be found.

    Example:
        >>> heat = kv.class_activation_map(model, x[:16], target=3)  # doctest: +SKIP
    """
    wanted = _score(target, score)
    reader, fed, rows = _reader(model, inputs)
    explained = LayerMaps(reader, layer, wanted, method)
    classes = class_targets(None if callable(target) else target, reader.head, rows)
    output = Capture(OUTPUT)
    captured = reader.read([explained.capture, output], fed, targets={wanted.targets: classes})
    check_looked_through(wanted, reader.head, captured[output].output)
    caution = explained.caution(captured[explained.capture])
    if caution:
        warnings.warn(f"{caution}.", stacklevel=2)
    return explained.maps(
        captured[explained.capture], explained.weights(reader, captured[explained.capture], fed, classes)
    )


def attribution(
    model: Any,
    inputs: Any,
    *,
    method: str | Callable[..., Any],
    target: int | Sequence[int] | Array | Callable[[Any], Any] | None = None,
    score: Literal["logits", "output"] = "logits",
    **options: Any,
) -> Array | dict[str, Array]:
    """Compute attribution maps of the inputs, not rescaled.

    Args:
        model: any Keras model; it is not changed.
        inputs: an array `(n, ...)`, or a list or dict of them, as the model takes them.
        method: `"gradient"`, `"input_x_gradient"`, `"guided_backprop"`, `"smooth_grad"` (`samples` passes),
            `"integrated_gradients"` (`steps` passes; a warning says if maps stay incomplete), `"occlusion"` (one pass
            per patch), `"rise"` (`samples` passes);
            or a callable `(model, inputs, targets) -> maps` of the shape of the input or of its positions, or a dict of
            them by input. `targets` are `(n,)` ints, or the callable target.
        target: as in `class_activation_map`; the predicted class is that of the unchanged inputs.
        score: as in `class_activation_map`.
        options: `smooth_grad`: `samples` (16), `noise` (0.15 of each input's range), `seed`.
            `integrated_gradients`: `steps` (None: 32, doubled up to 512 for rows whose maps miss more than 5 % of the
            change of the score), `baseline` (0: a number, an array, or a dict of them by input).
            `occlusion`: `patch`, `stride` (1/8 and 1/16 of each side of each input; an int, a tuple with one per axis,
            or a dict or list of these by input), `baseline`.
            `rise`: `samples` (500), `cells` (7 per axis), `keep` (0.5), `baseline`, `seed`.

    Returns:
        `(n, *spatial)` of the input, float32: the sum over channels, or, for `gradient`, `guided_backprop` and
        `smooth_grad`, the channel value of largest magnitude with its sign. `(n, features)` keeps its shape. A dict by
        the input's name where the model has several; inputs without a gradient, such as token ids, are left out of it.

    Raises:
        TypeError: `model`, `inputs`, `target` or an option of the wrong type, or an unknown option.
        ValueError: an unknown method, an option out of its range, a class that the model does not have, no gradient by
            any input, a model without ReLU for `guided_backprop`, or a softmax whose logits cannot be found.

    Example:
        >>> heat = kv.attribution(model, x[:16], method="integrated_gradients", steps=64)  # doctest: +SKIP
    """
    wanted = _score(target, score)
    reader, fed, rows = _reader(model, inputs)
    explained = InputMaps(reader, wanted, method, options, fed)
    classes = class_targets(None if callable(target) else target, reader.head, rows)
    output = Capture(OUTPUT)
    check_looked_through(wanted, reader.head, reader.read([output], fed)[output].output)
    found = explained.of(reader, fed, classes)
    if found.incomplete:
        warnings.warn(f"{found.shortcoming()}.", stacklevel=2)
    return found.maps if len(explained.names) > 1 else found.maps[explained.names[0]]


def _score(target: Any, score: Any) -> Score:
    wanted = score_for(target, score)
    if wanted.targets == "true":
        raise ValueError('target="true": labels are not known here; pass them as target, (n,) ints.')
    return wanted


def _reader(model: Any, inputs: Any) -> tuple[Reader, Any, int]:
    """A reader for these inputs, the inputs as numpy arrays, and the number of rows."""
    if not isinstance(model, keras.Model):
        raise TypeError(f"model={model!r}: expected a keras.Model, got {type(model).__name__}.")
    fed = keras.tree.map_structure(to_array, inputs)
    flat = keras.tree.flatten(fed)
    if not flat or any(array.dtype.kind in "OMmc" or array.ndim == 0 for array in flat):
        raise TypeError(f"inputs={type(inputs).__name__}: expected an array (n, ...), or a list or dict of arrays.")
    lengths = {len(array) for array in flat}
    if lengths == {0} or len(lengths) > 1:
        raise ValueError(f"inputs: arrays of {sorted(lengths)} rows; expected the same number in each, at least one.")
    with blame_argument("inputs", model):
        return Reader(model, fed), fed, len(flat[0])
