"""PNG files: their bytes, and their paths on disk."""

from __future__ import annotations

import hashlib
import io
import os
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Of ISA-L, and of zlib where ISA-L is not available. Milliseconds of one core, and kB, by ISA-L | zlib: an epoch of
# the classifier example, 16 images: 15, 1924 | 77, 1817 (Pillow 12, which chooses a filter for each row, at its level
# 3: 229, 1693); two smooth photographs: 9, 989 | 37, 1130; two grainy ones: 8, 3720 | 102, 3824.
_LEVEL = 1

# The filter of each row: the difference from the row above. Unfiltered rows ("None") take as long on drawings, 18 %
# larger (maps) or 12 % smaller (reconstructions); on photographs they take up to 1.8 times as long and are 20 to 120 %
# larger. Differences from the pixel on the left ("Sub") are 3 to 36 % larger on drawings.
_UP = 2
_GREY, _RGB = 0, 2  # kinds of colour in the header

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_LONGEST = 100
_MARK = "~"
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f\ud800-\udfff/\\<>:"|?*]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]) *(\..*)?", re.IGNORECASE | re.DOTALL)
_LOOKS_ALTERED = re.compile(rf"{_MARK}[0-9a-f]{{10}}\Z")


def encode(picture: NDArray[np.uint8]) -> bytes:
    """Return an image as a PNG file; decoding gives back the same pixels.

    Args:
        picture: uint8, `(height, width, 3)` for colour or `(height, width)` for grey; at least one pixel.

    Raises:
        TypeError: The picture is not uint8.
        ValueError: The shape is another.
    """
    if picture.dtype.name != "uint8":
        raise TypeError(f"picture: must be uint8, got {picture.dtype}; scale to 0..255, clip and convert first")
    if picture.shape[2:] not in [(), (3,)] or picture.ndim < 2 or picture.size == 0:
        raise ValueError(
            f"picture: must be (height, width, 3) or (height, width) with at least one pixel, got {picture.shape}"
        )
    height, width = picture.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 8, _RGB if picture.ndim == 3 else _GREY, 0, 0, 0)
    pixels = _deflate()(_filtered(picture).data, _LEVEL)
    return SIGNATURE + b"".join([chunk(b"IHDR", header), chunk(b"IDAT", pixels), chunk(b"IEND", b"")])


@cache
def _deflate() -> Callable[[memoryview, int], bytes]:
    """Return the compressor; both release the interpreter lock while they work."""
    try:
        from isal import isal_zlib
    except ImportError:  # there is no ISA-L for this kind of machine
        return zlib.compress
    return isal_zlib.compress


def _filtered(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the filtered rows, `(height, 1 + bytes a row)`: the filter's number, then the difference from above."""
    import numpy as np

    rows = picture.reshape(len(picture), -1)
    filtered = np.empty((len(rows), 1 + rows.shape[1]), np.uint8)
    filtered[:, 0] = _UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    return filtered


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return one chunk of a PNG file: its length, kind, content and checksum."""
    checksum = zlib.crc32(content, zlib.crc32(kind))
    return b"".join([struct.pack(">I", len(content)), kind, content, struct.pack(">I", checksum)])


def chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and content of each chunk of a PNG file."""
    place = len(SIGNATURE)
    while place < len(png):
        length = int.from_bytes(png[place : place + 4], "big")
        yield png[place + 4 : place + 8], png[place + 8 : place + 8 + length]
        place += 12 + length


def decode(png: bytes) -> NDArray[np.uint8]:
    """Return the pixels of a PNG file, `(height, width, 3)` or `(height, width)`; of an animation the first frame."""
    import numpy as np
    from PIL import Image

    with Image.open(io.BytesIO(png)) as picture:
        return np.asarray(picture if picture.mode in ("L", "RGB") else picture.convert("RGB"))


def size_of(png: bytes) -> tuple[int, int]:
    """Return height and width of a PNG file in pixels, from its first bytes.

    Raises:
        ValueError: It is no PNG file.
    """
    if not png.startswith(SIGNATURE) or png[12:16] != b"IHDR" or len(png) < 24:
        raise ValueError(f"png: must be a PNG file, got {png[:16]!r}...")
    return int.from_bytes(png[20:24], "big"), int.from_bytes(png[16:20], "big")


def picture_path(save_dir: str | os.PathLike[str], run: str, tag: str, step: int) -> Path:
    """Return the path of an image: `save_dir/<run>/<tag>/000007.png`, and `-00001.png` for step -1.

    Each part of the run's and the tag's name between slashes is made safe, so the path never leaves `save_dir`.
    """
    parts = [safe_component(part) for name in (run, tag) for part in name.split("/")]
    return Path(save_dir, *parts, f"{step:06d}.png")


def safe_component(name: str) -> str:
    """Return a name that can be one component of a path on every system.

    A safe name is returned as it is. Otherwise what is unsafe becomes `_`, the name is cut to 100 bytes of
    UTF-8, and `~` with a short hash of the whole name follows, so that two names never share a file. Unsafe
    are: slashes, backslashes, control characters, `<>:"|?*`, Windows' reserved names (`nul`, `com1.txt`),
    `.`, `..`, the empty name, a trailing dot or space, more than 100 bytes, and what already ends like an
    altered name. Names that differ give results that differ (but for collisions of a 40-bit hash).
    """
    cleaned = _UNSAFE.sub("_", name)
    encoded = cleaned.encode()
    if cleaned == name and len(encoded) <= _LONGEST and not _is_special(name):
        return name
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=5).hexdigest()
    ending = f"{_MARK}{digest}"
    kept = encoded[: _LONGEST - len(ending) - 1].decode("utf-8", "ignore")
    # The leading underscore keeps an altered `nul.txt` from still being the device.
    return f"_{kept}{ending}" if _is_special(kept) else f"{kept}{ending}"


def _is_special(name: str) -> bool:
    """Say whether a name of safe characters is still reserved, ambiguous or empty on some file system."""
    return (
        name.endswith((".", " "))
        or not name
        or _RESERVED.fullmatch(name) is not None
        or _LOOKS_ALTERED.search(name) is not None
    )
