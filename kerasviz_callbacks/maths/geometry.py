"""Shapes: inputs as images, kernels as filters, transformer tokens as image patches."""

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


def image_shape(shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    """Find the image shape of one input of a model, given its shape without the batch axis.

    Returns:
        `(height, width, channels)`, or None where the input is no image:

        * `(h, w)`, both at least 8 and neither more than 4 times the other: one channel.
        * `(h, w, c)` with 1 to 4 channels and sides of at least 4, or more channels and sides of at least 8: itself.
        * `(d,)`, d a square of side at least 20, or three times one: that square, grayscale or RGB (channels last), as
          a flattened MNIST image (784) or CIFAR image (3072) is.

    Example:
        >>> image_shape((784,)), image_shape((32, 32, 3)), image_shape((13,))
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
    """Reshape a kernel as Keras stores it to one filter per row, for any kind of convolution.

    Args:
        kernel: As the layer holds it, any number of spatial axes:

            * `"conv"`: `(*spatial, inputs, filters)`; with groups, `inputs` are those of a single group. The kernel of
              a dense layer is the one without spatial axes.
            * `"conv_transpose"`: `(*spatial, filters, inputs)`.
            * `"depthwise"`: `(*spatial, inputs, multiplier)`: each filter has one input channel.
        kind: The kind of layer.

    Returns:
        `(filters, inputs, *spatial)`, contiguous, same type and values. Depthwise: `(inputs * multiplier, 1, *spatial)`
        in the order of the layer's output channels.

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


def dense_filters(kernel: NDArray[Any], image: tuple[int, int, int]) -> NDArray[Any]:
    """Reshape the kernel of a dense layer on flattened images to one image per unit.

    Args:
        kernel: `(height * width * channels, units)`; ValueError for another number of inputs.
        image: `(height, width, channels)` of what was flattened, channels last.

    Returns:
        `(units, channels, height, width)`, contiguous, same type and values: the order of `filters_of`.
    """
    if kernel.ndim != 2 or kernel.shape[0] != prod(image):
        raise ValueError(f"kernel: must be ({prod(image)}, units) for images of {image}, got {kernel.shape}")
    units = kernel.shape[1]
    return np.ascontiguousarray(kernel.T.reshape(units, *image).transpose(0, 3, 1, 2))


def token_grid(tokens: int, image: tuple[int, ...]) -> tuple[int, tuple[int, ...]] | None:
    """Find the grid of patches that the tokens of a vision transformer form.

    Args:
        tokens: Number of tokens in the output of a layer, including those that represent no patch.
        image: `(height, width)` of what the model is fed, or `(depth, height, width)` of volumes and clips.

    Returns:
        The number of leading tokens that represent no patch (0; 1: a class token; 2: a distillation token too; 5: a
        class token and 4 register tokens), and the grid `(rows, columns)` or `(depth, rows, columns)` of the others,
        row by row; None where no grid fits. Square patches of every size are tried that divide the image, those of
        volumes as deep as high and then of every depth, then those that leave a remainder, cropped or padded; in either
        case the smallest number of leading tokens that fits, and more than one patch.

        The count alone cannot distinguish patches from time steps: a recurrent layer over the 64 rows of a 64 x 64
        image also fits, as 8 x 8 patches.

    Example:
        >>> token_grid(197, (224, 224)), token_grid(28, (28, 28)), token_grid(27, (12, 12, 12))
        ((1, (14, 14)), None, (0, (3, 3, 3)))
    """
    sides = range(1, min(image[-2:]) + 1)
    patches = [(side,) * len(image) for side in sides]
    if len(image) == 3:
        patches += [(deep, side, side) for side in sides for deep in range(1, image[0] + 1) if deep != side]
    cells = [list(zip(image, patch, strict=True)) for patch in patches]
    dividing = [tuple(size // side for size, side in cell) for cell in cells if not any(n % k for n, k in cell)]
    cut = [tuple(size // side for size, side in cell) for cell in cells]
    padded = [tuple(-(-size // side) for size, side in cell) for cell in cells]
    for grids in (dividing, cut + padded):
        for leading in _LEADING_TOKENS:
            for grid in grids:
                if 1 < prod(grid) == tokens - leading:
                    return leading, grid
    return None


def fold_tokens(tokens: NDArray[Any], leading: int, grid: tuple[int, ...]) -> NDArray[Any]:
    """Reshape the tokens of a vision transformer to its grid of patches.

    Args:
        tokens: `(n, tokens, channels)`; ValueError for another number of tokens.
        leading: Number of leading tokens that represent no patch; they are dropped.
        grid: `(rows, columns)` or `(depth, rows, columns)` of the others, row by row, as `token_grid` finds it.

    Returns:
        `(n, *grid, channels)`, same type and values.
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
