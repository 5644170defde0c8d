"""Feature maps made smaller inside the model's pass, so that no more travels than a picture can show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

MAX_SIDE = 64
"""Positions per side of maps with two or three axes."""

MAX_LENGTH = MAX_SIDE**2
"""Positions of a signal."""


def smaller(maps: Any) -> Any:
    """Make maps `(n, *spatial, c)` smaller: long signals to their extremes, others to means of blocks.

    A signal may oscillate about zero, of which means would leave nothing.
    """
    sides = maps.shape[1:-1]
    if len(sides) == 1:
        return _extremes(maps, _stride(sides[0]))
    block = _block(sides)
    return keras.ops.average_pool(maps, block, strides=block, padding="same") if block else maps


def reduction(shape: Sequence[int | None]) -> str:
    """Say what `smaller` makes of the maps of a layer with the output shape `(*spatial, c)`; nothing if no change."""
    sides = shape[:-1]
    if len(sides) == 1 and (stride := _stride(sides[0])) > 1:
        return f"least and largest of each {stride} positions"
    block = _block(sides)
    return f"means of {' × '.join(map(str, block))} positions" if block else ""


def _block(sides: Sequence[int | None]) -> tuple[int, ...]:
    """How many positions become one, by axis; none if the maps are small enough, or have no two or three axes."""
    factors = tuple(-(-(side or 1) // MAX_SIDE) for side in sides)
    return factors if len(sides) in (2, 3) and max(factors) > 1 else ()


def _stride(length: int | None) -> int:
    """How many moments of a signal become two values; 1: it is short enough."""
    return 1 if length is None or length <= MAX_LENGTH else -(-2 * length // MAX_LENGTH)


def _extremes(signals: Any, stride: int) -> Any:
    """The least and the largest value of each stretch of signals `(n, t, c)`, one after the other; NaN if any is."""
    length, channels = signals.shape[1:]
    if stride == 1:
        return signals
    missing = keras.ops.repeat(signals[:, -1:], -length % stride, axis=1)
    parts = keras.ops.concatenate([signals, missing], axis=1)
    parts = keras.ops.reshape(parts, (-1, -(-length // stride), stride, channels))
    both = keras.ops.stack([keras.ops.min(parts, axis=2), keras.ops.max(parts, axis=2)], axis=2)
    return keras.ops.reshape(both, (-1, 2 * both.shape[1], channels))
