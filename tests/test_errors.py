"""What can be known before the first batch is raised there, in plain words, whatever `on_error`; nothing is trained.

Here is what needs a model or a disk to be known; what is known when a callback is made is in `test_errors_made.py`,
wrong data in `test_errors_data.py`, the functions in `test_errors_functions.py`.
"""

import keras
import numpy as np
import pytest
from harness import autoencoder
from refused import DATA, UNLABELLED, VALIDATION, Wrong, anywhere, assert_all_refused

import kerasviz_callbacks as kv


def no_pictures():
    """Neither a convolution nor a dense layer on pictures."""
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3, activation="softmax", name="only")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def narrow():
    return autoencoder(codes=1)


def hidden_softmax():
    """The probabilities pass through something that cannot be looked through."""
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(4, 3, name="conv1")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(3, activation="softmax")(x)
    model = keras.Model(inputs, keras.layers.Lambda(lambda p: p / keras.ops.sum(p, axis=-1, keepdims=True))(x))
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def of_pixels():
    """A class for each pixel."""
    inputs = keras.Input((8, 8, 1))
    model = keras.Model(inputs, keras.layers.Conv2D(3, 1, activation="softmax", name="pixels")(inputs))
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def one_number():
    """A regression."""
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.GlobalAveragePooling2D(name="mean")(keras.layers.Conv2D(4, 3, name="conv1")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(1, name="amount")(x))
    model.compile("sgd", "mse")
    return model


def soft_logits():
    """Classes from logits, whose labels may be soft."""
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, name="conv1")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(3, name="logits")(x))
    model.compile("sgd", keras.losses.CategoricalCrossentropy(from_logits=True))
    return model


def unused_layer():
    """A model that holds a layer which it never calls."""

    class Model(keras.Model):
        def __init__(self):
            super().__init__(name="spare")
            self.conv = keras.layers.Conv2D(4, 3, name="conv1")
            self.spare = keras.layers.Conv2D(4, 3, name="spare_conv")
            self.flat, self.answer = keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")

        def call(self, x):
            return self.answer(self.flat(self.conv(x)))

    model = Model()
    model.spare.build((None, 8, 8, 1))
    model(DATA.x[:1])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


BEFORE_THE_FIRST_BATCH = {
    "a wrong layer of Grad-CAM": Wrong(
        anywhere(kv.GradCAM, VALIDATION, layer="con2"), ValueError, ('layer="con2"', "no such layer", '"conv2"')
    ),
    "a wrong layer of activations": Wrong(
        anywhere(kv.ActivationMaps, VALIDATION, layers=["conv1", "con2"]), ValueError, ('layers="con2"', '"conv2"')
    ),
    "a wrong layer of filters": Wrong(
        anywhere(kv.FilterImages, layers=["konv1"]), ValueError, ('layers="konv1"', "no such layer", '"conv1"')
    ),
    "a wrong layer of the codes": Wrong(
        anywhere(kv.LatentTrajectory, VALIDATION, layer="code"),
        ValueError,
        ('layer="code"', '"codes"'),
        autoencoder,
        (DATA.x, DATA.x),
    ),
    "a layer without filters": Wrong(
        anywhere(kv.FilterImages, layers=["mean"]),
        ValueError,
        ('layers="mean"', "GlobalAveragePooling2D", "conv1, conv2"),
    ),
    "a layer that is never called": Wrong(
        anywhere(kv.ActivationMaps, VALIDATION, layers=["spare_conv"]),
        ValueError,
        ('layers="spare_conv"', "unused", "name the layer that contains it"),
        unused_layer,
    ),
    "a call that there is not": Wrong(
        anywhere(kv.ActivationMaps, VALIDATION, layers=["conv2:3"]), ValueError, ('layers="conv2:3"', "1 time")
    ),
    "a layer of another model": Wrong(
        anywhere(kv.GradCAM, VALIDATION, layer=keras.layers.Conv2D(2, 3, name="elsewhere")),
        ValueError,
        ("layer=", "elsewhere", "not a layer of this model"),
    ),
    "true class without labels": Wrong(
        anywhere(kv.GradCAM, UNLABELLED, target="true"),
        ValueError,
        ('target="true"', "validation_data has no labels", "target=None", "(x, y)"),
    ),
    "true class without training labels": Wrong(
        anywhere(kv.GradCAM, VALIDATION, training_data=DATA.x, target="true"),
        ValueError,
        ('target="true"', "training_data has no labels", "target=None"),
    ),
    "labels beyond the model's classes": Wrong(
        anywhere(kv.GradCAM, (DATA.x_val, DATA.y_val + 5), target="true"),
        ValueError,
        ("labels=", "3 classes", "0 to 2"),
    ),
    "a class that the model has not": Wrong(
        anywhere(kv.GradCAM, VALIDATION, target=3), ValueError, ("target=3", "3 classes", "0 to 2")
    ),
    "a class below zero": Wrong(anywhere(kv.GradCAM, VALIDATION, target=-1), ValueError, ("target=-1", "0 to 2")),
    "a score for the whole batch": Wrong(
        anywhere(kv.GradCAM, VALIDATION, target=lambda outputs: keras.ops.sum(outputs)),
        ValueError,
        ("target=", "one number per row", "(n,)"),
    ),
    "a layer without maps": Wrong(
        anywhere(kv.GradCAM, VALIDATION, layer="mean"), ValueError, ('layer="mean"', "(None, 5)", "no maps")
    ),
    "Grad-CAM on a model without maps": Wrong(
        anywhere(kv.GradCAM, (np.ones((6, 5)), np.zeros(6, int))),
        ValueError,
        ("layer=None", '"only"', "use another view"),
        no_pictures,
        (np.ones((8, 5)), np.zeros(8)),
    ),
    "a monitor without labels": Wrong(
        anywhere(kv.OverfittingMonitor, UNLABELLED),
        ValueError,
        ("validation_data: has no labels or targets", "there is no y", "(x, y)"),
    ),
    "a monitor without training labels": Wrong(
        anywhere(kv.OverfittingMonitor, VALIDATION, training_data=DATA.x),
        ValueError,
        ("training_data: has no labels or targets", "there is no y", "(x, y)"),
    ),
    "a monitor with labels of floats": Wrong(
        anywhere(kv.OverfittingMonitor, (DATA.x_val, np.full((12, 3), 0.3))),
        ValueError,
        ("validation_data: has no labels or targets", "float64 of shape (12, 3)", "one-hot rows"),
    ),
    "a monitor with labels beyond the model's classes": Wrong(
        anywhere(kv.OverfittingMonitor, (DATA.x_val, DATA.y_val + 5)),
        ValueError,
        ("validation_data: holds class 7", "3 classes", "0 to 2"),
    ),
    "a monitor of features that are not there": Wrong(
        anywhere(kv.OverfittingMonitor, VALIDATION, features="men"),
        ValueError,
        ('features="men"', "no such layer", '"mean"'),
    ),
    "a monitor of logits and soft labels": Wrong(
        anywhere(kv.OverfittingMonitor, (DATA.x_val, np.full((12, 3), 1 / 3, np.float32))),
        ValueError,
        ("validation_data: has no labels or targets", "y holds soft labels", "y.argmax(-1)"),
        soft_logits,
        (DATA.x, np.full((36, 3), 1 / 3, np.float32)),
    ),
    "a monitor of an unknown layer of a regression": Wrong(
        anywhere(kv.OverfittingMonitor, (DATA.x_val, DATA.x_val.mean(axis=(1, 2, 3))), features="men"),
        ValueError,
        ('features="men"', "no such layer"),
        one_number,
        (DATA.x, DATA.x.mean(axis=(1, 2, 3))),
    ),
    "a monitor of maps that are none": Wrong(
        anywhere(kv.OverfittingMonitor, VALIDATION, layer="mean"), ValueError, ('layer="mean"', "no maps")
    ),
    "a monitor of pixels": Wrong(
        anywhere(kv.OverfittingMonitor, (DATA.x_val, np.zeros((12, 8, 8), int))),
        ValueError,
        ("it predicts one class per position", "(None, 8, 8, 3)", "GradCAM"),
        of_pixels,
        (DATA.x, np.zeros((36, 8, 8), int)),
    ),
    "a monitor of a softmax that is hidden": Wrong(
        anywhere(kv.OverfittingMonitor, VALIDATION),
        ValueError,
        ('score="logits"', "no softmax was found", 'score="output"'),
        hidden_softmax,
    ),
    "a softmax that is hidden": Wrong(
        anywhere(kv.GradCAM, VALIDATION),
        ValueError,
        ('score="logits"', "no softmax was found", 'score="output"'),
        hidden_softmax,
    ),
    "filters of a model that has none": Wrong(
        anywhere(kv.FilterImages),
        ValueError,
        ("layers=None", "neither a convolution nor a dense layer", "leave FilterImages out", "only"),
        no_pictures,
        (np.ones((8, 5)), np.zeros(8)),
    ),
    "codes of a model that does not reconstruct": Wrong(
        anywhere(kv.LatentTrajectory, VALIDATION), ValueError, ("layer=None", "(8, 8, 1)", "pass the encoder model")
    ),
    "codes of one dimension": Wrong(
        anywhere(kv.LatentTrajectory, VALIDATION),
        ValueError,
        ('layer="codes"', "1 dimension", "at least 2", "wider layer"),
        narrow,
        (DATA.x, DATA.x),
    ),
    "a wrong layer within a visualizer": Wrong(
        lambda where, **options: kv.Visualizer(
            where, VALIDATION, views=["FilterImages", kv.GradCAM(where, VALIDATION, layer="con2", **options)]
        ),
        ValueError,
        ('layer="con2"', '"conv2"'),
    ),
    "a callable score that raises": Wrong(
        anywhere(kv.GradCAM, VALIDATION, target=lambda outputs: outputs["answer"]),
        ValueError,
        ("target=<callable>", "raised", "outputs of shape", "one number per row"),
    ),
    "a callable score that gives nothing": Wrong(
        anywhere(kv.GradCAM, VALIDATION, target=lambda outputs: None),
        ValueError,
        ("target=<callable>", "one number per row", "NoneType"),
    ),
    "a callable score that gives text": Wrong(
        anywhere(kv.Attribution, VALIDATION, target=lambda outputs: "cat"),
        ValueError,
        ("target=<callable>", "one number per row", "string"),
    ),
    "a class of thirty digits": Wrong(
        anywhere(kv.GradCAM, VALIDATION, target=10**30), ValueError, (f"target={10**30}", "0 to 2")
    ),
    "a call of thousands of digits": Wrong(
        anywhere(kv.ActivationMaps, VALIDATION, layers=["conv1:" + "9" * 5000]),
        ValueError,
        ('layers="conv1:99', "no such layer", '"conv1"'),
    ),
    "None among layers": Wrong(
        anywhere(kv.ActivationMaps, VALIDATION, layers=["conv1", None]),
        TypeError,
        ("layers=None", "a layer's name or path", "NoneType"),
    ),
    "a layer's class": Wrong(
        anywhere(kv.GradCAM, VALIDATION, layer=keras.layers.Dense), TypeError, ("layer=", "name or path", "got type")
    ),
    "a coefficient's layer without a kernel": Wrong(
        anywhere(kv.Coefficients, layer="mean"), ValueError, ('layer="mean"', "no kernel", "conv1, conv2")
    ),
    "a patch larger than the picture": Wrong(
        anywhere(kv.Attribution, VALIDATION, method="occlusion", patch=9),
        ValueError,
        ("patch=9", "larger than the positions (8, 8)", "pass at most that"),
    ),
    "a stride larger than the patch": Wrong(
        anywhere(kv.Attribution, VALIDATION, method="occlusion", patch=2, stride=3),
        ValueError,
        ("stride=3", "larger than the patch (2, 2)", "pass at most that"),
    ),
    "a patch of three axes": Wrong(
        anywhere(kv.Attribution, VALIDATION, method="occlusion", patch=(2, 2, 2)),
        ValueError,
        ("patch=(2, 2, 2)", "one for each of the 2 axes"),
    ),
    "a baseline of another shape": Wrong(
        anywhere(kv.Attribution, VALIDATION, baseline=np.zeros((3, 3))),
        ValueError,
        ("baseline", "(8, 8, 1)", "got (3, 3)", "np.broadcast_to"),
    ),
    "a baseline of another input": Wrong(
        anywhere(kv.Attribution, VALIDATION, baseline={"depth": 0.0}),
        ValueError,
        ("baseline", "['depth']", "inputs are ['input']"),
    ),
    "a method of one's own that raises": Wrong(
        anywhere(kv.Attribution, VALIDATION, method=lambda model: model),
        ValueError,
        ("method=<callable>", "raised TypeError", "(model, inputs, targets)"),
    ),
    "a method of one's own that gives nothing": Wrong(
        anywhere(kv.Attribution, VALIDATION, method=lambda model, inputs, targets: None),
        ValueError,
        ("method", "returned object of shape ()", "expected numbers (12, 8, 8)"),
    ),
    "a method of one's own that gives lists of unequal length": Wrong(
        anywhere(kv.Attribution, VALIDATION, method=lambda model, inputs, targets: [[1.0], [1.0, 2.0]]),
        ValueError,
        ("method", "returned object", "expected numbers (12, 8, 8)"),
    ),
    "a method of one's own that names other inputs": Wrong(
        anywhere(kv.Attribution, VALIDATION, method=lambda model, inputs, targets: {"depth": inputs}),
        ValueError,
        ("method", "['depth']", "inputs are ['input']"),
    ),
    "a log directory without a name": Wrong(
        lambda where, **options: kv.FilterImages("", **options), ValueError, ("log_dir=''", "name a directory")
    ),
    "a log directory with a NUL": Wrong(
        lambda where, **options: kv.FilterImages(f"{where}/a\0b", **options),
        ValueError,
        ("log_dir=", "\\x00", "name a directory"),
    ),
    "a log directory with half a character": Wrong(
        lambda where, **options: kv.FilterImages(f"{where}/\ud800", **options),
        ValueError,
        ("log_dir=", "\\ud800", "name a directory"),
    ),
    "a save_dir with a NUL": Wrong(
        lambda where, **options: kv.FilterImages(where, save_dir="a\0b", **options),
        ValueError,
        ("save_dir='a\\x00b'", "name a directory"),
    ),
    "a log directory with too long a name": Wrong(
        lambda where, **options: kv.FilterImages(where / ("x" * 300), **options),
        OSError,
        ('log_dir="', "File name too long", "pass a directory"),
    ),
    "a save_dir that is a file": Wrong(
        lambda where, **options: kv.FilterImages(where, save_dir=file_in(where), **options),
        NotADirectoryError,
        ("save_dir=", "a_file", "is a file", "pass a directory"),
    ),
    "an instance with an unwritable directory": Wrong(
        lambda where, **options: kv.Visualizer(
            where, VALIDATION, views=["ActivationMaps", kv.FilterImages(file_in(where) / "x", **options)]
        ),
        NotADirectoryError,
        ("log_dir=", "a_file/x", "pass a directory"),
    ),
    "a named view of data without data": Wrong(
        anywhere(kv.Visualizer, views=["GradCAM"]), ValueError, ("validation_data=None", "GradCAM", "(x, y)")
    ),
    "a remote log directory": Wrong(
        lambda where, **options: kv.FilterImages("gs://bucket/logs", **options),
        ValueError,
        ("log_dir='gs://bucket/logs'", "remote", "local directory"),
    ),
    "a remote save_dir": Wrong(
        lambda where, **options: kv.FilterImages(where, save_dir="s3://bucket/x", **options),
        ValueError,
        ("save_dir='s3://bucket/x'", "remote", "local directory"),
    ),
    "a log directory below a file": Wrong(
        lambda where, **options: kv.FilterImages(file_in(where) / "logs", **options),
        NotADirectoryError,
        ("log_dir=", "a_file/logs", "cannot be written", "pass a directory"),
    ),
    "a log directory that is a file": Wrong(
        lambda where, **options: kv.FilterImages(file_in(where), **options),
        NotADirectoryError,
        ("log_dir=", "a_file", "is a file", "pass a directory"),
    ),
    "a log directory in /proc": Wrong(
        lambda where, **options: kv.FilterImages("/proc/logs", **options),
        OSError,
        ('log_dir="/proc/logs"', "cannot be written", "pass a directory"),
    ),
    "a save_dir below a file": Wrong(
        lambda where, **options: kv.FilterImages(where, save_dir=file_in(where) / "x", **options),
        NotADirectoryError,
        ("save_dir=", "a_file/x", "pass a directory"),
    ),
    "a visualizer's log directory below a file": Wrong(
        lambda where, **options: kv.Visualizer(file_in(where) / "logs", VALIDATION, **options),
        NotADirectoryError,
        ("log_dir=", "a_file/logs", "pass a directory"),
    ),
}


def file_in(where):
    where.mkdir(exist_ok=True)
    path = where / "a_file"
    path.touch()
    return path


@pytest.mark.fault(
    "wrong requests to callbacks", "the right error with its words, before the first batch, whatever `on_error`"
)
def test_it_raises_before_the_first_batch(tmp_path):
    assert_all_refused(BEFORE_THE_FIRST_BATCH, tmp_path)
