"""The contents of the summary sheet: caption, headline, charts and the scores by class, from what was measured."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..._typing import Array
from ...callback import COMPARED_SOURCES, TRAINING, VALIDATION
from ...callback.schedule import Schedule
from ...draw.curves import Chart, StepAxis
from ...draw.lines import horizon
from ...draw.overfitting import PerClassScores, Summary
from ...draw.overfitting_charts import is_accuracy_of, loss_charts, metric_charts, per_class_scores
from ...draw.overfitting_headline import Answers, headlines
from .context import SummaryContext
from .examples import degraded_examples, no_examples_reason
from .measurements import OverfittingData, accuracy_of, answers_of
from .memorised import memorised_in_words

_MORE_ROWS = 1.5  # knn of one data set is not compared with that of another of so many times its rows
_OTHER_SHARE = 0.1  # metrics that count rows are not compared where a class's share of the rows differs by so much
_OF_ROWS = {"silhouette": "silhouette", "nc1": "nc1", "cam_drift": "cam_*", "cam_true_vs_predicted": "cam_*"}


def caption_of(context: SummaryContext, examples: str) -> str:
    """Return the caption of the sheet; `examples` says what is shown of an example, where that is not all."""
    rows = [f"{probe.size} {COMPARED_SOURCES[source]}" for source, probe in context.probes.items()]
    caption = f"overfitting of {context.name}\nobserved: {' and '.join(rows)} rows"
    caption += f"\n{context.judged}" if context.judged else ""
    sizes = [len(probe) for probe in context.probes.values()]
    if "knn" in context.metrics and max(sizes) > _MORE_ROWS * min(sizes):
        caption += "\nknn rises with the number of rows: not to be compared between these two"
    of_rows = list(dict.fromkeys(_OF_ROWS[name] for name in context.metrics if name in _OF_ROWS))
    if of_rows and _shares_differ(list(context.labels.values())):
        caption += f"\nshares of classes differ between the two: compare only the course of {', '.join(of_rows)}"
    if context.weighting:
        caption += f"\n{context.weighting}"
    if context.maps_path:
        caption += f"\nmaps of {context.maps_path}"
    caption += f"\nexamples: {examples}" if examples else ""
    return context.display.captioned(caption, VALIDATION)


def _shares_differ(labels: Sequence[Array | None]) -> bool:
    """Whether a class makes up another share of the rows of one data set than of those of the other."""
    classes = [one[one >= 0] for one in labels if one is not None and one.ndim == 1]
    if len(classes) < 2 or not all(map(len, classes)):
        return False
    most = int(max(one.max() for one in classes)) + 1
    shares = np.array([np.bincount(one, minlength=most) / len(one) for one in classes])
    return bool(np.ptp(shares, axis=0).max() > _OTHER_SHARE)


def summary_of(context: SummaryContext, data: Mapping[str, OverfittingData], step: int) -> Summary:
    """Return the contents of the sheet at a step; the data are by source."""
    validation, newest = data[VALIDATION], list(data.values())[-1]  # measured last: its axes include the others
    axis, best, metrics = context.schedule.unit, validation.best, validation.metrics
    regression = context.task.kind == "values"
    metric = min(metrics, key=lambda key: key.endswith("_loss"), default=None)
    histories = {COMPARED_SOURCES[source]: each.histories for source, each in data.items()}
    fell = "mean squared error grew most" if regression else "lost most"
    return Summary(
        headline=headlines(newest.curves, metric, best, step, _answers(context, data, step), axis=axis),
        losses=_loss_charts(context, newest, metrics, step),
        metrics=metric_charts(context.metrics, histories, newest.scales, axis=axis, frozen=context.frozen),
        steps=_step_axis(context.schedule, validation, step),
        sets=["validation", "training"],
        class_scores=_class_scores(context, validation),
        degraded=degraded_examples(context, validation),
        heading=f"{fell} since {f'{axis} {best}' if validation.then else f'the best {axis}'}",
        placeholder=no_examples_reason(validation, step, axis),
        loss_rows=context.loss_rows,
        memorised=_memorised(context, data),
        example_columns=4 if regression else 1,
    )


def _memorised(context: SummaryContext, data: Mapping[str, OverfittingData]) -> tuple[str, list[str]] | None:
    """Return what is said of memorised labels; `None` where none is looked for."""
    if context.task.kind != "classes" or TRAINING not in context.probes:
        return None
    found = data[TRAINING].memorised if TRAINING in data else None
    return memorised_in_words(found, context.display, context.schedule.unit)


def _loss_charts(context: SummaryContext, data: OverfittingData, metrics: Sequence[str], step: int) -> list[Chart]:
    chance = context.probes[VALIDATION].most_frequent if context.task.kind == "classes" else None
    named = {"output": context.output, "loss_of": context.loss_of}
    return loss_charts(data.curves, metrics, data.scales, step, chance=chance, **named)


def _step_axis(schedule: Schedule, validation: OverfittingData, step: int) -> StepAxis:
    """Return the same axis at every step: from -1 where a metric was measured before training, else from 0."""
    first = min([at for steps, _ in validation.histories.values() for at in steps[:1]] + [0])
    return StepAxis(first, max(horizon(schedule.last, step), first), validation.best, max(step, first))


def _class_scores(context: SummaryContext, validation: OverfittingData) -> PerClassScores | None:
    before = None if validation.then is None else validation.then.true_score
    named = context.display.class_name if context.task.kind == "classes" else None
    labels, axis = context.labels[VALIDATION], context.schedule.unit
    return per_class_scores(labels, validation.now.true_score, before, named, best=validation.best, axis=axis)


def _answers(context: SummaryContext, data: Mapping[str, OverfittingData], step: int) -> Answers:
    labels = context.labels[VALIDATION] if context.task.kind == "classes" else None
    truth = context.truth if context.task.kind == "labels" else None
    known = answers_of(data, labels, context.ranges, truth)
    known = replace(
        known,
        own_loop=context.own_loop,
        weighted=bool(context.weighting),
        weighted_apart=bool(context.weighting) and not _weighted_alike(context),
    )
    if TRAINING not in data:
        return known
    training = data[TRAINING]
    return replace(
        known,
        training=accuracy_of(training.now, context.probes[TRAINING].row_weights),
        while_training=_logged_accuracy(context, training, step),
        training_at_best=math.nan if training.then is None else training.then.accuracy,
    )


def _weighted_alike(context: SummaryContext) -> bool:
    """Whether sample weights are known to count in the curves of both data sets."""
    return TRAINING in context.probes and all(probe.sample_weighted for probe in context.probes.values())


def _logged_accuracy(context: SummaryContext, training: OverfittingData, step: int) -> float:
    """Return the accuracy on training data as Keras logs it, NaN if weights count in it."""
    if context.weighting:
        return math.nan
    known = training.curves.items()
    logged = next((dict(zip(*curve, strict=True)) for key, curve in known if is_accuracy_of(key, context.output)), {})
    return logged.get(step, math.nan)
