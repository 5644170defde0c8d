"""The embedded pictures: 5,000 of Fashion-MNIST, 28x28, grey."""

from pathlib import Path

import numpy as np


def load():
    """Training and test pictures `(n, 28, 28, 1)`, float32 from 0 to 1, their labels, and the class names."""
    with np.load(Path(__file__).parent / "data" / "fashion_mnist_5k.npz") as data:
        x, y, x_test, y_test = (data[key] for key in ("x_train", "y_train", "x_test", "y_test"))
        names = [str(name) for name in data["class_names"]]
    x, x_test = (pictures[..., None].astype("float32") / 255 for pictures in (x, x_test))
    return (x, y), (x_test, y_test), names
