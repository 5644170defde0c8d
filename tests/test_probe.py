"""Probes of arrays: what is chosen, what counts as labels, and what is refused with which words."""

# ruff: noqa: NPY002 - the global state is what is watched here

import copy
import doctest
import pickle
import random
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from kerasviz_callbacks.probe import Probe, as_probe, check_count


def coded(n: int, *shape: int, dtype: str = "float32") -> np.ndarray:
    """Inputs whose every value is the number of its row."""
    return np.broadcast_to(np.arange(n).reshape(n, *(1 for _ in shape)), (n, *shape)).astype(dtype)


class TestChoice:
    def test_no_more_than_count_are_all_taken_in_order(self):
        probe = Probe(coded(7, 2, 2), [3, 0, 1, 2, 0, 0, 3], count=7)
        assert probe.index.tolist() == list(range(7))
        assert probe.labels.tolist() == [3, 0, 1, 2, 0, 0, 3]

    def test_labels_spread_evenly_and_every_beginning_too(self):
        labels = np.repeat([0, 1, 2, 3], [700, 100, 150, 50])
        probe = Probe(coded(1000, 3), labels, count=20)
        assert np.bincount(probe.labels).tolist() == [5, 5, 5, 5]
        assert probe.labels.tolist() == [0, 1, 2, 3] * 5
        np.testing.assert_array_equal(probe.images[:, 0], probe.index)
        np.testing.assert_array_equal(labels[probe.index], probe.labels)

    def test_a_rare_class_leaves_its_places_to_the_others(self):
        probe = Probe(coded(1000, 3), np.repeat([0, 1], [998, 2]), count=16)
        assert np.bincount(probe.labels).tolist() == [14, 2]

    def test_without_labels_the_choice_covers_the_whole(self):
        probe = Probe(coded(10_000, 1), count=500)
        assert len(set(probe.index.tolist())) == 500
        assert abs(probe.index.mean() - 5000) < 500
        assert probe.index.min() < 200
        assert probe.index.max() > 9800

    def test_the_same_data_give_the_same_choice(self):
        first, second = (Probe(coded(100, 1), np.arange(100) % 3) for _ in range(2))
        np.testing.assert_array_equal(first.index, second.index)

    def test_global_random_states_stay(self):
        before = random.getstate(), np.random.get_state()[1].tolist()
        Probe(coded(100, 1), np.arange(100) % 3)
        Probe(coded(100, 1))
        assert (random.getstate(), np.random.get_state()[1].tolist()) == before

    @given(
        labels=st.lists(st.integers(0, 6), min_size=1, max_size=60),
        count=st.integers(1, 70),
        structure=st.sampled_from(["array", "list", "dict", "nested"]),
    )
    def test_laws(self, labels, count, structure):
        n = len(labels)
        a, b = coded(n, 2), coded(n, 1, 3, dtype="uint8")
        x = {"array": a, "list": [a, b], "dict": {"b": b, "a": a}, "nested": {"p": [a, (b,)]}}[structure]
        probe = Probe((x, np.asarray(labels)), count=count)
        assert len(probe) == min(n, count)
        assert len(set(probe.index.tolist())) == len(probe)
        for leaf, fed in zip(flat(probe.inputs), flat(x), strict=True):
            assert leaf.dtype == fed.dtype
            np.testing.assert_array_equal(leaf, fed[probe.index])
        np.testing.assert_array_equal(probe.labels, np.asarray(labels)[probe.index])
        np.testing.assert_array_equal(probe.targets, probe.labels)
        captured, there = np.bincount(probe.labels, minlength=7), np.bincount(labels, minlength=7)
        short = captured < there  # a class that has rows left gets no less than any other but for one turn
        assert not short.any() or captured[short].min() >= captured.max() - 1


def flat(structure):
    if isinstance(structure, dict):
        return [leaf for part in structure.values() for leaf in flat(part)]
    if isinstance(structure, list | tuple):
        return [leaf for part in structure for leaf in flat(part)]
    return [structure]


class TestInputs:
    @pytest.mark.parametrize("dtype", ["uint8", "float16", "float64", "int32", "bool"])
    def test_dtype_is_untouched(self, dtype):
        assert Probe(coded(40, 2, 2, dtype=dtype)).images.dtype == dtype

    def test_bfloat16_is_untouched(self):
        dtype = pytest.importorskip("ml_dtypes").bfloat16
        probe = Probe(coded(40, 2).astype(dtype), np.zeros(40, dtype))
        assert probe.images.dtype == dtype
        assert probe.labels.tolist() == [0] * 16

    @pytest.mark.parametrize("dtype", ["U", "S", "O"])
    def test_strings_stay_strings(self, dtype):
        words = np.array(["ab", "c", "def"] * 10).astype(dtype)
        probe = Probe((words, np.arange(30) % 3), count=6)
        assert probe.images.dtype == words.dtype
        assert probe.labels.tolist() == [0, 1, 2] * 2
        np.testing.assert_array_equal(probe.images, words[probe.index])

    def test_what_is_looked_at_does_not_follow_later_changes(self):
        x = coded(4, 2)
        probe = Probe(x)
        x[:] = 9
        assert probe.images[:, 0].tolist() == [0, 1, 2, 3]

    def test_of_several_inputs_the_first_is_the_picture(self):
        a, b = coded(30, 4, 4), coded(30, 2)
        assert Probe([a, b]).images.shape == (16, 4, 4)
        probe = Probe(({"left": b, "right": a}, np.arange(30)))
        assert list(probe.inputs) == ["left", "right"]
        assert probe.images.shape == (16, 2)

    def test_anything_with_array(self):
        class Like:
            def __array__(self, dtype=None, copy=None):
                return coded(5, 2)

        assert Probe(Like()).images.shape == (5, 2)
        assert Probe((Like(), Like())).targets.shape == (5, 2)

    def test_weights_are_left_aside(self):
        probe = Probe((coded(3, 2), np.array([0, 1, 0]), np.ones(3)))
        assert probe.labels.tolist() == [0, 1, 0]


X = coded(6, 3, 3, 1)


class TestLabels:
    @pytest.mark.parametrize(
        "y",
        [
            np.array([0, 1, 2, 0, 1, 2], "int8"),
            np.array([[0], [1], [2], [0], [1], [2]], "uint16"),
            np.eye(3)[[0, 1, 2, 0, 1, 2]],
            np.eye(3, dtype="int32")[[0, 1, 2, 0, 1, 2]],
            np.eye(3, dtype=bool)[[0, 1, 2, 0, 1, 2]],
            *(np.array([0, 1, 2, 0, 1, 2], dtype) for dtype in ("float16", "float32", "float64", "int64")),
            np.array([[0], [1], [2], [0], [1], [2]], "float32"),
        ],
    )
    def test_class_numbers_and_one_hot_rows(self, y):
        probe = Probe((X, y))
        assert probe.labels.dtype == np.int64
        assert probe.labels.tolist() == [0, 1, 2, 0, 1, 2]
        assert probe.targets.dtype == y.dtype
        assert probe.targets.shape == y.shape
        assert probe.why_no_labels == ""
        assert Probe(X, y).labels.tolist() == [0, 1, 2, 0, 1, 2]

    @pytest.mark.parametrize("dtype", ["float32", "bool"])
    @pytest.mark.parametrize("shape", [(6,), (6, 1)])
    def test_yes_and_no(self, dtype, shape):
        y = np.array([0, 1, 1, 0, 1, 0], dtype).reshape(shape)
        assert Probe((X, y)).labels.tolist() == [0, 1, 1, 0, 1, 0]

    @pytest.mark.parametrize("stream", [False, True])
    def test_rows_of_minus_one_have_no_class(self, stream):
        x, y = coded(60, 2), np.arange(60) % 4 - 1
        for count in (100, 9):
            data = tf.data.Dataset.from_tensor_slices((x, y)).batch(7) if stream else (x, y)
            probe = Probe(data, count=count)
            assert np.bincount(probe.labels).tolist() == ([15] * 3 if count == 100 else [3] * 3)
            assert (y[probe.index] == probe.labels).all()
            np.testing.assert_array_equal(probe.images[:, 0], probe.index)

    @pytest.mark.parametrize("stream", [False, True])
    def test_minus_one_and_one_are_two_classes(self, stream):
        x, y = coded(60, 2), np.where(np.arange(60) % 3 > 0, 1.0, -1.0)
        data = tf.data.Dataset.from_tensor_slices((x, y)).batch(7) if stream else (x, y)
        probe = Probe(data, count=10)
        assert np.bincount(probe.labels).tolist() == [5, 5]
        np.testing.assert_array_equal(y[probe.index], 2 * probe.labels - 1)

    @pytest.mark.parametrize("stream", [False, True])
    def test_soft_rows_are_labels_of_their_largest_class(self, stream):
        y = np.array([[0.8, 0.2, 0], [0.3, 0.3, 0.4], [1, 0, 0], [0, 1, 0], [0.1, 0.8, 0.1], [0, 0.5, 0.5]], "float32")
        data = tf.data.Dataset.from_tensor_slices((X, y)).batch(3) if stream else (X, y)
        probe = Probe(data)
        assert probe.labels.tolist() == [0, 2, 0, 1, 1, 1]
        assert probe.soft_labels
        assert not Probe((X, np.eye(3)[[0, 1, 2, 0, 1, 2]])).soft_labels

    @pytest.mark.parametrize(
        ("y", "why"),
        [
            (X, "a reconstruction target"),
            (X.astype(int), "a reconstruction target"),
            (np.linspace(0, 1, 6), "y is float64 of shape (6,), neither"),
            (np.array([0, 1, 2, 0, 1, 2.5]), "neither class numbers nor one-hot rows"),
            (np.array([0, 1, 2, 0, 1, np.inf]), "neither class numbers nor one-hot rows"),
            (np.full((6, 3), 1 / 4), "y is float64 of shape (6, 3), neither"),
            (np.array([[1.5, -0.5]] * 6), "neither"),
            (np.array([[1, 1, 0]] * 6), "neither"),
            (np.zeros((6, 3)), "neither"),
            (np.zeros((6, 3, 3), int), "neither"),
            (np.array([1, -2, 1, 1, -1, 1]), "y holds -2, and class numbers count from 0"),
            (np.full(6, -1), "y holds -1 only, which is no class"),
            (np.array(list("abcdef")), "neither"),
            (np.full(6, np.nan), "neither"),
        ],
    )
    def test_everything_else_is_a_target(self, y, why):
        probe = Probe((X, y))
        assert probe.labels is None
        assert why in probe.why_no_labels
        np.testing.assert_array_equal(probe.targets, y)

    def test_of_several_outputs_the_first_counts(self):
        y = np.array([0, 1, 2, 0, 1, 2])
        assert Probe((X, [y, X])).labels.tolist() == y.tolist()
        assert Probe((X, {"kind": y, "size": np.zeros((6, 1))})).labels.tolist() == y.tolist()
        assert Probe((X, [X, y])).labels is None

    def test_a_row_of_one_number_is_nothing_to_reconstruct(self):
        assert Probe((np.arange(4), np.array([0, 1, 0, 1]))).labels.tolist() == [0, 1, 0, 1]
        assert Probe((np.ones((4, 1)), np.ones((4, 1), int))).labels.tolist() == [1, 1, 1, 1]

    def test_no_y(self):
        for data in [X, (X,), (X, None), (X, None, np.ones(6))]:
            probe = Probe(data)
            assert probe.labels is None
            assert probe.targets is None
            assert probe.why_no_labels == "there is no y"

    def test_labels_given_apart_replace_those_of_y(self):
        y = np.array([5, 4, 3, 2, 1, 0])
        probe = Probe((X, y), [0, 0, 1, 1, 2, 2])
        assert probe.labels.tolist() == [0, 0, 1, 1, 2, 2]
        np.testing.assert_array_equal(probe.targets, y)
        assert Probe((X, X), np.eye(6)).labels.tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (5, TypeError, ["data", "must be an array", "5 (int)", "np.asarray"]),
        (None, TypeError, ["data", "got None", "tf.data.Dataset", "kv.Probe"]),
        ("photos/", TypeError, ["data", "'photos/' (str)", "pass arrays"]),
        ((i for i in range(3)), TypeError, ["data", "generator", "from_generator", "PyDataset"]),
        (zip([1], [2], strict=True), TypeError, ["data", "a zip", "from_generator"]),
        ({1, 2}, TypeError, ["data", "a set", "no order"]),
        ([1, 2, 3], TypeError, ["data[0]", "1 (int)", "np.asarray"]),
        ([[1.5, 2.0], [3.0, 4.0]], TypeError, ["data[0][0]", "1.5 (float)", "np.asarray"]),
        ((X, [0, 1, 2, 3, 4, 5]), TypeError, ["data: y[0]", "np.asarray"]),
        ((None, X), TypeError, ["data", "x must be an array", "got None"]),
        (object(), TypeError, ["data", "an object", "pass arrays"]),
        (np.array([object()] * 3), TypeError, ["data", "numbers or strings", "object", "astype"]),
        (np.zeros((3, 2), complex), TypeError, ["data", "complex128", "astype"]),
        (np.zeros(3, "datetime64[D]"), TypeError, ["data", "datetime64"]),
        (np.zeros(3, "i4,f4"), TypeError, ["data", "numbers or strings"]),
        (np.float32(3), ValueError, ["data", "shape ()", "axis"]),
        (np.zeros((0, 4)), ValueError, ["data", "at least one sample", "(0, 4)"]),
        ([], ValueError, ["data", "at least one array", "empty list"]),
        ({}, ValueError, ["data", "empty dict"]),
        ((), ValueError, ["data", "(x, y, w)", "0 members", "list or dict"]),
        ((X, X, X, X), ValueError, ["data", "4 members", "([a, b], y)"]),
        ((X, np.zeros(5, int)), ValueError, ["data: y", "got 5 for 6 samples", "several inputs are a list"]),
        ([X, np.zeros((4, 2))], ValueError, ["data", "6 in data[0] and 4 in data[1]"]),
        (({"a": X, "b": X[:2]}, None), ValueError, ["data: x", '2 in data: x["b"]']),
    ],
)
def test_errors_name_the_argument_the_rule_and_the_remedy(data, error, words):
    with pytest.raises(error) as caught:
        Probe(data)
    for word in words:
        assert word in str(caught.value)
    with pytest.raises(error) as caught:
        as_probe(data, count=None, default_count=16, class_names=None, argument="training_data")
    assert str(caught.value).startswith("training_data")


def test_importing_is_light():
    code = "import sys, kerasviz_callbacks.probe; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"tensorflow", "keras", "torch", "jax"} & set(done.stdout.split())


def test_the_example_runs():
    found = doctest.DocTestFinder(recurse=False).find(Probe, "Probe", globs={"Probe": Probe, "np": np})
    assert [doctest.DocTestRunner().run(example).failed for example in found] == [0]


def test_sparse_matrices_are_refused_with_the_remedy():
    sparse = pytest.importorskip("scipy.sparse").eye(4).tocsr()
    with pytest.raises(TypeError, match=r"data: must be an array, got a sparse .*toarray"):
        Probe(sparse)


@pytest.mark.parametrize(
    ("labels", "error", "words"),
    [
        (3, TypeError, "labels: must be class numbers .* got 3"),
        ("cat", TypeError, "labels: .*'cat'"),
        ([0, 1], ValueError, "labels: must have one row per sample, got 2 for 6 samples"),
        (np.zeros((6, 2)), ValueError, r"labels: .* got float64 of shape \(6, 2\); .*argmax"),
        (np.linspace(0, 1, 6), ValueError, r"labels: .* got float64 of shape \(6,\)"),
        (np.zeros((6, 2, 2), int), ValueError, r"labels: .* got int64 of shape \(6, 2, 2\)"),
        (np.array([0, 1, -2, 0, 0, 0]), ValueError, "labels: .* got -2; rows without a class are -1"),
        (list("abcdef"), ValueError, r"labels: .* np.unique\(names, return_inverse=True\)"),
        ([[1], [1, 2]], ValueError, "labels: .* lists of different lengths"),
    ],
)
def test_wrong_labels(labels, error, words):
    with pytest.raises(error, match=words):
        Probe(X, labels)


class TestCount:
    @pytest.mark.parametrize("count", [1, np.int32(3), np.uint8(200)])
    def test_whole_numbers(self, count):
        assert check_count(count) == int(count)
        assert type(check_count(count)) is int

    @pytest.mark.parametrize("count", [True, np.True_, 2.0, "16", None, [16]])
    def test_anything_else(self, count):
        with pytest.raises(TypeError, match=r"count: must be a whole number .*, got .*; try count=16"):
            Probe(X, count=count)

    @pytest.mark.parametrize("count", [0, -3])
    def test_too_few(self, count):
        with pytest.raises(ValueError, match=f"count: must be at least 1, got {count}"):
            Probe(X, count=count)


class TestClassNames:
    Y = np.array([0, 1, 2, 0, 1, 2])

    def test_names_are_kept_as_a_tuple(self):
        names = Probe((X, self.Y), class_names=np.array(["a", "ü", ""])).class_names
        assert names == ("a", "ü", "")
        assert all(type(name) is str for name in names)
        assert Probe((X, self.Y)).class_names is None
        assert Probe((X, self.Y), class_names=list("abcd")).class_names == ("a", "b", "c", "d")
        assert Probe(X, class_names=["a"]).class_names == ("a",)

    def test_fewer_names_than_labels(self):
        with pytest.raises(ValueError, match="class_names: must be as many as the classes, got 2 names and"):
            Probe((X, self.Y), class_names=["a", "b"])

    def test_labels_that_were_not_chosen_count_too(self):
        with pytest.raises(ValueError, match="got 2 names and label 2; pass at least 3 names"):
            Probe((X, self.Y), class_names=["a", "b"], count=1)

    @pytest.mark.parametrize("names", ["ab", 3, b"ab", {"a": 0}])
    def test_no_list(self, names):
        with pytest.raises(TypeError, match="class_names: must be a list of str, one a class, got"):
            Probe((X, self.Y), class_names=names)

    def test_no_strings(self):
        with pytest.raises(TypeError, match=r"class_names: .* got 1 \(int\) among them; use \[str\(c\)"):
            Probe((X, self.Y), class_names=["a", 1, 2])


class TestAsProbe:
    def ask(self, data, **given):
        return as_probe(data, **{"count": None, "default_count": 4, "class_names": None} | given)

    def test_a_probe_is_taken_as_it_is(self):
        probe = Probe(X)
        assert self.ask(probe) is probe

    def test_data_become_a_probe(self):
        assert len(self.ask(X)) == 4
        assert len(self.ask(X, count=5)) == 5
        assert self.ask(X, class_names=["a"]).class_names == ("a",)

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            (
                {"count": 32},
                "count=32 beside a Probe: validation_data is a Probe and has its own count; pass",
            ),
            ({"class_names": ["a"]}, r"class_names=\['a'\] beside a Probe: .* to kv.Probe\(\.\.\.\) instead"),
        ],
    )
    def test_nothing_beside_a_probe(self, given, words):
        with pytest.raises(ValueError, match=words):
            self.ask(Probe(X), **given)

    def test_a_probe_of_a_probe(self):
        probe = Probe((X, np.arange(6)), count=3)
        again = Probe(probe)
        assert again.index.tolist() == probe.index.tolist()
        with pytest.raises(ValueError, match="count=5 beside a Probe: data has its own 3 samples"):
            Probe(probe, count=5)
        with pytest.raises(ValueError, match=r"labels=.* beside a Probe: data is a Probe and has its own labels"):
            Probe(probe, [1, 2, 3])
        with pytest.raises(ValueError, match=r"class_names=.* beside a Probe"):
            Probe(probe, class_names=["a"])


def test_repr():
    assert repr(Probe(coded(1000, 2), np.arange(1000) % 10)) == "Probe(16 of 1000, labels 0..9)"
    assert repr(Probe(X)) == "Probe(6 of 6)"


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda probe: pickle.loads(pickle.dumps(probe))])
def test_twins(twin):
    probe = Probe(({"a": X, "b": X}, np.arange(6)), count=4, class_names=list("abcdef"))
    other = twin(probe)
    assert repr(other) == repr(probe)
    assert other.images is not probe.images
    np.testing.assert_array_equal(other.inputs["b"], probe.inputs["b"])
    np.testing.assert_array_equal(other.index, probe.index)
    assert other.class_names == probe.class_names


@pytest.mark.parametrize(
    ("labels", "share", "size"),
    [([0, 0, 0, 1], 0.75, "2 of 4"), ([2, 1, 0, 0], 0.5, "2 of 4"), (None, None, "2 of 4"), ([1, 1], 1.0, "2")],
)
def test_the_share_of_the_most_frequent_class_is_that_of_all_data_not_of_the_balanced_choice(labels, share, size):
    data = np.zeros((4 if labels is None else len(labels), 3))
    probe = Probe(data, None if labels is None else np.array(labels), count=2)
    assert probe.size == size
    assert np.isnan(probe.most_frequent) if share is None else probe.most_frequent == share
