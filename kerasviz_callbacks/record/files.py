"""Files that are whole or not there."""

from __future__ import annotations

import contextlib
from pathlib import Path


def put(path: Path, content: bytes) -> None:
    """Write a file beside where it goes, whole, and let it take its place: nobody ever reads half of it.

    Raises:
        OSError: It cannot be written; what was there before still is.
    """
    partial = path.with_name(f".{path.name}.part")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
