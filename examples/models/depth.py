"""Depth of each pixel: one channel of values, a loss of values and of edges."""

import keras
from keras import layers, ops
from small_data import scenes

import kerasviz_callbacks as kv


def depth_loss(true, predicted):
    edges = [abs((true[:, 1:] - true[:, :-1]) - (predicted[:, 1:] - predicted[:, :-1]))]
    edges += [abs((true[:, :, 1:] - true[:, :, :-1]) - (predicted[:, :, 1:] - predicted[:, :, :-1]))]
    return ops.mean(abs(true - predicted)) + sum(map(ops.mean, edges))


def train(visualizer=kv.Visualizer):
    training, test = scenes(400), scenes(64, seed=1)
    x, y, x_test, y_test = (data[key] for data in (training, test) for key in ("images", "depth"))
    inputs = keras.Input((32, 32, 3))
    first = layers.Conv2D(16, 3, padding="same", activation="relu")(inputs)
    deep = layers.Conv2D(32, 3, strides=2, padding="same", activation="relu")(first)
    deep = layers.Conv2D(64, 3, strides=2, padding="same", activation="relu")(deep)
    deep = layers.Conv2DTranspose(32, 4, strides=4, padding="same", activation="relu")(deep)
    joined = layers.Conv2D(16, 3, padding="same", activation="relu")(layers.concatenate([first, deep]))
    model = keras.Model(inputs, layers.Conv2D(1, 3, padding="same")(joined))
    model.compile(keras.optimizers.Adam(3e-3), depth_loss, metrics=["mae"])
    watched = visualizer("logs/depth", (x_test, y_test), training_data=(x, y))
    given = {"validation_data": (x_test, y_test), "epochs": 6, "batch_size": 16, "callbacks": [watched]}
    return model, model.fit(x, y, **given)


if __name__ == "__main__":
    train()
