"""What is explained: the score before softmax, however the model ends; targets; and what is refused, in which words."""

import keras
import models
import numpy as np
import pytest
import tensorflow as tf
from harness import first, quick
from keras import layers, ops

import kerasviz_callbacks as kv

TARGETS = np.arange(models.ROWS) % models.CLASSES


@pytest.fixture(autouse=True)
def _seeded():
    keras.utils.set_random_seed(1)


class Ending(keras.Model):
    """A classifier that ends in a function of its logits."""

    def __init__(self, parts, end):
        super().__init__()
        self.parts, self.end = parts, end

    def call(self, x):
        return self.end(models.applied(self.parts, x))


def _model(parts, end, *, subclassed=False):
    if subclassed:
        return Ending(parts, end)
    inputs = keras.Input((models.SIDE, models.SIDE, 3))
    return keras.Model(inputs, end(models.applied(parts, inputs)))


def _softmax_model(*after):
    """A model of its own that holds the softmax, to be nested."""
    inputs = keras.Input((models.CLASSES,))
    return keras.Sequential([inputs, layers.Activation("softmax"), *after], name="probabilities")


@pytest.fixture(scope="module")
def parts():
    keras.utils.set_random_seed(3)
    return models.four(None)


@pytest.fixture(scope="module")
def maps(parts):
    return kv.activations(_model(parts, lambda z: z), models.pictures(), ["conv2"])["conv2"]


ENDS = {
    "logits": lambda z: z,
    "Softmax layer": lambda z: layers.Softmax()(z),
    "softmax activation": lambda z: layers.Activation("softmax")(z),
    "softmax in float32": lambda z: layers.Activation("softmax", dtype="float32")(z),
    "ops.softmax": ops.softmax,
    "ops.softmax of another axis": lambda z: ops.squeeze(ops.softmax(ops.expand_dims(z, -1), axis=1), -1),
    "log softmax": ops.log_softmax,
    "sigmoids": ops.sigmoid,
    "nested": lambda z: _softmax_model()(z),
    "nested and rearranged": lambda z: _softmax_model(layers.Reshape((1, models.CLASSES)))(z),
    "then Reshape": lambda z: layers.Reshape((models.CLASSES,))(layers.Softmax()(z)),
    "then cast": lambda z: ops.cast(ops.softmax(z), "float64"),
    "then squeeze": lambda z: ops.squeeze(ops.expand_dims(ops.softmax(z), 1), 1),
}


@pytest.mark.parametrize(
    "end", quick(ENDS, "logits", "softmax activation", "Softmax layer", "nested", "then squeeze", "log softmax")
)
def test_the_score_is_the_logit_however_the_model_ends(parts, maps, end):
    model = _model(parts, ENDS[end])
    found = kv.class_activation_map(model, models.pictures(), layer="conv2", target=TARGETS)
    models.assert_maps_equal(found, models.closed_form(maps, parts[-1], TARGETS))


@pytest.mark.slow
@pytest.mark.parametrize("end", ["ops.softmax", "log softmax", "then squeeze"])
def test_the_score_is_the_logit_in_a_subclassed_model_too(parts, maps, end):
    model = _model(parts, ENDS[end], subclassed=True)
    found = kv.class_activation_map(model, models.pictures(), layer="conv2", target=TARGETS)
    models.assert_maps_equal(found, models.closed_form(maps, parts[-1], TARGETS))


def test_the_score_is_the_logit_where_the_model_runs_eagerly(parts, maps):
    for end in (ops.softmax, ops.sigmoid):
        model = _model(parts, end, subclassed=True)
        model.compile(loss="mse", run_eagerly=True)
        found = kv.class_activation_map(model, models.pictures(), layer="conv2", target=TARGETS)
        models.assert_maps_equal(found, models.closed_form(maps, parts[-1], TARGETS))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mixed_float16", "mixed_bfloat16"])
def test_in_half_precision_it_is_looked_through_a_softmax_in_float32(kind):
    with models.policy(kind):
        parts = models.four(None)
        model = _model(parts, lambda z: layers.Activation("softmax", dtype="float32")(z))
    half = kv.activations(model, models.pictures(), ["conv2"])["conv2"]
    found = kv.class_activation_map(model, models.pictures(), target=TARGETS)
    models.assert_maps_equal(found, models.closed_form(half, parts[-1], TARGETS))


@pytest.mark.slow
def test_saturated_probabilities_of_half_precision_still_have_a_map_on_logits():
    with models.policy("mixed_float16"):
        parts = models.four(None)
        model = _model(parts, lambda z: layers.Activation("softmax")(z))
    parts[-1].bias.assign([200.0, 0.0, 0.0])
    half = kv.activations(model, models.pictures(), ["conv2"])["conv2"]
    found = kv.class_activation_map(model, models.pictures(), target=2)
    models.assert_maps_equal(found, models.closed_form(half, parts[-1], 2))
    assert not kv.class_activation_map(model, models.pictures(), target=2, score="output").any()


@pytest.mark.parametrize("size", first([1e-4, 1e4, 1.0, 100.0], 2))
def test_neither_flat_nor_steep_gradients_are_lost_in_float16(size):
    with models.policy("mixed_float16"):
        parts = models.four(None)
        model = _model(parts, lambda z: layers.Activation("softmax", dtype="float32")(z))
    parts[-1].kernel.assign(size * parts[-1].kernel.numpy())
    half = kv.activations(model, models.pictures(), ["conv2"])["conv2"]
    found = kv.class_activation_map(model, models.pictures(), target=TARGETS)
    models.assert_maps_equal(found, models.closed_form(half, parts[-1], TARGETS), 1e-6 if size >= 1 else 1e-3)


# One unit.


@pytest.fixture(scope="module")
def one_unit():
    keras.utils.set_random_seed(3)
    return [*models.four()[:3], models.head(None, 1)]


def _maps_of(parts):
    return kv.activations(_model(parts, lambda z: z), models.pictures(), ["conv2"])["conv2"]


def _signed(maps, top, sign):
    evidence = maps.astype(np.float64) @ models.kernel_of(top)[:, 0] / models.SIDE**2
    return np.maximum(np.reshape(sign, (-1, 1, 1)) * evidence, 0)


@pytest.mark.parametrize("flat", first([False, True]))
def test_of_one_sigmoid_unit_class_1_is_z_and_class_0_is_minus_z(one_unit, flat):
    model = _model(one_unit, lambda z: ops.reshape(ops.sigmoid(z), (-1,)) if flat else ops.sigmoid(z))
    maps, top = _maps_of(one_unit), one_unit[-1]
    z = models.logits(maps, top)[:, 0]
    top.bias.assign(top.bias - np.median(z))
    z = z - np.float32(np.median(z))
    assert (z > 0).any() and (z < 0).any()  # noqa: PT018
    mixed = np.array([0, 1, 1, 0, 0, 1])
    for target, sign in ((1, 1), (0, -1), (mixed, 2 * mixed - 1), (None, np.where(z > 0, 1, -1))):
        found = kv.class_activation_map(model, models.pictures(), target=target)
        models.assert_maps_equal(found, _signed(maps, top, sign))


@pytest.mark.slow
def test_of_one_sigmoid_units_output_class_0_is_the_rest(one_unit):
    model = _model(one_unit, ops.sigmoid)
    maps, top = _maps_of(one_unit), one_unit[-1]
    p = 1 / (1 + np.exp(-models.logits(maps, top)[:, 0]))
    slope = p * (1 - p)
    for target, sign in ((1, slope), (0, -slope), (None, np.where(p >= 0.5, slope, -slope))):
        found = kv.class_activation_map(model, models.pictures(), target=target, score="output")
        models.assert_maps_equal(found, _signed(maps, top, sign))


@pytest.mark.parametrize("target", [None, 0])
def test_one_linear_unit_is_itself_the_score(one_unit, target):
    found = kv.class_activation_map(_model(one_unit, lambda z: z), models.pictures(), target=target)
    models.assert_maps_equal(found, _signed(_maps_of(one_unit), one_unit[-1], 1))


# An answer for each position, several outputs, callables.


@pytest.mark.slow
@pytest.mark.parametrize("end", ["in the layer", "as a layer"])
def test_an_answer_for_each_pixel_counts_by_the_mean_of_the_class_map(end):
    first = models.convolution("first")
    pixels = layers.Conv2D(3, 1, name="pixels", activation="softmax" if end == "in the layer" else None)
    inputs = keras.Input((models.SIDE, models.SIDE, 3))
    outputs = pixels(first(inputs))
    model = keras.Model(inputs, outputs if end == "in the layer" else layers.Softmax(name="top")(outputs))
    seen = kv.activations(model, models.pictures())
    kernel, maps = np.asarray(pixels.kernel).astype(float)[0, 0], seen["first"].astype(float)
    predicted = list(seen.values())[-1].astype(float).mean((1, 2)).argmax(-1)
    for target in (2, TARGETS, None):
        classes = np.broadcast_to(predicted if target is None else target, models.ROWS)
        expected = np.maximum((maps * kernel.T[classes][:, None, None]).sum(-1), 0) / models.SIDE**2
        models.assert_maps_equal(kv.class_activation_map(model, models.pictures(), target=target), expected)


@pytest.fixture(scope="module")
def two_outputs(parts):
    inputs = keras.Input((models.SIDE, models.SIDE, 3))
    mean = models.applied(parts[:3], inputs)
    other = models.head("softmax", 2, name="other")
    return keras.Model(inputs, {"a": layers.Softmax()(parts[3](mean)), "b": other(mean)}), other


def test_of_several_outputs_the_first_is_explained(two_outputs, parts, maps):
    found = kv.class_activation_map(two_outputs[0], models.pictures(), target=TARGETS)
    models.assert_maps_equal(found, models.closed_form(maps, parts[-1], TARGETS))


def test_a_callable_gets_the_whole_output_before_its_softmax(two_outputs, parts, maps):
    model, other = two_outputs
    found = kv.class_activation_map(model, models.pictures(), target=lambda outputs: outputs["b"][:, 1])
    models.assert_maps_equal(found, models.closed_form(maps, other, 1))
    both = kv.class_activation_map(
        model, models.pictures(), target=lambda outputs: outputs["a"][:, 0] - 2 * outputs["b"][:, 1]
    )
    evidence = maps @ (models.kernel_of(parts[-1])[:, 0] - 2 * models.kernel_of(other)[:, 1]) / models.SIDE**2
    models.assert_maps_equal(both, np.maximum(evidence, 0))


def test_a_callable_gets_probabilities_where_the_output_is_the_score(two_outputs, maps):
    model, other = two_outputs
    found = kv.class_activation_map(model, models.pictures(), target=lambda outputs: outputs["b"][:, 1], score="output")
    models.assert_maps_equal(found, models.closed_form_of_probability(maps, other, 1)[0])


@pytest.mark.parametrize(
    "target", first([1, np.full(models.ROWS, 1, np.int8), np.int64(1), np.uint8(1), [1] * models.ROWS], 2)
)
def test_classes_may_be_any_kind_of_integer(parts, maps, target):
    found = kv.class_activation_map(_model(parts, ops.softmax), models.pictures(), target=target)
    models.assert_maps_equal(found, models.closed_form(maps, parts[-1], 1))


@pytest.mark.slow
@pytest.mark.parametrize("axes", [1, 3])
def test_signals_and_volumes_have_maps_too(axes):
    convolution = {1: layers.Conv1D, 3: layers.Conv3D}[axes](4, 3, padding="same", activation="relu", name="maps")
    pool = {1: layers.GlobalAveragePooling1D, 3: layers.GlobalAveragePooling3D}[axes]()
    shape = (5, 6, 7)[:axes]
    top = models.head()
    model = keras.Sequential([keras.Input((*shape, 2)), convolution, pool, top])
    x = np.random.default_rng(0).standard_normal((3, *shape, 2)).astype(np.float32)
    found = kv.class_activation_map(model, x, target=1)
    models.assert_maps_equal(found, models.closed_form(kv.activations(model, x, ["maps"])["maps"], top, 1))


# What is refused, and in which words.


@pytest.fixture(scope="module")
def plain(parts):
    return _model(parts, ops.softmax)


def _average_of_two(z):
    return (ops.softmax(z) + ops.softmax(2 * z)) / 2


def _by_hand(z):
    shares = ops.exp(z - ops.max(z, axis=-1, keepdims=True))
    return shares / ops.sum(shares, axis=-1, keepdims=True)


@pytest.mark.parametrize("subclassed", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("end", first([_average_of_two, _by_hand, lambda z: ops.log(_by_hand(z))]))
def test_a_softmax_that_cannot_be_looked_through_is_an_error_that_offers_the_output(parts, end, subclassed):
    model = _model(parts, end, subclassed=subclassed)
    with pytest.raises(ValueError, match=r'score="logits": the model\'s output are .*Pass score="output"'):
        kv.class_activation_map(model, models.pictures(), target=1)
    assert kv.class_activation_map(model, models.pictures(), target=1, score="output").shape == (models.ROWS, 8, 8)


def test_with_the_output_as_score_a_softmax_by_hand_is_the_closed_form(parts, maps):
    found = kv.class_activation_map(_model(parts, _by_hand), models.pictures(), target=1, score="output")
    models.assert_maps_equal(found, models.closed_form_of_probability(maps, parts[-1], 1)[0])


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"layer": "con2"}, ValueError, r'layer="con2": no such layer; nearest: "conv2"'),
        ({"layer": "conv2:1"}, ValueError, r'layer="conv2:1": the layer is called 1 time'),
        ({"layer": "gap"}, ValueError, r'layer="gap": its output \(None, 5\) has no maps; expected \(batch, \*spatial'),
        ({"layer": 7}, TypeError, "layer=7: expected a layer's name or path, got int"),
        ({"layer": layers.Dense(1, name="away")}, ValueError, 'layer=<Dense "away">: not a layer of this model'),
        ({"target": 3}, ValueError, "target=3: the model's output has 3 classes; expected 0 to 2"),
        ({"target": -1}, ValueError, "target=-1: the model's output has 3 classes; expected 0 to 2"),
        ({"target": [0, 1, 2, 3, 0, 0]}, ValueError, "target=3: the model's output has 3 classes"),
        ({"target": [0, 1]}, ValueError, "target: 2 classes for 6 inputs; pass one class per input, or one int"),
        ({"target": 1.0}, TypeError, r"target=1.0: expected None, a class \(int\)"),
        ({"target": True}, TypeError, r"target=True: expected None, a class \(int\)"),
        ({"target": "cat"}, TypeError, r"target='cat': expected None, a class \(int\)"),
        ({"target": [[1]] * 6}, TypeError, r"target=\[\[1\].*: expected None, a class \(int\)"),
        ({"target": "true"}, ValueError, r'target="true": labels are not known here; pass them as target, \(n,\) ints'),
        (
            {"target": lambda p: p},
            ValueError,
            r"target=<callable>: must return one number per row, shape \(n,\); it returned",
        ),
        ({"method": "gradcam"}, ValueError, "method='gradcam': expected one of 'grad_cam'"),
        ({"score": "probability"}, ValueError, 'score=\'probability\': expected "logits" or "output"'),
        ({"model": None}, TypeError, "model=None: expected a keras.Model, got NoneType"),
        ({"model": layers.Dense(1)}, TypeError, "model=.*: expected a keras.Model, got Dense"),
        ({"inputs": np.zeros((0, 8, 8, 3), np.float32)}, ValueError, r"inputs: arrays of \[0\] rows; .*at least one"),
        ({"inputs": []}, TypeError, r"inputs=list: expected an array \(n, ...\)"),
        ({"inputs": None}, TypeError, r"inputs=NoneType: expected an array \(n, ...\)"),
        (
            {"inputs": [np.zeros((2, 8, 8, 3)), np.zeros((3, 8, 8, 3))]},
            ValueError,
            r"inputs: arrays of \[2, 3\] rows; expected the same number in each",
        ),
    ],
)
def test_what_is_wrong_is_said_with_the_argument_the_rule_and_the_remedy(plain, given, error, words):
    with pytest.raises(error, match=words):
        kv.class_activation_map(**({"model": plain, "inputs": models.pictures()} | given))


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"layers": "conv2"}, TypeError, "layers='conv2': expected a list of names or paths"),
        ({"layers": ["conv3"]}, ValueError, 'layers="conv3": no such layer; nearest: "conv'),
        ({"model": "model"}, TypeError, "model='model': expected a keras.Model, got str"),
        ({"inputs": np.zeros((0, 8, 8, 3))}, ValueError, r"inputs: arrays of \[0\] rows"),
        ({"inputs": tf.data.Dataset.range(3)}, TypeError, r"inputs=.*: expected an array \(n, ...\)"),
    ],
)
def test_activations_refuse_in_the_same_words(plain, given, error, words):
    with pytest.raises(error, match=words):
        kv.activations(**({"model": plain, "inputs": models.pictures()} | given))


def test_an_ambiguous_name_lists_the_paths_and_an_exact_path_wins():
    inner = [keras.Sequential([keras.Input((8, 8, 3)), models.convolution("conv", 3)], name=name) for name in "ab"]
    made = keras.Sequential([keras.Input((8, 8, 3)), *inner, *models.four()[2:]])
    with pytest.raises(ValueError, match=r'layer="conv": several layers have this name; give one path of "a/conv"'):
        kv.class_activation_map(made, models.pictures(), layer="conv")
    assert list(kv.activations(made, models.pictures(), ["b/conv"])) == ["b/conv"]
    twins = models.two_layers_of_one_name()
    assert list(kv.activations(twins.model, twins.inputs, ["conv", "conv_2"])) == ["conv", "conv_2"]


def test_a_model_without_maps_is_an_error_that_says_so():
    dense = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="d1"), layers.Dense(2, activation="softmax")])
    with pytest.raises(ValueError, match=r'layer=None: no layer on the path to the score has maps.*"d1" \(None, 3\)'):
        kv.class_activation_map(dense, np.ones((2, 4), np.float32))


def test_inputs_of_a_wrong_shape_raise_what_keras_says(plain):
    with pytest.raises(ValueError, match=r"expected shape=\(None, 8, 8, 3\), found shape"):
        kv.activations(plain, np.zeros((2, 8, 8, 4), np.float32))
