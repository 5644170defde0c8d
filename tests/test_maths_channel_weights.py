"""What each channel is worth to a score, found by asking a model that is written out here."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kerasviz_callbacks.maths.channel_weights import ablation_cam_weights, score_cam_weights

activations = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.integers(1, 5)),
    elements=st.integers(-4, 4).map(float),
)


def sums(masks):
    return masks.astype(np.float64).reshape(len(masks), -1).sum(axis=1)


class TestMasked:
    @given(activations)
    def test_each_mask_is_its_own_channel_scaled_to_0_and_1(self, given_maps):
        asked = []

        def scores(masks):
            asked.append(masks)
            return np.zeros(len(masks))

        score_cam_weights(given_maps, scores)
        spans = np.ptp(given_maps, axis=(1, 2))
        channels = np.flatnonzero(spans.any(axis=0))
        assert len(asked) == len(channels)
        for channel, masks in zip(channels, asked, strict=True):
            assert masks.dtype == np.float32
            for row, mask in enumerate(masks):
                own = given_maps[row, ..., channel]
                if spans[row, channel]:
                    np.testing.assert_allclose(mask, (own - own.min()) / spans[row, channel], rtol=1e-6)
                    assert (mask.min(), mask.max()) == (0, 1)
                else:
                    assert not mask.any()

    @pytest.mark.parametrize("sides", [(7, 9), (3, 4), (2, 3)], ids=str)
    def test_maps_are_resized_as_pictures_are_and_then_scaled(self, sides):
        maps, asked = np.random.default_rng(0).random((2, 3, 4, 2)).astype(np.float32), []
        score_cam_weights(maps, lambda masks: asked.append(masks) or np.zeros(2), sides)
        for channel, masks in enumerate(asked):
            for row, mask in enumerate(masks):
                resized = tf.image.resize(maps[row, ..., channel, None], sides, "bilinear").numpy()[..., 0]
                np.testing.assert_allclose(mask, (resized - resized.min()) / np.ptp(resized), atol=1e-5)
                assert (mask.min(), mask.max()) == (0, 1)

    def test_a_map_that_is_constant_once_it_is_resized_has_no_mask(self):
        maps = np.zeros((1, 9, 2), np.float32)
        maps[0, ::3, 0] = 1  # of nine positions, the second, fifth and eighth are the centres of three
        maps[0, 4, 1] = 1
        asked = []
        weights = score_cam_weights(maps, lambda masks: asked.append(masks) or np.zeros(1), (3,))
        np.testing.assert_array_equal(weights, [[0, 1]])
        np.testing.assert_array_equal(asked, [[[0, 1, 0]]])

    @given(activations)
    def test_weights_are_a_softmax_over_the_channels_that_vary(self, given_maps):
        weights = score_cam_weights(given_maps, sums)
        for row, maps in enumerate(given_maps.astype(np.float64)):
            powers = np.zeros(maps.shape[-1])
            for channel in range(maps.shape[-1]):
                own = maps[..., channel]
                if own.max() > own.min():
                    powers[channel] = np.exp(np.sum((own - own.min()) / (own.max() - own.min())))
            expected = powers / powers.sum() if powers.any() else powers
            np.testing.assert_allclose(weights[row], expected, rtol=1e-5)

    @given(activations, st.sampled_from([0.5, 4.0]), st.integers(-3, 3))
    def test_unit_and_offset_of_the_activations_do_not_count(self, given_maps, factor, offset):
        np.testing.assert_array_equal(
            score_cam_weights(given_maps * np.float32(factor) + np.float32(offset), sums),
            score_cam_weights(given_maps, sums),
        )

    @given(activations, st.sampled_from([-1e6, -3.0, 700.0, 1e6]))
    def test_a_baselines_score_cancels_however_large(self, given_maps, baseline):
        found = score_cam_weights(given_maps, lambda masks: sums(masks) - baseline)
        np.testing.assert_allclose(found, score_cam_weights(given_maps, sums), rtol=1e-6)

    def test_one_far_above_the_others_takes_all(self):
        found = score_cam_weights(np.eye(3)[None], lambda masks: 1e5 * masks[:, 1])
        np.testing.assert_array_equal(found, [[0, 1, 0]])

    def test_a_constant_channel_is_left_out_and_only_where_it_is_constant(self):
        maps = np.array([[[1.0, 5.0], [2.0, 5.0]], [[3.0, 0.0], [3.0, 1.0]], [[4.0, 4.0], [4.0, 4.0]]])
        answers = iter([np.array([9, np.nan, np.nan]), np.array([np.inf, 1, np.nan])])  # where it is constant, unheard
        np.testing.assert_array_equal(score_cam_weights(maps, lambda _: next(answers)), [[1, 0], [0, 1], [0, 0]])

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_a_score_that_is_not_finite_spoils_its_own_picture_alone(self, bad):
        maps = np.random.default_rng(0).standard_normal((3, 4, 2))
        answers = iter([np.array([1.0, bad, 2.0]), np.array([1.0, 5.0, 2.0])])
        found = score_cam_weights(maps, lambda _: next(answers))
        np.testing.assert_array_equal(found, [[0.5, 0.5], [np.nan, np.nan], [0.5, 0.5]])

    def test_of_an_answer_of_another_shape_it_says_so(self):
        with pytest.raises(ValueError, match=r"scores: must return one score per image, \(2,\), got shape \(2, 1\)"):
            score_cam_weights(np.eye(2)[..., None], lambda masks: np.zeros((2, 1)))


class TestAblated:
    @given(activations, hnp.arrays(np.float64, 5, elements=st.integers(-4, 4).map(float)), st.integers(-3, 3))
    def test_of_a_linear_score_it_is_the_channels_share(self, given_maps, kernel, bias):
        kernel = kernel[: given_maps.shape[-1]]

        def scores(channel):
            kept = given_maps.astype(np.float64)
            if channel is not None:
                kept[..., channel] = 0
            return kept.sum(axis=(1, 2)) @ kernel + bias

        parts = given_maps.sum(axis=(1, 2)) * kernel
        whole = np.abs(parts.sum(axis=1, keepdims=True) + bias)
        expected = np.where(whole > 0, parts / np.where(whole > 0, whole, 1), 0)
        np.testing.assert_allclose(ablation_cam_weights(given_maps, scores), expected, rtol=1e-12)
        louder = ablation_cam_weights(given_maps, lambda channel: 8 * scores(channel))
        np.testing.assert_array_equal(louder, ablation_cam_weights(given_maps, scores))

    def test_it_asks_for_the_whole_first_and_never_for_what_is_0_everywhere(self):
        asked = []

        def scores(channel):
            asked.append(channel)
            return np.ones(1)

        ablation_cam_weights(np.array([[[1.0, 0.0, 0.0], [0.0, 0.0, np.nan]]]), scores)
        assert asked == [None, 0, 2]
        assert all(channel is None or type(channel) is int for channel in asked)

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize("where", [None, 0, 1])
    def test_a_score_that_is_not_finite_spoils_its_own_picture_alone(self, bad, where):
        answers = {None: [2.0, 2.0, 0.0], 0: [1.0, 1.0, 1.0], 1: [3.0, 3.0, 3.0]}
        answers[where][1] = bad
        found = ablation_cam_weights(np.ones((3, 2, 2)), lambda channel: np.array(answers[channel]))
        np.testing.assert_array_equal(found, [[0.5, -0.5], [np.nan, np.nan], [0, 0]])

    def test_of_an_answer_of_another_shape_it_says_so(self):
        with pytest.raises(ValueError, match=r"scores: must return one score per image, \(2,\), got shape \(\)"):
            ablation_cam_weights(np.ones((2, 2, 1)), lambda channel: np.float64(1))
