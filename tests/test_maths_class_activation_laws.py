"""What holds of class activation maps whatever the arrays are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from test_maths_class_activation import maps_of

from kerasviz_callbacks.maths.class_activation import METHODS, eigen_cam, grad_cam, grad_cam_plus_plus, weighted

NAMES = list(METHODS)
GRADIENT = [name for name, method in METHODS.items() if method.needs == "gradient"]

shapes = st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.integers(1, 5))


@st.composite
def pairs(draw, elements=st.floats(-100, 100, width=32)):  # noqa: B008 - a strategy is a value
    shape = draw(shapes)
    return tuple(draw(hnp.arrays(np.float32, shape, elements=elements)) for _ in range(2))


whole_pairs = pairs(st.integers(-8, 8).map(float))  # sums are exact, so a sum of 0 is one in any order


def scored(pair):
    """Scores for the methods that ask, of one picture: sum of (sum_c g) * mask, and sum of g * A."""
    slopes, values = pair[1].astype(np.float64), (pair[0] * pair[1]).astype(np.float64)

    def masked(masks):
        return np.array([np.sum(slope.sum(axis=-1) * mask) for slope, mask in zip(slopes, masks, strict=True)])

    def ablated(channel):
        kept = np.delete(values, [] if channel is None else [channel], axis=-1)
        return np.array([np.sum(one) for one in kept])

    return {"gradient": [pair[1]], "activations": [], "masked scores": [masked], "ablated scores": [ablated]}


def maps_by(name, pair):
    with np.errstate(invalid="ignore"):  # the scores made up here, of what is not finite
        given = scored(pair)
    return maps_of(name, pair[0], *given[METHODS[name].needs])


class TestLaws:
    @pytest.mark.parametrize("name", NAMES)
    @given(pair=pairs(), random=st.randoms(use_true_random=False))
    def test_a_map_is_finite_of_its_own_sign_and_its_own_pictures_alone(self, name, pair, random):
        maps = maps_by(name, pair)
        assert maps.shape == pair[0].shape[:-1]
        assert maps.dtype == np.float32
        assert np.isfinite(maps).all()
        assert METHODS[name].signed or (maps >= 0).all()
        order = list(range(len(maps)))
        random.shuffle(order)
        assert maps_by(name, (pair[0][order], pair[1][order])).tobytes() == maps[order].tobytes()

    @pytest.mark.parametrize("name", NAMES)
    @given(pair=pairs(), bad=st.sampled_from([np.nan, np.inf, -np.inf]), data=st.data())
    def test_what_is_not_finite_shows_in_its_own_picture_and_in_no_other(self, name, pair, bad, data):
        clean = maps_by(name, pair)
        at = tuple(data.draw(st.integers(0, size - 1)) for size in pair[0].shape)
        pair[data.draw(st.integers(0, 1)) if name in GRADIENT else 0][at] = bad
        maps = maps_by(name, pair)
        assert not np.isfinite(maps[at[0]]).all()
        others = np.arange(len(maps)) != at[0]
        assert maps[others].tobytes() == clean[others].tobytes()

    @pytest.mark.parametrize("name", NAMES)
    @given(pair=pairs(), factor=st.floats(-100, 100, width=32))
    def test_of_zeros_it_is_0_and_of_what_is_the_same_everywhere_it_is_too(self, name, pair, factor):
        zeros, flat = np.zeros_like(pair[0]), np.full_like(pair[0], factor)
        assert not maps_by(name, (zeros, pair[1])).any()
        if name in GRADIENT:
            assert not maps_by(name, (pair[0], zeros)).any()
        maps = maps_by(name, (flat, flat))
        assert np.isfinite(maps).all()
        spread = np.ptp(maps, axis=(1, 2))
        assert (spread <= 1e-6 * np.abs(maps).max()).all()

    @pytest.mark.parametrize("name", NAMES)
    @given(pair=whole_pairs)
    def test_how_positions_are_laid_out_changes_nothing(self, name, pair):
        flat = tuple(array.reshape(len(array), -1, array.shape[-1]) for array in pair)
        maps = maps_by(name, pair)
        np.testing.assert_allclose(maps_by(name, flat), maps.reshape(len(maps), -1), rtol=1e-6, atol=1e-9)

    @pytest.mark.parametrize("name", [name for name in NAMES if name != "eigen_cam"])
    @given(pair=whole_pairs, random=st.randoms(use_true_random=False))
    def test_positions_moved_move_the_map(self, name, pair, random):
        # not Eigen-CAM: of a map of sum 0 the first of the strongest values is positive, and which is first moves
        flat = tuple(array.reshape(len(array), -1, array.shape[-1]) for array in pair)
        order = list(range(flat[0].shape[1]))
        random.shuffle(order)
        moved = maps_by(name, tuple(array[:, order] for array in flat))
        np.testing.assert_allclose(moved, maps_by(name, flat)[:, order], rtol=1e-6, atol=1e-9)

    @pytest.mark.parametrize("name", [name for name in NAMES if name != "grad_cam++"])
    @given(pair=whole_pairs, factor=st.sampled_from([0.25, 2.0, 8.0]))
    def test_it_grows_in_proportion_to_the_activations(self, name, pair, factor):
        grown = maps_by(name, (pair[0] * factor, pair[1]))
        np.testing.assert_allclose(grown, maps_by(name, pair) * factor, rtol=1e-6, atol=1e-9)

    @pytest.mark.parametrize("name", [name for name in GRADIENT if name != "grad_cam++"])
    @given(pair=whole_pairs, factor=st.sampled_from([0.25, 2.0, 8.0]))
    def test_it_grows_in_proportion_to_the_gradients(self, name, pair, factor):
        grown = maps_by(name, (pair[0], pair[1] * factor))
        np.testing.assert_allclose(grown, maps_by(name, pair) * factor, rtol=1e-6, atol=1e-9)

    @given(pair=whole_pairs, factor=st.sampled_from([0.25, 2.0, 8.0]))
    def test_grad_cam_plus_plus_knows_no_unit_of_the_activations(self, pair, factor):
        """Measured in another unit, activations and gradients change inversely, and the map not at all."""
        found = grad_cam_plus_plus(pair[0] * factor, pair[1] / factor)
        assert found.tobytes() == grad_cam_plus_plus(*pair).tobytes()

    @given(pair=whole_pairs)
    def test_eigen_cam_knows_no_sign(self, pair):
        np.testing.assert_allclose(eigen_cam(-pair[0]), eigen_cam(pair[0]), rtol=1e-6, atol=1e-6)

    @given(whole_pairs)
    def test_added_up_by_the_mean_gradient_it_is_grad_cam(self, pair):
        weights = pair[1].mean(axis=(1, 2), dtype=np.float64)
        np.testing.assert_allclose(weighted(pair[0], weights), grad_cam(*pair), rtol=1e-6, atol=1e-9)

    @given(pairs())
    def test_eigen_cam_is_as_strong_as_the_picture_allows_and_adds_up_to_no_less_than_0(self, pair):
        for maps, picture in zip(eigen_cam(pair[0]).astype(np.float64), pair[0].astype(np.float64), strict=True):
            strongest = np.linalg.norm(picture.reshape(-1, picture.shape[-1]), 2)
            assert np.linalg.norm(maps) == pytest.approx(strongest, rel=1e-6, abs=1e-40)
            assert maps.sum() >= -1e-6 * np.abs(maps).sum()


class TestTypesAndSizes:
    @pytest.mark.parametrize("name", NAMES)
    def test_half_precision_does_not_overflow_on_the_way(self, name):
        activations, gradients = np.full((2, 1, 2, 2, 1), 6e4, np.float16)
        activations[0, 0, 0] = 0
        exact = activations.astype(np.float64), gradients.astype(np.float64)
        method, asked = METHODS[name], scored(exact)
        given_too = [gradients] if name in GRADIENT else asked[method.needs]
        maps, expected = maps_of(name, activations, *given_too), maps_of(name, exact[0], *asked[method.needs])
        assert expected.any()
        np.testing.assert_array_equal(maps, expected)

    @pytest.mark.parametrize("name", NAMES)
    def test_what_lies_otherwise_in_memory_gives_the_same(self, name):
        activations, gradients = np.random.default_rng(7).standard_normal((2, 3, 4, 5, 6)).astype(np.float32)
        backwards = np.asfortranarray(activations), np.asfortranarray(gradients)
        np.testing.assert_array_equal(maps_by(name, backwards), maps_by(name, (activations, gradients)))

    @pytest.mark.parametrize("name", NAMES)
    def test_nothing_given_is_changed(self, name):
        pair = np.random.default_rng(8).standard_normal((2, 3, 4, 5, 6)).astype(np.float32)
        before = pair.copy()
        pair.flags.writeable = False
        maps_by(name, pair)
        np.testing.assert_array_equal(pair, before)

    @pytest.mark.parametrize("name", NAMES)
    def test_no_pictures_give_no_maps(self, name):
        assert maps_by(name, np.zeros((2, 0, 2, 2, 3))).shape == (0, 2, 2)

    def test_thousands_of_channels(self):
        """An eigenvector, and of the largest eigenvalue: no other map of 196 x 2048 is that strong."""
        activations = np.maximum(np.random.default_rng(9).standard_normal((1, 14, 14, 2048)), 0)
        matrix, line = activations.reshape(196, 2048), eigen_cam(activations).astype(np.float64).ravel()
        strongest = np.linalg.norm(matrix, 2)
        assert np.linalg.norm(line) == pytest.approx(strongest, rel=1e-6)
        np.testing.assert_allclose(matrix @ (matrix.T @ line), strongest**2 * line, rtol=1e-5)
