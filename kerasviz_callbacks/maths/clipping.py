"""The effect of gradient clipping."""

import numpy as np


def share_removed(norm: float, clipped_norm: float) -> float:
    """Compute the fraction of a gradient norm that clipping removed: `1 - ||clipped g|| / ||g||`.

    From 0 (nothing) to 1 (all of it), clipped to that range; NaN where the norm is zero, NaN or infinite.

    Example:
        >>> share_removed(4.0, 1.0)
        0.75
    """
    if not (np.isfinite(norm) and np.isfinite(clipped_norm) and norm > 0):
        return float("nan")
    return float(np.clip(1.0 - clipped_norm / norm, 0.0, 1.0))
