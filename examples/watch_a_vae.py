"""Watch the posterior collapse of a variational autoencoder: after half of the epochs, the KL weight rises to 100.

In `latent/profiles` all bands close and the panels turn grey. In `latent/trajectory` the dots contract to one point
while the axes stay. In `reconstructions/pictures` all reconstructions become the same grey blur, and
`latent/active_units` drops to 0. `--weight-after 1` runs the same training without the change.

python examples/watch_a_vae.py                   # about a minute on two cores
tensorboard --logdir logs                        # tab Timeline: every step
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from fashion import load
from keras import layers, ops
from options import options

import kerasviz_callbacks as kv

PIXELS = 28 * 28


class Sampling(layers.Layer):
    """Draw z from the posterior, and add the KL divergence from the prior to the loss."""

    def __init__(self, weight=1.0, **options):
        super().__init__(**options)
        self.seed_generator = keras.random.SeedGenerator(1)
        self.weight = self.add_weight(name="weight", initializer=keras.initializers.Constant(weight), trainable=False)

    def call(self, inputs):
        """Return samples `(n, d)` for means and log-variances of that shape."""
        mean, log_variance = inputs
        divergence = ops.sum(ops.square(mean) + ops.exp(log_variance) - log_variance - 1, axis=-1) / 2
        # Divided by the number of pixels, since the reconstruction loss is a mean over pixels.
        self.add_loss(self.weight * ops.mean(divergence) / PIXELS)
        noise = keras.random.normal(ops.shape(mean), seed=self.seed_generator)
        return mean + ops.exp(log_variance / 2) * noise


class KLWeight(keras.callbacks.Callback):
    """Change the weight of the KL term at one epoch, as a faulty schedule would."""

    def __init__(self, layer, epoch, weight):
        super().__init__()
        self.layer, self.epoch, self.weight = layer, epoch, weight

    def on_epoch_begin(self, epoch, logs=None):
        """Assign the weight at the given epoch."""
        if epoch == self.epoch:
            self.model.get_layer(self.layer).weight.assign(self.weight)


def build(width=16, weight=1.0):
    """Return a dense VAE with `width` latent variables."""
    inputs = keras.Input((28, 28, 1))
    x = layers.Flatten(name="flat")(inputs)
    x = layers.Dense(256, activation="relu", name="encode1")(x)
    x = layers.Dense(128, activation="relu", name="encode2")(x)
    mean = layers.Dense(width, name="z_mean")(x)
    log_variance = layers.Dense(width, name="z_log_variance")(x)
    z = Sampling(weight, name="z")([mean, log_variance])
    x = layers.Dense(128, activation="relu", name="decode1")(z)
    x = layers.Dense(256, activation="relu", name="decode2")(x)
    x = layers.Dense(PIXELS, activation="sigmoid", name="pixels")(x)
    return keras.Model(inputs, layers.Reshape((28, 28, 1), name="picture")(x), name="vae")


def main():
    """Train the VAE with the views of its latent codes and reconstructions."""
    parser = options(__doc__, epochs=20, log_dir="logs/vae")
    parser.add_argument("--weight-after", type=float, default=100.0, help="KL weight in the second half; 1 before")
    given = parser.parse_args()

    keras.utils.set_random_seed(1)
    (x, y), (x_test, y_test), names = load()
    model = build()
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy")
    probe_options = {
        "validation_data": (x_test, y_test),  # labels are used for colours only
        "training_data": (x, y),
        "class_names": names,
        "save_dir": given.save_dir,
    }
    model.fit(
        x,
        x,
        validation_data=(x_test, x_test),
        epochs=given.epochs,
        batch_size=64,
        callbacks=[
            KLWeight("z", given.epochs // 2, given.weight_after),
            keras.callbacks.TensorBoard(given.log_dir),
            kv.LatentTrajectory(given.log_dir, **probe_options),
            kv.LatentProfiles(given.log_dir, **probe_options),
            kv.Reconstructions(given.log_dir, **probe_options),
        ],
    )


if __name__ == "__main__":
    main()
