"""Inputs as they are shown, read back from the pictures: ranges of values, sizes, narrow shapes."""

from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import kerasviz_callbacks as kv
from kerasviz_callbacks.draw.heat import WRONG, heat_maps
from kerasviz_callbacks.draw.inputs import LARGEST, IntensityRange, common_range, far_apart
from kerasviz_callbacks.draw.sheet import ALERT_INK
from kerasviz_callbacks.draw.text import INK, font, format_number, text_width
from tests.harness import header, places_of, recorded

NAMES = ["normal beat", "atrial fibrillation", "something else"]


def classifier(shape, name="maps"):
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input(shape), layers.Conv2D(2, 3, padding="same", name=name)])
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(3, "softmax"))
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def grey(values) -> np.ndarray:
    """A ramp `(1, 2, k, 1)` of the values."""
    return np.broadcast_to(np.asarray(values, np.float64)[:, None], (1, 2, len(values), 1))


def test_each_band_of_many_is_scaled_by_itself():
    ramp = np.linspace(0, 1, 201)
    bands = np.stack([3 * ramp, 1000 * ramp - 500], -1)[None, None].repeat(2, 1)
    shown = IntensityRange.of(bands)
    assert shown.bands == (pytest.approx((0.015, 2.985)), pytest.approx((-495, 495)))
    expected = np.rint(255 * np.clip((ramp - 0.005) / 0.99, 0, 1))
    assert np.abs(shown(bands)[0, 0, :, 0] - expected).max() <= 1


def test_one_hot_pixel_leaves_the_contrast():
    scan = np.random.default_rng(0).uniform(0, 1000, (8, 24, 24, 1))
    scan[0, 0, 0] = 1e6
    shown = IntensityRange.of(scan)(scan)
    assert shown.min() == 0
    assert np.percentile(shown, [20, 80]).tolist() == pytest.approx([51, 204], abs=8)


def test_percentiles_of_very_many_values_are_those_of_all():
    values = np.random.default_rng(1).normal(size=(5, 1000, 1000)).astype(np.float32)
    assert IntensityRange.of(values).low == pytest.approx(np.percentile(values, 0.5), abs=0.01)


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ((0, 1), (-1, 1), False),
        ((0, 1), (0, 4), False),
        ((0, 1), (0, 255), True),
        ((-1, 1), (0, 255), True),
        ((0, 1), (100, 101), True),
    ],
)
def test_ranges_are_shared_unless_they_are_far_apart(one, other, apart):
    ranges = [IntensityRange(*one), IntensityRange(*other)]
    assert far_apart(ranges) is apart
    assert common_range(ranges) == IntensityRange(min(one[0], other[0]), max(one[1], other[1]))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("shape", [(3, 1024, 640, 1), (3, 700, 1500, 3)])
def test_large_inputs_are_reduced_to_the_mean_over_blocks(shape, dtype):
    images = np.random.default_rng(2).integers(0, 256, shape).astype(dtype)
    images.flat[:2] = 0, 255
    shown = IntensityRange.of(images)(images)
    assert max(shown.shape[1:3]) == LARGEST
    if shape[1] == 1024:  # by a whole factor
        blocks = images.astype(np.float64).reshape(3, 512, 2, 320, 2).mean(axis=(2, 4))
        np.testing.assert_array_equal(shown[..., 0], np.rint(blocks))
    assert shown.mean() == pytest.approx(images.mean(), abs=1)


def test_the_robust_range_is_that_of_most_numbers_and_tokens_have_none():
    values = np.arange(1001.0)
    values[-1] = np.inf
    assert IntensityRange.robust(values) == IntensityRange(*np.percentile(values[:-1], (0.5, 99.5)))
    assert IntensityRange.robust(np.full(3, 7, np.uint8)) == IntensityRange(7, 7)
    assert IntensityRange.robust(np.arange(9)) is None
    assert IntensityRange.robust([np.nan]) is None


def alerts(picture) -> int:
    """Pixels in the full colour of a warning."""
    return int((picture == ALERT_INK).all(-1).sum())


@pytest.mark.slow
@pytest.mark.parametrize("view", [kv.GradCAM, partial(kv.ActivationMaps, layers=["maps"])])
def test_training_data_of_another_range_are_shown_on_their_own(tmp_path, view):
    x, y = np.random.default_rng(4).random((6, 8, 8, 1)), np.arange(6) % 3
    same = view(tmp_path, (x, y), training_data=(x, y)).pictures(classifier((8, 8, 1)))
    apart = view(tmp_path, (x, y), training_data=(200 * x, y)).pictures(classifier((8, 8, 1)))
    bytes_of_x = IntensityRange(0, 1)(x)
    of_training = IntensityRange.of(200 * x)(200 * x)
    assert not any(map(alerts, same.values()))
    assert all(map(alerts, apart.values())), "said in colour"
    for name, picture in apart.items():
        expected = bytes_of_x if name.startswith("validation") else of_training
        sizes = [one.repeat(k, 0).repeat(k, 1) for k in (8, 12, 14) for one in expected[:1]]
        assert any(places_of(one, picture) for one in sizes), f"{name}: on its own range"


@pytest.mark.slow
def test_all_views_of_a_fit_show_the_same_data_on_one_range_however_many_rows_they_look_at(tmp_path):
    random = np.random.default_rng(6)
    x, y = random.normal(size=(40, 8, 8, 1)).astype(np.float32), np.arange(40) % 3
    other = (x + 1)[::-1].copy()
    given = {"training_data": (other, y), "on_error": "raise"}
    views = [
        recorded(kv.ActivationMaps)(tmp_path, (x, y), count=4, **given),
        recorded(kv.GradCAM)(tmp_path, (x, y), count=12, **given),
        recorded(kv.ConfusionMatrix)(tmp_path, (x, y), **given),
    ]
    classifier((8, 8, 1)).fit(x, y, epochs=1, verbose=0, callbacks=views)
    written = ["{} to {}".format(*map(format_number, np.percentile(of, (0.5, 99.5)))) for of in (x, other)]
    for view in views:
        display = view.at_work[0].probe_display
        words = f"input values: validation 99% in {written[0]}, training 99% in {written[1]}"
        assert display.captioned("", "validation") == f"\n{words}"
        low, high = np.percentile(x, 0.5), np.percentile(other, 99.5)  # of both, as they are not far apart
        shown = IntensityRange(low, high)(view.at_work[0].inputs(0)["validation"])
        assert np.abs(display.pictures("validation").astype(int) - shown).max() <= 1


def test_a_perfect_reconstruction_looks_like_its_input_on_the_range_that_training_data_share(tmp_path):
    x = np.random.default_rng(7).normal(size=(6, 8, 8, 1)).astype(np.float32)
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(1, 1, kernel_initializer="ones")])
    view = recorded(kv.Reconstructions)(tmp_path, x, training_data=2 * x, on_error="raise")
    found = view.picture(model)
    low, high = np.percentile(2 * x, (0.5, 99.5))
    tile = IntensityRange(low, high)(x)[0]
    sizes = [tile.repeat(k, 0).repeat(k, 1) for k in range(4, 21)]
    assert max(len(places_of(one, found)) for one in sizes) == 2, "the input, and below it its reconstruction"


def test_ranges_that_differ_little_are_shared(tmp_path):
    x, y = np.random.default_rng(4).random((6, 8, 8, 1)), np.arange(6) % 3
    found = kv.ActivationMaps(tmp_path, (x, y), training_data=(2 * x - 1, y)).pictures(classifier((8, 8, 1)))
    for name, values in (("validation/activations/maps", x), ("train/activations/maps", 2 * x - 1)):
        tile = IntensityRange(-1, 1)(values)[0].repeat(8, 0).repeat(8, 1)
        assert places_of(tile, found[name])


def printed(text: str, *, bold: bool) -> np.ndarray:
    """A line as Pillow writes it, how much it covers of each pixel."""
    return np.array(font(13, bold).getmask(text)).reshape(font(13, bold).getmask(text).size[::-1])


@pytest.mark.parametrize("shape", [(40, 5), (5, 40), (60, 2), (16, 16), (3, 40, 5)])
def test_titles_of_narrow_inputs_are_whole(shape):
    inputs, maps = np.full((12, *shape, 3), 255, np.uint8), np.zeros((12, *shape))
    titles = [(NAMES[i % 3], f"{NAMES[(i + 1) % 3]} 0.97") for i in range(12)]
    picture = heat_maps(inputs, maps, scale=1.0, caption="c", titles=titles, wrong=[True] * 12, words=NAMES)
    other = heat_maps(inputs, maps, scale=1.0, caption="c", titles=[("a", "b 0.10")] * 12, words=NAMES)
    assert picture.shape == other.shape, "whatever the titles of a step"
    letters = printed(NAMES[1], bold=True)
    covered = np.rint(255 - letters[..., None] / 255 * (255 - np.array(INK))).astype(np.uint8)
    assert len(places_of(covered, picture)) == 4, "each true class is written whole"


def test_endless_titles_are_cut():
    inputs, maps = np.zeros((2, 8, 8, 3), np.uint8), np.zeros((2, 8, 8))
    endless = "an endless name " * 30
    picture = heat_maps(inputs, maps, scale=1.0, caption="c", titles=[(endless, "b 0.1")] * 2, words=[endless])
    assert picture.shape[1] < 2 * text_width(endless, 13)


def test_soft_labels_are_shown_but_nothing_is_judged_by_them(tmp_path):
    x, y = np.random.default_rng(5).random((6, 8, 8, 1)), 0.1 + 0.7 * np.eye(3)[np.arange(6) % 3]
    model = classifier((8, 8, 1))
    hard, soft = (kv.GradCAM(tmp_path, (x, labels)).picture(model) for labels in (np.arange(6) % 3, y))
    assert (hard == WRONG).all(-1).any(), "two thirds of the answers are wrong"
    assert not (soft == WRONG).all(-1).any()
    row = header(hard).shape[0]
    assert (hard[row:] == INK).all(-1).sum() == pytest.approx((soft[row:] == INK).all(-1).sum(), rel=0.1), "named alike"
    with pytest.raises(ValueError, match=r"validation_data: has no labels .*soft labels, .*y\.argmax"):
        kv.OverfittingMonitor(tmp_path, (x, y)).picture(model)


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3])
def test_data_sets_of_several_inputs_are_refused_with_the_remedy(tmp_path, count):
    tower = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(2, 3, name="maps"), layers.GlobalMaxPooling2D()])
    inputs = [keras.Input((8, 8, 1)) for _ in range(count)]
    model = keras.Model(inputs, layers.Concatenate()([tower(one) for one in inputs]))
    arrays = tuple(np.random.default_rng(6).random((count, 6, 8, 8, 1)).astype(np.float32))
    data = tf.data.Dataset.from_tensor_slices(arrays).batch(3)
    for given in (arrays, data):
        with pytest.raises(ValueError, match=r"data\.map\(lambda \*inputs: \(inputs,\)\)"):
            kv.ActivationMaps(tmp_path, given).picture(model)
    mended = [(list(arrays),), data.map(lambda *inputs: (inputs,))]
    pictures = [kv.ActivationMaps(tmp_path, given).picture(model) for given in mended]
    np.testing.assert_array_equal(*pictures)
