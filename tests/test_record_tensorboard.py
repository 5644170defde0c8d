"""TensorBoard itself, with its fast (Rust) and its Python loader, shows what we wrote."""

import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from kerasviz_callbacks.record import Log, encode

# TensorBoard as it runs without TensorFlow: it starts in two seconds instead of eight.
START = (
    "import sys, types; sys.modules['tensorboard.compat.notf'] = types.ModuleType('notf'); "
    "from tensorboard.main import run_main; run_main()"
)
PICTURE = np.arange(9 * 12 * 3, dtype=np.uint8).reshape(9, 12, 3)
STEPS = list(range(-1, 14))


@pytest.fixture(scope="module")
def log_dir(tmp_path_factory):
    """A log with the untrained model, a deleted file's successor and a truncated tail."""
    directory = tmp_path_factory.mktemp("logs")
    log = Log(directory, "views")
    for step in STEPS:
        if step == 9:
            log.close()
        log.picture("validation", "grad_cam/conv5", step, PICTURE + np.uint8(step + 1), "*Read* me")
        log.scalar("validation", "overfitting/knn", step, step / 16, "*Figure*")
    log.close()
    newest = max((directory / "views" / "validation").iterdir())
    with newest.open("ab") as file:
        file.write(newest.read_bytes()[:99])
    return directory


@pytest.fixture(scope="module", params=["true", "false"], ids=["fast loader", "Python loader"])
def tensorboard(request, log_dir, tmp_path_factory):
    """The address of a TensorBoard that has started."""
    output = tmp_path_factory.mktemp("tensorboard") / "output"
    options = [
        "--host=127.0.0.1",
        "--port=0",
        f"--load_fast={request.param}",
        "--samples_per_plugin=images=1000",
    ]
    with output.open("wb") as file:
        command = [sys.executable, "-c", START, "--logdir", str(log_dir), "--reload_interval=1", *options]
        process = subprocess.Popen(command, stdout=file, stderr=file)
    try:
        yield address_in(output, process)
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def address_in(output: Path, process):
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(r"http://127\.0\.0\.1:\d+/", output.read_text()):
            return found[0]
        time.sleep(0.1)
    pytest.fail(f"TensorBoard did not start: {output.read_text()}")


def ask(address, path, **arguments):
    """The body of the answer, asked again until the loader has come so far."""
    url = f"{address}data/{path}?{urllib.parse.urlencode(arguments)}"
    deadline = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                if (body := answer.read()) not in (b"[]", b"{}"):
                    return body
        except urllib.error.HTTPError as error:
            if time.monotonic() > deadline:
                pytest.fail(f"{url}: {error.read()!r}")
        if time.monotonic() > deadline:
            pytest.fail(f"{url}: nothing")
        time.sleep(0.2)


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
    figures = json.loads(ask(tensorboard, "plugin/scalars/scalars", **name))
    assert [(step, value) for _, step, value in figures] == [(step, step / 16) for step in STEPS]
    tags = json.loads(ask(tensorboard, "plugin/scalars/tags"))["views/validation"]["overfitting/knn"]
    assert "<em>Figure</em>" in tags["description"]
