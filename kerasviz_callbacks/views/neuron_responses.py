"""`NeuronResponses`: how strongly each input activates each neuron of a layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np

from ..callback import Image, LayersView, Measured
from ..callback.markdown import code_span
from ..draw.responses import response_strengths
from ..draw.text import join_notes, shape_text
from ..fit_context import Request
from ..maths.choice import most_variable
from ..maths.responses import between_pictures, by_class, class_means, silent
from ..maths.scale import count_clipped, robust_max
from ..taps.output_recorder import Call
from ..taps.reader import Capture, Captured, Reader

Array = np.ndarray[Any, Any]
MAX_NEURONS = 256
_DESCRIPTION = """**Activation strength of every {neuron} of {path}** for each input: the mean of |activation|{where}.

*How to read it:* one column and hue per {neuron}, darker is stronger; one row per input, sorted by class. Bottom: the
mean over the inputs of each class. {which} All steps, training and validation data share one scale, which never
shrinks; it covers 99.5 % of the values. In a healthy layer every column has some dark cells, and classes activate
different columns.
*Bad signs:* white columns (inactive for all inputs), a few columns that are dark in all rows (few neurons are used,
whatever the input), class means that are the same in a late layer (it does not separate the classes), rows that
differ within a class as much as between classes."""


class NeuronResponses(LayersView):
    """See which inputs activate which neurons: rows are inputs by class, columns are neurons, darker is stronger.

    The response of a neuron (of a channel, if the output has positions) to an input is the mean of |activation| over
    the positions, so large negative activations of a linear layer count as strong. One forward pass per data source.

    Args:
        log_dir: the TensorBoard log directory.
        validation_data: model inputs such as images or signals; see `ProbeView`.
        layers: layer names or paths; `None`: convolutions and dense layers, at most eight, evenly spaced by depth.
        options: `training_data`, `count`, `class_names`, `display`, and those of `View`.

    Raises:
        ValueError: before the first batch: an unknown or ambiguous layer, or one that the model never calls.

    Example:
        >>> model.fit(x, y, callbacks=[kv.NeuronResponses("logs", (x_val, y_val))])  # doctest: +SKIP
    """

    def find_layers(self, reader: Reader) -> None:
        """Find the layers."""
        self.calls = {Capture(call.path, reduce=_strengths): call for call in self.selected_calls(reader)}

    def request(self, source: str) -> Request:
        """Request the response strengths of each layer."""
        return Request(tuple(self.calls))

    def tags(self) -> Mapping[str, None]:
        """Return one image tag per layer."""
        return dict.fromkeys(f"responses/{call.path}" for call in self.calls.values())

    def measure(self, captured: dict[Capture, Captured], source: str, step: int) -> Measured:
        """Return response strengths `(n, neurons)` of the shown neurons, by layer."""
        chosen = self.memory.shared.setdefault("neurons", {})
        data = {}
        for capture, call in self.calls.items():
            strengths = captured[capture].output
            if call.path not in chosen:  # validation data come first
                chosen[call.path] = most_variable(between_pictures(strengths), MAX_NEURONS)
            data[call.path] = strengths[:, chosen[call.path]]
            self.memory.extend_scale(call.path, robust_max(data[call.path]))
        return Measured(step, data)

    def draw(self, measured: Mapping[str, Measured]) -> Iterator[Image]:
        """Draw one image per layer and data source."""
        for source, one in measured.items():
            for call in self.calls.values():
                picture = self._picture(source, call, one.data[call.path], one.note)
                yield Image(source, f"responses/{call.path}", picture, self._about(call))

    def _picture(self, source: str, call: Call, strengths: Array, note: str) -> Array:
        high = self.memory.scales.get(call.path, 0.0)
        neurons = self.memory.shared["neurons"][call.path].tolist()
        inactive = silent(strengths)
        notes = (f"{inactive:,} of {len(neurons):,} silent" if inactive else "", count_clipped(strengths, high), note)
        labels, names = self.probes[source].labels, self.probe_display.label_names(source)
        if labels is None or names is None:
            labels, order, classes = np.zeros(len(strengths), np.int64), np.arange(len(strengths)), ["all inputs"]
        else:
            order = by_class(labels)
            classes = [self.probe_display.class_name(int(label)) for label in np.unique(labels)]
        return response_strengths(
            strengths[order],
            class_means(strengths, labels)[1],
            high=high,
            caption=self._caption(call),
            neurons=neurons,
            classes=classes,
            labels=None if names is None else [names[row] for row in order],
            note=join_notes(*notes),
        )

    def _caption(self, call: Call) -> str:
        which = self._selection_text(call)
        return f"{call.path}   {shape_text(call.shape)}" + (f"\n{which}" if which else "")

    def _selection_text(self, call: Call) -> str:
        """Return which neurons are shown, if not all."""
        shown = len(self.memory.shared["neurons"][call.path])
        return self.selection_text(shown, call.shape[-1] if call.shape else 1, "neurons")

    def _about(self, call: Call) -> str:
        which = self._selection_text(call)
        return _DESCRIPTION.format(
            path=code_span(call.path),
            neuron="channel" if len(call.shape) > 1 else "neuron",
            where=" over all positions" if len(call.shape) > 1 else "",
            which=f"Showing {which}; the choice is then kept." if which else "",
        )


def _strengths(output: Any, choice: Any) -> Any:
    """In the forward pass: the mean of |activation| over the positions, `(n, neurons)`."""
    values = keras.ops.abs(keras.ops.cast(output, "float32"))
    if len(values.shape) == 1:
        return values[:, None]
    positions = tuple(range(1, len(values.shape) - 1))
    return keras.ops.mean(values, axis=positions) if positions else values
