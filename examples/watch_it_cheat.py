"""Watch a network cheat, as the horse Clever Hans did, who could not count but read the answer from his master's face.

The training pictures of the run `cheating` carry a small mark in the corner that tells the class: 4 x 4 pixels, 2 % of
the picture. Loss and accuracy of the training look splendid, and only validation, whose pictures carry no mark, says
that nothing was learnt of clothes. `grad_cam` of the training pictures says why: the heat sits on the corner. The run
`honest` is the same training without the mark. `mark_share` is how much of the heat lies on the mark, 1: all of it.

The pictures are reduced twice, to maps of 7 x 7, and no place beyond the four corner cells sees the mark. The penalty
on the maps keeps them silent where nothing is needed, so that the heat says what the answer came from.

python examples/watch_it_cheat.py                # about a minute on two cores
tensorboard --logdir logs --samples_per_plugin images=1000
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

CORNER, DOT = 1, 2  # pixels: where the mark begins, and the side of each of its four dots
CELLS = 2  # of the 7 x 7 maps a cell covers 4 x 4 pixels: the mark, pixels 1 to 4, touches the first two a side


def marked(pictures, labels):
    """The pictures with the class in the corner: four dots, lit where the class + 1 has a one as a binary number."""
    pictures, end = pictures.copy(), CORNER + 2 * DOT
    pictures[:, CORNER:end, CORNER:end] = 0
    for bit in range(4):
        top, left = (CORNER + DOT * place for place in divmod(bit, 2))
        lit = (labels + 1) >> bit & 1 == 1
        pictures[lit, top : top + DOT, left : left + DOT] = 1
    return pictures


def shares(model, pictures, labels):
    """How much of the heat for the true class lies on the mark.

    Returns:
        The share of all heat taken together, the mean of the pictures' shares, and how many pictures have no heat at
        all, which are left out of both.
    """
    maps = kv.class_activation_map(model, pictures, target=labels).astype("float64")
    inside, whole = maps[:, :CELLS, :CELLS].sum(axis=(1, 2)), maps.sum(axis=(1, 2))
    warm = whole > 0
    if not warm.any():
        return np.nan, np.nan, len(maps)
    return inside.sum() / whole.sum(), np.mean(inside[warm] / whole[warm]), np.sum(~warm)


class MarkShare(keras.callbacks.Callback):
    """Puts `shares` into the logs of each epoch, for the callbacks that come after it."""

    def __init__(self, probe):
        super().__init__()
        self.probe = probe

    def on_epoch_end(self, epoch, logs=None):
        """Look at the probe."""
        names = ("mark_share", "mark_share_mean", "mark_empty")
        logs.update(zip(names, map(float, shares(self.model, self.probe.images, self.probe.labels)), strict=True))


def build():
    """Two convolutions whose maps see 10 x 10 pixels, one across the channels, and the strongest place of each map."""
    silent = keras.regularizers.L1(1e-3)
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 3, padding="same", activation="relu", name="conv1"),
            layers.MaxPooling2D(name="pool1"),
            layers.Conv2D(32, 3, padding="same", activation="relu", name="conv2"),
            layers.MaxPooling2D(name="pool2"),
            layers.Conv2D(48, 1, activation="relu", activity_regularizer=silent, name="conv3"),
            layers.GlobalMaxPooling2D(name="strongest"),
            layers.Dense(10, activation="softmax", name="classes"),
        ],
        name="clever_hans",
    )


def fitted(train, test, epochs, callbacks, seed=1, verbose="auto"):
    """Train once.

    Returns:
        The history of each epoch's figures.
    """
    keras.utils.set_random_seed(seed)
    model = build()
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    given = {"epochs": epochs, "batch_size": 64, "callbacks": callbacks, "verbose": verbose}
    return model.fit(*train, validation_data=test, **given).history


def arms(train):
    """The training data of both runs."""
    return {"cheating": (marked(*train), train[1]), "honest": train}


def print_table(histories):
    """What happened, epoch by epoch."""
    columns = {"accuracy": "train", "val_accuracy": "val", "mark_share": "share", "mark_share_mean": "mean share"}
    print("\nepoch  " + "  ".join(f"{run + ': ' + name:>22}" for run in histories for name in columns.values()))
    for epoch in range(len(next(iter(histories.values()))["loss"])):
        cells = [f"{history[key][epoch]:22.3f}" for history in histories.values() for key in columns]
        print(f"{epoch:5}  " + "  ".join(cells))
    for run, history in histories.items():
        print(f"{run}: pictures without any heat, left out: {history['mark_empty'][-1]:.0f}")


def main():
    """Train twice, and log what can be seen."""
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
    print(f"Both trainings: tensorboard --logdir {given.log_dir} --samples_per_plugin images=1000")


if __name__ == "__main__":
    main()
