"""All images of some series as a zip archive, piece by piece."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Iterator

from .image_series import Place
from .log_index import LogIndex

_TYPES = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif", b"BM": "bmp", b"RIFF": "webp"}

Image = tuple[str, str, int, int, Place]  # run, tag, sample, step, where it lies


def images_of(index: LogIndex, numbers: Iterable[int]) -> list[Image]:
    """The images of some series, by the numbers of the series."""
    with index.lock:
        series = [index.series[number] for number in numbers if 0 <= number < len(index.series)]
        return [
            (one.run, one.tag, one.sample, step, one.place(position))
            for one in series
            for position, step in enumerate(one.steps)
        ]


def archive(index: LogIndex, images: Iterable[Image]) -> Iterator[bytes]:
    """The archive: `run/tag/000007.png`, as logged; images that are gone are left out."""
    written = _Written()
    taken: set[str] = set()
    with zipfile.ZipFile(written, "w") as file:  # stored as they are, since images are compressed already
        for run, tag, sample, step, place in images:
            data = index.image_at(place)
            if data is None:
                continue
            kind = next((kind for start, kind in _TYPES.items() if data.startswith(start)), "bin")
            parts = [*run.split("/"), *tag.split("/"), *([f"image{sample + 1}"] if sample else [])]
            folder = "/".join(map(_name, parts))
            name = f"{folder}/{step:06d}"
            number = 2
            while f"{name}.{kind}" in taken:
                name = f"{folder}/{step:06d}-{number}"
                number += 1
            taken.add(f"{name}.{kind}")
            file.writestr(f"{name}.{kind}", data)
            yield written.pop()
    yield written.pop()


def _name(part: str) -> str:
    """A part of a path that every file system takes."""
    return re.sub(r"^\.+", "_", re.sub(r"[^\w.+-]+", "_", part))[:100] or "_"


class _Written(io.RawIOBase):
    """What has been written since `pop`."""

    def __init__(self) -> None:
        self._data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._data += data
        return len(data)

    def pop(self) -> bytes:
        data = bytes(self._data)
        self._data.clear()
        return data
