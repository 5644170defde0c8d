"""Reading the fields of protobuf messages that lie in a file, without loading what is skipped.

See https://protobuf.dev/programming-guides/encoding/. Positions are offsets in the file.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

Read = Callable[[int, int], bytes]  # (offset, number of bytes) -> at most so many bytes

VARINT, FIXED64, LENGTH_DELIMITED, FIXED32 = 0, 1, 2, 5

# Records of images are far apart, so little is read around each; where records follow one another closely, more.
_SMALLEST_WINDOW, _LARGEST_WINDOW = 1 << 10, 1 << 18


class MalformedError(ValueError):
    """What was read is no message: a corrupt record, or one of another kind."""


class Window:
    """A part of a file in memory, which moves to where it is read; it grows while the file is read in one go."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._size = _SMALLEST_WINDOW
        self._start = 0
        self._bytes = b""

    def get(self, position: int, count: int) -> bytes:
        """`count` bytes from `position` on, fewer only at the end of the file."""
        begin = position - self._start
        if begin < 0 or begin + count > len(self._bytes):
            self._move(position, count)
            begin = 0
        return self._bytes[begin : begin + count]

    def varint(self, position: int) -> tuple[int, int]:
        """The unsigned number at `position`, and the position behind it."""
        begin = position - self._start
        if begin < 0 or begin + 10 > len(self._bytes):  # a varint has at most ten bytes
            self._move(position, 10)
            begin = 0
        value = shift = 0
        for index, byte in enumerate(self._bytes[begin : begin + 10], 1):
            value |= (byte & 127) << shift
            if byte < 128:
                return value & 0xFFFFFFFFFFFFFFFF, position + index
            shift += 7
        raise MalformedError("a number does not end")

    def fields(self, position: int, end: int) -> Iterator[tuple[int, int, int, int]]:
        """The fields of the message between two positions: number, wire type, begin and end of the value.

        For a varint, the third entry is its value.
        """
        while position < end:
            # Nearly all keys and many lengths have one byte: reading these here takes half the time of `varint`.
            at, data = position - self._start, self._bytes
            close = 0 <= at < len(data) - 1
            if close and data[at] < 128:
                key, position = data[at], position + 1
            else:
                key, position = self.varint(position)
                close = False
            wire_type = key & 7
            if wire_type == LENGTH_DELIMITED:
                if close and data[at + 1] < 128:
                    length, begin = data[at + 1], position + 1
                else:
                    length, begin = self.varint(position)
                position = begin + length
            elif wire_type == VARINT:
                begin, position = self.varint(position)
            elif wire_type in (FIXED64, FIXED32):
                begin = position
                position += 8 if wire_type == FIXED64 else 4
            else:
                raise MalformedError(f"unknown wire type {wire_type}")
            if position > end:
                raise MalformedError("a field reaches beyond its message")
            yield key >> 3, wire_type, begin, position

    def float64(self, position: int) -> float:
        """The float64 at `position`."""
        return float(struct.unpack("<d", self._exactly(position, 8))[0])

    def float32(self, position: int) -> float:
        """The float32 at `position`."""
        return float(struct.unpack("<f", self._exactly(position, 4))[0])

    def text(self, position: int, end: int) -> str:
        """The UTF-8 string between two positions."""
        return self._exactly(position, end - position).decode("utf-8", "replace")

    def _exactly(self, position: int, count: int) -> bytes:
        data = self.get(position, count)
        if len(data) < count:
            raise MalformedError("the file ends within a field")
        return data

    def _move(self, position: int, count: int) -> None:
        end = self._start + len(self._bytes)
        close = self._start <= position <= end + self._size
        self._size = min(self._size * 2, _LARGEST_WINDOW) if close else _SMALLEST_WINDOW
        self._bytes = self._read(position, max(self._size, count))
        self._start = position


def signed(value: int) -> int:
    """A varint as the int64 that it encodes."""
    return value - (1 << 64) if value >> 63 else value
