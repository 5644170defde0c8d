"""Train a small network to remove noise from images of clothes, and log its images beside the clean ones.

python examples/denoise_clothes.py               # under a minute on two cores
tensorboard --logdir logs                        # tab Timeline: every step

The network predicts the noise and subtracts it, so that nothing has to pass through a narrow code: `Visualizer` shows
its predictions, and no latent space.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from fashion import load
from keras import layers
from options import options

import kerasviz_callbacks as kv


def noisy(clean, seed):
    """Return images with Gaussian noise, clipped to [0, 1]."""
    noise = np.random.default_rng(seed).normal(0, 0.3, clean.shape)
    return np.clip(clean + noise, 0, 1).astype("float32")


def build():
    """Return a residual denoiser of four convolutions."""
    inputs = keras.Input((28, 28, 1))
    x = inputs
    for number in range(3):
        x = layers.Conv2D(24, 3, padding="same", activation="relu", name=f"conv{number + 1}")(x)
    noise = layers.Conv2D(1, 3, padding="same", name="noise")(x)
    return keras.Model(inputs, layers.Subtract(name="clean")([inputs, noise]), name="denoiser")


def main():
    """Train the denoiser with `Visualizer`."""
    given = options(__doc__, epochs=6, log_dir="logs/denoiser").parse_args()

    keras.utils.set_random_seed(1)
    (x, _), (x_test, _), _ = load()
    x, x_test = x[:1500], x_test[:300]
    model = build()
    model.compile(keras.optimizers.Adam(2e-3), "mse")
    validation = (noisy(x_test, 1), x_test)
    model.fit(
        noisy(x, 0),
        x,
        validation_data=validation,
        epochs=given.epochs,
        batch_size=32,
        callbacks=[
            keras.callbacks.TensorBoard(given.log_dir),
            kv.Visualizer(
                given.log_dir,
                validation,
                training_data=(noisy(x, 0), x),
                save_dir=given.save_dir,
            ),
        ],
    )


if __name__ == "__main__":
    main()
