"""`EvaluatedView`: base class of views that compare predictions with labels or targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from .._typing import Array
from ..explain.layer_maps import maps_by_input
from ..fit_context import Request
from ..maths.confidence import AnswerScores
from ..maths.sample_scores import SampleScores
from ..probe.labels import Labels
from ..taps.layer_selection import features_of, penultimate
from ..taps.output_labels import labels_of_output
from ..taps.reader import OUTPUT, Capture, Captured, Reader
from ..taps.scores import check_looked_through, score_for
from ..taps.task import Task, task_of, truth_of
from .labelled import sample_scores
from .probe_view import ProbeView
from .types import ARGUMENTS, VALIDATION


@dataclass(frozen=True)
class Evaluation:
    """Predictions, features and Grad-CAM maps of the rows of a probe.

    Attributes:
        answer_scores: confidence and correctness of the predictions; `None` for a regression or a reconstruction.
        true_score: `(n,)`, quality of each prediction: the probability of the true class, or minus the mean squared
            error.
        features: `(n, d)` penultimate features; `None` if the model has none.
        true_maps: `(n, *spatial)`, Grad-CAM of the true class; `None` if the model has no feature maps.
        predicted_maps: `(n, *spatial)`, Grad-CAM of the predicted class, or `None`.
    """

    answer_scores: AnswerScores | None
    true_score: Array
    features: Array | None = None
    true_maps: Array | None = None
    predicted_maps: Array | None = None


class EvaluatedView(ProbeView):
    """A view that compares predictions with labels or targets.

    Args:
        validation_data: `(x, y)` with labels or regression targets; see `ProbeView`.
        layer: the Grad-CAM layer; `None`: the last layer before the score whose output has more than one position.
        features: the layer whose output, averaged over positions, gives the features; `None`: the input of the last
            layer with a kernel.
        score: `"logits"`: the input of the softmax or sigmoid; or `"output"`.
        options: `training_data`, `count` (500), `class_names`, `display`, and those of `View`.

    Attributes:
        task: the task of the model: classes, multi-label, regression or one prediction per position.
        labels: by data source, the classes `(n,)`; `None` without labels.
    """

    default_count: ClassVar[int] = 500

    def __init__(
        self,
        log_dir: Any,
        validation_data: Any,
        *,
        layer: Any = None,
        features: Any = None,
        score: Literal["logits", "output"] = "logits",
        **options: Any,
    ):
        super().__init__(log_dir, validation_data, **options)
        self.score = score_for("true", score)
        self.layer, self.features = layer, features
        self.task = Task("values")
        self.labels: dict[str, Array | None] = {}
        self._truth: dict[str, Array] = {}
        self._targets: dict[str, dict[str, Array]] = {}

    def find_layers(self, reader: Reader) -> None:
        """Find the task, the features and the Grad-CAM layer."""
        self._head, self._out = reader.head, Capture(OUTPUT)
        self.labels, self._truth = {}, {}
        tasks = {source: self._task_of_source(self.readers[source], source) for source in self.probes}
        self.task = tasks[VALIDATION]
        for source, task in tasks.items():
            if task.kind != self.task.kind:
                raise ValueError(
                    f"{ARGUMENTS[source]}: its y has {task.kind}, that of validation_data has {self.task.kind}; pass "
                    "both in the same form."
                )
        self._features = self._maps = None
        call = None if self.features is None else reader.resolve(self.features, argument="features")
        if self.layer is not None:
            reader.resolve(self.layer)
        if self.task.kind == "classes":
            call = penultimate(reader) if call is None else call
            self._features = None if call is None else features_of(call)
            self.features_path = "" if call is None else call.path
        if self.task.kind in ("classes", "labels"):
            self._maps = self._map_captures(reader)
        explained = self.probes if self._maps is not None else ()
        self._targets = {s: self.task.targets(self.readers[s], self._truth[s], self.score.of) for s in explained}

    def _task_of_source(self, reader: Reader, source: str) -> Task:
        """Return the task that the labels or targets of a data source imply, and store them."""
        probe, labels = self.probes[source], labels_of_output(reader, self.probes[source])
        if labels.soft:
            labels = Labels(None, why_none=labels.why_not_hard)
        task = task_of(reader, probe, labels.numbers)
        shape = (None, *reader.output_shapes[0])
        if task.kind == "positions":
            raise ValueError(
                f'model "{reader.model.name}": it predicts one class per position, with an output of shape {shape}; '
                f"{type(self).__name__} needs one prediction per input. For such a model use GradCAM or "
                "ActivationMaps."
            )
        truth = truth_of(task, reader, probe, labels.numbers)
        if truth is None:
            why = labels.why_none or f"y does not fit the output of shape {shape}"
            raise ValueError(
                f"{ARGUMENTS[source]}: has no labels or targets for the predictions ({why}); pass (x, y) with class "
                "numbers or one-hot rows (for soft labels y.argmax(-1)), with rows of 0 and 1 for multi-label models, "
                "or with the targets of a regression."
            )
        if task.kind == "classes" and not 0 <= truth.min() <= truth.max() < task.choices:
            raise ValueError(
                f"{ARGUMENTS[source]}: holds class {int(truth.max())}, but the model's output has {task.choices} "
                f"classes; expected 0 to {task.choices - 1}."
            )
        self.labels[source], self._truth[source] = labels.numbers, truth
        return task

    def _map_captures(self, reader: Reader) -> tuple[Capture, Capture] | None:
        true, predicted = self.task.scores(self.score.of)
        try:
            found = maps_by_input(reader, self.layer, predicted, "grad_cam")
        except ValueError:
            if self.layer is not None:
                raise
            return None  # no layer output has positions, as in a network of dense layers
        explained = next((one for one in found if one.input == self.displayed_input), found[-1])
        self.maps_path = explained.call.path
        return explained.within_pass(true), explained.within_pass(predicted)

    def request(self, source: str) -> Request:
        """Request the predictions, the features, and the Grad-CAM of the true and the predicted class."""
        captures = [self._out, *([self._features] if self._features else []), *(self._maps or ())]
        return Request(tuple(captures), targets=self._targets.get(source, {}))

    def check(self, captured: dict[str, dict[Capture, Captured]]) -> None:
        """Check that no softmax was overlooked: its saturated gradients would make the maps meaningless."""
        if self.task.kind == "classes":
            check_looked_through(self.score, self._head, captured[VALIDATION][self._out].output)

    def evaluate(self, captured: dict[Capture, Captured], source: str) -> Evaluation:
        """Evaluate each row with the current weights."""
        output, truth = captured[self._out].output, self._truth[source]
        if self.task.kind == "values":
            error = output.reshape(len(output), -1).astype(np.float64) - truth.reshape(len(truth), -1)
            return Evaluation(None, -np.square(error).mean(axis=1))
        answer_scores = self.task.answer_scores(output, truth)
        features = captured[self._features].output if self._features else None
        maps = [captured[capture].output for capture in self._maps or ()] or [None, None]
        return Evaluation(answer_scores, answer_scores.true, features, *maps)

    def sample_scores(self, logits: Captured, source: str) -> SampleScores:
        """Compare the logits of the rows, as `LOGITS` captures them, with their labels."""
        return sample_scores(self.fit_context, logits, self.task, self._truth[source])

    def truth(self, source: str) -> Array:
        """Return labels or targets: classes `(n,)`, 0 and 1 `(n, labels)`, or regression targets."""
        return self._truth[source]

    def summary(self) -> str:
        """Return the name of the view and its layers: the features, then the maps."""
        read = [*([self.features_path] if self._features else []), *([self.maps_path] if self._maps else [])]
        return type(self).__name__ + (f" of {', '.join(read)}" if read else "")
