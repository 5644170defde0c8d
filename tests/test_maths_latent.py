"""How codes move, and in how many dimensions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.decomposition import PCA

from kerasviz_callbacks.maths.latent import (
    QUANTILES,
    active,
    active_units,
    mean_shift,
    move,
    participation_ratio,
    quantiles,
    spread,
    variances,
)

clouds = hnp.arrays(np.float32, st.tuples(st.integers(1, 8), st.integers(1, 5)), elements=st.floats(-10, 10, width=32))
square = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])


class TestClouds:
    def test_worked_by_hand(self):
        assert spread(square + 7) == pytest.approx(np.sqrt(2))
        assert move(square, -square) == pytest.approx(2)  # each point goes 2 sqrt 2
        assert mean_shift(square + np.array([3, 4]), square) == pytest.approx(5 / np.sqrt(2))
        # spreads 3 and 4 times sqrt 2, of which the root mean square is 5
        assert mean_shift(square * 3, square * 4 + np.array([5, 0])) == pytest.approx(1)
        assert participation_ratio(square) == pytest.approx(2)
        assert participation_ratio(square * [1, 0]) == pytest.approx(1)

    @given(clouds, st.integers(-5, 5), st.sampled_from([0.5, 2.0]))
    def test_place_does_not_count_and_unit_only_for_the_spread(self, codes, offset, factor):
        codes = np.round(codes)
        assert spread(codes + offset) == pytest.approx(spread(codes), abs=1e-9)
        assert spread(codes * factor) == pytest.approx(spread(codes) * factor)
        assert move(codes + offset, codes) == pytest.approx(0, abs=1e-9) or spread(codes) == 0
        np.testing.assert_allclose(participation_ratio(codes * factor), participation_ratio(codes))

    @given(clouds, st.randoms(use_true_random=False))
    def test_ranges_hold_and_order_does_not_count(self, codes, random):
        order = random.sample(range(len(codes)), len(codes))
        again = codes[order]
        assert spread(again) == pytest.approx(spread(codes))
        ratio = participation_ratio(codes)
        assert np.isnan(ratio) == (np.ptp(codes, axis=0) == 0).all()
        if not np.isnan(ratio):
            assert 1 - 1e-9 <= ratio <= min(codes.shape[1], len(codes) - 1) + 1e-9
            assert 0 <= move(codes, again) <= 2 * np.sqrt(2)
            assert mean_shift(codes, again) == pytest.approx(0, abs=1e-6)
        assert 0 <= active_units(codes, absolute=False) <= codes.shape[1]

    @pytest.mark.parametrize("shape", [(200, 6), (20, 90)])
    def test_participation_agrees_with_the_eigenvalues_of_scikit_learn(self, shape):
        codes = np.random.default_rng(0).standard_normal(shape) * np.linspace(1, 5, shape[1])
        variances = PCA().fit(codes).explained_variance_
        assert participation_ratio(codes) == pytest.approx(variances.sum() ** 2 / np.sum(variances**2))

    def test_active_units_worked_by_hand(self):
        codes = square[:, :1] * [10, 0.9, 0.2, 0.05]  # variances 100, 0.81, 0.04, 0.0025
        assert active_units(codes, absolute=True) == 3
        assert active_units(codes, absolute=False) == 1

    @pytest.mark.parametrize("codes", [np.full((500, 3), 0.1), np.full((1, 3), 0.1)])
    def test_a_collapsed_cloud_is_not_taken_for_rounding(self, codes):
        assert spread(codes) == 0
        assert active_units(codes, absolute=False) == 0
        assert np.isnan([participation_ratio(codes), move(codes, codes), mean_shift(codes, codes + 1)]).all()

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_what_is_not_finite_is_nan_without_a_warning(self, bad):
        codes = np.array([[1.0, 2], [bad, 4]])
        metrics = [spread(codes), participation_ratio(codes), active_units(codes, absolute=True)]
        pairs = [move(codes, square[:2]), move(square[:2], codes), mean_shift(codes, codes)]
        assert np.isnan([*metrics, *pairs]).all()

    def test_nothing_is_nan(self):
        for shape in [(0, 3), (3, 0)]:
            assert np.isnan([spread(np.zeros(shape)), participation_ratio(np.zeros(shape))]).all()

    def test_wrong_shapes_are_named(self):
        with pytest.raises(ValueError, match=r"previous: must have the shape of codes \(4, 2\), got \(3, 2\)"):
            move(square, square[:3])
        with pytest.raises(ValueError, match="flatten the axes after the first"):
            spread(np.zeros((2, 2, 2)))


def by_hand(values):
    """The five quantiles of a list: the place `q (n - 1)` in the order, straight between its neighbours."""
    ordered, found = sorted(values), []
    for share in (5, 25, 50, 75, 95):
        below, rest = divmod(share * (len(ordered) - 1), 100)
        above = ordered[min(below + 1, len(ordered) - 1)]
        found.append(ordered[below] + (above - ordered[below]) * rest / 100)
    return found


class TestVariables:
    def test_worked_by_hand(self):
        codes = np.stack([np.arange(21.0)[::-1], np.full(21, 7.0)], axis=1)
        np.testing.assert_allclose(quantiles(codes), [[1, 7], [5, 7], [10, 7], [15, 7], [19, 7]])
        np.testing.assert_allclose(variances(codes), [np.mean((np.arange(21) - 10) ** 2), 0])
        np.testing.assert_allclose(quantiles([[3.0], [5.0]])[:, 0], [3.1, 3.5, 4, 4.5, 4.9])

    @given(clouds)
    def test_quantiles_ascend_within_the_range_and_do_not_depend_on_the_order_of_rows(self, codes):
        found = quantiles(codes)
        assert found.shape == (len(QUANTILES), codes.shape[1])
        np.testing.assert_allclose(found.T, [by_hand(column) for column in codes.astype(float).T], atol=1e-12)
        assert (np.diff(found, axis=0) >= 0).all()
        assert (found >= codes.min(axis=0)).all()
        assert (found <= codes.max(axis=0)).all()
        np.testing.assert_array_equal(quantiles(codes[::-1]), found)
        np.testing.assert_array_equal(quantiles(codes[:, ::-1]), found[:, ::-1])

    @given(clouds, st.booleans())
    def test_the_units_counted_are_those_that_are_active(self, codes, absolute):
        variance = np.mean((codes.astype(float) - codes.astype(float).mean(axis=0)) ** 2, axis=0)
        np.testing.assert_allclose(variances(codes), variance, atol=1e-12)
        least = 0.01 if absolute else 0.01 * variance.max()
        clear = np.abs(variance - least) > 1e-9
        np.testing.assert_array_equal(active(codes, absolute)[clear], (variance > least)[clear])
        assert active_units(codes, absolute) == active(codes, absolute).sum()

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_what_is_not_finite_is_nan_in_its_variable_alone(self, bad):
        codes = np.random.default_rng(0).normal(0, [1, 1, 0.01], (30, 3))
        broken = codes.copy()
        broken[4, 1] = bad
        for function in (quantiles, variances):
            np.testing.assert_array_equal(function(broken)[..., [0, 2]], function(codes)[..., [0, 2]])
            assert np.isnan(function(broken)[..., 1]).all()
        for absolute in (True, False):
            assert active(codes, absolute).tolist() == [True, True, False]
            assert active(broken, absolute).tolist() == [True, False, False]

    def test_without_rows_nothing_is_known(self):
        assert np.isnan(quantiles(np.zeros((0, 2)))).all()
        assert np.isnan(variances(np.zeros((0, 2)))).all()
        assert active(np.zeros((0, 2)), absolute=False).tolist() == [False, False]
        assert quantiles(np.zeros((3, 0))).shape == (5, 0)
        with pytest.raises(ValueError, match=r"codes: must be \(n, d\), got \(3,\)"):
            quantiles(np.zeros(3))
