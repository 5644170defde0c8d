"""What each channel of a layer is worth to a score, found by asking the model again: no gradients.

The model is a callable given by whoever knows it; it is asked once for each channel that can matter.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .confidence import softmax

Array = NDArray[Any]
Real = NDArray[np.float64]
MaskedScores = Callable[[NDArray[np.float32]], Array]
AblatedScores = Callable[[int | None], Array]


def score_cam_weights(activations: Array, scores: MaskedScores) -> Real:
    """Weigh each channel by the score of the input that is masked with the channel's own map.

    Softmax over channels. The paper takes the score of a baseline off every score, which the softmax cancels.

    Args:
        activations: `(n, *spatial, channels)`.
        scores: Called once for each channel that varies in some picture, in their order, with that channel's
            masks `(n, *spatial)`, float32, each picture's scaled to 0..1; all zeros for a picture in which
            the channel is constant or not finite. Returns `(n,)`: the score of each input multiplied with
            its mask (which the callee resizes to the input).

    Returns:
        `(n, channels)`, 0 to 1, a picture's sum 1. A constant channel has no mask (the scaling is undefined):
        its weight is 0 and it is left out of the picture's softmax; all 0 where every channel is constant.
        All NaN for a picture whose activations, or scores that count, are not finite.

    Raises:
        ValueError: If `scores` does not return one score a picture, or there are no positions.

    Reference:
        Wang et al., "Score-CAM: Score-Weighted Visual Explanations for Convolutional Neural Networks", CVPR
        Workshops 2020.
    """
    check_maps(activations)
    count, channels = len(activations), activations.shape[-1]
    positions = tuple(range(1, activations.ndim - 1))
    with np.errstate(invalid="ignore", over="ignore"):
        low = activations.min(axis=positions).astype(np.float64)
        span = activations.max(axis=positions).astype(np.float64) - low
    varies = (span > 0) & np.isfinite(span)
    found = np.zeros((count, channels))
    for channel in map(int, np.flatnonzero(varies.any(axis=0))):
        masks = _masks(activations[..., channel], low[:, channel], span[:, channel], varies[:, channel])
        found[:, channel] = np.where(varies[:, channel], _one_a_picture(scores(masks), count), 0.0)
    weights = np.zeros((count, channels))
    for row in range(count):
        if not (np.isfinite(span[row]).all() and np.isfinite(found[row]).all()):
            weights[row] = np.nan
        elif varies[row].any():
            weights[row, varies[row]] = softmax(found[row, varies[row]])
    return weights


def ablation_cam_weights(activations: Array, scores: AblatedScores) -> Real:
    """Weigh each channel by the share of the score that is lost without it: `(y - y_c) / |y|`.

    The paper divides by y. A logit can be negative, which would turn the sign of every weight and show what
    speaks against the class as evidence for it; hence |y|, which is the same for the positive scores that the
    paper has in mind. Where y is close to 0, all weights of a picture are large together.

    Args:
        activations: `(n, *spatial, channels)`.
        scores: Called with None, then once for each channel that is not 0 everywhere, in their order.
            Returns `(n,)`: for None the score of the layer as it is, for an int that with this channel set
            to 0. A channel that is 0 everywhere is not asked for: without it nothing changes.

    Returns:
        `(n, channels)`, signed; all 0 for a picture whose score is 0. All NaN for one with a score that is
        not finite.

    Raises:
        ValueError: If `scores` does not return one score a picture, or there are no positions.

    Reference:
        Desai & Ramaswamy, "Ablation-CAM: Visual Explanations for Deep Convolutional Network via Gradient-free
        Localization", WACV 2020.
    """
    check_maps(activations)
    count, channels = len(activations), activations.shape[-1]
    if not count:
        return np.zeros((0, channels))
    whole = _one_a_picture(scores(None), count)[:, None]
    without = np.repeat(whole, channels, axis=1)
    for channel in map(int, np.flatnonzero(activations.any(axis=tuple(range(activations.ndim - 1))))):
        without[:, channel] = _one_a_picture(scores(channel), count)
    with np.errstate(invalid="ignore", over="ignore"):
        weights = np.divide(whole - without, np.abs(whole), out=np.zeros_like(without), where=whole != 0)
    weights[~(np.isfinite(whole[:, 0]) & np.isfinite(without).all(axis=1))] = np.nan
    return weights


def check_maps(activations: Array) -> None:
    """Say what is wrong with activations that have no positions.

    Raises:
        ValueError: If they are not `(n, *spatial, channels)` with at least one position and channel.
    """
    if activations.ndim < 3 or 0 in activations.shape[1:]:
        raise ValueError(
            "activations: must be (n, *spatial, channels) with at least one position, "
            f"got {activations.shape}; take a layer that still has maps"
        )


def _masks(maps: Array, low: Real, span: Real, varies: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The maps `(n, *spatial)` of a channel, each scaled to 0..1 by its own extremes; 0 where it does not vary."""
    masks = np.zeros(maps.shape, np.float32)
    for row in np.flatnonzero(varies):
        masks[row] = (maps[row].astype(np.float64) - low[row]) / span[row]
    return masks


def _one_a_picture(scores: Array, count: int) -> Real:
    found = np.asarray(scores, np.float64)
    if found.shape != (count,):
        raise ValueError(f"scores: must return one score a picture, ({count},), got shape {found.shape}")
    return found
