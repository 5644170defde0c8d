"""TensorBoard itself, with its fast (Rust) and its Python loader, shows what we wrote."""

import json
import urllib.request

import numpy as np
import pytest
from harness import first
from served import ask, started

from kerasviz_callbacks.record.event_files import EventFileSink
from kerasviz_callbacks.record.png import encode

PICTURE = np.arange(9 * 12 * 3, dtype=np.uint8).reshape(9, 12, 3)
STEPS = list(range(-1, 14))


@pytest.fixture(scope="module")
def log_dir(tmp_path_factory):
    """A log with the untrained model, a deleted file's successor and a truncated tail."""
    directory = tmp_path_factory.mktemp("logs")
    log = EventFileSink(directory)
    log.begin(-1)
    for step in STEPS:
        if step == 9:
            log.close()
        log.image("validation", "grad_cam/conv5", step, encode(PICTURE + np.uint8(step + 1)), "*Read* me")
        log.scalar("validation", "overfitting/knn", step, step / 16, "*Scalar*")
        log.text("validation", "notes/run", step, f"# Step {step}", "*Text*")
        log.flush()
    log.close()
    newest = max((directory / "views" / "validation").iterdir())
    with newest.open("ab") as file:
        file.write(newest.read_bytes()[:99])
    return directory


@pytest.fixture(scope="module", params=first([False, True]), ids=["Python loader", "fast loader"])
def tensorboard(request, log_dir, tmp_path_factory):
    """The address of a TensorBoard that has started."""
    with started(log_dir, tmp_path_factory.mktemp("tensorboard") / "output", fast=request.param) as address:
        yield address


def test_every_step_is_shown_the_untrained_model_too(tensorboard):
    name = {"run": "views/validation", "tag": "grad_cam/conv5"}
    pictures = json.loads(ask(tensorboard, "plugin/images/images", **name, sample=0))
    assert [picture["step"] for picture in pictures] == STEPS
    first = pictures[0]["query"]
    with urllib.request.urlopen(f"{tensorboard}data/plugin/images/individualImage?{first}", timeout=10) as answer:
        assert answer.headers["Content-Type"] == "image/png"
        assert answer.read() == encode(PICTURE)
    tags = json.loads(ask(tensorboard, "plugin/images/tags"))["views/validation"]["grad_cam/conv5"]
    assert tags["samples"] == 1
    assert "<em>Read</em> me" in tags["description"]

    name["tag"] = "overfitting/knn"
    metrics = json.loads(ask(tensorboard, "plugin/scalars/scalars", **name))
    assert [(step, value) for _, step, value in metrics] == [(step, step / 16) for step in STEPS]
    tags = json.loads(ask(tensorboard, "plugin/scalars/tags"))["views/validation"]["overfitting/knn"]
    assert "<em>Scalar</em>" in tags["description"]

    name["tag"] = "notes/run"
    texts = json.loads(ask(tensorboard, "plugin/text/text", **name, markdown="true"))
    assert texts[-1]["step"] == STEPS[-1]
    assert f"<h1>Step {STEPS[-1]}</h1>" in texts[-1]["text"]
