"""Occlusion and RISE: by closed form, by direct loops, by the law of their masks, and the masks by Pillow."""

# ruff: noqa: NPY002 - the global state is watched too

from math import ceil, prod
from unittest.mock import Mock

import numpy as np
import pytest
from harness import first
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kerasviz_callbacks.maths.perturbation import occlusion, rise, rise_masks
from kerasviz_callbacks.maths.resampling import resize_weights

# Shape of x, and which axes are positions: features, a signal, a picture without channels, with channels last and
# first, a volume, and positions and channels in turn.
KINDS = [
    ((3, 5), (1,)),
    ((2, 9, 3), (1,)),
    ((2, 6, 4), (1, 2)),
    ((2, 4, 7, 3), (1, 2)),
    ((2, 3, 4, 7), (2, 3)),
    ((2, 3, 5, 4, 2), (1, 2, 3)),
    ((2, 4, 2, 5, 2), (1, 3)),
]


TYPES = [
    ("uint8", "float32"),
    ("float16", "float32"),
    ("float32", "float32"),
    ("float64", "float64"),
    ("int64", "float64"),
]


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def bent(x):
    """A score that is neither linear nor a sum over positions; each row by itself, so that rows may be permuted."""
    scores = []
    with np.errstate(all="ignore"):
        for row in np.asarray(x, np.float64):
            weights = np.cos(np.arange(row.size)).reshape(row.shape)
            scores.append(np.tanh((row * weights).sum()) + 0.1 * (row**2).mean() + row.flat[0] * row.flat[-1])
    return np.array(scores)


def linear(weights, bias=0.0):
    return lambda x: np.array([(row * weights.astype(float)).sum() + bias for row in np.asarray(x, float)])


def channel_sums(values, spatial):
    return values.sum(axis=tuple(axis for axis in range(1, values.ndim) if axis not in spatial))


def starts(side, size, stride):
    found, at = [], 0
    while at + size < side:
        found.append(at)
        at += stride
    return [*found, side - size]


def occlusion_by_loop(score, x, spatial, sizes, strides, baseline):
    """For each position: look for all patches over it, and take the mean of their drops."""
    sides = [x.shape[axis] for axis in spatial]
    list_layers = [starts(*one) for one in zip(sides, sizes, strides, strict=True)]
    maps = np.zeros((len(x), *sides))
    for position in np.ndindex(*sides):
        drops = []
        for choice in np.ndindex(*[len(part) for part in list_layers]):
            first = [part[index] for part, index in zip(list_layers, choice, strict=True)]
            if all(at <= p < at + size for p, at, size in zip(position, first, sizes, strict=True)):
                inside = np.ones(x.shape, bool)
                for axis, at, size in zip(spatial, first, sizes, strict=True):
                    along = np.zeros(x.shape[axis], bool)
                    along[at : at + size] = True
                    inside &= along.reshape([-1 if a == axis else 1 for a in range(x.ndim)])
                drops.append(score(x) - score(np.where(inside, baseline, x)))
        maps[(slice(None), *position)] = np.mean(drops, axis=0)
    return maps


class TestOcclusion:
    @pytest.mark.parametrize(("shape", "spatial"), KINDS)
    def test_of_a_linear_model_a_patch_of_one_is_the_weighted_input(self, shape, spatial):
        x, weights, baseline = normal(*shape), normal(*shape[1:], seed=1), normal(*shape[1:], seed=2)
        found = occlusion(linear(weights, 3), x, spatial=spatial, patch=1, stride=1, baseline=baseline)
        closed = channel_sums(weights.astype(float) * (x.astype(float) - baseline), spatial)
        np.testing.assert_allclose(found, closed, rtol=1e-6, atol=1e-6)
        assert found.shape == (shape[0], *(shape[axis] for axis in spatial))
        assert found.dtype == np.float32

    @pytest.mark.parametrize(("shape", "spatial"), KINDS)
    @pytest.mark.parametrize(("patch", "stride"), [(2, 1), (3, 2), (2, 2), (3, 3)])
    def test_overlapping_patches_against_a_direct_loop(self, shape, spatial, patch, stride):
        x = normal(*shape)
        sizes = [min(patch, shape[axis]) for axis in spatial]
        strides = [min(stride, size) for size in sizes]
        found = occlusion(bent, x, spatial=spatial, patch=tuple(sizes), stride=tuple(strides), baseline=0.25)
        by_loop = occlusion_by_loop(bent, x, spatial, sizes, strides, 0.25)
        np.testing.assert_allclose(found, by_loop, rtol=1e-5, atol=1e-6)

    def test_a_picture_that_is_not_square_is_not_turned(self):
        weights = np.zeros((5, 9, 2), np.float32)
        weights[1, 7] = 1
        found = occlusion(linear(weights), np.ones((1, 5, 9, 2)), spatial=(1, 2), patch=(1, 2), stride=1)
        expected = np.zeros((5, 9))
        expected[1, 6:] = [
            1,
            2,
            1,
        ]  # covered by one of two, both of two, and at the border by the only one... see below
        expected[1, 8] = 2
        np.testing.assert_array_equal(found[0], expected)

    def test_overlaps_worked_by_hand(self):
        # side 5, patch 3, stride 2: places 0 and 2; weights 1, 10, 100, 1000, 10000 on ones
        weights = 10.0 ** np.arange(5)
        found = occlusion(linear(weights), np.ones((1, 5)), spatial=(1,), patch=3, stride=2)
        np.testing.assert_allclose(found, [[111, 111, (111 + 11100) / 2, 11100, 11100]])

    @pytest.mark.parametrize(
        ("shape", "spatial", "sizes", "strides"),
        [
            ((1, 28, 36, 1), (1, 2), (4, 5), (2, 2)),
            ((1, 4, 100, 1), (1, 2), (1, 13), (1, 6)),
            ((1, 3, 2), (1,), (1,), (1,)),
            ((1, 28), (1,), (1,), (1,)),
            ((1, 8, 16, 24, 1), (1, 2, 3), (1, 2, 3), (1, 1, 1)),
        ],
    )
    def test_a_patch_is_usually_an_eighth_of_each_side_and_moves_by_half(self, shape, spatial, sizes, strides):
        x = normal(*shape)
        ask = Mock(side_effect=lambda x: x.reshape(len(x), -1).sum(axis=1))
        usual = occlusion(ask, x, spatial=spatial)
        said = occlusion(ask, x, spatial=spatial, patch=sizes, stride=strides)
        np.testing.assert_array_equal(usual, said)
        list_layers = [1 + ceil((shape[a] - p) / s) for a, p, s in zip(spatial, sizes, strides, strict=True)]
        assert ask.call_count == 2 * (1 + prod(list_layers))
        covered = {int((call.args[0] != x).sum()) for call in ask.call_args_list} - {0}
        assert covered == {prod(sizes) * x.size // prod(shape[axis] for axis in spatial)}

    @pytest.mark.parametrize(("patch", "stride", "calls"), [(7, 7, 2), (3, 2, 4), (3, 3, 4), (2, 2, 5), (4, 1, 5)])
    def test_the_number_of_calls_is_the_one_stated(self, patch, stride, calls):
        ask = Mock(side_effect=bent)
        occlusion(ask, normal(2, 7, 1), spatial=(1,), patch=patch, stride=stride)
        assert ask.call_count == calls

    def test_what_does_not_fit_the_shape_is_named(self):
        x = normal(1, 6, 4, 1)
        with pytest.raises(ValueError, match=r"patch=5: larger than the positions \(6, 4\)"):
            occlusion(bent, x, spatial=(1, 2), patch=5)
        with pytest.raises(ValueError, match=r"stride=\(1, 3\): larger than the patch \(2, 2\).*never be covered"):
            occlusion(bent, x, spatial=(1, 2), patch=2, stride=(1, 3))
        with pytest.raises(ValueError, match=r"patch=\(1, 2, 3\): expected one number, or one for each of the 2 axes"):
            occlusion(bent, x, spatial=(1, 2), patch=(1, 2, 3))
        with pytest.raises(ValueError, match="patch=0: expected at least 1"):
            occlusion(bent, x, spatial=(1, 2), patch=0)


def pillow_weights(cells, length):
    """The weights of Pillow's own bilinear enlargement: what it makes of each unit vector."""
    unit = Image.fromarray(np.eye(cells, dtype=np.float32))
    return np.asarray(unit.resize((cells, length), Image.Resampling.BILINEAR))


def overlap(side, cells):
    """How much two positions of a line hang on the same bit, on average over the shifts: `(side, side)`."""
    size = ceil(side / cells)
    weights = pillow_weights(cells, (cells + 1) * size).astype(float)
    return np.mean([weights[s : s + side] @ weights[s : s + side].T for s in range(size)], axis=0)


def overlaps(sides, cells):
    """The same for positions on several axes, flattened."""
    found = np.ones((1, 1))
    for side in sides:
        found = np.kron(found, overlap(side, cells))
    return found


class TestMasks:
    @pytest.mark.parametrize(("cells", "length"), [(1, 6), (2, 3), (3, 8), (7, 8), (7, 32), (5, 60)])
    def test_the_stretch_is_that_of_pillow(self, cells, length):
        np.testing.assert_allclose(resize_weights(cells, length), pillow_weights(cells, length), atol=1e-6)

    @pytest.mark.parametrize("sides", [(13, 22), (5, 5), (30, 3)])
    def test_a_mask_is_a_shifted_window_of_its_enlarged_bits(self, sides):
        draws = np.random.default_rng(4)
        for mask in rise_masks(sides, samples=6, cells=4, keep=0.4, seed=4):
            bits = (draws.random((4, 4)) < 0.4).astype(np.float32)
            sizes = [ceil(side / 4) for side in sides]
            large = Image.fromarray(bits).resize((5 * sizes[1], 5 * sizes[0]), Image.Resampling.BILINEAR)
            (top, left) = (int(draws.integers(size)) for size in sizes)
            window = np.asarray(large)[top : top + sides[0], left : left + sides[1]]
            np.testing.assert_allclose(mask, window, atol=1e-6)

    @given(
        st.lists(st.integers(1, 12), min_size=1, max_size=3),
        st.none() | st.integers(1, 9),
        st.floats(0.05, 0.95),
        st.integers(0, 1000),
    )
    def test_masks_lie_between_0_and_1_and_the_seed_alone_decides(self, sides, cells, keep, seed):
        masks = list(rise_masks(sides, samples=5, cells=cells, keep=keep, seed=seed))
        assert all(mask.shape == tuple(sides) and mask.dtype == np.float32 for mask in masks)
        assert all(mask.min() >= 0 and mask.max() <= 1 for mask in masks)
        if cells is None:
            assert set(np.unique(masks)) <= {0, 1}
        fewer = list(rise_masks(sides, samples=3, cells=cells, keep=keep, seed=seed))
        np.testing.assert_array_equal(fewer, masks[:3])

    @pytest.mark.parametrize("keep", first([0.3, 0.5, 0.8]))
    @pytest.mark.parametrize(("sides", "cells"), [((4, 7), 3), ((11,), 2), ((2, 3, 4), 2)])
    def test_mean_and_covariance_are_those_of_bits_stretched_and_shifted(self, sides, cells, keep):
        count = 4000
        masks = np.array([mask.ravel() for mask in rise_masks(sides, samples=count, cells=cells, keep=keep)])
        covariance = keep * (1 - keep) * overlaps(sides, cells)
        error = np.sqrt(np.diag(covariance) / count)
        assert (np.abs(masks.mean(axis=0) - keep) < 5 * error).all()
        off = masks.astype(float) - keep
        products = off[:, :, None] * off[:, None, :]
        error = products.std(axis=0) / np.sqrt(count)
        assert (np.abs(products.mean(axis=0) - covariance) < 5 * error + 1e-6).all()  # a square of 0.5 has no scatter

    @pytest.mark.parametrize("keep", [0.1, 0.5])
    def test_a_bit_for_each_feature_is_kept_by_chance_and_by_itself(self, keep):
        masks = np.array(list(rise_masks((6,), samples=5000, cells=None, keep=keep)))
        assert (np.abs(masks.mean(axis=0) - keep) < 5 * np.sqrt(keep * (1 - keep) / 5000)).all()
        assert np.abs(np.corrcoef(masks.T) - np.eye(6)).max() < 5 / np.sqrt(5000)

    def test_they_are_made_one_by_one_and_the_global_generator_rests(self):
        before = np.random.get_state()[1].tolist()
        masks = rise_masks((8, 8), samples=10**9)
        first, second = next(masks), next(masks)
        assert not np.array_equal(first, second)
        assert not np.array_equal(next(rise_masks((8, 8), seed=1)), first)
        assert np.random.get_state()[1].tolist() == before


class TestRise:
    @pytest.mark.parametrize(("shape", "spatial"), KINDS)
    def test_against_a_direct_loop_over_its_masks(self, shape, spatial):
        x, baseline = normal(*shape), normal(*shape[1:], seed=2)
        options = {"samples": 40, "keep": 0.4, "seed": 6}
        found = rise(bent, x, spatial=spatial, cells=3, baseline=baseline, **options)
        sides = [shape[axis] for axis in spatial]
        top, bottom = np.zeros((len(x), *sides)), np.zeros(sides)
        for mask in rise_masks(sides, cells=None if len(shape) == 2 else 3, **options):
            for index, row in enumerate(x):
                masked = np.zeros_like(row)
                for place in np.ndindex(*row.shape):
                    m = mask[tuple(place[axis - 1] for axis in spatial)]
                    masked[place] = m * row[place] + (1 - m) * baseline[place]
                top[index] += bent(masked[None])[0] * mask
            bottom += mask
        np.testing.assert_allclose(found, top / bottom, rtol=1e-5, atol=1e-6)
        assert found.dtype == np.float32

    def test_of_features_it_is_the_mean_score_where_the_feature_is_kept(self):
        x, weights, baseline = normal(3, 6), normal(6, seed=1), normal(6, seed=2)
        keep, samples = 0.3, 4000
        found = rise(linear(weights, 2), x, spatial=(1,), samples=samples, keep=keep, baseline=baseline, seed=1)
        parts = weights.astype(float) * (x.astype(float) - baseline)
        of_baseline = (weights.astype(float) * baseline).sum() + 2
        others = parts.sum(axis=1, keepdims=True) - parts
        closed = of_baseline + parts + keep * others
        scatter = keep * (1 - keep) * ((parts**2).sum(axis=1, keepdims=True) - parts**2)  # variance where it is kept
        assert (np.abs(found - closed) < 5 * np.sqrt(scatter / (keep * samples))).all()
        assert np.corrcoef(found.ravel(), closed.ravel())[0, 1] > 0.99

    @pytest.mark.parametrize(("sides", "cells"), [((9, 6), 3), ((16,), 4), ((4, 3, 5), 2)])
    def test_of_a_linear_model_it_tends_to_what_the_covariance_of_masks_gives(self, sides, cells):
        x, weights = normal(1, *sides, 2), normal(*sides, 2, seed=1)
        keep, samples = 0.5, 3000
        found = rise(linear(weights, 1), x, spatial=tuple(range(1, x.ndim - 1)), samples=samples, cells=cells)
        parts = (weights.astype(float) * x[0]).sum(axis=-1).ravel()
        covariance = keep * (1 - keep) * overlaps(sides, cells)
        # E[f M] / E[M] with f = 1 + sum_j parts_j M_j
        above = covariance @ parts / keep
        closed = 1 + keep * parts.sum() + above
        # E[M^2 (f - closed)^2] <= Var f + above^2, as M <= 1
        error = np.sqrt((parts @ covariance @ parts + above**2) / samples) / keep
        assert (np.abs(found.ravel() - closed) < 5 * error).all()
        assert np.corrcoef(found.ravel(), closed)[0, 1] > 0.98  # so the tolerance says something

    def test_where_one_position_counts_the_map_is_highest_there(self):
        weights = np.zeros((12, 20, 1), np.float32)
        weights[3, 15] = 1
        found = rise(linear(weights), np.ones((1, 12, 20, 1)), spatial=(1, 2), samples=2000, cells=6)[0]
        top, left = np.unravel_index(found.argmax(), found.shape)
        assert abs(top - 3) <= 1
        assert abs(left - 15) <= 2

    @given(st.floats(-1e6, 1e6, width=32), st.sampled_from(KINDS))
    def test_a_score_that_never_changes_is_the_map(self, value, kind):
        shape, spatial = kind
        found = rise(lambda x: np.full(len(x), value), normal(*shape), spatial=spatial, samples=30)
        np.testing.assert_allclose(found, value, rtol=1e-6)

    def test_a_position_that_was_never_kept_is_unknown(self):
        (mask,) = rise_masks((6,), samples=1, cells=None)
        assert 0 < mask.sum() < 6
        found = rise(lambda x: np.full(len(x), 4.0), normal(2, 6), spatial=(1,), samples=1)
        np.testing.assert_array_equal(found, np.broadcast_to(np.where(mask > 0, 4.0, np.nan), (2, 6)))

    @pytest.mark.parametrize("samples", [1, 17])
    def test_the_number_of_calls_is_the_one_stated(self, samples):
        ask = Mock(side_effect=bent)
        rise(ask, normal(2, 6, 5, 1), spatial=(1, 2), samples=samples)
        assert ask.call_count == samples

    @pytest.mark.parametrize("option", [{"samples": 0}, {"cells": 0}, {"keep": 1.0}, {"seed": -1}])
    def test_options_out_of_range_are_errors_before_the_model_is_asked(self, option):
        ask = Mock(side_effect=bent)
        with pytest.raises(ValueError, match=f"{next(iter(option))}="):
            rise(ask, normal(2, 6), spatial=(1,), **option)
        assert ask.call_count == 0


def occluded(scores, x, spatial, **options):
    return occlusion(scores, x, spatial=spatial, **options)


def risen(scores, x, spatial, **options):
    return rise(scores, x, spatial=spatial, samples=20, **options)


kinds = st.sampled_from(KINDS)


@pytest.mark.parametrize("function", [occluded, risen])
class TestLaws:
    @given(kind=kinds, seed=st.integers(0, 99), random=st.randoms(use_true_random=False))
    def test_the_order_of_the_rows_only_permutes_to_the_bit(self, function, kind, seed, random):
        shape, spatial = kind
        x = normal(4, *shape[1:], seed=seed)
        found = function(bent, x, spatial)
        order = random.sample(range(4), 4)
        assert function(bent, x[order], spatial).tobytes() == found[order].tobytes()
        assert function(bent, x, spatial).tobytes() == found.tobytes()
        assert function(bent, x[:1], spatial).tobytes() == found[:1].tobytes()

    @given(kind=kinds, value=st.floats(-100, 100, width=32))
    def test_constant_inputs_stay_finite(self, function, kind, value):
        shape, spatial = kind
        found = function(bent, np.full(shape, value, np.float32), spatial)
        assert np.isfinite(found).all()

    @given(kind=kinds, bad=st.sampled_from([np.nan, np.inf, -np.inf]), data=st.data())
    def test_what_is_not_finite_stays_in_its_own_row(self, function, kind, bad, data):
        shape, spatial = kind
        x = normal(3, *shape[1:])
        hit = x.copy()
        hit[1].flat[data.draw(st.integers(0, x[1].size - 1))] = bad
        found, clean = function(bent, hit, spatial), function(bent, x, spatial)
        assert not np.isfinite(found[1]).any()
        assert found[[0, 2]].tobytes() == clean[[0, 2]].tobytes()

    def test_an_input_that_is_the_baseline_has_nothing_to_lose(self, function):
        x = normal(2, 6, 4, 2)
        found = function(bent, x, (1, 2), baseline=x)
        expected = np.zeros((2, 6, 4)) if function is occluded else np.tile(bent(x)[:, None, None], (1, 6, 4))
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)

    @pytest.mark.parametrize(
        ("given_as", "asked_as"),
        TYPES,
    )
    def test_each_call_gets_an_array_of_its_own_in_one_type_and_the_inputs_stay(self, function, given_as, asked_as):
        x = np.arange(1, 41).reshape(2, 5, 4).astype(given_as)
        kept = x.copy()
        ask = Mock(side_effect=bent)
        function(ask, x, (1, 2))
        points = [call.args[0] for call in ask.call_args_list]
        assert {(point.shape, point.dtype) for point in points} == {(x.shape, np.dtype(asked_as))}
        assert not any(np.shares_memory(a, b) for a, b in zip(points, [*points[1:], x], strict=True))
        np.testing.assert_array_equal(x, kept)

    def test_large_whole_numbers_are_asked_as_they_are(self, function):
        x = np.array([[2**24 + 1, 2**31 + 3]])  # names of things, say; float32 holds neither
        ask = Mock(side_effect=bent)
        function(ask, x, (1,))
        assert {value for call in ask.call_args_list for value in call.args[0].flat} == {0, *x.flat}

    def test_scores_that_are_not_one_a_row_are_named(self, function):
        with pytest.raises(ValueError, match=r"scores: must return an array of shape \(2,\).*got \(2, 1\)"):
            function(lambda x: np.zeros((2, 1)), normal(2, 4), (1,))

    def test_axes_and_baselines_that_do_not_fit_are_named(self, function):
        x = normal(2, 4, 3)
        with pytest.raises(ValueError, match=r"spatial=\(3,\): expected axes between 1 and 2"):
            function(bent, x, (3,))
        with pytest.raises(ValueError, match=r"baseline: expected a number, one input's shape \(4, 3\).*got \(3,\)"):
            function(bent, x, (1,), baseline=np.zeros(3))

    def test_no_rows_give_no_maps(self, function):
        assert function(lambda x: np.zeros(len(x)), np.zeros((0, 4, 3, 1)), (1, 2)).shape == (0, 4, 3)
