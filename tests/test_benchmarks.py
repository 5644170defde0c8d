"""The benchmarks run, and the floor that they hold us to is what we compute."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import kerasviz_callbacks as kv
from kerasviz_callbacks.taps.reader import Reader, Tap
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
    tap = Tap("conv2", score=Score())
    taken = Reader(model, x).read([tap], x, targets={"predicted": np.full(6, PREDICTED)})[tap]
    np.testing.assert_allclose(above, taken.output, atol=1e-5)
    np.testing.assert_allclose(slopes, taken.slope, atol=1e-7)


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
