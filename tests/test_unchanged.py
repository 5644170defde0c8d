"""Whoever looks at a model leaves it, and every source of random numbers, as it was."""

# ruff: noqa: NPY002 - the global state is what is watched here

import random

import keras
import models
import numpy as np
import pytest
import tensorflow as tf
from harness import quick
from keras import layers, ops
from keras.src.random.seed_generator import global_seed_generator

import kerasviz_callbacks as kv
from kerasviz_callbacks.taps.layers import below


@pytest.fixture(autouse=True)
def _seeded():
    keras.utils.set_random_seed(1)


class Noisy(layers.Layer):
    """Adds noise at inference too, from each kind of generator, and counts its calls."""

    def __init__(self, **options):
        super().__init__(**options)
        self.own = keras.random.SeedGenerator(5)

        self.count = self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False, name="count")

    def call(self, x):
        self.count.assign_add(1)
        self.add_loss(ops.mean(x))
        shape = ops.shape(x)
        noise = keras.random.normal(shape, seed=self.own) + keras.random.normal(shape) + tf.random.normal(shape)
        return x + 0.1 * noise


class Restless(keras.Model):
    """Everything that a forward pass can change."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.pool, self.top = models.four()
        self.first.activity_regularizer = keras.regularizers.L2(0.1)
        self.normal, self.drop, self.noise = layers.BatchNormalization(), layers.Dropout(0.5), Noisy(name="noise")

    def call(self, x):
        x = self.noise(self.drop(self.normal(self.first(x))))
        return self.top(self.pool(self.second(x)))


def _broken(*outputs, **options):
    raise RuntimeError("broken")


def _fails_to_explain(model, x):
    with pytest.raises(ValueError, match=r"target=<callable>: raised RuntimeError \(broken\)"):
        kv.class_activation_map(model, x, target=_broken)


def _fails_to_run(model, x):
    own = vars(model.top)
    own["call"] = _broken  # as a layer may have a call of its own
    with pytest.raises(ValueError, match=r"inputs: model .* cannot be run on it: broken"):
        kv.activations(model, x)
    assert own.pop("call") is _broken


def _names_no_layer(model, x):
    with pytest.raises(ValueError, match="no such layer"):
        kv.activations(model, x, ["nothing"])


WAYS = {
    "activations": lambda model, x: kv.activations(model, x),
    "map": lambda model, x: kv.class_activation_map(model, x),
    "map of the output": lambda model, x: kv.class_activation_map(model, x, score="output", target=1),
    "a target that raises": _fails_to_explain,
    "a layer that raises": _fails_to_run,
    "a wrong name": _names_no_layer,
}


def _state(model):
    """All numbers that belong to the model or to Keras, and what the layers hold."""
    parts = [model, *below(model)]
    return {
        "variables": [variable.numpy().tolist() for variable in (*model.variables, global_seed_generator().state)],
        "losses": [id(loss) for loss in model.losses],
        "attributes": [sorted(vars(part)) for part in parts],
        "calls": [part.call.__func__ for part in parts],
    }


@pytest.fixture(params=quick(["compiled", "eagerly"], "compiled"))
def restless(request):
    model = Restless()
    model.compile(loss="mse", run_eagerly=request.param == "eagerly")
    model(models.pictures(), training=True)
    assert len(model.losses) == 2
    return model


@pytest.mark.parametrize("way", quick(WAYS, "map", "a layer that raises"))
def test_the_model_is_left_as_it_was(restless, way):
    before = _state(restless)
    WAYS[way](restless, models.pictures())
    assert _state(restless) == before


def _build(model):
    """On symbols, as `fit` does."""
    model(keras.Input((models.SIDE, models.SIDE, 3)))


def _numbers(model):
    return [variable.numpy().copy() for variable in model.variables]


def _drawn():
    return [
        random.random(),
        float(np.random.random()),
        float(tf.random.uniform(())),
        float(keras.random.uniform(())),
        int(layers.Dropout(0.5).seed_generator.state.numpy()[0]),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("eagerly", [False, True])
@pytest.mark.parametrize("first", [False, True])
def test_the_numbers_drawn_afterwards_are_those_drawn_without_looking(eagerly, first):
    def run(look):
        keras.utils.set_random_seed(11)
        model = Restless()
        model.compile(loss="mse", run_eagerly=eagerly)
        if first:  # else the looking comes before Keras' own generator was ever used
            keras.random.uniform(())
        _build(model)
        if look:
            for way in WAYS.values():
                way(model, models.pictures())
        return [_drawn(), model(models.pictures(), training=True).numpy().tolist(), _drawn()]

    assert run(look=True) == run(look=False)


def test_a_model_that_was_never_called_is_built_without_drawing_a_number():
    def run(look):
        keras.utils.set_random_seed(11)
        model = Restless()
        kv.activations(model, models.pictures()) if look else _build(model)
        assert model.losses == []
        first = [*_numbers(model), model(models.pictures(), training=True).numpy()]
        return [*first, *_numbers(model), _drawn()]

    for seen, plain in zip(run(look=True), run(look=False), strict=True):
        np.testing.assert_array_equal(seen, plain)


@pytest.mark.slow
def test_looking_twice_gives_the_same_even_where_the_model_draws_random_numbers():
    class Sampling(models.Subclassed):
        def __init__(self):
            super().__init__()
            self.noise = keras.random.SeedGenerator(3)

        def call(self, x):
            return super().call(x + keras.random.normal(ops.shape(x), seed=self.noise))

    model = Sampling()
    _build(model)
    once, again = (kv.activations(model, models.pictures()) for _ in range(2))
    expected = tf.function(model)(models.pictures(), training=False)
    for path, numbers in once.items():
        np.testing.assert_array_equal(numbers, again[path])
    np.testing.assert_array_equal(once["head"], expected.numpy())


@pytest.mark.slow
def test_training_after_looking_is_training():
    def run(look):
        keras.utils.set_random_seed(11)
        model = Restless()
        model.compile("sgd", "sparse_categorical_crossentropy")
        x, y = models.pictures(), np.arange(models.ROWS) % models.CLASSES
        history = model.fit(x, y, epochs=1, verbose=0).history["loss"]
        if look:
            kv.activations(model, x)
            kv.class_activation_map(model, x)
        history += model.fit(x, y, epochs=2, verbose=0).history["loss"]
        return [history, *_numbers(model)]

    for seen, plain in zip(run(look=True), run(look=False), strict=True):
        np.testing.assert_array_equal(seen, plain)
