"""What a training does that goes wrong, or ends early: it is as it would have been alone, and nothing stays behind."""

import copy
import gc
import logging
import os
import pickle
import signal
import threading
import time
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
from harness import autoencoder, classifier, fit, pictures, runs, same_weights

import kerasviz_callbacks as kv
from kerasviz_callbacks.record.step_queue import Admission
from kerasviz_callbacks.taps.reader import Reader

DATA = pictures()
VALIDATION = (DATA.x_val, DATA.y_val)
GIVEN = {"training_data": (DATA.x, DATA.y), "count": 6}
OF_CLASSIFIERS = (
    kv.WeightHeatmaps,
    kv.ActivationMaps,
    kv.NeuronResponses,
    kv.FilterOverlap,
    kv.GradCAM,
    kv.Attribution,
)
OF_CODES = (kv.LatentTrajectory, kv.LatentProfiles, kv.Reconstructions)
EXPLODING = {
    "classifier": (classifier, DATA.y, OF_CLASSIFIERS),
    "autoencoder": (autoencoder, DATA.x, OF_CODES),
}


def exploded(build, y, views=(), **options):
    """A training whose every step makes the weights larger, until they are infinite and then no numbers."""
    keras.utils.set_random_seed(7)
    model = build()
    model.optimizer.learning_rate = 1e12
    history = fit(model, DATA.x, y, views, epochs=4, **options)
    return model.get_weights(), history.history


@pytest.mark.slow
@pytest.mark.fault(
    "weights and activations explode to infinity and NaN", "the training is the same, every step is logged"
)
@pytest.mark.parametrize("kind", EXPLODING)
def test_a_training_that_explodes(kind, tmp_path):
    build, y, kinds = EXPLODING[kind]
    views = [
        kv.FilterImages(tmp_path),
        kv.Coefficients(tmp_path),
        *(one(tmp_path, VALIDATION, **GIVEN) for one in kinds),
    ]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        weights, history = exploded(build, y, views)
    alone = exploded(build, y)
    assert same_weights(weights, alone[0])
    np.testing.assert_equal(history, alone[1])
    assert not all(np.isfinite(weight).all() for weight in weights)
    ours = [str(one.message) for one in told]
    assert len(ours) <= 1, ours
    assert all("NaN" in one for one in ours), "only a view that leaves such steps out says so, once"
    found = runs(tmp_path)
    for run in found.values():
        for tag, steps in run.pictures.items():
            assert list(steps)[:1] == [-1]
            assert "latent/" in tag or list(steps) == [-1, 0, 1, 2, 3], tag
        assert all(np.isfinite(list(steps.values())).all() for steps in run.scalars.values())


@pytest.mark.fault("`stop_training` is set by the user", "the last epoch is drawn, the training is the same")
def test_a_training_that_the_user_stops(tmp_path):
    def stopped(views=()):
        keras.utils.set_random_seed(7)
        model = classifier()

        class Stop(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                self.model.stop_training = epoch == 2

        history = fit(model, DATA.x, DATA.y, [*views, Stop()], epochs=50)
        return model.get_weights(), history.history

    views = [kv.FilterImages(tmp_path, freq=5), kv.GradCAM(tmp_path, VALIDATION, freq=2)]
    weights, history = stopped(views)
    alone = stopped()
    assert same_weights(weights, alone[0])
    assert history == alone[1]
    found = runs(tmp_path)
    assert list(found["views/model"].pictures["filters/conv2"]) == [-1, 0, 2]
    assert list(found["views/validation"].pictures["grad_cam/conv2"]) == [-1, 0, 2]


@pytest.mark.fault(
    "Ctrl-C while the last pictures are waited for", "`fit` ends at once, the pictures are written all the same"
)
def test_one_ctrl_c_is_enough_while_the_last_pictures_are_drawn(tmp_path):
    release = threading.Event()

    class Slow(kv.FilterImages):
        def draw(self, measured):
            if next(iter(measured.values())).step == 1:
                release.wait(60)
            yield from super().draw(measured)

        def on_train_end(self, logs=None):
            threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
            super().on_train_end(logs)

    view = Slow(tmp_path)
    with pytest.warns(UserWarning, match="still being written"), pytest.raises(KeyboardInterrupt):
        fit(classifier(), DATA.x, DATA.y, [view], epochs=2)
    assert not view.in_fit
    release.set()
    deadline = time.monotonic() + 20
    while threading.active_count() > 1 and ours() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list(runs(tmp_path)["views/model"].pictures["filters/conv2"]) == [-1, 0, 1]


def ours() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "kerasviz_callbacks"]


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0


@pytest.mark.slow
@pytest.mark.fault("eight fits in a row, and copies", "no thread, file or graph stays behind, nothing is traced again")
def test_fits_in_a_row_leave_nothing_behind(tmp_path, caplog):
    gc.collect()
    readers = [one for one in gc.get_objects() if type(one) is Reader]  # of what else ran in this process
    model = classifier()
    view = kv.Visualizer(tmp_path / "same", VALIDATION, **GIVEN)
    for number in range(8):
        callback = view if number % 2 else pickle.loads(pickle.dumps(copy.deepcopy(view)))
        with caplog.at_level(logging.WARNING, logger="tensorflow"):
            fit(model, DATA.x, DATA.y, [callback], epochs=2)
        if number == 1:
            gc.collect()
            files = open_files()
    del callback
    gc.collect()
    assert not ours()
    assert open_files() <= files
    assert not [one for one in gc.get_objects() if type(one) is Reader and all(one is not known for known in readers)]
    assert "retracing" not in caplog.text
    assert len(list((tmp_path / "same").iterdir())) == 8, "runs of its own for each"


@pytest.mark.slow
@pytest.mark.fault("the user's own callback raises between two of ours", "what the first had seen is drawn")
def test_what_was_seen_before_a_callback_in_between_raised_is_drawn(tmp_path):
    class Raise(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise ZeroDivisionError

    def died():
        views = [kv.FilterImages(tmp_path), Raise(), kv.GradCAM(tmp_path, VALIDATION)]
        try:
            fit(classifier(), DATA.x, DATA.y, views)
        except ZeroDivisionError:
            return
        pytest.fail("it did not raise")

    died()
    deadline, steps = time.monotonic() + 20, []
    while steps != [-1, 0, 1] and time.monotonic() < deadline:
        gc.collect()
        steps = list(runs(tmp_path)["views/model"].pictures["filters/conv2"])
    assert steps == [-1, 0, 1]
    assert list(runs(tmp_path)["views/validation"].pictures["grad_cam/conv2"]) == [-1, 0]


@pytest.mark.slow
@pytest.mark.fault("an early stop while drawing is behind", "the last epoch is drawn all the same")
def test_the_last_epoch_is_drawn_though_drawing_was_behind(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("kerasviz_callbacks.record.step_queue.MAX_LAG", 0.05)
    release = threading.Event()

    class Slow(kv.FilterImages):
        def draw(self, measured):
            if next(iter(measured.values())).step == 0:
                release.wait(30)
            yield from super().draw(measured)

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            time.sleep(0.2)  # longer than drawing may be behind

        def on_epoch_end(self, epoch, logs=None):
            if epoch == 3:
                self.model.stop_training = True
                release.set()

    views = [Slow(tmp_path), kv.GradCAM(tmp_path, VALIDATION)]
    fit(classifier(), DATA.x, DATA.y, [*views, Stop()], epochs=50, verbose=2)
    found = runs(tmp_path)
    assert list(found["views/model"].pictures["filters/conv2"]) == [-1, 0, 3]
    assert list(found["views/validation"].pictures["grad_cam/conv2"]) == [-1, 0, 3]
    assert list(found["views/model"].scalars["health/conv2/norm"]) == [-1, 0, 1, 2, 3]
    assert "(2 steps not drawn" in capsys.readouterr().out


@pytest.mark.slow
def test_weights_that_come_with_the_first_batch_are_looked_at_too(tmp_path):
    """A model without an Input has none when training begins: what is known of none must not stand for them."""
    layers = [keras.layers.Conv2D(4, 3, name="conv1"), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)]
    model = keras.Sequential(layers)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    seen = []

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(view._running[0].fit_context.fingerprint())

    view = kv.Visualizer(tmp_path, views=["FilterImages"], freq=2)
    fit(model, DATA.x, DATA.y, [view, Look()], epochs=3)
    assert len(set(seen)) == 3


@pytest.mark.slow
def test_an_epoch_that_could_not_be_measured_is_not_drawn_as_the_one_before(tmp_path, monkeypatch):
    def admit(self, step, *, force, draw=True):
        return Admission(measure=True, draw=force or step < 2)

    monkeypatch.setattr("kerasviz_callbacks.record.step_queue.StepQueue.admit", admit)
    monkeypatch.setattr("kerasviz_callbacks.record.step_queue.StepQueue.left_out", lambda self, step: step >= 2)

    class Broken(kv.FilterImages):
        def measure(self, captured, source, step):
            if step == 3:
                raise RuntimeError("broken at 3")
            return super().measure(captured, source, step)

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 3

    with pytest.warns(UserWarning, match="could not measure"):
        fit(classifier(), DATA.x, DATA.y, [Broken(tmp_path), Stop()], epochs=50)
    assert list(runs(tmp_path)["views/model"].pictures["filters/conv2"]) == [-1, 0, 1]
