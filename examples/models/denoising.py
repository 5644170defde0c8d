"""Denoising autoencoder: noisy pictures in, clean ones out, no code of few numbers."""

import keras
import numpy as np
from keras import layers
from small_data import clothes

import kerasviz_callbacks as kv


def train(visualizer=kv.Visualizer):
    (clean, _), (clean_test, _), _ = clothes()
    rng = np.random.default_rng(0)
    noisy, noisy_test = (np.clip(x + rng.normal(0, 0.3, x.shape), 0, 1).astype("float32") for x in (clean, clean_test))
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Conv2DTranspose(32, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy")
    watched = visualizer("logs/denoising", (noisy_test, clean_test), training_data=(noisy, clean))
    given = {"validation_data": (noisy_test, clean_test), "epochs": 3, "callbacks": [watched]}
    return model, model.fit(noisy, clean, **given)


if __name__ == "__main__":
    train()
