"""The table of every label: as arrays for the user, and as a CSV file, which a resumed fit reads back."""

from __future__ import annotations

import csv
import io
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..._typing import Array
from ...maths.dynamics import SUMS, SampleDynamics, most_doubtful
from .items import Items

FILE = "data_map.csv"
_OF_ALL = ("step", "counted_epochs", "best_step", "best_val_loss")  # the same in every line
_CHECKSUM = "inputs_crc32"
_BLOCK = 4096


@dataclass(frozen=True)
class Judged:
    """The labels of one data source, as they stand after one epoch.

    Attributes:
        items: what is judged.
        dynamics: of these items; not changed any more.
        disagreement: share of the 10 nearest neighbours with another label, `(m,)`; NaN where it was not computed.
        names: of the classes or labels.
    """

    items: Items
    dynamics: SampleDynamics
    disagreement: Array
    names: Sequence[str]

    def table(self) -> dict[str, Array]:
        """Return the columns, `(m,)` each; see `DataMap.table`."""
        items, dynamics = self.items, self.dynamics
        rank = np.empty(len(items), np.int64)
        rank[most_doubtful(dynamics.margin, self.disagreement)] = np.arange(1, len(items) + 1)
        names = np.array(self.names)
        if items.several:
            labels = {"label": items.label, "label_name": names[items.label], "given": items.given}
            labels["proposed"] = np.where(dynamics.proposed < 0, items.given, dynamics.proposed)
        else:
            proposed = np.where(dynamics.proposed < 0, items.label, dynamics.proposed)
            labels = {"label": items.label, "label_name": names[items.label]}
            labels |= {"proposed": proposed, "proposed_name": names[proposed]}
        columns = {
            "index": items.index,
            **labels,
            "doubt_rank": rank,
            "doubtful": dynamics.doubtful,
            "group": _groups(dynamics),
            "margin": dynamics.margin,
            "margin_to_the_end": dynamics.margin_to_the_end,
            "confidence": dynamics.confidence,
            "variability": dynamics.variability,
            "correctness": dynamics.correctness,
            "forgetting": dynamics.forgetting,
            "knn_disagreement": self.disagreement,
            "epochs": dynamics.sums["epochs"],
        }
        return {name: np.array(column) for name, column in columns.items()}  # copies, which the user may change

    def csv(self) -> bytes:
        """Return the table as a file, with what resuming needs in further columns, in full precision."""
        columns = self.table()
        columns[_CHECKSUM] = self.items.checksum
        columns |= {name: self.dynamics.sums[name] for name in SUMS.names or () if name not in columns}
        dynamics = self.dynamics
        of_all = (dynamics.step, dynamics.epochs, dynamics.best_step, dynamics.best_loss)
        written = io.StringIO(newline="")
        writer = csv.writer(written, lineterminator="\n")
        writer.writerow([*columns, *_OF_ALL])
        for start in range(0, len(self.items), _BLOCK):  # so that few cells are Python objects at a time
            cells = (_cells(column[start : start + _BLOCK]) for column in columns.values())
            writer.writerows((*row, *of_all) for row in zip(*cells, strict=True))
        return written.getvalue().encode()


def _groups(dynamics: SampleDynamics) -> Array:
    groups = np.full(len(dynamics.sums), "", "U13")
    for name in ("learned", "forgotten", "never_learned"):
        groups[getattr(dynamics, name)] = name.replace("_", " ")
    return groups


def _cells(column: Array) -> list[object]:
    values: list[object] = column.astype(np.int64).tolist() if column.dtype.kind == "b" else column.tolist()
    return values


def read_csv(content: bytes, *, several: bool) -> tuple[Items, SampleDynamics]:
    """Read items and dynamics back; the weights of the items are not stored.

    Raises:
        ValueError, OverflowError, csv.Error: it is no such file.
    """
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(content), newline=""))
    head = next(reader, [])
    wanted = ("index", "label", _CHECKSUM, *(("given",) if several else ()), *(SUMS.names or ()))
    missing = [name for name in (*wanted, *_OF_ALL) if name not in head]
    if missing:
        raise ValueError(f"it has no column {missing[0]}")
    blocks, last = [], None
    while lines := list(itertools.islice(reader, _BLOCK)):  # so that few cells are Python objects at a time
        if any(len(line) != len(head) for line in lines):
            raise ValueError("a line is not complete")
        columns = dict(zip(head, zip(*lines, strict=True), strict=True))
        blocks.append({name: _parsed(columns[name], name) for name in wanted})
        last = lines[-1]
    if last is None:
        raise ValueError("it holds no rows")
    found = {name: np.concatenate([block[name] for block in blocks]) for name in wanted}
    sums = np.zeros(len(found["index"]), SUMS)
    for name in SUMS.names or ():
        sums[name] = found[name]
    step, epochs, best_step, best_loss = (last[head.index(name)] for name in _OF_ALL)
    dynamics = SampleDynamics(
        sums,
        int(step) if step else None,
        int(epochs),
        int(best_step) if best_step else None,
        float(best_loss) if best_loss else math.inf,
    )
    given, row = found["given"] if several else found["label"], np.arange(len(sums))
    items = Items(row, row, found["index"], found["label"], given, found[_CHECKSUM], np.ones(len(sums)), several)
    return items, dynamics


def _parsed(cells: Sequence[str], name: str) -> Array:
    """Return a column as whole numbers or floats."""
    kind = SUMS[name].type if name in (SUMS.names or ()) else np.int64
    return np.array([float(cell) if kind is np.float64 else int(cell) for cell in cells], kind)
