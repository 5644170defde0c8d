"""Invalid data raise before the first batch, under the name of the argument that passed them."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from harness import autoencoder
from refused import DATA, VALIDATION, Wrong, anywhere, assert_all_refused

import kerasviz_callbacks as kv
from kerasviz_callbacks.probe.labels import LARGEST_LABEL, labels_of
from kerasviz_callbacks.probe.reading import UnreadableError

X, Y = VALIDATION
SOME = tf.data.Dataset.from_tensor_slices(VALIDATION)


class Batches(keras.utils.PyDataset):
    """A data set whose batches come from a function."""

    def __init__(self, batch, count=2):
        super().__init__()
        self.batch, self.count = batch, count

    @property
    def num_batches(self):
        return self.count

    def __getitem__(self, place):
        return self.batch(place)


class Unmakeable:
    """Says that it can be made an array, and cannot."""

    def __array__(self, *args, **kwargs):
        raise RuntimeError("lost")


def broken(place):
    raise KeyError("no such picture")


def endless():
    while True:
        yield X[:2], Y[:2]


def of(data, error, *words, view=kv.GradCAM, **given):
    return Wrong(anywhere(view, data, **given), error, words)


def shown(display, *words):
    return of(VALIDATION, ValueError, "display", *words, view=kv.ActivationMaps, display=display)


DATA_SETS = {
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
    "a path": of("a/b.npz", TypeError, "validation_data", "'a/b.npz' (str)", "pass arrays"),
    "a number": of(3, TypeError, "validation_data", "3 (int)", "np.asarray"),
    "a set": of({1, 2}, TypeError, "validation_data", "a set", "np.asarray(sorted(...))"),
    "a generator": of((x for x in [X]), TypeError, "validation_data", "a generator", "from_generator"),
    "a class": of(keras.utils.PyDataset, TypeError, "validation_data", "must be an array", "a type"),
    "a symbolic tensor": of(keras.Input((8, 8, 1)), TypeError, "validation_data", "KerasTensor", "cannot be made one"),
    "what cannot be made an array": of(Unmakeable(), TypeError, "validation_data", "Unmakeable", "RuntimeError: lost"),
    "objects": of(X.astype(object), TypeError, "validation_data", "dtype object", '.astype("float32")'),
    "dates": of(np.zeros((3, 8, 8, 1), "M8[s]"), TypeError, "validation_data", "datetime64[s]", ".astype"),
    "complex numbers": of(X.astype(complex), TypeError, "validation_data", "complex128", ".astype"),
    "records": of(np.zeros(3, [("a", "f4")]), TypeError, "validation_data", "dtype [('a', '<f4')]"),
    "text for a model of numbers": of(
        np.full((3, 8, 8, 1), "a"), ValueError, "validation_data", "takes float32, got text", "as the model is fed"
    ),
    "lists of numbers": of(X.tolist(), TypeError, "validation_data[0][0]", "np.asarray"),
    "lists of unequal length": of([[1, 2], [3]], TypeError, "validation_data[0][0]", "must be an array"),
    "an empty dict": of({}, ValueError, "validation_data", "at least one array", "an empty dict"),
    "an empty tuple": of((), ValueError, "validation_data", "(x, y, w)", "got 0 members"),
    "a tuple of four": of((X, Y, Y, Y), ValueError, "validation_data", "(x, y, w)", "got 4 members"),
    "no x": of((None, Y), TypeError, "validation_data", "x must be an array, got None"),
    "a single number": of(np.array(3.0), ValueError, "validation_data", "one row per sample", "add an axis"),
    "x and y exchanged": of((Y, X), ValueError, "validation_data", "Invalid input shape", "as the model is fed"),
    "x and y as a list": of([X, Y], ValueError, "validation_data", "received 2 input tensors", "as the model is fed"),
    "no pixels": of((X[:, :0], Y), ValueError, "validation_data", "(None, 8, 8, 1)", "(1, 0, 8)"),
    "no channels": of((X[..., :0], Y), ValueError, "validation_data", "as the model is fed"),
    "an input of another name": of({"depth": X}, ValueError, "validation_data", "['depth']", "as the model is fed"),
    "y as one number": of((X, 3), TypeError, "validation_data: y", "3 (int)", "np.asarray"),
    "y of objects": of((X, Y.astype(object)), TypeError, "validation_data: y", "dtype object"),
    "weights of another length": of((X, Y, Y[:3]), ValueError, "validation_data: w", "got 3 for 12 samples"),
    "labels below zero": of(
        (X, Y - 2), ValueError, 'target="true"', "y holds -2", "count from 0", "target=None", target="true"
    ),
    "labels of a half": of(
        (X, Y + 0.5), ValueError, 'target="true"', "float64", "neither class numbers nor one-hot", target="true"
    ),
    "labels of NaN": of((X, np.full(12, np.nan)), ValueError, 'target="true"', "neither class", target="true"),
    "one-hot rows of another width": of((X, np.eye(5)[Y + 2]), ValueError, "labels=", "3 classes", target="true"),
    "labels of a trillion": of(
        (X, Y.astype(np.int64) + 10**12), ValueError, 'target="true"', "1000000000002, too large", target="true"
    ),
    "a set that is not batched": of(SOME, ValueError, "validation_data", "must be batched", ".batch(32)"),
    "an empty set": of(SOME.batch(4).take(0), ValueError, "validation_data", "at least one sample", "empty data set"),
    "a ragged set": of(
        tf.data.Dataset.from_tensors(tf.ragged.constant([[1], [2, 3]])), TypeError, "validation_data", "RaggedTensor"
    ),
    "a set of varying shape": of(
        Batches(lambda place: (np.zeros((2, 8 + place, 8, 1), np.float32), Y[:2])),
        ValueError,
        "validation_data: x",
        "one shape",
        "resize or pad",
    ),
    "a set that raises": of(
        SOME.batch(4).map(lambda x, y: (tf.numpy_function(broken, [y], tf.float32), y)),
        UnreadableError,
        "validation_data: cannot be read",
        "batch 0",
        "no such picture",
        "mend the data set",
    ),
    "a PyDataset that raises": of(
        Batches(broken), UnreadableError, "validation_data: cannot be read", "KeyError (no such picture)"
    ),
    "a PyDataset that ends early": of(
        Batches(lambda place: next(iter(()))), UnreadableError, "validation_data: cannot be read", "StopIteration"
    ),
    "a PyDataset of nothing": of(Batches(lambda place: None), TypeError, "validation_data: x", "got None"),
    "a PyDataset of unequal rows": of(
        Batches(lambda place: (X[:3], Y[:2])), ValueError, "validation_data: y of a batch", "got 2 for 3 samples"
    ),
    "batches without rows, without end": of(
        Batches(lambda place: (X[:0], Y[:0]), None), ValueError, "validation_data", "1,000 batches without any"
    ),
    "a trillion of an endless set": of(
        SOME.batch(4).repeat(), ValueError, "count=1000000000000", "at most 100,000", "no end", count=10**12
    ),
    "a trillion of an endless PyDataset": of(
        Batches(lambda place: VALIDATION, None), ValueError, "count=1000000000000", "at most 100,000", count=10**12
    ),
    "a trillion of a generator": of(
        tf.data.Dataset.from_generator(
            endless, output_signature=(tf.TensorSpec((None, 8, 8, 1)), tf.TensorSpec((None,), tf.int64))
        ),
        ValueError,
        "count=1000000000000",
        "at most 100,000",
        count=10**12,
    ),
    "an autoencoder of other pictures": Wrong(
        anywhere(kv.Reconstructions, np.zeros((3, 6, 6, 1), np.float32)),
        ValueError,
        ("validation_data", "autoencoder", "as the model is fed"),
        autoencoder,
        (DATA.x, DATA.x),
    ),
    "a class name as text": of(
        VALIDATION, TypeError, "class_names", "'cat' (str)", '["cat", "dog"]', class_names="cat"
    ),
    "a class name that is none": of(
        VALIDATION, TypeError, "class_names", "1 (int) among them", "str(c)", class_names=["a", 1, "b"]
    ),
    "no class names": of(VALIDATION, ValueError, "class_names", "0 names and label 2", class_names=[]),
    "class names as a single value": of(VALIDATION, TypeError, "class_names", "a list of str", class_names=np.array(2)),
    "class names without end": of(
        VALIDATION, TypeError, "class_names", "a repeat", "list(...)", class_names=itertools.repeat("cat")
    ),
    "class names of a dict": of(VALIDATION, TypeError, "class_names", "a dict", class_names={"cat": 0}),
    "a display that raises": shown(lambda fed: fed["picture"], "raised", "inputs of shape (12, 8, 8, 1)"),
    "a display without arguments": shown(lambda: 1, "raised TypeError", "must return images"),
    "a display that gives nothing": shown(lambda fed: None, "shape ()", "expected (12, h, w)"),
    "a display that gives fewer": shown(lambda fed: fed[:3], "shape (3, 8, 8, 1)", "expected (12, h, w)"),
    "a display that gives no pixels": shown(lambda fed: fed[:, :0], "shape (12, 0, 8, 1)", "expected (12, h, w)"),
    "a display that gives rows": shown(lambda fed: fed.reshape(12, -1), "shape (12, 64)", "expected (12, h, w)"),
    "a display that gives text": shown(lambda fed: np.full((len(fed), 8, 8), "a"), "<U1", "real numbers"),
    "a display that gives objects": shown(lambda fed: np.zeros((len(fed), 8, 8), object), "object", "real numbers"),
    "a display that gives complex numbers": shown(lambda fed: fed * 1j, "complex", "real numbers"),
    "a display for one number of inputs": shown(lambda fed: np.zeros((12, 8, 8)), "for 1 inputs", "any number"),
}


@pytest.mark.fault("malformed data sets", "the right error with its words, before the first batch, whatever `on_error`")
def test_data_are_refused_before_the_first_batch(tmp_path):
    assert_all_refused(DATA_SETS, tmp_path)


def test_a_display_that_works_in_place_changes_nothing_that_the_model_is_fed(tmp_path):
    probe = kv.Probe(*VALIDATION)
    before = probe.images.copy()

    def blackened(fed):
        fed *= 0
        return fed

    kv.ActivationMaps(tmp_path, probe, display=blackened).picture(autoencoder())
    np.testing.assert_array_equal(probe.images, before)


def test_numbers_up_to_a_million_are_labels():
    assert labels_of(np.array([0, LARGEST_LABEL]), X[:2]).numbers.tolist() == [0, 10**6]
    assert labels_of(np.array([0, LARGEST_LABEL + 1]), X[:2]).numbers is None
