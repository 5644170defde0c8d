"""Counts what could not be written and keeps one error of each cause."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class WriteErrors:
    """Collected on the thread that writes, reported on the training thread.

    Attributes:
        count: How many images, scalars, texts and files could not be written so far.
        causes: The first error of each kind (type and `errno`), in the order in which they occurred.
        told: How many of the causes the user was told of.
    """

    def __init__(self) -> None:
        self.count = self.told = 0
        self.causes: list[OSError] = []

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Count an `OSError` raised inside instead of letting it propagate; wrap one write at a time."""
        try:
            yield
        except OSError as error:
            self.count += 1
            if all((type(one), one.errno) != (type(error), error.errno) for one in self.causes):
                self.causes.append(error)
