from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from harness import boxes

from kerasviz_callbacks.draw import text
from kerasviz_callbacks.draw.activations import activation_tiles, response_matrix
from kerasviz_callbacks.draw.colour import NON_FINITE, colourise, luminance, table
from kerasviz_callbacks.draw.confusion import Confused, Matrix, cell_size, confusion_sheet
from kerasviz_callbacks.draw.filters import filter_matrix, filter_tiles
from kerasviz_callbacks.draw.heat import WRONG, heat_maps
from kerasviz_callbacks.draw.overlay import OUTLINE, opacity, outline, overlay, weak_maps
from kerasviz_callbacks.draw.points import projections
from kerasviz_callbacks.draw.predicted_tiles import (
    PREDICTED,
    TRUE,
    UNJUDGED,
    answer_tile,
    box_tile,
    point_tile,
    touches,
)
from kerasviz_callbacks.draw.predictions import Column, Key, nearest, prediction_rows, sized, tile_size
from kerasviz_callbacks.draw.sheet import MARGIN, Ruler, Scale, blank, footer_height, header_height, sheet, type_size
from kerasviz_callbacks.draw.text import INK, SMALL, format_number, text_width, write
from kerasviz_callbacks.draw.traces import bars, envelope, trace_pictures
from kerasviz_callbacks.draw.trails import trajectory

N = 3
PICTURES = np.full((N, 8, 8, 3), 90, np.uint8)
TITLES = [("boot", "boot 0.98"), ("shirt", "a very long class name indeed 0.52"), ("bag", "bag")]


def heat_options(scale):
    return {"scale": scale, "caption": "grad_cam  conv", "titles": TITLES, "wrong": [False, True, False]}


# Every picture made of one array of numbers and one scale: what it needs is the shape and a function of both.
DRAWN = {
    "filter_tiles": (
        (5, 3, 3),
        lambda v, s, **o: filter_tiles(v, scale=s, caption="conv  3x3x1, 5 filters", **o),
    ),
    "filter_tiles rgb": ((5, 3, 4, 3), lambda v, s, **o: filter_tiles(v, scale=s, caption="conv", **o)),
    "filter_tiles large": ((2, 90, 70), lambda v, s, **o: filter_tiles(v, scale=s, caption="dense", **o)),
    "filter_tiles line": ((9, 1, 7), lambda v, s, **o: filter_tiles(v, scale=s, caption="conv1d", **o)),
    "filter_matrix": ((4, 30, 3, 3), lambda v, s, **o: filter_matrix(v, scale=s, caption="conv", **o)),
    "activation_tiles": (
        (N, 4, 6, 6),
        lambda v, s, **o: activation_tiles(
            PICTURES, v, low=0, high=s, caption="conv", channels=[1, 5, 8, 130], labels=["a", "b", "c"], **o
        ),
    ),
    "activation_tiles signed": (
        (N, 2, 99, 70),
        lambda v, s, **o: activation_tiles(None, v, low=-s, high=s, caption="conv", channels=[0, 1], **o),
    ),
    "activation_tiles of signals": (
        (N, 2, 70),
        lambda v, s, **o: activation_tiles(None, v, low=-s, high=s, caption="conv1d", channels=[0, 1], **o),
    ),
    "response_matrix": (
        (6, 12),
        lambda v, s, **o: response_matrix(v, low=0, high=s, caption="dense", labels=list("aabbbc"), **o),
    ),
    "heat_tiles": ((N, 4, 4), lambda v, s, **o: heat_maps(PICTURES, v, **heat_options(s), **o)),
    "heat_tiles signed": (
        (N, 8, 8),
        lambda v, s, **o: heat_maps(PICTURES, v, signed=True, **heat_options(s), **o),
    ),
    "heat_signals": (
        (N, 9),
        lambda v, s, **o: heat_maps(np.ones((N, 300, 2)), v, **heat_options(s), **o),
    ),
    "heat_volumes": (
        (N, 3, 4, 4),
        lambda v, s, **o: heat_maps(np.full((N, 6, 8, 8, 3), 90, np.uint8), v, **heat_options(s), **o),
    ),
    "trajectory": (
        (4, 12, 2),
        lambda v, s, **o: trajectory(v, v[:, :3], np.arange(12) % 3, half_width=s, title="latent  2", **o),
    ),
}
ALL = pytest.mark.parametrize("kind", DRAWN)


def plain(kind, seed=0):
    shape, draw = DRAWN[kind]
    return np.abs(np.random.default_rng(seed).normal(size=shape)), draw


def marked(picture):
    return (picture == NON_FINITE).all(axis=-1)


def body(picture):
    return picture[: len(picture) - footer_height(picture.shape[1])]


@ALL
def test_a_note_alters_only_the_strip_at_the_bottom(kind):
    values, draw = plain(kind)
    one, other = (
        draw(values, 2.0, note="spread 1.0"),
        draw(values, 2.0, note="spread 2.5   and much more" * 9),
    )
    np.testing.assert_array_equal(body(one), body(other))
    assert (one != other).any()


@ALL
def test_the_caption_stays_when_everything_else_changes(kind):
    values, draw = plain(kind)
    other, _ = plain(kind, seed=1)
    other.flat[0] = np.nan
    first, second = draw(values, 2.0), draw(other, 5.0, note="changed")
    top = header_height(first.shape[1], "one line")
    np.testing.assert_array_equal(first[:top], second[:top])
    assert (first[:top] < 128).any()


@ALL
def test_the_same_numbers_make_the_same_picture_and_others_another(kind):
    values, draw = plain(kind)
    np.testing.assert_array_equal(draw(values, 2.0), draw(values.copy(), 2.0))
    assert (body(draw(values, 2.0)) != body(draw(values[..., ::-1] * 0.5, 2.0))).any()


@pytest.mark.parametrize("kind", [kind for kind in DRAWN if kind != "trajectory"])
def test_nan_is_seen_in_the_body_and_counted_in_the_strip(kind):
    values, draw = plain(kind)
    assert not marked(draw(values, 2.0)).any()
    values.flat[2] = np.nan
    picture = draw(values, 2.0)
    assert marked(body(picture)).any()
    assert marked(picture[len(body(picture)) :]).any()


def test_a_filter_keeps_its_place_and_its_colour():
    kernels = np.zeros((4, 2, 2))
    kernels[2] = [[1, -1], [0, 9]]
    picture = filter_tiles(kernels, scale=1, caption="conv")
    entries = table("RdBu_r")
    x, y = find(picture, entries[0])
    # Enlarged by 48: right of the blue lies nothing more, left of it the red, below it more than the scale.
    assert (picture[y + 10, x - 20] == entries[-1]).all()
    assert (picture[y + 60, x + 10] == entries[-1]).all()
    assert (picture[y + 60, x - 20] == entries[128]).all()


def find(picture, colour):
    ys, xs = np.nonzero((body(picture) == colour).all(axis=-1))
    return xs.min(), ys.min()


def test_kernels_on_colour_pictures_are_grey_at_zero():
    picture = filter_tiles(np.zeros((1, 3, 3, 3)), scale=0.5, caption="conv")
    assert (picture == 128).all(axis=-1).sum() >= 96 * 96


def test_rows_of_the_matrix_are_input_channels():
    kernels = np.zeros((2, 3, 1, 1))
    kernels[1, 2] = 1.0
    kernels[0, 0] = -1.0
    picture = filter_matrix(kernels, scale=1, caption="conv")
    blue, red = find(picture, table("RdBu_r")[0]), find(picture, table("RdBu_r")[-1])
    assert red[0] > blue[0]
    assert red[1] > blue[1]


@pytest.mark.parametrize(
    ("rows", "columns", "blocks"), [(32, 1, 4), (64, 1, 6), (16, 2, 3), (8, 8, 1), (8, 1, 1), (1, 30, 1), (16, 16, 1)]
)
def test_a_matrix_of_few_filters_goes_on_in_blocks_with_large_tiles(rows, columns, blocks, monkeypatch):
    told = []
    monkeypatch.setattr(text, "_print", lambda canvas, place, line, *_: told.append(line))
    kernels = np.zeros((rows, columns, 3, 3))
    kernels[-1, -1] = 1.0
    picture = filter_matrix(kernels, scale=1, caption="conv")
    assert told.count("in") == blocks
    strong = np.argwhere((picture[:-60] == table("RdBu_r")[-1]).all(-1))
    side = np.ptp(strong, axis=0) + 1
    assert side[0] == side[1]
    if blocks > 1:
        assert set(map(str, range(rows))) <= set(told), "every input is numbered"
        assert side[0] >= 45
        assert max(picture.shape[:2]) < 800
        (y, x), longest = strong[0], -(-rows // blocks)
        assert x > (blocks - 1) * columns * side[1], "the last input is in the last block"
        assert y < (rows - (blocks - 1) * longest) * (side[0] + 4) + 120


def test_channels_are_columns_and_pictures_are_rows():
    maps = np.zeros((3, 2, 4, 4))
    maps[2, 1] = 1.0
    draw = partial(activation_tiles, None, low=0, high=1, caption="conv", channels=[0, 1])
    x, y = find(draw(maps), table("viridis")[-1])
    maps[:] = 0
    maps[0, 0] = 1.0
    left, top = find(draw(maps), table("viridis")[-1])
    assert x - left == 56 + 5
    assert y - top == 2 * (56 + 5)


def test_slices_of_a_kernel_stand_apart():
    kernels = np.ones((1, 1, 3, 2 * 3 + 1))  # two slices of three columns
    for draw, zoom in ((filter_matrix, 8), (partial(filter_tiles, colours="RdBu_r"), 14)):
        given = kernels if draw is filter_matrix else kernels[0]
        picture = draw(given, scale=1, caption="conv", slice_width=3)
        line = picture[find(picture, table("RdBu_r")[-1])[1]]
        strong = (line == table("RdBu_r")[-1]).all(axis=-1).nonzero()[0]
        gaps = np.diff(strong)
        assert sorted({*gaps.tolist()}) == [1, zoom + 1]
        assert (gaps > 1).argmax() == 3 * zoom - 1
        assert (line[strong[3 * zoom - 1] + 2] == 255).all()


def test_the_word_filter_is_never_cut():
    picture = filter_matrix(np.zeros((32, 1, 1, 1)), scale=1, caption="conv")
    word = picture[header_height(picture.shape[1], "conv") :][: SMALL + 1] < 200
    assert np.ptp(word.any(axis=(0, 2)).nonzero()) > text_width("filter", SMALL, bold=True) - 4


def test_units_carry_their_own_numbers():
    draw = partial(response_matrix, np.zeros((3, 2)), low=0, high=1, caption="dense")
    own, first, other = draw(channels=[7, 9]), draw(channels=[7, 8]), draw(channels=[6, 9])
    middle = own.shape[1] // 2  # the second column begins right of it
    assert (own != first).any(axis=-1).any(axis=0).nonzero()[0].min() > middle
    assert (own != other).any(axis=-1).any(axis=0).nonzero()[0].max() < middle + 40
    np.testing.assert_array_equal(draw(), draw(channels=[0, 1]))


@pytest.mark.parametrize("units", [4, 128])  # wide pictures have larger type
def test_every_row_of_a_matrix_is_named_and_those_of_one_name_share_a_line(units):
    def beside(names):
        shown = response_matrix(np.zeros((16, units)), low=0, high=1, caption="dense", labels=names)
        ys, xs = (body(shown) == table("viridis")[0]).all(axis=-1).nonzero()
        return shown[ys.min() : ys.max() + 1, xs.min() - 60 : xs.min() - 2].reshape(16, -1, 58, 3) < 128

    assert beside(list("abcdefghijklmnop")).any(axis=(1, 2, 3)).all()
    shared = beside(list("a" * 10 + "bcdefg"))
    assert shared[:10, :, -3].any(axis=(1, 2)).all()
    assert not shared[10:, :, -3].any()
    assert not shared[[*range(4), *range(6, 10)], :, :-4].any()
    assert shared[10:, :, :-4].any(axis=(1, 2, 3)).all()


def test_cold_regions_show_the_grey_picture_and_heat_rises():
    pictures = np.full((1, 4, 4, 3), [200, 100, 50], np.uint8)
    heat = np.zeros((1, 4, 4))
    cold = overlay(pictures, heat, scale=1.0)
    assert len(np.unique(cold)) == 1
    heat[0, 0] = [0.1, 0.25, 0.45, 1.0]
    laid = overlay(pictures, heat, scale=1.0).astype(int)
    np.testing.assert_array_equal(laid[0, 1:], cold[0, 1:])
    heat[0] = [0.1, 0.25, 0.75, 1.0]
    laid = overlay(pictures, heat, scale=1.0).astype(int)
    np.testing.assert_array_equal(laid[0, 0, 2], OUTLINE)
    assert (np.diff(laid[0, 0, [0, 1, 3]] @ [0.2126, 0.7152, 0.0722]) > 0).all()
    np.testing.assert_allclose(laid[0, 0, 3], 0.95 * table("inferno")[-1] + 0.05 * cold[0, 0, 0], atol=1)


def test_the_outline_encloses_half_of_the_maps_own_largest_value_however_weak_it_is():
    rows, columns = np.mgrid[:41, :41]
    disc = 1 - np.hypot(rows - 20, columns - 20) / 30  # half of its peak at a radius of 15
    for strength in (1.0, 0.02):
        edge = outline(strength * disc, 0.01)
        away = np.hypot(*(np.argwhere(edge) - 20).T)
        assert ((away > 13) & (away <= 15)).all()
        assert edge.sum() >= 2 * np.pi * 13 * 0.8
    assert not outline(0.005 * disc, 0.01).any(), "noise beside the scale"
    assert not outline(np.ones((5, 5)), 0.01).any(), "the picture's own edge is none"
    holed = disc.copy()
    holed[20, 24] = np.nan
    assert np.argwhere(outline(holed, 0.01) & ~outline(disc, 0.01)).tolist() == [[19, 24], [20, 23], [20, 25], [21, 24]]


def test_the_outline_never_encloses_most_of_a_map():
    ramp = np.broadcast_to(np.arange(1.0, 11), (10, 10))  # half of 10 is reached by six columns of ten
    assert not outline(ramp, 0.01).any()
    assert np.argwhere(outline(np.where(ramp == 5, 4, ramp), 0.01)).tolist() == [[row, 5] for row in range(10)]


def test_no_outline_stands_on_a_signal_where_its_two_lines_would_look_like_evidence():
    swings = np.tile([0.0, 1.0, 0.0, 0.0, 0.0], 20)[None]
    picture = heat_maps(np.zeros((1, 100, 1)), swings, scale=1.0, caption="a")
    assert not (picture == np.array(OUTLINE)).all(axis=-1).any()
    pictured = heat_maps(np.zeros((1, 10, 10, 3), np.uint8), swings.reshape(1, 10, 10), scale=1.0, caption="a")
    assert (pictured == np.array(OUTLINE)).all(axis=-1).any()


def test_the_outline_of_a_volume_goes_by_the_largest_value_of_the_slices_drawn():
    maps = np.zeros((1, 8, 12, 12))
    maps[0, 0, 2:5, 2:5] = 20.0  # a slice that is not drawn
    maps[0, 1, 2:5, 2:5], maps[0, 3, 2:5, 2:5] = 6.0, 2.0
    picture = heat_maps(np.zeros((1, 8, 12, 12, 3), np.uint8), maps, scale=20.0, caption="c")
    columns = np.nonzero((picture == OUTLINE).all(-1))[1]
    assert 0 < np.ptp(columns) < 3 * 6, "round the 6 alone, not round the 2 two slices on"


def test_a_map_that_is_weak_in_the_slices_drawn_alone_is_said_to_be(monkeypatch):
    told = []
    monkeypatch.setattr(text, "_print", lambda canvas, place, line, *_: told.append(line))
    maps = np.full((3, 8, 4, 4), 0.009)
    maps[0, 0], maps[1, 1] = 0.5, 0.02  # the first slice is not drawn, the second is
    heat_maps(np.zeros((3, 8, 12, 12, 3), np.uint8), maps, scale=1.0, caption="c")
    assert told.count("weak here") == 1
    assert not any("empty" in line for line in told)


def test_which_slices_are_drawn_is_said_and_a_map_that_is_empty_in_them_alone(monkeypatch):
    told = []
    monkeypatch.setattr(text, "_print", lambda canvas, place, line, *_: told.append(line))
    maps = np.zeros((3, 8, 4, 4))
    maps[0, 1], maps[1, 2] = 0.5, 0.5  # the third slice is not drawn
    heat_maps(np.zeros((3, 8, 12, 12, 3), np.uint8), maps, scale=1.0, caption="c", slice_name="frame")
    assert "frames 2, 4, 6, 8 of 8" in told
    assert [line for line in told if "empty" in line] == ["empty here", "empty map"]
    assert "evidence; outlined: small areas above half the tile's largest" in told
    told.clear()
    heat_maps(np.zeros((3, 4, 12, 12, 3), np.uint8), maps[:, :4], scale=1.0, caption="c")
    assert not any("slices" in line for line in told), "all are drawn"


@pytest.mark.parametrize(("count", "each"), [(4, 54), (49, 4), (16, 14)])
def test_cells_without_a_signal_can_be_counted(count, each):
    maps = np.where(np.arange(count) % 2, 1.0, 0.1)[None]
    picture = heat_maps(np.zeros((1, count, 0)), maps, scale=1.0, caption="c")
    assert not (picture == OUTLINE).all(-1).any()
    hot = (picture == overlay(np.full((1, 1, 1, 3), 72, np.uint8), [[[1.0]]], scale=1.0)[0, 0, 0]).all(-1)
    row = np.flatnonzero(hot.sum(axis=1) >= count // 2 * each)[-1]  # the last of the tile, above its numbers
    start = np.flatnonzero(hot[row])[0] - each
    np.testing.assert_array_equal(hot[row, start : start + count * each], np.arange(count * each) // each % 2)
    ticks = np.flatnonzero((picture[row + 1] == INK).all(-1)) - start
    assert ticks[0] == each // 2
    assert set(ticks % each) == {each // 2}, "in the middle of their cells"


def test_weak_heat_on_black_is_seen_and_darker_than_strong_heat():
    weak, strong, none = (
        overlay(np.zeros((1, 9, 9, 3), np.uint8), np.full((1, 9, 9), value), scale=1.0)[0, 4, 4].astype(int)
        for value in (0.03, 0.5, 0.0)
    )
    assert np.abs(weak - none).max() >= 12
    assert strong.sum() > weak.sum() + 100


def test_opacity_goes_from_nothing_to_most():
    np.testing.assert_allclose(opacity([-1.0, 0.0, 1.0, 7.0]), [0, 0, 0.95, 0.95])


def test_signed_heat_is_blue_against_red_and_nothing_at_zero():
    pictures = np.full((1, 1, 3, 3), 100, np.uint8)
    blue, none, red = overlay(pictures, [[[-1.0, 0.0, 1.0]]], scale=1.0, signed=True)[0, 0].astype(int)
    assert blue[2] > blue[0]
    assert red[0] > red[2]
    assert len(set(none.tolist())) == 1


def test_the_scale_is_shared_not_each_maps_own():
    maps = np.ones((2, 4, 4))
    maps[1] = 0.5
    tiles = overlay(PICTURES[:2], maps, scale=1.0)
    assert (tiles[0] != tiles[1]).all(axis=-1).all()
    np.testing.assert_array_equal(tiles[1], overlay(PICTURES[:1], maps[1:] * 4, scale=4.0)[0])


def halved(left, right, **options):
    """Grey pictures of `left` training rows, each lighter than the one before, and of `right` validation rows."""
    shades = 30 + 12 * np.arange(left + right, dtype=np.uint8)
    pictures = np.broadcast_to(shades[:, None, None, None], (left + right, 8, 8, 3))
    given = {"scale": 1.0, "caption": "grad_cam", "halves": (("training", left), ("validation", right))}
    sheet = heat_maps(pictures, np.full((left + right, 4, 4), 0.5), **given | options)
    side = (160 if left + right <= 4 else 112 if left + right <= 9 else 96) // 8 * 8
    # A picture is one plain square, whole and of this size: the place of its upper left pixel.
    found = []
    for shade in shades:
        marked = (sheet == shade).all(axis=-1)
        squares = [box for box in boxes(marked) if marked[box].shape == (side, side) and marked[box].all()]
        found.append([(down.start, across.start) for down, across in squares])
    return sheet, found


@pytest.mark.slow
@pytest.mark.parametrize(("left", "right"), [(8, 8), (3, 8), (8, 1), (1, 1), (5, 2)])
def test_halves_hold_their_own_tiles_in_their_order(left, right):
    sheet, found = halved(left, right)
    assert [len(at) for at in found] == [1] * (left + right)
    corners = np.array([at[0] for at in found])
    for part in (corners[:left], corners[left:]):
        assert part.tolist() == sorted(part.tolist()), "row by row"
        assert len(set(part[:, 1])) == min(len(part), 2)
    assert corners[:left, 1].max() < corners[left:, 1].min()
    both = min(left, right)
    np.testing.assert_array_equal(
        corners[:both:2, 0], corners[left : left + both : 2, 0], "the same place in each half"
    )
    body = sheet[header_height(sheet.shape[1], "grad_cam") : -footer_height(sheet.shape[1]) - 12]
    gap = body[:, corners[:left, 1].max() + 1 : corners[left:, 1].min()]
    hairline = (gap == (208, 213, 219)).all(axis=-1).all(axis=0)
    assert hairline.sum() == 1


def test_a_wrong_prediction_is_framed_in_its_own_half_and_what_is_not_finite_is_counted():
    titles = [("boot", "boot 0.98")] * 4
    sheet, found = halved(2, 2, titles=titles, wrong=[False, False, False, True])
    ys, xs = np.nonzero((sheet[:-60] == WRONG).all(axis=-1))
    (y, x) = found[3][0]
    assert (ys.min(), xs.min()) == (y - 4, x - 4)
    assert sheet.shape == halved(2, 2, titles=titles, wrong=[True] * 4)[0].shape
    broken = heat_maps(
        np.zeros((2, 8, 8, 3), np.uint8),
        np.full((2, 4, 4), np.nan),
        scale=1.0,
        caption="grad_cam",
        halves=(("training", 1), ("validation", 1)),
    )
    assert marked(broken[:-60]).any()
    assert marked(broken[-60:]).any()


@pytest.mark.parametrize(
    ("size", "drawn"),
    [((28, 56), (84, 168)), ((16, 24), (96, 144)), ((28, 28), (84, 84)), ((24, 28), (72, 84)), ((56, 28), (56, 28))],
)
def test_a_wide_picture_stands_above_its_map_and_is_as_large_as_two_squares_are_wide(size, drawn):
    count = 16
    plain = np.zeros((count, *size, 3), np.uint8)
    plain[...] = 10, 200, 10
    picture = heat_maps(plain, np.ones((count, 4, 4)), scale=1.0, caption="c", titles=[("bag, boot", "bag 0.97")] * 16)
    found = [box for box in boxes((picture == (10, 200, 10)).all(axis=-1)) if picture[box].shape[:2] == drawn]
    assert len(found) == count
    down, across = found[0]
    height, width = drawn
    wide = size[1] >= 1.5 * size[0]
    y, x = (down.stop + 2, across.start) if wide else (down.start, across.stop + 2)
    heat = picture[y : y + height, x : x + width]
    assert heat.shape[:2] == drawn
    assert (heat == heat[0, 0]).all()
    assert (heat[0, 0] != plain[0, 0, 0]).all()


def test_an_empty_map_says_so_and_a_faint_one_does_not():
    draw = partial(heat_maps, PICTURES, scale=1.0, caption="grad_cam")
    dark = (24, 26, 29)
    faint, empty = np.full((N, 4, 4), 1e-9), np.full((N, 4, 4), 1e-9)
    empty[1] = 0
    assert not (draw(faint) == dark).all(axis=-1).any()
    assert (draw(empty) == dark).all(axis=-1).sum() > 500


@pytest.mark.parametrize("shape", [(2, 3), (7,), (2, 3, 4)])
def test_weak_maps_are_those_that_are_not_zero_but_within_a_hundredth_of_the_scale(shape):
    tops = np.array([0.0, 5.0, 0.0501, 0.0499, -0.0499, -0.0501, 1e-30, np.nan, np.inf])
    maps = np.zeros((len(tops), *shape))
    maps.reshape(len(tops), -1)[:, 3] = tops
    expected = [False, False, False, True, True, False, True, False, False]
    assert weak_maps(maps, 5.0).tolist() == expected
    maps.reshape(len(tops), -1)[7:, 0] = 0.01  # what is not finite is seen beside it
    assert not weak_maps(maps, 5.0)[7:].any()
    assert weak_maps(maps[:0], 5.0).shape == (0,)
    assert not weak_maps(np.zeros((2, *shape)), 0.0).any()


def test_a_wrong_prediction_has_a_frame_and_a_sign():
    draw = partial(heat_maps, PICTURES, np.ones((N, 4, 4)), scale=1.0, caption="grad_cam", titles=TITLES)
    right, wrong = draw(wrong=[False] * N), draw(wrong=[False, True, False])
    assert right.shape == wrong.shape
    assert not (right == WRONG).all(axis=-1).any()
    side = 160 // 8 * 8
    assert (wrong == WRONG).all(axis=-1).sum() > 2 * 4 * (3 * side)
    # The sign moves the words aside, so even without colour two lines differ.
    grey_right, grey_wrong = right.mean(axis=-1), wrong.mean(axis=-1)
    assert (np.abs(grey_right - grey_wrong) > 60).sum() > 1000


def test_a_long_class_name_never_hides_its_probability():
    draw = partial(heat_maps, PICTURES[:1], np.ones((1, 4, 4)), scale=1.0, caption="grad_cam")
    one = draw(titles=[("boot", "extremely long class name, longer than any tile could ever hold, 0.52")])
    other = draw(titles=[("boot", "extremely long class name, longer than any tile could ever hold, 0.97")])
    assert (one != other).any()


def test_a_peak_of_one_step_stays_in_the_envelope():
    signal = np.zeros(1000)
    signal[503] = 5.0
    signal[900] = -2.0
    least, most = envelope(signal, 100)
    assert most[50] == 5
    assert least[90] == -2
    assert most.sum() == 5


def test_bars_rise_from_zero_in_the_colour_of_their_value():
    tile = bars([1.0, -1.0, 0.0], -1, 1, (11, 3), "RdBu_r")
    entries = table("RdBu_r")
    assert (tile[:6, 0] == entries[-1]).all()
    assert not (tile[6:, 0] == entries[-1]).all(axis=-1).any()
    assert (tile[5:, 1] == entries[0]).all()
    assert (tile[:, 2] == entries[128]).all(axis=-1).sum() == 1


@pytest.mark.parametrize("steps", [1, 30, 300])
@pytest.mark.parametrize("value", [0.0, 1e30, np.nan, np.inf])
def test_a_signal_that_is_never_finite_is_all_of_that_colour(steps, value):
    pictures = trace_pictures(np.full((2, steps, 3), value), low=-1, high=1)
    assert marked(pictures).all() == (not np.isfinite(value))


def test_a_rising_signal_is_drawn_rising():
    picture = trace_pictures(np.linspace(0, 1, 50)[None, :, None], low=0, high=1)[0]
    heights = (picture.sum(axis=-1)).argmin(axis=0)
    assert heights[2] > heights[48] > heights[93]


@pytest.mark.parametrize("least", [-2.0, -0.4, 0.0, 1.5])
def test_the_part_of_a_legend_has_the_colours_of_its_values(least):
    part = Scale(-2, 2, "RdBu_r").beginning(least)
    assert (part.low, part.high) == (least, 2)
    values = np.linspace(least, 2, 300)
    bar = part.bar(300, 2)[0].astype(int)
    assert np.abs(bar - colourise(values, -2, 2, "RdBu_r")).max() <= 8  # neighbouring entries of the table
    assert (bar[-1] == table("RdBu_r")[-1]).all()


@pytest.mark.parametrize(("least", "share"), [(-2.0, 0.5), (-0.5, 0.2), (-0.1, 1 / 21)])
def test_a_legend_marks_zero_where_its_colour_is(least, share):
    whole = Scale(-2, 2, "RdBu_r").beginning(least)
    picture, bare = (
        sheet(blank(5, 340), caption="a", legend=one) for one in (whole, replace(whole, colours="not signed"))
    )
    marked = np.flatnonzero((picture != bare).any(axis=(0, 2)))
    assert len(marked) == 1
    begin = MARGIN + text_width(format_number(least), type_size(picture.shape[1])) + 7
    assert marked[0] - begin == pytest.approx(share * 10 * type_size(picture.shape[1]), abs=1)


@pytest.mark.parametrize("width", [100, 340, 640, 800])
@pytest.mark.parametrize("bad", ["", "3 NaN"])
def test_a_note_too_long_for_its_line_takes_two_and_is_read_to_its_end(width, bad):
    """Of nine tenths of two lines of small letters every word is seen, and the legend stays free."""
    legend = Scale(-1, 1, "RdBu_r", "activation")

    def strip(note):
        picture = sheet(blank(5, width), caption="a", legend=legend, note=note, bad=bad)
        return picture[-footer_height(picture.shape[1]) :].astype(int)

    size = type_size(max(width + 2 * MARGIN, 360))
    small, free = max(SMALL, round(0.8 * (size - 1))), strip("").shape[1] - 2 * MARGIN - 70 * bool(bad)
    fits = "W" * (free // text_width("W", small) - 4) + "8"
    assert (strip(fits) != strip(fits[:-1] + "9")).any(), "one line of smaller letters"
    words, note = iter(range(100, 999)), "dead"
    while text_width(note, small) < 1.7 * free:
        note = f"{note}{'   ' if len(note) % 3 else ' '}{next(words)}"
    assert (strip(note[:-1] + "8") != strip(note[:-1] + "9")).any()
    whole, none = strip(note), strip("")
    ink = np.flatnonzero((whole != none).any(axis=(1, 2)))
    assert ink[0] > 8 + size + 2, "below the legend"
    assert ink[-1] < len(whole) - 1
    assert (whole[: 8 + size] == none[: 8 + size]).all(), "the legend is as it is"
    lines = np.split(ink, np.flatnonzero(np.diff(ink) > 1) + 1)
    assert len(lines) == 2


def test_facts_of_a_note_that_breaks_within_a_fact_stay_apart(monkeypatch):
    from kerasviz_callbacks.draw import sheet as drawing

    told, real = [], drawing.write
    monkeypatch.setattr(drawing, "write", lambda on, place, text, **o: told.append(text) or real(on, place, text, **o))
    history = ", ".join(f"{count} at epoch {epoch}" for epoch, count in enumerate((11, 14, 16, 18)))
    sheet(
        blank(5, 336), caption="a", note=f"dead on 16 inputs: 18 of 64, before: {history}   39 values beyond the scale"
    )
    first, second = told[-2:]
    assert not first.endswith("18 at epoch 3"), "else nothing breaks within a fact"
    assert second.endswith("at epoch 3 · 39 values beyond the scale")


@pytest.mark.parametrize("high", [0.5, 0.000118, 2.95e-5])
@pytest.mark.parametrize("width", [600, 744, 840])
def test_what_a_scale_shows_is_written_whole_however_long_its_numbers_are(high, width, monkeypatch):
    from kerasviz_callbacks.draw import sheet as drawing

    label = "evidence; outlined: small areas above half the map's largest"
    written, real = [], drawing.write
    monkeypatch.setattr(
        drawing, "write", lambda on, place, text, **o: written.append((text, o)) or real(on, place, text, **o)
    )
    sheet(blank(5, width), caption="a", legend=Scale(0, high, "viridis", label))
    options = dict(written)[label]
    assert text_width(label, options["least"]) <= options["width"]


def test_the_strip_has_its_height_whatever_stands_in_it():
    canvas = blank(100, 500)
    sizes = {
        sheet(canvas, caption="conv", legend=legend, note=note, bad=bad).shape
        for legend in (None, Scale(-1, 1, "RdBu_r", "weight"), Ruler(2.0, 90))
        for note in ("", "very long " * 80)
        for bad in ("", "3 NaN, 2 inf")
    }
    assert len(sizes) == 1


@pytest.mark.parametrize(
    ("first", "between", "second"),
    [
        ("grad_cam of a_layer_of_a_long_name   8 × 4 × 4 × 16   the predicted class", "   ", "on input right"),
        (" ".join(["words"] * 11), " ", " ".join(["words"] * 9)),
    ],
)
def test_a_caption_that_is_too_wide_goes_on_in_a_second_line(first, between, second):
    size = 14  # of a sheet 640 pixels wide
    picture = sheet(blank(5, 600), caption=first + between + second)
    assert picture.shape[1] == 640
    canvas = blank(header_height(640, "a\nb"), 640)
    for row, line in enumerate((first, second)):
        write(canvas, (12, 10 + size + 18 * row), line, size=size, bold=True)
    np.testing.assert_array_equal(picture[: len(canvas)], canvas)
    assert len(picture) == len(sheet(blank(5, 600), caption="a")) + 18


def test_zero_has_no_sign():
    assert [format_number(value) for value in (-0.0, 0.0, -1.0, np.float32(-0.0))] == ["0", "0", "−1", "0"]


def test_narrow_bodies_get_the_width_of_a_card():
    assert sheet(blank(10, 10), caption="conv").shape[1] == 360


def test_class_names_of_any_letters_are_written():
    titles = [("类\n\t", "\x00\udcff 0.5"), ("", ""), ("💡", "ß 1.00")]
    picture = heat_maps(PICTURES, np.ones((N, 4, 4)), scale=1, caption="a\nb\u2028c", titles=titles)
    assert picture.dtype == np.uint8


@pytest.mark.parametrize("kind", ["maps", "matrix"])
def test_dead_channels_are_marked_above_their_columns_and_nowhere_else(kind):
    gone = [False, True, False, True]

    def drawn(dead):
        options = {"low": 0, "high": 1, "caption": "conv", "labels": ["boot"] * 3, "dead": dead}
        if kind == "matrix":
            return response_matrix(np.zeros((3, 4)), **options)
        return activation_tiles(None, np.zeros((3, 4, 4, 4)), channels=[7, 9, 11, 13], **options)

    picture, alive = drawn(gone), drawn([False] * 4)
    assert picture.shape == alive.shape, "the mark has its place before there is any"
    changed = np.argwhere((picture != alive).any(axis=-1))
    dark = np.argwhere((body(picture) == table("viridis")[0]).all(axis=-1))
    (top, left), right = dark.min(axis=0), dark[:, 1].max()
    assert changed[:, 0].max() < top, "above the maps"
    columns = (changed[:, 1] - left) * 4 // (right + 1 - left)
    assert set(columns.tolist()) == {1, 3}
    assert (picture == WRONG).all(axis=-1).sum() > 20
    assert not (alive == WRONG).all(axis=-1).any()


@pytest.mark.parametrize(
    ("shape", "count", "size"),
    [
        ((16, 16), 4, (144, 144)),
        ((16, 16), 5, (96, 96)),
        ((28, 14, 3), 4, (140, 70)),
        ((100, 50), 4, (144, 72)),  # by no whole factor, which would leave them at 100
        ((1, 5000), 9, (1, 96)),
    ],
)
def test_tiles_grow_by_a_whole_factor_unless_it_leaves_them_small(shape, count, size):
    assert tile_size(shape, count) == size
    assert tile_size(shape, count, largest=max(size)) == size


def test_the_nearest_cell_by_hand():
    assert nearest(np.array([[[1, 2, 3]]]), (2, 6))[0].tolist() == [[1, 1, 2, 2, 3, 3]] * 2
    assert nearest(np.array([[[1, 2, 3, 4]]]), (1, 2)).tolist() == [[[1, 3]]]


def test_a_pixel_that_is_not_finite_is_seen_where_pictures_shrink():
    pictures = np.zeros((1, 90, 90, 3), np.uint8)
    pictures[0, 40, 50] = NON_FINITE
    small = sized(pictures, (9, 9))[0]
    assert np.argwhere((small == NON_FINITE).all(-1)).tolist() == [[4, 5]]
    assert (small.sum(axis=-1) > 0).sum() == 1


def test_points_far_outside_are_cut_off_and_those_that_are_nan_are_not_joined():
    ground = np.full((40, 40, 3), 255, np.uint8)
    true = np.array([[20.0, 20.0]])
    alone = point_tile(ground, true, np.array([[np.nan, 5.0]]))
    assert (alone[20, 20] == TRUE).all()
    assert (alone[8:32, 8:32] != point_tile(ground, None, true + 99)[8:32, 8:32]).any(-1).sum() == 37  # the dot
    far = point_tile(ground, np.full((1, 2), 1e300), true)  # at once: Pillow would walk along the whole line
    assert (far[20, 20] == PREDICTED).all()
    assert (far[30, 30] < 100).all()


def test_objects_that_differ_by_hue_alone_are_seen_below_boxes():
    ground = np.full((40, 40, 3), (200, 0, 0), np.uint8)
    ground[:20] = (0, 59, 0)
    assert abs(np.diff(luminance([ground[0, 0], ground[-1, 0]]))) < 1
    tile = box_tile(ground, None, np.array([[5.0, 5, 9, 9]])).astype(int)
    assert tile[0, 0].tolist() == [90, 125, 90]
    assert tile[-1, 0].tolist() == [210, 90, 90]


def test_the_class_at_a_box_is_on_dark_ground_where_it_is_wrong_on_grey_where_unknown_and_within_the_tile():
    ground = np.full((90, 90, 3), 255, np.uint8)
    found = np.array([[50.0, 60, 80, 80], [-40, 2, 30, 30], [99, 9, 120, 40]])
    plain = box_tile(ground, None, found)
    for wrong, colour in ((False, PREDICTED), (True, INK), (None, UNJUDGED)):
        tile = box_tile(ground, None, found, [("name", wrong)] * 3)
        rows, columns = np.nonzero((tile != plain).any(-1))
        assert {(tile[y, x] == colour).all() for y, x in ((52, 51), (1, 1))} == {True}
        assert (rows[rows > 45].min(), columns[rows > 45].min()) == (50, 50)
        assert (rows.min(), columns.min()) == (0, 0)


@pytest.mark.parametrize(
    ("box", "seen"),
    [
        ([2, 3, 5, 6], True),
        ([5, 6, 2, 3], True),  # inside out
        ([-9, -9, 99, 99], True),
        ([-5, -5, 0, 0], True),
        ([30, 10, 40, 15], True),
        ([31, 10, 40, 15], False),
        ([2, -9, 5, -1], False),
        ([2, 21, 5, 30], False),
        ([np.nan, 3, 5, 6], False),
        ([2, 3, np.inf, 6], False),
    ],
)
def test_boxes_that_touch_a_picture_of_30_by_20(box, seen):
    assert touches(np.array(box, float), 30, 20) is seen


@pytest.mark.parametrize(
    ("share", "end", "colour"), [(0.5, 50, 0), (7.0, 100, 0), (-1.0, 0, 0), (np.inf, 100, 1), (np.nan, 100, 1)]
)
def test_bars_of_answers_end_at_their_share(share, end, colour):
    bar = answer_tile(["a"], [share], None, (40, 101))[19]
    inks = [PREDICTED, NON_FINITE]
    assert (bar == inks[colour]).all(-1).sum() == end + 1


def test_keys_are_seen_below_narrow_tiles():
    tiles = np.zeros((1, 40, 2, 3), np.uint8)
    picture = prediction_rows([Column("", tiles)], caption="", keys=[Key("a long name of a class", (0, 200, 0))])
    (box,) = boxes((picture == (0, 200, 0)).all(-1))
    right = picture[box[0], box[1].stop :]
    assert np.nonzero((right < 100).all(-1))[1].max() > 100


def test_a_dot_has_the_colour_of_its_evidence_whatever_stands_before_it():
    cloud = np.arange(27.0).reshape(1, 9, 3)
    maps = np.array([[0, 0, 9, 0, 0, 0, 9, 9, 0.0]])
    tile = projections(cloud, 0, 26, maps=maps, scale=9.0)
    assert not (tile == OUTLINE).all(-1).any()
    assert (tile == overlay(np.full((1, 1, 1, 3), 225, np.uint8), [[[9.0]]], scale=9.0)[0, 0, 0]).all(-1).sum() == 81


def test_a_cell_that_is_not_finite_is_seen_without_any_row():
    matrix = Matrix(np.array([[np.inf, np.nan], [0.0, 1.0]]), np.zeros((2, 2), int), ("\0no", "yes\n"))
    picture = confusion_sheet([("", matrix)], Confused([], None), ("", ""), high=1.0, unit="", caption="")
    assert (picture == NON_FINITE).all(-1).sum() == 2 * cell_size(2) ** 2
