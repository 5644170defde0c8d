"""Find a shortcut in the training data with Grad-CAM: a watermark leaks the label (a "Clever Hans" predictor).

The training images of the run `cheating` have a watermark in the corner that encodes the class: 4 x 4 pixels, 2 % of
the image. Training loss and accuracy look excellent; only validation data, which have no watermark, show that the model
has learnt nothing about clothes. `grad_cam` of the training images shows why: the heat is on the watermark. The run
`honest` is the same training without it. `mark_share` is the share of the heat on the watermark, from 0 to 1.

Two pooling layers reduce the images to feature maps of 7 x 7, of which only the four corner cells see the watermark.
The L1 penalty on the feature maps keeps them near zero where they do not matter, so that the heat is localised.

python examples/watch_it_cheat.py                # about a minute on two cores
tensorboard --logdir logs                        # tab Timeline: every step
"""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from fashion import load
from keras import layers
from options import options

import kerasviz_callbacks as kv

CORNER, DOT = 1, 2  # pixels: offset of the watermark, and side of each of its four dots
CELLS = 2  # a cell of the 7 x 7 maps covers 4 x 4 pixels; the watermark, pixels 1 to 4, is in the first two per axis


def marked(images, labels):
    """Return a copy of the images with a watermark: four dots, the binary digits of class + 1."""
    images, end = images.copy(), CORNER + 2 * DOT
    images[:, CORNER:end, CORNER:end] = 0
    for bit in range(4):
        top, left = (CORNER + DOT * place for place in divmod(bit, 2))
        lit = (labels + 1) >> bit & 1 == 1
        images[lit, top : top + DOT, left : left + DOT] = 1
    return images


def shares(model, images, labels):
    """Return how much of the Grad-CAM of the true class is on the watermark.

    Returns:
        The share of the summed heat of all images, the mean of the shares of single images (both 0 to 1, NaN without
        any heat), and the number of images without heat, which are excluded.
    """
    maps = kv.class_activation_map(model, images, target=labels).astype("float64")
    inside, whole = maps[:, :CELLS, :CELLS].sum(axis=(1, 2)), maps.sum(axis=(1, 2))
    has_heat = whole > 0
    if not has_heat.any():
        return np.nan, np.nan, len(maps)
    return inside.sum() / whole.sum(), np.mean(inside[has_heat] / whole[has_heat]), np.sum(~has_heat)


class MarkShare(keras.callbacks.Callback):
    """Add `shares` to the logs of each epoch, for callbacks listed after it."""

    def __init__(self, probe):
        super().__init__()
        self.probe = probe

    def on_epoch_end(self, epoch, logs=None):
        """Compute the shares on the probe."""
        names = ("mark_share", "mark_share_mean", "mark_empty")
        logs.update(zip(names, map(float, shares(self.model, self.probe.images, self.probe.labels)), strict=True))


def build():
    """Return three convolutions with a receptive field of 10 x 10 pixels, and a global max pooling."""
    sparse = keras.regularizers.L1(1e-3)
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 3, padding="same", activation="relu", name="conv1"),
            layers.MaxPooling2D(name="pool1"),
            layers.Conv2D(32, 3, padding="same", activation="relu", name="conv2"),
            layers.MaxPooling2D(name="pool2"),
            layers.Conv2D(48, 1, activation="relu", activity_regularizer=sparse, name="conv3"),
            layers.GlobalMaxPooling2D(name="strongest"),
            layers.Dense(10, activation="softmax", name="classes"),
        ],
        name="clever_hans",
    )


def fitted(train, test, epochs, callbacks, seed=1, verbose="auto"):
    """Train once.

    Returns:
        The history: metric name -> values by epoch.
    """
    keras.utils.set_random_seed(seed)
    model = build()
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    given = {"epochs": epochs, "batch_size": 64, "callbacks": callbacks, "verbose": verbose}
    return model.fit(*train, validation_data=test, **given).history


def arms(train):
    """Return the training data of both runs."""
    return {"cheating": (marked(*train), train[1]), "honest": train}


def print_table(histories):
    """Print accuracy and heat shares by epoch."""
    columns = {"accuracy": "train", "val_accuracy": "val", "mark_share": "share", "mark_share_mean": "mean share"}
    print("\nepoch  " + "  ".join(f"{run + ': ' + name:>22}" for run in histories for name in columns.values()))
    for epoch in range(len(next(iter(histories.values()))["loss"])):
        cells = [f"{history[key][epoch]:22.3f}" for history in histories.values() for key in columns]
        print(f"{epoch:5}  " + "  ".join(cells))
    for run, history in histories.items():
        print(f"{run}: images without heat, excluded: {history['mark_empty'][-1]:.0f}")


def main():
    """Train with and without the watermark."""
    given = options(__doc__, epochs=5, log_dir="logs/clever_hans").parse_args()

    train, test, names = load()
    histories = {}
    for run, data in arms(train).items():
        log_dir = Path(given.log_dir, run)
        save_dir = None if given.save_dir is None else Path(given.save_dir, run)
        shown = {"training_data": data, "class_names": names, "save_dir": save_dir}
        callbacks = [
            MarkShare(kv.Probe(data, count=500)),
            keras.callbacks.TensorBoard(log_dir),
            kv.GradCAM(log_dir, test, target="true", **shown),
            kv.OverfittingMonitor(log_dir, test, **shown),
        ]
        histories[run] = fitted(data, test, given.epochs, callbacks)
    print_table(histories)
    print(f"Both trainings: tensorboard --logdir {given.log_dir}  # tab Timeline: every step")


if __name__ == "__main__":
    main()
