"""Where a network looks: class activation maps, raw.

A map is never rescaled and never upsampled here: that is a matter of how it is shown, and raw maps alone
can be compared between steps, models and libraries.

Activations are `(n, *spatial, channels)`, what a layer put out: any float type, one or more spatial axes.
Gradients have the same shape: the gradient of each picture's own score by those activations. Maps are
`(n, *spatial)`. Each picture is computed by itself. What is not finite in one makes its own map not finite
somewhere, never just empty, and no other's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .channel_weights import AblatedScores, MaskedScores, check_maps
from .channel_weights import ablation_cam_weights as ablation_cam_weights  # the same name: for others to import
from .channel_weights import score_cam_weights as score_cam_weights
from .singular import first_component

Array = NDArray[Any]
Maps = NDArray[np.float32]
_Real = NDArray[np.float64]

Needs = Literal["gradient", "activations", "masked scores", "ablated scores"]


def grad_cam(activations: Array, gradients: Array) -> Maps:
    """See what speaks for the class, each channel weighted by its mean gradient.

    `relu(sum_c w_c A_c)` with `w_c` the mean over positions of the gradient of the score by channel c.

    Args:
        activations: `(n, *spatial, channels)`.
        gradients: The same shape.

    Returns:
        `(n, *spatial)`, at least 0, in the unit of the score. All zeros where nothing speaks for the class.

    Raises:
        ValueError: If the shapes differ or there are no positions; so with every method.

    Example:
        >>> activations = np.array([[[1.0, 2.0], [3.0, 0.0]]])  # one signal, two positions, two channels
        >>> gradients = np.array([[[1.0, -1.0], [3.0, -1.0]]])  # means over positions: 2 and -1
        >>> grad_cam(activations, gradients).tolist()
        [[0.0, 6.0]]

    Reference:
        Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization",
        ICCV 2017, equations 1 and 2.
    """
    return _by_gradient(lambda a, g: _relu(a @ g.mean(axis=0)), activations, gradients)


def grad_cam_plus_plus(activations: Array, gradients: Array) -> Maps:
    """See every place that speaks for the class, however many there are and however small.

    `relu(sum_c w_c A_c)` with `w_c = sum_ij alpha_ij relu(g_ij)` and
    `alpha_ij = g_ij^2 / (2 g_ij^2 + g_ij^3 sum_ab A_ab)`, 0 where the denominator is 0. Divided through by
    g^2, so that small gradients do not underflow. The paper's factor exp(score), one for a whole map, is left
    out: it overflows.

    Args:
        activations: `(n, *spatial, channels)`.
        gradients: The same shape.

    Returns:
        `(n, *spatial)`, at least 0.

    Reference:
        Chattopadhay et al., "Grad-CAM++: Generalized Gradient-based Visual Explanations for Deep
        Convolutional Networks", WACV 2018.
    """

    def of_one(a: _Real, g: _Real) -> _Real:
        return _relu(a @ _ratio(_relu(g), 2 + g * a.sum(axis=0)).sum(axis=0))

    return _by_gradient(of_one, activations, gradients)


def hires_cam(activations: Array, gradients: Array) -> Maps:
    """See what speaks for the class and what against it, each position by its own gradient.

    `sum_c g_c A_c`, no ReLU. Where the maps go straight into one dense layer, its sum over positions is the
    score, but for the bias.

    Args:
        activations: `(n, *spatial, channels)`.
        gradients: The same shape.

    Returns:
        `(n, *spatial)`, signed, in the unit of the score.

    Reference:
        Draelos & Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional neural
        networks", 2020.
    """
    return _by_gradient(lambda a, g: np.einsum("pc,pc->p", a, g), activations, gradients)


def layer_cam(activations: Array, gradients: Array) -> Maps:
    """See fine detail, in early layers too: each value weighted by its own gradient where that is positive.

    `relu(sum_c relu(g_c) A_c)`.

    Args:
        activations: `(n, *spatial, channels)`.
        gradients: The same shape.

    Returns:
        `(n, *spatial)`, at least 0, in the unit of the score.

    Reference:
        Jiang et al., "LayerCAM: Exploring Hierarchical Class Activation Maps for Localization", IEEE TIP
        2021.
    """
    return _by_gradient(lambda a, g: _relu(np.einsum("pc,pc->p", a, _relu(g))), activations, gradients)


def xgrad_cam(activations: Array, gradients: Array) -> Maps:
    """See what speaks for the class, each channel's gradient averaged where the channel is active.

    `relu(sum_c w_c A_c)` with `w_c = sum_ij g_ij A_ij / sum_ij A_ij`, 0 where that sum is 0.

    Args:
        activations: `(n, *spatial, channels)`. Of channels of either sign the sum can come close to 0, and
            their weight then means little.
        gradients: The same shape.

    Returns:
        `(n, *spatial)`, at least 0, in the unit of the score.

    Reference:
        Fu et al., "Axiom-based Grad-CAM: Towards Accurate Visualization and Explanation of CNNs", BMVC 2020.
    """

    def of_one(a: _Real, g: _Real) -> _Real:
        return _relu(a @ _ratio(np.einsum("pc,pc->c", a, g), a.sum(axis=0)))

    return _by_gradient(of_one, activations, gradients)


def eigen_cam(activations: Array) -> Maps:
    """See what the layer answers to most strongly, whatever the class.

    `A v`, A being the picture's activations as (positions x channels), uncentred, and v its first right
    singular vector. The sign is such that the map's sum is at least 0; where that is 0 but for rounding, such
    that the first of the strongest values is positive. Where the first two singular values are equal, the
    direction is not defined and any one of the plane is taken, the same at every call.

    Args:
        activations: `(n, *spatial, channels)`.

    Returns:
        `(n, *spatial)`, signed, in the unit of the activations. All NaN for a picture that is not finite.

    Reference:
        Muhammad & Yeasin, "Eigen-CAM: Class Activation Map using Principal Components", IJCNN 2020.
    """
    return _of_each(first_component, activations)


def score_cam(activations: Array, scores: MaskedScores) -> Maps:
    """See what speaks for the class, each channel weighted by the score of the input seen through its map.

    Args:
        activations: `(n, *spatial, channels)`.
        scores: What `score_cam_weights` asks: given masks `(n, *spatial)`, the scores `(n,)` of the inputs
            multiplied with them. A pass of the model for each channel.

    Returns:
        `(n, *spatial)`, at least 0, in the unit of the activations.
    """
    return weighted(activations, score_cam_weights(activations, scores))


def ablation_cam(activations: Array, scores: AblatedScores) -> Maps:
    """See what speaks for the class, each channel weighted by the share of the score that is lost without it.

    Args:
        activations: `(n, *spatial, channels)`.
        scores: What `ablation_cam_weights` asks: the scores `(n,)` of the layer as it is (None) or with one
            channel set to 0 (its number). A pass of the model for each channel.

    Returns:
        `(n, *spatial)`, at least 0, in the unit of the activations.
    """
    return weighted(activations, ablation_cam_weights(activations, scores))


def weighted(activations: Array, weights: Array) -> Maps:
    """See the channels added up by given weights, and what speaks for the class kept: `relu(sum_c w_c A_c)`.

    Args:
        activations: `(n, *spatial, channels)`.
        weights: `(n, channels)`.

    Returns:
        `(n, *spatial)`, at least 0.

    Raises:
        ValueError: If the weights are not one a picture and channel.
    """
    expected = (len(activations), activations.shape[-1])
    if weights.shape != expected:
        raise ValueError(f"weights: must be one a picture and channel, {expected}, got {weights.shape}")
    return _of_each(lambda a, w: _relu(a @ w[0]), activations, weights)


@dataclass(frozen=True)
class CamMethod:
    """How a class activation map is made, for glue and views without a case for each.

    Attributes:
        maps: Of activations alone, or of activations and what `needs` says, the raw maps.
        needs: `"gradient"`: gradients of the activations' shape. `"activations"`: nothing more.
            `"masked scores"`, `"ablated scores"`: the callable that `score_cam` or `ablation_cam` describes.
        signed: Whether values below 0 mean something; else there are none.
        paper: Where it is from.
    """

    maps: Callable[..., Maps]
    needs: Needs
    signed: bool
    paper: str


METHODS: dict[str, CamMethod] = {
    "grad_cam": CamMethod(grad_cam, "gradient", False, "Selvaraju et al. 2017, https://arxiv.org/abs/1610.02391"),
    "grad_cam++": CamMethod(
        grad_cam_plus_plus, "gradient", False, "Chattopadhay et al. 2018, https://arxiv.org/abs/1710.11063"
    ),
    "hires_cam": CamMethod(hires_cam, "gradient", True, "Draelos & Carin 2020, https://arxiv.org/abs/2011.08891"),
    "layer_cam": CamMethod(layer_cam, "gradient", False, "Jiang et al. 2021, https://doi.org/10.1109/TIP.2021.3089943"),
    "xgrad_cam": CamMethod(xgrad_cam, "gradient", False, "Fu et al. 2020, https://arxiv.org/abs/2008.02312"),
    "eigen_cam": CamMethod(eigen_cam, "activations", True, "Muhammad & Yeasin 2020, https://arxiv.org/abs/2008.00299"),
    "score_cam": CamMethod(score_cam, "masked scores", False, "Wang et al. 2020, https://arxiv.org/abs/1910.01279"),
    "ablation_cam": CamMethod(
        ablation_cam, "ablated scores", False, "Desai & Ramaswamy 2020, https://doi.org/10.1109/WACV45572.2020.9093360"
    ),
}
"""By the name that `GradCAM(method=...)` and `class_activation_map(method=...)` take."""


def cam_method(method: Any) -> CamMethod:
    """The method of a name.

    Raises:
        ValueError: There is no such method; the error lists those there are.
    """
    if not isinstance(method, str) or method not in METHODS:
        raise ValueError(f"method={method!r}: expected one of {', '.join(map(repr, METHODS))}.")
    return METHODS[method]


def _by_gradient(of_one: Callable[[_Real, _Real], _Real], activations: Array, gradients: Array) -> Maps:
    if activations.shape != gradients.shape:
        raise ValueError(f"gradients: must have the shape of activations {activations.shape}, got {gradients.shape}")
    return _of_each(of_one, activations, gradients)


def _of_each(of_one: Callable[..., _Real], activations: Array, *others: Array) -> Maps:
    """The maps of pictures one by one, whose activations are given as (positions x channels).

    So memory stays bounded, and no picture's map depends on another, to the bit.
    """
    check_maps(activations)
    maps = np.empty(activations.shape[:-1], np.float32)
    with np.errstate(all="ignore"):
        for index in range(len(maps)):
            given = [np.ascontiguousarray(array[index], np.float64) for array in (activations, *others)]
            maps[index] = of_one(*(one.reshape(-1, one.shape[-1]) for one in given)).reshape(maps.shape[1:])
    return maps


def _relu(values: _Real) -> _Real:
    """What is above 0; minus infinity becomes NaN, or it would pass for no evidence."""
    return np.maximum(np.where(np.isneginf(values), np.nan, values), 0.0)


def _ratio(above: _Real, below: _Real) -> _Real:
    """`above / below`, 0 where below is 0; what is not finite above is not hidden by that."""
    ratio: _Real = np.where(np.isfinite(above), 0.0, np.nan)
    return np.divide(above, below, out=ratio, where=below != 0)
