import numpy as np
import pytest

from kerasviz_callbacks.draw.colour import NON_FINITE, colourise, luminance, table
from kerasviz_callbacks.draw.overlap import DEAD, overlap_matrix
from kerasviz_callbacks.draw.sheet import footer_height
from kerasviz_callbacks.draw.text import INK, LINE, QUIET


def matrix(count=6, seed=0):
    values = np.corrcoef(np.random.default_rng(seed).normal(size=(count, 9)))
    return np.clip((values + values.T) / 2, -1, 1).reshape(count, count)


def drawn(values, **options):
    count = len(values)
    given = {"caption": "conv   8 × 8 × 6", "channels": range(count), "constant": np.zeros(count, bool), **options}
    return overlap_matrix(values, given.pop("largest", np.zeros(count)), **given)


def body(picture):
    return picture[: -footer_height(picture.shape[1])]


def corner(picture):
    """The first row and column within the frame of the matrix."""
    marked = (body(picture) == LINE).all(axis=-1)
    return tuple(np.flatnonzero(marked.sum(axis=axis) > 50)[0] + 1 for axis in (1, 0))


def cells(picture, values, cell=36):
    """The colour in the middle of each cell."""
    top, left = corner(picture)
    middles = np.arange(len(values)) * cell + cell // 2
    return picture[np.ix_(top + middles, left + middles)]


def test_every_cell_has_the_colour_of_its_correlation_and_the_diagonal_says_nothing():
    values = matrix()
    seen = cells(drawn(values), values)
    wanted = colourise(values, -1, 1, "RdBu_r")
    wanted[range(6), range(6)] = LINE
    np.testing.assert_array_equal(seen, wanted)


def test_constant_channels_are_grey_and_those_that_are_nan_are_not():
    values = matrix()
    for lost in (1, 4):
        values[lost] = values[:, lost] = np.nan
    picture = drawn(values, constant=np.arange(6) == 1)
    seen = cells(picture, values)
    assert (seen[1] == DEAD).all()
    assert (seen[:, 1] == DEAD).all()
    alive = [0, 2, 3, 5]
    assert (seen[4, alive] == NON_FINITE).all()
    assert (seen[alive, 4] == NON_FINITE).all()
    strip = picture[-footer_height(picture.shape[1]) :]
    assert (strip == NON_FINITE).all(axis=-1).any(), "and counted"
    assert not (drawn(matrix()) == NON_FINITE).all(axis=-1).any()


def test_grey_is_darker_than_all_that_is_nearly_neutral():
    entries = table("RdBu_r").astype(int)
    neutral = entries[np.ptp(entries, axis=1) < 40]
    assert luminance(neutral).min() > luminance(DEAD) + 60


def test_bars_are_as_long_as_the_largest_correlation():
    lengths = np.array([0.0, 0.25, 0.5, 1.0, np.nan, 0.75])
    picture = drawn(matrix(), largest=lengths)
    top, left = corner(picture)
    bars = (picture[top : top + 6 * 36, left + 6 * 36 + 1 :] == QUIET).all(axis=-1)
    middles = np.arange(6) * 36 + 18
    np.testing.assert_array_equal(bars[middles].sum(axis=1), np.nan_to_num(lengths) * 100)


def test_the_strongest_pairs_are_framed_on_both_sides_of_the_diagonal():
    values = matrix()
    plain, framed = drawn(values), drawn(values, pairs=[(0, 3)])
    changed = (plain != framed).any(axis=-1)
    assert (framed[changed] == INK).all()
    ys, xs = np.nonzero(changed)
    top, left = ys.min(), xs.min()
    assert (np.ptp(ys) + 1, np.ptp(xs) + 1) == (4 * 36 + 2, 4 * 36 + 2)
    assert changed[top : top + 38, left + 3 * 36].all(), "row 0, column 3"
    assert changed[top + 3 * 36, left : left + 38].all(), "row 3, column 0"
    assert not changed[top + 40 : top + 100, left + 40 : left + 100].any()


def test_a_note_alters_only_the_strip():
    values = matrix(40)
    one, other = drawn(values, note="overlap 0.5"), drawn(values, note="overlap 0.7   strongest 3 & 4 0.9" * 5)
    np.testing.assert_array_equal(body(one), body(other))
    assert (one != other).any()


@pytest.mark.parametrize("count", [3, 40, 128])
def test_channels_are_named_along_both_sides_in_the_order_given(count):
    """Turning the names of the top by a quarter gives those of the left side's height, and their order matters."""
    values = np.zeros((count, count))
    forward, backward = drawn(values), drawn(values, channels=range(count)[::-1])
    changed = (body(forward) != body(backward)).any(axis=-1)
    ys, xs = np.nonzero(changed)
    line, grid = corner(forward)
    assert (xs < grid).any(), "left"
    assert (xs > grid).any(), "top"
    assert not changed[line:, grid:].any(), "the cells stay"
    assert ys.min() < line
