"""A history in bounded memory: what is kept, what a resumed training drops, and how large it gets."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasviz_callbacks.maths.history import StepHistory


def value_at(step, shape=(3, 5)):
    return np.full(shape, step, np.float64) + np.arange(np.prod(shape)).reshape(shape) / 64


def filled(steps, **limits):
    history = StepHistory(**limits)
    for step in steps:
        history.append(step, value_at(step))
    return history


def same(one, other):
    return one.steps == other.steps and one.values.tobytes() == other.values.tobytes()


def holds_its_values(history):
    expected = np.array([value_at(step) for step in history.steps]).astype(np.float32)
    np.testing.assert_array_equal(history.values, expected)


def test_without_a_limit_in_reach_every_step_is_kept():
    history = filled(range(-1, 300))
    assert history.steps == list(range(-1, 300))
    assert history.values.dtype == np.float32
    holds_its_values(history)


def test_5000_steps_stay_within_the_bytes_with_the_first_and_the_newest_evenly_spaced():
    limit = 100 * 3 * 5 * 4
    history = StepHistory(most_bytes=limit)
    for step in range(-1, 5000):
        history.append(step, value_at(step))
        assert history.nbytes <= limit
        assert (history.steps[0], history.steps[-1]) == (-1, step)
    gaps = np.diff(history.steps)
    assert set(gaps[:-1].tolist()) == {64}  # 5001 steps, halved until they fit into 100
    assert 0 < gaps[-1] <= 64
    assert len(history.steps) > 50
    holds_its_values(history)


@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=80),
    st.integers(2, 20),
    st.integers(0, 200),
)
def test_whatever_the_steps_the_first_and_the_newest_are_kept_within_the_limit(gaps, most, resumed):
    steps = (np.cumsum(gaps) - 1).tolist()
    history = StepHistory(most_steps=most)
    for place, step in enumerate(steps):
        history.append(step, value_at(step))
        assert history.steps[0] == steps[0]
        assert history.steps[-1] == step
        assert len(history.steps) <= most
        assert set(history.steps) <= set(steps[: place + 1])
        assert history.steps == sorted(set(history.steps))
        holds_its_values(history)
    history.append(resumed, value_at(resumed))
    assert history.steps[-1] == resumed
    holds_its_values(history)


@given(st.integers(1, 40), st.integers(-1, 40), st.integers(1, 10))
def test_a_resumed_training_has_the_history_of_one_that_never_went_further(ran, resumed, more):
    """As long as the history was never full."""
    history = filled(range(-1, ran))
    again = range(min(resumed, ran), min(resumed, ran) + more)
    for step in again:
        history.append(step, value_at(step))
    assert same(history, filled([*range(-1, again[0]), *again]))


def test_of_a_full_history_that_is_resumed_the_kept_steps_are_a_part_of_those_of_one_that_never_went_further():
    history = filled(range(1000), most_steps=64)
    for step in range(50, 60):
        history.append(step, value_at(step))
    straight = filled(range(60), most_steps=64)
    assert set(history.steps) < set(straight.steps)
    assert (history.steps[0], history.steps[-1]) == (0, 59)
    holds_its_values(history)


def test_cutting_drops_the_step_itself_and_later_ones_and_an_empty_history_begins_anew():
    history = filled(range(10), most_steps=4)
    history.cut(9)
    assert max(history.steps) < 9
    history.cut(-5)
    assert history.steps == []
    assert history.values.shape[0] == 0
    for step in range(4):
        history.append(step, value_at(step))
    assert history.steps == [0, 1, 2, 3]


def test_arrays_larger_than_the_limit_still_leave_two_steps():
    history = StepHistory(most_bytes=1)
    for step in range(7):
        history.append(step, value_at(step))
    assert history.steps == [0, 6]
    holds_its_values(history)


def test_a_copy_and_a_pickle_go_on_alone():
    history = filled(range(40), most_steps=16)
    for twin in (copy.deepcopy(history), pickle.loads(pickle.dumps(history))):
        assert same(twin, history)
        twin.append(40, value_at(40))
        assert history.steps[-1] == 39
        holds_its_values(history)
        holds_its_values(twin)


def test_another_shape_is_refused_and_numbers_beyond_float32_are_infinite():
    history = filled([0])
    with pytest.raises(ValueError, match=r"values: must have the shape \(3, 5\) of earlier steps, got \(2,\)"):
        history.append(1, [1.0, 2.0])
    history.append(1, np.full((3, 5), 1e300))
    assert np.isinf(history.values[1]).all()
