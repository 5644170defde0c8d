"""Reconstructions and walks: every tile where it belongs, in its own colours, whatever the numbers."""

import numpy as np
import pytest
from harness import boxes, places_of

from kerasviz_callbacks.draw.colour import NON_FINITE, colourise
from kerasviz_callbacks.draw.reconstructions import (
    error_areas,
    error_tiles,
    fit_marked,
    reconstruction_tiles,
    reconstruction_traces,
    signal_tiles,
    walk_tiles,
)
from kerasviz_callbacks.draw.sheet import Scale, footer_height, header_height

NAMES = [f"class {number}" for number in range(40)]


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 255, (*shape, 3)).astype(np.uint8)


def signed(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape)


def tiles(n=5, errors=None, scale=1.0, side=8, **given):
    values = signed(n, side, side) if errors is None else errors
    options = {"scale": scale, "caption": "reconstructions", "names": NAMES[:n], **given}
    return reconstruction_tiles(noise(n, side, side), noise(n, side, side, seed=1), values, **options)


def traces(n=3, errors=None, scale=1.0, channels=1, **given):
    values = signed(n, 50) if errors is None else errors
    lines = signed(n, 50, channels), signed(n, 50, channels, seed=1)
    options = {"low": -1, "high": 1, "scale": scale, "caption": "reconstructions", "names": NAMES[:n], **given}
    return reconstruction_traces(*lines, values, **options)


def walk(rows=2, positions=3, side=8, **given):
    ends, between = noise(rows, 2, side, side), noise(rows, positions, side, side, seed=1)
    return walk_tiles(ends, between, **{"caption": "walks", "names": [(NAMES[0], NAMES[1])] * rows, **given})


def large(picture, factor):
    return picture.repeat(factor, 0).repeat(factor, 1)


def only_place(tile, picture):
    found = places_of(tile, picture)
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize(("count", "factor"), [(1, 18), (4, 18), (5, 12), (9, 12), (20, 12)])
def test_below_each_picture_stands_its_reconstruction_and_below_that_its_error(count, factor):
    picture, wanted = tiles(count), noise(count, 8, 8, seed=2)
    with_wanted = tiles(count, targets=wanted)
    errors = colourise(signed(count, 8, 8), -1, 1, "RdBu_r")
    columns = {}
    for number in range(count):
        strips = [noise(count, 8, 8)[number], noise(count, 8, 8, seed=1)[number], errors[number]]
        corners = [only_place(large(strip, factor), picture) for strip in strips]
        down = 8 * factor + 3
        assert corners[1] == (corners[0][0] + down, corners[0][1])
        assert corners[2] == (corners[0][0] + 2 * down, corners[0][1])
        columns.setdefault(corners[0][0], []).append(corners[0][1])
        corners = [only_place(large(strip, factor), with_wanted) for strip in (strips[0], wanted[number], *strips[1:])]
        assert np.diff([y for y, _ in corners]).tolist() == [down] * 3
    assert [len(row) for row in columns.values()] == [min(8, count)] * (count // 8) + [count % 8] * (count % 8 > 0)
    assert all(np.ptp(np.diff(row)) == 0 for row in columns.values() if len(row) > 2)


def test_a_walk_goes_from_one_picture_to_the_other():
    picture = walk(rows=3, positions=5)
    ends, between = noise(3, 2, 8, 8), noise(3, 5, 8, 8, seed=1)
    rows = []
    for row in range(3):
        whole = [ends[row, 0], *between[row], ends[row, 1]]
        corners = np.array([only_place(large(tile, 8), picture) for tile in whole])
        assert np.ptp(corners[:, 0]) == 0
        steps = np.diff(corners[:, 1])
        assert set(steps[1:-1].tolist()) == {64 + 4}, "what is decoded stands close together"
        assert steps[0] == steps[-1] > 68, "the pictures themselves stand apart"
        rows.append(corners[0])
    assert np.ptp([x for _, x in rows]) == 0


def test_errors_are_red_above_nothing_and_blue_below():
    high, low, none = (error_tiles(np.full((1, 2, 2), value), 1.0, (4, 4))[0, 0, 0].astype(int) for value in (1, -1, 0))
    assert high[0] > high[2] + 50
    assert low[2] > low[0] + 50
    assert np.ptp(none) < 6


def test_small_errors_grow_by_blocks_and_large_ones_shrink_by_the_mean():
    values = np.array([[[-1.0, 1.0], [0.5, 0.0]]])
    grown = error_tiles(values, 1.0, (4, 6))
    np.testing.assert_array_equal(grown, colourise(values, -1, 1, "RdBu_r").repeat(2, 1).repeat(3, 2))
    shrunk = error_tiles(values, 1.0, (1, 1))
    np.testing.assert_array_equal(shrunk, colourise([[[0.125]]], -1, 1, "RdBu_r"))


def test_areas_of_errors_reach_as_far_as_the_error_is_large():
    tile = error_areas([[0.0, 0.5, -1.0, 9.0, np.nan, np.inf]], 1.0, (21, 6))[0].astype(int)
    red, blue = tile[..., 0] > tile[..., 2] + 50, tile[..., 2] > tile[..., 0] + 50
    bad = (tile == NON_FINITE).all(axis=-1)
    assert (red & ~bad).sum(axis=0).tolist() == [0, 5, 0, 10, 0, 0]
    assert (blue & ~bad).sum(axis=0).tolist() == [0, 0, 10, 0, 0, 0]
    assert bad.sum(axis=0).tolist() == [0, 0, 0, 0, 21, 21]
    assert red[5:10, 1].all()
    assert blue[11:, 2].all()


def test_what_is_not_finite_keeps_its_colour_when_a_picture_shrinks():
    pictures = np.zeros((1, 200, 100, 3), np.uint8)
    pictures[0, 130, 61] = NON_FINITE
    small = fit_marked(pictures, 50)
    assert small.shape == (1, 50, 25, 3)
    marked = (small == NON_FINITE).all(axis=-1)
    assert np.argwhere(marked[0]).tolist() == [[130 // 4, 61 // 4]]
    np.testing.assert_array_equal(fit_marked(noise(2, 200, 100), 400)[:, ::2, ::2], noise(2, 200, 100))


@pytest.mark.parametrize("draw", [tiles, traces, walk])
def test_a_note_alters_only_the_strip_at_the_bottom(draw):
    one, other = draw(note="error 1"), draw(note="error 2 " * 30, bad="3 NaN")
    strip = footer_height(one.shape[1])
    np.testing.assert_array_equal(one[:-strip], other[:-strip])
    assert (one != other).any()
    # The sign of what is not finite is a square of its colour before the count.
    assert len(boxes((other[-strip:] == NON_FINITE).all(axis=-1))) == 1


@pytest.mark.parametrize("draw", [tiles, traces])
def test_the_scale_of_errors_alters_only_errors_and_legend(draw):
    one, other = draw(scale=1.0), draw(scale=3.0)
    altered = (one != other).any(axis=(1, 2))[: -footer_height(one.shape[1])]
    assert altered.any()
    assert not altered[: header_height(one.shape[1], "") + 60].any(), "neither caption nor pictures"


def test_the_order_of_rows_only_moves_tiles():
    order = [2, 0, 1]
    one = signal_tiles(signed(3, 40, 2), -1, 1, over=signed(3, 40, 2, seed=1))
    other = signal_tiles(signed(3, 40, 2)[order], -1, 1, over=signed(3, 40, 2, seed=1)[order])
    np.testing.assert_array_equal(other, one[order])


def test_a_signal_given_back_as_it_is_hides_the_one_below_and_one_that_is_off_does_not():
    lines = np.sin(np.linspace(0, 9, 120)).reshape(1, -1, 1)

    def ink(over):
        return (signal_tiles(lines, -2, 2, over=over).astype(int).max(axis=-1) < 60).sum()

    assert ink(lines) == 0
    assert ink(lines + 1) > 20
    np.testing.assert_array_equal(
        signal_tiles(lines, -2, 2, over=lines + 99), signal_tiles(lines, -2, 2, over=lines + 3)
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_a_moment_that_is_not_finite_is_a_column_in_its_colour(channels):
    lines = signed(1, 46, channels)
    over = lines.copy()
    over[0, 10, 0] = np.inf
    tile = signal_tiles(lines, -1, 1, over=over)[0]
    columns = (tile == NON_FINITE).all(axis=(0, 2))
    assert np.flatnonzero(columns).tolist() == list(range(40, 44))  # 184 pixels for 46 moments


def test_the_legend_of_a_walk_says_what_its_brightness_means():
    plain, told = walk(), walk(legend=Scale(0, 1, "grey", "value"))
    strip = footer_height(plain.shape[1])
    np.testing.assert_array_equal(plain[:-strip], told[:-strip])
    assert (plain[-strip:] != told[-strip:]).sum() > 500


@pytest.mark.parametrize("draw", [tiles, traces])
def test_names_may_be_missing_long_or_odd(draw):
    assert draw(names=None).shape[1] == draw().shape[1]
    names = ["an endless name of a class " * 9, "tab\tand\nline", "", "数字", "e"]
    count = 5 if draw is tiles else 3
    shown = draw(names=names[:count])
    assert np.array_equal(shown, draw(names=[names[0] + "!", *names[1:count]])), "an endless name is cut"
    assert shown.shape[1] <= draw().shape[1] + count * 120
