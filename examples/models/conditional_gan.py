"""Conditional GAN: the generator gets noise and a class, as one vector; batches of pictures and one-hot labels."""

import keras
import tensorflow as tf
from keras import layers, ops
from small_data import clothes

import kerasviz_callbacks as kv


class ConditionalGAN(keras.Model):
    def __init__(self, discriminator, generator, latent_dim):
        super().__init__()
        self.discriminator, self.generator, self.latent_dim = discriminator, generator, latent_dim
        self.seed_generator = keras.random.SeedGenerator(1337)
        self.d_loss, self.g_loss = keras.metrics.Mean(name="d_loss"), keras.metrics.Mean(name="g_loss")

    @property
    def metrics(self):
        return [self.d_loss, self.g_loss]

    def compile(self, d_optimizer, g_optimizer, loss_fn):
        super().compile()
        self.d_optimizer, self.g_optimizer, self.loss_fn = d_optimizer, g_optimizer, loss_fn

    def with_class(self, images, one_hot):
        planes = ops.broadcast_to(one_hot[:, None, None, :], (*ops.shape(images)[:3], one_hot.shape[-1]))
        return ops.concatenate([images, planes], -1)

    def train_step(self, data):
        real, one_hot = data
        noise = keras.random.normal((ops.shape(real)[0], self.latent_dim), seed=self.seed_generator)
        vector = ops.concatenate([noise, one_hot], axis=1)
        with tf.GradientTape(persistent=True) as tape:
            fake_images = self.generator(vector, training=True)
            right = self.discriminator(self.with_class(real, one_hot), training=True)
            fake = self.discriminator(self.with_class(fake_images, one_hot), training=True)
            d_loss = self.loss_fn(ops.ones_like(right), right) + self.loss_fn(ops.zeros_like(fake), fake)
            g_loss = self.loss_fn(ops.ones_like(fake), fake)
        for part, loss, optimizer, tracker in (
            (self.discriminator, d_loss, self.d_optimizer, self.d_loss),
            (self.generator, g_loss, self.g_optimizer, self.g_loss),
        ):
            weights = part.trainable_weights
            optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
            tracker.update_state(loss)
        return {"d_loss": self.d_loss.result(), "g_loss": self.g_loss.result()}


def train(visualizer=kv.Visualizer):
    (x, y), _, names = clothes(3000)
    x, one_hot = x[y < 3], keras.utils.to_categorical(y[y < 3], 3)
    discriminator = keras.Sequential(
        [
            keras.Input((28, 28, 4)),
            layers.Conv2D(32, 3, strides=2, padding="same", activation="leaky_relu"),
            layers.Conv2D(64, 3, strides=2, padding="same", activation="leaky_relu"),
            layers.Flatten(),
            layers.Dense(1),
        ],
        name="discriminator",
    )
    generator = keras.Sequential(
        [
            keras.Input((16 + 3,)),
            layers.Dense(7 * 7 * 32, activation="relu"),
            layers.BatchNormalization(momentum=0.8),
            layers.Reshape((7, 7, 32)),
            layers.Conv2DTranspose(32, 4, strides=2, padding="same", activation="relu"),
            layers.BatchNormalization(momentum=0.8),
            layers.Conv2DTranspose(1, 4, strides=2, padding="same", activation="sigmoid"),
        ],
        name="generator",
    )
    model = ConditionalGAN(discriminator, generator, latent_dim=16)
    optimizers = [keras.optimizers.Adam(5e-4, beta_1=0.5) for _ in range(2)]
    model.compile(*optimizers, keras.losses.BinaryCrossentropy(from_logits=True))
    watched = visualizer("logs/conditional_gan", (x, one_hot), class_names=names[:3])
    return model, model.fit(x, one_hot, epochs=12, batch_size=32, callbacks=[watched])


if __name__ == "__main__":
    train()
