"""Train a small convolutional classifier of clothes and log filters, activations, Grad-CAM and overfitting.

python examples/watch_a_classifier.py            # under a minute on two cores
tensorboard --logdir logs                        # tab Timeline: every step
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from fashion import load
from keras import layers
from options import options

import kerasviz_callbacks as kv


def build():
    """Return four convolutions and a linear head: trained in a minute, large enough to overfit 4,000 images."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 5, padding="same", activation="relu", name="conv1"),
            layers.MaxPooling2D(name="pool1"),
            layers.Conv2D(32, 3, padding="same", activation="relu", name="conv2"),
            layers.MaxPooling2D(name="pool2"),
            layers.Conv2D(48, 3, padding="same", activation="relu", name="conv3"),
            layers.Conv2D(48, 3, padding="same", activation="relu", name="conv4"),
            layers.GlobalMaxPooling2D(name="strongest"),
            layers.Dense(10, activation="softmax", name="classes"),
        ],
        name="classifier",
    )


def main():
    """Train the classifier with `Visualizer`."""
    given = options(__doc__, epochs=12, log_dir="logs/classifier").parse_args()

    keras.utils.set_random_seed(1)
    train, test, names = load()
    model = build()
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(
        *train,
        validation_data=test,
        epochs=given.epochs,
        batch_size=64,
        callbacks=[
            keras.callbacks.TensorBoard(given.log_dir),
            kv.Visualizer(
                given.log_dir,
                validation_data=test,
                training_data=train,
                class_names=names,
                save_dir=given.save_dir,
            ),
        ],
    )


if __name__ == "__main__":
    main()
