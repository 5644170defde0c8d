"""What is kept of a stream while it is read once: enough for an even choice, never much more."""

import math
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .choice import spread_over_classes
from .labels import IntArray, Labels
from .structures import Structure, joined, rows_of, take

READ_AT_MOST = 50  # samples of a stream are looked at for each one that is wanted


class Row(NamedTuple):
    """One sample of a stream, every array with a first axis of 1."""

    inputs: Structure
    targets: Structure | None


@dataclass(frozen=True)
class Chosen:
    """The rows of a stream that were chosen, and where they stood in it."""

    inputs: Structure
    targets: Structure | None
    labels: IntArray | None
    index: IntArray


class Pool:
    """Takes the batches of a stream and keeps the rows that an even choice could still need.

    Of each class no more rows are kept than there are turns (`level`) when `count` are spread over the
    classes seen so far; further classes only lower that. So fewer than `3 * count` rows are held beside the
    batch, whatever the length of the stream and the number of its classes.

    Args:
        count: How many samples are wanted.
        classes: The number of classes where it is known.
    """

    def __init__(self, count: int, classes: int | None) -> None:
        self.count = count
        self.classes = classes
        self.seen = 0
        self.why_none = "the data are empty"
        self._labels: list[int] | None = None  # of all samples seen
        self._sizes: Counter[int] = Counter()  # how many of each class were seen
        self._first: dict[int, int] = {}  # where each class was seen first
        self._last: dict[int, int] = {}
        self._turns: dict[int, int] = {}  # by place: how many of its class stand before it
        self._rows: dict[int, Row] = {}  # by place

    @property
    def labels(self) -> IntArray | None:
        """The labels of all samples seen, `(seen,)`, or None."""
        return None if self._labels is None else np.asarray(self._labels, np.int64)

    @property
    def full(self) -> bool:
        """Whether nothing more needs to be read."""
        if self.seen >= READ_AT_MOST * self.count:
            return True
        if self._labels is None:
            return self.seen >= self.count
        # One more than wanted must be there, else it is open whether all are taken in the given order.
        return self.seen > self.count and self._every_class_is_full()

    def add(self, inputs: Structure, targets: Structure | None, labels: Labels) -> None:
        """Take a batch; what lies beyond the limit of what is read is left out.

        Args:
            inputs: Arrays `(b, ...)`.
            targets: Arrays `(b, ...)`, or None.
            labels: Those of the batch. Where a batch has none, the whole stream has none.
        """
        start = self.seen
        self.seen += min(rows_of(inputs, "x"), READ_AT_MOST * self.count - start)
        if labels.numbers is None or (start and self._labels is None):
            self._labels, self._turns = None, {}
            self.why_none = labels.why_none or self.why_none
        else:
            self.classes = self.classes or labels.classes
            self._count_classes(labels.numbers[: self.seen - start].tolist())
        for place in self._keep(start):
            one = np.array([place - start])
            self._rows[place] = Row(take(inputs, one), None if targets is None else take(targets, one))

    def chosen(self, seed: int, name: str) -> Chosen:
        """Choose `count` rows: all in the given order where there are no more, else evenly by class.

        Raises:
            ValueError: If the stream was empty, or the chosen rows differ in shape.
        """
        if not self.seen:
            raise ValueError(f"{name}: must hold at least one sample, got an empty data set")
        labels = self.labels
        if labels is None or self.seen <= self.count:
            index = np.arange(min(self.seen, self.count))
        else:
            kept = np.asarray(sorted(self._turns), np.intp)
            index = kept[spread_over_classes(labels[kept], self.count, seed)]
        rows = [self._rows[place] for place in index.tolist()]
        return Chosen(
            joined([row.inputs for row in rows], f"{name}: x"),
            None if rows[0].targets is None else joined([row.targets for row in rows], f"{name}: y"),
            None if labels is None else labels[index],
            index.astype(np.int64),
        )

    def _count_classes(self, numbers: list[int]) -> None:
        known = self._labels = self._labels or []
        for number in numbers:
            self._turns[len(known)] = self._sizes[number]
            self._sizes[number] += 1
            self._first.setdefault(number, len(known))
            self._last[number] = len(known)
            known.append(number)
        sizes = np.asarray(list(self._sizes.values()))
        enough = min(self.count, len(known))
        level = bisect_left(range(enough), enough, key=lambda turns: int(np.minimum(sizes, turns).sum()))
        self._turns = {place: turn for place, turn in self._turns.items() if turn < level}

    def _keep(self, start: int) -> list[int]:
        """Drop the rows that are no longer needed, and name those of the new batch that are."""
        # The first `count` are needed too: a later batch may show that y holds no labels after all.
        wanted = self._turns.keys() | range(min(self.seen, self.count))
        self._rows = {place: row for place, row in self._rows.items() if place in wanted}
        return sorted(place for place in wanted if place >= start)

    def _every_class_is_full(self) -> bool:
        if len(self._sizes) >= self.count:
            return True  # a class of its own for every place
        k = self.classes or len(self._sizes)
        if len(self._sizes) < k or min(self._sizes.values()) < math.ceil(self.count / k):
            return False
        if self.classes is not None:
            return True
        # Where nobody said how many classes there are, a stream that is sorted by class, or nearly so (a
        # small shuffle buffer), must not end with its second one. In such a stream the classes seen so far
        # are never all in the first third of what was read and all in the last.
        third = self.seen / 3
        mixed = max(self._first.values()) < third and min(self._last.values()) >= 2 * third
        return mixed and k > 1 and max(self._sizes) == k - 1 and self.seen >= 5 * k
