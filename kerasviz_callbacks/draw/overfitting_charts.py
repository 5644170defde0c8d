"""The charts and texts of the overfitting sheet, made from histories of metrics."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kerasviz_callbacks.draw.curves import Chart, Curve
from kerasviz_callbacks.draw.overfitting import MAX_CLASSES, MAX_DEGRADED, PerClassScores
from kerasviz_callbacks.draw.overfitting_headline import History
from kerasviz_callbacks.draw.text import short_number as written
from kerasviz_callbacks.draw.trails import extend_window


@dataclass(frozen=True)
class MetricStyle:
    """How a metric is shown.

    Attributes:
        good: which values are good: low ones, high ones or those near 0; `None`: none are.
        hint: beside the title: which values are good; `{axis}` becomes the name of the axis.
        window: `"share"`: within 0 and 1, as much as was seen; `"positive"`: from 0 up; `"signed"`: both ways from 0;
            `"log"`: by powers of 10.
        trained: whether only steps of training are marked as best: an untrained model is hardly confident, so the value
            is near 0 by itself.
    """

    good: Literal["low", "high", "zero"] | None
    hint: str
    window: Literal["share", "positive", "signed", "log"]
    trained: bool = False


METRICS = {
    "overconfidence": MetricStyle("zero", "0: calibrated", "signed", trained=True),
    "knn": MetricStyle("high", "higher is better", "share"),
    "silhouette": MetricStyle("high", "higher is better", "signed"),
    "nc1": MetricStyle("low", "lower is better", "log"),
    "cam_drift": MetricStyle(None, "0 at the best {axis} so far", "positive"),
    "cam_true_vs_predicted": MetricStyle(None, "0 if alike", "positive"),
}
"""The metrics of the monitor, in the order in which they are shown."""

MetricHistory = tuple[Sequence[int], Sequence[float | None]]
"""Steps in increasing order, and a value at each; `None`: there was nothing to measure."""

_LEAST_RANGE = 0.05  # an axis reaches at least so far from 0, so that noise looks small
_BEYOND = 1.1  # and so many times as far as the values, so that a disc at the edge is seen whole
_MARGIN = 0.05  # the axis of a share reaches so far beyond the values


def extend_axis(scales: dict[str, float], name: str, value: float, window: str = "signed") -> None:
    """Note in `scales` how far the axis of a metric reaches, up and down from where it begins, in coarse steps.

    Args:
        scales: by `"window <name> up"` and `"window <name> down"`; they only grow.
        name: of the metric.
        value: its newest value; one that is not finite changes nothing.
        window: as in `MetricStyle`. A share begins at 1 downwards; a logarithmic axis reaches down to the reciprocal.
    """
    down = -value
    if window == "log":
        down = 1 / value if value > 0 else 0.0
    elif window == "share":
        down = 1 - value
    for way, needed in (("up", value), ("down", down)):
        key = f"window {name} {way}"
        scales[key] = extend_window(scales.get(key, 0.0), needed)


def metric_charts(
    names: Sequence[str],
    histories: Mapping[str, Mapping[str, MetricHistory]],
    scales: Mapping[str, float],
    *,
    axis: str = "epoch",
    frozen: Collection[str] = (),
) -> list[Chart]:
    """A chart for each metric; histories are by data set and metric, `scales` are what `extend_axis` noted.

    The metrics of `frozen` features cannot change: this is the hint of their charts, and no step is their best.
    """
    charts = []
    for name in names:
        shown = METRICS[name]
        if name in frozen:
            shown = replace(shown, good=None, hint="features are frozen")
        curves = {of: _curve(shown, *known.get(name, ((), ()))) for of, known in histories.items()}
        low, high = _window(shown, *_reached(scales, name))
        hint = shown.hint.format(axis=axis)
        charts.append(
            Chart(name, curves, low, high, _best_and_newest(curves, shown.trained), hint, log=shown.window == "log")
        )
    return charts


def is_accuracy(key: str) -> bool:
    """Whether a metric is an accuracy, by its name: `acc`, `sparse_categorical_accuracy`, with an output's name too."""
    return key.endswith("accuracy") or key.rpartition("_")[2] == "acc"


_ACCURACIES = ("accuracy", "acc", "binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy")


def is_accuracy_of(key: str, output: str) -> bool:
    """Whether a metric is, by its name, the share of right classes of an output: not that of a contrastive task."""
    return key in _ACCURACIES or key in {f"{output}_{name}" for name in _ACCURACIES}


def loss_charts(
    curves: Mapping[str, History],
    metrics: Sequence[str],
    scales: Mapping[str, float],
    step: int,
    *,
    chance: float | None = None,
    output: str = "",
    loss_of: str = "",
) -> list[Chart]:
    """Loss, where there is one, and metrics as Keras gives them.

    The axis begins at 0 unless values lie below, of an accuracy it ends at 1. `curves` are by key of the logs,
    `"loss"`, `"val_loss"` and those of the metrics; `scales` are what `extend_axis` and `choose_log` noted; `step` is
    the newest one; `chance`, of the validation data, is marked in the chart of the accuracy of this `output`;
    `loss_of` says which of several outputs the loss is of.
    """
    charts = []
    for key in ("loss", *metrics) if "loss" in curves else metrics:
        sets = {"training": Curve(*curves[key]), "validation": Curve(*curves[f"val_{key}"])}
        if step < 0 and all(curve.last is None for curve in sets.values()):
            continue  # the logs may bring other keys
        up, down = _reached(scales, key)
        log, share = bool(scales.get(f"log {key}")), is_accuracy(key)
        low, high = -down, 1.0 if (up <= 0 and down <= 0) or (share and up <= 1.25) else up
        if log:
            low, high = _decades(*_reached(scales, f"{key} by decades"))
        known = [(of, *curve.last) for of, curve in reversed(sets.items()) if curve.last is not None and step >= 0]
        newest = [f"{of} {written(value)}{'' if at == step else f' (at {at})'}" for of, at, value in known]
        level = chance if is_accuracy_of(key, output) else None
        hint = ", ".join(filter(None, [loss_of if key == "loss" else "", "log scale" if log else ""]))
        named = "" if level is None else f"majority class {written(level)}"
        charts.append(Chart(key, sets, low, high, "  ".join(newest), hint, log=log, level=level, level_name=named))
    return charts


def choose_log(scales: dict[str, float], key: str, curves: Sequence[Sequence[float]]) -> None:
    """Note in `scales` once that a key needs a logarithmic axis, which is then kept, and how far this reaches.

    It does where all values are above 0, and one curve lies within the lowest twentieth of the other, or rises to a
    hundred times its beginning, or the last one, that of validation, has fallen to a thousandth: otherwise what
    happens low down could not be seen.
    """
    known = [[value for value in values if math.isfinite(value)] for values in curves]
    known = [values for values in known if values]
    for value in [values[-1] for values in known]:
        extend_axis(scales, f"{key} by decades", value, "log")
    if not known or min(map(min, known)) <= 0:
        return
    tops = [max(values) for values in known]
    apart = max(tops) >= 20 * min(tops) or any(top >= 100 * values[0] for top, values in zip(tops, known, strict=True))
    if apart or tops[-1] >= 1000 * min(known[-1]):
        scales[f"log {key}"] = 1.0


def per_class_scores(
    labels: ArrayLike | None,
    now: ArrayLike,
    then: ArrayLike | None,
    named: Callable[[int], str] | None,
    *,
    best: int | None,
    axis: str = "epoch",
) -> PerClassScores | None:
    """The mean score of the true class, by class; of many classes those with the largest drop since the best step.

    Args:
        labels: `(n,)`.
        now: the score of each row, `(n,)`.
        then: at the best step, `(n,)`; `None`: that is now, or not known.
        named: from a class to its name; `None`: the rows have no class.
        best: the best step.
        axis: what a step is, `"epoch"` or `"batch"`.

    Returns:
        `None` where the rows have no class.
    """
    if labels is None or named is None:
        return None
    classes, own = np.unique(np.asarray(labels), return_inverse=True)
    members = (own == np.arange(len(classes))[:, None]).astype(np.float64)

    def means(values: ArrayLike) -> NDArray[np.float64]:
        with np.errstate(invalid="ignore", over="ignore"):
            sums = np.where(members > 0, np.asarray(values, np.float64), 0).sum(axis=1)
        return np.asarray(sums / members.sum(axis=1), np.float64)

    of_now, of_then = means(now), None if then is None else means(then)
    with np.errstate(invalid="ignore", over="ignore"):
        lost = np.zeros(len(classes)) if of_then is None else np.nan_to_num(of_now - of_then)
    shown = np.sort(np.argsort(lost, kind="stable")[:MAX_CLASSES])
    heading = "true-class probability"
    legend = "disc: now" if of_then is None else f"ring: {axis} {best}     disc: now"
    if len(classes) > MAX_CLASSES:
        heading += f" ({MAX_CLASSES} of {len(classes)})"
        legend += "" if of_then is None else "     largest drops"
    names = [named(int(label)) for label in classes[shown]]
    return PerClassScores(names, None if of_then is None else of_then[shown], of_now[shown], heading, legend)


def most_degraded(now: ArrayLike, then: ArrayLike, least: float) -> NDArray[np.intp]:
    """The rows whose score dropped most, at most `MAX_DEGRADED`, the largest drop first; of equal ones the first.

    Scores are `(n,)`, `then` at the best step; rows whose score dropped by no more than `least` are left out.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        drop = np.nan_to_num(np.asarray(then, np.float64) - np.asarray(now, np.float64), nan=-np.inf)
    order = np.argsort(-drop, kind="stable")[:MAX_DEGRADED]
    return order[drop[order] > least]


def _curve(shown: MetricStyle, steps: Sequence[int], values: Sequence[float | None]) -> Curve:
    known = [(value, step) for step, value in zip(steps, values, strict=True) if value is not None]
    finite = [(value, step) for value, step in known if math.isfinite(value) and (step >= 0 or not shown.trained)]
    if shown.good is None or not finite:
        return Curve(steps, values)
    worth = {"low": float, "high": lambda value: -value, "zero": abs}[shown.good]
    return Curve(steps, values, min((worth(value), step) for value, step in finite)[1])


def _reached(scales: Mapping[str, float], name: str) -> tuple[float, float]:
    return scales.get(f"window {name} up", 0.0), scales.get(f"window {name} down", 0.0)


def _best_and_newest(curves: Mapping[str, Curve], trained: bool) -> str:
    """The best and the newest value of validation data; `trained` says that an untrained model is no best one."""
    said = []
    curve = curves.get("validation")
    if curve is not None and len(curve.values):
        known, now = dict(zip(curve.steps, curve.values, strict=True)), curve.values[-1]
        if curve.best is not None:
            word = "best trained" if trained and curve.steps[0] < 0 else "best"
            said.append(f"{word} {written(known[curve.best] or 0.0)} at {written(curve.best)}")
        said.append("now too few maps" if now is None else f"now {written(now)}")
    return "   ".join(said)


def _window(shown: MetricStyle, up: float, down: float) -> tuple[float, float]:
    if shown.window == "share":
        return max(1.0 - down - _MARGIN, 0.0), min(up + _MARGIN, 1.0)
    if shown.window == "log":
        return _decades(up, down)
    low, high = (_BEYOND * max(reached, _LEAST_RANGE) for reached in (down, up))
    return 0.0 if shown.window == "positive" else -low, high


def _decades(up: float, down: float) -> tuple[float, float]:
    """The powers of ten around a logarithmic axis, at most nine decades."""
    high = max(math.ceil(_log10(up) - 1e-9), 0)
    low = min(math.floor(-_log10(down) + 1e-9), high - 1)
    return 10.0 ** max(low, high - 9), 10.0**high


def _log10(value: float) -> float:
    return math.log10(value) if value > 0 else 0.0
