import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasviz_callbacks.draw.colour import NON_FINITE
from kerasviz_callbacks.draw.inputs import IntensityRange
from kerasviz_callbacks.draw.text import LINE
from kerasviz_callbacks.draw.tiles import Grid, compact, enlarge, fit, place_all, resize, shrink

SIDES = st.integers(1, 9)


@given(st.floats(-1e300, 1e300), SIDES, SIDES, SIDES, SIDES)
def test_a_constant_stays_exactly_that_constant(value, height, width, new_height, new_width):
    assert (resize(np.full((1, height, width), value), (new_height, new_width)) == value).all()


def test_resizing_a_two_by_two_map_by_hand():
    # Half-pixel centres: the new centres lie at -1/4, 1/4, 3/4, 5/4 of the old ones, clamped at the edges.
    result = resize([[[0.0, 4.0], [8.0, 12.0]]], (4, 4))
    expected = [[0, 1, 3, 4], [2, 3, 5, 6], [6, 7, 9, 10], [8, 9, 11, 12]]
    np.testing.assert_allclose(result[0], expected, atol=1e-6)


def test_resizing_agrees_with_pillow_on_a_ramp():
    from PIL import Image

    values = np.random.default_rng(0).random((5, 7), np.float32)
    pillow = np.asarray(Image.fromarray(values).resize((21, 20), Image.Resampling.BILINEAR))
    np.testing.assert_allclose(resize(values, (20, 21)), pillow, atol=1e-5)


def test_a_nan_reaches_only_its_neighbours():
    values = np.ones((6, 6))
    values[1, 1] = np.nan
    large = resize(values, (24, 24))
    assert np.isnan(large[4:8, 4:8]).all()
    assert np.isfinite(large[12:]).all()
    assert np.isfinite(large[:, 12:]).all()


def test_depth_is_resized_too():
    np.testing.assert_allclose(resize([0.0, 4.0], (4,)), [0, 1, 3, 4])
    assert resize(np.ones((2, 3, 4, 5)), (6, 8, 10)).shape == (2, 6, 8, 10)


def test_shrinking_takes_the_mean_of_blocks():
    values = np.arange(16.0).reshape(4, 4)
    np.testing.assert_allclose(shrink(values, (2, 2)), [[2.5, 4.5], [10.5, 12.5]])
    np.testing.assert_allclose(shrink(values, (8, 4)), values)


@given(st.integers(1, 30), st.integers(1, 30), st.floats(-1e300, 1e300))
def test_shrinking_keeps_a_constant(old, new, value):
    small = shrink(np.full(old, value), (new,))
    assert small.shape == (min(old, new),)
    np.testing.assert_allclose(small, value, rtol=1e-12, atol=1e-300)  # a part of the smallest float is 0


def test_a_nan_is_seen_in_one_shrunken_cell():
    values = np.ones((1, 7))
    values[0, 3] = np.nan
    assert np.isnan(shrink(values, (1, 3))).sum() == 1


def test_enlarging_repeats_pixels():
    picture = np.array([[[1, 1, 1], [2, 2, 2]]], np.uint8)
    assert enlarge(picture, 2)[..., 0].tolist() == [[1, 1, 2, 2], [1, 1, 2, 2]]
    assert enlarge(picture, (1, 3))[..., 0].tolist() == [[1, 1, 1, 2, 2, 2]]


@given(st.integers(1, 300), st.integers(1, 300), st.integers(8, 160))
def test_fitted_pictures_are_as_large_as_they_may_be(height, width, largest):
    fitted = fit(np.full((1, height, width, 3), 77, np.uint8), largest)
    assert largest / 2 < max(fitted.shape[1:3]) <= largest
    assert (fitted == 77).all()


@pytest.mark.parametrize(
    ("height", "width", "size"),
    [(28, 56, (84, 168)), (10, 100, (10, 100)), (5, 40, (20, 160)), (40, 5, (80, 10)), (300, 900, (65, 194))],
)
def test_a_picture_is_fitted_to_a_room_by_the_side_that_fills_it(height, width, size):
    assert fit(np.zeros((1, height, width, 3), np.uint8), (96, 194)).shape == (1, *size, 3)


@given(st.integers(1, 80))
def test_a_compact_grid_holds_all(count):
    columns = compact(count, 50, 50)
    assert 1 <= columns <= count
    assert Grid(count, columns, 50, 50).rows * columns >= count


def test_grids_are_compact_and_full():
    assert [compact(count, 60, 52) for count in (4, 6, 8, 16, 32, 64)] == [2, 3, 4, 4, 8, 8]


def test_tiles_stand_where_the_grid_says():
    grid = Grid(5, 3, 4, 4, gap=2, above=3)
    canvas = np.zeros((*grid.size, 3), np.uint8)
    grid.paint(canvas, np.stack([np.full((4, 4, 3), value, np.uint8) for value in range(1, 6)]))
    for index in range(5):
        x, y = grid.corner(index)
        assert (canvas[y : y + 4, x : x + 4] == index + 1).all()


@given(st.integers(1, 3), st.integers(1, 3), SIDES, SIDES, st.tuples(st.integers(2, 4), st.integers(2, 4)))
def test_tiles_painted_together_stand_as_if_painted_one_by_one(rows, columns, height, width, gaps):
    tiles = np.random.default_rng(0).integers(0, 200, (rows, columns, height, width, 3), np.uint8)
    pitch = height + gaps[0], width + gaps[1]
    canvas = np.full((rows * pitch[0] + 5, columns * pitch[1] + 11, 3), 255, np.uint8)
    expected = canvas.copy()
    part = expected[:, 4:]  # of a wider canvas
    for row in range(rows):
        for column in range(columns):
            y, x = 2 + row * pitch[0], 3 + column * pitch[1]
            part[y - 1 : y + height + 1, x - 1 : x + width + 1] = LINE
            part[y : y + height, x : x + width] = tiles[row, column]
    place_all(canvas[:, 4:], tiles, 3, 2, pitch)
    np.testing.assert_array_equal(canvas, expected)


@given(SIDES, SIDES, st.integers(1, 4))
def test_tiles_with_repeated_lines_stand_as_if_enlarged_before(height, width, tall):
    tiles = np.random.default_rng(0).integers(0, 200, (2, 2, height, width, 3), np.uint8)
    pitch = height * tall + 3, width + 3
    repeated, enlarged = np.full((2, 2 * pitch[0] + 4, 2 * pitch[1] + 4, 3), 255, np.uint8)
    place_all(repeated, tiles, 2, 2, pitch, tall=tall)
    place_all(enlarged, enlarge(tiles, (tall, 1)), 2, 2, pitch)
    np.testing.assert_array_equal(repeated, enlarged)


@pytest.mark.parametrize(
    ("images", "low", "high"),
    [
        (np.array([[[3, 9]]], np.uint8), 0, 255),
        (np.array([[[0.2, 0.9]]]), 0, 1),
        (np.array([[[0.0, 0.0]]]), 0, 1),
        (np.array([[[-0.2, 0.9]]]), -1, 1),
        (np.array([[[0.0, 252.5]]]), 0, 255),
        (np.array([[[0, 255]]]), 0, 255),
        (np.array([[[0.0, 257.0]]]), 0, 255),
        (np.array([[[0.0, 252.0]]]), 1.26, 250.74),
        (np.array([[[-1.0, 255.0]]]), 0.28, 253.72),
        (np.arange(201.0).reshape(1, 1, 201), 1, 199),
        (np.array([[[-2.0, 2.0, *[0.0] * 1000]]]), -2, 2),
        (np.array([[[np.nan, 0.5]]]), 0, 1),
        (np.array([[[np.nan, np.inf]]]), 0, 1),
        (np.array([[[True, False]]]), 0, 1),
    ],
)
def test_the_range_of_inputs_is_found_once(images, low, high):
    assert IntensityRange.of(images) == IntensityRange(pytest.approx(low), pytest.approx(high))


def test_inputs_keep_their_brightness_afterwards():
    shown = IntensityRange.of(np.array([[[0.0, 1.0]]]))
    assert shown(np.array([[[0.2, 5.0]]]))[0, 0].tolist() == [[51] * 3, [255] * 3]


def test_inputs_by_their_channels():
    shown = IntensityRange(0, 1)
    one, three = np.full((1, 2, 2, 1), 0.2), np.broadcast_to([0.0, 0.2, 1.0], (1, 2, 2, 3))
    assert shown(one)[0, 0, 0].tolist() == [51, 51, 51]
    assert shown(three)[0, 0, 0].tolist() == [0, 51, 255]
    assert shown(np.concatenate([three, one], -1))[0, 0, 0].tolist() == [0, 51, 255]
    assert shown(np.concatenate([one, 3 * one], -1))[0, 0, 0].tolist() == [102, 102, 102]
    assert shown(np.full((1, 3, 2, 2, 1), np.nan))[0, 2, 0, 0].tolist() == list(NON_FINITE)


def test_inputs_without_pictures_are_refused():
    with pytest.raises(ValueError, match=r"images: must be \(n, h, w\) or .* got shape \(2, 3\)"):
        IntensityRange(0, 1)(np.zeros((2, 3)))


def test_the_mean_of_the_largest_floats_is_the_largest_float():
    largest = np.finfo(np.float64).max
    assert shrink(np.full((1, 3), largest), (1, 1)).tolist() == [[largest]]
