"""A history of arrays, one for each step of a training, in bounded memory however many steps there are."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass
class StepHistory:
    """Arrays of one shape by step, in float32; the more steps, the fewer of them are kept.

    Once it is full every second of the older steps is dropped, and from then on only every second new one stays: the
    steps kept are evenly spaced, and the first and the newest are always among them. Appending a step drops that step
    and all later ones first, so that a training resumed from an earlier epoch replaces what came after it. Until it was
    full for the first time the history is then the same as if training had never gone further; afterwards it only has
    wider gaps before the step of the resume.

    Attributes:
        most_bytes: The largest size of the arrays held; two of them are held even if they are larger.
        most_steps: The largest number of steps held, at least 2.
        steps: The steps held, increasing.
    """

    most_bytes: int = 2**25
    most_steps: int = 2048
    steps: list[int] = field(default_factory=list)
    _ordinals: list[int] = field(default_factory=list)  # of each step held, how many were appended before it
    _stride: int = 1  # the ordinals of the steps that stay are multiples of it
    _buffer: NDArray[np.float32] | None = None  # a row a step, and free ones after them

    @property
    def values(self) -> NDArray[np.float32]:
        """The arrays held, `(len(steps), *shape)`: a view, which the next append changes."""
        return np.zeros((0,), np.float32) if self._buffer is None else self._buffer[: len(self.steps)]

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays, those reserved for further steps included."""
        return 0 if self._buffer is None else self._buffer.nbytes

    def append(self, step: int, values: ArrayLike) -> None:
        """Add the array of a step, after dropping that step and all later ones.

        Numbers beyond the range of float32 become infinite. ValueError if the shape differs from that of the steps
        before.
        """
        with np.errstate(over="ignore"):
            row = np.asarray(values).astype(np.float32)
        if self._buffer is not None and row.shape != self._buffer.shape[1:]:
            raise ValueError(f"values: must have the shape {self._buffer.shape[1:]} of earlier steps, got {row.shape}")
        self.cut(step)
        ordinal = self._ordinals[-1] + 1 if self.steps else 0
        if self.steps and self._ordinals[-1] % self._stride:  # it was kept only as long as it was the newest
            self._keep(range(len(self.steps) - 1))
        most = max(2, min(self.most_steps, self.most_bytes // max(row.nbytes, 1)))
        if len(self.steps) >= most:
            self._stride *= 2
            self._keep([place for place, number in enumerate(self._ordinals) if number % self._stride == 0])
        count = len(self.steps)
        if self._buffer is None or count == len(self._buffer):
            grown = np.empty((min(most, max(2 * count, 8)), *row.shape), np.float32)
            grown[:count] = self.values.reshape(count, *row.shape)
            self._buffer = grown
        self._buffer[count] = row
        self.steps.append(step)
        self._ordinals.append(ordinal)

    def cut(self, step: int) -> None:
        """Drop that step and all later ones."""
        self._keep([place for place, held in enumerate(self.steps) if held < step])
        if not self.steps:
            self._stride = 1

    def _keep(self, places: list[int] | range) -> None:
        if len(places) == len(self.steps):
            return
        if self._buffer is not None:
            for new, old in enumerate(places):  # row by row: all at once would copy the whole history
                if new != old:
                    self._buffer[new] = self._buffer[old]
        self.steps = [self.steps[place] for place in places]
        self._ordinals = [self._ordinals[place] for place in places]
