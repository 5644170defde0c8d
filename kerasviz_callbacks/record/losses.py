"""What could not be written: counted, and each cause named once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Losses:
    """Noted where things are written, asked for where a person is told; the two may be different threads.

    Attributes:
        count: How many pictures, figures and files could not be written so far.
    """

    def __init__(self) -> None:
        self.count = 0
        self._known: set[tuple[type[OSError], int | None]] = set()
        self._waiting: list[OSError] = []

    @contextmanager
    def noted(self) -> Iterator[None]:
        """While open, one thing is written; that the system refuses it is noted, and goes no further."""
        try:
            yield
        except OSError as error:
            self.count += 1
            cause = (type(error), error.errno)
            if cause not in self._known:
                self._known.add(cause)
                self._waiting.append(error)

    def news(self) -> list[OSError]:
        """The first error of each cause, since the last time that this was asked."""
        waiting, self._waiting = self._waiting, []
        return waiting
