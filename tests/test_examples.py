"""The examples run, briefly, and what they log can be looked at."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from harness import read
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

EXAMPLES = Path(__file__).parent.parent / "examples"
OF_LAYERS = {f"{view}/{layer}" for view in ("activations", "responses", "overlap") for layer in ("conv1", "conv4")}
OF_INPUT = {f"{method}/input" for method in ("integrated_gradients", "guided_backprop", "occlusion", "rise")}
OF_CODES = {"latent/trajectory", "latent/profiles", "reconstructions/pictures", "reconstructions/walk"}
COMPARISON = {f"latent/{name}/train_and_validation" for name in ("trajectory", "profiles")}
TAGS = {  # what each example shows, by run; where it makes two trainings, below a directory each
    "watch_a_classifier": {
        "views/model": {"filters/conv1", "filters/conv4"},
        "views/validation": {
            "activations/conv1",
            "activations/classes",
            "grad_cam/conv4",
            "grad_cam/conv4/train_and_validation",
        },
        "views/train": {"activations/conv1", "activations/classes", "grad_cam/conv4"},
    },
    "watch_the_weights": {
        "views/model": {"filters/hidden", "weights/hidden", "weights/classes", "coefficients/hidden"},
    },
    "watch_the_activations": {
        "calm/views/validation": OF_LAYERS,
        "too_fast/views/validation": OF_LAYERS,
    },
    "explain_a_classifier": {
        "views/validation": {"grad_cam++/conv4", "hires_cam/conv4", *OF_INPUT},
    },
    "watch_an_autoencoder": {
        "views/model": {"filters/encode1"},
        "views/validation": OF_CODES | COMPARISON,
        "views/train": OF_CODES,
    },
    "watch_a_vae": {
        "views/validation": OF_CODES | COMPARISON,
        "views/train": OF_CODES,
    },
    "segment_clothes": {
        "views/model": {"filters/conv2d"},
        "views/validation": {"predictions/mask", "activations/conv2d"},
        "views/train": {"predictions/mask"},
    },
    "denoise_clothes": {
        "views/model": {"filters/conv1"},
        "views/validation": {"predictions/clean", "activations/conv1"},
        "views/train": {"predictions/clean"},
    },
    "watch_a_gan": {
        "views/model": {"generated/generator"},
    },
    "watch_it_cheat": {
        f"{run}/views/{source}": {"grad_cam/conv3"} | ({"overfitting/summary"} if source == "validation" else set())
        for run in ("cheating", "honest")
        for source in ("validation", "train")
    },
    "find_wrong_labels": {
        "views/train": {"data_map/summary"},
    },
    "watch_overfitting": {
        f"{run}/views/{source}": {tag}
        for run in ("healthy", "few_samples", "wrong_labels", "regularised")
        for source, tag in (("validation", "overfitting/summary"), ("train", "data_map/summary"))
    },
}
ONE_EPOCH = {  # the dearest
    "watch_the_activations",
    "explain_a_classifier",
    "watch_an_autoencoder",
    "watch_a_vae",
    "watch_it_cheat",
    "watch_overfitting",
}


def epochs_of(scalar, directory):
    """At which steps a run of Keras' own holds a scalar, by TensorBoard's reader."""
    accumulator = EventAccumulator(str(directory), size_guidance={"tensors": 0})
    accumulator.Reload()
    return [event.step for event in accumulator.Tensors(scalar)]


def test_every_example_is_run_here():
    runnable = {path.stem for path in EXAMPLES.glob("*.py") if "__main__" in path.read_text(encoding="utf-8")}
    assert runnable == set(TAGS)


@pytest.mark.slow  # what each example is made of is tested by default, on small models
@pytest.mark.parametrize("name", TAGS)
def test_an_example_logs_its_views_beside_keras_own_curves(name, tmp_path):
    epochs = 1 if name in ONE_EPOCH else 2
    given = ["--epochs", str(epochs), "--log-dir", str(tmp_path / "logs"), "--save-dir", str(tmp_path / "pictures")]
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py"), *given],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(EXAMPLES.parent)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert f"tensorboard --logdir {tmp_path / 'logs'}  # tab Timeline" in done.stdout
    assert "could not" not in done.stderr, "a view failed"

    written = set()
    for run, tags in TAGS[name].items():
        logged = read(tmp_path / "logs" / run).pictures
        assert tags <= set(logged)
        for tag, steps in logged.items():
            assert sorted(steps) == list(range(-1, epochs)), f"{run}: {tag}"
        written |= {f"{run}/{tag}" for tag in logged}
    for fit in {run.split("views/")[0] for run in TAGS[name]}:
        for run in ("train", "validation"):
            assert epochs_of("epoch_loss", tmp_path / "logs" / fit / run) == list(range(epochs))
    saved = tmp_path / "pictures"
    assert {path.parent.relative_to(saved).as_posix() for path in saved.rglob("*.png")} == written


def test_the_mark_is_small_and_tells_the_class(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    from watch_it_cheat import marked

    pictures = np.full((10, 28, 28, 1), 0.5, "float32")
    changed = marked(pictures, np.arange(10)) != pictures
    assert changed.any(axis=(0, 3)).mean() <= 0.05
    assert not changed[:, 8:].any()  # within the cells whose heat is counted
    assert not changed[:, :, 8:].any()
    assert len({one.tobytes() for one in marked(pictures, np.arange(10))}) == 10
    assert (pictures == 0.5).all()


def test_heat_is_shared_between_the_mark_and_the_rest(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    import watch_it_cheat

    maps = np.zeros((3, 7, 7), "float32")
    maps[0, 1, 1], maps[0, 1, 2], maps[1, 6, 6] = 3, 1, 4
    monkeypatch.setattr(watch_it_cheat.kv, "class_activation_map", lambda model, pictures, target: maps)
    assert watch_it_cheat.shares(None, None, None) == (3 / 8, 3 / 8, 1)
    maps[0] *= 10
    assert watch_it_cheat.shares(None, None, None) == (30 / 44, 3 / 8, 1)


def test_wrong_labels_are_as_many_as_they_are_called(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    from fashion import load
    from watch_overfitting import ARMS, data

    train = load()[0]
    for arm in ARMS.values():
        x, y = data(arm, train)
        true = {picture.tobytes(): label for picture, label in zip(*train, strict=True)}
        wrong = [true[picture.tobytes()] != label for picture, label in zip(x, y, strict=True)]
        assert len(y) == arm.images
        assert np.mean(wrong) == pytest.approx(arm.wrong, abs=2e-3)  # a few images occur twice
