"""Maps of layers with more positions than are drawn: oscillations stay, and what is drawn is said."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

import kerasviz_callbacks as kv
from kerasviz_callbacks.callback.types import Memory
from kerasviz_callbacks.draw.traces import envelope
from kerasviz_callbacks.taps.smaller_maps import MAX_LENGTH, reduction, smaller
from kerasviz_callbacks.views import activation_maps

DRAWS = np.random.default_rng(0)


@pytest.fixture
def drawn(monkeypatch):
    """What `activation_tiles` is given, newest last."""
    found, real = [], activation_maps.activation_tiles

    def record(pictures, maps, **options):
        found.append((np.array(maps), options))
        return real(pictures, maps, **options)

    monkeypatch.setattr(activation_maps, "activation_tiles", record)
    return found


def identity(shape, rank):
    """A linear convolution that gives its single channel back."""
    kind = {1: keras.layers.Conv1D, 2: keras.layers.Conv2D}[rank]
    return keras.Sequential([keras.Input(shape), kind(1, 1, kernel_initializer="ones", name="maps")])


def test_an_oscillation_is_drawn_as_high_as_it_is(tmp_path, drawn):
    """Means of four neighbours of this signal are 0 everywhere."""
    signals = np.tile(np.array([1, -1], np.float32), (3, 128))[..., None] * np.array([1, 2, 0.5])[:, None, None]
    kv.ActivationMaps(tmp_path, signals, layers=["maps"]).picture(identity((256, 1), 1))
    maps, options = drawn[-1]
    np.testing.assert_array_equal(maps, np.moveaxis(signals, -1, 1))
    assert (options["low"], options["high"]) == (-2, 2)
    assert "positions" not in options["caption"]
    assert "beyond" not in options["note"]
    least, most = envelope(maps, 80)
    np.testing.assert_array_equal(least[:, 0], np.repeat([[-1], [-2], [-0.5]], 80, axis=1))
    np.testing.assert_array_equal(most[:, 0], np.repeat([[1], [2], [0.5]], 80, axis=1))


@pytest.mark.parametrize("length", [MAX_LENGTH, MAX_LENGTH + 1, 10_007, 4 * MAX_LENGTH])
def test_of_a_long_signal_the_extremes_of_each_stretch_stay(length):
    signals = DRAWS.normal(size=(2, length, 3)).astype(np.float32)
    found = keras.ops.convert_to_numpy(smaller(signals))
    if length == MAX_LENGTH:
        np.testing.assert_array_equal(found, signals)
        assert reduction((length, 3)) == ""
        return
    stride = -(-2 * length // MAX_LENGTH)
    parts = [signals[:, start : start + stride] for start in range(0, length, stride)]
    expected = np.stack([end(part, axis=1) for part in parts for end in (np.min, np.max)], axis=1)
    np.testing.assert_array_equal(found, expected)
    assert found.shape[1] <= MAX_LENGTH
    assert reduction((length, 3)) == f"least and largest of each {stride} positions"


def test_a_moment_that_is_nan_stays():
    signals = np.zeros((1, 2 * MAX_LENGTH, 2), np.float32)
    signals[0, 5000, 1] = np.nan
    bad = np.isnan(keras.ops.convert_to_numpy(smaller(signals)))
    assert np.argwhere(bad).tolist() == [[0, 2 * (5000 // 4), 1], [0, 2 * (5000 // 4) + 1, 1]]


def test_of_long_signals_and_of_large_maps_it_is_said_what_is_drawn(tmp_path, drawn):
    signal = DRAWS.normal(size=(2, 3 * MAX_LENGTH, 1)).astype(np.float32)
    kv.ActivationMaps(tmp_path, signal, layers=["maps"]).picture(identity(signal.shape[1:], 1))
    maps, options = drawn[-1]
    assert np.abs(maps).max() == np.abs(signal).max()
    assert options["caption"].endswith("   least and largest of each 6 positions")
    pictures = DRAWS.normal(size=(2, 96, 64, 1)).astype(np.float32)
    view = kv.ActivationMaps(tmp_path, pictures, layers=["maps"])
    view.picture(identity(pictures.shape[1:], 2))
    maps, options = drawn[-1]
    np.testing.assert_allclose(maps[:, 0], pictures[..., 0].reshape(2, 48, 2, 64).mean(axis=2), atol=1e-6)
    assert "columns: channels   means of 2 × 1 positions\n" in options["caption"]
    assert reduction((64, 64, 8)) == reduction((10,)) == reduction((None, 8)) == reduction((None, None, 8)) == ""


def test_counts_of_dead_channels_are_written_alike_at_all_steps():
    view = SimpleNamespace(memory=Memory(), schedule=SimpleNamespace(unit="epoch"))
    for step, count in enumerate((1007, 1568)):
        said = kv.ActivationMaps._deaths(view, "validation", "dense", step - 1, np.arange(2000) < count, 16)
    assert said == "dead on 16 inputs: 1,568 of 2,000 (epoch −1: 1,007)"


def test_counts_of_dead_channels_at_earlier_steps_are_written_once_a_channel_has_been_dead():
    view = SimpleNamespace(memory=Memory(), schedule=SimpleNamespace(unit="epoch"))
    said = [
        kv.ActivationMaps._deaths(view, "train", "conv", step, np.arange(16) < count, 16)
        for step, count in ((-1, 0), (0, 0), (1, 3), (2, 0))
    ]
    assert said == [
        "dead on 16 inputs: 0 of 16",
        "dead on 16 inputs: 0 of 16",
        "dead on 16 inputs: 3 of 16 (epoch −1: 0, 0: 0)",
        "dead on 16 inputs: 0 of 16 (epoch −1: 0, 0: 0, 1: 3)",
    ]


def test_probabilities_are_on_the_scale_from_0_to_1_from_the_first_step_on(tmp_path, drawn):
    given = keras.Input((4, 4, 1))
    undecided = keras.layers.Conv2D(3, 1, activation="softmax", name="softmax")(given)
    logits = keras.layers.Conv2D(2, 1, kernel_initializer="zeros", name="logits")(undecided)
    outputs = keras.layers.Activation("sigmoid", name="sigmoid")(logits)
    model = keras.Model(given, outputs)
    shown = kv.ActivationMaps(tmp_path, np.zeros((3, 4, 4, 1), np.float32), layers=["softmax", "logits", "sigmoid"])
    shown.pictures(model)
    assert [(round(float(maps.max()), 6), options["low"], options["high"]) for maps, options in drawn] == [
        (round(1 / 3, 6), 0.0, 1.0),
        (0.0, 0.0, 0.0),
        (0.5, 0.0, 1.0),
    ]
