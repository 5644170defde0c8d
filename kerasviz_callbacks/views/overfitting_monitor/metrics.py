"""Metrics of overfitting, computed from the evaluation of a data set."""

from __future__ import annotations

import numpy as np

from ..._typing import Array
from ...callback.evaluated_view import Evaluation
from ...maths.classes import FeatureDistances, knn_accuracy, silhouette, within_to_between
from ...maths.confidence import overconfidence
from ...maths.map_change import empty, map_distance, true_versus_predicted


def metrics_of(
    now: Evaluation, labels: Array | None, maps_then: Array | None
) -> tuple[dict[str, float], tuple[int, int]]:
    """Compute the metrics of overfitting that are available for a model and its data.

    Args:
        now: evaluation of the rows at this step.
        labels: their classes `(n,)`; `None` without labels.
        maps_then: Grad-CAM of the true class at the best epoch, `(n, *spatial)`; `None` without a best epoch.

    Returns:
        The metrics by name, and the number of rows excluded from `cam_drift` and from `cam_true_vs_predicted`.
    """
    found: dict[str, float] = {}
    if now.answer_scores is not None:
        found["overconfidence"] = overconfidence(now.answer_scores)
    if now.features is not None and labels is not None:
        distances = FeatureDistances(now.features)
        found["knn"] = knn_accuracy(distances, labels)
        found["silhouette"] = silhouette(distances, labels)
        found["nc1"] = within_to_between(distances, labels)
    if now.true_maps is None or now.predicted_maps is None or now.answer_scores is None:
        return found, (0, 0)
    if maps_then is not None:
        drift, excluded = map_distance(now.true_maps, maps_then)
    else:
        drift, excluded = np.nan, int(empty(now.true_maps).sum())
    between = true_versus_predicted(now.true_maps, now.predicted_maps, ~now.answer_scores.wrong_rows)
    found |= {"cam_drift": drift, "cam_true_vs_predicted": between.mean}
    return found, (excluded, between.left_out)
