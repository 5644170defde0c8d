"""`Items`: what is judged of one data source, one label of one row each."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from ..._typing import Array
from ...callback.labelled import Labelled
from ...probe import Probe

_MOST_VALUES = 4096


@dataclass(frozen=True)
class Items:
    """The labels that are judged: of each row its class, or each of its labels of yes and no.

    Attributes:
        place: where its answer stands among those of all labels of the probe, flattened, `(m,)`.
        row: the row of the probe, `(m,)`.
        index: its position in the user's data, or in the stream, `(m,)`.
        label: the class, or which label it is, `(m,)`.
        given: the class again, or 1 or 0: whether the label is yes, `(m,)`.
        checksum: CRC-32 of the row's inputs, of large ones of 4,096 values evenly spaced, `(m,)`.
        weights: what each counts for, mean 1, `(m,)`.
        several: whether a row has several labels.
    """

    place: Array
    row: Array
    index: Array
    label: Array
    given: Array
    checksum: Array
    weights: Array
    several: bool

    @classmethod
    def of(cls, probe: Probe, labels: Labelled) -> Items:
        """List the known labels of a probe."""
        truth, several = labels.truth, labels.truth.ndim > 1
        each = truth.shape[1] if several else 1
        place = np.flatnonzero(labels.known)
        row, given = place // each, truth.ravel()[place].astype(np.int64)
        label = place % each if several else given
        index, checksum = probe.index[row], _checksums(probe.inputs)[row]
        return cls(place, row, index, label, given, checksum, labels.weights[row], several)

    def __len__(self) -> int:
        return len(self.row)

    def places_in(self, other: Items) -> Array | None:
        """Return where each stands in `other`, `(m,)`; `None` if the rows there have other inputs.

        Labels and the order may differ: a shuffled stream gives its rows in another order each time.
        """
        if len(self) != len(other) or self.several != other.several:
            return None
        own, theirs = _order(self), _order(other)
        same = np.array_equal(self.checksum[own], other.checksum[theirs])
        if not same or (self.several and not np.array_equal(self.label[own], other.label[theirs])):
            return None
        places = np.empty(len(self), np.intp)
        places[own] = theirs
        return places

    def equal(self, other: Items) -> bool:
        """Whether others are the same labels of the same rows in the same order."""
        names = ("checksum", "label", "given")
        return all(np.array_equal(getattr(self, name), getattr(other, name)) for name in names)

    def balanced_accuracy(self, right: Array) -> tuple[float, float, float]:
        """Return the mean share right over the classes, that of chance, and its standard error by chance.

        Of several labels a row, over yes and no of those that have both; NaN where nothing can be confused.
        """
        group = 2 * self.label + self.given if self.several else self.given
        found, group, counts = np.unique(group, return_inverse=True, return_counts=True)
        kept = np.ones(len(found), bool)
        if self.several:
            kept = np.isin(found // 2, [label for label in np.unique(found // 2) if (found // 2 == label).sum() > 1])
        if kept.sum() < 2:
            return np.nan, np.nan, np.nan
        shares = np.bincount(group, right)[kept] / counts[kept]
        chance = 0.5 if self.several else 1 / kept.sum()
        error = np.sqrt((chance * (1 - chance) / counts[kept]).sum()) / kept.sum()
        return float(shares.mean()), float(chance), float(error)


def _order(items: Items) -> Array:
    """Return an order that depends on the inputs and labels alone: equal inputs by label."""
    return np.lexsort((items.given, *((items.label,) if items.several else ()), items.checksum))


def _checksums(inputs: Any) -> Array:
    """Return a checksum of each row of the inputs, `(n,)`."""
    arrays = [np.asarray(one) for one in keras.tree.flatten(inputs)]
    found = np.zeros(len(arrays[0]), np.int64)
    for array in arrays:
        flat = array.reshape(len(array), -1)
        some = np.ascontiguousarray(flat[:, :: max(1, -(-flat.shape[1] // _MOST_VALUES))])
        for number, one in enumerate(some):
            data = one.tobytes() if array.dtype != object else repr(one.tolist()).encode()
            found[number] = zlib.crc32(data, int(found[number]))
    return found
