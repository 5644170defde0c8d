"""Bounding boxes: their formats, their overlap, and the best assignment of predicted boxes to true ones."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

_Real = NDArray[np.float64]
_ABSOLUTE = ("xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw")
BOX_FORMATS = (*_ABSOLUTE, *(f"rel_{name}" for name in _ABSOLUTE))
"""The formats of `keras.utils.bounding_boxes`; with `rel_` in shares of the image's sides, else in pixels."""

_BESIDE, _MOST = 0.05, 0.95  # boxes may end so far outside, in shares of the longer side; so many must not


def to_xyxy(boxes: ArrayLike, box_format: str, height: float, width: float) -> _Real:
    """Convert boxes `(..., 4)` to left, top, right, bottom in pixels of an image of that height and width.

    Raises:
        ValueError: Not one of `BOX_FORMATS`.

    Example:
        >>> to_xyxy([[0.5, 0.5, 0.2, 0.4]], "rel_center_xywh", height=100, width=200).tolist()
        [[80.0, 30.0, 120.0, 70.0]]
    """
    if box_format not in BOX_FORMATS:
        raise ValueError(f'bounding_box_format="{box_format}": expected one of {", ".join(BOX_FORMATS)}.')
    values = np.asarray(boxes, np.float64)
    name = box_format.removeprefix("rel_")
    if name in ("yxyx", "center_yxhw"):
        values = values[..., [1, 0, 3, 2]]
    first, second = values[..., :2], values[..., 2:]
    if name.startswith("center"):
        first, second = first - second / 2, first + second / 2
    elif name == "xywh":
        second = first + second
    sides = np.array([width, height]) if box_format.startswith("rel_") else np.ones(2)
    return np.concatenate([first * sides, second * sides], axis=-1)


def guess_format(boxes: ArrayLike) -> str:
    """Guess the format of true boxes `(..., 4)`: in shares if all lie within 0 to 1; corners if all are in order.

    `"xyxy"`, `"xywh"`, `"rel_xyxy"` or `"rel_xywh"`. The order of x and y cannot be seen.
    """
    values = np.asarray(boxes, np.float64).reshape(-1, 4)
    values = values[np.isfinite(values).all(axis=1) & (values >= 0).all(axis=1) & values.any(axis=1)]
    relative = "rel_" if values.max(initial=0) <= 1 else ""
    corners = bool(((values[:, 2] >= values[:, 0]) & (values[:, 3] >= values[:, 1])).all())
    return f"{relative}{'xyxy' if corners else 'xywh'}"


def may_be_boxes(values: ArrayLike, height: float, width: float) -> bool:
    """Whether four numbers a row may be boxes in an image: 95 % of them lie in it, in one format.

    The formats are those that `guess_format` knows, and centers with widths and heights; both orders of x and y count,
    and rows of -1 or 0, which pad, do not.

    Example:
        >>> may_be_boxes([[10, 20, 30, 60]], height=64, width=64), may_be_boxes([[-0.5, 0.5, 0.5, 0.5]], 64, 64)
        (True, False)
    """
    rows = np.asarray(values, np.float64).reshape(-1, 4)
    rows = rows[np.isfinite(rows).all(axis=1) & (rows > -1).any(axis=1) & rows.any(axis=1)]
    prefix = guess_format(rows).rpartition("_")[0]
    sides = np.ones(4) if prefix else np.tile(max(height, width), 4)
    for name in ("xyxy", "xywh", "center_xywh"):
        corners = to_xyxy(rows / sides, name, 1, 1)
        inside = (corners > -_BESIDE).all(axis=1) & (corners < 1 + _BESIDE).all(axis=1)
        if len(rows) and (inside & (corners[:, 2:] >= corners[:, :2]).all(axis=1)).mean() >= _MOST:
            return True
    return False


def box_iou(one: _Real, other: _Real) -> _Real:
    """Intersection over union of each pair of boxes `(a, 4)` and `(b, 4)` of corners: `(a, b)`; 0 for empty boxes."""
    least = np.maximum(one[:, None, :2], other[None, :, :2])
    most = np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = np.prod(np.maximum(most - least, 0), axis=-1)
    areas = [np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=-1) for boxes in (one, other)]
    union = areas[0][:, None] + areas[1][None] - shared
    result: _Real = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return result


def matched_iou(true: _Real, predicted: _Real) -> _Real:
    """IoU of every box, matched one to one so that their sum is largest; 0 for each that has no partner.

    Args:
        true: `(a, 4)` corners.
        predicted: `(b, 4)` corners; boxes that are not finite match none.

    Returns:
        `(max(a, b),)`, those of `partners` first.
    """
    result = np.zeros(max(len(true), len(predicted)))
    overlap = box_iou(true, predicted)
    rows, columns = partners(overlap)
    result[: len(rows)] = np.nan_to_num(overlap)[rows, columns]
    return result


def partners(overlap: _Real) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The rows and columns of `box_iou` that `matched_iou` matches: true boxes and their partners."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(np.nan_to_num(overlap), maximize=True)
    return rows, columns
