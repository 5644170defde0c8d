"""How far off reconstructions are, which pictures a walk goes between, and what lies on the way."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import mean_squared_error as known_error

from kerasviz_callbacks.maths.matrices import strongest
from kerasviz_callbacks.maths.reconstruction import (
    differences,
    interpolate,
    interpolation_pairs,
    mean_baseline_mse,
    mean_squared_error,
    walk_metrics,
)

ANY = st.floats() | st.sampled_from([0.0, 1.0, np.nan, np.inf, 1e308, -1e308])
SHAPES = st.tuples(st.integers(1, 4), st.integers(1, 5))
tame = hnp.arrays(np.float64, SHAPES, elements=st.floats(-1e3, 1e3))
wild = hnp.arrays(np.float64, SHAPES, elements=ANY)


class TestErrors:
    def test_the_sign_says_too_high_or_too_low(self):
        found = differences([[0.5, 2.0, np.inf, 1.0]], [[1.0, 0.5, 1.0, np.nan]])
        np.testing.assert_array_equal(found, [[-0.5, 1.5, np.nan, np.nan]])

    def test_bytes_do_not_wrap_round(self):
        assert differences(np.uint8([[3]]), np.uint8([[5]])).tolist() == [[-2.0]]

    def test_other_shapes_are_an_error(self):
        with pytest.raises(ValueError, match=r"reconstructions: must have the shape .* \(2, 3\), got \(2, 4\)"):
            differences(np.zeros((2, 4)), np.zeros((2, 3)))

    @given(tame)
    def test_the_mean_square_is_that_of_scikit_learn(self, values):
        wanted = np.roll(values, 1)
        assert mean_squared_error(differences(values, wanted)) == pytest.approx(known_error(wanted, values))

    @given(wild)
    def test_it_is_a_number_not_below_0_or_nan(self, values):
        found = mean_squared_error(values)
        assert found >= 0 or np.isnan(found)
        assert not np.isinf(found)
        if not np.isfinite(values).all():
            assert np.isnan(found)

    def test_nothing_at_all_has_no_error(self):
        assert np.isnan(mean_squared_error([]))
        assert np.isnan(mean_baseline_mse(np.zeros((0, 3))))

    @given(tame)
    def test_the_mean_picture_is_the_best_of_all_constant_ones(self, values):
        best = mean_baseline_mse(values)
        assert best == pytest.approx(values.var(axis=0).mean(), abs=1e-9)
        assert best <= mean_squared_error(values - values[:1]) + 1e-9
        assert mean_baseline_mse(values[::-1]) == pytest.approx(best)

    @given(wild)
    def test_the_mean_of_what_is_not_finite_is_nan_and_no_warning(self, values):
        assert np.isnan(mean_baseline_mse(values)) or np.isfinite(values).all()


class TestStrongest:
    def test_worked_by_hand(self):
        found = strongest([[0.2, -0.5, 0.1], [0.5, -0.5, 0.0], [np.nan, 9.0, 1.0], [0.0, 0.0, 0.0]])
        np.testing.assert_array_equal(found, [-0.5, 0.5, np.nan, 0.0])

    @given(wild)
    def test_it_is_one_of_them_and_none_is_larger(self, values):
        found = strongest(values)
        for one, row in zip(found, values, strict=True):
            assert np.isnan(one) == np.isnan(row).any()
            if not np.isnan(one):
                assert one in row
                assert abs(one) == np.abs(row).max()


class TestPairs:
    @pytest.mark.parametrize(
        ("labels", "most", "found"),
        [
            ([0, 1, 2, 0, 1, 2], 4, [[0, 1], [2, 3], [4, 5]]),
            ([0, 0, 0, 1, 1], 4, [[0, 3], [1, 4]]),
            ([0, 0, 0, 0, 1], 4, [[0, 4], [1, 2]]),
            ([3, 3, 3], 4, [[0, 1]]),
            (None, 4, [[0, 1], [2, 3]]),
            ([0, 1, 2, 0, 1, 2], 2, [[0, 1], [2, 3]]),
            ([0], 4, []),
            ([], 4, []),
        ],
    )
    def test_worked_by_hand(self, labels, most, found):
        count = 5 if labels is None else len(labels)
        assert interpolation_pairs(labels, count, most).tolist() == found
        assert interpolation_pairs(labels, count, most).shape == (len(found), 2)

    @given(st.lists(st.integers(0, 3), max_size=20), st.integers(1, 6))
    def test_no_picture_is_in_two_and_as_many_as_there_can_be(self, labels, most):
        found = interpolation_pairs(np.array(labels, int), len(labels), most)
        assert len(found) == min(most, len(labels) // 2)
        assert len(set(found.ravel().tolist())) == found.size
        assert (found[:, 0] < found[:, 1]).all()


class TestLines:
    def test_worked_by_hand(self):
        codes = np.array([[0.0, 1.0], [9.0, 9.0], [3.0, -2.0]])
        found = interpolate(codes, np.array([[0, 2]]), positions=4)
        np.testing.assert_allclose(found, [[[0, 1], [1, 0], [2, -1], [3, -2]]], atol=1e-15)

    @given(hnp.arrays(np.float32, (4, 2, 3), elements=st.floats(-100, 100, width=32)), st.integers(2, 9))
    def test_ends_are_the_codes_and_steps_are_equal_whatever_the_shape(self, codes, positions):
        between = np.array([[0, 3], [2, 1]])
        found = interpolate(codes, between, positions)
        assert found.dtype == np.float32
        assert found.shape == (2, positions, 2, 3)
        np.testing.assert_array_equal(found[:, [0, -1]], codes[between])
        np.testing.assert_allclose(np.diff(found, n=2, axis=1), 0, atol=1e-4)
        flat = interpolate(codes.reshape(4, 6), between, positions)
        np.testing.assert_array_equal(found.reshape(flat.shape), flat)

    @given(hnp.arrays(np.float32, (3, 2), elements=st.floats(width=32)))
    def test_what_is_not_finite_gives_no_warning(self, codes):
        assert interpolate(codes, np.array([[0, 1]])).shape == (1, 8, 2)

    def test_types_and_no_pairs(self):
        none = np.zeros((0, 2), np.intp)
        assert interpolate(np.zeros((3, 2), np.float64), none).shape == (0, 8, 2)
        assert interpolate(np.zeros((3, 2), np.float64), none).dtype == np.float64
        assert interpolate(np.zeros((3, 2), np.float16), none).dtype == np.float32
        with pytest.raises(ValueError, match="positions: must be at least 2, both ends included, got 1"):
            interpolate(np.zeros((3, 2)), none, 1)


class TestMetrics:
    def test_worked_by_hand(self):
        # Two walks of pictures of two pixels: 3-4-5 triangles.
        walks = [[[0, 0], [3, 4], [6, 8]], [[1, 1], [1, 1], [1, 7]]]
        ends = [[[0, 0], [12, 16]], [[0, 0], [0, 12]]]
        apart, largest = walk_metrics(walks, ends)
        assert apart == pytest.approx((10 / 20 + 6 / 12) / 2)
        assert largest == pytest.approx((1 + 6 / 3) / 2)

    def test_collapse_is_0_and_has_no_largest_step(self):
        apart, largest = walk_metrics(np.ones((2, 8, 3)), [[[0] * 3, [1] * 3]] * 2)
        assert apart == 0
        assert np.isnan(largest)

    @given(hnp.arrays(np.float64, (2, 4, 3), elements=ANY))
    def test_in_range_or_nan_and_never_a_warning(self, walks):
        apart, largest = walk_metrics(walks, walks[:, [0, -1]])
        assert np.isnan(apart) or apart == pytest.approx(1)
        assert np.isnan(largest) or 1 - 1e-9 <= largest <= 3 + 1e-9
        assert np.isnan(walk_metrics(walks[:0], walks[:0, :2])).all()

    @given(hnp.arrays(np.float64, (3, 4, 2), elements=st.integers(-9, 9)), st.permutations(range(3)))
    def test_the_order_of_walks_and_a_larger_unit_change_nothing(self, walks, order):
        found = walk_metrics(walks, walks[:, :2])
        for other in (walks[list(order)], walks * 4):
            np.testing.assert_allclose(walk_metrics(other, other[:, :2]), found)
