"""Vision transformers: outputs `(tokens, channels)` that stand for the patches of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np

from ..maths.geometry import token_grid
from .noting import Call
from .reader import Reader, Tap
from .scores import PREDICTED, Score

_ATTENTION = (keras.layers.MultiHeadAttention, keras.layers.GroupQueryAttention, keras.layers.Attention)


@dataclass(frozen=True)
class Patches:
    """How tokens lie on the picture.

    Attributes:
        first: how many tokens before the first patch: the class token and the like.
        grid: rows and columns of patches.
    """

    first: int
    grid: tuple[int, int]


def patches_of(reader: Reader, call: Call) -> Patches | None:
    """How the tokens of an output lie on the first input; `None` where it has none, or that is no picture."""
    picture = reader.input_shapes[0]
    if len(call.shape) != 2 or len(picture) != 3 or call.shape[0] is None:
        return None
    found = token_grid(call.shape[0], (picture[0], picture[1]))
    if found is None:
        return None
    first, (rows, columns) = found
    # Rows of a picture taken for a series: so many steps may happen to be a grid too.
    if first and (picture[0] % rows or picture[1] % columns):
        return None
    height, width, channels = picture
    if call.shape[0] == height and any(
        one.shape in ((height, width), (height, width * channels)) for one in reader.calls
    ):
        return None
    return Patches(first, (rows, columns))


def within_attention(reader: Reader, calls: Sequence[Call]) -> set[str]:
    """The paths of calls within attention layers: heads and queries, whose axes are no positions of a picture."""
    around = tuple(f"{place.path}/" for place in reader.places if isinstance(place.layer, _ATTENTION))
    return {call.path for call in calls if around and call.place.path.startswith(around)}


def reaching(reader: Reader, calls: Sequence[Call], wanted: Score) -> list[bool]:
    """Whether the score depends on any patch of each call, and not on the class token alone.

    Of the last block of a transformer with a class token the output depends on its patches no longer. That is seen
    in numbers only: one pass over the fewest rows.
    """
    patches = [patches_of(reader, call) for call in calls]
    doubtful = [call for call, one in zip(calls, patches, strict=True) if one is not None and one.first]
    if not doubtful:
        return [True] * len(calls)
    taps = {call.path: Tap(call.path, score=wanted) for call in doubtful}
    rows = reader.few()
    classes = np.full(len(keras.tree.flatten(rows)[0]), PREDICTED, np.int32)
    taken = reader.read(taps.values(), rows, targets={wanted.targets: classes})
    return [
        one is None or not one.first or bool(np.any(taken[taps[call.path]].slope[:, one.first :]))
        for call, one in zip(calls, patches, strict=True)
    ]
