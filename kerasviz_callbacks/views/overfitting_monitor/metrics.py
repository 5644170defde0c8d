"""The metrics of overfitting, from the evaluation of a set of rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...callback.evaluated_view import Evaluation
from ...maths.classes import FeatureDistances, knn_accuracy, silhouette, within_to_between
from ...maths.confidence import overconfidence
from ...maths.map_change import empty, map_distance, true_versus_predicted

Array = np.ndarray[Any, Any]


def metrics_of(
    now: Evaluation, labels: Array | None, maps_then: Array | None
) -> tuple[dict[str, float], tuple[int, int]]:
    """The figures of overfitting that can be had, by name, and how many rows do not count in those of maps.

    Args:
        now: what the model makes of the rows.
        labels: their classes `(n,)`; `None`: they have none.
        maps_then: the maps of what is true at the best epoch; `None`: there was none yet.
    """
    found: dict[str, float] = {}
    if now.answer_scores is not None:
        found["overconfidence"] = overconfidence(now.answer_scores)
    if now.features is not None and labels is not None:
        rows = FeatureDistances(now.features)
        found["knn"] = knn_accuracy(rows, labels)
        found["silhouette"] = silhouette(rows, labels)
        found["nc1"] = within_to_between(rows, labels)
    if now.true_maps is None or now.predicted_maps is None or now.answer_scores is None:
        return found, (0, 0)
    if maps_then is not None:
        moved, left_out = map_distance(now.true_maps, maps_then)
    else:
        moved, left_out = np.nan, int(empty(now.true_maps).sum())
    between = true_versus_predicted(now.true_maps, now.predicted_maps, ~now.answer_scores.wrong_rows)
    found |= {"cam_drift": moved, "cam_true_vs_predicted": between.mean}
    return found, (left_out, between.left_out)
