"""`Items`: what is judged of one data source, one label of one row each."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from ..._typing import Array
from ...probe import Probe


@dataclass(frozen=True)
class Items:
    """The labels that are judged: of each row its class, or each of its labels of yes and no.

    Attributes:
        row: the row of the probe, `(m,)`.
        index: its position in the user's data, or in the stream, `(m,)`.
        label: the class, or which label it is, `(m,)`.
        given: the class again, or 1 or 0: whether the label is yes, `(m,)`.
        checksum: CRC-32 of the row's inputs, `(m,)`.
        weights: what each counts for, mean 1, `(m,)`.
        several: whether a row has several labels.
    """

    row: Array
    index: Array
    label: Array
    given: Array
    checksum: Array
    weights: Array
    several: bool

    @classmethod
    def of(cls, probe: Probe, truth: Array, weights: Array) -> Items:
        """List the labels of a probe: classes `(n,)`, or 0 and 1 `(n, k)`; `weights` of the rows are `(n,)`."""
        several = truth.ndim > 1
        each = truth.shape[1] if several else 1
        row = np.repeat(np.arange(len(truth)), each)
        given = truth.ravel().astype(np.int64)
        label = np.tile(np.arange(each), len(truth)) if several else given
        index, checksum = probe.index[row], _checksums(probe.inputs)[row]
        return cls(row, index, label, given, checksum, weights[row], several)

    def __len__(self) -> int:
        return len(self.row)

    def are_of(self, other: Items) -> bool:
        """Whether others are of the same rows with the same inputs; their labels may differ."""
        same = [(self.index, other.index), (self.checksum, other.checksum)]
        return self.several == other.several and all(np.array_equal(*pair) for pair in same)

    def equal(self, other: Items) -> bool:
        """Whether others are of the same rows with the same labels."""
        return self.are_of(other) and not self.relabelled(other).any()

    @property
    def majority(self) -> float:
        """The share of right answers of always giving the most frequent label, rows weighted."""
        if self.several:
            yes = [np.average(self.given[self.label == label]) for label in np.unique(self.label)]
            return float(np.mean([max(share, 1 - share) for share in yes]))
        sums = np.bincount(self.given, self.weights)
        return float(sums.max() / sums.sum())

    def relabelled(self, other: Items) -> Array:
        """Return which of them have another label than in `other`, of the same rows, `(m,)`."""
        changed: Array = (self.given != other.given) | (self.label != other.label)
        return changed


def _checksums(inputs: Any) -> Array:
    """Return a checksum of each row of the inputs, `(n,)`."""
    arrays = [np.asarray(one) for one in keras.tree.flatten(inputs)]
    found = np.zeros(len(arrays[0]), np.int64)
    for array in arrays:
        for number, one in enumerate(array):
            data = one.tobytes() if array.dtype != object else repr(np.asarray(one).tolist()).encode()
            found[number] = zlib.crc32(data, int(found[number]))
    return found
