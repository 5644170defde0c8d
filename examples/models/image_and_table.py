"""Several inputs: a picture and a row of a table, as a dict; the class depends on both."""

import keras
import numpy as np
from keras import layers
from small_data import clothes

import kerasviz_callbacks as kv


def with_row(x, y, seed):
    """Return both inputs, and classes: is it a shoe that is sold at more than 0.5, a cheaper one, other clothes?"""
    row = np.random.default_rng(seed).random((len(x), 3)).astype("float32")
    shoe = np.isin(y, (5, 7, 9))
    return {"picture": x, "row": row}, np.where(shoe, np.where(row[:, 0] > 0.5, 2, 1), 0)


def train(visualizer=kv.Visualizer):
    training, test, _ = clothes()
    (x, y), (x_test, y_test) = with_row(*training, 0), with_row(*test, 1)
    picture, row = keras.Input((28, 28, 1), name="picture"), keras.Input((3,), name="row")
    seen = layers.Conv2D(8, 3, strides=2, activation="relu")(picture)
    seen = layers.GlobalAveragePooling2D()(layers.Conv2D(16, 3, strides=2, activation="relu")(seen))
    both = layers.concatenate([seen, layers.Dense(16, activation="relu")(row)])
    both = layers.Dense(32, activation="relu")(both)
    outputs = layers.Dense(3, activation="softmax")(both)
    model = keras.Model({"picture": picture, "row": row}, outputs)
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    names = ["clothes", "cheap shoe", "dear shoe"]
    watched = visualizer("logs/image_and_table", (x_test, y_test), training_data=(x, y), class_names=names)
    return model, model.fit(x, y, validation_data=(x_test, y_test), epochs=6, callbacks=[watched])


if __name__ == "__main__":
    train()
