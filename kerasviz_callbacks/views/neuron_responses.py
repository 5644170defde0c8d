"""`NeuronResponses`: how strongly each neuron of a layer answers to each picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..callback import Image, LayersView, Measured
from ..callback.markdown import code_span
from ..draw.responses import response_strengths
from ..draw.text import join_notes, shape_text
from ..fit_context import Request
from ..maths.choice import most_variable
from ..maths.health import channel_metrics, dead_channels
from ..maths.responses import by_class, class_means, response_variance
from ..maths.scale import count_clipped, robust_max
from ..taps.channel_statistics import DEATH_STATISTICS, channel_statistics, is_rectified
from ..taps.output_recorder import Call
from ..taps.reader import Capture, Captured, Reader

Array = np.ndarray[Any, Any]
MOST_NEURONS = 256
_DESCRIPTION = """**How strongly every {neuron} of {path} answers** to each picture: the mean of |activation|{where}.

*How to read it:* a column and a hue a {neuron}, the stronger the darker; a row a picture, ordered by class; below, the
mean over the pictures of each class. {which} Every step has one scale, shared by training and validation: it only
grows, and reaches 99.5 % of the values. A layer that spreads its work has some dark cells in every column and different
ones in every class.
*Bad signs:* white columns (they answer to nothing), few dark columns in all rows (few neurons do all the work,
whatever is shown), class means that are all alike late in the network (the layer does not tell the classes apart),
rows of one class that differ from each other as much as from other classes."""


class Responses(NamedTuple):
    """What the neurons shown of one layer did.

    Attributes:
        strengths: `(n, neurons)`, the mean of |activation| over the positions.
        dead: `(neurons,)`, whether a neuron is dead; see `maths.health.dead_channels`.
    """

    strengths: Array
    dead: Array


class NeuronResponses(LayersView):
    """See how a whole layer spreads its work: rows are pictures by class, columns neurons, the stronger the darker.

    The response of a neuron (a channel, where the output has positions) to a picture is the mean of |activation| over
    the positions, so a strong negative answer of a linear layer is a strong one too. One pass a probe.

    Args:
        log_dir: where TensorBoard looks.
        validation_data: pictures, signals or anything else that the model is fed; see `ProbeView`.
        layers: names or paths; `None`: convolutions and dense layers, at most eight, evenly by depth.
        options: `training_data`, `count`, `class_names`, `display`, and those of `View`.

    Raises:
        ValueError: before the first batch: an unknown or ambiguous layer, one that the model never calls.

    Example:
        >>> model.fit(x, y, callbacks=[kv.NeuronResponses("logs", (x_val, y_val))])  # doctest: +SKIP
    """

    def choose(self, reader: Reader) -> None:
        """Find the layers."""
        self.calls = {
            Capture(call.path, reduce=_REDUCES[is_rectified(call.ref.layer)]): call
            for call in self.wanted_calls(reader)
        }

    def request(self, source: str) -> Request:
        """Each layer's response strengths, and what tells its dead neurons."""
        return Request(tuple(self.calls))

    def measure(self, captured: dict[Capture, Captured], source: str, step: int) -> Measured:
        """The responses by layer, of the neurons that are shown."""
        chosen = self.memory.shared.setdefault("neurons", {})
        numbers = {}
        for capture, call in self.calls.items():
            statistics = captured[capture].output
            strengths, rectified = statistics["mean_abs"], is_rectified(call.ref.layer)
            if call.path not in chosen:  # validation data come first
                chosen[call.path] = most_variable(response_variance(strengths), MOST_NEURONS)
            shown = chosen[call.path]
            dead = dead_channels(channel_metrics(**statistics), rectified)[shown]
            numbers[call.path] = Responses(strengths[:, shown], dead)
            self.memory.extend_scale(call.path, robust_max(numbers[call.path].strengths))
        return Measured(step, numbers)

    def draw(self, measured: Mapping[str, Measured]) -> Iterator[Image]:
        """A picture a layer and source."""
        for source, one in measured.items():
            for call in self.calls.values():
                picture = self._picture(source, call, one.data[call.path], one.note)
                yield Image(source, f"responses/{call.path}", picture, self._about(call))

    def _picture(self, source: str, call: Call, responses: Responses, note: str) -> Array:
        strengths = responses.strengths
        high = self.memory.scales.get(call.path, 0.0)
        neurons = self.memory.shared["neurons"][call.path].tolist()
        dead = int(np.count_nonzero(responses.dead))
        notes = (f"{dead:,} of {len(neurons):,} dead" if dead else "", count_clipped(strengths, high), note)
        labels, names = self.probes[source].labels, self.probe_display.label_names(source)
        if labels is None or names is None:
            labels, order, classes = np.zeros(len(strengths), np.int64), np.arange(len(strengths)), ["all pictures"]
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
        which = self._which(call)
        return f"{call.path}   {shape_text(call.shape)}" + (f"\n{which}" if which else "")

    def _which(self, call: Call) -> str:
        """Which neurons are shown, if not all."""
        shown = len(self.memory.shared["neurons"][call.path])
        return self.which(shown, call.shape[-1] if call.shape else 1, "neurons")

    def _about(self, call: Call) -> str:
        which = self._which(call)
        return _DESCRIPTION.format(
            path=code_span(call.path),
            neuron="channel" if len(call.shape) > 1 else "neuron",
            where=" over all positions" if len(call.shape) > 1 else "",
            which=f"Shown are {which}, and the same ever after." if which else "",
        )


def _statistics(output: Any, choice: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """In the pass: the mean of |a| over the positions, and what tells dead neurons; `(n, neurons)` each."""
    return channel_statistics(output, names)


_NAMES = {rectified: ("mean_abs", *names) for rectified, names in DEATH_STATISTICS.items()}
_REDUCES = {rectified: partial(_statistics, names=names) for rectified, names in _NAMES.items()}
