"""`DataMap` in the harness."""

import itertools

import keras
import numpy as np
from harness import EPOCHS, Entry, Run, classifier

import kerasviz_callbacks as kv


def as_a_loop_over_the_epochs_has_it(run: Run) -> None:
    """All figures of every row, by the published formulae, from the logits of each epoch computed by hand."""
    for source, probe in run.view.probes.items():
        logits = []
        for step in range(EPOCHS):
            model = run.model_at(step)
            features = model.get_layer("mean").output
            kernel, bias = (weight.numpy().astype(np.float64) for weight in model.get_layer("answer").weights)
            features = keras.Model(model.inputs[0], features)(probe.inputs).numpy().astype(np.float64)
            logits.append(features @ kernel + bias)
            judged = run.view.measured[source, step].data.judged
            np.testing.assert_array_equal(judged.items.index, probe.index)
            _check(judged.table(), logits, probe.labels)
            _check_neighbours(judged.table(), features, probe.labels)
            _check_shares(run.view.measured[source, step].scalars, logits, probe.labels)


def _check(table, logits, labels) -> None:
    for row, label in enumerate(labels):
        rest = [other for other in range(3) if other != label]
        of_row = [one[row] for one in logits]
        probabilities = [np.exp(z[label]) / np.exp(z).sum() for z in of_row]
        right = [z.argmax() == label for z in of_row]
        margin = np.mean([z[label] - max(z[rest]) for z in of_row])
        assert table["label"][row] == label
        assert table["epochs"][row] == len(logits)
        np.testing.assert_allclose(table["confidence"][row], np.mean(probabilities), atol=1e-6)
        np.testing.assert_allclose(table["variability"][row], np.std(probabilities), atol=1e-6)
        assert table["correctness"][row] == np.mean(right)
        np.testing.assert_allclose([table["margin"][row], table["margin_to_the_end"][row]], margin, atol=1e-5)
        assert table["forgetting"][row] == sum(a and not b for a, b in itertools.pairwise(right))
        group = "learned" if right[-1] else "forgotten" if any(right) else "never learned"
        assert table["group"][row] == group
        assert table["proposed"][row] == rest[int(np.argmax(of_row[-1][rest]))]
        assert table["doubtful"][row] == (margin < 0)
    assert table["index"][np.argsort(table["doubt_rank"])][0] == table["index"][table["margin"].argmin()]


def _check_neighbours(table, features, labels) -> None:
    for row in range(len(labels)):
        away = np.square(features - features[row]).sum(axis=1)
        away[row] = np.inf
        nearest = np.argsort(away, kind="stable")[: min(10, len(labels) - 1)]
        assert np.isclose(table["knn_disagreement"][row], np.mean(labels[nearest] != labels[row]))


def _check_shares(scalars, logits, labels) -> None:
    right = np.array([one.argmax(axis=1) == labels for one in logits])
    wanted = {
        "learned": right[-1],
        "forgotten": ~right[-1] & right.any(axis=0),
        "never_learned": ~right.any(axis=0),
    }
    of_data = 1 / np.bincount(labels)[labels]  # the data hold as many of each class
    for name, rows in wanted.items():
        assert np.isclose(scalars[f"data_map/{name}"], np.average(rows, weights=of_data))


ENTRY = Entry(
    kv.DataMap,
    classifier,
    options={"count": 12},
    tags=frozenset({"data_map/summary"}),
    scalars=frozenset(f"data_map/{name}" for name in ("learned", "forgotten", "never_learned", "doubtful")),
    poison="conv1",
    known=as_a_loop_over_the_epochs_has_it,
    largest=lambda measured: {},
    still=lambda run, tag, picture: picture[150:195, 60:480],  # the heading of the map
)
