"""Autoencoder of sequences: an LSTM reads two-variable series, another writes them again from its code."""

import keras
from keras import layers
from small_data import waves

import kerasviz_callbacks as kv


def train(visualizer=kv.Visualizer):
    x, x_test = waves(800)[:, ::2], waves(100, seed=1)[:, ::2]
    model = keras.Sequential(
        [
            keras.Input(x.shape[1:]),
            layers.LSTM(32),
            layers.Dense(8, name="code"),
            layers.RepeatVector(x.shape[1]),
            layers.LSTM(32, return_sequences=True),
            layers.TimeDistributed(layers.Dense(2)),
        ]
    )
    model.compile(keras.optimizers.Adam(1e-2), "mse")
    watched = visualizer("logs/lstm_autoencoder", x_test, training_data=x)
    return model, model.fit(x, x, validation_data=(x_test, x_test), epochs=8, callbacks=[watched])


if __name__ == "__main__":
    train()
