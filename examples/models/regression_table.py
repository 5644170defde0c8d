"""Regression of a table: dense layers after `Normalization`, two of eight columns mean nothing."""

import keras
import numpy as np
from keras import layers

import kerasviz_callbacks as kv


def table(n, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(3, 2, (n, 8))
    y = np.sin(x[:, 0]) + 0.3 * x[:, 1] * x[:, 2] + x[:, 3:6].sum(1) + 0.1 * rng.standard_normal(n)
    return x.astype("float32"), y.astype("float32")


def train(visualizer=kv.Visualizer):
    (x, y), test = table(2000, 0), table(400, 1)
    normalize = layers.Normalization()
    normalize.adapt(x)
    model = keras.Sequential(
        [
            keras.Input((8,)),
            normalize,
            layers.Dense(32, activation="relu"),
            layers.Dense(32, activation="relu"),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3), "mse", metrics=["mae"])
    watched = visualizer("logs/regression_table", test, training_data=(x, y))
    return model, model.fit(x, y, validation_data=test, epochs=6, callbacks=[watched])


if __name__ == "__main__":
    train()
