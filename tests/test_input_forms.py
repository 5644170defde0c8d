"""Inputs that their shape alone does not tell: clouds of points, rows, token ids, tables beside images."""

import keras
import numpy as np
import pytest
from harness import first
from keras import layers

import kerasviz_callbacks as kv
from kerasviz_callbacks.draw.colour import HEAT, table
from kerasviz_callbacks.draw.points import projections
from kerasviz_callbacks.taps.input_spec import input_form
from kerasviz_callbacks.taps.reader import Reader
from tests.harness import places_of

DRAWS = np.random.default_rng(0)


def model_of(shape, *first, dtype="float32"):
    given = keras.Input(shape, dtype=dtype)
    x = given
    for layer in first:
        x = layer(x)
    return keras.Model(given, layers.Dense(3, "softmax")(layers.GlobalMaxPooling1D()(x) if len(x.shape) == 3 else x))


WALK = DRAWS.normal(size=(5, 64, 3)).cumsum(axis=1).astype("float32")
CLOUD = DRAWS.normal(size=(5, 64, 3)).astype("float32")


@pytest.mark.parametrize(
    ("first", "values", "form"),
    [
        ([layers.Conv1D(4, 1)], CLOUD, "points"),
        ([layers.Dense(4)], CLOUD, "points"),
        ([layers.BatchNormalization(), layers.Dense(4)], CLOUD, "points"),
        ([layers.Conv1D(4, 3)], CLOUD, ""),
        ([layers.Conv1D(4, 1)], WALK, ""),
        ([layers.Dense(4)], WALK, "rows"),
        ([layers.LSTM(4, return_sequences=True)], WALK, ""),
        ([layers.Dense(8)], DRAWS.random((5, 256, 12)), "rows"),
        ([layers.Conv1D(8, 5)], DRAWS.random((5, 256, 12)), ""),
        ([layers.LSTM(8)], DRAWS.random((5, 28, 28)), ""),
        ([layers.Embedding(50, 4)], DRAWS.integers(0, 50, (5, 400)), "ids"),
        ([layers.Dense(8)], DRAWS.integers(0, 50, (5, 400)), ""),
    ],
)
def test_what_the_model_does_with_an_input_tells_its_form(first, values, form):
    model = model_of(values.shape[1:], *first, dtype="int32" if values.dtype.kind == "i" else "float32")
    assert input_form(Reader(model, values), 0, values) == form


def test_each_point_stands_at_its_place_in_each_projection():
    tile = projections(np.array([[[-1.0, 0.0, 1.0], [np.nan] * 3]]), -1, 1, size=81)[0]
    shown = (tile == (225, 225, 225)).all(-1)
    planes = [shown[:, start : start + 81] for start in (0, 83, 166)]
    for plane, (across, up) in zip(planes, [(-1, 0), (-1, 1), (0, 1)], strict=True):
        rows, columns = np.nonzero(plane)
        assert (rows.size, rows.max() - rows.min()) == (9, 2)
        assert columns.mean() == pytest.approx(1 + (across + 1) / 2 * 78, abs=0.6)
        assert 80 - rows.mean() == pytest.approx(1 + (up + 1) / 2 * 78, abs=0.6)


def test_the_strongest_evidence_lies_in_front():
    tile = projections(np.zeros((1, 9, 3)), -1, 1, maps=np.arange(9.0)[None], scale=8.0)[0]
    hottest = table(HEAT)[-1].astype(int)
    assert np.abs(tile[42, 42] - hottest).max() < 40


def test_clouds_of_points_are_shown_with_their_maps(tmp_path):
    model = model_of((64, 3), layers.Conv1D(4, 1, name="maps"))
    low, high = float(CLOUD.min()), float(CLOUD.max())
    picture = kv.GradCAM(tmp_path, (CLOUD, np.arange(5) % 3), target=1).picture(model)
    maps = kv.class_activation_map(model, CLOUD, target=1)
    plain = projections(CLOUD, low, high)
    hot = projections(CLOUD, low, high, maps=maps, scale=float(maps.max()))
    for row in range(5):
        assert places_of(plain[row], picture)
        assert places_of(hot[row], picture) or not maps[row].any()


@pytest.mark.parametrize(
    ("first", "values"),
    first(
        [
            (layers.Dense(8, name="maps"), DRAWS.random((5, 64, 48))),
            (layers.Embedding(9, 8, name="maps"), DRAWS.integers(0, 9, (5, 784))),
        ]
    ),
)
def test_rows_and_ids_are_no_pictures(tmp_path, first, values):
    model = model_of(values.shape[1:], first, dtype="int32" if values.dtype.kind == "i" else "float32")
    view = kv.ActivationMaps(tmp_path, values, layers=["maps"], on_error="raise")
    view.pictures(model)
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(values, np.zeros(5), verbose=0, callbacks=[view])
    assert kv.GradCAM(tmp_path, (values, np.zeros(5, int))).picture(model).size


@pytest.mark.slow
def test_of_a_table_and_an_image_the_image_is_displayed(tmp_path):
    inputs = {"age": keras.Input((6,), name="age"), "photo": keras.Input((8, 8, 1), name="photo")}
    maps = layers.GlobalAveragePooling2D()(layers.Conv2D(2, 3, name="maps")(inputs["photo"]))
    model = keras.Model(inputs, layers.Dense(3, "softmax")(layers.Concatenate()([inputs["age"], maps])))
    x = {"age": DRAWS.random((4, 6)), "photo": DRAWS.random((4, 8, 8, 1))}
    tile = np.rint(255 * x["photo"][0]).astype(np.uint8).repeat(3, -1)
    for view, side in ((kv.GradCAM(tmp_path, (x, np.arange(4) % 3)), 20), (kv.ActivationMaps(tmp_path, x), 8)):
        picture = next(one for tag, one in view.pictures(model).items() if tag.endswith("maps"))
        assert places_of(tile.repeat(side, 0).repeat(side, 1), picture), view


@pytest.mark.slow
def test_kernels_and_activations_of_a_convolutional_lstm_are_shown(tmp_path):
    model = keras.Sequential([keras.Input((3, 8, 8, 1)), layers.ConvLSTM2D(2, 3, name="clip"), layers.Flatten()])
    model.add(layers.Dense(3, "softmax"))
    assert list(kv.FilterImages(tmp_path).pictures(model)) == ["model/filters/clip/conv_lstm_cell"]
    assert "model/weights/clip/conv_lstm_cell" in kv.WeightHeatmaps(tmp_path).pictures(model)
    clips = DRAWS.random((4, 3, 8, 8, 1))
    assert "validation/activations/clip" in kv.ActivationMaps(tmp_path, clips).pictures(model)
