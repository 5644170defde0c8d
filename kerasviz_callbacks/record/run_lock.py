"""Which directories a process writes to, so that no other writes there at the same time.

Two writers in one run directory hide each other's pictures: TensorBoard's Python loader stops reading the older file.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

_lock = threading.Lock()
_held: dict[tuple[int, Path], tuple[int, int]] = {}  # by process and directory: the open directory, how many claims


def claim(directory: str | os.PathLike[str]) -> bool:
    """Claim a directory for this process, and make it if it is absent; a process may claim it several times.

    The claim is a lock on the directory itself, which the system gives back when the process, and those that it has
    forked meanwhile, have ended. Where there are no such locks (Windows, some network file systems), every claim is
    granted.

    Args:
        directory: A local path.

    Returns:
        False if another process that still runs has claimed it.
    """
    key = (os.getpid(), Path(directory).resolve())  # a forked process holds none of what its parent claimed
    with _lock:
        if key in _held:
            descriptor, count = _held[key]
            _held[key] = (descriptor, count + 1)
            return True
        return _locked(key)


def _locked(key: tuple[int, Path]) -> bool:
    try:
        import fcntl

        key[1].mkdir(parents=True, exist_ok=True)
        descriptor = os.open(key[1], os.O_RDONLY)
    except (ImportError, OSError):
        return True  # nothing can be locked; what is wrong with the directory is told where it is written
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    except OSError:
        os.close(descriptor)
        return True
    _held[key] = (descriptor, 1)
    return True


def release(directory: str | os.PathLike[str]) -> None:
    """Give back one claim; the last one frees the directory. One that is not held is no error."""
    key = (os.getpid(), Path(directory).resolve())
    with _lock:
        if key not in _held:
            return
        descriptor, count = _held.pop(key)
        if count > 1:
            _held[key] = (descriptor, count - 1)
            return
        import fcntl

        # Processes forked meanwhile share the lock: closing alone would leave it with them.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)
