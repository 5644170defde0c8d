"""Classifier: transfer learning, a frozen backbone nested in a new model."""

import keras
from keras import layers
from small_data import clothes

import kerasviz_callbacks as kv


def pretrained(x, y):
    """Return the convolutions of a classifier of the first five classes."""
    backbone = keras.Sequential(name="backbone")
    for filters in (16, 24, 32):
        backbone.add(layers.Conv2D(filters, 3, padding="same", activation="relu"))
        backbone.add(layers.MaxPooling2D())
    model = keras.Sequential([backbone, layers.GlobalAveragePooling2D(), layers.Dense(5, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x[y < 5], y[y < 5], epochs=3, verbose=0)
    return backbone


def train(visualizer=kv.Visualizer):
    (x, y), (x_test, y_test), names = clothes(3000)
    backbone = pretrained(x, y)
    backbone.trainable = False
    x, y, x_test, y_test = x[y >= 5], y[y >= 5] - 5, x_test[y_test >= 5], y_test[y_test >= 5] - 5
    inputs = keras.Input((28, 28, 1))
    features = layers.GlobalAveragePooling2D()(backbone(inputs, training=False))
    model = keras.Model(inputs, layers.Dense(5, activation="softmax")(layers.Dropout(0.2)(features)))
    model.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy", metrics=["accuracy"])
    watched = visualizer("logs/transfer_learning", (x_test, y_test), training_data=(x, y), class_names=names[5:])
    return model, model.fit(x, y, validation_data=(x_test, y_test), epochs=4, callbacks=[watched])


if __name__ == "__main__":
    train()
