"""The headline of the overfitting sheet: the worst that the numbers of a training show."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kerasviz_callbacks.draw.inputs import IntensityRange, far_apart
from kerasviz_callbacks.draw.text import format_number as written

History = tuple[Sequence[int], Sequence[float]]
"""Steps in increasing order, and a value at each."""

_NEAR_CHANCE = 0.1  # a smaller share of the way from chance to 1 is no skill
_OTHER_INPUTS = 2.0  # an untrained model judges two samples of the same data alike; the ratio of its two losses
_OTHER_MODE = 0.25  # a larger difference of the accuracy on training rows between training and inference is no noise
_SAID_APART = 0.1  # from this difference of the two on, both are said
_FELL = 0.02  # of the accuracy on training rows; less is noise
_APART = 10.0  # val_loss / loss of a first epoch that overfitting does not explain
_UNCHANGED = 0.01  # of the loss at the first epoch
_LEAST, _MOST = 1e-100, 1e100  # losses beyond them have no ratio
_WORSE = 0.05  # of the lowest val_loss; less is noise
_SLIGHT = 0.02  # of how far val_loss fell before; a rise by less is noise too, unless it lasts for two steps


@dataclass(frozen=True)
class Answers:
    """What is known of the observed rows beside the logs of Keras.

    Attributes:
        accuracy: of the validation rows, 0 to 1, of several labels a row the share of labels that are right; NaN where
            the rows have no classes.
        chance: the accuracy of always answering with the most frequent class of these rows, for each label its own.
        rows: how many validation rows were observed.
        nan: how many of their answers are NaN or infinite.
        ratio: the loss before training on validation rows, divided by that on training rows; NaN: not known.
        ranges: of the inputs of training and of validation data; `None`: not known.
        balanced: the mean over the classes of the accuracy within each; NaN: not known.
        class_sizes: how many of the rows each class has; of several labels how many are without and with one, harmonic
            means over the labels.
        labels: how many labels each row has or has not; 0: it has one class.
        own_loop: whether the training is no `fit`, so that the logs are what the user passes.
        training: the accuracy on training rows as validation measures it; NaN: not known.
        while_training: the accuracy that Keras logs of the training data; NaN: not known, or weighted.
        training_at_best: what `training` was at the best step; NaN: not known.
        weighted: whether weights count in the curves, but not in `accuracy` and `training`.
        weighted_apart: whether they may count in the curves of one of the two data sets alone.
    """

    accuracy: float = math.nan
    chance: float = math.nan
    rows: int = 0
    nan: int = 0
    ratio: float = math.nan
    ranges: tuple[IntensityRange, IntensityRange] | None = None
    balanced: float = math.nan
    class_sizes: tuple[float, ...] = ()
    labels: int = 0
    own_loop: bool = False
    training: float = math.nan
    while_training: float = math.nan
    training_at_best: float = math.nan
    weighted: bool = False
    weighted_apart: bool = False

    @property
    def balanced_rows(self) -> float:
        """How many rows `balanced` is worth: an accuracy of so many scatters as much."""
        scatter = sum(1 / size for size in self.class_sizes)
        return len(self.class_sizes) ** 2 * max(self.labels, 1) / scatter if scatter else 0.0


def headlines(
    curves: Mapping[str, History],
    metric: str | None,
    best: int | None,
    step: int,
    answers: Answers | None = None,
    *,
    axis: str = "epoch",
) -> tuple[str, str]:
    """Say the worst that the numbers show, and how the metrics have changed.

    In this order: NaN, training rows that are judged far worse than while training, validation at chance level, a
    validation loss far above the training loss from the beginning, a loss that does not fall, a validation loss that
    has risen since its best step (no overfitting if the accuracy on training data fell too); else where its best is.

    Args:
        curves: by key of the logs, `"loss"`, `"val_loss"` and those of the metric.
        metric: the key of the metric beside the loss, if there is one.
        best: the step of the lowest validation loss; `None`: none is known.
        step: the newest step, -1 before training.
        answers: what is known of the observed rows.
        axis: what a step is, `"epoch"` or `"batch"`.
    """
    known = answers or Answers()
    told = _Told(curves, best, step, known, axis)
    checks = (told.not_finite, told.other_mode, told.at_chance, told.other_inputs, told.nothing_learned, told.rising)
    worst = next((said for check in checks if (said := check())), "") or told.calm()
    ranges = told.ranges()
    return worst, f"Inputs: {ranges}." if ranges and ranges not in worst else told.changes(metric)


def at_chance(accuracy: float, chance: float, rows: float) -> bool:
    """Whether an accuracy lies within noise of chance: two standard errors, or next to no skill.

    The answers of a network are not independent, so chance scatters more than coins do: accuracies up to a tenth of the
    way from chance to 1 count too, unless they are twice the chance (5 % of a thousand classes are skill).
    """
    if not (rows and 0 < chance < 1 and math.isfinite(accuracy)):
        return False
    return accuracy <= chance + max(_noise(chance, rows), min(chance, _NEAR_CHANCE * (1 - chance)))


def _noise(chance: float, rows: float) -> float:
    """Two standard errors of the accuracy of answers at chance."""
    return 2 * math.sqrt(chance * (1 - chance) / rows)


@dataclass(frozen=True)
class _Told:
    """Each check says a sentence if it applies, else nothing."""

    curves: Mapping[str, History]
    best: int | None
    step: int
    answers: Answers
    axis: str

    def not_finite(self) -> str:
        since = {key: self._not_finite_since(key) for key in ("loss", "val_loss")}
        found = {key: first for key, first in since.items() if first is not None}
        if found:
            first, names = min(found.values()), [key for key, at in found.items() if at == min(found.values())]
            word = "NaN" if math.isnan(self.at(names[0], self.step)) else "infinite"
            return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} {word} since {self.axis} {first}."
        if self.answers.nan:
            return f"{self.answers.nan:,} of {self.answers.rows:,} answers are NaN."
        return ""

    def answered_alike(self) -> str:
        """Several labels a row that are right as often as constant answers are; a model may still rank them well."""
        known = self.answers
        if self.step < 0 or not (known.labels and known.class_sizes and 0 < known.chance < 1):
            return ""
        skilled = known.accuracy > known.chance + _noise(known.chance, known.rows * known.labels)
        if skilled or known.balanced > 0.5 + _noise(0.5, known.balanced_rows):
            return ""
        right = f"{written(known.accuracy)}{' (unweighted)' if known.weighted else ''} of them are right"
        return f"Labels are answered hardly better than alike for all rows: {right}, {written(known.chance)} if alike."

    def at_chance(self) -> str:
        known = self.answers
        if known.labels:
            return self.answered_alike()
        if self.step < 0 or not at_chance(known.accuracy, known.chance, known.rows):
            return ""
        # Of unbalanced rows, always answering alike may be the most accurate.
        has_balanced = math.isfinite(known.balanced)
        if has_balanced and not at_chance(known.balanced, 1 / len(known.class_sizes), known.balanced_rows):
            return ""
        accuracy = f"{written(known.accuracy)}{' (unweighted)' if known.weighted else ''}"
        near = "at" if known.accuracy <= known.chance + _noise(known.chance, known.rows) else "hardly above"
        chance = f"majority class of the observed rows {written(known.chance)}"
        return f"Validation accuracy is {near} chance level: {accuracy}, {chance}."

    def other_mode(self) -> str:
        measured, logged = self.answers.training, self.answers.while_training
        if self.step < 0 or not logged - measured > _OTHER_MODE:
            return ""
        return (
            f"Accuracy on training data is {written(measured)} in inference, {written(logged)} while training: "
            "batch normalization lags behind, or layers differ."
        )

    def other_inputs(self) -> str:
        ranges = self.ranges()
        pairs = self._ratios()
        since = ""
        if pairs and pairs[-1][1] >= _OTHER_INPUTS and self.answers.ratio >= _OTHER_INPUTS:
            since = "before training"
        elif pairs and min(ratio for _, ratio in pairs) >= _APART:
            since = f"{self.axis} {pairs[0][0]}"
        if since:
            return f"val_loss is {written(pairs[-1][1])} times the loss since {since}{ranges and f': {ranges}'}."
        return f"Training and validation differ: {ranges}." if ranges else ""

    def nothing_learned(self) -> str:
        steps, values = self.curves.get("loss", ((), ()))
        finite = [(at, float(value)) for at, value in zip(steps, values, strict=True) if math.isfinite(value)]
        if len(finite) < 3:
            return ""
        (first, begin), lowest = finite[0], min(value for _, value in finite)
        if begin - lowest > _UNCHANGED * abs(begin):
            return ""
        return f"Nothing is learned: loss {written(begin)} at {self.axis} {first}, now {written(finite[-1][1])}."

    def rising(self) -> str:
        lowest, now = self.at("val_loss", self.best), self.at("val_loss", self.step)
        if not (math.isfinite(now) and self._has_risen(lowest)):
            return ""
        change = f"val_loss {written(lowest)} → {written(now)}{_more(lowest, now)}"
        trained, before = self.answers.training, self.answers.training_at_best
        fell, begin = self.at("loss", self.step) < self.at("loss", self.best), "Getting worse"
        if before - trained > _FELL and not self.answers.weighted:
            change += f"; accuracy on training data fell too, {written(before)} → {written(trained)}"
        elif fell and self.answers.weighted_apart:
            change += "; loss fell, but weights may count in one of the two alone"
        elif fell:
            begin = "Overfitting"
        return f"{begin} since {self.axis} {self.best}: {change}."

    def _has_risen(self, lowest: float) -> bool:
        """Whether the newest val_loss is above the lowest by more than noise, or this and the one before it are."""
        known = [(at, float(of)) for at, of in zip(*self.curves["val_loss"], strict=True) if math.isfinite(of)]
        rises = [of - lowest for at, of in known if self.best is not None and self.best < at <= self.step]
        worse = [rise > _WORSE * abs(lowest) for rise in rises[-2:]]
        if not (worse and worse[-1]):
            return False
        fall = known[0][1] - lowest
        return rises[-1] > _SLIGHT * fall or worse == [True, True]

    def calm(self) -> str:
        if self.step < 0:
            return f"Before training: no {self.axis} has ended."
        if self.best is None:
            remedy = "fit needs validation_data, and a test_step that returns a loss."
            if self.answers.own_loop:
                remedy = 'pass it to on_epoch_end(epoch, {"loss": ..., "val_loss": ...}).'
            return f"No val_loss in the logs, so no best {self.axis}: {remedy}"
        lowest, now = self.at("val_loss", self.best), self.at("val_loss", self.step)
        if self.best >= self.step:
            return f"val_loss is at its lowest so far: {written(lowest)} at {self.axis} {self.best}."
        before = f"val_loss was lowest at {self.axis} {self.best}: {written(lowest)}"
        return f"{before}; now {written(now)}{_more(lowest, now)}." if math.isfinite(now) else f"{before}."

    def ranges(self) -> str:
        if self.answers.ranges is None or not far_apart(self.answers.ranges):
            return ""
        named = zip(("training", "validation"), self.answers.ranges, strict=True)
        return ", ".join(f"{name} inputs {found.text()}" for name, found in named)

    def changes(self, metric: str | None) -> str:
        said = []
        for key in (f"val_{metric}", metric) if metric else ():
            then, now = self.at(key, self.best), self.at(key, self.step)
            moved = self.best is not None and self.best < self.step and math.isfinite(then)
            if math.isfinite(now):
                change = f"{key} {written(then)} → {written(now)}" if moved else f"{key} {written(now)}"
                said.append(change + ("" if key != metric else self._in_inference(now)))
        return "   ".join(said)

    def _in_inference(self, logged: float) -> str:
        """The accuracy on training rows as validation measures it, where the one of the logs differs."""
        measured = self.answers.training
        differs = logged == self.answers.while_training and abs(logged - measured) > _SAID_APART
        return f" ({written(measured)} in inference)" if differs and not self.other_mode() else ""

    def at(self, key: str, step: int | None) -> float:
        steps, values = self.curves.get(key, ((), ()))
        return math.nan if step is None else float(dict(zip(steps, values, strict=True)).get(step, math.nan))

    def _not_finite_since(self, key: str) -> int | None:
        """The first step of those up to the newest at which a value is not finite, if the newest is not."""
        since = None
        for at, value in zip(*self.curves.get(key, ((), ())), strict=True):
            since = None if math.isfinite(value) else at if since is None else since
        return since

    def _ratios(self) -> list[tuple[int, float]]:
        """The validation loss divided by the training loss, wherever both are known and above 0."""
        losses, others = (dict(zip(*self.curves.get(key, ((), ())), strict=True)) for key in ("loss", "val_loss"))
        pairs = [(step, float(losses.get(step, 0)), float(of)) for step, of in others.items()]
        return [(step, of / loss) for step, loss, of in pairs if _LEAST < loss < math.inf and 0 < of < _MOST]


def _more(lowest: float, now: float) -> str:
    if lowest <= _LEAST:
        return ""
    return f" ({now / lowest - 1:+.0%})" if now < 10 * lowest else f" ({written(now / lowest)} times)"
