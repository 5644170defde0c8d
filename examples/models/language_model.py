"""Language model: a GRU gives the next character of a text at each position."""

import keras
import numpy as np
from keras import layers
from small_data import reviews

import kerasviz_callbacks as kv

LETTERS = " abcdefghijklmnopqrstuvwxyz"


def windows(texts, length=32):
    """Return character numbers `(n, length)` and the same one character later."""
    ids = np.array([LETTERS.index(letter) for letter in " ".join(texts)], "int32")
    rows = ids[: len(ids) // (length + 1) * (length + 1)].reshape(-1, length + 1)
    return rows[:, :-1], rows[:, 1:]


def train(visualizer=kv.Visualizer):
    (x, y), test = windows(reviews(800)[0]), windows(reviews(150, seed=1)[0])
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            layers.Embedding(len(LETTERS), 16),
            layers.GRU(64, return_sequences=True),
            layers.Dense(len(LETTERS)),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-2), loss, metrics=["accuracy"])
    watched = visualizer("logs/language_model", test, training_data=(x, y), class_names=list(LETTERS))
    return model, model.fit(x, y, validation_data=test, epochs=4, callbacks=[watched])


if __name__ == "__main__":
    train()
