"""The fingerprint of a model's weights: equal for equal bits, another for any other bits."""

import warnings

import keras
import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kerasviz_callbacks._autodiff.tensorflow import fingerprint

TYPES = (
    *("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
    *("float16", "bfloat16", "float32", "float64", "complex64", "complex128", "float8_e4m3fn", "float8_e5m2"),
)
NUMBERS = hnp.arrays(
    st.sampled_from([np.float16, np.float32, np.float64]),
    hnp.array_shapes(min_dims=1, max_dims=2, min_side=2, max_side=40),
    elements=st.floats(-1000, 1000, width=16),
)


def of(*arrays):
    """The fingerprint of variables with these values."""
    return fingerprint([tf.Variable(array) for array in arrays])()


def bits(array):
    return array.tobytes()


@given(NUMBERS, st.randoms(use_true_random=False))
def test_a_permutation_is_seen(array, chance):
    flat = list(array.ravel())
    chance.shuffle(flat)
    other = np.array(flat, array.dtype).reshape(array.shape)
    assert (of(array) == of(other)) == (bits(array) == bits(other))


@given(NUMBERS, st.data())
def test_signs_are_seen_also_an_even_number_of_them(array, data):
    flips = data.draw(hnp.arrays(bool, array.shape))
    other = np.where(flips, -array, array)
    assert (of(array) == of(other)) == (not flips.any())


@given(NUMBERS)
def test_a_doubling_is_seen(array):
    assert (of(array) == of(2 * array)) == (not array.any())


@given(NUMBERS, st.data())
def test_one_bit_is_seen(array, data):
    other = array.copy()
    raw = other.reshape(-1).view(np.uint8)
    raw[data.draw(st.integers(0, raw.size - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert of(array) != of(other)


@given(NUMBERS, st.data())
def test_two_weights_that_change_places_are_seen(array, data):
    other = data.draw(hnp.arrays(array.dtype, array.shape, elements=st.floats(-9, 9, width=16)))
    assert (of(array, other) == of(other, array)) == (bits(array) == bits(other))


@given(NUMBERS)
def test_equal_weights_have_equal_fingerprints_nan_among_them(array):
    array.flat[0] = np.nan
    assert of(array) == of(array.copy())


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", [(), (1,), (3, 2)])
def test_every_type_is_read_and_each_value_counts(dtype, shape):
    ones = np.ones(shape, getattr(ml_dtypes, dtype, None) or dtype)
    variable = tf.Variable(ones)
    taken = fingerprint([variable])
    before = taken()
    other = ones.copy()
    other[(0,) * len(shape)] = 0
    variable.assign(other)
    after = taken()
    assert before != after
    variable.assign(ones)
    assert taken() == before


def test_variables_of_keras_are_followed_without_a_warning_or_a_retracing():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.Dense(1)])
    taken = fingerprint(model.weights)
    seen = [taken()]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(8):
            model.layers[0].bias.assign_add([0.5, 0.0])
            seen += [taken()]
            assert seen[-1] == taken() == fingerprint(model.weights)()
    assert len(set(seen)) == len(seen)


def test_empty_and_text_variables():
    assert of(np.zeros((0, 3), np.float32)) == of(np.zeros((0, 3), np.float32))
    assert of(np.zeros((0, 3), np.float32), np.ones(2)) != of(np.zeros((0, 3), np.float32), np.zeros(2))
    assert of(["a", "bc"]) == of(["a", "bc"])
    assert of(["a", "bc"]) != of(["ab", "c"])
    assert of([]) == of([])
    assert isinstance(of(), bytes)


def test_what_cannot_be_read_is_left_out_and_the_rest_still_counts():
    class Broken:
        @property
        def value(self):
            raise RuntimeError("deleted")

    weight = tf.Variable([1.0, 2.0])
    taken = fingerprint([Broken(), weight, object()])
    before = taken()
    assert taken() == before
    weight.assign([2.0, 1.0])
    assert taken() != before


def test_variables_in_shards_and_on_mirrors():
    with tf.distribute.MirroredStrategy(["/cpu:0"]).scope():
        mirrored = tf.Variable([1.0, 2.0])
    parts = [tf.Variable([1.0, 2.0]), tf.Variable([3.0])]
    for variable, part in ((mirrored, mirrored), (tf.__internal__.distribute.ShardedVariable(parts), parts[1])):
        taken = fingerprint([variable])
        before = taken()
        assert taken() == before
        part.assign(part + 1)
        assert taken() != before
