"""Forecast: an LSTM reads 48 steps of two variables and gives the next 24 of both."""

import keras
from keras import layers
from small_data import waves

import kerasviz_callbacks as kv


def train(visualizer=kv.Visualizer):
    series, series_test = waves(1000), waves(100, seed=1)
    x, y, x_test, y_test = (part for one in (series, series_test) for part in (one[:, :48], one[:, 48:]))
    model = keras.Sequential([keras.Input((48, 2)), layers.LSTM(48), layers.Dense(48), layers.Reshape((24, 2))])
    model.compile(keras.optimizers.Adam(5e-3, clipnorm=1.0), "mse")
    watched = visualizer("logs/forecasting", (x_test, y_test), training_data=(x, y))
    slower = keras.callbacks.ReduceLROnPlateau("val_loss", patience=2)
    return model, model.fit(x, y, validation_data=(x_test, y_test), epochs=8, callbacks=[slower, watched])


if __name__ == "__main__":
    train()
