"""Work handed over step by step: when it begins, and which steps are drawn."""

import threading

import pytest

from kerasviz_callbacks.record import StepQueue, step_queue

SOON = 20.0


@pytest.fixture
def gate():
    gate = threading.Event()
    yield gate
    gate.set()


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(step_queue, "PATIENCE", 0.05)


def test_nothing_begins_before_all_of_a_step_is_there():
    work, done = StepQueue(), []
    for number in range(3):
        work.submit(lambda n=number: done.append(n), step=0, size=0, drawn=True)
    assert not done
    work.begin()
    assert work.wait(SOON)
    assert done == [0, 1, 2]


@pytest.mark.parametrize("how", ["wait", "draws"])
def test_what_was_held_back_begins_with_whatever_comes_next(how):
    work, done = StepQueue(), []
    work.submit(lambda: done.append(0), step=0, size=0, drawn=True)
    assert work.wait(SOON) if how == "wait" else work.draws(1, must=False)
    assert done == [0]


def test_a_step_is_not_drawn_while_the_one_before_still_is_and_the_next_one_is_again(gate, impatient):
    work = StepQueue()
    assert work.draws(0, must=False)
    work.submit(lambda: gate.wait(SOON), step=0, size=0, drawn=True)
    work.begin()
    assert [work.draws(step, must=False) for step in (1, 1, 2)] == [False, False, False]
    assert work.skipped == {1, 2}
    assert work.draws(2, must=True), "the last one is drawn in any case"
    assert work.skipped == {1}
    gate.set()
    assert work.wait(SOON)
    assert work.draws(3, must=False)


def test_measuring_alone_never_keeps_a_step_from_being_drawn(gate, impatient):
    work = StepQueue()
    work.submit(lambda: gate.wait(SOON), step=0, size=0, drawn=False)
    work.begin()
    assert work.draws(1, must=False)
    assert not work.skipped


def test_who_presses_ctrl_c_once_waits_no_more(gate, monkeypatch):
    work = StepQueue()
    work.submit(lambda: gate.wait(SOON), step=0, size=0, drawn=True)

    def interrupted(timeout):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(work._worker, "close", interrupted)
        with pytest.raises(KeyboardInterrupt):
            work.wait(SOON)
    assert not work.wait(SOON)
    gate.set()
    assert work._worker.close(SOON)
