"""The metrics of `OverfittingMonitor` against scikit-learn and closed forms, what it publishes, and unusual models."""

import csv
import pickle
import warnings
from statistics import harmonic_mean

import keras
import numpy as np
import pytest
from entries.overfitting_monitor import by_hand
from harness import EPOCHS, autoencoder, classifier, first, fit, pictures, quick, read, recorded, runs
from sklearn.metrics import balanced_accuracy_score, silhouette_score

import kerasviz_callbacks as kv
from kerasviz_callbacks.callback.evaluated_view import Evaluation
from kerasviz_callbacks.draw.overfitting import overfitting_sheet
from kerasviz_callbacks.maths.confidence import multiclass_scores, multilabel_scores
from kerasviz_callbacks.views.overfitting_monitor import monitor
from kerasviz_callbacks.views.overfitting_monitor.measurements import (
    OverfittingData,
    answers_of,
    empty_in_words,
    metrics_of,
    tells_nothing,
)
from kerasviz_callbacks.views.overfitting_monitor.weighting import weighting_in_words

NAMES = ("overconfidence", "knn", "silhouette", "nc1", "cam_drift", "cam_true_vs_predicted")
WHITE = np.full((8, 8, 3), 255, np.uint8)
PUBLISHED = {f"{of}{name}" for of in ("val_", "") for name in NAMES}


class Models(keras.callbacks.Callback):
    """The weights at the end of every epoch, and the logs as a callback at this place sees them."""

    def __init__(self):
        super().__init__()
        self.weights, self.logs = [], []

    def on_epoch_end(self, epoch, logs=None):
        self.weights.append(self.model.get_weights())
        self.logs.append(dict(logs))


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A fit that overfits within a few epochs, and all that is known of it."""
    keras.utils.set_random_seed(3)
    data, model = pictures(n=24, n_val=36), classifier(metrics=["accuracy"])
    model.optimizer.learning_rate = 2.0
    directory = tmp_path_factory.mktemp("watched")
    view = recorded(kv.OverfittingMonitor)(
        directory / "logs",
        (data.x_val, data.y_val),
        training_data=(data.x, data.y),
        save_dir=directory / "pictures",
        freq=3,
        on_error="raise",
    )
    after = Models()
    wrong = np.roll(data.y, 1)  # labels that cannot be learned: the loss of validation data must rise
    wrong[: len(wrong) // 3] = data.y[: len(wrong) // 3]
    given = {"validation_data": (data.x_val, data.y_val), "epochs": 8}
    view.training_data = (data.x, wrong)
    fit(model, data.x, wrong, [view, after], **given)
    return model, data, wrong, view, after, directory


def test_every_metric_equals_an_independent_computation_at_every_epoch(watched):
    model, data, wrong, _, after, _ = watched
    final = model.get_weights()
    losses = [logs["val_loss"] for logs in after.logs]
    best = {}
    assert np.argmin(losses) not in (0, len(losses) - 1), "the best epoch should lie within, or drift is not tested"
    for epoch, (weights, logs) in enumerate(zip(after.weights, after.logs, strict=True)):
        model.set_weights(weights)
        for of, x, y in (("val_", data.x_val, data.y_val), ("", data.x, wrong)):
            is_best = losses[epoch] == min(losses[: epoch + 1])
            true, metrics = by_hand(model, x, y, None if is_best else best[of])
            if is_best:
                best[of] = true
            for name, value in metrics.items():
                assert logs[of + name] == pytest.approx(value, abs=2e-5), f"{of}{name} at {epoch}"
            assert (logs[f"{of}cam_drift"] == 0) == is_best
    model.set_weights(final)


@pytest.mark.slow
def test_overconfidence_is_that_of_the_proportions_of_the_data_though_the_rows_are_balanced(tmp_path):
    keras.utils.set_random_seed(4)
    rng = np.random.default_rng(4)
    y = (np.arange(400) % 10 == 0).astype(int)  # a tenth is positive
    x = rng.normal(size=(400, 3)).astype(np.float32) + y[:, None]
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(2, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    view = kv.OverfittingMonitor(tmp_path, kv.Probe((x, y), count=40), publish=["overconfidence"], on_error="raise")
    history = model.fit(x, y, epochs=1, verbose=0, callbacks=[view]).history
    rows = view.validation_data.index
    assert y[rows].mean() == 0.5
    shares = model.predict(x[rows], verbose=0).astype(np.float64)
    excess = shares.max(axis=1) - (shares.argmax(axis=1) == y[rows])
    expected = 0.1 * excess[y[rows] == 1].mean() + 0.9 * excess[y[rows] == 0].mean()
    assert history["val_overconfidence"] == pytest.approx([expected], abs=1e-6)
    assert abs(expected - excess.mean()) > 0.05


@pytest.mark.parametrize(("found", "balanced"), [(0, 0.5), (4, 0.9)])
def test_the_headline_is_told_how_accurate_the_answers_are_within_each_class(found, balanced):
    labels = np.repeat([0, 1], [20, 5])
    said = np.where(np.arange(25) < 20 + found, labels, 0)
    scores = multiclass_scores(np.eye(2)[said], labels)
    data = OverfittingData({}, {}, {}, None, [], Evaluation(scores, scores.true), None, {}, np.nan)
    answers = answers_of({"validation": data}, labels, {})
    assert (answers.accuracy, answers.chance, answers.balanced) == pytest.approx(((20 + found) / 25, 0.8, balanced))
    assert answers.class_sizes == (20, 5)


def test_the_headline_is_told_how_right_answers_of_several_labels_are_beside_constant_ones():
    rng = np.random.default_rng(0)
    truth = (rng.random((200, 4)) < [0.1, 0.3, 0.5, 0.8]).astype(int)
    truth[:, 3] = 1  # every row has it
    for probabilities in (np.full(truth.shape, 0.2), 0.3 * truth + 0.4 * rng.random(truth.shape)):
        scores = multilabel_scores(probabilities, truth)
        data = OverfittingData({}, {}, {}, None, [], Evaluation(scores, scores.true), None, {}, np.nan)
        answers, said = answers_of({"validation": data}, None, {}, truth), (probabilities >= 0.5).astype(int)
        assert answers.labels == 4
        assert answers.accuracy == pytest.approx((said == truth).mean())
        assert answers.chance == pytest.approx(np.mean([max(np.bincount(one)) / 200 for one in truth.T]))
        each = [balanced_accuracy_score(truth[:, one], said[:, one]) for one in range(3)]
        assert answers.balanced == pytest.approx(np.mean(each))
        with_it = truth[:, :3].sum(axis=0)
        assert answers.class_sizes == pytest.approx([harmonic_mean(200 - with_it), harmonic_mean(with_it)])


@pytest.mark.slow
def test_a_model_that_never_predicts_a_label_has_no_calm_headline(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(monitor, "overfitting_sheet", lambda contents, **_: told.append(contents.headline[0]) or WHITE)
    rng = np.random.default_rng(1)
    x = rng.random((200, 12)).astype(np.float32)
    y = (x[:, :4] > 0.8).astype(np.float32)
    model = keras.Sequential([keras.Input((12,)), keras.layers.Dense(4, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy")
    view = kv.OverfittingMonitor(tmp_path, (x, y))

    class AsKnown(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            found = 30 * np.eye(12, 4) if epoch else np.zeros((12, 4))
            self.model.set_weights([found, np.full(4, -24.0 if epoch else -1.0)])

    model.fit(x, y, epochs=2, verbose=0, validation_data=(x, y), callbacks=[AsKnown(), view])
    right = f"{(y == 0).mean():.3g}"
    expected = f"Labels are answered hardly better than alike for all rows: {right} of them are right, {right} if alike"
    assert told[1] == f"{expected}."
    assert "alike" not in told[2]


@pytest.mark.parametrize(("blank", "gap"), [(0, False), (5, False), (6, True), (10, True)])
def test_maps_that_most_wrong_rows_lack_tell_nothing_although_right_rows_count(blank, gap):
    labels = np.zeros(40, int)
    scores = multiclass_scores(np.eye(2)[np.repeat([1, 0], [10, 30])], labels)  # ten are wrong
    maps = np.ones((40, 3, 3))
    maps[:blank] = 0
    now = Evaluation(scores, scores.true, None, maps, maps)
    values, left_out = metrics_of(now, None, maps)
    assert left_out["cam_true_vs_predicted"] == blank
    assert values["cam_true_vs_predicted"] == pytest.approx(0)
    assert tells_nothing("cam_true_vs_predicted", now, left_out) == gap
    assert not tells_nothing("cam_drift", now, left_out)


def test_metrics_are_published_at_every_epoch_and_images_drawn_at_some(watched):
    _, _, _, _, after, directory = watched
    assert all(set(logs) >= PUBLISHED for logs in after.logs)
    found = runs(directory / "logs")
    assert set(found) == {"views/validation", "views/train"}
    assert list(found["views/validation"].pictures) == ["overfitting/summary"]
    assert list(found["views/validation"].pictures["overfitting/summary"]) == [-1, 0, 3, 6, 7]
    assert not found["views/train"].pictures
    for run, of in (("views/validation", "val_"), ("views/train", "")):
        scalars = found[run].scalars
        assert set(scalars) == {f"overfitting/{name}" for name in (*NAMES, "cam_empty")}
        for name in NAMES:
            begins = 0 if name == "cam_drift" else -1
            assert list(scalars[f"overfitting/{name}"]) == list(range(begins, 8))
            for epoch, logs in enumerate(after.logs):
                assert scalars[f"overfitting/{name}"][epoch] == pytest.approx(logs[of + name], rel=1e-6)


def test_the_features_are_what_feeds_the_answer_and_the_maps_the_last(watched):
    view = watched[3]
    assert (view.at_work[0].features_path, view.at_work[0].maps_path) == ("mean", "conv2")


@pytest.mark.parametrize(("bias", "missing"), first([(0.0, None), (np.nan, np.nan)]))
def test_a_drift_of_empty_maps_is_a_gap_and_one_of_nan_is_nan_and_the_rows_are_counted(
    bias, missing, tmp_path, monkeypatch
):
    notes = []
    monkeypatch.setattr(monitor, "overfitting_sheet", lambda *_, note, **options: notes.append(note) or WHITE)
    data, model = pictures(), classifier()
    model.get_layer("conv2").set_weights([np.zeros_like(model.get_layer("conv2").get_weights()[0]), np.full(5, bias)])
    model.optimizer.learning_rate = 0.0
    view = kv.OverfittingMonitor(tmp_path, (data.x_val, data.y_val), on_error="raise")

    class Loss(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["val_loss"] = 1.0  # so that the epoch is the best one

    fit(model, data.x, data.y, [Loss(), view], epochs=1)
    steps, values = view.result.last.measured["validation"].data.histories["cam_drift"]
    assert steps == (0,)
    assert values == (missing,) or (missing is not None and np.isnan(values[0]))
    assert "cam_drift" not in notes[0], "there is no drift before training"
    if missing is None:
        assert notes[1].startswith("empty: 12 of 12 true-class maps   left out: 12 in cam_drift")


@pytest.mark.parametrize(
    ("empty", "left_out", "said"),
    [
        (
            3,
            {"cam_drift": 3, "cam_true_vs_predicted": 1},
            "3 of 5 true-class maps   left out: 1 in cam_true_vs_predicted",
        ),
        (3, {"cam_drift": 3, "cam_true_vs_predicted": 0}, "3 of 5 true-class maps"),
        (0, {"cam_drift": 0, "cam_true_vs_predicted": 0}, ""),
    ],
)
def test_empty_maps_are_counted_over_all_rows_and_not_only_over_the_wrong_ones(empty, left_out, said):
    maps = np.zeros((5, 2, 2), np.float32)
    maps[empty:, 1, 0] = 0.5
    histories = {"cam_drift": ((), ()), "cam_true_vs_predicted": ((0, 1), (0.2, 0.1))}  # without a val_loss no drift
    now = Evaluation(None, np.zeros(5), true_maps=maps)
    data = OverfittingData(histories, {}, {}, None, [], now, None, left_out, np.nan)
    assert empty_in_words(data, 1) == (said and f"empty: {said}")


@pytest.mark.parametrize("mode", quick(["before", "after"], "before"))
def test_early_stopping_and_the_csv_log_see_the_metrics_when_listed_after_it(mode, tmp_path):
    data, model = pictures(), classifier()
    view = kv.OverfittingMonitor(tmp_path / "logs", (data.x_val, data.y_val), on_error="raise")
    stop = keras.callbacks.EarlyStopping("val_knn", mode="min", patience=1, min_delta=10.0)
    log = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    order = [view, stop, log] if mode == "before" else [stop, log, view]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # Keras: the metric is not available
        history = fit(model, data.x, data.y, order, epochs=6).history
    rows = list(csv.DictReader((tmp_path / "log.csv").read_text().splitlines()))
    if mode == "before":
        assert stop.stopped_epoch == 1
        assert len(rows) == 2
        assert {f"val_{name}" for name in NAMES} <= set(rows[0])
        assert float(rows[1]["val_knn"]) == pytest.approx(history["val_knn"][1])
    else:
        assert stop.stopped_epoch == 0
        assert len(rows) == 6
        assert "val_knn" not in rows[0]
    assert "knn" not in history, "no training data were given"


@pytest.mark.slow
def test_an_early_stop_between_two_drawn_epochs_is_drawn_as_it_was_measured(tmp_path):
    data, model = pictures(), classifier()
    view = kv.OverfittingMonitor(tmp_path, (data.x_val, data.y_val), freq=100, on_error="raise")
    stop = keras.callbacks.EarlyStopping("val_nc1", mode="min", patience=1, min_delta=1e9, restore_best_weights=True)
    history = fit(model, data.x, data.y, [view, stop], epochs=9).history
    found = read(tmp_path / "views" / "validation")
    assert list(found.pictures["overfitting/summary"]) == [-1, 0, 1]
    assert found.scalars["overfitting/nc1"][1] == pytest.approx(history["val_nc1"][1])


@pytest.mark.slow
def test_drift_is_unknown_until_a_validation_loss_was_seen(tmp_path):
    data, model = pictures(), classifier()
    view = kv.OverfittingMonitor(tmp_path, (data.x_val, data.y_val), on_error="raise")
    given = {"validation_data": (data.x_val, data.y_val), "validation_freq": [3, 4], "epochs": 4}
    history = fit(model, data.x, data.y, [view], **given).history
    assert np.isnan(history["val_cam_drift"][:2]).all()
    assert history["val_cam_drift"][2] == 0
    assert list(read(tmp_path / "views" / "validation").scalars["overfitting/cam_drift"]) == [2, 3]


# Every kind of answer.


def ended(*layers_of_head):
    """Two convolutions and a head."""
    layers = keras.layers
    stem = [layers.Conv2D(4, 3, activation="relu", name="conv1"), layers.Conv2D(5, 3, activation="relu", name="conv2")]
    return keras.Sequential(
        [keras.Input((8, 8, 1)), *stem, layers.GlobalAveragePooling2D(name="mean"), *layers_of_head]
    )


def several_labels(y):
    """Class 0 and 1 each carry a label, class 2 both."""
    return np.stack([y != 1, y != 0], axis=1).astype(np.float32)


BINARY = keras.losses.BinaryCrossentropy(from_logits=True)
SPARSE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
HEADS = {
    "a sigmoid": ((1, "sigmoid"), "binary_crossentropy", lambda y: (y > 0).astype(int)),
    "a logit": ((1, None), BINARY, lambda y: (y > 0).astype(np.float32)[:, None]),
    "a softmax of two": ((2, "softmax"), "sparse_categorical_crossentropy", lambda y: (y > 0).astype(int)),
    "logits": ((3, None), SPARSE, lambda y: y),
    "a log-softmax": ((3, "log_softmax"), SPARSE, lambda y: y),
    "one-hot": ((3, "softmax"), "categorical_crossentropy", lambda y: np.eye(3, dtype=np.float32)[y]),
    "labels": ((2, "sigmoid"), "binary_crossentropy", several_labels),
    "logits of labels": ((2, None), BINARY, several_labels),
}


def probabilities(model, x, activation):
    """Of each class or label, from whatever the model puts out."""
    out = model(x, training=False)
    if activation is None:
        out = keras.ops.sigmoid(out) if out.shape[-1] < 3 else keras.ops.softmax(out)
    shares = keras.ops.convert_to_numpy(keras.ops.exp(out) if activation == "log_softmax" else out)
    return np.concatenate([1 - shares, shares], axis=1) if shares.shape[1] == 1 else shares


@pytest.mark.parametrize("head", quick(HEADS, "logits"))
def test_every_kind_of_classifier_is_evaluated_by_its_own_probabilities(head, tmp_path):
    (units, activation), loss, made = HEADS[head]
    keras.utils.set_random_seed(5)
    data, model = pictures(), ended(keras.layers.Dense(units, activation, name="answer"))
    model.compile(keras.optimizers.SGD(0.5), loss)
    y, y_val = made(data.y), made(data.y_val)
    view = kv.OverfittingMonitor(tmp_path, (data.x_val, y_val), training_data=(data.x, y), on_error="raise")
    history = fit(model, data.x, y, [view], validation_data=(data.x_val, y_val)).history
    shares = probabilities(model, data.x_val, activation)
    if "labels" in head:
        right = (shares >= 0.5) == (y_val > 0.5)
        expected = np.maximum(shares, 1 - shares).mean() - right.mean()
        assert not {"val_knn", "val_silhouette", "val_nc1"} & set(history)
    else:
        true = y_val.argmax(-1) if np.ndim(y_val) == 2 and y_val.shape[1] > 1 else np.ravel(y_val)
        expected = shares.max(axis=1).mean() - np.mean(shares.argmax(axis=1) == true)
        assert set(history) >= PUBLISHED
    assert history["val_overconfidence"][-1] == pytest.approx(expected, abs=1e-5)
    assert np.isfinite(history["val_cam_true_vs_predicted"]).all()
    assert read(tmp_path / "views" / "validation").pictures["overfitting/summary"]


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["softmax", "log_softmax"])
def test_probabilities_of_a_softmax_that_cannot_be_seen_are_taken_as_they_are(ending, tmp_path):
    data = pictures()
    hidden = keras.layers.Lambda(lambda shares: shares + 0.0)
    model = ended(keras.layers.Dense(3, ending, name="answer"), hidden)
    model.compile(keras.optimizers.SGD(0.0), SPARSE)
    view = kv.OverfittingMonitor(tmp_path, (data.x_val, data.y_val), score="output", on_error="raise")
    history = fit(model, data.x, data.y, [view], epochs=1).history
    shares = probabilities(model, data.x_val, ending)
    expected = shares.max(axis=1).mean() - np.mean(shares.argmax(axis=1) == data.y_val)
    assert history["val_overconfidence"][0] == pytest.approx(expected, abs=1e-5)


def equal_metrics(one, other, names):
    for name in names:
        np.testing.assert_allclose(one[f"val_{name}"], other[f"val_{name}"], atol=2e-4, err_msg=name)


@pytest.mark.slow
def test_one_logit_one_sigmoid_and_two_softmax_units_of_equal_probabilities_give_equal_metrics(tmp_path):
    """The same weights with z, sigmoid(z) and softmax(0, z): the two classes' maps are those of z and -z."""
    data = pictures()
    y_val = (data.y_val > 0).astype(int)
    found = {}
    for name, units, activation, loss in (
        ("logit", 1, None, BINARY),
        ("sigmoid", 1, "sigmoid", "binary_crossentropy"),
        ("softmax", 2, "softmax", "sparse_categorical_crossentropy"),
    ):
        keras.utils.set_random_seed(5)
        model = ended(keras.layers.Dense(units, activation, name="answer"))
        kernel = np.random.default_rng(0).standard_normal((5, 1)).astype(np.float32) * 9
        # softmax(-z/2, z/2) is sigmoid(z), and gives class 0 the maps of -z/2, class 1 those of z/2
        kernel = kernel if units == 1 else np.concatenate([-kernel, kernel], axis=1) / 2
        model.get_layer("answer").set_weights([kernel, np.zeros(units, np.float32)])
        model.compile(keras.optimizers.SGD(0.0), loss)
        view = kv.OverfittingMonitor(tmp_path / name, (data.x_val, y_val), on_error="raise")
        found[name] = fit(model, data.x, (data.y > 0).astype(int), [view], epochs=1).history
    names = [name for name in NAMES if name != "cam_drift"]
    equal_metrics(found["logit"], found["sigmoid"], names)
    equal_metrics(found["logit"], found["softmax"], names)
    assert found["logit"]["val_cam_true_vs_predicted"][0] > 0, "some answer should be wrong"


@pytest.mark.slow
def test_maps_of_several_labels_are_the_sum_over_those_that_are_true(tmp_path):
    keras.utils.set_random_seed(5)
    data, model = pictures(), ended(keras.layers.Dense(2, "sigmoid", name="answer"))
    model.compile(keras.optimizers.SGD(0.5), "binary_crossentropy")
    view = Kept(tmp_path, (data.x_val, several_labels(data.y_val)), on_error="raise")
    fit(model, data.x, several_labels(data.y), [view])
    last = view.kept[0]
    maps = keras.Model(model.inputs[0], model.get_layer("conv2").output)(data.x_val).numpy()
    kernel = model.get_layer("answer").kernel.numpy()
    said = probabilities(model, data.x_val, "sigmoid") >= 0.5
    for found, chosen in ((last.true_maps, several_labels(data.y_val)), (last.predicted_maps, said)):
        expected = np.maximum(np.einsum("nhwc,cn->nhw", maps, kernel @ chosen.T.astype(np.float32)), 0) / 16
        np.testing.assert_allclose(found, expected, atol=1e-6)


# What is no picture, has no maps, or is no classifier.


def told(capsys):
    return [line for line in capsys.readouterr().out.splitlines() if "leaves out" in line]


@pytest.mark.slow
def test_a_network_of_dense_layers_has_geometry_and_no_maps_and_says_so(tmp_path, capsys):
    data = pictures()
    layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(9, "relu", name="hidden")]
    model = keras.Sequential([*layers, keras.layers.Dropout(0.5), keras.layers.Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    view = kv.OverfittingMonitor(tmp_path, (data.x_val, data.y_val), on_error="raise")
    history = fit(model, data.x, data.y, [view], verbose=2).history
    assert {key for key in history if key.startswith("val_")} == {f"val_{name}" for name in NAMES[:4]}
    assert told(capsys) == [
        "kerasviz_callbacks: OverfittingMonitor leaves out cam_drift, cam_true_vs_predicted: "
        "no layer before the output has feature maps."
    ]
    features = keras.Model(model.inputs[0], model.get_layer("hidden").output)(data.x_val).numpy()
    assert history["val_silhouette"][-1] == pytest.approx(silhouette_score(features, data.y_val), abs=1e-5)


def test_one_layer_alone_has_no_features(tmp_path, capsys):
    data = pictures()
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    view = kv.OverfittingMonitor(tmp_path, (data.x_val, data.y_val), on_error="raise")
    history = fit(model, data.x, data.y, [view], verbose=2).history
    assert set(history) == {"loss", "val_overconfidence"}
    assert "knn, silhouette, nc1: no layer with weights comes before the output layer" in told(capsys)[0]


@pytest.mark.parametrize("kind", quick(["regression", "autoencoder", "table"], "regression"))
def test_what_gives_quantities_publishes_nothing_and_shows_where_its_errors_grew(kind, tmp_path, capsys):
    data = pictures()
    if kind == "autoencoder":
        model, y, y_val = autoencoder(), data.x, data.x_val
        shown = (data.x_val, data.y_val)
    elif kind == "regression":
        model, y, y_val = ended(keras.layers.Dense(1)), data.x.mean(axis=(1, 2, 3)), data.x_val.mean(axis=(1, 2, 3))
        model.compile(keras.optimizers.SGD(0.1), "mse")
        shown = (data.x_val, y_val)
    else:
        data.__dict__["x"], data.__dict__["x_val"] = data.x.reshape(36, -1), data.x_val.reshape(12, -1)
        model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(2)])
        model.compile(keras.optimizers.SGD(0.1), "mse")
        y, y_val = data.x[:, :2], data.x_val[:, :2]
        shown = (data.x_val, y_val)
    view = kv.OverfittingMonitor(tmp_path, shown, on_error="raise")
    history = fit(model, data.x, y, [view], validation_data=(data.x_val, y_val), verbose=2).history
    assert set(history) == {"loss", "val_loss"}
    assert "leaves out all metrics: the model predicts continuous values, not classes" in told(capsys)[0]
    true_score = view.result.last.measured["validation"].data.now.true_score
    assert -true_score.mean() == pytest.approx(history["val_loss"][-1], rel=1e-4)
    assert list(read(tmp_path / "views" / "validation").pictures["overfitting/summary"]) == list(range(-1, EPOCHS))


@pytest.mark.slow
def test_named_layers_are_those_that_are_read(tmp_path):
    data, model = pictures(), classifier()
    view = recorded(kv.OverfittingMonitor)(
        tmp_path, (data.x_val, data.y_val), features="conv1", layer="conv1", on_error="raise"
    )
    history = fit(model, data.x, data.y, [view], epochs=1).history
    maps = keras.Model(model.input, model.get_layer("conv1").output)(data.x_val).numpy()
    expected = silhouette_score(maps.mean(axis=(1, 2)), data.y_val)
    assert history["val_silhouette"][0] == pytest.approx(expected, abs=1e-5)
    assert (view.at_work[0].features_path, view.at_work[0].maps_path) == ("conv1", "conv1")


def test_maps_made_within_the_pass_are_those_of_class_activation_map(tmp_path):
    data, model = pictures(), classifier()
    view = Kept(tmp_path, (data.x_val, data.y_val), on_error="raise")
    fit(model, data.x, data.y, [view], epochs=1)
    now = view.kept[0]
    for found, target in ((now.true_maps, data.y_val), (now.predicted_maps, None)):
        expected = kv.class_activation_map(model, data.x_val, target=target)
        np.testing.assert_allclose(found, expected, atol=1e-6 * expected.max())


@pytest.mark.parametrize(
    ("y_val", "why"),
    first(
        [
            (np.zeros(12, int), "validation_data has one class"),
            (np.arange(12), "no two of the rows used have the same class; increase count"),
        ]
    ),
)
def test_what_the_labels_do_not_give_is_left_out_and_said(y_val, why, tmp_path, capsys):
    data, model = pictures(), classifier(classes=12)
    view = kv.OverfittingMonitor(tmp_path, (data.x_val, y_val), on_error="raise")
    history = fit(model, data.x, data.y, [view], epochs=1, verbose=2).history
    assert {f"val_{name}" for name in NAMES} - set(history) == {"val_silhouette", "val_nc1"}
    assert told(capsys) == [f"kerasviz_callbacks: OverfittingMonitor leaves out silhouette, nc1: {why}."]


@pytest.mark.slow
def test_of_two_monitors_in_one_fit_logs_hold_the_metrics_of_the_first(tmp_path, capsys):
    data, model = pictures(), classifier()
    given = {"validation_data": (data.x_val, data.y_val), "on_error": "raise"}
    views = [kv.OverfittingMonitor(tmp_path / layer, features=layer, **given) for layer in ("conv1", "conv2")]
    history = fit(model, data.x, data.y, views, epochs=1, verbose=2).history
    assert "another OverfittingMonitor of this fit publishes these metrics" in capsys.readouterr().out
    for layer, is_published in (("conv1", True), ("conv2", False)):
        logged = read(tmp_path / layer / "views" / "validation").scalars["overfitting/nc1"][0]
        assert (logged == pytest.approx(history["val_nc1"][0], rel=1e-6)) == is_published


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["mse", keras.losses.Huber()])
def test_units_that_are_fitted_to_numbers_are_no_logits(loss, tmp_path):
    data, model = pictures(), ended(keras.layers.Dense(3))
    model.compile(keras.optimizers.SGD(0.1), loss)
    y_val = np.eye(3, dtype=np.float32)[data.y_val]
    view = kv.OverfittingMonitor(tmp_path, (data.x_val, y_val), on_error="raise")
    history = fit(model, data.x, np.eye(3, dtype=np.float32)[data.y], [view], epochs=1).history
    assert set(history) == {"loss"}


@pytest.mark.slow
def test_anything_may_stand_in_logs(tmp_path):
    class Strange(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs.update(large=10**400, words="none", several=np.zeros(3), missing=None, acceleration=9.81)

    data, model = pictures(), classifier(metrics=["accuracy"])
    view = kv.OverfittingMonitor(tmp_path, (data.x_val, data.y_val), on_error="raise")
    history = fit(model, data.x, data.y, [Strange(), view], epochs=2).history
    assert np.isfinite(history["val_knn"]).all()
    assert view.result.last.measured["validation"].data.metrics == ["accuracy"]


# What goes wrong.


class Kept(kv.OverfittingMonitor):
    """Keeps what the model makes of the validation rows."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.kept = []

    def evaluate(self, captured, source):
        self.kept[:] = [super().evaluate(captured, source)]
        return self.kept[0]


class OfOne(kv.OverfittingMonitor):
    """Cannot measure training data."""

    def evaluate(self, captured, source):
        if source == "train":
            raise RuntimeError("on purpose")
        return super().evaluate(captured, source)


@pytest.mark.slow
def test_one_set_that_cannot_be_measured_leaves_the_other_as_it_is(tmp_path):
    data, model = pictures(), classifier()
    view = OfOne(tmp_path, (data.x_val, data.y_val), training_data=(data.x, data.y))
    with pytest.warns(UserWarning, match="OfOne could not measure"):
        history = fit(model, data.x, data.y, [view]).history
    assert np.isfinite(history["val_knn"]).all()
    assert np.isnan(history["knn"]).all()
    assert list(read(tmp_path / "views" / "validation").pictures["overfitting/summary"]) == list(range(-1, EPOCHS))


class Broken(kv.OverfittingMonitor):
    """Cannot measure its second epoch."""

    def evaluate(self, captured, source):
        if len(self.memory.for_source("validation").get("histories", {}).get("knn", {})) == 2:
            self.memory.for_source("validation")["histories"]["knn"][99] = 0.0
            raise RuntimeError("on purpose")
        return super().evaluate(captured, source)


@pytest.mark.fault("an epoch cannot be measured", "its metrics are NaN in logs, no key is missing, training goes on")
def test_what_could_not_be_measured_is_nan_and_not_missing(tmp_path):
    data, model = pictures(), classifier()
    view = Broken(tmp_path, (data.x_val, data.y_val))
    with pytest.warns(UserWarning, match=r"Broken could not measure \(RuntimeError: on purpose\); training goes on"):
        history = fit(model, data.x, data.y, [view]).history
    assert [bool(np.isnan(value)) for value in history["val_knn"]] == [False, True, False]
    assert [bool(np.isnan(value)) for value in history["val_cam_true_vs_predicted"]] == [False, True, False]
    assert list(read(tmp_path / "views" / "validation").scalars["overfitting/knn"]) == [-1, 0, 2]


@pytest.mark.slow
def test_training_is_the_same_with_it_and_keras_own_history_too(tmp_path):
    found = []
    for views in ([], [kv.OverfittingMonitor(tmp_path, (pictures().x_val, pictures().y_val), training_data=None)]):
        keras.utils.set_random_seed(7)
        data, model = pictures(), classifier(metrics=["accuracy"])
        history = fit(model, data.x, data.y, views, validation_data=(data.x_val, data.y_val)).history
        found.append(({key: history[key] for key in ("loss", "accuracy", "val_loss")}, model.get_weights()))
    assert found[0][0] == found[1][0]
    assert all(np.array_equal(one, other) for one, other in zip(found[0][1], found[1][1], strict=True))


@pytest.mark.slow
def test_a_resumed_fit_goes_on_with_its_curves_and_an_earlier_start_replaces_them(tmp_path):
    data, model = pictures(), classifier()
    view = kv.OverfittingMonitor(tmp_path, (data.x_val, data.y_val), on_error="raise")
    given = {"validation_data": (data.x_val, data.y_val)}
    fit(model, data.x, data.y, [view], epochs=4, **given)
    fit(model, data.x, data.y, [view], epochs=6, initial_epoch=2, **given)
    seen = view.result.last.measured["validation"].data
    assert seen.histories["knn"][0] == tuple(range(-1, 6))
    assert seen.curves["val_loss"][0] == tuple(range(6))


def test_what_it_remembers_can_be_pickled(watched):
    memory = watched[3].memory
    assert pickle.loads(pickle.dumps(memory)).scales == memory.scales


IN_ALL = "count in loss and weighted_metrics, not in the majority class's share"
UNKNOWN = (
    "any weights of fit count in training's loss and weighted_metrics, not in validation's or in the majority class's "
    "share"
)
WEIGHTED = {  # which data have sample weights, what is compiled, what is said
    "nothing": ((), {"metrics": ["accuracy"]}, ""),
    "weighted metrics": ((), {"weighted_metrics": ["accuracy"]}, UNKNOWN),
    "sample weights": (
        ("training",),
        {},
        "sample weights of training data count in loss, not in the majority class's share",
    ),
    "both": (
        ("training", "validation"),
        {"weighted_metrics": ["accuracy"]},
        f"sample weights of validation and training data {IN_ALL}",
    ),
}


@pytest.mark.parametrize("case", first(WEIGHTED))
def test_weights_that_count_in_the_curves_are_told_where_they_are_known(case, tmp_path, monkeypatch):
    weighted, compiled, words = WEIGHTED[case]
    captions, data = [], pictures()

    def noted(shown, *, caption, note):
        captions.append(caption)
        return overfitting_sheet(shown, caption=caption, note=note)

    monkeypatch.setattr(monitor, "overfitting_sheet", noted)
    train, validation = (
        (x, y, np.ones(len(x))) if name in weighted else (x, y)
        for name, x, y in (("training", data.x, data.y), ("validation", data.x_val, data.y_val))
    )
    model = classifier()
    model.compile("sgd", "sparse_categorical_crossentropy", **compiled)
    kv.OverfittingMonitor(tmp_path, validation, training_data=train).picture(model)
    lines = captions[0].splitlines()
    assert [line for line in lines if "weight" in line] == ([words] if words else [])


def test_a_loss_that_cannot_be_saved_leaves_the_weights_unknown_without_a_warning(recwarn):
    class Unsaved(keras.losses.Loss):
        def get_config(self):
            raise NotImplementedError

        def call(self, true, found):
            return keras.ops.mean(true - found)

    model = classifier()
    for loss in (Unsaved(), lambda true, found: keras.ops.mean(true - found)):
        model.compile("sgd", loss, weighted_metrics=["mse"])
        known = not isinstance(loss, Unsaved)
        words = "any weights of fit count in training's loss and weighted_metrics, not in validation's" if known else ""
        assert weighting_in_words(model, {}, majority=False) == words
    assert weighting_in_words(classifier(), {}, majority=True) == ""
    assert not [one for one in recwarn if "lambda" in str(one.message)]


def test_picture_works_without_a_fit(tmp_path):
    data, model = pictures(), classifier()
    shown = kv.OverfittingMonitor(tmp_path, (data.x_val, data.y_val)).picture(model)
    assert shown.dtype == np.uint8
    assert shown.shape[2] == 3
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "said"), [(36, False), (25, False), (20, True)])
def test_knn_of_far_more_rows_is_said_not_to_be_comparable(rows, said, tmp_path, monkeypatch):
    captions = []
    monkeypatch.setattr(monitor, "overfitting_sheet", lambda *_, caption, **__: captions.append(caption) or WHITE)
    data = pictures(n=36, n_val=36)
    given = {"training_data": (data.x, data.y), "on_error": "raise"}
    view = kv.OverfittingMonitor(tmp_path, (data.x_val[:rows], data.y_val[:rows]), **given)
    view.picture(classifier())
    assert ("knn rises with the number of rows: not to be compared" in captions[0]) == said


@pytest.mark.parametrize(
    ("frequent", "said"),
    first([(57, False), (63, True), (50, False), (95, True)], 2),
)
def test_metrics_that_count_rows_are_said_not_to_be_comparable_where_shares_of_classes_differ(
    frequent, said, tmp_path, monkeypatch
):
    captions = []
    monkeypatch.setattr(monitor, "overfitting_sheet", lambda *_, caption, **__: captions.append(caption) or WHITE)
    data = pictures(n=100, n_val=100)
    y = (np.arange(100) % 2).astype(np.int64)
    view = kv.OverfittingMonitor(
        tmp_path, (data.x_val, (np.arange(100) >= frequent).astype(int)), training_data=(data.x, y)
    )
    view.picture(classifier())
    words = "shares of classes differ between the two: compare only the course of silhouette, nc1, cam_*"
    assert (words in captions[0]) == said
