"""Which steps the runs of a log directory already hold."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

from kerasviz_callbacks.record.run_lock import claim, release
from kerasviz_callbacks.record.tfrecord import record_heads

_TIME, _STEP, _SUMMARY = 0x09, 0x10, 0x2A
# Wall time and step take at most 20 bytes; what follows may be megabytes of picture.
_HEAD = 32


def last_step(directory: str | os.PathLike[str]) -> int | None:
    """Return the largest step at which anything was logged in a run directory.

    Only the first bytes of each record are read, so gigabytes of pictures are passed over quickly. A
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


def claimed_free_run(log_dir: str | os.PathLike[str], first_step: int) -> str:
    """Claim the first of "views", "views-2", "views-3", ... in which `first_step` and what follows is free.

    A second training that began again at step 0 in the same run would take the place of the first in one of
    TensorBoard's loaders and be mixed with it in the other. What another process is writing to is not free.

    Args:
        log_dir: The user's log directory; it need not exist.
        first_step: The first step to be logged, e.g. -1 with an untrained model, else `initial_epoch`.

    Returns:
        The name of the group: its runs are `log_dir/<group>/<source>`, and none of them holds a step of
        `first_step` or later. It is claimed (`claims.py`) until it is released.

    Raises:
        OSError: An event file there may not be read.
    """
    names = itertools.chain(["views"], (f"views-{n}" for n in itertools.count(2)))
    return next(name for name in names if _claimed(Path(log_dir, name), first_step))


def _claimed(group: Path, first_step: int) -> bool:
    """Claim a group if it is free; looked at once claimed, since another process may just have ended there."""
    if not claim(group):
        return False
    free = False
    try:
        free = not _reaches(group, first_step)
    finally:
        if not free:
            release(group)
    return free


def _reaches(group: Path, step: int) -> bool:
    """Say whether a run in the group, or the group itself, holds the step or a later one."""
    lasts = (last_step(directory) for directory, _, _ in os.walk(group))
    return any(last is not None and last >= step for last in lasts)


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
