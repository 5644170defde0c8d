"""Writing files: whole or not at all, without following links."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

_MOST_PARTS = 1024
"""How many parts one `writev` takes on Linux and macOS (IOV_MAX)."""


def put(path: Path, content: bytes) -> None:
    """Write a file beside its destination under a random name, then move it there: nobody ever reads half of it.

    A symbolic link at the destination is replaced, never written through. After an error, what was there before still
    is.
    """
    partial = path.with_name(f".{secrets.token_hex(8)}.part")
    # Not `tempfile`: its files are private to the user, and this one gets the permissions of any new file (umask).
    file = partial.open("xb", buffering=0)
    try:
        with file:
            write_all(file.fileno(), [content])
        partial.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise


def write_all(descriptor: int, parts: Sequence[bytes]) -> None:
    """Write all parts one after the other, in one system call where the system takes them at once."""
    waiting = [memoryview(part) for part in parts if part]
    while waiting:
        at_once = hasattr(os, "writev")
        written = os.writev(descriptor, waiting[:_MOST_PARTS]) if at_once else os.write(descriptor, waiting[0])
        while waiting and written >= len(waiting[0]):
            written -= len(waiting.pop(0))
        if written:
            waiting[0] = waiting[0][written:]
