"""Which runs a log directory has, named as TensorBoard names them, and reading parts of their event files.

Local files are read directly. What begins with a scheme (`gs://`, `s3://`, `memory://`, ...) is read through the file
systems that TensorBoard itself has in this environment.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from typing import Any, NamedTuple

_SCHEME = re.compile("[a-zA-Z][0-9a-zA-Z.]*://")
_BLOCK = 1 << 20  # bytes in one request to a remote file system


class EventFilePath(NamedTuple):
    """One event file of a run. `identity` changes when the file is replaced by another one of that name."""

    run: str
    path: str
    size: int
    identity: tuple[int, ...]


def roots(logdir: str, logdir_spec: str = "") -> list[tuple[str | None, str]]:
    """Name and directory of each root: of `--logdir`, or of each part of `--logdir_spec` (`name:directory,...`)."""
    found: list[tuple[str | None, str]] = []
    for part in logdir_spec.split(",") if logdir_spec else []:
        named = ":" in part and not _SCHEME.match(part) and part[0] != "/" and not os.path.splitdrive(part)[0]
        name, _, directory = part.partition(":") if named else ("", "", part)
        found.append((name or None, directory))
    if logdir and not logdir_spec:
        found.append((None, logdir))
    return [(name, _resolved(directory)) for name, directory in found if directory]


def event_files(name: str | None, root: str) -> Iterator[EventFilePath]:
    """All event files under a root, by directory, in the order of their names, which hold the time of their start."""
    walk = _walk_remote(root) if is_remote(root) else _walk_local(root, ())
    for directory, files in walk:
        below = "." if directory == root else directory[len(root) :].strip("/" + os.sep).replace(os.sep, "/")
        run = f"{name}/{below}" if name else below
        for file in sorted(files):
            path = f"{directory.rstrip('/')}/{file}" if is_remote(root) else os.path.join(directory, file)
            found = _stat(path)
            if found is not None:
                yield EventFilePath(run, path, *found)


def read(path: str, offset: int, count: int) -> bytes:
    """Up to `count` bytes of a file from `offset` on.

    Raises:
        OSError: it is gone, or cannot be read.
    """
    if is_remote(path):
        return _read_remote(path, offset, count)
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))
    try:
        return read_descriptor(descriptor, offset, count)
    finally:
        os.close(descriptor)


class OpenFile:
    """An event file that is read in many small parts: kept open, or in blocks where each read is a request."""

    def __init__(self, path: str, size: int) -> None:
        self._path, self._size = path, size
        self._blocks: dict[int, bytes] = {}
        self._descriptor = None
        if not is_remote(path):
            self._descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))

    def __enter__(self) -> OpenFile:
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)

    def read(self, offset: int, count: int) -> bytes:
        """Up to `count` bytes from `offset` on; nothing behind the size, where some file systems refuse to read."""
        count = max(0, min(count, self._size - offset))
        if not count:
            return b""
        if self._descriptor is not None:
            return read_descriptor(self._descriptor, offset, count)
        pieces = []
        for block in range(offset // _BLOCK, (offset + count - 1) // _BLOCK + 1):
            if block not in self._blocks:
                while len(self._blocks) > 1:
                    self._blocks.pop(next(iter(self._blocks)))
                self._blocks[block] = _read_remote(self._path, block * _BLOCK, min(_BLOCK, self._size - block * _BLOCK))
            pieces.append(self._blocks[block])
        begin = offset % _BLOCK
        return b"".join(pieces)[begin : begin + count]


def read_descriptor(descriptor: int, offset: int, count: int) -> bytes:
    """Read at an offset. Never through a memory map, which would kill the process if the file shrank meanwhile."""
    if hasattr(os, "pread"):
        return os.pread(descriptor, count, offset)
    os.lseek(descriptor, offset, os.SEEK_SET)  # Windows; no descriptor is shared by two threads
    return os.read(descriptor, count)


def is_remote(path: str) -> bool:
    """Whether a path begins with a scheme, such as `gs://`."""
    return bool(_SCHEME.match(path))


def _resolved(directory: str) -> str:
    return directory.rstrip("/") if is_remote(directory) else os.path.realpath(os.path.expanduser(directory))


def _is_event_file(name: str) -> bool:
    return "tfevents" in name


def _walk_local(directory: str, above: tuple[tuple[int, int], ...]) -> Iterator[tuple[str, list[str]]]:
    """Directories with their event files. Symbolic links are followed, but not into a directory above."""
    try:
        here = os.stat(directory)
        identity = (here.st_dev, here.st_ino)
        if identity in above and identity != (0, 0):
            return
        with os.scandir(directory) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
    except OSError:
        return
    files, directories = [], []
    for entry in entries:
        if _is_directory(entry):
            directories.append(entry.path)
        elif _is_event_file(entry.name):
            files.append(entry.name)
    if files:
        yield directory, files
    for path in directories:
        yield from _walk_local(path, (*above, identity))


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _stat(path: str) -> tuple[int, tuple[int, ...]] | None:
    """Size and identity of a regular file. A pipe or a socket would block who opens it."""
    if is_remote(path):
        try:
            return int(_gfile().stat(path).length), ()
        except Exception:  # each file system has errors of its own
            return None
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_size, (found.st_dev, found.st_ino)) if stat.S_ISREG(found.st_mode) else None


def _gfile() -> Any:
    from tensorboard.compat import tf  # TensorFlow where it is installed, else TensorBoard's own substitute

    return tf.io.gfile


def _walk_remote(directory: str) -> Iterator[tuple[str, list[str]]]:
    try:
        walked = list(_gfile().walk(directory))
    except Exception as error:  # each file system has errors of its own
        raise OSError(f"{directory} cannot be read: {error}") from error
    for at, _, files in walked:
        found = [name for name in files if _is_event_file(name)]
        if found:
            yield at.rstrip("/"), found


def _read_remote(path: str, offset: int, count: int) -> bytes:
    gfile = _gfile()
    try:
        if hasattr(gfile, "get_filesystem"):  # TensorBoard's substitute, whose files cannot seek
            where = {"opaque_offset": offset, "byte_offset": offset}
            data, _ = gfile.get_filesystem(path).read(path, True, count, where)
            return bytes(data[:count])  # S3 gives one byte too many
        with gfile.GFile(path, "rb") as file:
            file.seek(offset)
            return bytes(file.read(count))
    except Exception as error:  # each file system has errors of its own
        raise OSError(f"{path}: {error}") from error
