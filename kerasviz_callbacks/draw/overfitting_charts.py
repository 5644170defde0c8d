"""From histories of figures to charts and words of the overfitting sheet."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kerasviz_callbacks.draw.curves import Chart, Curve
from kerasviz_callbacks.draw.overfitting import MOST_CLASSES, MOST_FALLEN, PerClassScores
from kerasviz_callbacks.draw.text import format_number as written
from kerasviz_callbacks.draw.trails import extend_window

History = tuple[Sequence[int], Sequence[float]]
"""Steps in increasing order, and a value at each."""


@dataclass(frozen=True)
class Figure:
    """How a figure is shown.

    Attributes:
        good: which way is good, or that it is near 0; `None`: neither is.
        hint: beside the title: which way is good.
        window: `"share"`: within 0 and 1, as much as was seen; `"positive"`: from 0 up; `"signed"`: both ways from 0;
            `"log"`: by powers of 10.
    """

    good: Literal["low", "high", "zero"] | None
    hint: str
    window: Literal["share", "positive", "signed", "log"]


METRICS = {
    "overconfidence": Figure("zero", "0: as sure as right", "signed"),
    "knn": Figure("high", "high is good", "share"),
    "silhouette": Figure("high", "high is good", "signed"),
    "nc1": Figure("low", "low is tight and far apart", "log"),
    "cam_drift": Figure(None, "0 at the best epoch", "positive"),
    "cam_true_vs_predicted": Figure("low", "0 is good", "positive"),
}
"""What the monitor measures, in the order in which it is shown."""

_LEAST_REACH = 0.05  # a window is no narrower, so that what is only noise looks small
_BESIDE = 0.05  # and of a share reaches so far beyond what was seen


def extend_axis(scales: dict[str, float], name: str, value: float, window: str = "signed") -> None:
    """Note in `scales` how far the axis of a figure reaches, up and down from where it begins, in coarse steps.

    Args:
        scales: by `"window <name> up"` and `"window <name> down"`; they only grow.
        name: of the figure.
        value: its newest value; one that is not finite changes nothing.
        window: of the figure. A share begins at 1 downwards; a logarithmic axis reaches down to the reciprocal.
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
    names: Sequence[str], histories: Mapping[str, Mapping[str, History]], scales: Mapping[str, float]
) -> list[Chart]:
    """A chart for each figure.

    Args:
        names: of the figures, from `FIGURES`.
        histories: by the name of the set, by figure.
        scales: what `reach` noted.
    """
    charts = []
    for name in names:
        shown = METRICS[name]
        curves = {of: _curve(shown, *known.get(name, ((), ()))) for of, known in histories.items()}
        low, high = _window(shown, *_reached(scales, name))
        charts.append(Chart(name, curves, low, high, _words(shown, curves), shown.hint, log=shown.window == "log"))
    return charts


def is_accuracy(key: str) -> bool:
    """Whether a metric is one by its name: `acc`, `accuracy`, `sparse_categorical_accuracy`, of an output too."""
    return key.endswith("accuracy") or key.rpartition("_")[2] == "acc"


def loss_charts(
    curves: Mapping[str, History], metric: str | None, scales: Mapping[str, float], step: int
) -> list[Chart]:
    """Loss and metric as Keras gives them; the axis begins at 0 unless values lie below, of an accuracy it ends at 1.

    Args:
        curves: by key of the logs, `"loss"`, `"val_loss"` and those of the metric.
        metric: its key; `None`: there is none.
        scales: what `reach` noted.
        step: the newest step.
    """
    charts = []
    for key in ("loss", *([metric] if metric else [])):
        sets = {"training": Curve(*curves[key]), "validation": Curve(*curves[f"val_{key}"])}
        up, down = _reached(scales, key)
        whole = (up <= 0 and down <= 0) or (is_accuracy(key) and up <= 1.25)
        known = [(of, *curve.last) for of, curve in reversed(sets.items()) if curve.last is not None and step >= 0]
        newest = [f"{of} {written(value)}{'' if at == step else f' (of {at})'}" for of, at, value in known]
        charts.append(Chart(key, sets, -down, 1.0 if whole else up, "   ".join(["now", *newest] if newest else [])))
    return charts


def headlines(curves: Mapping[str, History], metric: str | None, best: int | None, step: int) -> tuple[str, str]:
    """Where the validation loss is beside its least, and what else has become of the model since then.

    Args:
        curves: as for `loss_charts`.
        metric: likewise.
        best: the epoch at which the validation loss was least; `None`: it was never seen.
        step: the newest step.
    """

    def at(key: str, epoch: int | None) -> float:
        steps, values = curves.get(key, ((), ()))
        return math.nan if epoch is None else dict(zip(steps, values, strict=True)).get(epoch, math.nan)

    keys = [*([f"val_{metric}", metric] if metric else []), "loss"]
    moved = best is not None and best < step
    told = []
    for key in keys:
        then, now = at(key, best), at(key, step)
        if math.isfinite(now):
            told.append(f"{key} {written(then)} → {written(now)}" if moved else f"{key} {written(now)}")
    seen = bool(curves.get("val_loss", ((), ()))[0])
    return _of_loss(best, step, at("val_loss", best), at("val_loss", step), seen), "     ".join(told)


def _of_loss(best: int | None, step: int, least: float, now: float, seen: bool) -> str:
    if best is None:
        if step < 0:
            return "No epoch has ended yet."
        missing = "No val_loss was seen: give fit validation_data to know the best epoch."
        return "val_loss was never finite, so no epoch is the best." if seen else missing
    if best >= step:
        return f"val_loss is at its least so far: {written(least)} at epoch {best}."
    later = f"{step - best} epoch{'s' if step - best > 1 else ''} later"
    if not math.isfinite(now):
        return f"val_loss was least at epoch {best}: {written(least)}; {later} it is not known."
    more = ""
    if least > 0:
        more = f" ({now / least - 1:+.0%})" if now < 10 * least else f" ({written(now / least)} times as much)"
    return f"val_loss was least at epoch {best}: {written(least)}; {later} it is {written(now)}{more}."


def per_class_scores(
    labels: ArrayLike | None,
    now: ArrayLike,
    then: ArrayLike | None,
    named: Callable[[int], str] | None,
    *,
    best: int | None,
) -> PerClassScores | None:
    """What is given to what is true by class; of many classes those that lost most since the best epoch.

    Args:
        labels: `(n,)`.
        now: of each row, `(n,)`.
        then: at the best epoch, `(n,)`; `None`: that is now, or not known.
        named: what a class is called; `None`: the rows have no class.
        best: the best epoch.
    """
    if labels is None or named is None:
        return None
    classes, own = np.unique(np.asarray(labels), return_inverse=True)
    participants = (own == np.arange(len(classes))[:, None]).astype(np.float64)

    def means(values: ArrayLike) -> NDArray[np.float64]:
        with np.errstate(invalid="ignore", over="ignore"):
            sums = np.where(participants > 0, np.asarray(values, np.float64), 0).sum(axis=1)
        return np.asarray(sums / participants.sum(axis=1), np.float64)

    of_now, of_then = means(now), None if then is None else means(then)
    with np.errstate(invalid="ignore", over="ignore"):
        lost = np.zeros(len(classes)) if of_then is None else np.nan_to_num(of_now - of_then)
    shown = np.sort(np.argsort(lost, kind="stable")[:MOST_CLASSES])
    some = "" if len(classes) <= MOST_CLASSES else f", {MOST_CLASSES} of {len(classes)}"
    heading = "true class' probability" + (some if of_then is None else some.replace(", ", ", most lost: "))
    names = [named(int(label)) for label in classes[shown]]
    words = "disc: now" if of_then is None else f"ring: epoch {best}     disc: now"
    return PerClassScores(names, None if of_then is None else of_then[shown], of_now[shown], heading, words)


def most_degraded(now: ArrayLike, then: ArrayLike, least: float) -> NDArray[np.intp]:
    """The rows of which a figure fell most, at most `MOST_FALLEN`, the most first; of equal ones the first.

    Args:
        now: of each row, `(n,)`.
        then: likewise.
        least: what falls by no more is left out.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        fall = np.nan_to_num(np.asarray(then, np.float64) - np.asarray(now, np.float64), nan=-np.inf)
    order = np.argsort(-fall, kind="stable")[:MOST_FALLEN]
    return order[fall[order] > least]


def flat_maps(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Maps `(k, *spatial)` as `(k, h, w)`: those of signals are one row high, of volumes the slice in the middle."""
    if maps.ndim == 2:
        return maps[:, None]
    return maps[:, maps.shape[1] // 2] if maps.ndim == 4 else maps


def _curve(shown: Figure, steps: Sequence[int], values: Sequence[float]) -> Curve:
    finite = [(value, step) for step, value in zip(steps, values, strict=True) if math.isfinite(value)]
    if shown.good is None or not finite:
        return Curve(steps, values)
    worth = {"low": float, "high": lambda value: -value, "zero": abs}[shown.good]
    return Curve(steps, values, min((worth(value), step) for value, step in finite)[1])


def _reached(scales: Mapping[str, float], name: str) -> tuple[float, float]:
    return scales.get(f"window {name} up", 0.0), scales.get(f"window {name} down", 0.0)


def _words(shown: Figure, curves: Mapping[str, Curve]) -> str:
    words = []
    curve = curves.get("validation")
    if curve is not None and len(curve.values):
        known = dict(zip(curve.steps, curve.values, strict=True))
        if curve.best is not None:
            end = {"low": "least", "high": "most", "zero": "nearest 0:"}[shown.good or "low"]
            words.append(f"{end} {written(known[curve.best])} at {written(curve.best)}")
        words.append(f"now {written(curve.values[-1])}" if math.isfinite(curve.values[-1]) else "now unknown")
    return "     ".join(words)


def _window(shown: Figure, up: float, down: float) -> tuple[float, float]:
    if shown.window == "share":
        return max(1.0 - down - _BESIDE, 0.0), min(up + _BESIDE, 1.0)
    if shown.window == "log":
        high = max(math.ceil(_log10(up) - 1e-9), 0)
        low = min(math.floor(-_log10(down) + 1e-9), high - 1)
        return 10.0**low, 10.0**high
    if shown.window == "positive":
        return 0.0, max(up, _LEAST_REACH)
    return -max(down, _LEAST_REACH), max(up, _LEAST_REACH)


def _log10(value: float) -> float:
    return math.log10(value) if value > 0 else 0.0
