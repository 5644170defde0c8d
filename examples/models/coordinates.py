"""A picture as a function: a network of Fourier features gives the colour at each position."""

import keras
import numpy as np
from keras import layers
from small_data import scenes

import kerasviz_callbacks as kv


def train(visualizer=kv.Visualizer):
    picture = scenes(1, 64)["images"][0]
    positions = np.stack(np.meshgrid(*[np.linspace(-1, 1, 64)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    waves = positions @ np.random.default_rng(0).normal(0, 3, (2, 32))
    x = np.concatenate([np.sin(np.pi * waves), np.cos(np.pi * waves)], axis=1).astype("float32")
    y = picture.reshape(-1, 3)
    held_out = np.random.default_rng(1).permutation(len(x)) < len(x) // 8
    validation = x[held_out], y[held_out]
    model = keras.Sequential([keras.Input((64,))])
    for _ in range(3):
        model.add(layers.Dense(64, activation="relu"))
    model.add(layers.Dense(3, activation="sigmoid"))
    model.compile(keras.optimizers.Adam(3e-3), "mse")
    watched = visualizer("logs/coordinates", validation)
    return model, model.fit(
        x[~held_out], y[~held_out], epochs=8, batch_size=128, validation_data=validation, callbacks=[watched]
    )


if __name__ == "__main__":
    train()
