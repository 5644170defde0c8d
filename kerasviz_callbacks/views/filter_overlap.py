"""`FilterOverlap`: which channels of a layer answer to the same thing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import keras
import numpy as np

from ..callback import VALIDATION, Image, LayersView, Measured
from ..callback.markdown import code_span
from ..draw.overlap import overlap_matrix
from ..draw.text import format_number, join_notes, shape_text
from ..fit_context import Request
from ..maths.choice import most_variable
from ..maths.overlap import Overlap, channel_overlap, clustered_order, largest_overlap, overlap, strongest_pairs
from ..taps.channel_statistics import is_rectified
from ..taps.output_recorder import Call
from ..taps.reader import Capture, Captured, Reader

Array = np.ndarray[Any, Any]
MOST_CHANNELS = 128
MOST_PRODUCTS = 2**22  # numbers that travel for a layer in one pass: 16 MiB
_DESCRIPTION = """**Which channels of {path} answer to the same thing:** the correlation of the maps of every two
channels, over {over}.

*How to read it:* rows and columns are channels, in the same order at every step and for training data: those that went
together at the first step stand side by side. {which}Red: the two rise together; blue: one rises as the other falls;
light: they have nothing to do with each other. The bar beside a row is the largest |correlation| of the channel with
any other; `overlap` is the mean of the bars. The strongest pairs are framed, and named below. The diagonal is left out;
grey channels are constant (the same value everywhere, so they have no correlation) and are left out of `overlap`; below
it is said how many of them are dead (of a ReLU output those that never exceed 1e-6).
*Bad signs:* deep red blocks and long bars that do not fade with training (several filters do the work of one), overlap
that rises, grey lines (dead filters)."""
_SCALAR = (
    "Mean over channels of the largest |correlation| of a channel's maps with those of another, over the probe and all "
    "positions: 0 none goes with another, 1 each is doubled. Constant channels are left out. The fewer pictures and "
    "positions, the larger it is by chance."
)


class FilterOverlap(LayersView):
    """See which filters answer to the same thing: a matrix of correlations between the maps of a layer's channels.

    Correlations are Pearson's, over all probe pictures and positions together. The order is clustered at the first
    drawn step on validation data, and then kept. Of a layer with more than 128 channels those 128 are shown that vary
    most at that step (fewer for convolutions where `count` exceeds 256, so that at most 16 MiB of products travel a
    layer). One pass a probe; at the first drawn step one more for such a choice.

    Args:
        log_dir: where TensorBoard looks.
        validation_data: pictures, signals or anything else that the model is fed; see `ProbeView`.
        layers: names or paths; `None`: convolutions and dense layers, at most eight, evenly by depth.
        options: `training_data`, `count`, `class_names`, `display`, and those of `View`.

    Raises:
        ValueError: before the first batch: an unknown or ambiguous layer, one that the model never calls, or one of
            which it is not known how many channels it has.

    Example:
        >>> model.fit(x, y, callbacks=[kv.FilterOverlap("logs", (x_val, y_val))])  # doctest: +SKIP
    """

    def choose(self, reader: Reader) -> None:
        """Find the layers; where none was named, those of a single channel, which has no other, are left out."""
        calls = self.wanted_calls(reader)
        if self.layers is None:
            calls = [call for call in calls if _channels(call) != 1] or calls
        for call in calls:
            if _channels(call) is None:
                raise ValueError(
                    f'layers: "{call.path}" puts out {(None, *call.shape)}, so how many channels it has is not known '
                    "before it runs; name a layer whose last axis has a fixed length."
                )
        self.calls = {
            Capture(
                call.path, reduce=_MOMENTS[self._takes_all(call), is_rectified(call.ref.layer)], owner=id(self)
            ): call
            for call in calls
        }

    def request(self, source: str) -> Request:
        """Each layer's means and products, of the chosen channels."""
        chosen = self.memory.shared.get("channels", {})
        choices = {capture: chosen.get(call.path, np.arange(self._most(call))) for capture, call in self.calls.items()}
        return Request(tuple(self.calls), choices=choices)

    def capture(self, step: int) -> dict[str, dict[Capture, Captured]]:
        """One pass; at the first drawn step, before it, one of the layers that have more channels than are shown."""
        if "channels" not in self.memory.shared and self.due(step):
            wide = {
                Capture(call.path, reduce=_spreads): call for call in self.calls.values() if not self._takes_all(call)
            }
            chosen = {call.path: np.arange(self._most(call)) for call in self.calls.values()}
            if wide:
                captured = self.readers[VALIDATION].read(wide, self.probes[VALIDATION].inputs)
                for capture, call in wide.items():
                    chosen[call.path] = most_variable(_variance(**captured[capture].output), self._most(call))
                self.fit_context.forget()
            self.memory.shared["channels"] = chosen
        return super().capture(step)

    def _most(self, call: Call) -> int:
        """How many channels of a layer are shown."""
        rows = max(len(probe) for probe in self.probes.values())
        most = MOST_CHANNELS
        if len(call.shape) > 1:
            most = min(most, max(2, math.isqrt(MOST_PRODUCTS // rows)))
        return min(_channels(call) or 1, most)

    def _takes_all(self, call: Call) -> bool:
        return self._most(call) == _channels(call)

    def measure(self, captured: dict[Capture, Captured], source: str, step: int) -> Measured:
        """Correlations by layer, in the order of the channels, and their overlap."""
        orders = self.memory.shared.setdefault("order", {})
        numbers, scalars = {}, {}
        for capture, call in self.calls.items():
            output = captured[capture].output
            shift, rest = (np.asarray(output[name], np.float64) for name in ("shift", "rest"))
            with np.errstate(invalid="ignore"):  # infinity minus infinity: NaN, which is shown
                numbers[call.path] = channel_overlap(
                    shift + rest,
                    output.get("widths"),
                    output.get("products"),
                    rectified=is_rectified(call.ref.layer),
                    largest=output.get("largest"),
                )
            if call.path not in orders:  # validation data come first
                orders[call.path] = clustered_order(numbers[call.path].correlation)
            scalars[f"overlap/{call.path}/overlap"] = overlap(numbers[call.path].correlation)
        return Measured(step, numbers, scalars)

    def draw(self, measured: Mapping[str, Measured]) -> Iterator[Image]:
        """A picture a layer and source."""
        for source, one in measured.items():
            for call in self.calls.values():
                picture = self._picture(source, call, one.data[call.path], one.note)
                yield Image(source, f"overlap/{call.path}", picture, self._about(call))

    def _picture(self, source: str, call: Call, found: Overlap, note: str) -> Array:
        order = self.memory.shared["order"][call.path]
        channels = self.memory.shared["channels"][call.path][order].tolist()
        correlation = found.correlation[np.ix_(order, order)]
        strongest = strongest_pairs(correlation)
        dead = int(np.count_nonzero(found.dead))
        constant = int(np.count_nonzero(found.constant & ~found.dead))
        named_pairs = ", ".join(f"{channels[i]} & {channels[j]} {format_number(round(r, 2))}" for i, j, r in strongest)
        mean = overlap(correlation)
        notes = (
            "" if np.isnan(mean) else f"overlap {mean:.2f}",
            f"{dead:,} dead" if dead else "",
            f"{constant:,} constant" if constant else "",
            f"strongest {named_pairs}" if strongest else "",
        )
        return overlap_matrix(
            correlation,
            largest_overlap(correlation),
            caption=self._caption(source, call),
            channels=channels,
            constant=found.constant[order],
            pairs=[(i, j) for i, j, _ in strongest],
            note=join_notes(*notes, note),
        )

    def _caption(self, source: str, call: Call) -> str:
        """The layer, which channels, and over how much: with few numbers, large correlations come by chance."""
        over = f"over {len(self.probes[source]):,} inputs"
        if len(call.shape) > 1 and None not in call.shape:
            over += f", {call.size // (_channels(call) or 1):,} positions each"
        which = self._which(call)
        return f"{call.path}   {shape_text(call.shape)}\n{over}" + (f"\n{which}" if which else "")

    def _which(self, call: Call) -> str:
        """Which channels are shown, if not all."""
        return self.which(len(self.memory.shared["channels"][call.path]), _channels(call), "channels")

    def _about(self, call: Call) -> str:
        which = self._which(call)
        return _DESCRIPTION.format(
            path=code_span(call.path),
            over="all pictures of the probe and all positions" if len(call.shape) > 1 else "all pictures of the probe",
            which=f"Shown are {which}. " if which else "",
        )

    def describe(self, tag: str) -> str:
        """What the scalar means."""
        return _SCALAR


def _channels(call: Call) -> int | None:
    """How many channels an output has; one, if it is a number a row."""
    return call.shape[-1] if call.shape else 1


def _positions(output: Any) -> Any:
    """In the pass: float32 `(n, positions, channels)`."""
    values = keras.ops.cast(output, "float32")
    channels = values.shape[-1] if len(values.shape) > 1 else 1
    return keras.ops.reshape(values, (keras.ops.shape(values)[0], -1, channels))


def _spreads(output: Any, choice: Any) -> dict[str, Any]:
    """In the pass: mean and variance of every channel over the positions of each row, `(n, channels)`."""
    values = _positions(output)
    mean = keras.ops.mean(values, axis=1, keepdims=True)
    return {"mean": mean[:, 0], "variance": keras.ops.mean(keras.ops.square(values - mean), axis=1)}


def _variance(mean: Array, variance: Array) -> Array:
    """The variance of every channel over rows and positions together; not finite where anything is not."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(variance.mean(axis=0, dtype=np.float64) + mean.astype(np.float64).var(axis=0))


def _moments(output: Any, choice: Any, every: bool, rectified: bool | None) -> dict[str, Any]:
    """In the pass, for each row: the means of the chosen channels, and the mean products of what is left.

    The mean is the sum of two numbers, `shift` and `rest`, as float32 alone loses small changes of large activations;
    what is left of them is counted in units of its largest magnitude, `widths`, so that no square runs out of range.
    With `every` all channels are meant: to pick some out takes longer than all that follows. Of a rectified output also
    the maxima, which tell its dead channels.
    """
    values = _positions(output) if every else keras.ops.take(_positions(output), choice, axis=-1)
    first = values[:, :1]  # taken off first, a constant leaves exactly 0
    shift = first + keras.ops.mean(values - first, axis=1, keepdims=True)
    left = values - shift
    rest = keras.ops.mean(left, axis=1, keepdims=True)
    found = {"shift": shift[:, 0], "rest": rest[:, 0]}
    if rectified:
        found["largest"] = keras.ops.max(values, axis=1)
    if len(output.shape) < 3:
        return found
    left = left - rest
    widths = keras.ops.max(keras.ops.abs(left), axis=1, keepdims=True)
    scaled = left / keras.ops.where(widths > 0, widths, 1.0)
    products = keras.ops.einsum("npc,npd->ncd", scaled, scaled)
    count = keras.ops.cast(keras.ops.shape(scaled)[1], "float32")
    return {**found, "widths": widths[:, 0], "products": products / count}


_MOMENTS = {
    (every, rectified): partial(_moments, every=every, rectified=rectified)
    for every in (False, True)
    for rectified in (None, False, True)
}
