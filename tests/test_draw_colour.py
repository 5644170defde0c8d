import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasviz_callbacks.draw.colour import (
    NON_FINITE,
    class_colours,
    colourise,
    count_non_finite,
    luminance,
    rgb,
    table,
)
from kerasviz_callbacks.draw.text import counted_rows, format_number, plural

MAPS = ("viridis", "RdBu_r", "inferno", "jet", "grey")


@pytest.mark.parametrize("colours", MAPS)
def test_the_scale_maps_to_the_ends_of_the_colour_map_and_clips_beyond(colours):
    ends = np.rint(np.array(matplotlib.colormaps["gray" if colours == "grey" else colours]([0.0, 1.0])) * 255)
    painted = colourise([-9.0, -2.0, 3.0, 9.0], -2, 3, colours)
    np.testing.assert_array_equal(painted, ends[[0, 0, 1, 1], :3])


def test_zero_is_the_neutral_middle_of_the_diverging_map():
    red, green, blue = colourise(0.0, -0.7, 0.7, "RdBu_r")
    assert red == green == blue == 247


def test_opposite_values_lie_at_mirrored_entries():
    entries = table("RdBu_r")
    np.testing.assert_array_equal(colourise([-0.25, 0.25], -1, 1, "RdBu_r"), [entries[96], entries[160]])


def test_a_value_can_become_several_pixels_beside_each_other():
    values = np.array([[0.0, np.nan, 1.0], [-1.0, 0.5, np.inf]])
    one = colourise(values, -1, 1, "RdBu_r")
    three = colourise(values, -1, 1, "RdBu_r", across=3)
    assert three.shape == (2, 9, 3)
    np.testing.assert_array_equal(three, np.repeat(one, 3, axis=1))


def test_bytes_do_not_wrap_around():
    np.testing.assert_array_equal(colourise(300.0, 0, 255, "grey"), [255, 255, 255])


def test_an_empty_range_is_dark_at_its_value_and_neutral_where_colours_diverge():
    np.testing.assert_array_equal(colourise([0.0], 0, 0, "viridis"), table("viridis")[:1])
    np.testing.assert_array_equal(colourise([0.0], 0, 0, "RdBu_r"), table("RdBu_r")[128:129])
    np.testing.assert_array_equal(colourise([1.0], 0, 0, "viridis"), table("viridis")[-1:])


def test_the_largest_floats_do_not_overflow():
    largest = np.finfo(np.float64).max
    np.testing.assert_array_equal(colourise([-largest, 0, largest], -largest, largest, "grey")[:, 0], [0, 128, 255])


@pytest.mark.parametrize(("low", "high"), [(1.0, 0.0), (np.nan, 1.0), (0.0, np.inf)])
def test_a_scale_that_is_none_is_refused(low, high):
    with pytest.raises(ValueError, match="a scale must be finite and low at most high"):
        colourise([0.5], low, high)


def test_an_unknown_colour_map_is_named_with_others():
    with pytest.raises(ValueError, match=r'colours="virids": no such colour map; for instance "viridis"'):
        colourise([0.5], 0, 1, "virids")


@pytest.mark.parametrize("colours", MAPS)
def test_what_is_not_finite_has_a_colour_that_no_map_comes_near(colours):
    distance = np.linalg.norm(table(colours).astype(float) - NON_FINITE, axis=1)
    assert distance.min() > 150


def test_rgb_puts_the_middle_at_grey_and_marks_a_pixel_with_one_nan():
    values = [[-1.0, 0.0, 1.0], [0.0, np.nan, 0.0]]
    np.testing.assert_array_equal(rgb(values, -1, 1), [[0, 128, 255], NON_FINITE])


@given(st.integers(0, 60), st.integers(0, 60))
def test_a_class_keeps_its_colour_whatever_their_number(some, more):
    some, more = sorted((some, more))
    np.testing.assert_array_equal(class_colours(more)[:some], class_colours(some))


def test_forty_classes_have_forty_colours():
    assert len(np.unique(class_colours(40), axis=0)) == 40


# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
VISION = {
    "normal": np.eye(3),
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def oklab(linear):
    cones = linear @ np.transpose(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    return np.cbrt(cones) @ np.transpose(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )


@pytest.mark.parametrize("vision", VISION)
def test_ten_classes_can_be_told_apart_by_everyone(vision):
    shares = class_colours(10) / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    seen = oklab(np.clip(linear @ np.transpose(VISION[vision]), 0, 1))
    apart = np.linalg.norm(seen[:, None] - seen[None], axis=-1) + np.eye(10)
    assert apart.min() > 0.085


def test_class_colours_stand_out_from_paper():
    assert luminance(class_colours(10)).max() < 215


def test_what_is_not_finite_is_counted_in_words():
    assert count_non_finite([1.0, 2.0]) == ""
    assert count_non_finite([np.nan, 2.0, np.inf], [[-np.inf, np.nan, np.nan]]) == "3 NaN, 2 inf"
    assert count_non_finite(np.full(1200, np.nan)) == "1,200 NaN"
    assert count_non_finite(np.arange(3)) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.25, "0.25"),
        (-1.5, "\N{MINUS SIGN}1.5"),
        (1.234e-5, "1.23e\N{MINUS SIGN}5"),
        (0, "0"),
        (2.5e9, "2.5e9"),
    ],
)
def test_numbers_are_short(value, text):
    assert format_number(value) == text


def test_a_noun_follows_its_count():
    assert [counted_rows(1), counted_rows(1000)] == ["1 row", "1,000 rows"]
    assert [plural("epoch", 1), plural("epoch", 0), plural("epoch"), plural("batch", 7)] == [
        "epoch",
        "epochs",
        "epochs",
        "batches",
    ]
