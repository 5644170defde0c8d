"""Letters, bars and frames on canvases, held beside what Pillow draws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from kerasviz_callbacks.draw.marks import fill, frame, hatching
from kerasviz_callbacks.draw.text import font, write

HEIGHT, WIDTH = 40, 60
PLACES = st.floats(-5, 45) | st.integers(-80, 80) | st.integers(-200, 200).map(lambda quarters: quarters / 4)
COLOURS = st.tuples(*[st.integers(0, 255)] * 3)
ANCHORS = st.tuples(st.sampled_from("lmr"), st.sampled_from("smt")).map("".join)
GROUND = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def by_pillow(draw):
    picture = Image.fromarray(GROUND)
    draw(ImageDraw.Draw(picture))
    return np.asarray(picture)


@given(
    st.tuples(PLACES, PLACES),
    st.text(st.characters(codec="latin-1", exclude_categories=["C"]), max_size=8),
    st.integers(8, 20),
    st.booleans(),
    ANCHORS,
    COLOURS,
)
def test_words_on_a_canvas_are_those_that_pillow_writes(place, words, size, bold, anchor, colour):
    canvas = GROUND.copy()
    write(canvas, place, words, size=size, bold=bold, anchor=anchor, colour=colour)
    given_to_pillow = {"fill": colour, "font": font(size, bold), "anchor": anchor}
    expected = by_pillow(lambda draw: draw.text(place, words.strip(), **given_to_pillow))
    np.testing.assert_array_equal(canvas, expected)


def test_words_can_be_written_onto_a_part_of_a_picture():
    whole, part = GROUND.copy(), GROUND[5:35, 10:50].copy()
    write(whole[5:35, 10:50], (3, 20), "conv1 gg")
    write(part, (3, 20), "conv1 gg")
    np.testing.assert_array_equal(whole[5:35, 10:50], part)
    assert (part != GROUND[5:35, 10:50]).any()


boxes = st.tuples(*[st.integers(-10, 70) | st.floats(0, 70)] * 4).map(
    lambda sides: (
        *(min(pair) for pair in (sides[::2], sides[1::2])),
        *(max(pair) for pair in (sides[::2], sides[1::2])),
    )
)


@given(boxes, COLOURS)
def test_bars_are_those_that_pillow_draws(box, colour):
    canvas = GROUND.copy()
    fill(canvas, box, colour)
    np.testing.assert_array_equal(canvas, by_pillow(lambda draw: draw.rectangle(box, fill=colour)))


@given(
    boxes.filter(lambda box: min(box[2] - box[0], box[3] - box[1]) >= 2), COLOURS
)  # Pillow's smaller ones spill over
def test_frames_are_those_that_pillow_draws(box, colour):
    canvas = GROUND.copy()
    frame(canvas, box, colour)
    np.testing.assert_array_equal(canvas, by_pillow(lambda draw: draw.rectangle(box, outline=colour)))


@pytest.mark.parametrize("line", [(7.9, 3, 7.9, 6), (7, 3.5, 31, 3.5), (5, 5, 5, 5)])
def test_hairlines_are_those_that_pillow_draws(line):
    canvas = GROUND.copy()
    fill(canvas, line, (10, 20, 30))
    np.testing.assert_array_equal(canvas, by_pillow(lambda draw: draw.line(line, fill=(10, 20, 30))))


def test_a_thick_frame_leaves_what_is_inside():
    canvas = np.zeros((10, 10, 3), np.uint8)
    frame(canvas, (1, 2, 8, 9), (9, 9, 9), thick=2)
    expected = np.zeros((10, 10, 3), np.uint8)
    expected[2:10, 1:9] = 9
    expected[4:8, 3:7] = 0
    np.testing.assert_array_equal(canvas, expected)


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 6))
def test_stripes_fall_from_right_to_left_one_in_six_pixels(height, width, thick):
    stripes = hatching(height, width, thick)
    assert stripes.tolist() == [[(y + x) % 6 in range(thick) for x in range(width)] for y in range(height)]
