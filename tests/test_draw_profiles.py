import numpy as np
import pytest

from kerasviz_callbacks.draw.colour import NON_FINITE
from kerasviz_callbacks.draw.profiles import (
    _BLUES,
    _GREYS,
    _OFF,
    _VERMILION,
    Lines,
    Window,
    profiles,
)

TOP, LEFT = 10 + 21 + 6 + 22 + 19, 12 + 44  # of the first panel: caption, legend, its number
WIDTH, HEIGHT = 596, 220  # of a panel that is alone
WINDOW = Window(-1.0, 1.0, 0, 9)
RIBBON = np.array([-0.5, -0.25, 0.0, 0.25, 0.5])


def drawn(quantiles, active=None, steps=None, *, window=WINDOW, **options):
    values = np.asarray(quantiles, np.float64)
    active = np.ones((len(values), values.shape[2]), bool) if active is None else active
    steps = np.arange(len(values)) if steps is None else steps
    options = {"units": range(values.shape[2]), "title": "profiles of codes"} | options
    return profiles(values, active, steps, window=window, **options)


def panel(picture):
    return picture[TOP : TOP + HEIGHT, LEFT : LEFT + WIDTH]


def ribbons(steps, units=1):
    """The same quantiles at every step, `(t, 5, k)`."""
    return np.broadcast_to(RIBBON[:, None], (steps, 5, units)).copy()


def rows_of(column, colours):
    return np.flatnonzero((column[:, None] == np.array(colours)).all(axis=-1).any(axis=-1))


def test_ribbons_and_median_reach_from_quantile_to_quantile():
    column = panel(drawn(ribbons(10)))[:, WIDTH // 2]
    outer, inner, median = (rows_of(column, _BLUES[number:]) for number in range(3))
    assert (outer[0], outer[-1] + 1) == (55, 165)  # 0.5 of 1 from the middle at 110
    assert abs(inner[0] - 82.5) <= 0.5
    assert abs(inner[-1] + 1 - 137.5) <= 0.5
    assert median.tolist() == [109, 110]


def test_a_step_stands_at_its_place_and_the_axis_holds_all_epochs_from_the_start():
    picture = panel(drawn(ribbons(4)))
    seen = np.flatnonzero((picture != 255).any(axis=-1)[60])  # a row within the band, without lines of the axis
    seen = seen[(seen > 0) & (seen < WIDTH - 1)]  # the frame
    assert seen[0] == pytest.approx(0.5 * WIDTH / 10, abs=2)
    assert seen[-1] == pytest.approx(3.5 * WIDTH / 10, abs=2)


def test_what_was_drawn_stays_as_more_steps_come():
    values = np.random.default_rng(0).normal(0, 0.3, (10, 5, 3))
    values.sort(axis=1)
    active = np.random.default_rng(1).random((10, 3)) > 0.3
    early, late = drawn(values[:5], active[:5]), drawn(values, active)
    assert early.shape == late.shape
    grid_width = (640 - 44 - 10) // 2
    cut = 44 + 12 + int(4.5 * grid_width / 10)
    np.testing.assert_array_equal(early[:, :cut], late[:, :cut])
    assert (early != late).any()


def test_a_unit_and_its_ground_are_grey_at_the_steps_at_which_it_is_inactive():
    active = np.array([[True]] * 5 + [[False]] * 5)
    off, on = panel(drawn(ribbons(10), active)), panel(drawn(ribbons(10), active[::-1]))
    half = WIDTH // 2
    for picture, inactive in ((off, slice(half + 2, -2)), (on, slice(2, half - 2))):
        grey = (picture[5] == _OFF).all(axis=-1)
        assert grey[inactive].all()
        assert grey.sum() == pytest.approx(half, abs=4)
    early = panel(drawn(ribbons(4), np.zeros((4, 1), bool)))
    assert (early[5, int(0.45 * WIDTH) : -2] == 255).all(), "nothing is known of later steps"
    for picture, (first, second) in ((off, (_BLUES, _GREYS)), (on, (_GREYS, _BLUES))):
        for place, colours in ((0.2, first), (0.8, second)):
            column = picture[:, int(place * WIDTH)]
            assert len(rows_of(column, colours)) > 100
            assert not len(rows_of(column, set(_BLUES + _GREYS) - set(colours)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_step_that_is_not_finite_is_a_column_of_its_own_colour_in_its_panel(bad):
    values = ribbons(10, 2)
    values[6, 2, 1] = bad
    picture = drawn(values, bad="3 NaN")
    ys, xs = np.nonzero((picture[:-52] == NON_FINITE).all(axis=-1))
    second = LEFT + 293 + 10
    assert xs.min() == pytest.approx(second + 6 * 29.3, abs=1)
    assert xs.max() + 1 == pytest.approx(second + 7 * 29.3, abs=1)
    assert np.ptp(ys) + 1 >= 138  # the panel's height within its frame
    whole = drawn(ribbons(10, 2))
    np.testing.assert_array_equal(picture[:-52, : second - 5], whole[:-52, : second - 5])
    near = picture[TOP + 60, second + 5 * 29 : second + 8 * 29]
    assert (near == 255).all(axis=-1).sum() > 20  # no line is drawn towards what is not known


def test_a_finite_step_between_two_that_are_not_is_seen():
    values = ribbons(10)
    values[[4, 6]] = np.nan
    column = panel(drawn(values))[:, int(5.5 * WIDTH / 10)]
    assert len(rows_of(column, _BLUES)) > 100


def test_units_change_places_together_with_their_panels():
    values = np.sort(np.random.default_rng(0).normal(0, 0.4, (8, 5, 4)), axis=1)
    active = np.random.default_rng(1).random((8, 4)) > 0.5
    order = [2, 0, 3, 1]
    one, other = drawn(values, active), drawn(values[..., order], active[:, order])
    corners = [(TOP + row * (140 + 19), LEFT + column * 303) for row in range(2) for column in range(2)]
    tiles = [[picture[y : y + 140, x : x + 293] for y, x in corners] for picture in (one, other)]
    for place, unit in enumerate(order):
        np.testing.assert_array_equal(tiles[1][place], tiles[0][unit])
    assert len({tile.tobytes() for tile in tiles[0]}) == 4


def test_a_jump_of_one_epoch_among_thousands_is_seen():
    values = ribbons(5000)
    values[2000, 4] = 0.95
    picture = panel(drawn(values, window=Window(-1.0, 1.0, 0, 4999)))
    column = int(2000.5 * WIDTH / 5000)
    assert rows_of(picture[:, column], _BLUES)[0] <= 7
    assert rows_of(picture[:, column + 3], _BLUES)[0] == 55


def beside(quantiles, steps=None):
    steps = np.arange(len(quantiles)) if steps is None else steps
    return Lines(quantiles, steps, "training", "validation")


def panel_beside(picture):
    """The panel that is alone, below a legend of two lines."""
    return picture[TOP + 18 : TOP + 18 + HEIGHT, LEFT : LEFT + WIDTH]


def test_lines_of_a_second_set_stand_at_its_median_and_quarters_and_the_ribbons_stay():
    low = np.array([-0.95, -0.9, -0.75, -0.6, 0.95])[:, None] + np.zeros((10, 1, 1))  # below the ribbons
    alone, both = panel(drawn(ribbons(10))), panel_beside(drawn(ribbons(10), lines=beside(low)))
    column = both[:, WIDTH // 2]
    lines = rows_of(column, [_VERMILION])
    assert set(range(191, 194)) <= set(lines)  # the median: -0.75 of 1 from the middle at 110, five pixels
    for value in (-0.9, -0.6):
        row = 110 - value * 110
        near = column[int(row) - 2 : int(row) + 3].astype(int)
        assert (near[:, 0] - near[:, 2]).max() > 100
    np.testing.assert_array_equal(both[:170], alone[:170])


def test_medians_that_agree_are_both_seen():
    column = panel_beside(drawn(ribbons(10), lines=beside(ribbons(10))))[:, WIDTH // 2]
    assert rows_of(column, _BLUES[2:]).tolist() == [109, 110]
    assert rows_of(column, [_VERMILION]).tolist() == [82, 108, 111, 137]  # the quarters at 82.5 and 137.5


def test_a_second_set_may_lack_steps_and_has_columns_for_what_is_not_finite():
    second = ribbons(8)
    second[5] = np.nan  # of step 7
    picture = drawn(ribbons(10), lines=beside(second, np.arange(2, 10)))
    seen = panel_beside(picture)
    _, xs = np.nonzero((seen == NON_FINITE).all(axis=-1))
    assert xs.min() == pytest.approx(7 * WIDTH / 10, abs=1)
    assert xs.max() + 1 == pytest.approx(8 * WIDTH / 10, abs=1)
    orange = np.flatnonzero((seen == _VERMILION).all(axis=-1).any(axis=0))
    assert orange.min() == pytest.approx(2.5 * WIDTH / 10, abs=2)
    assert picture.shape == drawn(ribbons(3), lines=beside(ribbons(1))).shape


@pytest.mark.parametrize("count", [1, 2, 5, 10, 17, 32])
def test_every_number_of_panels_fits_a_card(count):
    picture = drawn(ribbons(3, count), units=[10**6 + number for number in range(count)])
    assert picture.shape[1] == 664
    assert 250 < picture.shape[0] < 900
    assert picture.shape == drawn(ribbons(9, count)).shape


@pytest.mark.parametrize("window", [Window(-1, 1, -1, 0), Window(-1, 1, 5, 5), Window(0, 2, -1, 10**6)])
def test_every_length_of_training_has_an_axis(window):
    picture = drawn(ribbons(1), steps=[window.first], window=window)
    below = picture[TOP + HEIGHT + 3 : TOP + HEIGHT + 16]
    assert (below != 255).any() or window.first == window.last  # there are numbers


def test_the_axis_is_named_as_said_and_nothing_else_changes():
    epochs, batches = drawn(ribbons(10)), drawn(ribbons(10), axis="batch")
    ys, xs = np.nonzero((epochs != batches).any(axis=-1))
    assert ys.max() < TOP - 19, "in the line of the legend"
    assert xs.min() > LEFT + WIDTH - 60, "at its right end"
