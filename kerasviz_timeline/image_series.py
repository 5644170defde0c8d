"""The steps of one tag in one run: for each, which file holds the image, and where."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import Any, NamedTuple


class Place(NamedTuple):
    """Where the bytes of an image lie."""

    file: int  # the number of the file, as the index counts them
    offset: int
    size: int


class ImageSeries:
    """Images of one tag in one run, ordered by step; 36 bytes an image.

    `version` counts the changes that move images which were there before. What is known under (version, position) stays
    right while it stays the same; new images at the end do not change it.
    """

    def __init__(self, run: str, tag: str, sample: int) -> None:
        self.run, self.tag, self.sample = run, tag, sample
        self.version = 0
        self.changed = 0  # set by the index
        self.steps = array("q")
        self._wall_times = array("d")
        self._files = array("i")
        self._offsets = array("q")
        self._sizes = array("q")
        self._newest_file = -1

    def __len__(self) -> int:
        return len(self.steps)

    def place(self, position: int) -> Place:
        """Where the image at a position is. Negative positions are not there."""
        if not 0 <= position < len(self.steps):
            raise IndexError(position)
        return Place(self._files[position], self._offsets[position], self._sizes[position])

    def add(self, step: int, wall_time: float, place: Place) -> None:
        """Add an image. Of two at the same step, the later one is added behind the earlier one.

        The first image of a newer file replaces older ones from its step on: a training was resumed, or begun anew.
        """
        if place.file > self._newest_file:
            self._drop_from(step, wall_time)
            self._newest_file = place.file
        position = len(self.steps)
        if position and step < self.steps[-1]:
            position = bisect_right(self.steps, step)
            self.version += 1
        for column, value in zip(self._columns(), (step, wall_time, *place), strict=True):
            column.insert(position, value)

    def clear(self) -> None:
        """Forget all images: the files of the run are read anew."""
        self._keep([])
        self._newest_file = -1

    def _drop_from(self, step: int, wall_time: float) -> None:
        self._keep(
            [
                index
                for index, (at, when) in enumerate(zip(self.steps, self._wall_times, strict=True))
                if at < step or not when < wall_time
            ]
        )

    def _keep(self, kept: list[int]) -> None:
        if len(kept) == len(self.steps):
            return
        for column in self._columns():
            column[:] = array(column.typecode, [column[index] for index in kept])
        self.version += 1

    def _columns(self) -> tuple[array[Any], ...]:
        return self.steps, self._wall_times, self._files, self._offsets, self._sizes
