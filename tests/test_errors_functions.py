"""`Probe` and the functions without `fit` raise on invalid input; the message names argument, value and remedy."""

import itertools

import keras
import numpy as np
import pytest
from harness import check_each, classifier
from refused import VALIDATION, shared

import kerasviz_callbacks as kv

X, Y = VALIDATION


class Unmakeable:
    """Says that it can be made an array, and cannot."""

    def __array__(self, *args, **kwargs):
        raise RuntimeError("lost")


FUNCTIONS = {
    "activations": kv.activations,
    "class_activation_map": kv.class_activation_map,
    "attribution": lambda model, inputs: kv.attribution(model, inputs, method="gradient"),
}
INPUTS = {
    "None": (None, TypeError, ("inputs=NoneType", "an array (n, ...)")),
    "a number": (np.float32(3), TypeError, ("inputs=float32", "an array (n, ...)")),
    "a generator": ((x for x in [X]), TypeError, ("inputs=generator", "an array (n, ...)")),
    "a probe": (kv.Probe(X), TypeError, ("inputs=Probe", "an array (n, ...)")),
    "a symbolic tensor": (keras.Input((8, 8, 1)), TypeError, ("inputs=KerasTensor", "an array (n, ...)")),
    "what cannot be made an array": (Unmakeable(), TypeError, ("inputs=Unmakeable", "an array (n, ...)")),
    "objects": (X.astype(object), TypeError, ("inputs=ndarray", "an array (n, ...)")),
    "dates": (np.zeros((3, 8, 8, 1), "M8[s]"), TypeError, ("inputs=ndarray", "an array (n, ...)")),
    "complex numbers": (X.astype(complex), TypeError, ("inputs=ndarray", "an array (n, ...)")),
    "nothing": ({}, TypeError, ("inputs=dict", "an array (n, ...)")),
    "no rows": (X[:0], ValueError, ("inputs: arrays of [0] rows", "at least one")),
    "unequal rows": ([X, X[:3]], ValueError, ("inputs: arrays of [3, 12] rows", "the same number")),
    "other channels": (np.zeros((3, 8, 8, 3)), ValueError, ("inputs: model", "axis -1", "as the model is fed")),
    "no pixels": (X[:, :0], ValueError, ("inputs: model", "(None, 8, 8, 1)", "as the model is fed")),
    "text": (np.full((3, 8, 8, 1), "a"), ValueError, ("inputs: model", "got text", "as the model is fed")),
    "x and y": ((X, Y), ValueError, ("inputs: model", "2 input tensors", "as the model is fed")),
    "another name": ({"depth": X}, ValueError, ("inputs: model", "['depth']", "as the model is fed")),
}


@pytest.mark.fault("malformed inputs of functions", "the right error with its words")
def test_inputs_are_refused_by_every_function():
    def check(case):
        function, (given, error, words) = FUNCTIONS[case[0]], INPUTS[case[1]]
        assert_raised(lambda: function(shared(classifier), given), error, words)

    check_each(list(itertools.product(FUNCTIONS, INPUTS)), check)


OPTIONS = {
    "no model": (lambda: kv.activations(None, X), TypeError, ("model=None", "a keras.Model")),
    "a layer as a model": (
        lambda: kv.attribution(keras.layers.Dense(3), X, method="gradient"),
        TypeError,
        ("model=", "a keras.Model", "Dense"),
    ),
    "layers as a set": (
        lambda: kv.activations(shared(classifier), X, {"conv1"}),
        TypeError,
        ("layers={'conv1'}", "a list of names"),
    ),
    "a target that raises": (
        lambda: maps(target=lambda outputs: outputs["answer"]),
        ValueError,
        ("target=<callable>: raised", "one number per row"),
    ),
    "a target without arguments": (
        lambda: maps(target=lambda: 1),
        ValueError,
        ("target=<callable>: raised TypeError", "the model's whole output"),
    ),
    "a target of text": (
        lambda: maps(target=lambda outputs: "cat"),
        ValueError,
        ("target=<callable>", "returned", "string"),
    ),
    "a target of complex numbers": (
        lambda: maps(target=lambda outputs: keras.ops.cast(outputs[:, 0], "complex64")),
        ValueError,
        ("target=<callable>", "complex64", "real numbers"),
    ),
    "an answer for the whole batch": (
        lambda: maps(target=lambda outputs: keras.ops.mean(outputs)),
        ValueError,
        ("target=<callable>", "(n,)", "it returned ()"),
    ),
    "a class of thirty digits": (lambda: maps(target=10**30), ValueError, (f"target={10**30}", "0 to 2")),
    "classes for other rows": (lambda: maps(target=[0, 1]), ValueError, ("2 classes for 12 inputs", "one int")),
    "half a class": (lambda: maps(target=[0.5] * 12), TypeError, ("target=[0.5", "a class (int)")),
    "a trillion steps": (
        lambda: kv.attribution(shared(classifier), X, method="integrated_gradients", steps=10**12),
        ValueError,
        ("steps=1000000000000", "at most 100,000"),
    ),
    "an unknown option": (
        lambda: kv.attribution(shared(classifier), X, method="rise", masks=3),
        TypeError,
        ("masks", "not an option of method='rise'", "samples"),
    ),
    "labels of a trillion": (lambda: kv.Probe(X, Y + 10**12), ValueError, ("labels", "1000000000002", "np.unique")),
    "labels as text": (lambda: kv.Probe(X, ["a"] * 12), ValueError, ("labels", "<U1", "class_names")),
    "labels of other rows": (lambda: kv.Probe(X, [0, 1]), ValueError, ("labels", "got 2 for 12 samples")),
    "labels below zero": (lambda: kv.Probe(X, Y - 2), ValueError, ("labels", "got -2", "rows without a class are -1")),
    "labels of a half": (lambda: kv.Probe(X, Y + 0.5), ValueError, ("labels", "float64", "argmax")),
    "a count of 2.5": (lambda: kv.Probe(X, count=2.5), TypeError, ("count", "2.5 (float)", "count=16")),
    "a probe of a probe with labels": (
        lambda: kv.Probe(kv.Probe(X), Y),
        ValueError,
        ("labels=", "beside a Probe", "its own"),
    ),
    "no data": (lambda: kv.Probe(None), TypeError, ("data", "got None", "pass arrays")),
}


def maps(**given):
    return kv.class_activation_map(shared(classifier), X, **given)


@pytest.mark.fault("wrong options of functions", "the right error with its words")
def test_options_are_refused():
    check_each(OPTIONS, lambda case: assert_raised(*OPTIONS[case]))


def assert_raised(call, error, words):
    with pytest.raises(error) as raised:
        call()
    assert type(raised.value) is error
    for word in words:
        assert word in str(raised.value), raised.value
