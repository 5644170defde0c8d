"""`ExplainedView`: base class of views that explain a prediction as a heat map over each input."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from .._typing import Array
from ..draw.heat import heat_maps
from ..draw.text import join_notes
from ..probe import Probe
from ..probe.labels import Labels, labels_of
from ..taps.output_form import targets_of
from ..taps.reader import OUTPUT, Capture, Reader
from ..taps.scores import Predictions, check_looked_through, class_targets, predictions, score_for
from .probe_view import ProbeView
from .types import ARGUMENTS, COMPARED_SOURCES, VALIDATION

MAX_TILES = 64
MAX_COMPARED = 8
_LONGEST_NAMES = 32  # of the classes, among which is the widest


@dataclass(frozen=True)
class _HeatRows:
    """Rows of one data source as they are drawn: images, signals or volumes, with maps and titles."""

    inputs: Array
    maps: Array
    titles: list[tuple[str, str]]
    wrong: list[bool] | None
    points: tuple[float, float] | None = None  # the limits of clouds of points


class ExplainedView(ProbeView):
    """A view that explains a prediction of the model.

    Args:
        validation_data: see `ProbeView`.
        target: what to explain: `None` the predicted class, an int that class, `"true"` the labelled class, or a
            callable from the model's outputs (before the softmax with `score="logits"`) to one value per row.
        score: `"logits"`: the input of the softmax or sigmoid, whose gradients do not saturate; or `"output"`.
        options: those of `ProbeView`.

    Attributes:
        output: the `Capture` of the model's output.
        targets: by data source, the explained class of each row, `(n,)`.
        why_empty: why maps may be zero everywhere, in a few words; empty if unknown.
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
                f'target={target!r}: expected None, a class (int), "true" or a callable; for one class per row pass '
                'labels, (x, y), and target="true".'
            )
        self.output = Capture(OUTPUT)
        self.targets: dict[str, Array] = {}
        self.why_empty = ""
        self._explained: Any = None
        self._labels: dict[str, Labels] = {}

    def find_layers(self, reader: Reader) -> None:
        """Find the explained class of each row."""
        self._head = reader.head
        self._labels = {source: labels_of_output(reader, probe) for source, probe in self.probes.items()}
        self.targets = {source: self._classes(reader, probe, source) for source, probe in self.probes.items()}

    def check(self, captured: dict[str, dict[Any, Any]]) -> None:
        """Check that no softmax was overlooked: its saturated gradients would make the maps meaningless."""
        check_looked_through(self.score, self._head, captured[VALIDATION][self.output].output)

    def read_predictions(self, captured: dict[Any, Any]) -> Predictions:
        """Return the prediction for each row."""
        return predictions(captured[self.output].output, self._head)

    def target_in_words(self, named: Callable[[str], str] = str) -> str:
        """Return what is explained, in words; `named` formats a class name, such as `code_span` for Markdown."""
        if callable(self.target):
            return "a custom score"
        if self._head.regression:
            return "the output"
        if self.score.targets in ("predicted", "true"):
            return f"the {self.score.targets} class"
        name = self.probe_display.class_name(self.target)  # type: ignore[arg-type]
        return f"class {named(name.removeprefix('class '))}"

    def heat(
        self, source: str, maps: Array, predicted: Predictions, *, number: int | None = None, **given: Any
    ) -> Array:
        """Draw each map, `(n, *spatial)`, over its input, with the true and the predicted label.

        Of several inputs of a model, `number` says which one, in Keras' order; `None`: the displayed one. The other
        keyword arguments are those of `heat_maps`: `scale`, `caption`, `note`, `signed`.
        """
        if len(maps) > MAX_TILES:
            given["caption"] += f"   first {MAX_TILES} of {len(maps)}"
        rows = self._heat_rows(source, maps[:MAX_TILES], predicted, number)
        if rows.inputs.dtype == np.uint8 or rows.points is not None:
            given["caption"] = self.display_of(number).captioned(given["caption"], source)
        return self._heat_over([rows], given)

    def comparison_sheet(
        self, maps: Mapping[str, Array], predicted: Mapping[str, Predictions], number: int | None = None, **given: Any
    ) -> Array | None:
        """Draw training data on the left and validation data on the right of one image, as `heat` draws each of them.

        Returns:
            The image; `None` if training and validation inputs differ in size.
        """
        if max(map(len, maps.values())) > MAX_COMPARED:
            given["caption"] += f"   at most {MAX_COMPARED} of each"
        rows = [self._heat_rows(one, maps[one][:MAX_COMPARED], predicted[one], number) for one in COMPARED_SOURCES]
        if len({(one.inputs.shape[1:], one.maps.shape[1:]) for one in rows}) > 1:
            return None
        if all(one.wrong is not None for one in rows):
            shares = " | ".join(f"{sum(one.wrong or [])} of {len(one.maps)}" for one in rows)
            given["note"] = join_notes(f"wrong: {shares}", given.get("note", ""))
        counts = [len(one.maps) for one in rows]
        if rows[0].inputs.dtype == np.uint8:
            given["caption"] = self.display_of(number).captioned(given["caption"], VALIDATION)
        given["halves"] = tuple(zip(COMPARED_SOURCES.values(), counts, strict=True))
        return self._heat_over(rows, given)

    def _heat_rows(self, source: str, maps: Array, predicted: Predictions, number: int | None) -> _HeatRows:
        """Return the first rows of a data source, as many as there are maps."""
        titles, wrong = self._titles(source, predicted)
        display = self.display_of(number)
        values, pictures = display.inputs[source], display.pictures(source)
        count, maps = len(maps), display.slices_first(maps)
        if maps.ndim == 2 and values.ndim == 2 and pictures is not None and maps.shape[1:] == values.shape[1:]:
            maps = maps.reshape(count, *pictures.shape[1:3], -1).sum(axis=-1)  # images passed as flat vectors
        if display.form == "points" and values.shape[:2] == maps.shape:
            inputs = values[:count]
        elif maps.ndim == 2:
            inputs = _signals(values[:count], maps, display.form)
        elif pictures is None or pictures.ndim != maps.ndim + 1:  # the shapes of maps and inputs do not match
            inputs = np.zeros((*maps.shape, 3), np.uint8)
        else:
            inputs = pictures[:count]
        limits = display.limits if display.form == "points" and inputs.ndim == 3 else None
        return _HeatRows(inputs, maps, titles[:count], None if wrong is None else wrong[:count], limits)

    def _heat_over(self, rows: Sequence[_HeatRows], given: dict[str, Any]) -> Array:
        """Draw all rows into one image."""
        given["note"] = join_notes(self._empty(rows), given.get("note", ""))
        inputs, maps = (np.concatenate(parts) for parts in zip(*((one.inputs, one.maps) for one in rows), strict=True))
        given["points"] = rows[0].points
        given["titles"] = [title for one in rows for title in one.titles]
        if any(one.wrong is not None for one in rows):
            given["wrong"] = [bad for one in rows for bad in one.wrong or [False] * len(one.maps)]
        if not self._head.regression:
            names = (self.probe_display.class_name(label) for label in range(self._head.choices))
            given["words"] = sorted(names, key=len)[-_LONGEST_NAMES:]
        return heat_maps(inputs, maps, **given)

    def _empty(self, rows: Sequence[_HeatRows]) -> str:
        """Return in words how many maps of each data source are zero everywhere; empty if none is."""
        counts = [sum(not np.any(values) for values in one.maps) for one in rows]
        shares = " | ".join(f"{count} of {len(one.maps)}" for count, one in zip(counts, rows, strict=True))
        return join_notes(f"empty: {shares}", self.why_empty) if any(counts) else ""

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

    def _titles(self, source: str, predicted: Predictions) -> tuple[list[tuple[str, str]], list[bool] | None]:
        """Return the true label, the prediction and whether it is wrong, for each row."""
        labels, classes = self._labels[source].numbers, predicted.classes
        hard = not self._labels[source].soft
        named = self.probe_display.class_name
        true = [""] * len(predicted.confidence) if labels is None else [named(label) for label in labels]
        if classes is None:
            return [(t, f"{value:.3g}") for t, value in zip(true, predicted.confidence, strict=True)], None
        known = np.isfinite(predicted.confidence)  # NaN is no answer, and so never right
        answers = zip(classes, predicted.confidence, known, strict=True)
        texts = [f"{named(one)} {p:.2f}" if finite else "NaN" for one, p, finite in answers]
        judged = labels is not None and hard
        wrong = ((np.asarray(labels) != classes) | ~known).tolist() if judged else None
        return list(zip(true, texts, strict=True)), wrong


def labels_of_output(reader: Reader, probe: Probe) -> Labels:
    """Return the labels of the explained output; with a dict `y`, those under the output's name.

    Targets of -1 and 1, as a hinge loss takes them, are the classes 0 and 1.
    """
    probe_labels = Labels(probe.labels, why_none=probe.why_no_labels, soft=probe.soft_labels)
    y, name = probe.targets, reader.first_output
    signs = targets_of(reader, probe)
    signed = reader.head.of_logits and signs is not None and signs.size == len(signs)
    if signed and signs is not None and np.isin(signs, (-1, 1)).all() and (signs < 0).any():
        return Labels((signs.reshape(-1) > 0).astype(np.int64), 2)
    if not isinstance(y, Mapping) or len(y) < 2 or name not in y:
        return probe_labels
    inferred = labels_of(y, probe.inputs).numbers
    numbers = probe_labels.numbers
    passed_by_user = numbers is not None and (inferred is None or not np.array_equal(numbers, inferred))
    return probe_labels if passed_by_user else labels_of(y[name], probe.inputs)


def _signals(values: Array, maps: Array, form: str) -> Array:
    """Return inputs as signals `(n, t, channels)`; of no channel if they are none: ids, rows, clouds, or images."""
    if form or values.dtype.kind not in "buif" or values.ndim not in (2, 3):
        return np.zeros((*maps.shape, 0))
    return values if values.ndim == 3 else values[..., None]
