"""`GradCAM`: where the network looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import numpy as np

from ..callback import ARGUMENTS, VALIDATION, Drawn, Measured, ProbeView
from ..draw.heat import heat_signals, heat_tiles, heat_volumes
from ..draw.text import shape_text
from ..maths.class_activation import method_named
from ..observer import Request
from ..probe import Probe
from ..taps.choosing import map_layer
from ..taps.reader import OUTPUT, Reader, Taken, Tap
from ..taps.scores import check_looked_through, class_targets, predictions, score_for

Array = np.ndarray[Any, Any]
MOST_TILES = 64
_DESCRIPTION = """**Where the network looks** ({method} of `{path}`, {score}).

*How to read it:* each tile is a picture of the probe and the same with its heat map: bright is evidence for {target}.
Below it the true class | the predicted class and its probability; wrong predictions are framed and marked. All maps
are divided by the largest value so far of both sets of data (printed below), so they can be compared between steps.
*Bad signs:* heat on the background or in a corner (a shortcut in the data), sharp and certain maps on training
pictures beside diffuse ones on validation pictures, "no evidence" where there should be some.

Source: {source}"""


class GradCAM(ProbeView):
    """See where the network looks: the class activation map over each picture of the probe, at every step.

    Args:
        log_dir: where TensorBoard looks.
        validation_data: pictures, signals or volumes; see `ProbeView`.
        layer: whose maps; `None`: the last output with more than one position on the way to the score.
        target: what is explained: `None` the predicted class, an int, `"true"` the labelled class, or a callable from
            the model's outputs (before softmax with `score="logits"`) to one number a row.
        method: `"grad_cam"` (Selvaraju et al. 2017, https://arxiv.org/abs/1610.02391).
        score: `"logits"`: what feeds the softmax or sigmoid, whose gradients do not saturate; or `"output"`.
        options: `training_data`, `count`, `class_names`, `display`, and those of `View`.

    Raises:
        TypeError: an argument of the wrong type.
        ValueError: before the first batch: an unknown layer or method, no maps, no labels for `"true"`, a class that
            the model has not, a softmax that cannot be looked through.

    Example:
        >>> model.fit(x, y, callbacks=[kv.GradCAM("logs", (x_val, y_val))])  # doctest: +SKIP
    """

    def __init__(
        self,
        log_dir: Any,
        validation_data: Any,
        *,
        layer: Any = None,
        target: int | Literal["true"] | Callable[[Any], Any] | None = None,
        method: str = "grad_cam",
        score: Literal["logits", "output"] = "logits",
        **options: Any,
    ):
        super().__init__(log_dir, validation_data, **options)
        self.maps_of = method_named(method)
        self.layer, self.method = layer, method
        self.target, self.score = target, score_for(target, score)

    def choose(self, reader: Reader) -> None:
        """Find the layer, and the class of each row."""
        call = map_layer(reader, self.layer, self.score)
        self.path, self.shape, self._head = call.path, call.shape, reader.head
        self._maps, self._output = Tap(call.path, score=self.score), Tap(OUTPUT)
        self._targets = {source: self._classes(reader, probe, source) for source, probe in self.probes.items()}

    def _classes(self, reader: Reader, probe: Probe, source: str) -> Array:
        if self.score.targets != "true":
            return class_targets(None if callable(self.target) else self.target, reader.head, len(probe))
        if probe.labels is None:
            raise ValueError(
                f'target="true": {ARGUMENTS[source]} has no labels ({probe.why_no_labels}), so there is no true class; '
                "pass (x, y) with integer or one-hot labels, or target=None for the predicted class."
            )
        return class_targets(probe.labels, reader.head, len(probe), argument="labels")

    def shows(self) -> str:
        """The view and its layers."""
        return f"{type(self).__name__} of {self.path}"

    def request(self, source: str) -> Request:
        """The layer's output and the gradient of the score by it; the predictions."""
        return Request((self._maps, self._output), targets={self.score.targets: self._targets[source]})

    def check(self, taken: dict[str, dict[Tap, Taken]]) -> None:
        """A softmax that is there but was not found would make maps of nothing."""
        check_looked_through(self.score, self._head, taken[VALIDATION][self._output].output)

    def measure(self, taken: dict[Tap, Taken], source: str, step: int) -> Measured:
        """Raw maps `(n, *spatial)` and predictions."""
        found = taken[self._maps]
        maps = self.maps_of(found.output, found.slope)
        finite = maps[np.isfinite(maps)]
        self.memory.grow(self.path, float(finite.max(initial=0)))
        answer = predictions(taken[self._output].output, self._head)
        return Measured(step, (maps, answer))

    def draw(self, measured: Mapping[str, Measured]) -> Iterator[Drawn]:
        """A picture a source, on one scale."""
        shape = shape_text(self.shape)
        explained = self._explained()
        caption = f"{self.method} of {self.path}   {shape}   {explained}"
        about = _DESCRIPTION.format(
            method=self.method,
            path=self.path,
            score=f"score: {self.score.of}",
            target=explained,
            source="Selvaraju et al. 2017, https://arxiv.org/abs/1610.02391",
        )
        for source, one in measured.items():
            yield Drawn(source, f"{self.method}/{self.path}", self._picture(source, one, caption), about)

    def _picture(self, source: str, one: Measured, caption: str) -> Array:
        maps, answer = one.numbers
        titles, wrong = self._titles(source, answer)
        if len(maps) > MOST_TILES:
            caption += f"   first {MOST_TILES} of {len(maps)}"
        given: dict[str, Any] = {
            "scale": self.memory.scales.get(self.path, 0.0),
            "caption": caption,
            "titles": titles[:MOST_TILES],
            "wrong": None if wrong is None else wrong[:MOST_TILES],
            "note": one.note,
        }
        maps = maps[:MOST_TILES]
        if maps.ndim == 2:
            return heat_signals(self._signals(source, maps)[:MOST_TILES], maps, **given)
        pictures = self.shown.pictures(source)
        pictures = None if pictures is None else pictures[:MOST_TILES]
        if pictures is None or pictures.ndim != maps.ndim + 1:  # the maps have a shape that the inputs have not
            pictures = np.zeros((*maps.shape, 3), np.uint8)
        return (heat_volumes if maps.ndim == 4 else heat_tiles)(pictures, maps, **given)

    def _signals(self, source: str, maps: Array) -> Array:
        """The inputs as `(n, t, channels)`; flat lines where they are no signals."""
        fed = self.probes[source].images
        if fed.dtype.kind not in "buif" or fed.ndim not in (2, 3):
            return np.zeros((*maps.shape, 1))
        return fed if fed.ndim == 3 else fed[..., None]

    def _explained(self) -> str:
        if callable(self.target):
            return "a score of the user's own"
        named = {"predicted": "the predicted class", "true": "the true class"}
        return named.get(self.score.targets) or f"class {self.shown.class_name(int(self.target))}"  # type: ignore[arg-type]

    def _titles(self, source: str, answer: Any) -> tuple[list[tuple[str, str]], list[bool] | None]:
        """For each row what it is, what was predicted, and whether that was wrong."""
        labels = self.probes[source].labels
        true = self.shown.label_names(source) or [""] * len(answer.confidence)
        if answer.classes is None:
            return [(t, f"{value:.3g}") for t, value in zip(true, answer.confidence, strict=True)], None
        said = [
            f"{self.shown.class_name(int(c))} {p:.2f}" for c, p in zip(answer.classes, answer.confidence, strict=True)
        ]
        wrong = None if labels is None else [bool(a != b) for a, b in zip(labels, answer.classes, strict=True)]
        return list(zip(true, said, strict=True)), wrong
