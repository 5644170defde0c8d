"""The whole training as one animated picture a tag, kept small while it goes on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ..draw.stack import on_paper
from ..draw.stamp import stamped
from ..record.animation import animation
from ..record.png import decode, encode, size_of
from ..record.sink import Sink
from .markdown import code_span
from .types import Image

MOST_FRAMES = 50
MOST_BYTES = 8 * 2**20
LAST = 2000
"""Milliseconds that the last frame is held; all others together take `_PLAYED` at most."""

_PLAYED, _FASTEST, _SLOWEST = 10_000, 200, 600
_THREADS = 4
_DESCRIPTION = """**The training as it went: {tag} from {first} to {last}**, {count} of its {seen} drawn steps.

*How to read it:* below the picture stands the step; the line beside it fills from the first step to the last, which is
held for two seconds. Then it begins again.

{about}"""


@dataclass
class Frames:
    """The steps of one tag, as many as there is room for: all, every 2nd, every 4th ..., always the first and the last.

    Attributes:
        about: what the picture is, in Markdown.
        most: frames, at least 2.
        most_bytes: bytes of PNG; the first and the last are kept in any case.
        seen: how many steps were added.
    """

    about: str = ""
    most: int = MOST_FRAMES
    most_bytes: int = MOST_BYTES
    seen: int = 0
    _every: int = 1
    _kept: list[tuple[int, bytes]] = field(default_factory=list)
    _last: tuple[int, bytes] | None = None

    def add(self, step: int, png: bytes) -> None:
        """Keep a frame; drop every second one where they become too many."""
        if self.seen % self._every == 0:
            self._kept.append((step, png))
            self._last = None
        else:
            self._last = (step, png)
        self.seen += 1
        while len(self._kept) > 1 and not self._fits():
            self._thin()

    def _thin(self) -> None:
        self._every *= 2
        if self._last is None:
            self._last = self._kept[-1]
        self._kept = self._kept[::2]
        if self._last[0] == self._kept[-1][0]:
            self._last = None

    def _fits(self) -> bool:
        frames = self.all()
        return len(frames) <= self.most and (len(frames) <= 2 or sum(len(png) for _, png in frames) <= self.most_bytes)

    def all(self) -> list[tuple[int, bytes]]:
        """Step and PNG file of each frame."""
        return [*self._kept, *([self._last] if self._last is not None else [])]


class Timelapse:
    """Keeps what is drawn during a fit as PNG bytes, and writes one animation a tag at its end."""

    def __init__(self) -> None:
        self._frames: dict[tuple[str, str], Frames] = {}

    def add(self, drawn: Image, step: int, png: bytes) -> None:
        """Keep one picture, encoded as it was logged."""
        self._frames.setdefault((drawn.source, drawn.tag), Frames(drawn.description)).add(step, png)

    def write(self, sinks: Sequence[Sink]) -> None:
        """Write them as `<tag>/timelapse` at the last step drawn."""
        for (source, tag), frames in self._frames.items():
            steps = [step for step, _ in frames.all()]
            about = _DESCRIPTION.format(
                tag=code_span(tag),
                first="the untrained model" if steps[0] < 0 else f"step {steps[0]}",
                last=f"step {steps[-1]}",
                count=len(steps),
                seen=frames.seen,
                about=frames.about,
            )
            film = animated(frames.all())
            for sink in sinks:
                with sink.errors.collect():
                    sink.image(source, f"{tag}/timelapse", steps[-1], film, about)


def animated(frames: Sequence[tuple[int, bytes]]) -> bytes:
    """An animated PNG file of frames `(step, PNG file)`, each stamped with its step; on white where sizes differ."""
    steps = [step for step, _ in frames]
    sizes = [size_of(png) for _, png in frames]
    height, width = (max(side) for side in zip(*sizes, strict=True))

    def one(frame: tuple[int, bytes]) -> bytes:
        step, png = frame
        return encode(stamped(on_paper(decode(png), height, width), step=step, first=steps[0], last=steps[-1]))

    # Training is over; other threads run while pictures are decoded and encoded.
    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
        return animation(list(pool.map(one, frames)), durations(len(frames)))


def durations(count: int) -> list[int]:
    """Milliseconds of each frame: at most five a second, about twelve seconds in all, the last held."""
    each = min(max(_PLAYED // max(1, count - 1), _FASTEST), _SLOWEST)
    return [each] * (count - 1) + [LAST]
