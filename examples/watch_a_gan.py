"""Train a small GAN of clothes and see what its generator makes of the same noise at every step.

In `generated/generator` noise becomes clothes, and the bar of the diversity grows until it reaches the mark of the real
images. `--unstable` trains the generator ten times as fast, with Adam's default momentum: all tiles become alike (mode
collapse), then black, and the bar disappears.

python examples/watch_a_gan.py                   # under a minute on two cores
tensorboard --logdir logs                        # tab Timeline: every step
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf
from fashion import load
from keras import layers
from options import options

import kerasviz_callbacks as kv

CODES = 32


class GAN(keras.Model):
    """A generator and a critic with an optimizer each, trained in turn by `train_step`; there is no `call`."""

    def __init__(self):
        super().__init__(name="gan")
        self.generator = keras.Sequential(
            [
                keras.Input((CODES,)),
                layers.Dense(7 * 7 * 32, activation="relu", name="spread"),
                layers.Reshape((7, 7, 32), name="grid"),
                layers.Conv2DTranspose(32, 4, strides=2, padding="same", activation="relu", name="up1"),
                layers.Conv2DTranspose(1, 4, strides=2, padding="same", activation="sigmoid", name="up2"),
            ],
            name="generator",
        )
        self.critic = keras.Sequential(
            [
                keras.Input((28, 28, 1)),
                layers.Conv2D(24, 4, strides=2, padding="same", activation="leaky_relu", name="down1"),
                layers.Conv2D(48, 4, strides=2, padding="same", activation="leaky_relu", name="down2"),
                layers.Dropout(0.3, name="dropout"),
                layers.Flatten(name="flat"),
                layers.Dense(1, name="real"),
            ],
            name="critic",
        )
        self.seeds = keras.random.SeedGenerator(1)

    def compile(self, generator_optimizer, critic_optimizer):
        """Keep an optimizer for each part."""
        super().compile()
        self.generator_optimizer, self.critic_optimizer = generator_optimizer, critic_optimizer
        for optimizer, part in ((generator_optimizer, self.generator), (critic_optimizer, self.critic)):
            optimizer.build(part.trainable_variables)

    def losses_of(self, real, training):
        """Return the losses of both parts, and the scores of real pictures."""
        noise = keras.random.normal((tf.shape(real)[0], CODES), seed=self.seeds)
        made = self.generator(noise, training=training)
        of_real, of_made = self.critic(real, training=training), self.critic(made, training=training)
        critic = tf.reduce_mean(tf.nn.softplus(-of_real)) + tf.reduce_mean(tf.nn.softplus(of_made))
        return critic, tf.reduce_mean(tf.nn.softplus(-of_made))

    def train_step(self, real):
        """Train the critic, and the generator against it, on one batch."""
        with tf.GradientTape(persistent=True) as tape:
            of_critic, of_generator = self.losses_of(real, training=True)
        for optimizer, part, loss in (
            (self.critic_optimizer, self.critic, of_critic),
            (self.generator_optimizer, self.generator, of_generator),
        ):
            optimizer.apply(tape.gradient(loss, part.trainable_variables), part.trainable_variables)
        return {"loss": of_critic, "generator_loss": of_generator}

    def test_step(self, real):
        """Return the losses of one batch."""
        of_critic, of_generator = self.losses_of(real, training=False)
        return {"loss": of_critic, "generator_loss": of_generator}


def main():
    """Train the GAN with `GeneratedImages`, beside images of the test set."""
    parser = options(__doc__, epochs=12, log_dir="logs/gan")
    parser.add_argument("--unstable", action="store_true", help="train the generator too fast")
    given = parser.parse_args()

    keras.utils.set_random_seed(1)
    (x, _), (x_test, _), _ = load()
    model = GAN()
    generator_optimizer = keras.optimizers.Adam(1e-2) if given.unstable else keras.optimizers.Adam(1e-3, beta_1=0.5)
    model.compile(generator_optimizer, keras.optimizers.Adam(1e-3, beta_1=0.5))
    model.fit(
        x,
        validation_data=(x_test,),
        epochs=given.epochs,
        batch_size=64,
        callbacks=[
            keras.callbacks.TensorBoard(given.log_dir),
            kv.GeneratedImages(given.log_dir, x_test, save_dir=given.save_dir),
        ],
    )


if __name__ == "__main__":
    main()
