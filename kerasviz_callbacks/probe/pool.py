"""The rows kept of a stream while it is read once: enough for the choice, in bounded memory."""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np

from .choice import spread_over_classes
from .labels import NO_CLASS, ONLY_NO_CLASS, IntArray, Labels, classes_of
from .structures import Structure, concatenate, rows_of, take

READ_AT_MOST = 50  # times `count`: the most samples that are read of a stream
_LOTS = int.from_bytes(b"kerasviz")  # a seed that no user takes: labels drawn with the same one would follow the lots
READ_OF_ENDLESS = 5  # the same for a random choice from a stream that may have no end


@dataclass(frozen=True)
class Chosen:
    """The chosen rows of a stream, and their positions in it."""

    inputs: Structure
    targets: Structure | None
    labels: IntArray | None
    index: IntArray


class Pool:
    """Takes the batches of a stream and keeps the rows that an even choice of `count` may still need.

    Of each class at most as many rows are kept as an even choice takes of the classes seen so far; further classes only
    lower that number. So fewer than `3 * count` rows are held in addition to the batch, whatever the length of the
    stream and the number of its classes (`classes`, None if not known).

    A `random` pool keeps `count` rows, each of those read being as likely as any other; it reads on to the end, or, of
    a stream that may be `endless`, a few times `count`.
    """

    def __init__(self, count: int, classes: int | None, *, random: bool = False, endless: bool = False) -> None:
        self.count = count
        self.classes = classes
        self._most = count * (READ_OF_ENDLESS if random and endless else READ_AT_MOST)
        self._draw = np.random.default_rng(_LOTS) if random else None
        self._lots: dict[int, float] = {}  # by position, the lots of the rows kept at random, the least first
        self.seen = 0
        self.soft = self.weighted = False
        self.why_none = "the data are empty"
        self._labels: list[int] | None = None  # of all samples seen
        self._sizes: Counter[int] = Counter()  # number of samples seen of each class
        self._first: dict[int, int] = {}  # position at which each class was first seen
        self._last: dict[int, int] = {}
        self._turns: dict[int, int] = {}  # by position: number of earlier samples of its class
        self._rows: dict[int, tuple[Structure, Structure | None]] = {}  # by position, each array of one row

    def classes_seen(self) -> IntArray | None:
        """The class of each sample seen, `(seen,)`, -1 where it has none, or None."""
        return None if self._labels is None else classes_of(np.asarray(self._labels, np.int64))

    @property
    def full(self) -> bool:
        """Whether no more samples need to be read."""
        if self.seen >= self._most:
            return True
        if self._draw is not None:
            return False
        if self._labels is None:
            return self.seen >= self.count
        # One more than `count` must be seen; otherwise all may have to be taken in their order.
        return self.seen > self.count and self._every_class_is_full()

    def add(self, inputs: Structure, targets: Structure | None, labels: Labels) -> None:
        """Add a batch; samples beyond the reading limit are ignored. If a batch has no labels, the stream has none."""
        start = self.seen
        self.seen += min(rows_of(inputs, "x"), self._most - start)
        if labels.numbers is None or (start and self._labels is None):
            self._labels, self._turns = None, {}
            self.why_none = labels.why_none or self.why_none
        else:
            self.soft, self.why_none = self.soft or labels.soft, ONLY_NO_CLASS
            self.classes = self.classes or labels.classes
            self._count_classes(labels.numbers[: self.seen - start].tolist())
        # The first `count` are needed too: a later batch may show that y does not hold labels.
        wanted: AbstractSet[int] = self._turns.keys() | range(min(self.seen, self.count))
        if self._draw is not None:
            lots = zip(range(start, self.seen), self._draw.random(self.seen - start).tolist(), strict=True)
            self._lots = dict(sorted([*self._lots.items(), *lots], key=lambda lot: lot[1])[: self.count])
            wanted = self._lots.keys()
        self._rows = {place: row for place, row in self._rows.items() if place in wanted}
        for place in sorted(place for place in wanted if place >= start):
            one = np.array([place - start])
            self._rows[place] = (take(inputs, one), None if targets is None else take(targets, one))

    def chosen(self, seed: int, name: str) -> Chosen:
        """Choose `count` rows: all in their order if there are no more, otherwise evenly over the classes or at random.

        Raises:
            ValueError: If the stream was empty, or the chosen rows differ in shape.
        """
        if not self.seen:
            raise ValueError(f"{name}: must hold at least one sample, got an empty data set")
        labels = self.classes_seen()
        if self._draw is not None and self.seen > self.count:
            index = np.array(list(self._lots))
            index = index if labels is None else index[labels[index] != NO_CLASS]
        elif labels is None:
            index = np.arange(min(self.seen, self.count))
        else:
            kept = np.asarray(sorted(self._turns), np.intp)
            kept = kept[labels[kept] != NO_CLASS]
            few = self.seen <= self.count
            index = kept if few else kept[spread_over_classes(labels[kept], self.count, seed)]
        inputs, targets = zip(*(self._rows[place] for place in index.tolist()), strict=True)
        return Chosen(
            concatenate(inputs, f"{name}: x"),
            None if targets[0] is None else concatenate(targets, f"{name}: y"),
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
        # Rows without a class take nobody's place; they are kept since in labels of -1 and 1 they are a class.
        sizes = np.asarray([n for number, n in self._sizes.items() if number != NO_CLASS] or [len(known)])
        enough = min(self.count, len(known))
        level = bisect_left(range(enough), enough, key=lambda turns: int(np.minimum(sizes, turns).sum()))
        self._turns = {place: turn for place, turn in self._turns.items() if turn < level}

    def _every_class_is_full(self) -> bool:
        sizes = {number: size for number, size in self._sizes.items() if number != NO_CLASS}
        if len(sizes) >= self.count:
            return True  # each chosen row can be of another class
        k = self.classes or len(sizes)
        if not sizes or len(sizes) < k or min(sizes.values()) < math.ceil(self.count / k):
            return False
        if self.classes is not None:
            return True
        # With an unknown number of classes, reading a stream that is sorted by class, or nearly so (a small shuffle
        # buffer), must not end at the second class. In such a stream, the classes seen so far never all occur both
        # in the first third and in the last third of what was read.
        third = self.seen / 3
        mixed = max(self._first.values()) < third and min(self._last.values()) >= 2 * third
        return mixed and k > 1 and max(sizes) == k - 1 and self.seen >= 5 * k
