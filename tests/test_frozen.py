"""Whether features are frozen, held against what a training step does to them."""

import keras
import numpy as np
import pytest
from harness import quick
from keras import layers, ops

from kerasviz_callbacks.taps.frozen import is_frozen
from kerasviz_callbacks.taps.reader import Capture, Reader

X = np.random.default_rng(0).random((12, 8, 8, 1)).astype(np.float32)
Y = np.arange(12) % 3


def classifier(*before, after=(), frozen=True):
    """A nested backbone, frozen or not, and a head; the features are those of `mean`."""
    backbone = keras.Sequential(
        [keras.Input((8, 8, 1)), *before, layers.Conv2D(4, 3, name="conv"), layers.GlobalAveragePooling2D(name="mean")],
        name="backbone",
    )
    backbone.trainable = not frozen
    return keras.Sequential([keras.Input((8, 8, 1)), backbone, *after, layers.Dense(3, "softmax")])


def with_free_statistics():
    model = classifier(layers.BatchNormalization(center=False, scale=False))
    model.layers[0].layers[0].trainable = True
    return model


def with_a_shared_layer():
    """One dense layer before and after the features: training it for the answer moves the features."""
    inputs, shared = keras.Input((8, 8, 1)), layers.Dense(4, name="shared")
    mean = layers.GlobalAveragePooling2D(name="mean")(shared(layers.Conv2D(4, 3, trainable=False)(inputs)))
    return keras.Model(inputs, layers.Dense(3, "softmax")(shared(mean)))


class Own(keras.Model):
    """A model that scales its inputs by a weight of its own."""

    def __init__(self):
        super().__init__()
        self.mean, self.top = layers.GlobalAveragePooling2D(name="mean"), layers.Dense(3, "softmax")
        self.scale = self.add_weight(shape=(1,), initializer="ones", name="scale")

    def call(self, x):
        return self.top(self.mean(ops.concatenate([x, x * x], axis=-1) * self.scale))


def normalization():
    layer = layers.Normalization()
    layer.adapt(X)
    return layer


CASES = {
    "frozen backbone": (classifier, True),
    "trained backbone": (lambda: classifier(frozen=False), False),
    "frozen, then dropout and a hidden layer": (lambda: classifier(after=[layers.Dropout(0.5), layers.Dense(5)]), True),
    "frozen batch normalization": (lambda: classifier(layers.BatchNormalization()), True),
    "statistics that go on": (with_free_statistics, False),
    "adapted inputs": (lambda: classifier(normalization()), True),
    "a layer before and after": (with_a_shared_layer, False),
    "a weight of the model itself": (Own, False),
}


@pytest.mark.parametrize("case", quick(CASES, "frozen backbone", "trained backbone", "statistics that go on"))
def test_features_are_frozen_where_a_training_step_leaves_them_as_they_are(case):
    make, expected = CASES[case]
    keras.utils.set_random_seed(1)
    model = make()
    model.compile(keras.optimizers.SGD(1.0), "sparse_categorical_crossentropy")
    reader = Reader(model, X)
    (path,) = [call.path for call in reader.calls if call.ref.name == "mean"]
    assert is_frozen(reader, path) == expected
    before = reader.read([Capture(path)], X)[Capture(path)].output
    model.train_on_batch(X, Y)
    after = reader.read([Capture(path)], X)[Capture(path)].output
    assert np.array_equal(before, after) == expected


def test_a_layer_that_is_not_called_is_not_frozen():
    assert not is_frozen(Reader(classifier(), X), "elsewhere")
