"""The examples of the summary sheet: the rows on which the model got worse most since the best epoch."""

import math

import numpy as np

from ...callback import VALIDATION
from ...callback.evaluated_view import Evaluation
from ...draw.overfitting import DegradedExample
from ...draw.overfitting_charts import most_degraded
from ...draw.text import format_number, join_notes
from ...draw.volumes import hottest_slices
from .context import SummaryContext
from .measurements import OverfittingData

_MIN_DROP = 0.01  # of the probability of the true class


def no_examples_reason(data: OverfittingData, step: int, axis: str) -> str:
    """Return why no degraded examples are shown."""
    bad = int(np.count_nonzero(~np.isfinite(data.now.true_score)))
    if bad:
        return f"{bad:,} of {len(data.now.true_score):,} answers are NaN."
    if data.then is not None:
        return f"None has got worse since {axis} {data.best}."
    if data.best is not None:
        return "val_loss is lowest now." if data.best == step else f"The best {axis} was not measured."
    return f"No {axis} has ended yet." if step < 0 else f"Without a val_loss there is no best {axis}."


def degraded_examples(context: SummaryContext, data: OverfittingData) -> DegradedExample:
    """Return the rows whose predictions got worse most since the best epoch."""
    now, then = data.now, data.then
    if then is None:
        return DegradedExample(None, None, None, 0.0, [])
    rows = most_degraded(now.true_score, then.true_score, _MIN_DROP if now.answer_scores is not None else 0.0)
    display = context.display
    before, after = (None if one is None else display.slices_first(one[rows]) for one in (then.maps, now.true_maps))
    titles = [_example_titles(context, int(row), then.true_score[row], now) for row in rows]
    slices = shown = None
    if before is not None and after is not None and after.ndim == 4:
        slices = hottest_slices(np.fmax(before, after))
        shown = ((slices + 0.5) * display.depth / after.shape[1]).astype(np.intp)
    if shown is not None and display.depth > 1:
        told = zip(titles, shown.tolist(), strict=True)
        titles = [(first, join_notes(second, display.slice_in_words(place))) for (first, second), place in told]
    tiles, scale = display.tiles(VALIDATION, rows, shown), data.scales.get("maps", 0.0)
    return DegradedExample(tiles, before, after, scale, titles, slices)


def _example_titles(context: SummaryContext, row: int, before: float, now: Evaluation) -> tuple[str, str]:
    """Return two titles of a row: its label and score at the best epoch and now, and its current prediction."""
    labels, scores, named = context.labels[VALIDATION], now.answer_scores, context.display.class_name
    number, after = f"row {context.probes[VALIDATION].index[row]}", now.true_score[row]
    if scores is None:
        return number, f"{format_number(-before)} → {format_number(-after)}"
    change = f"{before:.2f} → {after:.2f}"
    if scores.predicted is None or labels is None:
        true = [named(int(label)) for label in np.flatnonzero(context.truth[row])]
        return f"{number}  {change}", ", ".join(true) or "no label"
    sure = scores.confidence[row]
    predicted = f"{named(int(scores.predicted[row]))} {sure:.2f}" if math.isfinite(sure) else "NaN"
    hidden = context.display.pictures(VALIDATION) is None
    return f"{named(int(labels[row]))}  {change}", join_notes(f"now: {predicted}", number if hidden else "")
