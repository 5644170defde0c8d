"""Images as PNG files in directories."""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .directories import absolute
from .files import put
from .png import picture_path
from .run_lock import PNG_LOCK_FILE, RunLock, claim_group
from .write_errors import WriteErrors

if TYPE_CHECKING:
    from .projector import Points

_STEP = re.compile(r"-?\d+")


class PNGFileSink:
    """The `Sink` of a `save_dir`: each image is `save_dir/<group>/<run>/<tag>/000007.png`, all else is ignored.

    The group is the first that holds no PNG file of these steps, whatever the event files' group is, so that no
    file of another training is replaced. Tags are made safe as file names (`safe_component`).

    Args:
        save_dir: Resolved now: a later `os.chdir` changes nothing.

    Attributes:
        errors: What could not be written.
        save_dir: The directory as an absolute path.
        group: `"views"`, `"views-2"`, ...; empty before `begin`.
    """

    def __init__(self, save_dir: str | os.PathLike[str]) -> None:
        self.save_dir = absolute(save_dir)
        self.errors = WriteErrors()
        self.group = ""
        self._lock: RunLock | None = None

    def begin(self, first_step: int) -> str:
        """Claim the first group that holds no PNG file of `first_step` or later; see `Sink.begin`."""
        self.group, self._lock = claim_group(self.save_dir, partial(_holds_step, first_step=first_step), PNG_LOCK_FILE)
        return self.group

    def image(self, run: str, tag: str, step: int, png: bytes, description: str = "") -> None:
        """Write one PNG file whole; a symbolic link in its place is replaced, not followed; see `Sink.image`."""
        if not self.group:
            raise RuntimeError("begin(first_step) must be called before the first write")
        path = picture_path(self.save_dir, f"{self.group}/{run}", tag, step)
        path.parent.mkdir(parents=True, exist_ok=True)
        put(path, png)

    def scalar(self, run: str, tag: str, step: int, value: float, description: str = "") -> None:
        """Do nothing: a PNG file holds no scalars."""

    def text(self, run: str, tag: str, step: int, markdown: str, description: str = "") -> None:
        """Do nothing: a PNG file holds no text."""

    def points(self, run: str, points: Points) -> None:
        """Do nothing: only TensorBoard has a projector."""

    def flush(self) -> None:
        """Do nothing: images are written at once."""

    def close(self) -> None:
        """Release the claim; may be called again."""
        if self._lock is not None:
            self._lock.release()

    def closing_line(self, steps: int) -> None:
        """Return None: any program shows PNG files."""


def _holds_step(group: Path, first_step: int) -> bool:
    """Say whether a PNG file of `first_step` or later lies in the group."""
    paths = (Path(name) for _, _, names in os.walk(group) for name in names)
    return any(
        path.suffix == ".png" and _STEP.fullmatch(path.stem) is not None and int(path.stem) >= first_step
        for path in paths
    )
