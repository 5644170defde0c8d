"""Correlations of channels: against numpy on all numbers at once, whatever is folded how."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kerasviz_callbacks.maths.overlap import (
    channel_overlap,
    clustered_order,
    largest_overlap,
    overlap,
    strongest_pairs,
)

anything = st.floats(allow_nan=True, allow_infinity=True)
matrices = hnp.arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=anything)
seeds = st.integers(0, 2**32 - 1)


def folded(maps):
    """Means, widths and mean products of each row of maps `(n, positions, c)`, by loops over rows."""
    means = maps.mean(axis=1)
    left = maps - means[:, None]
    widths = np.abs(left).max(axis=1)
    scaled = left / np.where(widths > 0, widths, 1)[:, None]
    return means, widths, np.stack([row.T @ row / len(row) for row in scaled])


def random_maps(seed, n=4, positions=9, channels=5):
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(channels, channels))
    scale, level = 10.0 ** rng.integers(-3, 4, channels), rng.normal(size=channels)
    return (rng.normal(size=(n, positions, channels)) + rng.normal(size=(n, 1, channels))) @ mixed * scale + level


def direct(maps):
    return np.corrcoef(maps.reshape(-1, maps.shape[-1]), rowvar=False)


def test_a_case_worked_by_hand():
    # Row means 1, 3 and 2, 6; within the rows both channels swing by 1, once together, once against each other.
    maps = np.array([[[0, 1], [2, 3]], [[2, 7], [4, 5]]], float)
    # Deviations from 2 and 4: (-2, -3), (0, -1), (0, 3), (2, 1); products 6, 0, 0, 2; squares 8 and 20.
    found = channel_overlap(*folded(maps)).correlation
    assert found[0, 1] == pytest.approx(8 / np.sqrt(8 * 20), rel=1e-15)


@given(seeds, st.integers(1, 6), st.integers(1, 9))
def test_folded_rows_give_what_numpy_gives_of_all_numbers_at_once(seed, n, positions):
    maps = random_maps(seed, max(n, 4 - positions), positions)
    np.testing.assert_allclose(channel_overlap(*folded(maps)).correlation, direct(maps), atol=1e-9)


@given(seeds)
def test_one_position_a_row_needs_no_products(seed):
    maps = random_maps(seed, n=12, positions=1)
    np.testing.assert_allclose(channel_overlap(maps[:, 0]).correlation, direct(maps), atol=1e-9)


@given(seeds, st.permutations(range(5)), st.permutations(range(4)))
def test_channels_only_permute_rows_do_not_matter_and_scale_and_level_neither(seed, channels, rows):
    maps = random_maps(seed)
    found = channel_overlap(*folded(maps)).correlation
    other = channel_overlap(*folded(maps[rows][..., channels])).correlation
    np.testing.assert_allclose(other, found[np.ix_(channels, channels)], atol=1e-9)
    moved = maps * [2, -3, 1e20, 7, 500] + [0, 5, -1e19, 1e3, 0]
    signs = np.sign([2, -3, 1, 7, 500])
    np.testing.assert_allclose(channel_overlap(*folded(moved)).correlation, found * np.outer(signs, signs), atol=1e-6)


def test_a_large_mean_costs_no_digits():
    maps = np.random.default_rng(3).normal(size=(8, 25, 5))
    means, widths, products = folded(maps)
    far = means + 2.0**19  # its square, 2.7e11, leaves 3e-5 of what varies
    found = channel_overlap(far, widths, products).correlation
    kept = channel_overlap(far - 2.0**19, widths, products).correlation
    np.testing.assert_allclose(found, kept, atol=1e-14)
    np.testing.assert_allclose(found, direct(maps), atol=1e-9)


@given(seeds, st.sampled_from([0.0, 5.0, -1e6, 0.1]))
def test_a_channel_that_is_the_same_everywhere_is_constant_and_leaves_the_others_alone(seed, value):
    maps = random_maps(seed)
    maps[..., 2] = value
    found = channel_overlap(*folded(maps))
    assert found.constant.tolist() == [False, False, True, False, False]
    assert np.isnan(found.correlation[2]).all()
    assert np.isnan(found.correlation[:, 2]).all()
    rest = [0, 1, 3, 4]
    np.testing.assert_allclose(found.correlation[np.ix_(rest, rest)], direct(maps[..., rest]), atol=1e-9)


def test_what_float32_leaves_of_a_constant_is_constant_too():
    rng = np.random.default_rng(0)
    means = np.stack([1e4 + 1e-3 * rng.normal(size=9), 1e4 + rng.normal(size=9), 1e-7 * rng.normal(size=9)], 1)
    assert channel_overlap(means).constant.tolist() == [True, False, True]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", [0, 1, 2])
def test_a_channel_that_is_not_finite_somewhere_is_unknown_but_not_constant(value, where):
    maps = random_maps(0)
    given = [array.copy() for array in folded(maps)]
    given[where][1, ..., 3] = value
    if where == 2:
        given[2][1, 3] = value
    found = channel_overlap(*given)
    assert not found.constant.any()
    assert np.isnan(found.correlation[3]).all()
    rest = [0, 1, 2, 4]
    np.testing.assert_allclose(found.correlation[np.ix_(rest, rest)], direct(maps[..., rest]), atol=1e-9)


@given(matrices)
def test_whatever_comes_in_the_range_holds(means):
    found = channel_overlap(means)
    known = ~np.isnan(found.correlation)
    assert (np.abs(found.correlation[known]) <= 1).all()
    np.testing.assert_array_equal(found.correlation, found.correlation.T)
    counted = np.diagonal(known)
    np.testing.assert_array_equal(known, np.outer(counted, counted))
    assert (np.diagonal(found.correlation)[counted] == 1).all()
    assert not (found.constant & counted).any()
    value = overlap(found.correlation)
    assert np.isnan(value) if counted.sum() < 2 else 0 <= value <= 1


def test_the_overlap_is_the_mean_of_the_largest_with_another():
    nan = np.nan
    correlation = [[1, 0.5, -0.9, nan], [0.5, 1, 0.2, nan], [-0.9, 0.2, 1, nan], [nan] * 4]
    np.testing.assert_allclose(largest_overlap(correlation), [0.9, 0.5, 0.9, nan])
    assert overlap(correlation) == pytest.approx((0.9 + 0.5 + 0.9) / 3)
    assert strongest_pairs(correlation, 2) == [(0, 2, -0.9), (0, 1, 0.5)]
    assert strongest_pairs(correlation, 9) == [(0, 2, -0.9), (0, 1, 0.5), (1, 2, 0.2)]


@pytest.mark.parametrize("correlation", [[[1.0]], [[np.nan]], np.full((3, 3), np.nan), np.zeros((0, 0))])
def test_without_a_pair_there_is_no_overlap(correlation):
    assert np.isnan(overlap(correlation))
    assert strongest_pairs(correlation) == []


def test_a_doubled_channel_overlaps_fully_and_independent_ones_hardly():
    rng = np.random.default_rng(1)
    maps = rng.normal(size=(16, 400, 6))
    assert overlap(channel_overlap(*folded(maps)).correlation) < 0.05
    doubled = np.concatenate([maps, -3 * maps], axis=-1)
    assert overlap(channel_overlap(*folded(doubled)).correlation) == pytest.approx(1, abs=1e-12)


def test_groups_stand_together_and_the_unknown_come_last():
    groups = np.array([0, 1, 0, 2, 1, 2, 0, 1, 2, 0])
    correlation = np.where(groups[:, None] == groups, 0.9, 0.1)
    np.fill_diagonal(correlation, 1)
    for lost in (3, 0):
        correlation[lost] = correlation[:, lost] = np.nan
    order = clustered_order(correlation)
    assert sorted(order) == list(range(10))
    assert order[-2:].tolist() == [0, 3]
    assert np.count_nonzero(np.diff(groups[order[:-2]])) == 2


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_channels_keep_their_order(count):
    assert clustered_order(np.eye(count)).tolist() == list(range(count))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((np.zeros((0, 2)),), r"means: must be \(n >= 1, channels\), got \(0, 2\)"),
        ((np.zeros(3),), r"means: must be .* got \(3,\)"),
        ((np.ones((2, 3)), np.ones((2, 3))), "products: must be given too"),
        ((np.ones((2, 3)), None, np.ones((2, 3, 3))), "widths: must be given too"),
        ((np.ones((2, 3)), np.ones((2, 2)), np.ones((2, 3, 3))), r"widths: must be like means \(2, 3\), got \(2, 2\)"),
        ((np.ones((2, 3)), np.ones((2, 3)), np.ones((2, 3))), r"products: must be \(2, 3, 3\), got \(2, 3\)"),
    ],
)
def test_what_does_not_fit_is_told(given, message):
    with pytest.raises(ValueError, match=message):
        channel_overlap(*given)
