"""The worker: order, errors, bounds, ends."""

import copy
import gc
import pickle
import subprocess
import sys
import textwrap
import threading
import time
import weakref

import pytest

from kerasviz_callbacks.record import Worker

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


def test_jobs_run_in_order_one_at_a_time_off_this_thread():
    worker, ran = Worker(), []
    tickets = [worker.submit(lambda n=n: ran.append((n, threading.get_ident()))) for n in range(200)]
    assert all(ticket.wait(SOON) for ticket in tickets)
    assert [n for n, _ in ran] == list(range(200))
    assert threading.get_ident() not in {thread for _, thread in ran}
    assert worker.close(SOON)


def test_a_job_that_raises_is_kept_with_its_ticket_and_the_next_one_runs():
    worker = Worker()
    for kind in (ValueError, SystemExit):

        def fail(kind=kind):
            raise kind("bad")

        failed, good = worker.submit(fail), worker.submit(lambda: None)
        assert failed.wait(SOON)
        assert good.wait(SOON)
        assert type(failed.error) is kind
        assert good.error is None


def test_wait_gives_up_in_time(gate):
    ticket = Worker().submit(gate)
    start = time.monotonic()
    assert not ticket.wait(0.05)
    assert 0.04 < time.monotonic() - start < 5
    gate.open.set()
    assert ticket.wait(SOON)


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "kerasviz_callbacks"]


def test_no_thread_before_the_first_job_none_after_the_last_and_again_with_the_next(gate):
    worker = Worker()
    assert threads() == []
    worker.submit(gate)
    assert gate.begun.wait(SOON)
    (thread,) = threads()
    assert thread.daemon
    assert not worker.close(0.02)
    gate.open.set()
    assert worker.close(SOON)
    assert worker.close(SOON)
    assert threads() == []
    assert worker.submit(lambda: None).wait(SOON)
    assert worker.close(SOON)


def test_submit_waits_for_room_and_goes_on_when_there_is(gate):
    worker = Worker(bound=100, patience=SOON)
    worker.submit(gate, size=60)
    worker.submit(lambda: None, size=40)
    threading.Timer(0.1, gate.open.set).start()
    start = time.monotonic()
    ticket = worker.submit(lambda: None, size=1)
    assert 0.05 < time.monotonic() - start < SOON / 2
    assert ticket.wait(SOON)


def test_there_is_room_as_soon_as_a_job_has_run(gate):
    worker, later = Worker(bound=100, patience=SOON), Gate()
    worker.submit(gate, size=60)
    worker.submit(later, size=40)
    threading.Timer(0.05, gate.open.set).start()
    start = time.monotonic()
    ticket = worker.submit(lambda: None, size=60)
    assert time.monotonic() - start < SOON / 2
    assert not ticket.wait(0)
    later.open.set()
    assert ticket.wait(SOON)


def test_submit_is_patient_but_not_for_ever(gate):
    worker = Worker(bound=100, patience=0.1)
    worker.submit(gate, size=100)
    start = time.monotonic()
    ticket = worker.submit(lambda: None, size=1)
    assert 0.09 < time.monotonic() - start < 5
    gate.open.set()
    assert ticket.wait(SOON)


def test_a_job_larger_than_the_bound_is_taken_when_there_is_no_other():
    worker = Worker(bound=1, patience=SOON)
    start = time.monotonic()
    for _ in range(3):
        assert worker.submit(lambda: None, size=10).wait(SOON)
    assert time.monotonic() - start < SOON / 2


def test_a_job_may_submit_and_close_without_waiting_for_itself():
    worker, seen = Worker(bound=1, patience=SOON), []

    def job():
        seen.append(worker.submit(lambda: seen.append("second"), size=1))
        seen.append(worker.close())

    start = time.monotonic()
    worker.submit(job, size=1)
    assert worker.close(SOON)
    assert time.monotonic() - start < SOON / 2
    assert seen[1:] == [False, "second"]


def test_a_job_is_let_go_of_and_so_is_the_worker():
    class Held:
        pass

    held, worker = Held(), Worker()
    job, whole = weakref.ref(held), weakref.ref(worker)
    ticket = worker.submit(lambda held=held: None)
    del held
    assert worker.close(SOON)
    assert ticket.wait(SOON)
    gc.collect()
    assert job() is None
    del worker
    gc.collect()
    assert whole() is None


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda worker: pickle.loads(pickle.dumps(worker))])
def test_a_copy_is_a_fresh_worker(gate, clone):
    worker = Worker(bound=7, patience=0.5)
    worker.submit(gate)
    other = clone(worker)
    assert (other.bound, other.patience) == (7, 0.5)
    assert other.close(0)
    assert other.submit(lambda: None).wait(SOON)


def test_without_threads_the_caller_does_the_work(monkeypatch):
    def refuse(self):
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    worker, ran = Worker(), []
    ticket = worker.submit(lambda: ran.append(threading.current_thread()))
    assert ticket.wait(0)
    assert ran == [threading.current_thread()]
    assert worker.close(0)


@pytest.mark.parametrize("close", [True, False])
def test_the_interpreter_ends_whatever_is_under_way(close):
    script = f"""
        import atexit, time
        from kerasviz_callbacks.record import Worker
        worker = Worker()
        if {close}:
            atexit.register(lambda: print(worker.submit(lambda: print("late")).wait(5), worker.close(5)))
        worker.submit(lambda: time.sleep({0.1 if close else 60}))
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, timeout=30, check=True, capture_output=True, text=True)
    assert done.stdout == ("late\nTrue True\n" if close else "")
    assert done.stderr == ""


def test_many_threads_may_submit():
    worker, ran = Worker(bound=10), []
    tickets = []

    def submit():
        tickets.extend([worker.submit(lambda: ran.append(1), size=3) for _ in range(100)])

    submitters = [threading.Thread(target=submit) for _ in range(4)]
    for thread in submitters:
        thread.start()
    for thread in submitters:
        thread.join(SOON)
    assert worker.close(SOON)
    assert len(ran) == len(tickets) == 400
