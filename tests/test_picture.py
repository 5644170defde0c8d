"""`picture`: what a view shows of a model as it is, without `fit`; equal to what a fit logs of the same weights."""

import atexit
import copy
import gc
import pickle
import threading

import keras
import numpy as np
import pytest
from entries import ENTRIES
from harness import (
    BOTH,
    EPOCHS,
    Weights,
    autoencoder,
    classifier,
    fit,
    pictures,
    places_of,
    quick,
    recorded,
    runs,
    same_weights,
)
from hypothesis import given
from hypothesis import strategies as st

import kerasviz_callbacks as kv
from kerasviz_callbacks.callback.snapshot import snapshot
from kerasviz_callbacks.draw.sheet import MARGIN
from kerasviz_callbacks.draw.stack import on_paper, stacked
from kerasviz_callbacks.fit_context import FitContext
from kerasviz_callbacks.taps.reader import Reader

DATA = pictures()
VALIDATION, TRAINING = (DATA.x_val, DATA.y_val), (DATA.x, DATA.y)
SHOWS_ALL_EPOCHS = {
    "Coefficients",
    "DataMap",
    "LatentProfiles",
    "OverfittingMonitor",
}  # from the start, so that a picture without a fit has other axes
HEARS_OF_EPOCHS = {"OverfittingMonitor"}  # what Keras says of an epoch is known in a fit alone


def logged(log_dir, step):
    """By run and tag, the pictures that a fit wrote at a step."""
    found = {name.removeprefix("views/"): run for name, run in runs(log_dir).items()}
    return {f"{name}/{tag}": run.picture(tag, step) for name, run in found.items() for tag in run.pictures}


def assert_same(shown, wanted):
    assert set(shown) == set(wanted)
    for name, picture in shown.items():
        assert picture.dtype == np.uint8
        np.testing.assert_array_equal(picture, wanted[name], err_msg=name)


def state_of(model):
    """All that a look could change: weights, seeds of layers and of Keras itself, the optimizer."""
    from keras.src.backend.common import global_state
    from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR

    shared = global_state.get_global_attribute(GLOBAL_SEED_GENERATOR)
    optimizer = model.optimizer.variables if getattr(model, "optimizer", None) is not None else []
    variables = [*model.variables, *optimizer, *([shared.state] if shared is not None else [])]
    return [np.asarray(variable) for variable in variables]


# The same pixels as in a fit, for every view; by default for one of each base class.


@pytest.fixture(scope="module", params=quick(ENTRIES, "FilterImages"))
def trained(request, tmp_path_factory):
    """A view and its model through untrained, trained, trained on without the view, and resumed."""
    entry, where = ENTRIES[request.param], tmp_path_factory.mktemp("picture")
    keras.utils.set_random_seed(7)
    data, model = entry.data(), entry.build()
    target = getattr(data, entry.target)
    view = entry.made(where, data, on_error="raise")
    shown = {"untrained": view.pictures(model)}
    fit(model, data.x, target, [view], epochs=2)
    before = (pickle.dumps(view.memory), state_of(model))
    shown["trained"] = view.pictures(model)
    shown["again"] = view.pictures(model)
    after = (pickle.dumps(view.memory), state_of(model))
    at_two = model.get_weights()
    fit(model, data.x, target, epochs=1)
    at_three = model.get_weights()
    shown["trained on"] = view.pictures(model)
    model.set_weights(at_two)
    shown["back"] = view.pictures(model)
    fit(model, data.x, target, [view], epochs=3, initial_epoch=2)
    assert same_weights(model.get_weights(), at_three)
    shown["resumed"] = view.pictures(model)
    return request.param, shown, where, (before, after)


def test_before_any_fit_it_is_the_picture_of_the_untrained_model(trained):
    name, shown, where, _ = trained
    wanted = logged(where, -1)
    if name in SHOWS_ALL_EPOCHS:
        assert set(shown["untrained"]) == set(wanted)
    else:
        assert_same(shown["untrained"], wanted)


def test_after_a_fit_it_is_the_last_picture_of_the_fit(trained):
    _, shown, where, _ = trained
    for when, step in (("trained", 1), ("again", 1), ("back", 1), ("resumed", 2)):
        assert_same(shown[when], logged(where, step))


def test_after_further_training_it_is_what_the_next_step_would_have_logged(trained):
    name, shown, where, _ = trained
    if name in HEARS_OF_EPOCHS:
        assert set(shown["trained on"]) == set(logged(where, 2))
    else:
        assert_same(shown["trained on"], logged(where, 2))
    assert any(not np.array_equal(one, shown["trained"][name]) for name, one in shown["trained on"].items())


def test_neither_the_model_nor_what_the_view_remembers_changes(trained):
    (memory, state), (memory_after, state_after) = trained[3]
    assert memory == memory_after
    np.testing.assert_equal(state, state_after)


# What it leaves behind.


def test_it_writes_prints_and_leaves_nothing(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    model = classifier()
    threads, callbacks = threading.active_count(), atexit._ncallbacks()
    view = kv.GradCAM("logs", VALIDATION, save_dir="saved")
    view.picture(model)
    with pytest.raises(ValueError, match="con2"):
        kv.GradCAM("logs", VALIDATION, layer="con2").picture(model)
    assert not list(tmp_path.iterdir())
    assert capfd.readouterr().out == ""
    assert threading.active_count() == threads
    assert atexit._ncallbacks() == callbacks
    gc.collect()
    assert id(model) not in FitContext._running
    assert view.context is None
    assert view.memory == type(view.memory)()


@pytest.mark.slow
def test_a_training_that_is_watched_by_hand_is_the_same_training(tmp_path):
    def trained(*callbacks):
        keras.utils.set_random_seed(3)
        model = dropping()
        history = fit(model, DATA.x, DATA.y, callbacks)
        return model.get_weights(), history.history

    view, seen = kv.GradCAM(tmp_path / "by hand", VALIDATION), []
    model_seen = keras.callbacks.LambdaCallback()
    model_seen.on_epoch_end = lambda epoch, logs=None: seen.append(view.pictures(model_seen.model))
    inside = kv.GradCAM(tmp_path / "inside", VALIDATION, on_error="raise")
    weights, history = trained(model_seen, inside)
    plain, plain_history = trained()
    assert same_weights(weights, plain)
    assert history == plain_history
    assert len(seen) == EPOCHS
    assert set(runs(tmp_path)) == {"inside/views/validation"}


def dropping():
    """A classifier whose training draws random numbers."""
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Dropout(0.5)(keras.layers.Conv2D(4, 3, activation="relu", name="conv1")(inputs))
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax", name="answer")(x))
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


@pytest.mark.slow
def test_copies_take_nothing_of_it_along(tmp_path):
    view = kv.GradCAM(tmp_path, VALIDATION)
    new = len(pickle.dumps(view))
    model = classifier()
    fit(model, DATA.x, DATA.y, [view], epochs=1)
    wanted = view.pictures(model)
    for twin in (copy.deepcopy(view), pickle.loads(pickle.dumps(view))):
        assert len(pickle.dumps(twin)) < new + 2000
        # What it remembered is not known to be of this model, so the scale is its own.
        assert_same(twin.pictures(model), kv.GradCAM(tmp_path, VALIDATION).pictures(model))
    assert_same(view.pictures(model), wanted)


# Which data, which model.


class Counted(keras.utils.PyDataset):
    """Counts how often it is asked."""

    asked = 0

    def __len__(self):
        return 1

    def __getitem__(self, index):
        Counted.asked += 1
        return VALIDATION


@pytest.mark.slow
def test_data_are_read_once_and_a_fit_decides_which_rows(tmp_path):
    data, model = Counted(), classifier()
    view = kv.GradCAM(tmp_path, data, on_error="raise")
    first = view.picture(model)
    asked = Counted.asked
    assert asked
    np.testing.assert_array_equal(view.picture(model), first)
    assert Counted.asked == asked
    fit(model, DATA.x, DATA.y, [view], epochs=1)
    asked = Counted.asked
    view.picture(model)
    assert Counted.asked == asked


def test_another_model_is_looked_at_afresh(tmp_path):
    view, other = kv.GradCAM(tmp_path / "a", VALIDATION), classifier()
    fit(classifier(), DATA.x, DATA.y, [view], epochs=1)
    assert_same(view.pictures(other), kv.GradCAM(tmp_path / "b", VALIDATION).pictures(other))


@pytest.mark.slow
def test_a_model_need_not_be_compiled(tmp_path):
    compiled = classifier()
    bare = keras.Model(compiled.inputs, compiled.outputs)
    assert not bare.compiled
    for view in (kv.FilterImages(tmp_path), kv.ActivationMaps(tmp_path, VALIDATION), kv.GradCAM(tmp_path, VALIDATION)):
        assert_same(view.pictures(bare), view.pictures(compiled))


@pytest.mark.slow
def test_random_numbers_drawn_in_between_do_not_count_as_a_further_step(tmp_path):
    model = dropping()
    view = recorded(kv.GradCAM)(tmp_path, VALIDATION)
    fit(model, DATA.x, DATA.y, [view], epochs=1)
    model(DATA.x[:2], training=True)
    steps = set(view.measured)
    view.picture(model)
    assert set(view.measured) == steps
    model.layers[1].bias.assign(np.ones(4, np.float32))
    view.picture(model)
    assert set(view.measured) - steps == {("validation", 1)}


@pytest.mark.slow
def test_a_view_that_starts_late_shows_the_model_all_the_same(tmp_path):
    model = classifier()
    late = kv.ActivationMaps(tmp_path, VALIDATION, start_from_epoch=5, freq=3)
    assert_same(late.pictures(model), kv.ActivationMaps(tmp_path, VALIDATION).pictures(model))


def test_what_was_restored_at_the_end_is_what_is_shown(tmp_path):
    model = classifier()
    view = kv.FilterImages(tmp_path, freq=5, on_error="raise")
    stop = keras.callbacks.EarlyStopping("loss", mode="max", patience=1, restore_best_weights=True)
    fit(model, DATA.x, DATA.y, [stop, view], epochs=10)
    assert_same(view.pictures(model), logged(tmp_path, 1))


# What is refused.


def test_only_a_model_with_weights_can_be_looked_at(tmp_path):
    views = [kv.FilterImages(tmp_path), kv.GradCAM(tmp_path, VALIDATION), kv.Visualizer(tmp_path, VALIDATION)]
    unbuilt = keras.Sequential([keras.layers.Conv2D(2, 3), keras.layers.Flatten(), keras.layers.Dense(3)], name="bare")

    class Half(keras.Model):
        def __init__(self):
            super().__init__()
            self.conv1, self.answer = keras.layers.Conv2D(2, 3), keras.layers.Dense(3)
            self.conv1.build((None, 8, 8, 1))

        def call(self, x):
            return self.answer(keras.layers.Flatten()(self.conv1(x)))

    half = Half()
    for view in views:
        with pytest.raises(TypeError, match=r"model: expected a keras\.Model, got ndarray\."):
            view.picture(np.zeros((2, 2)))
        with pytest.raises(ValueError, match=r'model: "bare" has no weights yet.*call it once.*give it an Input'):
            view.picture(unbuilt)
        with pytest.raises(ValueError, match="has no weights yet"):
            view.picture(half)
        assert not unbuilt.weights
        assert not half.answer.built


def test_a_model_that_is_all_train_step_is_looked_at_by_its_parts(tmp_path):
    class Parts(keras.Model):
        def __init__(self):
            super().__init__()
            self.encoder = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])

    model = Parts()
    assert not model.built
    shown = kv.LatentTrajectory(tmp_path, VALIDATION, layer=model.encoder).pictures(model)
    assert list(shown) == ["validation/latent/trajectory"]


def test_what_a_fit_would_refuse_is_raised_whatever_on_error(tmp_path):
    model = classifier()
    with pytest.raises(ValueError, match='layers="con1": no such layer'):
        kv.FilterImages(tmp_path, layers=["con1"], on_error="warn").picture(model)

    class Broken(kv.FilterImages):
        def draw(self, measured):
            raise ZeroDivisionError("its own")

    with pytest.raises(ZeroDivisionError, match="its own"):
        Broken(tmp_path, on_error="warn").picture(model)


@pytest.mark.parametrize("kind", quick(["view", "visualizer"], "view"))
def test_during_a_fit_of_its_own_it_says_so_and_the_fit_goes_on(kind, tmp_path):
    view = kv.FilterImages(tmp_path, on_error="raise")
    if kind == "visualizer":
        view = kv.Visualizer(tmp_path, on_error="raise")
    said = []

    class Ask(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            with pytest.raises(RuntimeError) as refused:
                view.picture(self.model)
            said.append(str(refused.value))

    model = classifier()
    fit(model, DATA.x, DATA.y, [view, Ask()])
    assert len(said) == EPOCHS
    assert "FilterImages is in a fit" in said[0]
    assert list(runs(tmp_path)["views/model"].pictures["filters/conv1"]) == [-1, 0, 1, 2]
    view.picture(model)


@pytest.mark.parametrize("kind", quick(["view", "visualizer"], "view"))
def test_after_a_fit_that_died_abandon_frees_it(kind, tmp_path):
    view = kv.FilterImages(tmp_path) if kind == "view" else kv.Visualizer(tmp_path)
    model = classifier()

    class Die(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fit(model, DATA.x, DATA.y, [view, Die()])
    with pytest.raises(RuntimeError, match=r"ended by an exception, call its abandon\(\) first"):
        view.picture(model)
    view.abandon()
    assert_same(view.pictures(model), logged(tmp_path, 0))


# One of several, and all on one sheet.


@pytest.fixture(scope="module")
def both():
    """A view of two layers and two sources, and its model."""
    return kv.ActivationMaps("unused", VALIDATION, training_data=TRAINING, layers=["conv1", "answer"]), classifier()


def test_all_pictures_stand_below_each_other_validation_first(both):
    view, model = both
    single, whole = view.pictures(model), view.picture(model)
    names = [f"{source}/activations/{layer}" for source in BOTH for layer in ("conv1", "answer")]
    assert list(single) == names
    tops = []
    for name in names:
        ((top, left),) = places_of(single[name], whole)
        assert left == 0
        tops.append(top)
    assert tops == sorted(tops)
    assert whole.shape[1] == max(one.shape[1] for one in single.values())


@pytest.mark.slow
def test_a_tag_picks_one_picture_or_the_same_of_both_sources(both):
    view, model = both
    single = view.pictures(model)
    one = view.picture(model, "train/activations/conv1")
    np.testing.assert_array_equal(one, single["train/activations/conv1"])
    two = view.picture(model, tag="activations/conv1")
    for source in BOTH:
        assert len(places_of(single[f"{source}/activations/conv1"], two)) == 1
    assert not places_of(single["train/activations/answer"], two)
    only = kv.FilterImages("unused", layers=["conv1"])
    np.testing.assert_array_equal(only.picture(model), only.pictures(model)["model/filters/conv1"])


def test_an_unknown_tag_is_an_error_that_lists_the_tags(both):
    view, model = both
    with pytest.raises(ValueError) as refused:
        view.picture(model, "activations/conv2")
    wanted = 'tag=\'activations/conv2\': no such picture; expected one of "activations/conv1", "activations/answer".'
    assert str(refused.value) == wanted


sizes = st.tuples(st.integers(1, 20), st.integers(1, 30))


@given(st.lists(sizes, min_size=1, max_size=4), st.booleans())
def test_a_stack_holds_every_picture_untouched_and_is_white_beside_them(shapes, named):
    rng = np.random.default_rng(0)
    shown = [rng.integers(0, 200, (*shape, 3), np.uint8) for shape in shapes]
    whole = stacked(shown, [f"run {number}" for number in range(len(shown))] if named else None)
    assert whole.shape[1] == max(shape[1] for shape in shapes)
    heading = (len(whole) - sum(h for h, _ in shapes) - MARGIN * (len(shapes) - 1)) // len(shapes)
    assert (heading > 10) == named
    top = 0
    for picture in shown:
        top += heading
        height, width = picture.shape[:2]
        np.testing.assert_array_equal(whole[top : top + height, :width], picture)
        assert (whole[top : top + height, width:] == 255).all()
        top += height + MARGIN
    assert top - MARGIN == len(whole)


def test_a_heading_names_the_run_above_its_picture():
    paper = np.full((10, 200, 3), 255, np.uint8)
    one, other = stacked([paper], ["validation"]), stacked([paper], ["train"])
    assert (one[:-10] < 200).any()
    assert one.shape == other.shape
    assert not np.array_equal(one, other)


@given(sizes, sizes, st.booleans())
def test_paper_is_white_round_the_picture(size, more, grey):
    picture = np.zeros(size if grey else (*size, 3), np.uint8)
    paper = on_paper(picture, size[0] + more[0], size[1] + more[1])
    assert paper.shape == (size[0] + more[0], size[1] + more[1], 3)
    assert not paper[: size[0], : size[1]].any()
    assert int((paper == 255).all(axis=-1).sum()) == paper.shape[0] * paper.shape[1] - size[0] * size[1]


# Both sets of data in one picture.


@pytest.mark.slow
@pytest.mark.parametrize("rows", [1, 3])
def test_a_training_set_of_few_rows_without_labels_stands_beside_the_validation_rows(rows, tmp_path):
    codes = autoencoder()
    for view, model in ((kv.GradCAM, classifier()), (kv.LatentTrajectory, codes), (kv.LatentProfiles, codes)):
        shown = view(tmp_path, VALIDATION, training_data=DATA.x[:rows]).pictures(model)
        validation = [name for name in shown if name.startswith("validation/")]
        assert validation == [validation[0], f"{validation[0]}/train_and_validation"]


def test_inputs_of_two_sizes_have_no_sheet_together(tmp_path):
    inputs = keras.Input((None, None, 1))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, name="conv")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))
    wide = np.pad(DATA.x, ((0, 0), (0, 4), (0, 4), (0, 0)))
    shown = kv.GradCAM(tmp_path, VALIDATION, training_data=(wide, DATA.y)).pictures(model)
    assert list(shown) == ["validation/grad_cam/conv", "train/grad_cam/conv"]


# The visualizer.


@pytest.mark.slow
def test_the_visualizer_shows_the_views_that_fit_in_one_look(tmp_path, monkeypatch, capfd):
    model, made = classifier(), []
    monkeypatch.setattr("kerasviz_callbacks.fit_context.Reader", lambda *given: made.append(given) or Reader(*given))
    chooser = kv.Visualizer(tmp_path, VALIDATION, training_data=TRAINING)
    shown = chooser.pictures(model)
    assert len(made) == 1, "one reading of the model for all views"
    assert capfd.readouterr().out == ""
    views = [kv.FilterImages(tmp_path)]
    of_data = (kv.ActivationMaps, kv.GradCAM, kv.OverfittingMonitor, kv.ConfusionMatrix, kv.DataMap)
    views += [one(tmp_path, VALIDATION, training_data=TRAINING) for one in of_data]
    together = snapshot(views, model)  # which show the inputs on one range of values
    assert_same(shown, {f"{one.source}/{one.tag}": one.picture for one in together})
    whole = chooser.picture(model)
    assert len(places_of(shown["train/grad_cam/conv2"], whole)) == 1
    np.testing.assert_array_equal(
        chooser.picture(model, "validation/grad_cam/conv2"), shown["validation/grad_cam/conv2"]
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_after_a_fit_the_visualizer_shows_what_its_views_logged_last(tmp_path):
    model = classifier()
    chooser = kv.Visualizer(tmp_path, VALIDATION, views=["FilterImages", kv.GradCAM(tmp_path, VALIDATION)])
    before = chooser.pictures(model)
    fit(model, DATA.x, DATA.y, [chooser], epochs=2)
    assert_same(before, logged(tmp_path, -1))
    assert_same(chooser.pictures(model), logged(tmp_path, 1))
    other = classifier()
    assert_same(chooser.pictures(other), kv.Visualizer(tmp_path, VALIDATION, views=chooser.views).pictures(other))
    twin = pickle.loads(pickle.dumps(chooser))
    assert set(twin.pictures(model)) == set(before)


# One pass before the first batch.


def test_the_untrained_model_is_taken_once_and_checked_before_the_first_batch(tmp_path):
    captured = []

    class Costly(kv.GradCAM):
        def capture(self, step):
            captured.append(step)
            return super().capture(step)

        def check(self, found):
            captured.append("checked")
            super().check(found)

    model, weights = classifier(), Weights()
    view = Costly(tmp_path, VALIDATION, on_error="raise")
    fit(model, DATA.x, DATA.y, [weights, view], epochs=2)
    assert captured == [-1, "checked", 0, 1]
    assert list(runs(tmp_path)["views/validation"].pictures["grad_cam/conv2"]) == [-1, 0, 1]


@pytest.mark.slow
def test_an_early_stop_before_the_first_drawn_epoch_draws_it_all_the_same(tmp_path):
    view = kv.ActivationMaps(tmp_path, VALIDATION, start_from_epoch=9, on_error="raise")
    stop = keras.callbacks.EarlyStopping("loss", mode="max", patience=1)
    fit(classifier(), DATA.x, DATA.y, [stop, view], epochs=20)
    assert list(runs(tmp_path)["views/validation"].pictures["activations/conv2"]) == [1]
