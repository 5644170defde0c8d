"""`ExplainedView`: base class of views that explain a prediction as a heat map over each input."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from .._typing import Array
from ..draw.heat import heat_maps
from ..draw.overlay import weak_maps
from ..draw.text import format_number, join_notes
from ..draw.token_tiles import readable
from ..probe import Probe
from ..probe.labels import Labels
from ..taps.input_spec import padding_of
from ..taps.output_labels import iou_of_classes, kind_of_labels, labels_of_output, marks_of, true_masks, true_quantities
from ..taps.reader import OUTPUT, Capture, Reader
from ..taps.scores import Predictions, check_looked_through, class_targets, predictions, score_for
from .prediction_titles import LEAST_IOU, UNSURE, PredictionTitles
from .probe_display import ProbeDisplay
from .probe_view import ProbeView
from .types import ARGUMENTS, COMPARED_SOURCES, VALIDATION

MAX_TILES = 64
MAX_COMPARED = 8
_PADDING = ("hatched: padding", "hatched: padding, by its largest value")  # in strips of cells, below words
_WRONG = {
    "masks": f"IoU below {LEAST_IOU}",
    "labels": "highest label not true, or none where there are some",
}
_LONGEST_NAMES = 32  # of the classes, among which is the widest


@dataclass(frozen=True)
class _HeatRows:
    """Rows of one data source as they are drawn: images, signals or volumes, with maps and titles."""

    inputs: Array
    maps: Array
    titles: list[tuple[str, str]]
    wrong: list[bool] | None
    points: tuple[float, float] | None = None  # the limits of clouds of points
    tokens: list[list[str]] | None = None


class ExplainedView(ProbeView):
    """A view that explains a prediction of the model.

    Args:
        validation_data: see `ProbeView`.
        target: what to explain: `None` the predicted class (of masks with known truth, other than its most frequent
            class), an int that class, `"true"` the labelled class, or a callable from the model's outputs (before the
            softmax with `score="logits"`) to one value per row.
        score: `"logits"`: the input of the softmax or sigmoid, whose gradients do not saturate; or `"output"`.
        options: those of `ProbeView`.

    Attributes:
        output: the `Capture` of the model's output.
        targets: by data source, the explained class of each row, `(n,)`.
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
        self._explained: Any = None
        self._labels: dict[str, Labels] = {}
        self._kind = self._output = ""  # the output: its name, if the model has several
        self._truths: dict[str, Array | None] = {}
        self._marks: dict[str, Array | None] = {}
        self._masks: dict[str, Array | None] = {}

    def find_layers(self, reader: Reader) -> None:
        """Find the explained class of each row."""
        self._head = reader.head
        self._output = str(reader.first_output or "output") if len(reader.heads) > 1 else ""
        self._truths = {source: true_quantities(reader, probe) for source, probe in self.probes.items()}
        self._labels = {source: labels_of_output(reader, probe) for source, probe in self.probes.items()}
        self._kind = kind_of_labels(reader, self.probes[VALIDATION], self._labels[VALIDATION])
        self._marks = {source: marks_of(self._kind, reader, probe) for source, probe in self.probes.items()}
        of_masks = self._kind == "masks"
        self._masks = {source: true_masks(reader, probe) if of_masks else None for source, probe in self.probes.items()}
        self.score = score_for(self.target, self.score.of)
        marks = self._marks[VALIDATION]
        if of_masks and marks is not None and self.target is None and not reader.head.multi_label:
            background = int(marks.sum(axis=0).argmax())
            self.score = replace(self.score, targets=f"predicted but {background}", background=background)
        self.targets = {source: self._classes(reader, probe, source) for source, probe in self.probes.items()}

    def check(self, captured: dict[str, dict[Any, Any]]) -> None:
        """Check that no softmax was overlooked: its saturated gradients would make the maps meaningless."""
        check_looked_through(self.score, self._head, captured[VALIDATION][self.output].output)

    def read_predictions(self, captured: dict[Any, Any], source: str) -> Predictions:
        """Return the prediction for each row; of masks that of the explained class, compared with its true mask."""
        values, masks = captured[self.output].output, self._masks[source]
        label = int(self.target) if self._kind == "masks" and isinstance(self.target, (int, np.integer)) else None
        found = predictions(values, self._head, self.score.background, label)
        if masks is None or found.classes is None:
            return found
        return replace(found, iou=iou_of_classes(masks, values, self._head, found.classes))

    def target_in_words(self, named: Callable[[str], str] = str) -> str:
        """Return what is explained, in words; `named` formats a class name, such as `code_span` for Markdown."""
        if callable(self.target):
            return "a custom score"
        if self._head.regression:
            return f"the output {named(self._output)}" if self._output else "the output"
        if self.target == "true":
            words = "the true class"
        elif self.target is None:
            words = "the label of highest probability" if self._kind == "labels" else "the predicted class"
        else:
            words = f"class {self._named(self.target, named)}"
        words += f" of {named(self._output)}" if self._output else ""
        if self.score.background is not None:
            words += f" other than {self._named(self.score.background, named)}"
        return f"{words}, mean over {'pixels' if self._kind == 'masks' else 'positions'}" if self._head.dense else words

    def titles_in_words(self) -> str:
        """Return what stands below each tile, in words."""
        if self._head.regression:
            return "the true value, if y holds one | the output"
        if self._kind == "labels":
            return (
                'true labels | the label of highest probability, after "none" if that is below 0.5; framed and marked '
                "as wrong if it is none of the true labels, or if none is predicted where there are some"
            )
        if self._kind == "masks":
            return (
                "true classes but the background, the largest first | predicted class, or `target`, with its "
                "probability, mean over the pixels predicted as it, and the intersection over union (IoU) of its true "
                "and predicted pixels; framed and marked below an IoU of 0.5, or if only background is predicted where "
                "there is more"
            )
        if self._head.dense:
            return "true class | predicted class with its probability, mean over the positions predicted as it"
        return "true class | predicted class with its probability; wrong predictions are framed and marked"

    def _named(self, label: Any, named: Callable[[str], str]) -> str:
        return named(self.probe_display.class_name(label).removeprefix("class "))

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
        framed = f"framed: {_WRONG[self._kind]}" if rows.wrong is not None and self._kind in _WRONG else ""
        given["note"] = join_notes(framed, given.get("note", ""))
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
            shares = _shares([sum(one.wrong or []) for one in rows], rows)
            given["note"] = join_notes(f"{_WRONG.get(self._kind, 'wrong')}: {shares}", given.get("note", ""))
        counts = [len(one.maps) for one in rows]
        if rows[0].inputs.dtype == np.uint8:
            given["caption"] = self.display_of(number).captioned(given["caption"], VALIDATION)
        given["halves"] = tuple(zip(COMPARED_SOURCES.values(), counts, strict=True))
        return self._heat_over(rows, given)

    def _heat_rows(self, source: str, maps: Array, predicted: Predictions, number: int | None) -> _HeatRows:
        """Return the first rows of a data source, as many as there are maps."""
        background, named = self.score.background, self.probe_display.class_name
        own = (self._labels[source], self._marks[source], self._kind, background, named)
        titles, wrong = PredictionTitles(*own, self._output or "output", self._truths[source])(predicted)
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
        tokens = self._tokens(source, display, number)[:count] if maps.ndim == 2 else []
        return _HeatRows(inputs, maps, titles[:count], wrong and wrong[:count], limits, tokens or None)

    def _tokens(self, source: str, display: ProbeDisplay, number: int | None) -> list[list[str]]:
        """Return the words of texts, or their token ids, `""` for padding; empty if inputs are no texts."""
        ids = display.inputs[source]
        if display.form != "ids" or ids.ndim != 2:
            return []
        padding = padding_of(self.readers[source], self.displayed_input if number is None else number, ids)
        words = display.words.get(source, ids.astype(np.int64).astype(str))
        tokens: list[list[str]] = np.where(padding, "", words).tolist()
        return tokens

    def _heat_over(self, rows: Sequence[_HeatRows], given: dict[str, Any]) -> Array:
        """Draw all rows into one image."""
        given["note"] = join_notes(given.get("note", ""), _weak(rows, given["scale"]), self._empty(rows))
        inputs, maps = (np.concatenate(parts) for parts in zip(*((one.inputs, one.maps) for one in rows), strict=True))
        given["points"] = rows[0].points
        if all(one.tokens for one in rows):
            given["tokens"] = [text for one in rows for text in one.tokens or []]
            given["caption"] += self._about_tokens(given["tokens"])
        given["titles"] = [title for one in rows for title in one.titles]
        if any(one.wrong is not None for one in rows):
            given["wrong"] = [bad for one in rows for bad in one.wrong or [False] * len(one.maps)]
        names = (self.probe_display.class_name(label) for label in range(self._head.choices))
        given["words"] = sorted(names, key=len)[-_LONGEST_NAMES:]
        if self._head.regression:
            given["words"] = [f"{self._output or 'output'} {format_number(-1.23e-10)}"]
        elif self._kind == "labels":
            given["words"] = [UNSURE + name for name in given["words"]]
        elif self._kind == "masks":
            given["words"] = [f"{name} 0.00 IoU" for name in given["words"]]
        return heat_maps(inputs, maps, **given)

    def _about_tokens(self, tokens: Sequence[Sequence[str]]) -> str:
        """Return a further line of the caption of texts: what numbers are, and what is hatched; empty if neither is."""
        parts = [] if self.probe_display.words or not readable(tokens) else ["numbers: token ids"]
        parts += [_PADDING[readable(tokens)]] if any("" in row for row in tokens) else []
        return "\n" + ", ".join(parts) if parts else ""

    def _empty(self, rows: Sequence[_HeatRows]) -> str:
        """Return in words how many maps of each data source are zero everywhere; empty if none is."""
        counts = [sum(not np.any(values) for values in one.maps) for one in rows]
        return f"empty: {_shares(counts, rows)}" if any(counts) else ""

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


def _weak(rows: Sequence[_HeatRows], scale: float) -> str:
    """Return in words how many maps of each data source are too weak to be seen; empty if none is."""
    counts = [int(weak_maps(one.maps, scale).sum()) for one in rows]
    return f"below 1% of the scale: {_shares(counts, rows)}" if any(counts) else ""


def _shares(counts: Sequence[int], rows: Sequence[_HeatRows]) -> str:
    return " | ".join(f"{count} of {len(one.maps)}" for count, one in zip(counts, rows, strict=True))


def _signals(values: Array, maps: Array, form: str) -> Array:
    """Return inputs as signals `(n, t, channels)`; of no channel if they are none: ids, rows, clouds, or images."""
    if form or values.dtype.kind not in "buif" or values.ndim not in (2, 3):
        return np.zeros((*maps.shape, 0))
    return values if values.ndim == 3 else values[..., None]
