"""How much gradient clipping takes away."""

import numpy as np


def share_removed(norm: float, clipped_norm: float) -> float:
    """Say which share of a gradient clipping removed: `1 - ||clipped g|| / ||g||`.

    Args:
        norm: `||g||`, at least 0, any unit.
        clipped_norm: `||clipped g||` in the same unit.

    Returns:
        From 0 (nothing) to 1 (all of it; rounding may not pass either end); NaN where the gradient is zero, NaN or
        infinite, as nothing can be said of it then.

    Example:
        >>> share_removed(4.0, 1.0)
        0.75
    """
    if not (np.isfinite(norm) and np.isfinite(clipped_norm) and norm > 0):
        return float("nan")
    return float(np.clip(1.0 - clipped_norm / norm, 0.0, 1.0))
