"""Compare four trainings of one network, two of which overfit in different ways.

- `healthy`: 4,000 images, a small learning rate.
- `few_samples`: 200 images, which it memorises. It becomes overconfident: see `overconfidence`.
- `wrong_labels`: 1,000 images, 40 % of them with wrong labels. Memorising these degrades the features: see `knn`,
  `silhouette` and `nc1`.
- `regularised`: the same wrong labels, with dropout, weight decay and augmentation.

Every epoch has 20 steps, so that all trainings take the same number of steps. `overfitting/summary` shows the curves
and the examples whose true class lost most probability, `data_map/summary` which of the training labels are doubtful,
and how many of them are memorised. The table printed at the end has the best value of each metric,
its epoch, and the last value.

python examples/watch_overfitting.py             # about two minutes on two cores
tensorboard --logdir logs                        # tab Timeline: every step
"""

import os
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from fashion import load
from keras import layers
from options import options

import kerasviz_callbacks as kv

STEPS = 20  # per epoch, for any number of images
MODES = {  # whether a lower or a higher value is better
    "val_overconfidence": "min",
    "val_knn": "max",
    "val_silhouette": "max",
    "val_nc1": "min",
    "val_cam_drift": "min",
    "val_cam_true_vs_predicted": "min",
}


@dataclass(frozen=True)
class Arm:
    """The settings of one training.

    Attributes:
        images: number of training images, at most 4,000.
        wrong: share of wrong labels, 0 to 1.
        regularised: whether to use dropout, weight decay and augmentation.
        learning_rate: of AdamW.
        flip: whether augmentation mirrors images.
    """

    images: int
    wrong: float = 0.0
    regularised: bool = False
    learning_rate: float = 2e-3
    flip: bool = True


ARMS = {
    "healthy": Arm(4000, learning_rate=5e-4),
    "few_samples": Arm(200),
    "wrong_labels": Arm(1000, wrong=0.4),
    "regularised": Arm(1000, wrong=0.4, regularised=True),
}


def data(arm, train, seed=1):
    """Return the training images and labels of an arm, some of them wrong."""
    draws = np.random.default_rng(seed)
    chosen = draws.permutation(len(train[1]))[: arm.images]
    x, y = train[0][chosen], train[1][chosen].astype("int64")
    wrong = draws.permutation(len(y))[: round(arm.wrong * len(y))]
    y[wrong] = (y[wrong] + draws.integers(1, 10, len(wrong))) % 10
    return x, y


def build(arm, shape=(28, 28, 1), classes=10):
    """Return two convolutions and a hidden layer, with dropout and augmentation if the arm is regularised."""
    flip = [layers.RandomFlip("horizontal")] if arm.flip else []
    augmentation = [layers.RandomTranslation(0.1, 0.1, fill_mode="constant"), *flip]
    dropout = [[layers.Dropout(0.5)] if arm.regularised else [] for _ in range(2)]
    return keras.Sequential(
        [
            keras.Input(shape),
            *(augmentation if arm.regularised else []),
            layers.Conv2D(16, 5, strides=2, padding="same", activation="relu", name="conv1"),
            layers.Conv2D(32, 3, strides=2, padding="same", activation="relu", name="conv2"),
            layers.Flatten(name="flat"),
            *dropout[0],
            layers.Dense(64, activation="relu", name="hidden"),
            *dropout[1],
            layers.Dense(classes, activation="softmax", name="classes"),
        ],
        name="small_cnn",
    )


def fitted(arm, given, test, epochs, callbacks, seed=1, verbose="auto"):
    """Train once on the images and labels `given`.

    Returns:
        The history (metric name -> values by epoch), and the model.
    """
    keras.utils.set_random_seed(seed)
    model = build(arm, given[0].shape[1:], int(given[1].max()) + 1)
    decay = 1e-2 if arm.regularised else 0.0
    optimizer = keras.optimizers.AdamW(arm.learning_rate, weight_decay=decay)
    # The steps are so short that running ten at a time saves a third of the time.
    how = {"metrics": ["accuracy"], "steps_per_execution": 10, "jit_compile": False}
    model.compile(optimizer, "sparse_categorical_crossentropy", **how)
    history = model.fit(
        *given,
        validation_data=test,
        epochs=epochs,
        batch_size=arm.images // STEPS,
        validation_batch_size=500,
        callbacks=callbacks,
        verbose=verbose,
    )
    return history.history, model


def turned(curve, mode):
    """Return "best (epoch) -> last" of a curve."""
    best = (np.nanargmin if mode == "min" else np.nanargmax)(curve)
    return f"{curve[best]:.3f} ({best}) -> {curve[-1]:.3f}"


def print_table(histories):
    """Print the best value of each validation metric, its epoch, and the last value."""
    print("\n" + " " * 26 + "".join(f"{run:>26}" for run in histories))
    for key, mode in {"val_accuracy": "max", "val_loss": "min", **MODES}.items():
        print(f"{key:26}" + "".join(f"{turned(history[key], mode):>26}" for history in histories.values()))


def main():
    """Train four times with `OverfittingMonitor` and `DataMap`."""
    given = options(__doc__, epochs=40, log_dir="logs/overfitting").parse_args()

    train, test, names = load()
    histories = {}
    for run, arm in ARMS.items():
        log_dir = Path(given.log_dir, run)
        save_dir = None if given.save_dir is None else Path(given.save_dir, run)
        own = data(arm, train)
        callbacks = [
            keras.callbacks.TensorBoard(log_dir),
            kv.OverfittingMonitor(log_dir, test, training_data=own, class_names=names, save_dir=save_dir),
            kv.DataMap(log_dir, training_data=own, class_names=names, save_dir=save_dir),
        ]
        histories[run], _ = fitted(arm, own, test, given.epochs, callbacks)
    print_table(histories)
    print(f"All four trainings: tensorboard --logdir {given.log_dir}  # tab Timeline: every step")


if __name__ == "__main__":
    main()
