"""Whether a directory can be written, asked before training begins."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path


def check_writable(directory: str | os.PathLike[str], argument: str) -> Path:
    """Make a directory and a file in it, take the file away, and return the directory.

    Args:
        directory: A local path; made, with its parents, if absent.
        argument: Name of the user's argument, for the messages: `"log_dir"`.

    Raises:
        TypeError: It is neither text nor a path.
        ValueError: It is empty, holds what no file name can hold, or is a remote address such as `gs://...`.
        NotADirectoryError: It, or a directory above it, is a file.
        OSError: It cannot be written, of the kind the system reported, e.g. `PermissionError`.
    """
    path = _local_path(directory, argument)
    try:
        is_file = path.exists() and not path.is_dir()
        if not is_file:
            _write_in(path)
    except OSError as error:
        raise _cannot(path, argument, error.errno, error.strerror) from error
    if is_file:
        raise _cannot(path, argument, errno.ENOTDIR, "is a file")
    return path


def _write_in(path: Path) -> None:
    """Make the directory, and in it a file that goes again."""
    path.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=path) as file:
        # An empty file can be made on a full disk.
        file.write(b"\0")
        file.flush()


def _local_path(directory: str | os.PathLike[str], argument: str) -> Path:
    """Return the path, or raise what speaks against it whatever is on the disk."""
    text = os.fspath(directory) if isinstance(directory, str | os.PathLike) else directory
    if not isinstance(text, str):
        raise TypeError(f"{argument}={directory!r}: must be a str or a path, got {type(directory).__name__}")
    if "://" in text:
        raise ValueError(
            f"{argument}={text!r}: remote addresses cannot be written to; log to a local directory and "
            "copy it there while training runs, e.g. with `gsutil rsync` or `aws s3 sync`"
        )
    if not text or "\0" in text or not _can_be_encoded(text):
        raise ValueError(f"{argument}={text!r}: must name a directory, e.g. 'logs'")
    return Path(text)


def _can_be_encoded(text: str) -> bool:
    """Say whether the file system has bytes for a text: none for half a character (a lone surrogate)."""
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return True


def _cannot(path: Path, argument: str, number: int | None, reason: str | None) -> OSError:
    """Return the error; from its number OSError chooses its own subclass."""
    message = f'{argument}="{path}": cannot be written: {reason}; pass a directory you may create files in'
    return OSError(number, message)
