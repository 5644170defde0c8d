"""GAN with its own `train_step` and no `call`: generator and discriminator, each with an optimizer."""

import keras
import tensorflow as tf
from keras import layers, ops
from small_data import clothes

import kerasviz_callbacks as kv


class GAN(keras.Model):
    def __init__(self, discriminator, generator, latent_dim):
        super().__init__()
        self.discriminator, self.generator, self.latent_dim = discriminator, generator, latent_dim
        self.seed_generator = keras.random.SeedGenerator(1337)
        self.trackers = [keras.metrics.Mean(name="d_loss"), keras.metrics.Mean(name="g_loss")]

    def compile(self, d_optimizer, g_optimizer, loss_fn):
        super().compile()
        self.d_optimizer, self.g_optimizer, self.loss_fn = d_optimizer, g_optimizer, loss_fn

    @property
    def metrics(self):
        return self.trackers

    def train_step(self, real_images):
        noise = keras.random.normal((ops.shape(real_images)[0], self.latent_dim), seed=self.seed_generator)
        with tf.GradientTape() as tape:
            real = self.discriminator(real_images, training=True)
            fake = self.discriminator(self.generator(noise, training=True), training=True)
            d_loss = self.loss_fn(0.9 * ops.ones_like(real), real) + self.loss_fn(ops.zeros_like(fake), fake)
        weights = self.discriminator.trainable_weights
        self.d_optimizer.apply_gradients(zip(tape.gradient(d_loss, weights), weights, strict=True))
        with tf.GradientTape() as tape:
            fake = self.discriminator(self.generator(noise, training=True), training=True)
            g_loss = self.loss_fn(ops.ones_like(fake), fake)
        weights = self.generator.trainable_weights
        self.g_optimizer.apply_gradients(zip(tape.gradient(g_loss, weights), weights, strict=True))
        for tracker, value in zip(self.trackers, (d_loss, g_loss), strict=True):
            tracker.update_state(value)
        return {tracker.name: tracker.result() for tracker in self.trackers}


def train(visualizer=kv.Visualizer):
    (x, y), (x_test, _), _ = clothes(4000)
    x, x_test = x[y == 7], x_test  # sneakers
    discriminator = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 4, strides=2, padding="same"),
            layers.LeakyReLU(0.2),
            layers.Conv2D(64, 4, strides=2, padding="same"),
            layers.LeakyReLU(0.2),
            layers.Flatten(),
            layers.Dropout(0.3, seed=5),
            layers.Dense(1),
        ],
        name="discriminator",
    )
    generator = keras.Sequential(
        [
            keras.Input((32,)),
            layers.Dense(7 * 7 * 32, activation="relu"),
            layers.BatchNormalization(momentum=0.8),
            layers.Reshape((7, 7, 32)),
            layers.Conv2DTranspose(32, 4, strides=2, padding="same", activation="relu"),
            layers.BatchNormalization(momentum=0.8),
            layers.Conv2DTranspose(1, 4, strides=2, padding="same", activation="sigmoid"),
        ],
        name="generator",
    )
    model = GAN(discriminator, generator, latent_dim=32)
    optimizers = [keras.optimizers.Adam(4e-4, beta_1=0.5) for _ in range(2)]
    model.compile(*optimizers, keras.losses.BinaryCrossentropy(from_logits=True))
    watched = visualizer("logs/gan", x)
    return model, model.fit(x, epochs=12, batch_size=32, callbacks=[watched])


if __name__ == "__main__":
    train()
