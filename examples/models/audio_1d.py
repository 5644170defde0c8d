"""Sounds: a one-dimensional CNN on waveforms; tone, rising tone or clicks."""

import keras
from keras import layers
from small_data import signals

import kerasviz_callbacks as kv


def train(visualizer=kv.Visualizer):
    (x, y), (x_test, y_test) = signals(600), signals(100, seed=1)
    model = keras.Sequential([keras.Input((512, 1))])
    for filters in (8, 16, 32):
        model.add(layers.Conv1D(filters, 9, strides=2, padding="same", use_bias=False))
        model.add(layers.BatchNormalization(momentum=0.8))
        model.add(layers.ReLU())
    model.add(layers.GlobalAveragePooling1D())
    model.add(layers.Dense(3, activation="softmax"))
    model.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    names = ["tone", "rising", "clicks"]
    watched = visualizer("logs/audio_1d", (x_test, y_test), training_data=(x, y), class_names=names)
    return model, model.fit(x, y, validation_data=(x_test, y_test), epochs=5, callbacks=[watched])


if __name__ == "__main__":
    train()
