"""What a person would see in an output: masks, images, values per pixel, boxes, points, or a forecast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import keras
import numpy as np

from .._typing import Array
from ..maths.boxes import may_be_boxes
from ..maths.geometry import image_shape
from ..probe import Probe
from .heads import OF_CLASSES, Head, loss_name, loss_of
from .input_spec import position_axes
from .layouts import channels_last
from .reader import Reader

Form = Literal["classes", "labels", "masks", "images", "values", "boxes", "points", "series", "numbers"]

OF_QUANTITIES = {
    *("mse", "mae", "mape", "msle", "huber", "huber_loss", "log_cosh", "mean_squared_error", "mean_absolute_error"),
    *("mean_absolute_percentage_error", "mean_squared_logarithmic_error"),
}
_FEWEST_COORDINATES = 6  # fewer numbers are a box, or no places at all
_LARGEST_IGNORED = 255  # the usual mark of pixels without a class


def form_of(reader: Reader, probe: Probe, number: int = 0) -> Form:
    """What an output holds besides classes, by its shape, its head, its loss and its y; `"numbers"` if unknown."""
    shape, target = output_shape(reader, number), targets_of(reader, probe, number)
    pictures, loss = fed_images(reader, probe), loss_name(loss_of(reader.model, reader.output_names, number))
    if len(shape) > 2 or (pictures and len(shape) == 2):
        flat = len(shape) == 2 and shape != probe.images.shape[1:3]  # characters of a text, unless y is such an image
        if image_of(shape) is not None and not (flat and (target is None or target.shape[1:] != shape)):
            return _of_pixels(reader.heads[number], shape, target, loss, probe)
    elif pictures and shape == probe.images.shape[1:] and reader.heads[number].kind != "softmax":
        return "images"  # flat vectors that are images
    of_classes = loss in OF_CLASSES or reader.heads[number].kind == "softmax" or _is_classes(target)
    if of_classes or (target is not None and _is_yes_or_no(target)):
        return "numbers"
    name = str(reader.output_names[number]) if number < len(reader.output_names) else ""
    if pictures and shape[-1:] == (4,) and (len(shape) == 2 or "box" in name or _is_box(target, shape, probe)):
        return "boxes"
    if pictures and _are_points(shape, target, probe.images.shape):
        return "points"
    return "series" if _is_forecast(reader, probe, shape, target) else "numbers"


def output_shape(reader: Reader, number: int) -> tuple[int, ...]:
    """The shape of one output without its rows; a length that is not known before a pass counts as 64."""
    return tuple(64 if size is None else size for size in reader.output_shapes[number])


def answers_of_a_row(reader: Reader, form: str) -> str:
    """What the first output gives for one row, in words, where that is no single answer."""
    if form == "masks":
        return "has one class per pixel"
    if reader.heads[0].kind == "softmax" or loss_name(loss_of(reader.model, reader.output_names, 0)) in OF_CLASSES:
        return "has one class per position"
    sizes = ["n" if size is None else str(size) for size in reader.output_shapes[0]]
    return f"is ({', '.join(sizes)}) numbers"


def targets_of(reader: Reader, probe: Probe, number: int = 0) -> Array | None:
    """The targets of one output, channels last: by its name in a dict, else by its place; a single y is the first's."""
    y, names = probe.targets, reader.output_names
    if y is None:
        return None
    at = number
    if isinstance(y, Mapping) and number < len(names) and names[number] in y:
        y, at = y[names[number]], 0
    flat = keras.tree.flatten(y)
    if at >= len(flat):
        return None
    target = np.asarray(flat[at])
    alike = target.ndim == len(reader.output_shapes[number]) + 1
    return np.asarray(channels_last(target, reader.output_axes[number] if alike else None, np.moveaxis))


def image_of(shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    """The height, width and channels of one image of an output; of clips and volumes, of one frame or slice."""
    if len(shape) == 2:
        return (*shape, 1) if image_shape(shape) else None
    return image_shape(shape[-3:])


def fed_images(reader: Reader, probe: Probe) -> bool:
    """Whether the model is fed images, or clips or volumes of them."""
    shape = probe.images.shape[1:]
    if probe.images.dtype.kind not in "buif" or (len(shape) == 2 and position_axes(reader, shape) == 1):
        return False
    return image_shape(shape[1:] if len(shape) == 4 else shape) is not None


def fed_series(reader: Reader, probe: Probe) -> bool:
    """Whether the model is fed signals `(n, t, channels)` of real numbers."""
    shape = probe.images.shape[1:]
    return probe.images.dtype.kind == "f" and len(shape) == 2 and position_axes(reader, shape) == 1


def _of_pixels(head: Head, shape: tuple[int, ...], target: Array | None, loss: str, probe: Probe) -> Form:
    channels = 1 if len(shape) == 2 else shape[-1]
    fed, same = probe.images, shape == probe.images.shape[1:]
    itself = target is None or (target.shape == fed.shape and bool(np.array_equal(target, fed)))
    if channels > 1 and not (itself and same and head.kind != "softmax"):
        numbers = _is_classes(target) and target is not None and target.shape[1:] in (shape[:-1], (*shape[:-1], 1))
        if head.kind == "softmax" or loss in OF_CLASSES or numbers or is_one_hot(target, shape):
            return "masks"
        if head.is_sigmoid and target is not None and target.shape[1:] == shape and _is_yes_or_no(target):
            return "masks"
    unsure = target is None or _is_yes_or_no(target)
    if channels == 1 and head.is_sigmoid and unsure and not (itself and same):
        return "masks"
    if channels > 1 or (same and itself):
        return "images"
    return "images" if fed.shape[-1] == 1 and fed.ndim > 3 and _within(target, fed) else "values"


def _is_classes(target: Array | None) -> bool:
    return target is not None and target.dtype.kind in "biu"


def is_one_hot(target: Array | None, shape: tuple[int, ...]) -> bool:
    """Whether y of the shape of an output has exactly one 1 at each position, and 0 else."""
    if target is None or target.shape[1:] != shape:
        return False
    return bool(np.isin(target, (0, 1)).all() and (target.sum(axis=-1) == 1).all())


def _is_yes_or_no(target: Array) -> bool:
    """Whether y holds 0 and 1, besides marks of pixels without a class."""
    return target.dtype.kind in "buif" and bool(np.isin(target, (-1, 0, 1, _LARGEST_IGNORED)).all())


def _within(target: Array | None, fed: Array) -> bool:
    """Whether targets lie in the range of the inputs, half of it added on both sides."""
    if target is None or not target.size:
        return True
    low, high = float(np.nanmin(fed)), float(np.nanmax(fed))
    slack = (high - low) / 2
    return bool(low - slack <= np.nanmin(target) and np.nanmax(target) <= high + slack)


def _like(target: Array | None, shape: tuple[int, ...]) -> bool:
    return target is not None and target.shape[1:] == shape and target.dtype.kind == "f"


def _is_box(target: Array | None, shape: tuple[int, ...], probe: Probe) -> bool:
    """Whether y of the output's shape may be a box in the image, and not any four numbers."""
    return _like(target, shape) and target is not None and may_be_boxes(target, *probe.images.shape[1:3])


def _are_points(shape: tuple[int, ...], target: Array | None, fed: tuple[int, ...]) -> bool:
    """Whether an output holds places `(x, y)` in the image: y lies in it, in pixels or as shares of its sides."""
    size = int(np.prod(shape))
    pairs = (len(shape) == 2 and shape[1] == 2) or (shape[-1:] == (size,) and size >= _FEWEST_COORDINATES)
    if not pairs or size % 2 or not _like(target, shape) or target is None:
        return False
    lowest, highest = np.nanmin(target), np.nanmax(target)
    relative = lowest >= -0.5 and highest <= 1.5
    return bool(relative or (lowest >= -max(fed[1:3]) / 2 and highest <= 1.5 * max(fed[1:3]) and lowest != highest))


def _is_forecast(reader: Reader, probe: Probe, shape: tuple[int, ...], target: Any) -> bool:
    """Whether an output continues the signals that are fed: y is like them, and not they themselves."""
    if not fed_series(reader, probe) or not _like(target, shape) or len(shape) > 2:
        return False
    return not np.array_equal(target, probe.images) and _within(target, probe.images)
