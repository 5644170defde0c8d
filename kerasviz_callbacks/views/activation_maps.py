"""`ActivationMaps`: activations of a layer for each input of the probe."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from .._typing import Array
from ..callback import VALIDATION, Image, LayersView, Measured
from ..callback.markdown import code_span
from ..draw.activations import LARGEST, MOST_NAMED, activation_tiles, response_matrix
from ..draw.text import format_number, join_notes, plural, shape_text
from ..draw.tiles import fit
from ..draw.traces import trace_pictures
from ..draw.volumes import middle_slice
from ..fit_context import Request
from ..maths.choice import most_variable
from ..maths.health import ChannelMetrics, channel_metrics, dead, dead_channels, dormant, sparsity
from ..maths.history import StepHistory
from ..maths.scale import count_clipped, reach_within, robust_max
from ..taps.channel_statistics import HEALTH_STATISTICS, gives_shares, output_is_rectified, statistics_and_maps
from ..taps.frozen import is_frozen
from ..taps.input_spec import input_names, inputs_of
from ..taps.output_labels import labels_of_output
from ..taps.output_recorder import Call
from ..taps.reader import Capture, Captured, Reader
from ..taps.smaller_maps import reduction
from ..taps.task import task_of
from ..taps.tokens import patches_by_path

MAX_CHANNELS = 16
MAX_UNITS = 128
MAX_ROWS = 16
_DESCRIPTION = """**Activations of {path}** for each input; output shape {shape}.

*How to read it:* {layout}. The columns are chosen once: those that varied most at the first step. All steps, training
and validation data share one colour scale, which never shrinks; it covers 99.5 % of the values drawn, and the number of
values beyond it is printed below, as is the largest value where most are below a tenth of the scale.{reduction}
{dead}*Bad signs:* dead channels (columns of one colour), identical columns (redundant channels), maps that are the same
for all inputs (the layer ignores the input), values that keep growing."""


_DEAD = """Dead channels, which none of the inputs activates, are marked at the top; below stands how many of the whole
layer are dead, now and at earlier steps.
"""
_LITTLE = 0.25  # of a scale: where negative values use less, as those of GELU, the legend begins at the least of them
_TOLD = 4  # earlier steps at which dead channels are counted in the image: the first, the last and two between


class ActivationData(NamedTuple):
    """The maps `(n, channels, *spatial)` by layer; of layers that can have dead channels, which of those shown are."""

    maps: dict[str, Array]
    dead: dict[str, Array]
    deaths: dict[str, str]  # how many channels of the whole layer are dead, by step, in words


class ActivationMaps(LayersView):
    """See layer activations: one row per input, one column per channel, the same channels at every step.

    Args:
        log_dir: the TensorBoard log directory.
        validation_data: model inputs such as images or signals; see `ProbeView`.
        layers: layer names or paths; `None`: convolutions and dense layers, at most eight, evenly spaced by depth.
        options: `training_data`, `count`, `class_names`, `display`, and those of `View`.

    Raises:
        ValueError: before the first batch: an unknown or ambiguous layer, or one that the model never calls.

    Example:
        >>> model.fit(x, y, callbacks=[kv.ActivationMaps("logs", (x_val, y_val))])  # doctest: +SKIP
    """

    scalar_descriptions: ClassVar[Mapping[str, str]] = {
        "dead": "Share of channels that no input activates: largest value at most 1e-6 if the layer ends in a ReLU, "
        "else standard deviation at most 1e-6. A health metric, not a sign of overfitting.",
        "dormant": "Share of channels whose mean |activation| is at most 0.025 times the mean over all channels.",
        "sparsity": "Share of activations that are zero or negative; ReLU outputs only.",
    }

    def find_layers(self, reader: Reader) -> None:
        """Find the layers."""
        calls = self.selected_calls(reader)
        inputs = inputs_of(reader, calls)
        self._inputs = {call.path: own[0] if len(own) == 1 else None for call, own in zip(calls, inputs, strict=True)}
        self._patches = patches_by_path(reader, [call for call in calls if self._inputs[call.path] == 0])
        self.calls = {}
        for call in calls:
            every = len(_placeholders(call)) == call.shape[-1]  # then no channels need to be chosen
            reduce = statistics_and_maps(output_is_rectified(call), every)
            self.calls[Capture(call.path, reduce=reduce, owner=id(self))] = call
        self._frozen = {call.path for call in calls if is_frozen(reader, call.path)}
        self._classes = self._class_names(reader)
        self._input_names = input_names(reader.model, self.probes[VALIDATION].inputs)
        self._input_images: dict[tuple[str, int | None, int], Array | None] = {}

    def _class_names(self, reader: Reader) -> list[str] | None:
        """Return what the units of the only output stand for; `None` if they have no names, or too many."""
        probe = self.probes[VALIDATION]
        if probe.class_names is None or len(reader.heads) != 1 or not 0 < reader.head.classes <= MOST_NAMED:
            return None
        task = task_of(reader, probe, labels_of_output(reader, probe).numbers)
        if task.kind not in ("classes", "labels"):
            return None
        first = 1 if task.kind == "classes" and task.units == 1 else 0  # a single unit answers for class 1
        return [self.probe_display.class_name(first + number) for number in range(reader.head.classes)]

    def request(self, source: str) -> Request:
        """Request the statistics of all channels, and the feature maps of the chosen ones."""
        chosen = self.memory.shared.get("channels", {})
        choices = {
            capture: chosen.get(self.first_call(call).path, _placeholders(call)) for capture, call in self.calls.items()
        }
        return Request(tuple(self.calls), choices=choices)

    def tags(self) -> Mapping[str, None]:
        """Return one image tag per layer."""
        return dict.fromkeys(f"activations/{call.path}" for call in self.calls.values())

    def capture(self, step: int) -> dict[str, dict[Capture, Captured]]:
        """Run one forward pass; at the first drawn step a second, after choosing the channels that vary most."""
        captured = super().capture(step)
        if "channels" not in self.memory.shared and self.schedule.is_due(step):
            chosen = {}
            for capture, call in self.calls.items():
                if self.first_call(call) is call:
                    variance = np.asarray(_metrics(captured[VALIDATION][capture], False).variance)
                    chosen[call.path] = most_variable(variance, len(_placeholders(call)))
            self.memory.shared["channels"] = chosen
            self.fit_context.forget()
            captured = super().capture(step)
        return captured

    def measure(self, captured: dict[Capture, Captured], source: str, step: int) -> Measured:
        """Return feature maps `(n, channels, *spatial)` and health metrics, by layer."""
        data, scalars = ActivationData({}, {}, {}), {}
        for capture, call in self.calls.items():
            rectified, maps, first = output_is_rectified(call), captured[capture].output["maps"], self.first_call(call)
            patches = self._patches.get(call.path)
            if patches is not None and maps.shape[2] == call.shape[0]:
                maps = maps[:, :, patches.first :].reshape(*maps.shape[:2], *patches.grid)
            metrics = _metrics(captured[capture], rectified)
            # Probabilities are shown from 0 to 1, so that undecided ones do not look sure.
            self.memory.extend_scale(first.path, 1.0 if gives_shares(call.ref.layer) else robust_max(maps))
            if (maps < 0).any():
                self.memory.extend_scale(f"{first.path} below 0", float(-maps[np.isfinite(maps)].min(initial=0.0)))
            data.maps[call.path] = maps
            if call.is_output and not rectified:
                continue  # health metrics are meaningless for the model's output
            if rectified is not None:
                scalars[f"health/{call.path}/dead"] = dead(metrics, rectified)
                gone = dead_channels(metrics, rectified)
                chosen = self.memory.shared.get("channels", {}).get(first.path, np.arange(0))
                data.dead[call.path] = gone[chosen]
                units = maps.ndim == 2
                of = f"{'units' if units else 'channels'}{_dead_drawn(gone, chosen, in_orange=units)}"
                data.deaths[call.path] = self._deaths(source, call.path, step, gone, len(maps), of)
            if rectified:
                scalars[f"health/{call.path}/sparsity"] = sparsity(metrics)
            scalars[f"health/{call.path}/dormant"] = dormant(metrics)
        return Measured(step, data, scalars)

    def _deaths(self, source: str, path: str, step: int, gone: Array, rows: int, of: str) -> str:
        """Note how many channels are dead for all rows, and return the count of this and of some earlier steps."""
        history = self.memory.for_source(source).setdefault("deaths", {}).setdefault(path, StepHistory())
        history.append(step, [gone.sum()])
        now = f"dead on {rows} {plural('input', rows)}: {gone.sum():,} of {len(gone):,} {of}"
        if len(history.steps) == 1 or not np.any(history.values):
            return now
        places = np.unique(np.linspace(0, len(history.steps) - 2, _TOLD).astype(int))
        counts = [(f"{history.values[place, 0]:,.0f}", format_number(history.steps[place])) for place in places]
        before = "before" if len(places) == len(history.steps) - 1 else "some before"
        return f"{now}, {before}: {', '.join(f'{count} at {self.schedule.unit} {at}' for count, at in counts)}"

    def draw(self, measured: Mapping[str, Measured]) -> Iterator[Image]:
        """Draw one image per layer and data source."""
        for source, one in measured.items():
            for call in self.calls.values():
                maps = one.data.maps[call.path]
                layout = "Rows: inputs. Columns: units" if maps.ndim == 2 else "Rows: inputs. Columns: channels"
                told = {"path": call.title(code_span), "shape": shape_text(call.shape), "layout": layout}
                less = reduction(call.shape)
                told["reduction"] = f"\nOf the layer's many positions are drawn: {less}." if less else ""
                about = _DESCRIPTION.format(dead=_DEAD if call.path in one.data.dead else "", **told)
                picture = self._picture(source, call, one.data, one.note)
                yield Image(source, f"activations/{call.path}", picture, self.described(call, about))

    def _picture(self, source: str, call: Call, data: ActivationData, note: str) -> Array:
        maps, number = data.maps[call.path], self._inputs[call.path]
        matrix, details = maps.ndim == 2, [f"columns: {self._columns(call, maps.shape[1])}"]
        patches = self._patches.get(call.path)
        if patches is not None and maps.ndim > 3:
            others = ", without the tokens before them" if patches.first else ""
            details.append(f"{shape_text(patches.grid)} patches{others}")
        if maps.ndim == 5:
            maps = self.display_of(number).slices_first(maps, 2)
            depth, maps = maps.shape[2], middle_slice(maps, 2)
            details.append(f"{self.probe_display.slice_name} {depth // 2 + 1} of {depth}")
        details += self._of_volumes(number, call, maps, details)
        if len(self._input_names) > 1 and number is not None:
            details.append(f"on input {self._input_names[number]}")
        details += [reduction(call.shape), "frozen: training does not change it" if call.path in self._frozen else ""]
        shown, key = maps if matrix else maps[:MAX_ROWS], self.first_call(call).path
        high, below = self.memory.scales.get(key, 0.0), self.memory.scales.get(f"{key} below 0", 0.0)
        beyond = count_clipped(shown, high, "value")
        labels = self.probe_display.label_names(source)
        options: dict[str, Any] = {
            "low": -high if below else 0.0,
            "high": high,
            "least": -below if 0 < below < high * _LITTLE else None,
            "caption": f"{call.title()}   {shape_text(call.shape)}\n{join_notes(*details)}",
            "channels": self.memory.shared["channels"][key].tolist(),
            "labels": None if labels is None else labels[: len(shown)],
            "dead": data.dead.get(call.path),
            "note": join_notes(_size_in_words(shown, high), data.deaths.get(call.path, ""), beyond, note),
        }
        if matrix:
            return response_matrix(shown, names=self._names(call), **options)
        thumbnails = self._thumbnails(source, number, maps.ndim)
        if thumbnails is not None:
            options["caption"] = self.display_of(number).captioned(options["caption"], source)
        return activation_tiles(thumbnails, shown, **options)

    def _of_volumes(self, number: int | None, call: Call, maps: Array, said: Sequence[str]) -> list[str]:
        """Return what the maps run along, if that is the frames of a clip, and which slice stands for the input."""
        display = self.display_of(number)
        pictured = display.slice_in_words() if maps.ndim > 2 else ""
        along = display.slice_name == "frame" and maps.ndim == 3 and call.shape[0] == display.depth
        details = [f"each along {display.depth} frames"] if along else []
        return [*details, f"input: {pictured}"] if pictured and pictured not in said else details

    def _names(self, call: Call) -> list[str] | None:
        """Return the names of a layer's units, which only those of the model's output have."""
        classes = self._classes
        return classes if call.is_output and classes and call.shape == (len(classes),) else None

    def _columns(self, call: Call, shown: int) -> str:
        """Return which channels are shown, in words."""
        what = "classes" if self._names(call) else "units" if len(call.shape) == 1 else "channels"
        return self.channels_text(call, shown, what) or what

    def _thumbnails(self, source: str, number: int | None, axes: int) -> Array | None:
        """Return small images of an input, cached: volumes as their middle slice, signals beside signals as line plots.

        `axes` is the number of axes of the maps.
        """
        key = source, number, axes
        if key not in self._input_images:
            pictures = self.display_of(number).pictures(source)
            if pictures is not None and pictures.ndim == 5:
                pictures = middle_slice(pictures)
            if pictures is None and axes == 3:
                pictures = self._traces(source, number)
            self._input_images[key] = None if pictures is None else fit(pictures[:MAX_ROWS], LARGEST)
        return self._input_images[key]

    def _traces(self, source: str, number: int | None) -> Array | None:
        """Return line plots of signals, on the value range of the validation data."""
        display = self.display_of(number)
        inputs = display.inputs[source]
        if inputs.ndim != 3 or inputs.dtype.kind != "f" or display.form:
            return None
        low, high = display.limits
        return trace_pictures(inputs, low=low, high=high)


def _dead_drawn(gone: Array, chosen: Array, *, in_orange: bool) -> str:
    """Return how many of the dead channels are among those chosen to be drawn, if not all channels are."""
    if not gone.any():
        return ""
    if len(chosen) == len(gone):
        return " (in orange)" if in_orange else ""
    count = int(gone[chosen].sum())
    return f" ({count or 'none'} of those drawn{', in orange' if count and in_orange else ''})"


def _size_in_words(values: Array, scale: float) -> str:
    """Return how large values are, of which the scale shows little because it is far larger."""
    reach = reach_within(values, scale)
    if reach is None:
        return ""
    largest = float(np.abs(values[np.isfinite(values)]).max())
    others = "" if reach == largest else f", 99.5% at most {format_number(reach)}"
    return f"largest now {format_number(largest)}{others}"


def _placeholders(call: Call) -> Array:
    """Return placeholders for the channels to draw before they are chosen: `~channel`, below 0."""
    return ~np.arange(min(call.shape[-1] or 1, MAX_CHANNELS if len(call.shape) > 1 else MAX_UNITS))


def _metrics(captured: Captured, rectified: bool | None) -> ChannelMetrics:
    """Combine the statistics of the rows; those of `False` are there for every layer until channels are chosen."""
    return channel_metrics(**{name: captured.output[name] for name in HEALTH_STATISTICS[rectified]})
