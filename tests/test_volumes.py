"""Volumes are cut along the axis that gives the largest slices, in every view alike."""

import keras
import numpy as np
import pytest
from harness import fit, quick, runs
from hypothesis import given
from hypothesis import strategies as st

import kerasviz_callbacks as kv
from kerasviz_callbacks.draw.volumes import depth_slices, hottest_slices, is_depth_last, middle_slice, slices_first
from kerasviz_callbacks.taps.layers import has_frames, list_layers

L = keras.layers
DRAWS = np.random.default_rng(0)
DEEP = DRAWS.random((6, 5, 12, 10, 1)).astype(np.float32)  # (rows, depth, height, width, channels)
LABELS = np.arange(6) % 3
MASK = (DEEP[..., 0] > 0.5).astype(int)


@pytest.mark.parametrize(
    ("sides", "last"),
    [((5, 12, 10), False), ((12, 10, 5), True), ((8, 8, 8), False), ((10, 5, 12), False), ((30, 20, 20), False)],
    ids=["scan", "scan with depth last", "cube", "depth in the middle", "clip longer than its sides"],
)
def test_the_axis_is_the_first_or_else_the_last_if_it_is_the_shortest(sides, last):
    assert is_depth_last(sides) == last
    volumes = DRAWS.random((2, *sides, 3))
    found = slices_first(volumes)
    np.testing.assert_array_equal(found, np.moveaxis(volumes, 3, 1) if last else volumes)
    place = sides[2] // 2 if last else sides[0] // 2
    cut = volumes[:, :, :, place] if last else volumes[:, place]
    np.testing.assert_array_equal(middle_slice(found), cut)


@given(st.tuples(*[st.integers(1, 9)] * 3))
def test_no_choice_between_the_first_and_the_last_axis_gives_larger_slices(sides):
    found = slices_first(np.zeros((1, *sides)))
    cut = found[0, 0].size
    assert cut >= min(sides[1] * sides[2], sides[0] * sides[1])
    if is_depth_last(sides):
        assert cut == max(sides[0] * sides[1], sides[1] * sides[2], sides[0] * sides[2])


def test_slices_are_spread_evenly_over_the_depth():
    assert depth_slices(3) == [0, 1, 2]
    assert depth_slices(8) == [1, 3, 5, 7]
    assert depth_slices(16) == [2, 6, 10, 14]


def test_the_hottest_slice_is_that_of_the_largest_finite_value_or_else_the_middle_one():
    maps = np.zeros((4, 5, 2, 3))
    maps[0, 4, 1, 2], maps[0, 1] = 0.3, 0.2
    maps[1, 0], maps[1, 3, 0, 0] = np.nan, 0.1
    maps[2, 1, 0, 0], maps[2, 0] = 0.1, np.inf
    assert hottest_slices(maps).tolist() == [4, 3, 1, 2]


def test_maps_are_cut_as_the_inputs_that_they_belong_to():
    maps = DRAWS.random((2, 4, 6, 6, 6))
    np.testing.assert_array_equal(slices_first(maps, 2, sides=(12, 12, 3)), np.moveaxis(maps, 4, 2))
    np.testing.assert_array_equal(slices_first(maps, 2), maps)


def depth_last(values, axis=1):
    return np.moveaxis(values, axis, axis + 2)


def classifier(last):
    kernels, pool = ((2, 3, 3), (1, 2, 2)) if not last else ((3, 3, 2), (2, 2, 1))
    return keras.Sequential(
        [
            keras.Input(depth_last(DEEP).shape[1:] if last else DEEP.shape[1:]),
            L.Conv3D(3, kernels, activation="relu", name="conv", padding="same"),
            L.MaxPooling3D(pool),
            L.Conv3D(4, 1, activation="relu", name="last"),
            L.GlobalAveragePooling3D(),
            L.Dense(3, activation="softmax", name="dense"),
        ]
    )


def pixelwise(last):
    given = keras.Input(depth_last(DEEP).shape[1:] if last else DEEP.shape[1:])
    return keras.Model(given, L.Conv3D(2, 1, activation="softmax", name="out")(given))


def denoiser(last):
    given = keras.Input(depth_last(DEEP).shape[1:] if last else DEEP.shape[1:])
    return keras.Model(given, L.Conv3D(1, 1, activation="sigmoid", name="out")(given))


SAME = "sparse_categorical_crossentropy"
CASES = {  # model, y, loss, view
    "GradCAM": (classifier, LABELS, SAME, kv.GradCAM),
    "ActivationMaps": (classifier, LABELS, SAME, kv.ActivationMaps),
    "OverfittingMonitor": (classifier, LABELS, SAME, kv.OverfittingMonitor),
    "masks": (pixelwise, MASK, SAME, kv.Predictions),
    "images": (denoiser, 1 - DEEP, "mse", kv.Predictions),
    "Reconstructions": (denoiser, DEEP, "mse", kv.Reconstructions),
}


def bodies(case, last, directory):
    """The images of a fit at rate 0 from the same weights, below their captions, which give shapes."""
    build, y, loss, kind = CASES[case]
    model, draws = build(last), np.random.default_rng(1)
    weights = [draws.normal(size=weight.shape).astype(np.float32) for weight in build(False).get_weights()]
    model.set_weights([depth_last(one, 0) if last and one.ndim == 5 else one for one in weights])
    model.compile(keras.optimizers.SGD(0.0), loss)
    x, y = (depth_last(one) if last and np.ndim(one) > 3 else one for one in (DEEP, y))
    view = kind(directory, (x, y), on_error="raise")
    fit(model, x, y, [view], 1)
    logged = runs(directory)["views/validation"]
    return {tag: logged.picture(tag, 0)[60:] for tag in logged.pictures}


@pytest.mark.parametrize("case", quick(CASES, "GradCAM"))
def test_depth_first_and_depth_last_give_the_same_pictures(case, tmp_path):
    first, last = (bodies(case, last, tmp_path / str(last)) for last in (False, True))
    assert first
    assert first.keys() == last.keys()
    for tag, picture in first.items():
        np.testing.assert_allclose(picture, last[tag].astype(int), atol=1, err_msg=tag)  # sums in another order


def test_what_reads_frames_is_known():
    given = keras.Input((5, 8, 8, 1))
    frames = L.TimeDistributed(L.Conv2D(1, 1))(given)
    recurrent = L.Conv3D(1, 1)(L.ConvLSTM2D(2, 3, return_sequences=True)(given))
    for outputs, expected in ((frames, True), (recurrent, True), (L.Conv3D(1, 1)(given), False)):
        assert has_frames(list_layers(keras.Model(given, outputs))) == expected
