"""Several PNG files as one animated PNG, which TensorBoard and every browser play.

The compressed pixels of the frames are taken over as they are. Pillow's `save_all` gives an equivalent file a third
as large, but decodes and encodes every frame anew: 50 frames of 640 x 480 took 0.86 s, here 0.06 s.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from itertools import count

from .png import SIGNATURE, chunk, chunks, size_of

_LONGEST = 65535


def animation(frames: Sequence[bytes], durations: Sequence[int]) -> bytes:
    """Return the frames as one animated PNG file that repeats for ever.

    A program without support for animations shows the first frame. Equal consecutive frames are merged; a single frame
    is returned as it is.

    Args:
        frames: PNG files of one size and of one kind of colour, as `encode` makes them; at least one.
        durations: Milliseconds that each frame is shown, 1 to 65535.

    Raises:
        ValueError: Frames that differ in kind, or a duration out of range.
        OSError: A frame is no image.
    """
    from PIL import Image

    if not frames or len(frames) != len(durations):
        raise ValueError(f"frames: must be at least one, with a duration each; got {len(frames)} and {len(durations)}")
    if not all(1 <= duration <= _LONGEST for duration in durations):
        raise ValueError(f"durations: must be 1 to {_LONGEST} milliseconds, got {list(durations)}")
    first, *others = [Image.open(io.BytesIO(frame)) for frame in frames]
    for place, other in enumerate(others, start=1):
        if (other.size, other.mode) != (first.size, first.mode):
            raise ValueError(
                f"frames: must be of one size and kind; frame {place} is {other.size} {other.mode}, the first "
                f"{first.size} {first.mode}"
            )
    merged = _merged(frames, durations)
    return frames[0] if len(merged) == 1 else _assembled(merged)


def _merged(frames: Sequence[bytes], durations: Sequence[int]) -> list[tuple[bytes, int]]:
    """Return each frame with its milliseconds; equal consecutive ones are merged up to the longest duration."""
    merged: list[tuple[bytes, int]] = []
    for frame, duration in zip(frames, durations, strict=True):
        if merged and merged[-1][0] == frame and merged[-1][1] + duration <= _LONGEST:
            merged[-1] = frame, merged[-1][1] + duration
        else:
            merged.append((frame, duration))
    return merged


def _assembled(merged: Sequence[tuple[bytes, int]]) -> bytes:
    height, width = size_of(merged[0][0])
    sequence = count()  # numbers of the chunks that belong to the animation
    parts = [SIGNATURE, chunk(b"IHDR", dict(chunks(merged[0][0]))[b"IHDR"])]
    parts.append(chunk(b"acTL", struct.pack(">II", len(merged), 0)))  # 0: for ever
    for place, (frame, duration) in enumerate(merged):
        control = struct.pack(">IIIIIHHBB", next(sequence), width, height, 0, 0, duration, 1000, 0, 0)
        pixels = b"".join(content for kind, content in chunks(frame) if kind == b"IDAT")
        parts.append(chunk(b"fcTL", control))
        # A program without support for animations finds the first frame where an image's pixels always are.
        parts.append(chunk(b"fdAT", struct.pack(">I", next(sequence)) + pixels) if place else chunk(b"IDAT", pixels))
    return b"".join([*parts, chunk(b"IEND", b"")])
