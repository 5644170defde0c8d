"""Round numbers for axes, scales and rulers: what they are by hand, and what holds for any range."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasviz_callbacks.draw.ticks import integer_ticks, numbered_cells, round_length, round_ticks, round_up

MAGNITUDES = st.floats(1e-250, 1e250)


def is_round(step):
    """Whether a number is 1, 2 or 5 times a power of ten, read from its digits."""
    return f"{step:.6e}".partition("e")[0] in ("1.000000", "2.000000", "5.000000")


@pytest.mark.parametrize(
    ("low", "high", "intervals", "least", "wanted"),
    [
        (0.0, 1.0, 4, 3, [0, 0.5, 1]),
        (0.0, 9.0, 4, 3, [0, 2, 4, 6, 8]),  # steps of 5 would leave two
        (-0.9, 0.9, 4, 3, [-0.5, 0, 0.5]),
        (0.28, 0.34, 4, 1, [0.28, 0.3, 0.32, 0.34]),
        (-2e-5, 6e-5, 4, 1, [-2e-5, 0, 2e-5, 4e-5, 6e-5]),
        (0.0, 3e38, 4, 1, [0, 1e38, 2e38, 3e38]),
    ],
)
def test_ticks_by_hand(low, high, intervals, least, wanted):
    np.testing.assert_allclose(round_ticks(low, high, intervals, least=least), wanted, rtol=1e-9)


@given(MAGNITUDES, st.floats(-1, 1), st.integers(1, 9))
def test_ticks_lie_in_the_range_one_round_step_apart_and_are_not_too_many(span, offset, intervals):
    low = offset * span
    ticks = round_ticks(low, low + span, intervals)
    assert len(ticks) <= intervals + 1
    assert all(low - 1e-8 * span <= tick <= low + 1.00000001 * span for tick in ticks)
    for one, other in pairwise(ticks):
        assert is_round(other - one)
        assert abs(one / (other - one) - round(one / (other - one))) < 1e-6, "a multiple of the step"


@pytest.mark.parametrize("window", [(0.0, 0.0), (-1e-300, 1e-300), (-1e308, 1e308)])
def test_a_range_without_round_numbers_has_zero(window):
    assert round_ticks(*window, 4) == [0.0]


def test_a_tick_at_zero_is_written_as_zero():
    for power in range(-30, 30):
        assert 0.0 in round_ticks(-0.3 * 10.0**power, 0.7 * 10.0**power, 9)


@pytest.mark.parametrize(
    ("first", "last", "intervals", "wanted"),
    [
        (-1, 2, 6, [-1, 0, 1, 2]),
        (-1, 29, 8, [0, 5, 10, 15, 20, 25]),
        (50, 59, 6, [50, 52, 54, 56, 58]),
        (-1, 99_999, 5, [0, 20_000, 40_000, 60_000, 80_000]),
        (7, 7, 6, [7]),
    ],
)
def test_whole_numbers_by_hand(first, last, intervals, wanted):
    assert integer_ticks(first, last, intervals) == wanted


@given(st.integers(-1, 10**6), st.integers(0, 10**6), st.integers(1, 8))
def test_whole_numbers_are_multiples_of_a_round_step(first, more, intervals):
    ticks = integer_ticks(first, first + more, intervals)
    assert len(ticks) <= intervals + 1
    assert all(first <= tick <= first + more for tick in ticks)
    steps = set(np.diff(ticks).tolist())
    assert len(steps) <= 1
    assert all(is_round(step) and not any(tick % step for tick in ticks) for step in steps)


@pytest.mark.parametrize(("needed", "pixels", "step"), [(20, 32, 1), (20, 11, 2), (20, 4, 5), (40, 1, 50)])
def test_every_so_manieth_cell_is_numbered(needed, pixels, step):
    assert list(numbered_cells(120, pixels, needed)) == list(range(0, 120, step))


@given(st.integers(1, 500), st.floats(0.05, 60), st.floats(1, 90))
def test_numbers_of_cells_never_touch_and_are_as_many_as_that_allows(count, pixels, needed):
    cells = numbered_cells(count, pixels, needed)
    assert cells.start == 0
    assert is_round(cells.step)
    assert cells.step * pixels >= needed * (1 - 1e-9)
    assert cells.step == 1 or cells.step * pixels <= 2.5 * needed * (1 + 1e-9)


@pytest.mark.parametrize(
    ("span", "length"), [(1.0, 1), (1.9, 1), (2.0, 2), (4.9, 4), (7.0, 5), (0.03, 0.02), (640, 500)]
)
def test_rulers_have_round_lengths(span, length):
    assert round_length(span) == pytest.approx(length)


@given(MAGNITUDES)
def test_a_ruler_takes_more_than_half_of_its_room(span):
    assert 0.5 * span < round_length(span) <= span * (1 + 1e-9)


@pytest.mark.parametrize(
    ("value", "scale"),
    [(0.21, 0.3), (1, 1), (1.01, 1.5), (6.5, 8), (8.5, 10), (730, 800), (0, 1), (np.nan, 1), (np.inf, 1)],
)
def test_scales_by_hand(value, scale):
    assert round_up(value) == pytest.approx(scale)


@given(MAGNITUDES)
def test_scales_grow_in_coarse_steps(value):
    assert value <= round_up(value) <= 1.5000001 * value


@pytest.mark.parametrize("value", [5e-324, 1.7e308])
def test_a_scale_at_the_ends_of_the_floats_still_holds_the_value(value):
    assert value <= round_up(value) < math.inf
