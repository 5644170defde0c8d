"""What boxes and points have in common: they are drawn over the input."""

from collections.abc import Sequence

import numpy as np

from ..._typing import Array
from ...callback import VALIDATION
from ...draw.predicted_tiles import PREDICTED, TRUE
from ...draw.predictions import Column, Key, prediction_rows, sized, tile_size
from .outputs import Output
from .prediction_kind import PredictionKind

_LARGE = 192  # pixels of a tile's longest side: thin lines must be seen


class Places(PredictionKind):
    """What is drawn over the input."""

    further_keys: Sequence[Key] = ()

    def __init__(self, output: Output):
        super().__init__(output)
        fed = output.probes[VALIDATION].images.shape[1:]
        shown = output.pictures(VALIDATION, 1)
        self.sides = fed[-3:-1] if len(fed) >= 3 else fed if shown is None else shown.shape[1:3]
        self.sides = (int(self.sides[0]), int(self.sides[1])) if len(self.sides) == 2 else (1, 1)

    @classmethod
    def fits(cls, output: Output) -> bool:
        """Numbers in pairs, over images."""
        return output.pictures(VALIDATION, 1) is not None and int(np.prod(output.shape)) % 2 == 0

    def sheet(
        self, source: str, tiles: Sequence[Array], caption: str, scores: list[str] | None, note: str, bad: str
    ) -> Array:
        """Lay the tiles out, one a row."""
        keys = [] if self.output.truths.get(source) is None else [Key("truth", TRUE)]
        column = Column("over the input", np.stack(tiles))
        return prediction_rows(
            [column],
            caption=caption,
            keys=[*keys, Key("output", PREDICTED), *self.further_keys],
            names=self.names(source, len(tiles)),
            scores=scores,
            note=note,
            bad=bad,
        )

    def grounds(self, source: str, rows: int) -> tuple[Array, Array]:
        """The inputs of the first rows as tiles, and the factors from pixels of the input to those of a tile: x, y."""
        pictures = self.output.pictures(source, rows)
        height, width = self.sides
        if pictures is None:
            pictures = np.full((rows, height, width, 3), 255, np.uint8)
        size = tile_size(pictures.shape[1:3], rows, largest=_LARGE)
        return sized(pictures, size), np.array([size[1] / width, size[0] / height])


def count_bad(rows: Sequence[Array]) -> str:
    """Return how many predicted places, of rows `(k, 2)` or `(k, 4)`, are not finite, in words."""
    count = sum(int((~np.isfinite(row)).any(axis=-1).sum()) for row in rows)
    return f"{count:,} are NaN" if count else ""
