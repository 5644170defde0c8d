"""All drawn steps of a tag as one animated image, with bounded memory during training."""

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

MAX_FRAMES = 50
MAX_BYTES = 8 * 2**20
LAST_FRAME_MS = 2000
"""Milliseconds that the last frame is shown; all others together take at most `_PLAY_MS`."""

_PLAY_MS, _MIN_FRAME_MS, _MAX_FRAME_MS = 10_000, 200, 600
_THREADS = 4
_DESCRIPTION = """**Training as an animation: {tag} from {first} to {last}**, {count} of its {drawn} drawn steps.

*How to read it:* the step is printed below the image; the progress bar beside it runs from the first to the last step.
The last step is held for two seconds, then the animation repeats.

{about}"""


@dataclass
class Frames:
    """The frames of one tag, thinned to fit the limits: all, every 2nd, every 4th, ..., always the first and last.

    Attributes:
        about: description of the image, in Markdown.
        max_frames: maximum number of frames, at least 2.
        max_bytes: maximum total size of the PNG files, in bytes; the first and last frames are always kept.
        added: number of frames added.
    """

    about: str = ""
    max_frames: int = MAX_FRAMES
    max_bytes: int = MAX_BYTES
    added: int = 0
    _every: int = 1
    _kept: dict[int, tuple[int, bytes]] = field(default_factory=dict)  # by number: all multiples of `_every`, the last

    def add(self, step: int, png: bytes) -> None:
        """Add a frame; drop every second one if there are too many."""
        self._thin()
        self._kept[self.added] = (step, png)
        while len(self._kept) > 2 and not self._fits():
            self._every *= 2
            self._thin()
        self.added += 1

    def _thin(self) -> None:
        self._kept = {n: frame for n, frame in self._kept.items() if n % self._every == 0 or n == self.added}

    def _fits(self) -> bool:
        size = sum(len(png) for _, png in self._kept.values())
        return len(self._kept) <= self.max_frames and size <= self.max_bytes

    def all(self) -> list[tuple[int, bytes]]:
        """Return the step and PNG file of each frame."""
        return list(self._kept.values())


class Timelapse:
    """Collects the images drawn during a fit as PNG files, and writes one animation per tag at its end."""

    def __init__(self) -> None:
        self._frames: dict[tuple[str, str], Frames] = {}

    def add(self, image: Image, step: int, png: bytes) -> None:
        """Add one image, in the PNG encoding in which it was logged."""
        self._frames.setdefault((image.source, image.tag), Frames(image.description)).add(step, png)

    def write(self, sinks: Sequence[Sink]) -> None:
        """Write the animations as `<tag>/timelapse`, at the last drawn step."""
        for (source, tag), frames in self._frames.items():
            steps = [step for step, _ in frames.all()]
            about = _DESCRIPTION.format(
                tag=code_span(tag),
                first="the model before training" if steps[0] < 0 else f"step {steps[0]}",
                last=f"step {steps[-1]}",
                count=len(steps),
                drawn=frames.added,
                about=frames.about,
            )
            animated_png = animated(frames.all())
            for sink in sinks:
                with sink.errors.collect():
                    sink.image(source, f"{tag}/timelapse", steps[-1], animated_png, about)


def animated(frames: Sequence[tuple[int, bytes]]) -> bytes:
    """Return an animated PNG file of `(step, PNG file)`, each labelled with its step; smaller images are padded."""
    steps = [step for step, _ in frames]
    sizes = [size_of(png) for _, png in frames]
    height, width = (max(side) for side in zip(*sizes, strict=True))

    def one(frame: tuple[int, bytes]) -> bytes:
        step, png = frame
        return encode(stamped(on_paper(decode(png), height, width), step=step, first=steps[0], last=steps[-1]))

    # Training is over; decoding and encoding release the GIL.
    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
        return animation(list(pool.map(one, frames)), durations(len(frames)))


def durations(count: int) -> list[int]:
    """Return the duration of each frame in milliseconds: at most 5 frames/s, about 12 s in all."""
    each = min(max(_PLAY_MS // max(1, count - 1), _MIN_FRAME_MS), _MAX_FRAME_MS)
    return [each] * (count - 1) + [LAST_FRAME_MS]
