"""Trainings that are killed at random moments, for `test_faults_killed.py`: `python killed.py DIRECTORY COUNT`.

Each is a process of its own, forked when Keras is imported and before anything is computed, since importing takes
longer than all the rest.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from harness import classifier, fit, pictures

import kerasviz_callbacks as kv

DATA = pictures()
PATIENCE = 60  # seconds for a training to come to the epoch at which it is killed


def train(directory: Path) -> None:
    """Train for ever, noting each epoch that was handed over, and which ones were not drawn."""
    import keras

    class Progress(keras.callbacks.Callback):
        def __init__(self, file: int):
            super().__init__()
            self.file = file

        def on_epoch_begin(self, epoch, logs=None):
            time.sleep(0.1)  # so that drawing keeps up, on a busy machine too

        def on_epoch_end(self, epoch, logs=None):
            line = json.dumps({"epoch": epoch, "skipped": sorted(views[0].fit_context.queue.skipped)})
            os.write(self.file, f"{line}\n".encode())

    test = (DATA.x_val, DATA.y_val)
    given = {"training_data": (DATA.x, DATA.y), "count": 6}
    views = [
        kv.FilterImages(directory),
        kv.ActivationMaps(directory, test, **given),
        kv.GradCAM(directory, test, **given),
    ]
    progress = os.open(directory / "progress", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    fit(classifier(), DATA.x, DATA.y, [*views, Progress(progress)], epochs=10**6)


def killed(directory: Path, draws: random.Random) -> None:
    """Start a training and kill it."""
    directory.mkdir(parents=True)
    at, delay = draws.randint(0, 12), draws.uniform(0, 0.15)
    child = os.fork()
    if not child:
        try:
            train(directory)
        finally:
            os._exit(1)  # it came to an end, which it must not
    progress, until = directory / "progress", time.monotonic() + PATIENCE
    while time.monotonic() < until and not (progress.exists() and progress.read_bytes().count(b"\n") > at):
        time.sleep(0.005)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    (directory / "ended").write_text(str(os.waitpid(child, 0)[1]))


if __name__ == "__main__":
    where, count = Path(sys.argv[1]), int(sys.argv[2])
    for number in range(count):
        killed(where / str(number), random.Random(number))
