"""Diffusion model (DDIM): a U-Net removes noise, an average of its weights (EMA) generates; no `call`."""

import math

import keras
import tensorflow as tf
from keras import layers, ops
from small_data import clothes

import kerasviz_callbacks as kv

RATE = 0.95  # of the average of the weights


def sinusoidal(x):
    angles = 2 * math.pi * ops.exp(ops.linspace(math.log(1.0), math.log(100.0), 8)) * x
    return ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=3)


def network():
    images, variances = keras.Input((28, 28, 1)), keras.Input((1, 1, 1))
    embedding = layers.UpSampling2D(28)(layers.Lambda(sinusoidal, output_shape=(1, 1, 16))(variances))
    x = layers.concatenate([layers.Conv2D(16, 1)(images), embedding])
    skips = []
    for filters in (16, 32):
        x = layers.Conv2D(filters, 3, padding="same", activation="swish")(x)
        skips.append(x)
        x = layers.AveragePooling2D(2)(x)
    for _ in range(2):
        x = layers.Conv2D(64, 3, padding="same", activation="swish")(x)
    for filters in (32, 16):
        x = layers.concatenate([layers.UpSampling2D(interpolation="bilinear")(x), skips.pop()])
        x = layers.Conv2D(filters, 3, padding="same", activation="swish")(x)
    return keras.Model([images, variances], layers.Conv2D(1, 1, kernel_initializer="zeros")(x), name="unet")


class Diffusion(keras.Model):
    def __init__(self):
        super().__init__()
        self.normalizer, self.network, self.ema_network = layers.Normalization(axis=None), network(), network()
        self.ema_network.set_weights(self.network.get_weights())
        self.seed_generator = keras.random.SeedGenerator(1337)
        self.noise_loss = keras.metrics.Mean(name="noise_loss")

    @property
    def metrics(self):
        return [self.noise_loss]

    def rates(self, times):
        angles = math.acos(0.95) + times * (math.acos(0.02) - math.acos(0.95))
        return ops.sin(angles), ops.cos(angles)

    def denoise(self, noisy, noise_rates, signal_rates, training):
        unet = self.network if training else self.ema_network
        noises = unet([noisy, noise_rates**2], training=training)
        return noises, (noisy - noise_rates * noises) / signal_rates

    def loss_of(self, images, training):
        images = self.normalizer(images)
        noises = keras.random.normal(ops.shape(images), seed=self.seed_generator)
        times = keras.random.uniform((ops.shape(images)[0], 1, 1, 1), seed=self.seed_generator)
        noise_rates, signal_rates = self.rates(times)
        found, _ = self.denoise(signal_rates * images + noise_rates * noises, noise_rates, signal_rates, training)
        return ops.mean(abs(noises - found))

    def train_step(self, images):
        with tf.GradientTape() as tape:
            loss = self.loss_of(images, training=True)
        weights = self.network.trainable_weights
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        self.noise_loss.update_state(loss)
        for weight, average in zip(self.network.weights, self.ema_network.weights, strict=True):
            average.assign(RATE * average + (1 - RATE) * weight)
        return {"noise_loss": self.noise_loss.result()}

    def test_step(self, images):
        self.noise_loss.update_state(self.loss_of(images, training=False))
        return {"noise_loss": self.noise_loss.result()}

    def generate(self, count, steps=10, seed=1):
        """Return `count` pictures `(count, 28, 28, 1)` in 0..1 made of noise."""
        noisy = keras.random.normal((count, 28, 28, 1), seed=seed)
        for step in range(steps):
            rates = [self.rates(ops.full((count, 1, 1, 1), 1 - (step + later) / steps)) for later in (0, 1)]
            noises, images = self.denoise(noisy, *rates[0], training=False)
            noisy = rates[1][1] * images + rates[1][0] * noises
        spread = ops.sqrt(self.normalizer.variance)
        return ops.clip(self.normalizer.mean + images * spread, 0, 1)


def train(visualizer=kv.Visualizer):
    (x, y), (x_test, y_test), _ = clothes(4000)
    x, x_test = x[y == 9], x_test[y_test == 9]  # boots
    model = Diffusion()
    model.normalizer.adapt(x)
    model.compile(keras.optimizers.AdamW(2e-3))
    watched = visualizer("logs/diffusion", x_test, training_data=x)
    return model, model.fit(x, validation_data=(x_test,), epochs=12, batch_size=16, callbacks=[watched])


if __name__ == "__main__":
    train()
