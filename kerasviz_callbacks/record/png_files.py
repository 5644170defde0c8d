"""Images as PNG files in directories."""

from __future__ import annotations

import os
import re
from pathlib import Path

from .files import put
from .png import picture_path
from .run_lock import PNG_LOCK_FILE
from .sink import DirectorySink

_STEP = re.compile(r"-?\d+")


class PNGFileSink(DirectorySink):
    """The `Sink` of a `save_dir`: each image is `save_dir/<group>/<run>/<tag>/000007.png`, all else is ignored.

    The group is the first that holds no PNG file of these steps, whatever the event files' group is, so that no
    file of another training is replaced. Tags are made safe as file names (`safe_component`).
    """

    lock_file = PNG_LOCK_FILE

    def holds_step(self, group: Path, first_step: int) -> bool:
        """Say whether a PNG file of `first_step` or later lies in the group."""
        paths = (Path(name) for _, _, names in os.walk(group) for name in names)
        return any(
            path.suffix == ".png" and _STEP.fullmatch(path.stem) is not None and int(path.stem) >= first_step
            for path in paths
        )

    def image(self, run: str, tag: str, step: int, png: bytes, description: str = "") -> None:
        """Write one PNG file whole; a symbolic link in its place is replaced, not followed; see `Sink.image`."""
        path = picture_path(self.directory, self.path_of(run), tag, step)
        path.parent.mkdir(parents=True, exist_ok=True)
        put(path, png)
