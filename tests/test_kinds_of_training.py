"""The kinds of training in `examples/models` are the same with and without `Visualizer`, which shows each of them."""

import re
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from harness import read
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent / "docs"))
import renew_models
from renew_models import DOCS, SELECTED, Training, compare, names, same

TABLE = (DOCS / "models.md").read_text(encoding="utf-8")


@pytest.fixture
def two_epochs(monkeypatch):
    """Let every `fit` end after two epochs, the first that is drawn and one after it."""
    fit = keras.Model.fit

    def briefly(model, *args, epochs=1, **given):
        return fit(model, *args, epochs=min(epochs, 2), **given)

    monkeypatch.setattr(keras.Model, "fit", briefly)


@pytest.mark.slow
@pytest.mark.usefixtures("two_epochs")
@pytest.mark.parametrize("name", names())
def test_a_kind_is_trained_as_without_visualizer_and_is_shown(name, tmp_path):
    def alike(alone, seen):
        return same(replace(alone, history=seen.history), seen)

    alone, seen, place = compare(name, tmp_path, alike)
    assert alike(alone, seen)
    assert list(alone.history) == list(seen.history)
    for key, values in alone.history.items():  # a logged mean is summed by threads: its last bit is not repeatable
        np.testing.assert_allclose(seen.history[key], values, rtol=3e-7)
    assert set(seen.warned) <= set(alone.warned)
    assert any(map(SELECTED.match, seen.printed)), seen.printed
    pictures = [steps for run in (place / "logs").rglob("views/*") for steps in read(run).pictures.values()]
    epochs = len(next(iter(alone.history.values())))
    assert {max(steps) for steps in pictures} == {epochs - 1}
    assert min(map(min, pictures)) == -1  # some choose at the first trained epoch what they show


def test_the_table_has_a_row_and_a_picture_of_every_kind():
    assert re.findall(r"\(\.\./examples/models/(\w+)\.py\)", TABLE) == names()
    assert len(names()) >= 30
    thumbnails = [DOCS / one for one in re.findall(r"\((models/\w+\.png)\)", TABLE)]
    assert sorted(thumbnails) == sorted((DOCS / "models").iterdir())
    assert sum(one.stat().st_size for one in thumbnails) < 1.5e6


def test_trainings_that_differ_in_a_bit_are_told_apart():
    one = Training([np.float32([0, np.nan])], {"loss": [1.0, np.nan]}, [], [], 1.0)
    assert same(one, replace(one, printed=["more"], seconds=2.0))
    assert not same(one, replace(one, end=[np.float32([-0.0, np.nan])]))
    assert not same(one, replace(one, end=[np.float64([0, np.nan])]))
    assert not same(one, replace(one, end=[*one.end, np.float32(0)]))
    assert not same(one, replace(one, history={"loss": [1.0 + 2**-52, np.nan]}))
    assert not same(one, replace(one, history={**one.history, "val_loss": [1.0, 1.0]}))


def test_a_thumbnail_is_of_the_last_step_of_the_most_telling_picture(tmp_path):
    for tag, step, width in (("train/grad_cam", 9, 1), ("validation/grad_cam", 2, 2), ("validation/grad_cam", 11, 400)):
        place = tmp_path / "views" / tag / "conv1"
        place.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (width, 8), (200, 30, 40)).save(place / f"{step:06d}.png")
    Image.new("RGB", (1, 1)).save(tmp_path / "views" / "validation" / "000011.png")
    found = renew_models.telling_picture(tmp_path)
    assert found == tmp_path / "views" / "validation" / "grad_cam" / "conv1" / "000011.png"
    assert renew_models.telling_picture(tmp_path, "views/train").parent.parent.parent.name == "train"
    renew_models.thumbnail(found, tmp_path / "models" / "small.png")
    with Image.open(tmp_path / "models" / "small.png") as small:
        assert small.size == (160, 3)
        assert small.convert("RGB").getpixel((80, 1)) == (200, 30, 40)


def test_a_kind_that_there_is_not(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["renew_models.py", "gam"])
    with pytest.raises(SystemExit, match="2"):
        renew_models.main()
    assert "gam: no such kind; expected some of" in capsys.readouterr().err
