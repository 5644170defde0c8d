"""`Attribution` in the harness."""

import numpy as np
import tensorflow as tf
from harness import STEPS, Entry, Run, classifier, probe_pictures_stay, reach_of

import kerasviz_callbacks as kv

PIECES = 4


def maps_are_integrated_gradients(run: Run) -> None:
    """`x` times the mean gradient of the predicted class' logit at the midpoints of the way from black, by a tape."""
    for step in STEPS:
        model = run.model_at(step)
        logits = tf.keras.Sequential(model.layers[:-1])
        answer = model.get_layer("answer")
        for source, probe in run.view.probes.items():
            maps, predicted, completeness = run.view.measured[source, step].data
            x = tf.constant(probe.inputs)
            classes = model(x).numpy().argmax(axis=-1)
            np.testing.assert_array_equal(predicted.classes, classes)

            def score(inputs, classes=classes, logits=logits, answer=answer):
                values = logits(inputs) @ answer.kernel + answer.bias
                return tf.gather(values, classes, batch_dims=1)

            total = np.zeros(x.shape)
            for piece in range(PIECES):
                point = x * (piece + 0.5) / PIECES
                with tf.GradientTape() as tape:
                    tape.watch(point)
                    value = score(point)
                total += tape.gradient(value, point).numpy()
            wanted = (x.numpy() * total / PIECES)[..., 0]
            np.testing.assert_allclose(maps["input"], wanted, atol=1e-5 * np.abs(wanted).max())
            rise = score(x).numpy() - score(tf.zeros_like(x)).numpy()
            error = np.abs(wanted.sum(axis=(1, 2)) - rise).sum() / np.abs(rise).sum()
            np.testing.assert_allclose(completeness, error, atol=1e-4)


ENTRY = Entry(
    kv.Attribution,
    classifier,
    options={"steps": PIECES},
    tags=frozenset({"integrated_gradients/input"}),
    scalars=frozenset({"integrated_gradients/completeness_error"}),
    poison="conv1",
    known=maps_are_integrated_gradients,
    largest=lambda measured: {"input": reach_of(measured.data[0]["input"])},
    still=probe_pictures_stay,
)
