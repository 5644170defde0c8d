"""One TensorBoard event file, written without TensorFlow."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import socket
import sys
import time
import warnings
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasviz_callbacks.record.base import is_loggable
from kerasviz_callbacks.record.tfrecord import framed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from io import FileIO

_TENSORBOARD_WRITER = "tensorboard.summary.writer.event_file_writer"
_TIME_IN_NAME = re.compile(r"events\.out\.tfevents\.(\d{10})\.")
_counter = itertools.count()


class EventFile:
    """Appends pictures and scalars to one event file of a directory, begun at the first write.

    A record is handed to the operating system whole as it is written, so a process killed afterwards loses
    nothing. If the file was deleted meanwhile, or a write failed, the next write begins a new file. Copies
    and pickles are of the directory only: a copy begins a file of its own.

    Args:
        directory: Where the file goes; made if absent. TensorBoard's name of the run is its path below
            TensorBoard's `--logdir`. No other writer should be at work in it: TensorBoard's Python loader
            stops reading the older file.

    Example:
        >>> file = EventFile("logs/views/validation")
        >>> file.scalar("overfitting/knn", 0, 0.5, description="Accuracy of the nearest neighbours.")
        >>> file.close()
    """

    _file: FileIO | None = None

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        # Absolute: a training script that changes its directory means the same place as before.
        self.directory = Path(directory).absolute()
        self._path: Path | None = None
        self._described: set[str] = set()
        self._closing: Callable[[], object] = lambda: None

    def __reduce__(self) -> tuple[type[EventFile], tuple[Path]]:
        return EventFile, (self.directory,)

    @property
    def path(self) -> Path | None:
        """The event file begun last, or None before the first."""
        return self._path

    def open(self) -> None:
        """Begin the file now, unless it is open and still where it was.

        Raises:
            OSError: The directory or the file cannot be made or written.
        """
        self._opened()

    def image(self, tag: str, step: int, png: bytes, *, width: int, height: int, description: str = "") -> None:
        """Write one picture for TensorBoard's Images tab.

        Args:
            tag: Name of the picture; what stands before the first `/` is its section.
            step: The epoch; -1 is the untrained model.
            png: The encoded picture (PNG, APNG, GIF or JPEG).
            width: Of the picture, in pixels.
            height: Of the picture, in pixels.
            description: Markdown; counts at the tag's first write to this file.

        Raises:
            OSError: The file cannot be written, e.g. because the disk is full.
        """
        from tensorboard.compat.proto import summary_pb2, tensor_pb2, tensor_shape_pb2, types_pb2
        from tensorboard.plugins.image import metadata

        shape = tensor_shape_pb2.TensorShapeProto(dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=3)])
        sides = [str(width).encode(), str(height).encode()]
        tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, tensor_shape=shape, string_val=sides)
        about = metadata.create_summary_metadata(display_name=None, description=utf8(description))
        about.data_class = summary_pb2.DATA_CLASS_BLOB_SEQUENCE
        self._summary(tag, step, tensor, about, last_string=png)

    def scalar(self, tag: str, step: int, value: float, *, description: str = "") -> None:
        """Write one figure for TensorBoard's Scalars tab, as a float32.

        Args:
            tag: Name of the figure; what stands before the first `/` is its section.
            step: The epoch; -1 is the untrained model.
            value: A finite number.
            description: Markdown; counts at the tag's first write to this file.

        Raises:
            ValueError: The value is NaN, infinite, or beyond the range of float32.
            OSError: The file cannot be written, e.g. because the disk is full.
        """
        from tensorboard.compat.proto import summary_pb2, tensor_pb2, tensor_shape_pb2, types_pb2
        from tensorboard.plugins.scalar import metadata

        if not is_loggable(value):
            raise ValueError(
                f"value={value!r} of {tag!r} at step {step}: must be finite as a float32; "
                "leave the figure out where it is not defined"
            )
        shape = tensor_shape_pb2.TensorShapeProto()
        tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, tensor_shape=shape, float_val=[float(value)])
        about = metadata.create_summary_metadata(display_name=None, description=utf8(description))
        about.data_class = summary_pb2.DATA_CLASS_SCALAR
        self._summary(tag, step, tensor, about)

    def close(self) -> None:
        """Close the file; may be called again. A later write begins a new file."""
        file, self._file = self._file, None
        if file is not None:
            self._closing()

    def _opened(self) -> FileIO:
        """Return the file, begun anew where there is none or it was deleted."""
        if self._file is not None and not self._file.closed and not _was_deleted(self._file):
            return self._file
        self.close()
        self.directory.mkdir(parents=True, exist_ok=True)
        _tell_patched_writer(self.directory)
        self._path = self.directory / _file_name(self.directory)
        self._file = file = self._path.open("xb", buffering=0)
        # A `fit` that ends by an exception calls no `on_train_end`; nothing is lost, so nothing to warn of.
        self._closing = weakref.finalize(self, file.close)
        self._described.clear()
        from tensorboard.compat.proto import event_pb2

        about = event_pb2.Event(wall_time=time.time(), file_version="brain.Event:2")
        self._append(file, about.SerializeToString())
        return file

    def _summary(self, tag: str, step: int, tensor: Any, about: Any, *, last_string: bytes | None = None) -> None:
        """Write one value, with its metadata if this file has none of the tag yet.

        Args:
            tag: Its name.
            step: The epoch.
            tensor: A `TensorProto`.
            about: Its metadata.
            last_string: What the tensor's `string_val` ends with; so large that it is not copied into the message.
        """
        from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2

        file, tag = self._opened(), utf8(tag)
        value = summary_pb2.Summary.Value(tag=tag)
        if tag not in self._described:
            value.metadata.CopyFrom(about)
        event = event_pb2.Event(wall_time=time.time(), step=int(step))
        parts = [tensor.SerializeToString()]
        if last_string is not None:
            parts += within(tensor_pb2.TensorProto.STRING_VAL_FIELD_NUMBER, [last_string])
        # In protobuf, messages that follow each other are one, so a field may be added behind the others.
        parts = [value.SerializeToString(), *within(summary_pb2.Summary.Value.TENSOR_FIELD_NUMBER, parts)]
        parts = within(event_pb2.Event.SUMMARY_FIELD_NUMBER, within(summary_pb2.Summary.VALUE_FIELD_NUMBER, parts))
        self._append(file, event.SerializeToString(), *parts)
        self._described.add(tag)

    def _append(self, file: FileIO, *parts: bytes) -> None:
        """Write one event, whole."""
        waiting = [memoryview(part) for part in framed(*parts)]
        try:
            while waiting:
                waiting = _after(waiting, _written(file, waiting))
        except BaseException:
            self._abandon(file)
            raise

    def _abandon(self, file: FileIO) -> None:
        """Leave a file whose last record is torn: both loaders read up to there, and nothing after it."""
        self.close()
        # Else a full disk would fill with empty event files, one for each attempt.
        if not self._described:
            with contextlib.suppress(OSError):
                Path(file.name).unlink()


def within(field: int, parts: Sequence[bytes]) -> list[bytes]:
    """Return a protobuf message, given in parts, as a field of another: its number and length, then the parts."""
    length, head = sum(map(len, parts)), bytearray([field << 3 | 2])  # 2: a field of a given length; numbers below 16
    while length > 0x7F:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    return [bytes([*head, length]), *parts]


def _written(file: FileIO, parts: Sequence[memoryview]) -> int:
    """Hand the parts to the system at once where it can take several; say how many bytes it took."""
    if hasattr(os, "writev"):
        return os.writev(file.fileno(), parts)
    return file.write(parts[0]) or 0


def _after(parts: Sequence[memoryview], taken: int) -> list[memoryview]:
    """Return what is left of the parts after so many bytes."""
    left = []
    for part in parts:
        left.append(part[taken:])
        taken = max(0, taken - len(part))
    return [part for part in left if part]


def utf8(text: str) -> str:
    """Return the text as protobuf takes it: half a surrogate pair, which has no bytes, as its escape."""
    return text.encode("utf-8", "backslashreplace").decode()


def _was_deleted(file: FileIO) -> bool:
    """Say whether an open file no longer lies at its path: writing to it would go nowhere, silently."""
    try:
        there = Path(file.name).stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:  # it may no longer be looked at; what is open can be written all the same
        return False
    return not os.path.samestat(there, os.fstat(file.fileno()))


def _file_name(directory: Path) -> str:
    """Return a name that sorts after every event file of the directory.

    TensorBoard's Python loader and W&B read one file after the other, in the order of their names, and never
    go back: a second file of the same second, or after the clock was set back, would hide or be hidden.
    """
    found = (_TIME_IN_NAME.match(path.name) for path in directory.iterdir())
    newest = max((int(match[1]) for match in found if match), default=0)
    second = max(int(time.time()), newest + 1)
    return f"events.out.tfevents.{second:010d}.{socket.gethostname()}.{os.getpid()}.{next(_counter)}"


def _tell_patched_writer(directory: Path) -> None:
    """Let W&B's `sync_tensorboard` know of the directory.

    It learns of directories only through a subclass that it puts in place of TensorBoard's `EventFileWriter`
    (wandb/integration/tensorboard/monkeypatch.py), and then follows every event file in them, ours too. That
    writer makes a file of its own, without content, hence it comes before ours.
    """
    module = sys.modules.get(_TENSORBOARD_WRITER)
    writer = getattr(module, "EventFileWriter", None)
    if writer is None or writer.__module__ == _TENSORBOARD_WRITER:
        return
    try:
        writer(str(directory)).close()
    except Exception as error:
        warnings.warn(
            f"{writer.__module__} watches TensorBoard's writers but could not be told of {directory}: "
            f"{error!r}; the pictures are in the event files there all the same",
            stacklevel=2,
        )
