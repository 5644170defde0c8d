"""Statistics of each channel of a layer's output, computed inside the model's pass so that only small arrays travel.

`maths.health` combines them over the rows of the probe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import keras

from .output_recorder import Call
from .smaller_maps import smaller


def is_rectified(layer: Any) -> bool | None:
    """Whether the layer's own output is cut off at 0, as by ReLU and its bounded forms.

    False for any other activation function (GELU, tanh, `ReLU(negative_slope=0.1)`), `None` for a linear output, of
    which no channel can be called dead.
    """
    if isinstance(layer, keras.layers.ReLU):
        return not layer.negative_slope
    name = getattr(getattr(layer, "activation", None), "__name__", "linear")
    if name in ("relu", "relu6"):
        return True
    return None if name == "linear" else False


def gives_shares(layer: Any) -> bool:
    """Whether a layer ends in a softmax or sigmoid, so that its output lies between 0 and 1."""
    name = getattr(getattr(layer, "activation", None), "__name__", "linear")
    return isinstance(layer, keras.layers.Softmax) or name in ("softmax", "sigmoid", "hard_sigmoid")


def output_is_rectified(call: Call) -> bool | None:
    """Whether the output of a call is cut off at 0; `None` also of the model's own answer, where no class is dead.

    Codes that are the output of an encoder may be rectified, and then some of them dead.
    """
    rectified = is_rectified(call.ref.layer)
    return None if call.is_output and not rectified else rectified


DEATH_STATISTICS: Mapping[bool | None, tuple[str, ...]] = {True: ("largest",), False: ("mean", "variance"), None: ()}
"""The statistics that tell whether a channel is dead (`maths.health.dead_channels`), by `is_rectified`."""


HEALTH_STATISTICS: Mapping[bool | None, tuple[str, ...]] = {
    None: ("mean_abs",),
    True: ("mean_abs", "largest", "share_not_positive"),
    False: ("mean_abs", "mean", "variance"),
}
"""The statistics that all health metrics of a layer are made of, by `is_rectified`."""


def channel_statistics(output: Any, names: Sequence[str]) -> dict[str, Any]:
    """Compute statistics of each row and channel over all positions. Runs inside the pass.

    Args:
        output: Tensor `(n, *positions, channels)`, or `(n,)`: one channel.
        names: Of `"mean"`, `"mean_abs"`, `"largest"`, `"variance"` (of the population) and `"share_not_positive"`. Each
            reads the whole output once.

    Returns:
        By name, `(n, channels)` in float32.
    """
    values = keras.ops.cast(output, "float32")
    if len(values.shape) == 1:
        values = values[:, None]
    shape = keras.ops.shape(values)
    values = keras.ops.reshape(values, (shape[0], -1, shape[-1]))
    return {name: _STATISTICS[name](values) for name in names}


_STATISTICS: Mapping[str, Callable[[Any], Any]] = {
    "mean": lambda values: keras.ops.mean(values, axis=1),
    "mean_abs": lambda values: keras.ops.mean(keras.ops.abs(values), axis=1),
    # Shifted to be exactly 0 for a constant, whose float32 mean would be off by rounding.
    "variance": lambda values: keras.ops.var(values - values[:, :1], axis=1),
    "largest": lambda values: keras.ops.max(values, axis=1),
    "share_not_positive": lambda values: keras.ops.mean(keras.ops.cast(values <= 0, "float32"), axis=1),
}


@cache
def statistics_and_maps(rectified: bool | None, every: bool) -> Callable[[Any, Any], dict[str, Any]]:
    """The health statistics of all channels and the maps of some, computed inside the pass; the same for the same kind.

    Args:
        rectified: Whether the output is cut off at 0, see `is_rectified`.
        every: Whether the maps of all channels are wanted, which saves choosing them; choosing costs more than any
            statistic.

    Returns:
        Of an output and the channels wanted of it: by name, statistics `(n, c)`, and `"maps"` `(n, wanted, *spatial)`.
        Channels below 0 stand for ones that are still to be chosen, by their variance, computed only until then.
    """
    return partial(_statistics_and_maps, names=HEALTH_STATISTICS[rectified], every=every)


def _statistics_and_maps(output: Any, choice: Any, names: Sequence[str], every: bool) -> dict[str, Any]:
    values = keras.ops.cast(output, "float32")
    rank, undecided = len(values.shape), choice < 0
    chosen = values if every else keras.ops.take(values, keras.ops.where(undecided, -1 - choice, choice), axis=-1)
    found = channel_statistics(values, names)
    if "variance" not in names:
        zeros = keras.ops.zeros_like(found["mean_abs"])
        spread = ("mean", "variance")
        found |= keras.ops.cond(
            undecided[0], lambda: channel_statistics(values, spread), lambda: dict.fromkeys(spread, zeros)
        )
    return {**found, "maps": keras.ops.transpose(smaller(chosen), (0, rank - 1, *range(1, rank - 1)))}
