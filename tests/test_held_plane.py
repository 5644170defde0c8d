"""Acceptance on a real run: the plane of the trajectory is held, and the pictures are the same again."""

import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from harness import decoded
from keras import layers

import kerasviz_callbacks as kv

sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))
from fashion import load

EPOCHS = 30
pytestmark = pytest.mark.slow


class Watched(kv.LatentTrajectory):
    """Notes the codes and the plane of each step."""

    def measure(self, captured, source, step):
        measured = super().measure(captured, source, step)
        if source == "validation":
            codes = captured[self._capture].output.astype(np.float64)
            self.steps.append((step, codes, self.memory.shared["plane"]))
        return measured


def run(directory):
    (x, y), (x_test, y_test), _ = load()
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(8, name="codes"),
            layers.Dense(64, activation="relu"),
            layers.Dense(784, activation="sigmoid"),
            layers.Reshape((28, 28, 1)),
        ]
    )
    model.compile("adam", "binary_crossentropy")
    view = Watched(
        directory / "logs", (x_test, y_test), training_data=(x[:1500], y[:1500]), save_dir=directory, on_error="raise"
    )
    view.steps = []
    model.fit(x[:1500], x[:1500], epochs=EPOCHS, batch_size=64, verbose=0, callbacks=[view])
    found = (directory / "views").rglob("*.png")
    pictures = {path.relative_to(directory): decoded(path.read_bytes()).tobytes() for path in found}
    return view.steps, pictures


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return [run(tmp_path_factory.mktemp("run")) for _ in range(2)]


def test_the_axes_stay_the_same_to_the_bit_in_at_least_85_percent_of_the_epochs(runs):
    steps, _ = runs[0]
    assert [step for step, _, _ in steps] == list(range(-1, EPOCHS))
    bases = [plane.basis.tobytes() for _, _, plane in steps[1:]]
    held = sum(now == before for now, before in zip(bases[1:], bases[:-1], strict=True))
    assert held >= 0.85 * EPOCHS, held


def test_at_every_step_the_plane_shows_enough_or_is_new_or_the_cloud_has_collapsed(runs):
    largest = 0.0
    for step, codes, plane in runs[0][0]:
        centred = codes - codes.mean(axis=0)
        covariance = centred.T @ centred / len(codes)
        best = np.linalg.eigvalsh(covariance)[-2:].sum()
        shown = np.trace(plane.basis.T @ covariance @ plane.basis)
        spread = np.sqrt(np.square(centred).sum(axis=1).mean())
        largest = max(largest, spread)
        assert shown >= 0.9 * best * (1 - 1e-12) or plane.fitted_at == step or spread < 0.05 * largest
        assert plane.basis.T @ plane.basis == pytest.approx(np.eye(2), abs=1e-12)


def test_a_second_run_with_the_same_seed_gives_the_same_pictures_to_the_pixel(runs):
    first, second = runs[0][1], runs[1][1]
    assert len(first) == 3 * (EPOCHS + 1), "validation, training, and both in one"
    assert first == second
