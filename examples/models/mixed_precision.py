"""Classifier in mixed precision: float16 layers, float32 softmax."""

import keras
from keras import layers
from small_data import clothes

import kerasviz_callbacks as kv


def train(visualizer=kv.Visualizer):
    keras.mixed_precision.set_global_policy("mixed_float16")
    (x, y), (x_test, y_test), names = clothes(1000, 300)
    inputs = keras.Input((28, 28, 1))
    features = layers.Conv2D(8, 3, strides=2, activation="relu")(inputs)
    features = layers.Conv2D(16, 3, strides=2, activation="relu")(features)
    outputs = layers.Dense(10, activation="softmax", dtype="float32")(layers.Flatten()(features))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    watched = visualizer("logs/mixed_precision", (x_test, y_test), training_data=(x, y), class_names=names)
    return model, model.fit(x, y, validation_data=(x_test, y_test), epochs=3, callbacks=[watched])


if __name__ == "__main__":
    train()
