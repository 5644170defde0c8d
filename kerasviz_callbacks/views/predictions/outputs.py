"""One output of the model, its truth in each data source, and why there is none."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..._typing import Array
from ...callback.probe_display import ProbeDisplay
from ...draw.volumes import middle_slice
from ...maths.pairs import belong_together
from ...probe import Probe
from ...taps.heads import Head, loss_of
from ...taps.output_form import fed_images, fed_series, output_shape, targets_of
from ...taps.passes import output_path
from ...taps.reader import Reader

UNPAIRED = "y is not the truth of this output: its rows do not belong to those of x"


@dataclass(frozen=True)
class Options:
    """What the user said of the predictions; see `Predictions`."""

    ignore_class: int | None = None
    bounding_box_format: str | None = None
    to_text: Callable[[Any], str] | None = None


@dataclass(frozen=True)
class Output:
    """One output of the model.

    Attributes:
        name: its name in tags.
        number: its index among the flattened outputs.
        head: its kind.
        shape: without the rows.
        loss: its compiled loss, or `None`.
        reader: of the model.
        probes: by data source.
        display: images and class names of the probes.
        options: what the user said.
        truths: by data source, its y, or `None`.
        no_truth: why there is none, for the caption.
    """

    name: str
    number: int
    head: Head
    shape: tuple[int, ...]
    loss: Any
    reader: Reader
    probes: Mapping[str, Probe]
    display: ProbeDisplay
    options: Options
    truths: Mapping[str, Array | None] = field(default_factory=dict)
    no_truth: str = ""

    @property
    def path(self) -> str:
        """The path of its capture."""
        return output_path(self.number)

    def pictures(self, source: str, rows: int) -> Array | None:
        """The inputs of the first rows as images, uint8 `(n, h, w, 3)`; `None` if they are not images."""
        probe = self.probes[source]
        if self.display.display is None and not fed_images(self.reader, probe):
            return None
        shown = self.display.pictures(source)
        if shown is None:
            return None
        return shown[:rows] if shown.ndim == 4 else middle_slice(shown[:rows])

    def signals(self, source: str) -> Array | None:
        """The inputs as signals `(n, t, channels)`; `None` if they are none."""
        values = self.probes[source].images
        if fed_series(self.reader, self.probes[source]):
            return values
        return values[..., None] if values.ndim == 2 and values.dtype.kind == "f" else None


def outputs_of(
    readers: Mapping[str, Reader], probes: Mapping[str, Probe], display: ProbeDisplay, options: Options
) -> list[Output]:
    """Every output of the model, in the order of `keras.tree.flatten`."""
    reader = next(iter(readers.values()))
    names, count = [str(name) for name in reader.output_names], len(reader.heads)
    if len(names) != count:
        names = ["output"] if count == 1 else [f"output_{number}" for number in range(count)]
    found = []
    for number, head in enumerate(reader.heads):
        loss = loss_of(reader.model, reader.output_names, number)
        truths: dict[str, Array | None] = {source: targets_of(reader, one, number) for source, one in probes.items()}
        no_truth = "" if any(truth is not None for truth in truths.values()) else "no y for this output"
        for source, truth in truths.items():
            fed = probes[source].images
            # With a compiled loss y is what the output is compared with; a `train_step` of one's own may do anything.
            alike = truth is not None and loss is None and truth.shape == fed.shape and truth.ndim > 2
            if alike and truth is not None and not np.array_equal(truth, fed) and not belong_together(fed, truth):
                truths[source], no_truth = None, UNPAIRED
        shape = output_shape(reader, number)
        given = (reader, probes, display, options, truths, no_truth)
        found.append(Output(names[number], number, head, shape, loss, *given))
    return found
