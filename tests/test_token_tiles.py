"""Texts below their heat: each token on the colour of its evidence, padding counted or hatched."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kerasviz_callbacks.draw.overlay import overlay
from kerasviz_callbacks.draw.text import text_width
from kerasviz_callbacks.draw.token_tiles import MOST_TOKENS, hatch_padding, readable, token_tiles

LINE, SWATCH = 19, 20


def colours_of(values, scale=1.0, signed=False):
    """The colours in which a strip of cells shows values `(t,)`."""
    ground = np.full((1, len(values), 3), 72, np.uint8)
    return overlay(ground, np.array([values]), scale=scale, signed=signed, outlined=False)[0]


@pytest.mark.parametrize("signed", [False, True])
def test_each_token_stands_on_the_colour_of_its_value_and_padding_on_that_of_its_largest(signed):
    values = np.array([[0.0, 1.0, 0.3, -0.2, 0.6, -0.9]])
    colours = colours_of(values[0], signed=signed)
    [tile] = token_tiles([["iii", "iii", "iii", "iii", "", ""]], values, 1.0, signed)
    starts = [0]
    for x in range(1, tile.shape[1]):  # cells are next to each other, a pixel of ground apart
        if len(starts) < 4 and (tile[1, x] == colours[len(starts)]).all() and (tile[1, x - 1] == colours[0]).all():
            starts.append(x)
    assert (tile[1, 0] == colours[0]).all()
    assert len(starts) == 4
    widths = np.diff(starts)
    assert (widths == widths[0]).all(), "equal words are equally wide"
    assert (tile[-LINE + 1, SWATCH + 1] == colours[5]).all(), "evidence against is evidence too"


def test_maps_of_fewer_positions_are_resized_to_the_tokens():
    [tile] = token_tiles([["iii"] * 4], np.array([[0.0, 1.0]]), 1.0, signed=False)
    colours = colours_of(np.interp([0.5, 1.5, 2.5, 3.5], [1, 3], [0.0, 1.0]))
    assert [colour for colour in colours.tolist() if colour in tile[1].tolist()] == colours.tolist()


@pytest.mark.parametrize(
    ("count", "length", "places"),
    [
        (8, 6, [1, 2, 3, 4, 5, 6]),  # kernel 3, no padding
        (18, 12, np.arange(3, 15)),  # kernel 7, no padding
        (7, 4, [0, 2, 4, 6]),  # kernel 3, stride 2, padded on both sides
        (11, 5, [1, 3, 5, 7, 9]),  # kernel 3, stride 2, no padding
        (6, 6, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_positions_of_a_convolution_stand_on_the_middle_of_what_they_were_computed_from(count, length, places):
    values = np.linspace(0.1, 1, length)
    [tile] = token_tiles([["i"] * count], values[None], 1.0, signed=False)
    colours = colours_of(np.interp(np.arange(count), places, values))
    step = text_width("i", 12) + 6 + 1
    np.testing.assert_array_equal(tile[1, np.arange(count) * step], colours)


def test_texts_of_more_tokens_without_padding_than_can_be_read_are_not_written():
    assert readable([["a"] * MOST_TOKENS + [""] * 9, [""] * (MOST_TOKENS + 9)])
    assert not readable([["a"], ["a"] * (MOST_TOKENS + 1)])


def test_padding_of_strips_is_hatched_and_nothing_else():
    cells = np.full((2, 12, 40, 3), 90, np.uint8)
    hatch_padding(cells, [["a", "b", "", ""], ["", "a", "b", "c"]])
    changed = (cells != 90).any(axis=(1, 3))
    assert changed[0, 20:].all()
    assert changed[1, :10].all()
    assert not changed[0, :20].any()
    assert not changed[1, 10:].any()


@given(
    st.data(),
    st.integers(1, 3),
    st.integers(1, 9),
    hnp.array_shapes(min_dims=1, max_dims=1, max_side=12),
    st.booleans(),
    st.sampled_from([0.0, 1e-30, 1.0, 1e30]),
)
def test_any_texts_and_maps_give_tiles_that_change_nothing(data, rows, length, cells, signed, scale):
    texts = [data.draw(st.lists(st.text(max_size=60), min_size=length, max_size=length)) for _ in range(rows)]
    values = data.draw(hnp.arrays(np.float32, (rows, *cells)))
    before = values.tobytes()
    tiles = token_tiles(texts, values, scale, signed)
    assert tiles.dtype == np.uint8
    assert len(tiles) == rows
    hatch_padding(tiles.copy(), texts)
    assert values.tobytes() == before
