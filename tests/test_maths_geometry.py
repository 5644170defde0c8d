"""Inputs as pictures, kernels as filters, tokens as patches."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kerasviz_callbacks.maths.geometry import dense_filters, filters_of, fold_tokens, image_shape, token_grid


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
        assert image_shape(shape) == picture

    @given(st.lists(st.integers(0, 3000), max_size=4).map(tuple))
    def test_a_picture_holds_every_value_and_is_one_itself(self, shape):
        picture = image_shape(shape)
        if picture is not None:
            assert np.prod(picture) == np.prod(shape)
            assert image_shape(picture) == picture


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
        with pytest.raises(ValueError, match=r"kernel: must be \(24, units\) for images of \(4, 3, 2\), got"):
            dense_filters(np.zeros((25, 6)), (4, 3, 2))
        with pytest.raises(ValueError, match='kind: must be "conv", "conv_transpose" or "depthwise", got'):
            filters_of(np.zeros((3, 3)), "dense")
        with pytest.raises(ValueError, match="kernel: must have an axis of inputs and one of outputs"):
            filters_of(np.zeros(3), "conv")


LEADING = (0, 1, 2, 5)
sides = st.integers(4, 64)


def patches(height, width, side, padded):
    """How many patches of a side lie on a picture, by walking over it."""
    ends = (side - 1, side - 1) if padded else (0, 0)
    return tuple(len(range(0, size + end - side + 1, side)) for size, end in zip((height, width), ends, strict=True))


class TestTokens:
    @pytest.mark.parametrize(
        ("tokens", "picture", "found"),
        [
            (197, (224, 224), (1, (14, 14))),
            (196, (224, 224), (0, (14, 14))),
            (50, (224, 224), (1, (7, 7))),
            (198, (224, 224), (2, (14, 14))),
            (261, (224, 224), (5, (16, 16))),
            (65, (32, 32), (1, (8, 8))),
            (64, (32, 32), (0, (8, 8))),
            (145, (144, 144), (1, (12, 12))),
            (577, (384, 384), (1, (24, 24))),
            (129, (128, 256), (1, (8, 16))),
            (129, (256, 128), (1, (16, 8))),
            (9, (28, 31), (0, (3, 3))),  # sides of 8 and 9, the rest cut off
            (17, (28, 28), (1, (4, 4))),
            (57, (28, 31), (1, (7, 8))),  # sides of 4, the rest padded
            (85, (512, 160), (5, (16, 5))),  # and not (17, 5), which leaves a rest
            (784, (28, 28), (0, (28, 28))),
            (28, (28, 28), None),  # a recurrent layer over rows
            (29, (28, 28), None),
            (2, (28, 28), None),  # one patch and a class token: no map
            (1, (28, 28), None),
            (0, (28, 28), None),
            (4, (0, 28), None),
        ],
    )
    def test_worked_by_hand(self, tokens, picture, found):
        assert token_grid(tokens, picture) == found

    @given(sides, sides, st.integers(1, 64), st.sampled_from(LEADING), st.booleans())
    def test_what_some_patches_make_is_seen_as_patches_again(self, height, width, side, leading, padded):
        rows, columns = patches(height, width, min(side, height, width), padded)
        found = token_grid(leading + rows * columns, (height, width))
        if rows * columns > 1:
            assert found is not None
        if found is not None:
            assert found[0] + np.prod(found[1]) == leading + rows * columns
            assert found[0] in LEADING
            every = range(1, min(height, width) + 1)
            assert found[1] in {patches(height, width, one, kind) for one in every for kind in (False, True)}

    @given(st.integers(2, 12), st.integers(2, 12), st.integers(1, 16), st.sampled_from(LEADING))
    def test_patches_that_divide_the_picture_win_with_the_fewest_leading_tokens(self, rows, columns, side, leading):
        tokens = leading + rows * columns
        found = token_grid(tokens, (rows * side, columns * side))
        assert found is not None
        assert found[0] <= leading
        assert found[1][0] * columns == found[1][1] * rows  # of the picture's own proportions: it is divided
        if found[0] == leading:
            assert found[1] == (rows, columns)

    @given(st.integers(4, 40), st.integers(1, 16), st.sampled_from(LEADING))
    def test_on_square_pictures_there_is_no_other_answer(self, side_count, side, leading):
        picture = (side_count * side, side_count * side)
        assert token_grid(leading + side_count**2, picture) == (leading, (side_count, side_count))

    @given(st.integers(0, 5), st.integers(1, 5), st.integers(1, 5), st.integers(1, 3), st.integers(0, 3))
    def test_folding_keeps_every_patch_in_its_place(self, leading, rows, columns, channels, count):
        shape = (count, leading + rows * columns, channels)
        tokens = np.arange(np.prod(shape)).reshape(shape)
        folded = fold_tokens(tokens, leading, (rows, columns))
        assert folded.shape == (count, rows, columns, channels)
        for row in range(rows):
            for column in range(columns):
                np.testing.assert_array_equal(folded[:, row, column], tokens[:, leading + row * columns + column])

    def test_tokens_that_are_not_as_many_are_named(self):
        with pytest.raises(ValueError, match=r"tokens: must be \(n, 5, channels\) for 1 leading tokens and a grid of"):
            fold_tokens(np.zeros((2, 6, 3)), 1, (2, 2))
        with pytest.raises(ValueError, match=r"got \(5, 3\)"):
            fold_tokens(np.zeros((5, 3)), 1, (2, 2))
