"""Acceptance: a VAE whose KL term begins to weigh too much is seen to collapse, in every metric and image of ours."""

import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from harness import decoded, read, recorded

import kerasviz_callbacks as kv
from kerasviz_callbacks.draw.colour import class_colours
from kerasviz_callbacks.draw.profiles import _BLUES, _GREYS, _OFF

sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))
from fashion import load
from watch_a_vae import KLWeight, build

EPOCHS, JUMP, WIDTH = 10, 5, 6
pytestmark = pytest.mark.slow
DOTS = slice(37, 637), slice(12, 612)  # the window of the trajectory


class Run:
    """A small VAE on few pictures, and what our views of its codes logged."""

    def __init__(self, directory, weight):
        (x, _), (x_test, _), _ = load()
        keras.utils.set_random_seed(2)
        model = build(WIDTH, weight=0.3)
        model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy")
        given = {"count": 200, "on_error": "raise"}
        self.trajectory = recorded(kv.LatentTrajectory)(directory, x_test, **given)  # no labels: dots and tails alone
        self.profiles = recorded(kv.LatentProfiles)(directory, x_test, **given)
        views = [KLWeight("z", JUMP, weight), self.trajectory, self.profiles]
        model.fit(x[:1000], x[:1000], epochs=EPOCHS, batch_size=50, verbose=0, callbacks=views)
        self.read = read(directory / "views" / "validation")

    def picture(self, tag, step):
        return decoded(self.read.pictures[tag][step])

    def format_number(self, name, step):
        return self.read.scalars[f"latent/{name}"][step]


@pytest.fixture(scope="module")
def collapsed(tmp_path_factory):
    return Run(tmp_path_factory.mktemp("collapsed"), weight=200.0)


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    return Run(tmp_path_factory.mktemp("healthy"), weight=0.3)


def panels(picture):
    """The six panels, three in a row, without their frames."""
    corners = [(78 + row * 119, 56 + column * 202) for row in range(2) for column in range(3)]
    return [picture[y + 1 : y + 99, x + 1 : x + 191] for y, x in corners]


def has(part, colour):
    return (part == colour).all(axis=-1).any()


def band_rows(part, colours):
    """Over how many rows a ribbon reaches."""
    return sum(any(has(row, colour) for colour in colours) for row in part)


def test_the_means_of_the_vae_are_found_and_known_as_such(collapsed):
    for view in (collapsed.trajectory, collapsed.profiles):
        assert view.at_work[0].path == "z_mean"
        assert view.at_work[0].posterior


def test_active_units_fall_to_none_with_the_jump_and_stay_without_it(collapsed, healthy):
    for step in range(JUMP):
        assert collapsed.format_number("active_units", step) == healthy.format_number("active_units", step) >= 4
    for step in range(JUMP + 1, EPOCHS):
        assert collapsed.format_number("active_units", step) == 0
        assert healthy.format_number("active_units", step) >= 4


def test_the_variance_of_every_mean_says_so_too(collapsed):
    last = collapsed.trajectory.measured["validation", EPOCHS - 1].data.codes
    assert last.shape == (200, WIDTH)
    assert (last.var(axis=0) < 0.01).all()


def test_the_panels_of_the_profiles_turn_grey(collapsed, healthy):
    for run in (collapsed, healthy):
        for step in range(EPOCHS):
            column = round(190 * (step + 1.5) / (EPOCHS + 1))
            grounds = [panel[-1, column].tolist() for panel in panels(run.picture("latent/profiles", step))]
            assert grounds.count(list(_OFF)) == WIDTH - run.format_number("active_units", step)
            assert grounds.count([255, 255, 255]) == run.format_number("active_units", step)
    for panel in panels(collapsed.picture("latent/profiles", EPOCHS - 1)):
        until, since = panel[:, :90], panel[:, -50:]  # of the epochs -1 to 9, the first five and the last three
        assert has(until, _BLUES[0])
        assert has(since, _GREYS[2])
        assert not any(has(since, colour) for colour in _BLUES)
        assert band_rows(since, _GREYS) <= 5, "no band is left, only the line of the median"
    healthy_last = panels(healthy.picture("latent/profiles", EPOCHS - 1))
    assert sum(band_rows(panel[:, -50:], _BLUES) > 20 for panel in healthy_last) >= 4


def test_the_dots_of_the_trajectory_shrink_and_the_window_stays(collapsed, healthy):
    windows = collapsed.trajectory.drawn_with
    assert windows[EPOCHS - 1]["window"] == windows[JUMP]["window"] <= windows[JUMP - 1]["window"] * 1.25
    reach = {
        step: np.abs(collapsed.trajectory.measured["validation", step].data.tails[-1]).max()
        for step in (JUMP - 1, EPOCHS - 1)
    }
    assert reach[EPOCHS - 1] < 0.05 * reach[JUMP - 1]
    assert collapsed.format_number("spread", EPOCHS - 1) < 0.1 * collapsed.format_number("spread", JUMP - 1)
    areas = {
        (name, step): dots_cover(run.picture("latent/trajectory", step))
        for name, run in (("collapsed", collapsed), ("healthy", healthy))
        for step in (JUMP - 1, EPOCHS - 1)
    }
    assert areas["collapsed", EPOCHS - 1] < 0.02 * areas["collapsed", JUMP - 1]
    assert areas["healthy", EPOCHS - 1] > 0.5 * areas["healthy", JUMP - 1]


def dots_cover(picture):
    """The area of the rectangle round the dots, in pixels: only they have the full colour, tails are paler."""
    rows, columns = np.nonzero((picture[DOTS] == class_colours(1)[0]).all(axis=-1))
    return (np.ptp(rows) + 1) * (np.ptp(columns) + 1)


def test_both_views_write_the_metrics_once(collapsed):
    for name, steps in collapsed.read.scalars.items():
        if name.startswith("latent/"):
            assert len(steps) == len(set(steps)) >= EPOCHS
