"""Where a network looks: class activation maps from activations and gradients, raw.

A map is never rescaled and never upsampled here: that is a matter of how it is shown, and raw maps alone
can be compared between steps, models and libraries.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Method = Callable[[NDArray[Any], NDArray[Any]], NDArray[np.float32]]


def grad_cam(activations: NDArray[Any], gradients: NDArray[Any]) -> NDArray[np.float32]:
    """Weigh each channel by its mean gradient, add the channels up, keep what speaks for the class.

    `relu(sum_c w_c A_c)` with `w_c` the mean over positions of the gradient of the score by channel c.

    Args:
        activations: `(n, *spatial, channels)`, what the layer put out; any float type, one or more spatial
            axes.
        gradients: The same shape: the gradient of each picture's own score by those activations.

    Returns:
        `(n, *spatial)`, at least 0, in the unit of the score. All zeros where nothing speaks for the
        class. Each picture is computed by itself: NaN or infinity in one makes that picture's map NaN or
        infinite where it reaches, and no other's.

    Raises:
        ValueError: If the shapes differ or there are no positions.

    Example:
        >>> activations = np.array([[[1.0, 2.0], [3.0, 0.0]]])  # one signal, two positions, two channels
        >>> gradients = np.array([[[1.0, -1.0], [3.0, -1.0]]])  # means over positions: 2 and -1
        >>> grad_cam(activations, gradients).tolist()
        [[0.0, 6.0]]

    Reference:
        Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization",
        ICCV 2017, equations 1 and 2.
    """
    _check(activations, gradients)
    maps = np.empty(activations.shape[:-1], np.float32)
    # One by one: memory stays bounded, and no picture's map depends on another, to the bit.
    with np.errstate(invalid="ignore", over="ignore"):
        for index, gradient in enumerate(gradients):
            weights = gradient.mean(axis=tuple(range(gradient.ndim - 1)), dtype=np.float64)
            maps[index] = np.maximum(activations[index].astype(np.float64) @ weights, 0.0)
    return maps


METHODS: dict[str, Method] = {"grad_cam": grad_cam}
"""The methods that need no more than one pass, by the name that `GradCAM(method=...)` takes."""


def _check(activations: NDArray[Any], gradients: NDArray[Any]) -> None:
    if activations.shape != gradients.shape:
        raise ValueError(f"gradients: must have the shape of activations {activations.shape}, got {gradients.shape}")
    if activations.ndim < 3 or 0 in activations.shape[1:]:
        raise ValueError(
            "activations: must be (n, *spatial, channels) with at least one position, "
            f"got {activations.shape}; take a layer that still has maps"
        )


def method_named(method: str) -> Callable[[NDArray[Any], NDArray[Any]], NDArray[np.float32]]:
    """The function of a method's name.

    Raises:
        ValueError: There is no such method; the error lists those there are.
    """
    if method not in METHODS:
        raise ValueError(f"method={method!r}: expected one of {', '.join(map(repr, METHODS))}.")
    return METHODS[method]
