"""What went wrong in a view, and what could not be written: told once a cause, on the training thread."""

from __future__ import annotations

import warnings

from ..record.log import Log


class Failures:
    """Failures of a view, noted on any thread and told on the training thread, where a warning is seen."""

    def __init__(self) -> None:
        self._waiting: list[tuple[str, BaseException]] = []
        self._told: set[tuple[str, str]] = set()

    def add(self, stage: str, error: BaseException) -> None:
        """Note that the view could not `stage`, such as "draw"."""
        self._waiting.append((stage, error))

    def report(self, name: str, on_error: str) -> None:
        """Say what failed since the last time, each cause once; with `on_error="raise"` raise the first.

        Args:
            name: of the view.
            on_error: `"warn"` or `"raise"`.
        """
        waiting, self._waiting = self._waiting, []
        for stage, error in waiting:
            if on_error == "raise":
                raise error
            cause = (stage, type(error).__name__)
            if cause not in self._told:
                self._told.add(cause)
                warnings.warn(
                    f"{name} could not {stage} ({type(error).__name__}: {error}); training goes on. "
                    'Further failures of this kind are not shown; on_error="raise" stops at the first.',
                    stacklevel=4,
                )


def report_write_errors(log: Log, on_error: str) -> None:
    """Say what could not be written since the last time, once a cause for all views that log to one place.

    Args:
        log: where it should have gone.
        on_error: `"warn"` or `"raise"`.
    """
    causes = log.losses.causes
    if on_error == "raise" and causes:
        raise causes[0]
    while log.losses.told < len(causes):
        error = causes[log.losses.told]
        log.losses.told += 1
        where = error.filename or log.log_dir
        warnings.warn(
            f'kerasviz_callbacks could not write to "{where}" ({type(error).__name__}: {error}); '
            "training goes on, and so do the views: what cannot be written is lost, and counted at the end. Free some "
            'space or make the directory writable again; on_error="raise" stops at the first.',
            stacklevel=4,
        )
