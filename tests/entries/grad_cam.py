"""`GradCAM` in the harness."""

import keras
import numpy as np
from harness import STEPS, Entry, Run, classifier, probe_pictures_stay

import kerasviz_callbacks as kv


def maps_are_the_closed_form(run: Run) -> None:
    """After a global mean and a dense layer, Grad-CAM of logit k is `relu(A . W[:, k]) / (h w)`."""
    for step in STEPS:
        model = run.model_at(step)
        for source, probe in run.view.probes.items():
            maps, answer = run.view.measured[source, step].numbers
            np.testing.assert_array_equal(maps, kv.class_activation_map(model, probe.inputs))
            activation = keras.Model(model.input, model.get_layer("conv2").output)(probe.inputs).numpy()
            predicted = model(probe.inputs).numpy()
            np.testing.assert_array_equal(answer.classes, predicted.argmax(axis=-1))
            np.testing.assert_allclose(answer.confidence, predicted.max(axis=-1), rtol=1e-5)
            weight = model.get_layer("answer").kernel.numpy()[:, predicted.argmax(axis=-1)]
            closed = np.maximum(np.einsum("nhwc,cn->nhw", activation, weight), 0) / (4 * 4)
            np.testing.assert_allclose(maps, closed, atol=1e-6 * max(closed.max(), 1e-3))


ENTRY = Entry(
    kv.GradCAM,
    classifier,
    tags=frozenset({"grad_cam/conv2"}),
    scalars=frozenset(),
    poison="conv1",
    known=maps_are_the_closed_form,
    largest=lambda measured: {"conv2": float(measured.numbers[0].max())},
    still=probe_pictures_stay,
)
