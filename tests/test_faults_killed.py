"""Processes that are killed, that share a log, that end in the midst: what was drawn can be read, and nothing hangs."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from harness import runs
from served import started, steps_of

HERE = Path(__file__).parent
KILLED = 22  # how many trainings
TAGS = {
    "views/model": "filters/conv2",
    "views/validation": "grad_cam/conv2",
    "views/train": "activations/conv1",
}


def python(code: str, *arguments, timeout: float, **given):
    """Run a script in a process of its own, beside the tests' modules."""
    environment = {**os.environ, "PYTHONPATH": str(HERE), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.run(
        command, env=environment, timeout=timeout, capture_output=True, text=True, check=False, **given
    )


@pytest.fixture
def killed(tmp_path):
    """Logs of trainings that were killed at random moments."""
    where = tmp_path / "killed"
    done = python(
        "import runpy; runpy.run_path(__import__('sys').argv.pop(1), run_name='__main__')",
        HERE / "killed.py",
        where,
        KILLED,
        timeout=30 * KILLED,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = sorted(where.iterdir())
    assert len(found) == KILLED
    assert {(one / "ended").read_text() for one in found} == {str(int(signal.SIGKILL))}
    return where


def must_be_readable(directory: Path) -> list[int]:
    """Every drawn step that was handed over but the last, which may have been in flight."""
    lines = (directory / "progress").read_bytes().split(b"\n")[:-1]
    last = json.loads(lines[-1])
    drawn = [step for step in range(-1, last["epoch"] + 1) if step not in last["skipped"]]
    return drawn[:-1]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="forks after TensorFlow was imported, which is safe only there")
@pytest.mark.fault("`kill -9` at 22 random moments", "every drawn epoch before the one in flight, by both loaders")
def test_every_drawn_epoch_before_the_one_in_flight_is_readable(killed, tmp_path):
    for fast in (True, False):
        with started(killed, tmp_path / f"output {fast}", fast=fast) as address:
            for directory in sorted(killed.iterdir()):
                wanted = must_be_readable(directory)
                assert wanted, "it was killed after an epoch"
                for run, tag in TAGS.items():
                    shown = steps_of(address, f"{directory.name}/{run}", tag, least=len(wanted))
                    assert shown[: len(wanted)] == wanted
                    assert len(shown) <= len(wanted) + 2, "no more than the one in flight, and the one after"


@pytest.mark.slow
@pytest.mark.fault("one callback list in two processes at once", "each has runs of its own, both complete")
def test_a_callback_list_that_two_processes_use_at_once_makes_two_complete_logs(tmp_path):
    code = """
        import multiprocessing, sys
        from pathlib import Path

        def train(callbacks, barrier):
            import keras
            from harness import classifier, fit, pictures

            class Together(keras.callbacks.Callback):
                def on_epoch_end(self, epoch, logs=None):
                    barrier.wait(60)

            data = pictures()
            fit(classifier(), data.x, data.y, [*callbacks, Together()], epochs=4)

        if __name__ == "__main__":
            import kerasviz_callbacks as kv
            from harness import pictures

            data, where = pictures(), Path(sys.argv[1])
            callbacks = [kv.FilterImages(where), kv.GradCAM(where, (data.x_val, data.y_val), on_error="raise")]
            context = multiprocessing.get_context("spawn")
            barrier = context.Barrier(2)
            both = [context.Process(target=train, args=(callbacks, barrier)) for _ in range(2)]
            for one in both:
                one.start()
            for one in both:
                one.join()
            sys.exit(sum(one.exitcode for one in both))
    """
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(code))
    done = python(
        "import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')",
        script,
        tmp_path / "logs",
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = runs(tmp_path / "logs")
    assert set(found) == {f"{group}/{run}" for group in ("views", "views-2") for run in ("model", "validation")}
    for run in found.values():
        assert {tuple(steps) for steps in run.pictures.values()} == {(-1, 0, 1, 2, 3)}
    for path in (tmp_path / "logs").rglob("*tfevents*"):
        assert len(list(path.parent.iterdir())) == 1, "one writer a run"


ENDS = {
    "an exception of the user's": ("raise ZeroDivisionError", 1),
    "sys.exit": ("import sys; sys.exit(3)", 3),
    "Ctrl-C": ("import os, signal; os.kill(os.getpid(), signal.SIGINT)", -signal.SIGINT),
}


@pytest.mark.slow
@pytest.mark.fault(
    "the process ends in the midst of a training", "it ends at once, with its own code, and the log is whole"
)
@pytest.mark.parametrize("how", list(ENDS))
def test_a_process_that_ends_in_the_midst_of_training_does_so_at_once_and_its_log_is_whole(how, tmp_path):
    what, code = ENDS[how]
    done = python(
        f"""
        import sys, time
        import keras
        from harness import classifier, fit, pictures
        import kerasviz_callbacks as kv

        class End(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                if epoch == 2:
                    print(time.time(), flush=True)
                    {what}

        data = pictures()
        views = [kv.FilterImages(sys.argv[1]), kv.GradCAM(sys.argv[1], (data.x_val, data.y_val))]
        fit(classifier(), data.x, data.y, [*views, End()], epochs=9)
        """,
        tmp_path,
        timeout=120,
    )
    assert time.time() - float(done.stdout.split()[0]) < 15
    assert done.returncode == code, done.stderr[-2000:]
    found = runs(tmp_path)
    assert list(found["views/model"].pictures["filters/conv2"]) == [-1, 0, 1, 2]
    assert list(found["views/validation"].pictures["grad_cam/conv2"]) == [-1, 0, 1, 2]


@pytest.mark.slow
@pytest.mark.fault("a view that hangs in drawing when the process ends", "it ends after ten seconds")
def test_a_view_that_hangs_does_not_keep_the_process(tmp_path):
    done = python(
        """
        import sys, threading, time
        import keras
        from harness import classifier, fit, pictures
        import kerasviz_callbacks as kv

        class Hanging(kv.FilterImages):
            def draw(self, measured):
                threading.Event().wait()

        class End(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                print(time.time(), flush=True)
                raise ZeroDivisionError

        data = pictures()
        fit(classifier(), data.x, data.y, [Hanging(sys.argv[1]), End()], epochs=9)
        """,
        tmp_path,
        timeout=120,
    )
    assert time.time() - float(done.stdout.split()[0]) < 45
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
