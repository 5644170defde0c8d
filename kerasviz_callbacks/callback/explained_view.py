"""`ExplainedView`: a view that says for which answer of the model, and shows it as heat over the probe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np

from ..draw.heat import heat_signals, heat_tiles, heat_volumes
from ..draw.inputs import IntensityRange
from ..draw.text import join_notes
from ..maths.geometry import image_shape
from ..probe import Probe
from ..probe.labels import Labels, labels_of
from ..taps.reader import OUTPUT, Capture, Reader
from ..taps.scores import Predictions, check_looked_through, class_targets, predictions, score_for
from .probe_view import ProbeView
from .types import ARGUMENTS, COMPARED_SOURCES, VALIDATION

Array = np.ndarray[Any, Any]
MOST_TILES = 64
MOST_COMPARED = 8


@dataclass(frozen=True)
class _HeatRows:
    """Rows of one source as they stand on a sheet: pictures, signals or volumes, and what is said of each."""

    inputs: Array
    maps: Array
    titles: list[tuple[str, str]]
    wrong: list[bool] | None


class ExplainedView(ProbeView):
    """A view that explains an answer of the model.

    Args:
        log_dir: where TensorBoard looks.
        validation_data: see `ProbeView`.
        target: what is explained: `None` the predicted class, an int, `"true"` the labelled class, or a callable from
            the model's outputs (before softmax with `score="logits"`) to one number a row.
        score: `"logits"`: what feeds the softmax or sigmoid, whose gradients do not saturate; or `"output"`.
        options: those of `ProbeView`.

    Attributes:
        output: the tap of the model's answer.
        targets: by source the class of each row.
    """

    def __init__(
        self,
        log_dir: Any,
        validation_data: Any,
        *,
        target: int | Literal["true"] | Callable[[Any], Any] | None = None,
        score: Literal["logits", "output"] = "logits",
        **options: Any,
    ):
        super().__init__(log_dir, validation_data, **options)
        self.target, self.score = target, score_for(target, score)
        given: Any = target
        if not callable(given) and np.ndim(given):
            raise TypeError(
                f'target={target!r}: expected None, a class (int), "true" or a callable; for a class a row pass them '
                'as labels, (x, y), and target="true".'
            )
        self.output = Capture(OUTPUT)
        self.targets: dict[str, Array] = {}
        self._explained: Any = None
        self._labels: dict[str, Labels] = {}

    def choose(self, reader: Reader) -> None:
        """The class of each row that is explained."""
        self._head = reader.head
        self._labels = {source: labels_of_output(reader, probe) for source, probe in self.probes.items()}
        self.targets = {source: self._classes(reader, probe, source) for source, probe in self.probes.items()}

    def check(self, captured: dict[str, dict[Any, Any]]) -> None:
        """A softmax that is there but was not found would make maps of nothing."""
        check_looked_through(self.score, self._head, captured[VALIDATION][self.output].output)

    def answers(self, captured: dict[Any, Any]) -> Predictions:
        """What the model answers to each row."""
        return predictions(captured[self.output].output, self._head)

    def target_in_words(self, named: Callable[[str], str] = str) -> str:
        """What is explained.

        Args:
            named: what makes of a class' name what may stand in the text.
        """
        if callable(self.target):
            return "a score of the user's own"
        if self._head.regression:
            return "the output"
        if self.score.targets in ("predicted", "true"):
            return f"the {self.score.targets} class"
        return f"class {named(self.probe_display.class_name(int(self.target)))}"  # type: ignore[arg-type]

    def heat(self, source: str, maps: Array, answer: Predictions, *, number: int | None = None, **given: Any) -> Array:
        """The maps over the inputs that they explain, each with what it is and what the model says.

        Args:
            source: whose inputs.
            maps: `(n, *spatial)`.
            answer: from `answers`.
            number: which input of several, as Keras counts them; `None`: the one that is shown.
            given: what the functions of `draw/heat.py` take: `scale`, `caption`, `note`, `signed`.
        """
        if len(maps) > MOST_TILES:
            given["caption"] += f"   first {MOST_TILES} of {len(maps)}"
        return self._heat_over([self._seen(source, maps[:MOST_TILES], answer, number)], given)

    def comparison_sheet(
        self, maps: Mapping[str, Array], answers: Mapping[str, Predictions], **given: Any
    ) -> Array | None:
        """Training data left and validation data right on one sheet, as `heat` shows each of them.

        Args:
            maps: by source, `(n, *spatial)`.
            answers: by source, from `answers`.
            given: as for `heat`.

        Returns:
            The sheet; `None` where the inputs of the two have not the same size, so that no tile fits both.
        """
        if max(map(len, maps.values())) > MOST_COMPARED:
            given["caption"] += f"   at most {MOST_COMPARED} of each"
        seen = [self._seen(source, maps[source][:MOST_COMPARED], answers[source], None) for source in COMPARED_SOURCES]
        if len({(one.inputs.shape[1:], one.maps.shape[1:]) for one in seen}) > 1:
            return None
        if all(one.wrong is not None for one in seen):
            shares = " | ".join(f"{sum(one.wrong or [])} of {len(one.maps)}" for one in seen)
            given["note"] = join_notes(f"wrong: {shares}", given.get("note", ""))
        given["halves"] = tuple(
            (name, len(one.maps)) for name, one in zip(COMPARED_SOURCES.values(), seen, strict=True)
        )
        return self._heat_over(seen, given)

    def _seen(self, source: str, maps: Array, answer: Predictions, number: int | None) -> _HeatRows:
        """The first rows of a source, as many as there are maps."""
        titles, wrong = self._titles(source, answer)
        fed, pictures = self._fed(source, number), self._pictures(source, number)
        count = len(maps)
        if maps.ndim == 2 and fed.ndim == 2 and pictures is not None and maps.shape[1:] == fed.shape[1:]:
            maps = maps.reshape(count, *pictures.shape[1:3], -1).sum(axis=-1)  # pictures fed as rows of numbers
        if maps.ndim == 2:
            inputs = _signals(fed[:count], maps)
        elif pictures is None or pictures.ndim != maps.ndim + 1:  # the maps have a shape that the inputs have not
            inputs = np.zeros((*maps.shape, 3), np.uint8)
        else:
            inputs = pictures[:count]
        return _HeatRows(inputs, maps, titles[:count], None if wrong is None else wrong[:count])

    def _heat_over(self, seen: Sequence[_HeatRows], given: dict[str, Any]) -> Array:
        """One sheet of all that is seen."""
        inputs, maps = (np.concatenate(parts) for parts in zip(*((one.inputs, one.maps) for one in seen), strict=True))
        given["titles"] = [title for one in seen for title in one.titles]
        if any(one.wrong is not None for one in seen):
            given["wrong"] = [bad for one in seen for bad in one.wrong or [False] * len(one.maps)]
        draw = {2: heat_signals, 4: heat_volumes}.get(maps.ndim, heat_tiles)
        picture: Array = draw(inputs, maps, **given)
        return picture

    def _classes(self, reader: Reader, probe: Probe, source: str) -> Array:
        if self.score.targets != "true":
            return class_targets(None if callable(self.target) else self.target, reader.head, len(probe))
        labels = self._labels[source]
        if labels.numbers is None:
            raise ValueError(
                f'target="true": {ARGUMENTS[source]} has no labels ({labels.why_none}), so there is no true class; '
                "pass (x, y) with integer or one-hot labels, or target=None for the predicted class."
            )
        return class_targets(labels.numbers, reader.head, len(probe), argument="labels")

    def _fed(self, source: str, number: int | None) -> Array:
        probe = self.probes[source]
        return probe.images if number is None else np.asarray(keras.tree.flatten(probe.inputs)[number])

    def _pictures(self, source: str, number: int | None) -> Array | None:
        """An input as a person should see it; one beside the shown one on the range of its validation data."""
        fed, first = (self._fed(one, number) for one in (source, VALIDATION))
        if fed is self.probes[source].images:  # by identity: Keras sorts the keys of a dict, the probe does not
            return self.probe_display.pictures(source)
        shape = fed.shape[1:] if fed.ndim == 5 else image_shape(fed.shape[1:])
        if shape is None or fed.dtype.kind not in "buif":
            return None
        return IntensityRange.of(first.reshape(len(first), *shape))(fed.reshape(len(fed), *shape))

    def _titles(self, source: str, answer: Predictions) -> tuple[list[tuple[str, str]], list[bool] | None]:
        """For each row what it is, what was predicted, and whether that was wrong."""
        labels = self._labels[source].numbers
        true = (
            [""] * len(answer.confidence)
            if labels is None
            else [self.probe_display.class_name(int(one)) for one in labels]
        )
        if answer.classes is None:
            return [(t, f"{value:.3g}") for t, value in zip(true, answer.confidence, strict=True)], None
        said = [
            f"{self.probe_display.class_name(int(c))} {p:.2f}"
            for c, p in zip(answer.classes, answer.confidence, strict=True)
        ]
        wrong = None if labels is None else [bool(a != b) for a, b in zip(labels, answer.classes, strict=True)]
        return list(zip(true, said, strict=True)), wrong

    def __getstate__(self) -> dict[str, Any]:
        """As for `ProbeView`; what is explained belongs to the model, and is found again."""
        return {**super().__getstate__(), "_explained": None}


def labels_of_output(reader: Reader, probe: Probe) -> Labels:
    """The labels of the output that is explained: of y by name, its own, which need not be the first of the dict."""
    own, y, name = Labels(probe.labels, why_none=probe.why_no_labels), probe.targets, reader.first_output
    if not isinstance(y, Mapping) or len(y) < 2 or name not in y:
        return own
    read = labels_of(y, probe.inputs).numbers
    given = own.numbers is not None and (read is None or not np.array_equal(own.numbers, read))
    return own if given else labels_of(y[name], probe.inputs)


def _signals(fed: Array, maps: Array) -> Array:
    """An input as `(n, t, channels)`; flat lines where it is no signal."""
    if fed.dtype.kind not in "buif" or fed.ndim not in (2, 3):
        return np.zeros((*maps.shape, 1))
    return fed if fed.ndim == 3 else fed[..., None]
