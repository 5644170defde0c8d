"""One decision of what an output is: the same for every view, and the same for a logit as for its sigmoid."""

import keras
import numpy as np
import pytest
from harness import check_each, classifier

import kerasviz_callbacks as kv
from kerasviz_callbacks.callback import explained_view
from kerasviz_callbacks.callback.probe_display import ProbeDisplay
from kerasviz_callbacks.draw.predicted_tiles import answer_tile
from kerasviz_callbacks.probe import Probe
from kerasviz_callbacks.taps.output_labels import labels_of_output
from kerasviz_callbacks.taps.reader import Reader
from kerasviz_callbacks.taps.scores import predictions
from kerasviz_callbacks.taps.task import labels_are_quantities, task_of
from kerasviz_callbacks.views.predictions import classes

L, K = keras.layers, keras.losses
DRAWS = np.random.default_rng(0)
X = DRAWS.random((12, 16, 16, 3)).astype(np.float32)
Y = np.arange(12) % 2
OF_ONE_LOGIT = {
    "binary_crossentropy": K.BinaryCrossentropy(from_logits=True),
    "focal": K.BinaryFocalCrossentropy(from_logits=True),
    "hinge": K.Hinge(),
    "squared_hinge": K.SquaredHinge(name="mine"),
    "by_name": "hinge",
    "function": K.squared_hinge,
    "in_a_list": [K.BinaryCrossentropy(from_logits=True)],
    "in_a_dict": {"answer": K.BinaryCrossentropy(from_logits=True)},
}


def yes_or_no(activation, loss) -> keras.Model:
    inputs = keras.Input((16, 16, 3))
    x = L.Conv2D(4, 3, activation="relu", name="conv")(inputs)
    outputs = L.Dense(1, activation, name="answer")(L.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, outputs)
    model.compile("sgd", loss)
    return model


def chosen(model, y) -> set[str]:
    found = kv.Visualizer("unused", (X, y), training_data=(X, y), count=4).pictures(model)
    return {tag.split("/")[1] for tag in found}


@pytest.mark.slow
def test_one_logit_is_the_classifier_that_its_sigmoid_twin_is(tmp_path):
    twin = yes_or_no("sigmoid", "binary_crossentropy")
    z = keras.Model(twin.input, twin.get_layer("answer").input)(X).numpy() @ twin.get_layer("answer").kernel.numpy()
    twin.get_layer("answer").bias.assign([-float(np.median(z))])  # both classes are predicted
    views = chosen(twin, Y)
    assert {"grad_cam", "overfitting"} <= views
    wanted = {
        (kind, target): function(twin, X, target=target)
        for kind, function in MAPS.items()
        for target in (None, 0, 1, list(Y))
        for target in [target if not isinstance(target, list) else tuple(target)]
    }
    picture = kv.GradCAM(tmp_path, (X, Y), count=8).picture(twin)

    def check(loss):
        model = yes_or_no(None, OF_ONE_LOGIT[loss])
        model.set_weights(twin.get_weights())
        assert chosen(model, Y) == views
        for (kind, target), maps in wanted.items():
            np.testing.assert_allclose(MAPS[kind](model, X, target=target), maps, atol=1e-6)
        np.testing.assert_array_equal(kv.GradCAM(tmp_path, (X, Y), count=8).picture(model), picture)

    check_each(OF_ONE_LOGIT, check)


MAPS = {
    "cam": lambda model, x, target: kv.class_activation_map(model, x, target=target),
    "scored": lambda model, x, target: kv.class_activation_map(model, x, target=target, method="ablation_cam"),
    "gradient": lambda model, x, target: kv.attribution(model, x, method="input_x_gradient", target=target),
}


@pytest.mark.slow
def test_a_hinge_takes_labels_of_minus_one(tmp_path):
    model = yes_or_no(None, "hinge")
    signs = (2 * Y - 1).astype(np.float32)[:, None]
    assert chosen(model, signs) == chosen(model, Y)
    of_signs, of_classes = (kv.GradCAM(tmp_path, (X, y)).picture(model) for y in (signs, Y))
    np.testing.assert_array_equal(of_signs, of_classes)


def test_a_hinge_beside_another_output_does_not_hide_the_labels_of_that():
    flat = L.Flatten()(inputs := keras.Input(X.shape[1:]))
    outputs = [L.Dense(3, "softmax", name="kind")(flat), L.Dense(1, name="sign")(flat)]
    model = keras.Model(inputs, outputs)
    model.compile("sgd", {"kind": "sparse_categorical_crossentropy", "sign": "hinge"})
    kinds, signs = np.arange(len(X)) % 3, 2 * Y - 1
    reader = Reader(model, X)
    np.testing.assert_array_equal(labels_of_output(reader, Probe((X, {"sign": signs, "kind": kinds}))).numbers, kinds)
    only = labels_of_output(Reader(yes_or_no(None, "hinge"), X), Probe((X, np.full(len(X), -1.0))))
    np.testing.assert_array_equal(only.numbers, 0 * kinds)


def test_one_linear_unit_of_another_loss_is_a_quantity():
    for loss in ("mse", K.BinaryCrossentropy(), None, lambda y, z: (y - z) ** 2):
        model = yes_or_no(None, loss)
        reader = Reader(model, X)
        assert reader.head.regression
        assert task_of(reader, Probe((X, Y)), Y).kind == "values"
        with pytest.raises(ValueError, match="expected 0 to 0"):
            kv.class_activation_map(model, X, target=1)


# What an output is, by head, loss, shapes and y.

GREY = X[..., :1]
SERIES = np.cumsum(DRAWS.normal(size=(12, 20, 3)), axis=1).astype(np.float32)
CLASSES = DRAWS.integers(0, 5, (12, 16, 16))
ONE_HOT = np.eye(5, dtype=np.float32)[CLASSES]
SPARSE = K.SparseCategoricalCrossentropy(from_logits=True)
BOXES = np.concatenate([X[:, 0, 0, :2] / 2, 0.5 + X[:, 0, 0, :2] / 2], axis=-1)
CENTERED = np.concatenate([0.3 + X[:, 0, 0, :2] / 3, 0.1 + X[:, 0, 0, :2] / 3], axis=-1)
SEVERAL = (DRAWS.random((12, 4)) > 0.5).astype(np.float32)


def conv(filters, activation=None):
    return [L.Conv2D(filters, 3, padding="same", activation=activation)]


def dense(units, activation=None, *shape):
    return [L.Flatten(), L.Dense(units, activation), *([L.Reshape(shape)] if shape else [])]


def own_loss(y, found):
    """As that of characters that are aligned with an image."""
    return found[:, 0, 0]


FORMS = {
    "softmax_masks": (X, CLASSES, conv(5, "softmax"), "sparse_categorical_crossentropy", "masks"),
    "logit_masks": (X, CLASSES[..., None], conv(5), SPARSE, "masks"),
    "one_hot_masks": (X, ONE_HOT, conv(5), K.CategoricalCrossentropy(from_logits=True), "masks"),
    "masks_of_a_loss_of_ones_own": (X, CLASSES, conv(5), lambda y, z: z[..., 0], "masks"),
    "sigmoid_mask": (X, (GREY > 0.5) * 1.0, conv(1, "sigmoid"), "binary_crossentropy", "masks"),
    "logit_mask": (X, GREY > 0.5, conv(1), OF_ONE_LOGIT["binary_crossentropy"], "masks"),
    "mask_of_the_input's_shape": (GREY, (GREY > 0.5) * 1.0, conv(1, "sigmoid"), "binary_crossentropy", "masks"),
    "mask_with_ignored_pixels": (X, np.where(GREY > 0.9, 255, GREY > 0.5), conv(1, "sigmoid"), "mse", "masks"),
    "small_masks": (X, CLASSES[:, ::2, ::2], [L.MaxPooling2D(), *conv(5)], SPARSE, "masks"),
    "enhanced": (X, X**2, conv(3), "mse", "images"),
    "reconstructed": (GREY, GREY, conv(1, "sigmoid"), "binary_crossentropy", "images"),
    "coloured": (GREY, X, conv(3, "sigmoid"), "mae", "images"),
    "enlarged": (X, X.repeat(2, 1).repeat(2, 2), [L.UpSampling2D(), *conv(3)], "mse", "images"),
    "denoised": (GREY, GREY**2, conv(1), "mse", "images"),
    "depth": (X, 10 * GREY, conv(1), "mse", "values"),
    "depth_without_a_channel": (X, 10 * GREY[..., 0], [*conv(1), L.Reshape((16, 16))], "mse", "values"),
    "box": (X, BOXES, dense(4), "mse", "boxes"),
    "boxes": (X, BOXES[:, None].repeat(3, 1), dense(12, None, 3, 4), "mse", "boxes"),
    "points": (X, X[:, 0, :3, :2], dense(6, None, 3, 2), "mse", "points"),
    "flat_points": (X, 16 * X[:, 0, 0].repeat(4, -1), dense(12), "mae", "points"),
    "points_as_a_map": (X, X[:, :1, :1].repeat(4, -1), dense(12, "sigmoid", 1, 1, 12), "mse", "points"),
    "forecast": (SERIES, SERIES[:, 10:, :1], dense(10, None, 10, 1), "mse", "series"),
    "next_value": (SERIES, SERIES[:, -1, :1], dense(1), "mse", "series"),
    "another_scale": (SERIES, 1000 + SERIES[:, -1, :1], dense(1), "mse", "numbers"),
    "four_labels": (X, SEVERAL, dense(4, "sigmoid"), "binary_crossentropy", "labels"),
    "six_labels_of_a_hinge": (X, 2 * SEVERAL[:, [0, 1, 2, 3, 0, 1]] - 1, dense(6), "hinge", "labels"),
    "four_classes": (X, np.arange(12) % 4, dense(4), SPARSE, "classes"),
    "four_classes_one_hot": (
        X,
        np.eye(4)[np.arange(12) % 4],
        dense(4, "softmax"),
        "categorical_crossentropy",
        "classes",
    ),
    "codes_that_labels_colour": (X, np.arange(12) % 4, dense(8, "relu"), None, "numbers"),
    "logits_of_a_loop_of_ones_own": (X, np.arange(12) % 4, dense(4), None, "classes"),
    "logits_of_classes_that_few_rows_do_not_hold": (X, np.arange(12) % 4, dense(7), None, "classes"),
    "softmax_without_labels": (X, None, dense(3, "softmax"), None, "classes"),
    "yes_or_no_of_a_table_of_one_column": (X[:, 0, 0, :1], np.arange(12) % 2, dense(1, "sigmoid"), "mse", "classes"),
    "as_many_classes_as_columns": (X[:, 0, :2, 0], np.arange(12) % 2, dense(2), SPARSE, "classes"),
    "four_quantities": (X, DRAWS.normal(size=(12, 4)).astype(np.float32), dense(4), "mse", "numbers"),
    "four_shares": (X, DRAWS.random((12, 4)).astype(np.float32), dense(4), "mse", "numbers"),
    "box_of_center_and_size": (X, CENTERED, dense(4), "mse", "boxes"),
    "characters": (X, np.arange(60).reshape(12, 5), [*dense(220, None, 20, 11), L.Softmax()], own_loss, "numbers"),
    "quantities": (X, 100 + DRAWS.random((12, 2)), dense(2), "mse", "numbers"),
    "distance_of_pairs": (X, DRAWS.random(12), [*dense(1), L.Reshape(())], "mse", "numbers"),
    "table": (X[:, 0, 0], DRAWS.random((12, 4)).astype(np.float32), dense(4), "mse", "numbers"),
}


def test_what_an_output_is():
    def check(case):
        x, y, layers, loss, wanted = FORMS[case]
        model = keras.Sequential([keras.Input(x.shape[1:]), *layers])
        model.compile("sgd", loss)
        probe = Probe(x if y is None else (x, y))
        found = task_of(Reader(model, probe.inputs), probe, probe.labels)
        assert found.form == wanted

    check_each(FORMS, check)


def test_each_of_several_outputs_is_decided_by_its_own_loss_and_y():
    inputs = keras.Input((16, 16, 3))
    x = L.Conv2D(4, 3, padding="same")(inputs)
    outputs = {
        "mask": L.Conv2D(5, 1, name="mask")(x),
        "depth": L.Conv2D(1, 1, name="depth")(x),
        "kind": L.Dense(1, name="kind")(L.GlobalAveragePooling2D()(x)),
    }
    model = keras.Model(inputs, outputs)
    model.compile("sgd", {"mask": SPARSE, "depth": "mse", "kind": "hinge"})
    probe = Probe((X, {"mask": CLASSES, "depth": 10 * GREY, "kind": Y}))
    reader = Reader(model, X)
    assert reader.output_names == ["depth", "kind", "mask"]
    assert [task_of(reader, probe, y, k).form for k, y in enumerate((None, Y, None))] == ["values", "classes", "masks"]


def test_the_classifier_of_the_harness_is_one():
    model = classifier()
    x = DRAWS.random((6, 8, 8, 1)).astype(np.float32)
    assert task_of(Reader(model, x), Probe((x, Y[:6])), Y[:6]).form == "classes"


def test_one_hot_classes_with_a_logit_each_have_the_same_probabilities_in_every_view(monkeypatch):
    inputs = keras.Input((4, 4, 3))
    maps = L.Conv2D(3, 1, use_bias=False, name="maps")
    model = keras.Model(inputs, L.Dense(3, use_bias=False)(L.GlobalAveragePooling2D()(maps(inputs))))
    model.set_weights([np.eye(3)[None, None], np.eye(3)])
    model.compile("sgd", K.BinaryCrossentropy(from_logits=True))
    logits = np.array([[2.0, -1.0, 0.5], [-2.0, -0.5, -3.0], [1.0, 3.0, 1.5]], "float32")
    x, y = np.broadcast_to(logits[:, None, None], (3, 4, 4, 3)), np.eye(3)
    sure = 1 / (1 + np.exp(-logits.max(axis=1)))
    reader = Reader(model, x)
    probe = Probe((x, y))
    task = task_of(reader, probe, labels_of_output(reader, probe).numbers)
    assert task.kind == "classes"
    assert task.answer_scores(logits, np.arange(3)).confidence == pytest.approx(sure)
    assert predictions(logits, reader.head).confidence == pytest.approx(sure)
    shown = []

    def noted(names, values, *rest):
        shown.append(values[0])
        return answer_tile(names, values, *rest)

    monkeypatch.setattr(classes, "answer_tile", noted)
    kv.Predictions("unused", (x, y), kind="classes").pictures(model)
    assert sorted(shown) == pytest.approx(sorted(sure))


# Several outputs: which one y's labels belong to.


def brightness_and_kind(*, kind):
    """A model whose first output is a quantity, "brightness", the mean of the first channel; beside it another."""
    inputs = keras.Input(X.shape[1:])
    features = L.GlobalAveragePooling2D()(L.Conv2D(3, 1, use_bias=False, name="conv")(inputs))
    outputs = {"kind": L.Dense(*kind, name="kind")(features), "brightness": L.Dense(1, name="brightness")(features)}
    model = keras.Model(inputs, outputs)
    loss = "mse" if kind == (1,) else "sparse_categorical_crossentropy"
    model.compile("sgd", {"kind": loss, "brightness": "mse"})
    model.get_layer("conv").set_weights([np.eye(3)[None, None]])
    model.get_layer("brightness").set_weights([np.eye(3)[:, :1], np.zeros(1)])
    return model


@pytest.mark.parametrize(("kind", "wanted"), [((2, "softmax"), {"cat", "dog"}), ((1,), {"0", "1"})])
def test_labels_are_named_by_the_output_that_they_belong_to(kind, wanted):
    probe = Probe((X, {"kind": Y, "brightness": X.mean((1, 2, 3))}), class_names=["cat", "dog"])
    quantities = labels_are_quantities(Reader(brightness_and_kind(kind=kind), X), probe)
    display = ProbeDisplay({"validation": probe}, None, {}, quantities=quantities)
    assert set(display.label_names("validation")) == wanted


def test_an_explained_quantity_has_the_name_of_its_output_and_its_truth(tmp_path, monkeypatch):
    titles = {}
    monkeypatch.setattr(
        explained_view, "heat_maps", lambda *_, **given: titles.update(given) or np.zeros((8, 8, 3), "u1")
    )
    y = {"kind": Y, "brightness": np.arange(len(X)) / 4}
    kv.GradCAM(tmp_path, (X, y), count=len(X)).picture(brightness_and_kind(kind=(2, "softmax")))
    assert titles["caption"].splitlines()[0].endswith("the output brightness")
    said = titles["titles"]
    order = [int(float(true.removeprefix("true ")) * 4) for true, _ in said]
    assert sorted(order) == list(range(len(X)))
    wanted = X[order, ..., 0].mean(axis=(1, 2))
    np.testing.assert_allclose([float(one.removeprefix("brightness ")) for _, one in said], wanted, rtol=5e-3)
