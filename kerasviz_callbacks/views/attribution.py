"""`Attribution`: which parts of the input the prediction depends on."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Literal

import numpy as np

from ..callback import VALIDATION, Image, Measured
from ..callback.explained_view import ExplainedView
from ..callback.markdown import code_span
from ..draw.text import format_number, join_notes, shape_text
from ..explain.input_maps import InputMaps, checked_method, method_title
from ..fit_context import Request
from ..maths.attribution_methods import METHODS
from ..maths.scale import count_clipped, robust_max
from ..record.console import say
from ..taps.reader import Reader

_OPTIONS = frozenset(name for method in METHODS.values() for name in method.options)
_DESCRIPTION = """**Which parts of {input} the prediction depends on** ({method}, {score}).

*How to read it:* each tile shows an input, and the input with its attribution map: red is evidence for {target}, blue
is evidence against it. Below each tile: {titles}. All steps, training and validation data share one colour scale,
symmetric about zero, which never shrinks; it covers 99.5 % of the values, and the number of values beyond it is printed
below. {more}
*Bad signs:* evidence on the background or in a corner (a shortcut in the data), maps that stay noise while the loss
falls, maps that look different for training and validation data.

Source: {source}"""
_MEAN_SUBTRACTED = "The mean of each RISE map is subtracted, since it only reflects the mean score."


class Attribution(ExplainedView):
    """See which parts of the input the prediction depends on, at every step.

    Args:
        log_dir: the TensorBoard log directory.
        validation_data: images, signals, volumes or feature vectors; see `ProbeView`.
        method: `"integrated_gradients"`, `"gradient"`, `"input_x_gradient"`, `"guided_backprop"`, `"smooth_grad"`,
            `"occlusion"`, `"rise"`; or a callable `(model, inputs, targets) -> maps`, with maps of the inputs' shape
            or one value per position, such as an explainer of another library (it must not change the model). Each
            drawn epoch takes two forward passes and those of the method: `steps` (32 to 992 without that option, as
            many as completeness needs), `samples`, or one per patch.
        target: what to explain: `None` the predicted class (of masks with known truth, other than its most frequent
            class), an int that class, `"true"` the labelled class, or a callable from the model's outputs (before the
            softmax with `score="logits"`) to one value per row.
        score: `"logits"`: the input of the softmax or sigmoid, whose gradients do not saturate; or `"output"`.
        options: those of the method (see `kv.attribution`); `training_data`, `count`, `class_names`, `display`, and
            those of `View`.

    Raises:
        TypeError: an argument of the wrong type, or an option that the method does not have.
        ValueError: before the first batch: an unknown method, no labels for `"true"`, a class that the model does not
            have, a softmax whose logits cannot be found, no input with a gradient, or maps of the wrong shape.

    Example:
        >>> model.fit(x, y, callbacks=[kv.Attribution("logs", (x_val, y_val), method="occlusion")])  # doctest: +SKIP
    """

    scalar_descriptions: ClassVar[Mapping[str, str]] = {
        "completeness_error": "Share of the difference between the scores of input and baseline that the maps do not "
        "account for. Above a few percent the maps are inaccurate: increase `steps`.",
    }

    def __init__(
        self,
        log_dir: Any,
        validation_data: Any,
        *,
        method: str | Callable[..., Any] = "integrated_gradients",
        target: int | Literal["true"] | Callable[[Any], Any] | None = None,
        score: Literal["logits", "output"] = "logits",
        **options: Any,
    ):
        method_options = {name: options.pop(name) for name in list(options) if name in _OPTIONS}
        super().__init__(log_dir, validation_data, target=target, score=score, **options)
        checked_method(method, method_options)
        self.method, self.options, self._title = method, method_options, method_title(method)

    def find_layers(self, reader: Reader) -> None:
        """Find the inputs, and the explained class of each row."""
        super().find_layers(reader)
        self._said = False
        self._explained = InputMaps(reader, self.score, self.method, self.options, self.probes[VALIDATION].inputs)

    def summary(self) -> str:
        """Return the name of the view and its method."""
        return f"{type(self).__name__} by {self._title}"

    def request(self, source: str) -> Request:
        """Request the predictions; the maps take separate passes."""
        return Request((self.output,))

    def tags(self) -> Mapping[str, None]:
        """Return one image tag per input."""
        return dict.fromkeys(f"{self._title}/{name}" for name in self._explained.names)

    def capture(self, step: int) -> dict[str, dict[Any, Any]]:
        """Run the shared forward pass and the passes of the method, for each data source."""
        captured: dict[str, dict[Any, Any]] = dict(super().capture(step))
        for source, probe in self.probes.items():
            found = self._explained.of(self.readers[source], probe.inputs, self.targets[source])
            captured[source] |= {"maps": found.maps, "completeness": found.completeness}
            if found.incomplete and not self._said and self.fit_context.verbose:
                self._said = True
                say(f"kerasviz_callbacks: {type(self).__name__}, step {step}: {found.shortcoming()}.")
        return captured

    def measure(self, captured: dict[Any, Any], source: str, step: int) -> Measured:
        """Return attribution maps `(n, *spatial)` by input, predictions, and the completeness error."""
        maps, error = dict(captured["maps"]), captured["completeness"]
        for name, values in maps.items():
            if self.method == "rise":
                maps[name] = values - values.mean(axis=tuple(range(1, values.ndim)), keepdims=True)
            self.memory.extend_scale(name, robust_max(maps[name]))
        scalars = {f"{self._title}/completeness_error": error} if self.method == "integrated_gradients" else {}
        return Measured(step, (maps, self.read_predictions(captured, source), error), scalars)

    def draw(self, measured: Mapping[str, Measured]) -> Iterator[Image]:
        """Draw one image per input and data source, all sources on one scale."""
        for source, one in measured.items():
            maps, predicted, error = one.data
            missing = "" if np.isnan(error) else f"completeness error {format_number(error)}"
            for name, values in maps.items():
                scale = self.memory.scales.get(name, 0.0)
                picture = self.heat(
                    source,
                    values,
                    predicted,
                    scale=scale,
                    caption=f"{self._title} of {name}   {shape_text(values.shape[1:])}   {self.target_in_words()}",
                    note=join_notes(count_clipped(values, scale), missing, one.note),
                    signed=True,
                    slice_name=self.probe_display.slice_name,
                    number=self._explained.names.index(name),
                )
                about = _DESCRIPTION.format(
                    input=code_span(name),
                    method=self._title,
                    score=f"score: {self.score.of}",
                    target=self.target_in_words(code_span),
                    titles=self.titles_in_words(),
                    more=_MEAN_SUBTRACTED if self.method == "rise" else "",
                    source=METHODS[self.method].paper if isinstance(self.method, str) else "a user-defined method",
                )
                yield Image(source, f"{self._title}/{name}", picture, about)
