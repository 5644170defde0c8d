"""Images, scalars, text and projector points in TensorBoard event files, and files beside them."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from .events import EventFile
from .files import put
from .png import size_of
from .projector import Points, Projector
from .sink import DirectorySink, is_loggable
from .steps import last_step

MAX_WAITING = 4 * 2**20
"""Bytes of images of one run that wait in memory."""


class EventFileSink(DirectorySink):
    """The `Sink` that TensorBoard reads: one event file a run, `log_dir/<group>/<run>`.

    Directories and files are made when first written to, and made again when deleted while training runs. Images,
    scalars and text of a run wait in memory until `flush`, or until the images take `MAX_WAITING`, and are written in
    one write, so that a slow disk costs one wait a run and not one an image.

    Args:
        directory: The user's log directory, the one TensorBoard is started on.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        super().__init__(directory)
        self._named = os.fspath(directory)
        self._files: dict[str, EventFile] = {}
        self._projectors: dict[str, Projector] = {}
        self._last_scalar: dict[tuple[str, str], int] = {}

    def holds_step(self, group: Path, first_step: int) -> bool:
        """Say whether a run in the group, or the group's directory itself, holds `first_step` or a later step.

        A second training that began again at step 0 in the same run would take the place of the first in one of
        TensorBoard's loaders and be mixed with it in the other.
        """
        lasts = (last_step(directory) for directory, _, _ in os.walk(group))
        return any(last is not None and last >= first_step for last in lasts)

    def image(self, run: str, tag: str, step: int, png: bytes, description: str = "") -> None:
        """Add one PNG file, which may be animated, to what waits; see `Sink.image`."""
        height, width = size_of(png)
        file = self._file(run)
        file.image(tag, step, png, width=width, height=height, description=description)
        if file.waiting_bytes >= MAX_WAITING:
            self._each(EventFile.flush, [file])

    def scalar(self, run: str, tag: str, step: int, value: float, description: str = "") -> None:
        """Add one number to what waits; of several at one step the first, since TensorBoard would show them all."""
        if is_loggable(value) and self._last_scalar.get((run, tag)) != step:
            self._file(run).scalar(tag, step, value, description=description)
            self._last_scalar[run, tag] = step

    def text(self, run: str, tag: str, step: int, markdown: str, description: str = "") -> None:
        """Add one text for TensorBoard's Text tab to what waits."""
        self._file(run).text(tag, step, markdown, description=description)

    def points(self, run: str, points: Points) -> None:
        """Write the files of TensorBoard's projector into the run; see `Sink.points`."""
        self._file(run).open()  # without an event file TensorBoard knows of no such run
        if run not in self._projectors:
            self._projectors[run] = Projector(self.directory / self.path_of(run))
        self._projectors[run].write(points)

    def file(self, run: str, name: str, content: bytes) -> None:
        """Write a file beside the events of the run, whole or not at all."""
        path = self.directory / self.path_of(run) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        put(path, content)

    def read_file(self, run: str, name: str) -> bytes | None:
        """Read a file beside the events of the run; `None` if it is not there or cannot be read."""
        with suppress(OSError):
            return (self.directory / self.path_of(run) / name).read_bytes()
        return None

    def flush(self) -> None:
        """Write what waits, one write a run."""
        self._each(EventFile.flush, self._files.values())

    def close(self) -> None:
        """Flush, close the event files and release the claim; may be called again."""
        try:
            self._each(EventFile.close, self._files.values())
        finally:
            super().close()

    def closing_lines(self) -> list[str]:
        """Return the commands that show every step in TensorBoard, and that make a page of them."""
        # The shell expands no `~` within quotes.
        named = shlex.quote((os.fspath(self.directory) if self._named.startswith("~") else self._named) or ".")
        return [
            f"tensorboard --logdir {named}  # tab Timeline: every step",
            f"kerasviz export {named} training.html  # one page to send",
        ]

    def _file(self, run: str) -> EventFile:
        if run not in self._files:
            self._files[run] = EventFile(self.directory / self.path_of(run))
        return self._files[run]

    def _each(self, write: Callable[[EventFile], None], files: Iterable[EventFile]) -> None:
        """Write every file whatever becomes of the others, and raise the first error."""
        first, lost = None, 0
        for file in files:
            waiting = file.waiting
            try:
                write(file)
            except OSError as error:
                first, lost = first or error, lost + max(1, waiting)
        if first is not None:
            self.errors.count += lost - 1  # the caller counts one
            raise first
