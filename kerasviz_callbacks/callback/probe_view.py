"""`ProbeView`: base class of views that run the model on data."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

import keras
import numpy as np

from .._typing import Array
from ..draw.inputs import IntensityRange
from ..fit_context import Request
from ..probe import Probe, check_count
from ..probe.structures import leaves
from ..taps.input_errors import blame_argument
from ..taps.input_spec import input_form, input_names
from ..taps.layers import has_call, has_frames
from ..taps.reader import Capture, Captured, Reader
from ..taps.task import labels_are_quantities
from .probe_display import ProbeDisplay, as_images, is_picture
from .types import ARGUMENTS, TRAINING, VALIDATION, FitResult
from .view import View

MOST_PICTURED = 3
"""Inputs that stand side by side in an example."""


class ProbeView(View):
    """A view that runs the model on validation data and, optionally, on training data.

    Args:
        validation_data: `(x, y)`, `x`, a `tf.data.Dataset`, a `PyDataset`, a torch `DataLoader` or a `Probe`.
        training_data: the same; logged to a second run, with the same tags and colour scales.
        count: number of rows to use, spread evenly over the classes.
        class_names: one for each class; default: those of the data set, if it has them.
        display: callable from model inputs `(n, ...)` to images `(n, h, w)` or `(n, h, w, 3)`, such as to undo
            preprocessing; of volumes also `(n, depth, h, w, 3)`. Without it volumes are cut into slices along their
            first axis, or along the last if that is the shortest, as in scans `(height, width, depth)`. Of token ids
            `(n, t)` also to words, an array of strings `(n, t)`, empty for padding.
        options: those of `View`.

    Attributes:
        default_count: number of rows with `count=None`.
        displayed_input: number of the input that is displayed, of several the first that may be an image.
        random_rows: whether they are chosen at random, in the proportions of the data, not evenly over the classes.
        rows_like: the class of views whose rows are used: its own, unless it shares those of another.
        needs_data: whether `validation_data` is required; a view that works without it finds its layers without a
            reader.
    """

    default_count: ClassVar[int] = 16
    random_rows: ClassVar[bool] = False
    needs_data: ClassVar[bool] = True

    def __init__(
        self,
        log_dir: str | os.PathLike[str],
        validation_data: Any,
        *,
        training_data: Any = None,
        count: int | None = None,
        class_names: Sequence[str] | None = None,
        display: Callable[[Any], Any] | None = None,
        **options: Any,
    ):
        super().__init__(log_dir, **options)
        if validation_data is None and self.needs_data:
            raise ValueError(f"validation_data=None: {type(self).__name__} needs data; pass (x, y) or a data set.")
        if display is not None and not callable(display):
            raise TypeError(f"display={display!r}: expected a callable from model inputs to images.")
        self.validation_data, self.training_data = validation_data, training_data
        self.count = None if count is None else check_count(count)
        self.class_names, self.display = class_names, display
        self.rows_like: type[ProbeView] = type(self)
        self.probes: dict[str, Probe] = {}
        self.readers: dict[str, Reader] = {}
        self.probe_display = ProbeDisplay({}, None, {})
        self.displayed_input = 0
        self._displays: dict[int, ProbeDisplay] = {}  # of the other inputs
        self._slice_name = "slice"
        self._pictured: list[int] = []

    def prepare(self) -> None:
        """Read the data once, trace the model on it, and find the layers."""
        self.read_data()
        self.displayed_input, self._pictured, self._displays = *self._choose_inputs(), {}
        display, axis = self.display, self.readers[self.main_source].input_axes[self.displayed_input]
        if display is not None and axis is not None:
            display = partial(_display_channels_first, display, axis)
        form = self._form(self.displayed_input)
        self._slice_name = "frame" if has_frames(self.readers[self.main_source].layers) else "slice"
        given = (self.probes, display, self.inputs(self.displayed_input), form, self._slice_name)
        quantities = labels_are_quantities(self.readers[self.main_source], self.probes[self.main_source])
        range_of = partial(self._input_range, self.displayed_input)
        self.probe_display = ProbeDisplay(*given, quantities=quantities, range_of=range_of)
        self.find_layers(self.readers[self.main_source])

    def read_data(self) -> None:
        """Create the probes and their readers, shared with the other callbacks of the fit."""
        self.probes, self.readers = {}, {}
        for source, data in ((VALIDATION, self.validation_data), (TRAINING, self.training_data)):
            if data is not None:
                self.probes[source] = self.fit_context.probe(
                    data,
                    count=self.count,
                    default_count=self.rows_like.default_count,
                    class_names=self.class_names,
                    argument=ARGUMENTS[source],
                    random=self.rows_like.random_rows,
                )
        for source, probe in self.probes.items():
            model, paths = self.run_model(), self.layer_paths()
            if model is not None:
                with blame_argument(ARGUMENTS[source], model, probe):
                    self.readers[source] = self.fit_context.reader(model, probe.inputs, paths)

    @property
    def main_source(self) -> str:
        """The data source that decides how inputs are displayed: validation data, unless there are none."""
        return next(iter(self.probes), VALIDATION)

    def inputs(self, number: int) -> dict[str, Array]:
        """Return one of the model's inputs, in Keras' order, `(n, *spatial, channels)` by data source."""
        return {
            source: keras.tree.flatten(self.readers[source].to_channels_last(probe.inputs))[number]
            for source, probe in self.probes.items()
        }

    def _input_range(self, number: int, source: str) -> IntensityRange:
        """Return the intensity range of one of the inputs, the same for all views of a fit that show these data."""
        probe, known = self.fit_context.largest_probe(self.probes[source]), self.fit_context.intensity_ranges
        if (id(probe), number) not in known:
            inputs = keras.tree.flatten(self.readers[source].to_channels_last(probe.inputs))[number]
            images: Any = as_images(inputs)  # as those of this view are
            known[id(probe), number] = IntensityRange.of(images)
        return known[id(probe), number]

    def display_of(self, number: int | None) -> ProbeDisplay:
        """Return how one of the model's inputs is displayed; `None`: the displayed one, which `display` is for."""
        if number is None or number == self.displayed_input:
            return self.probe_display
        if number not in self._displays:
            inputs, form = self.inputs(number), self._form(number)
            given = (self.probes, None, inputs, form, self._slice_name)
            self._displays[number] = ProbeDisplay(*given, range_of=partial(self._input_range, number))
        return self._displays[number]

    def _form(self, number: int) -> str:
        return input_form(self.readers[self.main_source], number, self.inputs(number)[self.main_source])

    def _choose_inputs(self) -> tuple[int, list[int]]:
        """Return the number of the displayed input, and of those that examples show, images of the same size.

        The displayed one is the first that may be an image, else (or with `display`) the first. Keras sorts the keys of
        a dict; the first is meant as the user passed them.
        """
        probe = self.probes[self.main_source]
        flat, given = keras.tree.flatten(probe.inputs), leaves(probe.inputs)
        order = [next(number for number, one in enumerate(flat) if one is leaf) for leaf in given]
        if len(order) == 1 or self.display is not None:
            return order[0], order[:1]
        forms = {number: self._form(number) for number in order}
        values = {number: self.inputs(number)[self.main_source] for number in order}
        images = [number for number in order if not forms[number] and is_picture(values[number])]
        shown = next((number for number in order if forms[number] == "points" or number in images), order[0])
        alike = [number for number in images if values[number].shape[1:3] == values[shown].shape[1:3]]
        return shown, alike[:MOST_PICTURED] if shown in images else [shown]

    def example_tiles(self, source: str, rows: Array) -> Array | None:
        """Return rows as small images, `(k, h, w, 3)`, of several inputs side by side; `None` if they are no images."""
        tiles = [self.display_of(number).tiles(source, rows) for number in self._pictured]
        found = [one for one in tiles if one is not None]
        if len(found) < 2 or len({one.shape for one in found}) > 1:
            return self.probe_display.tiles(source, rows)
        gap = np.full((*found[0].shape[:2], max(1, found[0].shape[2] // 16), 3), 255, np.uint8)
        return np.concatenate([part for one in found for part in (gap, one)][1:], axis=2)

    def examples_in_words(self, pictured: str | None = None, *, all_inputs: bool = False) -> str:
        """Return which input of several, and which slice of a volume, the images of examples show; empty if all.

        `pictured` is said in place of the middle slice; `all_inputs` of those of `example_tiles`.
        """
        if self.probe_display.pictures(self.main_source) is None:
            return ""
        names = input_names(self.readers[self.main_source].model, self.probes[self.main_source].inputs)
        one = f"input {names[self.displayed_input]} of {len(names)}" if len(names) > 1 else ""
        if all_inputs and len(self._pictured) > 1:
            one = f"inputs {', '.join(names[number] for number in self._pictured)}"
        slices = self.probe_display.slice_in_words() if pictured is None else pictured
        return ", ".join(filter(None, [one, slices]))

    def run_model(self) -> Any:
        """Return the model that the data are run through; `None`: they are not run. Default: the one that is read."""
        return self.read_model()

    def can_prepare(self) -> bool:
        """Return whether the data can be run: they build a model that has a `call`, but not the parts of another."""
        return has_call(self.read_model()) or self.has_weights()

    def find_layers(self, reader: Reader) -> None:
        """Find the layers and create the captures; raise errors in the arguments. Default: the view needs none."""

    @abstractmethod
    def request(self, source: str) -> Request:
        """Return the captures and gradients required from the forward pass over one data source."""

    def requests(self) -> Mapping[tuple[int, int], Request]:
        """Return the requests by reader and probe, for the forward pass that all callbacks share."""
        return {(id(reader), id(self.probes[s])): self.request(s) for s, reader in self.readers.items()}

    def capture(self, step: int) -> dict[str, dict[Capture, Captured]]:
        """Run one shared forward pass per probe; return what this view requested of it."""
        found, context = {}, self._in_context()
        for source, probe in self.probes.items():
            captured = self.fit_context.read(context, self.readers[source], probe, step, context.schedule.unit)
            found[source] = {capture: captured[capture] for capture in self.request(source).captures}
        return found

    def _keep(self, result: FitResult | None) -> None:
        """Keep the state after a fit, and the probes used."""
        super()._keep(result)
        self.probes = {} if result is None else dict(result.probes)

    def __getstate__(self) -> dict[str, Any]:
        """Exclude the probes from copies, which read the data again."""
        return {**super().__getstate__(), "probes": {}}


def _display_channels_first(display: Callable[[Any], Any], axis: int, inputs: Array) -> Any:
    """Call `display` with inputs as the model takes them."""
    return display(np.moveaxis(inputs, -1, axis))
