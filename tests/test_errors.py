"""What can be known before the first batch is raised there, in plain words, whatever `on_error`; nothing is trained."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import keras
import numpy as np
import pytest
from harness import autoencoder, classifier, fit, pictures, same_weights

import kerasviz_callbacks as kv

DATA = pictures()
VALIDATION = (DATA.x_val, DATA.y_val)
UNLABELLED = DATA.x_val


class Begun(keras.callbacks.Callback):
    """Records that a batch began."""

    batches = 0

    def on_train_batch_begin(self, batch, logs=None):
        self.batches += 1


def no_pictures():
    """Neither a convolution nor a dense layer on pictures."""
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3, activation="softmax", name="only")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def no_kernels():
    """Weights, but no kernel among them."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.BatchNormalization(), keras.layers.Softmax()])
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


@dataclass(frozen=True)
class Wrong:
    """A wrong request: what makes it, the error, and words that must be in it: argument, value, remedy."""

    make: Callable[..., keras.callbacks.Callback]
    error: type[Exception]
    words: tuple[str, ...]
    model: Callable[[], keras.Model] = classifier
    data: tuple = field(default=(DATA.x, DATA.y))


def anywhere(view, *args, **given):
    return lambda where, **options: view(where, *args, **{**given, **options})


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
        ('layers="spare_conv"', "unused", "name the layer that holds it"),
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
        ("target=", "one number a row", "(n,)"),
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
    "fewer names than classes": Wrong(
        anywhere(kv.GradCAM, VALIDATION, class_names=["a", "b"]),
        ValueError,
        ("class_names", "2 names", "label 2", "at least 3"),
    ),
    "data that are no data": Wrong(
        anywhere(kv.ActivationMaps, "pictures.npz"), TypeError, ("validation_data", "pictures.npz")
    ),
    "x and y of different lengths": Wrong(
        anywhere(kv.GradCAM, (DATA.x_val, DATA.y_val[:-1])), ValueError, ("validation_data", "12", "11")
    ),
    "empty data": Wrong(anywhere(kv.GradCAM, DATA.x_val[:0]), ValueError, ("validation_data", "at least one sample")),
    "a count beside a probe": Wrong(
        anywhere(kv.GradCAM, kv.Probe(DATA.x_val, DATA.y_val, count=4), count=5),
        ValueError,
        ("count=5", "beside a Probe", "kv.Probe"),
    ),
    "pictures that the model cannot be fed": Wrong(
        anywhere(kv.GradCAM, (np.ones((4, 6, 6, 3), np.float32), np.zeros(4, int))),
        ValueError,
        ("validation_data", "8, 8, 1)", "6, 6, 3)", "as the model is fed"),
    ),
    "training pictures that the model cannot be fed": Wrong(
        anywhere(kv.GradCAM, VALIDATION, training_data=np.ones((4, 6, 6, 3), np.float32)),
        ValueError,
        ("training_data", "8, 8, 1)", "as the model is fed"),
    ),
    "no view fits": Wrong(
        anywhere(kv.Visualizer),
        ValueError,
        ("views=None", "no view fits", "without validation_data", "FilterImages"),
        no_kernels,
        (np.ones((8, 3)), np.zeros(8)),
    ),
    "a wrong layer within a visualizer": Wrong(
        lambda where, **options: kv.Visualizer(
            where, VALIDATION, views=["FilterImages", kv.GradCAM(where, VALIDATION, layer="con2", **options)]
        ),
        ValueError,
        ('layer="con2"', '"conv2"'),
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


@pytest.mark.parametrize("case", list(BEFORE_THE_FIRST_BATCH))
@pytest.mark.parametrize("on_error", ["warn", "raise"])
def test_it_raises_before_the_first_batch(case, on_error, tmp_path):
    wrong = BEFORE_THE_FIRST_BATCH[case]
    model, begun = wrong.model(), Begun()
    before = model.get_weights()
    callback = wrong.make(tmp_path, on_error=on_error)
    with pytest.raises(wrong.error) as raised:
        fit(model, *wrong.data, [begun, callback], epochs=1)
    assert type(raised.value) is wrong.error or wrong.error is OSError
    for words in wrong.words:
        assert words in str(raised.value)
    assert begun.batches == 0
    assert same_weights(model.get_weights(), before)
    assert not list(tmp_path.rglob("*tfevents*"))


WHEN_MADE = {
    "freq of 0": (kv.FilterImages, {"freq": 0}, ValueError, ("freq=0", "at least 1")),
    "freq of True": (kv.FilterImages, {"freq": True}, TypeError, ("freq=True", "whole number", "bool")),
    "freq of 1.5": (kv.FilterImages, {"freq": 1.5}, TypeError, ("freq=1.5", "whole number", "float")),
    "freq as text": (kv.FilterImages, {"freq": "epoch"}, TypeError, ("freq='epoch'", "whole number")),
    "start before 0": (
        kv.FilterImages,
        {"start_from_epoch": -1},
        ValueError,
        ("start_from_epoch=-1", "at least 0"),
    ),
    "another on_error": (
        kv.FilterImages,
        {"on_error": "ignore"},
        ValueError,
        ("on_error='ignore'", '"warn"', '"raise"'),
    ),
    "a log_dir of None": (kv.FilterImages, {"log_dir": None}, TypeError, ("log_dir=None", "a path")),
    "a save_dir of 3": (kv.FilterImages, {"save_dir": 3}, TypeError, ("save_dir=3", "a path")),
    "an unknown argument": (kv.FilterImages, {"epochs": 3}, TypeError, ("epochs",)),
    "an unknown argument of Grad-CAM": (kv.GradCAM, {"layers": ["conv1"]}, TypeError, ("layers",)),
    "an unknown argument of the visualizer": (kv.Visualizer, {"layer": "conv1"}, TypeError, ("layer", "freq", "count")),
    "layers as one name": (kv.FilterImages, {"layers": "conv"}, TypeError, ("layers='conv'", "['conv']")),
    "layers as one name, activations": (
        kv.ActivationMaps,
        {"layers": "conv"},
        TypeError,
        ("layers='conv'", "['conv']"),
    ),
    "no layers": (kv.FilterImages, {"layers": []}, ValueError, ("layers=[]", "at least one")),
    "no layers, activations": (kv.ActivationMaps, {"layers": []}, ValueError, ("layers=[]", "at least one")),
    "other channels": (kv.FilterImages, {"channels": "all"}, ValueError, ("channels='all'", '"each"', '"norm"')),
    "another reference": (kv.FilterImages, {"relative_to": "last"}, ValueError, ("relative_to='last'", '"first"')),
    "no data": (kv.GradCAM, {"validation_data": None}, ValueError, ("validation_data=None", "(x, y)")),
    "no data, activations": (kv.ActivationMaps, {"validation_data": None}, ValueError, ("validation_data=None",)),
    "no data, codes": (kv.LatentTrajectory, {"validation_data": None}, ValueError, ("validation_data=None",)),
    "a count of 0": (kv.GradCAM, {"count": 0}, ValueError, ("count", "at least 1", "0")),
    "a count of 2.5": (kv.GradCAM, {"count": 2.5}, TypeError, ("count", "2.5", "whole number")),
    "a display that is no function": (kv.GradCAM, {"display": "grey"}, TypeError, ("display='grey'", "callable")),
    "another method": (kv.GradCAM, {"method": "gradcam"}, ValueError, ("method='gradcam'", "'grad_cam'")),
    "another score": (kv.GradCAM, {"score": "probs"}, ValueError, ("score='probs'", '"logits"', '"output"')),
    "a target as text": (kv.GradCAM, {"target": "cat"}, TypeError, ("target='cat'", '"true"', "a class (int)")),
    "a target of 1.5": (kv.GradCAM, {"target": 1.5}, TypeError, ("target=1.5", "a class (int)")),
    "a target of True": (kv.GradCAM, {"target": True}, TypeError, ("target=True", "a class (int)")),
    "views as one name": (kv.Visualizer, {"views": "GradCAM"}, TypeError, ("views='GradCAM'", "a list")),
    "an unknown view": (kv.Visualizer, {"views": ["GradCam"]}, ValueError, ("'GradCam'", "GradCAM")),
    "a view that is none": (kv.Visualizer, {"views": [3]}, TypeError, ("views", "3", "GradCAM")),
    "no views": (kv.Visualizer, {"views": []}, ValueError, ("views=[]", "at least one")),
    "training data alone": (
        kv.Visualizer,
        {"validation_data": None, "training_data": DATA.x},
        ValueError,
        ("training_data", "without validation_data", "pass both"),
    ),
    "freq of a visualizer": (kv.Visualizer, {"freq": 0}, ValueError, ("freq=0", "at least 1")),
    "count of a visualizer": (kv.Visualizer, {"count": 0}, ValueError, ("count", "at least 1")),
}


@pytest.mark.parametrize("case", list(WHEN_MADE))
def test_it_raises_when_the_callback_is_made(case):
    view, given, error, words = WHEN_MADE[case]
    data = {} if view is kv.FilterImages else {"validation_data": VALIDATION}
    with pytest.raises(error) as raised:
        view(**{"log_dir": "logs", **data, **given})
    assert type(raised.value) is error
    for word in words:
        assert re.search(re.escape(word), str(raised.value)), raised.value
