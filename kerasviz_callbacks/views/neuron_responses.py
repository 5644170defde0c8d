"""`NeuronResponses`: how strongly each input activates each neuron of a layer."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .._typing import Array
from ..callback import Image, LayersView, Measured
from ..callback.markdown import code_span
from ..draw.responses import response_strengths
from ..draw.text import join_notes, shape_text
from ..fit_context import Request
from ..maths.choice import most_variable
from ..maths.health import channel_metrics, dead_channels
from ..maths.responses import by_class, class_means, response_variance
from ..maths.scale import count_clipped, robust_max
from ..taps.channel_statistics import DEATH_STATISTICS, channel_statistics, output_is_rectified
from ..taps.output_recorder import Call
from ..taps.reader import Capture, Captured, Reader

MAX_NEURONS = 256
_DESCRIPTION = """**Activation strength of every {neuron} of {path}** for each input: the mean of |activation|{where}.

*How to read it:* one column and hue per {neuron}, darker is stronger; one row per input, sorted by class. Bottom: the
mean over the inputs of each class. {which} All steps, training and validation data share one scale, which never
shrinks; it covers 99.5 % of the values. In a healthy layer every column has some dark cells, and classes activate
different columns.
*Bad signs:* white columns (inactive for all inputs), a few columns that are dark in all rows (few neurons are used,
whatever the input), class means that are the same in a late layer (it does not separate the classes), rows that
differ within a class as much as between classes."""


class Responses(NamedTuple):
    """The responses `(n, neurons)` of the neurons shown of one layer, and which of them are dead, `(neurons,)`."""

    strengths: Array
    dead: Array


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
        self.calls = {
            Capture(call.path, reduce=_REDUCES[output_is_rectified(call)]): call for call in self.selected_calls(reader)
        }

    def request(self, source: str) -> Request:
        """Request the response strengths of each layer, and what tells its dead neurons."""
        return Request(tuple(self.calls))

    def tags(self) -> Mapping[str, None]:
        """Return one image tag per layer."""
        return dict.fromkeys(f"responses/{call.path}" for call in self.calls.values())

    def measure(self, captured: dict[Capture, Captured], source: str, step: int) -> Measured:
        """Return response strengths `(n, neurons)` of the shown neurons, by layer."""
        chosen = self.memory.shared.setdefault("neurons", {})
        for capture, call in self.calls.items():
            if self.first_call(call) is call and call.path not in chosen:  # validation data come first
                strengths = captured[capture].output["mean_abs"]
                chosen[call.path] = most_variable(response_variance(strengths), MAX_NEURONS)
        data = {}
        for capture, call in self.calls.items():
            statistics, key = captured[capture].output, self.first_call(call).path
            strengths, shown = statistics["mean_abs"], chosen[key]
            dead = dead_channels(channel_metrics(**statistics), output_is_rectified(call))[shown]
            data[call.path] = Responses(strengths[:, shown], dead)
            self.memory.extend_scale(key, robust_max(data[call.path].strengths))
        return Measured(step, data)

    def draw(self, measured: Mapping[str, Measured]) -> Iterator[Image]:
        """Draw one image per layer and data source."""
        for source, one in measured.items():
            for call in self.calls.values():
                positions, shown = len(call.shape) > 1, one.data[call.path].dead.size
                which = self.channels_text(call, shown, "neurons")
                caption = f"{call.title()}   {shape_text(call.shape)}" + (f"\n{which}" if which else "")
                about = _DESCRIPTION.format(
                    path=call.title(code_span),
                    neuron="channel" if positions else "neuron",
                    where=" over all positions" if positions else "",
                    which=f"Showing {which}; the choice is then kept." if which else "",
                )
                picture = self._picture(source, call, one.data[call.path], caption, one.note)
                yield Image(source, f"responses/{call.path}", picture, self.described(call, about))

    def _picture(self, source: str, call: Call, responses: Responses, caption: str, note: str) -> Array:
        strengths, dead = responses.strengths, int(np.count_nonzero(responses.dead))
        key = self.first_call(call).path
        high, neurons = self.memory.scales.get(key, 0.0), self.memory.shared["neurons"][key].tolist()
        notes = (f"{dead:,} of {len(neurons):,} dead" if dead else "", count_clipped(strengths, high, "cell"), note)
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
            caption=caption,
            neurons=neurons,
            classes=classes,
            labels=None if names is None else [names[row] for row in order],
            note=join_notes(*notes),
        )


def _statistics(output: Any, choice: Any, rectified: bool | None) -> dict[str, Any]:
    """In the forward pass: the mean of |activation| over the positions, and what tells dead neurons, `(n, neurons)`."""
    return channel_statistics(output, ("mean_abs", *DEATH_STATISTICS[rectified]))


_REDUCES = {rectified: partial(_statistics, rectified=rectified) for rectified in DEATH_STATISTICS}
