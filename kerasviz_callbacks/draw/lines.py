"""Lines over the steps, anti-aliased: where many steps share a pixel, their whole range is covered."""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
_LONG = 1000  # steps that the x axis holds at least, where so many are planned


def horizon(planned: int, reached: int) -> int:
    """The last step of the x axis: the last one planned, so that nothing moves as the training goes on.

    An early stop of a very long training would leave a sliver, so beyond the first thousand steps the axis is doubled
    each time it is filled by the newest step, `reached`.
    """
    last = max(planned, reached)
    shown = _LONG - 1
    while shown < min(last, reached):
        shown = 2 * shown + 1
    return min(last, shown)


def extremes(series: Values, places: Values, width: int) -> tuple[Values, Values]:
    """The least and the largest value of each series `(..., t)` within each of `width` pixels.

    Steps stand at `places` in pixels, increasing, `(t,)`. Between two of them the values lie on a straight line; many
    steps in one pixel show their whole range, so that a jump of one step stays visible. NaN where no value is known:
    beyond the ends, and beside a NaN. `traces.envelope` is the quick version for whole signals: equal distances, no
    interpolation.
    """
    cuts = np.arange(width + 1.0)
    near = np.clip(cuts, places[0], places[-1])
    before = np.searchsorted(places, near, side="right") - 1
    after = np.minimum(before + 1, len(places) - 1)
    gap = places[after] - places[before]
    weight = np.divide(near - places[before], gap, out=np.zeros_like(gap), where=gap > 0)
    left, right = series[..., before], series[..., after]
    at_cuts = np.where(weight == 0, left, left * (1 - weight) + right * weight)
    at_cuts[..., np.abs(cuts - near) > 1.5] = np.nan  # a single step is still three pixels wide
    order = np.argsort(np.concatenate([cuts, places]), kind="stable")
    *starts, end = np.flatnonzero(order <= width).tolist()
    merged = np.concatenate([at_cuts, series], axis=-1)[..., order[: end + 1]]
    least = np.fmin(np.fmin.reduceat(merged, starts, axis=-1), at_cuts[..., 1:])
    most = np.fmax(np.fmax.reduceat(merged, starts, axis=-1), at_cuts[..., 1:])
    return least, most


def coverage(top: Values, bottom: Values, height: int) -> NDArray[np.float32]:
    """How much of each pixel a band from `top` to `bottom`, `(..., w)` each, covers: `(..., height, w)`, 0 to 1."""
    rows = np.arange(height, dtype=np.float64)[:, None]
    seen = ~np.isnan(top + bottom)
    above, below = np.where(seen, top, 0.0)[..., None, :], np.where(seen, bottom, 0.0)[..., None, :]
    share: NDArray[np.float32] = np.clip(np.minimum(below, rows + 1) - np.maximum(above, rows), 0, 1).astype(np.float32)
    return share
