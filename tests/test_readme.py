"""What README and CONTRIBUTING say is so: code runs, commands are those of `.ci/run`, pictures are there."""

import re
import shlex
from pathlib import Path

import keras
import numpy as np
from harness import classifier, fit, pictures, read, runs
from test_examples import epochs_of

import kerasviz_callbacks as kv

HOUSE = Path(__file__).parent.parent
README = (HOUSE / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (HOUSE / "CONTRIBUTING.md").read_text(encoding="utf-8")


def blocks(text, language):
    """The fenced blocks of one language, in their order."""
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_fit_of_the_readme_runs_as_it_stands_and_learns(tmp_path, monkeypatch):
    (tmp_path / "examples" / "data").mkdir(parents=True)
    with np.load(HOUSE / "examples" / "data" / "fashion_mnist_5k.npz") as data:
        few = {key: data[key][::8] for key in ("x_train", "y_train", "x_test", "y_test")}
    np.savez(tmp_path / "examples" / "data" / "fashion_mnist_5k.npz", **few)
    monkeypatch.chdir(tmp_path)
    keras.utils.set_random_seed(1)
    names = {}
    exec(blocks(README, "python")[0], names)
    names["data"].close()
    loss = names["model"].history.history["loss"]
    assert loss[-1] < loss[0]
    for run, views in (("model", {"filters"}), ("validation", {"activations", "grad_cam"})):
        logged = read(tmp_path / "logs" / "views" / run).pictures
        assert {tag.split("/")[0] for tag in logged} == views
        assert all(sorted(steps) == list(range(-1, 5)) for steps in logged.values())
    assert epochs_of("epoch_accuracy", tmp_path / "logs" / "validation") == list(range(5))


def test_the_fit_of_the_readme_is_ten_lines():
    lines = [line for line in blocks(README, "python")[0].splitlines() if line.strip()]
    assert len(lines) == 10
    assert max(map(len, lines)) <= 110


def test_the_numbers_of_the_readme_are_what_it_says():
    model, x = classifier(), pictures().x
    names = {"kv": kv, "model": model, "x": x}
    model.predict(x[:1], verbose=0)
    exec(blocks(README, "python")[1].replace("target=3", "target=2"), names)  # this model has three classes
    assert names["maps"].shape == (16, 4, 4, 5)
    assert names["heat"].shape == (16, 4, 4)


def test_the_view_of_contributing_works(tmp_path):
    (code,) = blocks(CONTRIBUTING, "python")
    names = {}
    exec(code, names)
    data = pictures()
    given = {"training_data": (data.x, data.y), "on_error": "raise"}
    view = names["Answers"](tmp_path, (data.x_val, data.y_val), **given)
    fit(classifier(), data.x, data.y, [view])
    found = runs(tmp_path)
    assert set(found) == {"views/validation", "views/train"}
    assert all(sorted(run.pictures["answers/output"]) == [-1, 0, 1, 2] for run in found.values())


def test_the_commands_of_the_readme_are_those_that_are_checked():
    checked = (HOUSE / ".ci" / "run").read_text(encoding="utf-8")
    commands = [block.strip() for block in blocks(README, "bash") if "venv" in block and "pip" in block]
    assert len(commands) == 2
    for command in commands:
        assert "\n" not in command
        assert command in checked


def test_the_readme_says_how_to_look_as_fit_does(tmp_path, capsys):
    (command,) = [block.strip() for block in blocks(README, "bash") if "tensorboard" in block]
    model, data = classifier(), pictures()
    fit(model, data.x, data.y, [kv.FilterImages(tmp_path)], verbose=1)
    said = [line for line in capsys.readouterr().out.splitlines() if "--logdir" in line]
    ours = said[-1].split(": ", 1)[1].replace(shlex.quote(str(tmp_path)), "logs")
    assert command.endswith(ours)


def test_the_readme_is_short_and_needs_no_network():
    assert len(README.splitlines()) <= 150
    assert "://" not in README.replace("`gs://`", "").replace("`s3://`", "")


def test_what_the_readme_shows_and_links_to_is_there():
    links = re.findall(r"\]\(([^)]+)\)", README) + re.findall(r'src="([^"]+)"', README)
    assert len(links) >= 7
    missing = [link for link in links if not (HOUSE / link).is_file()]
    assert not missing


def test_the_pictures_are_few_and_small():
    sizes = [path.stat().st_size for path in (HOUSE / "docs" / "gallery").iterdir()]
    assert len(sizes) <= 6
    assert sum(sizes) <= 1_000_000
