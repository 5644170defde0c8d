"""Volumes: a 3D CNN tells balls, hollow balls and cubes apart."""

import keras
from keras import layers
from small_data import volumes

import kerasviz_callbacks as kv


def train(visualizer=kv.Visualizer):
    (x, y), (x_test, y_test) = volumes(400), volumes(60, seed=1)
    model = keras.Sequential(
        [
            keras.Input((16, 16, 16, 1)),
            layers.Conv3D(8, 3, padding="same", activation="relu"),
            layers.MaxPooling3D(),
            layers.Conv3D(16, 3, padding="same", activation="relu"),
            layers.GlobalAveragePooling3D(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy", metrics=["accuracy"])
    names = ["ball", "hollow ball", "cube"]
    watched = visualizer("logs/volumes_3d", (x_test, y_test), training_data=(x, y), class_names=names)
    given = {"validation_data": (x_test, y_test), "epochs": 5, "batch_size": 16, "callbacks": [watched]}
    return model, model.fit(x, y, **given)


if __name__ == "__main__":
    train()
