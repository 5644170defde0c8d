"""The benchmarks run, and the floor that they hold us to is what we compute."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import kerasviz_callbacks as kv
from kerasviz_callbacks.taps.reader import Capture, Reader
from kerasviz_callbacks.taps.scores import PREDICTED, Score

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)


def benchmarks(*arguments, **given):
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, **given)


def test_the_floor_is_what_we_compute_and_no_more():
    from benchmarks.floor import bare_pass
    from benchmarks.models import TWO_CONVOLUTIONS

    model, x = TWO_CONVOLUTIONS.build(), TWO_CONVOLUTIONS.data()[1][0][:6]
    outputs, above, slopes = bare_pass(model, ["conv1", "conv2"], "conv2")(x)
    ours = kv.activations(model, x, ["conv1", "conv2"])
    for found, name in zip(outputs, ("conv1", "conv2"), strict=True):
        np.testing.assert_allclose(found, ours[name], atol=1e-5)
    capture = Capture("conv2", score=Score())
    captured = Reader(model, x).read([capture], x, targets={"predicted": np.full(6, PREDICTED)})[capture]
    np.testing.assert_allclose(above, captured.output, atol=1e-5)
    np.testing.assert_allclose(slopes, captured.required_gradient, atol=1e-7)


@pytest.mark.slow
def test_one_table_by_its_command():
    done = benchmarks("writing", "--rounds", "1")
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    assert len(rows) == 6
    assert rows[0] == "| what | measured | must be | |"
    assert "MB/s" in rows[1]


def test_a_table_that_there_is_not():
    refused = benchmarks("flor")
    assert refused.returncode == 2
    assert "flor: no such table; expected some of floor, fits" in refused.stderr


def test_a_table_is_renewed_in_its_place():
    from benchmarks.__main__ import renewed

    page = "a\n<!-- writing -->\nold\n<!-- end of writing -->\nb\n"
    assert renewed(page, "writing", "new\n") == "a\n<!-- writing -->\nnew\n<!-- end of writing -->\nb\n"


def told(early_stopping, name, curve):
    """At which epoch Keras' own EarlyStopping stops when it is told a curve."""
    early_stopping.set_model(SimpleNamespace(stop_training=False))
    early_stopping.on_train_begin()
    for epoch, value in enumerate(curve):
        early_stopping.on_epoch_end(epoch, {name: value})
        if early_stopping.model.stop_training:
            return epoch
    return np.inf


def curves():
    draws = np.random.default_rng(3)
    yield from (np.cumsum(draws.normal(size=30)) for _ in range(20))
    yield from (np.round(draws.normal(size=30), 1) for _ in range(20))
    yield np.full(30, 0.5)
    yield [0.1 + 1e-10 * (30 - epoch) for epoch in range(30)]  # it falls, but not as float32
    yield [np.nan, *range(10)]
    yield [3.0, np.nan, np.nan, 2.0, *[np.nan] * 6]
    yield [1.0]


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("patience", [0, 1, 5])
def test_a_stop_is_where_keras_stops(mode, patience):
    from benchmarks.alarms import NEVER, kept, stop

    found = []
    for curve in curves():
        keras_own = keras.callbacks.EarlyStopping("val_nc1", patience=patience, mode=mode)
        found.append(stop(curve, mode, patience))
        assert found[-1] == told(keras_own, "val_nc1", curve)
        assert kept(curve, mode, patience) == keras_own.best_epoch
    assert len({*found}) > 2
    assert NEVER in found


def test_a_turn_is_the_first_best_epoch():
    from benchmarks.alarms import turn

    assert turn([3, 1, 2, 1], "min") == 1
    assert turn([3, 1, 4, 4], "max") == 2
    assert turn([np.nan, 2, 5], "min") == 1
    with pytest.raises(ValueError, match="All-NaN"):
        turn([np.nan, np.nan], "min")


def test_what_is_set_apart_is_the_area_under_the_roc_curve():
    from benchmarks.alarms import set_apart

    assert set_apart([3, 4], [1, 2], "min") == 1
    assert set_apart([3, 4], [1, 2], "max") == 0
    assert set_apart([2, 4], [1, 2, 5], "min") == pytest.approx(3.5 / 6)
    assert set_apart([np.nan], [1, 2], "min") == 0.5
    draws = np.random.default_rng(1)
    bad, good = draws.normal(0.5, size=20), draws.normal(size=30)
    expected = roc_auc_score([1] * 20 + [0] * 30, [*bad, *good])
    assert set_apart(bad, good, "min") == pytest.approx(expected)
    assert set_apart(-bad, -good, "max") == pytest.approx(expected)
    with pytest.raises(ValueError, match='mode="up": expected "min" or "max"'):
        set_apart(bad, good, "up")


def test_a_rare_class_has_the_share_asked_for_and_all_the_other_rows():
    from benchmarks.data_sets import digits, rare

    data = digits()
    assert (data.train[0].shape, data.test[0].shape) == ((1200, 8, 8, 1), (597, 8, 8, 1))
    assert (data.train[0].min(), data.train[0].max()) == (0, 1)
    x, y = rare(data.train, 8, 0.025)
    assert np.mean(y) == pytest.approx(0.025, abs=1e-3)
    np.testing.assert_array_equal(x[y == 0], data.train[0][data.train[1] != 8])
    np.testing.assert_array_equal(x[y == 1], data.train[0][data.train[1] == 8][: y.sum()])


def test_any_heads_stand_over_a_table():
    from benchmarks.table import grid

    assert grid(["a", ""], [["1", ""], ["2", "b"]]) == "| a | |\n| --- | --- |\n| 1 | |\n| 2 | b |\n"
