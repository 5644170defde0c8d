"""`ConfusionMatrix`: as scikit-learn has it on unbalanced data, weighted back from even rows, read from the picture."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from harness import EPOCHS, Weights, check_each, classifier, decoded, first, fit, pictures, recorded, runs, same_weights
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, multilabel_confusion_matrix

import kerasviz_callbacks as kv
from kerasviz_callbacks.draw import text
from kerasviz_callbacks.draw.colour import table
from kerasviz_callbacks.draw.confusion import RIGHT, WRONG, Confused, Matrix, cell_size, confusion_sheet
from kerasviz_callbacks.maths.confusion import accuracies, confusion_counts, normalized
from kerasviz_callbacks.probe import as_probe
from kerasviz_callbacks.probe.choice import weights_of_proportions
from kerasviz_callbacks.views import confusion_matrix as confusion_view

NORMALIZE = ("true", "pred", "all", None)
CLASSES = 4
FEW = st.integers(0, CLASSES - 1)


def unbalanced(n=300, shape=(8, 8, 1), seed=0):
    """Rows of three classes, 80, 17 and 3 %, in random order."""
    data = pictures(n=n, n_val=0, shape=shape, seed=seed)
    y = np.random.default_rng(seed).choice(3, n, p=(0.8, 0.17, 0.03))
    x = data.x.copy()
    x[np.arange(n), 2 * y] += 1
    return x, y


def predictions(model, x):
    return model.predict(x, verbose=0).argmax(axis=1)


def measured(view, model, x, y, **options):
    """The last measurements of a fit, by data source, and what was logged."""
    keras.utils.set_random_seed(2)
    fit(model, x, y, [view], **options)
    last = max(step for _, step in view.measured)
    return {source: one for (source, step), one in view.measured.items() if step == last}


# The matrix, against scikit-learn.

ROWS = st.integers(1, 30).flatmap(
    lambda n: st.tuples(
        arrays.arrays(int, n, elements=FEW),
        arrays.arrays(int, n, elements=FEW),
        arrays.arrays(float, n, elements=st.floats(0.125, 8)),
    )
)


@given(ROWS, st.sampled_from(NORMALIZE))
def test_counts_shares_and_accuracies_are_those_of_scikit_learn(rows, normalize):
    true, predicted, weights = rows
    known = {"labels": range(CLASSES), "sample_weight": weights}
    wanted = confusion_matrix(true, predicted, normalize=normalize, **known)
    found = normalized(confusion_counts(true, predicted, CLASSES, weights), normalize)
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    accuracy, balanced = accuracies(true, predicted, weights)
    assert accuracy == pytest.approx(accuracy_score(true, predicted, sample_weight=weights))
    present = np.unique(true)  # scikit-learn warns of answers that are no true class, and leaves them out as well
    recalls = [accuracy_score(true[true == k], predicted[true == k], sample_weight=weights[true == k]) for k in present]
    assert balanced == pytest.approx(np.mean(recalls))


def test_a_row_without_an_answer_is_in_no_cell_and_counts_as_wrong():
    assert confusion_counts([0, 1, -1], [0, -1, 1], 2).tolist() == [[1, 0], [0, 0]]
    assert accuracies([0, 1, -1], [0, -1, 1]) == (0.5, 0.5)
    assert np.isnan(accuracies([-1], [0])).all()


def test_weights_give_rows_the_proportions_of_the_data():
    labels = np.array([0, 0, 1, 1, 2, -1])
    weights = weights_of_proportions(labels, [900, 80, 20, 7])
    sums = np.bincount(labels[labels >= 0], weights[labels >= 0])
    np.testing.assert_allclose(sums / sums.sum(), [0.9, 0.08, 0.02])
    assert weights[labels >= 0].mean() == pytest.approx(1)
    assert weights[-1] == 0


@pytest.mark.parametrize("normalize", first(NORMALIZE))
def test_a_fit_on_unbalanced_data_shows_what_scikit_learn_says(normalize, tmp_path):
    x, y = unbalanced()
    view = recorded(kv.ConfusionMatrix)(tmp_path, (x, y), normalize=normalize, on_error="raise")
    model = classifier()
    found = measured(view, model, x[:60], y[:60], epochs=2)["validation"]
    predicted = predictions(model, x)
    np.testing.assert_allclose(
        found.data.values[0], confusion_matrix(y, predicted, labels=range(3), normalize=normalize)
    )
    np.testing.assert_array_equal(found.data.counts[0], confusion_matrix(y, predicted, labels=range(3)))
    logged = runs(tmp_path)["views/validation"].scalars
    assert logged["confusion/accuracy"][1] == pytest.approx(accuracy_score(y, predicted))
    assert logged["confusion/balanced_accuracy"][1] == pytest.approx(balanced_accuracy_score(y, predicted))


@pytest.mark.slow
def test_even_rows_are_weighted_back_to_the_proportions_of_the_data(tmp_path):
    x, y = unbalanced()
    probe = kv.Probe((x, y), count=24)
    assert np.bincount(probe.labels).tolist() == [8, 8, 8] or np.bincount(y)[2] < 8
    view = recorded(kv.ConfusionMatrix)(tmp_path, probe, normalize="all", on_error="raise")
    model = classifier()
    found = measured(view, model, x[:60], y[:60], epochs=2)["validation"]
    weights = (np.bincount(y) / np.bincount(probe.labels))[probe.labels]
    known = {"labels": range(3), "sample_weight": weights, "normalize": "all"}
    predicted = predictions(model, probe.images)
    np.testing.assert_allclose(found.data.values[0], confusion_matrix(probe.labels, predicted, **known))
    accuracy = accuracy_score(probe.labels, predicted, sample_weight=weights)
    assert found.scalars["confusion/accuracy"] == pytest.approx(accuracy)
    np.testing.assert_array_equal(found.data.counts[0], confusion_matrix(probe.labels, predicted, labels=range(3)))


@pytest.mark.slow
def test_visualizer_shows_it_on_the_rows_of_the_monitor(tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr("kerasviz_callbacks.fit_context.as_probe", lambda *a, **k: read.append(k) or as_probe(*a, **k))
    x, y = unbalanced(n=600)
    visualizer = kv.Visualizer(tmp_path, (x, y), on_error="raise")
    fit(classifier(), x[:24], y[:24], [visualizer], 1)
    assert sorted((one["count"] or one["default_count"], one["random"]) for one in read) == [(16, False), (500, False)]
    read.clear()
    visualizer = kv.Visualizer(tmp_path / "own", (x, y), count=40, on_error="raise")
    fit(classifier(), x[:24], y[:24], [visualizer], 1)
    assert sorted((one["count"], one["random"]) for one in read) == [(40, False), (40, True)]


# What the model does.


def test_one_logit_is_two_classes(tmp_path):
    x, y = unbalanced()
    yes = (y > 0).astype(int)
    inputs = keras.Input((8, 8, 1))
    logit = keras.layers.Dense(1, name="yes")(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, logit)
    model.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=True))
    view = recorded(kv.ConfusionMatrix)(tmp_path, (x, yes), class_names=["no", "yes"], on_error="raise")
    found = measured(view, model, x, yes, epochs=1)["validation"]
    predicted = (model.predict(x, verbose=0)[:, 0] > 0).astype(int)
    np.testing.assert_array_equal(found.data.counts[0], confusion_matrix(yes, predicted, labels=range(2)))
    assert set(runs(tmp_path)["views/validation"].pictures) == {"confusion/yes"}


@pytest.mark.slow
def test_of_several_labels_there_is_a_matrix_each(tmp_path):
    x, y = unbalanced()
    several = np.stack([y == 0, y == 1, y < 2], axis=1).astype(np.float32)
    several[:5, 2] = 0
    model = classifier()
    inputs = keras.Input((8, 8, 1))
    outputs = keras.layers.Dense(3, activation="sigmoid", name="labels")(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.SGD(0.3), "binary_crossentropy")
    view = recorded(kv.ConfusionMatrix)(tmp_path, (x, several), normalize=None, on_error="raise")
    found = measured(view, model, x, several, epochs=2)["validation"]
    predicted = (model.predict(x, verbose=0) >= 0.5).astype(int)
    np.testing.assert_array_equal(found.data.values, multilabel_confusion_matrix(several, predicted))
    assert found.scalars["confusion/accuracy"] == pytest.approx(accuracy_score(several, predicted))
    balanced = np.mean([balanced_accuracy_score(a, b) for a, b in zip(several.T, predicted.T, strict=True)])
    assert found.scalars["confusion/balanced_accuracy"] == pytest.approx(balanced)


@pytest.mark.parametrize("classes", [40, 300])
@pytest.mark.slow
def test_of_many_classes_the_most_confused_are_shown_from_the_first_trained_step_on(classes, tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.random((400, 8, 8, 1)).astype(np.float32), rng.integers(0, classes, 400)
    weights = Weights()
    view = recorded(kv.ConfusionMatrix)(tmp_path, (x, y), training_data=(x[:50], y[:50]), on_error="raise")
    model = classifier(classes=classes)
    keras.utils.set_random_seed(2)
    fit(model, x, y, [weights, view])
    shown = {step: view.measured["validation", step].data.numbers for step in range(EPOCHS)}
    assert len(set(shown.values())) == 1
    assert view.measured["train", 0].data.numbers == shown[0]
    assert len(shown[0]) == 30
    for step in range(EPOCHS):
        model.set_weights(weights.at[step])
        counts = confusion_matrix(y, predictions(model, x), labels=range(classes))
        found = view.measured["validation", step].data
        np.testing.assert_array_equal(found.counts[0], counts[np.ix_(shown[0], shown[0])])
        if step == 0:
            wrong = counts.sum(axis=0) + counts.sum(axis=1) - 2 * np.diagonal(counts)
            assert wrong[list(shown[0])].min() >= np.delete(wrong, shown[0]).max()


def test_the_worst_confusions_are_the_largest_cells_and_show_their_surest_row(tmp_path):
    x, y = unbalanced()
    view = recorded(kv.ConfusionMatrix)(tmp_path, (x, y), on_error="raise")
    model = classifier()
    found = measured(view, model, x[:60], y[:60], epochs=1)["validation"].data
    probabilities = model.predict(x, verbose=0)
    predicted = probabilities.argmax(axis=1)
    shares = confusion_matrix(y, predicted, labels=range(3), normalize="true")
    np.fill_diagonal(shares, 0)
    assert [one.value for one in found.worst] == pytest.approx(sorted(shares[shares > 0], reverse=True))
    for one in found.worst:
        rows = np.flatnonzero((y == one.true) & (predicted == one.predicted))
        assert one.count == len(rows)
        assert one.probability == pytest.approx(probabilities[rows, one.predicted].max(), abs=1e-6)
        assert one.row in rows


def test_colours_of_the_cells_are_their_shares(tmp_path):
    x, y = unbalanced()
    view = recorded(kv.ConfusionMatrix)(tmp_path, (x, y), on_error="raise")
    model = classifier()
    found = measured(view, model, x[:60], y[:60], epochs=1)["validation"].data
    picture = decoded(runs(tmp_path)["views/validation"].pictures["confusion/answer"][0])
    side, wanted = cell_size(3), []
    for row, column in np.ndindex(3, 3):
        share = found.values[0, row, column]
        colours = table(RIGHT if row == column else WRONG)
        wanted.append(colours[round(share * (len(colours) - 1))] if share else np.array([255, 255, 255]))
    corners = [
        (y0, x0)
        for y0, x0 in itertools.product(range(len(picture) - 3 * side), range(60, 160))
        if all(
            (picture[y0 + row * (side + 1) + 2, x0 + column * (side + 1) + 2] == wanted[3 * row + column]).all()
            for row, column in np.ndindex(3, 3)
        )
    ]
    assert corners, "the nine cells stand nowhere in the picture"
    legend = [row for row in range(len(picture)) if (picture[row] == table(RIGHT)[-1]).all(axis=-1).any()][-1]
    ends = [
        np.flatnonzero((picture[y0] == table(k)[-1]).all(axis=-1)) for y0, k in ((legend, RIGHT), (legend + 1, WRONG))
    ]
    assert ends[0].tolist() == ends[1].tolist() != [], "the scale of what is right above that of what is wrong"


def drawn(view, model, monkeypatch):
    """What the picture is made of: the headline, and the options."""
    made = []
    monkeypatch.setattr(
        confusion_view,
        "confusion_sheet",
        lambda *parts, **options: made.append((*parts, options)) or confusion_sheet(*parts, **options),
    )
    view.picture(model)
    return made[0][2], made[0][3]


@pytest.mark.slow
@pytest.mark.parametrize("even", [True, False])
def test_rows_that_are_weighted_however_little_are_said_to_be(even, tmp_path, monkeypatch):
    x, y = unbalanced(n=40)[0], np.repeat([0, 1], 20 if even else [22, 18])
    probe = kv.Probe((x, y), count=20)
    model = classifier(classes=2)
    (said, _), options = drawn(kv.ConfusionMatrix(tmp_path, probe), model, monkeypatch)
    right = predictions(model, probe.images) == probe.labels
    accuracy = np.average(right, weights=np.where(probe.labels == 0, 20 if even else 22, 20 if even else 18))
    assert said.startswith(f"accuracy {accuracy:.1%}, ")
    assert ("weighted to the proportions of the data" in options["caption"]) is not even


def test_of_several_labels_those_right_stand_beside_the_confidence_and_rows_with_all_right_apart(tmp_path, monkeypatch):
    x, y = unbalanced(n=40)
    inputs = keras.Input((8, 8, 1))
    outputs = keras.layers.Dense(2, activation="sigmoid")(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, outputs)
    several = np.stack([y == 0, y < 2], axis=1).astype(np.float32)
    (said, _), _ = drawn(kv.ConfusionMatrix(tmp_path, (x, several)), model, monkeypatch)
    found = model.predict(x)
    right, sure = (found >= 0.5) == several, np.maximum(found, 1 - found).mean()
    assert said.startswith(f"labels right {right.mean():.1%},  confidence {sure:.1%},  ")
    assert said.endswith(f",  all labels of a row right {right.all(axis=1).mean():.1%}")


@pytest.mark.slow
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("stream", [True, False])
def test_sample_weights_are_said_to_count_for_nothing(weighted, stream, tmp_path, monkeypatch):
    x, y = unbalanced(n=30)
    data = (x, y, np.ones(30)) if weighted else (x, y)
    given = tf.data.Dataset.from_tensor_slices(data).batch(10) if stream else data
    options = drawn(kv.ConfusionMatrix(tmp_path, given), classifier(), monkeypatch)[1]
    assert options["note"] == ("sample weights are not counted" if weighted else "")


def confusions(title, *, pictures=True, longest="cheap shoe → dear shirt"):
    matrix = Matrix(np.eye(2), np.eye(2), ["cheap shoe", "dear shirt"])
    examples = np.zeros((3, 8, 8, 3), np.uint8) if pictures else None
    confused = Confused([(title, "p 0.90   3 of 9")] * 3, examples, most=6, longest=longest)
    return confusion_sheet([("", matrix)], confused, ("one", "two"), high=1.0, unit="share", caption="c")


def test_the_classes_of_a_confusion_are_whole_in_two_lines(monkeypatch):
    told = []
    monkeypatch.setattr(text, "_print", lambda canvas, place, line, *_: told.append((place[1], line)))
    long = confusions("cheap shoe → dear shirt")
    rows = {line: row for row, line in told}
    assert rows["dear shirt"] - rows["cheap shoe →"] == rows["p 0.90   3 of 9"] - rows["dear shirt"] == 15
    assert confusions("a → b").shape == long.shape, "whatever the titles of a step"


def test_confusions_without_pictures_stand_close_together(monkeypatch):
    told = []
    monkeypatch.setattr(text, "_print", lambda canvas, place, line, *_: told.append((place[1], line)))
    for shown, apart in ((True, 138), (False, 40)):
        told.clear()
        confusions("a → b", pictures=shown, longest="a → b")
        rows = [row for row, line in told if line == "a → b"]
        assert np.diff(rows).tolist() == [0, apart]
        assert any(line.startswith("the surest of") for _, line in told) == shown


# Rows in the proportions of the data.


def test_rows_have_the_proportions_of_the_data_and_not_those_of_the_classes():
    x, y = unbalanced(n=4000)
    options = {"count": 1000, "default_count": 16, "class_names": None}

    def check(form):
        data = (x, y) if form == "arrays" else tf.data.Dataset.from_tensor_slices((x, y)).batch(64)
        probe = as_probe(data, random=True, **options)
        assert len(set(probe.index.tolist())) == 1000
        np.testing.assert_array_equal(y[probe.index], probe.labels)
        np.testing.assert_array_equal(x[probe.index], probe.images)
        np.testing.assert_array_equal(probe.class_sizes, np.bincount(y))
        shares, of_data = np.bincount(probe.labels) / 1000, np.bincount(y) / 4000
        error = np.sqrt(of_data * (1 - of_data) / 1000)
        assert (np.abs(shares - of_data) < 4 * error).all(), shares
        assert abs(np.mean(probe.index) - 2000) < 4 * 4000 / np.sqrt(12 * 1000), "from all over the stream"
        again = as_probe(data, random=True, **options)
        np.testing.assert_array_equal(again.index, probe.index)

    check_each(("arrays", "stream"), check)


def test_of_an_endless_stream_a_few_times_the_count_is_read():
    x, y = unbalanced(n=200)
    endless = tf.data.Dataset.from_tensor_slices((x, y)).repeat().batch(10)
    probe = as_probe(endless, count=20, default_count=16, class_names=None, random=True)
    assert len(probe) == 20
    assert probe.class_sizes.sum() == 100
    assert "100 read" in repr(probe)


# Errors, and the training.


def regression():
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(1)], name="amount")
    model.compile("sgd", "mse")
    return model


X, Y = unbalanced(n=36)
WRONG_DATA = {
    "no labels": (classifier, X, Y, ("validation_data: has no labels", "there is no y", "(x, y)")),
    "a regression": (regression, (X, X.mean(axis=(1, 2, 3))), Y, ("no labels", "confusion matrix", "leave")),
    "beyond the classes": (classifier, (X, Y + 5), Y, ("validation_data: holds class 7", "0 to 2")),
}


def test_what_has_no_classes_is_refused_before_the_first_batch(tmp_path):
    def check(case):
        build, data, y, words = WRONG_DATA[case]
        model = build()
        before = model.get_weights()
        with pytest.raises(ValueError, match="validation_data") as raised:
            fit(model, X, y.astype("float32"), [kv.ConfusionMatrix(tmp_path, data)])
        assert all(word in str(raised.value) for word in words), str(raised.value)
        assert same_weights(before, model.get_weights())

    check_each(WRONG_DATA, check)
    with pytest.raises(ValueError, match='normalize=\'rows\': expected None, "true", "pred" or "all"'):
        kv.ConfusionMatrix(tmp_path, (X, Y), normalize="rows")


def test_of_several_images_of_one_size_examples_show_each_beside_the_other(monkeypatch):
    x, y = unbalanced(30)
    given = {name: keras.Input(x.shape[1:], name=name) for name in ("left", "right")}
    flat = [keras.layers.Flatten()(one) for one in given.values()]
    model = keras.Model(given, keras.layers.Dense(3, "softmax")(keras.layers.Concatenate()(flat)))
    dark, light = np.zeros_like(x), np.ones_like(x)
    light[:, 0] = 0  # its own range
    view, shown = kv.ConfusionMatrix("logs", ({"right": light, "left": dark}, y)), []

    def noted(matrices, confused, *rest, **options):
        shown.append((confused.pictures, options["caption"]))
        return confusion_sheet(matrices, confused, *rest, **options)

    monkeypatch.setattr(confusion_view, "confusion_sheet", noted)
    view.picture(model)
    pictures, caption = shown[0]
    assert caption.endswith("\n30 rows   examples: inputs right, left")
    assert pictures.shape[2] == 2 * 8 + 1
    assert (pictures[:, 1:, :8] == 255).all()
    assert (pictures[:, :, 9:] == 0).all()


def test_of_images_of_other_sizes_the_caption_names_the_one_that_is_shown(monkeypatch):
    x, y = unbalanced(30)
    given = {"large": keras.Input((8, 8), name="large"), "small": keras.Input((4, 4), name="small")}
    flat = [keras.layers.Flatten()(one) for one in given.values()]
    model = keras.Model(given, keras.layers.Dense(3, "softmax")(keras.layers.Concatenate()(flat)))
    view = kv.ConfusionMatrix("logs", ({"small": x[:, ::2, ::2], "large": x}, y))
    assert drawn(view, model, monkeypatch)[1]["caption"].endswith("\n30 rows   examples: input small of 2")


def test_of_a_label_the_probability_is_its_own_whether_it_was_missed_or_a_false_alarm(tmp_path, monkeypatch):
    titles, real = [], confusion_view.confusion_sheet

    def record(matrices, confused, *given, **options):
        titles.extend(confused.titles)
        return real(matrices, confused, *given, **options)

    monkeypatch.setattr(confusion_view, "confusion_sheet", record)
    answers = np.array([[0.03, 0.2], [0.1, 0.8], [0.1, 0.1], [0.1, 0.1]], np.float32)
    y = np.array([[1, 0], [0, 0], [0, 0], [0, 1]], np.float32)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, "sigmoid", use_bias=False)])
    model.compile("sgd", "binary_crossentropy")
    model.set_weights([np.eye(3, 2)])
    x = np.pad(np.log(answers / (1 - answers)), ((0, 0), (0, 1)))
    kv.ConfusionMatrix(tmp_path, (x, y), class_names=["boot", "bag"]).picture(model)
    assert {words: p.partition("   ")[0] for words, p in titles} == {
        "boot: missed": "p 0.03",
        "bag: missed": "p 0.10",
        "bag: false alarm": "p 0.80",
    }
