import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cosine

from kerasviz_callbacks.maths.matrices import edges
from kerasviz_callbacks.maths.units import FLOOR, along_steps, directions, lengths, log_turn

ANY = st.floats(-1e300, 1e300) | st.sampled_from([np.nan, np.inf, -np.inf, 0.0, 1e-320])
UNITS = arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 6)), elements=ANY)


def test_lengths_and_directions_by_hand():
    units = [[3.0, 4.0], [0.0, 0.0], [-2.0, 0.0], [np.nan, 1.0], [np.inf, 1.0]]
    np.testing.assert_array_equal(lengths(units), [5, 0, 2, np.nan, np.nan])
    wanted = [[0.6, 0.8], [0, 0], [-1, 0], [np.nan] * 2, [np.nan] * 2]
    np.testing.assert_allclose(directions(units), wanted)


def test_lengths_do_not_overflow_on_the_way():
    np.testing.assert_allclose(lengths([[3e200, 4e200], [3e-200, 4e-200]]), [5e200, 5e-200])
    assert lengths([[1.7e308] * 4])[0] == np.inf


@given(UNITS)
@settings(deadline=None)
def test_lengths_and_directions_of_anything(units):
    long, unit = lengths(units), directions(units)
    bad = ~np.isfinite(units).all(axis=1)
    np.testing.assert_array_equal(np.isnan(long), bad)
    np.testing.assert_array_equal(np.isnan(unit).all(axis=1), bad)
    turned = np.linalg.norm(unit[~bad], axis=1)
    np.testing.assert_allclose(turned, (long[~bad] > 0).astype(float), atol=1e-9)
    np.testing.assert_array_equal(lengths(units[::-1]), long[::-1])


def test_turns_by_hand_and_by_scipy():
    before = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 1.0], [2.0, 0.0], [1.0, 0.0]])
    now = np.array([[0.0, 5.0], [-1.0, 0.0], [7.0, 7.0], [2.0, 2e-4], [1.0, 1.0]])
    found = log_turn(now, before)
    # 1 - cos of a small angle a is a^2 / 2; equal directions are floored.
    np.testing.assert_allclose(found[:4], [0, math.log10(2), -12, math.log10(1e-8 / 2)], atol=1e-6)
    assert found[4] == pytest.approx(math.log10(cosine(now[4], before[4])))


def test_the_smallest_turns_are_told_apart_where_the_plain_form_has_lost_them():
    """Exact by fractions: 1 - cos((1, 0), (1, a)) = 1 - 1/sqrt(1 + a^2) = a^2/2 - ..."""
    for angle in (1e-3, 1e-5, 1.3e-6):
        exact = Fraction(angle) ** 2 / 2 - 3 * Fraction(angle) ** 4 / 8
        if exact > FLOOR:
            assert log_turn([[1.0, angle]], [[1.0, 0.0]])[0] == pytest.approx(math.log10(exact), abs=1e-6)
    assert log_turn([[1.0, 1e-7]], [[1.0, 0.0]])[0] == -12


def test_a_unit_of_length_zero_stands_still_or_has_turned_by_a_right_angle():
    found = log_turn([[0.0, 0.0], [0.0, 0.0], [1.0, 2.0]], [[0.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    assert found.tolist() == [-12, 0, 0]


@given(UNITS, st.randoms(use_true_random=False), st.floats(1e-3, 1e3))
@settings(deadline=None)
def test_turns_of_anything(units, chance, factor):
    before = units[chance.sample(range(len(units)), len(units))]
    found = log_turn(units, before)
    bad = ~(np.isfinite(units).all(axis=1) & np.isfinite(before).all(axis=1))
    np.testing.assert_array_equal(np.isnan(found), bad)
    assert (found[~bad] >= -12).all()
    assert (found[~bad] <= math.log10(2)).all()
    np.testing.assert_array_equal(log_turn(units[::-1], before[::-1]), found[::-1])
    np.testing.assert_array_equal(log_turn(before, units), found)


def test_a_history_lies_at_its_steps_and_the_future_is_empty():
    grid, filled = along_steps(
        [[1, 5], [2, 6], [4, 8]], [-2, -1, 0], [-1, 0, 1], first=-1, last=3, columns=9, fold="mean"
    )
    np.testing.assert_array_equal(grid, [[1, 2, 4, np.nan, np.nan], [5, 6, 8, np.nan, np.nan]])
    assert filled.tolist() == [True, True, True, False, False]


def test_what_is_drawn_at_every_third_step_fills_the_two_before_it():
    grid, filled = along_steps([[1.0], [2.0], [3.0]], [-2, -1, 2], [-1, 2, 5], first=-1, last=7, columns=9, fold="mean")
    np.testing.assert_array_equal(grid[0], [1, 2, 2, 2, 3, 3, 3, np.nan, np.nan])
    assert filled.sum() == 7


def test_more_steps_than_columns_share_them():
    values = np.arange(10.0)[:, None]
    mean, filled = along_steps(values, range(-1, 9), range(10), first=0, last=11, columns=4, fold="mean")
    largest, _ = along_steps(values, range(-1, 9), range(10), first=0, last=11, columns=4, fold="largest")
    np.testing.assert_array_equal(mean[0], [1, 4, 7, 9])  # 9 alone of the last three
    np.testing.assert_array_equal(largest[0], [2, 5, 8, 9])
    assert filled.all()


def test_no_history_yet_and_a_nan_in_it():
    grid, filled = along_steps(np.zeros((0, 3)), [], [], first=-1, last=4, columns=10, fold="largest")
    assert grid.shape == (3, 6)
    assert not filled.any()
    grid, filled = along_steps([[1.0], [np.nan]], [-1, 0], [0, 1], first=0, last=3, columns=2, fold="mean")
    assert np.isnan(grid[0, 0])
    assert filled.tolist() == [True, False]


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=30),
    st.integers(-1, 5),
    st.integers(0, 40),
    st.integers(1, 25),
    st.sampled_from(["mean", "largest"]),
)
@settings(deadline=None)
def test_the_axis_of_steps_by_a_plain_loop(gaps, first, to_come, columns, fold):
    ends = (first + np.cumsum([0, *gaps[1:]])).tolist()
    starts = [ends[0] - 1, *ends[:-1]]
    values = np.random.default_rng(0).normal(size=(len(ends), 2))
    last = ends[-1] + to_come
    grid, filled = along_steps(values, starts, ends, first=first, last=last, columns=columns, fold=fold)
    bounds = first + edges(last - first + 1, columns)
    assert (bounds[0], bounds[-1]) == (first, last + 1)
    for column in range(len(bounds) - 1):
        steps = range(bounds[column], bounds[column + 1])
        holding = [v for v, s, e in zip(values, starts, ends, strict=True) if any(s < step <= e for step in steps)]
        assert filled[column] == bool(holding)
        if holding:
            wanted = np.mean(holding, axis=0) if fold == "mean" else np.max(holding, axis=0)
            np.testing.assert_allclose(grid[:, column], wanted)
        else:
            assert np.isnan(grid[:, column]).all()
