"""What TensorBoard's projector shows of a run: points, what is known of each, and their pictures.

The projector reads four files, side by side in a run directory that also holds an event file (else TensorBoard knows
of no such run): `projector_config.pbtxt`, which names the others by relative paths, the points (`.tsv`), the metadata
(`.tsv`) and the sprite, one picture with a tile a point. It has no steps: the files hold the newest one.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .directories import absolute
from .files import put
from .png import encode

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CONFIG = "projector_config.pbtxt"
LARGEST_SPRITE = 8192
"""Pixels that the projector's sprite may have on a side, by the bound of WebGL."""

MOST_VARIABLES = 512
"""Of wider points the variables of largest variance are written: text of every one would cost more than an epoch,
and the projector itself looks at 200 of them (at random) for its principal axes."""

_TILE = 64


@dataclass(frozen=True)
class Points:
    """What the projector is to show.

    Attributes:
        name: of the files and in the projector's list, such as `"latent_codes"`.
        values: `(n, d)`, d at least 2, finite.
        columns: by name, what is known of each point, `n` entries each; text may be anything.
        pictures: one a point, uint8 `(n, h, w, 3)`; None for no pictures.
    """

    name: str
    values: NDArray[Any]
    columns: Mapping[str, Sequence[object]] = field(default_factory=dict)
    pictures: NDArray[np.uint8] | None = None


class Projector:
    """The projector's files of one run directory.

    Each file takes the place of the one before at once, so that TensorBoard never reads half of it; the configuration
    comes last, when all that it names is there.

    TensorBoard reads points once and keeps them: it must be started anew to show newer ones.

    Args:
        directory: The run; an event file of it must be there for TensorBoard to look.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.directory = absolute(directory)
        self._pictures: NDArray[np.uint8] | None = None
        self._side = 0

    def write(self, points: Points) -> None:
        """Write the files, or renew them; the sprite only where the pictures are others, or it was deleted.

        Raises:
            ValueError: The values are not `(n, d)` with d at least 2, or a column or the pictures are not n.
            OSError: A file cannot be written, e.g. because the disk is full.
        """
        _check(points)
        fields = {"tensor_name": points.name, "tensor_path": f"{points.name}.tsv"}
        put(self.directory / fields["tensor_path"], values_text(points.values).encode())
        if points.columns:
            fields["metadata_path"] = "metadata.tsv"
            put(self.directory / fields["metadata_path"], metadata_text(points.columns).encode())
        if points.pictures is not None and len(points.pictures):
            fields["sprite"] = "sprite.png"
            if points.pictures is not self._pictures or not (self.directory / fields["sprite"]).exists():
                picture, self._side = sprite(points.pictures)
                put(self.directory / fields["sprite"], encode(picture))
                self._pictures = points.pictures
        put(self.directory / CONFIG, _config(fields, self._side).encode())


def values_text(values: NDArray[Any]) -> str:
    """Points `(n, d)` as lines of numbers with tabs between, exact as float32; of wide ones 512 variables."""
    import numpy as np

    if values.shape[1] > MOST_VARIABLES:
        largest = np.argsort(-values.var(axis=0, dtype=np.float64), kind="stable")[:MOST_VARIABLES]
        values = values[:, np.sort(largest)]
    most = np.finfo(np.float32).max
    line = "\t".join(["%.9g"] * values.shape[1]) + "\n"
    return "".join(line % tuple(row) for row in np.clip(values, -most, most).astype(np.float32).tolist())


def metadata_text(columns: Mapping[str, Sequence[object]]) -> str:
    """What is known of each point as lines, the names first, but not those of a single column: TensorBoard's rule.

    A tab or a line end within a text would be taken for the end of a cell, so what cannot be printed becomes a space.
    """
    rows = [[_cell(value) for value in row] for row in zip(*columns.values(), strict=True)]
    heads = [[_cell(name) for name in columns]] if len(columns) > 1 else []
    return "".join("\t".join(row) + "\n" for row in heads + rows)


def sprite(pictures: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], int]:
    """One picture of all, a square tile each, row by row, and the tile's side in pixels.

    Pictures are shrunk to 64 pixels, or to fewer where all together would be wider than 8192, and centred on white:
    the projector stretches a tile that is not square.

    Args:
        pictures: uint8 `(n, h, w, 3)`, n at least 1.
    """
    import numpy as np
    from PIL import Image

    count, height, width = pictures.shape[:3]
    columns = math.ceil(math.sqrt(count))
    longest = max(height, width)
    side = max(1, min(longest, _TILE, LARGEST_SPRITE // columns))
    size = (max(1, round(width * side / longest)), max(1, round(height * side / longest)))
    top, left = (side - size[1]) // 2, (side - size[0]) // 2
    whole = np.full((math.ceil(count / columns) * side, columns * side, 3), 255, np.uint8)
    for number, one in enumerate(pictures):
        y, x = (place * side for place in divmod(number, columns))
        small = one if side == longest else np.asarray(Image.fromarray(one).resize(size, Image.Resampling.BOX))
        whole[y + top : y + top + size[1], x + left : x + left + size[0]] = small
    return whole, side


def _check(points: Points) -> None:
    shape = points.values.shape
    if len(shape) != 2 or shape[1] < 2:
        raise ValueError(f"values: must be (n, d) with d at least 2, got {shape}")
    given = {f"columns[{name!r}]": len(column) for name, column in points.columns.items()}
    if points.pictures is not None:
        given["pictures"] = len(points.pictures)
    for what, count in given.items():
        if count != shape[0]:
            raise ValueError(f"{what}: must be one a point, {shape[0]}, got {count}")


def _cell(value: object) -> str:
    """One cell; never empty, since TensorBoard leaves out empty lines."""
    return "".join(letter if letter.isprintable() else " " for letter in str(value)) or " "


def _config(fields: Mapping[str, str], side: int) -> str:
    """`ProjectorConfig` in protobuf's text format, with one embedding."""
    lines = [f"  {key}: {json.dumps(value)}" for key, value in fields.items() if key != "sprite"]
    if "sprite" in fields:
        image = json.dumps(fields["sprite"])
        lines.append(f"  sprite {{ image_path: {image} single_image_dim: {side} single_image_dim: {side} }}")
    return "\n".join(["embeddings {", *lines, "}", ""])
