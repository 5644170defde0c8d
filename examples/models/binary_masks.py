"""Segmentation of two kinds: shape or ground, one sigmoid channel, a Dice loss of one's own."""

import keras
from keras import layers, ops
from small_data import scenes

import kerasviz_callbacks as kv


def dice_loss(true, predicted):
    both = ops.sum(true * predicted, axis=(1, 2, 3))
    return 1 - (2 * both + 1) / (ops.sum(true, axis=(1, 2, 3)) + ops.sum(predicted, axis=(1, 2, 3)) + 1)


def train(visualizer=kv.Visualizer):
    training, test = scenes(400), scenes(64, seed=1)
    x, x_test = training["images"], test["images"]
    y, y_test = ((data["masks"] > 0).astype("float32")[..., None] for data in (training, test))
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.Conv2D(32, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2D(32, 3, dilation_rate=2, padding="same", activation="relu"),
            layers.UpSampling2D(),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.Conv2D(1, 1, activation="sigmoid"),
        ]
    )
    metrics = [keras.metrics.BinaryIoU(target_class_ids=[0, 1], threshold=0.5)]
    model.compile(keras.optimizers.Adam(3e-3), dice_loss, metrics=metrics)
    watched = visualizer("logs/binary_masks", (x_test, y_test), training_data=(x, y), class_names=["ground", "shape"])
    given = {"validation_data": (x_test, y_test), "epochs": 6, "batch_size": 16, "callbacks": [watched]}
    return model, model.fit(x, y, **given)


if __name__ == "__main__":
    train()
