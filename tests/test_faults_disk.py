"""What disks do to a log in the midst of training: the training is what it would have been, the log all it could be."""

import contextlib
import os
import shutil
import subprocess
import sys
import warnings
from dataclasses import dataclass, field

import keras
import numpy as np
import pytest
from harness import classifier, fit, pictures, runs, same_weights

import kerasviz_callbacks as kv

resource = pytest.importorskip("resource", reason="Windows has other rules for open and deleted files")
DATA = pictures()
VALIDATION = (DATA.x_val, DATA.y_val)
EPOCHS = 9
NOBODY = 65534
BROKEN = (3, 4, 5)  # epochs at whose end nothing can be written
TAGS = {"views/model": "filters/conv2", "views/validation": "grad_cam/conv2", "views/train": "activations/conv1"}


@pytest.fixture(scope="module")
def alone():
    """The same training without us: weights and history."""
    keras.utils.set_random_seed(7)
    model = classifier()
    history = fit(model, DATA.x, DATA.y, epochs=EPOCHS).history
    return model.get_weights(), history


@pytest.fixture
def disk(tmp_path):
    """A small file system of its own."""
    where = tmp_path / "disk"
    where.mkdir()
    made = sys.platform == "linux" and shutil.which("mount") is not None
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(where)]
    if not made or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a file system")
    try:
        yield where
    finally:
        subprocess.run(["umount", "--lazy", str(where)], check=True)


@dataclass
class Damage(keras.callbacks.Callback):
    """Breaks something before the views look at the first broken epoch, and mends it after the last."""

    begin: object
    end: object = lambda: None
    view: kv.FilterImages | None = None
    errors: list = field(default_factory=list)

    def __post_init__(self):
        super().__init__()

    def on_epoch_end(self, epoch, logs=None):
        if epoch in (BROKEN[0], BROKEN[-1] + 1):
            self.view.fit_context.wait()  # so that it is known which epochs are hit
            (self.begin if epoch == BROKEN[0] else self.end)()


def watched(where, damage, alone, capsys, *after, **options) -> tuple[list[str], str]:
    """A training that is damaged: what was warned of, and the closing line; the training itself is as alone."""
    keras.utils.set_random_seed(7)
    model, given = classifier(), {"training_data": (DATA.x, DATA.y), "count": 6}
    views = [
        kv.FilterImages(where, **options),
        kv.ActivationMaps(where, VALIDATION, **given),
        kv.GradCAM(where, VALIDATION, **given),
    ]
    damage.view = views[0]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        history = fit(model, DATA.x, DATA.y, [damage, *views, *after], epochs=EPOCHS, verbose=2).history
    assert same_weights(model.get_weights(), alone[0])
    assert history == alone[1]
    closing = next(line for line in capsys.readouterr().out.splitlines() if "tensorboard --logdir" in line)
    return [str(one.message) for one in told], closing


def assert_log(where, missing=BROKEN):
    """All but these epochs are there, whole."""
    found = runs(where)
    assert set(found) == set(TAGS)
    for run, tag in TAGS.items():
        steps = found[run].pictures[tag]
        assert list(steps) == [step for step in range(-1, EPOCHS) if step not in missing]
        assert all(found[run].picture(tag, step).ndim == 3 for step in steps)


def assert_saved(saved, closing):
    """Of the two kernels' PNG files those of the broken epochs are missing, and counted."""
    files = {int(path.stem) for path in (saved / "views/model/filters/conv2").iterdir()}
    assert files == {step for step in range(-1, EPOCHS) if step not in BROKEN}
    assert f"({2 * len(BROKEN)} images and scalars could not be written)" in closing


def said_once(told, *words):
    """One warning for the one cause, whatever the number of views and epochs."""
    assert len(told) == 1, told
    for word in ("kerasviz_callbacks could not write to", "training goes on", *words):
        assert word in told[0]


@pytest.mark.slow
@pytest.mark.fault("the disk is full for three epochs", "one warning; all other epochs are whole, the lost are counted")
def test_a_full_disk(disk, alone, capsys):
    ballast = disk / "ballast"

    def fill():
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            for size in (4096, 64, 1):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(b"\0" * size)

    told, closing = watched(disk / "logs", Damage(fill, ballast.unlink), alone, capsys)
    said_once(told, "No space left on device")
    assert_log(disk / "logs")
    assert "could not be written" in closing


@pytest.fixture
def right_to_write():
    """Takes the right to write anywhere from this process, and gives it back."""
    if sys.platform == "win32" or os.geteuid():
        pytest.skip("needs to become another user, as root can")
    try:
        yield lambda given: os.seteuid(0 if given else NOBODY)
    finally:
        os.seteuid(0)


@pytest.mark.slow
@pytest.mark.fault("the directories become read-only", "open event files go on, PNG files are lost, with one warning")
def test_directories_that_become_read_only(right_to_write, tmp_path, alone, capsys):
    where, saved = tmp_path / "logs", tmp_path / "saved"
    damage = Damage(lambda: right_to_write(False), lambda: right_to_write(True))
    told, closing = watched(where, damage, alone, capsys, save_dir=saved)
    said_once(told, "Permission denied")
    assert_log(where, missing=())
    assert_saved(saved, closing)


@pytest.mark.slow
@pytest.mark.fault("the log directory is deleted", "made again at the next drawn epoch, no warning")
def test_a_log_directory_that_is_deleted(tmp_path, alone, capsys):
    where = tmp_path / "logs"
    told, closing = watched(where, Damage(lambda: shutil.rmtree(where)), alone, capsys)
    assert told == []
    assert_log(where, missing=range(-1, BROKEN[0]))
    assert "could not be written" not in closing


@pytest.mark.slow
@pytest.mark.fault("the log directory becomes unwritable", "one warning; all other epochs are whole")
def test_a_log_directory_that_becomes_a_file_for_three_epochs(tmp_path, alone, capsys):
    where, aside = tmp_path / "logs", tmp_path / "aside"

    def begin():
        where.rename(aside)
        where.touch()

    def end():
        where.unlink()
        aside.rename(where)

    told, closing = watched(where, Damage(begin, end), alone, capsys)
    said_once(told)
    assert_log(where)
    assert "could not be written" in closing


class Exhausted(Damage):
    """No file can be opened while views take, draw and write; between, TensorFlow itself would die of it."""

    def __init__(self):
        super().__init__(None)
        self.limits, self.held = resource.getrlimit(resource.RLIMIT_NOFILE), []

    def on_epoch_end(self, epoch, logs=None):
        if epoch in BROKEN:
            self.view.fit_context.wait()
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(self.limits[0], 512), self.limits[1]))
            with contextlib.suppress(OSError):
                while True:
                    self.held.append(os.open(os.devnull, os.O_RDONLY))

    def release(self):
        if self.view.in_fit:
            self.view.fit_context.wait()
        while self.held:
            os.close(self.held.pop())
        resource.setrlimit(resource.RLIMIT_NOFILE, self.limits)


@pytest.mark.slow
@pytest.mark.fault("no more files can be opened", "open event files go on, PNG files are lost, with one warning")
def test_a_limit_of_open_files(tmp_path, alone, capsys):
    where, saved, damage = tmp_path / "logs", tmp_path / "saved", Exhausted()
    after = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: damage.release())
    try:
        told, closing = watched(where, damage, alone, capsys, after, save_dir=saved)
    finally:
        damage.release()
    said_once(told, "Too many open files")
    assert_log(where, missing=())
    assert_saved(saved, closing)


@pytest.mark.slow
@pytest.mark.fault("the disk is full from the first epoch on, to the end", "one warning, the training is untouched")
def test_a_disk_that_stays_full(disk, alone, capsys):
    class Full(Damage):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 0:
                self.view.fit_context.wait()
                with contextlib.suppress(OSError):
                    (disk / "ballast").write_bytes(b"\0" * 2**23)

    told, _ = watched(disk / "logs", Full(None), alone, capsys)
    said_once(told, "No space left on device")
    steps = runs(disk / "logs")["views/model"].pictures["filters/conv2"]
    assert next(iter(steps)) == -1
    assert np.all(np.diff(list(steps)) > 0)
