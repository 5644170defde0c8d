"""The page that stays in a saved notebook: thinned to a size that notebooks bear."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from .export import Chosen, Page, Selection
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
    log_dir: str | os.PathLike[str], runs: Sequence[str], max_size: int, first: Sequence[tuple[str, str]] = ()
) -> NotebookPage:
    """All images of some runs as a page of at most `max_size` bytes.

    What does not fit as it was logged is converted to WebP; if that does not suffice, only the series `first` (run and
    tag) and those that fit beside them are kept, and if these do not fit, every n-th of their steps.

    Raises:
        ValueError: there are no images, or one step alone is too large.
    """
    whole = page = plan(log_dir, Selection(runs=[glob.escape(run) for run in runs]))
    for share in _SHARES:
        html = frame(b"".join(page.pieces()).decode("utf-8")) + _HINT if page.size() <= max_size else ""
        if html and len(html) <= max_size:
            return NotebookPage(html, _summary(page, whole, len(html)))
        page = replace(whole, selection=replace(whole.selection, format="webp"))
        page.chosen = _fitting(page, share * max_size, first)
    raise ValueError(f"one step alone has more than {max_size / 1e6:g} MB")


def _fitting(page: Page, max_size: float, first: Sequence[tuple[str, str]]) -> list[Chosen]:
    """Of the series of a page those that fit: the first ones, if need be thinned, then others."""
    place = {key: number for number, key in enumerate(first)}
    ranked = sorted(page.chosen, key=lambda one: place.get((one.run, one.tag), len(place)))
    needed = max(1, sum((one.run, one.tag) in place for one in ranked))
    steps = sorted({step for one in ranked for step in one.steps})
    left = max_size - sum(map(len, page.frame()))
    sizes = {one.number: page.sizes_of(one) for one in ranked[:needed]}
    every = 1
    while (
        every < len(steps)
        and sum(_thinned_size(one, sizes[one.number], steps, every) for one in ranked[:needed]) > left
    ):
        every += 1
    kept = []
    for place_among, one in enumerate(ranked):
        if place_among >= needed and _SMALLEST * sum(one.sizes) / every > left:
            continue  # not worth an estimate
        size = _thinned_size(one, sizes.get(one.number) or page.sizes_of(one), steps, every)
        if place_among < needed or size <= left:
            kept.append(_thinned(one, steps, every))
            left -= size
    return [one for one in kept if one.positions]


def _kept(one: Chosen, steps: list[int], every: int) -> list[int]:
    """Which entries of a series stay if every n-th of all steps does, and the last one."""
    wanted = {*steps[::every], *steps[-1:]}
    return [entry for entry, step in enumerate(one.steps) if step in wanted]


def _thinned(one: Chosen, steps: list[int], every: int) -> Chosen:
    kept = _kept(one, steps, every)
    positions, at, sizes = ([column[entry] for entry in kept] for column in (one.positions, one.steps, one.sizes))
    return one._replace(positions=positions, steps=at, sizes=sizes)


def _thinned_size(one: Chosen, sizes: list[int], steps: list[int], every: int) -> int:
    return sum(sizes[entry] for entry in _kept(one, steps, every))


def _summary(page: Page, whole: Page, size: int) -> str:
    def of(some: int, all_of_them: int, what: str) -> str:
        return f"all {some} {what}" if some == all_of_them else f"{some} of {all_of_them} {what}"

    form = "" if page.selection.format == "png" else f" as {page.selection.format}"
    held = f"{of(page.steps, whole.steps, 'steps')} of {of(len(page.chosen), len(whole.chosen), 'images')}{form}"
    return f"the page below holds {held}, {size / 1e6:.1f} MB in the saved notebook."
