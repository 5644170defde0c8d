"""Compare layer activations in two trainings that differ only in the learning rate: `calm` and `too_fast`.

Side by side in TensorBoard: `activations/conv1` has dark columns for dead channels, `responses/conv4` shows how few
neurons are active, and `overlap/conv4` which channels are redundant.

python examples/watch_the_activations.py         # about a minute on two cores
tensorboard --logdir logs                        # tab Timeline: every step
"""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from fashion import load
from options import options
from watch_a_classifier import build

import kerasviz_callbacks as kv

LEARNING_RATES = {"calm": 1e-3, "too_fast": 1e-2}


def main():
    """Train twice with the views of activations."""
    given = options(__doc__, epochs=6, log_dir="logs/activations").parse_args()

    (train, test, names), layers = load(), ["conv1", "conv4"]
    for run, learning_rate in LEARNING_RATES.items():
        log_dir = Path(given.log_dir, run)
        save_dir = None if given.save_dir is None else Path(given.save_dir, run)
        shown = {"layers": layers, "class_names": names, "save_dir": save_dir}
        keras.utils.set_random_seed(1)
        model = build()
        model.compile(keras.optimizers.Adam(learning_rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(
            *train,
            validation_data=test,
            epochs=given.epochs,
            batch_size=64,
            callbacks=[
                keras.callbacks.TensorBoard(log_dir),
                kv.ActivationMaps(log_dir, test, **shown),
                kv.NeuronResponses(log_dir, test, count=60, **shown),
                kv.FilterOverlap(log_dir, test, **shown),
            ],
        )
    print(f"Both trainings: tensorboard --logdir {given.log_dir}  # tab Timeline: every step")


if __name__ == "__main__":
    main()
