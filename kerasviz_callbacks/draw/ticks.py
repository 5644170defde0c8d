"""Round numbers for axes, colour scales and rulers, all found by `matplotlib.ticker.MaxNLocator`.

The colour maps load `matplotlib.ticker` anyway; what it finds is kept, so that no picture takes longer for it.
"""

from functools import lru_cache

_ROUND = (1, 2, 5, 10)
_ROUND_SCALES = (1, 1.5, 2, 3, 4, 6, 8, 10)
_LEAST, _MOST = 1e-280, 1e300  # outside these magnitudes `MaxNLocator` takes a range for empty, or overflows


def round_ticks(low: float, high: float, intervals: int, *, least: int = 1) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten within a range.

    Args:
        low: the lower end of the range.
        high: the upper end, at least `low`.
        intervals: at most so many steps fit between the ticks, at least 1.
        least: a smaller step is taken where there would be fewer ticks.

    Returns:
        The ticks in increasing order; 0 alone where the range is empty, too small or too large for a locator.

    Example:
        >>> round_ticks(-1.2, 2.5, 4)
        [-1.0, 0.0, 1.0, 2.0]
    """
    low, high = float(low), float(high)
    span = high - low
    if not (low < high and max(abs(low), abs(high)) > _LEAST and span < _MOST):
        return [0.0]
    found = _tick_values(low, high, intervals, least=least)
    rest = 1e-9 * span  # of rounding: 0.1 + 0.2 is still 0.3, and 1e-17 is still 0
    return [0.0 if abs(tick) < rest else tick for tick in found if low - rest <= tick <= high + rest]


def integer_ticks(first: int, last: int, intervals: int) -> list[int]:
    """Round whole numbers from `first` to `last`, both included, with at most `intervals` steps between them.

    Example:
        >>> integer_ticks(-1, 499, 6)
        [0, 100, 200, 300, 400]
    """
    if first == last:
        return [first]
    found = _tick_values(first, last, intervals, integer=True)
    return [tick for tick in map(round, found) if first <= tick <= last]


def numbered_cells(count: int, pixels: float, needed: float) -> range:
    """Which of `count` cells beside each other carry their number: every one, second, fifth, tenth, ...

    A cell has so many `pixels`; a number, its distance to the next one included, takes those `needed`.

    Example:
        >>> list(numbered_cells(12, 4, 20))
        [0, 5, 10]
    """
    return range(0, count, max(1, round(_tick_values(0.0, needed / pixels, 1, integer=True)[-1])))


def round_length(span: float) -> float:
    """A round length for a ruler, more than half of `span`, which is above 0, and at most `span`.

    Example:
        >>> round_length(640.0)
        500.0
    """
    return round_ticks(0.0, span, 2, least=2)[-1] or span


def round_up(value: float) -> float:
    """The least of 1, 1.5, 2, 3, 4, 6, 8 times a power of ten that is at least `value`: scales that grow in steps.

    Returns:
        1 for 0 and for what is not finite; the value itself where it is too small or too large for a locator.

    Example:
        >>> round_up(730)
        800.0
    """
    if not 0 < value < float("inf"):
        return 1.0
    if not _LEAST < value < _MOST:
        return float(value)
    return max(float(value), _tick_values(0.0, float(value), 1, _ROUND_SCALES)[-1])


@lru_cache(maxsize=1024)
def _tick_values(
    low: float, high: float, intervals: int, steps: tuple[float, ...] = _ROUND, *, least: int = 1, integer: bool = False
) -> tuple[float, ...]:
    """The ticks of `MaxNLocator`, which may lie one step beyond the range.

    Axes are the same in many charts and from step to step, so that nearly all are found here again.
    """
    from matplotlib.ticker import MaxNLocator

    locator = MaxNLocator(nbins=intervals, steps=list(steps), min_n_ticks=least, integer=integer)
    return tuple(map(float, locator.tick_values(low, high)))
