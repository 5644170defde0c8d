import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasviz_callbacks.draw.clouds import Cloud, spread_apart
from kerasviz_callbacks.draw.colour import class_colours
from kerasviz_callbacks.draw.sheet import footer_height, header_height
from kerasviz_callbacks.draw.text import INK
from kerasviz_callbacks.draw.trails import extend_window, trajectories, trajectory

OPTIONS = {"half_width": 1.0, "title": "latent  2"}


def coordinates(picture, colour):
    """Where a colour stands in the window, as coordinates from -1 to 1."""
    top = 10 + 21 + 6
    left = 12
    window = picture[top : top + 600, left : left + 600]
    ys, xs = np.nonzero((window == colour).all(axis=-1))
    return np.stack([(xs + 0.5) / 300 - 1, 1 - (ys + 0.5) / 300], 1)


def body_height(picture):
    """The height without caption and footer, whose type is larger on wide sheets."""
    height, width, _ = picture.shape
    return height - header_height(width, OPTIONS["title"]) - footer_height(width)


def test_a_dot_stands_where_its_code_is():
    tails = np.array([[[0.5, 0.25], [-0.5, -0.75]]])
    picture = trajectory(tails, classes=[0, 1], **OPTIONS)
    for colour, (x, y) in zip(class_colours(2), tails[0], strict=True):
        np.testing.assert_allclose(coordinates(picture, colour).mean(axis=0), [x, y], atol=0.005)


def test_the_window_is_as_wide_as_said():
    picture = trajectory([[[2.0, 1.0]]], half_width=4.0, title="latent  2")
    np.testing.assert_allclose(coordinates(picture, class_colours(1)[0]).mean(axis=0), [0.5, 0.25], atol=0.005)


def windows(picture):
    """The two windows, left and right, below their names."""
    top = header_height(picture.shape[1], OPTIONS["title"]) + 28
    return [picture[top : top + 450, left : left + 450] for left in (12, 12 + 450 + 14)]


def test_each_cloud_stands_in_its_own_window_of_the_same_width():
    left, right = np.array([[[0.5, 0.25]]]), np.array([[[-0.5, -0.75], [0.2, 0.6]]])
    names = ["first", "second"]
    picture = trajectories(
        [Cloud.of(left, None, [0], "training"), Cloud.of(right, None, [1, 0], "validation")], names=names, **OPTIONS
    )
    first, second = class_colours(2)
    seen = {}
    for name, window in zip(("left", "right"), windows(picture), strict=True):
        for number, colour in enumerate((first, second)):
            ys, xs = np.nonzero((window == colour).all(axis=-1))
            seen[name, number] = (
                np.stack([(xs + 0.5) / 225 - 1, 1 - (ys + 0.5) / 225], 1).mean(axis=0) if len(xs) else []
            )
    np.testing.assert_allclose(seen["left", 0], [0.5, 0.25], atol=0.005)
    np.testing.assert_allclose(seen["right", 0], [0.2, 0.6], atol=0.005)
    np.testing.assert_allclose(seen["right", 1], [-0.5, -0.75], atol=0.005)
    assert not len(seen["left", 1])


def test_what_is_not_finite_is_counted_over_both_clouds_and_the_size_stays():
    def drawn(left, right):
        return trajectories([Cloud.of(left, None, None, "a"), Cloud.of(right, None, None, "b")], **OPTIONS)

    whole, broken = np.zeros((2, 5, 2)), np.zeros((2, 3, 2))
    broken[-1, 1] = np.nan
    picture = drawn(whole, broken)
    strip = footer_height(picture.shape[1])
    assert (picture[-strip:] == (255, 0, 255)).all(axis=-1).any()
    assert not (picture[:-strip] == (255, 0, 255)).all(axis=-1).any()
    assert picture.shape == drawn(broken * 0, whole).shape
    assert not (drawn(whole, whole)[-strip:] == (255, 0, 255)).all(axis=-1).any()


def test_a_collapsing_cloud_is_seen_to_shrink():
    codes = np.random.default_rng(0).normal(0, 0.3, (200, 2))
    wide = coordinates(trajectory(codes[None], **OPTIONS), class_colours(1)[0])
    small = coordinates(trajectory(codes[None] * 0.1, **OPTIONS), class_colours(1)[0])
    assert np.ptp(small[:, 0]) < 0.2 * np.ptp(wide[:, 0])


def test_the_path_of_a_class_mean_is_drawn_through_its_history():
    means = np.array([[[-0.8, 0.5]], [[0.0, 0.5]], [[0.8, 0.5]]])
    picture = trajectory(np.full((1, 1, 2), -0.9), means, [0], **OPTIONS)
    line = coordinates(picture, class_colours(1)[0])
    near = line[np.abs(line[:, 1] - 0.5) < 0.02]
    assert near[:, 0].min() < -0.7
    assert near[:, 0].max() > 0.7


def test_a_collapsed_cloud_has_no_discs_but_a_word():
    means = np.random.default_rng(0).normal(0, 0.001, (1, 10, 2))
    plain, marked = (
        trajectory(means, means, range(10), collapsed=collapsed, **OPTIONS)[37:637, 12:612]
        for collapsed in (False, True)
    )

    def reach(window):
        seen = np.argwhere([(window == colour).all(axis=-1) for colour in class_colours(10)])[:, 1:]
        return np.abs(seen - 300).max() / 300

    assert reach(plain) > 0.1, "ten discs push each other apart"
    assert reach(marked) < 0.03, "ten dots lie where they are"
    assert (marked[8:43] == INK).all(axis=-1).sum() > 300, "the word"
    assert not (plain[8:43] == INK).all(axis=-1).any()


def test_a_disc_that_steps_aside_leaves_a_dot_where_its_path_ends():
    means = np.array([[[0.0, 0.0], [0.005, 0.0], [0.0, 0.005]]])
    picture = trajectory(np.full((1, 3, 2), -0.9), means, [0, 1, 2], **OPTIONS)
    near = [np.abs(coordinates(picture, colour)).max(axis=1).min() for colour in class_colours(3)]
    assert sum(away < 0.02 for away in near) >= 2, "the last of three dots in one place lies above the others"


def test_older_tails_are_paler():
    steps = np.linspace(-0.8, 0.8, 9)
    tails = np.stack([steps, np.zeros(9)], 1)[:, None]
    picture = trajectory(tails, **OPTIONS)
    row = picture[10 + 21 + 6 + 300, 12:612].astype(int).sum(axis=-1)
    assert row[65:120].mean() > row[200:260].mean() > row[440:500].mean()


def test_codes_that_are_not_finite_are_left_out_and_counted():
    tails = np.random.default_rng(0).normal(0, 0.3, (3, 20, 2))
    whole = trajectory(tails, **OPTIONS)
    broken = tails.copy()
    broken[:, 4] = np.nan
    picture = trajectory(broken, **OPTIONS)
    strip = footer_height(picture.shape[1])
    np.testing.assert_array_equal(picture[:-strip], trajectory(np.delete(tails, 4, 1), **OPTIONS)[:-strip])
    assert (picture[-strip:] != whole[-strip:]).any()
    assert ((picture[-strip:] == (255, 0, 255)).all(axis=-1)).any()


@pytest.mark.parametrize("count", [1, 10, 23, 60, 150])
def test_any_number_of_classes_makes_the_same_height(count):
    means = np.random.default_rng(0).normal(0, 0.3, (4, count, 2))
    classes = np.arange(300) % count
    tails = np.random.default_rng(1).normal(0, 0.3, (2, 300, 2))
    names = [f"class {number}" for number in range(count)]
    picture = trajectory(tails, means, classes, names=names, **OPTIONS)
    assert body_height(picture) == body_height(trajectory(tails, **OPTIONS))
    assert 624 < picture.shape[1] <= 800


@given(st.floats(0, 1e100), st.lists(st.floats(0, 1e100), max_size=8))
def test_the_window_only_grows_and_holds_what_it_must(first, needs):
    half_width = extend_window(0.0, first)
    assert half_width >= first
    for needed in needs:
        before, half_width = half_width, extend_window(half_width, needed)
        assert half_width >= max(before, needed)
        if half_width > before > 0:
            assert half_width <= max(needed, 1e-320) * 1.25 * 1.000001


def test_the_window_grows_in_steps_of_a_quarter():
    widths = {extend_window(0.0, needed) for needed in np.linspace(1.0, 2.0, 200)}
    assert len(widths) == 5
    np.testing.assert_allclose(sorted(widths), 1.25 ** np.arange(5))
    assert extend_window(3.0, math.nan) == extend_window(3.0, math.inf) == extend_window(3.0, 2.9) == 3.0
    assert extend_window(0.0, 0.0) == 0.0


def test_discs_that_are_alone_stay_and_crowded_ones_part():
    points = np.array([[100.0, 100.0], [100.0, 100.0], [104.0, 100.0], [400.0, 300.0], [np.nan, 5.0]])
    moved = spread_apart(points, 20, 600)
    np.testing.assert_array_equal(moved[3], points[3])
    assert np.isnan(moved[4]).all()
    gaps = np.linalg.norm(moved[:3, None] - moved[None, :3], axis=-1) + 99 * np.eye(3)
    assert gaps.min() > 20 * 0.9
    assert np.linalg.norm(moved[:3] - points[:3], axis=1).max() < 25


@given(st.integers(2, 25), st.floats(0, 600), st.floats(0, 600))
def test_discs_in_one_place_form_a_close_cluster_inside_the_window(count, x, y):
    moved = spread_apart(np.full((count, 2), (x, y)), 24, 588)
    gaps = np.linalg.norm(moved[:, None] - moved[None], axis=-1) + 99 * np.eye(count)
    assert gaps.min() > 0.7 * 24
    assert moved.min() >= 12
    assert moved.max() <= 588
    if min(x, y) > 100 and max(x, y) < 500:
        assert np.linalg.norm(moved - [x, y], axis=1).max() < 24 * (0.8 + math.sqrt(count))
