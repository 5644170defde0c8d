"""A scale reaches nearly all numbers, and a stray one does not rule it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kerasviz_callbacks.maths.scale import count_clipped, reach_within, robust_max

numbers = hnp.arrays(np.float64, st.integers(0, 400), elements=st.floats())


def test_of_a_thousand_numbers_the_four_largest_are_beyond():
    values = np.append(np.arange(1.0, 997.0), [1007.0, 1100.0, 2000.0, 3000.0]) * np.resize([1, -1], 1000)
    assert robust_max(values) == 996.0  # the 0.995 quantile lies between the 995th and the 996th
    assert count_clipped(values, robust_max(values)) == "4 values beyond the scale"


def test_what_exceeds_a_scale_by_less_than_can_be_seen_is_not_counted():
    assert count_clipped([1.0, 1.009, -1.009], 1.0) == ""
    assert count_clipped([1.011, -1.009], 1.0) == "1 value beyond the scale"
    assert count_clipped([1e-9], 0.0) == "1 value beyond the scale"


def test_few_numbers_are_all_within():
    assert robust_max([3.0, -4.0, np.nan, np.inf]) == 4.0
    assert count_clipped([3.0, -4.0, np.nan, np.inf], 4.0) == ""


@pytest.mark.parametrize("values", [[], [np.nan], np.zeros((3, 2))])
def test_nothing_and_zeros_reach_nowhere(values):
    assert robust_max(values) == 0.0


@given(numbers)
def test_the_reach_is_one_of_the_magnitudes_and_hides_no_more_than_its_share(values):
    scale, finite = robust_max(values), np.abs(values[np.isfinite(values)])
    assert scale == 0 if not finite.size else scale in finite
    assert np.count_nonzero(finite > scale) <= 0.005 * finite.size
    assert robust_max(values[::-1]) == scale


def test_values_that_leave_most_of_a_scale_unused_have_a_reach():
    values = np.append(np.full(999, 0.02), 0.9)  # one value in 1,000 is a speck
    assert reach_within(values, 1.0) == 0.02
    assert reach_within(values, 0.2) is None
    assert reach_within([0.5, 0.02], 1.0) is None
    assert reach_within([np.nan, -0.03], 1.0) == 0.03
    assert reach_within([np.nan], 1.0) is None
    assert reach_within([0.0], 0.0) is None
