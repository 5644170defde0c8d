"""One view in one fit: what belongs to it stays with it, whoever calls the hooks and whatever becomes of the fit."""

import itertools
import threading
import time
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from entries import ENTRIES
from harness import Read, autoencoder, classifier, first, fit, pictures, pixels_of, read, runs, same_weights

import kerasviz_callbacks as kv

DATA = pictures()
VALIDATION = (DATA.x_val, DATA.y_val)


def pixels(log_dir, run) -> dict:
    return pixels_of(read(log_dir / run).pictures)


# A worker that outlives its fit.


class Held(kv.FilterImages):
    """Drawing waits for an event, and then takes the picture of a later state of the memory if it can see one."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.release, self.hold = threading.Event(), [True]

    def draw(self, measured):
        if self.hold[0]:
            self.release.wait(60)
        yield from super().draw(measured)


def interrupted(view, log_dir, monkeypatch, epochs=3):
    """A fit whose last wait is interrupted while the worker still draws."""
    keras.utils.set_random_seed(1)
    model = classifier()

    waits = []

    def interrupt(patience, **_):
        waits.append(patience)
        if len(waits) == 1:
            raise KeyboardInterrupt
        return False

    class Interrupt(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == epochs - 1:
                monkeypatch.setattr(view.fit_context.queue, "wait", interrupt)

    with pytest.raises(KeyboardInterrupt), pytest.warns(UserWarning, match="still being written"):
        fit(model, DATA.x, DATA.y, [view, Interrupt()], epochs=epochs)
    return model


def test_after_an_interrupted_last_wait_a_second_fit_gives_the_pictures_of_a_fresh_view(tmp_path, monkeypatch):
    view = Held(tmp_path / "logs", on_error="raise")
    worker = interrupted(view, tmp_path / "logs", monkeypatch)
    assert worker is not None
    assert view.result is None, "what a busy worker still changes is nobody's memory"

    keras.utils.set_random_seed(2)
    view.hold[0] = False
    fit(classifier(), DATA.x, DATA.y, [view])
    view.release.set()
    time.sleep(0.5)  # the worker of the first fit goes on

    keras.utils.set_random_seed(2)
    fit(classifier(), DATA.x, DATA.y, [kv.FilterImages(tmp_path / "fresh")])
    assert pixels(tmp_path / "logs", "views-2/model") == pixels(tmp_path / "fresh", "views/model")


def test_a_view_in_a_fit_is_as_the_user_made_it(tmp_path):
    view = kv.ActivationMaps(tmp_path, VALIDATION)
    before = dict(vars(view))

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            changed = {name for name, value in vars(view).items() if before.get(name, view) is not value}
            seen.append(changed - {"context", "_model", "_params", "params", "known_probes", "_gave_up"})

    seen = []
    fit(classifier(), DATA.x, DATA.y, [view, Look()])
    assert seen == [set()] * 3
    assert view.context is None
    assert view.result is not None


# Hooks called by hand.


HOOKS = ("on_train_begin", "on_epoch_begin", "on_train_end")
SUBSETS = [hooks for k in range(len(HOOKS) + 1) for hooks in itertools.combinations(HOOKS, k)]


def by_hand(callback, model, hooks, x, y, epochs=2):
    """A training loop that calls some of the hooks; what it warned of."""
    callback.set_model(model)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if "on_train_begin" in hooks:
            callback.on_train_begin()
        for epoch in range(epochs):
            if "on_epoch_begin" in hooks:
                callback.on_epoch_begin(epoch)
            model.train_on_batch(x, y)
            callback.on_epoch_end(epoch, {})
        if "on_train_end" in hooks:
            callback.on_train_end()
        else:
            callback.abandon()  # what a garbage collector or the end of the process would do
    return [str(one.message) for one in caught]


@pytest.mark.slow
@pytest.mark.parametrize("name", [*ENTRIES, "Visualizer"])
def test_every_subset_of_hooks_called_by_hand_gives_pictures(name, tmp_path, capsys):
    for number, hooks in enumerate(SUBSETS):
        log_dir = tmp_path / str(number)
        if name == "Visualizer":
            build, target, data = classifier, "y", DATA
            callback = kv.Visualizer(log_dir, VALIDATION, on_error="raise")
        else:
            build, target, data = ENTRIES[name].build, ENTRIES[name].target, ENTRIES[name].data()
            callback = ENTRIES[name].made(log_dir, data, on_error="raise")
        told = by_hand(callback, build(), hooks, data.x, getattr(data, target))
        left_out = [words for words in told if "on_epoch_begin was not called" in words]
        assert told == left_out, hooks
        assert bool(left_out) == ("on_epoch_begin" not in hooks), hooks
        first = -1 if "on_epoch_begin" in hooks else 0
        found = runs(log_dir)
        assert found, hooks
        for run in found.values():
            for tag, steps in run.pictures.items():
                assert list(steps) == list(range(first, 2)), (hooks, tag)


def test_what_is_wrong_is_said_once_where_the_hook_that_would_say_it_was_left_out(tmp_path):
    view = kv.GradCAM(tmp_path, VALIDATION, layer="nowhere")
    told = by_hand(view, classifier(), (), DATA.x, DATA.y, epochs=3)
    assert len(told) == 1
    assert "GradCAM could not begin" in told[0]
    assert 'layer="nowhere": no such layer' in told[0]
    assert "on_train_begin" in told[0]


# Batches.


@pytest.mark.parametrize(
    ("batches", "freq", "name"), first([(12, 4, "GradCAM"), *((500, 50, name) for name in ENTRIES)])
)
def test_every_view_counts_batches(batches, freq, name, tmp_path):
    entry, data = ENTRIES[name], ENTRIES[name].data()
    rows = np.arange(3 * batches) % len(data.x)

    def trained(*callbacks):
        keras.utils.set_random_seed(7)
        model = entry.build()
        fit(model, data.x[rows], getattr(data, entry.target)[rows], callbacks, epochs=1, batch_size=3)
        return model.get_weights()

    view = entry.made(tmp_path, data, unit="batch", freq=freq, on_error="raise")
    assert same_weights(trained(), trained(view))
    for source in entry.sources:
        found = read(tmp_path / "views" / source)
        for tag in entry.tags_of(f"views/{source}"):
            assert list(found.pictures[tag]) == [-1, *range(freq, batches + 1, freq)], tag


@pytest.mark.slow
def test_batches_are_drawn_over_epochs_by_visualizer_and_published_at_their_ends(tmp_path):
    watched = kv.Visualizer(tmp_path, VALIDATION, unit="batch", freq=4, publish=["knn"], on_error="raise")
    history = fit(classifier(metrics=["accuracy"]), DATA.x, DATA.y, [watched], epochs=2, batch_size=6).history
    assert len(history["val_knn"]) == 2
    for run in runs(tmp_path).values():
        for tag, steps in run.pictures.items():
            assert list(steps) == [-1, 4, 8, 12], tag


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_a_last_batch_that_could_not_be_foreseen_is_drawn_at_the_end(tmp_path):
    batches = tf.data.Dataset.from_tensor_slices((DATA.x[:20], DATA.y[:20])).batch(4).filter(lambda x, y: True)
    view = kv.FilterImages(tmp_path, unit="batch", freq=3, on_error="raise")
    classifier().fit(batches, epochs=1, verbose=0, shuffle=False, callbacks=[view])
    assert {tuple(steps) for steps in read(tmp_path / "views/model").pictures.values()} == {(-1, 3, 5)}


@pytest.mark.slow
def test_batches_of_a_resumed_fit_go_on_where_the_first_ended(tmp_path):
    model, view = classifier(), kv.Coefficients(tmp_path, unit="batch", freq=6, on_error="raise")
    fit(model, DATA.x, DATA.y, [view], epochs=1)
    fit(model, DATA.x, DATA.y, [view], epochs=3, initial_epoch=1)
    assert {tuple(steps) for steps in read(tmp_path / "views/model").pictures.values()} == {(-1, 3, 6, 9)}


def test_a_custom_loop_that_does_not_report_its_batches_is_told_so(tmp_path):
    told = by_hand(kv.FilterImages(tmp_path, unit="batch"), classifier(), HOOKS, DATA.x, DATA.y)
    assert len(told) == 1
    assert "FilterImages could not count batches (RuntimeError: on_train_batch_end was not called)" in told[0]
    assert {tuple(steps) for steps in read(tmp_path / "views/model").pictures.values()} == {(-1,)}


@pytest.mark.slow
def test_several_batches_in_one_execution_are_drawn_at_their_end_and_share_a_pass(tmp_path):
    model = classifier(steps_per_execution=3)
    views = [
        kv.ActivationMaps(tmp_path, VALIDATION, unit="batch", freq=4, on_error="raise"),
        kv.GradCAM(tmp_path, VALIDATION, unit="batch", freq=4, on_error="raise"),
    ]
    fit(model, DATA.x, DATA.y, views, epochs=1, batch_size=3)
    fit(model, DATA.x, DATA.y, views, epochs=2, initial_epoch=1, batch_size=3)
    (found,) = runs(tmp_path).values()
    assert {tuple(steps) for steps in found.pictures.values()} == {(-1, 6, 9, 12, 18, 21, 24)}
    assert {tuple(steps) for steps in found.scalars.values()} == {(-1, 6, 9, 12, 18, 21, 24)}


def test_an_unknown_unit_is_refused(tmp_path):
    with pytest.raises(ValueError, match='unit=\'step\': expected "epoch" or "batch"'):
        kv.FilterImages(tmp_path, unit="step")


def test_batch_hooks_are_keras_own_where_epochs_are_counted(tmp_path):
    by_epoch, by_batch = kv.FilterImages(tmp_path), kv.FilterImages(tmp_path, unit="batch")
    assert getattr(by_epoch.on_train_batch_end, "_is_default", False)
    assert not getattr(by_batch.on_train_batch_end, "_is_default", False)
    visualizers = kv.Visualizer(tmp_path), kv.Visualizer(tmp_path, unit="batch")
    assert [getattr(one.on_train_batch_end, "_is_default", False) for one in visualizers] == [True, False]


# Two of a kind.


def test_two_views_of_one_kind_are_told_apart_by_their_tags(tmp_path, capsys):
    views = [kv.GradCAM(tmp_path, VALIDATION, target=target, on_error="raise") for target in (0, 1, 2)]
    fit(classifier(), DATA.x, DATA.y, views, verbose=2)
    found = read(tmp_path / "views/validation")
    assert set(found.pictures) == {"grad_cam/conv2", "grad_cam-2/conv2", "grad_cam-3/conv2"}
    said = capsys.readouterr().out
    assert 'adds "-2" to theirs: grad_cam-2/conv2' in said
    alone = tmp_path / "alone"
    keras.utils.set_random_seed(3)
    fit(classifier(), DATA.x, DATA.y, [kv.GradCAM(alone, VALIDATION, target=1)])
    keras.utils.set_random_seed(3)
    both = tmp_path / "both"
    fit(classifier(), DATA.x, DATA.y, [kv.GradCAM(both, VALIDATION, target=target) for target in (0, 1)])
    second = pixels(both, "views/validation")["grad_cam-2/conv2"]
    assert second == pixels(alone, "views/validation")["grad_cam/conv2"]


@pytest.mark.slow
def test_views_of_the_same_codes_share_their_scalars_and_of_other_codes_have_their_own(tmp_path):
    same = [kind(tmp_path / "same", VALIDATION, on_error="raise") for kind in (kv.LatentTrajectory, kv.LatentProfiles)]
    fit(autoencoder(), DATA.x, DATA.x, same)
    assert {tag.partition("/")[0] for tag in read(tmp_path / "same/views/validation").scalars} == {"latent"}
    other = [
        kv.LatentTrajectory(tmp_path / "other", VALIDATION, on_error="raise"),
        kv.LatentProfiles(tmp_path / "other", VALIDATION, layer="encoder", on_error="raise"),
    ]
    fit(autoencoder(), DATA.x, DATA.x, other)
    found: Read = read(tmp_path / "other/views/validation")
    assert {tag.partition("/")[0] for tag in found.scalars} == {"latent", "latent-2"}
    assert found.scalars["latent/spread"] != found.scalars["latent-2/spread"]


def test_two_views_with_two_logs_and_one_directory_of_png_files_replace_nothing(tmp_path):
    views = [kv.FilterImages(tmp_path / log, save_dir=tmp_path / "saved", on_error="raise") for log in "ab"]
    fit(classifier(), DATA.x, DATA.y, views, epochs=1)
    model = tmp_path / "saved/views/model"
    files = {section: sorted(model.joinpath(section).rglob("*.png")) for section in ("filters", "filters-2")}
    assert {section: len(found) for section, found in files.items()} == {"filters": 4, "filters-2": 4}
    assert [one.read_bytes() for one in files["filters"]] == [one.read_bytes() for one in files["filters-2"]]
    assert len(list(tmp_path.joinpath("saved").rglob("*.png"))) == 8


def test_png_files_may_lie_in_the_log_directory(tmp_path, capsys):
    fit(classifier(), DATA.x, DATA.y, [kv.FilterImages(tmp_path, save_dir=tmp_path)], epochs=1, verbose=2)
    assert "views-2" not in capsys.readouterr().out
    assert {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*.png")} == {"views"}


@pytest.mark.slow
def test_the_codes_of_two_trajectories_are_both_in_the_projector(tmp_path):
    views = [kv.LatentTrajectory(tmp_path, VALIDATION, layer=layer, on_error="raise") for layer in ("codes", "encoder")]
    fit(autoencoder(), DATA.x, DATA.x, views, epochs=1)
    run = tmp_path / "views/validation"
    columns = {
        name: (run / f"{name}.tsv").read_text().splitlines()[0].count("\t") + 1
        for name in ("latent_codes", "latent_codes-2")
    }
    assert columns == {"latent_codes": 4, "latent_codes-2": 16}
    config = (run / "projector_config.pbtxt").read_text()
    assert config.count("embeddings {") == 2
    for file in ("latent_codes-2.tsv", "latent_codes-2_metadata.tsv", "latent_codes-2_sprite.png"):
        assert f'"{file}"' in config
        assert (run / file).exists()


def test_the_same_instance_twice_writes_once_under_its_own_tags(tmp_path):
    view = kv.FilterImages(tmp_path, on_error="raise")
    fit(classifier(), DATA.x, DATA.y, [view, view], epochs=1)
    assert {tag.partition("/")[0] for tag in read(tmp_path / "views/model").pictures} == {"filters"}


@pytest.mark.slow
def test_a_second_monitor_publishes_nothing_and_says_so(tmp_path, capsys):
    first = kv.OverfittingMonitor(tmp_path / "1", VALIDATION, publish=["knn"], on_error="raise")
    second = kv.OverfittingMonitor(tmp_path / "2", VALIDATION, count=6, on_error="raise")
    model = classifier(metrics=["accuracy"])
    history = fit(model, DATA.x, DATA.y, [first, second], verbose=2, validation_data=VALIDATION).history
    assert {key for key in history if key.startswith("val_")} == {"val_loss", "val_accuracy", "val_knn"}
    assert "publishes none" in capsys.readouterr().out
    for log_dir in ("1", "2"):
        assert list(read(tmp_path / log_dir / "views/validation").pictures["overfitting/summary"]) == [-1, 0, 1, 2]
    alone = fit(classifier(), DATA.x, DATA.y, [kv.OverfittingMonitor(tmp_path / "3", VALIDATION)]).history
    assert "val_silhouette" in alone


@pytest.mark.slow
def test_the_monitor_that_visualizer_chose_publishes_nothing_unless_it_is_asked_to(tmp_path):
    quiet = fit(classifier(), DATA.x, DATA.y, [kv.Visualizer(tmp_path / "1", VALIDATION)]).history
    assert set(quiet) == {"loss"}
    asked = fit(classifier(), DATA.x, DATA.y, [kv.Visualizer(tmp_path / "2", VALIDATION, publish=True)]).history
    assert {"val_knn", "val_overconfidence"} <= set(asked)
    found = read(tmp_path / "1/views/validation").scalars["overfitting/knn"]
    assert len(found) == 4 - 1 or len(found) == 4


@pytest.mark.parametrize(
    ("publish", "error", "words"),
    [
        ("knn", TypeError, r"publish='knn': expected True, False or a list of names"),
        (3, TypeError, r"publish=3: expected True"),
        (["nearest"], ValueError, r"publish='nearest': no such metric; expected some of overconfidence"),
    ],
)
def test_what_cannot_be_published_is_refused(publish, error, words, tmp_path):
    with pytest.raises(error, match=words):
        kv.OverfittingMonitor(tmp_path, VALIDATION, publish=publish)
    with pytest.raises(error, match=words):
        kv.Visualizer(tmp_path, VALIDATION, publish=publish)


# What a hook does on the training thread is under `on_error`.


@pytest.mark.parametrize("on_error", ["warn", "raise"])
def test_a_fingerprint_that_raises_is_a_failure_of_the_view(on_error, tmp_path, monkeypatch):
    def fingerprint(self):
        raise RuntimeError("no fingerprint")

    monkeypatch.setattr("kerasviz_callbacks.fit_context.FitContext.fingerprint", fingerprint)
    view = kv.FilterImages(tmp_path, freq=2, start_from_epoch=1, on_error=on_error)
    if on_error == "raise":
        with pytest.raises(RuntimeError, match="no fingerprint"):
            fit(classifier(), DATA.x, DATA.y, [view])
        return
    with pytest.warns(UserWarning, match="no fingerprint"):
        history = fit(classifier(), DATA.x, DATA.y, [view], epochs=4)
    assert len(history.history["loss"]) == 4


@pytest.mark.slow
@pytest.mark.parametrize("on_error", ["warn", "raise"])
def test_metrics_that_cannot_be_published_do_not_end_the_training(on_error, tmp_path):
    class Broken(kv.OverfittingMonitor):
        def logged_metrics(self, measured):
            raise RuntimeError("no metrics")

    view = Broken(tmp_path, VALIDATION, on_error=on_error)
    if on_error == "raise":
        with pytest.raises(RuntimeError, match="no metrics"):
            fit(classifier(), DATA.x, DATA.y, [view])
        return
    with pytest.warns(UserWarning, match="could not publish metrics"):
        assert len(fit(classifier(), DATA.x, DATA.y, [view]).history["loss"]) == 3


@pytest.mark.parametrize("publish", first([True, False]))
def test_the_curves_of_the_monitor_have_every_epoch_whatever_fails(publish, tmp_path):
    class Broken(kv.OverfittingMonitor):
        def capture(self, step):
            if step == 1:
                raise RuntimeError("broken at 1")
            return super().capture(step)

    view = Broken(tmp_path, VALIDATION, publish=publish)
    with pytest.warns(UserWarning, match="could not read the model"):
        history = fit(classifier(), DATA.x, DATA.y, [view], epochs=4).history
    steps, losses = view.result.last.measured["validation"].data.curves["loss"]
    assert steps == (0, 1, 2, 3)
    np.testing.assert_allclose(losses, history["loss"])


def test_a_fit_of_the_same_model_within_a_fit_leaves_the_outer_one_alone(tmp_path):
    class Inner(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                self.model.fit(
                    DATA.x, DATA.y, initial_epoch=1, epochs=3, verbose=0, callbacks=[kv.FilterImages(tmp_path)]
                )

    fit(classifier(), DATA.x, DATA.y, [kv.FilterImages(tmp_path, on_error="raise"), Inner()], epochs=3)
    found = runs(tmp_path)
    assert set(found) == {"views/model", "views-2/model"}
    assert list(found["views/model"].pictures["filters/conv1"]) == [-1, 0, 1, 2]
    assert list(found["views-2/model"].pictures["filters/conv1"]) == [1, 2]


@pytest.mark.slow
def test_callbacks_called_by_hand_one_after_the_other_share_a_fit(tmp_path):
    views = [kv.FilterImages(tmp_path, on_error="raise"), kv.ActivationMaps(tmp_path, VALIDATION, on_error="raise")]
    model = classifier()
    for given in ({}, None):
        log_dir = tmp_path / str(given)
        for view in views:
            view.log_dir = str(log_dir)
            view.set_model(model)
            view.set_params(given)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on_epoch_begin was not called
            for epoch, view in itertools.product(range(3), views):
                view.on_epoch_end(epoch, {})
        for view in views:
            view.on_train_end()
        assert set(runs(log_dir)) == {"views/model", "views/validation"}


def test_a_loop_over_fits_of_one_epoch_is_told_the_remedy(tmp_path, capsys):
    model = classifier()
    for _ in range(2):
        model.fit(DATA.x, DATA.y, epochs=1, verbose=2, callbacks=[kv.FilterImages(tmp_path)])
    assert "initial_epoch=n, epochs=n + 1" in capsys.readouterr().out
    for epoch in range(1, 3):
        given = {"initial_epoch": epoch, "epochs": epoch + 1}
        model.fit(DATA.x, DATA.y, verbose=2, callbacks=[kv.FilterImages(tmp_path)], **given)
    assert set(runs(tmp_path)) == {"views/model", "views-2/model"}
    np.testing.assert_array_equal(list(read(tmp_path / "views/model").pictures["filters/conv1"]), [-1, 0, 1, 2])
