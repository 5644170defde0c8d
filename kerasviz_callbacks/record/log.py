"""Pictures and figures into TensorBoard event files and, if wanted, PNG files; points for its projector."""

from __future__ import annotations

import os
import weakref
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from kerasviz_callbacks.record.base import is_loggable
from kerasviz_callbacks.record.events import EventFile
from kerasviz_callbacks.record.files import put
from kerasviz_callbacks.record.png import encode, picture_path, size_of
from kerasviz_callbacks.record.projector import Points, Projector
from kerasviz_callbacks.record.run_lock import release
from kerasviz_callbacks.record.write_errors import WriteErrors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Log:
    """The `Sink` on disk: one event file a run, `log_dir/<group>/<run>`, and PNG files.

    Directories and files are made when first written to, and made again when deleted while training runs.
    What was written is with the operating system: a killed process loses none of it.

    Args:
        log_dir: The user's log directory, the one TensorBoard is started on.
        group: Name before the runs, as `claimed_free_run` gives it: `"views"`, `"views-2"`, ...
        claimed: The group was claimed, and is given back when the log is closed.

    Attributes:
        losses: What could not be written, noted by those who write (`losses.noted()`).

    Example:
        >>> log = Log("logs", claimed_free_run("logs", first_step=0))
        >>> log.scalar("validation", "overlap/conv1/mean", 0, 0.25)
        >>> log.close()
    """

    def __init__(self, log_dir: str | os.PathLike[str], group: str, *, claimed: bool = False) -> None:
        # Absolute: a training script that changes its directory means the same place as before.
        self.log_dir = Path(log_dir).absolute()
        self.group = group
        self.losses = WriteErrors()
        self._files: dict[str, EventFile] = {}
        self._projectors: dict[str, Projector] = {}
        self._logged_at: dict[tuple[str, str], int] = {}
        # Given back by a fit that died as well.
        self._release = weakref.finalize(self, release, self.log_dir / group) if claimed else lambda: None

    def picture(
        self,
        run: str,
        tag: str,
        step: int,
        picture: NDArray[np.uint8],
        description: str = "",
        *,
        save_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        """Write one picture, encoded once for the event file and the PNG file.

        Args:
            run: The source: `"validation"`, `"train"` or `"model"`.
            tag: Name of the picture in it; what stands before the first `/` is its section.
            step: The epoch; -1 is the untrained model.
            picture: uint8, `(height, width, 3)` or `(height, width)`.
            description: Markdown; counts at the tag's first picture in this run.
            save_dir: The picture also goes to `save_dir/<group>/<run>/<tag>/000007.png`; None for no such file.
                The tag is made safe as a file name (`safe_component`).

        Raises:
            TypeError: The picture is not uint8.
            ValueError: The picture's shape is another.
            OSError: A file cannot be written, e.g. because the disk is full.
        """
        self.encoded(run, tag, step, encode(picture), description, save_dir=save_dir)

    def encoded(
        self,
        run: str,
        tag: str,
        step: int,
        png: bytes,
        description: str = "",
        *,
        save_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        """Write one picture that is a PNG file already; it may be an animation, which TensorBoard plays.

        Args:
            run: As for `picture`, and so are `tag`, `step`, `description` and `save_dir`.
            tag: Name of the picture in the run.
            step: The epoch.
            png: The file, as `encode` or `animation` makes it.
            description: Markdown.
            save_dir: Where it also goes as a file.

        Raises:
            ValueError: It is no PNG file.
            OSError: A file cannot be written, e.g. because the disk is full.
        """
        height, width = size_of(png)
        try:
            self._event_file(run).image(tag, step, png, width=width, height=height, description=description)
        finally:  # the two may lie on different disks
            if save_dir is not None:
                path = picture_path(save_dir, f"{self.group}/{run}", tag, step)
                path.parent.mkdir(parents=True, exist_ok=True)
                put(path, png)

    def scalar(self, run: str, tag: str, step: int, value: float, description: str = "") -> None:
        """Write one figure. A figure that is NaN, or not finite as a float32, is not written.

        Two views may give the same figure; TensorBoard would show two points. The first one given at a step stays.

        Args:
            run: The source: `"validation"`, `"train"` or `"model"`.
            tag: Name of the figure in it; what stands before the first `/` is its section.
            step: The epoch; -1 is the untrained model.
            value: Any number.
            description: Markdown; counts at the tag's first figure in this run.

        Raises:
            OSError: The event file cannot be written, e.g. because the disk is full.
        """
        if is_loggable(value) and self._logged_at.get((run, tag)) != step:
            self._event_file(run).scalar(tag, step, value, description=description)
            self._logged_at[run, tag] = step

    def points(self, run: str, points: Points) -> None:
        """Write the files of TensorBoard's projector into the run, in place of those of the step before.

        Args:
            run: The source: `"validation"`, `"train"` or `"model"`.
            points: What the projector is to show.

        Raises:
            ValueError: Values, columns and pictures do not fit each other.
            OSError: A file cannot be written, e.g. because the disk is full.
        """
        self._event_file(run).open()  # without one TensorBoard knows of no such run
        if run not in self._projectors:
            self._projectors[run] = Projector(self.log_dir / self.group / run)
        self._projectors[run].write(points)

    def close(self) -> None:
        """Close all files and give back the claim; may be called again. A later write begins new ones."""
        try:
            with ExitStack() as every:
                for file in self._files.values():
                    every.callback(file.close)
        finally:
            self._release()

    def __reduce__(self) -> tuple[type[Log], tuple[Path, str]]:
        """A copy has files of its own, and no claim to give back."""
        return Log, (self.log_dir, self.group)

    def _event_file(self, run: str) -> EventFile:
        if run not in self._files:
            self._files[run] = EventFile(self.log_dir / self.group / run)
        return self._files[run]
