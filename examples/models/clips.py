"""Clips: a CNN in `TimeDistributed` and an LSTM tell in which direction a disc moves."""

import keras
from keras import layers
from small_data import clips

import kerasviz_callbacks as kv


def train(visualizer=kv.Visualizer):
    (x, y), (x_test, y_test) = clips(400, frames=4), clips(60, frames=4, seed=1)
    frame = keras.Sequential(
        [
            keras.Input((20, 20, 1)),
            layers.Conv2D(8, 3, strides=2, activation="relu"),
            layers.Conv2D(16, 3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(16, activation="relu"),
        ],
        name="frame",
    )
    model = keras.Sequential(
        [
            keras.Input((4, 20, 20, 1)),
            layers.TimeDistributed(frame),
            layers.LSTM(32),
            layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    names = ["right", "left", "down", "up"]
    watched = visualizer("logs/clips", (x_test, y_test), training_data=(x, y), class_names=names)
    given = {"validation_data": (x_test, y_test), "epochs": 4, "batch_size": 16, "callbacks": [watched]}
    return model, model.fit(x, y, **given)


if __name__ == "__main__":
    train()
