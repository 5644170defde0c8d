"""Response strengths: by class and by neuron."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kerasviz_callbacks.maths.responses import by_class, class_means, response_variance

anything = st.floats(allow_nan=True, allow_infinity=True)
strengths = hnp.arrays(np.float64, st.tuples(st.integers(1, 8), st.integers(1, 5)), elements=anything)
labels = st.lists(st.integers(-2, 4), min_size=1, max_size=30)


@given(labels)
def test_the_order_is_by_class_and_stable(given_labels):
    order = by_class(given_labels).tolist()
    assert order == sorted(range(len(given_labels)), key=lambda row: (given_labels[row], row))


@given(labels, st.randoms(use_true_random=False))
def test_class_means_are_the_means_of_the_rows_of_a_class_in_any_order(given_labels, random):
    given_labels = np.array(given_labels)
    values = np.random.default_rng(len(given_labels)).normal(size=(len(given_labels), 3))
    classes, means = class_means(values, given_labels)
    assert classes.tolist() == sorted(set(given_labels.tolist()))
    for number, one in enumerate(classes):
        np.testing.assert_allclose(means[number], values[given_labels == one].mean(axis=0), atol=1e-12)
    shuffled = np.array(random.sample(range(len(given_labels)), len(given_labels)))
    np.testing.assert_allclose(class_means(values[shuffled], given_labels[shuffled])[1], means, atol=1e-12)


@given(strengths)
def test_nan_and_infinity_stay_with_their_neuron_and_class(values):
    groups = np.arange(len(values)) % 2
    classes, means = class_means(values, groups)
    for number, one in enumerate(classes):
        np.testing.assert_array_equal(np.isfinite(means[number]), np.isfinite(values[groups == one]).all(axis=0))
    spread = response_variance(values)
    assert spread.shape == values.shape[1:]
    assert not np.isfinite(spread[~np.isfinite(values).all(axis=0)]).any()


@pytest.mark.parametrize("rows", [2, 3, 5, 7])
def test_the_largest_floats_are_averaged_without_overflow(rows):
    largest = np.finfo(np.float64).max
    assert class_means([[largest]] * rows, [0] * rows)[1] == largest


def test_labels_that_do_not_fit_are_told():
    with pytest.raises(ValueError, match=r"labels: must be one for each of 2 rows, got \(3,\)"):
        class_means(np.zeros((2, 1)), [0, 1, 2])


def test_between_pictures_is_the_variance_over_them():
    np.testing.assert_allclose(response_variance([[1.0, 2.0], [3.0, 2.0]]), [1.0, 0.0])
