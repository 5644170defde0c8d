"""Work handed over step by step: its order, what of it is admitted, and that neither time nor memory grows."""

import copy
import gc
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from types import SimpleNamespace

import pytest

from kerasviz_callbacks.record import step_queue
from kerasviz_callbacks.record.step_queue import Admission, StepQueue

SOON = 20.0
ALL, MEASURED, NOTHING = Admission(True, True), Admission(True, False), Admission(False, False)


def nothing():
    pass


@pytest.fixture(autouse=True)
def _no_lag(monkeypatch):
    """A step is drawn only where all earlier ones are; `TestLag` says what a lag allows."""
    monkeypatch.setattr(step_queue, "MAX_LAG", 0.0)


@pytest.fixture
def gate():
    gate = threading.Event()
    yield gate
    gate.set()


@pytest.fixture
def clock(monkeypatch):
    """The queue's clock, set by the test."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(step_queue, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


@pytest.fixture
def asked(monkeypatch):
    """How long the queue would have waited, in seconds, at each wait; none of them is waited for."""
    asked = []

    class Impatient(threading.Condition):
        def wait_for(self, predicate, timeout=None):
            if not predicate():
                asked.append(timeout)
            return predicate()

    monkeypatch.setattr(step_queue, "threading", SimpleNamespace(Condition=Impatient))
    return asked


def given(queue, step, *, force=False, size=0, measure=nothing, draw=nothing):
    """One view's whole step; what was admitted."""
    admitted = queue.admit(step, force=force)
    if admitted.measure:
        queue.submit(step, size=size, measure=measure, draw=draw if admitted.draw else None)
    queue.begin()
    return admitted


def blocked(gate, *, draw=True, flush=nothing, **limits):
    """A queue whose worker stands still at step 0 until the gate opens, measuring or drawing."""
    queue, begun = StepQueue(flush, **limits), threading.Event()

    def block():
        begun.set()
        assert gate.wait(SOON)

    queue.admit(0, force=False)
    queue.submit(0, size=0, measure=nothing if draw else block, draw=block if draw else None)
    queue.begin()
    assert begun.wait(SOON)
    return queue


class TestOrder:
    def test_all_metrics_of_a_step_are_measured_and_flushed_before_its_first_picture(self):
        done = []
        queue = StepQueue(lambda: done.append("flush"))
        for step in (0, 1):
            assert queue.admit(step, force=False) == ALL
            for view in "ab":
                queue.submit(
                    step,
                    size=0,
                    measure=lambda s=step, v=view: done.append(f"measure {s}{v}"),
                    draw=lambda s=step, v=view: done.append(f"draw {s}{v}"),
                )
            queue.submit(step, size=0, measure=lambda s=step: done.append(f"measure {s}c"), draw=None)
            queue.begin()
            assert queue.wait(SOON)
        assert done == [
            word
            for step in (0, 1)
            for word in (
                *(f"measure {step}{view}" for view in "abc"),
                "flush",
                *(f"draw {step}{view}" for view in "ab"),
                "flush",
            )
        ]

    def test_nothing_begins_before_all_of_a_step_is_there(self):
        queue, done = StepQueue(), []
        queue.admit(0, force=False)
        for number in range(3):
            queue.submit(0, size=0, measure=lambda n=number: done.append(n), draw=None)
        time.sleep(0.05)
        assert not done
        queue.begin()
        assert queue.wait(SOON)
        assert done == [0, 1, 2]
        assert queue.steps == {0}

    @pytest.mark.parametrize("how", ["wait", "admit"])
    def test_what_was_held_back_begins_with_whatever_comes_next(self, how):
        queue, done = StepQueue(), threading.Event()
        queue.submit(0, size=0, measure=done.set, draw=None)
        assert queue.wait(SOON) if how == "wait" else queue.admit(1, force=False)
        assert done.wait(SOON)

    def test_a_queue_that_is_dropped_does_what_it_holds(self):
        queue, done = StepQueue(), threading.Event()
        queue.submit(0, size=0, measure=nothing, draw=done.set)
        del queue
        gc.collect()
        assert done.wait(SOON)

    def test_the_interpreter_ends_though_a_queue_still_holds_work(self):
        script = """
            from kerasviz_callbacks.record.step_queue import StepQueue
            queue = StepQueue()
            queue.submit(0, size=0, measure=lambda: None, draw=None)
        """
        command = [sys.executable, "-c", textwrap.dedent(script)]
        done = subprocess.run(command, timeout=30, check=True, capture_output=True, text=True)
        assert done.stdout + done.stderr == ""

    @pytest.mark.parametrize("failing", ["measure", "draw", "flush"])
    def test_a_job_that_raises_is_told_and_all_others_run(self, failing, monkeypatch):
        told, done = [], []
        monkeypatch.setattr(threading, "excepthook", lambda one: told.append(str(one.exc_value)))

        def job(name):
            def run():
                done.append(name)
                if failing in name:
                    raise SystemExit(name)

            return run

        queue = StepQueue(job("flush"))
        for step in range(2):
            given(queue, step, force=True, measure=job("measure"), draw=job("draw"))
        assert queue.wait(SOON)
        assert done == ["measure", "flush", "draw", "flush"] * 2
        assert told == [name for name in done if name == failing]
        assert queue.admit(2, force=False) == ALL

    def test_while_only_metrics_wait_behind_a_flush_is_left_to_them_for_a_while(self, gate, clock):
        flushed = []
        queue = blocked(gate, draw=False, flush=lambda: flushed.append(clock.now))
        queue._flushed = clock.now
        for step in range(1, 50):
            queue.admit(step, force=False)
            tick = (lambda: setattr(clock, "now", clock.now + 0.125)) if step > 30 else nothing
            queue.submit(step, size=0, measure=tick, draw=None)
        queue.begin()
        gate.set()
        assert queue.wait(SOON)
        assert flushed == [101.0, 102.0, 102.375], "after each second of waiting, and at the end"


class TestAdmission:
    def test_a_step_is_not_drawn_while_an_earlier_one_still_is_and_the_next_one_is_again(self, gate):
        queue = blocked(gate)
        assert [queue.admit(step, force=False) for step in (1, 1, 2)] == [MEASURED] * 3
        assert queue.skipped == {1, 2}
        assert queue.dropped == set()
        assert queue.admit(2, force=True) == ALL, "the last one is drawn in any case"
        assert queue.admit(2, force=False) == ALL, "and so it is for all who ask"
        assert queue.skipped == {1}
        assert (queue.left_out(1), queue.left_out(2)) == (True, False)
        gate.set()
        assert queue.wait(SOON)
        assert queue.admit(3, force=False) == ALL

    def test_measuring_alone_never_keeps_a_step_from_being_drawn(self, gate):
        queue = blocked(gate, draw=False)
        assert queue.admit(1, force=False) == ALL
        assert not queue.skipped

    @pytest.mark.parametrize(("since", "waits"), [(0.05, 0.005), (2.0, 0.2), (9.9, 0.99), (300.0, 1.0)])
    def test_it_waits_for_a_tenth_of_the_time_since_the_last_step_and_at_most_a_second(
        self, since, waits, gate, clock, asked
    ):
        queue = blocked(gate)
        assert asked == []
        for step in range(1, 4):
            clock.now += since
            assert queue.admit(step, force=False) == MEASURED
            clock.now += 1e-9  # what others ask about the same step takes no time
            assert queue.admit(step, force=False) == MEASURED
        assert asked == pytest.approx([waits] * 3, rel=1e-6)

    def test_it_waits_for_drawing_that_ends_in_time(self, gate, clock):
        queue = blocked(gate)
        clock.now += 1000.0
        threading.Timer(0.1, gate.set).start()
        assert queue.admit(1, force=False) == ALL

    def test_training_goes_on_while_the_worker_stands_still(self, gate):
        queue = blocked(gate, max_jobs=20)
        start = time.monotonic()
        for step in range(1, 200):
            given(queue, step)
        assert time.monotonic() - start < SOON / 4

    def test_a_forced_step_waits_ten_seconds_for_room_and_is_then_taken_anyway(self, gate, asked):
        queue = blocked(gate, max_jobs=3)
        assert NOTHING in [given(queue, step) for step in range(1, 20)]
        asked.clear()
        assert queue.admit(1000, force=True) == ALL
        assert queue.admit(1000, force=True) == ALL
        assert asked == [10.0]

    def test_a_forced_step_goes_on_as_soon_as_there_is_room(self, gate):
        queue = blocked(gate, max_jobs=3)
        assert NOTHING in [given(queue, step) for step in range(1, 20)]
        threading.Timer(0.1, gate.set).start()
        start = time.monotonic()
        assert queue.admit(1000, force=True) == ALL
        assert time.monotonic() - start < SOON / 4
        assert 1000 not in queue.dropped | queue.skipped


class Payload:
    """What a job holds; counted while it lives."""


class TestBounds:
    @pytest.mark.parametrize(
        ("limits", "size", "most"), [({"max_jobs": 40}, 0, 40), ({"max_bytes": 1000}, 50, 20)], ids=["jobs", "bytes"]
    )
    def test_what_waits_is_bounded_and_steps_beyond_are_dropped_and_counted(self, gate, limits, size, most):
        queue, alive, measured = blocked(gate, **limits), weakref.WeakSet(), []
        for step in range(1, 300):
            admitted = queue.admit(step, force=False)
            for _ in range(4 if admitted.measure else 0):
                payload = Payload()
                alive.add(payload)
                queue.submit(step, size=size, measure=lambda one=payload, s=step: measured.append(s), draw=None)
                del payload
            queue.begin()
        gc.collect()
        assert most / 2 < len(alive) <= most
        assert len(queue.steps) + len(queue.dropped) == 300
        assert queue.dropped <= queue.skipped == set(range(1, 300))
        gate.set()
        assert queue.wait(SOON)
        gc.collect()
        assert not alive
        assert measured == [step for step in range(1, 300) if step not in queue.dropped for _ in range(4)]
        assert queue.admit(300, force=False) == ALL

    def test_a_step_larger_than_the_bound_is_taken_when_nothing_else_is_there(self):
        queue = StepQueue(max_bytes=1, max_jobs=1)
        for step in range(5):
            assert given(queue, step, size=10) == ALL
            assert queue.wait(SOON)
        assert not queue.dropped

    @pytest.mark.parametrize(("size", "next_step"), [(50, MEASURED), (51, NOTHING)])
    def test_bytes_count_until_the_step_is_drawn_and_the_next_step_is_taken_to_be_as_large(self, gate, size, next_step):
        queue, drawing = StepQueue(max_bytes=100), threading.Event()
        given(queue, 0, size=size, draw=lambda: (drawing.set(), gate.wait(SOON)))
        assert drawing.wait(SOON)
        assert queue.admit(1, force=False) == next_step
        gate.set()
        assert queue.wait(SOON)
        assert queue.admit(2, force=False) == ALL

    def test_nothing_is_counted_for_ever(self):
        queue = StepQueue(max_jobs=6, max_bytes=10)
        for step in range(500):
            given(queue, step, size=step % 7)
            queue.draw_later(step, nothing)
        assert queue.wait(SOON)
        assert (queue._jobs, queue._bytes, len(queue._drawing_since)) == (0, 0, 0)


class TestEnd:
    def test_a_step_that_was_left_out_is_drawn_later(self, gate):
        queue, done = blocked(gate), []
        assert given(queue, 1, measure=lambda: done.append("measured")) == MEASURED
        for view in "ab":
            assert queue.left_out(1)
            queue.draw_later(1, lambda v=view: done.append(v))
        assert queue.skipped == set()
        gate.set()
        assert queue.wait(SOON)
        assert done == ["measured", "a", "b"]

    def test_who_presses_ctrl_c_once_waits_no_more(self, gate, monkeypatch):
        queue = blocked(gate)

        def interrupted(timeout):
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(queue._worker, "wait", interrupted)
            with pytest.raises(KeyboardInterrupt):
                queue.wait(SOON)
        start = time.monotonic()
        assert not queue.wait(SOON)
        assert time.monotonic() - start < SOON / 2
        threading.Timer(0.1, gate.set).start()
        assert queue.wait(SOON, anyway=True)
        assert queue.wait(SOON)

    def test_who_waited_in_vain_waits_no_more(self, gate):
        queue = blocked(gate)
        assert not queue.wait(0.01)
        start = time.monotonic()
        assert not queue.wait(SOON)
        assert time.monotonic() - start < SOON / 2

    def test_a_copy_has_the_same_limits_and_none_of_the_work(self, gate):
        queue = blocked(gate, max_jobs=7, max_bytes=9)
        queue.submit(1, size=0, measure=nothing, draw=None)
        other = copy.deepcopy(queue)
        assert (other.max_jobs, other.max_bytes, other.steps) == (7, 9, set())
        assert other.wait(0)
        assert given(other, 0) == ALL
        assert other.wait(SOON)


class TestLag:
    def test_steps_are_drawn_while_drawing_is_no_more_than_the_lag_behind(self, gate, clock, asked, monkeypatch):
        monkeypatch.setattr(step_queue, "MAX_LAG", 5.0)
        queue, admitted = blocked(gate), []
        for step in range(1, 8):
            clock.now += 1.0
            admitted.append(given(queue, step))
        # At step 2 two steps wait, and the first has been drawn for 2 s; at step 3 three wait, at 3 s each.
        assert admitted == [ALL] * 2 + [MEASURED] * 5
        assert asked == [0.1] * 5, "a tenth of the second since the step before, for drawing to catch up"
        gate.set()
        assert queue.wait(SOON)
        assert given(queue, 8) == ALL, "it has caught up"

    def test_a_step_that_nobody_would_draw_is_not_counted_as_skipped(self, gate, clock, asked):
        queue = blocked(gate)
        clock.now += 1.0
        assert queue.admit(1, force=False, draw=False).measure
        assert queue.skipped == set()
        assert queue.admit(1, force=False, draw=True) == MEASURED
        assert queue.skipped == {1}
        gate.set()
        assert queue.wait(SOON)
