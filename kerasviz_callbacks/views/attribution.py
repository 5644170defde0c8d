"""`Attribution`: which parts of the input the answer hangs on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import numpy as np

from ..callback import Image, Measured
from ..callback.explained_view import ExplainedView
from ..callback.markdown import code_span
from ..draw.text import format_number, join_notes, shape_text
from ..explain.input_maps import InputMaps, checked_method, method_title
from ..fit_context import Request
from ..maths.attribution_methods import METHODS
from ..maths.scale import count_clipped, robust_max
from ..taps.reader import Reader

Array = np.ndarray[Any, Any]
_OPTIONS = frozenset(name for method in METHODS.values() for name in method.options)
_DESCRIPTION = """**Which parts of {input} the answer hangs on** ({method}, {score}).

*How to read it:* each tile is an input of the probe and the same with its map: red speaks for {target}, blue against
it. Below it the true class | the predicted class and its probability; wrong predictions are framed and marked. Every
step has one scale, symmetric round zero, shared by training and validation; it only grows, and reaches 99.5 % of the
values, the few beyond are counted below. {more}
*Bad signs:* evidence on the background or in a corner (a shortcut in the data), maps that stay noise while the loss
falls, maps that differ in kind between training and validation.

Source: {source}"""
_COMPLETENESS = (
    "Which share of the score's rise over the baseline the maps leave unaccounted for. Above a few percent, take more "
    "`steps`: the maps then say less than they seem to."
)


class Attribution(ExplainedView):
    """See which parts of the input the answer hangs on, at every step.

    Args:
        log_dir: where TensorBoard looks.
        validation_data: pictures, signals, volumes or rows of features; see `ProbeView`.
        method: `"integrated_gradients"`, `"gradient"`, `"input_x_gradient"`, `"guided_backprop"`, `"smooth_grad"`,
            `"occlusion"`, `"rise"`; or a callable `(model, inputs, targets) -> maps` of the inputs' shape or their
            positions, such as an explainer of another library (which must leave the model as it is). Each drawn epoch
            takes two passes and those of the method: `steps`, `samples`, or one a patch.
        target: what is explained: `None` the predicted class, an int, `"true"` the labelled class, or a callable from
            the model's outputs (before softmax with `score="logits"`) to one number a row.
        score: `"logits"`: what feeds the softmax or sigmoid, whose gradients do not saturate; or `"output"`.
        options: those of the method (see `kv.attribution`); `training_data`, `count`, `class_names`, `display`, and
            those of `View`.

    Raises:
        TypeError: an argument of the wrong type, or an option that the method has not.
        ValueError: before the first batch: an unknown method, no labels for `"true"`, a class that the model has not,
            a softmax that cannot be looked through, no gradient by any input, maps of another shape.

    Example:
        >>> model.fit(x, y, callbacks=[kv.Attribution("logs", (x_val, y_val), method="occlusion")])  # doctest: +SKIP
    """

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
        of_method = {name: options.pop(name) for name in list(options) if name in _OPTIONS}
        super().__init__(log_dir, validation_data, target=target, score=score, **options)
        checked_method(method, of_method)
        self.method, self.options = method, of_method

    def find_layers(self, reader: Reader) -> None:
        """Find the inputs, and the class of each row."""
        super().find_layers(reader)
        first = next(iter(self.probes.values()))
        self._explained = InputMaps(reader, self.score, self.method, self.options, first.inputs)

    def summary(self) -> str:
        """The view and its method."""
        return f"{type(self).__name__} by {method_title(self.method)}"

    def request(self, source: str) -> Request:
        """The predictions; the maps take passes of their own."""
        return Request((self.output,))

    def tags(self) -> Mapping[str, None]:
        """A picture a input."""
        return dict.fromkeys(f"{self._title}/{name}" for name in self._explained.names)

    def capture(self, step: int) -> dict[str, dict[Any, Any]]:
        """One shared pass a probe, and the method's own."""
        captured: dict[str, dict[Any, Any]] = dict(super().capture(step))
        for source, probe in self.probes.items():
            found = self._explained.of(self.readers[source], probe.inputs, self.targets[source])
            captured[source] |= {"maps": found.maps, "completeness": found.completeness}
        return captured

    def measure(self, captured: dict[Any, Any], source: str, step: int) -> Measured:
        """Raw maps `(n, *spatial)` by input, and predictions."""
        maps = {name: self._shown(one) for name, one in captured["maps"].items()}
        for name, one in maps.items():
            self.memory.extend_scale(name, robust_max(one))
        numbers = (maps, self.answers(captured), captured["completeness"])
        tag = f"{self._title}/completeness_error"
        return Measured(step, numbers, {tag: captured["completeness"]} if self._is_complete else {})

    def draw(self, measured: Mapping[str, Measured]) -> Iterator[Image]:
        """A picture an input and source, on one scale."""
        explained = self.target_in_words()
        for source, one in measured.items():
            maps, answer, completeness = one.data
            for name, values in maps.items():
                caption = f"{self._title} of {name}   {shape_text(values.shape[1:])}   {explained}"
                scale = self.memory.scales.get(name, 0.0)
                missing = "" if np.isnan(completeness) else f"completeness error {format_number(completeness)}"
                picture = self.heat(
                    source,
                    values,
                    answer,
                    scale=scale,
                    caption=caption,
                    note=join_notes(count_clipped(values, scale), missing, one.note),
                    signed=True,
                    number=self._explained.names.index(name),
                )
                yield Image(source, f"{self._title}/{name}", picture, self._about(name))

    def _about(self, name: str) -> str:
        relative = "RISE's maps are shown less their mean, since each holds the mean score." if self._is_rise else ""
        paper = METHODS[self.method].paper if isinstance(self.method, str) else "a method of the user's own"
        return _DESCRIPTION.format(
            input=code_span(name),
            method=self._title,
            score=f"score: {self.score.of}",
            target=self.target_in_words(code_span),
            more=relative,
            source=paper,
        )

    def _shown(self, maps: Array) -> Array:
        """What is drawn: the maps themselves; of RISE, whose maps hold the mean score, the difference from it."""
        if not self._is_rise:
            return maps
        means: Array = maps.mean(axis=tuple(range(1, maps.ndim)), keepdims=True)
        return np.asarray(maps - means)

    @property
    def _title(self) -> str:
        return method_title(self.method)

    @property
    def _is_complete(self) -> bool:
        return self.method == "integrated_gradients"

    @property
    def _is_rise(self) -> bool:
        return self.method == "rise"

    def describe(self, tag: str) -> str:
        """What the scalar means."""
        return _COMPLETENESS
