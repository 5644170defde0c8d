"""Find wrong labels among 4,000 images of clothes with `DataMap`, from one ordinary training.

A tenth of the training labels is replaced by another class. `data_map/summary` of the training images shows which
labels are doubtful, and how the model memorises them after the epoch of the lowest `val_loss`. The script prints how
many of the 40 most doubtful labels are planted ones, and for how many of these the class that the model proposes is the
true one. All rows are in `data_map.csv` in the directory of the run, and in `data_map.table()`.

python examples/find_wrong_labels.py             # about a minute on two cores
tensorboard --logdir logs                        # tab Timeline: every step
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from fashion import load
from options import options
from watch_a_classifier import build

import kerasviz_callbacks as kv

WRONG = 0.1  # share of the training labels
SHOWN = 40


def mislabelled(labels, share=WRONG, seed=1):
    """Return the labels as int64, a share of them replaced by another class at random, and which rows these are."""
    draws = np.random.default_rng(seed)
    rows = draws.permutation(len(labels))[: round(share * len(labels))]
    told = labels.astype("int64")
    told[rows] = (told[rows] + draws.integers(1, 10, len(rows))) % 10
    return told, rows


def print_most_doubtful(table, planted, true, names):
    """Print how many of the most doubtful labels are planted, and the first ten rows of the table."""
    order = np.argsort(table["doubt_rank"])[:SHOWN]
    rows = table["index"][order]
    found = np.isin(rows, planted)
    print(f"{found.sum()} of the {SHOWN} most doubtful labels are planted ones ({WRONG:.0%} of all labels are).")
    right = (table["proposed"][order] == true[rows])[found]
    print(f"For {right.sum()} of these {found.sum()} the proposed class is the true one. The first ten:")
    for place in order[:10]:
        row, label, proposed = (int(table[name][place]) for name in ("index", "label", "proposed"))
        truth = "planted" if row in planted else "not planted"
        print(f"  row {row:4}: {names[label]:9} -> {names[proposed]:9} margin {table['margin'][place]:6.2f}  {truth}")


def main():
    """Train on partly wrong labels with `DataMap`, and compare what is doubtful with what was planted."""
    given = options(__doc__, epochs=12, log_dir="logs/wrong_labels").parse_args()

    keras.utils.set_random_seed(1)
    (x, true), test, names = load()
    y, planted = mislabelled(true)
    model = build()
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    every_row = {"training_data": (x, y), "count": len(x), "class_names": names}
    data_map = kv.DataMap(given.log_dir, **every_row, save_dir=given.save_dir)
    callbacks = [keras.callbacks.TensorBoard(given.log_dir), data_map]
    model.fit(x, y, validation_data=test, epochs=given.epochs, batch_size=64, callbacks=callbacks)
    print_most_doubtful(data_map.table(), planted, true, names)


if __name__ == "__main__":
    main()
