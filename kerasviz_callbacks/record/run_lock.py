"""Which group of runs a sink writes to, locked so that no other sink, in this process or another, writes there too.

Two writers in one run directory hide each other's images: TensorBoard's Python loader stops reading the older file.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import BaseFileLock

LOCK_FILE = ".kerasviz.lock"
PNG_LOCK_FILE = ".kerasviz-png.lock"
"""Lies empty in the directory, and stays there: TensorBoard reads only files with `tfevents` in their names."""


class RunLock:
    """An exclusive lock on one directory.

    The operating system releases it when the process ends, however it ends; a forked child does not hold it, and
    dropping the object releases it. Where no lock can be made (read-only directories, network file systems without
    locks) it is granted. `acquire` makes the directory if absent.
    """

    def __init__(self, directory: Path, file: str = LOCK_FILE) -> None:
        self.directory, self.file = directory, file
        self._lock: BaseFileLock | None = None

    def __reduce__(self) -> tuple[type[RunLock], tuple[Path, str]]:
        """A copy or pickle holds no lock."""
        return RunLock, (self.directory, self.file)

    def acquire(self) -> bool:
        """Lock the directory; return False if another sink, here or in another process, holds it."""
        from filelock import FileLock, Timeout

        lock = FileLock(self.directory / self.file, thread_local=False, fallback_to_soft=False)
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            lock.acquire(blocking=False)
        except Timeout:  # an OSError too; also raised where the file cannot be made though its directory is there
            return not os.path.lexists(lock.lock_file)
        except (OSError, NotImplementedError):
            return True  # if the directory cannot be written either, the first write says so
        self._lock = lock
        return True

    def release(self) -> None:
        """Unlock the directory; may be called again."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release(force=True)


def claim_group(directory: Path, is_taken: Callable[[Path], bool], file: str = LOCK_FILE) -> tuple[str, RunLock]:
    """Lock the first of `directory/views`, `directory/views-2`, ... that is neither locked nor taken.

    Args:
        directory: The user's directory; need not exist.
        is_taken: Says of a group's directory whether it holds what must not be mixed or replaced. Asked while the
            group is locked, since another process may only just have finished there.
        file: Name of the lock's file: sinks of two kinds may share a directory.

    Returns:
        The name of the group, and the lock that holds it until it is released or dropped.
    """
    number = 1
    while True:
        name = "views" if number == 1 else f"views-{number}"
        lock, free = RunLock(directory / name, file), False
        try:
            free = lock.acquire() and not is_taken(directory / name)
        finally:
            if not free:
                lock.release()
        if free:
            return name, lock
        number += 1
