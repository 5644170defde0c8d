"""What README and CONTRIBUTING say is so: code runs, commands are those of `.ci/run`, pictures are there."""

import re
import shlex
from pathlib import Path

import keras
import numpy as np
import PIL.Image
import pytest
from harness import classifier, fit, pictures, read, runs
from test_examples import TAGS, epochs_of

import kerasviz_callbacks as kv
from kerasviz_callbacks.maths import attribution_methods, class_activation

HOUSE = Path(__file__).parent.parent
README = (HOUSE / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (HOUSE / "CONTRIBUTING.md").read_text(encoding="utf-8")


def blocks(text, language):
    """The fenced blocks of one language, in their order."""
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.mark.slow
def test_the_fit_of_the_readme_runs_as_it_stands_and_learns_and_what_follows_it_shows_that_model(tmp_path, monkeypatch):
    (tmp_path / "examples" / "data").mkdir(parents=True)
    with np.load(HOUSE / "examples" / "data" / "fashion_mnist_5k.npz") as data:
        few = {key: data[key][::8] for key in ("x_train", "y_train", "x_test", "y_test")}
    np.savez(tmp_path / "examples" / "data" / "fashion_mnist_5k.npz", **few)
    monkeypatch.chdir(tmp_path)
    keras.utils.set_random_seed(1)
    names = {}
    exec(blocks(README, "python")[0], names)
    names["data"].close()
    model, code = names["model"], blocks(README, "python")
    loss = model.history.history["loss"]
    assert loss[-1] < loss[0]
    of_data = {"activations", "grad_cam", "overfitting", "confusion", "data_map"}
    for run, views in (("model", {"filters"}), ("validation", of_data)):
        logged = read(tmp_path / "logs" / "views" / run).pictures
        assert {tag.split("/")[0] for tag in logged} == views
        assert all(sorted(steps) == list(range(-1, 5)) for steps in logged.values())
    assert epochs_of("epoch_accuracy", tmp_path / "logs" / "validation") == list(range(5))

    (named,) = re.findall(r"`views=(\[[^`]+\])`", README)
    views = kv.Visualizer("logs", names["test"], views=eval(named, names))
    model.fit(*names["train"], callbacks=[views])  # a second training in the same directory, hence in runs of its own
    tags = [tag for run in ("model", "validation") for tag in read(tmp_path / "logs" / "views-2" / run).pictures]
    assert {tag.split("/")[0] for tag in tags} == {"weights", "grad_cam"}
    (snapshot,) = re.findall(r"`(PIL\.[^`]+)`", README)
    shown = eval(snapshot, {**names, "PIL": PIL})
    assert isinstance(shown, PIL.Image.Image)
    (grad_cam,) = kv.GradCAM("logs", names["test"]).pictures(model).values()
    np.testing.assert_array_equal(np.asarray(shown), grad_cam)

    exec(code[1].replace("epochs=40", "epochs=8").replace("patience=10", "patience=1, min_delta=1"), names)
    assert len(model.history.epoch) == 2, "it stops on what the monitor publishes"
    assert list(read(tmp_path / "logs" / "views-3" / "validation").pictures) == ["overfitting/summary"]

    exec(code[2].replace("epochs=12", "epochs=2"), names)
    assert sorted(names["suspects"].tolist()) == sorted(set(names["suspects"].tolist()))
    assert len(names["suspects"]) == 40
    lines = (tmp_path / "logs" / "views-4" / "train" / "data_map.csv").read_text().splitlines()
    assert len(lines) == 1 + len(names["train"][0])


def test_the_fit_of_the_readme_is_ten_lines():
    lines = [line for line in blocks(README, "python")[0].splitlines() if line.strip()]
    assert len(lines) == 10
    assert max(map(len, lines)) <= 110


def test_the_numbers_of_the_readme_are_what_it_says():
    model, x = classifier(), pictures().x
    names = {"kv": kv, "model": model, "x": x}
    model.predict(x[:1], verbose=0)
    exec(blocks(README, "python")[3].replace("target=3", "target=2"), names)  # this model has three classes
    assert names["maps"].shape == (16, 4, 4, 5)
    assert names["heat"].shape == (16, 4, 4)
    assert names["pixels"].shape == (16, 8, 8)


def test_the_view_of_contributing_works(tmp_path):
    (code,) = blocks(CONTRIBUTING, "python")
    names = {}
    exec(code, names)
    data = pictures()
    given = {"training_data": (data.x, data.y), "on_error": "raise"}
    view = names["ModelOutputs"](tmp_path, (data.x_val, data.y_val), **given)
    fit(classifier(), data.x, data.y, [view])
    found = runs(tmp_path)
    assert set(found) == {"views/validation", "views/train"}
    assert all(sorted(run.pictures["outputs/model"]) == [-1, 0, 1, 2] for run in found.values())


def test_the_commands_of_the_readme_are_those_that_are_checked():
    checked = (HOUSE / ".ci" / "run").read_text(encoding="utf-8")
    commands = [block.strip() for block in blocks(README, "bash") if "venv" in block and "pip" in block]
    assert len(commands) == 2
    for command in commands:
        assert "\n" not in command
        assert command in checked


def test_the_readme_says_how_to_look_as_fit_does(tmp_path, capsys):
    (commands,) = [block.strip().splitlines() for block in blocks(README, "bash") if "tensorboard" in block]
    model, data = classifier(), pictures()
    fit(model, data.x, data.y, [kv.FilterImages(tmp_path)], verbose=1)
    said = capsys.readouterr().out.splitlines()[-2:]
    ours = [line.split(": ", 1)[1].replace(shlex.quote(str(tmp_path)), "logs") for line in said]
    assert [command.removeprefix(".venv/bin/") for command in commands] == ours


def test_the_readme_is_short_and_needs_no_network():
    assert len(README.splitlines()) <= 200
    assert "://" not in README.replace("`gs://`", "").replace("`s3://`", "")


def test_what_the_readme_shows_and_links_to_is_there():
    links = re.findall(r"\]\(([^)]+)\)", README) + re.findall(r'src="([^"]+)"', README)
    assert len(links) >= 7
    missing = [link for link in links if not (HOUSE / link).is_file()]
    assert not missing


def test_every_view_is_in_the_gallery_with_a_picture():
    views = {name for name in kv.__all__ if name != "Visualizer" and hasattr(getattr(kv, name), "on_epoch_end")}
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| <img src=\"docs/gallery/[^\"]+\"[^>]* alt=\"[^\"]+\"> \|$", README, re.M)
    assert sorted(name for name, _ in rows) == sorted(views)
    assert all(len(said) > 80 for _, said in rows)


def test_every_example_is_named_with_what_is_seen():
    assert set(re.findall(r"^\| `(\w+)\.py` \| .+ \|$", README, re.M)) == set(TAGS)


def test_the_methods_that_the_readme_names_are_those_there_are():
    maps, attributions = re.findall(r"^- \*\*(?:Class activation maps|Attribution):\*\* ([^;]+);", README, re.M)
    assert re.findall(r"`([^`]+)`", maps) == list(class_activation.METHODS)
    assert sorted(re.findall(r"`([^`]+)`", attributions)) == sorted(attribution_methods.METHODS)


def test_the_pictures_are_few_and_small_and_all_shown():
    pictures = list((HOUSE / "docs" / "gallery").iterdir())
    assert {path.name for path in pictures} == set(re.findall(r"docs/gallery/([\w.]+)", README))
    sizes = [path.stat().st_size for path in pictures]
    assert max(sizes) <= 200_000
    assert sum(sizes) <= 1_000_000
