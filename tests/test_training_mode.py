"""A model that cannot be run with `training=False` is told so, by the name of its layer; the data are not blamed."""

import keras
import numpy as np
import pytest
from harness import first, quick, same_weights
from keras import layers

import kerasviz_callbacks as kv
from kerasviz_callbacks.taps.training_mode import TrainingOnlyError

X, Y = np.random.default_rng(0).random((6, 5)).astype(np.float32), np.arange(6) % 3


class Raises(layers.Layer):
    def call(self, x, training=None):
        if training is False:
            raise ValueError("only for training")
        return x


class Asserts(layers.Layer):
    def call(self, x, training=None):
        assert training is not False
        return x


class LooksUp(layers.Layer):
    def call(self, x, training=None):
        return {True: x, None: x}[training]


class GivesNothing(layers.Layer):
    def call(self, x, training=None):
        if training is not False:
            return x


class GivesAnotherStructure(layers.Layer):
    def call(self, x, training=None):
        return [x, x] if training is False else x


class NotWritten(layers.Layer):
    def call(self, x, training=None):
        if training is False:
            raise NotImplementedError
        return x


class Chain(keras.Model):
    """Layers one after the other; random layers and statistics among them."""

    def __init__(self, odd, **options):
        super().__init__(name="chain", **options)
        self.first, self.norm = layers.Dense(4, name="first"), layers.BatchNormalization(name="norm")
        self.drop, self.odd = layers.Dropout(0.5, name="drop"), odd
        self.last = layers.Dense(3, activation="softmax", name="last")

    def call(self, x, training=None):
        x = self.drop(self.norm(self.first(x), training=training), training=training)
        return self.last(self.odd(x, training=training))


def compiled(model, **options):
    model.compile("sgd", "sparse_categorical_crossentropy", **options)
    return model


REFUSALS = {
    Raises: "ValueError: only for training",
    Asserts: "AssertionError.*",
    LooksUp: "KeyError: False",
    GivesNothing: "its output has another structure than in training",
    GivesAnotherStructure: "its output has another structure than in training",
    NotWritten: "NotImplementedError",
}
SAID = (
    r'^model "{model}" runs with training=True, but not with training=False: layer "{path}" \({kind}\) has no '
    r"inference mode \({reason}\)\. The data are not at fault: let `call` take training=False"
)


@pytest.mark.parametrize("eagerly", first([True, False]), ids=["eagerly", "compiled"])
@pytest.mark.parametrize("kind", REFUSALS)
def test_the_layer_is_named_and_the_data_are_not_blamed(kind, eagerly):
    model = compiled(Chain(kind(name="odd")), run_eagerly=eagerly)
    said = SAID.format(model="chain", path="odd", kind=kind.__name__, reason=REFUSALS[kind])
    with pytest.raises(TrainingOnlyError, match=said) as raised:
        kv.activations(model, X)
    assert "inputs" not in str(raised.value)


@pytest.mark.parametrize("build", ["sequential", "functional", "nested"])
def test_in_every_kind_of_model(build):
    odd = Raises(name="odd")
    model = keras.Sequential([keras.Input((5,)), layers.Dense(4), odd, layers.Dense(3)], name="m")
    if build == "functional":
        model = keras.Model(model.inputs, model.outputs, name="m")
    if build == "nested":
        model = keras.Sequential([keras.Input((5,)), keras.Sequential([odd], name="inner"), layers.Dense(3)], name="m")
    path = "inner/odd" if build == "nested" else "odd"
    with pytest.raises(TrainingOnlyError, match=SAID.format(model="m", path=path, kind="Raises", reason=".*")):
        kv.activations(model, X)


class RefusesItself(Chain):
    def call(self, x, training=None):
        if training is False:
            raise RuntimeError("never at inference")
        return super().call(x, training=training)


class TakesNoMode(Chain):
    def __call__(self, x):
        return super().__call__(x)


def test_where_it_is_the_models_own_call_no_layer_is_named():
    model = compiled(RefusesItself(layers.Identity(name="odd")))
    with pytest.raises(
        TrainingOnlyError, match=r"training=False: it has no inference mode \(RuntimeError: never at inf"
    ):
        kv.activations(model, X)


def test_a_model_that_takes_no_argument_training():
    model = compiled(TakesNoMode(layers.Identity(name="odd")))
    with pytest.raises(
        TrainingOnlyError, match=r"runs without the argument `training`, but not with training=False: it "
    ):
        kv.activations(model, X)


def test_data_that_are_wrong_are_blamed_all_the_same():
    model = compiled(Chain(Raises(name="odd")))
    with pytest.raises(TrainingOnlyError):
        kv.activations(model, X)
    with pytest.raises(ValueError, match=r'^inputs: model "chain" cannot be run on it: .*; pass inputs as') as raised:
        kv.activations(model, X[:, :3])
    assert not isinstance(raised.value, TrainingOnlyError)


@pytest.mark.parametrize("view", [kv.ActivationMaps, kv.OverfittingMonitor], ids=lambda view: view.__name__)
@pytest.mark.parametrize("on_error", quick(["warn", "raise"], "warn"))
def test_a_fit_is_told_before_its_first_batch(view, on_error, tmp_path):
    model = compiled(Chain(Raises(name="odd")))
    said = SAID.format(model="chain", path="odd", kind="Raises", reason=".*")
    with pytest.raises(TrainingOnlyError, match=said):
        model.fit(X, Y, verbose=0, callbacks=[view(tmp_path, (X, Y), on_error=on_error)])


@pytest.mark.slow
@pytest.mark.parametrize("eagerly", [False, True], ids=["compiled", "eagerly"])
def test_trying_changes_nothing(eagerly):
    def trained(look):
        keras.utils.set_random_seed(4)
        model = compiled(Chain(Raises(name="odd")), run_eagerly=eagerly)
        model.fit(X, Y, epochs=1, verbose=0, shuffle=False)
        if look:
            with pytest.raises(TrainingOnlyError):
                kv.activations(model, X)
        model.fit(X, Y, epochs=2, verbose=0, shuffle=False)
        return model.get_weights()

    assert same_weights(trained(True), trained(False))
