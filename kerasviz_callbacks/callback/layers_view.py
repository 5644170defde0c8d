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

_SHARED = "all its calls show the channels chosen in call {first}, on one scale, so that they can be compared."


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

    def first_call(self, call: Call) -> Call:
        """Return the call whose channels and scale a call has: itself, or the first one shown of a shared layer.

        Calls of a layer without weights, or with another number of axes or channels, have their own.
        """
        if call.times == 1 or not getattr(call.ref.layer, "weights", None):
            return call
        first = min((one for one in self.calls.values() if one.ref is call.ref), key=lambda one: one.number)
        alike = len(first.shape) == len(call.shape) and first.shape[-1:] == call.shape[-1:]
        return first if alike else call

    def channels_text(self, call: Call, shown: int, what: str) -> str:
        """Return which of the channels are shown, in words; nothing if all are, or if their number is unknown."""
        whole, first = call.shape[-1] if call.shape else 1, self.first_call(call)
        if whole is None or shown == whole:
            return ""
        where = "" if first is call else f" in call {first.number + 1}"
        return f"{shown:,} of {whole:,} {what}, which varied most at the first step{where}"

    def described(self, call: Call, about: str) -> str:
        """Return a description, and of a shared layer that its calls are shown alike."""
        first = self.first_call(call)
        if call.times == 1 or not any(self.first_call(one) is first for one in self.calls.values() if one is not call):
            return about
        return f"{about}\n\n*Shared layer:* {_SHARED.format(first=first.number + 1)}"

    def summary(self) -> str:
        """Return the name of the view and its layers."""
        return f"{type(self).__name__} of {listed([call.path for call in self.calls.values()], self.selection)}"
