"""`ViewWriter`: writes what one view has measured and drawn to the sinks of its fit."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..fit_context import with_part, with_suffix
from ..record.png import encode
from ..record.sink import Sink
from .failures import Failures
from .stages import Stages
from .timelapse import Timelapse
from .types import Image, LastStep, Measured

_FILES_WAIT = 20.0
"""Files are written again after so many times the seconds that it took to write them."""


class ViewWriter:
    """Writes scalars, images, points and texts of a view; errors are collected.

    It runs on the worker, where `sys.exit` in user code has no effect: hence `BaseException`.

    Attributes:
        sinks: where it writes, set at the first epoch.
        suffix: what tells the tags of the view from those of another view of the fit, such as `"-2"`.
    """

    def __init__(self, view: Stages, failures: Failures, part: str):
        self.sinks: Sequence[Sink] = ()
        self.suffix = ""
        self._view, self._failures, self._part = view, failures, part
        self._timelapse = Timelapse() if view.timelapse else None
        self._files_of: LastStep | None = None  # the newest step whose files wait
        self._files_at = self._files_took = 0.0

    def tag(self, tag: str) -> str:
        """Return a tag with the part that the view looks at, and its suffix."""
        return with_suffix(with_part(tag, self._part), self.suffix)

    def write_scalars(self, measured: Mapping[str, Measured], step: int) -> None:
        """Write the scalars of every data source."""
        with self._failures.collect("write scalars", BaseException):
            for source, one in measured.items():
                for tag, value in one.scalars.items():
                    suffixed, about = self.tag(tag), self._view.describe(tag)
                    for sink in self.sinks:
                        with sink.errors.collect():
                            sink.scalar(source, suffixed, step, value, about)

    def draw(self, last: LastStep) -> None:
        """Draw and write the images, points and texts of a step."""
        with self._failures.collect("draw", BaseException):
            self._write_images(last)
        with self._failures.collect("write points", BaseException):
            self._write_points(last)
        with self._failures.collect("write texts", BaseException):
            self._write_texts(last)

    def animate(self) -> None:
        """Write the animation of all drawn steps, if the view has one."""
        if self._timelapse is not None:
            with self._failures.collect("write the timelapse", BaseException):
                self._timelapse.write(self.sinks)

    def _write_images(self, last: LastStep) -> None:
        for image in self._view.draw(last.measured):
            png = encode(image.picture)
            tagged = replace(image, tag=self.tag(image.tag), description=self._described(image))
            for sink in self.sinks:
                with sink.errors.collect():
                    sink.image(tagged.source, tagged.tag, last.step, png, tagged.description)
            if self._timelapse is not None:
                self._timelapse.add(tagged, last.step, png)

    def _described(self, image: Image) -> str:
        """Return the description of an image, with which of the model's layers the view selected."""
        selection = self._view.selection
        return f"{image.description}\n\n*Layers shown:* {selection}." if selection else image.description

    def _write_points(self, last: LastStep) -> None:
        for source, points in self._view.points(last.measured):
            named = replace(points, name=self._name(points.name))
            for sink in self.sinks:
                with sink.errors.collect():
                    sink.points(source, named)

    def read_file(self, source: str, name: str) -> bytes | None:
        """Read a file of the fit that this one resumes."""
        found = (sink.read_file(source, self._file_name(name)) for sink in self.sinks)
        return next((content for content in found if content is not None), None)

    def _name(self, name: str) -> str:
        """Return a name with the part that the view looks at, and its suffix."""
        part = f"-{self._part.replace('/', '-')}" if self._part else ""
        return f"{name}{part}{self.suffix}"

    def _file_name(self, name: str) -> str:
        stem, dot, kind = name.rpartition(".")
        return f"{self._name(stem)}{dot}{kind}"

    def write_files(self, last: LastStep) -> None:
        """Write the files of a step, unless that would take more than a twentieth of the time: then it waits."""
        self._files_of = last
        if time.monotonic() - self._files_at >= _FILES_WAIT * self._files_took:
            self.write_waiting_files()

    def write_waiting_files(self) -> None:
        """Write the files of the newest step that were not written yet."""
        last, self._files_of = self._files_of, None
        if last is None:
            return
        began = time.monotonic()
        with self._failures.collect("write files", BaseException):
            for source, name, content in self._view.files(last.measured):
                for sink in self.sinks:
                    with sink.errors.collect():
                        sink.file(source, self._file_name(name), content)
        self._files_at = time.monotonic()
        self._files_took = self._files_at - began

    def _write_texts(self, last: LastStep) -> None:
        for text in self._view.texts(last.measured):
            for sink in self.sinks:
                with sink.errors.collect():
                    sink.text(text.source, self.tag(text.tag), last.step, text.markdown, text.description)
