"""What `overfitting/summary` says of trainings that go wrong, read back from the pixels of the event file."""

import keras
import numpy as np
import pytest
from harness import autoencoder, classifier, decoded, first, fit, pictures, read, recorded

import kerasviz_callbacks as kv
from kerasviz_callbacks.draw.heat import WRONG
from kerasviz_callbacks.draw.overfitting import overfitting_sheet
from kerasviz_callbacks.draw.overfitting_charts import loss_charts
from kerasviz_callbacks.draw.sheet import footer_height, header_height
from kerasviz_callbacks.draw.text import STRIP, format_number, wrapped, write
from kerasviz_callbacks.taps.reader import Reader
from kerasviz_callbacks.views.overfitting_monitor import monitor
from kerasviz_callbacks.views.overfitting_monitor.epoch_history import EpochHistory
from kerasviz_callbacks.views.overfitting_monitor.several_outputs import judged_output_in_words, loss_in_words

DATA = pictures(n=36, n_val=36)


def summary_of(directory, step):
    return decoded(read(directory / "views" / "validation").pictures["overfitting/summary"][step])


def says(picture, words):
    """Whether the headline consists of these words: their letters stand there, and no others."""
    strip = np.full((46, 640, 3), STRIP, np.uint8)
    first, *rest = wrapped(words, 616, 17, bold=True)
    write(strip, (12, 22), first, size=17, bold=True)
    write(strip, (12, 43), " ".join(rest), size=17, bold=True)
    rows = 46 if rest else 30  # below a single line stands the second text
    tops = [header_height(picture.shape[1], "\n" * more) for more in (1, 2, 3, 4)]  # a caption of two to five lines
    return any(np.array_equal(picture[top : top + rows, 12 : 12 + 640], strip[:rows]) for top in tops)


def trained(directory, rate, *, scale=1.0, epochs=3):
    """A classifier, its history, and a monitor that watches it."""
    keras.utils.set_random_seed(1)
    model = classifier(metrics=["accuracy"])
    model.optimizer.learning_rate = rate
    validation = DATA.x_val * np.float32(scale), DATA.y_val
    view = kv.OverfittingMonitor(directory, validation, training_data=(DATA.x, DATA.y), on_error="raise")
    history = fit(model, DATA.x, DATA.y, [view], epochs=epochs, validation_data=validation).history
    return model, history


@pytest.mark.slow
def test_nan_is_the_headline_and_every_answer_is_counted(tmp_path):
    _, history = trained(tmp_path, 1e30)
    first = int(np.flatnonzero(np.isnan(history["val_loss"]))[0])
    assert np.isnan(history["loss"][-1])
    since = min(first, int(np.flatnonzero(~np.isfinite(history["loss"]))[0]))
    names = "loss and val_loss are" if since == first else "loss is"
    assert says(summary_of(tmp_path, 2), f"{names} NaN since epoch {since}.")
    assert says(summary_of(tmp_path, -1), "Before training: no epoch has ended.")


@pytest.mark.slow
def test_a_model_that_does_not_learn_is_at_chance_level_not_at_its_lowest_so_far(tmp_path):
    model, _ = trained(tmp_path, 0.0)
    accuracy = np.mean(model.predict(DATA.x_val, verbose=0).argmax(axis=1) == DATA.y_val)
    chance = f"majority class of the observed rows {format_number(1 / 3)}"
    said = f"Validation accuracy is at chance level: {format_number(accuracy)}, {chance}."
    assert says(summary_of(tmp_path, 2), said)


@pytest.mark.slow
def test_batch_normalization_that_lags_behind_is_told_and_not_taken_for_overfitting(tmp_path):
    keras.utils.set_random_seed(1)
    x = DATA.x.reshape(36, -1)[:, :20] * 0.01 + np.eye(3, 20, dtype=np.float32)[DATA.y] + 90
    normalization = keras.layers.BatchNormalization(momentum=0.9999)
    model = keras.Sequential([keras.Input((20,)), normalization, keras.layers.Dense(3, "softmax")])
    model.compile(keras.optimizers.Adam(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
    view = kv.OverfittingMonitor(tmp_path, (x, DATA.y), training_data=(x, DATA.y), on_error="raise")
    logged = fit(model, x, DATA.y, [view], epochs=6, validation_data=(x, DATA.y)).history["accuracy"][-1]
    right = np.mean(model.predict(x, verbose=0).argmax(axis=1) == DATA.y)
    assert logged - right > 0.25
    assert says(
        summary_of(tmp_path, 5),
        f"Accuracy on training data is {format_number(right)} in inference, {format_number(logged)} while training: "
        "batch normalization lags behind, or layers differ.",
    )


@pytest.mark.slow
def test_validation_inputs_of_another_scale_are_told_before_training_and_after(tmp_path):
    _, history = trained(tmp_path, 0.3, scale=1000.0, epochs=12)
    low, high = (np.percentile(DATA.x, share) for share in (0.5, 99.5))
    other = [np.percentile(DATA.x_val * np.float32(1000), share) for share in (0.5, 99.5)]
    written = [format_number(value) for value in (low, high, *other)]
    ranges = "training inputs {} to {}, validation inputs {} to {}".format(*written)
    assert says(summary_of(tmp_path, -1), f"Training and validation differ: {ranges}.")
    assert history["val_loss"][-1] > 2 * history["loss"][-1]
    assert not says(summary_of(tmp_path, 11), "val_loss is at its lowest so far")


class Parts(keras.Model):
    """An autoencoder whose `train_step` logs the parts of its loss, as VAEs do."""

    def __init__(self, inner):
        super().__init__(name="parts")
        self.inner = inner
        self.trackers = [keras.metrics.Mean(name=name) for name in ("loss", "reconstruction_loss", "kl_loss")]

    @property
    def metrics(self):
        return self.trackers

    def call(self, inputs):
        return self.inner(inputs)

    def train_step(self, data):
        for number, tracker in enumerate(self.trackers):
            tracker.update_state(1.0 + number)
        return {tracker.name: tracker.result() for tracker in self.trackers}

    test_step = train_step


@pytest.mark.parametrize(
    ("keys", "charts", "expected"),
    [
        (["reconstruction_loss"], 2, ["reconstruction_loss"]),
        (["contrastive_accuracy", "contrastive_loss", "rate_loss"], 2, ["contrastive_loss", "rate_loss"]),
        (["loss", "kl_loss", "mae"], 2, ["mae"]),
    ],
)
def test_where_no_loss_is_logged_its_parts_take_its_place(keys, charts, expected):
    history = EpochHistory()
    history.record(0, dict.fromkeys(keys, 1.0))
    assert history.metrics(charts) == expected
    assert history.has_loss == ("loss" in keys)
    curves = {f"{of}{key}": history.curve(f"{of}{key}") for of in ("", "val_") for key in keys}
    shown = [chart.title for chart in loss_charts(curves, expected, {}, 0)]
    assert shown == ["loss", *expected] if "loss" in keys else shown == expected


def test_without_a_validation_loss_the_remedy_is_that_of_the_loop(tmp_path):
    model = autoencoder()
    view = kv.OverfittingMonitor(tmp_path, DATA.x_val, on_error="raise")
    view.set_model(model)
    view.set_params({"epochs": 1})
    view.on_train_begin()
    view.on_epoch_begin(0)
    view.on_epoch_end(0, {"loss": 1.0})
    view.on_train_end()
    why = "No val_loss in the logs, so no best epoch: "
    assert says(summary_of(tmp_path, 0), f'{why}pass it to on_epoch_end(epoch, {{"loss": ..., "val_loss": ...}}).')
    fit(model, DATA.x, DATA.x, [kv.OverfittingMonitor(tmp_path / "fit", DATA.x_val)], epochs=1)
    remedy = "fit needs validation_data, and a test_step that returns a loss."
    assert says(summary_of(tmp_path / "fit", 0), f"{why}{remedy}")


@pytest.mark.parametrize("parts", first([True, False]))
def test_an_autoencoder_has_a_summary_with_the_parts_of_its_loss(parts, tmp_path):
    model = autoencoder(metrics=["mae"])
    if parts:
        model = Parts(model)
        model(DATA.x)
        model.compile("sgd", "mse")
    view = recorded(kv.OverfittingMonitor)(tmp_path, DATA.x_val, on_error="raise")
    fit(model, DATA.x, DATA.x, [view], epochs=2, validation_data=(DATA.x_val, DATA.x_val))
    data = view.measured["validation", 1].data
    expected = ["kl_loss", "reconstruction_loss"] if parts else ["mae"]
    assert sorted(data.metrics) == expected
    assert all(len(data.curves[f"{of}{key}"][0]) == 2 for of in ("", "val_") for key in ("loss", *expected))
    sizes = {summary_of(tmp_path, step).shape for step in (-1, 0, 1)}
    assert len(sizes) == 1, "space is kept for the parts before they are known"


@pytest.mark.slow
@pytest.mark.parametrize(("make", "y", "first"), [(autoencoder, "x_val", 0), (classifier, "y_val", -1)])
def test_the_axis_of_the_charts_is_the_same_at_every_step(make, y, first, tmp_path, monkeypatch):
    """It begins where the first value can stand: curves of Keras at epoch 0, metrics before training at -1."""
    axes = []

    def noted(shown, **texts):
        axes.append((shown.steps.first, shown.steps.last, shown.steps.now))
        return overfitting_sheet(shown, **texts)

    monkeypatch.setattr(monitor, "overfitting_sheet", noted)
    given = DATA.x_val, getattr(DATA, y)
    model, view = make(), kv.OverfittingMonitor(tmp_path, given, on_error="raise")
    fit(model, *given, [view], epochs=3, validation_data=given)
    assert axes == [(first, 2, max(step, first)) for step in (-1, 0, 1, 2)]
    axes.clear()
    kv.OverfittingMonitor(tmp_path, given).picture(model)  # how many epochs there will be is not known
    assert axes == [(first, first, first)]


@pytest.mark.slow
@pytest.mark.parametrize("frozen", [True, False])
def test_frozen_features_are_said_in_the_charts_of_their_metrics(frozen, tmp_path, monkeypatch):
    hints = {}

    def noted(shown, **texts):
        hints.update({chart.title: chart.hint for chart in shown.metrics})
        return overfitting_sheet(shown, **texts)

    monkeypatch.setattr(monitor, "overfitting_sheet", noted)
    model = classifier()
    for layer in model.layers[:-1]:
        layer.trainable = not frozen
    kv.OverfittingMonitor(tmp_path, (DATA.x_val, DATA.y_val)).picture(model)
    said = [name for name, hint in hints.items() if hint == "features are frozen"]
    assert said == (["knn", "silhouette", "nc1"] if frozen else [])


TWO = {  # how a model of two outputs is compiled, and what is said of its loss
    "a loss each": ({"loss": {"kind": "sparse_categorical_crossentropy", "size": "mse"}}, "sum over outputs"),
    "a loss of the second alone": ({"loss": {"size": "mse"}}, "of output size"),
    "one loss for both": ({"loss": "mse"}, "sum over outputs"),
    "none": ({}, ""),
}


@pytest.mark.parametrize("case", TWO)
def test_of_two_outputs_it_is_said_which_is_judged_and_which_the_loss_is_of(case):
    compiled, said = TWO[case]
    inputs = keras.Input((4,))
    heads = {"kind": keras.layers.Dense(3, "softmax", name="kind"), "size": keras.layers.Dense(1, name="size")}
    model = keras.Model(inputs, {name: head(inputs) for name, head in heads.items()})
    model.compile("sgd", **compiled)
    reader = Reader(model, np.zeros((2, 4), np.float32))
    assert judged_output_in_words(reader) == "judged: output kind, one of 2"
    assert loss_in_words(reader, model) == said
    assert loss_in_words(reader, keras.Sequential([model])) == "", "the loss is that of another model"


def test_of_one_output_nothing_is_said():
    reader = Reader(classifier(), DATA.x)
    assert (judged_output_in_words(reader), loss_in_words(reader, reader.model)) == ("", "")


@pytest.mark.slow
def test_what_the_loss_is_of_stands_in_its_chart_and_caption_alone(tmp_path, monkeypatch):
    sheets = []

    def noted(shown, *, caption, note):
        sheets.append((caption, {chart.title: chart.hint for chart in shown.losses}))
        return overfitting_sheet(shown, caption=caption, note=note)

    monkeypatch.setattr(monitor, "overfitting_sheet", noted)
    inputs = keras.Input((8, 8, 1))
    flat = keras.layers.Flatten()(inputs)
    outputs = {"kind": keras.layers.Dense(3, "softmax", name="kind")(flat), "size": keras.layers.Dense(1)(flat)}
    model = keras.Model(inputs, outputs)
    model.compile("sgd", {"kind": "sparse_categorical_crossentropy", "size": "mse"}, metrics={"kind": ["accuracy"]})
    y = {"kind": DATA.y_val, "size": DATA.x_val.mean(axis=(1, 2))}
    view = kv.OverfittingMonitor(tmp_path, (DATA.x_val, y), on_error="raise")
    fit(model, DATA.x_val, y, [view], epochs=1)
    caption, hints = sheets[-1]
    assert "judged: output kind, one of 2" in caption.splitlines()
    assert hints == {"loss": "sum over outputs", "kind_accuracy": ""}


@pytest.mark.slow
def test_an_answer_of_nan_is_framed_as_wrong_even_where_the_label_is_0(tmp_path):
    model = classifier()
    labels = np.zeros(len(DATA.x_val[:4]), int)
    view = kv.GradCAM(tmp_path, (DATA.x_val[:4], labels), on_error="raise")
    kernel, bias = model.get_layer("answer").get_weights()
    bias[:] = [9, 0, 0]
    model.get_layer("answer").set_weights([kernel, bias])
    right = np.asarray(view.picture(model))
    model.get_layer("answer").set_weights([kernel * np.nan, bias])
    wrong = np.asarray(view.picture(model))
    frames = [(one[: -footer_height(one.shape[1])] == WRONG).all(axis=-1).sum() for one in (right, wrong)]
    assert frames[0] == 0
    assert frames[1] > 4 * 4 * 2 * 160, "a frame of four pixels round each of four tiles"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("names", "written"),
    [(None, ["class 0", "class 1", "class 2"]), (["7", "8", "shirt"], ["class 7", "class 8", "shirt"])],
)
def test_class_names_that_are_numbers_do_not_read_like_channel_numbers(names, written, tmp_path):
    view = recorded(kv.GradCAM)(tmp_path, (DATA.x_val, DATA.y_val), class_names=names, on_error="raise")
    view.picture(classifier())
    assert [view.at_work[0].probe_display.class_name(label) for label in range(3)] == written


def test_a_loss_that_falls_while_accuracy_on_training_data_falls_is_not_called_overfitting(tmp_path):
    """As with weights in the loss alone: a quarter of the rows, those of the third input, change to the other class."""
    x, y = np.repeat(np.eye(3, dtype=np.float32), [20, 10, 10], axis=0), np.repeat([0, 1], 20)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, "softmax", use_bias=False)])
    view = kv.OverfittingMonitor(tmp_path, (x, y), training_data=(x, y), on_error="raise")
    view.set_model(model)
    view.on_train_begin()
    for epoch, kernel in enumerate(([[1, 0], [0, 1], [0, 1]], [[1, 0], [0, 1], [1, 0]])):
        view.on_epoch_begin(epoch)
        model.set_weights([np.array(kernel, np.float32)])
        view.on_epoch_end(epoch, {"loss": 0.5 - 0.1 * epoch, "val_loss": 0.5 + 0.3 * epoch})
    view.on_train_end()
    change = "val_loss 0.5 → 0.8 (+60%); accuracy on training data fell too, 1 → 0.75."
    assert says(summary_of(tmp_path, 1), f"Getting worse since epoch 0: {change}")
