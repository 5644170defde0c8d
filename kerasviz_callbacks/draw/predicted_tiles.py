"""Tiles of predictions: masks, boxes, points and forecasts."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kerasviz_callbacks.draw.colour import NON_FINITE, Picture, class_colours
from kerasviz_callbacks.draw.marks import fill, frame, hatching
from kerasviz_callbacks.draw.predictions import nearest
from kerasviz_callbacks.draw.text import INK, LINE, PAPER, QUIET, Colour, clean, format_number, text_width, write
from kerasviz_callbacks.draw.traces import draw_lines

TRUE: Colour = (0x33, 0xBB, 0xEE)
PREDICTED: Colour = (0xEE, 0x77, 0x33)
UNJUDGED: Colour = LINE  # the ground of a class of which nobody knows whether it is right
RIGHT, WRONG = (0xE6, 0xE9, 0xED), INK
NO_CLASS, BAD = -1, -2  # in place of a class number: none, and a prediction that is not finite
GROUND: Colour = (238, 240, 243)
_BAR = 15
_NAME = 10  # pixels of the letters at a box


def mask_tiles(classes: NDArray[np.integer], count: int, size: tuple[int, int]) -> Picture:
    """Colours class numbers `(n, h, w)`, each in the colour of its number; `NO_CLASS` is hatched.

    Args:
        classes: from 0 to `count - 1`, or `NO_CLASS`, or `BAD`.
        count: number of classes.
        size: of the tiles; every pixel of them is one of the classes, none is mixed.
    """
    numbers = nearest(classes, size).astype(np.intp)
    colours = np.concatenate([class_colours(count), np.array([NON_FINITE, PAPER], np.uint8)])
    return _hatched(colours[numbers], numbers == NO_CLASS)  # -2 and -1 count from the end


def wrong_tiles(truth: NDArray[np.integer], predicted: NDArray[np.integer], size: tuple[int, int]) -> Picture:
    """Shows where the class numbers `(n, h, w)` of two masks differ: dark; pixels without a class are hatched."""
    true, found = nearest(truth, size), nearest(predicted, size)
    tiles = np.where((true == found)[..., None], np.array(RIGHT, np.uint8), np.array(WRONG, np.uint8))
    tiles[found == BAD] = NON_FINITE
    return _hatched(tiles, true == NO_CLASS)


def label_tiles(labels: NDArray[np.integer], size: tuple[int, int]) -> Picture:
    """Colours labels of which pixels may have several, `(n, h, w, labels)` of 0 and 1: the mean of their colours.

    Pixels with none are `GROUND`, those of which no label is known (`NO_CLASS`) are hatched.
    """
    numbers = nearest(labels, size)
    present = (numbers == 1).astype(np.float64)
    count = present.sum(axis=-1, keepdims=True)
    mixed = present @ class_colours(labels.shape[-1]) / np.maximum(count, 1)
    tiles = np.where(count > 0, np.rint(mixed), np.array(GROUND)).astype(np.uint8)
    tiles[(numbers == BAD).any(axis=-1)] = NON_FINITE
    return _hatched(tiles, (numbers == NO_CLASS).all(axis=-1))


def wrong_label_tiles(truth: NDArray[np.integer], found: NDArray[np.integer], size: tuple[int, int]) -> Picture:
    """Shows where any known label of `(n, h, w, labels)` differs: dark; pixels of which none is known are hatched."""
    true, predicted = nearest(truth, size), nearest(found, size)
    wrong = ((true != predicted) & (true != NO_CLASS)).any(axis=-1)
    tiles = np.where(wrong[..., None], np.array(WRONG, np.uint8), np.array(RIGHT, np.uint8))
    tiles[(predicted == BAD).any(axis=-1)] = NON_FINITE
    return _hatched(tiles, (true == NO_CLASS).all(axis=-1))


def _hatched(tiles: Picture, where: NDArray[np.bool_]) -> Picture:
    tiles[where] = PAPER
    tiles[where & hatching(tiles.shape[1], tiles.shape[2], thick=2)] = QUIET
    return tiles


def box_tile(
    picture: Picture,
    true: NDArray[np.float64] | None,
    predicted: NDArray[np.float64],
    names: Sequence[tuple[str, bool | None]] = (),
) -> Picture:
    """Frames true and predicted boxes, `(k, 4)` corners in pixels of the picture, over its pale colours.

    `names` of the predicted boxes, each with whether it is wrong, stand at their upper left corners; dark if wrong,
    grey if that is not known (`None`).
    """
    tile = _paled(picture)
    limits = np.array([tile.shape[1], tile.shape[0]] * 2)
    for boxes, colour in ((true, TRUE), (predicted, PREDICTED)):
        for box in [] if boxes is None else boxes[np.isfinite(boxes).all(axis=1)]:
            corners = np.clip(np.rint(box), -9, limits + 9).reshape(2, 2)
            # An untrained one may be inside out.
            (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
            frame(tile, (left - 1, top - 1, right, bottom), INK, 1)
            frame(tile, (left, top, right - 1, bottom - 1), colour, 2)
    for box, (name, wrong) in zip(predicted, names, strict=False):
        if touches(box, tile.shape[1], tile.shape[0]):
            _write_name(tile, (min(box[0], box[2]), min(box[1], box[3])), name, wrong)
    return _marked_if(tile, predicted)


def touches(box: NDArray[np.float64], width: float, height: float) -> bool:
    """Whether a part of a box, corners `(4,)`, lies within a picture; `False` if it is not finite."""
    low, high = np.minimum(box[:2], box[2:]), np.maximum(box[:2], box[2:])
    return bool(np.isfinite(box).all() and (high >= 0).all() and (low <= (width, height)).all())


def _write_name(tile: Picture, corner: tuple[float, float], name: str, wrong: bool | None) -> None:
    """Writes the class of a box within the tile."""
    free = tile.shape[1] - 6
    across = min(text_width(clean(name), _NAME), free) + 6
    left = round(min(max(corner[0], 0), tile.shape[1] - across))
    top = round(min(max(corner[1] - _NAME, 0), len(tile) - _NAME - 3))
    ground = UNJUDGED if wrong is None else INK if wrong else PREDICTED
    fill(tile, (left, top, left + across - 1, top + _NAME + 2), ground)
    write(tile, (left + 3, top + _NAME - 1), name, size=_NAME, colour=PAPER if wrong else INK, width=free)


def point_tile(picture: Picture, true: NDArray[np.float64] | None, predicted: NDArray[np.float64]) -> Picture:
    """Marks true and predicted points, `(k, 2)` in pixels of the picture, over its pale colours, and joins pairs."""
    from PIL import Image, ImageDraw

    tile = Image.fromarray(_paled(picture))
    pen = ImageDraw.Draw(tile)
    far = 2.0 * max(tile.size)
    wanted, found = (None if one is None else np.clip(one, -far, far, dtype=np.float64) for one in (true, predicted))
    if wanted is not None and found is not None:
        for pair in np.concatenate([wanted, found], axis=1).tolist():
            if np.isfinite(pair).all():
                pen.line(pair, fill=INK, width=1)
    for points, colour in ((wanted, TRUE), (found, PREDICTED)):
        for x, y in [] if points is None else points[np.isfinite(points).all(axis=1)].tolist():
            pen.ellipse((x - 3, y - 3, x + 3, y + 3), fill=colour, outline=INK)
    return _marked_if(np.asarray(tile).copy(), predicted)


def forecast_tile(
    fed: NDArray[np.float64],
    true: NDArray[np.float64] | None,
    predicted: NDArray[np.float64],
    scale: tuple[float, float],
    size: tuple[int, int],
    *,
    aligned: bool,
) -> Picture:
    """Draws one variable: what was fed `(t,)`, then truth and output `(horizon,)`, on one scale of values.

    With `aligned`, truth and output are of the same times as what was fed, and lie over it.
    """
    height, width = size
    wanted = width * len(predicted) / (len(predicted) + len(fed))
    ahead = width if aligned else int(np.clip(wanted, max(1, width // 6), width // 2))
    tile = np.full((height, width, 3), GROUND, np.uint8)
    behind = tile[:, : width if aligned else width - ahead]
    behind[:] = draw_lines(behind, fed[:, None], *scale, [QUIET])
    part = tile[:, width - ahead :]
    if not aligned:
        part[:, :1] = LINE
    for line, colour in ((true, TRUE_LINE), (predicted, PREDICTED)):
        if line is not None:
            drawn = np.repeat(line, 2) if len(line) == 1 else line
            part[:] = draw_lines(part, drawn[:, None], *scale, [colour])
    return tile


TRUE_LINE: Colour = (0x00, 0x77, 0xBB)  # darker than on pictures, to be seen on paper


def answer_tile(names: Sequence[str], shares: Sequence[float], true: int | None, size: tuple[int, int]) -> Picture:
    """Draws the surest answers as bars from 0 to 1; `true` is the place of the true one, which is framed and bold."""
    height, width = size
    tile = np.full((height, width, 3), PAPER, np.uint8)
    step = max(_BAR + 12, height // max(len(names), 1))
    for place, (name, value) in enumerate(zip(names, shares, strict=True)):
        top = place * step + 3
        right = place == true
        known = np.isfinite(value)
        number = "" if not known else f"{value:.2f}" if abs(value) < 100 else format_number(value)
        free = max(0, width - text_width(number, 11) - 6)
        write(tile, (1, top + 10), clean(name), size=11, bold=right, width=free)
        write(tile, (width - 1, top + 10), number, size=11, colour=QUIET, anchor="rs")
        fill(tile, (0, top + 13, width - 1, top + 19), GROUND)
        colour = NON_FINITE if not known else TRUE_LINE if right else PREDICTED
        end = round(min(max(value, 0), 1) * (width - 1)) if known else width - 1
        fill(tile, (0, top + 13, end, top + 19), colour)
    return tile


def _paled(picture: Picture) -> Picture:
    """A picture in pale colours, so that what is laid over it is seen, and objects that differ by hue alone too."""
    paled: Picture = np.rint(90 + 0.6 * picture).astype(np.uint8)
    return paled


def _marked_if(tile: Picture, predicted: NDArray[np.float64]) -> Picture:
    """A frame and a bar in the colour of what is not finite, where a prediction is not."""
    if not np.isfinite(predicted).all():
        frame(tile, (0, 0, tile.shape[1] - 1, tile.shape[0] - 1), NON_FINITE, 4)
    return tile
