"""Segmentation: a U-Net gives each pixel of a scene a class, softmax."""

import keras
from keras import layers
from small_data import SHAPES, scenes

import kerasviz_callbacks as kv


def convolve(x, filters):
    x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    return layers.BatchNormalization(momentum=0.9)(x)


def train(visualizer=kv.Visualizer):
    training, test = scenes(400), scenes(64, seed=1)
    x, y, x_test, y_test = (data[key] for data in (training, test) for key in ("images", "masks"))
    inputs = keras.Input((32, 32, 3))
    skips, features = [], inputs
    for filters in (16, 32):
        skips.append(convolve(features, filters))
        features = layers.MaxPooling2D()(skips[-1])
    features = convolve(features, 64)
    for filters, skip in zip((32, 16), reversed(skips), strict=True):
        features = convolve(layers.concatenate([layers.UpSampling2D()(features), skip]), filters)
    model = keras.Model(inputs, layers.Conv2D(len(SHAPES), 1, activation="softmax")(features))
    model.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    watched = visualizer("logs/unet", (x_test, y_test), training_data=(x, y), class_names=SHAPES)
    given = {"validation_data": (x_test, y_test), "epochs": 6, "batch_size": 16, "callbacks": [watched]}
    return model, model.fit(x, y, **given)


if __name__ == "__main__":
    train()
