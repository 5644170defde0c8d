"""Models that take channels first equal their twins that take them last, in a process of their own (see there)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import kerasviz_callbacks as kv
from kerasviz_callbacks.taps.layouts import channels_back, channels_last, moved_shape

TESTS = Path(__file__).parent


def differing(*kinds: str) -> dict[str, list[str]]:
    """By kind, what differs between the twins."""
    env = {**os.environ, "PYTHONPATH": str(TESTS.parent), "TF_CPP_MIN_LOG_LEVEL": "3"}
    run = subprocess.run(
        [sys.executable, "-W", "ignore", str(TESTS / "channels_first.py"), *kinds],
        env=env, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    found = [json.loads(line[7:]) for line in run.stdout.splitlines() if line.startswith("RESULT ")]
    assert found, run.stderr[-2000:]
    if any(isinstance(what, str) for _, what in found):
        pytest.skip(f"Keras cannot train them here: {found}")
    return dict(found)


@pytest.mark.slow
def test_maps_of_a_residual_model_equal_those_of_its_twin():
    assert differing("residual") == {"residual": []}


@pytest.mark.slow
def test_everything_equals_what_the_twins_give():
    found = differing()
    assert len(found) == 10
    assert not any(found.values()), found


def test_the_channels_move_to_the_end_and_back():
    values = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    moved = channels_last(values, -3, np.moveaxis)
    assert moved.shape[1:] == moved_shape((3, 4, 5), -3) == (4, 5, 3)
    np.testing.assert_array_equal(channels_back(moved, -3, np.moveaxis), values)
    assert channels_last(values, None) is values


def test_classes_of_pixels_before_the_positions_are_refused():
    model = keras.Sequential([keras.Input((2, 6, 6)), layers.Conv2D(3, 1, data_format="channels_first")])
    with pytest.raises(ValueError, match=r"output \(None, 6, 6, 3\) has the channels first.*Permute"):
        kv.class_activation_map(model, np.zeros((2, 2, 6, 6), "float32"), target=1)
