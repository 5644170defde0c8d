"""The embedded data set: 5,000 grey images of Fashion-MNIST, 28x28."""

from pathlib import Path

import numpy as np


def load():
    """Return (x_train, y_train), (x_test, y_test) and the class names.

    x is float32 `(n, 28, 28, 1)` in [0, 1], y uint8 `(n,)`.
    """
    with np.load(Path(__file__).parent / "data" / "fashion_mnist_5k.npz") as data:
        x, y, x_test, y_test = (data[key] for key in ("x_train", "y_train", "x_test", "y_test"))
        names = [str(name) for name in data["class_names"]]
    x, x_test = (images[..., None].astype("float32") / 255 for images in (x, x_test))
    return (x, y), (x_test, y_test), names
