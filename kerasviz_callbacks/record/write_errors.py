"""What could not be written: counted, and each cause named once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class WriteErrors:
    """Noted where things are written, asked for where a person is told; the two may be different threads.

    Attributes:
        count: How many pictures, figures and files could not be written so far.
        causes: The first error of each kind, in their order.
        told: How many of them a person was told of.
    """

    def __init__(self) -> None:
        self.count = 0
        self.causes: list[OSError] = []
        self.told = 0

    @contextmanager
    def noted(self) -> Iterator[None]:
        """While open, one thing is written; that the system refuses it is noted, and goes no further."""
        try:
            yield
        except OSError as error:
            self.count += 1
            if all((type(one), one.errno) != (type(error), error.errno) for one in self.causes):
                self.causes.append(error)
