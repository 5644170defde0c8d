"""Batches whose structure changes: every kind of stream is refused in plain words, before anything is trained."""

import os
import re
import sys
import types

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import pytest
import tensorflow as tf
from harness import classifier

import kerasviz_callbacks as kv
from kerasviz_callbacks.probe import Probe, as_probe
from kerasviz_callbacks.probe.structures import structure_text

X, Y = np.arange(32, dtype=np.float32).reshape(4, 8), np.array([0, 1, 2, 0])
IN_ORDER = "(float32 (4, 8), int64 (4,))"
CHANGED = {
    "x alone": (X, "float32 (4, 8)"),
    "x in a tuple": ((X,), "(float32 (4, 8),)"),
    "weights too": ((X, Y, np.ones(4)), "(float32 (4, 8), int64 (4,), float64 (4,))"),
    "four members": ((X, Y, Y, Y), "(float32 (4, 8), int64 (4,), int64 (4,), int64 (4,))"),
    "a dict": (({"a": X}, Y), "({'a': float32 (4, 8)}, int64 (4,))"),
    "a list": (([X, X], Y), "([float32 (4, 8), float32 (4, 8)], int64 (4,))"),
    "more axes": ((X[..., None], Y), "(float32 (4, 8, 1), int64 (4,))"),
    "one-hot labels": ((X, np.eye(3)[Y]), "(float32 (4, 8), float64 (4, 3))"),
    "another dtype": ((X.astype("uint8"), Y), "(uint8 (4, 8), int64 (4,))"),
    "no labels": ((X, None), "(float32 (4, 8), None)"),
    "text": ((X.astype(str), Y), "(text (4, 8), int64 (4,))"),
}


class Batches(keras.utils.PyDataset):
    """Given batches."""

    def __init__(self, *given):
        super().__init__()
        self.given = given

    @property
    def num_batches(self):
        return len(self.given)

    def __getitem__(self, place):
        return self.given[place]


class Loader:
    """Stands in for torch's `DataLoader`, of which only the iterator and the data set are used."""

    def __init__(self, *given):
        self.dataset = self.given = given

    def __iter__(self):
        return iter(self.given)


@pytest.fixture(params=[Batches, Loader], ids=["PyDataset", "DataLoader"])
def stream(request, monkeypatch):
    """Makes a stream of given batches."""
    states = types.SimpleNamespace(get_rng_state=lambda: 0, set_rng_state=lambda state: None)
    data = types.SimpleNamespace(DataLoader=Loader)
    torch = types.SimpleNamespace(utils=types.SimpleNamespace(data=data), random=states)
    if request.param is Loader:
        monkeypatch.setitem(sys.modules, "torch", torch)
    return request.param


def said(argument, text, *, place=1, first=IN_ORDER):
    return re.escape(
        f"{argument}: every batch must have the same structure, numbers of axes and dtypes, got {first} in batch 0 and "
        f"{text} in batch {place} (counted from 0); make the data set give all its batches alike, or pass arrays"
    )


@pytest.mark.parametrize("changed", CHANGED)
def test_both_structures_and_the_batch_are_named(changed, stream):
    batch, text = CHANGED[changed]
    with pytest.raises(ValueError, match=f"^{said('data', text)}$"):
        Probe(stream((X, Y), batch), count=16)
    with pytest.raises(ValueError, match=said("training_data", text, place=2)):
        as_probe(
            stream((X, Y), (X[:2], Y[:2]), batch), count=16, default_count=1, class_names=None, argument="training_data"
        )


def test_tensors_of_torch_are_described_alike():
    torch = pytest.importorskip("torch")
    x, y = torch.as_tensor(X), torch.as_tensor(Y)
    loader = torch.utils.data.DataLoader(
        [(x, y), (x.to(torch.uint8), y)], batch_size=1, collate_fn=lambda rows: rows[0]
    )
    with pytest.raises(ValueError, match=said("data", "(uint8 (4, 8), int64 (4,))")):
        Probe(loader, count=16)


def shapes_of(*given):
    """A set of `tf.data` that tells no numbers of axes."""
    signature = (tf.TensorSpec(None, tf.float32), tf.TensorSpec(None, tf.int64))
    return tf.data.Dataset.from_generator(lambda: iter(given), output_signature=signature)


def test_tf_data_of_unknown_numbers_of_axes():
    with pytest.raises(ValueError, match=said("data", "(float32 (4, 8, 1), int64 (4,))")):
        Probe(shapes_of((X, Y), (X[..., None], Y)), count=16)


@pytest.mark.parametrize("changed", ["x alone", "weights too", "a dict", "more axes"])
def test_tf_data_from_a_generator_tells_what_it_was_promised(changed):
    signature = (tf.TensorSpec((None, 8), tf.float32), tf.TensorSpec((None,), tf.int64))
    batches = [(X, Y), CHANGED[changed][0]]
    data = tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=signature)
    with pytest.raises(ValueError, match=r"^data: cannot be read, batch 1 raised \w+ \(.*") as raised:
        Probe(data, count=16)
    assert re.search(r"expected|did not match|Can't convert|must be", str(raised.value)), raised.value


@pytest.mark.parametrize("view", [kv.ActivationMaps, kv.OverfittingMonitor], ids=lambda view: view.__name__)
def test_a_fit_is_told_under_the_name_of_the_argument(view, stream, tmp_path):
    x = np.zeros((6, 8, 8, 1), np.float32)
    changed = stream((x, np.arange(6) % 3), ({"a": x}, np.arange(6) % 3))
    model = classifier()
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"validation_data: every batch must have .* in batch 1 "):
        model.fit(x, np.arange(6) % 3, verbose=0, callbacks=[view(tmp_path, changed)])
    assert all(np.array_equal(one, other) for one, other in zip(before, model.get_weights(), strict=True))


def test_what_may_change_from_batch_to_batch(stream):
    given = ((X, Y), (X[:1], Y[:1]), (X[:0], Y[:0]), (X, Y))
    probe = Probe(stream(*given), count=9)
    np.testing.assert_array_equal(probe.images, np.concatenate([x for x, _ in given]))
    names = Batches((np.array(["a", "bc"]), Y[:2]), (np.array(["def", "g"]), Y[:2]))
    assert Probe(names, count=4).images.tolist() == ["a", "bc", "def", "g"]


def test_a_batch_without_rows_may_come_first():
    none = (np.zeros((0,)), np.zeros((0,)))
    assert len(Probe(Batches(none, (X, Y), (X, Y)), count=8)) == 8
    with pytest.raises(ValueError, match="in batch 1 and float32"):
        Probe(Batches(none, (X, Y), X), count=8)


def test_dicts_may_be_in_any_order():
    """Each row keeps its own inputs and its own first target."""
    a, b = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    y, z = np.array([0, 1]), np.array([5, 6])
    probe = Probe(Batches(({"a": a, "b": b}, {"y": y, "z": z}), ({"b": b, "a": a}, {"z": z, "y": y})), count=4)
    assert {key: value.tolist() for key, value in probe.inputs.items()} == {"a": [1, 2, 1, 2], "b": [3, 4, 3, 4]}
    assert {key: value.tolist() for key, value in probe.targets.items()} == {"y": [0, 1, 0, 1], "z": [5, 6, 5, 6]}
    assert probe.labels.tolist() == [0, 1, 0, 1]


def test_structures_in_words():
    batch = ({"b": X, "a": [Y, tf.constant([[True]])]}, None, "word")
    assert structure_text(batch) == ("({'b': float32 (4, 8), 'a': [int64 (4,), bool (1, 1)]}, None, 'word' (str))")
    assert structure_text(batch, sizes=False) == "({'a': [int64 1, bool 2], 'b': float32 2}, None, 'word' (str))"
