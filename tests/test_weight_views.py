"""`WeightHeatmaps` and `Coefficients` in fits: which kernels, which training step, and that training is unchanged."""

import pickle
import re
from dataclasses import replace
from functools import partial

import keras
import numpy as np
import pytest
from harness import (
    Poison,
    Weights,
    autoencoder,
    classifier,
    first,
    fit,
    magenta,
    pictures,
    recorded,
    runs,
    same_weights,
)
from keras import layers, optimizers

import kerasviz_callbacks as kv
from kerasviz_callbacks.callback.snapshot import snapshot
from kerasviz_callbacks.callback.types import Memory
from kerasviz_callbacks.draw.text import text_width
from kerasviz_callbacks.draw.weights import SIDE
from kerasviz_callbacks.maths.matrices import fold
from kerasviz_callbacks.taps.layers import list_layers
from kerasviz_callbacks.taps.weights import Blocks, cell_gates, matrices_named, narrowest_hidden, weight_matrices
from kerasviz_callbacks.views import filter_images, weight_heatmaps
from kerasviz_callbacks.views.weight_heatmaps import WeightHeatmapsData

DATA = pictures()
VALIDATION = (DATA.x_val, DATA.y_val)


def dropping(**compiled):
    """Dropout, batch normalisation and moments: a step moves all of them."""
    keras.utils.set_random_seed(5)
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(4, 3, name="conv")(inputs)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Dropout(0.3)(layers.Flatten()(x))
    model = keras.Model(inputs, layers.Dense(3, activation="softmax", name="answer")(x))
    model.compile(
        optimizers.Adam(0.01, clipnorm=0.1), "sparse_categorical_crossentropy", metrics=["accuracy"], **compiled
    )
    return model


def seen(view, source="model"):
    """What a recorded view measured, by step."""
    return {step: one.data for (whose, step), one in view.measured.items() if whose == source}


def heatmaps(tmp_path, *given, **options):
    return recorded(kv.WeightHeatmaps)(tmp_path, *given, on_error="raise", **options)


def coefficients(tmp_path, **options):
    return recorded(kv.Coefficients)(tmp_path, on_error="raise", **options)


@pytest.mark.slow
@pytest.mark.parametrize("eagerly", [False, True])
def test_training_with_dropout_batch_averages_and_moments_is_the_same_to_the_bit(tmp_path, eagerly):
    def run(*views):
        model = dropping(run_eagerly=eagerly)
        history = fit(model, DATA.x, DATA.y, views, shuffle=True, validation_data=VALIDATION)
        state = [variable.numpy() for variable in (*model.variables, *model.optimizer.variables)]
        return history.history, state, float(keras.random.uniform(()))

    plain = run()
    watched = run(kv.WeightHeatmaps(tmp_path, VALIDATION, training_data=(DATA.x, DATA.y)), kv.Coefficients(tmp_path))
    assert run()[0] == plain[0]  # it repeats, or nothing is shown
    assert watched[0] == plain[0]
    assert same_weights(watched[1], plain[1])
    assert watched[2] == plain[2]


def test_the_step_is_that_of_the_training_data_or_else_the_validation_data(tmp_path):
    both = heatmaps(tmp_path / "both", VALIDATION, training_data=(DATA.x, DATA.y), count=6)
    one = heatmaps(tmp_path / "one", VALIDATION, count=6)
    for view in (both, one):
        keras.utils.set_random_seed(5)
        fit(classifier(), DATA.x, DATA.y, [view], epochs=1)
    assert "6 rows of training_data" in seen(both)[-1]["conv1"].how
    assert "6 rows of validation_data" in seen(one)[-1]["conv1"].how
    assert (seen(both)[-1]["conv1"].after != seen(one)[-1]["conv1"].after).any()
    np.testing.assert_array_equal(seen(both)[-1]["conv1"].weights, seen(one)[-1]["conv1"].weights)


@pytest.mark.slow
def test_without_clipping_the_step_is_shown_and_said_to_be_without(tmp_path):
    view = heatmaps(tmp_path, VALIDATION)
    fit(classifier(), DATA.x, DATA.y, [view], epochs=1)
    for one in seen(view)[0].values():
        assert one.note.startswith("largest")
        assert one.how == "step on 12 rows of validation_data, no gradient clipping"
        assert (one.after != one.weights).any()
    assert not runs(tmp_path)["views/model"].scalars


@pytest.mark.slow
def test_the_first_step_of_a_fresh_optimizer_does_not_scale_later_differences(tmp_path, monkeypatch):
    drawn = []

    def record(panels, **given):
        drawn.append((panels[2].scale, given["note"]))
        return np.zeros((9, 9, 3), np.uint8)

    monkeypatch.setattr(weight_heatmaps, "weight_panels", record)
    view = heatmaps(tmp_path, VALIDATION, layers=["conv1"])
    model = classifier()
    model.compile(optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    slower = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: model.optimizer.learning_rate.assign(0.001)
    )
    fit(model, DATA.x, DATA.y, [slower, view], epochs=2)
    changes = [float(np.abs(seen(view)[step]["conv1"].difference).max()) for step in (-1, 0, 1)]
    assert changes[0] == pytest.approx(0.01, rel=1e-3)  # Adam's first step: the learning rate, whatever the gradient
    assert max(changes[1:]) < changes[0] / 5
    assert [scale for scale, _ in drawn] == pytest.approx([changes[0], changes[1], max(changes[1:])])
    assert all(f"now at most {change:.3g}" in note for change, (_, note) in zip(changes, drawn, strict=True))


def test_what_is_beyond_the_scale_is_said_of_the_weights_and_of_the_difference(tmp_path):
    view = heatmaps(tmp_path)
    view.memory = Memory(scales={"a": 1.0, "a difference": 0.1, "b": 1.0})
    weights = np.array([[2, -3, 0.5], [0, 1, -1]])
    difference = np.array([[0.2, 0, 0], [0.1, -0.3, 0.4]])
    both = WeightHeatmapsData(weights, None, "", "largest −3 at [0, 1]", "", weights + difference, difference)
    assert view._panels("a", both)[1] == (
        "difference ± 0.1, now at most 0.4, 3 cells beyond the scale   largest −3 at [0, 1]   "
        "weights: 2 cells beyond the scale"
    )
    within = replace(both, weights=weights / 3, difference=difference / 4)
    assert view._panels("a", within)[1] == "difference ± 0.1, now at most 0.1   largest −3 at [0, 1]"
    alone = replace(both, after=None, difference=None)
    assert view._panels("b", alone)[1] == "largest −3 at [0, 1]   2 cells beyond the scale"


@pytest.mark.slow
def test_the_title_of_a_difference_says_why_its_panel_looks_empty(tmp_path, monkeypatch):
    drawn = []

    def record(panels, **given):
        drawn.append(panels[2].title)
        return np.zeros((9, 9, 3), np.uint8)

    monkeypatch.setattr(weight_heatmaps, "weight_panels", record)
    view = heatmaps(tmp_path, VALIDATION, layers=["conv1"])
    model = classifier()
    model.compile(optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    rates = {0: 0.1, 1: 0.09, 2: 0.001, 3: 0.0}
    slower = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: model.optimizer.learning_rate.assign(0.0),
        on_epoch_end=lambda epoch, logs: model.optimizer.learning_rate.assign(rates[epoch]),
    )
    fit(model, DATA.x, DATA.y, [slower, view], epochs=4)
    usual = "difference, magnified"
    assert drawn == [usual, usual, usual, "difference, weak now", "no difference now"]
    room = text_width(usual, 12, bold=True)
    assert max(text_width(title, 12, bold=True) for title in drawn) == room, "the picture keeps its size"


class OwnStep(keras.Model):
    def train_step(self, data):
        return super().train_step(data)


def own_step():
    model = classifier()
    model = OwnStep(model.input, model.output)
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


@pytest.mark.parametrize(
    ("build", "data", "why"),
    first(
        [
            (classifier, None, "no training step: no data given"),
            (classifier, DATA.x_val, "no training step: the data have no targets"),
            (own_step, VALIDATION, "no training step: the model has a train_step of its own"),
            (classifier, (DATA.x_val, np.zeros((12, 7), np.float32)), "no training step: "),
        ]
    ),
)
def test_where_no_step_can_be_made_the_weights_stand_alone_and_the_picture_says_why(build, data, why, tmp_path, capsys):
    view = heatmaps(tmp_path, data)
    fit(build(), DATA.x, DATA.y, [view], verbose=2)
    told = capsys.readouterr().out
    assert (f"WeightHeatmaps shows the weights alone, {why}" in told) == (data is not None)
    for numbers in seen(view).values():
        for one in numbers.values():
            assert one.after is one.difference is None
            assert one.how.startswith(why)
    found = runs(tmp_path)["views/model"]
    assert set(found.pictures) == {"weights/conv1", "weights/conv2", "weights/answer"}
    assert not found.scalars
    assert all(why in text for text in found.descriptions.values())


@pytest.mark.slow
def test_labels_that_colour_an_autoencoder_are_not_its_targets(tmp_path):
    labelled, own = heatmaps(tmp_path / "labels", VALIDATION), heatmaps(tmp_path / "own", (DATA.x_val, DATA.x_val))
    for view in (labelled, own):
        keras.utils.set_random_seed(5)
        fit(autoencoder(), DATA.x, DATA.x, [view], epochs=1)
    rows = labelled.probes["validation"].index
    assert sorted(rows) == list(range(12)) == sorted(own.probes["validation"].index)
    np.testing.assert_allclose(seen(labelled)[-1]["codes"].after, seen(own)[-1]["codes"].after, atol=1e-6)


@pytest.mark.slow
def test_frozen_layers_stand_alone_beside_the_others(tmp_path):
    model = classifier()
    model.get_layer("conv1").trainable = False
    model.compile(optimizers.SGD(0.3), "sparse_categorical_crossentropy")
    view = heatmaps(tmp_path, VALIDATION)
    fit(model, DATA.x, DATA.y, [view], epochs=1)
    assert seen(view)[0]["conv1"].how == "no training step: not trained"
    assert seen(view)[0]["conv1"].after is None
    assert seen(view)[0]["conv2"].after is not None


def captions_of_filters(monkeypatch, model, **options):
    """The captions, by layer."""
    captions = {}

    def record(kernels, caption, **given):
        captions[caption.split()[0]] = caption
        return np.zeros((9, 9, 3), np.uint8)

    for name in ("filter_tiles", "filter_matrix"):
        monkeypatch.setattr(filter_images, name, record)
    kv.FilterImages("logs", **options).pictures(model)
    return captions


def test_how_many_of_the_filters_are_drawn_is_said(monkeypatch):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(65, 3, name="many"),
            layers.Conv2D(8, 3, name="few"),
            layers.Conv2D(20, 1, name="deep"),
            layers.Conv2D(5, 1, name="all"),
        ]
    )
    chosen = "those of largest norm at the first step"
    assert captions_of_filters(monkeypatch, model) == {
        "many": f"many   kernel 3 × 3 × 3 × 65\n64 of 65 filters, {chosen}",
        "few": f"few   kernel 3 × 3 × 65 × 8\n8 of 65 inputs, {chosen}",
        "deep": f"deep   kernel 1 × 1 × 8 × 20\n8 of 20 filters, {chosen}",
        "all": f"all   kernel 1 × 1 × 20 × 5\n12 of 20 inputs, {chosen}",
    }
    assert captions_of_filters(monkeypatch, model, channels="norm", layers=["few"]) == {
        "few": "few   kernel 3 × 3 × 65 × 8   norm over inputs"
    }


def test_of_a_separable_convolution_the_kernel_that_is_left_out_is_said(monkeypatch):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.SeparableConv2D(80, 3, name="first"),
            layers.SeparableConv2D(24, 3, name="second"),
            layers.DepthwiseConv2D(3, name="depthwise"),
        ]
    )
    assert captions_of_filters(monkeypatch, model) == {
        "first": "first   depthwise kernel 3 × 3 × 1 × 1\nwithout the pointwise kernel, which makes 80 filters",
        "second": "second   depthwise kernel 3 × 3 × 80 × 1\n64 of 80 depthwise filters, those of largest norm at the "
        "first step   without the pointwise kernel, which makes 24 filters",
        "depthwise": "depthwise   kernel 3 × 3 × 24 × 1",
    }


class Masked(layers.Conv2D):
    """A convolution of which only the left half of the kernel acts."""

    def convolution_op(self, inputs, kernel):
        return super().convolution_op(inputs, kernel * np.reshape([1, 0], (1, 2, 1, 1)))


class Scaled(layers.Conv2D):
    """A convolution with a call of its own."""

    def call(self, inputs):
        return keras.ops.conv(inputs, self.kernel / 2)


class Named(layers.Conv2D):
    """A convolution that computes as that of Keras."""


def test_of_a_convolution_that_may_use_another_kernel_than_the_stored_one_that_is_said(monkeypatch):
    kinds, options = {"masked": Masked, "scaled": Scaled, "named": Named}, {"kernel_size": (1, 2), "filters": 1}
    own = [kind(name=name, **options) for name, kind in kinds.items()]
    wrapped = layers.SpectralNormalization(layers.Conv2D(name="wrapped", **options))
    captions = captions_of_filters(monkeypatch, keras.Sequential([keras.Input((1, 8, 1)), *own, wrapped]))
    said = {path.rpartition("/")[2]: caption.partition("\n")[2] for path, caption in captions.items()}
    assert said.pop("masked") == "stored kernel; Masked may compute with another"
    assert said.pop("scaled") == "stored kernel; Scaled may compute with another"
    assert len(said) == 2
    assert set(said.values()) == {""}


def test_filters_of_a_frozen_layer_are_said_to_be(monkeypatch):
    captions = []

    def record(kernels, caption, **given):
        captions.append(caption)
        return np.zeros((9, 9, 3), np.uint8)

    monkeypatch.setattr(filter_images, "filter_tiles", record)
    model = classifier()
    for trainable in (True, False):
        model.trainable = trainable
        kv.FilterImages("logs", layers=["conv1"]).pictures(model)
    assert captions[1] == f"{captions[0]}   frozen"


@pytest.mark.slow
def test_a_kernel_that_the_loss_does_not_reach_has_no_gradient(tmp_path):
    inputs = keras.Input((8, 8, 1))
    flat = layers.Flatten()(inputs)
    model = keras.Model(inputs, [dense("answer", 3)(flat), dense("spare", 2)(flat)])
    model.compile("sgd", [keras.losses.SparseCategoricalCrossentropy(from_logits=True), None])
    y, y_val = ([labels, np.zeros((len(labels), 2), np.float32)] for labels in (DATA.y, DATA.y_val))
    view = heatmaps(tmp_path, (DATA.x_val, y_val), clip={"global_clipnorm": 1e-3})
    with pytest.warns(UserWarning, match="Gradients do not exist"):  # Keras, of the training itself
        fit(model, DATA.x, y, [view], epochs=1)
    assert seen(view)[0]["spare"].note.startswith("no gradient   largest")
    assert not seen(view)[0]["spare"].difference.any()
    assert seen(view)[0]["answer"].note.startswith("clipping removed over 99%")
    assert set(runs(tmp_path)["views/model"].scalars) == {"health/answer/removed"}


@pytest.mark.slow
def test_a_step_that_fails_later_is_told_and_training_goes_on(tmp_path, monkeypatch):
    view = kv.WeightHeatmaps(tmp_path, VALIDATION)

    class Breaks(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            monkeypatch.setattr("kerasviz_callbacks.taps.step.Step._copy_state", lambda self: 1 / 0)

    with pytest.warns(UserWarning, match=r"WeightHeatmaps could not read the model \(ZeroDivisionError"):
        fit(classifier(), DATA.x, DATA.y, [Breaks(), view])
    assert list(runs(tmp_path)["views/model"].pictures["weights/conv1"]) == [-1]


@pytest.mark.slow
def test_a_model_without_an_input_begins_after_the_first_epoch_or_with_the_data(tmp_path):
    def unbuilt():
        keras.utils.set_random_seed(5)
        model = keras.Sequential([layers.Flatten(), layers.Dense(4, name="hidden"), layers.Dense(3, name="out")])
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    alone, fed, units = heatmaps(tmp_path / "1"), heatmaps(tmp_path / "2", VALIDATION), coefficients(tmp_path / "3")
    fit(unbuilt(), DATA.x, DATA.y, [alone], epochs=2)
    fit(unbuilt(), DATA.x, DATA.y, [fed], epochs=2)
    fit(unbuilt(), DATA.x, DATA.y, [units], epochs=2)
    assert list(seen(alone)) == list(seen(units)) == [0, 1]
    assert list(seen(fed)) == [-1, 0, 1]


# Which kernels.


def of_all_kinds():
    inputs = keras.Input((8, 8, 2))
    x = layers.SpectralNormalization(layers.Conv2D(3, 3, name="plain"), name="wrapped")(inputs)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, name="depthwise")(x)
    x = layers.SeparableConv2D(5, 2, name="separable")(x)
    x = layers.Conv2DTranspose(4, 2, name="transposed")(x)
    x = layers.Reshape((16, 4))(x)
    x = layers.MultiHeadAttention(2, 3, name="attention")(x, x)
    x = layers.Bidirectional(layers.LSTM(3, name="memory"), name="both_ways")(x)
    return keras.Model(inputs, layers.Dense(2, name="answer")(x))


def test_every_kind_of_kernel_is_laid_out_inputs_by_units():
    model = of_all_kinds()
    found = {matrix.path: matrix for matrix in weight_matrices(list_layers(model))}
    sides = {path: matrix.sides for path, matrix in found.items()}
    assert sides == {
        "wrapped/plain": (3 * 3 * 2, 3),
        "depthwise": (3 * 3, 3 * 2),
        "separable": (2 * 2, 6),
        "separable/pointwise_kernel": (6, 5),
        "transposed": (2 * 2 * 5, 4),
        "attention/query": (4, 6),
        "attention/key": (4, 6),
        "attention/value": (4, 6),
        "attention/attention_output": (6, 4),
        "both_ways/forward_memory/lstm_cell": (4, 12),
        "both_ways/forward_memory/lstm_cell/recurrent_kernel": (3, 12),
        "both_ways/backward_memory/lstm_cell": (4, 12),
        "both_ways/backward_memory/lstm_cell/recurrent_kernel": (3, 12),
        "answer": (6, 2),
    }, sides
    assert all(matrix.variable is not None for matrix in found.values())
    embedding = layers.Embedding(7, 3, name="words")
    words = keras.Sequential([keras.Input((4,)), embedding])
    assert [matrix.sides for matrix in weight_matrices(list_layers(words))] == [(7, 3)]


class Codebook(layers.Layer):
    """A custom layer with two matrices, and with weights that are none."""

    def build(self, shape):
        self.codebook = self.add_weight(shape=(5, shape[-1]), initializer="normal")
        self.counts = self.add_weight(shape=(5,), trainable=False)
        self.sums = self.add_weight(shape=(shape[-1], 5), trainable=False)
        self.indices = self.add_weight(shape=(2, 2), dtype="int32", initializer="zeros", trainable=False)

    def call(self, x):
        return keras.ops.take(self.codebook, keras.ops.argmax(x @ keras.ops.transpose(self.codebook), -1), axis=0)


def test_matrices_of_custom_layers_are_shown_row_by_row(tmp_path, monkeypatch):
    first, last = layers.Dense(4, name="dense"), layers.Dense(2, name="dense_1")
    model = keras.Sequential([keras.Input((3,)), first, Codebook(name="quantizer"), last])
    matrices = {one.path: one for one in weight_matrices(list_layers(model), custom=True) if one.custom}
    assert {path: one.sides for path, one in matrices.items()} == {"quantizer": (5, 4), "quantizer/sums": (4, 5)}
    np.testing.assert_array_equal(matrices["quantizer"].array(), model.get_layer("quantizer").get_weights()[0])
    assert [one.path for one in weight_matrices(list_layers(model))] == ["dense", "dense_1"]
    drawn = []

    def record(panels, *, inputs, outputs, caption, row_name, **given):
        drawn.append((caption.splitlines()[0], row_name, panels[0].cells))
        return np.zeros((4, 4, 3), np.uint8)

    monkeypatch.setattr("kerasviz_callbacks.views.weight_heatmaps.weight_panels", record)
    kv.WeightHeatmaps(tmp_path, layers=["quantizer", "dense"]).pictures(model)
    assert [one[:2] for one in drawn] == [
        ("quantizer   codebook   5 rows × 4 columns", "row"),
        ("quantizer/sums   sums   4 rows × 5 columns", "row"),
        ("dense   kernel 3 × 4   3 in × 4 out", "in"),
    ]
    words = keras.Sequential([keras.Input((3,)), layers.Embedding(60, 4, name="words")])
    kv.WeightHeatmaps(tmp_path, layers=["words"]).pictures(words)
    assert drawn.pop()[:2] == ("words   embeddings   60 rows × 4 columns", "row")
    np.testing.assert_allclose(drawn[0][2], model.get_layer("quantizer").get_weights()[0])


@pytest.mark.slow
def test_a_kernel_that_is_computed_anew_stands_alone(tmp_path):
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(4, name="adapted"), layers.Dense(3)]
    )
    model.get_layer("adapted").enable_lora(2)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    view = heatmaps(tmp_path, VALIDATION)
    fit(model, DATA.x, DATA.y, [view], epochs=1)
    assert seen(view)[0]["adapted"].how == "no training step: not trained"
    assert (seen(view)[0]["adapted"].weights != seen(view)[-1]["adapted"].weights).any()


@pytest.mark.slow
def test_at_most_eight_kernels_and_those_that_are_named(tmp_path):
    model = keras.Sequential([keras.Input((5,)), *(layers.Dense(5, name=f"d{n}") for n in range(20))])
    model.compile("sgd", "mse")
    x = np.ones((6, 5), np.float32)
    view, named = heatmaps(tmp_path / "1"), heatmaps(tmp_path / "2", layers=["d3", "d17"])
    fit(model, x, x, [view, named], epochs=1)
    shown = list(seen(view)[0])
    assert len(shown) == 8
    assert (shown[0], shown[-1]) == ("d0", "d19")
    assert list(seen(named)[0]) == ["d3", "d17"]


def test_a_layer_that_holds_others_stands_for_theirs():
    known = list_layers(of_all_kinds())
    found = [matrix.path for matrix in matrices_named(known, "both_ways/forward_memory", argument="layer")]
    assert found == ["both_ways/forward_memory/lstm_cell", "both_ways/forward_memory/lstm_cell/recurrent_kernel"]
    with pytest.raises(ValueError, match=r'layers="both": no such layer; nearest: "both_ways"'):
        matrices_named(known, "both", argument="layers")


def model_of(*parts):
    return keras.Sequential([keras.Input((8, 8, 1)), *parts])


def dense(name, units):
    return layers.Dense(units, name=name)


def conv(name, filters):
    return layers.Conv2D(filters, 3, name=name)


def gives_back():
    up = [layers.Conv2DTranspose(n, 3, strides=2, padding="same", name=name) for n, name in ((4, "up"), (1, "last"))]
    down = [layers.Conv2D(n, 3, strides=2, padding="same", name=name) for n, name in ((4, "down"), (2, "codes"))]
    return model_of(*down, *up)


def two_heads():
    inputs = keras.Input((6,))
    x = dense("wide", 9)(inputs)
    return keras.Model(inputs, [dense("small", 2)(x), dense("last", 4)(x)])


@pytest.mark.parametrize(
    ("build", "path"),
    [
        (lambda: model_of(layers.Flatten(), dense("a", 9), dense("b", 4), dense("c", 4), dense("d", 2)), "b"),
        (lambda: model_of(conv("a", 2), conv("b", 3), layers.Flatten(), dense("c", 4), dense("d", 9)), "c"),
        (lambda: model_of(conv("a", 2), conv("b", 3), layers.Flatten(), dense("d", 2)), "b"),
        (lambda: model_of(layers.Flatten(), dense("only", 2)), "only"),
        (lambda: model_of(layers.Reshape((8, 8)), layers.LSTM(3, name="memory"), dense("d", 2)), "memory/lstm_cell"),
        (two_heads, "wide"),
        (gives_back, "codes"),
        (lambda: model_of(layers.Flatten()), None),
    ],
)
def test_the_bottleneck_is_found_from_the_kernels(build, path):
    model = build()
    found = narrowest_hidden(model, list_layers(model))
    assert (None if found is None else found.path) == path


@pytest.mark.parametrize(
    ("view", "options", "words"),
    [
        (kv.WeightHeatmaps, {"layers": ["conv9"]}, 'layers="conv9": no such layer; nearest: '),
        (
            kv.WeightHeatmaps,
            {"layers": ["mean"]},
            'layers="mean": GlobalAveragePooling2D has no kernel to show; those that',
        ),
        (
            kv.Coefficients,
            {"layer": "mean"},
            'layer="mean": GlobalAveragePooling2D has no kernel to show; those that have',
        ),
        (kv.Coefficients, {"layer": "conv9"}, 'layer="conv9": no such layer'),
    ],
)
def test_a_layer_that_cannot_be_shown_is_told_before_the_first_batch(view, options, words, tmp_path):
    with pytest.raises(ValueError, match=re.escape(words)):
        fit(classifier(), DATA.x, DATA.y, [view(tmp_path, **options)])


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (kv.WeightHeatmaps, 'layers=None: model "bare" has no layer with a kernel'),
        (kv.Coefficients, 'layer=None: model "bare" has no layer with a kernel'),
    ],
)
def test_a_model_without_kernels_is_told_before_the_first_batch(view, words, tmp_path):
    model = keras.Sequential([keras.Input((5,)), layers.BatchNormalization()], name="bare")
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=words):
        fit(model, np.ones((6, 5)), np.ones((6, 5)), [view(tmp_path)])


@pytest.mark.slow
def test_a_layer_of_several_kernel_layers_is_too_much_for_coefficients(tmp_path):
    model = of_all_kinds()
    model.compile("sgd", "mse")
    x = np.ones((4, 8, 8, 2), np.float32)
    with pytest.raises(ValueError, match=r'layer="attention": several of its layers have a kernel; name one of'):
        fit(model, x, np.ones((4, 2)), [kv.Coefficients(tmp_path, layer="attention")])
    view = coefficients(tmp_path, layer="both_ways/forward_memory")
    fit(model, x, np.ones((4, 2)), [view], epochs=1)
    assert seen(view)[0].weights.shape == (12, 4)


def test_the_views_that_need_data_still_do_and_a_bad_clip_is_told_at_once():
    with pytest.raises(ValueError, match=r"validation_data=None: ActivationMaps needs data; pass \(x, y\)"):
        kv.ActivationMaps("logs", None)
    with pytest.raises(ValueError, match=r"clip=.*expected exactly one of"):
        kv.WeightHeatmaps("logs", clip={"norm": 1.0})
    with pytest.raises(TypeError, match="layers='conv1': expected a list"):
        kv.WeightHeatmaps("logs", layers="conv1")


@pytest.mark.slow
def test_visualizer_knows_both_by_name_with_and_without_data(tmp_path):
    views = ["WeightHeatmaps", "Coefficients"]
    for number, data in enumerate((None, VALIDATION)):
        log_dir = tmp_path / str(number)
        fit(classifier(), DATA.x, DATA.y, [kv.Visualizer(log_dir, data, views=views, on_error="raise")], epochs=1)
        tags = {"weights/conv1", "weights/conv2", "weights/answer", "coefficients/conv2"}
        assert set(runs(log_dir)["views/model"].pictures) == tags


# What is drawn.


def test_a_large_kernel_is_shrunk_so_that_its_largest_weight_is_seen(tmp_path):
    model = keras.Sequential([keras.Input((900,)), layers.Dense(3, name="wide")])
    model.compile(optimizers.SGD(0.0), "mse")
    kernel = model.get_layer("wide").kernel
    spiked = kernel.numpy()
    spiked[417, 2] = -5
    kernel.assign(spiked)
    view = heatmaps(tmp_path)
    fit(model, np.ones((4, 900), np.float32), np.ones((4, 3)), [view], epochs=1)
    shown = seen(view)[0]["wide"]
    assert shown.weights.shape == (SIDE, 3)
    assert shown.weights[shown.mark] == -5
    assert shown.note == "largest \N{MINUS SIGN}5 at [417, 2]"
    assert shown.mark == (417 * SIDE // 900, 2)


@pytest.mark.slow
def test_infinite_and_nan_weights_are_counted_and_leave_the_scale(tmp_path):
    view, units = (
        heatmaps(tmp_path / "1", VALIDATION, clip={"clipvalue": 1}),
        coefficients(tmp_path / "2", layer="conv1"),
    )
    model = classifier()
    fit(model, DATA.x, DATA.y, [Poison("conv1"), view, units])
    for one in (view, units):
        assert all(np.isfinite(scale) for scale in one.memory.scales.values())
    assert seen(view)[2]["conv1"].bad == "72 NaN"  # 36 before the step and 36 after it
    assert seen(view)[2]["conv1"].mark is None
    assert seen(view)[2]["conv1"].note == "gradient not finite"
    assert seen(units)[2].bad == "36 NaN"
    assert np.isnan(seen(units)[2].turns[:, 2:]).all()
    assert np.isfinite(seen(units)[2].turns[:, 1]).all()


@pytest.mark.slow
def test_the_axis_of_steps_holds_all_epochs_from_the_start_and_a_resumed_fit_goes_on(tmp_path):
    model, weights = autoencoder(), Weights()
    view = coefficients(tmp_path)
    fit(model, DATA.x, DATA.x, [weights, view], epochs=2)
    fit(model, DATA.x, DATA.x, [weights, view], epochs=5, initial_epoch=2)
    numbers = seen(view)
    assert {step: one.span for step, one in numbers.items()} == {
        -1: (-1, 1),
        0: (-1, 1),
        1: (-1, 1),
        2: (-1, 4),
        3: (-1, 4),
        4: (-1, 4),
    }
    assert numbers[2].has_length.tolist() == [True] * 4 + [False] * 2
    for step, kernels in weights.at.items():
        np.testing.assert_allclose(numbers[4].lengths[:, step + 1], np.linalg.norm(kernels[2], axis=0), rtol=1e-6)


@pytest.mark.slow
def test_a_fit_that_was_cut_short_is_redone_from_there(tmp_path):
    model = autoencoder()
    view = coefficients(tmp_path)
    fit(model, DATA.x, DATA.x, [view], epochs=4)
    fit(model, DATA.x, DATA.x, [view], epochs=4, initial_epoch=2)
    assert view.memory.per_source["model"]["steps"] == [-1, 0, 1, 2, 3]
    assert len(view.memory.per_source["model"]["turns"]) == len(view.memory.per_source["model"]["lengths"]) == 5


class Stop(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = epoch == 2


@pytest.mark.slow
def test_every_other_epoch_late_and_stopped_early(tmp_path):
    every, late = coefficients(tmp_path / "1", freq=2), coefficients(tmp_path / "2", start_from_epoch=1)
    fit(autoencoder(), DATA.x, DATA.x, [every, late, Stop()], epochs=9)
    assert list(seen(every)) == [-1, 0, 2]
    assert seen(every)[2].span == (-1, 8)
    assert seen(every)[2].has_turn.tolist() == [False, True, True, True] + [False] * 6  # 1 is part of what 2 shows
    assert list(seen(late)) == [1, 2]
    assert seen(late)[2].span == (1, 8)


@pytest.mark.slow
def test_hundreds_of_epochs_share_columns_and_what_is_remembered_is_thin_and_can_be_kept(tmp_path):
    keras.utils.set_random_seed(5)
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4, name="hidden"), layers.Dense(1)])
    model.compile(optimizers.SGD(0.01), "mse")
    view = kv.Coefficients(tmp_path, on_error="raise", freq=1)
    x = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    fit(model, x, x[:, :1], [view], epochs=300, batch_size=8)
    own = view.memory.per_source["model"]
    assert own["steps"] == list(range(-1, 300))
    assert own["lengths"][0].dtype == np.float32
    kept = pickle.loads(pickle.dumps(view.memory))
    assert kept.per_source["model"]["steps"] == own["steps"]
    sizes = {
        one.picture("coefficients/hidden", step).shape for one in runs(tmp_path).values() for step in (-1, 150, 299)
    }
    assert len(sizes) == 1


@pytest.mark.slow
def test_of_many_units_the_longest_at_first_are_shown_and_kept(tmp_path):
    keras.utils.set_random_seed(5)
    model = keras.Sequential([keras.Input((3,)), layers.Dense(300, name="many"), layers.Dense(301, name="out")])
    model.compile(optimizers.SGD(0.5), "mse")
    first = np.linalg.norm(model.get_layer("many").kernel.numpy(), axis=0)
    view = coefficients(tmp_path, layer="many")
    fit(model, np.ones((4, 3), np.float32), np.ones((4, 301)), [view], epochs=2)
    for one in seen(view).values():
        assert one.units.tolist() == sorted(np.argsort(-first)[:128].tolist())
        assert one.weights.shape == (128, 3)
    assert "the 128 of largest norm" in runs(tmp_path)["views/model"].descriptions["coefficients/many"]


def test_units_that_no_longer_learn_are_counted(tmp_path):
    model = autoencoder()
    model.get_layer("codes").trainable = False
    model.compile("sgd", "mse")
    view = coefficients(tmp_path)
    fit(model, DATA.x, DATA.x, [view], epochs=1)
    assert seen(view)[0].note.endswith("4 of 4 not moving")
    assert "not moving" not in seen(view)[-1].note
    assert (seen(view)[0].turns[:, 1] == -12).all()


@pytest.mark.slow
def test_after_a_fit_the_picture_is_the_last_and_before_one_the_weights_of_now(tmp_path):
    model = dropping()
    view, units = kv.WeightHeatmaps(tmp_path, VALIDATION), kv.Coefficients(tmp_path)
    before = {**view.pictures(model), **units.pictures(model)}
    assert set(before) == {"model/weights/conv", "model/weights/answer", "model/coefficients/conv"}
    fit(model, DATA.x, DATA.y, [view, units])
    found = runs(tmp_path)["views/model"]
    after = {**view.pictures(model), **units.pictures(model)}
    for tag, picture in after.items():
        np.testing.assert_array_equal(picture, found.picture(tag.removeprefix("model/"), 2))
    uncompiled = keras.Model(model.input, model.output)
    alone = kv.WeightHeatmaps(tmp_path, VALIDATION).pictures(uncompiled)["model/weights/conv"]
    assert alone.shape[1] < before["model/weights/conv"].shape[1]
    assert not magenta(alone).any()


def test_layers_that_share_a_kernel_are_drawn_once(tmp_path):
    """As of an encoder and a decoder with tied weights; one that is named is drawn all the same."""

    class Tied(layers.Conv2D):
        def build(self, input_shape):
            super().build(input_shape)
            self._kernel = first.kernel

    first, second = layers.Conv2D(1, 3, padding="same", name="first"), Tied(1, 3, padding="same", name="tied")
    model = keras.Sequential([keras.Input((8, 8, 1)), first, second])
    assert second.kernel is first.kernel
    for view, tag in ((kv.FilterImages, "filters"), (kv.WeightHeatmaps, "weights")):
        assert list(view(tmp_path).pictures(model)) == [f"model/{tag}/first"]
    assert list(kv.FilterImages(tmp_path, layers=["tied"]).pictures(model)) == ["model/filters/tied"]


def gates_of(cell, inputs):
    cell.build((None, inputs))
    return matrices_named(
        list_layers(keras.Sequential([keras.Input((5, inputs)), layers.RNN(cell)])), cell, argument=""
    )


def test_the_gates_of_an_lstm_are_named_in_the_order_in_which_keras_uses_them():
    """An input gate that is open, a forget gate that is closed, ...: each changes the state in a way of its own."""
    x, state = np.full((1, 2), 0.3, np.float32), [np.full((1, 3), value, np.float32) for value in (0.4, 0.7)]
    results = {}
    for gate in "ifco":
        cell = layers.LSTMCell(3, kernel_initializer="zeros", recurrent_initializer="zeros", unit_forget_bias=False)
        for matrix in gates_of(cell, 2):
            assert (matrix.column_blocks.what, matrix.row_blocks) == ("gate", None)
            names = matrix.column_blocks.names
        kernel = np.zeros((2, 4, 3), np.float32)
        kernel[:, names.index(gate)] = 100
        cell.kernel.assign(kernel.reshape(2, 12))
        output, (_, carry) = cell(x, state)
        results[gate] = float(carry[0, 0]), float(output[0, 0])
    kept, half = 0.7, np.tanh(0.35) / 2
    assert results["i"] == pytest.approx((kept / 2, half))  # of a candidate of 0 nothing enters, though all may
    assert results["f"] == pytest.approx((kept, np.tanh(0.7) / 2))
    assert results["c"] == pytest.approx((kept / 2 + 0.5, np.tanh(0.85) / 2))
    assert results["o"] == pytest.approx((kept / 2, np.tanh(0.35)))


def test_the_gates_of_a_gru_are_named_in_the_order_in_which_keras_uses_them():
    x, state = np.full((1, 2), 0.3, np.float32), np.full((1, 3), 0.4, np.float32)
    results = {}
    for gate in "zrh":
        cell = layers.GRUCell(3, kernel_initializer="zeros", recurrent_initializer="ones")
        names = gates_of(cell, 2)[0].column_blocks.names
        recurrent = np.zeros((3, 3, 3), np.float32)
        recurrent[:, names.index("h")] = 0.1
        cell.recurrent_kernel.assign(recurrent.reshape(3, 9))
        kernel = np.zeros((2, 3, 3), np.float32)
        kernel[:, names.index(gate)] = 100
        cell.kernel.assign(kernel.reshape(2, 9))
        results[gate] = float(cell(x, state)[0][0, 0])
    assert results["z"] == pytest.approx(0.4)  # the state stays
    assert results["r"] == pytest.approx(0.2 + np.tanh(0.12) / 2)  # all of the state is in the candidate
    assert results["h"] == pytest.approx(0.2 + 0.5)


@pytest.mark.parametrize(
    ("make", "shape", "many"),
    [
        (lambda: layers.Bidirectional(layers.LSTM(3, name="read"), name="both"), (5, 2), 4),
        (lambda: layers.GRU(3), (5, 2), 2),
        (lambda: layers.RNN([layers.LSTMCell(3), layers.LSTMCell(2)]), (5, 2), 4),
        (lambda: layers.ConvLSTM1D(3, 2), (5, 4, 2), 2),
        (lambda: layers.ConvLSTM2D(3, 2), (5, 4, 4, 2), 2),
    ],
)
def test_all_layers_with_gates_name_them(make, shape, many):
    model = keras.Sequential([keras.Input(shape), make()])
    found = weight_matrices(list_layers(model))
    assert len(found) == many
    for matrix in found:
        names = ("z", "r", "h") if "gru" in matrix.path else ("i", "f", "c", "o")
        assert matrix.column_blocks.names == names
        assert matrix.sides[1] % len(names) == 0
    plain = keras.Sequential([keras.Input((5, 2)), layers.SimpleRNN(4), layers.Dense(4)])
    assert all(one.column_blocks is one.row_blocks is None for one in weight_matrices(list_layers(plain)))


def test_the_unit_forget_bias_of_a_convolutional_lstm_is_that_of_the_gate_f():
    cell = layers.ConvLSTM2D(3, 2, unit_forget_bias=True)
    cell.build((None, 5, 4, 4, 2))
    ones = np.asarray(cell.cell.bias).reshape(4, 3).all(axis=1).tolist()
    assert ones.index(True) == cell_gates(cell.cell).names.index("f")


def test_the_heads_of_attention_are_the_blocks_of_its_kernels():
    inputs = keras.Input((6, 5))
    several = layers.MultiHeadAttention(3, 4, name="mha")(inputs, inputs)
    grouped = layers.GroupQueryAttention(4, 6, 2, name="gqa")(several, several)
    single = layers.MultiHeadAttention(1, 4, name="one")(grouped, grouped)
    own = layers.EinsumDense("abc,cde->abde", (None, 7, 2), name="own")(single)
    matrices = {one.path: one for one in weight_matrices(list_layers(keras.Model(inputs, own)))}
    found = {path: (one.row_blocks, one.column_blocks) for path, one in matrices.items()}
    for name, counts in (("mha", (3, 3, 3)), ("gqa", (6, 2, 2))):
        for part, count in zip(("query", "key", "value"), counts, strict=True):
            assert found[f"{name}/{part}"] == (None, Blocks("head", tuple("012345"[:count])))
        assert found[f"{name}/attention_output"] == (Blocks("head", tuple("012345"[: counts[0]])), None)
    assert {both for path, both in found.items() if path.startswith("one/")} == {(None, None)}
    assert found["own"] == (None, Blocks("axis 1", tuple("0123456")))
    query, output = matrices["mha/query"], matrices["mha/attention_output"]
    folded = fold(query.array(), query.inputs, query.outputs)
    np.testing.assert_array_equal(np.split(folded, 3, axis=1)[2], query.array()[:, 2])
    folded = fold(output.array(), output.inputs, output.outputs)
    np.testing.assert_array_equal(np.split(folded, 3, axis=0)[2], output.array()[2])


def test_no_cell_of_a_reduced_kernel_belongs_to_two_gates(tmp_path, monkeypatch):
    """Of 3 x 70 columns 198 are drawn, 66 of each gate; 200 would mix two of them."""
    drawn = []

    def record(panels, **given):
        drawn.append((panels[0], given))
        return np.zeros((9, 9, 3), np.uint8)

    monkeypatch.setattr(weight_heatmaps, "weight_panels", record)
    model = keras.Sequential([keras.Input((5, 2)), layers.GRU(70, name="gru")])
    cell = model.layers[0].cell
    cell.kernel.assign(np.repeat([[1.0, -2, 3]], 70, axis=1) * [[1], [0.5]])
    view = kv.WeightHeatmaps(tmp_path, layers=["gru"])
    about = next(one.description for one in snapshot([view], model))
    panel, given = drawn[0]
    np.testing.assert_array_equal(panel.cells[0], np.repeat([1.0, -2, 3], 66))
    assert given["column_blocks"] == ("gate", ("z", "r", "h"))
    assert "gates: z update, r reset, h candidate   each cell the largest |weight| of a block" in given["caption"]
    assert panel.mark == (0, 132)
    assert "Thin lines separate each gate from the next. If the matrix is larger" in about


@pytest.fixture
def tiles(monkeypatch):
    """What the drawing routines of filters are given, newest last."""
    found = []

    def record(real, kernels, **given):
        found.append((np.array(kernels), given))
        return real(kernels, **given)

    for name in ("filter_tiles", "filter_matrix"):
        monkeypatch.setattr(filter_images, name, partial(record, getattr(filter_images, name)))
    return found


@pytest.mark.parametrize(
    ("layer", "channels", "said"),
    [
        (layers.Conv1D(3, 5, name="layer"), "each", "tiles: kernel positions across, input channels down"),
        (layers.Conv1DTranspose(3, 5, name="layer"), "each", "tiles: kernel positions across, input channels down"),
        (layers.DepthwiseConv1D(5, name="layer"), "each", "tiles: kernel positions across"),
        (layers.Conv1D(3, 5, name="layer"), "norm", "tiles: kernel positions across"),
    ],
)
def test_what_runs_along_the_tiles_of_one_dimensional_kernels_is_said(layer, channels, said, tmp_path, tiles):
    model = keras.Sequential([keras.Input((20, 2)), layer])
    about = snapshot([kv.FilterImages(tmp_path, channels=channels)], model)[0].description
    shown, given = tiles[-1]
    assert given["caption"].partition("\n")[2] == said
    assert f"One tile per filter: {said.removeprefix('tiles: ')}." in about
    kernel = np.asarray(layer.kernel)  # `(positions, inputs, filters)`
    if channels == "norm":
        np.testing.assert_allclose(shown, np.linalg.norm(kernel, axis=1).T[:, None], rtol=1e-5)
        assert (given["colours"], "norm over inputs" in given["caption"]) == ("viridis", True)
    elif isinstance(layer, (layers.Conv1DTranspose, layers.DepthwiseConv1D)):
        np.testing.assert_array_equal(shown, kernel.transpose(1, 2, 0))
    else:
        np.testing.assert_array_equal(shown, kernel.transpose(2, 1, 0))


def test_filters_of_a_convolutional_lstm_have_the_letter_of_their_gate(tmp_path, tiles):
    """The kernels of which Keras splits the last axis into four: the largest are the 2nd of i and the 1st of o."""
    model = keras.Sequential([keras.Input((4, 6, 6, 2)), layer := layers.ConvLSTM2D(5, 3, name="layer")])
    kernel = np.ones((3, 3, 2, 4, 5), np.float32)
    kernel[:, :, :, 0, 1], kernel[:, :, :, 3, 0], kernel[:, :, :, 2, :] = 3, 2, 1.5
    layer.cell.kernel.assign(kernel.reshape(3, 3, 2, 20))
    about = snapshot([kv.FilterImages(tmp_path)], model)[0].description
    given = tiles[-1][1]
    assert given["column_numbers"] == ["i0", "i1", "c0", "c1", "c2", "c3", "c4", "o0"]
    assert "\ngates: i input, f forget, c cell, o output   8 of 20 filters" in given["caption"]
    assert "The letter before a filter's number is its gate: i input, f forget, c cell, o output." in about


def test_in_which_order_the_rows_of_a_kernel_stand_is_described(tmp_path):
    model = keras.Sequential([keras.Input((20, 2)), layers.Conv1D(3, 5, name="layer"), layers.Dense(4, name="top")])
    texts = [one.description for one in snapshot([kv.WeightHeatmaps(tmp_path)], model)]
    assert " Rows run over the kernel's axes 0, 1, the last one fastest. " in texts[0]
    assert "fastest" not in texts[1]
