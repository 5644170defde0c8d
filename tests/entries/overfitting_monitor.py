"""`OverfittingMonitor` in the harness, and its metrics computed independently."""

import keras
import numpy as np
import pytest
from harness import STEPS, Entry, Run, classifier
from scipy.spatial.distance import cosine
from sklearn.metrics import accuracy_score, silhouette_score
from sklearn.neighbors import NearestNeighbors

import kerasviz_callbacks as kv


def by_hand(model, x, y, best_maps):
    """The six metrics from the model's own layers, scikit-learn and scipy; maps by their closed form."""
    inner = keras.Model(model.input, [model.get_layer(name).output for name in ("conv2", "mean", "answer")])
    maps, features, shares = (part.numpy().astype(np.float64) for part in inner(x))
    kernel = model.get_layer("answer").kernel.numpy().astype(np.float64)
    predicted = shares.argmax(axis=1)
    near = NearestNeighbors(n_neighbors=5).fit(features).kneighbors()[1]
    centre = features.mean(axis=0)
    means = {label: features[y == label].mean(axis=0) for label in np.unique(y)}
    within = sum(((row - means[label]) ** 2).sum() for row, label in zip(features, y, strict=True))
    between = sum((y == label).sum() * ((mean - centre) ** 2).sum() for label, mean in means.items())

    def cam(classes):
        return np.maximum(np.einsum("nhwc,cn->nhw", maps, kernel[:, classes]), 0).reshape(len(x), -1)

    true, said = cam(y), cam(predicted)
    apart = []
    for row in range(len(x)):
        if predicted[row] == y[row]:
            apart.append(0.0)
        elif true[row].any() or said[row].any():
            both = true[row].any() and said[row].any()
            apart.append(cosine(true[row], said[row]) if both else 1.0)
    best = true if best_maps is None else best_maps
    moved = [cosine(a, b) for a, b in zip(true, best, strict=True) if a.any() and b.any()]
    return true, {
        "overconfidence": shares.max(axis=1).mean() - accuracy_score(y, predicted),
        "knn": np.mean([np.mean(y[near[y == label]] == label) for label in np.unique(y)]),
        "silhouette": silhouette_score(features, y),
        "nc1": within / between,
        "cam_drift": np.mean(moved),
        "cam_true_vs_predicted": np.mean(apart),
    }


def metrics_are_those_by_hand(run: Run) -> None:
    """At every step of both sets; without a validation loss there is no drift."""
    for step in STEPS:
        model = run.model_at(step)
        for source, probe in run.view.probes.items():
            found = run.view.measured[source, step].scalars
            _, expected = by_hand(model, probe.inputs, probe.labels, None)
            assert np.isnan(found["overfitting/cam_drift"])
            for name in set(expected) - {"cam_drift"}:
                assert found[f"overfitting/{name}"] == pytest.approx(expected[name], abs=2e-5), f"{name} at {step}"


ENTRY = Entry(
    kv.OverfittingMonitor,
    classifier,
    tags=frozenset(),
    beside=frozenset({"overfitting/summary"}),
    scalars=frozenset(
        f"overfitting/{name}"
        for name in ("overconfidence", "knn", "silhouette", "nc1", "cam_true_vs_predicted", "cam_empty")
    ),
    poison="conv1",
    known=metrics_are_those_by_hand,
    largest=lambda measured: {
        f"window {name} up": values[-1] for name, (_, values) in measured.data.histories.items() if values
    },
    still=lambda run, tag, picture: picture[45:85, 680:880],  # which line is which
)
