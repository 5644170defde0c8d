"""Siamese network: one tower for two pictures, does one show the same kind of clothes as the other?"""

import keras
import numpy as np
from keras import layers, ops
from small_data import clothes

import kerasviz_callbacks as kv


def pairs(x, y, seed):
    """Put a picture of the same class beside every other picture, any picture beside the rest."""
    rng = np.random.default_rng(seed)
    partner = rng.permutation(len(x))
    for i in range(0, len(x), 2):
        partner[i] = rng.choice(np.flatnonzero(y == y[i]))
    return [x, x[partner]], (y == y[partner]).astype("float32")


def train(visualizer=kv.Visualizer):
    training, test, _ = clothes()
    (x, y), (x_test, y_test) = pairs(*training, 0), pairs(*test, 1)
    tower = keras.Sequential(
        [
            layers.Conv2D(16, 3, strides=2, activation="relu"),
            layers.Conv2D(32, 3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(32),
        ],
        name="tower",
    )
    left, right = keras.Input((28, 28, 1), name="left"), keras.Input((28, 28, 1), name="right")
    gap = layers.Lambda(lambda both: ops.abs(both[0] - both[1]), name="gap")([tower(left), tower(right)])
    model = keras.Model([left, right], layers.Dense(1, activation="sigmoid")(gap))
    model.compile(keras.optimizers.Adam(2e-3), "binary_crossentropy", metrics=["accuracy"])
    watched = visualizer("logs/siamese", (x_test, y_test), training_data=(x, y), class_names=["different", "same"])
    return model, model.fit(x, y, validation_data=(x_test, y_test), epochs=5, callbacks=[watched])


if __name__ == "__main__":
    train()
