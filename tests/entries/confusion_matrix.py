"""`ConfusionMatrix` in the harness."""

import numpy as np
from harness import STEPS, Entry, Run, classifier
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix

import kerasviz_callbacks as kv


def as_scikit_learn_has_it(run: Run) -> None:
    """At every step of both sets, from the model's own predictions."""
    for step in STEPS:
        model = run.model_at(step)
        for source, probe in run.view.probes.items():
            measured = run.view.measured[source, step]
            predicted = model(probe.inputs).numpy().argmax(axis=1)
            counts = confusion_matrix(probe.labels, predicted, labels=range(3))
            np.testing.assert_array_equal(measured.data.counts[0], counts)
            shares = confusion_matrix(probe.labels, predicted, labels=range(3), normalize="true")
            np.testing.assert_allclose(measured.data.values[0], shares, atol=1e-12)
            found = measured.scalars
            of_data = 1 / np.bincount(probe.labels)[probe.labels]  # the data hold as many of each class
            accuracy = accuracy_score(probe.labels, predicted, sample_weight=of_data)
            assert np.isclose(found["confusion/accuracy"], accuracy)
            assert np.isclose(found["confusion/balanced_accuracy"], balanced_accuracy_score(probe.labels, predicted))


ENTRY = Entry(
    kv.ConfusionMatrix,
    classifier,
    options={"count": 11},
    tags=frozenset({"confusion/answer"}),
    scalars=frozenset({"confusion/accuracy", "confusion/balanced_accuracy"}),
    poison="conv1",
    known=as_scikit_learn_has_it,
    largest=lambda measured: {"confusion": 1.0},
    still=lambda run, tag, picture: picture[110:150, 60:250],  # the names of the columns
)
