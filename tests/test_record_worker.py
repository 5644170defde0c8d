"""The worker: order, errors, ends."""

import gc
import subprocess
import sys
import textwrap
import threading
import time
import weakref

import pytest

from kerasviz_callbacks.record.worker import Worker

SOON = 20.0


class Gate:
    """A job that waits until the test lets it go on."""

    def __init__(self):
        self.begun, self.open = threading.Event(), threading.Event()

    def __call__(self):
        self.begun.set()
        assert self.open.wait(SOON)


@pytest.fixture
def gate():
    gate = Gate()
    yield gate
    gate.open.set()


@pytest.fixture
def raised(monkeypatch):
    """What jobs raised, in order."""
    found = []
    monkeypatch.setattr(threading, "excepthook", lambda told: found.append((told.exc_type, str(told.exc_value))))
    return found


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "kerasviz_callbacks"]


def test_jobs_run_in_order_one_at_a_time_off_this_thread():
    worker, ran = Worker(), []
    for number in range(200):
        worker.submit(lambda n=number: ran.append((n, threading.get_ident())))
    assert worker.wait(SOON)
    assert [n for n, _ in ran] == list(range(200))
    assert threading.get_ident() not in {thread for _, thread in ran}


@pytest.mark.parametrize("kind", [ValueError, SystemExit, KeyboardInterrupt])
def test_what_a_job_raises_is_told_and_the_next_one_runs(raised, kind):
    worker, ran = Worker(), []

    def fail():
        raise kind("bad")

    for job in (fail, lambda: ran.append(1), fail, lambda: ran.append(2)):
        worker.submit(job)
    assert worker.wait(SOON)
    assert ran == [1, 2]
    assert raised == [(kind, "bad")] * 2


def test_submit_returns_at_once_and_says_how_many_wait(gate):
    worker = Worker()
    worker.submit(gate)
    assert gate.begun.wait(SOON)
    for _ in range(3):
        worker.submit(lambda: None)
    assert worker.waiting == 3
    gate.open.set()
    assert worker.wait(SOON)
    assert worker.waiting == 0


def test_no_thread_before_the_first_job_none_after_the_last_and_again_with_the_next(gate):
    worker = Worker()
    assert threads() == []
    assert worker.wait(0)
    worker.submit(gate)
    assert gate.begun.wait(SOON)
    (thread,) = threads()
    assert thread.daemon
    assert not worker.wait(0.02)
    gate.open.set()
    assert worker.wait(SOON)
    assert worker.wait(SOON)
    assert threads() == []
    worker.submit(lambda: None)
    assert worker.wait(SOON)


def test_a_job_may_submit_and_wait_without_waiting_for_itself():
    worker, seen = Worker(), []

    def job():
        worker.submit(lambda: seen.append("second"))
        seen.append(worker.wait())

    start = time.monotonic()
    worker.submit(job)
    assert worker.wait(SOON)
    assert time.monotonic() - start < SOON / 2
    assert seen == [False, "second"]


def test_a_job_is_let_go_of_and_so_is_the_worker(gate):
    class Held:
        pass

    held, worker = Held(), Worker()
    job, whole = weakref.ref(held), weakref.ref(worker)
    worker.submit(lambda held=held: None)
    worker.submit(gate)
    del held
    assert gate.begun.wait(SOON)
    gc.collect()
    assert job() is None, "as soon as it has run"
    gate.open.set()
    assert worker.wait(SOON)
    del worker
    gc.collect()
    assert whole() is None


def test_without_threads_the_caller_does_the_work(monkeypatch):
    def refuse(self):
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    worker, ran = Worker(), []
    worker.submit(lambda: ran.append(threading.current_thread()))
    assert ran == [threading.current_thread()]
    assert worker.wait(0)


@pytest.mark.parametrize("close", [True, False])
def test_the_interpreter_ends_whatever_is_under_way(close):
    script = f"""
        import atexit, time
        from kerasviz_callbacks.record.worker import Worker
        worker = Worker()
        if {close}:
            atexit.register(lambda: (worker.submit(lambda: print("late")), print(worker.wait(5))))
        worker.submit(lambda: time.sleep({0.1 if close else 60}))
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, timeout=30, check=True, capture_output=True, text=True)
    assert done.stdout == ("late\nTrue\n" if close else "")
    assert done.stderr == ""


def test_many_threads_may_submit():
    worker, ran = Worker(), []

    def submit():
        for _ in range(100):
            worker.submit(lambda: ran.append(1))

    submitters = [threading.Thread(target=submit) for _ in range(4)]
    for thread in submitters:
        thread.start()
    for thread in submitters:
        thread.join(SOON)
    assert worker.wait(SOON)
    assert len(ran) == 400
