"""Vision transformers: outputs `(tokens, channels)` whose tokens are the patches of an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from ..maths.geometry import token_grid
from .output_recorder import Call
from .passes import run_captures
from .reader import Capture, Reader
from .scores import PREDICTED, Score

_FED = ":fed"  # stands for the input, is the path of no layer
_ATTENTION = (keras.layers.MultiHeadAttention, keras.layers.GroupQueryAttention, keras.layers.Attention)


@dataclass(frozen=True)
class Patches:
    """The positions of tokens on the image."""

    first: int  # number of tokens before the first patch, such as the class token
    grid: tuple[int, ...]  # rows and columns of patches, in volumes the depth before them


def patches_of(reader: Reader, call: Call) -> Patches | None:
    """The positions of an output's tokens on the first input; `None`: it has no tokens, or that is no image or volume.

    Tokens of as many steps as a clip has frames are those frames.
    """
    picture = reader.input_shapes[0]
    if len(call.shape) != 2 or len(picture) not in (3, 4) or call.shape[0] is None:
        return None
    found = token_grid(call.shape[0], picture[:-1])
    if found is None or (len(picture) == 4 and call.shape[0] == picture[0]):
        return None
    first, grid = found
    if first and any(size % cells for size, cells in zip(picture, grid, strict=False)):
        return None  # the length of a time series may happen to fit a grid
    return None if len(picture) == 3 and _takes_lines(reader) else Patches(first, grid)


def _takes_lines(reader: Reader) -> bool:
    """Whether the model treats rows or columns of maps as time steps, as recurrent layers applied to images do.

    The first output with that many steps is then a reshaped map `(a, b, channels)`, as `(a, b * channels)` or
    `(b, a * channels)`; later ones may be joined attention heads. Shapes alone cannot decide: the 256 patches of a
    256 x 256 image have the shape of its rows. So values are compared, in one pass over as few rows as possible.
    """
    visible = [call for call in reader.calls if call.visible]
    maps = {call.path: call.shape for call in visible if len(call.shape) == 3} | {_FED: reader.input_shapes[0]}
    series = {call.shape[0]: call for call in reversed(visible) if len(call.shape) == 2}  # the first of each length
    pairs = [
        (path, call.path, order)
        for path, shape in maps.items()
        for order, laid_out in _as_lines(shape)
        for call in series.values()
        if call.shape == laid_out
    ]
    if not pairs:
        return False
    rows = reader.few()
    captured = reader.read({Capture(path) for pair in pairs for path in pair[:2] if path != _FED}, rows)
    values = {capture.path: one.output for capture, one in captured.items()} | {
        _FED: keras.tree.flatten(reader.to_channels_last(rows))[0]
    }
    return any(
        np.array_equal(values[line].ravel(), values[path].transpose(0, *order).ravel()) for path, line, order in pairs
    )


def _as_lines(shape: tuple[int | None, ...]) -> list[tuple[tuple[int, int, int], tuple[int, int]]]:
    """Maps `(a, b, channels)` as time series of rows or columns: the order of axes, and the resulting shape."""
    a, b, channels = shape
    if a is None or b is None or channels is None or min(a, b) < 2:
        return []
    return [((1, 2, 3), (a, b * channels)), ((2, 1, 3), (b, a * channels))]


def patches_by_path(reader: Reader, calls: Sequence[Call]) -> dict[str, Patches]:
    """The patches that tokens are, by path: of outputs that have the grid of the first tokens of the model.

    Others, such as the turned outputs `(channels, tokens)` of an MLP-Mixer, may have as many rows as another grid.
    """
    found = {call.path: patches_of(reader, call) for call in calls if len(call.shape) == 2}
    tokens = next((call for call in reader.calls if call.visible and len(call.shape) == 2), None)
    first = patches_of(reader, tokens) if tokens is not None and any(found.values()) else None
    return {path: one for path, one in found.items() if one and first and one.grid == first.grid}


def within_attention(reader: Reader, calls: Sequence[Call]) -> set[str]:
    """The paths of calls inside attention layers, such as heads and queries, whose axes are no positions."""
    around = tuple(f"{ref.path}/" for ref in reader.layers if isinstance(ref.layer, _ATTENTION))
    return {call.path for call in calls if around and call.ref.path.startswith(around)}


def depends_on_patches(reader: Reader, calls: Sequence[Call], wanted: Score) -> list[bool]:
    """Whether the score depends on any patch of each call, not on the class token alone.

    In a transformer with a class token, the score does not depend on the patches of the last block. This shows in the
    gradients only, so one pass is run over as few rows as possible. Weights that are all zero, as in an untrained head
    or gate, would make every gradient zero; they are replaced by random ones in this pass.
    """
    patches = [patches_of(reader, call) for call in calls]
    doubtful = [call for call, one in zip(calls, patches, strict=True) if one is not None and one.first]
    if not doubtful:
        return [True] * len(calls)
    rows, draws = reader.few(), np.random.default_rng(0)
    captures = {call.path: Capture(call.path, score=wanted) for call in doubtful}
    filled = [(weight, draws.uniform(0.5, 1.5, weight.shape)) for weight in reader.model.weights if _is_zero(weight)]

    def body(inputs: Any, classes: Any) -> Any:
        mapping = [(weight, keras.ops.convert_to_tensor(value, dtype=weight.dtype)) for weight, value in filled]
        with keras.StatelessScope(state_mapping=mapping):
            targets = {wanted.targets: classes}
            return run_captures(reader.model, reader.layers, list(captures.values()), inputs, targets, {}, reader.axes)

    classes = np.full(len(keras.tree.flatten(rows)[0]), PREDICTED, np.int32)
    found = reader.run(("depends_on_patches", tuple(captures), wanted), body, (rows, classes))
    slopes = dict(zip(captures, (slope[0] for _, slope in found), strict=True))
    return [
        one is None or not one.first or bool(np.any(slopes[call.path][:, one.first :]))
        for call, one in zip(calls, patches, strict=True)
    ]


def _is_zero(weight: Any) -> bool:
    return keras.backend.is_float_dtype(weight.dtype) and not keras.ops.any(keras.ops.not_equal(weight, 0))
