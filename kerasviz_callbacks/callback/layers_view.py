"""`LayersView`: a view of what several layers put out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..maths.choice import evenly_by_depth
from ..taps.layer_selection import activation_layers
from ..taps.layers import listed, named
from ..taps.output_recorder import Call
from ..taps.reader import Capture, Reader
from .probe_view import ProbeView


class LayersView(ProbeView):
    """A view of what several layers put out; a child's `choose` makes a tap of each call that `wanted_calls` gives.

    Args:
        log_dir: where TensorBoard looks.
        validation_data: pictures, signals or anything else that the model is fed; see `ProbeView`.
        layers: names or paths; `None`: convolutions and dense layers, at most eight, evenly by depth.
        options: `training_data`, `count`, `class_names`, `display`, and those of `View`.

    Attributes:
        calls: the layers by tap, in the order in which they are shown.
    """

    def __init__(self, log_dir: Any, validation_data: Any, *, layers: Sequence[Any] | None = None, **options: Any):
        super().__init__(log_dir, validation_data, **options)
        self.layers = None if layers is None else named(layers)
        self.calls: dict[Capture, Call] = {}

    def wanted_calls(self, reader: Reader) -> list[Call]:
        """The layers that were named, or those that are shown when none is.

        Raises:
            ValueError: an unknown or ambiguous layer, one that the model never calls, or nothing to show.
        """
        if self.layers is None:
            return evenly_by_depth(activation_layers(reader))
        return [reader.resolve(wanted, argument="layers") for wanted in self.layers]

    @staticmethod
    def which(shown: int, whole: int | None, what: str) -> str:
        """Which channels are shown, in words; empty where it is all of them, or not known how many there are."""
        if whole is None or shown == whole:
            return ""
        return f"{shown:,} of {whole:,} {what}, which varied most at the first step"

    def summary(self) -> str:
        """The view and its layers."""
        return f"{type(self).__name__} of {listed([call.path for call in self.calls.values()])}"
