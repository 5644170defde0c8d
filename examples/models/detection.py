"""Object detection: boxes and classes of two shapes, a dict of two outputs and losses."""

import keras
import numpy as np
from keras import layers
from small_data import SHAPES, scenes

import kerasviz_callbacks as kv


def train(visualizer=kv.Visualizer):
    training, test = scenes(800, 32), scenes(100, 32, seed=1)
    (x, y), (x_test, y_test) = (
        (data["images"], {"boxes": data["boxes"], "classes": np.eye(4, dtype="float32")[data["classes"]]})
        for data in (training, test)
    )
    inputs = keras.Input((32, 32, 3))
    features = inputs
    for filters in (16, 32, 64):
        features = layers.Conv2D(filters, 3, padding="same", activation="relu")(features)
        features = layers.MaxPooling2D()(features)
    features = layers.Dense(64, activation="relu")(layers.Flatten()(features))
    boxes = layers.Reshape((2, 4), name="boxes")(layers.Rescaling(32)(layers.Dense(8)(features)))
    classes = layers.Softmax(name="classes")(layers.Reshape((2, 4))(layers.Dense(8)(features)))
    model = keras.Model(inputs, {"boxes": boxes, "classes": classes})
    losses = {"boxes": keras.losses.Huber(), "classes": "categorical_crossentropy"}
    weights = {"boxes": 0.2, "classes": 2.0}
    model.compile(keras.optimizers.Adam(2e-3), losses, loss_weights=weights, metrics={"classes": ["accuracy"]})
    watched = visualizer("logs/detection", (x_test, y_test), training_data=(x, y), class_names=SHAPES)
    given = {"validation_data": (x_test, y_test), "epochs": 12, "batch_size": 16, "callbacks": [watched]}
    return model, model.fit(x, y, **given)


if __name__ == "__main__":
    train()
