"""Diagnose a training from its weights alone: the learning rate is too high, and only clipping prevents divergence.

In `coefficients/hidden`, rows turn black within the first epochs: these units are dead and no longer learn. In
`filters/hidden`, their tiles stay noise, while those of the other units become outlines of clothes. `weights/hidden`
shows the weights before and after one clipped step; its caption and the scalar `health/hidden/removed` give the share
of the gradient that clipping removes. With `--learning-rate 0.1` nearly all units stay alive.

python examples/watch_the_weights.py             # under a minute on two cores
tensorboard --logdir logs                        # tab Timeline: every step
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from fashion import load
from keras import layers
from options import options

import kerasviz_callbacks as kv


def build(width=32):
    """Return a perceptron whose hidden layer reads pixels, so that the weights of each unit form an image."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Flatten(name="flat"),
            layers.Dense(width, activation="relu", name="hidden"),
            layers.Dense(10, activation="softmax", name="classes"),
        ],
        name="perceptron",
    )


def main():
    """Train the perceptron with the views of weights."""
    parser = options(__doc__, epochs=20, log_dir="logs/weights")
    parser.add_argument("--learning-rate", type=float, default=0.7)
    given = parser.parse_args()

    keras.utils.set_random_seed(1)
    train, test, _ = load()
    model = build()
    optimizer = keras.optimizers.SGD(given.learning_rate, clipnorm=1.0)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    saved = {"save_dir": given.save_dir}
    model.fit(
        *train,
        validation_data=test,
        epochs=given.epochs,
        batch_size=64,
        callbacks=[
            keras.callbacks.TensorBoard(given.log_dir),
            kv.FilterImages(given.log_dir, **saved),
            kv.WeightHeatmaps(given.log_dir, test, training_data=train, count=64, **saved),
            kv.Coefficients(given.log_dir, layer="hidden", **saved),
        ],
    )


if __name__ == "__main__":
    main()
