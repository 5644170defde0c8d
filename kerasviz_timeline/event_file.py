"""Images and scalars of one event file, found without reading the images themselves.

An event file is a sequence of records: length (uint64), its checksum, the `Event` message, its checksum. TensorBoard's
`event.proto`, `summary.proto` and `tensor.proto` give the numbers of the fields.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from .protobuf import FIXED32, FIXED64, LENGTH_DELIMITED, VARINT, MalformedError, Read, Window, signed

_HEADER, _FOOTER = 12, 4  # bytes around a message
_SHORTEST_IMAGE_EVENT = 90  # bytes; the smallest PNG has 67. Most events with scalars are shorter, and not looked at.
_FLOAT, _DOUBLE, _STRING = 1, 2, 7  # TensorProto.dtype


class ImageEvent(NamedTuple):
    """The images of a tag at one step: where their bytes lie in the file."""

    tag: str
    step: int
    wall_time: float
    places: list[tuple[int, int]]  # (offset, number of bytes), an entry an image


class ScalarEvent(NamedTuple):
    """One number of a tag."""

    tag: str
    step: int
    wall_time: float
    value: float


class EventFile:
    """Follows one event file: `read_on` continues where it ended.

    - `offset`: the position behind the last whole record, and `last` that of its beginning.
    - `descriptions`: Markdown by tag, from the tag's first event.
    """

    def __init__(self, read: Read, *, scalars: bool = False) -> None:
        self.offset = self.last = 0
        self.descriptions: dict[str, str] = {}
        self._read = read
        self._scalars = scalars
        self._plugins: dict[str, str] = {}

    def read_on(self, size: int) -> Iterator[list[ImageEvent | ScalarEvent]]:
        """What each record holds between the last position and `size`. It stops before a record that is not whole."""
        window = Window(self._read)
        while self.offset + _HEADER <= size:
            header = window.get(self.offset, _HEADER)
            if len(header) < _HEADER or masked_crc(header[:8]) != int.from_bytes(header[8:], "little"):
                return
            length = int.from_bytes(header[:8], "little")
            begin = self.offset + _HEADER
            if begin + length + _FOOTER > size:
                return
            events: list[ImageEvent | ScalarEvent] = []
            if self._scalars or length >= _SHORTEST_IMAGE_EVENT:
                with suppress(MalformedError):  # a damaged record; the next one begins where its length says
                    events = self._events(window, begin, begin + length)
            self.last, self.offset = self.offset, begin + length + _FOOTER
            yield events

    def _events(self, window: Window, begin: int, end: int) -> list[ImageEvent | ScalarEvent]:
        wall_time, step, summaries = 0.0, 0, []
        for number, wire_type, start, stop in window.fields(begin, end):
            if number == 1 and wire_type == FIXED64:
                wall_time = window.float64(start)
            elif number == 2 and wire_type == VARINT:
                step = signed(start)
            elif number == 5 and wire_type == LENGTH_DELIMITED:
                summaries.append((start, stop))
        events = []
        for summary in summaries:
            for number, wire_type, start, stop in window.fields(*summary):
                if number == 1 and wire_type == LENGTH_DELIMITED:
                    event = self._value(window, start, stop, step, wall_time)
                    if event is not None:
                        events.append(event)
        return events

    def _value(
        self, window: Window, begin: int, end: int, step: int, wall_time: float
    ) -> ImageEvent | ScalarEvent | None:
        tag, image, tensor, number_found = "", None, None, None
        for number, wire_type, start, stop in window.fields(begin, end):
            if wire_type == LENGTH_DELIMITED:
                if number == 1:
                    tag = window.text(start, stop)
                elif number == 4:
                    image = (start, stop)
                elif number == 8:
                    tensor = (start, stop)
                    if tag in self._plugins:
                        break  # only the metadata come behind it, which are known: they lie on the image's other side
                elif number == 9:
                    self._remember(window, tag, start, stop)
            elif number == 2 and wire_type == FIXED32:
                number_found = window.float32(start)
        if image is not None:
            places = _legacy_image(window, *image)
            return ImageEvent(tag, step, wall_time, places) if places else None
        if tensor is not None and self._plugins.get(tag) == "images":
            places = _strings(window, *tensor)[2:]  # behind width and height
            return ImageEvent(tag, step, wall_time, places) if places else None
        if self._scalars and tensor is not None and self._plugins.get(tag) == "scalars":
            number_found = _number(window, *tensor)
        if self._scalars and number_found is not None:
            return ScalarEvent(tag, step, wall_time, number_found)
        return None

    def _remember(self, window: Window, tag: str, begin: int, end: int) -> None:
        plugin = ""
        for number, wire_type, start, stop in window.fields(begin, end):
            if wire_type != LENGTH_DELIMITED:
                continue
            if number == 1:
                for inner, inner_type, inner_start, inner_stop in window.fields(start, stop):
                    if inner == 1 and inner_type == LENGTH_DELIMITED:
                        plugin = window.text(inner_start, inner_stop)
            elif number == 3:
                self.descriptions[tag] = window.text(start, stop)
        self._plugins[tag] = plugin


def _strings(window: Window, begin: int, end: int) -> list[tuple[int, int]]:
    """Where the strings of a tensor lie; none if it holds something else."""
    dtype, places = 0, []
    for number, wire_type, start, stop in window.fields(begin, end):
        if number == 1 and wire_type == VARINT:
            dtype = start
        elif number == 8 and wire_type == LENGTH_DELIMITED:
            places.append((start, stop - start))
    return places if dtype == _STRING else []


def _legacy_image(window: Window, begin: int, end: int) -> list[tuple[int, int]]:
    return [
        (start, stop - start)
        for number, wire_type, start, stop in window.fields(begin, end)
        if number == 4 and wire_type == LENGTH_DELIMITED
    ][-1:]


def _number(window: Window, begin: int, end: int) -> float | None:
    """The single number of a tensor of float32 or float64, packed or as raw content."""
    dtype, value = 0, None
    for number, wire_type, start, stop in window.fields(begin, end):
        if number == 1 and wire_type == VARINT:
            dtype = start
        elif number in (4, 5, 6) and stop - start in (4, 8):
            value = window.float32(start) if stop - start == 4 else window.float64(start)
    return value if dtype in (_FLOAT, _DOUBLE) else None


def _crc_table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _crc_table()


def masked_crc(data: bytes) -> int:
    """CRC-32C, rotated and offset as event files have it. Of the eight bytes of a length this takes a microsecond."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 255] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
