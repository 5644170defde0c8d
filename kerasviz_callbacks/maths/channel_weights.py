"""Channel weights of the gradient-free class activation maps: Score-CAM and Ablation-CAM.

The model is passed as a callable, which is called once for each channel that can have an effect.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .confidence import softmax
from .resampling import resize

Array = NDArray[Any]
Real = NDArray[np.float64]
MaskedScores = Callable[[NDArray[np.float32]], Array]
AblatedScores = Callable[[int | None], Array]
_CONSTANT = 1e-9  # of the map's own range: what rounding leaves of a mask that is constant once resized


def score_cam_weights(activations: Array, scores: MaskedScores, sides: Sequence[int] | None = None) -> Real:
    """Weight each channel by the score of the input masked with the channel's own activation map.

    Each map is first resized to the input and then scaled to 0..1, as in the paper's algorithm 1, so that every mask
    reaches 0 and 1. Softmax over channels. The paper subtracts the score of a baseline from every score, which the
    softmax cancels.

    Args:
        activations: `(n, *spatial, channels)`.
        scores: Called once for each channel that varies in some image, in their order, with that channel's masks
            `(n, *sides)`, float32, each image's scaled to 0..1; all zeros for an image in which the channel is
            constant or not finite. Returns `(n,)`: the score of each input multiplied with its mask.
        sides: Number of positions of the input along each spatial axis; None: those of the activations.

    Returns:
        `(n, channels)`, 0 to 1, of sum 1 for each image. A constant channel has no mask (the scaling is undefined): its
        weight is 0 and it is left out of the image's softmax; all 0 where every channel is constant. All NaN for an
        image whose activations, or scores used, are not finite.

    Raises:
        ValueError: If `scores` does not return one score per image, or there are no positions.

    Reference:
        Wang et al., "Score-CAM: Score-Weighted Visual Explanations for Convolutional Neural Networks", CVPR Workshops
        2020.
    """
    check_maps(activations)
    count, channels = len(activations), activations.shape[-1]
    positions = tuple(range(1, activations.ndim - 1))
    sides = activations.shape[1:-1] if sides is None else tuple(sides)
    with np.errstate(invalid="ignore", over="ignore"):
        low = activations.min(axis=positions).astype(np.float64)
        span = activations.max(axis=positions).astype(np.float64) - low
    varies = (span > 0) & np.isfinite(span)
    found = np.zeros((count, channels))
    for channel in map(int, np.flatnonzero(varies.any(axis=0))):
        masks = np.zeros((count, *sides), np.float32)
        for row in np.flatnonzero(varies[:, channel]).tolist():
            coarse = activations[row, ..., channel].astype(np.float64)
            mask = resize((coarse - low[row, channel]) / span[row, channel], sides)
            mask -= mask.min()
            varies[row, channel] = mask.max() > _CONSTANT
            masks[row] = mask / mask.max() if varies[row, channel] else 0
        if varies[:, channel].any():
            found[:, channel] = np.where(varies[:, channel], _check_scores(scores(masks), count), 0.0)
    weights = np.zeros((count, channels))
    for row in range(count):
        if not (np.isfinite(span[row]).all() and np.isfinite(found[row]).all()):
            weights[row] = np.nan
        elif varies[row].any():
            weights[row, varies[row]] = softmax(found[row, varies[row]])
    return weights


def ablation_cam_weights(activations: Array, scores: AblatedScores) -> Real:
    """Weight each channel by the relative drop of the score without it: `(y - y_c) / |y|`.

    The paper divides by y. A logit can be negative, which would flip the sign of every weight; hence |y|, which is the
    same for the positive scores that the paper assumes. Where y is close to 0, all weights of an image are large.

    Args:
        activations: `(n, *spatial, channels)`.
        scores: Called with None, then once for each channel that is not 0 everywhere, in their order. Returns `(n,)`:
            for None the score of the layer as it is, for an int that with this channel set to 0. Channels that are 0
            everywhere are skipped: removing them changes nothing.

    Returns:
        `(n, channels)`, signed; all 0 for an image whose score is 0. All NaN for one with a score that is not finite.

    Raises:
        ValueError: If `scores` does not return one score per image, or there are no positions.

    Reference:
        Desai & Ramaswamy, "Ablation-CAM: Visual Explanations for Deep Convolutional Network via Gradient-free
        Localization", WACV 2020.
    """
    check_maps(activations)
    count, channels = len(activations), activations.shape[-1]
    if not count:
        return np.zeros((0, channels))
    whole = _check_scores(scores(None), count)[:, None]
    without = np.repeat(whole, channels, axis=1)
    for channel in map(int, np.flatnonzero(activations.any(axis=tuple(range(activations.ndim - 1))))):
        without[:, channel] = _check_scores(scores(channel), count)
    with np.errstate(invalid="ignore", over="ignore"):
        weights = np.divide(whole - without, np.abs(whole), out=np.zeros_like(without), where=whole != 0)
    weights[~(np.isfinite(whole[:, 0]) & np.isfinite(without).all(axis=1))] = np.nan
    return weights


def check_maps(activations: Array) -> None:
    """Check that activations are `(n, *spatial, channels)` with a position and a channel or more; ValueError if not."""
    if activations.ndim < 3 or 0 in activations.shape[1:]:
        raise ValueError(
            "activations: must be (n, *spatial, channels) with at least one position, "
            f"got {activations.shape}; take a layer that still has maps"
        )


def _check_scores(scores: Array, count: int) -> Real:
    found = np.asarray(scores, np.float64)
    if found.shape != (count,):
        raise ValueError(f"scores: must return one score per image, ({count},), got shape {found.shape}")
    return found
