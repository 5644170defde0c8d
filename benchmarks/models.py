"""The models that the benchmarks use, and their data."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

EXAMPLES = Path(__file__).parents[1] / "examples"
sys.path.insert(0, str(EXAMPLES))
Pair = tuple[Any, Any]


def example(name: str) -> Any:
    """Import a module of `examples/`."""
    return __import__(name)


@dataclass(frozen=True)
class Case:
    """A model and its data.

    Attributes:
        name: its name in the tables.
        build: returns the compiled model.
        data: returns training and validation data.
    """

    name: str
    build: Callable[[], keras.Model]
    data: Callable[[], tuple[Pair, Pair]]


def _compiled(model: keras.Model, loss: str = "sparse_categorical_crossentropy") -> keras.Model:
    model.compile(keras.optimizers.Adam(1e-3), loss)
    return model


def _example_cnn() -> keras.Model:
    from watch_a_classifier import build

    return _compiled(build())


def _example_autoencoder() -> keras.Model:
    from watch_an_autoencoder import build

    return _compiled(build(), "mse")


def _clothes() -> tuple[Pair, Pair]:
    from fashion import load

    train, test, _ = load()
    return train, test


def _clothes_twice() -> tuple[Pair, Pair]:
    train, test = _clothes()
    return (train[0], train[0]), (test[0], test[1])


def two_convolutions(width: int = 16) -> keras.Model:
    """Return two convolutions and a global mean on 32 x 32 images: so small that overhead is visible."""
    inputs = keras.Input((32, 32, 3))
    x = layers.Conv2D(width, 3, activation="relu", name="conv1")(inputs)
    x = layers.Conv2D(width, 3, activation="relu", name="conv2")(x)
    return _compiled(keras.Model(inputs, layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling2D()(x))))


def many_convolutions(depth: int) -> keras.Model:
    """Return a model with this many convolutions of 16 channels."""
    inputs = x = keras.Input((32, 32, 3))
    for number in range(depth):
        x = layers.Conv2D(16, 3, padding="same", activation="relu", name=f"conv{number}")(x)
    return _compiled(keras.Model(inputs, layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling2D()(x))))


def _network(kind: str, side: int) -> keras.Model:
    # Random weights: the time is the same, and nothing is downloaded.
    network = getattr(keras.applications, kind)
    return _compiled(network(input_shape=(side, side, 3), weights=None, classes=10))


def noise(side: int, count: int) -> tuple[Pair, Pair]:
    """Return training and validation images of noise, with ten classes."""
    draws = np.random.default_rng(0)
    labels = np.arange(count) % 10
    train, test = (draws.random((count, side, side, 3), dtype=np.float32) for _ in range(2))
    return (train, labels), (test, labels)


EXAMPLE = Case("example CNN, 28x28", _example_cnn, _clothes)
AUTOENCODER = Case("example autoencoder, 28x28", _example_autoencoder, _clothes_twice)
TWO_CONVOLUTIONS = Case("two convolutions, 32x32", two_convolutions, lambda: noise(32, 64))
MOBILENET = Case("MobileNetV2, 96x96", lambda: _network("MobileNetV2", 96), lambda: noise(96, 32))
RESNET = Case("ResNet50, 224x224", lambda: _network("ResNet50", 224), lambda: noise(224, 16))
