"""What every destination of images, scalars, points and text can do."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from .directories import absolute
from .run_lock import LOCK_FILE, RunLock, claim_group
from .write_errors import WriteErrors

if TYPE_CHECKING:
    from .projector import Points

LARGEST_FLOAT32 = 3.4028234663852886e38
"""The largest float32: scalars are stored as float32, and beyond it they would become infinite."""


def is_loggable(value: float) -> bool:
    """Say whether a value can be recorded as a scalar: not NaN, and finite as a float32."""
    return bool(abs(value) <= LARGEST_FLOAT32)


class Sink:
    """A destination of images, scalars, points and text, used by one thread at a time.

    In its methods `run` is the source (`"validation"`, `"train"`, `"model"`), `tag` the name within it
    (`"filters/conv1"`), `step` the epoch or batch, -1 for the untrained model. Steps of one tag are recorded in
    increasing order. A description is Markdown; the first one of a tag in a run counts. Where a method says so, what is
    recorded may wait in memory until `flush`. The methods here do nothing: a subclass leaves out what it cannot record.
    Those that write raise an `OSError` if that is not possible, e.g. because the disk is full.

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
        return "views"

    def image(self, run: str, tag: str, step: int, png: bytes, description: str = "") -> None:
        """Record one image, a PNG file, perhaps animated; it may wait. Anything else raises a `ValueError`."""

    def scalar(self, run: str, tag: str, step: int, value: float, description: str = "") -> None:
        """Record one number, unless it is not `is_loggable` or the tag has one at this step already; it may wait."""

    def text(self, run: str, tag: str, step: int, markdown: str, description: str = "") -> None:
        """Record a text in Markdown; it may wait."""

    def points(self, run: str, points: Points) -> None:
        """Record the points that TensorBoard's projector shows, in place of the previous ones.

        Values, columns and pictures that do not fit each other raise a `ValueError`.
        """

    def file(self, run: str, name: str, content: bytes) -> None:
        """Record a file of a run, in place of the previous one of this name."""

    def read_file(self, run: str, name: str) -> bytes | None:
        """Return the file of a run that an earlier fit, which this one resumes, has recorded; `None` without one."""
        return None

    def flush(self) -> None:
        """Write what waits in memory; if that is not possible, it is lost and counted in `errors`."""

    def close(self) -> None:
        """Flush, close the files and release the claim; may be called again. Later writes begin new files.

        Files are closed and the claim is released even if what was waiting cannot be written.
        """

    def closing_lines(self) -> list[str]:
        """Return the commands that show what was recorded; none by default."""
        return []


class DirectorySink(Sink, ABC):
    """Base class of sinks that write into the first free group of a directory.

    Args:
        directory: Resolved now: a later `os.chdir` changes nothing.

    Attributes:
        directory: As an absolute path.
        group: `"views"`, `"views-2"`, ...; empty before `begin`.
    """

    lock_file: ClassVar[str] = LOCK_FILE

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.directory = absolute(directory)
        self.errors = WriteErrors()
        self.group = ""
        self._lock: RunLock | None = None

    @abstractmethod
    def holds_step(self, group: Path, first_step: int) -> bool:
        """Say whether the directory of a group holds `first_step` or a later step."""

    def begin(self, first_step: int) -> str:
        """Claim the first group that holds no step of `first_step` or later; see `Sink.begin`."""
        self.group, self._lock = claim_group(
            self.directory, lambda group: self.holds_step(group, first_step), self.lock_file
        )
        return self.group

    def path_of(self, run: str) -> str:
        """Return the path of a run below the directory, TensorBoard's name of the run: `views/validation`."""
        if not self.group:
            raise RuntimeError("begin(first_step) must be called before the first write")
        return f"{self.group}/{run}"

    def close(self) -> None:
        """Release the claim; may be called again."""
        if self._lock is not None:
            self._lock.release()
