"""Health metrics of filters and channels, by hand and by law."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kerasviz_callbacks.maths.health import (
    channel_metrics,
    dead,
    dormant,
    norm,
    redundancy,
    sparsity,
    turn,
)

kernels = hnp.arrays(np.float32, st.tuples(st.integers(2, 6), st.integers(1, 5)), elements=st.floats(-10, 10, width=32))


def metrics_of(activations):
    """What the model's pass gives for each row, from whole activations `(n, *spatial, c)`."""
    rows = np.asarray(activations, np.float64).reshape(len(activations), -1, np.shape(activations)[-1])
    with np.errstate(invalid="ignore"):
        return channel_metrics(
            largest=rows.max(axis=1),
            mean=rows.mean(axis=1),
            mean_abs=np.abs(rows).mean(axis=1),
            variance=rows.var(axis=1),
            share_not_positive=(rows <= 0).mean(axis=1),
        )


def plain_redundancy(filters):
    units = filters / np.linalg.norm(filters, axis=1, keepdims=True)
    cosines = (units @ units.T)[~np.eye(len(units), dtype=bool)]
    return filters.shape[1] * np.mean(cosines**2)


class TestFilters:
    def test_redundancy_worked_by_hand(self):
        # cos^2 of the three pairs: 0, 1/2, 1/2; each pair counts twice among six; p = 2
        assert redundancy([[2, 0], [0, 3], [1, 1]]) == pytest.approx(2 / 3)

    @pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4), (40, 9), (8, 3, 3, 2)])
    def test_redundancy_agrees_with_the_plain_form_by_either_gram_matrix(self, shape):
        filters = np.random.default_rng(0).standard_normal(shape)
        assert redundancy(filters) == pytest.approx(plain_redundancy(filters.reshape(len(filters), -1)))

    @pytest.mark.parametrize("shape", [(400, 27), (300, 600)])
    def test_redundancy_of_random_filters_is_about_1(self, shape):
        assert redundancy(np.random.default_rng(0).standard_normal(shape)) == pytest.approx(1, abs=0.03)

    @given(st.integers(2, 12), st.integers(1, 40), st.integers(0, 9))
    def test_redundancy_of_equal_filters_is_p_whatever_their_length_and_sign(self, count, fan_in, seed):
        generator = np.random.default_rng(seed)
        lengths = generator.uniform(0.1, 9, (count, 1)) * generator.choice([-1, 1], (count, 1))
        filters = lengths * generator.uniform(0.5, 1, fan_in)
        assert redundancy(filters) == pytest.approx(fan_in, rel=1e-9)

    def test_redundancy_of_filters_at_right_angles_is_0(self):
        assert redundancy(np.eye(6)) == 0

    @given(kernels, st.randoms(use_true_random=False))
    def test_redundancy_stays_in_its_range_and_knows_no_order(self, filters, random):
        found = redundancy(filters)
        left = np.count_nonzero(filters.any(axis=1))
        assert np.isnan(found) == (left < 2)
        if left >= 2:
            assert 0 <= found <= filters.shape[1] * (1 + 1e-9)
            order = random.sample(range(len(filters)), len(filters))
            assert redundancy(filters[order]) == pytest.approx(found, abs=1e-9)

    def test_filters_that_are_zero_or_not_finite_are_left_out(self):
        filters = np.array([[2.0, 0], [0, 3], [1, 1]])
        spoilt = np.concatenate([filters, [[0, 0], [np.nan, 1], [np.inf, 1]]])
        assert redundancy(spoilt) == redundancy(filters)
        assert norm(spoilt[[0, 1, 4, 5]]) == 2.5
        assert turn(spoilt, spoilt[[1, 0, 2, 3, 4, 5]]) == pytest.approx(2 / 3)

    def test_nothing_left_is_nan(self):
        nothing = np.full((3, 2), np.nan)
        assert np.isnan([redundancy(nothing), turn(nothing, nothing), norm(nothing)]).all()
        assert np.isnan([redundancy(np.zeros((3, 2))), redundancy(np.ones((1, 2)))]).all()
        assert np.isnan([redundancy(np.zeros((0, 2))), norm(np.zeros((0, 2)))]).all()

    def test_turn_and_norm_worked_by_hand(self):
        assert turn([[1, 0], [0, 2]], [[0, 5], [0, 1]]) == 0.5
        assert norm([[3, 4], [0, 1]]) == 3

    @given(kernels, st.floats(0.01, 100))
    def test_turn_sees_direction_only_and_norm_sees_length(self, filters, factor):
        scaled = filters.astype(np.float64) * factor
        assert norm(scaled) == pytest.approx(norm(filters) * factor)
        if filters.any():
            assert turn(scaled, filters) == pytest.approx(0, abs=1e-12)
            assert turn(-scaled, filters) == pytest.approx(2)

    def test_wrong_shapes_are_named(self):
        with pytest.raises(ValueError, match=r"previous: must have the shape of filters \(2, 3\), got"):
            turn(np.ones((2, 3)), np.ones((3, 3)))
        with pytest.raises(ValueError, match=r"filters: must be \(f, ...\), one filter per row, got \(3,\)"):
            norm(np.ones(3))


class TestChannels:
    def test_metrics_worked_by_hand(self):
        metrics = metrics_of([[[1, 0], [3, 0]], [[-1, 0], [5, 0]]])  # 2 rows, 2 positions, 2 channels
        assert metrics.largest.tolist() == [5, 0]
        assert metrics.mean_abs.tolist() == [2.5, 0]
        assert metrics.variance.tolist() == [5, 0]  # (1 + 9) / 2 within rows, 0 between them
        assert metrics.share_not_positive.tolist() == [0.25, 1]
        assert metrics.non_finite.tolist() == [0, 0]

    @given(hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=4), elements=st.floats(-9, 9, width=32)))
    def test_folding_rows_is_the_same_as_looking_at_everything(self, activations):
        metrics = metrics_of(activations)
        whole = activations.reshape(-1, activations.shape[-1]).astype(np.float64)
        np.testing.assert_allclose(metrics.variance, whole.var(axis=0), atol=1e-12)
        np.testing.assert_allclose(metrics.mean_abs, np.abs(whole).mean(axis=0), atol=1e-12)
        np.testing.assert_array_equal(metrics.largest, whole.max(axis=0))
        assert dead(metrics, rectified=True) == np.mean(whole.max(axis=0) <= 1e-6)
        assert dead(metrics, rectified=False) == np.mean(whole.std(axis=0) <= 1e-6)
        assert sparsity(metrics) == pytest.approx(np.mean(whole <= 0))

    def test_the_variance_keeps_its_digits_far_from_zero(self):
        activations = 1e8 + np.random.default_rng(0).standard_normal((50, 20, 3))
        whole = activations.reshape(-1, 3)
        np.testing.assert_allclose(metrics_of(activations).variance, whole.var(axis=0), rtol=1e-6)

    def test_shares_worked_by_hand(self):
        # largest 10, 0.2, 0, 0; mean |a| 10, 0.2, 0, 0 beside an average of 2.55: at most 0.06375 is dormant
        metrics = metrics_of([[10, 0.2, 0, 0]])
        assert dead(metrics, rectified=True) == 0.5
        assert dead(metrics, rectified=False) == 1  # one row: nothing varies
        assert dormant(metrics) == 0.5
        assert sparsity(metrics) == 0.5

    def test_dead_without_rectifier_means_that_it_does_not_vary(self):
        metrics = metrics_of([[7.0, -1.0, 1e-7], [7.0, -2.0, 0.0]])
        assert dead(metrics, rectified=False) == pytest.approx(2 / 3)
        assert dead(metrics, rectified=True) == pytest.approx(2 / 3)

    def test_where_all_is_zero_all_are_dormant(self):
        metrics = metrics_of(np.zeros((3, 4, 5)))
        assert (dormant(metrics), dead(metrics, rectified=True), sparsity(metrics)) == (1, 1, 1)

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_a_channel_that_is_not_finite_is_left_out_and_counted(self, bad):
        activations = np.array([[[1.0, 0, 4], [3, 0, 4]], [[1, 0, 4], [2, 0, 4]]])
        clean = metrics_of(activations[..., :2])
        activations[1, 0, 2] = bad
        metrics = metrics_of(activations)
        assert metrics.non_finite.tolist() == [0, 0, 1]
        assert np.isnan(metrics.variance).tolist() == [False, False, True]
        assert dead(metrics, rectified=True) == dead(clean, rectified=True) == 0.5
        assert dormant(metrics) == dormant(clean) == 0.5
        assert sparsity(metrics) == sparsity(clean) == 0.5

    def test_no_channel_left_is_nan(self):
        metrics = metrics_of(np.full((2, 3, 4), np.nan))
        shares = [dead(metrics, rectified=True), dead(metrics, rectified=False), dormant(metrics)]
        assert np.isnan([*shares, sparsity(metrics)]).all()

    def test_a_variance_that_rounding_made_negative_is_none(self):
        rows = {name: np.zeros((2, 1)) for name in ("mean", "mean_abs")}
        metrics = channel_metrics(**rows, variance=np.full((2, 1), -1e-9))
        assert dead(metrics, rectified=False) == 1

    @pytest.mark.parametrize("shape", [(0, 3), (3,)])
    def test_no_rows_are_an_error(self, shape):
        names = ("largest", "mean", "mean_abs", "variance", "share_not_positive")
        with pytest.raises(ValueError, match=r"mean_abs: must be \(n >= 1, channels\)"):
            channel_metrics(**dict.fromkeys(names, np.zeros(shape)))

    def test_a_statistic_that_was_not_computed_is_named(self):
        metrics = channel_metrics(mean_abs=np.ones((2, 3)))
        assert dormant(metrics) == 0
        for ask, name in (
            (lambda: dead(metrics, rectified=True), "largest"),
            (lambda: dead(metrics, rectified=False), "variance"),
            (lambda: sparsity(metrics), "share_not_positive"),
        ):
            with pytest.raises(ValueError, match=f"{name} was not computed"):
                ask()
        with pytest.raises(ValueError, match="all are None; give at least one"):
            channel_metrics()
        with pytest.raises(ValueError, match="give both or neither"):
            channel_metrics(mean_abs=np.ones((2, 3)), variance=np.ones((2, 3)))
