"""`GradCAM` in the harness."""

import keras
import numpy as np
from harness import STEPS, Entry, Run, classifier, places_of, probe_pictures_stay, read

import kerasviz_callbacks as kv


def maps_are_the_closed_form(run: Run) -> None:
    """After a global mean and a dense layer, Grad-CAM of logit k is `relu(A . W[:, k]) / (h w)`."""
    for step in STEPS:
        model = run.model_at(step)
        for source, probe in run.view.probes.items():
            maps, answer = run.view.measured[source, step].data
            np.testing.assert_array_equal(maps, kv.class_activation_map(model, probe.inputs))
            activation = keras.Model(model.input, model.get_layer("conv2").output)(probe.inputs).numpy()
            predicted = model(probe.inputs).numpy()
            np.testing.assert_array_equal(answer.classes, predicted.argmax(axis=-1))
            np.testing.assert_allclose(answer.confidence, predicted.max(axis=-1), rtol=1e-5)
            weight = model.get_layer("answer").kernel.numpy()[:, predicted.argmax(axis=-1)]
            closed = np.maximum(np.einsum("nhwc,cn->nhw", activation, weight), 0) / (4 * 4)
            np.testing.assert_allclose(maps, closed, atol=1e-6 * max(closed.max(), 1e-3))
    each_half_shows_its_own_rows(run)


def each_half_shows_its_own_rows(run: Run) -> None:
    """On the sheet of both, training pictures stand left of the middle in their order, validation pictures right."""
    found = read(run.log_dir / "views" / "validation")
    for step in STEPS:
        sheet = found.picture("grad_cam/conv2/train_and_validation", step)
        middle = sheet.shape[1] // 2
        columns = []
        for source in ("train", "validation"):
            side = 96 // 8
            tiles = [one.repeat(side, 0).repeat(side, 1) for one in run.view.probe_display.pictures(source)]
            list_layers = [places_of(tile, sheet) for tile in tiles]
            assert [len(at) for at in list_layers] == [1] * 6
            assert [at[0] for at in list_layers] == sorted(at[0] for at in list_layers), "row by row"
            columns.append({at[0][1] for at in list_layers})
        assert len(columns[0]) == len(columns[1]) == 2
        assert max(columns[0]) < middle < min(columns[1])


ENTRY = Entry(
    kv.GradCAM,
    classifier,
    tags=frozenset({"grad_cam/conv2"}),
    beside=frozenset({"grad_cam/conv2/train_and_validation"}),
    scalars=frozenset(),
    poison="conv1",
    known=maps_are_the_closed_form,
    largest=lambda measured: {"conv2": float(measured.data[0].max())},
    still=probe_pictures_stay,
)
