"""`ActivationMaps`: what a layer answers to each picture of the probe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np

from ..callback import VALIDATION, Image, LayersView, Measured
from ..callback.markdown import code_span
from ..draw.activations import activation_tiles, picture_side, response_matrix
from ..draw.text import join_notes, shape_text
from ..draw.tiles import fit
from ..draw.traces import trace_pictures
from ..fit_context import Request
from ..maths.choice import most_variable
from ..maths.health import channel_metrics, dead, dormant, sparsity
from ..maths.scale import count_clipped, robust_max
from ..taps.channel_statistics import channel_statistics, is_rectified
from ..taps.output_recorder import Call
from ..taps.reader import Capture, Captured, Reader

Array = np.ndarray[Any, Any]
MOST_CHANNELS = 16
MOST_UNITS = 128
MOST_ROWS = 16
LARGEST_MAP = 64  # positions a side; larger maps are averaged down within the pass
_DESCRIPTION = """**What {path} answers** to the probe; its output is {shape}.

*How to read it:* {layout}, those that varied most at the first step and the same ever after. Every step has one scale,
shared by training and validation: it only grows, and reaches 99.5 % of the values, the few beyond are counted below.
*Bad signs:* columns of one colour (dead channels), all columns alike (redundant ones), maps that do not differ
between pictures (the layer no longer sees them), values that grow without end."""
_SCALARS = {
    "dead": "Share of channels that answer to nothing in the probe: largest value at most 1e-6 where the layer's own "
    "output is rectified, else standard deviation at most 1e-6. A health figure, not a sign of overfitting.",
    "dormant": "Share of channels whose mean magnitude is at most 0.025 of the mean over channels.",
    "sparsity": "Share of activations that are not positive; rectified outputs only.",
}


class ActivationMaps(LayersView):
    """See what each layer answers to the probe pictures: rows are pictures, columns the same channels at every step.

    Args:
        log_dir: where TensorBoard looks.
        validation_data: pictures, signals or anything else that the model is fed; see `ProbeView`.
        layers: names or paths; `None`: convolutions and dense layers, at most eight, evenly by depth.
        options: `training_data`, `count`, `class_names`, `display`, and those of `View`.

    Raises:
        ValueError: before the first batch: an unknown or ambiguous layer, one that the model never calls.

    Example:
        >>> model.fit(x, y, callbacks=[kv.ActivationMaps("logs", (x_val, y_val))])  # doctest: +SKIP
    """

    def choose(self, reader: Reader) -> None:
        """Find the layers."""
        self.calls = {
            Capture(call.path, reduce=_REDUCES[is_rectified(call.ref.layer), _all(call)], owner=id(self)): call
            for call in self.wanted_calls(reader)
        }
        self._small: dict[tuple[str, int, int], Array | None] = {}

    def request(self, source: str) -> Request:
        """Each layer's figures a channel, and the maps of the chosen channels."""
        chosen = self.memory.shared.get("channels", {})
        choices = {capture: chosen.get(call.path, _some(call)) for capture, call in self.calls.items()}
        return Request(tuple(self.calls), choices=choices)

    def capture(self, step: int) -> dict[str, dict[Capture, Captured]]:
        """One pass; at the first drawn step a second one, of the channels that the first has shown to vary most."""
        captured = super().capture(step)
        if "channels" not in self.memory.shared and self.due(step):
            self.memory.shared["channels"] = {
                call.path: most_variable(_variance(captured[VALIDATION][capture]), len(_some(call)))
                for capture, call in self.calls.items()
            }
            self.fit_context.forget()
            captured = super().capture(step)
        return captured

    def measure(self, captured: dict[Capture, Captured], source: str, step: int) -> Measured:
        """Maps `(n, channels, *spatial)` and health figures by layer."""
        numbers, scalars = {}, {}
        for capture, call in self.calls.items():
            rectified, maps = is_rectified(call.ref.layer), captured[capture].output["maps"]
            metrics = channel_metrics(**{name: captured[capture].output[name] for name in _METRICS[rectified]})
            self.memory.extend_scale(call.path, robust_max(maps))
            if (maps < 0).any():
                self.memory.extend_scale(f"{call.path} is signed", 1.0)
            numbers[call.path] = maps
            if rectified is not None:
                scalars[f"activations/{call.path}/dead"] = dead(metrics, rectified)
            if rectified:
                scalars[f"activations/{call.path}/sparsity"] = sparsity(metrics)
            scalars[f"activations/{call.path}/dormant"] = dormant(metrics)
        return Measured(step, numbers, scalars)

    def draw(self, measured: Mapping[str, Measured]) -> Iterator[Image]:
        """A picture a layer and source."""
        for source, one in measured.items():
            for call in self.calls.values():
                maps = one.data[call.path]
                shape = shape_text(call.shape)
                layout = "Rows: pictures. Columns: units" if maps.ndim == 2 else "Rows: pictures. Columns: channels"
                about = _DESCRIPTION.format(path=code_span(call.path), shape=shape, layout=layout)
                picture = self._picture(source, call, maps, f"{call.path}   {shape}", one.note)
                yield Image(source, f"activations/{call.path}", picture, about)

    def _picture(self, source: str, call: Call, maps: Array, caption: str, note: str) -> Array:
        high = self.memory.scales.get(call.path, 0.0)
        low = -high if self.memory.scales.get(f"{call.path} is signed") else 0.0
        note = join_notes(count_clipped(maps, high), note)
        channels = self.memory.shared["channels"][call.path].tolist()
        labels = self.probe_display.label_names(source)
        given: dict[str, Any] = {"low": low, "high": high, "caption": caption, "note": note}
        if maps.ndim == 2:
            return response_matrix(maps, labels=labels, **given)
        rows = slice(0, MOST_ROWS)
        if maps.ndim == 5:  # volumes: the middle slice
            maps = maps[:, :, maps.shape[2] // 2]
        labels = None if labels is None else labels[rows]
        return activation_tiles(self._beside(source, maps), maps[rows], channels=channels, labels=labels, **given)

    def _beside(self, source: str, maps: Array) -> Array | None:
        """The probe as it stands beside its maps, made small once: of a volume the middle slice, of signals lines."""
        side = picture_side(maps.shape[1])
        key = source, maps.ndim, side
        if key not in self._small:
            pictures = self.probe_display.pictures(source)
            if pictures is not None and pictures.ndim == 5:
                pictures = pictures[:, pictures.shape[1] // 2]
            if pictures is None and maps.ndim == 3:
                pictures = self._traces(source)
            self._small[key] = None if pictures is None else fit(pictures[:MOST_ROWS], side)
        return self._small[key]

    def _traces(self, source: str) -> Array | None:
        """Signals as small pictures, on the range of the validation signals."""
        fed, first = self.probes[source].images, self.probes[VALIDATION].images
        finite = first[np.isfinite(first)] if first.dtype.kind == "f" and first.ndim == 3 else np.zeros(0)
        if not finite.size:
            return None
        return trace_pictures(fed, low=float(finite.min()), high=float(finite.max()))

    def __getstate__(self) -> dict[str, Any]:
        """As for `LayersView`; the pictures of the probe are read again."""
        return {**super().__getstate__(), "_small": {}}

    def describe(self, tag: str) -> str:
        """What the scalar means."""
        return _SCALARS[tag.rsplit("/", 1)[-1]]


def _some(call: Call) -> Array:
    """As many channels as are drawn, before it is known which: below zero, `~channel`."""
    return ~np.arange(min(call.shape[-1] or 1, MOST_CHANNELS if len(call.shape) > 1 else MOST_UNITS))


def _all(call: Call) -> bool:
    """Whether every channel is drawn; the choice, in increasing order, is then no choice."""
    return len(_some(call)) == call.shape[-1]


def _figures_and_maps(output: Any, choice: Any, metrics: Sequence[str], every: bool) -> dict[str, Any]:
    """In the pass: figures of every channel `(n, c)`, and the maps of the chosen ones `(n, chosen, *spatial)`.

    The variance, by which channels are chosen, is worked out for as long as none is; each figure is one more look at
    all that the layer put out, and to pick channels out costs more than any of them, hence `every`.
    """
    values = keras.ops.cast(output, "float32")
    rank = len(values.shape)
    undecided = choice < 0
    chosen = values if every else keras.ops.take(values, keras.ops.where(undecided, -1 - choice, choice), axis=-1)
    found = channel_statistics(values, metrics)
    if "variance" not in metrics:
        zeros = keras.ops.zeros_like(found["mean_abs"])
        spread = ("mean", "variance")
        found |= keras.ops.cond(
            undecided[0], lambda: channel_statistics(values, spread), lambda: dict.fromkeys(spread, zeros)
        )
    return {**found, "maps": keras.ops.transpose(_smaller(chosen), (0, rank - 1, *range(1, rank - 1)))}


# What is asked of a layer, by whether its output is rectified; see `is_rectified`.
_METRICS: Mapping[bool | None, tuple[str, ...]] = {
    None: ("mean_abs",),
    True: ("mean_abs", "largest", "share_not_positive"),
    False: ("mean_abs", "mean", "variance"),
}
_REDUCES = {
    (kind, every): partial(_figures_and_maps, metrics=metrics, every=every)
    for kind, metrics in _METRICS.items()
    for every in (False, True)
}


def _variance(captured: Captured) -> Array:
    """Of every channel, for as long as none is chosen."""
    names = ("mean_abs", "mean", "variance")
    return np.asarray(channel_metrics(**{name: captured.output[name] for name in names}).variance)


def _smaller(maps: Any) -> Any:
    """Average maps down to at most `LARGEST_MAP` a side, by a whole factor."""
    sides = maps.shape[1:-1]
    factors = tuple(max(1, -(-(side or 1) // LARGEST_MAP)) for side in sides)
    if len(sides) not in (1, 2, 3) or max(factors, default=1) == 1:
        return maps
    return keras.ops.average_pool(maps, factors, strides=factors, padding="same")
