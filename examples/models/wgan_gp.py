"""WGAN-GP: a critic trained several times a step, with a gradient penalty; pictures in -1..1."""

import keras
import tensorflow as tf
from keras import layers, ops
from small_data import clothes

import kerasviz_callbacks as kv


class WGAN(keras.Model):
    def __init__(self, critic, generator, latent_dim, critic_steps=2, penalty=10.0):
        super().__init__()
        self.critic, self.generator, self.latent_dim = critic, generator, latent_dim
        self.critic_steps, self.penalty = critic_steps, penalty

    def compile(self, critic_optimizer, generator_optimizer):
        super().compile()
        self.critic_optimizer, self.generator_optimizer = critic_optimizer, generator_optimizer

    def gradient_penalty(self, real, fake):
        mixed = real + tf.random.uniform((tf.shape(real)[0], 1, 1, 1)) * (fake - real)
        with tf.GradientTape() as tape:
            tape.watch(mixed)
            score = self.critic(mixed, training=True)
        norm = ops.sqrt(ops.sum(tape.gradient(score, mixed) ** 2, axis=(1, 2, 3)) + 1e-12)
        return ops.mean((norm - 1) ** 2)

    def train_step(self, real):
        size = tf.shape(real)[0]
        for _ in range(self.critic_steps):
            fake = self.generator(tf.random.normal((size, self.latent_dim)), training=True)
            with tf.GradientTape() as tape:
                gap = ops.mean(self.critic(fake, training=True)) - ops.mean(self.critic(real, training=True))
                loss = gap + self.penalty * self.gradient_penalty(real, fake)
            weights = self.critic.trainable_variables
            self.critic_optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        with tf.GradientTape() as tape:
            fake = self.generator(tf.random.normal((size, self.latent_dim)), training=True)
            generator_loss = -ops.mean(self.critic(fake, training=True))
        weights = self.generator.trainable_variables
        self.generator_optimizer.apply_gradients(zip(tape.gradient(generator_loss, weights), weights, strict=True))
        return {"critic_gap": gap, "generator_loss": generator_loss}


def train(visualizer=kv.Visualizer):
    (x, y), _, _ = clothes(4000)
    x = 2 * x[y == 0] - 1  # T-shirts
    critic = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 5, strides=2, padding="same", activation="leaky_relu"),
            layers.Conv2D(32, 5, strides=2, padding="same", activation="leaky_relu"),
            layers.Flatten(),
            layers.Dense(1),
        ],
        name="critic",
    )
    generator = keras.Sequential(
        [
            keras.Input((16,)),
            layers.Dense(7 * 7 * 32, activation="relu"),
            layers.Reshape((7, 7, 32)),
            layers.UpSampling2D(),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.UpSampling2D(),
            layers.Conv2D(1, 3, padding="same", activation="tanh"),
        ],
        name="generator",
    )
    model = WGAN(critic, generator, latent_dim=16)
    model.compile(*(keras.optimizers.Adam(1e-3, beta_1=0.5, beta_2=0.9) for _ in range(2)))
    return model, model.fit(x, epochs=15, batch_size=32, callbacks=[visualizer("logs/wgan_gp", x)])


if __name__ == "__main__":
    train()
