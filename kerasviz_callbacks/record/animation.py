"""Several PNG files as one that plays: an animated PNG, which TensorBoard and every browser show as such."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence

from kerasviz_callbacks.record.png import SIGNATURE

_FOR_EVER = 0
_LONGEST = 65535
_PALETTE = 3


def animation(frames: Sequence[bytes], durations: Sequence[int]) -> bytes:
    """Return the frames as one animated PNG file that begins again at its end, for ever.

    The frames' compressed pixels are taken over as they are, so that none is held decoded: Pillow's own writer holds
    all of them. A program that knows no animations shows the first frame. The format is the third edition of PNG,
    https://www.w3.org/TR/png-3/#apng-frame-based-animation.

    Args:
        frames: PNG files of one size, depth and colour type, without a palette, as `encode` makes them; at least one.
        durations: Milliseconds that each frame is shown, 1 to 65535.

    Raises:
        ValueError: Frames that differ in kind, are no PNG files or have a palette, or a duration out of range.
    """
    if not frames or len(frames) != len(durations):
        raise ValueError(f"frames: must be at least one, with a duration each; got {len(frames)} and {len(durations)}")
    if not all(1 <= duration <= _LONGEST for duration in durations):
        raise ValueError(f"durations: must be 1 to {_LONGEST} milliseconds, got {list(durations)}")
    head = next(_chunks(frames[0]))[1]
    width, height = head[:4], head[4:8]
    parts = [SIGNATURE, _chunk(b"IHDR", head), _chunk(b"acTL", struct.pack(">II", len(frames), _FOR_EVER))]
    numbered = 0
    for place, (frame, duration) in enumerate(zip(frames, durations, strict=True)):
        control = struct.pack(">I4s4sIIHHBB", numbered, width, height, 0, 0, duration, 1000, 0, 0)
        parts.append(_chunk(b"fcTL", control))
        numbered += 1
        for name, data in _chunks(frame):
            if name == b"IHDR" and (data != head or data[9] == _PALETTE):
                raise ValueError(
                    f"frames: must be of one size, depth and colour type, and without a palette; frame {place} has "
                    f"{_kind(data)}, the first {_kind(head)}"
                )
            if name == b"IDAT" and place == 0:
                parts.append(_chunk(b"IDAT", data))
            elif name == b"IDAT":
                parts.append(_chunk(b"fdAT", struct.pack(">I", numbered) + data))
                numbered += 1
    return b"".join([*parts, _chunk(b"IEND", b"")])


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and data of each chunk of a PNG file."""
    if not png.startswith(SIGNATURE + b"\0\0\0\rIHDR"):
        raise ValueError(f"frames: must be PNG files, got {png[:16]!r}...")
    position = len(SIGNATURE)
    while position < len(png):
        length = int.from_bytes(png[position : position + 4], "big")
        yield png[position + 4 : position + 8], png[position + 8 : position + 8 + length]
        position += 12 + length


def _chunk(name: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")


def _kind(head: bytes) -> str:
    width, height, depth, colours = struct.unpack(">IIBB", head[:10])
    return f"{width} x {height} pixels of {depth} bits, colour type {colours}"
