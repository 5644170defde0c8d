"""What is chosen to be looked at: even, stable, never twice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kerasviz_callbacks.maths.choice import evenly_by_depth, largest_norm, most_variable

numbers = hnp.arrays(np.float64, st.integers(0, 30), elements=st.floats() | st.sampled_from([0.0, 1.0]))


class TestDepth:
    @pytest.mark.parametrize(
        ("count", "most", "chosen"),
        [
            (3, 8, [0, 1, 2]),
            (9, 3, [0, 4, 8]),
            (10, 4, [0, 3, 6, 9]),
            (6, 2, [0, 5]),
            (6, 1, [5]),
            (0, 8, []),
        ],
    )
    def test_worked_by_hand(self, count, most, chosen):
        assert evenly_by_depth(range(count), most) == chosen

    @given(st.integers(2, 200), st.integers(2, 20))
    def test_first_last_order_and_even_gaps(self, count, most):
        chosen = evenly_by_depth(range(count), most)
        gaps = np.diff(chosen)
        assert len(chosen) == min(count, most)
        assert (chosen[0], chosen[-1]) == (0, count - 1)
        assert gaps.min() >= 1
        assert gaps.max() - gaps.min() <= 1

    def test_none_at_all_is_an_error(self):
        with pytest.raises(ValueError, match="most: must be at least 1, got 0"):
            evenly_by_depth("abc", 0)


class TestLargest:
    def test_worked_by_hand(self):
        assert most_variable([0.1, 5, np.nan, 5, 5, np.inf], 2).tolist() == [1, 3]
        assert most_variable([0.1, 5, np.nan, 5, 5, np.inf], 5).tolist() == [0, 1, 2, 3, 4]
        assert largest_norm([1, 3, 2], 2).tolist() == [1, 2]

    @given(numbers, st.integers(1, 40))
    def test_none_twice_in_order_and_none_left_out_is_larger(self, values, most):
        chosen = most_variable(values, most)
        assert len(chosen) == min(most, len(values))
        assert (np.diff(chosen) > 0).all()
        worth = np.where(np.isfinite(values), values, -np.inf)
        left_out = np.setdiff1d(np.arange(len(values)), chosen)
        if len(left_out):
            assert worth[left_out].max() <= worth[chosen].min()
        np.testing.assert_array_equal(chosen, largest_norm(values, most))

    @given(numbers, st.integers(1, 40), st.integers(1, 40))
    def test_fewer_are_among_more(self, values, few, more):
        assert set(most_variable(values, min(few, more))) <= set(most_variable(values, max(few, more)))

    def test_more_than_one_number_each_is_an_error(self):
        with pytest.raises(ValueError, match=r"norms: must be one number each, \(n,\), got \(2, 2\)"):
            largest_norm(np.ones((2, 2)))
