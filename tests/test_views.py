"""Every view in a real fit, read back with TensorBoard's own reader; the entries are in `entries/`."""

import functools
import itertools
import warnings

import keras
import numpy as np
import pytest
from entries import BY_DEFAULT, ENTRIES
from harness import (
    EPOCHS,
    NEEDS_A_STEP_BEFORE,
    STEPS,
    Poison,
    fit,
    header,
    legend,
    magenta,
    pixels_of,
    quick,
    runs,
    same_weights,
)


@pytest.fixture(scope="module", params=quick(ENTRIES, *BY_DEFAULT))
def entry(request):
    return ENTRIES[request.param]


@pytest.fixture(scope="module")
def run(entry, tmp_path_factory):
    return entry.run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def logged(run):
    return runs(run.log_dir)


def test_the_numbers_are_those_known_by_another_way(run):
    run.entry.known(run)


def test_every_step_of_every_tag_is_in_the_event_files_of_our_own_runs(entry, run, logged):
    assert set(logged) == {f"views/{source}" for source in entry.sources}
    for name, found in logged.items():
        assert set(found.pictures) == entry.tags_of(name)
        assert set(found.scalars) == entry.scalars
        for steps in found.pictures.values():
            assert list(steps) == STEPS
        for tag, steps in found.scalars.items():
            assert list(steps) == STEPS[tag.endswith(NEEDS_A_STEP_BEFORE) :], tag


def test_every_tag_says_what_is_seen_and_how_to_read_it(logged):
    for found in logged.values():
        for tag in found.pictures:
            assert "**" in found.descriptions[tag]
            assert "*How to read it:*" in found.descriptions[tag]
            assert "*Bad signs:*" in found.descriptions[tag]
        for tag in found.scalars:
            assert len(found.descriptions[tag]) > 20, tag


def test_a_tile_is_the_same_thing_at_every_step(entry, run, logged):
    first_source = logged[f"views/{entry.sources[0]}"]
    for tag in first_source.pictures:
        shown = [first_source.picture(tag, step) for step in STEPS]
        assert len({picture.shape for picture in shown}) == 1
        assert len({picture.tobytes() for picture in shown}) == len(STEPS), "the model changes at every step"
        assert len({header(picture).tobytes() for picture in shown}) == 1
        still = [entry.still(run, tag, picture) for picture in shown]
        for one in still[1:]:
            np.testing.assert_array_equal(one, still[0])


def test_the_scale_is_the_widest_so_far_and_shared_by_validation_and_training(entry, run, logged):
    so_far = {}
    for step in STEPS:
        for source in entry.sources:
            for key, value in entry.largest(run.view.measured[source, step]).items():
                so_far[key] = max(so_far.get(key, 0.0), value)
        drawn_with = run.view.drawn_with[step]
        for key, value in so_far.items():
            if key.startswith("window"):  # grows in steps of 1.25, and holds all
                assert value <= drawn_with[key]
                assert abs(np.log(drawn_with[key]) / np.log(1.25) % 1 - 0.5) == pytest.approx(0.5, abs=1e-6)
            else:
                assert drawn_with[key] == pytest.approx(value, rel=1e-6)
        for tag in entry.tags:
            bars = [legend(found.picture(tag, step)) for found in logged.values()]
            assert all(np.array_equal(bar, bars[0]) for bar in bars)
    kept = [run.view.drawn_with[step] for step in STEPS]
    for earlier, later in itertools.pairwise(kept):
        assert all(earlier[key] <= later[key] for key in earlier)


@pytest.mark.parametrize("entry", quick(ENTRIES, "GradCAM"), indirect=True)
@pytest.mark.fault("a kernel becomes NaN, with each view", "the training goes on, NaN is seen in its own colour")
def test_weights_that_become_nan_do_not_stop_the_training_and_are_seen(entry, tmp_path):
    keras.utils.set_random_seed(7)
    data, model = entry.data(), entry.build()
    view = entry.made(tmp_path, data)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        fit(model, data.x, getattr(data, entry.target), [Poison(entry.poison), view])
    assert len(model.history.epoch) == EPOCHS
    assert all(np.isnan(weight).any() for weight in model.get_weights())
    ours = [str(one.message) for one in told if type(view).__name__ in str(one.message)]
    found = runs(tmp_path)
    assert set(found) == {f"views/{source}" for source in entry.sources}
    for name, one in found.items():
        for tag in entry.tags_of(name):
            if entry.skips_nan:
                assert list(one.pictures[tag]) == [-1, 0]
                continue
            assert list(one.pictures[tag]) == STEPS
            assert not magenta(one.picture(tag, 0)).any()
            assert magenta(one.picture(tag, 1)).mean() > 0.02
    if entry.skips_nan:
        assert len(ours) == 1
        assert "NaN" in ours[0]
    else:
        assert not ours


@functools.cache
def trained_without(build, target, data):
    """Weights and history of a training without any callback, the same for all views of one model."""
    keras.utils.set_random_seed(7)
    data, model = data(), build()
    history = fit(model, data.x, getattr(data, target)).history
    return model.get_weights(), history


def test_the_training_is_the_same_without_it(entry, run):
    weights, history = trained_without(entry.build, entry.target, entry.data)
    assert same_weights(weights, run.final)
    assert history == {key: run.history[key] for key in history}


@pytest.mark.parametrize("entry", quick(ENTRIES, "LatentTrajectory"), indirect=True)
def test_the_same_seed_gives_the_same_pictures_to_the_pixel(entry, run, logged, tmp_path):
    again = entry.run(tmp_path)
    for name, found in runs(again.log_dir).items():
        assert pixels_of(found.pictures) == pixels_of(logged[name].pictures)
        assert found.scalars == logged[name].scalars


def test_the_files_of_save_dir_are_the_pictures_of_the_event_files(run, logged):
    wanted = {
        f"{name}/{tag}/{step:06d}.png": png
        for name, found in logged.items()
        for tag, steps in found.pictures.items()
        for step, png in steps.items()
    }
    files = {path.relative_to(run.save_dir).as_posix(): path.read_bytes() for path in run.save_dir.rglob("*.png")}
    assert files == wanted
