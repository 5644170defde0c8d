"""Images, scalars, text and points kept in memory, for notebooks and tests."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from .png import decode
from .sink import Sink, is_loggable
from .write_errors import WriteErrors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .projector import Points


class MemorySink(Sink):
    """The `Sink` that keeps everything and writes nothing.

    Attributes:
        errors: What could not be written; stays empty.
        pictures: `pictures[run, tag][step]`, uint8 `(height, width, 3)` or `(height, width)`; of an animation the
            first frame.
        scalars: `scalars[run, tag][step]`, a float; what is not finite as a float32 is not there.
        texts: `texts[run, tag][step]`, Markdown.
        descriptions: `descriptions[run, tag]`, the first one given.
        projected: `projected[run]`, the newest points of the projector.
        files: `files[run, name]`, the newest content.

    Example:
        >>> sink = MemorySink()
        >>> sink.begin(first_step=0)
        'views'
        >>> sink.scalar("validation", "overlap/conv1/mean", 0, 0.25)
        >>> sink.scalars["validation", "overlap/conv1/mean"]
        {0: 0.25}
    """

    def __init__(self) -> None:
        self.errors = WriteErrors()
        self.pictures: defaultdict[tuple[str, str], dict[int, NDArray[np.uint8]]] = defaultdict(dict)
        self.scalars: defaultdict[tuple[str, str], dict[int, float]] = defaultdict(dict)
        self.texts: defaultdict[tuple[str, str], dict[int, str]] = defaultdict(dict)
        self.descriptions: dict[tuple[str, str], str] = {}
        self.projected: dict[str, Points] = {}
        self.files: dict[tuple[str, str], bytes] = {}

    def image(self, run: str, tag: str, step: int, png: bytes, description: str = "") -> None:
        """Keep the pixels of one image; see `Sink.image`."""
        self.pictures[run, tag][int(step)] = decode(png)
        self.descriptions.setdefault((run, tag), description)

    def scalar(self, run: str, tag: str, step: int, value: float, description: str = "") -> None:
        """Keep one number, unless it is not finite as a float32; of several at one step the first."""
        if is_loggable(value):
            self.scalars[run, tag].setdefault(int(step), float(value))
            self.descriptions.setdefault((run, tag), description)

    def text(self, run: str, tag: str, step: int, markdown: str, description: str = "") -> None:
        """Keep one text."""
        self.texts[run, tag][int(step)] = markdown
        self.descriptions.setdefault((run, tag), description)

    def points(self, run: str, points: Points) -> None:
        """Keep the newest points."""
        self.projected[run] = points

    def file(self, run: str, name: str, content: bytes) -> None:
        """Keep the newest content of a file."""
        self.files[run, name] = content
