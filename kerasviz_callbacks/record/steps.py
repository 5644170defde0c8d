"""Which steps the event files of a directory already hold."""

from __future__ import annotations

import os
from pathlib import Path

from .tfrecord import record_heads

_TIME, _STEP, _SUMMARY = 0x09, 0x10, 0x2A
# Wall time and step take at most 20 bytes; what follows may be a megabyte of image.
_HEAD = 32


def last_step(directory: str | os.PathLike[str]) -> int | None:
    """Return the largest step at which anything was logged in a run directory.

    Only the first bytes of each record are read, so gigabytes of images are skipped quickly. A truncated tail and files
    that are no event files are left out. The directory need not exist; those in it are other runs.

    Returns:
        -1 or more where the file is ours, or None where nothing was logged.

    Raises:
        OSError: An event file there may not be read.
    """
    paths = [path for path in sorted(Path(directory).glob("*tfevents*")) if path.is_file()]  # TensorBoard's own rule
    heads = (head for path in paths for head in record_heads(path, _HEAD))
    return max((step for head in heads if (step := _summary_step(head)) is not None), default=None)


def _summary_step(head: bytes) -> int | None:
    """Return the step of a serialized `Event` that holds a summary, from its first bytes; else None.

    Protobuf writes fields in the order of their numbers: wall time, step (left out where it is 0), content.
    """
    position = 9 if head[:1] == bytes([_TIME]) else 0
    step = 0
    if head[position : position + 1] == bytes([_STEP]):
        position += 1
        for shift in range(0, 70, 7):
            byte = head[position] if position < len(head) else 0
            step |= (byte & 0x7F) << shift
            position += 1
            if byte < 0x80:
                break
    if head[position : position + 1] != bytes([_SUMMARY]):
        return None
    return step - 2**64 if step >= 2**63 else step
