"""Attributions from gradients: by closed form, by what the model was asked, and by law."""

# ruff: noqa: NPY002 - the global state is watched too

from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from kerasviz_callbacks.maths.attribution import (
    complete_gradients,
    completeness_error,
    gradient,
    input_x_gradient,
    integrated_gradients,
    reduce_channels,
    smooth_grad,
)

FUNCTIONS = [gradient, input_x_gradient, smooth_grad, integrated_gradients]
TYPES = [
    ("uint8", "float32"),
    ("float16", "float32"),
    ("float32", "float32"),
    ("float64", "float64"),
    ("int64", "float64"),
]
finite = st.floats(-100, 100, width=32)
shapes = st.lists(st.integers(1, 4), min_size=2, max_size=5).map(tuple)
inputs = shapes.flatmap(lambda shape: hnp.arrays(np.float32, shape, elements=finite))


def linear(weights):
    """The gradient of `w . x + b` by x, whatever b."""
    return lambda x: np.broadcast_to(weights, x.shape)


def cubes(x):
    """The gradient of the sum of cubes."""
    with np.errstate(invalid="ignore", over="ignore"):
        return 3 * x**2


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


class TestLinear:
    @settings(deadline=None)
    @given(inputs, st.integers(0, 99), st.integers(1, 9))
    def test_every_method_is_its_closed_form(self, x, seed, steps):
        weights = normal(*x.shape[1:], seed=seed)
        baseline = normal(*x.shape[1:], seed=seed + 1)
        ask = linear(weights)
        np.testing.assert_array_equal(gradient(ask, x), np.broadcast_to(weights, x.shape))
        np.testing.assert_allclose(input_x_gradient(ask, x), weights * x, rtol=1e-6)
        np.testing.assert_allclose(smooth_grad(ask, x, samples=5), np.broadcast_to(weights, x.shape), rtol=1e-6)
        wide = x.astype(np.float64) - baseline
        np.testing.assert_allclose(
            integrated_gradients(ask, x, baseline=baseline, steps=steps), weights * wide, rtol=1e-6
        )

    def test_integrated_gradients_are_complete(self):
        x, weights, baseline = normal(8, 5, 7, 3), normal(5, 7, 3, seed=1), normal(5, 7, 3, seed=2)
        parts = integrated_gradients(linear(weights), x, baseline=baseline, steps=1)
        at_x = np.sum(weights.astype(float) * x, axis=(1, 2, 3)) + 4
        at_baseline = np.full(8, np.sum(weights.astype(float) * baseline) + 4)
        assert completeness_error(parts, at_x, at_baseline) < 1e-6


class TestSmoothGrad:
    def test_it_is_the_mean_gradient_over_the_points_it_asked_for(self):
        x = normal(4, 6, 5, 2)
        ask = Mock(side_effect=lambda x: np.sin(2 * x))
        found = smooth_grad(ask, x, samples=11, noise=0.3, seed=3)
        assert ask.call_count == 11
        mean = np.zeros(x.shape)
        for call in ask.call_args_list:
            mean += np.sin(2 * call.args[0]).astype(np.float64) / 11
        np.testing.assert_allclose(found, mean, rtol=1e-6, atol=1e-7)

    def test_of_a_quadratic_it_tends_to_the_gradient_at_the_input(self):
        x = normal(3, 4, 4, 1)
        found = smooth_grad(lambda x: 2 * x, x, samples=900, noise=0.1)
        error = 2 * 0.1 * np.ptp(x, axis=(1, 2, 3), keepdims=True) / np.sqrt(900)  # standard error of the mean
        assert (np.abs(found - 2 * x) < 5 * error).all()
        assert (np.abs(found - 2 * x) > 0.1 * error).any()  # and there was noise

    def test_the_noise_is_normal_and_a_share_of_each_rows_own_range(self):
        x = normal(3, 20, 20) * np.array([1, 50, 1e-3], np.float32).reshape(3, 1, 1)
        ask = Mock(side_effect=lambda x: x)
        smooth_grad(ask, x, samples=8, noise=0.2)
        points = np.stack([call.args[0] for call in ask.call_args_list])
        for row in range(3):
            drawn = (points[:, row].astype(float) - x[row]) / (0.2 * np.ptp(x[row]))
            assert stats.kstest(drawn.ravel(), "norm").pvalue > 1e-3
            copies = np.corrcoef(drawn.reshape(8, -1))[~np.eye(8, dtype=bool)]
            assert np.abs(copies).max() < 5 / np.sqrt(400)  # each copy has noise of its own

    def test_the_seed_alone_decides_and_the_global_generator_rests(self):
        x = normal(2, 5)
        before = np.random.get_state()[1].tolist()
        first = smooth_grad(cubes, x, seed=1)
        assert smooth_grad(cubes, x, seed=1).tobytes() == first.tobytes()
        assert not np.array_equal(smooth_grad(cubes, x, seed=2), first)
        assert np.random.get_state()[1].tolist() == before

    @settings(deadline=None)
    @given(inputs)
    def test_without_noise_or_without_range_it_is_the_gradient(self, x):
        np.testing.assert_allclose(smooth_grad(cubes, x, noise=0, samples=3), cubes(x), rtol=1e-6)
        flat = np.broadcast_to(x[:, :1], x.shape) if x.ndim == 2 else np.full_like(x, x.flat[0])
        np.testing.assert_allclose(smooth_grad(cubes, flat, samples=3), cubes(flat), rtol=1e-6)

    def test_a_hole_in_the_input_does_not_blur_the_rest(self):
        x = normal(2, 6)
        x[1, 2] = np.nan
        ask = Mock(side_effect=cubes)
        found = smooth_grad(ask, x, samples=2)
        assert np.isnan(found).tolist() == np.isnan(x).tolist()
        whole = ask.call_args_list[0].args[0]
        drawn = (whole[:, 0] - x[:, 0]) / [np.ptp(x[0]), np.ptp(x[1][np.isfinite(x[1])])]
        assert drawn[0] == pytest.approx(drawn[1], rel=1e-4)


class TestIntegratedGradients:
    @settings(deadline=None)
    @given(inputs, st.integers(1, 40))
    def test_of_cubes_the_midpoint_rule_is_known_to_the_last_digit(self, x, steps):
        # The mean of a^2 at the midpoints of m pieces of [0, 1] is 1/3 - 1/(12 m^2).
        found = integrated_gradients(cubes, x.astype(np.float64), steps=steps)
        exact = x.astype(np.float64) ** 3
        np.testing.assert_allclose(found, exact * (1 - 1 / (4 * steps**2)), rtol=1e-6, atol=1e-30)

    @pytest.mark.parametrize("steps", [2, 8, 32, 128])
    def test_of_tanh_it_is_the_rise_of_tanh_within_the_bound_of_the_midpoint_rule(self, steps):
        x, baseline = 2 * normal(5, 4, 3), normal(4, 3, seed=1)
        found = integrated_gradients(lambda x: 1 / np.cosh(x) ** 2, x.astype(float), baseline=baseline, steps=steps)
        way = x.astype(float) - baseline
        bound = np.abs(way) ** 3 * 2 / (24 * steps**2)  # no third derivative of tanh is above 2
        assert (np.abs(found - (np.tanh(x.astype(float)) - np.tanh(baseline))) <= bound + 1e-6).all()

    def test_of_a_product_the_two_share_alike(self):
        x = np.array([[3.0, 5.0], [-2.0, 4.0]], np.float32)
        found = integrated_gradients(lambda x: x[:, ::-1], x, steps=1)
        np.testing.assert_allclose(found, [[7.5, 7.5], [-4, -4]])
        from_elsewhere = integrated_gradients(lambda x: x[:, ::-1], x, baseline=[1, 2], steps=4)
        # (x1 - b1) (x2 + b2) / 2 and (x2 - b2) (x1 + b1) / 2: the path's mean of the other one
        np.testing.assert_allclose(from_elsewhere, [[2 * 3.5, 3 * 2.0], [-3 * 3.0, 2 * -0.5]])

    def test_it_asks_at_the_midpoints_of_the_straight_way(self):
        x, baseline = normal(2, 3), normal(2, 3, seed=1)
        ask = Mock(side_effect=cubes)
        integrated_gradients(ask, x, baseline=baseline, steps=4)
        assert ask.call_count == 4
        for call, share in zip(ask.call_args_list, [0.125, 0.375, 0.625, 0.875], strict=True):
            np.testing.assert_allclose(call.args[0], (1 - share) * baseline + share * x, rtol=1e-5, atol=1e-6)

    def test_a_baseline_may_be_a_number_an_input_or_all_rows(self):
        x = normal(3, 4, 2)
        by_number = integrated_gradients(cubes, x, baseline=0.5)
        for baseline in (np.full((4, 2), 0.5), np.full(x.shape, 0.5), np.full((4, 2), 0.5).tolist()):
            np.testing.assert_array_equal(integrated_gradients(cubes, x, baseline=baseline), by_number)
        rows = np.arange(3.0).reshape(3, 1, 1) * np.ones(x.shape)
        found = integrated_gradients(cubes, x, baseline=rows)
        for row in range(3):
            np.testing.assert_array_equal(found[row], integrated_gradients(cubes, x, baseline=float(row))[row])

    def test_each_row_takes_the_steps_that_its_own_completeness_needs(self):
        """Of relu(x - 0.9) from 0 to 1, the midpoints above 0.9 count 3 of 32, 6 of 64, 13 of 128: -6, -6, +2 %."""
        kinks, asked = np.array([[0.5], [0.9], [0.998]]), []

        def slopes(points, rows):
            asked.append(rows.tolist())
            return (points > kinks[rows]).astype(float)

        found, missing = complete_gradients(slopes, np.ones((3, 1)), 1 - kinks[:, 0])
        np.testing.assert_allclose(found[:, 0], [1 / 2, 13 / 128, 1 / 512], rtol=1e-6)
        np.testing.assert_array_equal(missing, [False, False, False])
        assert [asked.count(rows) for rows in ([0, 1, 2], [1, 2], [2])] == [32, 64 + 128, 256 + 512]
        alone, _ = complete_gradients(lambda points, rows: slopes(points, rows + 1), np.ones((1, 1)), 1 - kinks[1])
        np.testing.assert_array_equal(alone[0], found[1])

    def test_what_no_number_of_steps_completes_is_reported_and_the_passes_are_bounded(self):
        ask = Mock(side_effect=lambda points, rows: np.ones(points.shape))
        found, missing = complete_gradients(ask, np.ones((4, 1)), [1.0, 1.04, 1.06, np.nan])
        np.testing.assert_array_equal(missing, [False, False, True, False])
        np.testing.assert_array_equal(found, np.ones((4, 1)))
        assert ask.call_count == 32 + 64 + 128 + 256 + 512
        assert [len(call.args[1]) for call in ask.call_args_list[-512:]] == [1] * 512

    def test_a_change_near_zero_where_evidence_cancels_takes_no_more_steps(self):
        """Their sum is rounding: no number of steps brings it within 5 % of a change of 1e-9."""
        ask = Mock(side_effect=lambda points, rows: np.broadcast_to([1.0, -1.0 + 1e-7], points.shape))
        _, missing = complete_gradients(ask, np.full((1, 2), 3.0), [1e-9])
        assert (ask.call_count, missing.tolist()) == (32, [False])

    @pytest.mark.parametrize("shape", [(2,), (4, 1), (1, 4, 2), (3,)])
    def test_a_baseline_of_another_shape_is_named(self, shape):
        with pytest.raises(ValueError, match=r"baseline: expected a number, one input's shape \(4, 2\) or x's shape"):
            integrated_gradients(cubes, normal(3, 4, 2), baseline=np.zeros(shape))


class TestCompletenessError:
    @pytest.mark.parametrize("steps", [1, 2, 5])
    def test_of_cubes_it_is_the_error_of_the_midpoint_rule(self, steps):
        x = np.abs(normal(6, 3, 4)).astype(float)
        parts = integrated_gradients(cubes, x, steps=steps)
        error = completeness_error(parts, (x**3).sum(axis=(1, 2)), np.zeros(6))
        assert error == pytest.approx(1 / (4 * steps**2), rel=1e-5)
        summed = reduce_channels(parts, spatial=(1,), largest=False)
        assert completeness_error(summed, (x**3).sum(axis=(1, 2)), np.zeros(6)) == pytest.approx(error, rel=1e-5)

    def test_worked_by_hand_and_signs_do_not_cancel(self):
        # accounted 3, 8, 0 of 4, 6, -2: wrong by 1, 2, 2 of 12
        parts = [[1.0, 2.0], [4.0, 4.0], [5.0, -5.0]]
        assert completeness_error(parts, [5, 6, -1], [1, 0, 1]) == pytest.approx(5 / 12)

    def test_one_row_that_hardly_moves_does_not_decide(self):
        parts = [[1.0], [1e-3]]
        assert completeness_error(parts, [1.0, 1e-9], [0.0, 0.0]) == pytest.approx(1e-3, rel=1e-5)

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_rows_that_are_not_finite_are_left_out(self, bad):
        parts = np.array([[1.0, 2.0], [4.0, 4.0], [1.0, 1.0], [1.0, 1.0]])
        at_x, at_baseline = np.array([4.0, 6.0, bad, 2.0]), np.array([0.0, 0.0, bad, 0.0])
        parts[3, 1] = bad
        assert completeness_error(parts, at_x, at_baseline) == pytest.approx(0.3)
        assert np.isnan(completeness_error(parts[2:], at_x[2:], at_baseline[2:]))

    def test_where_scores_do_not_move_there_is_nothing_to_account_for(self):
        assert np.isnan(completeness_error([[0.0], [0.0]], [7.0, 1.0], [7.0, 1.0]))
        assert np.isnan(completeness_error([[1.0]], [np.float32(7)], [np.nextafter(np.float32(7), np.float32(8))]))
        assert np.isnan(completeness_error([[0.0]], [0.0], [0.0]))
        assert np.isnan(completeness_error(np.zeros((0, 3)), [], []))
        assert completeness_error([[1e-9]], [1e-9], [0.0]) == 0  # small is not equal

    @settings(deadline=None)
    @given(inputs, st.randoms(use_true_random=False), st.sampled_from([0.25, 4.0]))
    def test_neither_order_nor_unit_counts_and_it_is_not_negative(self, parts, random, unit):
        at_x, at_baseline = normal(2, len(parts), seed=5)
        error = completeness_error(parts, at_x, at_baseline)
        assert error >= 0
        order = random.sample(range(len(parts)), len(parts))
        again = completeness_error(parts[order] * unit, at_x[order] * unit, at_baseline[order] * unit)
        assert again == pytest.approx(error)

    def test_scores_must_be_one_a_row(self):
        with pytest.raises(ValueError, match=r"scores_at_x: must return an array of shape \(2,\).*got \(2, 1\)"):
            completeness_error(np.zeros((2, 3)), np.zeros((2, 1)), np.zeros(2))


class TestReduceChannels:
    @settings(deadline=None)
    @given(inputs, st.booleans())
    def test_channels_last_against_a_direct_loop(self, values, largest):
        spatial = tuple(range(1, values.ndim - 1)) or (1,)
        found = reduce_channels(values, spatial=spatial, largest=largest)
        if values.ndim == 2:
            np.testing.assert_array_equal(found, values)
            return
        assert found.shape == values.shape[:-1]
        for place in np.ndindex(found.shape):
            channels = [float(value) for value in values[place]]
            expected = max(channels, key=abs) if largest else sum(channels)
            assert found[place] == pytest.approx(expected, rel=1e-6, abs=1e-30)

    @pytest.mark.parametrize("largest", [True, False])
    def test_channels_may_stand_first_or_on_two_axes_or_nowhere(self, largest):
        values = normal(2, 4, 5, 3)
        last = reduce_channels(values, spatial=(1, 2), largest=largest)
        first = reduce_channels(np.moveaxis(values, -1, 1), spatial=(2, 3), largest=largest)
        np.testing.assert_allclose(first, last, rtol=1e-6)
        both = reduce_channels(values, spatial=(1,), largest=largest)
        np.testing.assert_allclose(both, reduce_channels(values.reshape(2, 4, 15), spatial=(1,), largest=largest), 1e-5)
        np.testing.assert_array_equal(reduce_channels(values, spatial=(1, 2, 3), largest=largest), values)

    def test_the_sign_is_kept_and_the_first_of_equals_wins(self):
        values = np.array([[[1, -3, 2], [3, -3, 0], [0, 0, 0]]], float)
        assert reduce_channels(values, spatial=(1,), largest=True).tolist() == [[-3, 3, 0]]
        assert reduce_channels(values, spatial=(1,), largest=False).tolist() == [[0, 0, 0]]

    def test_nan_stays_seen_and_infinity_too(self):
        inf, nan = np.inf, np.nan
        values = np.array([[[1, nan, inf], [nan, 9, 9], [1, -inf, 2], [inf, -inf, 0], [1, 2, 3]]])
        np.testing.assert_array_equal(reduce_channels(values, spatial=(1,), largest=True), [[nan, nan, -inf, inf, 3]])
        np.testing.assert_array_equal(reduce_channels(values, spatial=(1,), largest=False), [[nan, nan, -inf, nan, 6]])

    def test_thousands_of_small_channels_add_up(self):
        values = np.full((1, 2, 4097), 1e-4, np.float32)
        values[:, :, 0] = 1e4
        found = reduce_channels(values, spatial=(1,), largest=False)
        np.testing.assert_allclose(found, 1e4 + 4096 * float(np.float32(1e-4)), rtol=1e-7)

    @pytest.mark.parametrize("spatial", [(), (0,), (0, 1), (4,), (2, 1), (1, 1), (-1,)])
    def test_axes_that_are_none_are_named(self, spatial):
        with pytest.raises(ValueError, match=r"spatial=\(.*expected axes between 1 and 3.*ascending"):
            reduce_channels(np.zeros((2, 3, 4, 1)), spatial=spatial, largest=True)

    @pytest.mark.parametrize("largest", [True, False])
    def test_no_channels_at_all_is_an_error(self, largest):
        with pytest.raises(ValueError, match=r"axis of channels is empty in shape \(2, 3, 0\)"):
            reduce_channels(np.zeros((2, 3, 0)), spatial=(1,), largest=largest)


@pytest.mark.parametrize("function", FUNCTIONS)
class TestLaws:
    @settings(deadline=None)
    @given(x=inputs, random=st.randoms(use_true_random=False))
    def test_the_order_of_the_rows_only_permutes_to_the_bit(self, function, x, random):
        found = function(cubes, x)
        assert found.shape == x.shape
        assert found.dtype == np.float32
        assert np.isfinite(found).all()
        order = random.sample(range(len(x)), len(x))
        assert function(cubes, x[order]).tobytes() == found[order].tobytes()

    @settings(deadline=None)
    @given(value=finite, shape=shapes)
    def test_constant_inputs_stay_finite(self, function, value, shape):
        assert np.isfinite(function(cubes, np.full(shape, value, np.float32))).all()

    @settings(deadline=None)
    @given(x=inputs, bad=st.sampled_from([np.nan, np.inf, -np.inf]), data=st.data())
    def test_what_is_not_finite_stays_in_its_own_row(self, function, x, bad, data):
        row = data.draw(st.integers(0, len(x) - 1))
        hit = x.copy()
        hit[row].flat[data.draw(st.integers(0, x[row].size - 1))] = bad
        found, clean = function(cubes, hit), function(cubes, x)
        assert not np.isfinite(found[row]).all()
        others = np.arange(len(x)) != row
        assert found[others].tobytes() == clean[others].tobytes()

    def test_a_gradient_that_is_not_finite_stays_in_its_own_row(self, function):
        x = normal(3, 4, 4, 2)

        def ask(x):
            slopes = cubes(x)
            slopes[1, 0] = np.nan
            slopes[1, 1] = np.float32(3e38)  # times x it is more than float32 holds
            return slopes

        found, clean = function(ask, x), function(cubes, x)
        assert np.isnan(found[1, 0]).all()
        assert found[[0, 2]].tobytes() == clean[[0, 2]].tobytes()

    @pytest.mark.parametrize(
        ("given_as", "asked_as"),
        TYPES,
    )
    def test_the_model_is_asked_in_one_type_and_shape_and_the_inputs_stay(self, function, given_as, asked_as):
        x = np.arange(24).reshape(2, 3, 4).astype(given_as)
        kept = x.copy()
        ask = Mock(side_effect=cubes)
        found = function(ask, x)
        assert {(call.args[0].shape, call.args[0].dtype) for call in ask.call_args_list} == {
            (x.shape, np.dtype(asked_as))
        }
        assert found.dtype == np.float32
        np.testing.assert_array_equal(x, kept)

    def test_gradients_of_half_precision_do_not_overflow_on_the_way(self, function):
        found = function(lambda x: np.full(x.shape, 6e4, np.float16), np.full((1, 3), 100.0))
        times = 100 if function in (input_x_gradient, integrated_gradients) else 1
        np.testing.assert_allclose(found, float(np.float16(6e4)) * times, rtol=1e-6)

    def test_gradients_of_another_shape_are_named(self, function):
        with pytest.raises(ValueError, match=r"gradients: must return an array of shape \(2, 3\).*got \(3,\)"):
            function(lambda x: x[0], normal(2, 3))

    @pytest.mark.parametrize("x", [["a", "b"], [[1j]], [[None]]])
    def test_inputs_that_are_no_numbers_are_named(self, function, x):
        with pytest.raises(TypeError, match=r"x: expected an array of real numbers"):
            function(cubes, x)

    def test_a_single_number_is_no_input(self, function):
        with pytest.raises(ValueError, match=r"x: must be \(n, ...\), one input a row"):
            function(cubes, 3.0)

    def test_no_rows_give_no_rows(self, function):
        assert function(cubes, np.zeros((0, 3, 2))).shape == (0, 3, 2)


@pytest.mark.parametrize("function", [gradient, input_x_gradient])
def test_the_plain_gradients_ask_once(function):
    ask = Mock(side_effect=cubes)
    function(ask, normal(2, 3))
    assert ask.call_count == 1


@pytest.mark.parametrize(
    ("function", "option"),
    [(smooth_grad, {"samples": 0}), (smooth_grad, {"noise": -1}), (integrated_gradients, {"steps": 0})],
)
def test_options_out_of_range_are_errors_before_the_model_is_asked(function, option):
    ask = Mock(side_effect=cubes)
    with pytest.raises(ValueError, match=f"{next(iter(option))}="):
        function(ask, normal(2, 3), **option)
    assert ask.call_count == 0
