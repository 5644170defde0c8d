"""Yes or no: one logit, `BinaryCrossentropy(from_logits=True)`, data augmented by layers of the model."""

import keras
import numpy as np
from keras import layers
from small_data import clothes

import kerasviz_callbacks as kv


def train(visualizer=kv.Visualizer):
    (x, y), (x_test, y_test), _ = clothes(1000, 300)
    y, y_test = (np.isin(labels, (5, 7, 9)).astype("int32") for labels in (y, y_test))
    inputs = keras.Input((28, 28, 1))
    augmented = keras.Sequential([layers.RandomFlip("horizontal", seed=1), layers.RandomRotation(0.05, seed=2)])(inputs)
    features = layers.SeparableConv2D(16, 3, strides=2, activation="relu")(augmented)
    features = layers.SeparableConv2D(24, 3, strides=2, activation="relu")(features)
    model = keras.Model(inputs, layers.Dense(1)(layers.GlobalAveragePooling2D()(features)))
    metrics = [keras.metrics.BinaryAccuracy(threshold=0)]
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(5e-3), loss, metrics=metrics)
    watched = visualizer("logs/binary_logit", (x_test, y_test), training_data=(x, y), class_names=["other", "shoe"])
    return model, model.fit(x, y, validation_data=(x_test, y_test), epochs=4, callbacks=[watched])


if __name__ == "__main__":
    train()
