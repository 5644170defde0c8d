"""Convolutional autoencoder: a code of 16 numbers, mean squared error."""

import keras
from keras import layers
from small_data import clothes

import kerasviz_callbacks as kv


def train(visualizer=kv.Visualizer):
    (x, y), (x_test, y_test), names = clothes()
    encoder = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2D(32, 3, strides=2, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(16, name="code"),
        ],
        name="encoder",
    )
    decoder = keras.Sequential(
        [
            keras.Input((16,)),
            layers.Dense(7 * 7 * 32, activation="relu"),
            layers.Reshape((7, 7, 32)),
            layers.Conv2DTranspose(16, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2DTranspose(1, 3, strides=2, padding="same", activation="sigmoid"),
        ],
        name="decoder",
    )
    images = keras.Input((28, 28, 1))
    model = keras.Model(images, decoder(encoder(images)), name="autoencoder")
    model.compile(keras.optimizers.Adam(3e-3), "mse")
    watched = visualizer("logs/autoencoder", (x_test, y_test), training_data=(x, y), class_names=names)
    return model, model.fit(x, x, validation_data=(x_test, x_test), epochs=6, batch_size=64, callbacks=[watched])


if __name__ == "__main__":
    train()
