"""Train a small U-Net to cut clothes from a background, and log its masks beside the true ones.

python examples/segment_clothes.py               # under a minute on two cores
tensorboard --logdir logs                        # tab Timeline: every step

The images are made from the embedded Fashion-MNIST: one or two pieces of clothing, each in a colour of its own, on a
background of coloured stripes. The class of a pixel is background, or one of four kinds of clothing; the outlines of
the pieces, where the true class is doubtful, have no class (255).
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from fashion import load
from keras import layers
from options import options

import kerasviz_callbacks as kv

NAMES = ["background", "top", "trousers", "shoe", "bag"]
KINDS = np.array([1, 2, 1, 1, 1, 3, 1, 3, 4, 3])  # of the ten classes of clothing
OUTLINE, SIZE = 255, 40


def scenes(clothes, labels, count, seed):
    """Return images `(count, 40, 40, 3)` in [0, 1] and the class of each pixel `(count, 40, 40)`."""
    draws = np.random.default_rng(seed)
    down, across = np.mgrid[:SIZE, :SIZE]
    x, y = np.empty((count, SIZE, SIZE, 3), "float32"), np.zeros((count, SIZE, SIZE), "int32")
    for image, mask in zip(x, y, strict=True):
        waves = draws.uniform(-0.5, 0.5, (3, 2))
        image[:] = 0.4 + 0.15 * np.sin(down[..., None] * waves[:, 0] + across[..., None] * waves[:, 1])
        for _ in range(draws.integers(1, 3)):
            chosen = draws.choice(np.flatnonzero(KINDS[labels] == draws.integers(1, len(NAMES))))
            top, left = draws.integers(0, SIZE - 28, 2)
            piece, part = clothes[chosen, ..., 0], (slice(top, top + 28), slice(left, left + 28))
            colour = draws.uniform(0.3, 1.0, 3)
            inside = piece > 0.15
            image[part] = np.where(inside[..., None], piece[..., None] * colour, image[part])
            mask[part][piece > 0.02] = OUTLINE
            mask[part][inside] = KINDS[labels[chosen]]
    return x + draws.normal(0, 0.03, x.shape).astype("float32"), y


def block(x, filters):
    """Two convolutions."""
    for _ in range(2):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", kernel_initializer="he_normal")(x)
    return x


def build():
    """Return a U-Net of three levels that puts out logits."""
    inputs = keras.Input((SIZE, SIZE, 3))
    first = block(inputs, 16)
    second = block(layers.MaxPooling2D()(first), 24)
    x = block(layers.MaxPooling2D()(second), 32)
    x = block(layers.Concatenate()([layers.UpSampling2D()(x), second]), 24)
    x = block(layers.Concatenate()([layers.UpSampling2D()(x), first]), 16)
    return keras.Model(inputs, layers.Conv2D(len(NAMES), 1, name="mask")(x), name="unet")


def main():
    """Train the U-Net with `Visualizer`."""
    given = options(__doc__, epochs=12, log_dir="logs/segmentation").parse_args()

    keras.utils.set_random_seed(1)
    train, test, _ = load()
    x, y = scenes(*train, 1000, seed=0)
    validation = scenes(*test, 200, seed=1)
    model = build()
    model.compile(
        keras.optimizers.Adam(4e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=OUTLINE),
    )
    model.fit(
        x,
        y,
        validation_data=validation,
        epochs=given.epochs,
        batch_size=20,
        callbacks=[
            keras.callbacks.TensorBoard(given.log_dir),
            kv.Visualizer(
                given.log_dir,
                validation,
                training_data=(x, y),
                class_names=NAMES,
                save_dir=given.save_dir,
            ),
        ],
    )


if __name__ == "__main__":
    main()
