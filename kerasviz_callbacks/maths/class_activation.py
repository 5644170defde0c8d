"""Class activation maps, not rescaled.

Maps are neither normalised nor upsampled here: that belongs to their display, and only raw maps can be compared between
steps, models and libraries.

Activations are `(n, *spatial, channels)`, the output of a layer: any float type, one or more spatial axes. Gradients
have the same shape: of each image's score with respect to those activations. Maps are `(n, *spatial)`. Every method
raises ValueError if the shapes differ or there are no positions. Images are computed independently: NaN or infinity in
one makes its own map non-finite somewhere, never silently zero, and no other map.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .channel_weights import ablation_cam_weights, check_maps, score_cam_weights
from .singular import first_component

Array = NDArray[Any]
Maps = NDArray[np.float32]
_Real = NDArray[np.float64]


def grad_cam(activations: Array, gradients: Array) -> Maps:
    """Compute Grad-CAM: channels weighted by their mean gradient.

    `relu(sum_c w_c A_c)` with `w_c` the mean over positions of the gradient of the score with respect to channel c. At
    least 0, in the unit of the score; all zeros where no position has a positive one.

    Example:
        >>> activations = np.array([[[1.0, 2.0], [3.0, 0.0]]])  # one signal, two positions, two channels
        >>> gradients = np.array([[[1.0, -1.0], [3.0, -1.0]]])  # means over positions: 2 and -1
        >>> grad_cam(activations, gradients).tolist()
        [[0.0, 6.0]]

    Reference:
        Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", ICCV 2017,
        equations 1 and 2.
    """
    return _by_gradient(lambda a, g: _relu(a @ g.mean(axis=0)), activations, gradients)


def grad_cam_plus_plus(activations: Array, gradients: Array) -> Maps:
    """Compute Grad-CAM++, which also shows several and small occurrences of a class.

    `relu(sum_c w_c A_c)` with `w_c = sum_ij alpha_ij relu(g_ij)` and
    `alpha_ij = g_ij^2 / (2 g_ij^2 + g_ij^3 sum_ab A_ab)`, 0 where the denominator is 0; at least 0. Both are divided by
    g^2, so that small gradients do not underflow. The paper's factor exp(score), constant over a map, is left out: it
    overflows. Where a channel has values of either sign the denominator can come close to 0, and its weight is then
    unreliable.

    Reference:
        Chattopadhay et al., "Grad-CAM++: Generalized Gradient-based Visual Explanations for Deep Convolutional
        Networks", WACV 2018.
    """

    def map_of_image(a: _Real, g: _Real) -> _Real:
        return _relu(a @ _ratio(_relu(g), 2 + g * a.sum(axis=0)).sum(axis=0))

    return _by_gradient(map_of_image, activations, gradients)


def hires_cam(activations: Array, gradients: Array) -> Maps:
    """Compute HiResCAM: activations weighted element by element by their gradient, of either sign.

    `sum_c g_c A_c`, no ReLU: signed, in the unit of the score. Where the layer feeds a single dense layer directly, the
    sum over positions is the score without the bias.

    Reference:
        Draelos & Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional neural networks",
        2020.
    """
    return _by_gradient(lambda a, g: np.einsum("pc,pc->p", a, g), activations, gradients)


def layer_cam(activations: Array, gradients: Array) -> Maps:
    """Compute LayerCAM: activations weighted element by element by their positive gradients; works in early layers too.

    `relu(sum_c relu(g_c) A_c)`: at least 0, in the unit of the score.

    Reference:
        Jiang et al., "LayerCAM: Exploring Hierarchical Class Activation Maps for Localization", IEEE TIP 2021.
    """
    return _by_gradient(lambda a, g: _relu(np.einsum("pc,pc->p", a, _relu(g))), activations, gradients)


def xgrad_cam(activations: Array, gradients: Array) -> Maps:
    """Compute XGrad-CAM: channels weighted by their gradient averaged with the activation as weight.

    `relu(sum_c w_c A_c)` with `w_c = sum_ij g_ij A_ij / sum_ij A_ij`, 0 where that sum is 0: at least 0, in the unit of
    the score. Where a channel has values of either sign the sum can come close to 0, and its weight is then unreliable.

    Reference:
        Fu et al., "Axiom-based Grad-CAM: Towards Accurate Visualization and Explanation of CNNs", BMVC 2020.
    """

    def map_of_image(a: _Real, g: _Real) -> _Real:
        return _relu(a @ _ratio(np.einsum("pc,pc->c", a, g), a.sum(axis=0)))

    return _by_gradient(map_of_image, activations, gradients)


def eigen_cam(activations: Array) -> Maps:
    """Compute Eigen-CAM: the first principal component of the activations, independent of the class.

    `A v`, with A the image's activations as (positions x channels), not centred, and v its first right singular vector:
    signed, in the unit of the activations, all NaN for an image that is not finite. The sign is such that the map's sum
    is at least 0; where that is 0 but for rounding, such that the first of the values of largest magnitude is positive.
    Where the first two singular values are equal, the direction is undefined and an arbitrary one is taken, the same at
    every call.

    Reference:
        Muhammad & Yeasin, "Eigen-CAM: Class Activation Map using Principal Components", IJCNN 2020.
    """
    return _map_images(first_component, activations)


def weighted(activations: Array, weights: Array) -> Maps:
    """Sum the channels with given weights `(n, channels)` and keep the positive part: `relu(sum_c w_c A_c)`.

    ValueError if the weights are not one per image and channel.
    """
    expected = (len(activations), activations.shape[-1])
    if weights.shape != expected:
        raise ValueError(f"weights: must be one per image and channel, {expected}, got {weights.shape}")
    return _map_images(lambda a, w: _relu(a @ w[0]), activations, weights)


@dataclass(frozen=True)
class CamMethod:
    """A class activation method.

    Attributes:
        maps: Computes the raw maps from the activations and, unless these suffice, gradients or weights of channels.
        needs: `"gradient"`: gradients of the activations' shape. `"activations"`: nothing more.
            `"masked scores"`, `"ablated scores"`: weights of channels.
        signed: Whether maps have negative values, which are evidence against the class.
        paper: Authors, year and link.
        divides: Whether it divides by sums over a channel, so that negative activations make it unreliable.
        weights: Computes the weights of channels `(n, channels)` from the activations and a callable that runs the
            model again, see `score_cam_weights` and `ablation_cam_weights`; None for methods without.
    """

    maps: Callable[..., Maps]
    needs: Literal["gradient", "activations", "masked scores", "ablated scores"]
    signed: bool
    paper: str
    divides: bool = False
    weights: Callable[..., _Real] | None = None


METHODS: dict[str, CamMethod] = {
    "grad_cam": CamMethod(grad_cam, "gradient", False, "Selvaraju et al. 2017, https://arxiv.org/abs/1610.02391"),
    "grad_cam++": CamMethod(
        grad_cam_plus_plus,
        "gradient",
        False,
        "Chattopadhay et al. 2018, https://arxiv.org/abs/1710.11063",
        divides=True,
    ),
    "hires_cam": CamMethod(hires_cam, "gradient", True, "Draelos & Carin 2020, https://arxiv.org/abs/2011.08891"),
    "layer_cam": CamMethod(layer_cam, "gradient", False, "Jiang et al. 2021, https://doi.org/10.1109/TIP.2021.3089943"),
    "xgrad_cam": CamMethod(
        xgrad_cam, "gradient", False, "Fu et al. 2020, https://arxiv.org/abs/2008.02312", divides=True
    ),
    "eigen_cam": CamMethod(eigen_cam, "activations", True, "Muhammad & Yeasin 2020, https://arxiv.org/abs/2008.00299"),
    "score_cam": CamMethod(
        weighted,
        "masked scores",
        False,
        "Wang et al. 2020, https://arxiv.org/abs/1910.01279",
        weights=score_cam_weights,
    ),
    "ablation_cam": CamMethod(
        weighted,
        "ablated scores",
        False,
        "Desai & Ramaswamy 2020, https://doi.org/10.1109/WACV45572.2020.9093360",
        weights=ablation_cam_weights,
    ),
}
"""The methods by the name that `GradCAM(method=...)` and `class_activation_map(method=...)` take."""


def cam_method(method: Any) -> CamMethod:
    """Look up a method by name; ValueError, which lists the known ones, for an unknown name."""
    if not isinstance(method, str) or method not in METHODS:
        raise ValueError(f"method={method!r}: expected one of {', '.join(map(repr, METHODS))}.")
    return METHODS[method]


def _by_gradient(map_of_image: Callable[[_Real, _Real], _Real], activations: Array, gradients: Array) -> Maps:
    if activations.shape != gradients.shape:
        raise ValueError(f"gradients: must have the shape of activations {activations.shape}, got {gradients.shape}")
    return _map_images(map_of_image, activations, gradients)


def _map_images(map_of_image: Callable[..., _Real], activations: Array, *others: Array) -> Maps:
    """Compute the maps image by image, with activations as (positions x channels).

    So memory stays bounded, and an image's map is bit-identical whatever the other images are.
    """
    check_maps(activations)
    maps = np.empty(activations.shape[:-1], np.float32)
    with np.errstate(all="ignore"):
        for index in range(len(maps)):
            given = [np.ascontiguousarray(array[index], np.float64) for array in (activations, *others)]
            maps[index] = map_of_image(*(one.reshape(-1, one.shape[-1]) for one in given)).reshape(maps.shape[1:])
    return maps


def _relu(values: _Real) -> _Real:
    """The positive part; minus infinity becomes NaN, as it would otherwise look like an empty map."""
    return np.maximum(np.where(np.isneginf(values), np.nan, values), 0.0)


def _ratio(numerator: _Real, denominator: _Real) -> _Real:
    """`numerator / denominator`; 0 where the denominator is 0, but NaN if the numerator is not finite there."""
    ratio: _Real = np.where(np.isfinite(numerator), 0.0, np.nan)
    return np.divide(numerator, denominator, out=ratio, where=denominator != 0)
