"""Yes or no: is it worn on the foot? One sigmoid output."""

import keras
import numpy as np
from keras import layers
from small_data import clothes

import kerasviz_callbacks as kv


def train(visualizer=kv.Visualizer):
    (x, y), (x_test, y_test), _ = clothes(1000, 300)
    y, y_test = (np.isin(labels, (5, 7, 9)).astype("float32")[:, None] for labels in (y, y_test))
    model = keras.Sequential(
        [
            layers.Conv2D(8, 3, strides=2, activation="relu"),
            layers.Conv2D(16, 3, strides=2, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.RMSprop(3e-3), "binary_crossentropy", metrics=["accuracy"])
    watched = visualizer("logs/binary_sigmoid", (x_test, y_test), training_data=(x, y), class_names=["other", "shoe"])
    return model, model.fit(x, y, validation_data=(x_test, y_test), epochs=4, callbacks=[watched])


if __name__ == "__main__":
    train()
