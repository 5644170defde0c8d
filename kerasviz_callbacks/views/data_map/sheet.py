"""The contents of the sheet: headline, map, shares by step and the most doubtful labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..._typing import Array
from ...callback.schedule import Schedule
from ...draw.curves import StepAxis
from ...draw.data_map import MAX_DOUBTFUL, DataMapSheet
from ...draw.lines import horizon
from ...draw.text import plural
from ...maths.dynamics import most_doubtful
from .table import Judged

Shares = tuple[float, float, float]
"""Of the samples never learned, forgotten, and learned."""


@dataclass(frozen=True)
class Seen:
    """What is drawn of one data source at one step.

    Attributes:
        judged: its labels.
        shares: by step.
        missing: how many samples have no answer now.
        balanced: the best balanced accuracy so far, that of chance, and the standard error of the latter; NaN where
            nothing can be confused.
        compared_at: the step whose features were compared; `None`: none were.
    """

    judged: Judged
    shares: Mapping[int, Shares]
    missing: int
    balanced: tuple[float, float, float]
    compared_at: int | None


def sheet_of(seen: Seen, schedule: Schedule, step: int, pictures: Array | None) -> DataMapSheet:
    """Return the contents of the sheet; `pictures` are those of the most doubtful labels, in their order."""
    judged, dynamics = seen.judged, seen.judged.dynamics
    shown = shown_items(judged)
    first = min([*seen.shares, 0])
    things = counted_things(judged)
    return DataMapSheet(
        headline=_headline(seen, schedule, step),
        alert=_warning(seen, step) != "",
        variability=dynamics.variability,
        confidence=dynamics.confidence,
        correctness=dynamics.correctness,
        marked=shown.tolist(),
        steps=StepAxis(first, max(horizon(schedule.last, step), first), dynamics.best_step, max(step, first)),
        shares=list(seen.shares.values()),
        share_steps=list(seen.shares),
        things=things,
        heading=_heading(judged, things),
        titles=[_title(judged, int(number)) for number in shown],
        pictures=pictures,
        most=min(MAX_DOUBTFUL, len(judged.items)),
    )


def shown_items(judged: Judged) -> Array:
    """Return the labels that are shown, the most doubtful one first."""
    margin = judged.dynamics.margin
    order = most_doubtful(margin, judged.disagreement)
    return order[np.isfinite(margin[order])][:MAX_DOUBTFUL]


def counted_things(judged: Judged) -> str:
    """Return how many things are judged, and what they are."""
    count = len(judged.items)
    return f"{count:,} {plural('label' if judged.items.several else 'row', count)}"


def _heading(judged: Judged, things: str) -> str:
    margin = judged.dynamics.margin
    count = min(MAX_DOUBTFUL, len(margin))
    some = f"the {count} most doubtful of {things}" if count > 1 else "the only row"
    compared = ", disagreement of neighbours (kNN)" if np.isfinite(judged.disagreement).any() else ""
    return f"{some}: given label, the one that the model prefers, margin{compared}"


def _title(judged: Judged, number: int) -> tuple[str, str, str, str]:
    items, dynamics = judged.items, judged.dynamics
    proposed, given = int(dynamics.proposed[number]), int(items.given[number])
    if items.several:
        first, second = judged.names[items.label[number]], f"{_yes(given)} \N{RIGHTWARDS ARROW} {_yes(1 - given)}?"
    else:
        first, second = judged.names[given], f"\N{RIGHTWARDS ARROW} {judged.names[proposed]}?"
    now = float(dynamics.sums["last_probability"][number])
    margin, disagreement = float(dynamics.margin[number]), float(judged.disagreement[number])
    third = f"{margin:.2f}".replace("-", "\N{MINUS SIGN}")
    third += f", kNN {disagreement:.1f}" if np.isfinite(disagreement) else ""
    return first, second, third, f"row {items.index[number]}, p {'NaN' if np.isnan(now) else f'{now:.2f}'}"


def _yes(value: int) -> str:
    return "yes" if value else "no"


def _headline(seen: Seen, schedule: Schedule, step: int) -> tuple[str, str]:
    """Return the worst that the numbers show, and how that is counted."""
    never, forgotten, learned = seen.shares[step]
    if step < 0:
        return (
            f"no epoch counted yet: {learned:.1%} right",
            "of the model as it is, which is not counted later",
        )
    shares = f"learned {learned:.1%}, forgotten {forgotten:.1%}, never learned {never:.1%}"
    doubts, counted = _doubts(seen, schedule, step)
    warning = _warning(seen, step)
    return warning or doubts, f"{shares};   {doubts if warning else counted}"


def _warning(seen: Seen, step: int) -> str:
    """Return what makes the figures meaningless; empty if nothing does."""
    if seen.missing:
        return f"no answer, NaN, for {seen.missing:,} of {counted_things(seen.judged)}"
    best, chance, error = seen.balanced
    if step >= 0 and best <= chance + 2 * error:
        return f"Nothing learned yet: balanced accuracy {best:.1%}, by chance {chance:.1%}"
    return ""


def _doubts(seen: Seen, schedule: Schedule, step: int) -> tuple[str, str]:
    """Return how many labels are doubtful and memorised, and over which steps that is counted."""
    dynamics, axis = seen.judged.dynamics, schedule.unit
    doubtful, memorised = int(dynamics.doubtful.sum()), int(dynamics.memorised.sum())
    doubts = f"{doubtful:,} of {counted_things(seen.judged)} doubtful"
    doubts += ", all of one class" if np.isnan(seen.balanced[0]) and not seen.judged.items.several else ""
    if dynamics.best_step is None:
        return doubts, f"mean margin of {dynamics.epochs} {plural(axis, dynamics.epochs)} below 0; no val_loss known"
    if dynamics.best_step < step:
        doubts += f", {memorised:,} of them memorised since {axis} {dynamics.best_step}"
    return doubts, f"mean margin up to {axis} {dynamics.best_step} (lowest val_loss) below 0"
