"""What is measured of one data source: the metrics of overfitting, and the data to draw."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..._typing import Array
from ...callback import TRAINING, VALIDATION
from ...callback.evaluated_view import Evaluation
from ...draw.inputs import IntensityRange
from ...draw.overfitting_headline import Answers
from ...draw.text import join_notes
from ...maths.classes import FeatureDistances, knn_accuracy, silhouette, within_to_between
from ...maths.confidence import overconfidence
from ...maths.confusion import accuracies, label_accuracies
from ...maths.map_change import empty, map_distance, true_versus_predicted
from .memorised import Memorised

Histories = dict[str, tuple[tuple[int, ...], tuple[float, ...]]]
MetricHistories = dict[str, tuple[tuple[int, ...], tuple[float | None, ...]]]


@dataclass(frozen=True)
class BestEpoch:
    """State at the best epoch: score of each row `(n,)`, Grad-CAM of the true class `(n, *spatial)`, and accuracy."""

    step: int
    true_score: Array
    maps: Array | None
    accuracy: float = math.nan


@dataclass(frozen=True)
class OverfittingData:
    """The data to draw of one data source, copied because measuring continues while it is drawn."""

    histories: MetricHistories  # steps and values of each metric, by name; None where it tells nothing
    curves: Histories  # epochs and values of the Keras logs, by key
    scales: Mapping[str, float]  # limits of the axes
    best: int | None  # the best epoch, if there is one
    metrics: list[str]  # the keys of the metrics plotted besides the loss
    now: Evaluation  # evaluation of the rows at this step, without what is not drawn
    then: BestEpoch | None  # state at the best epoch, if that was earlier
    left_out: Mapping[str, int]  # number of rows excluded from `cam_drift` and from `cam_true_vs_predicted`
    untrained_loss: float  # mean loss of the rows before training; NaN if it was not measured
    memorised: Memorised | None = None  # doubtful labels of training rows; None where none is looked for, or known


def metrics_of(
    now: Evaluation, labels: Array | None, maps_then: Array | None, row_weights: Array | None = None
) -> tuple[dict[str, float], dict[str, int]]:
    """Compute the available metrics, and count the rows left out of `cam_drift` and `cam_true_vs_predicted`, by name.

    `labels` are classes `(n,)`, `maps_then` the Grad-CAM of the true class at the best epoch, `(n, *spatial)`,
    `row_weights` what each row counts for in `overconfidence`, `(n,)`.
    """
    found: dict[str, float] = {}
    if now.answer_scores is not None:
        found["overconfidence"] = overconfidence(now.answer_scores, row_weights)
    if now.features is not None and labels is not None:
        distances = FeatureDistances(now.features)
        found["knn"] = knn_accuracy(distances, labels)
        found["silhouette"] = silhouette(distances, labels)
        found["nc1"] = within_to_between(distances, labels)
    if now.true_maps is None or now.predicted_maps is None or now.answer_scores is None:
        return found, {}
    drift, excluded = np.nan, int(empty(now.true_maps).sum())
    if maps_then is not None:
        drift, excluded = map_distance(now.true_maps, maps_then)
    between = true_versus_predicted(now.true_maps, now.predicted_maps, ~now.answer_scores.wrong_rows)
    found |= {"cam_drift": drift, "cam_true_vs_predicted": between.mean}
    return found, {"cam_drift": excluded, "cam_true_vs_predicted": between.left_out}


def tells_nothing(name: str, now: Evaluation, left_out: Mapping[str, int]) -> bool:
    """Return whether so many rows are left out of a metric that its value is not to be compared with that of others.

    Of `cam_drift` all rows. Of `cam_true_vs_predicted` most of the wrong ones: right ones count 0, so the mean is low
    by itself.
    """
    count = left_out.get(name, 0)
    if name == "cam_true_vs_predicted" and now.answer_scores is not None:
        return 2 * count > int(now.answer_scores.wrong_rows.sum())
    return count == len(now.true_score)


def empty_in_words(data: OverfittingData, step: int) -> str:
    """Return how many rows have an empty map of the true class, and how many a metric of this step leaves out for that.

    `cam_drift` leaves out rows whose map is empty then or now, `cam_true_vs_predicted` wrong
    ones whose two maps are.
    """
    if data.now.true_maps is None:
        return ""
    count, rows = int(empty(data.now.true_maps).sum()), len(data.now.true_score)
    measured = {name: left for name, left in data.left_out.items() if left and step in data.histories[name][0]}
    left_out = ", ".join(f"{left:,} in {name}" for name, left in measured.items())
    said = f"empty: {count:,} of {rows:,} true-class maps" if count or left_out else ""
    return join_notes(said, f"left out: {left_out}" if left_out else "")


def row_loss(now: Evaluation) -> float:
    """Compute the mean loss of the rows: cross-entropy of the true class (natural logarithm), or mean squared error."""
    if now.answer_scores is None:
        return float(-now.true_score.mean())
    return float(-np.log(np.clip(now.true_score, 1e-12, 1.0)).mean())


def accuracy_of(now: Evaluation, row_weights: Array) -> float:
    """Compute the share of right answers, rows weighted `(n,)`; NaN where they are no single classes or not known."""
    scores = now.answer_scores
    if scores is None or scores.predicted is None or not row_weights.any():
        return math.nan
    return float(np.average(scores.right, weights=row_weights))


def answers_of(
    data: Mapping[str, OverfittingData],
    labels: Array | None,
    ranges: Mapping[str, IntensityRange | None],
    truth: Array | None = None,
) -> Answers:
    """Summarise what the headline needs to know of the observed rows.

    `data` and `ranges`, of the inputs, are by data source; `labels` are the classes of the validation
    rows `(n,)`, if they have one each; `truth` the labels of each, 0 or 1 `(n, k)`, if they have several.
    """
    now = data[VALIDATION].now
    bad = int(np.count_nonzero(~np.isfinite(now.true_score)))
    accuracy = balanced = chance = math.nan
    sizes: tuple[float, ...] = ()
    if now.answer_scores is not None and now.answer_scores.predicted is not None and labels is not None:
        accuracy, balanced = accuracies(labels, np.where(now.answer_scores.right, labels, -1))
        sizes = tuple(np.unique(labels, return_counts=True)[1].tolist())
        chance = max(sizes) / len(labels)
    elif now.answer_scores is not None and truth is not None:
        accuracy, balanced, chance, sizes = label_accuracies(truth, now.answer_scores.right)
    before = data[TRAINING].untrained_loss if TRAINING in data else math.nan
    ratio = data[VALIDATION].untrained_loss / before if before > 0 else math.nan
    training, validation = ranges.get(TRAINING), ranges.get(VALIDATION)
    known = None if training is None or validation is None else (training, validation)
    several = 0 if truth is None else truth.shape[1]
    return Answers(accuracy, chance, len(now.true_score), bad, ratio, known, balanced, sizes, several)
