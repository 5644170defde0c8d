"""How far heat maps point elsewhere: by hand, by scipy, and what must always hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import cosine

from kerasviz_callbacks.maths.map_change import empty, map_distance, true_versus_predicted

maps = hnp.arrays(np.float32, st.tuples(st.integers(1, 6), st.just(2), st.just(3)), elements=st.integers(0, 3))


def rows(*given):
    """Maps of one row of positions."""
    return np.array(given, np.float32)


def test_drift_worked_by_hand():
    now = rows([1, 0], [0, 0], [3, 4], [1, 0])
    then = rows([0, 2], [1, 1], [3, 4], [1, 1])
    mean, left_out = map_distance(now, then)
    assert mean == pytest.approx((1 + 0 + (1 - np.sqrt(0.5))) / 3, abs=1e-12)
    assert left_out == 1


def test_true_versus_predicted_worked_by_hand():
    true = rows([1, 0], [0, 0], [3, 4], [0, 0], [5, 5])
    predicted = rows([0, 2], [1, 1], [4, 3], [0, 0], [1, 0])
    right = [False, False, False, False, True]
    mean, left_out = true_versus_predicted(true, predicted, right)
    assert mean == pytest.approx((1 + 1 + (1 - 24 / 25) + 0) / 4, abs=1e-12)
    assert left_out == 1


def test_a_right_prediction_counts_as_no_difference_even_where_nothing_speaks_for_it():
    assert true_versus_predicted(rows([0, 0]), rows([0, 0]), [True]) == (0.0, 0)


@given(maps, st.data())
def test_both_agree_with_scipy(now, data):
    other = data.draw(hnp.arrays(np.float32, now.shape, elements=st.integers(0, 3)))
    right = data.draw(hnp.arrays(np.bool_, len(now)))
    seen = [(a.ravel().astype(float), b.ravel().astype(float)) for a, b in zip(now, other, strict=True)]
    apart = [cosine(a, b) for a, b in seen if a.any() and b.any()]
    mean, left_out = map_distance(now, other)
    assert left_out == len(now) - len(apart)
    np.testing.assert_allclose(mean, np.mean(apart) if apart else np.nan, atol=1e-12)
    judged = []
    for (a, b), same in zip(seen, right, strict=True):
        if same:
            judged.append(0.0)
        elif a.any() or b.any():
            judged.append(cosine(a, b) if a.any() and b.any() else 1.0)
    mean, left_out = true_versus_predicted(now, other, right)
    assert left_out == len(now) - len(judged)
    np.testing.assert_allclose(mean, np.mean(judged) if judged else np.nan, atol=1e-12)


@given(maps)
def test_a_map_does_not_differ_from_itself_however_strong(given_maps):
    mean, left_out = map_distance(given_maps, given_maps * 4)
    assert left_out == empty(given_maps).sum()
    assert mean == 0 or (np.isnan(mean) and left_out == len(given_maps))


def test_what_is_not_finite_is_nan_and_not_empty():
    now = rows([1, 0], [np.nan, 0])
    assert np.isnan(map_distance(now, rows([1, 0], [1, 0])).mean)
    assert np.isnan(true_versus_predicted(now, rows([1, 0], [1, 0]), [False, False]).mean)
    assert empty(now).tolist() == [False, False]


def test_shapes_that_differ_are_named():
    with pytest.raises(ValueError, match=r"maps: both must have the same shape, got \(1, 2\) and \(2, 2\)"):
        map_distance(rows([1, 0]), rows([1, 0], [1, 0]))
