import numpy as np
import pytest
from test_draw_colour import VISION, oklab

from kerasviz_callbacks.draw.colour import NON_FINITE
from kerasviz_callbacks.draw.responses import Hues, ramps, response_strengths, strengths_as_colours
from kerasviz_callbacks.draw.sheet import footer_height, header_height
from kerasviz_callbacks.draw.text import LINE


def seen_by(colours, vision="normal"):
    shares = colours / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    return oklab(np.clip(linear @ np.transpose(VISION[vision]), 0, 1))


def drawn(values, means=None, **options):
    values = np.asarray(values, float)
    means = values.mean(axis=0)[None] if means is None else np.asarray(means, float)
    given = {
        "high": 1.0,
        "caption": "conv   8 × 8 × 6",
        "neurons": range(values.shape[1]),
        "classes": [f"class {row}" for row in range(len(means))],
        **options,
    }
    return response_strengths(values, means, **given)


def body(picture):
    return picture[: -footer_height(picture.shape[1])]


def panels(picture):
    """The two frames, as (top, bottom, left, right) of what is within."""
    line = (body(picture) == LINE).all(axis=-1)
    rows = np.flatnonzero(line.sum(axis=1) > 0.5 * line.sum(axis=1).max())
    columns = np.flatnonzero(line.sum(axis=0) > 0.5 * line.sum(axis=0).max())
    assert len(rows) == 4
    return [(rows[k] + 1, rows[k + 1], columns[0] + 1, columns[-1]) for k in (0, 2)]


# The colours.


def test_the_stronger_the_darker_in_equal_steps_and_all_hues_alike():
    light = seen_by(ramps())[..., 0]
    wanted = np.linspace(1, 0.42, 257)
    np.testing.assert_allclose(light, np.broadcast_to(wanted, light.shape), atol=0.012)
    np.testing.assert_array_equal(ramps()[:, 0], 255)
    assert (np.diff(light, axis=1) < 0.004).all(), "bytes may step back by one"
    assert (np.diff(light[:, ::8], axis=1) < 0).all()


@pytest.mark.parametrize("vision", VISION)
def test_neurons_side_by_side_differ_in_hue_for_everyone(vision):
    full = seen_by(strengths_as_colours(np.ones((1, 13)), 1.0)[0], vision)
    apart = np.linalg.norm(np.diff(full, axis=0), axis=1)
    assert apart.min() > 0.09
    np.testing.assert_array_equal(full[:6], full[6:12])


def test_no_strength_looks_like_nan():
    distance = np.linalg.norm(ramps().astype(float) - NON_FINITE, axis=-1)
    assert distance.min() > 100
    assert (strengths_as_colours([[np.nan, np.inf, -np.inf]], 1.0) == NON_FINITE).all()


def test_strengths_beyond_the_scale_get_its_last_colour_and_an_empty_scale_is_white_at_zero():
    np.testing.assert_array_equal(strengths_as_colours([[3.0]], 1.0), ramps()[:1, -1:])
    np.testing.assert_array_equal(strengths_as_colours([[0.0, 0.0]], 0.0), np.full((1, 2, 3), 255))


# The picture.


def test_rows_are_pictures_columns_are_neurons_and_below_them_class_means():
    values = np.random.default_rng(0).random((6, 5))
    means = values.reshape(3, 2, 5).mean(axis=1)
    picture = drawn(values, means, labels=list("aabbcc"), classes=list("abc"))
    (top, bottom, left, right), (low_top, low_bottom, _, _) = panels(picture)
    assert right - left == 5 * 24
    assert bottom - top == 6 * 18 + 2 * 3
    assert low_bottom - low_top == 3 * 16
    columns = left + np.arange(5) * 24 + 12
    rows = top + np.array([0, 18, 39, 57, 78, 96]) + 9
    np.testing.assert_array_equal(picture[np.ix_(rows, columns)], strengths_as_colours(values, 1.0))
    rows = low_top + np.arange(3) * 16 + 8
    np.testing.assert_array_equal(picture[np.ix_(rows, columns)], strengths_as_colours(means, 1.0))


def test_a_class_is_named_once_in_the_middle_of_its_rows():
    values = np.zeros((8, 4))

    def words(labels):
        picture = drawn(values, labels=labels)
        (top, bottom, left, _), _ = panels(picture)
        return (picture[top:bottom, : left - 2] < 128).all(axis=-1).any(axis=1)

    grouped, single = words(["boot"] * 4 + ["shoe"] * 4), words(["boot", "shoe"] * 4)
    rows = np.flatnonzero(grouped)
    first = rows[rows < 60]
    assert abs((first[0] + first[-1]) / 2 - 36) <= 4, "four rows of 18"
    assert single.sum() > 2.5 * grouped.sum()


def test_neurons_are_numbered_by_their_own_numbers():
    one, other = drawn(np.zeros((2, 4)), neurons=[0, 1, 2, 3]), drawn(np.zeros((2, 4)), neurons=[0, 1, 2, 97])
    ys, xs = np.nonzero((one != other).any(axis=-1))
    (top, _, left, _), _ = panels(one)
    assert ys.max() < top
    assert xs.min() > left + 3 * 24 - 10


def test_nan_is_seen_and_counted_once():
    values = np.full((4, 3), 0.5)
    assert not (drawn(values) == NON_FINITE).all(axis=-1).any()
    values[1, 2] = np.nan
    picture = drawn(values)
    marked = (picture == NON_FINITE).all(axis=-1)
    assert marked[: len(body(picture))].sum() == 24 * (18 + 16), "the cell, and the mean over it"
    assert marked[len(body(picture)) :].any()


def test_many_rows_and_neurons_are_drawn_as_large_as_ever():
    """More rows and neurons than there is room for; small ones are fuzzed in `test_fuzz_draw.py`."""
    options = {"labels": [str(row * 40 // 900) for row in range(900)], "classes": list(map(str, range(40)))}
    plain = drawn(np.zeros((900, 300)), np.zeros((40, 300)), **options)
    spoilt = np.random.default_rng(0).random((900, 300)).astype(np.float32)
    spoilt[450, ::2] = np.nan
    other = drawn(spoilt, np.full((40, 300), np.inf), high=1e30, note="restored", **options)
    assert plain.shape == other.shape
    assert plain.shape[0] < 900
    top = header_height(plain.shape[1], "")
    np.testing.assert_array_equal(plain[:top], other[:top])


def test_a_note_alters_only_the_strip():
    one, other = drawn(np.ones((3, 9)), note="1 of 9 silent"), drawn(np.ones((3, 9)), note="2 of 9 silent" * 9)
    np.testing.assert_array_equal(body(one), body(other))
    assert (one != other).any()


def test_names_of_any_letters_and_length_are_written():
    labels = ["类\n\t", "\x00\udcff", "x" * 500]
    assert drawn(np.ones((3, 2)), labels=labels).shape[1] < 500


def test_the_legend_shows_every_hue_as_none_means_more_than_another():
    bar = Hues(0.0, 1.0, "grey").bar(100, 12)
    assert bar.shape == (12, 100, 3)
    np.testing.assert_array_equal(bar[:, 0], np.full((12, 3), 255))
    np.testing.assert_array_equal(bar[::2, -1], ramps()[:6, -1])
    assert drawn(np.zeros((2, 3))).shape == drawn(np.ones((2, 3))).shape
