"""The index of a log directory: every image series of every run, kept up to date while trainings write."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from . import log_files
from .event_file import EventFile, ImageEvent, ScalarEvent
from .image_series import ImageSeries, Place
from .log_files import EventFilePath, OpenFile

_RECORDS = 1024  # between two looks at the clock


class _Followed:
    """An event file and how far it has been read."""

    def __init__(self, number: int, path: str, scalars: bool) -> None:
        self.number, self.path = number, path
        self._source: OpenFile | None = None
        self._seen: tuple[object, ...] = ()  # size and identity when it was looked at last
        self._marks: tuple[bytes, bytes] = b"", b""  # of the first record and the last one that was read
        self.reader = EventFile(self._read, scalars=scalars)

    def news(self, size: int) -> Iterator[list[ImageEvent | ScalarEvent]]:
        """The events of each record up to `size`; nothing where the file cannot be opened."""
        try:
            with OpenFile(self.path, size) as self._source:
                try:
                    yield from self.reader.read_on(size)
                finally:  # also where it is left before the end, because its time is over
                    self._marks = self._look()
        except OSError:
            return
        finally:
            self._source = None

    def is_still(self, file: EventFilePath) -> bool:
        """Whether what has been read is still there: the file may have been replaced, also by a copy of itself."""
        if (file.size, file.identity) == self._seen or not self.reader.offset:
            return True
        if file.size < self.reader.offset:
            return False
        try:
            with OpenFile(self.path, file.size) as self._source:
                still = self._marks in ((b"", b""), self._look())
        except OSError:
            return False
        finally:
            self._source = None
        self._seen = (file.size, file.identity) if still else ()
        return still

    def _look(self) -> tuple[bytes, bytes]:
        return self._read(0, 64), self._read(self.reader.last, 12)

    def _read(self, offset: int, count: int) -> bytes:
        assert self._source is not None
        return self._source.read(offset, count)


class LogIndex:
    """All images under the roots of a log directory.

    It may be used by several threads. `series` only grows: a series whose images are gone is empty. `generation` counts
    the refreshes that found something; `changed` of a series is that of its last change.

    - `on_scalar`: called with the run and each scalar; without it scalars are not looked at, which is quicker.
    - `only`: the runs to read; None reads all.
    """

    def __init__(
        self,
        roots: list[tuple[str | None, str]],
        *,
        on_scalar: Callable[[str, ScalarEvent], None] | None = None,
        only: frozenset[str] | None = None,
    ) -> None:
        self.series: list[ImageSeries] = []
        self.descriptions: dict[str, str] = {}
        self.id = f"{time.time_ns():x}"  # of this index: generations and numbers of another one mean something else
        self.lock = threading.Lock()  # held while `series` changes
        self.generation = 0  # of the last refresh that found something
        self.complete = False
        self.bytes_read = self.bytes_known = 0
        self._roots = roots
        self._on_scalar, self._only = on_scalar, only
        self._files: dict[tuple[str, str], _Followed] = {}
        self._paths: list[str] = []  # by number of the file
        self._by_run: dict[str, dict[tuple[str, int], int]] = {}  # numbers of series, by tag and sample
        self._next = 1
        self._refreshing = threading.Lock()

    def refresh(self, seconds: float = float("inf")) -> bool:
        """Read what is new, for about so many seconds. True if all has been read."""
        with self._refreshing:
            until = time.monotonic() + seconds
            self._next = self.generation + 1
            found = [file for name, root in self._roots for file in log_files.event_files(name, root)]
            found = [file for file in found if self._only is None or file.run in self._only]
            self._forget_changed_runs(found)
            self.bytes_known = sum(file.size for file in found)
            self.complete = self._read_files(found, until)
            self.bytes_read = sum(followed.reader.offset for followed in self._files.values())
            if any(series.changed == self._next for series in self.series):
                self.generation = self._next
            return self.complete

    def image(self, series: int, version: int, position: int) -> bytes | None:
        """The bytes of an image; None if it is not there, or its series has another version meanwhile."""
        if not 0 <= series < len(self.series):
            return None
        with self.lock:
            one = self.series[series]
            if one.version != version or not 0 <= position < len(one):
                return None
            place = one.place(position)
        return self.image_at(place)

    def image_at(self, place: Place) -> bytes | None:
        """The bytes at a place; None if they are not there."""
        try:
            data = log_files.read(self._paths[place.file], place.offset, place.size)
        except OSError:
            return None
        return data if len(data) == place.size else None

    def _forget_changed_runs(self, found: list[EventFilePath]) -> None:
        """Read a run anew if one of its files is gone, is another one, or comes before one that was read."""
        now = {(file.run, file.path): file for file in found}
        changed = {key[0] for key, one in self._files.items() if key not in now or not one.is_still(now[key])}
        last: dict[str, str] = {}
        for run, path in self._files:
            last[run] = max(last.get(run, ""), path)
        changed |= {run for run, path in now if (run, path) not in self._files and path < last.get(run, "")}
        if not changed:
            return
        self._files = {key: one for key, one in self._files.items() if key[0] not in changed}
        with self.lock:
            for number in (number for run in changed for number in self._by_run.get(run, {}).values()):
                self.series[number].clear()
                self.series[number].changed = self._next

    def _read_files(self, found: list[EventFilePath], until: float) -> bool:
        """Read the news of files until the time is over, at least some of them. True if it sufficed for all."""
        begun = False
        for file in found:
            followed = self._followed(file)
            if file.size <= followed.reader.offset:
                continue
            if (begun and time.monotonic() > until) or not self._read_file(file, followed, until):
                return False
            begun = True
        return True

    def _followed(self, file: EventFilePath) -> _Followed:
        key = (file.run, file.path)
        followed = self._files.get(key)
        if followed is None:
            followed = self._files[key] = _Followed(len(self._paths), file.path, self._on_scalar is not None)
            self._paths.append(file.path)
        return followed

    def _read_file(self, file: EventFilePath, followed: _Followed, until: float) -> bool:
        for count, events in enumerate(followed.news(file.size), 1):
            for event in events:
                if isinstance(event, ImageEvent):
                    with self.lock:
                        self._add(file.run, event, followed)
                elif self._on_scalar is not None:
                    self._on_scalar(file.run, event)
            if count % _RECORDS == 0 and time.monotonic() > until:
                return False
        return True

    def _add(self, run: str, event: ImageEvent, followed: _Followed) -> None:
        description = followed.reader.descriptions.get(event.tag)
        if description:
            self.descriptions.setdefault(event.tag, description)
        for sample, (offset, size) in enumerate(event.places):
            numbers = self._by_run.setdefault(run, {})
            number = numbers.setdefault((event.tag, sample), len(self.series))
            if number == len(self.series):
                self.series.append(ImageSeries(run, event.tag, sample))
            self.series[number].add(event.step, event.wall_time, Place(followed.number, offset, size))
            self.series[number].changed = self._next


def index_of(logdir: str, logdir_spec: str = "") -> LogIndex:
    """The index of a log directory, not read yet."""
    return LogIndex(log_files.roots(logdir, logdir_spec))
