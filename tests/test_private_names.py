"""The next Keras may lack any private name that is used: a feature is lost, and no training ends for it."""

import ast
import importlib
import re
import sys
import types
import warnings
from functools import cache
from pathlib import Path

import harness
import keras
import models as kinds
import numpy as np
import pytest
import tensorflow as tf
from test_imports import private_names

import kerasviz_callbacks as kv
from kerasviz_callbacks import _keras
from kerasviz_callbacks.taps.layers import list_layers
from kerasviz_callbacks.taps.step import Step
from kerasviz_callbacks.taps.weights import narrowest_hidden

# Where each of them is found.
PRIVATE_NAMES = (
    "keras.layers.Layer._flatten_layers",
    "keras.layers.Layer._losses",
    "keras.layers.Layer._loss_ids",
    "keras.layers.Layer._clear_losses",
    "keras.layers.Layer._seed_generators",
    "keras.KerasTensor._keras_history",
    "keras.Model._compile_loss",
    "keras.Model._compute_loss",
    "keras.src.trainers.compile_utils.CompileLoss._user_loss",
    "keras.src.trainers.compile_utils.CompileLoss._user_loss_weights",
    "keras.optimizers.Optimizer._clip_gradients",
    "keras.optimizers.Optimizer._iterations",
    "keras.optimizers.Optimizer._accumulated_gradients",
    "keras.optimizers.Optimizer._exclude_from_weight_decay",
    "keras.optimizers.Optimizer._exclude_from_weight_decay_pattern",
    "keras.optimizers.Optimizer._var_key",
    "keras.src.backend.common.global_state",
    "keras.src.random.seed_generator.GLOBAL_SEED_GENERATOR",
    "tensorflow.data.Dataset._tensors",
    "tensorflow.data.Dataset._inputs",
)
EPOCHS = 2
VIEWS_OF_CLASSIFIERS = (
    kv.FilterImages,
    kv.WeightHeatmaps,
    kv.Coefficients,
    kv.ActivationMaps,
    kv.NeuronResponses,
    kv.FilterOverlap,
    kv.GradCAM,
    kv.Attribution,
    kv.OverfittingMonitor,
    kv.ConfusionMatrix,
)
VIEWS_OF_AUTOENCODERS = (kv.LatentTrajectory, kv.LatentProfiles, kv.Reconstructions, kv.WeightHeatmaps)
NO_STEP = {
    "_compile_loss",
    "_user_loss",
    "_user_loss_weights",
    "_clip_gradients",
    "_iterations",
    "_accumulated_gradients",
    "_exclude_from_weight_decay",
    "_exclude_from_weight_decay_pattern",
    "_var_key",
}
LOST_TOGETHER = {"_loss_ids": "_losses"}  # named by the other
WITHOUT_A_WORD = {"_compute_loss", "GLOBAL_SEED_GENERATOR", "_tensors", "_inputs"}  # nothing is lost that a user sees


class Hidden:
    """In place of an attribute of a class: there for everyone but this package."""

    def __init__(self, name, original=None):
        self.name, self.original, self.asked = name, original, 0

    def __get__(self, instance, owner=None):
        caller = sys._getframe(1).f_globals.get("__name__", "")
        if caller.startswith("kerasviz_callbacks"):
            self.asked += 1
            raise AttributeError(self.name)
        if instance is not None and self.original is None:
            for key in (f"hidden {self.name}", self.name):
                if key in vars(instance):
                    return vars(instance)[key]
            raise AttributeError(self.name)
        return self.original if instance is None else self.original.__get__(instance, owner)

    def __set__(self, instance, value):
        vars(instance)[f"hidden {self.name}"] = value

    def __delete__(self, instance):
        del vars(instance)[f"hidden {self.name}"]


def subclasses(kind):
    """A class and all that inherit from it."""
    return {kind, *(below for child in kind.__subclasses__() for below in subclasses(child))}


def found(path):
    """What a full name stands for; `None` where it is not there."""
    root, *names = path.split(".")
    value = importlib.import_module(root)
    for name in names:
        value = getattr(value, name, None)
    return value


def hide(monkeypatch, path):
    """Hide a private name from the package; returns a function that says how often it was looked for."""
    monkeypatch.setattr(_keras, "_warned", set())
    where, name = path.rsplit(".", 1)
    owner = found(where)
    if isinstance(owner, type):
        made = []
        for kind in subclasses(owner):
            if kind is owner or name in vars(kind):
                original = getattr(kind, name, None)
                made.append(Hidden(name, original if callable(original) else None))
                monkeypatch.setattr(kind, name, made[-1], raising=False)
        return lambda: sum(one.asked for one in made)
    if path in sys.modules:
        monkeypatch.setitem(sys.modules, path, types.ModuleType(path))
        return lambda: 1
    without = types.ModuleType(where)
    vars(without).update({key: value for key, value in vars(owner).items() if key != name})
    monkeypatch.setitem(sys.modules, where, without)
    return lambda: 1


def compiled(model, loss):
    """So that every private name is of use: clipping, accumulation of gradients, weight decay with exclusions."""
    optimizer = keras.optimizers.AdamW(0.01, weight_decay=0.1, clipnorm=0.5, gradient_accumulation_steps=2)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    model.compile(optimizer, loss)
    return model


def classifier():
    keras.utils.set_random_seed(3)
    return compiled(harness.classifier(), "sparse_categorical_crossentropy")


def not_built():
    keras.utils.set_random_seed(3)
    return compiled(keras.Sequential(classifier().layers[1:]), "sparse_categorical_crossentropy")


def autoencoder():
    keras.utils.set_random_seed(3)
    return compiled(harness.autoencoder(), "mse")


def trained(build, callbacks):
    """History and weights of a fit."""
    data, model = harness.pictures(), build()
    target = data.x if build is autoencoder else data.y
    history = model.fit(data.x, target, epochs=EPOCHS, shuffle=False, verbose=2, callbacks=callbacks)
    return history.history, model.get_weights()


@cache
def alone(build):
    """The same fit without a callback."""
    return trained(build, [])


def observers(views, tmp_path):
    """A `Visualizer`, whose data are a stream, and each view."""
    data = harness.pictures()
    stream = tf.data.Dataset.from_tensor_slices((data.x_val, data.y_val)).batch(4)
    made = [kv.Visualizer(tmp_path / "all", stream, training_data=(data.x, data.y), count=6, on_error="raise")]
    for view in views:
        given = {} if view in (kv.FilterImages, kv.Coefficients) else {"validation_data": (data.x_val, data.y_val)}
        more = {"count": 6} if given else {}
        made.append(view(tmp_path / view.__name__, **given, **more, on_error="raise"))
    return made


def fits():
    """Each private name with each kind of model whose views use it."""
    for path in PRIVATE_NAMES:
        name = path.rsplit(".", 1)[-1]
        if name == "_clear_losses":
            yield pytest.param(path, not_built, VIEWS_OF_CLASSIFIERS, id=f"{name} not built")
            continue
        if name != "_seed_generators":
            yield pytest.param(path, classifier, VIEWS_OF_CLASSIFIERS, id=f"{name} classifier")
        if name != "_keras_history" and name not in NO_STEP:  # WeightHeatmaps computes the step in both
            yield pytest.param(path, autoencoder, VIEWS_OF_AUTOENCODERS, id=f"{name} autoencoder")


@pytest.mark.slow
@pytest.mark.parametrize(("path", "build", "views"), list(fits()))
def test_a_fit_goes_on_without(path, build, views, tmp_path, monkeypatch, capsys):
    history, weights = alone(build)
    asked = hide(monkeypatch, path)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        seen, after = trained(build, observers(views, tmp_path))
    assert {key: seen[key] for key in history} == history
    assert harness.same_weights(after, weights)
    assert asked()
    name = path.rsplit(".", 1)[-1]
    said = [str(one.message) for one in told]
    assert len(said) == (0 if name in NO_STEP | WITHOUT_A_WORD else 1)
    assert all(re.match(rf"Keras [0-9.]+ has no [A-Za-z.]*{LOST_TOGETHER.get(name, name)}: ", text) for text in said)
    no_step = [line for line in capsys.readouterr().out.splitlines() if "no training step" in line]
    assert bool(no_step) == (name in NO_STEP)
    assert all(f".{name}, so " in line for line in no_step)


def test_the_docstring_lists_each_of_them():
    for path in PRIVATE_NAMES:
        assert f"{path.rsplit('.', 1)[-1]}`" in _keras.__doc__


def test_no_other_private_name_is_used():
    listed = {path.rsplit(".", 1)[-1] for path in PRIVATE_NAMES}
    source = Path(_keras.__file__)
    tree = ast.parse(source.read_text())
    used = {name for node in ast.walk(tree) for name in private_names(node)}
    required = {
        node.args[2].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "_required"
    }
    private = {name for name in used | required if name.startswith("_") and not name.startswith("__")}
    assert private <= listed
    assert {name for name in listed if name.startswith("_")} <= private


# Each fallback by itself.


def in_attributes():
    """A model of layers in every container, and of layers that hold others."""

    class Held(keras.Model):
        def __init__(self):
            super().__init__()
            self.listed = [keras.layers.Dense(3), [keras.layers.Dense(2)]]
            self.by_name = {"one": keras.layers.Dense(4), "two": (keras.layers.Dense(5),)}
            self._private = keras.layers.Bidirectional(keras.layers.LSTM(2))
            self.attention = keras.layers.MultiHeadAttention(2, 2)
            self.nested = keras.Sequential([keras.layers.Dense(2), keras.layers.TimeDistributed(keras.layers.Dense(3))])

    return Held()


@pytest.mark.parametrize("kind", [*kinds.ANY, "in attributes"])
def test_layers_are_found_by_attributes_too(kind, monkeypatch):
    model = in_attributes() if kind == "in attributes" else kinds.ANY[kind]().model
    expected = [(ref.path, ref.layer) for ref in list_layers(model)]
    asked = hide(monkeypatch, "keras.layers.Layer._flatten_layers")
    with pytest.warns(UserWarning, match="has no Layer._flatten_layers: layers are found by their attributes"):
        found = [(ref.path, ref.layer) for ref in list_layers(model)]
    assert asked()
    assert found == expected
    assert len(found) >= 3


class Drawing(keras.layers.Layer):
    """Draws random numbers by a generator in a list."""

    def __init__(self):
        super().__init__()
        self.generators = [keras.random.SeedGenerator(1)]

    def call(self, x):
        return x + keras.random.normal(keras.ops.shape(x), seed=self.generators[0])


def test_generators_are_found_by_attributes_too(monkeypatch):
    drawing, dropout, dense = Drawing(), keras.layers.Dropout(0.5), keras.layers.Dense(2)
    expected = [_keras.seed_generators(one) for one in (drawing, dropout, dense)]
    hide(monkeypatch, "keras.layers.Layer._seed_generators")
    with pytest.warns(UserWarning, match="has no Layer._seed_generators"):
        assert [_keras.seed_generators(one) for one in (drawing, dropout, dense)] == expected
    assert expected == [drawing.generators, [dropout.seed_generator], []]


def test_without_history_the_narrowest_layer_may_be_the_output(monkeypatch):
    model = keras.Sequential([keras.Input((6,)), *(keras.layers.Dense(n, name=f"of_{n}") for n in (5, 3, 4))])
    first, second, third = model.layers
    x = keras.Input((6,))
    two = keras.Model(x, [code := second(first(x)), third(code)])
    assert narrowest_hidden(two, list_layers(two)).path == "of_5"
    hide(monkeypatch, "keras.KerasTensor._keras_history")
    with pytest.warns(UserWarning, match="may pass for its bottleneck"):
        assert narrowest_hidden(two, list_layers(two)).path == "of_3"


class WithoutTraining(keras.Model):
    """Its `compute_loss` is that of Keras before 3.3, and doubles the loss."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
        return 2 * super().compute_loss(x, y, y_pred, sample_weight)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [keras.Model, WithoutTraining])
def test_the_public_loss_is_that_of_the_private_wrapper(kind, monkeypatch):
    def model():
        keras.utils.set_random_seed(2)
        inputs = keras.Input((3,))
        made = kind(inputs, keras.layers.Dense(2, kernel_regularizer="l2")(inputs))
        made.compile("sgd", "mse")
        return made

    def stepped():
        made = model()
        return Step(made, x, y, made.trainable_variables)()

    x, y = np.ones((4, 3), np.float32), np.zeros((4, 2), np.float32)
    expected = stepped()
    asked = hide(monkeypatch, "keras.Model._compute_loss")
    found = stepped()
    assert asked()
    assert [one.norm for one in found] == [one.norm for one in expected]
    assert found[0].norm > 0


def test_the_generator_of_unseeded_numbers_is_left_alone(monkeypatch):
    keras.random.normal((2,))
    generator = _keras.global_seed_generator()
    assert isinstance(generator, keras.random.SeedGenerator)
    hide(monkeypatch, "keras.src.random.seed_generator.GLOBAL_SEED_GENERATOR")
    assert _keras.global_seed_generator() is generator
    hide(monkeypatch, "keras.src.backend.common.global_state")
    with pytest.warns(UserWarning, match="are not drawn again by the training"):
        assert _keras.global_seed_generator() is None
    _keras.set_global_seed_generator(None)
    monkeypatch.undo()
    assert _keras.global_seed_generator() is generator


def test_a_warning_is_given_once(monkeypatch):
    hide(monkeypatch, "keras.layers.Layer._clear_losses")
    model = keras.Sequential([keras.layers.Dense(1)])
    with pytest.warns(UserWarning, match=rf"Keras {keras.__version__} has no Layer._clear_losses: "):
        _keras.clear_losses(model)
    _keras.clear_losses(model)  # a warning is an error in these tests


def test_an_optimizer_without_decay_needs_no_exclusions(monkeypatch):
    hide(monkeypatch, "keras.optimizers.Optimizer._exclude_from_weight_decay")
    _keras.copy_weight_decay_exclusions(keras.optimizers.SGD(), keras.optimizers.SGD(), [])
    with pytest.raises(_keras.MissingNameError, match="_exclude_from_weight_decay, so which weights are excluded"):
        _keras.copy_weight_decay_exclusions(keras.optimizers.AdamW(), keras.optimizers.AdamW(), [])
