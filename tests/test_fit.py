"""What happens in `model.fit`: when, beside whom, after what; with the real `fit` and TensorBoard's own reader."""

import copy
import pickle
import shlex
import shutil
import threading
import time
import warnings

import keras
import numpy as np
import pytest
from entries import ENTRIES
from harness import (
    EPOCHS,
    STEPS,
    Weights,
    autoencoder,
    classifier,
    decoded,
    first,
    fit,
    pictures,
    pixels_of,
    places_of,
    quick,
    recorded,
    runs,
    same_weights,
)

import kerasviz_callbacks as kv
from kerasviz_callbacks.taps.reader import Reader

DATA = pictures()
VALIDATION = (DATA.x_val, DATA.y_val)
Filters = recorded(kv.FilterImages)


def kernels(view) -> dict[int, np.ndarray]:
    """By step, the first kernel as the view saw it, `(3, 3, in, out)`."""
    return {step: np.moveaxis(one.data["conv1"], (0, 1), (3, 2)) for (_, step), one in view.measured.items()}


def steps_in(log_dir, tag="filters/conv1", run="views/model") -> list[int]:
    return list(runs(log_dir)[run].pictures[tag])


class Stop(keras.callbacks.Callback):
    """The user's own mistake."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.params["epochs"] and self.model.optimizer.iterations.numpy() > 3 * self.epoch:
            raise ZeroDivisionError("the user's own")


# When.


RULES = [(2, 3, 2, 7), (4, 2, 0, 8), (1, 0, 0, 3), (3, 0, 0, 5), (2, 0, 0, 6), (2, 1, 0, 4), (1, 9, 0, 3), (2, 0, 3, 6)]


@pytest.mark.parametrize(("freq", "start", "initial", "epochs"), first(RULES))
def test_an_epoch_is_drawn_by_the_rule_and_the_last_always(freq, start, initial, epochs, tmp_path):
    wanted = [e for e in range(initial, epochs) if (e >= start and (e - start) % freq == 0) or e == epochs - 1]
    untrained = [-1] if initial == 0 and start == 0 else []
    view = kv.FilterImages(tmp_path, freq=freq, start_from_epoch=start, on_error="raise")
    fit(classifier(run_eagerly=True), DATA.x, DATA.y, [view], epochs=epochs, initial_epoch=initial)
    assert steps_in(tmp_path) == untrained + wanted


def test_a_fit_of_no_epochs_writes_nothing_and_ends_well(tmp_path, capsys):
    fit(classifier(), DATA.x, DATA.y, [kv.FilterImages(tmp_path)], epochs=0, verbose=2)
    assert not list(tmp_path.rglob("*tfevents*"))
    assert "tensorboard" not in capsys.readouterr().out


def test_resuming_goes_on_in_the_same_runs_at_absolute_steps(tmp_path, capsys):
    model, view = classifier(run_eagerly=True), Filters(tmp_path, on_error="raise")
    fit(model, DATA.x, DATA.y, [view], epochs=2)
    scales = dict(view.memory.scales)
    fit(model, DATA.x, DATA.y, [view], epochs=4, initial_epoch=2)
    assert set(runs(tmp_path)) == {"views/model"}
    assert steps_in(tmp_path) == [-1, 0, 1, 2, 3]
    assert all(view.drawn_with[2][key] >= scales[key] for key in scales)
    fit(model, DATA.x, DATA.y, [kv.FilterImages(tmp_path)], epochs=5, initial_epoch=4)
    assert steps_in(tmp_path) == [-1, 0, 1, 2, 3, 4]


@pytest.mark.parametrize("view", quick(["ActivationMaps", "GradCAM"], "GradCAM"))
def test_a_callback_that_resumes_keeps_its_scale_and_its_channels(view, tmp_path):
    model = classifier()
    callback = recorded(getattr(kv, view))(tmp_path, VALIDATION, on_error="raise")
    fit(model, DATA.x, DATA.y, [callback], epochs=2)
    scales, shared = dict(callback.memory.scales), copy.deepcopy(callback.memory.shared)
    model.set_weights([weight / 2 for weight in model.get_weights()])
    fit(model, DATA.x, DATA.y, [callback], epochs=3, initial_epoch=2)
    assert all(callback.drawn_with[2][key] >= scales[key] for key in scales)
    np.testing.assert_equal(callback.memory.shared, shared)


def test_a_second_training_in_the_same_directory_gets_runs_of_its_own_and_says_so(tmp_path, capsys):
    for _ in range(2):
        fit(classifier(), DATA.x, DATA.y, [kv.FilterImages(tmp_path), kv.GradCAM(tmp_path, VALIDATION)], 1, verbose=2)
    said = [line for line in capsys.readouterr().out.splitlines() if "views-2" in line]
    why = "already holds later steps, or another fit writes there"
    remedy = "To go on with one training, pass initial_epoch=n, epochs=n + 1 to fit."
    assert said == [f'kerasviz_callbacks: "{tmp_path}" {why}; this fit is written as views-2/. {remedy}']
    found = runs(tmp_path)
    assert set(found) == {"views/model", "views/validation", "views-2/model", "views-2/validation"}
    for run in found.values():
        assert all(list(steps) == [-1, 0] for steps in run.pictures.values())


@pytest.mark.fault("two `fit` calls, two models, one callback", "the second is shown as a new callback would show it")
def test_the_same_callback_twice_shows_the_second_training_as_a_new_one_would(tmp_path):
    used, last = Filters(tmp_path / "used"), None
    for callback in (used, used, Filters(tmp_path / "new")):
        keras.utils.set_random_seed(3 if last is None else 4)
        last = classifier()
        fit(last, DATA.x, DATA.y, [callback], epochs=2)
    found = runs(tmp_path)
    assert pixels_of(found["used/views-2/model"].pictures) == pixels_of(found["new/views/model"].pictures)
    assert found["used/views/model"].pictures != found["new/views/model"].pictures


# Beside Keras' own callbacks.


def early_stop():
    """Stops after epoch 1, the best being epoch 0: a loss that falls is taken for one that should rise."""
    return keras.callbacks.EarlyStopping("loss", mode="max", patience=1, restore_best_weights=True)


@pytest.mark.fault("`EarlyStopping` restores the best weights", "the last epoch is drawn once more, called restored")
@pytest.mark.parametrize("listed", quick(["before", "after"], "after"))
def test_after_an_early_stop_the_last_epoch_is_drawn_once_more_if_it_was_not(listed, tmp_path):
    model, weights, view = classifier(run_eagerly=True), Weights(), Filters(tmp_path, freq=5, on_error="raise")
    every = kv.FilterImages(tmp_path / "every", on_error="raise")
    stop = early_stop()
    order = [weights, stop, view, every] if listed == "before" else [weights, view, every, stop]
    fit(model, DATA.x, DATA.y, order, epochs=10)
    assert model.history.epoch == [0, 1]
    assert steps_in(tmp_path / "every") == [-1, 0, 1]
    assert steps_in(tmp_path) == [-1, 0, 1]
    restored = listed == "before"
    np.testing.assert_array_equal(kernels(view)[1], weights.at[0 if restored else 1][0])
    last = view.measured["model", 1]
    assert last.note == ("restored" if restored else "")
    shown = runs(tmp_path)["views/model"].picture("filters/conv1", 1)
    plain = type(last)(last.step, last.data)
    unnoted = next(kv.FilterImages.draw(view.at_work[0], {"model": plain})).picture
    assert np.array_equal(shown, unnoted) == (not restored)
    assert np.array_equal(shown[:-30], unnoted[:-30]), "the note stands in the strip, nowhere else"


@pytest.mark.slow
def test_an_early_stop_at_an_epoch_that_was_drawn_draws_nothing_more(tmp_path):
    view = Filters(tmp_path, freq=1, on_error="raise")
    fit(classifier(), DATA.x, DATA.y, [early_stop(), view], epochs=10)
    assert steps_in(tmp_path) == [-1, 0, 1]
    assert all(one.note == "" for one in view.measured.values())


@pytest.mark.slow
def test_each_callback_sees_the_weights_of_its_place_in_the_list_beside_swapped_averages(tmp_path):
    keras.utils.set_random_seed(5)
    model = classifier()
    model.compile(keras.optimizers.SGD(0.3, use_ema=True, ema_momentum=0.5), "sparse_categorical_crossentropy")
    raw, averaged = Weights(), Weights()
    before, after = (Filters(tmp_path / name, on_error="raise") for name in ("before", "after"))
    maps = [recorded(kv.GradCAM)(tmp_path / name, VALIDATION, on_error="raise") for name in ("before", "after")]
    swap = keras.callbacks.SwapEMAWeights(swap_on_epoch=True)
    fit(model, DATA.x, DATA.y, [raw, before, maps[0], swap, averaged, after, maps[1]])
    reference = classifier()
    for step in range(EPOCHS - 1):  # at the last epoch Keras finalizes, and both are the averages
        assert not np.array_equal(raw.at[step][0], averaged.at[step][0])
        for view, grad_cam, weights in ((before, maps[0], raw), (after, maps[1], averaged)):
            np.testing.assert_array_equal(kernels(view)[step], weights.at[step][0])
            reference.set_weights(weights.at[step])
            probe = grad_cam.probes["validation"]
            wanted = kv.class_activation_map(reference, probe.inputs)
            np.testing.assert_allclose(grad_cam.measured["validation", step].data[0], wanted, atol=1e-6)


@pytest.mark.slow
@pytest.mark.fault("a training dies and `BackupAndRestore` goes on with `initial_epoch`", "one log, every epoch once")
def test_a_training_that_was_interrupted_and_backed_up_goes_on_in_the_same_runs(tmp_path):
    def callbacks():
        backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
        return [backup, kv.FilterImages(tmp_path / "logs"), kv.GradCAM(tmp_path / "logs", VALIDATION)]

    with pytest.raises(ZeroDivisionError):
        fit(classifier(), DATA.x, DATA.y, [*callbacks(), Stop(2)], epochs=4)
    fit(classifier(), DATA.x, DATA.y, callbacks(), epochs=4)
    found = runs(tmp_path / "logs")
    assert set(found) == {"views/model", "views/validation"}
    assert list(found["views/model"].pictures["filters/conv1"]) == [-1, 0, 1, 2, 3]
    assert list(found["views/validation"].pictures["grad_cam/conv2"]) == [-1, 0, 1, 2, 3]


@pytest.mark.slow
def test_keras_own_runs_are_left_to_keras(tmp_path):
    board = keras.callbacks.TensorBoard(tmp_path, update_freq=1)
    view = kv.GradCAM(tmp_path, VALIDATION, training_data=(DATA.x, DATA.y), on_error="raise")
    fit(classifier(), DATA.x, DATA.y, [board, view], validation_data=VALIDATION)
    found = runs_of_ours(tmp_path)
    assert set(found) == {"views/train", "views/validation"}
    assert list(found["views/validation"].pictures["grad_cam/conv2"]) == STEPS
    for run in ("train", "validation"):
        assert len(list((tmp_path / run).glob("*tfevents*"))) == 1


def runs_of_ours(log_dir):
    return {f"views/{name}": run for name, run in runs(log_dir / "views").items()}


# Several models, copies, and trainings that die.


@pytest.mark.slow
@pytest.mark.fault("a model is trained within another's callback", "neither sees the other's weights or runs")
def test_a_model_trained_within_anothers_callback_does_not_mix_with_it(tmp_path):
    inner_model, inner_weights = classifier(run_eagerly=True), Weights()

    class Inner(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 0:
                self.view = Filters(tmp_path, on_error="raise")
                fit(inner_model, DATA.x, DATA.y, [inner_weights, self.view], epochs=2)

    outer_model, outer_weights, inner = classifier(run_eagerly=True), Weights(), Inner()
    outer = Filters(tmp_path, on_error="raise")
    fit(outer_model, DATA.x, DATA.y, [outer_weights, outer, inner])
    assert set(runs(tmp_path)) == {"views/model", "views-2/model"}
    assert steps_in(tmp_path) == STEPS
    assert steps_in(tmp_path, run="views-2/model") == [-1, 0, 1]
    for view, weights in ((outer, outer_weights), (inner.view, inner_weights)):
        assert set(kernels(view)) == set(weights.at)
        for step, kernel in kernels(view).items():
            np.testing.assert_array_equal(kernel, weights.at[step][0])


@pytest.mark.slow
@pytest.mark.fault("two models trained in turns", "each goes on in its own runs")
def test_two_models_trained_in_turns_each_go_on_in_their_own_runs(tmp_path):
    models = {name: classifier(run_eagerly=True) for name in ("a", "b")}
    views = {name: kv.GradCAM(tmp_path / name, VALIDATION, on_error="raise") for name in models}
    for epoch in range(EPOCHS):
        for name, model in models.items():
            fit(model, DATA.x, DATA.y, [views[name]], epochs=epoch + 1, initial_epoch=epoch)
    found = runs(tmp_path)
    assert set(found) == {"a/views/validation", "b/views/validation"}
    assert all(list(run.pictures["grad_cam/conv2"]) == STEPS for run in found.values())
    assert found["a/views/validation"].pictures != found["b/views/validation"].pictures


def all_of_ours(where):
    """Every callback, on the same few pictures."""
    given = {"count": 4, "on_error": "raise"}
    return [
        kv.FilterImages(where, on_error="raise"),
        kv.ActivationMaps(where, VALIDATION, **given),
        kv.GradCAM(where, VALIDATION, target="true", **given),
        kv.LatentTrajectory(where, VALIDATION, layer="mean", **given),
        kv.Visualizer(where, VALIDATION, views=["GradCAM"], **given),
    ]


@pytest.fixture(scope="module")
def used(tmp_path_factory):
    """Callbacks that were in a fit, and what they wrote."""
    where = tmp_path_factory.mktemp("used")
    keras.utils.set_random_seed(6)
    callbacks = all_of_ours(where)
    fit(classifier(), DATA.x, DATA.y, callbacks, epochs=1)
    return callbacks, runs(where)


@pytest.mark.slow
@pytest.mark.fault("deep copies and pickles of unused and used callbacks", "each works as the callback itself")
@pytest.mark.parametrize("before", ["unused", "used"])
@pytest.mark.parametrize("how", ["deepcopy", "pickle"])
def test_a_copy_of_every_callback_works_as_the_callback_itself(how, before, used, tmp_path):
    originals = all_of_ours(tmp_path) if before == "unused" else used[0]
    copies = [copy.deepcopy(one) if how == "deepcopy" else pickle.loads(pickle.dumps(one)) for one in originals]
    for one in copies:
        one.log_dir = str(tmp_path)
    keras.utils.set_random_seed(6)
    fit(classifier(), DATA.x, DATA.y, copies, epochs=1)
    found = runs(tmp_path)
    assert sum(len(run.pictures) for run in found.values()) == 8
    assert set(found) == set(used[1])
    for name, run in found.items():
        assert pixels_of(run.pictures) == pixels_of(used[1][name].pictures)


@pytest.mark.slow
def test_a_copy_of_a_used_callback_does_not_take_the_model_along(tmp_path):
    class Local(keras.Model):
        """Cannot be pickled, and would be large."""

        def __init__(self):
            super().__init__()
            self.conv1, self.mean = keras.layers.Conv2D(4, 3, name="conv1"), keras.layers.GlobalAveragePooling2D()
            self.answer = keras.layers.Dense(3, activation="softmax", name="answer")

        def call(self, x):
            return self.answer(self.mean(self.conv1(x)))

    model, callbacks = Local(), all_of_ours(tmp_path)
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    new = [len(pickle.dumps(one)) for one in callbacks]
    callbacks[3].layer = model.mean.name
    fit(model, DATA.x, DATA.y, callbacks, epochs=1)
    for one, size in zip(callbacks, new, strict=True):
        assert len(pickle.dumps(one)) < size + 8000, "what it remembers, and no more"
        assert copy.deepcopy(one) is not one


@pytest.mark.slow
@pytest.mark.fault(
    "the user's own training raises", "what was handed over can be read, the next fit gets runs of its own"
)
def test_what_was_handed_over_before_the_users_training_died_can_be_read_and_the_next_fit_is_a_new_one(
    tmp_path, capsys
):
    model, view = classifier(), Filters(tmp_path)
    others = [kv.GradCAM(tmp_path, VALIDATION)]
    with pytest.raises(ZeroDivisionError):
        fit(model, DATA.x, DATA.y, [view, *others, Stop(2)], epochs=5)
    fit(model, DATA.x, DATA.y, [view, *others], epochs=2, verbose=2)
    found = runs(tmp_path)
    assert set(found) == {"views/model", "views/validation", "views-2/model", "views-2/validation"}
    assert steps_in(tmp_path) == [-1, 0, 1]
    assert steps_in(tmp_path, "grad_cam/conv2", "views/validation") == [-1, 0, 1]
    assert steps_in(tmp_path, run="views-2/model") == [-1, 0, 1]
    assert capsys.readouterr().out.count("tensorboard --logdir") == 1


@pytest.mark.slow
@pytest.mark.fault(
    "a fit dies while its pictures are drawn, and another begins", "the new one waits, and never shares a run"
)
@pytest.mark.parametrize("again", ["the same callback", "another"])
def test_a_new_fit_waits_for_what_a_dead_one_still_writes_and_never_shares_its_run(again, tmp_path):
    release = threading.Event()

    class Slow(kv.GradCAM):
        def draw(self, measured):
            release.wait(20)
            yield from super().draw(measured)

    class ReleaseSoon(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            if again == "the same callback":
                threading.Timer(1.5, release.set).start()

        def on_epoch_begin(self, epoch, logs=None):
            threading.Timer(0.5, release.set).start()

    view = Slow(tmp_path, VALIDATION, on_error="raise")
    with pytest.raises(ZeroDivisionError):
        fit(classifier(), DATA.x, DATA.y, [view, Stop(0)], epochs=2)
    new = view if again == "the same callback" else kv.GradCAM(tmp_path, VALIDATION, on_error="raise")
    fit(classifier(), DATA.x, DATA.y, [ReleaseSoon(), new], epochs=1)
    found = runs(tmp_path)
    assert {name: list(run.pictures["grad_cam/conv2"]) for name, run in found.items()} == {
        "views/validation": [-1],
        "views-2/validation": [-1, 0],
    }


@pytest.mark.fault("a fit is refused before its first batch", "nothing stays behind for the next")
def test_a_fit_that_was_refused_leaves_nothing_behind_for_the_next(tmp_path, capsys):
    model = classifier()
    refused = [kv.FilterImages(tmp_path / "refused"), kv.GradCAM(tmp_path / "refused", VALIDATION, layer="con2")]
    with pytest.raises(ValueError, match="con2"):
        fit(model, DATA.x, DATA.y, refused, verbose=2)
    capsys.readouterr()
    view = kv.GradCAM(tmp_path / "logs", VALIDATION)
    fit(model, DATA.x, DATA.y, [view], epochs=1, verbose=2)
    assert capsys.readouterr().out.count(f"tensorboard --logdir {tmp_path / 'logs'} ") == 1
    assert set(runs(tmp_path)) == {"logs/views/validation"}


@pytest.mark.slow
def test_a_visualizer_that_was_refused_leaves_nothing_behind_for_the_next(tmp_path, capsys):
    model = classifier()
    wrong = kv.GradCAM(tmp_path / "refused", VALIDATION, layer="con2")
    with pytest.raises(ValueError, match="con2"):
        fit(model, DATA.x, DATA.y, [kv.Visualizer(tmp_path / "refused", views=["FilterImages", wrong])], verbose=2)
    capsys.readouterr()
    fit(model, DATA.x, DATA.y, [kv.Visualizer(tmp_path / "logs")], epochs=1, verbose=2)
    assert capsys.readouterr().out.count(f"tensorboard --logdir {tmp_path / 'logs'} ") == 1
    assert set(runs(tmp_path)) == {"logs/views/model"}


# What is said.


@pytest.mark.slow
def test_nothing_is_printed_at_verbose_0(tmp_path, capfd):
    fit(classifier(), DATA.x, DATA.y, [kv.Visualizer(tmp_path, VALIDATION), kv.FilterImages(tmp_path)], verbose=0)
    assert capfd.readouterr().out == ""


def test_the_closing_line_is_said_once_and_can_be_pasted(tmp_path, capsys):
    log_dir = tmp_path / "my logs; $HOME"
    views = [kv.FilterImages(log_dir), kv.GradCAM(log_dir, VALIDATION), kv.Visualizer(log_dir, VALIDATION)]
    fit(classifier(), DATA.x, DATA.y, views, verbose=2)
    lines = [line for line in capsys.readouterr().out.splitlines() if "tensorboard" in line]
    assert len(lines) == 1
    command = lines[0].removeprefix("kerasviz_callbacks: ")
    assert shlex.split(command, comments=True) == ["tensorboard", "--logdir", str(log_dir)]


@pytest.mark.slow
def test_the_closing_line_of_several_directories_names_what_holds_them_all(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fit(classifier(), DATA.x, DATA.y, [kv.FilterImages("a/logs"), kv.GradCAM("a/more", VALIDATION)], 1, verbose=2)
    fit(classifier(), DATA.x, DATA.y, [kv.FilterImages("b"), kv.GradCAM(tmp_path / "c", VALIDATION)], 1, verbose=2)
    lines = [line for line in capsys.readouterr().out.splitlines() if "tensorboard" in line]
    assert [shlex.split(line)[3] for line in lines] == [str(tmp_path / "a"), str(tmp_path)]


# The visualizer.


def conv_autoencoder():
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(3, 3, strides=2, padding="same", activation="relu", name="down")(inputs)
    x = keras.layers.Conv2D(1, 3, strides=2, padding="same", name="codes")(x)
    x = keras.layers.Conv2DTranspose(3, 3, strides=2, padding="same", activation="relu", name="up1")(x)
    model = keras.Model(inputs, keras.layers.Conv2DTranspose(1, 3, strides=2, padding="same", name="up2")(x))
    model.compile("sgd", "mse")
    return model


def dense_classifier():
    layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(6, activation="relu", name="units")]
    model = keras.Sequential([*layers, keras.layers.Dense(3, activation="softmax", name="answer")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


class Sampling(keras.layers.Layer):
    """Draws codes with a seed generator of its own."""

    def __init__(self, **given):
        super().__init__(**given)
        self.generator = keras.random.SeedGenerator(11)

    def call(self, inputs):
        mean, log_variance = inputs
        return mean + keras.ops.exp(log_variance / 2) * keras.random.normal(keras.ops.shape(mean), seed=self.generator)


def vae():
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Dense(12, activation="relu", name="hidden")(keras.layers.Flatten()(inputs))
    mean, log_variance = (keras.layers.Dense(3, name=name)(x) for name in ("z_mean", "z_log_var"))
    x = Sampling(name="z")([mean, log_variance])
    model = keras.Model(inputs, keras.layers.Reshape((8, 8, 1))(keras.layers.Dense(64, name="decoder")(x)))
    model.compile("sgd", "mse")
    return model


def dense_of_numbers():
    layers = [keras.Input((5,)), keras.layers.Dense(6, activation="relu", name="units")]
    model = keras.Sequential([*layers, keras.layers.Dense(3, activation="softmax", name="answer")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


NUMBERS = (np.random.default_rng(0).normal(size=(12, 5)).astype(np.float32), np.arange(12) % 3)


def segmentation():
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="conv1")(inputs)
    model = keras.Model(inputs, keras.layers.Conv2D(3, 1, activation="softmax", name="pixels")(x))
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def conv_regression():
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(3, 3, name="conv1")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(1, name="amount")(x))
    model.compile("sgd", "mse")
    return model


CHOICES = {
    "a convolutional classifier": (
        classifier,
        VALIDATION,
        "FilterImages of conv1, conv2, ActivationMaps of conv1, conv2, answer, GradCAM of conv2, "
        "OverfittingMonitor of mean, conv2, ConfusionMatrix",
    ),
    "a classifier without data": (
        classifier,
        None,
        "FilterImages of conv1, conv2, WeightHeatmaps of conv1, conv2, answer, Coefficients of conv2",
    ),
    "a dense classifier of pictures": (
        dense_classifier,
        VALIDATION,
        "FilterImages of units, ActivationMaps of units, answer, OverfittingMonitor of units, ConfusionMatrix",
    ),
    "a dense autoencoder": (
        autoencoder,
        VALIDATION,
        "FilterImages of encoder, LatentTrajectory of codes, LatentProfiles of codes, "
        "Reconstructions with interpolation in codes, OverfittingMonitor",
    ),
    "a convolutional autoencoder": (
        conv_autoencoder,
        DATA.x_val,
        "FilterImages of down, codes, up1, up2, ActivationMaps of down, codes, up1, up2, LatentTrajectory of codes, "
        "LatentProfiles of codes, Reconstructions with interpolation in codes, OverfittingMonitor",
    ),
    "a variational autoencoder": (
        vae,
        VALIDATION,
        "FilterImages of hidden, LatentTrajectory of z_mean, LatentProfiles of z_mean, "
        "Reconstructions with interpolation in z_mean, OverfittingMonitor",
    ),
    "a classifier of numbers": (
        dense_of_numbers,
        NUMBERS,
        "WeightHeatmaps of units, answer, ActivationMaps of units, answer, OverfittingMonitor of units, "
        "ConfusionMatrix",
    ),
    "a segmentation with as many classes as colours": (
        segmentation,
        (np.repeat(DATA.x_val, 3, axis=-1), np.zeros((len(DATA.x_val), 8, 8), int)),
        "FilterImages of conv1, pixels, ActivationMaps of conv1, pixels, GradCAM of conv1, "
        "Predictions of pixels (masks)",
    ),
    "a regression": (
        conv_regression,
        DATA.x_val,
        "FilterImages of conv1, ActivationMaps of conv1, amount, GradCAM of conv1",
    ),
}


@pytest.mark.parametrize(
    "case",
    quick(CHOICES, "a convolutional classifier", "a classifier without data"),
)
def test_the_visualizer_picks_the_views_that_fit_and_says_which(case, tmp_path, capsys):
    build, data, said = CHOICES[case]
    model = build()
    x, y = data if build in (dense_of_numbers, segmentation) else (DATA.x, DATA.y)
    rebuilds = model.output_shape == model.input_shape and build is not segmentation
    fit(model, x, x if rebuilds else y, [kv.Visualizer(tmp_path, data, on_error="raise")], 1, verbose=2)
    ours = [line for line in capsys.readouterr().out.splitlines() if line.startswith("kerasviz_callbacks: ")]
    assert f"kerasviz_callbacks: {said}." in ours
    tags = {tag.split("/")[0] for run in runs(tmp_path).values() for tag in run.pictures}
    names = {
        "FilterImages": "filters",
        "WeightHeatmaps": "weights",
        "Coefficients": "coefficients",
        "ActivationMaps": "activations",
        "GradCAM": "grad_cam",
        "LatentTrajectory": "latent",
        "LatentProfiles": "latent",
        "Reconstructions": "reconstructions",
        "Predictions": "predictions",
        "OverfittingMonitor": "overfitting",
        "ConfusionMatrix": "confusion",
    }
    assert tags == {section for view, section in names.items() if view in said}


@pytest.mark.slow
@pytest.mark.parametrize("without", ["validation_data", "training_data"])
def test_without_labels_nothing_is_said_of_overfitting(without, tmp_path, capsys):
    given = {"validation_data": VALIDATION, "training_data": (DATA.x, DATA.y)}
    given[without] = given[without][0]
    history = fit(classifier(), DATA.x, DATA.y, [kv.Visualizer(tmp_path, **given, on_error="raise")], 1, verbose=2)
    out = capsys.readouterr().out
    whose = "" if without == "validation_data" else " of the training data"
    assert f"left out: OverfittingMonitor{whose} (no labels" in out
    assert ("OverfittingMonitor of" in out.partition("left out")[0]) == (without == "training_data")
    assert set(history.history) == {"loss"}


def test_views_may_be_names_classes_and_instances_whose_own_arguments_win(tmp_path):
    given = kv.GradCAM(tmp_path / "own", VALIDATION, count=3, freq=3, layer="conv1", on_error="raise")
    chosen = kv.Visualizer(
        tmp_path / "all",
        VALIDATION,
        views=["FilterImages", kv.ActivationMaps, given],
        freq=2,
        count=5,
        on_error="raise",
    )
    fit(classifier(), DATA.x, DATA.y, [chosen], epochs=5)
    found = runs(tmp_path)
    assert set(found) == {"all/views/model", "all/views/validation", "own/views/validation"}
    assert list(found["all/views/model"].pictures["filters/conv1"]) == [-1, 0, 2, 4]
    assert list(found["all/views/validation"].pictures["activations/conv2"]) == [-1, 0, 2, 4]
    assert list(found["own/views/validation"].pictures["grad_cam/conv1"]) == [-1, 0, 3, 4]
    assert len(given.probes["validation"]) == 3
    assert {len(view.probes["validation"]) for view in chosen._running if type(view) is kv.ActivationMaps} == {5}


@pytest.mark.slow
def test_the_visualizer_hands_training_data_names_and_display_to_its_views(tmp_path):
    seen = []

    def display(fed):
        seen.append(fed.shape)
        return np.zeros((len(fed), 4, 4, 3), np.uint8)

    options = {"training_data": (DATA.x, DATA.y), "class_names": ["ant", "bee", "cat"], "display": display, "count": 4}
    fit(classifier(), DATA.x, DATA.y, [kv.Visualizer(tmp_path, VALIDATION, **options, on_error="raise")], epochs=1)
    assert set(runs(tmp_path)) == {"views/model", "views/train", "views/validation"}
    assert set(seen) == {(4, 8, 8, 1), (1, 8, 8, 1)}  # what is looked at, and one alone to see whether it can be


# Training does not pay.


class Counting(keras.Model):
    """Counts how often Python runs its `call`: once a trace."""

    def __init__(self):
        super().__init__()
        self.traces = 0
        self.conv1 = keras.layers.Conv2D(4, 3, activation="relu", name="conv1")
        self.mean = keras.layers.GlobalAveragePooling2D()
        self.answer = keras.layers.Dense(3, activation="softmax", name="answer")

    def call(self, x):
        self.traces += 1
        return self.answer(self.mean(self.conv1(x)))


@pytest.mark.slow
def test_all_callbacks_share_one_pass_a_probe_and_nothing_is_traced_again(tmp_path, monkeypatch):
    model = Counting()
    model.compile("sgd", "sparse_categorical_crossentropy")
    passes, traces = {}, {}

    class Note(keras.callbacks.Callback):
        epoch = -1

        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

        def on_epoch_end(self, epoch, logs=None):
            traces[epoch] = model.traces

    note, read = Note(), Reader.read

    def counted(self, captures, inputs, **given):
        passes.setdefault(note.epoch, []).append(len(inputs))
        return read(self, captures, inputs, **given)

    monkeypatch.setattr(Reader, "read", counted)
    given = {"validation_data": kv.Probe(VALIDATION), "training_data": kv.Probe((DATA.x, DATA.y)), "on_error": "raise"}
    views = [
        kv.FilterImages(tmp_path, on_error="raise"),
        kv.ActivationMaps(tmp_path, **given),
        kv.GradCAM(tmp_path, **given),
        kv.GradCAM(tmp_path / "true", target="true", **given),
        kv.OverfittingMonitor(tmp_path, **given),
        kv.Visualizer(tmp_path / "visualizer", **given),
    ]
    fit(model, DATA.x, DATA.y, [*views, note], epochs=4)
    assert {epoch: len(rows) for epoch, rows in passes.items() if epoch >= 0} == dict.fromkeys(range(4), 2)
    assert len(passes[-1]) <= 6, "each of the two ActivationMaps chooses its channels, then reads once more"
    assert traces[0] == traces[3]


# Training does not die.


def failing(view, stage, at, error=RuntimeError):
    """A view whose `measure` or `draw` fails at some steps."""

    class Failing(view):
        def measure(self, captured, source, step):
            if stage == "measure" and step in at:
                raise error(f"broken at {step}")
            return super().measure(captured, source, step)

        def draw(self, measured):
            step = next(iter(measured.values())).step
            for number, drawn in enumerate(super().draw(measured)):
                if stage == "draw" and step in at and number:
                    raise error(f"broken at {step}")
                yield drawn

        def capture(self, step):
            if stage == "capture" and step in at:
                raise error(f"broken at {step}")
            return super().capture(step)

    Failing.__name__ = view.__name__
    return Failing


@pytest.mark.fault(
    "a view raises in `capture`, `measure` or `draw`",
    "one warning, the other views are complete, the training is the same",
)
@pytest.mark.parametrize("stage", quick(["capture", "measure", "draw"], "measure"))
def test_a_view_that_fails_warns_once_and_the_others_are_complete(stage, tmp_path):
    keras.utils.set_random_seed(7)
    model = classifier()
    broken = failing(kv.ActivationMaps, stage, at=(1, 2))(tmp_path, VALIDATION)
    others = [kv.FilterImages(tmp_path, on_error="raise"), kv.GradCAM(tmp_path, VALIDATION, on_error="raise")]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        fit(model, DATA.x, DATA.y, [others[0], broken, others[1]], epochs=4)
    ours = [str(one.message) for one in told if "ActivationMaps" in str(one.message)]
    assert len(ours) == 1
    what = "read the model" if stage == "capture" else stage
    for words in (f"could not {what}", "RuntimeError: broken at 1", "training goes on", 'on_error="raise"'):
        assert words in ours[0]
    found = runs(tmp_path)
    assert list(found["views/model"].pictures["filters/conv2"]) == [-1, 0, 1, 2, 3]
    shown = found["views/validation"].pictures
    assert list(shown["grad_cam/conv2"]) == [-1, 0, 1, 2, 3]
    assert list(shown["activations/conv2"]) == [-1, 0, 3]
    assert list(shown["activations/conv1"]) == ([-1, 0, 1, 2, 3] if stage == "draw" else [-1, 0, 3])
    if stage == "capture":  # on the training thread
        keras.utils.set_random_seed(7)
        alone = classifier()
        fit(alone, DATA.x, DATA.y, epochs=4)
        assert same_weights(alone.get_weights(), model.get_weights())


@pytest.mark.parametrize("stage", quick(["capture", "measure", "draw"], "draw"))
def test_on_error_raise_stops_at_the_first_failure(stage, tmp_path):
    broken = failing(kv.ActivationMaps, stage, at=(1,))(tmp_path, VALIDATION, on_error="raise")
    model = classifier()
    with pytest.raises(RuntimeError, match="broken at 1"):
        fit(model, DATA.x, DATA.y, [broken], epochs=4)
    assert list(runs(tmp_path)["views/validation"].pictures["activations/conv2"])[:2] == [-1, 0]


@pytest.mark.slow
def test_a_failure_at_the_very_last_step_is_told_too(tmp_path):
    broken = failing(kv.FilterImages, "draw", at=(EPOCHS - 1,))
    with pytest.warns(UserWarning, match=f"FilterImages could not draw.*broken at {EPOCHS - 1}"):
        fit(classifier(), DATA.x, DATA.y, [broken(tmp_path)])
    with pytest.raises(RuntimeError, match=f"broken at {EPOCHS - 1}"):
        fit(classifier(), DATA.x, DATA.y, [broken(tmp_path / "raises", on_error="raise")])


@pytest.mark.slow
@pytest.mark.parametrize("on_error", ["warn", "raise"])
def test_a_log_directory_that_is_deleted_is_made_again(on_error, tmp_path):
    log_dir, view = tmp_path / "logs", kv.FilterImages(tmp_path / "logs", on_error=on_error)

    class Delete(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                view.fit_context.wait()
                shutil.rmtree(log_dir)

    fit(classifier(), DATA.x, DATA.y, [Delete(), view])
    assert steps_in(log_dir) == [1, 2]
    assert "*How to read it:*" in runs(log_dir)["views/model"].descriptions["filters/conv1"]


@pytest.mark.slow
def test_a_log_directory_that_becomes_a_file_is_warned_of_once_for_all_views(tmp_path, capsys):
    log_dir, view = tmp_path / "logs", kv.FilterImages(tmp_path / "logs")
    second = kv.ActivationMaps(log_dir, VALIDATION)
    other = kv.GradCAM(tmp_path / "other", VALIDATION, on_error="raise")

    class Replace(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 0:
                view.fit_context.wait()
                shutil.rmtree(log_dir)
                log_dir.touch()

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        fit(classifier(), DATA.x, DATA.y, [Replace(), view, second, other], epochs=4, verbose=2)
    ours = [str(one.message) for one in told]
    assert len(ours) == 1
    for words in (f'kerasviz_callbacks could not write to "{log_dir}', "training goes on", "writable again"):
        assert words in ours[0]
    # At each of four epochs 2 kernels and 3 scalars of each; 3 layers, and 3 scalars of each of the 2 that are hidden.
    assert "(68 images and scalars could not be written)" in capsys.readouterr().out
    assert steps_in(tmp_path / "other", "grad_cam/conv2", "views/validation") == [-1, 0, 1, 2, 3]


@pytest.mark.fault("drawing is slower than training", "whole epochs go undrawn and are counted, no figure is lost")
def test_drawing_that_is_slower_than_training_skips_pictures_never_numbers(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("kerasviz_callbacks.record.step_queue.MAX_LAG", 0.05)
    release = threading.Event()

    class Slow(recorded(kv.LatentTrajectory)):
        def draw(self, measured):
            if next(iter(measured.values())).step == 0:
                release.wait(20)
            yield from super().draw(measured)

    class Release(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            time.sleep(0.2)  # longer than drawing may be behind

        def on_epoch_end(self, epoch, logs=None):
            if epoch == 3:
                release.set()

    view = Slow(tmp_path, VALIDATION, on_error="raise")
    fit(autoencoder(), DATA.x, DATA.x, [view, Release()], epochs=5, verbose=2)
    found = runs(tmp_path)["views/validation"]
    drawn = list(found.pictures["latent/trajectory"])
    assert drawn[:2] == [-1, 0]
    assert drawn[-1] == 4, "the last epoch is drawn in any case"
    assert {1, 2, 3}.isdisjoint(drawn)
    assert list(found.scalars["latent/spread"]) == [-1, 0, 1, 2, 3, 4]
    assert len(view.measured["validation", 4].data.tails) == 6
    assert "(3 steps not drawn: drawing or writing took longer than training)" in capsys.readouterr().out


def test_the_pictures_of_a_fit_that_ended_are_complete_when_fit_returns(tmp_path):
    entry = ENTRIES["GradCAM"]
    view = entry.made(tmp_path, DATA, on_error="raise")
    fit(classifier(), DATA.x, DATA.y, [view])
    for run in runs(tmp_path).values():
        assert all(decoded(png).ndim == 3 for png in run.pictures["grad_cam/conv2"].values())
    assert not [thread for thread in threading.enumerate() if thread.name == "kerasviz_callbacks"]


@pytest.mark.slow
def test_two_views_of_one_layer_that_chose_at_different_steps_each_see_their_own_channels(tmp_path):
    data = pictures()
    x = keras.Input((8, 8, 1))
    wide = keras.layers.Conv2D(40, 3, activation="tanh", name="wide")(x)
    answer = keras.layers.Dense(3, activation="softmax")(keras.layers.GlobalMaxPooling2D()(wide))
    model = keras.Model(x, answer)
    model.compile(keras.optimizers.SGD(2.0), "sparse_categorical_crossentropy")
    options = {"layers": ["wide"], "on_error": "raise"}
    views = [
        kv.ActivationMaps(tmp_path, (data.x_val, data.y_val), start_from_epoch=start, **options) for start in (0, 2)
    ]
    fit(model, data.x, data.y, views, epochs=4)
    direct = keras.Model(x, wide)(views[0].probes["validation"].inputs).numpy()
    chosen = [view.memory.shared["channels"]["wide"] for view in views]
    assert chosen[0].tolist() != chosen[1].tolist()
    for view, channels in zip(views, chosen, strict=True):
        kept = view.result.last.measured["validation"].data.maps["wide"]
        np.testing.assert_allclose(kept, np.moveaxis(direct[..., channels], -1, 1), atol=1e-6)


# Dicts of inputs and outputs: Keras sorts their keys, the user need not.


def dicts():
    """A picture and a vector in, two answers out; by name the vector and the other answer come first."""
    image, age = keras.Input((8, 8, 1), name="image"), keras.Input((5,), name="age")
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, activation="relu", name="conv")(image))
    x = keras.layers.Concatenate()([x, age])
    answers = {name: keras.layers.Dense(n, "softmax", name=name)(x) for name, n in (("kind", 3), ("colour", 5))}
    model = keras.Model({"image": image, "age": age}, answers)
    model.compile("sgd", dict.fromkeys(answers, "sparse_categorical_crossentropy"))
    return model


def of_dicts(n=10):
    rng = np.random.default_rng(4)
    x = {"image": rng.random((n, 8, 8, 1)).astype(np.float32), "age": rng.random((n, 5)).astype(np.float32)}
    return x, {"kind": np.arange(n) % 3, "colour": np.arange(n) % 5}


def test_each_input_of_a_dict_is_shown_under_its_own_map(tmp_path):
    view = recorded(kv.Attribution)(tmp_path, of_dicts(), method="gradient", on_error="raise")
    x, y = of_dicts()
    fit(dicts(), x, y, [view], epochs=1)
    found = runs(tmp_path)["views/validation"]
    assert {tag: list(steps) for tag, steps in found.pictures.items()} == {
        "gradient/image": [-1, 0],
        "gradient/age": [-1, 0],
    }
    picture = found.picture("gradient/image", -1)
    for one in view.at_work[0].probe_display.pictures("validation"):
        assert places_of(one.repeat(12, 0).repeat(12, 1), picture), "the picture stands beside its map"


@pytest.mark.slow
def test_the_labels_are_those_of_the_answer_that_is_explained(tmp_path):
    x, y = of_dicts()
    model, given = dicts(), [3, 1, 4, 1, 0, 2, 2, 0, 1, 3]
    read = recorded(kv.GradCAM)(tmp_path / "read", (x, y), target="true", on_error="raise")
    own = recorded(kv.GradCAM)(tmp_path / "own", kv.Probe(x, given), target="true", on_error="raise")
    fit(model, x, y, [read, own], epochs=1)
    assert model(x).keys() == {"colour", "kind"}
    np.testing.assert_array_equal(read.at_work[0].targets["validation"], y["colour"])  # the first by name
    np.testing.assert_array_equal(own.at_work[0].targets["validation"], given)


@pytest.mark.slow
def test_a_single_linear_unit_is_explained_as_what_it_is(tmp_path):
    view = recorded(kv.GradCAM)(tmp_path, DATA.x_val, on_error="raise")
    fit(conv_regression(), DATA.x, DATA.y, [view], epochs=1)
    assert view.at_work[0].target_in_words() == "the output"
