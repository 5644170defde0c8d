"""Keypoints: the two upper and two lower corners of a shape's box, `(n, 4, 2)` in pixels."""

import keras
from keras import layers
from small_data import scenes

import kerasviz_callbacks as kv


def corners(data):
    """Return the corners as `x, y`, clockwise from the upper left."""
    return data["boxes"][:, 0][:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)


def train(visualizer=kv.Visualizer):
    training, test = scenes(800, 32, objects=1), scenes(100, 32, objects=1, seed=1)
    x, y, x_test, y_test = training["images"], corners(training), test["images"], corners(test)
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Conv2D(16, 3, strides=2, activation="relu"),
            layers.Conv2D(32, 3, strides=2, activation="relu"),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(8),
            layers.Rescaling(32),
            layers.Reshape((4, 2)),
        ]
    )
    model.compile(keras.optimizers.Adam(2e-3), "mae")
    watched = visualizer("logs/keypoints", (x_test, y_test), training_data=(x, y))
    return model, model.fit(x, y, validation_data=(x_test, y_test), epochs=8, callbacks=[watched])


if __name__ == "__main__":
    train()
