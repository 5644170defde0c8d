"""`ConfusionMatrix`: which class is taken for which, and the surest of the worst confusions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from ..callback import UNTRAINED, VALIDATION, Image, Measured, ProbeView
from ..callback.arguments import one_of
from ..callback.labelled import Labelled, labelled
from ..callback.markdown import code_span
from ..draw.confusion import MAX_CLASSES, MAX_EXAMPLES, Confused, Matrix, confusion_sheet
from ..draw.text import join_notes
from ..fit_context import Request
from ..maths.confusion import Answers, Confusion, Confusions, Normalize, most_confused, most_wrong
from ..taps.reader import OUTPUT, Capture, Captured, Reader
from ..taps.task import Task

MAX_PAIRS = 12
_UNITS = {"true": "share of the true class", "pred": "share of the predicted class", "all": "share of all rows"}
_DESCRIPTION = """**Confusion matrix** of {output}: which class is taken for which.

*How to read it:* rows are true classes, columns predicted ones; colour is the {unit}, blue where the prediction is
right, orange where it is wrong, on a scale that never changes; the numbers count the rows looked at. On the right, of
each of the worst confusions the image on which the model is surest, with the probability p of the predicted class, or
of the label; these change with the step.{rows}
*Good signs:* a dark diagonal on white; confusions only between classes that look alike.
*Bad signs:* an orange column (one class is the answer to everything); an orange cell that stays while others fade; sure
confusions of images that a person finds easy (look at their labels)."""
_WEIGHTED = " Rows are weighted so that the classes have the proportions of the data."


class ConfusionMatrix(ProbeView):
    """See which class a classifier takes for which, and the images of the worst confusions.

    Unlike the other views, it looks at rows chosen at random, in the proportions of the data. The rows of a `Probe`, or
    those that `Visualizer` shares with the monitor, are weighted to these proportions. Of more than 30 classes, the 30
    most confused at the first trained step are shown. With several labels a row, there is a 2 x 2 matrix for each.

    Args:
        log_dir: the TensorBoard log directory.
        validation_data: `(x, y)` with class numbers, one-hot rows, or rows of 0 and 1 (several labels). See
            `ProbeView`.
        normalize: what the colours show, as in scikit-learn: `"true"`: the share of the true class, `"pred"`: of the
            predicted class, `"all"`: of all rows, `None`: the number of rows.
        options: `training_data`, `count` (2,000), `class_names`, `display`, and those of `View`.

    Raises:
        ValueError: another `normalize`; before the first batch: a model that is no classifier, or data without labels.

    Example:
        >>> model.fit(x, y, callbacks=[kv.ConfusionMatrix("logs", (x_val, y_val))])  # doctest: +SKIP
    """

    scalar_descriptions: ClassVar[Mapping[str, str]] = {
        "accuracy": "Share of rows that are classified correctly (several labels a row: all of them), in the "
        "proportions of the data; as sklearn.metrics.accuracy_score.",
        "balanced_accuracy": "Mean over the classes of the share classified correctly, as "
        "sklearn.metrics.balanced_accuracy_score; of several labels a row the mean over them. Far below the accuracy: "
        "rare classes are missed.",
    }
    default_count: ClassVar[int] = 2000
    random_rows: ClassVar[bool] = True

    def __init__(self, log_dir: Any, validation_data: Any, *, normalize: Normalize = "true", **options: Any):
        super().__init__(log_dir, validation_data, **options)
        if normalize is not None:
            one_of(normalize, "normalize", None, *_UNITS)
        self.normalize = normalize
        self._task, self._output = Task("classes"), "output"
        self._labels: dict[str, Labelled] = {}
        self._high = 1.0

    def find_layers(self, reader: Reader) -> None:
        """Find the task, the labels, and the scale."""
        self._out, self._output = Capture(OUTPUT), str(reader.first_output or "output")
        view = type(self).__name__
        self._labels = {
            source: labelled(self.readers[source], probe, source, view=view, makes="confusion matrix")
            for source, probe in self.probes.items()
        }
        self._task = next(reversed(self._labels.values())).task
        self._high = max(self._largest_row(source) for source in self.probes)

    @property
    def _several(self) -> bool:
        """Whether each row has several labels."""
        return self._task.kind == "labels"

    @property
    def _things(self) -> int:
        """The number of classes, or of labels."""
        return self._task.units if self._several else self._task.choices

    def _largest_row(self, source: str) -> float:
        """Return the end of the scale: 1, or the largest share or number of rows that a true class has."""
        truth, weights = self._labels[source].truth, self._labels[source].weights
        if self.normalize in ("true", "pred"):
            return 1.0
        if self._several:
            most = float(np.maximum(truth.sum(axis=0), len(truth) - truth.sum(axis=0)).max())
        else:
            most = float(np.bincount(truth[truth >= 0], weights[truth >= 0], minlength=1).max())
        return most / max(weights.sum(), 1) if self.normalize == "all" else max(most, 1.0)

    def request(self, source: str) -> Request:
        """Request the predictions."""
        return Request((self._out,))

    def tags(self) -> Mapping[str, None]:
        """Return the tag of the matrix."""
        return {f"confusion/{self._output}": None}

    def measure(self, captured: dict[Capture, Captured], source: str, step: int) -> Measured:
        """Compute the matrix, the accuracies, and the worst confusions."""
        truth, weights = self._labels[source].truth, self._labels[source].weights
        answers = Answers.of(self._task.answer_scores(captured[self._out].output, truth), truth, weights)
        self.memory.extend_scale("confusion", self._high)
        classes = 2 if self._several else self._task.choices
        kept = self.memory.shared.get("shown")
        found = Confusions.of(answers, classes, self.normalize, worst=MAX_PAIRS, also=() if kept is None else kept[1])
        if kept is None or (kept[0] == UNTRAINED and source == VALIDATION):
            chosen = most_wrong(found.counts, MAX_CLASSES) if self._several else most_confused(found, MAX_CLASSES)
            kept = self.memory.shared["shown"] = (step, chosen)
        shown = found.labels(kept[1]) if self._several else found.classes(kept[1])
        accuracy, balanced = answers.accuracies()
        return Measured(step, shown, {"confusion/accuracy": accuracy, "confusion/balanced_accuracy": balanced})

    def draw(self, measured: Mapping[str, Measured]) -> Iterator[Image]:
        """Draw the matrix of each data source."""
        for source, one in measured.items():
            data, unit = one.data, "number of rows" if self.normalize is None else _UNITS[self.normalize]
            unweighted = "sample weights are not counted" if self.probes[source].sample_weighted else ""
            missing = f"{data.unanswered:,} NaN" if data.unanswered else ""
            picture = confusion_sheet(
                self._matrices(data),
                self._confused(source, data),
                self._headline(data, one.scalars),
                high=self.memory.scales["confusion"],
                unit=unit,
                caption=self._caption(source),
                note=join_notes("predictions that are NaN count as wrong" if missing else "", unweighted, one.note),
                bad=missing,
            )
            rows = _WEIGHTED if self._labels[source].is_weighted else ""
            about = _DESCRIPTION.format(output=code_span(self._output), unit=unit, rows=rows)
            yield Image(source, f"confusion/{self._output}", picture, about)

    def _matrices(self, data: Confusions) -> list[tuple[str, Matrix]]:
        name = self.probe_display.class_name
        if self._several:
            labels = zip(data.numbers, data.values, data.counts, strict=True)
            return [(name(label), Matrix(values, counts, ("no", "yes"))) for label, values, counts in labels]
        return [("", Matrix(data.values[0], data.counts[0], [name(one) for one in data.numbers]))]

    def _confused(self, source: str, data: Confusions) -> Confused:
        most = min(MAX_EXAMPLES, 2 * self._things if self._several else self._things * (self._things - 1))
        examples = data.worst[:most]
        titles = [(self._words(one), f"p {self._probability(one):.2f}   {self._how_many(one)}") for one in examples]
        pictures = self.example_tiles(source, np.array([one.row for one in examples], np.intp))
        pairs = [f"{self._words(one)}   {self._how_many(one)}" for one in data.worst[most:]]
        room = MAX_PAIRS - MAX_EXAMPLES if self._things > MAX_CLASSES else 0
        return Confused(titles, pictures, most, pairs, room, self._longest_words())

    def _longest_words(self) -> str:
        """Return the longest words that a confusion can have."""
        names = sorted(map(self.probe_display.class_name, range(self._things)), key=len)
        return f"{names[-1]}: false alarm" if self._several else " → ".join(names[-2:])

    def _words(self, one: Confusion) -> str:
        name = self.probe_display.class_name
        if self._several:
            return f"{name(one.label)}: {'missed' if one.true else 'false alarm'}"
        return f"{name(one.true)} → {name(one.predicted)}"

    def _probability(self, one: Confusion) -> float:
        """Return the probability of the predicted class, or of the label."""
        return 1 - one.probability if self._several and one.true else one.probability

    def _how_many(self, one: Confusion) -> str:
        return f"{one.count:,} of {one.of:,}"

    def _headline(self, data: Confusions, scalars: Mapping[str, float]) -> tuple[str, str]:
        accuracy, balanced = (scalars[f"confusion/{name}"] for name in ("accuracy", "balanced_accuracy"))
        known = {"accuracy": accuracy, "balanced": balanced, "confidence": data.confidence}
        if self._several:
            known = {"labels right": data.right, "confidence": data.confidence, "balanced": balanced}
            known["all labels of a row right"] = accuracy
        first = ",  ".join(f"{name} {value:.1%}" for name, value in known.items() if np.isfinite(value))
        if not data.worst:
            return first, "no confusions"
        return first, f"worst: {self._words(data.worst[0])}, {self._how_many(data.worst[0])} rows"

    def _caption(self, source: str) -> str:
        what = "labels" if self._several else "classes"
        of = f"{MAX_CLASSES} most confused of {self._things:,}" if self._things > MAX_CLASSES else f"{self._things}"
        size = self.probes[source].size
        whole = "of those read" if " of the first " in size else "of the data"
        weighted = f", accuracy weighted to the proportions {whole}" if self._labels[source].is_weighted else ""
        pictured = self.examples_in_words(all_inputs=True)
        rows = join_notes(f"{size} rows{weighted}", f"examples: {pictured}" if pictured else "")
        return f"{self._output}   confusion matrix, {of} {what}\n{rows}"
