"""Class activation maps from arrays alone: hand-worked, by closed form and against loops from the papers."""

import numpy as np
import pytest

from kerasviz_callbacks.maths.class_activation import (
    METHODS,
    cam_method,
    eigen_cam,
    grad_cam,
    grad_cam_plus_plus,
    hires_cam,
    layer_cam,
    weighted,
    xgrad_cam,
)

NAMES = list(METHODS)
GRADIENT = [name for name, method in METHODS.items() if method.needs == "gradient"]
SPATIAL = [(6,), (3, 4), (2, 3, 4)]
HAND = np.array([[[1, 0], [2, 2]], [[0, 1], [1, 1]]], float)[None]  # 2 x 2 positions, 2 channels, each of sum 4
SLOPE = np.array([[[1, -2], [1, 0]], [[0, 1], [2, -1]]], float)[None]  # of means 1 and -1/2


def maps_of(name, activations, *given):
    """The maps of a method; of those that run the model again from the callable that does."""
    method = METHODS[name]
    given = given if method.weights is None else [method.weights(activations, *given)]
    return method.maps(activations, *given)


class TestByHand:
    def test_grad_cam(self):
        np.testing.assert_array_equal(grad_cam(HAND, SLOPE)[0], [[1, 1], [0, 0.5]])  # at (1, 0) stands -1/2, cut off

    def test_grad_cam_plus_plus(self):
        # alpha is 1/6 where g = 1 and 4/(8 + 8*4) = 1/10 where g = 2, so the weights are 2/6 + 2/10 and 1/6
        expected = [[8 / 15, 16 / 15 + 2 / 6], [1 / 6, 8 / 15 + 1 / 6]]
        np.testing.assert_allclose(grad_cam_plus_plus(HAND, SLOPE)[0], expected, rtol=1e-6)

    def test_grad_cam_plus_plus_where_the_denominator_is_0(self):
        activations, slope = np.array([[[1.0], [-3.0]]]), np.array([[[1.0], [0.5]]])
        # 2 g^2 + g^3 * -2 is 0 in the first place and 1/4 in the second, so only that one's alpha of 1 counts
        np.testing.assert_array_equal(grad_cam_plus_plus(activations, slope)[0], [0.5, 0])

    def test_hires_cam_keeps_what_speaks_against(self):
        np.testing.assert_array_equal(hires_cam(HAND, SLOPE)[0], [[1, 2], [1, 1]])
        np.testing.assert_array_equal(hires_cam(HAND, -SLOPE)[0], [[-1, -2], [-1, -1]])

    def test_layer_cam(self):
        np.testing.assert_array_equal(layer_cam(HAND, SLOPE)[0], [[1, 2], [1, 2]])
        np.testing.assert_array_equal(layer_cam(-HAND, SLOPE)[0], np.zeros((2, 2)))

    def test_xgrad_cam(self):
        # weights (1 + 2 + 0 + 2) / 4 and (0 + 0 + 1 - 1) / 4
        np.testing.assert_array_equal(xgrad_cam(HAND, SLOPE)[0], [[1.25, 2.5], [0, 1.25]])

    def test_xgrad_cam_leaves_out_a_channel_whose_sum_is_0(self):
        activations = np.array([[[1.0, 3.0], [-1.0, 1.0]]])
        slope = np.array([[[5.0, 1.0], [7.0, 1.0]]])
        np.testing.assert_array_equal(xgrad_cam(activations, slope)[0], [3, 1])

    def test_eigen_cam(self):
        one = np.array([1.0, 2, 2, 0]).reshape(1, 2, 2, 1) * [3, 4]
        np.testing.assert_allclose(eigen_cam(one)[0], [[5, 10], [10, 0]], rtol=1e-6)
        np.testing.assert_allclose(eigen_cam(-one)[0], [[5, 10], [10, 0]], rtol=1e-6)
        two = np.array([[2.0, 0], [0, 1], [-2, 0], [2, 0]]).reshape(1, 2, 2, 2)
        np.testing.assert_allclose(eigen_cam(two)[0], [[2, 0], [-2, 2]], rtol=1e-6, atol=1e-9)

    def test_eigen_cam_of_sum_0_has_a_sign_all_the_same(self):
        one = np.array([0.0, -1, 1, 0.5, -0.5]).reshape(1, 5, 1) * [3, 4]
        for signed in (one, -one):
            np.testing.assert_allclose(eigen_cam(signed)[0], [0, 5, -5, -2.5, 2.5], rtol=1e-6)

    def test_score_cam(self):
        activations = HAND * [1, 2] + [0, 5]  # masks [[.5, 1], [0, .5]] and [[0, 1], [.5, .5]], of sum 2 and 2
        activations[0, 0, 1, 1] = 13  # now the second is [[0, 1], [.25, .25]], of sum 1.5
        maps = maps_of("score_cam", activations, lambda masks: np.log(masks.sum(axis=(1, 2))))
        np.testing.assert_allclose(maps[0], activations[0] @ [4 / 7, 3 / 7], rtol=1e-6)

    @pytest.mark.parametrize(("whole", "without"), [(10, (4, 12)), (-10, (-16, -8)), (10, (4, 12.0))])
    def test_ablation_cam_weighs_by_what_is_lost_whatever_the_sign_of_the_score(self, whole, without):
        answers = {None: whole, **dict(enumerate(without))}
        maps = maps_of("ablation_cam", HAND, lambda channel: np.array([answers[channel]]))
        np.testing.assert_allclose(maps[0], np.maximum(HAND[0] @ [0.6, -0.2], 0), rtol=1e-6)


def _loop(of_position, activations, gradients):
    maps = np.zeros(activations.shape[:-1])
    for picture in range(len(maps)):
        of_one = of_position(activations[picture].astype(np.float64), gradients[picture].astype(np.float64))
        for at in np.ndindex(maps.shape[1:]):
            maps[(picture, *at)] = of_one(at)
    return maps


def _by_weights(weight, a, g):
    list_layers, channels = list(np.ndindex(a.shape[:-1])), range(a.shape[-1])
    weights = [weight([a[(*at, c)] for at in list_layers], [g[(*at, c)] for at in list_layers]) for c in channels]
    return lambda at: max(sum(weights[c] * a[(*at, c)] for c in channels), 0)


def _plus_plus(a, g):
    weight = 0.0
    for slope in g:
        below = 2 * slope**2 + slope**3 * sum(a)
        weight += (slope**2 / below if below else 0) * max(slope, 0)
    return weight


LOOPS = {
    "grad_cam": lambda a, g: _by_weights(lambda a, g: sum(g) / len(g), a, g),
    "grad_cam++": lambda a, g: _by_weights(_plus_plus, a, g),
    "hires_cam": lambda a, g: lambda at: sum(x * y for x, y in zip(a[at], g[at], strict=True)),
    "layer_cam": lambda a, g: lambda at: max(sum(x * max(y, 0) for x, y in zip(a[at], g[at], strict=True)), 0),
    "xgrad_cam": lambda a, g: _by_weights(
        lambda a, g: sum(x * y for x, y in zip(a, g, strict=True)) / sum(a) if sum(a) else 0, a, g
    ),
}


class TestAgainstThePapers:
    @pytest.mark.parametrize("spatial", SPATIAL)
    @pytest.mark.parametrize("rectified", [True, False])
    @pytest.mark.parametrize("name", GRADIENT)
    def test_a_loop_over_positions_and_channels(self, name, spatial, rectified):
        generator = np.random.default_rng(4)
        activations, gradients = generator.standard_normal((2, 3, *spatial, 5)).astype(np.float32)
        activations = np.maximum(activations, 0) if rectified else activations
        expected = _loop(LOOPS[name], activations, gradients)
        assert expected.any()
        found = METHODS[name].maps(activations, gradients)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7 * np.abs(expected).max())

    @pytest.mark.parametrize("spatial", [*SPATIAL, (1,), (40, 30)])
    @pytest.mark.parametrize("channels", [1, 7, 300])
    @pytest.mark.parametrize("rectified", [True, False])
    def test_eigen_cam_by_the_whole_decomposition(self, spatial, channels, rectified):
        activations = np.random.default_rng(5).standard_normal((2, *spatial, channels)).astype(np.float32)
        activations = np.maximum(activations, 0) if rectified else activations
        for maps, picture in zip(eigen_cam(activations), activations.astype(np.float64), strict=True):
            matrix = picture.reshape(-1, channels)
            line = matrix @ np.linalg.svd(matrix, full_matrices=False)[2][0]
            line *= 1 if line.sum() >= 0 else -1
            np.testing.assert_allclose(maps.ravel(), line, rtol=1e-6, atol=1e-7 * np.abs(line).max())


class TestOnAGlobalMean:
    """Where the maps go through their mean into a dense layer, every method has a closed form."""

    @pytest.fixture(params=[1.0, -1.0])
    def head(self, request):
        generator = np.random.default_rng(1)
        activations = np.maximum(generator.standard_normal((3, 5, 6, 7)), 0).astype(np.float32)
        kernel = generator.standard_normal(7) * request.param
        return activations, kernel, np.broadcast_to(kernel / 30, activations.shape)

    def close(self, found, expected):
        assert expected.any()
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7 * np.abs(expected).max())

    def test_those_that_agree_there(self, head):
        activations, kernel, slope = head
        signed = activations.astype(np.float64) @ kernel / 30
        self.close(hires_cam(activations, slope), signed)
        self.close(grad_cam(activations, slope), np.maximum(signed, 0))
        self.close(xgrad_cam(activations, slope), np.maximum(signed, 0))

    def test_hires_cam_adds_up_to_the_score_without_its_bias(self, head):
        activations, kernel, slope = head
        scores = activations.mean(axis=(1, 2), dtype=np.float64) @ kernel
        np.testing.assert_allclose(hires_cam(activations, slope).sum(axis=(1, 2)), scores, rtol=1e-4)

    def test_layer_cam_takes_the_kernels_positive_part(self, head):
        activations, kernel, slope = head
        self.close(layer_cam(activations, slope), activations.astype(np.float64) @ np.maximum(kernel, 0) / 30)

    def test_grad_cam_plus_plus_divides_it_by_two_more_than_the_channels_share(self, head):
        activations, kernel, slope = head
        means = activations.mean(axis=(1, 2), dtype=np.float64)
        weights = np.maximum(kernel, 0) / (2 + kernel * means)
        self.close(grad_cam_plus_plus(activations, slope), np.einsum("nhwc,nc->nhw", activations, weights))

    def test_ablation_cam_weighs_by_each_channels_share_of_the_score(self, head):
        activations, kernel, _ = head

        def scores(channel):
            kept = activations.astype(np.float64)
            if channel is not None:
                kept[..., channel] = 0
            return kept.mean(axis=(1, 2)) @ kernel + 0.3

        means = activations.mean(axis=(1, 2), dtype=np.float64)
        weights = kernel * means / np.abs(means @ kernel + 0.3)[:, None]
        expected = np.maximum(np.einsum("nhwc,nc->nhw", activations, weights), 0)
        self.close(maps_of("ablation_cam", activations, scores), expected)

    def test_score_cam_of_a_linear_score_is_a_softmax_of_what_the_masks_let_through(self, head):
        activations, _, _ = head
        generator = np.random.default_rng(2)
        fed, kernel = generator.standard_normal((3, 5, 6)), generator.standard_normal((5, 6))
        low, high = activations.min(axis=(1, 2)), activations.max(axis=(1, 2))
        let_through = np.einsum("hw,nhw,nhwc->nc", kernel, fed, (activations - low[:, None, None]).astype(np.float64))
        powers = np.exp(let_through / (high - low))
        expected = np.einsum("nhwc,nc->nhw", activations, powers / powers.sum(axis=1, keepdims=True))
        found = maps_of("score_cam", activations, lambda masks: np.einsum("hw,nhw->n", kernel, fed * masks))
        self.close(found, expected)


class TestErrors:
    @pytest.mark.parametrize("name", NAMES)
    def test_no_positions(self, name):
        with pytest.raises(ValueError, match=r"at least one position, got \(2, 3\); take a layer that still has maps"):
            maps_of(name, np.zeros((2, 3)), *[np.zeros((2, 3))] * (METHODS[name].needs != "activations"))

    @pytest.mark.parametrize("name", GRADIENT)
    def test_gradients_of_another_shape(self, name):
        with pytest.raises(ValueError, match=r"gradients: must have the shape of activations \(1, 2, 3\)"):
            METHODS[name].maps(np.zeros((1, 2, 3)), np.zeros((1, 2, 4)))

    def test_weights_of_another_shape(self):
        with pytest.raises(ValueError, match=r"weights: must be one per image and channel, \(1, 3\), got \(3,\)"):
            weighted(np.zeros((1, 2, 3)), np.zeros(3))

    @pytest.mark.parametrize("name", ["grad_can", None, ["grad_cam"]])
    def test_a_name_that_is_none_lists_those_there_are(self, name):
        with pytest.raises(ValueError, match=r"one of 'grad_cam', 'grad_cam\+\+', 'hires_cam'.*'ablation_cam'"):
            cam_method(name)


class TestTable:
    def test_every_method_says_what_it_needs_and_where_it_is_from(self):
        found = {name: (method.needs, method.signed) for name, method in METHODS.items()}
        assert found == {
            "grad_cam": ("gradient", False),
            "grad_cam++": ("gradient", False),
            "hires_cam": ("gradient", True),
            "layer_cam": ("gradient", False),
            "xgrad_cam": ("gradient", False),
            "eigen_cam": ("activations", True),
            "score_cam": ("masked scores", False),
            "ablation_cam": ("ablated scores", False),
        }
        papers = [method.paper for method in METHODS.values()]
        assert len(set(papers)) == len(papers)
        assert all(" 20" in paper and ", https://" in paper for paper in papers)

    def test_a_method_is_found_by_its_name(self):
        assert cam_method("grad_cam").maps is grad_cam
        assert cam_method("grad_cam++").maps is grad_cam_plus_plus
