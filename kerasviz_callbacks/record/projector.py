"""The files of TensorBoard's projector: points, their metadata, and their pictures.

The projector reads four files, side by side in a run directory that also holds an event file (else TensorBoard knows
of no such run): `projector_config.pbtxt`, which names the others by relative paths, the points (`.tsv`), the metadata
(`.tsv`) and the sprite, one image with a tile a point. It has no steps: the files hold the newest one.
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
"""Largest side of the sprite in pixels, the limit of WebGL."""

MOST_VARIABLES = 512
"""Of wider points only the variables of largest variance are written: text of all would take longer than an epoch,
and the projector itself uses 200 of them (at random) for its principal axes."""

_TILE = 64


@dataclass(frozen=True)
class Points:
    """What the projector shows.

    Attributes:
        name: of the files and in the projector's list, such as `"latent_codes"`.
        values: `(n, d)`, d at least 2, finite.
        columns: metadata of each point by name, `n` entries each; any text.
        pictures: one per point, uint8 `(n, h, w, 3)`; None for no pictures.
    """

    name: str
    values: NDArray[Any]
    columns: Mapping[str, Sequence[object]] = field(default_factory=dict)
    pictures: NDArray[np.uint8] | None = None


class Projector:
    """The projector's files of one run directory.

    Each file is replaced whole, so that TensorBoard never reads half of it; the configuration is written last, when
    all files that it names are there. TensorBoard reads points once: it must be restarted to show newer ones.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.directory = absolute(directory)
        self._written: dict[str, _Written] = {}

    def write(self, points: Points) -> None:
        """Write the files; the sprite and the metadata only if they changed or were deleted.

        Raises:
            ValueError: The values are not `(n, d)` with d at least 2, or a column or the pictures are not n.
            OSError: A file cannot be written, e.g. because the disk is full.
        """
        _check(points)
        # Of several points of a run, all but the first have files under their own name.
        prefix = "" if points.name in [*self._written, points.name][:1] else f"{points.name}_"
        written = self._written.setdefault(points.name, _Written())
        fields = written.fields = {"tensor_name": points.name, "tensor_path": f"{points.name}.tsv"}
        put(self.directory / fields["tensor_path"], values_text(points.values).encode())
        if points.columns:
            fields["metadata_path"] = f"{prefix}metadata.tsv"
            path, given = self.directory / fields["metadata_path"], {k: list(v) for k, v in points.columns.items()}
            if list(given.items()) != list(written.columns.items()) or not path.exists():
                put(path, metadata_text(given).encode())
                written.columns = given
        if points.pictures is not None and len(points.pictures):
            fields["sprite"] = f"{prefix}sprite.png"
            if points.pictures is not written.pictures or not (self.directory / fields["sprite"]).exists():
                picture, written.side = sprite(points.pictures)
                put(self.directory / fields["sprite"], encode(picture))
                written.pictures = points.pictures
        config = "".join(_config(one.fields, one.side) for one in self._written.values())
        put(self.directory / CONFIG, config.encode())


@dataclass
class _Written:
    """What was written last of the points of one name."""

    fields: dict[str, str] = field(default_factory=dict)
    columns: dict[str, list[object]] = field(default_factory=dict)
    pictures: NDArray[np.uint8] | None = None
    side: int = 0


def values_text(values: NDArray[Any]) -> str:
    """Return points `(n, d)` as tab-separated lines, exact as float32; of wide ones 512 variables."""
    import numpy as np

    if values.shape[1] > MOST_VARIABLES:
        largest = np.argsort(-values.var(axis=0, dtype=np.float64), kind="stable")[:MOST_VARIABLES]
        values = values[:, np.sort(largest)]
    most = np.finfo(np.float32).max
    line = "\t".join(["%.9g"] * values.shape[1]) + "\n"
    return "".join(line % tuple(row) for row in np.clip(values, -most, most).astype(np.float32).tolist())


def metadata_text(columns: Mapping[str, Sequence[object]]) -> str:
    """Return metadata as tab-separated lines, with a header unless there is a single column (TensorBoard's rule).

    A tab or a line end within a text would end the cell, so unprintable characters become spaces.
    """
    rows = [[_cell(value) for value in row] for row in zip(*columns.values(), strict=True)]
    heads = [[_cell(name) for name in columns]] if len(columns) > 1 else []
    return "".join("\t".join(row) + "\n" for row in heads + rows)


def sprite(pictures: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], int]:
    """Return one image of all pictures, a square tile each, row by row, and the tile's side in pixels.

    Pictures, uint8 `(n, h, w, 3)` with n at least 1, are shrunk to 64 pixels, or to fewer where all together would be
    wider than 8192, and centred on white: the projector stretches a tile that is not square.
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
            raise ValueError(f"{what}: must have one entry per point, {shape[0]}, got {count}")


def _cell(value: object) -> str:
    """Return one cell; never empty, since TensorBoard skips empty lines."""
    return "".join(letter if letter.isprintable() else " " for letter in str(value)) or " "


def _config(fields: Mapping[str, str], side: int) -> str:
    """Return a `ProjectorConfig` in protobuf's text format, with one embedding."""
    lines = [f"  {key}: {json.dumps(value)}" for key, value in fields.items() if key != "sprite"]
    if "sprite" in fields:
        image = json.dumps(fields["sprite"])
        lines.append(f"  sprite {{ image_path: {image} single_image_dim: {side} single_image_dim: {side} }}")
    return "\n".join(["embeddings {", *lines, "}", ""])
