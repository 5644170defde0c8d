"""Watch weights alone tell what went wrong: a learning rate too high, which clipping only just holds.

In `coefficients/hidden` rows go black within the first epochs: units that died and learn no more. In `filters/hidden`
the tiles of the same units stay noise, while those of the living become outlines of clothes. `weights/hidden` shows
the weights before and after one clipped step; its caption and the curve `removed` say how much of the gradient clipping
takes away. `--learning-rate 0.1` shows the same training with nearly all units alive.

python examples/watch_the_weights.py             # under a minute on two cores
tensorboard --logdir logs --samples_per_plugin images=1000
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from fashion import load
from keras import layers
from options import options

import kerasviz_callbacks as kv


def build(width=32):
    """One hidden layer, fed the pixels, so that each of its units has a picture for its weights."""
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
    """Train, and log what can be seen."""
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
