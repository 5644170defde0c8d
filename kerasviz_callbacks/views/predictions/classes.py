"""Classes: the surest answers for each input, and texts."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from ..._typing import Array
from ...callback.types import Memory
from ...draw.colour import count_non_finite
from ...draw.predicted_tiles import PREDICTED, TRUE_LINE, answer_tile
from ...draw.predictions import Column, Key, prediction_rows, sized, tile_size
from ...probe.labels import labels_of
from ...taps.reader import Capture, Captured
from ...taps.scores import probabilities
from .outputs import Output
from .prediction_kind import MAX_ROWS, PredictionKind, Shown

SUREST = 3
_BARS = (96, 132)


class Classes(PredictionKind):
    """The three surest answers for each input; those least sure of the true class at the first step come first."""

    kind = "classes"
    scalars: ClassVar[Mapping[str, str]] = {
        "accuracy": "Share of the rows of the probe whose surest answer is the true class.",
    }
    reading = (
        "each input with its three surest answers and their probabilities; the bar of the true class is blue, others "
        "orange. The inputs whose true class was least sure at the first step come first, and stay there."
    )
    bad_signs = "sure and wrong answers, one class that is answered for everything."

    @classmethod
    def fits(cls, output: Output) -> bool:
        """One row of probabilities or logits for each input."""
        return len(output.shape) <= 1

    def fitted(self, y: Array, output: Output) -> Array | None:
        """Return class numbers `(n,)`."""
        numbers = labels_of(y, np.zeros((len(y), 1, 1))).numbers
        if numbers is None and output.head.of_logits and np.isin(y, (-1, 1)).all():
            numbers = (y.reshape(len(y)) > 0).astype(np.int64)
        return numbers if numbers is None or numbers.max(initial=0) < max(output.head.choices, 2) else None

    def _probabilities(self, values: Array) -> Array:
        values, head = values.reshape(len(values), -1).astype(np.float64), self.output.head
        alone = values.shape[1] == 1
        of_logits = head.kind is None and (head.of_logits or not alone)
        values = probabilities(values, of_logits=of_logits, independent=head.is_sigmoid or alone)
        return np.concatenate([1 - values, values], axis=1) if alone else values

    def measure(self, captured: Mapping[Capture, Captured], source: str, memory: Memory) -> Shown:
        """Find the surest answers, and at the first step the order of the rows."""
        values, truth = self._probabilities(np.asarray(captured[self.capture].output)), self.output.truths.get(source)
        remembered = memory.for_source(source)
        key = f"{self.output.name}/order"
        if key not in remembered:
            sure = np.zeros(len(values)) if truth is None else values[np.arange(len(values)), truth]
            remembered[key] = np.argsort(np.nan_to_num(sure), kind="stable")[:MAX_ROWS]
        rows = remembered[key]
        if truth is None:
            return Shown((rows, values[rows]), "", {})
        finite = np.isfinite(values).all()
        accuracy = float((values.argmax(axis=1) == truth).mean()) if finite else float("nan")
        return Shown((rows, values[rows]), "" if not finite else f"accuracy {accuracy:.3f}", {"accuracy": accuracy})

    def draw(self, shown: Shown, source: str, memory: Memory, note: str) -> Array:
        """Draw each input with bars."""
        rows, values = shown.data
        truth, named = self.output.truths.get(source), self.output.display.class_name
        bars = []
        for row, of_row in zip(rows, values, strict=True):
            surest = np.argsort(-np.nan_to_num(of_row), kind="stable")[:SUREST].tolist()
            true = None if truth is None or int(truth[row]) not in surest else surest.index(int(truth[row]))
            bars.append(answer_tile([named(one) for one in surest], of_row[surest].tolist(), true, _BARS))
        columns = [Column("answers", np.stack(bars))]
        tiles = self.output.display.tiles(source, rows)
        if tiles is not None:
            size = tile_size(tiles.shape[1:3], len(rows))
            inputs = np.full((len(rows), *_BARS, 3), 255, np.uint8)
            top, left = (max(0, (full - own) // 2) for full, own in zip(_BARS, size, strict=True))
            inputs[:, top : top + size[0], left : left + size[1]] = sized(tiles, size)[:, : _BARS[0], : _BARS[1]]
            columns.insert(0, Column("input", inputs))
        return prediction_rows(
            columns,
            caption=self.caption(source),
            names=None if truth is None else [f"true: {named(int(truth[row]))}" for row in rows],
            keys=[Key("true class", TRUE_LINE), Key("another class", PREDICTED)],
            note=note,
            bad=count_non_finite(values),
        )


class Text(PredictionKind):
    """Texts: a Markdown table of input, truth and output, in TensorBoard's Text tab."""

    kind = "text"
    reading = "a table: what was fed, the truth, and the output, as `to_text` writes them, the same rows at every step."
    bad_signs = "one text for every input, words that repeat."

    def fitted(self, y: Array, output: Output) -> Array | None:
        """Return y as it is: what it means only `to_text` knows."""
        return y

    def measure(self, captured: Mapping[Capture, Captured], source: str, memory: Memory) -> Shown:
        """Write the rows of the table."""
        to_text: Any = self.output.options.to_text
        output, truth = np.asarray(captured[self.capture].output), self.output.truths.get(source)
        columns = [self.output.probes[source].images, *([] if truth is None else [truth]), output]
        rows = [[_cell(to_text(column[row])) for column in columns] for row in range(min(MAX_ROWS, len(output)))]
        return Shown(rows, "", {})

    def table(self, shown: Shown) -> str:
        """Return the Markdown table."""
        width = len(shown.data[0]) if shown.data else 2
        head = ["input", *(["truth"] if width == 3 else []), "output"]
        lines = [head, ["---"] * len(head), *shown.data]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def draw(self, shown: Shown, source: str, memory: Memory, note: str) -> Array:
        """There is no image."""
        raise NotImplementedError("text is written as a table, not drawn")


def _cell(text: object) -> str:
    """A text as one cell of a Markdown table."""
    line = " ".join(str(text).split())
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|>])", r"\\\1", line).replace("&", "&amp;").replace("<", "&lt;")
