"""`FilterOverlap`: which channels of a layer respond to the same features."""

import math
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, ClassVar

import keras
import numpy as np

from .._typing import Array
from ..callback import VALIDATION, Image, LayersView, Measured
from ..callback.markdown import code_span
from ..draw.overlap import overlap_matrix
from ..draw.text import format_number, join_notes, shape_text
from ..fit_context import Request
from ..maths.choice import most_variable
from ..maths.health import channel_metrics
from ..maths.overlap import Overlap, channel_overlap, clustered_order, largest_overlap, overlap, strongest_pairs
from ..taps.channel_statistics import channel_statistics, output_is_rectified
from ..taps.output_recorder import Call
from ..taps.reader import Capture, Captured, Reader

MAX_CHANNELS = 128
MAX_PRODUCTS = 2**22  # values transferred per layer in one forward pass: 16 MiB
_DESCRIPTION = """**Which channels of {path} respond to the same features:** the correlation between the feature maps
of each pair of channels, over {over}.

*How to read it:* rows and columns are channels, clustered by correlation at the first step; the order is the same at
every step and for training data. {which}Red: positive correlation; blue: negative; light: uncorrelated. The bar beside
a row is the channel's largest |correlation| with any other channel; `overlap` is the mean of the bars. The strongest
pairs are framed and listed below. The diagonal is omitted; grey
channels are constant (so they have no correlation) and excluded; the number of dead ones (of a ReLU output those that
never exceed 1e-6) stands below.
*Bad signs:* deep red blocks and long bars that do not fade during training (redundant filters), rising overlap, grey
lines (dead filters)."""


class FilterOverlap(LayersView):
    """See which filters respond to the same features: the correlation matrix of a layer's feature maps.

    Correlations are Pearson's, over all inputs and positions together. Channels are clustered at the first drawn step
    on validation data; the order is then kept. Of a layer with more than 128 channels, the 128 that vary most at that
    step are shown (fewer for convolutions if `count` exceeds 256, so that at most 16 MiB of products are transferred
    per layer). One forward pass per data source; at the first drawn step one more to choose the channels.

    Args:
        log_dir: the TensorBoard log directory.
        validation_data: model inputs such as images or signals; see `ProbeView`.
        layers: layer names or paths; `None`: convolutions and dense layers, at most eight, evenly spaced by depth.
        options: `training_data`, `count`, `class_names`, `display`, and those of `View`.

    Raises:
        ValueError: before the first batch: an unknown or ambiguous layer, one that the model never calls, or one with
            an unknown number of channels.

    Example:
        >>> model.fit(x, y, callbacks=[kv.FilterOverlap("logs", (x_val, y_val))])  # doctest: +SKIP
    """

    scalar_descriptions: ClassVar[Mapping[str, str]] = {
        "overlap": "Mean over channels of the largest |correlation| between a channel's feature maps and those of "
        "another, over all inputs and positions: 0 if all channels are uncorrelated, 1 if each has a duplicate. "
        "Constant channels are excluded. With few inputs and positions it is larger by chance.",
    }

    def find_layers(self, reader: Reader) -> None:
        """Find the layers."""
        calls = self.selected_calls(reader)
        for call in calls:
            if _channels(call) is None:
                raise ValueError(
                    f'layers: "{call.path}" has output shape {(None, *call.shape)}, so its number of channels is '
                    "unknown before it runs; name a layer whose last axis has a fixed length."
                )
        self.calls = {
            Capture(call.path, reduce=_MOMENTS[self._shows_all(call), output_is_rectified(call)], owner=id(self)): call
            for call in calls
        }

    def can_show(self, call: Call) -> bool:
        """Return whether there are channels to compare: more than one."""
        return _channels(call) != 1

    def request(self, source: str) -> Request:
        """Request the means and products of the chosen channels of each layer."""
        chosen = self.memory.shared.get("channels", {})
        choices = {
            capture: chosen.get(self.first_call(call).path, np.arange(self._most(call)))
            for capture, call in self.calls.items()
        }
        return Request(tuple(self.calls), choices=choices)

    def capture(self, step: int) -> dict[str, dict[Capture, Captured]]:
        """Run one forward pass; at the first drawn step, first another to choose the channels of wide layers."""
        if "channels" not in self.memory.shared and self.schedule.is_due(step):
            calls = [call for call in self.calls.values() if self.first_call(call) is call]
            chosen = {call.path: np.arange(self._most(call)) for call in calls}
            wide = {Capture(call.path, reduce=_moments_of_all): call for call in calls if not self._shows_all(call)}
            if wide:
                captured = self.readers[VALIDATION].read(wide, self.probes[VALIDATION].inputs)
                for capture, call in wide.items():
                    variance = np.asarray(channel_metrics(**captured[capture].output).variance)
                    chosen[call.path] = most_variable(variance, self._most(call))
                self.fit_context.forget()
            self.memory.shared["channels"] = chosen
        return super().capture(step)

    def _most(self, call: Call) -> int:
        """Return how many channels of a layer are shown."""
        rows = max(len(probe) for probe in self.probes.values())
        most = max(2, math.isqrt(MAX_PRODUCTS // rows)) if len(call.shape) > 1 else MAX_CHANNELS
        return min(_channels(call) or 1, most, MAX_CHANNELS)

    def _shows_all(self, call: Call) -> bool:
        return self._most(call) == _channels(call)

    def tags(self) -> Mapping[str, None]:
        """Return one image tag per layer."""
        return dict.fromkeys(f"overlap/{call.path}" for call in self.calls.values())

    def measure(self, captured: dict[Capture, Captured], source: str, step: int) -> Measured:
        """Return the correlations of each layer's channels, in their original order, and the overlap."""
        orders = self.memory.shared.setdefault("order", {})
        data, scalars = {}, {}
        for capture, call in self.calls.items():
            output = captured[capture].output
            shift, rest = (np.asarray(output[name], np.float64) for name in ("shift", "rest"))
            others = {name: output.get(name) for name in ("widths", "products", "largest")}
            with np.errstate(invalid="ignore"):  # infinity minus infinity gives NaN, which is drawn
                found = data[call.path] = channel_overlap(shift + rest, rectified=output_is_rectified(call), **others)
            if self.first_call(call) is call and call.path not in orders:  # validation data come first
                orders[call.path] = clustered_order(found.correlation)
            scalars[f"health/{call.path}/overlap"] = overlap(found.correlation)
        return Measured(step, data, scalars)

    def draw(self, measured: Mapping[str, Measured]) -> Iterator[Image]:
        """Draw one image per layer and data source."""
        for source, one in measured.items():
            for call in self.calls.values():
                shown, positions = len(one.data[call.path].correlation), len(call.shape) > 1
                which = self.channels_text(call, shown, "channels")
                about = _DESCRIPTION.format(
                    path=call.title(code_span),
                    over="all inputs of the probe and all positions" if positions else "all inputs of the probe",
                    which=f"Showing {which}. " if which else "",
                )
                # With few values, correlations are large by chance.
                size = f"over {len(self.probes[source]):,} inputs"
                if positions and None not in call.shape:
                    size += f", {call.size // (_channels(call) or 1):,} positions each"
                caption = "\n".join(filter(None, [f"{call.title()}   {shape_text(call.shape)}", size, which]))
                picture = self._picture(call, one.data[call.path], caption, one.note)
                yield Image(source, f"overlap/{call.path}", picture, self.described(call, about))

    def _picture(self, call: Call, found: Overlap, caption: str, note: str) -> Array:
        key = self.first_call(call).path
        order = self.memory.shared["order"][key]
        channels = self.memory.shared["channels"][key][order].tolist()
        correlation = found.correlation[np.ix_(order, order)]
        strongest, mean, dead = strongest_pairs(correlation), overlap(correlation), int(np.count_nonzero(found.dead))
        pairs = ", ".join(f"{channels[i]} & {channels[j]} {format_number(round(r, 2))}" for i, j, r in strongest)
        notes = (
            "" if np.isnan(mean) else f"overlap {mean:.2f}",
            f"{dead:,} dead" if dead else "",
            f"strongest {pairs}" if strongest else "",
        )
        return overlap_matrix(
            correlation,
            largest_overlap(correlation),
            caption=caption,
            channels=channels,
            constant=found.constant[order],
            pairs=[(i, j) for i, j, _ in strongest],
            note=join_notes(*notes, note),
        )


def _channels(call: Call) -> int | None:
    """Return the number of channels of an output; 1 for one value per row, `None` if unknown."""
    return call.shape[-1] if call.shape else 1


def _moments_of_all(output: Any, choice: Any) -> dict[str, Any]:
    """In the forward pass: mean and variance of each channel over the positions of each row, `(n, channels)`."""
    return channel_statistics(output, ("mean", "variance"))


def _moments(output: Any, choice: Any, every: bool, rectified: bool | None) -> dict[str, Any]:
    """In the forward pass, for each row: means of the chosen channels, and mean products of their deviations.

    The mean is the sum of two values, `shift` and `rest`, since float32 alone loses small changes of large activations.
    Deviations from it are divided by their largest magnitude, `widths`, so that no square overflows. With `every`, all
    channels are used without gathering, which would take longer than all of the following operations. Of a rectified
    output also the maxima, by which dead channels are recognised.
    """
    values = keras.ops.cast(output, "float32")
    channels = values.shape[-1] if len(values.shape) > 1 else 1
    values = keras.ops.reshape(values, (keras.ops.shape(values)[0], -1, channels))
    if not every:
        values = keras.ops.take(values, choice, axis=-1)
    first = values[:, :1]  # subtracted first, so that a constant leaves exactly 0
    shift = first + keras.ops.mean(values - first, axis=1, keepdims=True)
    deviation = values - shift
    rest = keras.ops.mean(deviation, axis=1, keepdims=True)
    found = {"shift": shift[:, 0], "rest": rest[:, 0]}
    if rectified:
        found["largest"] = keras.ops.max(values, axis=1)
    if len(output.shape) < 3:
        return found
    deviation = deviation - rest
    widths = keras.ops.max(keras.ops.abs(deviation), axis=1, keepdims=True)
    scaled = deviation / keras.ops.where(widths > 0, widths, 1.0)
    products = keras.ops.einsum("npc,npd->ncd", scaled, scaled)
    count = keras.ops.cast(keras.ops.shape(scaled)[1], "float32")
    return {**found, "widths": widths[:, 0], "products": products / count}


_MOMENTS = {
    (every, rectified): partial(_moments, every=every, rectified=rectified)
    for every in (False, True)
    for rectified in (None, False, True)
}
