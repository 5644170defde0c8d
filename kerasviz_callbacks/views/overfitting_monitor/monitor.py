"""`OverfittingMonitor`: is it overfitting, since when, and on what kind of picture."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from ...callback import COMPARED_SOURCES, VALIDATION, Image, Measured
from ...callback.evaluated_view import EvaluatedView, Evaluation
from ...draw.curves import StepAxis
from ...draw.lines import horizon
from ...draw.overfitting import DegradedExample, Summary, overfitting_sheet
from ...draw.overfitting_charts import (
    METRICS,
    extend_axis,
    flat_maps,
    headlines,
    loss_charts,
    metric_charts,
    most_degraded,
    per_class_scores,
)
from ...draw.text import format_number, join_notes
from ...fit_context import say
from ...taps.reader import Reader
from .epoch_history import EpochHistory
from .metrics import metrics_of

Array = np.ndarray[Any, Any]
Histories = dict[str, tuple[tuple[int, ...], tuple[float, ...]]]
_GEOMETRY, _MAPS = ("knn", "silhouette", "nc1"), ("cam_drift", "cam_true_vs_predicted")
_LEAST_FALL = 0.01
_ABOUT = """**Whether the model overfits, since when, and on what kind of picture.**

*How to read it:* training dashed, validation solid. The upright line is the epoch of least val_loss, the ground since
then tinted; epochs count from 0, as TensorBoard's steps do. Below the losses the figures, each with its best value and
that epoch (rings): overconfidence is the mean largest probability less accuracy; knn, silhouette and nc1 say how the
features that feed the answer lie by class; cam_drift how far the heat maps of the true class point elsewhere than at
the best epoch, cam_true_vs_predicted how far what speaks for the answer differs from what speaks for the truth. At the
bottom the probability given to the true class, by class (ring: at the best epoch; disc: now; thick: lost), and the
pictures that lost most, with the evidence for their true class then and now, on one scale.
*Bad signs:* val_loss climbs from the line on while training loss falls; overconfidence is above 0 and grows; figures of
validation data turn while those of training data go on. Labels learnt by heart show in knn, silhouette and nc1 too, too
few pictures in overconfidence. No figure alone decides."""
_OF = {
    "overconfidence": "Mean largest probability less accuracy: 0 is as sure as right, above is too sure.",
    "knn": "Leave-one-out share of the 5 nearest features that have the same label.",
    "silhouette": "How far each class' features are from the next class, beside how wide they are: -1 to 1.",
    "nc1": "Sum of squares of the features within classes beside that between them; low is tight and far apart.",
    "cam_drift": "Mean of 1 - cos between the true class' heat maps now and at the best epoch so far.",
    "cam_true_vs_predicted": "Mean of 1 - cos between the heat maps of the true and the predicted class.",
    "cam_empty": "How many rows do not count in cam_drift, because nothing speaks for their true class now or then.",
}


@dataclass(frozen=True)
class BestEpoch:
    """What was seen at the best epoch: how good each answer was, and the maps of what is true."""

    step: int
    true_score: Array
    maps: Array | None


@dataclass(frozen=True)
class OverfittingData:
    """What is drawn of one set of data: copies, since measuring goes on while it is drawn.

    Attributes:
        histories: of the figures, by name.
        curves: what Keras said, by the key of its logs.
        scales: how far the axes reach.
        best: the best epoch, if there is one.
        now: what the model makes of the rows, as far as it is drawn.
        then: what it made of them at the best epoch, if that is before now.
        left_out: rows that do not count in the figures of maps.
    """

    histories: Histories
    curves: Histories
    scales: Mapping[str, float]
    best: int | None
    metric: str | None
    now: Evaluation
    then: BestEpoch | None
    left_out: tuple[int, int]


class OverfittingMonitor(EvaluatedView):
    """See whether the model overfits, since when, and on what kind of picture.

    One picture, `overfitting/summary`: loss and metric of both sets with the best epoch (of least `val_loss`) marked;
    the figures below; what the model gives to the true class, by class; and the pictures whose true-class probability
    fell most since the best epoch, with what spoke for their true class (Grad-CAM) then and now.

    The figures are measured at the end of every epoch, whatever `freq`, and put into `logs`: `val_overconfidence`,
    `val_knn`, `val_silhouette`, `val_nc1`, `val_cam_drift`, `val_cam_true_vs_predicted`, and without `val_` the same of
    training data. Callbacks listed after it see them: `EarlyStopping("val_knn", mode="max")` (Keras cannot guess the
    mode), `CSVLogger`, the progress bar. What could not be measured at an epoch is NaN in `logs`, and missing in
    TensorBoard (`EarlyStopping` never gets over a NaN in its first epoch: `start_from_epoch=1`); what cannot be
    measured of a model at all is not there, which a line says before the first batch.

    - `overconfidence`: mean largest probability less accuracy; of yes or no to several labels, over all of them. The
      rows are spread evenly over the classes: where these are not, it is not that of the data; `count=len(x)` is.
    - `knn`: leave-one-out share of the 5 nearest features (Euclidean) that have the same label.
    - `silhouette`: of the features by class (Rousseeuw 1987).
    - `nc1`: sum of squares within classes beside that between them, the scalar form of Papyan et al. 2020.
    - `cam_drift`: mean of 1 - cos between the true class' Grad-CAM now and at the best epoch so far; 0 at a new best,
      NaN until a `val_loss` was seen. Empty maps are left out; `overfitting/cam_empty` counts them.
    - `cam_true_vs_predicted`: mean of 1 - cos between the maps of the true and the predicted class; 0 where the answer
      is right, 1 where one map is empty, left out where both are.

    No figure says "overfitting" by itself. In 25 trainings of a small network (5 seeds; `benchmarks/README.md`),
    `overconfidence`, `nc1` and `cam_drift` at the end set apart trainings on few pictures and on wrong labels from the
    same ones regularised and from healthy ones on every seed; `knn`, `silhouette` and `cam_true_vs_predicted` only
    those on wrong labels. There `nc1` turned 5 to 9 epochs before `val_loss`, but it turned early in regularised
    trainings too. `overconfidence` is least in the first epochs, when a model knows more than it says: its value tells
    more than its turn. `EarlyStopping` on it, or on a figure of maps, stopped every healthy training too early.

    `knn`, `silhouette` and `nc1` need several rows of a class: with many classes raise `count`. A model without maps
    has no `cam_...`, one of yes or no to several labels no geometry, a regression or an autoencoder only the curves and
    the pictures whose error grew most. It costs a pass over `count` rows of each set at every epoch.

    Args:
        log_dir: where TensorBoard looks.
        validation_data: with labels, or with the targets of a regression; see `ProbeView`.
        layer: whose Grad-CAM; `None`: the last output with more than one position on the way to the score.
        features: whose output are the features, averaged over positions; `None`: what feeds the last layer that has a
            kernel.
        score: `"logits"`: what feeds the softmax or sigmoid; or `"output"`.
        options: `training_data`, `count` (500), `class_names`, `display`, and those of `View`.

    Raises:
        ValueError: before the first batch: no labels or targets, an answer for each position, an unknown layer, a class
            that the model has not, a softmax that cannot be looked through.

    Example:
        >>> monitor = kv.OverfittingMonitor("logs", (x_val, y_val), training_data=(x, y))  # doctest: +SKIP
        >>> stop = keras.callbacks.EarlyStopping("val_knn", mode="max", patience=5)  # doctest: +SKIP
        >>> model.fit(x, y, validation_data=(x_val, y_val), callbacks=[monitor, stop])  # doctest: +SKIP
    """

    every_epoch: ClassVar[bool] = True

    def __init__(self, log_dir: Any, validation_data: Any, *, publish: bool | Sequence[str] = True, **options: Any):
        super().__init__(log_dir, validation_data, **options)
        self.publish = _checked_publish(publish)
        self.metrics: Sequence[str] = ()  # those that can be had of this model
        self._published: Sequence[str] = ()  # those that go into `logs`

    def find_layers(self, reader: Reader) -> None:
        """Find features and maps, and which figures can be had."""
        super().find_layers(reader)
        missing = self._missing()
        if self.fit_context.verbose:
            for names, why in missing.items():
                say(f"kerasviz_callbacks: {type(self).__name__} leaves out {names}: {why}.")
        without = {name for names in missing for name in names.split(", ")}
        self.metrics = [name for name in METRICS if name not in without and self.task.kind != "values"]
        self._published = [name for name in self.metrics if name in self.publish]
        if not self.fit_context.claim_log_keys(self._in_context(), self._log_keys()):
            self._published = ()
            if self.fit_context.verbose:
                say(
                    f"kerasviz_callbacks: another {type(self).__name__} of this fit publishes these metrics into "
                    "logs; this one publishes none."
                )

    def _log_keys(self) -> list[str]:
        return [_log_key(name, source) for source in self.probes for name in self._published]

    def published(self) -> bool:
        """Whether metrics go into `logs`."""
        return bool(self._published)

    def _missing(self) -> dict[str, str]:
        """Which figures cannot be had of this model and these data, and why."""
        if self.task.kind == "values":
            return {"all figures": "the model gives quantities, not classes; curves and errors are shown"}
        missing = {}
        labels = self.labels[VALIDATION]
        rows = np.unique([] if labels is None else labels, return_counts=True)[1]
        if self.task.kind == "labels":
            missing[", ".join(_GEOMETRY)] = "several labels may be true of a row"
        elif self._features is None:
            missing[", ".join(_GEOMETRY)] = "no layer that learns lies before the one that answers"
        elif rows.sum() < 2:
            missing[", ".join(_GEOMETRY)] = "validation_data has one row"
        elif len(rows) < 2:
            missing["silhouette, nc1"] = "validation_data is of one class"
        elif rows.max() < 2:
            missing["silhouette, nc1"] = "no two rows that are looked at are of one class; raise count"
        if self._maps is None:
            missing[", ".join(_MAPS)] = "no layer on the way to the answer has maps"
        return missing

    def tags(self) -> Mapping[str, None]:
        """The summary."""
        return {"overfitting/summary": None}

    def on_logs(self, step: int, logs: Mapping[str, Any]) -> None:
        """Loss and metrics of the epoch."""
        ours = {f"{of}{name}" for name in METRICS for of in ("", "val_")}
        self._history().record(step, logs, without=ours)

    def logged_metrics(self, measured: Mapping[str, Measured]) -> dict[str, float]:
        """The figures, NaN where they could not be measured."""
        found = {}
        for source in self.probes:
            scalars = measured[source].scalars if source in measured else {}
            for name in self._published:
                found[_log_key(name, source)] = float(scalars.get(f"overfitting/{name}", math.nan))
        return found

    def measure(self, captured: Any, source: str, step: int) -> Measured:
        """The figures, and what the rows were at the best epoch."""
        now, history, own = self.evaluate(captured, source), self._history(), self.memory.for_source(source)
        if history.best == step:
            own["then"] = BestEpoch(step, now.true_score, now.true_maps)
        then = own.get("then")
        then = then if then is not None and then.step == history.best else None
        metrics, left_out = metrics_of(now, self.labels[source], None if then is None else then.maps)
        metrics = {name: value for name, value in metrics.items() if name in self.metrics}
        histories = own.setdefault("histories", {})
        for name, value in metrics.items():
            known = {at: old for at, old in histories.get(name, {}).items() if at < step}
            histories[name] = known | ({} if name == "cam_drift" and history.best is None else {step: value})
            extend_axis(self.memory.scales, name, value, METRICS[name].window)
        if now.true_maps is not None:
            self.memory.extend_scale("maps", float(now.true_maps.max(initial=0, where=np.isfinite(now.true_maps))))
        scalars = {f"overfitting/{name}": value for name, value in metrics.items()}
        if "cam_drift" in metrics:
            scalars["overfitting/cam_empty"] = float(left_out[0])
        earlier = then if then is not None and then.step < step else None
        return Measured(step, self._seen(source, now, earlier, left_out), scalars)

    def _seen(self, source: str, now: Evaluation, then: BestEpoch | None, left_out: tuple[int, int]) -> OverfittingData:
        history, own = self._history(), self.memory.for_source(source)
        metric = history.metric()
        curves = {}
        for key in ("loss", *([metric] if metric else [])):
            for of in ("", "val_"):
                curves[f"{of}{key}"] = history.curve(f"{of}{key}")
                for value in curves[f"{of}{key}"][1][-1:]:
                    extend_axis(self.memory.scales, key, value)
        histories = {name: (tuple(known), tuple(known.values())) for name, known in own["histories"].items()}
        scales = dict(self.memory.scales)
        kept = replace(now, features=None, predicted_maps=None)
        return OverfittingData(histories, curves, scales, history.best, metric, kept, then, left_out)

    def _history(self) -> EpochHistory:
        history: EpochHistory = self.memory.shared.setdefault("history", EpochHistory())
        return history

    def describe(self, tag: str) -> str:
        """What a figure is."""
        return _OF[tag.rpartition("/")[2]]

    def draw(self, measured: Mapping[str, Measured]) -> Iterator[Image]:
        """One picture of both sets, among those of validation data."""
        if VALIDATION not in measured:
            return
        one = measured[VALIDATION]
        seen: dict[str, OverfittingData] = {source: found.data for source, found in measured.items()}
        newest = list(seen.values())[-1]  # its axes hold what the others have seen
        of = seen[VALIDATION]
        first = min([step for steps, _ in of.histories.values() for step in steps[:1]] + [min(one.step, 0)])
        planned = self.schedule.last
        steps = StepAxis(first, horizon(planned, one.step), of.best, max(one.step, first))
        before = None if of.then is None else of.then.true_score
        named = self.probe_display.class_name if self.task.kind == "classes" else None
        shown = ": picture, evidence then, now" if of.then and of.then.maps is not None else ""
        fell = "error grew most" if self.task.kind == "values" else "true class' probability fell most"
        summary = Summary(
            headline=headlines(newest.curves, of.metric, of.best, one.step),
            losses=loss_charts(newest.curves, of.metric, newest.scales, one.step),
            metrics=metric_charts(
                self.metrics, {COMPARED_SOURCES[at]: s.histories for at, s in seen.items()}, newest.scales
            ),
            steps=steps,
            sets=["validation", "training"],
            class_scores=per_class_scores(self.labels[VALIDATION], of.now.true_score, before, named, best=of.best),
            degraded=self._degraded(of),
            heading=f"{fell} since {f'epoch {of.best}' if of.then else 'the best epoch'}{shown}",
            placeholder=self._nothing(of, one.step),
        )
        rows = [f"{len(probe)} {COMPARED_SOURCES[source]}" for source, probe in self.probes.items()]
        caption = f"overfitting of {self.model.name}   {' and '.join(rows)} rows"
        note = ""
        if of.now.true_maps is not None:
            note = "maps of {}; without evidence {} in cam_drift, {} in cam_true_vs_predicted"
            note = note.format(self.maps_path, *of.left_out)
        sheet = overfitting_sheet(summary, caption=caption, note=join_notes(note, one.note))
        yield Image(VALIDATION, "overfitting/summary", sheet, _ABOUT)

    def _nothing(self, of: OverfittingData, step: int) -> str:
        """Why no pictures are shown."""
        if of.then is not None:
            return "Nothing has lost since the best epoch."
        if of.best is not None:
            return "This is the best epoch so far." if of.best == step else "The best epoch was not measured."
        return "No epoch has ended yet." if step < 0 else "No epoch is known to be the best."

    def _degraded(self, of: OverfittingData) -> DegradedExample:
        """The rows that lost most since the best epoch."""
        now, then = of.now, of.then
        if then is None:
            return DegradedExample(None, None, None, 0.0, [])
        rows = most_degraded(now.true_score, then.true_score, _LEAST_FALL if now.answer_scores is not None else 0.0)
        before, after = (None if one is None else flat_maps(one[rows]) for one in (then.maps, now.true_maps))
        titles = [self._titles(int(row), then.true_score[row], now) for row in rows]
        return DegradedExample(
            self.probe_display.tiles(VALIDATION, rows), before, after, of.scales.get("maps", 0.0), titles
        )

    def _titles(self, row: int, before: float, now: Evaluation) -> tuple[str, str]:
        """What a row is and how good the answer was and is; and what is answered."""
        labels, named = self.labels[VALIDATION], f"row {self.probes[VALIDATION].index[row]}"
        if now.answer_scores is None:
            return named, f"mean square error {format_number(-before)} → {format_number(-now.true_score[row])}"
        change = f"{before:.2f} → {now.true_score[row]:.2f}"
        if now.answer_scores.predicted is None or labels is None:
            true = np.flatnonzero(self.truth(VALIDATION)[row])
            return f"{named}  {change}", ", ".join(
                self.probe_display.class_name(int(label)) for label in true
            ) or "no label"
        said = self.probe_display.class_name(int(now.answer_scores.predicted[row]))
        return (
            f"{self.probe_display.class_name(int(labels[row]))}  {change}",
            f"now: {said} {now.answer_scores.confidence[row]:.2f}",
        )


def _log_key(name: str, source: str) -> str:
    """What a metric of a source is called in `logs`."""
    return f"val_{name}" if source == VALIDATION else name


def _checked_publish(publish: Any) -> Sequence[str]:
    """The names of the metrics that go into `logs`.

    Raises:
        TypeError: neither a bool nor a list of names.
        ValueError: a name of no metric.
    """
    if isinstance(publish, bool):
        return tuple(METRICS) if publish else ()
    if isinstance(publish, str) or not isinstance(publish, Sequence):
        raise TypeError(f"publish={publish!r}: expected True, False or a list of names, such as ['knn'].")
    for name in publish:
        if name not in METRICS:
            raise ValueError(f"publish={name!r}: no such metric; expected some of {', '.join(METRICS)}.")
    return tuple(publish)
