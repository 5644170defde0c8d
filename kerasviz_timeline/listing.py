"""What the front end is told about a log: the series and their steps, as plain JSON values."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

from .log_index import LogIndex


def listing(index: LogIndex, since: int = 0) -> dict[str, Any]:
    """All series that have changed after a generation, each `[number, run, tag, sample, version, steps]`.

    `generation` is what to ask with next time, while `id` stays the same. `complete` is False while files are still
    being read; `share` says how far, between 0 and 1.
    """
    with index.lock:
        return {
            "id": index.id,
            "generation": index.generation,
            "complete": index.complete,
            "share": index.bytes_read / index.bytes_known if index.bytes_known else 1.0,
            "series": [
                [number, one.run, one.tag, one.sample, one.version, stretches(one.steps)]
                for number, one in enumerate(index.series)
                if one.changed > since
            ],
        }


def stretches(steps: array[int] | Sequence[int]) -> list[list[int]]:
    """Steps as stretches `[first, stride, count]` of equal strides: a thousand epochs take a few bytes."""
    found: list[list[int]] = []
    for step in steps:
        if found:
            first, stride, count = found[-1]
            if count == 1:
                found[-1] = [first, step - first, 2]
                continue
            if step == first + stride * count:
                found[-1][2] += 1
                continue
        found.append([step, 0, 1])
    return found
