"""What every destination of pictures and figures can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import os

    import numpy as np
    from numpy.typing import NDArray

    from kerasviz_callbacks.record.projector import Points

LARGEST_FLOAT32 = 3.4028234663852886e38
"""The largest float32: scalars are stored as float32, and beyond it they would become infinite."""


def is_loggable(value: float) -> bool:
    """Say whether a value can be recorded as a scalar: not NaN, and finite as a float32."""
    return bool(abs(value) <= LARGEST_FLOAT32)


@runtime_checkable
class Sink(Protocol):
    """A destination of pictures and figures, used by one thread at a time.

    `run` is the source (`"validation"`, `"train"`, `"model"`), `tag` the name within it
    (`"filters/conv1"`), `step` the epoch, -1 for the untrained model. A description is Markdown; it counts at
    the first use of a tag in a run.
    """

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
        """Record one picture, uint8 `(height, width, 3)` or `(height, width)`, and below `save_dir`, if any."""

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
        """Record one picture that is a PNG file already, perhaps an animation."""

    def scalar(self, run: str, tag: str, step: int, value: float, description: str = "") -> None:
        """Record one figure; NaN, what is not finite as a float32, and a second one of the same step are not."""

    def points(self, run: str, points: Points) -> None:
        """Record what TensorBoard's projector shows, in place of what was there."""

    def close(self) -> None:
        """Flush and let go of files; may be called again. What is recorded afterwards is not lost."""
