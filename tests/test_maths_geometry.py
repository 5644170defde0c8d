"""Inputs as pictures, kernels as filters."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kerasviz_callbacks.maths.geometry import dense_filters, filters_of, picture_shape


class TestPictures:
    @pytest.mark.parametrize(
        ("shape", "picture"),
        [
            ((28, 28), (28, 28, 1)),
            ((8, 32), (8, 32, 1)),
            ((8, 33), None),
            ((7, 8), None),
            ((32, 32, 3), (32, 32, 3)),
            ((4, 4, 1), (4, 4, 1)),
            ((3, 4, 1), None),
            ((4, 100, 4), (4, 100, 4)),
            ((8, 8, 5), (8, 8, 5)),
            ((7, 8, 5), None),
            ((8, 8, 0), None),
            ((784,), (28, 28, 1)),
            ((3072,), (32, 32, 3)),
            ((400,), (20, 20, 1)),
            ((1200,), (20, 20, 3)),
            ((361,), None),
            ((785,), None),
            ((0,), None),
            ((13,), None),
            ((), None),
            ((8, 8, 8, 1), None),
        ],
    )
    def test_worked_by_hand(self, shape, picture):
        assert picture_shape(shape) == picture

    @given(st.lists(st.integers(0, 3000), max_size=4).map(tuple))
    def test_a_picture_holds_every_value_and_is_one_itself(self, shape):
        picture = picture_shape(shape)
        if picture is not None:
            assert np.prod(picture) == np.prod(shape)
            assert picture_shape(picture) == picture


class TestKernels:
    def test_a_convolution_worked_by_hand(self):
        kernel = np.zeros((3, 3, 2, 5))
        kernel[0, 2, 1, 4] = 7
        filters = filters_of(kernel, "conv")
        assert filters.shape == (5, 2, 3, 3)
        assert filters[4, 1, 0, 2] == 7

    def test_a_transposed_one_has_its_outputs_before_its_inputs(self):
        kernel = np.zeros((3, 5, 2))
        kernel[1, 4, 0] = 7
        filters = filters_of(kernel, "conv_transpose")
        assert filters.shape == (5, 2, 3)
        assert filters[4, 0, 1] == 7

    def test_a_depthwise_one_has_a_filter_for_each_output_in_their_order(self):
        kernel = np.zeros((3, 4, 2, 3))
        kernel[1, 3, 1, 2] = 7
        filters = filters_of(kernel, "depthwise")
        assert filters.shape == (6, 1, 3, 4)
        assert filters[1 * 3 + 2, 0, 1, 3] == 7

    def test_a_dense_kernel_is_a_convolution_without_positions(self):
        kernel = np.arange(6.0).reshape(2, 3)
        np.testing.assert_array_equal(filters_of(kernel, "conv"), kernel.T)

    def test_a_filter_answers_to_its_own_picture(self):
        """Convolving by hand with a folded filter gives the layer's own output channel."""
        generator = np.random.default_rng(0)
        kernel, patch = generator.standard_normal((3, 3, 2, 5)), generator.standard_normal((3, 3, 2))
        output = np.einsum("hwi,hwio->o", patch, kernel)
        by_filter = [np.sum(one * patch.transpose(2, 0, 1)) for one in filters_of(kernel, "conv")]
        np.testing.assert_allclose(by_filter, output)

    @given(
        hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=5, max_side=4)),
        st.sampled_from(["conv", "conv_transpose", "depthwise"]),
    )
    def test_every_value_is_kept(self, kernel, kind):
        filters = filters_of(kernel, kind)
        assert filters.shape[2:] == kernel.shape[:-2]
        assert filters.dtype == kernel.dtype
        assert filters.flags.c_contiguous
        np.testing.assert_array_equal(np.sort(filters, axis=None), np.sort(kernel, axis=None))

    def test_dense_on_flattened_pictures(self):
        pictures = np.random.default_rng(0).standard_normal((5, 4, 3, 2))
        kernel = np.random.default_rng(1).standard_normal((24, 6))
        filters = dense_filters(kernel, (4, 3, 2))
        assert filters.shape == (6, 2, 4, 3)
        np.testing.assert_allclose(np.einsum("nhwc,uchw->nu", pictures, filters), pictures.reshape(5, -1) @ kernel)

    def test_what_does_not_fit_is_named(self):
        with pytest.raises(ValueError, match=r"kernel: must be \(24, units\) for pictures of \(4, 3, 2\), got"):
            dense_filters(np.zeros((25, 6)), (4, 3, 2))
        with pytest.raises(ValueError, match='kind: must be "conv", "conv_transpose" or "depthwise", got'):
            filters_of(np.zeros((3, 3)), "dense")
        with pytest.raises(ValueError, match="kernel: must have an axis of inputs and one of outputs"):
            filters_of(np.zeros(3), "conv")
