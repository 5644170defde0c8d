"""`OverfittingMonitor`: whether the model overfits, since which epoch, and on which inputs."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from ...callback import TRAINING, UNTRAINED, VALIDATION, Image, Measured
from ...callback.evaluated_view import EvaluatedView, Evaluation
from ...draw.inputs import IntensityRange
from ...draw.overfitting import overfitting_sheet
from ...draw.overfitting_charts import METRICS, choose_log, extend_axis
from ...draw.text import join_notes
from ...fit_context import Request
from ...record.console import say
from ...taps.frozen import is_frozen
from ...taps.reader import Reader
from ...taps.task import LOGITS
from .context import SummaryContext
from .epoch_history import LOSS, EpochHistory
from .measurements import BestEpoch, OverfittingData, accuracy_of, empty_in_words, metrics_of, row_loss, tells_nothing
from .memorised import Memorised, memorised_of
from .publishing import checked_publish, log_key
from .several_outputs import judged_output_in_words, loss_in_words
from .summary import caption_of, summary_of
from .texts import DESCRIPTION, SCALARS
from .weighting import weighting_in_words

_GEOMETRY = ("knn", "silhouette", "nc1")


class OverfittingMonitor(EvaluatedView):
    """See whether the model overfits, since which epoch, and on which inputs.

    It summarises overfitting in one image, `overfitting/summary`: a headline with the worst that the numbers show (NaN,
    chance level, inputs on different scales, nothing learned, overfitting); loss and metric of training and validation
    data with the best epoch (lowest `val_loss`) marked; the metrics below; the probability of the true class, by class;
    and the inputs that lost most of it since the best epoch, with their Grad-CAM then and now. With training data, the
    last lines name the doubtful labels (see `DataMap`) that were memorised since the best epoch.

    It computes six metrics at the end of every epoch, whatever `freq`, and adds them to `logs`: `val_overconfidence`,
    `val_knn`, `val_silhouette`, `val_nc1`, `val_cam_drift`, `val_cam_true_vs_predicted`; those of training data have no
    `val_` prefix. Callbacks listed after it can use them: `EarlyStopping("val_silhouette", mode="max")` (Keras cannot
    infer the mode), `CSVLogger`, the progress bar. A metric that cannot be computed at an epoch is NaN in `logs` and
    missing in TensorBoard (`EarlyStopping` never recovers from a NaN in its first epoch: pass `start_from_epoch=1`).
    Metrics that a model does not support are left out; a message before the first batch says so.

    - `overconfidence`: mean largest probability minus accuracy; for multi-label (sigmoid) models, over all labels. The
      `count` rows are balanced over the classes, so each is weighted by how frequent its class is in the data.
    - `knn`: share of the 5 nearest neighbours (Euclidean) of each feature vector with the same label (leave-one-out),
      averaged over the classes, each as the mean over its rows. It rises with the number of rows (of random features
      from 0.58 with 60 volumes to 0.98 with 400, from 0.50 with 250 images of clothes to 0.61 with 1,000), so compare
      data sets of about as many rows only.
    - `silhouette`: silhouette score of the features by class (Rousseeuw 1987).
    - `nc1`: sum of squares within classes divided by that between classes, the scalar form of Papyan et al. 2020.
    - `cam_drift`: mean of 1 - cos between the Grad-CAM of the true class now and at the best epoch so far; 0 at a new
      best epoch, NaN until there is a `val_loss`. Empty maps are excluded; `overfitting/cam_empty` counts them.
    - `cam_true_vs_predicted`: mean of 1 - cos between the Grad-CAM of the true and the predicted class; 0 for a correct
      prediction, 1 if one map is empty; wrong rows with two empty maps are excluded. It falls as fewer rows are wrong;
      of a single sigmoid unit it is the share of wrong rows, since the maps of its two classes exclude each other.

    No single metric is conclusive. In 30 trainings of a small network on two data sets (Fashion-MNIST and digits, 3
    seeds; `benchmarks/README.md`), the final values separated on every seed of both: `overconfidence` those on few
    images from regularised and from healthy ones; `silhouette` and `nc1` those on wrong labels from regularised and
    from healthy ones; `knn` and the `cam_` metrics both kinds from healthy ones, but not always from regularised ones.
    Wrong labels show in `overconfidence` only once they are memorised. There `nc1` turned 4 to 21 epochs before
    `val_loss`, but it turned early in regularised runs too. `overconfidence` is lowest in the first epochs, when a
    model is underconfident: `EarlyStopping` on it, or on `cam_drift`, stopped every healthy run too early.
    On `silhouette`, with `patience=10`, it kept models within 0.03 of the accuracy of those by `val_loss`, or better.

    With a rare class (2.5 % of the rows), `overconfidence` and the `cam_` metrics are best while it is never predicted;
    `silhouette` and `nc1` are mostly those of the frequent class. `knn` needs about 30 rows of each class, `silhouette`
    60: of 8 rows, `knn` fell in up to a third of the draws though the model learned, of 32 in none. See the class by
    itself in the image, or increase `count`.

    A model without feature maps has no `cam_` metrics, a multi-label (sigmoid) model no `knn`, `silhouette` and `nc1`;
    a regression model or an autoencoder has only the curves, those of the parts of the loss too, and the inputs whose
    error grew most. The cost is one forward pass over `count` rows of each data set at every epoch.

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
        >>> stop = keras.callbacks.EarlyStopping("val_silhouette", mode="max", patience=10)  # doctest: +SKIP
        >>> model.fit(x, y, validation_data=(x_val, y_val), callbacks=[monitor, stop])  # doctest: +SKIP
    """

    scalar_descriptions: ClassVar[Mapping[str, str]] = SCALARS
    every_epoch: ClassVar[bool] = True

    def __init__(self, log_dir: Any, validation_data: Any, *, publish: bool | Sequence[str] = True, **options: Any):
        super().__init__(log_dir, validation_data, **options)
        self.publish = checked_publish(publish)
        self.metrics: Sequence[str] = ()  # those available for this model
        self._published: Sequence[str] = ()  # those added to `logs`
        self._output = ""  # the name of the output that is looked at
        self._frozen: Sequence[str] = ()  # the metrics that cannot change, as the features are frozen
        self._weighting = ""  # which weights count in Keras' curves, in words
        self._ranges: dict[str, IntensityRange | None] = {}  # of the inputs, by data source

    def find_layers(self, reader: Reader) -> None:
        """Find the layers of the features and maps, and the available metrics."""
        super().find_layers(reader)
        self._output = str(reader.first_output)
        self._ranges = {source: IntensityRange.robust(probe.images) for source, probe in self.probes.items()}
        self._weighting = weighting_in_words(self.model, self.probes, majority=self.task.kind == "classes")
        still = self._features is not None and is_frozen(reader, self.features_path)
        self._frozen = _GEOMETRY if still else ()
        missing = self._missing()
        expected = self.publish or self.task.kind in ("classes", "labels")  # else only the curves are of interest
        if self.fit_context.verbose and expected:
            for names, why in missing.items():
                say(f"kerasviz_callbacks: {type(self).__name__} leaves out {', '.join(names)}: {why}.")
        without = {name for names in missing for name in names}
        self.metrics = [name for name in METRICS if name not in without and self.task.kind != "values"]
        self._published = [name for name in self.metrics if name in self.publish]
        keys = [log_key(name, source) for source in self.probes for name in self._published]
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

    def _missing(self) -> dict[tuple[str, ...], str]:
        """Return the metrics that this model or these data do not support, with the reason."""
        if self.task.kind == "values":
            return {("all metrics",): "the model predicts continuous values, not classes; curves and errors are shown"}
        missing: dict[tuple[str, ...], str] = {}
        labels = self.labels[VALIDATION]
        rows = np.unique([] if labels is None else labels, return_counts=True)[1]
        if self.task.kind == "labels":
            missing[_GEOMETRY] = "the model is multi-label (sigmoid)"
        elif self._features is None:
            missing[_GEOMETRY] = "no layer with weights comes before the output layer"
        elif rows.sum() < 2:
            missing[_GEOMETRY] = "validation_data has one row"
        elif len(rows) < 2:
            missing[_GEOMETRY[1:]] = "validation_data has one class"
        elif rows.max() < 2:
            missing[_GEOMETRY[1:]] = "no two of the rows used have the same class; increase count"
        if self._maps is None:
            missing["cam_drift", "cam_true_vs_predicted"] = "no layer before the output has feature maps"
        return missing

    def request(self, source: str) -> Request:
        """Request the logits of training rows too, beside what every such view needs."""
        wanted = super().request(source)
        return replace(wanted, captures=(*wanted.captures, LOGITS)) if self._judges_labels(source) else wanted

    def _judges_labels(self, source: str) -> bool:
        """Whether doubtful labels are looked for: in training data, which alone can be memorised."""
        return source == TRAINING and self.task.kind == "classes"

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
                found[log_key(name, source)] = float(scalars.get(f"overfitting/{name}", math.nan))
        return found

    def measure(self, captured: Any, source: str, step: int) -> Measured:
        """Return the metrics, and the data to draw: the rows now and at the best epoch."""
        now, history, memory = self.evaluate(captured, source), self._history(), self.memory.for_source(source)
        if step == UNTRAINED:
            memory["untrained loss"] = row_loss(now)
        weights = self.probes[source].row_weights
        if history.best == step:
            memory["then"] = BestEpoch(step, now.true_score, now.true_maps, accuracy_of(now, weights))
        then = memory.get("then")
        if then is not None and then.step != history.best:
            then = None
        maps_then = None if then is None else then.maps
        metrics, left_out = metrics_of(now, self.labels[source], maps_then, weights)
        metrics = {name: value for name, value in metrics.items() if name in self.metrics}
        histories = memory.setdefault("histories", {})
        for name, value in metrics.items():
            known = {at: old for at, old in histories.get(name, {}).items() if at < step}
            if name != "cam_drift" or maps_then is not None:
                known[step] = None if tells_nothing(name, now, left_out) else value
            histories[name] = known
            extend_axis(self.memory.scales, name, value, METRICS[name].window)
        if now.true_maps is not None:
            self.memory.extend_scale("maps", float(now.true_maps.max(initial=0, where=np.isfinite(now.true_maps))))
        scalars = {f"overfitting/{name}": value for name, value in metrics.items()}
        if "cam_drift" in metrics:
            scalars["overfitting/cam_empty"] = float(left_out["cam_drift"])
        earlier = then if then is not None and then.step < step else None
        memorised = self._memorised(captured, source, step) if self._judges_labels(source) else None
        return Measured(step, self._data(source, now, earlier, left_out, memorised), scalars)

    def _memorised(self, captured: Any, source: str, step: int) -> Memorised | None:
        """Return which doubtful labels are memorised."""
        if step == UNTRAINED:
            return None
        scores, probe = self.sample_scores(captured[LOGITS], source), self.probes[source]
        loss = self._history().logs.get(step, {}).get(LOSS, math.nan)
        return memorised_of(self.memory.for_source(source), scores, self.truth(source), probe.index, step, loss)

    def _data(
        self,
        source: str,
        now: Evaluation,
        then: BestEpoch | None,
        left_out: Mapping[str, int],
        memorised: Memorised | None,
    ) -> OverfittingData:
        history, known = self._history(), self.memory.for_source(source)["histories"]
        metrics = history.metrics(self._charts(), losses=self.task.kind == "values")
        curves = {}
        for key in ("loss", *metrics) if history.has_loss else metrics:
            for name in (key, f"val_{key}"):
                curves[name] = history.curve(name)
                for value in curves[name][1][-1:]:
                    extend_axis(self.memory.scales, key, value)
            choose_log(self.memory.scales, key, [curves[key][1], curves[f"val_{key}"][1]])
        histories = {name: (tuple(values), tuple(values.values())) for name, values in known.items()}
        drawn = replace(now, features=None, predicted_maps=None)
        scales, before = dict(self.memory.scales), self.memory.for_source(source).get("untrained loss", math.nan)
        return OverfittingData(
            histories, curves, scales, history.best, metrics, drawn, then, left_out, before, memorised
        )

    def _charts(self) -> int:
        """Return how many curves of Keras' logs are shown: more where the loss has parts, as that of a VAE."""
        return 4 if self.task.kind == "values" and len(self.model.metrics) > 2 else 2

    def _history(self) -> EpochHistory:
        history: EpochHistory = self.memory.shared.setdefault("history", EpochHistory())
        return history

    def draw(self, measured: Mapping[str, Measured]) -> Iterator[Image]:
        """Draw one image of all data sources, in the validation run."""
        if VALIDATION not in measured:
            return
        one = measured[VALIDATION]
        data: dict[str, OverfittingData] = {source: found.data for source, found in measured.items()}
        context, maps = self._summary_context(), one.data.now.true_maps
        deep = self.probe_display.depth > 1 and maps is not None and maps.ndim == 4
        which = self.examples_in_words(f"the {self.probe_display.slice_name} with most heat" if deep else None)
        contents, caption = summary_of(context, data, one.step), caption_of(context, which)
        note = join_notes(empty_in_words(one.data, one.step), one.note)
        sheet = overfitting_sheet(contents, caption=caption, note=note)
        yield Image(VALIDATION, "overfitting/summary", sheet, DESCRIPTION)

    def _summary_context(self) -> SummaryContext:
        reader = self.readers[VALIDATION]
        return SummaryContext(
            name=self.part_path or self.model.name,
            task=self.task,
            output=self._output,
            judged=judged_output_in_words(reader),
            loss_of=loss_in_words(reader, self.model),
            metrics=self.metrics,
            frozen=self._frozen,
            schedule=self.schedule,
            probes=self.probes,
            labels=self.labels,
            truth=self.truth(VALIDATION),
            display=self.probe_display,
            ranges=self._ranges,
            weighting=self._weighting,
            own_loop="steps" not in (self.params or {}),
            maps_path=self.maps_path if self._maps else "",
            loss_rows=self._charts() // 2,
        )
