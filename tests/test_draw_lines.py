"""Lines over the epochs: what a pixel holds of them, and how long the axis is."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kerasviz_callbacks.draw.lines import coverage, extremes, horizon

series = hnp.arrays(np.float64, st.tuples(st.just(2), st.integers(1, 40)), elements=st.floats(-100, 100))


@given(series, st.integers(1, 30), st.floats(0.1, 3))
def test_the_extremes_of_a_column_are_those_of_the_lines_within_it(values, width, cell):
    places = (np.arange(values.shape[1]) + 0.5) * cell
    least, most = extremes(values, places, width)
    for number, line in enumerate(values):
        for column in range(width):
            ends = [x for x in (column, column + 1) if places[0] - 1.5 <= x <= places[-1] + 1.5]
            inside = [place for place in places if column <= place <= column + 1]
            wanted = [np.interp(x, places, line) for x in [*ends, *inside]]
            if not wanted:
                assert np.isnan([least[number, column], most[number, column]]).all()
                continue
            # A step right on the border of two columns may count for either.
            assert least[number, column] == pytest.approx(min(wanted), abs=1e-9)
            assert most[number, column] == pytest.approx(max(wanted), abs=1e-9)


def test_a_band_covers_as_much_as_it_is_high():
    found = coverage(np.array([1.25, -5.0, np.nan, 2.5]), np.array([3.5, 1.5, 3.0, 2.75]), 5)
    np.testing.assert_allclose(found.T, [[0, 0.75, 1, 0.5, 0], [1, 0.5, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0.25, 0, 0]])


@pytest.mark.parametrize(
    ("planned", "reached", "last"),
    [
        (29, 3, 29),
        (999, 0, 999),
        (9999, 0, 999),
        (9999, 1000, 1999),
        (9999, 9000, 9999),
        (1500, 1200, 1500),
        (-1, 7, 7),
    ],
)
def test_the_axis_ends_at_the_last_epoch_planned(planned, reached, last):
    assert horizon(planned, reached) == last


@given(st.integers(-1, 10**6), st.lists(st.integers(-1, 10**6), min_size=1))
def test_the_axis_only_grows_in_a_few_steps_and_holds_what_was_reached(planned, reached):
    ends = [horizon(planned, step) for step in sorted(reached)]
    assert ends == sorted(ends)
    assert all(step <= end <= max(planned, step) for step, end in zip(sorted(reached), ends, strict=True))
    within = {end for step, end in zip(sorted(reached), ends, strict=True) if step <= planned}
    assert len(within) <= 1 + math.log2(max(planned, 1000) / 1000) + 1
