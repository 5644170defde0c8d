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
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .directories import absolute
from .files import write_all
from .messages import Value, event, utf8
from .sink import is_loggable
from .tfrecord import framed

if TYPE_CHECKING:
    from io import FileIO

_TENSORBOARD_WRITER = "tensorboard.summary.writer.event_file_writer"
_TIME_IN_NAME = re.compile(r"events\.out\.tfevents\.(\d{10})\.")
_counter = itertools.count()


class EventFile:
    """Appends images, scalars and text to one event file of a directory, begun at the first write.

    What is added waits in memory until `flush` and then goes to the operating system in one write. A process killed
    afterwards loses nothing that was written. If the file was deleted meanwhile, or a write failed, the next write
    begins a new file. `open`, `flush` and `close` raise an `OSError` if the file cannot be written, e.g. because the
    disk is full; what waited is lost then. Copies and pickles are of the directory only: a copy begins a file of its
    own.

    A tag's section is what stands before its first `/`; a step is the epoch or batch, -1 for the untrained model; a
    description is Markdown, and counts at the tag's first write to the file.

    Args:
        directory: Where the file goes; made if absent. TensorBoard's name of the run is its path below
            TensorBoard's `--logdir`. No other writer should be at work in it: TensorBoard's Python loader
            stops reading the older file.

    Attributes:
        path: The event file begun last, or None before the first.
    """

    _file: FileIO | None = None

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.directory = absolute(directory)
        self.path: Path | None = None
        self._waiting: list[Value] = []
        self._described: set[str] = set()
        self._closing: Callable[[], object] = lambda: None

    def __reduce__(self) -> tuple[type[EventFile], tuple[Path]]:
        return EventFile, (self.directory,)

    @property
    def waiting(self) -> int:
        """How many images, scalars and texts wait to be written."""
        return len(self._waiting)

    @property
    def waiting_bytes(self) -> int:
        """How much memory the images that wait take."""
        return sum(len(value.last_string or b"") for value in self._waiting)

    def open(self) -> None:
        """Begin the file now, unless it is open and still where it was."""
        self._write([])

    def image(self, tag: str, step: int, png: bytes, *, width: int, height: int, description: str = "") -> None:
        """Add one encoded image (PNG, APNG, GIF or JPEG) for TensorBoard's Images tab; its sides are in pixels."""
        from tensorboard.compat.proto import summary_pb2, tensor_pb2, tensor_shape_pb2, types_pb2
        from tensorboard.plugins.image import metadata

        shape = tensor_shape_pb2.TensorShapeProto(dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=3)])
        sides = [str(width).encode(), str(height).encode()]
        tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, tensor_shape=shape, string_val=sides)
        about = metadata.create_summary_metadata(display_name=None, description=utf8(description))
        about.data_class = summary_pb2.DATA_CLASS_BLOB_SEQUENCE
        self._waiting.append(Value(utf8(tag), int(step), time.time(), tensor.SerializeToString(), about, png))

    def scalar(self, tag: str, step: int, value: float, *, description: str = "") -> None:
        """Add one number for TensorBoard's Scalars tab, as a float32.

        Raises:
            ValueError: The value is NaN, infinite, or beyond the range of float32.
        """
        from tensorboard.compat.proto import summary_pb2, tensor_pb2, tensor_shape_pb2, types_pb2
        from tensorboard.plugins.scalar import metadata

        if not is_loggable(value):
            raise ValueError(
                f"value={value!r} of {tag!r} at step {step}: must be finite as a float32; "
                "leave the scalar out where it is not defined"
            )
        shape = tensor_shape_pb2.TensorShapeProto()
        tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, tensor_shape=shape, float_val=[float(value)])
        about = metadata.create_summary_metadata(display_name=None, description=utf8(description))
        about.data_class = summary_pb2.DATA_CLASS_SCALAR
        self._waiting.append(Value(utf8(tag), int(step), time.time(), tensor.SerializeToString(), about))

    def text(self, tag: str, step: int, markdown: str, *, description: str = "") -> None:
        """Add one text in Markdown for TensorBoard's Text tab."""
        from tensorboard.compat.proto import summary_pb2, tensor_pb2, tensor_shape_pb2, types_pb2
        from tensorboard.plugins.text import metadata

        shape, content = tensor_shape_pb2.TensorShapeProto(), utf8(markdown).encode()
        tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, tensor_shape=shape, string_val=[content])
        about = metadata.create_summary_metadata(display_name=None, description=utf8(description))
        about.data_class = summary_pb2.DATA_CLASS_TENSOR
        self._waiting.append(Value(utf8(tag), int(step), time.time(), tensor.SerializeToString(), about))

    def flush(self) -> None:
        """Write what waits, in one write."""
        values, self._waiting = self._waiting, []
        if values:
            self._write(values)

    def close(self) -> None:
        """Flush and close the file, even if what waits cannot be written; a later write begins a new file."""
        try:
            self.flush()
        finally:
            self._close()

    def _close(self) -> None:
        if self._file is not None:
            self._file = None
            self._closing()

    def _write(self, values: Sequence[Value]) -> None:
        """Write values in one write, images last, behind the header where the file is begun with them."""
        file, small = self._opened()
        large: list[bytes] = []
        tags = set(self._described)
        for value in values:
            record = framed(*event(value, described=value.tag in tags))
            (small if value.last_string is None else large).extend(record)
            tags.add(value.tag)
        try:
            # Scalars are joined, since `writev` takes only so many parts; an image is large, and is not copied.
            write_all(file.fileno(), [b"".join(small), *large])
        except BaseException:
            self._close()  # the last record is torn: both loaders read up to there, and nothing after it
            # Else a full disk would fill with empty event files, one for each attempt.
            if not self._described:
                with contextlib.suppress(OSError):
                    Path(file.name).unlink()
            raise
        self._described = tags

    def _opened(self) -> tuple[FileIO, list[bytes]]:
        """Return the file, and the header that it still needs where it was begun anew."""
        if self._file is not None and not self._file.closed and not _was_deleted(self._file):
            return self._file, []
        self._close()
        self.directory.mkdir(parents=True, exist_ok=True)
        _tell_patched_writer(self.directory)
        self.path = self.directory / _file_name(self.directory)
        self._file = file = self.path.open("xb", buffering=0)
        # A `fit` that ends by an exception calls no `on_train_end`; nothing is lost, so nothing to warn of.
        self._closing = weakref.finalize(self, file.close)
        self._described.clear()
        from tensorboard.compat.proto import event_pb2

        header = event_pb2.Event(wall_time=time.time(), file_version="brain.Event:2")
        return file, framed(header.SerializeToString())


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
    writer = getattr(sys.modules.get(_TENSORBOARD_WRITER), "EventFileWriter", None)
    if writer is None or writer.__module__ == _TENSORBOARD_WRITER:
        return
    try:
        writer(str(directory)).close()
    except Exception as error:
        warnings.warn(
            f"{writer.__module__} watches TensorBoard's writers but could not be given {directory}: "
            f"{error!r}; images and scalars are in the event files there all the same",
            stacklevel=2,
        )
