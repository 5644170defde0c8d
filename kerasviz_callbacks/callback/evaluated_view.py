"""`EvaluatedView`: a view that compares the model's answers with the truth, with features and maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import keras
import numpy as np

from ..explain.layer_maps import LayerMaps
from ..fit_context import Request
from ..maths.confidence import AnswerScores
from ..taps.layer_selection import penultimate
from ..taps.reader import OUTPUT, Capture, Captured, Reader
from ..taps.scores import check_looked_through, score_for
from ..taps.task import Task, task_of, truth_of
from .explained_view import labels_of_output
from .probe_view import ProbeView
from .types import ARGUMENTS, VALIDATION

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Evaluation:
    """What the model makes of the rows of a probe.

    Attributes:
        answer_scores: of its answers; `None` for a regression or a reconstruction.
        true_score: `(n,)`, how good each answer is: the probability of the true class, or minus the squared error.
        features: `(n, d)`; `None`: there are none.
        true_maps: Grad-CAM of what is true, `(n, *spatial)`; `None`: there are none.
        predicted_maps: of what is predicted.
    """

    answer_scores: AnswerScores | None
    true_score: Array
    features: Array | None = None
    true_maps: Array | None = None
    predicted_maps: Array | None = None


class EvaluatedView(ProbeView):
    """A view that holds the model's answers beside the truth.

    Args:
        log_dir: where TensorBoard looks.
        validation_data: with labels, or with the targets of a regression; see `ProbeView`.
        layer: whose Grad-CAM; `None`: the last output with more than one position on the way to the score.
        features: whose output are the features, averaged over positions; `None`: what feeds the last layer that has a
            kernel.
        score: `"logits"`: what feeds the softmax or sigmoid; or `"output"`.
        options: `training_data`, `count` (500), `class_names`, `display`, and those of `View`.

    Attributes:
        task: what the model is asked for.
        labels: by source, the classes `(n,)`; `None` where there are none.
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
        """Find what the model is asked for, the features and the maps.

        Raises:
            ValueError: no truth to judge by, an answer for each position, an unknown layer, one without maps.
        """
        self._head, self._out = reader.head, Capture(OUTPUT)
        self.labels, self._truth = {}, {}
        tasks = {source: self._task_of_source(self.readers[source], source) for source in self.probes}
        self.task = tasks[VALIDATION]
        for source, task in tasks.items():
            if task.kind != self.task.kind:
                raise ValueError(
                    f"{ARGUMENTS[source]}: its y says {task.kind}, that of validation_data {self.task.kind}; pass both "
                    "sets in the same form."
                )
        self._features = self._maps = None
        call = None if self.features is None else reader.resolve(self.features, argument="features")
        if self.layer is not None:
            reader.resolve(self.layer)
        if self.task.kind == "classes":
            call = penultimate(reader) if call is None else call
            self._features = None if call is None else Capture(call.path, reduce=_mean_over_positions)
            self.features_path = "" if call is None else call.path
        if self.task.kind in ("classes", "labels"):
            self._maps = self._map_taps(reader)
        explained = self.probes if self._maps is not None else ()
        self._targets = {s: self.task.targets(self.readers[s], self._truth[s], self.score.of) for s in explained}

    def _task_of_source(self, reader: Reader, source: str) -> Task:
        """What is true of each row of a source, noted, and what the model is therefore asked for."""
        probe, labels = self.probes[source], labels_of_output(reader, self.probes[source])
        task = task_of(reader, probe, labels.numbers)
        shape = (None, *reader.output_shapes[0])
        if task.kind == "positions":
            raise ValueError(
                f'model "{reader.model.name}": it answers for each position, with an output of shape {shape}; '
                f"{type(self).__name__} judges one answer an input. Look at such a model with GradCAM or "
                "ActivationMaps."
            )
        truth = truth_of(task, reader, probe, labels.numbers)
        if truth is None:
            why = labels.why_none or f"y does not fit the output of shape {shape}"
            raise ValueError(
                f"{ARGUMENTS[source]}: has nothing to judge the answers by ({why}); pass (x, y) with class numbers or "
                "one-hot rows (of soft labels y.argmax(-1)), with rows of 0 and 1 where several labels may be true, or "
                "with the targets of a regression."
            )
        if task.kind == "classes" and not 0 <= truth.min() <= truth.max() < task.choices:
            raise ValueError(
                f"{ARGUMENTS[source]}: holds class {int(truth.max())}, but the model's output has {task.choices} "
                f"classes; expected 0 to {task.choices - 1}."
            )
        self.labels[source], self._truth[source] = labels.numbers, truth
        return task

    def _map_taps(self, reader: Reader) -> tuple[Capture, Capture] | None:
        true, predicted = self.task.scores(self.score.of)
        try:
            explained = LayerMaps(reader, self.layer, predicted, "grad_cam")
        except ValueError:
            if self.layer is not None:
                raise
            return None  # no output of this model has positions: a network of dense layers, say
        self.maps_path = explained.call.path
        return explained.within_pass(true), explained.within_pass(predicted)

    def request(self, source: str) -> Request:
        """The answers, the features, and the maps of two classes."""
        captures = [self._out, *([self._features] if self._features else []), *(self._maps or ())]
        return Request(tuple(captures), targets=self._targets.get(source, {}))

    def check(self, captured: dict[str, dict[Capture, Captured]]) -> None:
        """A softmax that is there but was not found would make maps of nothing."""
        if self.task.kind == "classes":
            check_looked_through(self.score, self._head, captured[VALIDATION][self._out].output)

    def evaluate(self, captured: dict[Capture, Captured], source: str) -> Evaluation:
        """What the model makes of each row now."""
        output, truth = captured[self._out].output, self._truth[source]
        if self.task.kind == "values":
            away = output.reshape(len(output), -1).astype(np.float64) - truth.reshape(len(truth), -1)
            return Evaluation(None, -np.square(away).mean(axis=1))
        answer_scores = self.task.answer_scores(output, truth)
        features = captured[self._features].output if self._features else None
        maps = [captured[capture].output for capture in self._maps or ()] or [None, None]
        return Evaluation(answer_scores, answer_scores.true, features, *maps)

    def truth(self, source: str) -> Array:
        """What is true of each row: classes `(n,)`, 0 and 1 `(n, labels)`, or what should have come out."""
        return self._truth[source]

    def summary(self) -> str:
        """The view, and what it reads: the features, then the maps."""
        read = [*([self.features_path] if self._features else []), *([self.maps_path] if self._maps else [])]
        return type(self).__name__ + (f" of {', '.join(read)}" if read else "")


def _mean_over_positions(output: Any, choice: Any) -> Any:
    """`(n, d)`: outputs with positions by their mean, as a global pooling makes it."""
    if len(output.shape) == 1:
        return output[:, None]
    axes = tuple(range(1, len(output.shape) - 1))
    return keras.ops.mean(output, axis=axes) if axes else output
