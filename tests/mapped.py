"""What the tests of maps through real models share."""

import keras
import numpy as np
from keras import layers, ops


def close(found, expected, tolerance=1e-6):
    """Equal within `tolerance` of the largest magnitude, and not all zeros."""
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    reach = np.abs(expected).max()
    assert reach > 0
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * reach)


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def dense(units, name, activation=None):
    return layers.Dense(units, activation, bias_initializer="random_normal", name=name)


class Sampling(layers.Layer):
    """Adds noise at inference too, of its own generator and of Keras' global one."""

    def __init__(self, **options):
        super().__init__(**options)
        self.own = keras.random.SeedGenerator(5)

    def call(self, x):
        return x + 0.1 * keras.random.normal(ops.shape(x), seed=self.own) + 0.1 * keras.random.normal(ops.shape(x))
