"""How inputs are seen as pictures, kernels as filters and tokens as patches."""

from math import isqrt, prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["conv", "conv_transpose", "depthwise"]

_LEAST_SIDE = 8
_LEAST_SIDE_IN_COLOUR = 4
_LEAST_SIDE_WHEN_FLAT = 20
_MOST_ASPECT = 4
_LEADING_TOKENS = (0, 1, 2, 5)


def picture_shape(shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    """Say how one input of a model can be seen as a picture.

    Args:
        shape: The shape of one input, the batch axis left out.

    Returns:
        `(height, width, channels)`, or None where no picture is seen:

        * `(h, w)`, both at least 8 and neither more than 4 times the other: one channel.
        * `(h, w, c)` with 1 to 4 channels and sides of at least 4, or more channels and sides of at least
          8: itself.
        * `(d,)`, d a square of side at least 20, or three times one: that square, in grey or in colour
          (channels last), as an MNIST picture of 784 numbers or a CIFAR picture of 3072 is.

    Example:
        >>> picture_shape((784,)), picture_shape((32, 32, 3)), picture_shape((13,))
        ((28, 28, 1), (32, 32, 3), None)
    """
    if len(shape) == 1:
        return _square(shape[0], 1) or _square(shape[0], 3)
    if len(shape) == 2:
        short, long = sorted(shape)
        return (*shape, 1) if short >= _LEAST_SIDE and long <= _MOST_ASPECT * short else None
    if len(shape) != 3 or shape[2] < 1:
        return None
    least = _LEAST_SIDE_IN_COLOUR if shape[2] <= 4 else _LEAST_SIDE
    return shape if min(shape[:2]) >= least else None


def filters_of(kernel: NDArray[Any], kind: Kind) -> NDArray[Any]:
    """Fold a kernel as Keras stores it into one filter a row, whatever the kind of layer.

    Args:
        kernel: As the layer holds it, any number of spatial axes:

            * `"conv"`: `(*spatial, inputs, filters)`; with groups, `inputs` are those of one group. The
              kernel of a dense layer is the one without spatial axes.
            * `"conv_transpose"`: `(*spatial, filters, inputs)`.
            * `"depthwise"`: `(*spatial, inputs, multiplier)`: each filter looks at one input.
        kind: Which of them.

    Returns:
        `(filters, inputs, *spatial)`, contiguous, same type and values. Depthwise: `(inputs * multiplier,
        1, *spatial)` in the order of the layer's output channels.

    Raises:
        ValueError: If the kind is unknown or the kernel has fewer than two axes.
    """
    if kernel.ndim < 2:
        raise ValueError(f"kernel: must have an axis of inputs and one of outputs, got shape {kernel.shape}")
    if kind == "conv":
        folded = np.moveaxis(kernel, (-1, -2), (0, 1))
    elif kind == "conv_transpose":
        folded = np.moveaxis(kernel, (-2, -1), (0, 1))
    elif kind == "depthwise":
        folded = np.moveaxis(kernel.reshape(*kernel.shape[:-2], prod(kernel.shape[-2:])), -1, 0)[:, None]
    else:
        raise ValueError(f'kind: must be "conv", "conv_transpose" or "depthwise", got {kind!r}')
    return np.ascontiguousarray(folded)


def dense_filters(kernel: NDArray[Any], picture: tuple[int, int, int]) -> NDArray[Any]:
    """Fold the kernel of a dense layer that is fed flattened pictures into one picture a unit.

    Args:
        kernel: `(height * width * channels, units)`.
        picture: `(height, width, channels)` of what was flattened, channels last.

    Returns:
        `(units, channels, height, width)`, contiguous, same type and values: the order of `filters_of`.

    Raises:
        ValueError: If the kernel's inputs are not as many as the picture's values.
    """
    if kernel.ndim != 2 or kernel.shape[0] != prod(picture):
        raise ValueError(f"kernel: must be ({prod(picture)}, units) for pictures of {picture}, got {kernel.shape}")
    units = kernel.shape[1]
    return np.ascontiguousarray(kernel.T.reshape(units, *picture).transpose(0, 3, 1, 2))


def token_grid(tokens: int, picture: tuple[int, int]) -> tuple[int, tuple[int, int]] | None:
    """Say how the tokens of a vision transformer lie on its picture.

    Args:
        tokens: How many a layer puts out, those that stand for no patch among them.
        picture: `(height, width)` of what the model is fed.

    Returns:
        How many leading tokens stand for no patch (0; 1: a class token; 2: one for distillation too; 5: a
        class token and 4 registers), and the grid `(rows, columns)` of the others, row by row; or None where
        nothing fits. Square patches of any side are tried that divide the picture, then those that leave a
        rest, cut off or padded; in either the least number of leading tokens that fits, and more than one
        patch.

        Numbers alone cannot tell patches from other steps: a recurrent layer over the 64 rows of a 64 x 64
        picture also fits, as 8 x 8 patches.

    Example:
        >>> token_grid(197, (224, 224)), token_grid(28, (28, 28))
        ((1, (14, 14)), None)
    """
    height, width = picture
    sides = range(1, min(picture) + 1)
    dividing = [(height // side, width // side) for side in sides if height % side == width % side == 0]
    cut = [(height // side, width // side) for side in sides]
    padded = [(-(-height // side), -(-width // side)) for side in sides]
    for grids in (dividing, cut + padded):
        for leading in _LEADING_TOKENS:
            for grid in grids:
                if 1 < prod(grid) == tokens - leading:
                    return leading, grid
    return None


def fold_tokens(tokens: NDArray[Any], leading: int, grid: tuple[int, int]) -> NDArray[Any]:
    """Lay the tokens of a vision transformer out as the patches of its picture.

    Args:
        tokens: `(n, tokens, channels)`.
        leading: How many leading tokens stand for no patch; they are left out.
        grid: `(rows, columns)` of the others, row by row: what `token_grid` finds.

    Returns:
        `(n, rows, columns, channels)`, same type and values.

    Raises:
        ValueError: If the tokens are not that many.
    """
    expected = leading + prod(grid)
    if tokens.ndim != 3 or tokens.shape[1] != expected:
        raise ValueError(
            f"tokens: must be (n, {expected}, channels) for {leading} leading tokens and a grid of {grid}, "
            f"got {tokens.shape}"
        )
    return tokens[:, leading:].reshape(len(tokens), *grid, tokens.shape[-1])


def _square(size: int, channels: int) -> tuple[int, int, int] | None:
    side = isqrt(max(size, 0) // channels)
    whole = side * side * channels == size
    return (side, side, channels) if whole and side >= _LEAST_SIDE_WHEN_FLAT else None
