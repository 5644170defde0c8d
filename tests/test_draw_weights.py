from itertools import pairwise

import numpy as np
import pytest
from harness import boxes, magenta, values_of

from kerasviz_callbacks.draw.colour import NON_FINITE
from kerasviz_callbacks.draw.sheet import footer_height
from kerasviz_callbacks.draw.text import INK
from kerasviz_callbacks.draw.weights import SIDE, Panel, cell_size, weight_panels

OPTIONS = {"inputs": 9, "outputs": 4, "caption": "conv   kernel 3 × 3 × 1 × 4\nstep on 16 rows"}


def panels(weights, after=None, mark=None):
    shown = [Panel("weights", weights, 1.0, mark)]
    if after is not None:
        shown += [Panel("after one step", after, 1.0), Panel("difference", after - weights, 0.1)]
    return shown


def test_the_panels_stand_side_by_side_and_their_colours_are_the_numbers():
    weights = np.random.default_rng(0).uniform(-1, 1, (9, 4))
    after = weights + np.random.default_rng(1).uniform(-0.1, 0.1, (9, 4))
    places = boxes(magenta(weight_panels(panels(np.full((9, 4), np.nan), np.full((9, 4), np.nan)), **OPTIONS)))
    assert len(places) == 3
    assert len({box[0].start for box in places}) == 1
    assert places[0][1].stop < places[1][1].start < places[1][1].stop < places[2][1].start
    picture = weight_panels(panels(weights, after), **OPTIONS)
    for box, matrix, scale in zip(places, (weights, after, after - weights), (1.0, 1.0, 0.1), strict=True):
        shown = values_of(picture, box, (9, 4), "RdBu_r", scale)
        np.testing.assert_allclose(shown, np.clip(matrix, -scale, scale), atol=1.6 * scale / 128)


def test_the_ring_is_round_the_cell_and_leaves_it_seen():
    weights = np.zeros((9, 4))
    plain = weight_panels(panels(weights), **OPTIONS)
    box = boxes(magenta(weight_panels(panels(np.full((9, 4), np.nan)), **OPTIONS)))[0]
    down, across = cell_size(9, 4)
    for cell in ((0, 0), (5, 2), (8, 3)):
        ringed = weight_panels(panels(weights, mark=cell), **OPTIONS)
        changed = np.argwhere((ringed == INK).all(axis=-1) & (plain != ringed).any(axis=-1))
        middle = changed.min(axis=0) / 2 + changed.max(axis=0) / 2
        wanted = (box[0].start + (cell[0] + 0.5) * down, box[1].start + (cell[1] + 0.5) * across)
        np.testing.assert_allclose(middle, wanted, atol=1)
        y, x = (int(one) for one in wanted)
        np.testing.assert_array_equal(ringed[y, x], plain[y, x])


def test_what_is_not_finite_has_a_colour_of_its_own_and_is_counted():
    weights = np.zeros((9, 4))
    weights[3, 2], weights[4, 1] = np.nan, -np.inf
    plain = weight_panels(panels(np.zeros((9, 4))), **OPTIONS)
    picture = weight_panels(panels(weights), bad="1 NaN, 1 inf", **OPTIONS)
    assert magenta(picture).sum() == 2 * np.prod(cell_size(9, 4))
    strip = picture[-footer_height(picture.shape[1]) :]
    assert (strip == NON_FINITE).all(axis=-1).any()
    assert picture.shape == plain.shape


@pytest.mark.parametrize("shape", [(1, 1), (1, 200), (200, 1), (3, 200), (200, 200), (27, 16), (150, 3)])
def test_any_matrix_is_seen_and_stays_within_bounds(shape):
    down, across = cell_size(*shape)
    assert max(down, across) >= min(12, SIDE // min(shape))
    assert shape[0] * down <= SIDE
    assert shape[1] * across <= SIDE
    assert min(down, across) >= 1
    picture = weight_panels(panels(np.zeros(shape), np.ones(shape)), inputs=10**6, outputs=10**7, caption="any\nthing")
    assert picture.shape[1] <= 760


@pytest.mark.parametrize("axis", [0, 1])
def test_blocks_are_separated_by_lines_that_hide_no_cell(axis):
    shape = (4, 12) if axis else (12, 4)
    weights = np.random.default_rng(2).uniform(-1, 1, shape)
    given = {("row_blocks", "column_blocks")[axis]: ("gate", ("z", "r", "h"))}
    given |= {"inputs": shape[0], "outputs": shape[1], "caption": "cell"}
    places = boxes(magenta(weight_panels(panels(np.full(shape, np.nan)), **given)))
    places.sort(key=lambda box: box[axis].start)
    assert [later[axis].start - earlier[axis].stop for earlier, later in pairwise(places)] == [3, 3]
    picture = weight_panels(panels(weights), **given)
    for box, part in zip(places, np.split(weights, 3, axis), strict=True):
        shown = values_of(picture, box, part.shape, "RdBu_r", 1.0)
        np.testing.assert_allclose(shown, part, atol=1.6 / 128)
        line = list(box)
        line[axis] = slice(box[axis].stop, box[axis].stop + 3)
        if box is not places[-1]:
            between = np.moveaxis(picture[tuple(line)], axis, 0)
            assert [np.unique(one.reshape(-1, 3), axis=0).tolist() for one in between] == [
                [[255] * 3],
                [[*INK]],
                [[255] * 3],
            ]


def test_the_ring_stays_round_its_cell_behind_a_line():
    weights, given = np.zeros((2, 8)), {"inputs": 2, "outputs": 8, "caption": "cell", "column_blocks": ("gate", "ifco")}
    plain, ringed = (weight_panels(panels(weights, mark=mark), **given) for mark in (None, (1, 5)))
    here = weights.copy()
    here[1, 5] = np.nan
    cell = np.argwhere(magenta(weight_panels(panels(here), **given)))
    changed = np.argwhere((plain != ringed).any(axis=-1))
    np.testing.assert_allclose(changed.min(axis=0) + changed.max(axis=0), cell.min(axis=0) + cell.max(axis=0), atol=1)
