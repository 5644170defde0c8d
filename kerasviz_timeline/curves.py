"""Scalars of the runs, for the strip below the slider."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from .event_file import ScalarEvent

POINTS = 1000  # at most, of one curve

Curve = list[tuple[int, float | None]]  # (step, value); None for what is no finite number

_LOSS = re.compile(r"(^|[/_.])loss$")


def loss_tags(tags: Iterable[str]) -> list[str]:
    """The tags that a person looks for first: losses, the shortest names first."""
    return sorted((tag for tag in tags if _LOSS.search(tag.lower())), key=lambda tag: (len(tag), tag))


def thinned(points: Iterable[tuple[int, float]]) -> Curve:
    """Points ordered by step, at most `POINTS` of them, evenly chosen, with the last one. JSON knows no NaN."""
    ordered = sorted(dict(points).items())
    if len(ordered) > POINTS:
        last = len(ordered) - 1
        ordered = [ordered[round(place * last / (POINTS - 1))] for place in range(POINTS)]
    return [(step, value if math.isfinite(value) else None) for step, value in ordered]


class ScalarCollector:
    """Collects the losses of an index that is read without TensorBoard: pass it as `on_scalar`."""

    def __init__(self) -> None:
        self._points: dict[str, dict[str, list[tuple[int, float]]]] = {}

    def __call__(self, run: str, event: ScalarEvent) -> None:
        """Take in one number of a run, if it is a loss."""
        if not _LOSS.search(event.tag.lower()):
            return
        self._points.setdefault(event.tag, {}).setdefault(run, []).append((event.step, event.value))

    def tags(self) -> list[str]:
        """All tags, sorted."""
        return sorted(self._points)

    def curves(self, tag: str) -> dict[str, Curve]:
        """The curve of each run that has the tag."""
        return {run: thinned(points) for run, points in sorted(self._points.get(tag, {}).items())}


class ProviderScalars:
    """The scalars that TensorBoard has loaded itself, by its data provider."""

    def __init__(self, provider: Any, context: Any, experiment: str) -> None:
        self._provider = provider
        self._request = {"experiment_id": experiment, "plugin_name": "scalars"}
        self._context = context

    def tags(self) -> list[str]:
        """All tags, sorted."""
        found: Mapping[str, Mapping[str, Any]] = self._provider.list_scalars(self._context, **self._request)
        return sorted({tag for by_tag in found.values() for tag in by_tag})

    def curves(self, tag: str) -> dict[str, Curve]:
        """The curve of each run that has the tag."""
        from tensorboard.data.provider import RunTagFilter

        found = self._provider.read_scalars(
            self._context, **self._request, downsample=POINTS, run_tag_filter=RunTagFilter(tags=[tag])
        )
        return {
            run: thinned((point.step, point.value) for point in by_tag[tag])
            for run, by_tag in sorted(found.items())
            if tag in by_tag
        }
