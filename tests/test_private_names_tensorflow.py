"""Without any one of TensorFlow's private names a fit ends as ever, and the warning says what is missing."""

import re
import warnings
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from harness import classifier, pictures, runs

import kerasviz_callbacks as kv
from kerasviz_callbacks import _autodiff
from kerasviz_callbacks._autodiff import tensorflow_private
from kerasviz_callbacks._autodiff.tensorflow_private import PRIVATE_NAMES, private

DATA = pictures()


class Drawing(keras.layers.Layer):
    """Draws from numpy's global state in a Python function."""

    def call(self, x):
        factor = tf.numpy_function(lambda: np.float32(1 + 0.1 * np.random.rand()), [], tf.float32)  # noqa: NPY002
        return x * tf.ensure_shape(factor, ())


def plain():
    return classifier()


def eager():
    return classifier(run_eagerly=True)


def drawing():
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(4, 3, activation="relu", name="conv1")(Drawing()(inputs))
    outputs = keras.layers.Dense(3, activation="softmax", name="answer")(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


# A model of which each name is asked.
MODELS = {
    "get_gradient_function": plain,
    "context": eager,
    "_seed": eager,
    "_rng": eager,
    "captures": plain,
    "_dataset": drawing,
    "_inputs": drawing,
    "_functions": drawing,
}
OF_SAMPLING = {"gen_random_ops"}  # asked by GeneratedImages alone, and tested with it


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(PRIVATE_NAMES) - OF_SAMPLING))
def test_a_fit_ends_without_it_and_the_user_is_told_once(name, tmp_path, monkeypatch):
    keras.utils.set_random_seed(3)
    model = MODELS[name]()
    known = PRIVATE_NAMES[name]
    monkeypatch.setattr(tensorflow_private, "_warned", set())
    monkeypatch.setitem(PRIVATE_NAMES, name, replace(known, attribute=f"{known.attribute}_that_is_gone"))
    data = tf.data.Dataset.from_tensor_slices((DATA.x, DATA.y)).batch(12)
    views = kv.Visualizer(tmp_path, (DATA.x_val, DATA.y_val), training_data=(DATA.x, DATA.y), count=4)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        history = model.fit(data, epochs=2, verbose=0, callbacks=[views])
    assert len(history.history["loss"]) == 2
    told = [str(one.message) for one in caught if "kerasviz" in str(one.message)]
    assert len(told) == 1, told
    assert re.search(f"this TensorFlow has no .*{name}_that_is_gone: {re.escape(known.without)}", told[0])
    found = runs(tmp_path)
    assert set(found) == {"views/model", "views/validation", "views/train"}
    for run in found.values():
        assert run.pictures
        assert all(list(steps) == [-1, 0, 1] for steps in run.pictures.values()), "every view is drawn at every step"


def test_this_tensorflow_has_all_of_them():
    tf.random.set_seed(1)
    context = private("context")()
    graph = tf.function(lambda x: x).get_concrete_function(1).graph
    iterator = iter(tf.data.Dataset.range(2))
    owners = {"_seed": context, "_rng": context, "captures": graph, "_dataset": iterator, "context": None}
    owners |= {"_inputs": iterator._dataset, "_functions": iterator._dataset, "get_gradient_function": None}
    owners["gen_random_ops"] = None
    assert set(owners) == set(PRIVATE_NAMES)
    for name, owner in owners.items():
        assert private(name, owner) is not None, name


def test_a_module_that_is_gone_is_told_once(monkeypatch):
    monkeypatch.setattr(tensorflow_private, "_warned", set())
    monkeypatch.setitem(PRIVATE_NAMES, "context", replace(PRIVATE_NAMES["context"], owner="tensorflow.gone"))
    with pytest.warns(UserWarning, match=r"this TensorFlow has no tensorflow\.gone\.context: random operations"):
        assert private("context") is None
    assert private("context") is None


@pytest.mark.parametrize("name", list(PRIVATE_NAMES))
def test_the_package_lists_it(name):
    assert f"`{name}`" in _autodiff.__doc__
