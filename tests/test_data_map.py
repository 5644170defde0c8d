"""`DataMap`: figures of real fits against recorded logits, planted wrong labels, resuming, and what it says."""

import csv
import io
import math
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from harness import check_each, classifier, decoded, first, fit, pictures, quick, recorded, runs
from scipy.special import expit, log_softmax
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

import kerasviz_callbacks as kv
from kerasviz_callbacks.draw.data_map import GROUPS, RIGHT, WRONG
from kerasviz_callbacks.draw.text import LINE
from kerasviz_callbacks.maths.dynamics import SUMS
from kerasviz_callbacks.taps.reader import Reader
from kerasviz_callbacks.taps.task import Task
from kerasviz_callbacks.views.data_map import data_map as data_map_view
from kerasviz_callbacks.views.data_map.table import read_csv

TAG = "data_map/summary"


class Logits(keras.callbacks.Callback):
    """The outputs for some rows at the end of every epoch, before the softmax, and the losses of validation."""

    def __init__(self, x, layer="answer"):
        super().__init__()
        self.x, self.layer, self.at, self.losses = x, layer, [], []

    def on_epoch_end(self, epoch, logs=None):
        layer = self.model.get_layer(self.layer)
        inputs = keras.Model(self.model.inputs[0], layer.input)(self.x).numpy().astype(np.float64)
        kernel, bias = (weight.numpy().astype(np.float64) for weight in layer.weights)
        self.at.append(inputs @ kernel + bias)
        self.losses.append((logs or {}).get("val_loss", math.nan))


class Losses(keras.callbacks.Callback):
    """Gives each epoch a `val_loss`, as validation would."""

    def __init__(self, *losses):
        super().__init__()
        self.losses = losses

    def on_epoch_end(self, epoch, logs=None):
        if epoch < len(self.losses) and self.losses[epoch] is not None:
            logs["val_loss"] = self.losses[epoch]


def wrongly_labelled(n=60, wrong=6, seed=0):
    """Pictures of three classes, some of them with another label, and which."""
    data = pictures(n=n, n_val=0, seed=seed)
    rows = np.random.default_rng(seed).permutation(n)[:wrong]
    y = data.y.copy()
    y[rows] = (y[rows] + 1) % 3
    return data.x, y, rows


def columns_of(log_dir, run="views/train"):
    """The file as text columns."""
    lines = list(csv.reader(io.StringIO((log_dir / run / "data_map.csv").read_text(), newline="")))
    return dict(zip(lines[0], zip(*lines[1:], strict=True), strict=True))


# Figures.


LOSSES = [(0.9, 0.5, 0.7, 0.6), (None, 0.5, None, 0.4), (None,) * 4]


@pytest.mark.parametrize("losses", [LOSSES[0], *(pytest.param(one, marks=pytest.mark.slow) for one in LOSSES[1:])])
def test_margins_are_of_the_epochs_up_to_the_lowest_val_loss(losses, tmp_path):
    x, y, _ = wrongly_labelled()
    view, logits = kv.DataMap(tmp_path, training_data=(x, y), on_error="raise"), Logits(x)
    fit(classifier(), x, y, [Losses(*losses), logits, view], epochs=4)
    known = [loss for loss in losses if loss is not None]
    until = losses.index(min(known)) + 1 if known else 4
    rows = np.arange(len(y))
    margins = []
    for one in logits.at:
        others = one.copy()
        others[rows, y] = -np.inf
        margins.append(one[rows, y] - others.max(axis=1))
    table = view.table()
    np.testing.assert_allclose(table["margin"], np.mean(margins[:until], axis=0), atol=1e-6)
    np.testing.assert_allclose(table["margin_to_the_end"], np.mean(margins, axis=0), atol=1e-6)
    others = logits.at[until - 1].copy()
    others[rows, y] = -np.inf
    np.testing.assert_array_equal(table["proposed"], others.argmax(axis=1))


def test_rows_in_another_order_have_the_same_figures(tmp_path):
    x, y, _ = wrongly_labelled()
    order = np.random.default_rng(3).permutation(len(y))
    views = [
        kv.DataMap(tmp_path / "one", training_data=(x, y)),
        kv.DataMap(tmp_path / "other", training_data=(x[order], y[order])),
    ]
    fit(classifier(), x, y, [Losses(0.9, 0.5, 0.7), *views])
    one, other = (view.table() for view in views)
    assert one.keys() == other.keys()
    for name in set(one) - {"index", "doubt_rank"}:
        if one[name].dtype.kind == "f":
            np.testing.assert_allclose(one[name][order], other[name], atol=1e-5, err_msg=name)
        else:
            np.testing.assert_array_equal(one[name][order], other[name], err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [60, 180])
def test_planted_wrong_labels_of_digits_are_the_most_doubtful_and_their_own_are_proposed(wrong, tmp_path):
    images, true = load_digits(return_X_y=True)
    x, x_val = (images.reshape(-1, 8, 8, 1).astype(np.float32) / 16)[:900].reshape(2, 450, 8, 8, 1)
    true, y_val = true[:900].reshape(2, 450)
    draws = np.random.default_rng(0)
    rows, y = draws.permutation(450)[:wrong], true.copy()
    y[rows] = (y[rows] + draws.integers(1, 10, wrong)) % 10
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(16, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    view = kv.DataMap(tmp_path, training_data=(x, y), freq=15, on_error="raise")
    fit(model, x, y, [view], epochs=15, validation_data=(x_val, y_val), batch_size=50)
    table = view.table()
    planted = np.isin(np.arange(450), rows)
    assert roc_auc_score(planted, -table["margin"]) > 0.93
    assert (table["doubt_rank"][planted] <= wrong).mean() > 0.75
    found = planted & table["doubtful"]
    assert (table["proposed"][found] == true[found]).mean() > 0.8


# Kinds of outputs.


def head(units, activation, loss, name="answer"):
    inputs = keras.Input((8, 8, 1))
    outputs = keras.layers.Dense(units, activation=activation, name=name)(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.SGD(0.3), loss)
    return model


BINARY_LOGITS = keras.losses.BinaryCrossentropy(from_logits=True)
HEADS = {
    "a sigmoid": (1, "sigmoid", "binary_crossentropy", "yes"),
    "a logit": (1, None, BINARY_LOGITS, "yes"),
    "several sigmoids": (2, "sigmoid", "binary_crossentropy", "several"),
    "several logits": (2, None, BINARY_LOGITS, "several"),
    "logits": (3, None, keras.losses.SparseCategoricalCrossentropy(from_logits=True), "classes"),
    "one-hot rows": (3, "softmax", "categorical_crossentropy", "one-hot"),
    "log-softmax": (3, "log_softmax", keras.losses.SparseCategoricalCrossentropy(from_logits=True), "classes"),
}


@pytest.mark.parametrize("kind", quick(HEADS, "a sigmoid", "several sigmoids", "logits"))
def test_margins_and_probabilities_of_every_kind_of_output(kind, tmp_path):
    units, activation, loss, form = HEADS[kind]
    x, y, _ = wrongly_labelled()
    targets = {
        "yes": (y > 0).astype(np.float32),
        "several": np.stack([y > 0, y > 1], axis=1).astype(np.float32),
        "classes": y,
        "one-hot": np.eye(3, dtype=np.float32)[y],
    }[form]
    view, logits = kv.DataMap(tmp_path, training_data=(x, targets), on_error="raise"), Logits(x)
    fit(head(units, activation, loss), x, targets, [logits, view])
    table, rows = view.table(), np.arange(len(y))
    if form in ("yes", "several"):
        signs = np.where(targets > 0.5, 1, -1).reshape(len(y), -1)
        margins = np.stack([(one * signs).ravel() for one in logits.at])
        probabilities = expit(margins)
        given = table["given"] if form == "several" else table["label"]
        np.testing.assert_array_equal(given, targets.ravel())
        np.testing.assert_array_equal(table["index"], np.repeat(rows, units))
        np.testing.assert_array_equal(table["proposed"], 1 - targets.ravel())
    else:
        others = [np.where(np.eye(3)[y] > 0, -np.inf, one).max(axis=1) for one in logits.at]
        margins = np.stack([one[rows, y] - other for one, other in zip(logits.at, others, strict=True)])
        probabilities = np.stack([np.exp(log_softmax(one, axis=1))[rows, y] for one in logits.at])
    np.testing.assert_allclose(table["margin"], margins.mean(axis=0), atol=2e-6)
    np.testing.assert_allclose(table["confidence"], probabilities.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(table["variability"], probabilities.std(axis=0), atol=1e-6)
    assert np.isnan(table["knn_disagreement"]).all(), "no layer with weights comes before the output"
    assert list(runs(tmp_path)["views/train"].pictures[TAG]) == [-1, 0, 1, 2]


@pytest.mark.slow
def test_saturated_probabilities_have_their_margins(tmp_path):
    """Where float32 probabilities are exactly 0 and 1, only the logits tell rows apart."""
    x, y, _ = wrongly_labelled()
    model, logits = head(1, "sigmoid", "binary_crossentropy"), Logits(x)
    model.set_weights([weight * 3000 for weight in model.get_weights()])
    view = kv.DataMap(tmp_path, training_data=(x, (y > 0) * 1), on_error="raise")
    fit(model, x, (y > 0) * 1, [logits, view], epochs=1)
    wanted = logits.at[0][:, 0] * np.where(y > 0, 1, -1)
    assert np.abs(wanted).max() > 100
    np.testing.assert_allclose(view.table()["margin"], wanted, rtol=1e-5)


# What it is given.


@pytest.mark.parametrize("form", first(["stream", "sequence", "probe", "without a class"]))
def test_the_index_is_the_position_in_the_users_data(form, tmp_path):
    x, y, _ = wrongly_labelled(n=90)

    class Sequence(keras.utils.PyDataset):
        def __len__(self):
            return 9

        def __getitem__(self, number):
            return x[10 * number : 10 * number + 10], y[10 * number : 10 * number + 10]

    hidden = np.where(np.arange(90) % 4 == 0, -1, y)
    data = {
        "stream": tf.data.Dataset.from_tensor_slices((x, y)).batch(16),
        "sequence": Sequence(),
        "probe": kv.Probe((x, y), count=40),
        "without a class": (x, hidden),
    }[form]
    count = None if form == "probe" else 40
    view = kv.DataMap(tmp_path, training_data=data, count=count, on_error="raise")
    fit(classifier(), x, y, [view], epochs=1)
    table = view.table()
    assert len(table["index"]) == 40 == len(set(table["index"].tolist()))
    np.testing.assert_array_equal(table["label"], (hidden if form == "without a class" else y)[table["index"]])
    columns = columns_of(tmp_path)
    assert [int(one) for one in columns["index"]] == table["index"].tolist()


def test_both_data_sets_have_a_map_and_a_table_each(tmp_path):
    x, y, _ = wrongly_labelled()
    view = kv.DataMap(tmp_path, (x[:20], y[:20]), training_data=(x[20:], y[20:]), class_names=["a", "b, c", "d"])
    fit(classifier(), x, y, [view])
    assert {name for name, found in runs(tmp_path).items() if TAG in found.pictures} == {
        "views/validation",
        "views/train",
    }
    for run, data, count in (("views/validation", "validation", 20), ("views/train", "training", 40)):
        table, columns = view.table(data), columns_of(tmp_path, run)
        assert len(table["index"]) == count
        assert set(table) <= set(columns)
        assert list(columns["label_name"]) == [["a", "b, c", "d"][label] for label in table["label"]]
        for name in ("margin", "confidence", "variability", "knn_disagreement"):
            assert [float(one) for one in columns[name]] == table[name].tolist(), "in full precision"
    assert view.table()["index"].tolist() == view.table("training")["index"].tolist()


@pytest.mark.parametrize(("most", "count"), first([(20, 60), (60, 60)]))
def test_features_of_at_most_so_many_rows_are_compared(most, count, tmp_path, monkeypatch):
    monkeypatch.setattr(data_map_view, "MOST_COMPARED", most)
    x, y, _ = wrongly_labelled()
    model = classifier()
    view = kv.DataMap(tmp_path, training_data=(x, y), count=count, on_error="raise")
    fit(model, x, y, [view], epochs=2)
    found = view.table()["knn_disagreement"]
    rows = np.flatnonzero(np.isfinite(found))
    assert len(rows) == most
    features = keras.Model(model.inputs[0], model.get_layer("mean").output)(x[rows]).numpy()
    for place, row in enumerate(rows):
        away = np.square(features - features[place]).sum(axis=1)
        away[place] = np.inf
        nearest = rows[np.argsort(away, kind="stable")[:10]]
        assert found[row] == pytest.approx(np.mean(y[nearest] != y[row]))


def test_the_pass_is_shared_where_the_rows_are_the_same(tmp_path, monkeypatch):
    read, x, y = [], *wrongly_labelled()[:2]
    original = Reader.read
    monkeypatch.setattr(Reader, "read", lambda self, *a, **k: read.append(1) or original(self, *a, **k))
    data = (x, y)
    views = [kv.DataMap(tmp_path, training_data=data), kv.OverfittingMonitor(tmp_path, data, publish=False)]
    fit(classifier(), x, y, views, epochs=3)
    assert len(read) == 4, "the untrained model and three epochs"


# Going on with an earlier fit.

RESUMED = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
sys.path.insert(0, sys.argv[1])
import numpy as np, keras
from harness import classifier, fit
from test_data_map import Losses, wrongly_labelled
import kerasviz_callbacks as kv
x, y, _ = wrongly_labelled()
model = classifier()
model.load_weights(sys.argv[2])
view = kv.DataMap(sys.argv[3], training_data=(x, y), on_error="raise")
fit(model, x, y, [Losses(0.9, 0.5, 0.7, 0.4, 0.6), view], initial_epoch=2, epochs=5, verbose=2)
"""


@pytest.mark.slow
def test_a_fit_of_another_process_continues_with_the_sums_in_the_file(tmp_path):
    x, y, _ = wrongly_labelled()
    losses = Losses(0.9, 0.5, 0.7, 0.4, 0.6)

    def begun():
        keras.utils.set_random_seed(1)
        return classifier()

    fit(begun(), x, y, [losses, kv.DataMap(tmp_path / "whole", training_data=(x, y))], epochs=5)
    model = begun()
    fit(model, x, y, [losses, kv.DataMap(tmp_path / "parts", training_data=(x, y))], epochs=2)
    model.save_weights(tmp_path / "model.weights.h5")
    given = [str(one) for one in (Path(__file__).parent, tmp_path / "model.weights.h5", tmp_path / "parts")]
    done = subprocess.run([sys.executable, "-c", RESUMED, *given], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "DataMap of training data continues with the sums of 2 earlier epochs." in done.stdout
    whole, parts = columns_of(tmp_path / "whole"), columns_of(tmp_path / "parts")
    assert whole == parts, "bit for bit"
    assert set(whole["epochs"]) == {"5"}
    assert (set(whole["best_step"]), set(whole["best_val_loss"])) == ({"3"}, {"0.4"})


def resumed(tmp_path, change, *, keep=False, first_epochs=2, at=2):
    """A fit, then `change(path of the file)` and another data set, if it gives any; what is said, and the table."""
    x, y, _ = wrongly_labelled()
    model, view = classifier(), kv.DataMap(tmp_path, training_data=(x, y))
    fit(model, x, y, [Losses(0.9, 0.5, 0.7), view], epochs=first_epochs)
    before = view.table()
    data = change(tmp_path / "views" / "train" / "data_map.csv") or (x, y)
    view = view if keep else kv.DataMap(tmp_path, training_data=data)
    view.training_data = data
    fit(model, x, y, [Losses(0.9, 0.5, 0.7, 0.8), view], initial_epoch=at, epochs=at + 2, verbose=2)
    return before, view.table()


def headings_alone(path):
    path.write_text(path.read_text().splitlines()[0] + "\n")


def quoted(path):
    path.write_text(path.read_text().replace("\n0,", '\n"', 1) + "0" * 200_000)


def huge(path):
    """A number that no 64 bits hold."""
    path.write_text(path.read_text().replace("\n0,", f"\n{10**30},", 1))


def delete(path):
    path.unlink()


def tear(path):
    path.write_bytes(path.read_bytes()[:-40])


def other_rows(path):
    x, y, _ = wrongly_labelled(seed=5)
    return x, y


def relabelled(path):
    x, y, _ = wrongly_labelled()
    y = y.copy()
    y[:7] = (y[:7] + 1) % 3
    return x, y


ANEW = {
    "deleted": (delete, "starts over at epoch 2: there is no data_map.csv of the epochs before"),
    "torn": (tear, "starts over at epoch 2: data_map.csv cannot be read (a line is not complete)"),
    "empty": (headings_alone, "data_map.csv cannot be read (it holds no rows)"),
    "other rows": (other_rows, "starts over at epoch 2: the earlier fit looked at other rows"),
    "a quote": (quoted, "cannot be read (field larger than field limit"),
    "too large": (huge, "cannot be read"),
    "other columns": (lambda path: path.write_text("index,label\n0,1\n") and None, "it has no column inputs_crc32"),
}


@pytest.mark.parametrize("case", quick(ANEW, "torn", "other rows"))
def test_where_it_cannot_continue_it_starts_over_and_says_why(case, tmp_path, capsys):
    change, said = ANEW[case]
    _, after = resumed(tmp_path, change)
    assert said in capsys.readouterr().out
    assert set(after["epochs"].tolist()) == {2}


@pytest.mark.parametrize("keep", first([False, True]))
def test_labels_that_have_changed_start_over_and_the_others_continue(keep, tmp_path, capsys):
    _, after = resumed(tmp_path, relabelled, keep=keep)
    said = "continues with the sums of 2 earlier epochs; 7 labels have changed and start over."
    assert said in capsys.readouterr().out
    assert after["epochs"].tolist() == [2] * 7 + [4] * 53


@pytest.mark.slow
def test_epochs_that_are_trained_again_are_not_counted_twice(tmp_path, capsys):
    _, after = resumed(tmp_path, lambda path: None, keep=True, first_epochs=3, at=1)
    said = capsys.readouterr().out
    assert "starts over at epoch 1: the earlier fit was measured up to epoch 2" in said
    assert set(after["epochs"].tolist()) == {2}


def test_the_file_reads_back_as_it_was_written(tmp_path):
    x, y, _ = wrongly_labelled()
    view = recorded(kv.DataMap)(tmp_path, training_data=(x, y))
    fit(classifier(), x, y, [Losses(0.9, 0.5, 0.7), view])
    judged = view.measured["train", 2].data.judged
    items, dynamics = read_csv((tmp_path / "views/train/data_map.csv").read_bytes(), several=False)
    assert items.equal(judged.items)
    for name in SUMS.names:
        np.testing.assert_array_equal(dynamics.sums[name], judged.dynamics.sums[name], err_msg=name)
    assert (dynamics.step, dynamics.epochs, dynamics.best_step, dynamics.best_loss) == (2, 3, 1, 0.5)


def test_a_shuffled_stream_continues_though_its_rows_come_in_another_order(tmp_path):
    x, y, _ = wrongly_labelled()
    model, tables = classifier(), []
    for epoch in range(3):
        stream = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(60, seed=epoch).batch(10)
        view = kv.DataMap(tmp_path, training_data=stream, on_error="raise")
        fit(model, x, y, [view], initial_epoch=epoch, epochs=epoch + 1)
        tables.append(view.table())
    assert [set(table["epochs"].tolist()) for table in tables] == [{1}, {2}, {3}]
    assert not np.array_equal(tables[0]["label"], tables[1]["label"]), "another order"


@pytest.mark.slow
def test_epochs_that_the_file_lacks_are_named(tmp_path, capsys):
    x, y, _ = wrongly_labelled()
    model = classifier()
    fit(model, x, y, [kv.DataMap(tmp_path, training_data=(x, y))], epochs=2)
    fit(model, x, y, [kv.DataMap(tmp_path, training_data=(x, y))], initial_epoch=5, epochs=6, verbose=2)
    assert "continues with the sums of 2 earlier epochs; epochs 2 to 4 are missing." in capsys.readouterr().out


@pytest.mark.parametrize("ends", first(["stops early", "raises"]))
def test_the_file_holds_every_epoch_though_few_are_drawn(ends, tmp_path):
    x, y, _ = wrongly_labelled()

    class End(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 6 and ends == "raises":
                raise KeyboardInterrupt
            self.model.stop_training = epoch == 6

    view = kv.DataMap(tmp_path, training_data=(x, y), freq=5)
    if ends == "raises":
        with pytest.raises(KeyboardInterrupt):
            fit(classifier(), x, y, [view, End()], epochs=20)
        view.abandon()
    else:
        fit(classifier(), x, y, [view, End()], epochs=20)
    assert set(columns_of(tmp_path)["epochs"]) == {"7"}
    assert set(columns_of(tmp_path)["step"]) == {"6"}


def test_a_label_that_changes_after_the_best_epoch_has_no_margin_until_the_next(tmp_path):
    x, y, _ = wrongly_labelled()
    model = classifier()
    fit(model, x, y, [Losses(0.5, 0.9), kv.DataMap(tmp_path, training_data=(x, y))], epochs=2)
    view = kv.DataMap(tmp_path, training_data=relabelled(None))
    fit(model, x, y, [Losses(0, 0, 0.8, 0.4), view], initial_epoch=2, epochs=3)
    table = view.table()
    assert np.isnan(table["margin"]).tolist() == [True] * 7 + [False] * 53
    assert table["doubt_rank"][:7].tolist() == [54, 55, 56, 57, 58, 59, 60]
    view = kv.DataMap(tmp_path, training_data=relabelled(None))
    fit(model, x, y, [Losses(0, 0, 0.8, 0.4), view], initial_epoch=3, epochs=4)
    assert np.isfinite(view.table()["margin"]).all()


# What it says of trainings that go wrong.


def sheets(monkeypatch):
    """The contents of all images, filled as they are drawn."""
    made = []
    original = data_map_view.data_map_sheet
    monkeypatch.setattr(data_map_view, "data_map_sheet", lambda shown, **k: made.append(shown) or original(shown, **k))
    return made


class Spoil(keras.callbacks.Callback):
    """Makes the weights NaN in the last epoch."""

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            self.model.set_weights([weight * np.nan for weight in self.model.get_weights()])


SPOILED = {
    "nan": ([Spoil()], "no answer, NaN, for 60 of 60 rows", True),
    "nothing learned": ([], "Nothing learned yet: balanced accuracy 33.3%, by chance 33.3%", True),
    "a rare class": ([], " of 60 rows doubtful", False),
    "one class": ([], "0 of 60 rows doubtful, all of one class", False),
    "no val_loss": ([], " of 60 rows doubtful", False),
}


@pytest.mark.parametrize("kind", quick(SPOILED, "nan", "nothing learned"))
def test_the_headline_says_the_worst(kind, tmp_path, monkeypatch):
    callbacks, said, alert = SPOILED[kind]
    x, y, _ = wrongly_labelled(wrong=0)
    model = classifier()
    if kind == "nothing learned":
        model.optimizer.learning_rate = 0.0
        x = np.zeros_like(x)  # every answer is the same
    if kind == "one class":
        y = np.zeros_like(y)
    if kind == "a rare class":  # that is found, though always saying the other would be right as often
        y = (np.arange(60) % 20 == 0).astype(int)
        x[np.arange(60), 6] = 4.0 * y[:, None, None]
    if kind in ("no val_loss", "a rare class"):
        model = head(3, "softmax", "sparse_categorical_crossentropy")
    shown = sheets(monkeypatch)
    view = kv.DataMap(tmp_path, training_data=(x, y), on_error="raise")
    fit(model, x, y, [*callbacks, view], epochs=12 if kind in ("no val_loss", "a rare class") else 3)
    last = shown[-1]
    assert said in last.headline[0]
    assert last.alert == alert
    assert "no val_loss known" in " ".join(last.headline) or alert
    table = view.table()
    if kind == "nan":
        assert set(table["epochs"].tolist()) == {1}
        assert set(table["group"].tolist()) == {""}
        assert np.isfinite(table["margin"]).all()
        assert np.isfinite(table["knn_disagreement"]).all(), "of the last epoch with features"
    if kind == "one class":
        assert np.isnan(table["knn_disagreement"]).all()
        assert (table["proposed"] != 0).all()


def test_what_is_memorised_is_said_here_and_by_the_monitor(tmp_path, monkeypatch):
    x, y, rows = wrongly_labelled(wrong=12)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    keras.utils.set_random_seed(3)
    model.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy")
    shown = sheets(monkeypatch)
    given = {"training_data": (x, y), "freq": 80, "on_error": "raise"}
    view = kv.DataMap(tmp_path, **given)
    monitor = recorded(kv.OverfittingMonitor)(tmp_path, (x, y), publish=False, **given)
    losses = Losses(*[1.0] * 8, 0.5, *[1.0] * 71)
    fit(model, x, y, [losses, view, monitor], epochs=80, batch_size=60)
    table = view.table()
    # Memorised since epoch 8: below another label on the mean until then, and right now.
    memorised = table["doubtful"] & (table["group"] == "learned")
    assert np.isin(np.flatnonzero(memorised), rows).mean() > 0.7
    assert memorised.sum() >= 8
    count = int(table["doubtful"].sum())
    assert shown[-1].headline[0].startswith(f"{count} of 60 rows doubtful, ")
    found = monitor.measured["train", 79].data.memorised
    assert shown[-1].headline[0].endswith(f", {found.count} of them memorised since epoch 8")
    assert found.doubtful == count
    assert found.rows[0][0] == table["index"][table["margin"].argmin()]
    assert all(y[row] == label and table["proposed"][row] == other for row, label, other in found.rows)


# The image.


def test_dots_and_columns_are_where_the_figures_are(tmp_path):
    x, y, _ = wrongly_labelled()
    view = recorded(kv.DataMap)(tmp_path, training_data=(x, y), on_error="raise")
    fit(head(3, "softmax", "sparse_categorical_crossentropy"), x, y, [view], epochs=9)
    picture = decoded(runs(tmp_path)["views/train"].pictures[TAG][8])
    seen = view.measured["train", 8].data
    top = next(row for row in range(len(picture) - 340) if (picture[row, 58:494] == LINE).all())
    plot = picture[top : top + 340, 58:494].astype(int)
    dynamics = seen.judged.dynamics
    across = np.rint(9 + dynamics.variability / 0.5 * (436 - 1 - 18)).astype(int)
    down = np.rint(9 + (1 - dynamics.confidence) * (340 - 1 - 18)).astype(int)
    apart = np.hypot(across[:, None] - across, down[:, None] - down) + 99 * np.eye(60)
    ringed = np.argsort(dynamics.margin)[:16]
    alone = np.flatnonzero((apart.min(axis=1) > 6) & (apart[:, ringed].min(axis=1) > 12))
    assert len(alone) >= 5
    for row in np.setdiff1d(alone, ringed):
        share = dynamics.correctness[row]
        colour = np.rint(np.array(WRONG) * (1 - share) + np.array(RIGHT) * share)
        dot = plot[down[row] - 1 : down[row] + 2, across[row] - 1 : across[row] + 2]
        assert np.abs(dot - colour).max() <= 1
    # The last column of the chart: never learned from the bottom, then forgotten, then learned.
    column = picture[top + 1 : top + 339, 12 + 872 - 8].tolist()
    found = [column.count(list(colour)) / 338 for colour in GROUPS.values()]
    np.testing.assert_allclose(found, seen.shares[8], atol=0.01)


@pytest.mark.slow
def test_a_table_is_there_during_the_fit_and_not_before(tmp_path):
    x, y, _ = wrongly_labelled()
    view, seen = kv.DataMap(tmp_path, training_data=(x, y)), []

    class Ask(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            view.fit_context.wait()
            seen.append(int(view.table()["epochs"].max()))

    with pytest.raises(RuntimeError, match="no epoch has been measured yet"):
        view.table()
    fit(classifier(), x, y, [view, Ask()])
    assert seen == [1, 2, 3]
    with pytest.raises(ValueError, match="data='validation': expected \"training\""):
        view.table("validation")


@pytest.mark.slow
def test_it_is_measured_at_every_epoch_and_drawn_as_freq_says(tmp_path):
    x, y, _ = wrongly_labelled()
    view = kv.DataMap(tmp_path, training_data=(x, y), freq=3)
    fit(classifier(), x, y, [view], epochs=5)
    found = runs(tmp_path)["views/train"]
    assert list(found.pictures[TAG]) == [-1, 0, 3, 4]
    assert list(found.scalars["data_map/learned"]) == [-1, 0, 1, 2, 3, 4]
    assert set(view.table()["epochs"].tolist()) == {5}


@pytest.mark.slow
def test_features_are_compared_where_a_step_is_drawn_and_now_and_then_between(tmp_path):
    x, y, _ = wrongly_labelled()
    view = recorded(kv.DataMap)(tmp_path, training_data=(x, y), freq=20, on_error="raise")
    fit(classifier(), x, y, [view], epochs=14)
    compared = [view.measured["train", step].data.compared_at for step in range(14)]
    assert compared == [0, 1, 2, 3, 4, 4, 6, 6, 8, 8, 8, 11, 11, 13]


@pytest.mark.slow
def test_with_several_batches_at_once_every_drawn_step_compares_its_features(tmp_path):
    x, y, _ = wrongly_labelled()
    view = recorded(kv.DataMap)(tmp_path, training_data=(x, y), unit="batch", freq=3, on_error="raise")
    fit(classifier(steps_per_execution=4), x, y, [view], epochs=4)
    drawn = [step for step in runs(tmp_path)["views/train"].pictures[TAG] if step > 0]
    assert [view.measured["train", step].data.compared_at for step in drawn] == drawn


def test_answers_are_compared_with_labels_once_for_the_monitor_and_the_map(tmp_path, monkeypatch):
    asked, x, y = [], *wrongly_labelled()[:2]
    original = Task.sample_scores
    monkeypatch.setattr(Task, "sample_scores", lambda self, *a: asked.append(1) or original(self, *a))
    data = (x, y)
    given = {"training_data": data, "on_error": "raise"}
    views = [kv.DataMap(tmp_path, **given), kv.OverfittingMonitor(tmp_path, data, publish=False, **given)]
    fit(classifier(), x, y, views, epochs=3)
    assert len(asked) == 4, "the untrained model and three epochs"


def two_outputs():
    inputs = keras.Input((8, 8, 1))
    flat = keras.layers.Flatten()(inputs)
    outputs = {name: keras.layers.Dense(3, activation="softmax", name=name)(flat) for name in ("a", "z")}
    model = keras.Model(inputs, outputs)
    losses = {name: keras.losses.SparseCategoricalCrossentropy(ignore_class=-1) for name in ("a", "z")}
    model.compile("sgd", losses)
    return model


def test_rows_without_a_label_of_the_judged_output_are_not_judged(tmp_path):
    x, y, _ = wrongly_labelled()
    judged = np.where(np.arange(60) % 5 == 0, -1, y)
    view = kv.DataMap(tmp_path, training_data=(x, {"z": y, "a": judged}), on_error="raise")
    fit(two_outputs(), x, {"z": y, "a": judged}, [view], epochs=2)
    table = view.table()
    np.testing.assert_array_equal(table["index"], np.flatnonzero(judged >= 0))
    np.testing.assert_array_equal(table["label"], judged[judged >= 0])
    assert set(table["epochs"].tolist()) == {2}


@pytest.mark.slow
def test_unknown_ones_of_several_labels_are_not_judged(tmp_path):
    x, y, _ = wrongly_labelled()
    several = np.stack([y > 0, y > 1], axis=1).astype(np.float32)
    several[::7, 1] = -1
    view = kv.DataMap(tmp_path, training_data=(x, several), on_error="raise")
    fit(head(2, "sigmoid", "binary_crossentropy"), x, np.maximum(several, 0), [view], epochs=2)
    table = view.table()
    assert len(table["index"]) == (several >= 0).sum()
    np.testing.assert_array_equal(table["given"], several[table["index"], table["label"]])


@pytest.mark.slow
def test_a_row_without_an_answer_changes_no_other_where_the_softmax_is_hidden(tmp_path):
    x, y, _ = wrongly_labelled()
    broken = x.copy()
    broken[5] = np.nan
    tables = []
    for number, data in enumerate((x, broken)):
        keras.utils.set_random_seed(1)
        inputs = keras.Input((8, 8, 1))
        flat = keras.layers.Flatten()(inputs)
        halves = [keras.layers.Dense(3, activation="softmax")(flat) for _ in range(2)]
        model = keras.Model(inputs, keras.layers.Average()(halves))
        model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
        view = kv.DataMap(tmp_path / str(number), training_data=(data, y), on_error="raise")
        fit(model, x, y, [view], epochs=1)
        tables.append(view.table())
    others = np.arange(60) != 5
    np.testing.assert_allclose(tables[1]["margin"][others], tables[0]["margin"][others], atol=1e-5)
    assert np.isnan(tables[1]["margin"][5])


@pytest.mark.slow
def test_in_batches_each_step_that_is_looked_at_counts(tmp_path):
    x, y, _ = wrongly_labelled()
    view = kv.DataMap(tmp_path, training_data=(x, y), unit="batch", freq=2, on_error="raise")
    fit(classifier(), x, y, [Losses(0.4, 0.5), view], epochs=2)
    assert list(runs(tmp_path)["views/train"].pictures[TAG]) == [-1, 2, 4, 6, 8, 10]
    assert set(view.table()["epochs"].tolist()) == {6}  # 2, 4, 5 (the end of an epoch), 6, 8, 10
    assert set(columns_of(tmp_path)["best_step"]) == {"5"}


# Errors.

NO_DATA = "validation_data=None, training_data=None: DataMap needs data with labels; pass training_data=(x, y)"
X, Y = pictures().x, pictures().y
REFUSED = {
    "no labels": (classifier, X, "training_data: has no labels for the predictions of a classifier (there is no y"),
    "soft labels": (classifier, (X, np.full((36, 3), 1 / 3)), "y holds soft labels"),
    "a class too many": (classifier, (X, Y + 1), "training_data: holds class 3, but the model's output has 3 classes"),
    "a regression": (lambda: head(1, None, "mse"), (X, X.mean(axis=(1, 2, 3))), "so there is no data map"),
}


def test_what_it_cannot_judge_is_refused_before_training(tmp_path):
    with pytest.raises(ValueError, match="needs data with labels") as refused:
        kv.DataMap(tmp_path)
    assert str(refused.value).startswith(NO_DATA)

    def check(case):
        build, data, said = REFUSED[case]
        with pytest.raises(ValueError, match="training_data: ") as found:
            fit(build(), X, Y, [kv.DataMap(tmp_path, training_data=data)])
        assert said in str(found.value)

    check_each(REFUSED, check)
