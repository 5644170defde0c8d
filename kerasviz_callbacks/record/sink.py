"""What every destination of images, scalars, points and text can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from .projector import Points
    from .write_errors import WriteErrors

LARGEST_FLOAT32 = 3.4028234663852886e38
"""The largest float32: scalars are stored as float32, and beyond it they would become infinite."""


def is_loggable(value: float) -> bool:
    """Say whether a value can be recorded as a scalar: not NaN, and finite as a float32."""
    return bool(abs(value) <= LARGEST_FLOAT32)


@runtime_checkable
class Sink(Protocol):
    """A destination of images, scalars, points and text, used by one thread at a time.

    In its methods `run` is the source (`"validation"`, `"train"`, `"model"`), `tag` the name within it
    (`"filters/conv1"`), `step` the epoch or batch, -1 for the untrained model. Steps of one tag are recorded in
    increasing order. A description is Markdown; the first one of a tag in a run counts.

    Attributes:
        errors: What could not be written. Callers wrap each write in `errors.collect()`.
    """

    errors: WriteErrors

    def begin(self, first_step: int) -> str:
        """Choose and claim the group of runs that this sink writes to; called once, before the first write.

        Args:
            first_step: The first step that will be recorded.

        Returns:
            `"views"`, `"views-2"`, ...: the first group that holds no step of `first_step` or later and that no
            other live writer, in this process or another, has claimed.

        Raises:
            OSError: What is there cannot be read.
        """

    def image(self, run: str, tag: str, step: int, png: bytes, description: str = "") -> None:
        """Record one image, a PNG file, perhaps animated. It may wait in memory until `flush`.

        Raises:
            ValueError: It is no PNG file.
            OSError: It cannot be written, e.g. because the disk is full.
        """

    def scalar(self, run: str, tag: str, step: int, value: float, description: str = "") -> None:
        """Record one number, unless it is not finite as a float32 or the tag has one at this step already.

        It may wait in memory until `flush`.
        """

    def text(self, run: str, tag: str, step: int, markdown: str, description: str = "") -> None:
        """Record a text in Markdown. It may wait in memory until `flush`."""

    def points(self, run: str, points: Points) -> None:
        """Record the points that TensorBoard's projector shows, in place of the previous ones.

        Raises:
            ValueError: Values, columns and pictures do not fit each other.
            OSError: They cannot be written.
        """

    def flush(self) -> None:
        """Write what waits in memory.

        Raises:
            OSError: It cannot be written; what was waiting is lost and counted in `errors`.
        """

    def close(self) -> None:
        """Flush, close the files and release the claim; may be called again. Later writes begin new files.

        Raises:
            OSError: What was waiting cannot be written; files are closed and the claim is released all the same.
        """

    def closing_line(self, steps: int) -> str | None:
        """Return the command that shows what was recorded, or None where there is none.

        Args:
            steps: How many steps were recorded.
        """
