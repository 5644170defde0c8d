"""The cosine distance: exact where the plain form is not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import cosine

from kerasviz_callbacks.maths.similarity import cosine_distance, unit

anything = st.floats(allow_nan=True, allow_infinity=True)
vectors = hnp.arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 6)), elements=anything)
tame = hnp.arrays(np.float64, (2, 3, 4), elements=st.floats(0.1, 100) | st.floats(-100, -0.1))


def test_cases_worked_by_hand():
    u = [[1, 0], [1, 0], [1, 0], [1, 0]]
    v = [[5, 0], [0, 3], [-2, 0], [1, 1]]
    np.testing.assert_allclose(cosine_distance(u, v), [0, 1, 2, 1 - np.sqrt(0.5)], rtol=1e-14)


def test_the_smallest_turn_is_measured_where_the_plain_form_sees_none():
    angle = 1e-12
    u, v = [1.0, 0.0], [np.cos(angle), np.sin(angle)]
    assert cosine(u, v) in (0.0, pytest.approx(0, abs=1e-15))
    assert float(cosine_distance(u, v)) == pytest.approx(angle**2 / 2, rel=1e-9)


@given(tame)
def test_it_agrees_with_scipy_and_is_symmetric(pair):
    u, v = pair
    found = cosine_distance(u, v)
    np.testing.assert_allclose(found, [cosine(a, b) for a, b in zip(u, v, strict=True)], atol=1e-14)
    np.testing.assert_array_equal(found, cosine_distance(v, u))
    np.testing.assert_array_equal(cosine_distance(u.T, v.T, axis=0), found)


@given(vectors)
def test_whatever_comes_in_the_range_holds_and_nan_is_only_where_it_is_stated(u):
    spoilt = ~np.isfinite(u).all(axis=1) | (u == 0).all(axis=1)
    of_itself = cosine_distance(u, u)
    np.testing.assert_array_equal(of_itself, np.where(spoilt, np.nan, 0.0))
    other = cosine_distance(u, u[::-1])
    np.testing.assert_array_equal(np.isnan(other), spoilt | spoilt[::-1])
    assert ((other >= 0) & (other <= 2))[~np.isnan(other)].all()


def test_lengths_at_the_ends_of_float64_do_no_harm():
    assert float(cosine_distance([1e308, 1e308], [5e-324, 5e-324])) == pytest.approx(0, abs=1e-16)


def test_no_vectors_have_no_distances():
    assert unit(np.zeros((0, 3))).shape == (0, 3)
    assert cosine_distance(np.zeros((0, 3)), np.zeros((0, 3))).shape == (0,)
