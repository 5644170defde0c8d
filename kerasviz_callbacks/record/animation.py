"""Several PNG files as one that plays: an animated PNG, which TensorBoard and every browser show as such."""

from __future__ import annotations

import io
from collections.abc import Sequence

# Of 1 to 9: written once, when training is over, and kept; from 4 on a grainy photograph takes twice as long.
_LEVEL = 3

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
    first, *others = [Image.open(io.BytesIO(frame)) for frame in frames]  # decoded one by one as they are written
    for place, other in enumerate(others, start=1):
        if (other.size, other.mode) != (first.size, first.mode):
            raise ValueError(
                f"frames: must be of one size and kind; frame {place} is {other.size} {other.mode}, the first "
                f"{first.size} {first.mode}"
            )
    file = io.BytesIO()
    first.save(
        file,
        format="PNG",
        save_all=True,
        append_images=others,
        duration=list(durations),
        loop=0,
        compress_level=_LEVEL,
    )
    return file.getvalue()
