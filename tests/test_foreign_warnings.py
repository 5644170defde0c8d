"""A model whose layers put out whole numbers and truth values gives no warning of TensorFlow's because of us."""

import logging

import keras
import numpy as np
import pytest
from absl import logging as absl_logging
from harness import first, fit, pictures
from tensorflow.python.platform import tf_logging

import kerasviz_callbacks as kv

DATA = pictures()


class Above(keras.layers.Layer):
    """Truth values `(n, h, w, c)`."""

    def call(self, x):
        return x > 0.5


class Rank(keras.layers.Layer):
    """Whole numbers `(n, h, w, 1)`."""

    def call(self, x):
        return keras.ops.expand_dims(keras.ops.argmax(x, axis=-1), -1)


class Join(keras.layers.Layer):
    """Numbers again."""

    def call(self, x, above, rank):
        return x * keras.ops.cast(above, x.dtype) + 0.1 * keras.ops.cast(rank, x.dtype)


def model(**compiled):
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(4, 3, activation="relu", name="conv1")(inputs)
    x = Join(name="join")(x, Above(name="above")(x), Rank(name="rank")(x))
    x = keras.layers.Conv2D(4, 3, activation="relu", name="conv2")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    made = keras.Model(inputs, keras.layers.Dense(3, activation="softmax", name="answer")(x))
    made.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", **compiled)
    return made


VIEWS = {
    "GradCAM": lambda where, data, **given: kv.GradCAM(where, data, **given),
    "Attribution": lambda where, data, **given: kv.Attribution(where, data, **given),
    "ActivationMaps": lambda where, data, **given: kv.ActivationMaps(where, data, layers=["rank", "conv2"], **given),
    "Visualizer": lambda where, data, **given: kv.Visualizer(where, data, **given),
}


@pytest.fixture
def logged(monkeypatch):
    """What TensorFlow and absl log as a warning, also where TensorFlow would leave it out after the fifth time."""
    found = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: found.append(record.getMessage())
    loggers = {tf_logging.get_logger(), absl_logging.get_absl_logger()}
    monkeypatch.setattr(tf_logging, "log_first_n", lambda level, text, n, *given: tf_logging.log(level, text, *given))
    for logger in loggers:
        logger.addHandler(handler)
    yield found
    for logger in loggers:
        logger.removeHandler(handler)


@pytest.mark.parametrize(
    ("view", "eagerly"),
    first([("GradCAM", False), ("GradCAM", True), *((view, False) for view in VIEWS if view != "GradCAM")]),
    ids=lambda one: str(one),
)
def test_layers_without_gradient_are_read_without_a_warning(view, eagerly, logged, tmp_path, recwarn):
    callback = VIEWS[view](tmp_path, (DATA.x_val, DATA.y_val), count=3, on_error="raise")
    fit(model(run_eagerly=eagerly), DATA.x, DATA.y, [callback], epochs=1)
    assert logged == []
    assert [str(one.message) for one in recwarn] == []
    assert list(tmp_path.rglob("*tfevents*"))


@pytest.mark.parametrize("wanted", ["above", "rank"])
def test_a_map_of_a_layer_without_gradient_is_refused_without_a_warning(wanted, logged, recwarn):
    with pytest.raises(ValueError, match=f'layer="{wanted}"'):
        kv.class_activation_map(model(), DATA.x_val, layer=wanted)
    assert logged == []
    assert [str(one.message) for one in recwarn] == []


def test_activations_of_all_layers_are_read_without_a_warning(logged, recwarn):
    found = kv.activations(model(), DATA.x_val)
    np.testing.assert_array_equal(found["above"], found["conv1"] > 0.5)
    assert logged == []
    assert [str(one.message) for one in recwarn] == []
