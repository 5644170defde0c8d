"""Class activation maps from arrays alone: hand-worked, by closed form and by law."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kerasviz_callbacks.maths.class_activation import METHODS, grad_cam, method_named

finite = st.floats(-100, 100, width=32)
shapes = st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.integers(1, 5))


@st.composite
def pairs(draw):
    shape = draw(shapes)
    return tuple(draw(hnp.arrays(np.float32, shape, elements=finite)) for _ in range(2))


def test_a_4x4_case_worked_by_hand():
    activations = np.zeros((1, 4, 4, 2))
    activations[0, 0, 0] = [1, 1]
    activations[0, 1, 2] = [4, 0]
    activations[0, 3, 3] = [0, 5]
    gradients = np.zeros((1, 4, 4, 2))
    gradients[0, 0, 0, 0] = 8  # mean over 16 positions: 0.5
    gradients[0, :, :, 1] = -0.25
    expected = np.zeros((4, 4))
    expected[0, 0] = 0.25
    expected[1, 2] = 2.0  # at (3, 3) stands 5 * -0.25, cut off
    np.testing.assert_array_equal(grad_cam(activations, gradients)[0], expected)


def test_of_a_linear_head_on_a_global_mean_it_is_the_closed_form():
    generator = np.random.default_rng(1)
    activations = generator.standard_normal((3, 5, 6, 7)).astype(np.float32)
    weights = generator.standard_normal(7).astype(np.float32)
    gradients = np.broadcast_to(weights / 30, activations.shape)
    closed = np.maximum(activations.astype(np.float64) @ weights.astype(np.float64), 0) / 30
    np.testing.assert_allclose(grad_cam(activations, gradients), closed, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("spatial", [(6,), (3, 4), (2, 3, 4)])
def test_signals_pictures_and_volumes_keep_their_shape(spatial):
    generator = np.random.default_rng(2)
    activations, gradients = generator.standard_normal((2, 3, *spatial, 5))
    maps = grad_cam(activations, gradients)
    assert maps.shape == (3, *spatial)
    assert maps.dtype == np.float32
    flat = grad_cam(activations.reshape(3, -1, 5), gradients.reshape(3, -1, 5))
    np.testing.assert_allclose(maps.reshape(3, -1), flat, rtol=1e-6)


@given(pairs(), st.randoms(use_true_random=False))
def test_a_map_is_finite_not_negative_and_its_own_pictures_alone(pair, random):
    maps = grad_cam(*pair)
    assert np.isfinite(maps).all()
    assert (maps >= 0).all()
    order = list(range(len(maps)))
    random.shuffle(order)
    assert grad_cam(pair[0][order], pair[1][order]).tobytes() == maps[order].tobytes()


@given(pairs(), st.sampled_from([0.25, 2.0, 8.0]))
def test_it_grows_in_proportion_to_either_input(pair, factor):
    maps = grad_cam(*pair)
    np.testing.assert_allclose(grad_cam(pair[0] * factor, pair[1]), maps * factor, rtol=1e-5, atol=1e-30)
    np.testing.assert_allclose(grad_cam(pair[0], pair[1] * factor), maps * factor, rtol=1e-5, atol=1e-30)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_stays_in_its_own_picture(bad):
    activations, gradients = np.random.default_rng(3).standard_normal((2, 3, 4, 4, 2)).astype(np.float32)
    clean = grad_cam(activations, gradients)
    gradients[1, 0, 0, 0] = bad
    activations[1, 2, 2, 0] = 0
    maps = grad_cam(activations, gradients)
    assert not np.isfinite(maps[1]).all()
    np.testing.assert_array_equal(maps[[0, 2]], clean[[0, 2]])


def test_half_precision_does_not_overflow_on_the_way():
    activations = np.full((1, 2, 2, 1), 6e4, np.float16)
    gradients = np.full((1, 2, 2, 1), 6e4, np.float16)
    np.testing.assert_allclose(grad_cam(activations, gradients), np.float64(np.float16(6e4)) ** 2, rtol=1e-6)


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match=r"gradients: must have the shape of activations \(1, 2, 3\)"):
        grad_cam(np.zeros((1, 2, 3)), np.zeros((1, 2, 4)))
    with pytest.raises(ValueError, match=r"at least one position.*take a layer that still has maps"):
        grad_cam(np.zeros((2, 3)), np.zeros((2, 3)))


def test_a_method_is_found_by_its_name():
    assert method_named("grad_cam") is grad_cam
    with pytest.raises(ValueError, match="'grad_cam'"):
        method_named("grad_can")


def test_no_pictures_give_no_maps():
    assert METHODS["grad_cam"](np.zeros((0, 2, 2, 3)), np.zeros((0, 2, 2, 3))).shape == (0, 2, 2)
