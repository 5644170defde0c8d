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
        ValueError: It is empty, holds a NUL character, or is a remote address such as `gs://...`.
        NotADirectoryError: It, or a directory above it, is a file.
        OSError: It cannot be written, of the kind the system reported, e.g. `PermissionError`.
    """
    path = _local_path(directory, argument)
    if path.exists() and not path.is_dir():
        raise _cannot(path, argument, errno.ENOTDIR, "is a file")
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path) as file:
            # An empty file can be made on a full disk.
            file.write(b"\0")
            file.flush()
    except OSError as error:
        raise _cannot(path, argument, error.errno, error.strerror) from error
    return path


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
    if not text or "\0" in text:
        raise ValueError(f"{argument}={text!r}: must name a directory, e.g. 'logs'")
    return Path(text)


def _cannot(path: Path, argument: str, number: int | None, reason: str | None) -> OSError:
    """Return the error; from its number OSError chooses its own subclass."""
    message = f'{argument}="{path}": cannot be written: {reason}; pass a directory you may create files in'
    return OSError(number, message)
