"""Variational autoencoder as one functional model: a layer that samples adds the KL loss."""

import keras
from keras import layers, ops
from small_data import clothes

import kerasviz_callbacks as kv


class Sampling(layers.Layer):
    def __init__(self, **options):
        super().__init__(**options)
        self.seed_generator = keras.random.SeedGenerator(1337)

    def call(self, inputs):
        mean, log_variance = inputs
        kl = -0.5 * ops.sum(1 + log_variance - mean**2 - ops.exp(log_variance), axis=1)
        self.add_loss(ops.mean(kl) / 784)
        noise = keras.random.normal(ops.shape(mean), seed=self.seed_generator)
        return mean + ops.exp(0.5 * log_variance) * noise


def train(visualizer=kv.Visualizer):
    (x, y), (x_test, y_test), names = clothes()
    images = keras.Input((28, 28, 1))
    hidden = layers.Dense(128, activation="relu")(layers.Flatten()(images))
    mean, log_variance = layers.Dense(8, name="z_mean")(hidden), layers.Dense(8, name="z_log_var")(hidden)
    z = Sampling(name="z")([mean, log_variance])
    hidden = layers.Dense(128, activation="relu")(z)
    pixels = layers.Dense(784, activation="sigmoid")(hidden)
    model = keras.Model(images, layers.Reshape((28, 28, 1))(pixels), name="vae")
    model.compile(keras.optimizers.Adam(2e-3), "binary_crossentropy")
    watched = visualizer("logs/vae_call", (x_test, y_test), training_data=(x, y), class_names=names)
    return model, model.fit(x, x, validation_data=(x_test, x_test), epochs=8, batch_size=64, callbacks=[watched])


if __name__ == "__main__":
    train()
