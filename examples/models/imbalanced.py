"""Classifier of unbalanced classes: one picture in 20 is rare, `class_weight`."""

import keras
import numpy as np
from keras import layers
from small_data import clothes

import kerasviz_callbacks as kv


def unbalanced(x, y):
    """Return shirts (1) among T-shirts (0), one in 20."""
    common, rare = x[y == 0], x[y == 6]
    rare = rare[: len(common) // 19]
    return np.concatenate([common, rare]), np.repeat([0, 1], [len(common), len(rare)])


def train(visualizer=kv.Visualizer):
    training, test, _ = clothes(4000, 1000)
    (x, y), (x_test, y_test) = unbalanced(*training), unbalanced(*test)
    model = keras.Sequential(
        [
            layers.Conv2D(8, 3, strides=2, activation="relu"),
            layers.Conv2D(16, 3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", weighted_metrics=["accuracy"])
    watched = visualizer("logs/imbalanced", (x_test, y_test), training_data=(x, y), class_names=["T-shirt", "shirt"])
    given = {"class_weight": {0: 1.0, 1: 19.0}, "callbacks": [watched]}
    return model, model.fit(x, y, validation_data=(x_test, y_test), epochs=6, batch_size=16, **given)


if __name__ == "__main__":
    train()
