"""Predictions beside the truth: numbers by Keras' own metrics, colours and places read back from the pictures."""

import itertools

import keras
import numpy as np
import pytest
from harness import check_each, decoded, fit, quick, recorded, runs, same_weights
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import kerasviz_callbacks as kv
from kerasviz_callbacks.callback.probe_display import ProbeDisplay
from kerasviz_callbacks.callback.types import Memory
from kerasviz_callbacks.draw.colour import class_colours
from kerasviz_callbacks.draw.predicted_tiles import GROUND, PREDICTED, TRUE, WRONG
from kerasviz_callbacks.draw.predictions import Key
from kerasviz_callbacks.draw.text import format_number
from kerasviz_callbacks.maths.boxes import BOX_FORMATS, guess_format, matched_iou, may_be_boxes, to_xyxy
from kerasviz_callbacks.maths.masks import confusion, iou_by_class, mean_iou
from kerasviz_callbacks.maths.pairs import belong_together, psnr
from kerasviz_callbacks.probe import Probe
from kerasviz_callbacks.taps.reader import Captured, Reader
from kerasviz_callbacks.views.predictions import images, masks, series
from kerasviz_callbacks.views.predictions.boxes import Boxes
from kerasviz_callbacks.views.predictions.images import Images
from kerasviz_callbacks.views.predictions.masks import Masks
from kerasviz_callbacks.views.predictions.outputs import Options, outputs_of
from kerasviz_callbacks.views.predictions.points import Points
from kerasviz_callbacks.views.predictions.series import Series

L, K, M = keras.layers, keras.losses, keras.metrics
DRAWS = np.random.default_rng(0)
X = DRAWS.random((6, 16, 16, 3)).astype(np.float32)
LEVELS = np.clip((X[..., 0] * 4).astype(int), 0, 3)
IGNORED = np.where(X[..., 1] > 0.8, 255, LEVELS)
BIT = (LEVELS > 1).astype(np.float32)[..., None]


def conv(filters, activation=None, *, before=(), x=X):
    layers = [*before, L.Conv2D(6, 3, padding="same", activation="relu"), L.Conv2D(filters, 1, activation=activation)]
    layers[-1].name = "out"
    inputs = keras.Input(x.shape[1:])
    outputs = inputs
    for layer in layers:
        outputs = layer(outputs)
    return keras.Model(inputs, outputs)


def watched(model, x, y, directory, loss="mse", epochs=2, **options):
    """The event files of a short fit, and the view."""
    model.compile(keras.optimizers.SGD(0.1), loss)
    view = kv.Predictions(directory, (x, y), on_error="raise", **options)
    fit(model, x, y, [view], epochs)
    return runs(directory)["views/validation"], view


def measured(kind, model, x, y, *found, memory=None):
    """What one kind of predictions shows of these values in place of the outputs of a model."""
    model.compile("sgd", "mse")
    probes, readers = {"validation": Probe((x, y))}, {"validation": Reader(model, x)}
    outputs = outputs_of(readers, probes, ProbeDisplay(probes, None, {"validation": x}), Options())
    one = kind(*outputs[: len(found)])
    captured = {capture: Captured(values) for capture, values in zip(one.captures, found, strict=True)}
    return one.measure(captured, "validation", memory or Memory())


# Masks.

SPARSE = "sparse_categorical_crossentropy"
OF_LOGITS = K.SparseCategoricalCrossentropy(from_logits=True)
IGNORING = K.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
MASKS = {  # y, activation, channels, loss, options, the metric
    "softmax": (LEVELS, "softmax", 4, SPARSE, {}, M.MeanIoU(4)),
    "logits": (LEVELS, None, 4, OF_LOGITS, {}, M.MeanIoU(4)),
    "a channel axis": (LEVELS[..., None], None, 4, OF_LOGITS, {}, M.MeanIoU(4)),
    "one-hot": (np.eye(4)[LEVELS], "softmax", 4, "categorical_crossentropy", {}, M.MeanIoU(4)),
    "one-hot, a sigmoid each": (np.eye(4)[LEVELS], "sigmoid", 4, "binary_crossentropy", {}, M.MeanIoU(4)),
    "25 classes": (LEVELS + 20, "softmax", 25, SPARSE, {}, M.MeanIoU(25)),
    "an ignored class of the loss": (IGNORED, None, 4, IGNORING, {}, M.MeanIoU(4, ignore_class=255)),
    "an ignored class by name": (LEVELS, "softmax", 4, SPARSE, {"ignore_class": 0}, M.MeanIoU(4, ignore_class=0)),
    "one sigmoid": (BIT, "sigmoid", 1, "binary_crossentropy", {}, M.BinaryIoU([0, 1], 0.5)),
    "one logit": (BIT, None, 1, K.BinaryCrossentropy(from_logits=True), {}, M.BinaryIoU([0, 1], 0.0)),
    "whole numbers of a sigmoid": (BIT.astype(int), "sigmoid", 1, "mse", {}, M.BinaryIoU([0, 1], 0.5)),
}


@pytest.mark.parametrize("case", quick(MASKS, "an ignored class of the loss", "one logit"))
def test_mean_iou_is_that_of_keras_metrics_and_colours_are_those_of_the_class_numbers(case, tmp_path):
    y, activation, channels, loss, options, metric = MASKS[case]
    keras.utils.set_random_seed(1)
    model = conv(channels, activation)
    logged, _ = watched(model, X, y, tmp_path, loss, **options)
    output = model(X).numpy()
    classes = output.argmax(axis=-1) if channels > 1 else output[..., 0] >= (0.0 if case == "one logit" else 0.5)
    true = y.argmax(axis=-1) if case.startswith("one-hot") else y.reshape(LEVELS.shape).astype(int)
    metric.update_state(true[..., None], output if channels == 1 else classes[..., None])
    assert logged.scalars["predictions/mean_iou"][1] == pytest.approx(float(metric.result()), abs=1e-6)
    assert ("predictions/iou/class 3" in logged.scalars) == (channels == 4)
    picture = logged.picture("predictions/out", 1)
    colours = class_colours(max(channels, 2))
    assert len(np.unique(colours, axis=0)) == len(colours)
    ignored = options.get("ignore_class", getattr(loss, "ignore_class", -1))
    for row in range(len(X)):
        np.testing.assert_array_equal(cells(picture, row, 2), colours[classes[row].astype(int)])
        known = true[row] != ignored
        shown = cells(picture, row, 1)
        np.testing.assert_array_equal(shown[known], colours[true[row][known]])
        assert not (shown[~known][:, None] == colours).all(axis=-1).any(), "what is no class has no class' colour"


SEVERAL = (X > [0.5, 0.7, 0.2]).astype(np.float32)
SEVERAL_UNKNOWN = np.where(X[..., :1] > 0.9, -1, SEVERAL)
OVERLAPPING = {  # y, activation, loss
    "sigmoids": (SEVERAL, "sigmoid", "binary_crossentropy"),
    "logits": (SEVERAL, None, K.BinaryCrossentropy(from_logits=True)),
    "not known": (SEVERAL_UNKNOWN, "sigmoid", "mse"),
}


@pytest.mark.parametrize("case", quick(OVERLAPPING, "sigmoids"))
def test_overlapping_masks_have_the_iou_of_each_channel_and_mixed_colours(case, tmp_path):
    y, activation, loss = OVERLAPPING[case]
    keras.utils.set_random_seed(2)
    model = conv(3, activation)
    logged, _ = watched(model, X, y, tmp_path, loss)
    found, by_label = model(X).numpy() >= (0.5 if activation else 0.0), []
    for label in range(3):
        known, metric = y[..., label] >= 0, M.BinaryIoU([1], 0.5)
        metric.update_state(y[..., label][known], found[..., label][known].astype(float))
        by_label.append(float(metric.result()))
        assert logged.scalars[f"predictions/iou/class {label}"][1] == pytest.approx(by_label[-1], abs=1e-6)
    assert 0 < np.mean(by_label) < 1
    assert logged.scalars["predictions/mean_iou"][1] == pytest.approx(np.mean(by_label), abs=1e-6)
    picture, colours = logged.picture("predictions/out", 1), class_colours(3).astype(float)
    for row in range(len(X)):
        known = (y[row] >= 0).all(axis=-1)
        for column, labels in ((1, y[row] > 0), (2, found[row])):
            count = labels.sum(axis=-1, keepdims=True)
            mixed = np.where(count > 0, np.rint(labels @ colours / np.maximum(count, 1)), GROUND)
            where = known if column == 1 else np.full(known.shape, True)
            np.testing.assert_array_equal(cells(picture, row, column)[where], mixed[where])
        wrong = (found[row] != (y[row] > 0)).any(axis=-1)
        np.testing.assert_array_equal((cells(picture, row, 3) == WRONG).all(axis=-1)[known], wrong[known])


def cells(picture, row, column, cell=6, side=16):
    """One pixel of each cell of a tile of 16x16 cells: see `tile_size` for their size."""
    top, left = corner(picture, row, column)
    return picture[top + 2 : top + cell * side : cell, left + 2 : left + cell * side : cell]


def corner(picture, row, column):
    """Where a tile begins: two groups of four tiles of 96 pixels beside each other."""
    first = next(y for y in range(picture.shape[0]) if (picture[y, 12:90] == (208, 213, 219)).all())
    down = 96 + 2 + (20 if has_scores(picture, first) else 4)
    return first + 1 + (row // 2) * down, 13 + (row % 2) * 410 + column * 100


def has_scores(picture, first):
    """Whether the next row of tiles begins after a line of text."""
    return not (picture[first + 102, 12:90] == (208, 213, 219)).all()


@pytest.mark.slow
def test_an_output_of_another_size_than_the_input(tmp_path):
    small = LEVELS[:, ::2, ::2]
    logged, _ = watched(conv(4, "softmax", before=[L.MaxPooling2D()]), X, small, tmp_path, SPARSE)
    assert 0 < logged.scalars["predictions/mean_iou"][1] < 1
    volume = np.stack([X] * 4, axis=1)
    inputs = keras.Input(volume.shape[1:])
    model = keras.Model(inputs, L.Conv3D(4, 1, activation="softmax", name="out")(inputs))
    logged, _ = watched(model, volume, np.stack([LEVELS] * 4, axis=1), tmp_path / "volumes", SPARSE)
    assert 0 < logged.scalars["predictions/mean_iou"][1] < 1


@given(
    arrays(np.int64, (3, 5, 5), elements=st.integers(-1, 4)), arrays(np.int64, (3, 5, 5), elements=st.integers(0, 3))
)
def test_iou_laws(true, predicted):
    known = (true >= 0) & (true < 4)
    counts = confusion(true, predicted, 4)
    assert counts.sum() == known.sum()
    found = iou_by_class(counts)
    for number in range(4):
        both = (known & (true == number) & (predicted == number)).sum()
        either = (known & ((true == number) | (predicted == number))).sum()
        assert (np.isnan(found[number]) and not either) or found[number] == pytest.approx(both / max(either, 1))
    assert np.isnan(mean_iou(counts)) == (not known.any())
    assert mean_iou(counts, of_true=True) == pytest.approx(
        np.mean([found[number] for number in range(4) if (true == number).any()] or [np.nan]), nan_ok=True
    )
    order = np.array([2, 0, 1])
    np.testing.assert_array_equal(confusion(true[order], predicted[order], 4), counts)


def test_below_a_row_a_class_that_it_does_not_have_counts_by_the_pixels_it_takes():
    mostly = np.zeros(LEVELS.shape, int)
    mostly[:, 0, 0] = 3
    shown = measured(Masks, conv(4, "softmax"), X, np.zeros_like(LEVELS), mostly)
    assert shown.data[1] == pytest.approx([255 / 256] * 6)
    assert shown.scalars["mean_iou"] == pytest.approx(255 / 512), "as Keras has it"


def test_of_few_classes_each_stands_beside_the_mean_and_what_is_dark_is_in_the_legend(monkeypatch):
    """Of one sigmoid that finds nothing of the right half: the ground has 1/2, what is looked for 0."""
    given, real = [], masks.prediction_rows
    monkeypatch.setattr(masks, "prediction_rows", lambda *a, **options: given.append(options) or real(*a, **options))
    half = np.zeros((6, 16, 16, 1))
    half[:, :, 8:] = 1
    model = conv(1, "sigmoid")
    for weight in model.weights:
        weight.assign(np.zeros(weight.shape) - 1)
    model.compile("sgd", "binary_crossentropy")
    kv.Predictions("logs", (X, half), kind="masks").picture(model)
    assert given[-1]["note"] == "over 6 rows: mean IoU 0.250 (class 0: 0.500, class 1: 0.000)"
    assert given[-1]["scores"] == ["mean IoU 0.25"] * 6
    assert given[-1]["caption"].endswith("each row: mean IoU of its true classes")
    assert given[-1]["keys"][0] == Key("difference: wrong", WRONG)
    kv.Predictions("logs", X, kind="masks").picture(model)
    assert [key.name for key in given[-1]["keys"]] == ["class 0", "class 1"], "nothing to differ from"
    four = measured(Masks, conv(4, "softmax"), X, LEVELS, LEVELS)
    assert four.note == f"mean IoU 1.000 ({', '.join(f'class {number}: 1.000' for number in range(4))})"
    levels = np.arange(6 * 16 * 16).reshape(6, 16, 16) % 7
    assert measured(Masks, conv(7, "softmax"), X, levels, levels).note == "mean IoU of 7 classes 1.000"


# Images and values.


def test_psnr_by_hand():
    assert psnr(0.25, 1.0) == pytest.approx(6.0206, abs=1e-4)
    assert psnr(1.0, 255.0) == pytest.approx(48.1308, abs=1e-4)
    assert psnr(0.0, 1.0) == np.inf
    assert np.isnan(psnr(float("nan"), 1.0))


IMAGES = {
    "enhanced": (X, X**2, []),
    "enlarged": (X, X.repeat(2, 1).repeat(2, 2), [L.UpSampling2D()]),
    "grey": (X[..., :1], X[..., :1] ** 2, []),
    "many channels": (X, np.concatenate([X, X], axis=-1), []),
}


@pytest.mark.parametrize("case", quick(IMAGES, "enlarged"))
def test_psnr_is_that_of_keras(case, tmp_path):
    x, y, before = IMAGES[case]
    model = conv(y.shape[-1], "sigmoid", before=before, x=x)
    logged, _ = watched(model, x, y, tmp_path, kind="images")
    wanted = float(keras.ops.psnr(y, model(x), max_val=1.0))
    assert logged.scalars["predictions/psnr"][1] == pytest.approx(wanted, abs=1e-4)


def test_beside_the_psnr_is_that_of_the_input_itself():
    frames = np.stack([X**2, X], axis=1)
    large = X.repeat(2, 1).repeat(2, 2)
    enlarging = [keras.Input(frames.shape[1:]), L.TimeDistributed(L.Conv2D(3, 1))]
    cases = {
        "denoised": (conv(3), X, X**2, X),
        "enlarged": (conv(3, before=[L.UpSampling2D()]), X, large, keras.ops.image.resize(X, (32, 32))),
        "shrunk": (conv(3, before=[L.MaxPooling2D()]), X, X[:, ::2, ::2], keras.ops.image.resize(X, (8, 8))),
        "next frames": (
            keras.Sequential([keras.Input(frames.shape[1:]), L.TimeDistributed(L.Conv2D(3, 1)), L.Identity()]),
            frames,
            1 - frames,
            frames,
        ),
        "next, enlarged": (
            keras.Sequential([*enlarging, L.Lambda(lambda clips: clips[:, -1]), L.UpSampling2D()]),
            frames,
            large**2,
            keras.ops.image.resize(X, (32, 32)),
        ),
        "other values": (conv(3), 255 * X, X**2, None),
        "coloured": (conv(3, x=X[..., :1]), X[..., :1], X**2, None),
    }

    def check(case):
        model, x, y, copied = cases[case]
        shown = measured(Images, model, x, y, np.zeros_like(y))
        what = {
            "denoised": "the input itself",
            "next frames": "the input itself",
            "next, enlarged": "the last input frame resized bilinearly",
        }.get(case, "the input resized bilinearly")
        wanted = "" if copied is None else f", of {what} {psnr(np.mean((np.asarray(copied) - y) ** 2), 1):.2f} dB"
        drawn, whole = (y[:, -1], " of all frames") if case == "next frames" else (y, "")
        assert shown.note == f"PSNR {psnr(np.mean(np.square(y)), 1):.2f} dB{whole}{wanted}"
        assert shown.data.scores == [f"{psnr(np.mean(np.square(row)), 1):.1f} dB" for row in drawn]

    check_each(cases, check)


def test_a_score_says_how_many_rows_it_is_over(monkeypatch):
    """The score of 20 rows, of which 16 are drawn; and that of the 12 that the probe takes of them."""
    notes, real = [], images.prediction_rows
    monkeypatch.setattr(
        images, "prediction_rows", lambda *a, **options: notes.append(options["note"]) or real(*a, **options)
    )
    x = np.concatenate([X, X[:, ::-1], X[:, :, ::-1], X[:2]])
    y = x.mean(axis=-1, keepdims=True) ** 2
    model = conv(1, x=x)
    model.compile("sgd", "mse")
    for count in (20, 12):
        kv.Predictions("logs", (x, y), count=count, kind="values").picture(model)
        rows = Probe((x, y), count=count).index
        assert len(rows) == count
        assert notes[-1].endswith(f"over {count} rows: MAE {format_number(np.abs(model(x).numpy() - y)[rows].mean())}")


def test_a_disc_on_the_ground_that_is_missed_is_no_error_beyond_the_scale():
    memory = Memory()
    truth = np.stack([np.roll(np.pad(np.ones((4, 4, 3)), ((0, 12), (0, 12), (0, 0))), 2 * row, 0) for row in range(6)])
    measured(Images, conv(3), X, truth, np.zeros_like(truth), memory=memory)
    assert memory.scales == {"out/error": 1}


def test_output_values_outside_the_scale_are_counted_beside_large_differences(monkeypatch):
    notes, real = [], images.prediction_rows
    monkeypatch.setattr(
        images, "prediction_rows", lambda *a, **options: notes.append(options["note"]) or real(*a, **options)
    )
    model = conv(3, x=X)
    model.compile("sgd", "mse")
    model.set_weights([np.zeros_like(one) for one in model.get_weights()])
    for bias in ([0.5, -0.5, 2.0], [0.5, 0.5, 0.5]):
        model.layers[-1].bias.assign(bias)
        kv.Predictions("logs", (X, np.clip(X, 0, 1)), kind="images").picture(model)
    outside = 2 * X[..., 0].size
    assert notes[0].startswith(f"{outside:,} output values beyond the scale   "), notes[0]
    assert "output value" not in notes[1]


def test_images_are_the_pixels_that_were_put_out_whatever_the_step(tmp_path):
    model = conv(3, "sigmoid")
    logged, _ = watched(model, X, X**2, tmp_path)
    picture = logged.picture("predictions/out", 1)
    for row, (x, y, output) in enumerate(zip(X, X**2, model(X).numpy(), strict=True)):
        for column, image in enumerate((x, y, output)):
            np.testing.assert_allclose(cells(picture, row, column), 255 * image, atol=0.6)


@pytest.mark.slow
def test_values_without_a_channel_axis_and_the_mean_absolute_error(tmp_path):
    inputs = keras.Input(X.shape[1:])
    model = keras.Model(inputs, L.Reshape((16, 16), name="out")(L.Conv2D(1, 3, padding="same")(inputs)))
    y = 7 + 3 * X[..., 0]
    logged, view = watched(model, X, y, tmp_path)
    assert view.chosen_summary() == "Predictions"  # what it found belongs to the fit
    assert logged.scalars["predictions/mae"][1] == pytest.approx(np.abs(model(X).numpy() - y).mean(), rel=1e-5)


@pytest.mark.slow
def test_the_last_of_the_frames_of_a_clip(tmp_path):
    clips = DRAWS.random((4, 5, 8, 8, 1)).astype(np.float32)
    inputs = keras.Input(clips.shape[1:])
    model = keras.Model(inputs, L.TimeDistributed(L.Conv2D(1, 1, activation="sigmoid"), name="out")(inputs))
    logged, _ = watched(model, clips, clips[:, ::-1], tmp_path)
    wanted = float(keras.ops.psnr(clips[:, ::-1].copy(), model(clips), max_val=1.0))
    assert logged.scalars["predictions/psnr"][1] == pytest.approx(wanted, abs=1e-4)


# Boxes and points.

WIDE = DRAWS.random((2, 40, 60, 1)).astype(np.float32)
CORNERS = np.array([[[6, 8, 24, 20], [30, 20, 54, 36]], [[10, 4, 40, 30], [2, 30, 20, 38]]], np.float32)
FOUND = np.array([[32, 22, 50, 34], [8, 8, 26, 22]], np.float32)  # in the other order


def constant(values, shape, name, x=WIDE):
    """A model that puts out the same numbers for every input."""
    inputs = keras.Input(x.shape[1:])
    dense = L.Dense(values.size, kernel_initializer="zeros", bias_initializer=lambda *_, **__: values.ravel())
    model = keras.Model(inputs, L.Reshape(shape, name=name)(dense(L.Flatten()(inputs))))
    model.compile(keras.optimizers.SGD(0.0), "mse")
    return model


def extent(tile, colour):
    """Left, top, right and bottom of what has a colour, in pixels of the tile."""
    down, across = np.nonzero((tile == colour).all(axis=-1))
    return [across.min(), down.min(), across.max() + 1, down.max() + 1]


@pytest.mark.slow
def test_boxes_are_where_they_are_in_every_format(tmp_path):
    def check(name):
        def converted(boxes):
            return np.asarray(keras.utils.bounding_boxes.convert_format(boxes, "xyxy", name, height=40, width=60))

        y, found = converted(CORNERS), converted(FOUND)
        np.testing.assert_allclose(to_xyxy(y, name, 40, 60), CORNERS, atol=1e-4)
        view = kv.Predictions(tmp_path / name, (WIDE, y), bounding_box_format=name.upper(), on_error="raise")
        model = constant(found, (2, 4), "boxes")
        fit(model, WIDE, y, [view], 1)
        logged = runs(tmp_path / name)["views/validation"]
        overlaps = []
        for true in CORNERS:
            every = np.asarray(keras.utils.bounding_boxes.compute_iou(true, FOUND, "xyxy"))
            overlaps.append(max(every[0, 0] + every[1, 1], every[0, 1] + every[1, 0]) / 2)
        assert logged.scalars["predictions/mean_iou"][0] == pytest.approx(np.mean(overlaps), abs=1e-5)
        picture = logged.picture("predictions/boxes", 0)
        for row, true in enumerate(CORNERS):
            tile = places(picture, row)
            for colour, boxes in ((TRUE, true), (PREDICTED, FOUND)):
                wanted = np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)]) * 3
                np.testing.assert_allclose(extent(tile, colour), wanted, atol=1)

    check_each([one for one in BOX_FORMATS if one != "rel_center_yxhw"], check)
    swapped = to_xyxy(CORNERS, "rel_center_yxhw", 4, 6)
    np.testing.assert_allclose(swapped, to_xyxy(CORNERS[..., [1, 0, 3, 2]], "rel_center_xywh", 4, 6))


def places(picture, row, size=(120, 180)):
    """A tile of places over the input, three times its size."""
    first = next(y for y in range(picture.shape[0]) if (picture[y, 60:150] == (208, 213, 219)).all())
    left = next(x for x in range(picture.shape[1]) if (picture[first : first + 20, x] == (208, 213, 219)).all())
    left += 1 + row * (size[1] + 14)
    return picture[first + 1 : first + 1 + size[0], left : left + size[1]]


@pytest.mark.slow
def test_boxes_with_scores_in_a_dict_and_fillers(tmp_path):
    inputs = keras.Input(WIDE.shape[1:])
    flat = L.Flatten()(inputs)
    three = np.concatenate([FOUND, [[0, 0, 60, 40]]]).astype(np.float32)

    def bias(values, name, shape):
        dense = L.Dense(values.size, kernel_initializer="zeros", bias_initializer=lambda *_, **__: values.ravel())
        return L.Reshape(shape, name=name)(dense(flat))

    scores = np.array([2.0, 3.0, -4.0], np.float32)
    outputs = {"boxes": bias(three, "boxes", (3, 4)), "scores": bias(scores, "scores", (3, 1))}
    model = keras.Model(inputs, outputs)
    losses = {"boxes": "mse", "scores": K.BinaryCrossentropy(from_logits=True)}
    filled = np.concatenate([CORNERS, np.full((2, 1, 4), -1, np.float32)], axis=1)
    y = {"boxes": filled, "scores": np.array([[1, 1, -1]] * 2, np.float32)[..., None]}
    model.compile(keras.optimizers.SGD(0.0), losses)
    view = recorded(kv.Predictions)(tmp_path, (WIDE, y), on_error="raise")
    assert set(view.pictures(model)) == {"validation/predictions/boxes"}
    fit(model, WIDE, y, [view], 1)
    (shown,) = view.measured["validation", 0].data.values()
    assert shown.note.endswith("of 4 boxes, 2 of scores below 0.5 left out"), "one of three in each of two rows"
    found = runs(tmp_path)["views/validation"].scalars["predictions/mean_iou"][0]
    wanted = np.mean([matched_iou(true.astype(float), FOUND.astype(float)) for true in CORNERS])
    assert found == pytest.approx(wanted, abs=1e-6), "neither fillers nor boxes of low score count"


@pytest.mark.slow
def test_of_a_softmax_of_classes_every_box_counts_where_there_are_as_many_places_as_boxes(tmp_path):
    inputs = keras.Input(WIDE.shape[1:])
    boxes = constant(FOUND, (2, 4), "boxes")(inputs)
    classes = L.Reshape((2, 3), name="classes")(L.Dense(6, kernel_initializer="zeros")(L.Flatten()(inputs)))
    model = keras.Model(inputs, {"boxes": boxes, "classes": classes})
    model.compile(keras.optimizers.SGD(0.0), {"boxes": "mse", "classes": OF_LOGITS})
    y = {"boxes": CORNERS, "classes": np.array([[0, 1], [2, 1]])}
    fit(model, WIDE, y, [kv.Predictions(tmp_path, (WIDE, y), on_error="raise")], 1)
    found = runs(tmp_path)["views/validation"].scalars
    wanted = np.mean([matched_iou(true.astype(float), FOUND.astype(float)) for true in CORNERS])
    assert found["predictions/mean_iou"][0] == pytest.approx(wanted, abs=1e-6)


@given(arrays(np.float64, (3, 4), elements=st.floats(0, 9)), arrays(np.float64, (4, 4), elements=st.floats(0, 9)))
def test_the_matching_is_the_best_of_all(one, other):
    one, other = (np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1) for boxes in (one, other))

    def iou(a, b):
        shared = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
        union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
        return shared / union if union > 0 else 0.0

    best = max(
        sum(iou(a, other[k]) for a, k in zip(one, order, strict=True)) for order in itertools.permutations(range(4), 3)
    )
    assert matched_iou(one, other).sum() == pytest.approx(best, abs=1e-9)
    assert len(matched_iou(one, other)) == 4
    assert matched_iou(one, np.zeros((0, 4))).tolist() == [0, 0, 0]


def test_classes_stand_at_boxes_and_are_those_of_the_true_boxes_that_they_overlap():
    found = np.stack([np.concatenate([FOUND, [[-30, -30, -5, -5]]])] * 2)
    inputs = keras.Input(WIDE.shape[1:])
    outputs = {
        "boxes": L.Reshape((3, 4))(L.Dense(12)(L.Flatten()(inputs))),
        "classes": L.Reshape((3, 3))(L.Dense(9)(L.Flatten()(inputs))),
    }
    model, scores = keras.Model(inputs, outputs), np.eye(3)[[[1, 0, 2]] * 2]
    for classes in (np.array([[0, 1], [2, 1]]), np.eye(3)[[[0, 1], [2, 1]]]):
        shown = measured(Boxes, model, WIDE, {"boxes": CORNERS, "classes": classes}, found, scores)
        assert shown.note.endswith("of 6 boxes, class right in 67% of 3 overlapping pairs, 2 outside the image")
        first, second = shown.data[2]
        assert first == [("class 1", False), ("class 0", False), ("class 2", None)]
        assert second == [("class 1", None), ("class 0, true: class 2", True), ("class 2", None)], (
            "of three overlapping pairs"
        )
    shown = measured(Boxes, model, WIDE, {"boxes": CORNERS}, found, scores)
    assert {wrong for row in shown.data[2] for _, wrong in row} == {False}, "no true classes"
    far = {"boxes": CORNERS + np.array([[[0], [0]], [[900], [0]]]), "classes": np.array([[0, 1], [2, 1]])}
    far["boxes"][0, 1] += 900
    shown = measured(Boxes, model, WIDE, far, found, scores)
    assert "of 1 overlapping pair," in shown.note


def test_the_format_is_guessed_from_true_boxes():
    assert guess_format(CORNERS) == "xyxy"
    assert guess_format(CORNERS / 60) == "rel_xyxy"
    assert guess_format([[30, 20, 5, 5], [4, 2, 9, 9]]) == "xywh"
    assert guess_format([[0.5, 0.5, 0.2, 0.1], [-1, -1, -1, -1]]) == "rel_xywh"


def test_four_numbers_may_be_boxes_in_every_format_and_others_are_none():
    draws = np.random.default_rng(2)
    low = draws.uniform(0, [50, 30], (200, 2))
    corners = np.concatenate([low, low + draws.uniform(2, [60, 40] - low)], axis=1)
    corners[7] = -1  # pads
    for name in BOX_FORMATS:
        sides = np.array([60.0, 40.0, 60.0, 40.0]) if name.startswith("rel_") else np.ones(4)
        values, size = corners / sides, (corners[:, 2:] - corners[:, :2]) / sides[:2]
        middle = (corners[:, :2] + corners[:, 2:]) / 2 / sides[:2]
        values = {"xywh": np.hstack([values[:, :2], size]), "center": np.hstack([middle, size])}.get(
            name.removeprefix("rel_").split("_")[0], values
        )
        values = values[:, [1, 0, 3, 2]] if "yx" in name else values
        values[7] = -1
        assert may_be_boxes(values, 40, 60), name
    for other in (draws.normal(size=(200, 4)), draws.random((200, 4)), np.zeros((3, 4)), 1000 * corners):
        assert not may_be_boxes(other, 40, 60)


def test_points_are_where_they_are(tmp_path):
    true = np.array([[[10, 8], [40, 30]], [[20, 20], [50, 10]]], np.float32)
    found = np.array([[16, 16], [44, 22]], np.float32)
    for name, y, values, shape in (
        ("pixels", true, found, (2, 2)),
        ("shares", true / [60, 40], found / [60, 40], (4,)),
        ("a map", (true / [60, 40]).reshape(2, 1, 1, 4), found / [60, 40], (1, 1, 4)),
    ):
        y, model = y.reshape(2, *shape).astype(np.float32), constant(values.astype(np.float32), shape, "out")
        view = kv.Predictions(tmp_path / name, (WIDE, y), kind="points", on_error="raise")
        fit(model, WIDE, y, [view], 1)
        logged = runs(tmp_path / name)["views/validation"]
        wanted = np.linalg.norm(true - found, axis=-1).mean()
        assert logged.scalars["predictions/distance"][0] == pytest.approx(wanted, abs=1e-4)
        tile = places(logged.picture("predictions/out", 0), 0)
        for colour, points in ((TRUE, true[0]), (PREDICTED, found)):
            left, top, right, bottom = extent(tile, colour)
            middle = [left + 2, top + 2, right - 3, bottom - 3]
            np.testing.assert_allclose(middle, [*(3 * points.min(axis=0)), *(3 * points.max(axis=0))], atol=1)


def test_points_outside_the_image_are_counted_with_and_without_truth():
    true = np.array([[[10, 8], [40, 30]], [[20, 20], [50, 10]]], np.float32)
    found = np.array([[[60, 40], [60.5, 20]], [[-1, 10], [np.nan, 99]]], np.float32)  # the first is on the edge
    model = keras.Sequential([keras.Input(WIDE.shape[1:]), L.Flatten(), L.Dense(4), L.Reshape((2, 2))])
    words = "2 of 4 points outside the image"
    assert measured(Points, model, WIDE, true, found).note == words
    found[1, 1] = 50, 10
    mean = np.linalg.norm(found - true, axis=-1).mean()
    assert measured(Points, model, WIDE, true, found).note == f"mean distance {mean:.3g} px, {words}"
    assert measured(Points, model, WIDE, None, found / [60, 40]).note == words
    assert measured(Points, model, WIDE, true, true).note == "mean distance 0 px"


# Series, classes, texts.

SERIES = np.cumsum(DRAWS.normal(size=(6, 24, 3)), axis=1).astype(np.float32)


def test_forecasts_of_one_and_of_all_variables_against_repeating_the_last_value(tmp_path):
    for name, y, shape in (("all", SERIES[:, 18:], (6, 3)), ("second", SERIES[:, 18:, 1], (6,))):
        inputs = keras.Input((18, 3))
        dense = L.Dense(int(np.prod(shape)))(L.Flatten()(inputs))
        model = keras.Model(inputs, L.Reshape(shape, name="out")(dense))
        logged, view = watched(model, SERIES[:, :18], y, tmp_path / name)
        assert logged.scalars["predictions/mae"][1] == pytest.approx(np.abs(model(SERIES[:, :18]) - y).mean(), rel=1e-4)
        assert "predictions/out" in logged.pictures
    assert view.picture(model).shape == logged.picture("predictions/out", 1).shape


def test_the_number_of_a_variable_stands_at_its_curves_where_there_are_several(monkeypatch):
    told = []
    monkeypatch.setattr(series, "write", lambda tile, place, line, **_: told.append((place[1] // 67, line)))
    for y, shape, wanted in (
        (SERIES[:, 18:, :2], (6, 2), [(0, "variable 0"), (1, "variable 1")]),
        (SERIES[:, 18:, 1], (6,), []),
    ):
        inputs = keras.Input((18, 3))
        model = keras.Model(inputs, L.Reshape(shape)(L.Dense(int(np.prod(shape)))(L.Flatten()(inputs))))
        model.compile("sgd", "mse")
        kv.Predictions("logs", (SERIES[:, :18], y), kind="series").picture(model)
        assert told == wanted * 6
        told.clear()


def test_forecasts_beyond_the_scale_are_counted():
    inputs = keras.Input((18, 3))
    model, y = keras.Model(inputs, L.Reshape((6, 3))(L.Dense(18)(L.Flatten()(inputs)))), SERIES[:, 18:]
    found = y.copy()
    found[:2, 3:, 1] = [[1e3], [-1e3]]
    assert measured(Series, model, SERIES[:, :18], y, found).note.startswith("6 values beyond the scale   MAE")
    assert measured(Series, model, SERIES[:, :18], y, y).note.startswith("MAE")


def test_the_channel_that_a_forecast_continues_is_found():
    from kerasviz_callbacks.views.predictions.series import fed_variables

    ahead = SERIES[:, 18:, [2]]
    assert fed_variables(SERIES[:, :18], ahead.astype(float), 1).tolist() == [2]
    assert fed_variables(SERIES[:, :18], None, 3).tolist() == [0, 1, 2]


def test_answers_in_the_order_of_the_first_step(tmp_path):
    y = np.arange(6) % 3
    inputs = keras.Input(X.shape[1:])
    model = keras.Model(inputs, L.Dense(3, name="out")(L.Flatten()(inputs)))
    first = model(X).numpy()
    logged, view = watched(model, X, y, tmp_path, OF_LOGITS, class_names=["red", "green", "blue"])
    sure = np.exp(first - first.max(axis=1, keepdims=True))
    sure = (sure / sure.sum(axis=1, keepdims=True))[np.arange(6), y]
    assert view.memory.per_source["validation"]["out/order"].tolist() == np.argsort(sure).tolist()
    accuracy = (model(X).numpy().argmax(axis=1) == y).mean()
    assert logged.scalars["predictions/accuracy"][1] == pytest.approx(accuracy)


def test_texts_are_a_table_in_the_text_tab(tmp_path):
    ids = DRAWS.integers(1, 5, (4, 6))
    words = np.array(["", "a", "b|c", "<d>", "*e*"])
    model = keras.Sequential([keras.Input((6,), dtype="int64"), L.Embedding(5, 4), L.Dense(5, activation="softmax")])
    model.compile("sgd", SPARSE)
    given = {"kind": "text", "to_text": lambda row: " ".join(words[row if row.ndim == 1 else row.argmax(axis=-1)])}
    fit(model, ids, ids, [kv.Predictions(tmp_path, (ids, ids), on_error="raise", **given)], 2)
    accumulator = EventAccumulator(str(tmp_path / "views" / "validation"), size_guidance={"tensors": 0})
    accumulator.Reload()
    (tag,) = accumulator.Tags()["tensors"]
    assert accumulator.SummaryMetadata(tag).plugin_data.plugin_name == "text"
    events = accumulator.Tensors(tag)
    assert [event.step for event in events] == [-1, 0, 1]
    table = events[-1].tensor_proto.string_val[0].decode().splitlines()
    assert table[0] == "| input | truth | output |"
    assert len(table) == 2 + 4
    assert r"b\|c" in "".join(table)
    assert "<d>" not in "".join(table)


# Truth that is missing, and what is refused.


def test_without_truth_its_columns_are_left_out():
    model = conv(3, "sigmoid")
    model.compile("sgd", "mse")
    four = kv.Predictions("unused", (X, X**2), count=1).picture(model)
    two = kv.Predictions("unused", X, count=1).picture(model)
    assert four.shape[1] - 24 - 2 == 4 * 144 + 3 * 4
    assert two.shape[1] < four.shape[1] * 2 / 3


def test_a_y_that_does_not_belong_to_x_is_no_truth_where_no_loss_says_so():
    x = DRAWS.random((16, 8, 8, 3)).astype(np.float32)
    other = DRAWS.random((16, 8, 8, 3)).astype(np.float32)
    assert not belong_together(x, other)
    assert belong_together(x, 1 - x**2)
    assert belong_together(x, x + other)
    model = conv(3, x=x)  # of a train_step of its own
    paired, unpaired = (kv.Predictions("unused", (x, y)).picture(model) for y in (x**2, other))
    assert unpaired.shape[1] != paired.shape[1] or unpaired.shape[0] != paired.shape[0]
    model.compile("sgd", "mse")
    assert kv.Predictions("unused", (x, other)).picture(model).shape == paired.shape, "a loss compares the two"


@pytest.mark.slow
def test_each_of_several_outputs_has_its_picture_and_scalars(tmp_path):
    inputs = keras.Input(X.shape[1:])
    outputs = {
        "mask": L.Conv2D(4, 1, name="mask", activation="softmax")(inputs),
        "depth": L.Conv2D(1, 1, name="depth")(inputs),
        "size": L.Dense(2, name="size")(L.Flatten()(inputs)),
    }
    y = {"mask": LEVELS, "depth": 9 + X[..., :1], "size": 50 + X[:, 0, 0, :2]}
    logged, _ = watched(keras.Model(inputs, outputs), X, y, tmp_path, {"mask": SPARSE, "depth": "mse", "size": "mse"})
    assert set(logged.pictures) == {"predictions/mask", "predictions/depth"}
    assert {"predictions/mask/mean_iou", "predictions/depth/mae"} <= set(logged.scalars)
    assert all(len(logged.descriptions[tag]) > 20 for tag in logged.scalars)


def test_what_cannot_be_shown_is_refused_before_training(tmp_path):
    with pytest.raises(ValueError, match=r"kind='mask': expected \"masks\""):
        kv.Predictions(tmp_path, (X, LEVELS), kind="mask")
    with pytest.raises(ValueError, match=r"bounding_box_format='ltrb': expected \"xyxy\""):
        kv.Predictions(tmp_path, (X, LEVELS), bounding_box_format="ltrb")
    with pytest.raises(TypeError, match="ignore_class='void': expected a class number"):
        kv.Predictions(tmp_path, (X, LEVELS), ignore_class="void")
    with pytest.raises(TypeError, match="to_text='words': expected a callable"):
        kv.Predictions(tmp_path, (X, LEVELS), to_text="words")
    with pytest.raises(ValueError, match='to_text=None: kind="text" needs'):
        kv.Predictions(tmp_path, (X, LEVELS), kind="text")
    model = keras.Sequential([keras.Input(X.shape[1:]), L.Flatten(), L.Dense(2)])
    model.compile("sgd", "mse")
    y = 50 + X[:, 0, 0, :2]
    with pytest.raises(ValueError, match=r"nothing says what its outputs are: \"output\" \(n, 2\); pass \(x, y\)"):
        fit(model, X, y, [kv.Predictions(tmp_path, (X, y))])
    with pytest.raises(ValueError, match=r'kind="masks": no output of model .* \(n, 2\), for inputs \(16, 16, 3\)'):
        fit(model, X, y, [kv.Predictions(tmp_path, (X, y), kind="masks")])


@pytest.mark.slow
def test_training_is_the_same_whatever_is_shown(tmp_path):
    def trained(*callbacks):
        keras.utils.set_random_seed(5)
        model = keras.Sequential([keras.Input(X.shape[1:]), L.Dropout(0.5), L.Conv2D(1, 3, padding="same", name="out")])
        model.compile("sgd", "mse")
        fit(model, X, 9 * X[..., :1], callbacks, 2)
        return model.get_weights()

    plain = trained()
    for kind in (None, "images", "values", "masks"):
        view = kv.Predictions(tmp_path / str(kind), (X, 9 * X[..., :1]), kind=kind, on_error="raise")
        assert same_weights(plain, trained(view))
    assert decoded(runs(tmp_path / "masks")["views/validation"].pictures["predictions/output"][1]).any()
