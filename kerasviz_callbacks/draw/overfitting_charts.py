"""From histories of figures to charts and words of the overfitting sheet."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kerasviz_callbacks.draw.curves import Chart, Curve
from kerasviz_callbacks.draw.overfitting import MOST_CLASSES, MOST_FALLEN, Kinds
from kerasviz_callbacks.draw.text import figure as written

History = tuple[Sequence[int], Sequence[float]]
"""Steps in increasing order, and a value at each."""


@dataclass(frozen=True)
class Figure:
    """How a figure is shown.

    Attributes:
        title: above its chart.
        good: which way is good; `None`: neither is.
        hint: beside the title: which way is good.
        window: `"share"`: within 0 and 1, as much as was seen; `"positive"`: from 0 up; `"signed"`: both ways from 0;
            `"log"`: by powers of 10.
    """

    title: str
    good: Literal["low", "high"] | None
    hint: str
    window: Literal["share", "positive", "signed", "log"]


FIGURES = {
    "overconfidence": Figure("overconfidence", "low", "0: as sure as right", "signed"),
    "knn": Figure("knn", "high", "high is good", "share"),
    "silhouette": Figure("silhouette", "high", "high is good", "signed"),
    "nc1": Figure("nc1", "low", "low is tight and far apart", "log"),
    "cam_drift": Figure("cam_drift", None, "0 at the best epoch", "positive"),
    "cam_true_vs_predicted": Figure("cam_true_vs_predicted", "low", "low is good", "positive"),
}
"""What the monitor measures, in the order in which it is shown."""

_LEAST_REACH = 0.05  # a window is no narrower, so that what is only noise looks small
_LEAST_SHARE = 0.2


def chart(shown: Figure, histories: Mapping[str, History], up: float, down: float) -> Chart:
    """A figure of one or both sets.

    Args:
        shown: which figure.
        histories: by the name of the set.
        up: how far its axis reaches above 0.
        down: how far below 0; of a share how far below 1, of a logarithmic axis the reciprocal of the least value.
    """
    curves = {name: _curve(shown, *history) for name, history in histories.items()}
    low, high = _window(shown, up, down)
    return Chart(shown.title, curves, low, high, _words(shown, curves), shown.hint, log=shown.window == "log")


def loss_chart(title: str, histories: Mapping[str, History], up: float, down: float) -> Chart:
    """A loss or a metric, as Keras gives it; the axis begins at 0 unless values lie below, of an accuracy it ends at 1."""
    curves = {name: Curve(*history) for name, history in histories.items()}
    newest = [f"{name} {written(curve.values[-1])}" for name, curve in reversed(curves.items()) if len(curve.values)]
    whole = (up <= 0 and down <= 0) or ("acc" in title and up <= 1.25)
    return Chart(title, curves, -down, 1.0 if whole else up, "   ".join(["now", *newest] if newest else []))


def headline(best: int | None, step: int, loss: tuple[float, float]) -> str:
    """Where the validation loss is, beside its least.

    Args:
        best: the epoch at which it was least; `None`: it was never seen.
        step: the newest step.
        loss: its least value and the newest.
    """
    least, now = loss
    if step < 0:
        return "Before the first epoch."
    if best is None:
        return "No val_loss was seen: give fit validation_data to know the best epoch."
    if best >= step:
        return f"val_loss is at its least so far: {written(least)} at epoch {best}."
    later = f"{step - best} epoch{'s' if step - best > 1 else ''} later"
    if not math.isfinite(now):
        return f"val_loss was least at epoch {best}: {written(least)}; {later} it is not known."
    more = f" ({now / least - 1:+.0%})" if least > 0 else ""
    return f"val_loss was least at epoch {best}: {written(least)}; {later} it is {written(now)}{more}."


def then_and_now(pairs: Mapping[str, tuple[float, float]], *, moved: bool) -> str:
    """Further figures at the best epoch and now, those that are known: `"val_accuracy 0.73 → 0.71"`.

    Args:
        pairs: by name, at the best epoch and now.
        moved: whether there is a best epoch before now.
    """
    told = []
    for name, (then, now) in pairs.items():
        if math.isfinite(now) and math.isfinite(then) and moved:
            told.append(f"{name} {written(then)} → {written(now)}")
        elif math.isfinite(now):
            told.append(f"{name} {written(now)}")
    return ("then → now:     " if told and moved else "") + "     ".join(told)


def kinds_of(
    labels: ArrayLike | None,
    now: ArrayLike,
    then: ArrayLike | None,
    named: Callable[[int], str] | None,
    *,
    best: int | None,
) -> Kinds | None:
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
    members = (own == np.arange(len(classes))[:, None]).astype(np.float64)

    def means(values: ArrayLike) -> NDArray[np.float64]:
        sums = np.where(members > 0, np.asarray(values, np.float64), 0).sum(axis=1)
        return np.asarray(sums / members.sum(axis=1), np.float64)

    of_now, of_then = means(now), None if then is None else means(then)
    lost = np.zeros(len(classes)) if of_then is None else np.nan_to_num(of_now - of_then)
    shown = np.sort(np.argsort(lost, kind="stable")[:MOST_CLASSES])
    heading = "true class' probability" + ("" if len(classes) <= MOST_CLASSES else ", most lost")
    names = [named(int(label)) for label in classes[shown]]
    words = "disc: now" if of_then is None else f"ring: epoch {best}     disc: now"
    return Kinds(names, None if of_then is None else of_then[shown], of_now[shown], heading, words)


def most_fallen(now: ArrayLike, then: ArrayLike, least: float) -> NDArray[np.intp]:
    """The rows of which a figure fell most, at most `MOST_FALLEN`, the most first; of equal ones the first.

    Args:
        now: of each row, `(n,)`.
        then: likewise.
        least: what falls by no more is left out.
    """
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
    best = min(finite)[1] if shown.good == "low" else min((-value, step) for value, step in finite)[1]
    return Curve(steps, values, best)


def _words(shown: Figure, curves: Mapping[str, Curve]) -> str:
    words = []
    curve = curves.get("validation")
    if curve is not None and len(curve.values):
        known = dict(zip(curve.steps, curve.values, strict=True))
        if curve.best is not None:
            end = "least" if shown.good == "low" else "most"
            words.append(f"{end} {written(known[curve.best])} at {written(curve.best)}")
        words.append(f"now {written(curve.values[-1])}" if math.isfinite(curve.values[-1]) else "now unknown")
    return "     ".join(words)


def _window(shown: Figure, up: float, down: float) -> tuple[float, float]:
    if shown.window == "share":
        low = max(1.0 - down, 0.0)
        return min(low, 1.0 - _LEAST_SHARE), min(max(up, low + _LEAST_SHARE), 1.0)
    if shown.window == "log":
        high = max(math.ceil(_log10(up) - 1e-9), 0)
        low = min(math.floor(-_log10(down) + 1e-9), high - 1)
        return 10.0**low, 10.0**high
    if shown.window == "positive":
        return 0.0, max(up, _LEAST_REACH)
    return -max(down, _LEAST_REACH), max(up, _LEAST_REACH)


def _log10(value: float) -> float:
    return math.log10(value) if value > 0 else 0.0
