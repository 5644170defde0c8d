"""`ProbeView`: base class of views that run the model on data."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from ..fit_context import Request
from ..probe import Probe, check_count
from ..taps.input_errors import blame_argument
from ..taps.layers import has_call
from ..taps.reader import Capture, Captured, Reader
from .probe_display import ProbeDisplay
from .types import ARGUMENTS, TRAINING, VALIDATION, FitResult
from .view import View


class ProbeView(View):
    """A view that runs the model on validation data and, optionally, on training data.

    Args:
        validation_data: `(x, y)`, `x`, a `tf.data.Dataset`, a `PyDataset`, a torch `DataLoader` or a `Probe`.
        training_data: the same; logged to a second run, with the same tags and colour scales.
        count: number of rows to use, spread evenly over the classes.
        class_names: one for each class; default: those of the data set, if it has them.
        display: callable from model inputs `(n, ...)` to images `(n, h, w)` or `(n, h, w, 3)`, such as to undo
            preprocessing.
        options: those of `View`.

    Attributes:
        default_count: number of rows with `count=None`.
        needs_data: whether `validation_data` is required; a view that works without it finds its layers without a
            reader.
    """

    default_count: ClassVar[int] = 16
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
        self.probes: dict[str, Probe] = {}
        self.readers: dict[str, Reader] = {}
        self.probe_display = ProbeDisplay({}, None)

    def prepare(self) -> None:
        """Read the data once, trace the model on it, and find the layers."""
        self.read_data()
        self.probe_display = ProbeDisplay(self.probes, self.display)
        self.find_layers(self.readers[VALIDATION])

    def read_data(self) -> None:
        """Create the probes and their readers, shared with the other callbacks of the fit."""
        self.probes, self.readers = {}, {}
        for source, data in ((VALIDATION, self.validation_data), (TRAINING, self.training_data)):
            if data is not None:
                self.probes[source] = self.fit_context.probe(
                    data,
                    count=self.count,
                    default_count=self.default_count,
                    class_names=self.class_names,
                    argument=ARGUMENTS[source],
                )
        for source, probe in self.probes.items():
            model, paths = self.run_model(), self.layer_paths()
            if model is not None:
                with blame_argument(ARGUMENTS[source], model):
                    self.readers[source] = self.fit_context.reader(model, probe.inputs, paths)

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
