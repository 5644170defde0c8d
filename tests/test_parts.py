"""Parts of a model: found by attribute, told apart, and known for what they make; needs no `fit`."""

import random

import keras
import numpy as np
import pytest
from keras import layers

from kerasviz_callbacks.taps.layers import has_call, list_layers
from kerasviz_callbacks.taps.parts import find_part, generators, is_built, list_parts


class Drawing(keras.Model):
    """A generator with a `call` of its own, not built before it is called."""

    def __init__(self):
        super().__init__()
        self.dense, self.shape_it = layers.Dense(64), layers.Reshape((8, 8, 1))

    def call(self, x):
        return self.shape_it(self.dense(x))


class Gan(keras.Model):
    def __init__(self):
        super().__init__()
        inputs = keras.Input((8, 8, 1))
        self.critic = keras.Sequential([inputs, layers.Conv2D(3, 3, name="conv"), layers.Flatten(), layers.Dense(1)])
        self.generator = keras.Sequential([keras.Input((6,)), layers.Dense(64), layers.Reshape((8, 8, 1))])


class Trainer(keras.Model):
    def __init__(self):
        super().__init__()
        self.gan, self.networks = Gan(), [Gan().critic, Drawing()]
        self.same = self.gan
        self.by_name = {"a": keras.Sequential([keras.Input((3,)), layers.Dense(2)])}


def test_parts_are_named_by_the_attributes_that_hold_them_in_lists_and_dicts_too():
    held = ["gan", "gan/critic", "gan/generator", "networks/0", "networks/1", "by_name/a"]
    model = Trainer()
    assert [part.path for part in list_parts(model)] == held
    assert [find_part(model, path.replace("/", ".")).path for path in held] == held
    assert find_part(model, model.networks[1]).layer is model.networks[1]
    assert find_part(model, "generator").path == find_part(model, "gan/generator").path == "gan/generator"


def test_parts_of_a_functional_model_go_by_their_own_names():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(3)], name="backbone")
    inputs = keras.Input((4,))
    assert find_part(keras.Model(inputs, layers.Dense(2)(inner(inputs))), "backbone").layer is inner


@pytest.mark.parametrize("wanted", ["Generator", "critics", "conv", layers.Dense(1, name="other")])
def test_an_unknown_part_is_refused_with_the_parts_there_are(wanted):
    with pytest.raises(ValueError, match=r'^model=.*not a part of model "gan"; expected one of "critic", "generator"'):
        find_part(_named(Gan(), "gan"), wanted)


def _named(model, name):
    model.name = name
    return model


def test_an_ambiguous_part_is_refused_with_the_paths_to_choose_from():
    model = keras.Model()
    model.one, model.two = Gan(), Gan()
    with pytest.raises(ValueError, match=r'"critic": several parts.*"one\.critic", "two\.critic"'):
        find_part(model, "critic")


def test_layers_of_a_model_without_call_are_told_apart_by_attributes():
    model = Trainer()
    assert not has_call(model)
    assert has_call(model.gan.critic)
    assert has_call(Drawing())
    paths = [ref.path for ref in list_layers(model)]
    assert len(set(paths)) == len(paths)
    assert {"gan/critic/conv", "networks/0/conv"} <= set(paths)


def test_a_model_without_call_is_built_when_its_parts_are():
    model = Trainer()
    assert not is_built(model)
    assert is_built(model, partly=True)
    assert is_built(model.gan)
    model.networks[1](np.zeros((1, 5)))
    assert is_built(model)
    assert not model.built


def test_a_part_that_only_augments_has_no_weights_to_wait_for():
    model = Trainer()
    model.networks[1](np.zeros((1, 5)))
    model.augmenter = keras.Sequential([keras.layers.RandomFlip(), keras.layers.RandomTranslation(0.1, 0.1)])
    model.scale = keras.layers.Rescaling(0.5)
    assert not model.augmenter.built
    assert not model.scale.built
    assert is_built(model)
    model.head = keras.Sequential([keras.layers.Dense(2)])
    assert not is_built(model)


def test_partly_built_means_that_some_part_has_weights():
    model = keras.Model()
    model.scale, model.head = keras.layers.Rescaling(0.5), keras.Sequential([keras.layers.Dense(2)])
    assert not is_built(model, partly=True)
    model.head(np.zeros((1, 5)))
    assert is_built(model, partly=True)


def test_generators_make_pictures_of_a_vector_whatever_kind_of_model_they_are():
    model = Trainer()
    assert [part.path for part in generators(model)] == ["gan/generator"]
    model.networks[1](np.zeros((1, 5)))
    assert [part.path for part in generators(model)] == ["gan/generator", "networks/1"]
    assert generators(model.gan.critic) == []


def test_looking_for_generators_draws_no_random_number():
    keras.utils.set_random_seed(3)
    model = Trainer()
    model.networks[1](np.zeros((1, 5)))
    keras.utils.set_random_seed(4)
    expected = keras.random.normal((3,)), random.random()
    keras.utils.set_random_seed(4)
    generators(model)
    found = keras.random.normal((3,)), random.random()
    assert np.array_equal(found[0], expected[0])
    assert found[1] == expected[1]
