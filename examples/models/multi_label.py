"""Several labels: which kinds of clothes lie in a picture of two, sigmoid outputs."""

import keras
import numpy as np
from keras import layers
from small_data import clothes

import kerasviz_callbacks as kv


def pairs(x, y, classes):
    """Put each picture beside the next one; labels are 0 or 1 for each class."""
    pictures = np.concatenate([x, np.roll(x, -1, axis=0)], axis=2)
    labels = np.eye(classes)[y] + np.eye(classes)[np.roll(y, -1)]
    return pictures, np.minimum(labels, 1).astype("float32")


def train(visualizer=kv.Visualizer):
    training, test, names = clothes()
    (x, y), (x_test, y_test) = pairs(*training, 10), pairs(*test, 10)
    model = keras.Sequential(
        [
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.GlobalMaxPooling2D(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy", metrics=[keras.metrics.AUC(multi_label=True)])
    watched = visualizer("logs/multi_label", (x_test, y_test), training_data=(x, y), class_names=names)
    return model, model.fit(x, y, validation_data=(x_test, y_test), epochs=4, callbacks=[watched])


if __name__ == "__main__":
    train()
