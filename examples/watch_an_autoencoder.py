"""Train an autoencoder of clothes with eight latent dimensions and log how its latent codes move.

python examples/watch_an_autoencoder.py          # about a minute on two cores
tensorboard --logdir logs                        # tab Timeline: every step
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from fashion import load
from keras import layers
from options import options

import kerasviz_callbacks as kv


def build(width=8):
    """Return a dense autoencoder with `width` latent dimensions."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Flatten(name="flat"),
            layers.Dense(256, activation="elu", name="encode1", kernel_regularizer=keras.regularizers.L2(1e-5)),
            layers.Dense(64, activation="elu", name="encode2"),
            layers.Dense(width, name="bottleneck"),
            layers.Dense(64, activation="elu", name="decode1"),
            layers.Dense(256, activation="elu", name="decode2"),
            layers.Dense(28 * 28, activation="sigmoid", name="pixels"),
            layers.Reshape((28, 28, 1), name="picture"),
        ],
        name="autoencoder",
    )


def main():
    """Train the autoencoder with `Visualizer`."""
    given = options(__doc__, epochs=30, log_dir="logs/autoencoder").parse_args()

    keras.utils.set_random_seed(1)
    (x, y), (x_test, y_test), names = load()
    model = build()
    model.compile(keras.optimizers.Adam(3e-4), "binary_crossentropy")
    model.fit(
        x,
        x,
        validation_data=(x_test, x_test),
        epochs=given.epochs,
        batch_size=64,
        callbacks=[
            keras.callbacks.TensorBoard(given.log_dir),
            kv.Visualizer(
                given.log_dir,
                validation_data=(x_test, y_test),  # labels are used for colours only
                training_data=(x, y),
                class_names=names,
                save_dir=given.save_dir,
            ),
        ],
    )


if __name__ == "__main__":
    main()
