"""`LayersView`: base class of views of the activations of several layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..maths.choice import evenly_by_depth, selection_text
from ..taps.layer_selection import activation_layers
from ..taps.layers import listed, named
from ..taps.output_recorder import Call
from ..taps.reader import Capture, Reader
from .probe_view import ProbeView


class LayersView(ProbeView):
    """A view of the activations of several layers; `find_layers` of a subclass fills `calls` from `selected_calls`.

    Args:
        validation_data: model inputs such as images or signals; see `ProbeView`.
        layers: layer names or paths; `None`: convolutions and dense layers, at most eight, evenly spaced by depth.
        options: `training_data`, `count`, `class_names`, `display`, and those of `View`.

    Attributes:
        calls: the layer calls by `Capture`, in the order in which they are shown.
    """

    def __init__(self, log_dir: Any, validation_data: Any, *, layers: Sequence[Any] | None = None, **options: Any):
        super().__init__(log_dir, validation_data, **options)
        self.layers = None if layers is None else named(layers)
        self.calls: dict[Capture, Call] = {}

    def selected_calls(self, reader: Reader) -> list[Call]:
        """Return the calls of the layers in `layers`, or of the default selection."""
        if self.layers is None:
            every = activation_layers(reader)
            calls = [call for call in every if self.can_show(call)] or every
            chosen = evenly_by_depth(calls)
            what = "layers" if len({call.ref.path for call in calls}) == len(calls) else "calls of layers"
            self.selection = selection_text(len(chosen), len(calls), what)
            return chosen
        return [reader.resolve(layer, argument="layers") for layer in self.layers]

    def can_show(self, call: Call) -> bool:
        """Return whether the default selection may contain a call. Default: yes."""
        return True

    @staticmethod
    def channels_text(shown: int, whole: int | None, what: str) -> str:
        """Return which of the `whole` channels are shown, in words; nothing if all are, or if `whole` is unknown."""
        if whole is None or shown == whole:
            return ""
        return f"{shown:,} of {whole:,} {what}, which varied most at the first step"

    def summary(self) -> str:
        """Return the name of the view and its layers."""
        return f"{type(self).__name__} of {listed([call.path for call in self.calls.values()], self.selection)}"
