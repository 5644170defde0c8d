"""Errors of a view and write errors: each cause reported once, on the training thread."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..record.sink import Sink

HOOKS_LEFT_OUT = (
    "kerasviz_callbacks: on_epoch_begin was not called, so the model before training is not shown. Where hooks "
    "are called by hand, call on_train_begin, on_epoch_begin, on_epoch_end and, so that everything is "
    "written, on_train_end."
)


class Failures:
    """Errors of a view, collected on any thread and reported on the training thread, where warnings are visible."""

    def __init__(self, name: str, on_error: str) -> None:
        self.name, self.on_error = name, on_error
        self._waiting: list[tuple[str, BaseException]] = []
        self._reported: set[tuple[str, str]] = set()

    def add(self, stage: str, error: BaseException) -> None:
        """Record an error; `stage` is a verb, such as "draw": "GradCAM could not draw"."""
        self._waiting.append((stage, error))

    @contextmanager
    def collect(self, stage: str, kind: type[BaseException] = Exception) -> Iterator[None]:
        """Record and suppress exceptions of type `kind` raised in this context."""
        try:
            yield
        except kind as error:
            self.add(stage, error)

    def report(self, sinks: Sequence[Sink] = ()) -> None:
        """Warn about errors since the last report, each cause once; with `on_error="raise"` raise the first.

        Write errors of the sinks are reported too, once for all views of a log directory.
        """
        waiting, self._waiting = self._waiting, []
        for stage, error in waiting:
            if self.on_error == "raise":
                raise error
            cause = (stage, type(error).__name__)
            if cause not in self._reported:
                self._reported.add(cause)
                warnings.warn(
                    f"{self.name} could not {stage} ({type(error).__name__}: {error}); training goes on. "
                    'Further failures of this kind are not shown; on_error="raise" stops at the first.',
                    stacklevel=4,
                )
        for sink in sinks:
            self._report_write_errors(sink)

    def _report_write_errors(self, sink: Sink) -> None:
        causes = sink.errors.causes
        if self.on_error == "raise" and causes:
            raise causes[0]
        while sink.errors.told < len(causes):
            error = causes[sink.errors.told]
            sink.errors.told += 1
            where = f'"{error.filename}"' if error.filename else "the log"
            warnings.warn(
                f"kerasviz_callbacks could not write to {where} ({type(error).__name__}: {error}); training goes on, "
                "and so do the views: what cannot be written is lost, and counted at the end. Free some space or make "
                'the directory writable again; on_error="raise" stops at the first.',
                stacklevel=5,
            )
