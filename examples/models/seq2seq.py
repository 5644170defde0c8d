"""Translation: an LSTM encoder and decoder write the digits of a number in words; two inputs of token ids."""

import keras
import numpy as np
from keras import layers

import kerasviz_callbacks as kv

WORDS = ["", "<", "nil", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]  # padding, start


def pairs(n, seed):
    """Return [digits `(n, 4)`, words so far `(n, 4)`] and words `(n, 4)`: the digits in reversed order."""
    digits = np.random.default_rng(seed).integers(0, 10, (n, 4)).astype("int32")
    words = digits[:, ::-1] + 2
    started = np.concatenate([np.ones((n, 1), "int32"), words[:, :-1]], axis=1)
    return [digits, started], words


def train(visualizer=kv.Visualizer):
    (x, y), (x_test, y_test) = pairs(2000, 0), pairs(200, 1)
    digits, started = keras.Input((4,), dtype="int32", name="digits"), keras.Input((4,), dtype="int32", name="started")
    _, *state = layers.LSTM(64, return_state=True, name="encoder")(layers.Embedding(10, 16, name="digit")(digits))
    embedded = layers.Embedding(len(WORDS), 16, name="word")(started)
    written = layers.LSTM(64, return_sequences=True, name="decoder")(embedded, initial_state=state)
    model = keras.Model([digits, started], layers.Dense(len(WORDS), activation="softmax", name="next")(written))
    model.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy", metrics=["accuracy"])
    watched = visualizer("logs/seq2seq", (x_test, y_test), training_data=(x, y), class_names=WORDS)
    return model, model.fit(x, y, validation_data=(x_test, y_test), epochs=5, callbacks=[watched])


if __name__ == "__main__":
    train()
