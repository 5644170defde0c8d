"""The protobuf messages of an event file, put together without copying images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


class Value(NamedTuple):
    """One value to be written.

    Attributes:
        time: Seconds since 1970 at which it was recorded.
        tensor: A serialized `TensorProto`.
        metadata: A `SummaryMetadata`, written with the tag's first value in a file.
        last_string: What the tensor's `string_val` ends with; so large that it is not copied into the message.
    """

    tag: str
    step: int
    time: float
    tensor: bytes
    metadata: Any
    last_string: bytes | None = None


def event(value: Value, *, described: bool) -> list[bytes]:
    """Return a serialized `Event` of one value, in parts; with its metadata unless the tag is described already."""
    from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2

    summary = summary_pb2.Summary.Value(tag=value.tag)
    if not described:
        summary.metadata.CopyFrom(value.metadata)
    message = event_pb2.Event(wall_time=value.time, step=value.step)
    parts = [value.tensor]
    if value.last_string is not None:
        parts += within(tensor_pb2.TensorProto.STRING_VAL_FIELD_NUMBER, [value.last_string])
    # In protobuf, messages that follow each other are one, so a field may be added behind the others.
    parts = [summary.SerializeToString(), *within(summary_pb2.Summary.Value.TENSOR_FIELD_NUMBER, parts)]
    parts = within(event_pb2.Event.SUMMARY_FIELD_NUMBER, within(summary_pb2.Summary.VALUE_FIELD_NUMBER, parts))
    return [message.SerializeToString(), *parts]


def within(field: int, parts: Sequence[bytes]) -> list[bytes]:
    """Return a protobuf message, given in parts, as a field of another: its number and length, then the parts."""
    length, head = sum(map(len, parts)), bytearray([field << 3 | 2])  # 2: a field of a given length; numbers below 16
    while length > 0x7F:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    return [bytes([*head, length]), *parts]


def utf8(text: str) -> str:
    """Return the text as protobuf takes it: half a surrogate pair, which has no bytes, as its escape."""
    return text.encode("utf-8", "backslashreplace").decode()
