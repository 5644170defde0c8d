"""Whether a directory can be written, asked before training begins."""

from __future__ import annotations

import errno
import os
import re
import tempfile
from pathlib import Path

_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
"""A scheme of two letters or more, so that Windows' drives are none; `pathlib` leaves one slash of `s3://bucket`."""


def absolute(directory: str | os.PathLike[str]) -> Path:
    """Return the directory as an absolute path, `~` expanded, so that a later `os.chdir` changes nothing.

    Raises:
        RuntimeError: `~user` of a user who does not exist.
    """
    return Path(directory).expanduser().absolute()


def check_writable(directory: str | os.PathLike[str], argument: str) -> Path:
    """Make a directory, create and delete a file in it, and return it as an absolute path.

    Args:
        directory: A local path; made, with its parents, if absent. `~` is the home directory.
        argument: Name of the user's argument, for the messages: `"log_dir"`.

    Raises:
        TypeError: It is neither text nor a path.
        ValueError: It is empty, holds what no file name can hold, starts with `~user` of an unknown user, or is a
            remote address such as `gs://...`.
        NotADirectoryError: It, or a directory above it, is a file.
        FileNotFoundError: It, or a directory above it, is a symbolic link that leads nowhere.
        OSError: It cannot be written, of the kind the system reported, e.g. `PermissionError`.
    """
    path = _local_path(directory, argument)
    try:
        is_file = path.exists() and not path.is_dir()
        dangling = next((one for one in (path, *path.parents) if one.is_symlink() and not one.exists()), None)
        if not is_file and dangling is None:
            path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=path) as file:
                file.write(b"\0")  # an empty file can be made on a full disk
                file.flush()
    except OSError as error:
        raise _cannot(path, argument, error.errno, error.strerror) from error
    if dangling is not None:
        what = f'"{dangling}" is a symbolic link to "{dangling.readlink()}", which does not exist'
        raise _cannot(path, argument, errno.ENOENT, what)
    if is_file:
        raise _cannot(path, argument, errno.ENOTDIR, "is a file")
    return path


def _local_path(directory: str | os.PathLike[str], argument: str) -> Path:
    """Return the absolute path, or raise what is wrong with it whatever is on the disk."""
    text = os.fspath(directory) if isinstance(directory, str | os.PathLike) else directory
    if not isinstance(text, str):
        raise TypeError(f"{argument}={directory!r}: must be a str or a path, got {type(directory).__name__}")
    if _REMOTE.match(text):
        raise ValueError(
            f"{argument}={text!r}: remote addresses cannot be written to; log to a local directory and "
            "copy it there while training runs, e.g. with `gsutil rsync` or `aws s3 sync`"
        )
    no_name = ValueError(f"{argument}={text!r}: must name a directory, e.g. 'logs'")
    if not text or "\0" in text:
        raise no_name
    try:
        os.fsencode(text)
        return absolute(text)
    except UnicodeEncodeError:  # half a surrogate pair
        raise no_name from None
    except RuntimeError as error:
        raise ValueError(f"{argument}={text!r}: {error}; write the path in full") from error


def _cannot(path: Path, argument: str, number: int | None, reason: str | None) -> OSError:
    """Return the error; `OSError` picks its own subclass from the number."""
    return OSError(
        number, f'{argument}="{path}": cannot be written: {reason}; pass a directory you may create files in'
    )
