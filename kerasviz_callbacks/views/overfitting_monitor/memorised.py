"""Which doubtful labels of the training rows the model has memorised since the best epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..._typing import Array
from ...callback.probe_display import ProbeDisplay
from ...maths.dynamics import SampleDynamics, most_doubtful
from ...maths.sample_scores import SampleScores

_MOST_NAMED = 8  # as many as fit into a line, or more


@dataclass(frozen=True)
class Memorised:
    """The doubtful labels, as `DataMap` has them, that were wrong at the best epoch and are right now.

    Attributes:
        doubtful: how many labels are doubtful.
        count: how many of them are memorised.
        best_step: the best step so far; `None` until there is a `val_loss`.
        rows: those of the lowest margins: position in the user's data, label, and the class that the model preferred.
    """

    doubtful: int
    count: int
    best_step: int | None
    rows: Sequence[tuple[int, int, int]]


def memorised_of(
    memory: dict[str, Any], scores: SampleScores, labels: Array, index: Array, step: int, val_loss: float
) -> Memorised:
    """Add the answers of this step to the sums in `memory`, and return what is memorised.

    The sums start over where they are of other rows or labels, or of later steps of an earlier fit.
    """
    known: SampleDynamics | None = memory.get("dynamics")
    same = known is not None and np.array_equal(memory["dynamics of"], np.stack([index, labels]))
    if known is None or not same or (known.step is not None and known.step >= step):
        known = memory["dynamics"] = SampleDynamics.of(len(labels))
        memory["dynamics of"] = np.stack([index, labels])
    known.add(scores, step, val_loss)
    order = most_doubtful(known.margin)
    rows = order[known.memorised[order]]
    named = [(int(index[row]), int(labels[row]), int(known.proposed[row])) for row in rows[:_MOST_NAMED]]
    return Memorised(int(known.doubtful.sum()), len(rows), known.best_step, named)


def memorised_in_words(found: Memorised | None, display: ProbeDisplay, axis: str) -> tuple[str, list[str]]:
    """Return how many labels are memorised since the best step, and the first of them; `axis` is what steps count."""
    if found is None:
        return f"Doubtful labels memorised: no {axis} has ended yet", []
    if found.best_step is None:
        return f"Doubtful labels memorised: without a val_loss no {axis} is the best", []
    since = f"since {axis} {found.best_step}"
    if not found.count:
        return f"Doubtful labels memorised {since}: none of {found.doubtful:,}", []
    named = [
        f"row {row} {display.class_name(label)} \N{RIGHTWARDS ARROW} {display.class_name(other)}?"
        for row, label, other in found.rows
    ]
    more = ["more"] if found.count > len(named) else []
    return f"Memorised {since}: {found.count:,} of {found.doubtful:,} doubtful labels of training rows", named + more
