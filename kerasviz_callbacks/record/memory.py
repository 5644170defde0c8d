"""Pictures and figures kept in memory, for tests and notebooks."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from kerasviz_callbacks.record.base import is_loggable
from kerasviz_callbacks.record.png import decode

if TYPE_CHECKING:
    import os

    import numpy as np
    from numpy.typing import NDArray

    from kerasviz_callbacks.record.projector import Points


class MemorySink:
    """The `Sink` that keeps everything and writes nothing.

    Attributes:
        pictures: `pictures[(run, tag)][step]`, uint8 `(height, width, 3)` or `(height, width)`, a copy.
        scalars: `scalars[(run, tag)][step]`, a float; a figure that is NaN is not there, as in a `Log`.
        descriptions: `descriptions[(run, tag)]`, the first one given.
        projected: `projected[run]`, the newest points of the projector.

    Example:
        >>> record = MemoryRecord()
        >>> record.scalar("validation", "overlap/conv1/mean", 0, 0.25)
        >>> record.scalars["validation", "overlap/conv1/mean"]
        {0: 0.25}
    """

    def __init__(self) -> None:
        self.pictures: defaultdict[tuple[str, str], dict[int, NDArray[np.uint8]]] = defaultdict(dict)
        self.scalars: defaultdict[tuple[str, str], dict[int, float]] = defaultdict(dict)
        self.descriptions: dict[tuple[str, str], str] = {}
        self.projected: dict[str, Points] = {}

    def picture(
        self,
        run: str,
        tag: str,
        step: int,
        picture: NDArray[np.uint8],
        description: str = "",
        *,
        save_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        """Keep a copy of one picture; nothing goes to `save_dir`."""
        self.pictures[run, tag][int(step)] = picture.copy()
        self.descriptions.setdefault((run, tag), description)

    def encoded(
        self,
        run: str,
        tag: str,
        step: int,
        png: bytes,
        description: str = "",
        *,
        save_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        """Keep the pixels of one picture, of an animation the first frame."""
        self.picture(run, tag, step, decode(png), description)

    def scalar(self, run: str, tag: str, step: int, value: float, description: str = "") -> None:
        """Keep one figure, unless it is NaN or not finite as a float32; the first one of a step stays."""
        if is_loggable(value):
            self.scalars[run, tag].setdefault(int(step), float(value))
            self.descriptions.setdefault((run, tag), description)

    def points(self, run: str, points: Points) -> None:
        """Keep the newest points."""
        self.projected[run] = points

    def close(self) -> None:
        """Do nothing: everything stays to be looked at."""
