"""`PredictionKind`: how one kind of output is captured, measured and drawn."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from ..._typing import Array
from ...callback import VALIDATION
from ...callback.types import Memory
from ...draw.text import counted_rows, join_notes, shape_text
from ...taps.reader import Capture, Captured
from .outputs import Output

MAX_ROWS = 16


@dataclass(frozen=True)
class Shown:
    """What is drawn of one output.

    Attributes:
        data: what the kind needs.
        note: numbers over all rows of the probe in words, for the strip below the image.
        scalars: by name.
    """

    data: Any
    note: str
    scalars: Mapping[str, float]


class PredictionKind(ABC):
    """One output of the model, shown as one kind of prediction; made once before the first batch.

    Attributes:
        kind: its name.
        scalars: what its scalars mean, in Markdown, by name.
        reading: how to read the image; and what would be a bad sign.
        output: the output, with the truth that fits it.
    """

    kind: ClassVar[str]
    scalars: ClassVar[Mapping[str, str]] = {}
    reading: ClassVar[str]
    bad_signs: ClassVar[str]

    def __init__(self, output: Output):
        truths = {source: None if y is None else self.fitted(y, output) for source, y in output.truths.items()}
        no_truth = output.no_truth
        if truths.get(VALIDATION) is None and not no_truth:
            y = output.truths[VALIDATION]
            no_truth = f"y of shape {None if y is None else y.shape[1:]} is not its truth"
        self.output = replace(output, truths=truths, no_truth=no_truth)
        self.capture = Capture(output.path)

    @classmethod
    def fits(cls, output: Output) -> bool:
        """Whether an output may be shown in this way, by its shape."""
        return True

    def fitted(self, y: Array, output: Output) -> Array | None:
        """Return y in the form that is compared; `None` if it is not the truth of this output."""
        return y if y.shape[1:] == output.shape else None

    @property
    def captures(self) -> tuple[Capture, ...]:
        """What is requested of the shared pass."""
        return (self.capture,)

    @abstractmethod
    def measure(self, captured: Mapping[Capture, Captured], source: str, memory: Memory) -> Shown:
        """Compare the output with the truth, in pure numpy."""

    @abstractmethod
    def draw(self, shown: Shown, source: str, memory: Memory, note: str) -> Array:
        """Draw one image, uint8 `(h, w, 3)`."""

    def caption(self, source: str, *further: str) -> str:
        """Return the lines above the image: the output, its shape, the rows, and what is missing."""
        count = len(self.output.probes[source])
        rows = f"{MAX_ROWS} of {count} rows" if count > MAX_ROWS else ""
        first = join_notes(f"{self.kind} of {self.output.name}   {shape_text(self.output.shape)}", rows)
        missing = "" if self.output.truths.get(source) is not None else f"no truth: {self.output.no_truth or 'no y'}"
        return "\n".join(line for line in (first, *further, missing) if line)

    def said(self, shown: Shown, source: str) -> str:
        """Return the note, with the number of rows that it is over: fewer than a validation set has."""
        return shown.note and f"over {counted_rows(len(self.output.probes[source]))}: {shown.note}"

    def names(self, source: str, rows: int) -> list[str] | None:
        """Return the class names of the first rows; `None` without labels."""
        names = self.output.display.label_names(source)
        return None if names is None else names[:rows]

    def description(self) -> str:
        """Return the text behind TensorBoard's "i"."""
        truth = "" if self.output.truths.get(VALIDATION) is not None else " There is no truth to compare it with."
        return (
            f"**Predictions, {self.kind}**: the model's output beside the truth, for the same inputs at every step."
            f"{truth}\n\n*How to read it:* {self.reading}\n*Bad signs:* {self.bad_signs}"
        )
