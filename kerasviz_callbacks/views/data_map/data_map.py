"""`DataMap`: which samples are learned, forgotten and never learned, and which labels are doubtful."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from ..._typing import Array
from ...callback import COMPARED_SOURCES, UNTRAINED, Image, Measured, ProbeView
from ...callback.labelled import Labelled, labelled, sample_scores
from ...draw.data_map import data_map_sheet
from ...draw.text import join_notes, plural
from ...fit_context import Request
from ...maths.classes import knn_agreement
from ...maths.dynamics import SampleDynamics
from ...maths.sample_scores import SampleScores
from ...probe.structures import take
from ...record.console import say
from ...taps.layer_selection import features_of, penultimate
from ...taps.reader import Capture, Captured, Reader
from ...taps.task import LOGITS
from .items import Items
from .resuming import continued, read_earlier
from .sheet import Seen, Shares, sheet_of, shown_items
from .table import FILE, Judged
from .texts import SCALARS, described

NEIGHBOURS = 10
MOST_COMPARED = 5000
"""Rows at most whose features are compared with each other."""

_NEXT_COMPARED = 1.25
"""Factor by which the number of epochs grows until features are compared again, where no step is drawn."""

_GROUPS = ("never_learned", "forgotten", "learned")
_SOURCES = {name: source for source, name in COMPARED_SOURCES.items()}


class DataMap(ProbeView):
    """See which rows a classifier learns, forgets and never learns, and which labels are doubtful.

    At the end of every epoch, whatever `freq`, it compares the answers with the labels, and keeps sums over the epochs:

    - `confidence` and `variability`: mean and standard deviation of the probability of the label, and `correctness`:
      share of epochs answered right (Swayamdipta et al., "Dataset Cartography", EMNLP 2020).
    - `margin`: the logit of the label minus the largest other one, as a mean over the epochs (Pleiss et al.,
      "Identifying mislabeled data using the area under the margin ranking", NeurIPS 2020), here only up to the epoch of
      the lowest `val_loss` so far, as what is memorised later spoils it. Without a `val_loss`: over all epochs.
      Of a single sigmoid, and of several labels a row, it is the logit, with its sign changed where the label is no.
    - `forgetting`: how often a right answer was followed by a wrong one (Toneva et al., ICLR 2019).
    - `knn_disagreement`: share of the 10 nearest of the other rows, by the features of the penultimate layer, with
      another label, of at most 5,000 rows, and not of several labels a row; at drawn steps, and at some between.

    A label is *doubtful* where the margin is below 0: on the mean, the model preferred another one. `doubt_rank` orders
    all labels by the mean of their ranks by `margin` and by `knn_disagreement` (by the margin alone where the latter is
    not computed). Doubtful is not wrong: rare and hard rows are doubtful too. Only the rows looked at are judged; the
    image says how many of how many.

    In 60 trainings of a small network with planted wrong labels (Fashion-MNIST and digits, 10 and 40 % at random or
    10 % of classes that look alike, without and with regularisation, 5 seeds; `benchmarks/README.md`), `doubt_rank` at
    the end found them with a mean area under the ROC curve of 0.92 to 0.98 on clothes and of at least 0.995 on digits,
    in each setting more than the margin alone. It was ahead of the final model's own probabilities (cleanlab's
    self-confidence) by 0.17 to 0.31 on clothes and by 0.006 to 0.03 on digits where nothing regularised, and never
    behind where dropout, weight decay and augmentation did (0.000 to 0.024). On digits there was less to gain: those
    probabilities had 0.96 to 0.99. Beside probabilities by 5-fold cross-validation, five trainings more, it was between
    0.001 behind and 0.026 ahead. `forgetting` alone is the weakest of the figures.

    The image is `data_map/summary`. The table of all rows is `data_map.csv` in the directory of the run (`views/train`,
    `views/validation`; `data_map-<part>.csv` with `model=`), and `table()`. The file is written at the end of epochs,
    for at most a twentieth of the time, and at the end of the fit. A resumed fit (`initial_epoch`) reads it back and
    continues with its sums; rows are recognised by their inputs, whatever their order.

    Args:
        log_dir: the TensorBoard log directory.
        validation_data: `(x, y)` with class numbers, one-hot rows, or rows of 0 and 1 (several labels); see
            `ProbeView`. `None` if only training data are to be judged.
        training_data: the same. Rows that the model is trained on show what is memorised.
        options: `count` (2,000 rows in the proportions of the data, or all if they are fewer), `class_names`,
            `display`, and those of `View`. With `unit="batch"` every step that is drawn, and every end of an
            epoch, counts as an epoch does.

    Raises:
        ValueError: neither validation nor training data; before the first batch: a model that is no classifier, or data
            without labels.

    Example:
        >>> data_map = kv.DataMap("logs", training_data=(x, y), count=len(x))  # doctest: +SKIP
        >>> model.fit(x, y, validation_data=(x_val, y_val), callbacks=[data_map])  # doctest: +SKIP
        >>> table = data_map.table()  # doctest: +SKIP
        >>> table["index"][table["doubt_rank"] <= 40]  # doctest: +SKIP
    """

    scalar_descriptions: ClassVar[Mapping[str, str]] = SCALARS
    default_count: ClassVar[int] = 2000
    random_rows: ClassVar[bool] = True
    every_epoch: ClassVar[bool] = True
    needs_data: ClassVar[bool] = False

    def __init__(self, log_dir: Any, validation_data: Any = None, **options: Any):
        super().__init__(log_dir, validation_data, **options)
        if validation_data is None and self.training_data is None:
            raise ValueError(
                "validation_data=None, training_data=None: DataMap needs data with labels; pass training_data=(x, y), "
                "validation_data=(x_val, y_val), or both."
            )
        self._labels: dict[str, Labelled] = {}
        self._items: dict[str, Items] = {}
        self._names: tuple[str, ...] = ()  # of the classes or labels
        self._features: Capture | None = None
        self._compared_at: int | None = None  # the last step at which features were compared

    def find_layers(self, reader: Reader) -> None:
        """Find the labels, and the layer of the features."""
        view = type(self).__name__
        self._labels = {
            source: labelled(self.readers[source], probe, source, view=view, makes="data map", hard=True)
            for source, probe in self.probes.items()
        }
        self._items = {source: Items.of(self.probes[source], one) for source, one in self._labels.items()}
        tasks = [one.task for one in self._labels.values()]
        count = tasks[0].units if tasks[0].kind == "labels" else tasks[0].choices
        self._names = tuple(self.probe_display.class_name(number) for number in range(count))
        single = all(task.kind == "classes" for task in tasks)
        call = penultimate(reader) if single else None
        self._features = None if call is None else features_of(call)

    def tags(self) -> Mapping[str, None]:
        """Return the tag of the image."""
        return {"data_map/summary": None}

    # Capturing, on the training thread.

    def request(self, source: str) -> Request:
        """Request the logits and the features."""
        if self._features is None or len(self.probes[source]) > MOST_COMPARED:
            return Request((LOGITS,))
        return Request((LOGITS, self._features))

    def capture(self, step: int) -> dict[str, dict[Capture, Captured]]:
        """Run the shared pass; of many rows, compute the features of some in a pass of their own."""
        found, compares = super().capture(step), self._compares(step)
        for source, probe in self.probes.items():
            if self._features is not None and compares and self._features not in found[source]:
                few = take(probe.inputs, compared_rows(len(probe)))
                found[source] |= self.readers[source].read([self._features], few)
            elif self._features is not None and not compares:
                found[source].pop(self._features, None)
        self._compared_at = step if compares else self._compared_at
        return found

    def _compares(self, step: int) -> bool:
        """Whether features are compared: where the step is drawn, and else at ever larger distances."""
        last = self._compared_at
        return self.schedule.is_due(step) or last is None or step + 1 >= _NEXT_COMPARED * (last + 1)

    # Measuring, on the worker.

    def on_logs(self, step: int, logs: Mapping[str, Any]) -> None:
        """Record the `val_loss` of the epoch."""
        try:
            self.memory.shared["val_loss"] = (step, float(logs.get("val_loss", math.nan)))
        except (TypeError, ValueError):  # logs may contain any object
            self.memory.shared["val_loss"] = (step, math.nan)

    def measure(self, captured: dict[Capture, Captured], source: str, step: int) -> Measured:
        """Add the answers of this step to the sums, and compare the features of neighbours."""
        items, memory = self._items[source], self.memory.for_source(source)
        scores = self._scores(captured[LOGITS], source).of_rows(items.place)
        logged, loss = self.memory.shared.get("val_loss", (None, math.nan))
        dynamics, same = memory.get("dynamics"), "items" in memory and items.equal(memory["items"])
        if dynamics is None or not same or step == UNTRAINED:
            dynamics = SampleDynamics.of(len(items))
        if dynamics.step is None or step > dynamics.step:  # hooks called by hand may repeat an epoch
            dynamics.add(scores, step, loss if logged == step else math.nan)
        accuracy, chance, error = items.balanced_accuracy(scores.right)
        if step != UNTRAINED:
            memory["dynamics"], memory["items"] = dynamics, items
            accuracy = memory["accuracy"] = max(accuracy, memory.get("accuracy", 0.0))
        if self._features is not None and self._features in captured:
            compared = self._disagreement(captured[self._features].output, source)
            if not np.isnan(compared).all() or "compared" not in memory:  # of NaN features, keep the last known
                memory["compared"] = (step, compared)
        earlier = {at: of for at, of in memory.get("shares", {}).items() if at < step}
        shares = memory["shares"] = earlier | {step: _shares(dynamics, items.weights)}
        compared_at, disagreement = memory.get("compared", (None, np.full(len(items), np.nan)))
        judged = Judged(items, dynamics.copy(), disagreement, self._names)
        missing = int(np.count_nonzero(~scores.known))
        seen = Seen(judged, shares, missing, (accuracy, chance, error), compared_at)
        found = dict(zip(_GROUPS, shares[step], strict=True))
        found["doubtful"] = float(np.average(dynamics.doubtful, weights=items.weights))
        return Measured(step, seen, {f"data_map/{name}": value for name, value in found.items()})

    def _scores(self, logits: Captured, source: str) -> SampleScores:
        """Return the answers beside the labels, which other views of the fit may have asked for."""
        known = self._labels[source]
        return sample_scores(self.fit_context, logits, known.task, known.truth)

    def _disagreement(self, features: Array, source: str) -> Array:
        labels, rows = self._labels[source].truth, compared_rows(len(self.probes[source]))
        found: Array = np.full(len(labels), np.nan)
        has_class = labels[rows] >= 0
        features, rows = features[has_class], rows[has_class]
        if len(np.unique(labels[rows])) > 1:  # of one class alone no neighbour could disagree
            found[rows] = 1 - knn_agreement(features, labels[rows], NEIGHBOURS)
        known: Array = found[self._items[source].row]
        return known

    # Drawing, on the worker.

    def draw(self, measured: Mapping[str, Measured]) -> Iterator[Image]:
        """Draw the map of each data source."""
        for source, one in measured.items():
            seen: Seen = one.data
            shown = shown_items(seen.judged)
            pictures = self.example_tiles(source, seen.judged.items.row[shown])
            contents = sheet_of(seen, self.schedule, one.step, pictures)
            note = join_notes(*self._notes(source, one), one.note)
            bad = f"{seen.missing:,} NaN" if seen.missing else ""
            picture = data_map_sheet(contents, caption=self._caption(source), note=note, bad=bad)
            about = described(seen.judged, self.schedule.unit)
            yield Image(source, "data_map/summary", picture, about)

    def _caption(self, source: str) -> str:
        known, probe, reader = self._labels[source], self.probes[source], self.readers[source]
        output = f"labels of output {reader.first_output}" if len(reader.output_shapes) > 1 else ""
        weighted = "shares weighted to the proportions of the data" if known.is_weighted else ""
        compared = ""
        if self._features is not None and len(probe) > MOST_COMPARED:
            compared = f"features of {MOST_COMPARED:,} rows compared"
        pictured = self.examples_in_words(all_inputs=True)
        rows = join_notes(f"{probe.size} rows", output, weighted, compared, f"examples: {pictured}" if pictured else "")
        return self.probe_display.captioned(f"data map of {COMPARED_SOURCES[source]} data\n{rows}", source)

    def _notes(self, source: str, one: Measured) -> list[str]:
        """Return what is left out, and of which step the neighbours are."""
        several, at = self._labels[source].task.kind == "labels", one.data.compared_at
        missing = "" if several or self._features else "no features: no layer with weights before the output"
        older = f"neighbours of {self.schedule.unit} {at}" if at is not None and at != one.step else ""
        return [missing, older, "sample weights are not counted" if self.probes[source].sample_weighted else ""]

    def files(self, measured: Mapping[str, Measured]) -> Iterator[tuple[str, str, bytes]]:
        """Return the table of each data source."""
        for source, one in measured.items():
            if one.step != UNTRAINED:
                yield source, FILE, one.data.judged.csv()

    # Without or after a fit.

    def table(self, data: str | None = None) -> dict[str, Array]:
        """Return all figures of every row, as they stand after the last epoch; during `fit` too.

        Args:
            data: `"training"` or `"validation"`; `None`: training data, if they were given.

        Returns:
            Arrays `(m,)`, m rows or, of several labels a row, m labels, as the columns of `data_map.csv`: `index` (int,
            position in the user's data; of a stream in the order in which it was read, which a shuffled one does not
            repeat), `label` (int, the class or the number of the label), `label_name` (str), `given` (0 or 1; only of
            several labels), `proposed` (int, a class, or 0 or 1; the label itself where no other is known),
            `proposed_name` (str; only of classes), `doubt_rank` (int, 1: the most doubtful), `doubtful` (bool), `group`
            (`"learned"`, `"forgotten"`, `"never learned"`, empty where the answer is NaN), `margin` and
            `margin_to_the_end` (float, in logits; the second of all epochs), `confidence` (0 to 1), `variability` (0 to
            0.5), `correctness` (0 to 1), `forgetting` (int), `knn_disagreement` (0 to 1) and `epochs` (int, counted).
            Floats are NaN where nothing is known.

        Raises:
            ValueError: other data, or data that were not given.
            RuntimeError: no epoch has ended yet.
        """
        given = {"training": self.training_data, "validation": self.validation_data}
        if data is None:
            data = "validation" if self.training_data is None else "training"
        if given.get(data) is None:
            known = " or ".join(f'"{name}"' for name, value in given.items() if value is not None)
            raise ValueError(f"data={data!r}: expected {known}.")
        last = self.context.last if self.context is not None else None if self.result is None else self.result.last
        if last is None or last.step == UNTRAINED or _SOURCES[data] not in last.measured:
            raise RuntimeError("DataMap.table: no epoch has been measured yet; call it after fit.")
        found: dict[str, Array] = last.measured[_SOURCES[data]].data.judged.table()
        return found

    def restore(self, first_step: int, read: Callable[[str, str], bytes | None]) -> None:
        """Continue with the sums of an earlier fit, of this view or from its file; say so, or why not."""
        unit = self.schedule.unit
        for source, items in self._items.items():
            memory = self.memory.for_source(source)
            earlier = memory.pop("items", None), memory.pop("dynamics", None)
            from_file = earlier[1] is None
            memory.pop("compared", None)
            try:
                if from_file:
                    earlier = read_earlier(read(source, FILE), several=items.several)
                memory["dynamics"], told = continued(*earlier, items, first_step, unit)
                memory["items"] = items
            except ValueError as error:
                memory.clear()
                told, from_file = [f"starts over at {unit} {first_step}: {error}"], True
            else:
                known = memory["dynamics"].epochs
                told = [f"continues with the sums of {known} earlier {plural('epoch', known)}", *told]
            if self.fit_context.verbose and (from_file or len(told) > 1):
                say(f"kerasviz_callbacks: DataMap of {COMPARED_SOURCES[source]} data {'; '.join(told)}.")


def compared_rows(count: int) -> Array:
    """Return the rows whose features are compared, in increasing order: all, or some at random, always the same."""
    if count <= MOST_COMPARED:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).permutation(count)[:MOST_COMPARED])


def _shares(dynamics: SampleDynamics, weights: Array) -> Shares:
    """Return the shares of the groups, rows weighted."""
    never, forgotten, learned = (float(np.average(getattr(dynamics, name), weights=weights)) for name in _GROUPS)
    return never, forgotten, learned
