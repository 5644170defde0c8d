"""The newest images under the cell of a notebook while `fit` runs, and the whole training as a page at its end."""

from __future__ import annotations

import base64
import sys
import threading
import time
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from .console import say
from .event_files import EventFileSink
from .sink import Sink
from .write_errors import WriteErrors

MOST_IMAGES = 4
"""Images that are shown at a time."""

MOST_BYTES = 2_000_000
"""Of one image; larger ones are left out, with a line."""

SECONDS_BETWEEN_UPDATES = 1.0

PAGE_BYTES = 5_000_000
"""Of the page at the end, which stays in the saved notebook."""

_CAMS = ("grad_cam", "grad_cam++", "hires_cam", "layer_cam", "xgrad_cam", "eigen_cam", "score_cam", "ablation_cam")
_ORDER = ("overfitting", "predictions", *_CAMS, "latent", "generated", "reconstructions", "confusion")
_RUNS = ("validation", "model", "train")

Key = tuple[str, str]  # run and tag

_displayed: set[str] = set()  # the ids of the displays there are, in this process


def notebook_shell() -> Any:
    """The IPython shell of a notebook (Jupyter, Colab, Kaggle, VS Code), or None elsewhere; imports nothing."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    return shell if getattr(shell, "kernel", None) is not None else None


def shown_in_notebook(notebook: bool | str) -> bool:
    """Whether images are shown there, by the argument `notebook` of a view: "auto", True or False."""
    return notebook is True or (notebook == "auto" and notebook_shell() is not None)


class NotebookSink(Sink):
    """The `Sink` that shows the newest images below the cell that runs.

    Images arrive on the worker; `update` shows them on the training thread, one display an image, which is updated in
    place, so that all other output stays.

    Args:
        events: Where the same images are logged; the page at the end is made of these files.
    """

    def __init__(self, events: EventFileSink) -> None:
        self.errors = WriteErrors()
        self._events = events
        self._patterns: list[str] = []
        self._one_of_each_view = False
        self._lock = threading.Lock()
        self._arriving: dict[Key, tuple[int, bytes]] = {}
        self._newest: dict[Key, tuple[int, bytes]] = {}
        self._shown: dict[Key, int] = {}  # the step that is on the screen
        self._runs: set[str] = set()
        self._last_update = 0.0
        self._news = False
        self._failed = False
        self._too_large: set[str] = set()

    def show(self, patterns: Sequence[str] | None) -> None:
        """Show tags that fit these patterns too, in their order; None: one image of each view, by `_ORDER`."""
        self._patterns += [pattern for pattern in patterns or () if pattern not in self._patterns]
        self._one_of_each_view |= patterns is None

    def image(self, run: str, tag: str, step: int, png: bytes, description: str = "") -> None:
        """Keep the newest image of a tag; it is shown after `flush`."""
        self._runs.add(run)
        if tag.endswith("/timelapse") or self._rank(tag) is None:
            return
        if len(png) > MOST_BYTES:
            self._too_large.add(tag)
        else:
            self._arriving[run, tag] = (step, png)

    def flush(self) -> None:
        """The images of a step are complete: they may be shown together."""
        with self._lock:
            self._newest.update(self._arriving)
            self._news = self._news or bool(self._arriving)
        self._arriving.clear()

    def update(self, *, last: bool = False) -> None:
        """Show what is new, at most once a second unless it is the last time. Called on the training thread."""
        now = time.monotonic()
        if self._failed or not (self._news or last):
            return
        if not last and now - self._last_update < SECONDS_BETWEEN_UPDATES:
            return
        self._last_update = now
        try:
            self._show_newest()
        except Exception as error:  # here it would end the training
            self._failed = True
            say(f"kerasviz_callbacks: nothing more is shown in the notebook: {type(error).__name__}: {error}")
        if last and self._too_large:
            say(f"kerasviz_callbacks: too large for the notebook: {', '.join(sorted(self._too_large))}.")

    def _show_newest(self) -> None:
        with self._lock:
            newest, self._news = dict(self._newest), False
        for key in self._chosen(newest):
            step, png = newest[key]
            if self._shown.get(key) != step:
                run, tag = key
                text = f"{tag} of {run}, step {step}"
                self._display(f"{run}/{tag}", {"image/png": base64.b64encode(png).decode(), "text/plain": text})
                self._shown[key] = step

    def show_page(self, *, quiet: bool = False) -> None:
        """Show all logged steps with a slider, thinned so that the notebook stays small, and say how large it is."""
        if self._failed or not self._runs:
            return
        try:
            from kerasviz_timeline.notebook_page import notebook_page

            runs = {run: self._events.path_of(run) for run in self._runs}
            first = [(runs[run], tag) for run, tag in self._shown]
            beside = (".", "train", "validation")  # where Keras logs its losses
            page = notebook_page(self._events.directory, list(runs.values()), PAGE_BYTES, first, beside)
            if not quiet:
                say(f"kerasviz_callbacks: {page.summary}")
            self._display("page", {"text/html": page.html, "text/plain": page.summary})
        except Exception as error:
            say(f"kerasviz_callbacks: no page in the notebook: {error}")

    def _rank(self, tag: str) -> tuple[int, int, str] | None:
        """Where a tag stands among those that are shown; None if it is not."""
        found = [place for place, pattern in enumerate(self._patterns) if fnmatchcase(tag, pattern)]
        if found:
            return (0, found[0], tag)
        view = tag.split("/")[0]
        return (1, _ORDER.index(view) if view in _ORDER else len(_ORDER), view) if self._one_of_each_view else None

    def _chosen(self, newest: dict[Key, tuple[int, bytes]]) -> list[Key]:
        """Of each view, or each tag that `show` names, the image of the first run; those on the screen stay."""
        found: dict[Any, Key] = {}
        place = {run: number for number, run in enumerate(_RUNS)}
        ordered = sorted(
            newest, key=lambda key: (self._rank(key[1]), key not in self._shown, place.get(key[0], len(place)), key)
        )
        for run, tag in ordered:
            found.setdefault(self._rank(tag), (run, tag))
        known = [key for key in found.values() if key in self._shown]
        return [*known, *(key for key in found.values() if key not in self._shown)][:MOST_IMAGES]

    def _display(self, name: str, content: dict[str, str]) -> None:
        """Show something, or replace what is shown."""
        import IPython.display

        show: Any = IPython.display.display
        shell = notebook_shell()
        if shell is None:
            raise RuntimeError("this is no notebook")
        # Fits of one training in one cell go on in the same displays.
        display_id = f"kerasviz-{shell.execution_count}-{self._events.directory / self._events.group}-{name}"
        show(content, raw=True, display_id=display_id, update=display_id in _displayed)
        _displayed.add(display_id)
