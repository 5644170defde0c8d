"""Passes of changed inputs and changed layers, and gradients by the inputs, each against the model run by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from kerasviz_callbacks.taps import reader as reading
from kerasviz_callbacks.taps.extra_passes import ablated_scores, input_gradients, masked_scores, resolve_classes, scores
from kerasviz_callbacks.taps.reader import Reader
from kerasviz_callbacks.taps.scores import PREDICTED, Score

SHAPE, CLASSES, ROWS = (5, 7, 2), 3, 6
X = np.random.default_rng(0).normal(size=(ROWS, *SHAPE)).astype(np.float32)
TARGETS = np.array([2, 0, 1, 1, 0, 2], np.int32)
PREDICT = np.full(ROWS, PREDICTED, np.int32)
LOGIT = Score()


class Counting(layers.Layer):
    """Notes how many times Python runs through it: once for each compilation."""

    def __init__(self, **options):
        super().__init__(**options)
        self.runs = []

    def call(self, x):
        self.runs.append(None)
        return x


class Network:
    """conv, called twice - dense; `by_hand` is the same before its softmax, layer by layer."""

    def __init__(self, batch=None):
        keras.utils.set_random_seed(3)
        self.counting = Counting()
        self.conv = layers.Conv2D(2, 3, activation="tanh", padding="same", name="conv")
        self.top = layers.Dense(CLASSES, bias_initializer="random_normal", name="top")
        inputs = keras.Input(SHAPE, batch_size=batch)
        x = self.conv(self.conv(self.counting(inputs)))
        self.model = keras.Model(inputs, layers.Softmax()(self.top(layers.Flatten()(x))))

    def by_hand(self, x, changed=lambda maps, call: maps):
        for call in range(2):
            x = changed(self.conv(x), call)
        return np.asarray(self.top(ops.reshape(x, (len(x), -1))), np.float64)

    def own(self, x, **given):
        return self.by_hand(x, **given)[np.arange(len(x)), TARGETS[: len(x)]]


@pytest.fixture(scope="module")
def network():
    return Network()


@pytest.fixture(scope="module")
def reader(network):
    return Reader(network.model, X)


def close(found, expected, tolerance=1e-6):
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def test_scores_are_the_logits_of_the_classes_given(network, reader):
    found = scores(reader, LOGIT, X, TARGETS)
    assert found.dtype == np.float64
    close(found, network.own(X))


def test_the_class_is_settled_where_none_is_given(network, reader):
    predicted = network.by_hand(X).argmax(-1)
    np.testing.assert_array_equal(resolve_classes(reader, X, PREDICT), predicted)
    mixed = np.where(np.arange(ROWS) % 2, PREDICT, TARGETS)
    np.testing.assert_array_equal(resolve_classes(reader, X, mixed), np.where(np.arange(ROWS) % 2, predicted, TARGETS))


def test_a_sigmoid_unit_is_settled_at_one_half():
    inputs = keras.Input((1,))
    model = keras.Model(inputs, layers.Dense(1, "sigmoid", kernel_initializer="ones")(inputs))
    x = np.array([[-2.0], [-0.1], [0.1], [3.0]], np.float32)
    np.testing.assert_array_equal(resolve_classes(Reader(model, x), x, np.full(4, PREDICTED, np.int32)), [0, 0, 1, 1])


def test_masks_multiply_the_first_input(network, reader):
    masks = np.random.default_rng(1).random(X.shape[:3]).astype(np.float32)
    close(masked_scores(reader, LOGIT, X, TARGETS, masks), network.own(X * masks[..., None]), 1e-5)


@pytest.mark.parametrize("call", [0, 1])
def test_a_channel_is_taken_away_of_one_call_of_a_layer_and_not_of_the_other(network, reader, call):
    place = reader.resolve("conv:1" if call else "conv")
    for channel in (None, 0, 1):
        kept = np.array([number != channel for number in range(2)], np.float32)
        expected = network.own(X, changed=lambda maps, at, kept=kept: maps * kept if at == call else maps)
        close(ablated_scores(reader, LOGIT, X, TARGETS, place, channel), expected, 1e-5)
    whole, without = (ablated_scores(reader, LOGIT, X, TARGETS, place, channel) for channel in (None, 1))
    assert np.abs(whole - without).max() > 0.01


def test_what_is_not_finite_is_taken_away_with_its_channel():
    """0 times NaN would be NaN."""
    inputs = keras.Input((4,))
    halves = layers.Reshape((2, 2), name="halves")(inputs)
    model = keras.Model(inputs, layers.Dense(1, kernel_initializer="ones")(layers.Flatten()(halves)))
    x = np.array([[np.nan, 1.0, np.inf, 2.0]], np.float32)
    reader = Reader(model, x)
    place, classes = reader.resolve("halves"), np.zeros(1, np.int32)
    assert ablated_scores(reader, LOGIT, x, classes, place, 0).tolist() == [3.0]
    assert np.isnan(ablated_scores(reader, LOGIT, x, classes, place, 1)).all()


def test_a_layer_whose_number_of_channels_is_not_known_beforehand_is_ablated_too():
    class Doubled(layers.Layer):
        """As many channels as half a number that only the run knows."""

        def call(self, x):
            return tf.reshape(x, (tf.shape(x)[0], 3, tf.size(x) // tf.shape(x)[0] // 3))

        def compute_output_shape(self, shape):
            return (shape[0], 3, None)

    inputs = keras.Input((6,))
    model = keras.Model(inputs, ops.sum(Doubled(name="maps")(inputs), axis=-1))
    x = np.arange(6, dtype=np.float32)[None]
    reader = Reader(model, x)
    place = reader.resolve("maps")
    assert place.shape == (3, None)
    found = [ablated_scores(reader, LOGIT, x, np.array([2]), place, channel)[0] for channel in (None, 0, 1)]
    assert found == [9.0, 5.0, 4.0]


def test_gradients_by_the_input_are_those_of_a_tape(network, reader):
    x = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        maps = network.conv(network.conv(x))
        total = tf.reduce_sum(tf.gather(network.top(tf.reshape(maps, (ROWS, -1))), TARGETS, axis=1, batch_dims=1))
    found = input_gradients(reader, LOGIT, X, TARGETS)
    assert list(found) == [0]
    close(found[0], np.asarray(tape.gradient(total, x)), 1e-5)


def two_inputs(joined):
    numbers, ids = keras.Input((2,), name="numbers"), keras.Input((2,), dtype="int32", name="ids")
    looked_up = layers.Flatten()(layers.Embedding(5, 1, name="look_up")(ids))
    return keras.Model([ids, numbers], layers.Dense(CLASSES, name="top")(joined(looked_up, numbers)))


def test_inputs_that_are_looked_up_have_no_gradient_and_those_beside_them_keep_their_number():
    model = two_inputs(lambda looked_up, numbers: looked_up * numbers)
    fed = [np.array([[1, 2], [3, 4]]), np.ones((2, 2), np.float32)]
    found = input_gradients(Reader(model, fed), LOGIT, fed, TARGETS[:2])
    assert list(found) == [1]
    looked_up = model.get_layer("look_up").embeddings.numpy()[fed[0], 0]
    close(found[1], looked_up * model.get_layer("top").kernel.numpy()[:, TARGETS[:2]].T)


@pytest.mark.parametrize("guided", [False, True])
def test_without_any_gradient_the_error_says_why(guided):
    model = two_inputs(lambda looked_up, numbers: ops.relu(looked_up))
    fed = [np.array([[1, 2], [3, 4]]), np.ones((2, 2), np.float32)]
    with pytest.raises(ValueError, match="no gradient by any input: the model takes them as whole numbers or text, or"):
        input_gradients(Reader(model, fed), LOGIT, fed, TARGETS[:2], guided=guided)


def every_pass(reader, x):
    """All kinds of further passes on some rows."""
    classes, masks = TARGETS[: len(x)], np.random.default_rng(1).random(x.shape[:3]).astype(np.float32)
    return [
        resolve_classes(reader, x, PREDICT[: len(x)]),
        scores(reader, LOGIT, x, classes),
        masked_scores(reader, LOGIT, x, classes, masks),
        ablated_scores(reader, LOGIT, x, classes, reader.resolve("conv"), 1),
        input_gradients(reader, LOGIT, x, classes)[0],
    ]


def test_each_pass_is_compiled_once_whatever_is_asked_of_it(network):
    reader = Reader(network.model, X)
    every_pass(reader, X)
    before = len(network.counting.runs)
    for rows in (6, 1, 4):
        every_pass(reader, 2 * X[:rows])
        ablated_scores(reader, LOGIT, X, TARGETS, reader.resolve("conv"), 0)
    assert len(network.counting.runs) == before


def test_batches_of_bounded_memory_give_what_one_batch_gives(network, reader, monkeypatch):
    whole = every_pass(reader, X)
    held = 4 * sum(call.size for call in reader.leaves())
    monkeypatch.setattr(reading, "MEMORY", 2 * held)
    small = Reader(network.model, X)
    sizes = []
    monkeypatch.setattr(small, "_batches", lambda rows: sizes.extend(found := Reader._batches(small, rows)) or found)
    for one, other in zip(every_pass(small, X), whole, strict=True):
        close(one, other, 1e-5)
    assert {stop - start for start, stop in sizes} == {2}


@pytest.mark.slow
def test_a_model_of_one_batch_size_is_asked_in_batches_of_that_size(network):
    fixed = Network(batch=4)
    fixed.model.set_weights(network.model.get_weights())
    for one, other in zip(every_pass(Reader(fixed.model, X), X), every_pass(Reader(network.model, X), X), strict=True):
        close(one, other, 1e-5)


def test_a_model_that_runs_eagerly_gives_the_same(network, reader):
    expected = every_pass(reader, X)
    network.model.compile(loss="mse", run_eagerly=True)
    try:
        found = every_pass(Reader(network.model, X), X)
    finally:
        network.model.compile(loss="mse")
    for one, other in zip(found, expected, strict=True):
        close(one, other, 1e-5)
