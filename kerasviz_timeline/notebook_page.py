"""The page that stays in a saved notebook: thinned to a size that notebooks bear."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from .export import Chosen, Page, Selection, seen_at
from .export_html import frame, plan

_HINT = (
    '<p style="font:12px sans-serif;opacity:.7">Nothing to be seen? Notebooks show such a frame only where they are '
    "trusted: <i>Trust Notebook</i> (in VS Code: trust the workspace), or run the cell again.</p>"
)
_SHARES = (0.9, 0.75, 0.5)  # of the size that is aimed at, since sizes are estimated
_SMALLEST = 0.1  # no image becomes smaller than this share of its PNG


class NotebookPage(NamedTuple):
    """HTML for the output of a cell, and a line that says what it holds."""

    html: str
    summary: str


def notebook_page(
    log_dir: str | os.PathLike[str],
    runs: Sequence[str],
    max_size: int,
    first: Sequence[tuple[str, str]] = (),
    beside: Sequence[str] = (),
) -> NotebookPage:
    """All images of some runs as a page of at most `max_size` bytes.

    What does not fit as it was logged is converted to WebP; if that does not suffice, only the series `first` (run and
    tag) and those that fit beside them are kept, and if these do not fit, every n-th of their steps. `beside` are other
    runs whose losses are shown; no further run is read.

    Raises:
        ValueError: there are no images, or one step alone is too large.
    """
    selection = Selection(runs=[glob.escape(run) for run in runs])
    whole = plan(log_dir, selection, only=frozenset((*runs, *beside)))
    page = whole
    for share in (1.0, *_SHARES):
        if share < 1:
            page = replace(whole, selection=replace(selection, format="webp"))
            page = replace(page, chosen=_fitting(page, share * max_size, first))
        if page.size() <= max_size:
            html = frame(b"".join(page.pieces()).decode("utf-8")) + _HINT
            if len(html) <= max_size:
                return NotebookPage(html, _summary(page, whole, len(html)))
    raise ValueError(f"one step alone has more than {max_size / 1e6:g} MB")


def _fitting(page: Page, max_size: float, first: Sequence[tuple[str, str]]) -> list[Chosen]:
    """Of the series of a page those that fit: the first ones, if need be thinned, then others."""
    rank = {key: number for number, key in enumerate(first)}
    ranked = sorted(page.chosen, key=lambda one: rank.get((one.run, one.tag), len(rank)))
    needed = max(1, sum((one.run, one.tag) in rank for one in ranked))
    steps = sorted({step for one in ranked for step in one.steps})
    left = max_size - sum(map(len, page.frame))

    def thinned(one: Chosen, every: int) -> Chosen:
        return one if every == 1 else seen_at(one, [*steps[::every], *steps[-1:]])

    def size(one: Chosen) -> int:
        return sum(page.sizes_of(one))

    every = 1
    while every < len(steps) and sum(size(thinned(one, every)) for one in ranked[:needed]) > left:
        every += 1
    kept = [thinned(one, every) for one in ranked[:needed]]
    left -= sum(map(size, kept))
    for one in (thinned(one, every) for one in ranked[needed:]):
        if _SMALLEST * sum(place.size for place in one.places) > left:
            continue  # not worth an estimate, for which images are converted
        if size(one) <= left:
            kept.append(one)
            left -= size(one)
    return [one for one in kept if one.places]


def _summary(page: Page, whole: Page, size: int) -> str:
    def of(some: int, all_of_them: int, what: str) -> str:
        return f"all {some} {what}" if some == all_of_them else f"{some} of {all_of_them} {what}"

    form = "" if page.selection.format == "png" else f" as {page.selection.format}"
    held = f"{of(page.steps, whole.steps, 'steps')} of {of(len(page.chosen), len(whole.chosen), 'images')}{form}"
    return f"the page below holds {held}, {size / 1e6:.1f} MB in the saved notebook."
