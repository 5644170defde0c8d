"""An observer changes nothing: weights, optimizer, history and random numbers after `fit`, bit for bit.

Each training is run once by itself, once more by itself (it must repeat, or nothing is shown), and once watched by all
our callbacks and Keras' own TensorBoard.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import pytest
import tensorflow as tf
from harness import autoencoder, classifier, pictures, quick, runs, same_weights

import kerasviz_callbacks as kv
from kerasviz_callbacks.draw.overfitting_charts import METRICS

DATA = pictures()
VALIDATION = (DATA.x_val, DATA.y_val)


def optimizer():
    """One with a state."""
    return keras.optimizers.SGD(0.05, momentum=0.9)


def dropping(noise=True, **compiled):
    """Dropout, batch normalisation and noise, whose variables and random states move with every training step."""
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.GaussianNoise(0.1)(inputs) if noise else inputs
    x = keras.layers.Conv2D(4, 3, activation="relu", name="conv1")(x)
    x = keras.layers.BatchNormalization(name="normal")(x) if noise else x
    x = keras.layers.Dropout(0.3, seed=4)(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax", name="answer")(x))
    model.compile(optimizer(), "sparse_categorical_crossentropy", metrics=["accuracy"], **compiled)
    return model


class Sampling(keras.layers.Layer):
    """Draws codes, at inference too, and counts how often it was called."""

    def __init__(self, own: bool, also_tensorflow: bool = False, **given):
        super().__init__(**given)
        self.also_tensorflow = also_tensorflow
        self.generator = keras.random.SeedGenerator(11) if own else None

    def build(self, shapes):
        self.calls = self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False, name="calls")

    def call(self, inputs):
        mean, log_variance = inputs
        self.calls.assign_add(1)
        self.add_loss(0.01 * keras.ops.mean(keras.ops.square(mean) + keras.ops.exp(log_variance) - log_variance))
        noise = keras.random.normal(keras.ops.shape(mean), seed=self.generator)
        if self.also_tensorflow:  # which numbers the operations that it runs eagerly
            noise += tf.random.normal(tf.shape(mean))
        return mean + keras.ops.exp(log_variance / 2) * noise


def vae(own, also_tensorflow=False, **compiled):
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(3, 3, strides=2, activation="relu", name="conv1")(inputs)
    x = keras.layers.Dropout(0.2)(keras.layers.Flatten()(x))
    mean, log_variance = (keras.layers.Dense(3, name=name)(x) for name in ("z_mean", "z_log_var"))
    x = keras.layers.Dense(64, name="decoder")(Sampling(own, also_tensorflow, name="z")([mean, log_variance]))
    model = keras.Model(inputs, keras.layers.Reshape((8, 8, 1))(x))
    model.compile(optimizer(), "mse", **compiled)
    return model


def half(build):
    def built():
        keras.mixed_precision.set_global_policy("mixed_float16")
        try:
            return build()
        finally:
            keras.mixed_precision.set_global_policy("float32")

    return built


class Subclassed(keras.Model):
    """Without an Input: it has no weights before it is called for the first time."""

    def __init__(self):
        super().__init__()
        self.conv1 = keras.layers.Conv2D(4, 3, activation="relu", name="conv1")
        self.drop, self.mean = keras.layers.Dropout(0.4), keras.layers.GlobalAveragePooling2D()
        self.answer = keras.layers.Dense(3, activation="softmax", name="answer")

    def call(self, x, training=None):
        return self.answer(self.drop(self.mean(self.conv1(x)), training=training))


def subclassed():
    model = Subclassed()
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def averaged():
    model = classifier()
    model.compile(keras.optimizers.SGD(0.1, use_ema=True), "sparse_categorical_crossentropy")
    return model


def arrays(target="y"):
    return lambda: ((DATA.x, getattr(DATA, target)), VALIDATION, (DATA.x, DATA.y))


def reshuffled(target="y"):
    """One and the same data set, which has another order at each reading, is trained on and looked at."""

    def made():
        y = DATA.y if target == "y" else DATA.x
        train = tf.data.Dataset.from_tensor_slices((DATA.x, y)).shuffle(36, reshuffle_each_iteration=True).batch(12)
        return (train,), train, train.map(lambda x, y: (x + tf.random.uniform(()), y))

    return made


@dataclass(frozen=True)
class Training:
    """A training: model, data (of fit, of validation, of training for the views), and the views that fit."""

    build: Callable[[], keras.Model]
    data: Callable[[], tuple]
    autoencodes: bool = False


TRAININGS = {
    "dropout, noise and batch normalisation": Training(dropping, arrays()),
    "a VAE with a seed generator of its own": Training(lambda: vae(True), arrays("x"), True),
    "a VAE with the global one": Training(lambda: vae(False), arrays("x"), True),
    "half precision": Training(half(dropping), arrays()),
    "eagerly, a VAE": Training(lambda: vae(False, True, run_eagerly=True), arrays("x"), True),
    "compiled with XLA": Training(lambda: dropping(noise=False, jit_compile=True), arrays()),
    "a data set that reshuffles": Training(dropping, reshuffled()),
    "a data set that reshuffles, an autoencoder": Training(autoencoder, reshuffled("x"), True),
    "a model that is built by the first batch": Training(subclassed, arrays()),
    "averaged weights": Training(averaged, arrays()),
}


def ours(training, where, validation, train):
    """All of our callbacks, alone and chosen by the visualizer."""
    options = {"training_data": train, "count": 5, "on_error": "raise"}
    fitting = [kv.LatentTrajectory] if training.autoencodes else [kv.GradCAM]
    views = [view(where, validation, **options) for view in (kv.ActivationMaps, *fitting)]
    slower = kv.Visualizer(where / "visualizer", validation, freq=2, **options)
    return [kv.FilterImages(where, on_error="raise"), *views, slower]


def random_streams() -> tuple[float, ...]:
    """The next number of every generator that anybody might use."""
    numpy_next, python_next = np.random.random(), random.random()  # noqa: NPY002 - the global one is what is tested
    return numpy_next, python_next, float(tf.random.uniform(())), float(keras.random.uniform(()))


def trained(training, watched_in=None):
    """Weights, optimizer, history and the next random numbers after a fit."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(12)
    tf.random.uniform(())
    data, validation, train = training.data()
    model = training.build()
    callbacks = []
    if watched_in is not None:
        board = keras.callbacks.TensorBoard(watched_in / "keras", update_freq=1, write_graph=False)
        callbacks = [board, *ours(training, watched_in / "ours", validation, train)]
    with_y = DATA.x_val if training.autoencodes else DATA.y_val
    options = {"epochs": 2, "verbose": 0, "callbacks": callbacks, "validation_data": (DATA.x_val, with_y)}
    batch = {"shuffle": False} if len(data) == 1 else {"batch_size": 12}
    history = model.fit(*data, **batch, **options)
    state = [np.asarray(keras.ops.convert_to_numpy(variable)) for variable in model.variables]
    optimizer = [np.asarray(keras.ops.convert_to_numpy(variable)) for variable in model.optimizer.variables]
    return state, optimizer, {key: np.array(values) for key, values in history.history.items()}, random_streams()


@pytest.mark.parametrize("name", quick(TRAININGS, "dropout, noise and batch normalisation"))
def test_the_training_is_the_same_with_all_our_callbacks(name, tmp_path):
    training = TRAININGS[name]
    alone, again, watched = trained(training), trained(training), trained(training, tmp_path)
    for other, what in ((again, "it does not repeat by itself"), (watched, "our callbacks changed it")):
        assert same_weights(alone[0], other[0]), f"weights: {what}"
        assert same_weights(alone[1], other[1]), f"optimizer: {what}"
        added = {f"{of}{name}" for of in ("", "val_") for name in METRICS} if other is watched else set()
        assert set(other[2]) - set(alone[2]) <= added, f"history: {what}"
        assert [key for key in other[2] if key in alone[2]] == list(alone[2]), f"history: {what}"
        assert all(alone[2][key].tobytes() == other[2][key].tobytes() for key in alone[2]), f"history: {what}"
        assert alone[3] == other[3], f"random numbers: {what}"
    found = runs(tmp_path / "ours")
    assert set(found) == {f"{at}views/{run}" for at in ("", "visualizer/") for run in ("model", "train", "validation")}
    for where, run in found.items():
        assert run.pictures, where
        assert all(list(steps) == [-1, 0, 1] for steps in run.pictures.values()), "and they did look at it"
