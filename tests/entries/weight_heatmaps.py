"""`WeightHeatmaps` in the harness."""

from types import SimpleNamespace

import keras
import numpy as np
from harness import STEPS, Entry, Run, classifier, reached, read

import kerasviz_callbacks as kv
from kerasviz_callbacks.draw.sheet import header_height

CLIP = {"clipnorm": 0.05}
LAYERS = {"conv1": 0, "conv2": 2, "answer": 4}


def steps_are_the_models_own(run: Run) -> None:
    """Left the weights; in the middle what the model itself makes of them in one step on the training rows."""
    scalars = read(run.log_dir / "views" / "model").scalars
    probe = run.view.probes["train"]

    def after(step: int, **clip: float) -> list[np.ndarray]:
        model = classifier(jit_compile=False)
        model.set_weights(run.weights[step])
        model.compile(keras.optimizers.SGD(0.3, **clip), "sparse_categorical_crossentropy", jit_compile=False)
        model.train_on_batch(probe.inputs, probe.targets)
        return model.get_weights()

    for step in STEPS:
        before, clipped, whole = run.weights[step], after(step, **CLIP), after(step)
        for path, number in LAYERS.items():
            seen = run.view.measured["model", step].data[path]
            start, end, free = (weights[number] for weights in (before, clipped, whole))
            matrix = start.reshape(-1, start.shape[-1])
            np.testing.assert_array_equal(seen.weights, matrix)
            np.testing.assert_allclose(seen.after, end.reshape(matrix.shape), atol=1e-6)
            np.testing.assert_allclose(seen.difference, (end - start).reshape(matrix.shape), atol=1e-6)
            assert abs(seen.weights[seen.mark]) == np.abs(start).max()
            # Plain descent goes along the gradient, as far as it is long.
            share = 1 - np.linalg.norm(end - start) / np.linalg.norm(free - start)
            np.testing.assert_allclose(scalars[f"health/{path}/removed"][step], share, atol=1e-3)


def matrices_reach(measured) -> dict[str, float]:
    shown = {}
    for path, seen in measured.data.items():
        shown[path] = np.stack([seen.weights, seen.after])
        shown[f"{path} difference" if measured.step >= 0 else f"{path} untrained difference"] = seen.difference
    return reached(SimpleNamespace(data=shown))


ENTRY = Entry(
    kv.WeightHeatmaps,
    classifier,
    options={"clip": CLIP},
    tags=frozenset(f"weights/{path}" for path in LAYERS),
    scalars=frozenset(f"health/{path}/removed" for path in LAYERS),
    poison="conv1",
    sources=("model",),
    known=steps_are_the_models_own,
    largest=matrices_reach,
    still=lambda run, tag, picture: picture[: header_height(picture.shape[1], "two\nlines") + 20],
)
