"""TensorBoard itself, started on a log directory and asked over http."""

import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

# TensorBoard as it runs without TensorFlow: it starts in two seconds instead of eight.
START = (
    "import sys, types; sys.modules['tensorboard.compat.notf'] = types.ModuleType('notf'); "
    "from tensorboard.main import run_main; run_main()"
)


@contextmanager
def started(log_dir, output: Path, *, fast: bool):
    """The address of a TensorBoard that has started, with its fast (Rust) or its Python loader."""
    options = [
        "--host=127.0.0.1",
        "--port=0",
        f"--load_fast={str(fast).lower()}",
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


def steps_of(address, run: str, tag: str, *, least: int = 1) -> list[int]:
    """The steps of a picture that TensorBoard shows, once it has read so many: it reads on while it answers."""
    deadline = time.monotonic() + 20
    while True:
        pictures = json.loads(ask(address, "plugin/images/images", run=run, tag=tag, sample=0))
        if len(pictures) >= least or time.monotonic() > deadline:
            return [picture["step"] for picture in pictures]
        time.sleep(0.2)
