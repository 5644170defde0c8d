"""`OverfittingMonitor`: whether the model overfits, since which epoch, and on which inputs."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
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
from ...record.console import say
from ...taps.reader import Reader
from .epoch_history import EpochHistory
from .measurements import BestEpoch, OverfittingData, metrics_of
from .texts import DESCRIPTION, SCALARS

_GEOMETRY = "knn, silhouette, nc1"
_MIN_DROP = 0.01  # of the probability of the true class


class OverfittingMonitor(EvaluatedView):
    """See whether the model overfits, since which epoch, and on which inputs.

    It summarises overfitting in one image, `overfitting/summary`: loss and metric of training and validation data with
    the best epoch (lowest `val_loss`) marked; the metrics below; the probability of the true class, by class; and the
    inputs whose true-class probability fell most since the best epoch, with the Grad-CAM maps of their true class at
    the best epoch and now.

    It computes six metrics at the end of every epoch, whatever `freq`, and adds them to `logs`: `val_overconfidence`,
    `val_knn`, `val_silhouette`, `val_nc1`, `val_cam_drift`, `val_cam_true_vs_predicted`; those of training data have no
    `val_` prefix. Callbacks listed after it can use them: `EarlyStopping("val_knn", mode="max")` (Keras cannot infer
    the mode), `CSVLogger`, the progress bar. A metric that cannot be computed at an epoch is NaN in `logs` and missing
    in TensorBoard (`EarlyStopping` never recovers from a NaN in its first epoch: pass `start_from_epoch=1`). Metrics
    that a model does not support are left out; a message before the first batch says so.

    - `overconfidence`: mean largest probability minus accuracy; for multi-label (sigmoid) models, over all labels. The
      `count` rows are balanced over the classes: with imbalanced data it differs from that of the entire data set, for
      which pass `count=len(x)`.
    - `knn`: share of the 5 nearest neighbours (Euclidean) of each feature vector with the same label (leave-one-out).
    - `silhouette`: silhouette score of the features by class (Rousseeuw 1987).
    - `nc1`: sum of squares within classes divided by that between classes, the scalar form of Papyan et al. 2020.
    - `cam_drift`: mean of 1 - cos between the Grad-CAM of the true class now and at the best epoch so far; 0 at a new
      best epoch, NaN until there is a `val_loss`. Empty maps are excluded; `overfitting/cam_empty` counts them.
    - `cam_true_vs_predicted`: mean of 1 - cos between the Grad-CAM of the true and the predicted class; 0 for a correct
      prediction, 1 if one map is empty; rows with two empty maps are excluded.

    No single metric is conclusive. In 25 training runs of a small network (5 seeds; `benchmarks/README.md`), the final
    values of `overconfidence`, `nc1` and `cam_drift` distinguished runs with little data and with wrong labels from the
    same runs with regularisation and from healthy runs, on every seed; `knn`, `silhouette` and `cam_true_vs_predicted`
    distinguished only the runs with wrong labels. There `nc1` turned 5 to 9 epochs before `val_loss`, but it turned
    early in regularised runs too. `overconfidence` is lowest in the first epochs, when a model is underconfident: its
    value is more informative than its turning point. `EarlyStopping` on it, or on a `cam_` metric, stopped every
    healthy run too early.

    `knn`, `silhouette` and `nc1` need several rows of each class: with many classes, increase `count`. A model without
    feature maps has no `cam_` metrics, a multi-label (sigmoid) model no `knn`, `silhouette` and `nc1`; a regression
    model or an autoencoder has only the curves and the inputs whose error grew most. The cost is one forward pass over
    `count` rows of each data set at every epoch.

    Args:
        log_dir: the TensorBoard log directory.
        validation_data: `(x, y)` with labels or regression targets; see `ProbeView`.
        layer: the Grad-CAM layer; `None`: the last layer before the score whose output has more than one position.
        features: the layer whose output, averaged over positions, gives the features; `None`: the input of the last
            layer with a kernel.
        score: `"logits"`: the input of the softmax or sigmoid; or `"output"`.
        publish: whether to add the metrics to `logs`, or the names of the metrics to add, such as `["knn"]`.
        options: `training_data`, `count` (500), `class_names`, `display`, and those of `View`.

    Raises:
        TypeError: `publish` is neither a bool nor a list of names.
        ValueError: an unknown name in `publish`; before the first batch: no labels or targets, one prediction per
            position, an unknown layer, a class that the model does not have, or a softmax whose logits cannot be found.

    Example:
        >>> monitor = kv.OverfittingMonitor("logs", (x_val, y_val), training_data=(x, y))  # doctest: +SKIP
        >>> stop = keras.callbacks.EarlyStopping("val_knn", mode="max", patience=5)  # doctest: +SKIP
        >>> model.fit(x, y, validation_data=(x_val, y_val), callbacks=[monitor, stop])  # doctest: +SKIP
    """

    scalar_descriptions: ClassVar[Mapping[str, str]] = SCALARS
    every_epoch: ClassVar[bool] = True

    def __init__(self, log_dir: Any, validation_data: Any, *, publish: bool | Sequence[str] = True, **options: Any):
        super().__init__(log_dir, validation_data, **options)
        self.publish = _checked_publish(publish)
        self.metrics: Sequence[str] = ()  # those available for this model
        self._published: Sequence[str] = ()  # those added to `logs`

    def find_layers(self, reader: Reader) -> None:
        """Find the layers of the features and maps, and the available metrics."""
        super().find_layers(reader)
        missing = self._missing()
        if self.fit_context.verbose:
            for names, why in missing.items():
                say(f"kerasviz_callbacks: {type(self).__name__} leaves out {names}: {why}.")
        without = {name for names in missing for name in names.split(", ")}
        self.metrics = [name for name in METRICS if name not in without and self.task.kind != "values"]
        self._published = [name for name in self.metrics if name in self.publish]
        keys = [_log_key(name, source) for source in self.probes for name in self._published]
        if not self.fit_context.claim_log_keys(self._in_context(), keys):
            self._published = ()
            if self.fit_context.verbose:
                say(
                    f"kerasviz_callbacks: another {type(self).__name__} of this fit publishes these metrics into "
                    "logs; this one publishes none."
                )

    def published(self) -> bool:
        """Return whether metrics are added to `logs`."""
        return bool(self._published)

    def _missing(self) -> dict[str, str]:
        """Return the metrics that this model or these data do not support, with the reason."""
        if self.task.kind == "values":
            return {"all metrics": "the model predicts continuous values, not classes; curves and errors are shown"}
        missing = {}
        labels = self.labels[VALIDATION]
        rows = np.unique([] if labels is None else labels, return_counts=True)[1]
        if self.task.kind == "labels":
            missing[_GEOMETRY] = "the model is multi-label (sigmoid)"
        elif self._features is None:
            missing[_GEOMETRY] = "no layer with weights comes before the output layer"
        elif rows.sum() < 2:
            missing[_GEOMETRY] = "validation_data has one row"
        elif len(rows) < 2:
            missing["silhouette, nc1"] = "validation_data has one class"
        elif rows.max() < 2:
            missing["silhouette, nc1"] = "no two of the rows used have the same class; increase count"
        if self._maps is None:
            missing["cam_drift, cam_true_vs_predicted"] = "no layer before the output has feature maps"
        return missing

    def tags(self) -> Mapping[str, None]:
        """Return the tag of the summary image."""
        return {"overfitting/summary": None}

    def on_logs(self, step: int, logs: Mapping[str, Any]) -> None:
        """Record loss and metrics of the epoch."""
        own_keys = {f"{prefix}{name}" for name in METRICS for prefix in ("", "val_")}
        self._history().record(step, logs, without=own_keys)

    def logged_metrics(self, measured: Mapping[str, Measured]) -> dict[str, float]:
        """Return the metrics for `logs`, NaN if they could not be computed."""
        found = {}
        for source in self.probes:
            scalars = measured[source].scalars if source in measured else {}
            for name in self._published:
                found[_log_key(name, source)] = float(scalars.get(f"overfitting/{name}", math.nan))
        return found

    def measure(self, captured: Any, source: str, step: int) -> Measured:
        """Return the metrics, and the data to draw: the rows now and at the best epoch."""
        now, history, memory = self.evaluate(captured, source), self._history(), self.memory.for_source(source)
        if history.best == step:
            memory["then"] = BestEpoch(step, now.true_score, now.true_maps)
        then = memory.get("then")
        if then is not None and then.step != history.best:
            then = None
        metrics, left_out = metrics_of(now, self.labels[source], None if then is None else then.maps)
        metrics = {name: value for name, value in metrics.items() if name in self.metrics}
        histories = memory.setdefault("histories", {})
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
        return Measured(step, self._data(source, now, earlier, left_out), scalars)

    def _data(self, source: str, now: Evaluation, then: BestEpoch | None, left_out: tuple[int, int]) -> OverfittingData:
        history, known = self._history(), self.memory.for_source(source)["histories"]
        metric, curves = history.metric(), {}
        for key in ("loss", *([metric] if metric else [])):
            for name in (key, f"val_{key}"):
                curves[name] = history.curve(name)
                for value in curves[name][1][-1:]:
                    extend_axis(self.memory.scales, key, value)
        histories = {name: (tuple(values), tuple(values.values())) for name, values in known.items()}
        drawn = replace(now, features=None, predicted_maps=None)
        return OverfittingData(histories, curves, dict(self.memory.scales), history.best, metric, drawn, then, left_out)

    def _history(self) -> EpochHistory:
        history: EpochHistory = self.memory.shared.setdefault("history", EpochHistory())
        return history

    def draw(self, measured: Mapping[str, Measured]) -> Iterator[Image]:
        """Draw one image of all data sources, in the validation run."""
        if VALIDATION not in measured:
            return
        one = measured[VALIDATION]
        data: dict[str, OverfittingData] = {source: found.data for source, found in measured.items()}
        newest = list(data.values())[-1]  # measured last, so its axes include the other sources
        validation = data[VALIDATION]
        first = min([step for steps, _ in validation.histories.values() for step in steps[:1]] + [min(one.step, 0)])
        axis = self.schedule.unit
        histories = {COMPARED_SOURCES[source]: each.histories for source, each in data.items()}
        before = None if validation.then is None else validation.then.true_score
        named = self.probe_display.class_name if self.task.kind == "classes" else None
        shown = ": input, Grad-CAM then, now" if validation.then and validation.then.maps is not None else ""
        fell = "error grew most" if self.task.kind == "values" else "true class' probability fell most"
        summary = Summary(
            headline=headlines(newest.curves, validation.metric, validation.best, one.step, axis=axis),
            losses=loss_charts(newest.curves, validation.metric, newest.scales, one.step),
            metrics=metric_charts(self.metrics, histories, newest.scales, axis=axis),
            steps=StepAxis(first, horizon(self.schedule.last, one.step), validation.best, max(one.step, first)),
            sets=["validation", "training"],
            class_scores=per_class_scores(
                self.labels[VALIDATION], validation.now.true_score, before, named, best=validation.best, axis=axis
            ),
            degraded=self._degraded(validation),
            heading=f"{fell} since {f'{axis} {validation.best}' if validation.then else f'the best {axis}'}{shown}",
            placeholder=self._no_examples_reason(validation, one.step),
        )
        rows = [f"{len(probe)} {COMPARED_SOURCES[source]}" for source, probe in self.probes.items()]
        caption = f"overfitting of {self.part_path or self.model.name}   {' and '.join(rows)} rows"
        note = ""
        if validation.now.true_maps is not None:
            drift, between = validation.left_out
            note = f"maps of {self.maps_path}; empty maps: {drift} in cam_drift, {between} in cam_true_vs_predicted"
        sheet = overfitting_sheet(summary, caption=caption, note=join_notes(note, one.note))
        yield Image(VALIDATION, "overfitting/summary", sheet, DESCRIPTION)

    def _no_examples_reason(self, data: OverfittingData, step: int) -> str:
        """Return why no degraded examples are shown."""
        axis = self.schedule.unit
        if data.then is not None:
            return f"No input has got worse since the best {axis}."
        if data.best is not None:
            return f"This is the best {axis} so far." if data.best == step else f"The best {axis} was not measured."
        return "No epoch has ended yet." if step < 0 else f"No finite val_loss yet, so the best {axis} is unknown."

    def _degraded(self, data: OverfittingData) -> DegradedExample:
        """Return the rows whose predictions got worse most since the best epoch."""
        now, then = data.now, data.then
        if then is None:
            return DegradedExample(None, None, None, 0.0, [])
        rows = most_degraded(now.true_score, then.true_score, _MIN_DROP if now.answer_scores is not None else 0.0)
        before, after = (None if one is None else flat_maps(one[rows]) for one in (then.maps, now.true_maps))
        titles = [self._example_titles(int(row), then.true_score[row], now) for row in rows]
        tiles = self.probe_display.tiles(VALIDATION, rows)
        return DegradedExample(tiles, before, after, data.scales.get("maps", 0.0), titles)

    def _example_titles(self, row: int, before: float, now: Evaluation) -> tuple[str, str]:
        """Return two titles of a row: its label and score at the best epoch and now, and its current prediction."""
        labels, scores, named = self.labels[VALIDATION], now.answer_scores, self.probe_display.class_name
        number, after = f"row {self.probes[VALIDATION].index[row]}", now.true_score[row]
        if scores is None:
            return number, f"mean squared error {format_number(-before)} → {format_number(-after)}"
        change = f"{before:.2f} → {after:.2f}"
        if scores.predicted is None or labels is None:
            true = [named(int(label)) for label in np.flatnonzero(self.truth(VALIDATION)[row])]
            return f"{number}  {change}", ", ".join(true) or "no label"
        predicted = f"{named(int(scores.predicted[row]))} {scores.confidence[row]:.2f}"
        return f"{named(int(labels[row]))}  {change}", f"now: {predicted}"


def _log_key(name: str, source: str) -> str:
    """Return the key of a metric in `logs`."""
    return f"val_{name}" if source == VALIDATION else name


def _checked_publish(publish: Any) -> Sequence[str]:
    """Return the names of the metrics to add to `logs`; raise a `TypeError` or `ValueError` on anything else."""
    if isinstance(publish, bool):
        return tuple(METRICS) if publish else ()
    if isinstance(publish, str) or not isinstance(publish, Sequence):
        raise TypeError(f"publish={publish!r}: expected True, False or a list of names, such as ['knn'].")
    for name in publish:
        if name not in METRICS:
            raise ValueError(f"publish={name!r}: no such metric; expected some of {', '.join(METRICS)}.")
    return tuple(publish)
