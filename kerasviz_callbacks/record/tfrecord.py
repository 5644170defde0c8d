"""The framing of an event file: `length, checksum of length, data, checksum of data` for each record.

TensorFlow calls it TFRecord. The checksums are crc32c, rotated and shifted ("masked").
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path

_HEADER = struct.Struct("<QI")
_CHECKSUM = struct.Struct("<I")


def masked_crc32c(*parts: bytes) -> int:
    """Return the masked crc32c of the parts one after the other, in 0 .. 2**32 - 1."""
    # TensorBoard's own checksum is pure Python: 2.6 to 7 MB/s, and it holds the GIL that training needs.
    import google_crc32c

    crc: int = 0
    for part in parts:
        crc = google_crc32c.extend(crc, part)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def framed(*parts: bytes) -> list[bytes]:
    """Return the parts as one record: what comes before them, the parts untouched, what comes after.

    They are not joined: a copy of a large image would hold the interpreter lock for milliseconds.
    """
    length = sum(map(len, parts)).to_bytes(8, "little")
    return [length + _CHECKSUM.pack(masked_crc32c(length)), *parts, _CHECKSUM.pack(masked_crc32c(*parts))]


def record_heads(path: Path, size: int) -> Iterator[bytes]:
    """Yield the first bytes of each whole record of a file, skipping the rest of it unread.

    Reading ends, without an error, at a truncated record or at what is no record, as TensorBoard's loaders do: the file
    may still be being written, or be no event file at all. At most `size` bytes of each record are read.
    """
    with path.open("rb") as file:
        end = os.fstat(file.fileno()).st_size
        while len(header := file.read(_HEADER.size)) == _HEADER.size:
            length, checksum = _HEADER.unpack(header)
            start = file.tell()
            if masked_crc32c(header[:8]) != checksum or start + length + _CHECKSUM.size > end:
                return
            yield file.read(min(size, length))
            file.seek(start + length + _CHECKSUM.size)
