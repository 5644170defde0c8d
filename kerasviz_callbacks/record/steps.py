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

    Only the first bytes of each record are read, so gigabytes of images are skipped quickly. A
    truncated tail and files that are no event files are left out.

    Args:
        directory: The run; directories in it are other runs. It need not exist.

    Returns:
        The step, -1 or more where the file is ours, or None where nothing was logged.

    Raises:
        OSError: An event file there may not be read.
    """
    heads = (head for path in _event_files(Path(directory)) for head in record_heads(path, _HEAD))
    return max((step for head in heads if (step := _summary_step(head)) is not None), default=None)


def holds_step(group: Path, first_step: int) -> bool:
    """Say whether a run in the group, or the group's directory itself, holds `first_step` or a later step.

    A second training that began again at step 0 in the same run would take the place of the first in one of
    TensorBoard's loaders and be mixed with it in the other.

    Raises:
        OSError: An event file there may not be read.
    """
    lasts = (last_step(directory) for directory, _, _ in os.walk(group))
    return any(last is not None and last >= first_step for last in lasts)


def _event_files(directory: Path) -> list[Path]:
    """Return the event files right in the directory, by TensorBoard's own rule for their names."""
    return [path for path in sorted(directory.glob("*tfevents*")) if path.is_file()]


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
