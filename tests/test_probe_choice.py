"""Which rows are chosen to be looked at: even, stable, never twice."""

import doctest

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kerasviz_callbacks.probe import Probe, choice
from kerasviz_callbacks.probe.choice import spread_over_classes, spread_without_classes, weights_of_proportions

label_arrays = hnp.arrays(np.int64, st.integers(0, 60), elements=st.integers(-1, 5))


def test_examples():
    assert doctest.testmod(choice).failed == 0


def test_classes_take_turns_and_those_that_run_out_leave_theirs():
    labels = np.array([7, 7, 7, 7, 3, 3, 5])
    chosen = spread_over_classes(labels, 7, seed=0)
    assert labels[chosen].tolist() == [3, 5, 7, 3, 7, 7, 7]


@given(label_arrays, st.integers(0, 70), st.integers(0, 5))
def test_none_twice_even_and_every_beginning_too(labels, count, seed):
    chosen = spread_over_classes(labels, count, seed)
    assert len(chosen) == min(count, len(labels))
    assert len(set(chosen.tolist())) == len(chosen)
    np.testing.assert_array_equal(chosen, spread_over_classes(labels, len(labels), seed)[:count])
    sizes = {label: np.count_nonzero(labels == label) for label in np.unique(labels)}
    for end in range(1, len(chosen) + 1):
        captured = {label: np.count_nonzero(labels[chosen[:end]] == label) for label in sizes}
        most = max(captured.values())
        assert all(captured[label] >= min(most - 1, size) for label, size in sizes.items())


def test_of_many_classes_the_first_rows_are_spread_over_all():
    ages = np.arange(18, 90).repeat(3)
    first = np.sort(ages[spread_over_classes(ages, 16, seed=0)])
    assert first[0] == 18
    assert np.diff([*first, 90]).max() <= 8  # a gap is at most twice the even one
    assert sorted(ages[spread_over_classes(ages, 72, seed=0)]) == list(range(18, 90))


def test_the_seed_alone_decides_which_rows():
    labels = np.repeat([0, 1, 2], 50)
    first, again, other = (spread_over_classes(labels, 12, seed) for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes()
    assert first.tolist() != other.tolist()


def test_one_hot_rows_are_an_error_that_says_what_to_do():
    with pytest.raises(ValueError, match="take the argmax of one-hot rows"):
        spread_over_classes(np.eye(3), 2, seed=0)
    with pytest.raises(ValueError, match="count: must be at least 0, got -1"):
        spread_over_classes([0, 1], -1, seed=0)


@given(label_arrays.filter(len), st.integers(1, 70))
def test_weighted_rows_have_the_proportions_of_the_data(labels, count):
    chosen = labels[spread_over_classes(labels, count, seed=0)]
    weights = weights_of_proportions(chosen - labels.min(), np.bincount(labels - labels.min()))
    assert weights.shape == chosen.shape
    known = np.isin(labels, chosen)
    for label in np.unique(chosen):
        assert weights[chosen == label].sum() / len(chosen) == pytest.approx(np.mean(labels[known] == label))


def test_a_probe_knows_what_its_rows_count_for_of_arrays_and_of_streams():
    labels = np.arange(200) % 20 == 0  # 10 of 200
    x = np.zeros((200, 2))
    stream = tf.data.Dataset.from_tensor_slices((x, labels.astype("int32"))).batch(32)
    for data in ((x, labels.astype(int)), stream):
        probe = Probe(data, count=8)
        assert probe.labels.sum() == 4
        read = labels if data is not stream else labels[: probe._total]
        expected = {1: np.mean(read) * 2, 0: (1 - np.mean(read)) * 2}
        assert probe.row_weights == pytest.approx([expected[label] for label in probe.labels.tolist()])
    assert Probe(x, count=8).row_weights.tolist() == [1.0] * 8
    assert Probe((x, labels.astype(int)), count=200).row_weights.tolist() == [1.0] * 200


@given(st.integers(0, 60), st.integers(0, 70), st.integers(0, 5))
def test_without_classes_none_twice_and_a_smaller_choice_begins_a_larger(n, count, seed):
    chosen = spread_without_classes(n, count, seed)
    assert len(set(chosen.tolist())) == len(chosen) == min(n, count)
    assert set(chosen.tolist()) <= set(range(n))
    np.testing.assert_array_equal(chosen, spread_without_classes(n, n, seed)[:count])


def test_without_classes_the_first_sixteen_come_from_everywhere():
    first = spread_without_classes(10_000, 500, seed=0)[:16]
    assert first.min() < 2_500
    assert first.max() > 7_500
