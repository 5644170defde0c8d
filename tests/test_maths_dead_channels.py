"""Dead channels: one definition, so that all views of the same activations count the same ones."""

import keras
import numpy as np
import pytest
from harness import first, recorded
from keras import layers

import kerasviz_callbacks as kv
from kerasviz_callbacks.maths.health import channel_metrics, dead_channels
from kerasviz_callbacks.taps.channel_statistics import is_rectified

RNG = np.random.default_rng(0)


def inputs():
    """Channels that an activation function turns into: off, rarely and barely on, constant, tiny, large, two usual."""
    x = np.zeros((8, 20, 20, 7), np.float32)
    x[..., 0] = -1 - RNG.random(x.shape[:-1])
    x[3, 4, 5, 1] = 1.5e-4  # its mean over positions is below 1e-6, its maximum and standard deviation are not
    x[..., 2] = 5
    x[..., 3] = 1e-7 * RNG.random(x.shape[:-1])
    x[..., 4] = 1e4 + 2e-3 * RNG.normal(size=x.shape[:-1])  # varies by less than a millionth of its mean
    x[..., 5:] = RNG.normal(size=(*x.shape[:-1], 2))
    return x


def model_with(activation):
    keras.utils.set_random_seed(0)
    conv = layers.Conv2D(7, 1, activation=activation, name="conv")
    model = keras.Sequential([keras.Input((20, 20, 7)), conv, layers.GlobalAveragePooling2D(), layers.Dense(2)])
    conv.set_weights([np.eye(7, dtype=np.float32)[None, None], np.zeros(7, np.float32)])
    return model


@pytest.mark.parametrize(
    ("activation", "expected"),
    first(
        [
            ("relu", [True, False, False, True, False, False, False]),  # maximum <= 1e-6
            ("softplus", [False, False, True, True, False, False, False]),  # standard deviation <= 1e-6
            (None, [False] * 7),  # linear: none can be called dead
        ]
    ),
)
def test_every_view_finds_the_same_dead_channels(activation, expected):
    x, model = inputs(), model_with(activation)
    given = {}
    for kind in (kv.ActivationMaps, kv.NeuronResponses, kv.FilterOverlap):
        view = recorded(kind)("logs", x, layers=["conv"])
        view.pictures(model)
        given[kind] = view.measured["validation", -1]
    assert given[kv.NeuronResponses].data["conv"].dead.tolist() == expected
    overlap = given[kv.FilterOverlap].data["conv"]
    assert overlap.dead.tolist() == expected
    assert overlap.constant[2], "constant and so without correlation, whether dead or not"
    share = given[kv.ActivationMaps].scalars.get("health/conv/dead")
    assert share == (None if activation is None else pytest.approx(np.mean(expected)))


def test_a_channel_is_told_by_its_maximum_or_its_standard_deviation():
    metrics = channel_metrics(largest=[[1e-6, 2e-6, -5.0]], mean=[[0.0, 0, 0]], variance=[[1e-12, 4e-12, 0.0]])
    assert dead_channels(metrics, True).tolist() == [True, False, True]
    assert dead_channels(metrics, False).tolist() == [True, False, True]
    assert dead_channels(metrics, None).tolist() == [False, False, False]


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (layers.ReLU(), True),
        (layers.ReLU(max_value=6), True),
        (layers.ReLU(negative_slope=0.1), False),
        (layers.Dense(2, activation="relu"), True),
        (layers.Activation("relu6"), True),
        (layers.Dense(2, activation="gelu"), False),
        (layers.Dense(2), None),
        (layers.BatchNormalization(), None),
    ],
)
def test_which_outputs_are_rectified(layer, expected):
    assert is_rectified(layer) is expected
