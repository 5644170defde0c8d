import numpy as np
import pytest
from harness import boxes, magenta

from kerasviz_callbacks.draw.coefficients import (
    ACROSS,
    Heat,
    coefficient_panels,
    input_ticks,
    step_ticks,
    unit_height,
)
from kerasviz_callbacks.draw.colour import colourise
from kerasviz_callbacks.draw.sheet import Scale
from kerasviz_callbacks.draw.text import PAPER

SIGNED, LONG, TURN = Scale(-1, 1, "RdBu_r"), Scale(0, 2, "viridis"), Scale(-8, 0, "inferno", "turn")


def panels(weights, lengths, turns, filled):
    across, along = input_ticks(weights.shape[1]), step_ticks(-1, lengths.shape[1] - 2)
    return [
        Heat("weights", weights, SIGNED, across, "input"),
        Heat("of unit length", weights / 2, SIGNED, across, "input"),
        Heat("length", lengths, LONG, along, "epoch", filled),
        Heat("turn", turns, TURN, along, "epoch", filled),
    ]


def drawn(units=4, inputs=6, steps=5, filled=None, seed=0, value=None):
    rng = np.random.default_rng(seed)
    parts = [rng.uniform(-1, 1, (units, inputs)), rng.uniform(0, 2, (units, steps)), rng.uniform(-8, 0, (units, steps))]
    if value is not None:
        parts = [np.full(part.shape, value) for part in parts]
    filled = np.ones(steps, bool) if filled is None else filled
    shown = panels(*parts, filled)
    return shown, coefficient_panels(shown, units=list(range(units)), caption="codes   4 units")


def test_every_cell_has_the_colour_of_its_number_and_the_same_unit_stands_in_one_row():
    shown, picture = drawn()
    places = boxes(magenta(drawn(value=np.nan)[1]))
    assert len(places) == 4
    for panel, box in zip(shown, places, strict=True):
        assert box[1].stop - box[1].start == ACROSS
        assert box[0].stop - box[0].start == 4 * unit_height(4)
        rows = ((np.arange(4) + 0.5) * unit_height(4)).astype(int)
        columns = ((np.arange(panel.cells.shape[1]) + 0.5) * ACROSS / panel.cells.shape[1]).astype(int)
        seen = picture[box][np.ix_(rows, columns)]
        scale = panel.scale
        np.testing.assert_array_equal(seen, colourise(panel.cells, scale.low, scale.high, scale.colours))
    assert places[0][0] == places[1][0]
    assert places[2][0] == places[3][0]
    assert places[0][1] == places[2][1]


def test_steps_to_come_are_blank_paper_and_the_rest_stays_where_it_is():
    whole = drawn(steps=9)[1]
    filled = np.arange(9) < 4
    part = drawn(steps=9, filled=filled)[1]
    for box in boxes(magenta(drawn(steps=9, value=np.nan)[1]))[2:]:
        done = -(-ACROSS * 4 // 9)
        np.testing.assert_array_equal(part[box][:, :done], whole[box][:, :done])
        assert (part[box][:, done:] == PAPER).all()


def test_a_nan_is_seen_and_a_step_to_come_is_not_taken_for_one():
    filled = np.arange(5) < 2
    nan = magenta(drawn(value=np.nan, filled=filled)[1])
    upper, lower = nan[: nan.shape[0] // 2], nan[nan.shape[0] // 2 :]
    assert upper.sum() == 2 * ACROSS * 4 * unit_height(4)
    assert lower.sum() == 2 * round(ACROSS * 2 / 5 + 0.49) * 4 * unit_height(4)


@pytest.mark.parametrize(
    ("first", "last", "names"),
    [
        (-1, 2, ["-1", "0", "1", "2"]),
        (-1, 7, ["0", "2", "4", "6"]),
        (-1, 499, ["0", "100", "200", "300", "400"]),
        (50, 59, ["50", "52", "54", "56", "58"]),
        (-1, -1, ["-1"]),
    ],
)
def test_the_axis_is_numbered_at_round_epochs(first, last, names):
    ticks = step_ticks(first, last)
    assert [name for _, name in ticks] == names
    for share, name in ticks:
        assert share == pytest.approx((int(name) - first + 0.5) / (last - first + 1))


@pytest.mark.parametrize("units", [1, 2, 32, 100, 128])
@pytest.mark.parametrize("inputs", [1, 3, ACROSS])
def test_any_layer_is_seen_and_stays_within_bounds(units, inputs):
    picture = drawn(units=units, inputs=inputs, steps=ACROSS)[1]
    assert picture.shape[1] <= 640
    assert 2 * units <= units * unit_height(units) <= 260
