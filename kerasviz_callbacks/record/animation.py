"""Several PNG files as one that plays: an animated PNG, which TensorBoard and every browser show as such."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from itertools import count

from .png import SIGNATURE, chunk, chunks, size_of

_LONGEST = 65535


def animation(frames: Sequence[bytes], durations: Sequence[int]) -> bytes:
    """Return the frames as one animated PNG file that begins again at its end, for ever.

    A program that knows no animations shows the first frame. A frame equal to the one before lengthens that one; of
    a single frame the file does not play.

    Args:
        frames: PNG files of one size and of one kind of colour, as `encode` makes them; at least one.
        durations: Milliseconds that each frame is shown, 1 to 65535.

    Raises:
        ValueError: Frames that differ in kind, or a duration out of range.
        OSError: A frame is no picture.
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
    played = _joined(frames, durations)
    return frames[0] if len(played) == 1 else _assembled(played)


def _joined(frames: Sequence[bytes], durations: Sequence[int]) -> list[tuple[bytes, int]]:
    """Each frame with its milliseconds; equal ones in a row are one, as long as a frame can last."""
    played: list[tuple[bytes, int]] = []
    for frame, duration in zip(frames, durations, strict=True):
        if played and played[-1][0] == frame and played[-1][1] + duration <= _LONGEST:
            played[-1] = frame, played[-1][1] + duration
        else:
            played.append((frame, duration))
    return played


def _assembled(played: Sequence[tuple[bytes, int]]) -> bytes:
    """The file; the compressed pixels of every frame are taken over as they are, since all frames are of one size."""
    height, width = size_of(played[0][0])
    numbers = count()  # of the chunks that belong to the animation
    parts = [SIGNATURE, chunk(b"IHDR", dict(chunks(played[0][0]))[b"IHDR"])]
    parts.append(chunk(b"acTL", struct.pack(">II", len(played), 0)))  # 0: for ever
    for place, (frame, duration) in enumerate(played):
        control = struct.pack(">IIIIIHHBB", next(numbers), width, height, 0, 0, duration, 1000, 0, 0)
        pixels = b"".join(content for kind, content in chunks(frame) if kind == b"IDAT")
        parts.append(chunk(b"fcTL", control))
        # What knows no animations finds the first frame where a picture's pixels always are.
        parts.append(chunk(b"fdAT", struct.pack(">I", next(numbers)) + pixels) if place else chunk(b"IDAT", pixels))
    return b"".join([*parts, chunk(b"IEND", b"")])
