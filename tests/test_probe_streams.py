"""Probes of data sets that are read once: how far, what is kept, and that nobody notices."""

# ruff: noqa: NPY002 - the global state is what is watched here

import os
import random
import sys
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import pytest
import tensorflow as tf
from harness import first, quick
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kerasviz_callbacks.probe import Probe, streams
from kerasviz_callbacks.probe.labels import Labels
from kerasviz_callbacks.probe.pool import Pool


class Batches(keras.utils.PyDataset):
    """Batches of pictures whose value is their place; notes which batches were asked for."""

    def __init__(self, labels, batch=8, endless=False, **more):
        super().__init__()
        self.labels_, self.batch, self.endless = np.asarray(labels), batch, endless
        self.asked = []
        vars(self).update(more)

    @property
    def num_batches(self):
        return None if self.endless else -(-len(self.labels_) // self.batch)

    def __getitem__(self, place):
        self.asked.append(place)
        list_layers = np.arange(place * self.batch, (place + 1) * self.batch)
        if not self.endless:
            list_layers = list_layers[list_layers < len(self.labels_)]
        x = np.broadcast_to(list_layers[:, None, None], (len(list_layers), 2, 2)).astype("float32")
        return x, self.labels_[list_layers % len(self.labels_)]

    def on_epoch_end(self):
        raise AssertionError("a probe is no epoch")


def value(probe):
    return probe.images[:, 0, 0].astype(int).tolist()


class TestHowFar:
    def test_without_labels_the_first_are_taken_and_no_more_read(self):
        data = Batches(np.linspace(0, 1, 1000))
        probe = Probe(data, count=20)
        assert data.asked == [0, 1, 2]
        assert probe.labels is None
        assert probe.index.tolist() == list(range(20)) == value(probe)
        np.testing.assert_array_equal(probe.targets, np.linspace(0, 1, 1000)[:20])
        assert repr(probe) == "Probe(20 of 24 read)"
        assert probe.size == "20 of the first 24"
        assert Probe(Batches(np.linspace(0, 1, 24)), count=24).size == "24"

    def test_no_more_data_than_count_in_the_given_order(self):
        labels = [2, 0, 0, 1, 2, 1, 0, 0, 0, 1, 1]
        for count in (11, 12, 500):
            probe = Probe(Batches(labels, batch=4), count=count)
            assert probe.index.tolist() == list(range(11)) == value(probe)
            assert probe.labels.tolist() == labels

    def test_as_many_as_one_full_batch_in_the_given_order(self):
        labels = [1, 0] * 8
        probe = Probe(Batches(labels, batch=16), count=16, class_names=["a", "b"])
        assert probe.labels.tolist() == labels

    def test_known_number_of_classes_stops_when_all_are_full(self):
        data = Batches(np.arange(10_000) % 4)
        probe = Probe(data, count=16, class_names=list("abcd"))
        assert data.asked == [0, 1, 2]  # 16 would do; one more tells that not all of the data were seen
        assert probe.labels.tolist() == [0, 1, 2, 3] * 4
        np.testing.assert_array_equal(probe.index % 4, probe.labels)
        assert value(probe) == probe.index.tolist()

    def test_one_hot_rows_tell_the_number_of_classes(self):
        data = Batches(np.eye(4)[np.repeat(np.arange(4), 100)])
        probe = Probe(data, count=16)
        assert data.asked[-1] == 303 // 8
        assert np.bincount(probe.labels).tolist() == [4, 4, 4, 4]

    def test_yes_and_no_are_two_classes(self):
        data = Batches(np.repeat([0.0, 1.0], 100))
        assert np.bincount(Probe(data, count=10).labels).tolist() == [5, 5]
        assert data.asked[-1] == 104 // 8

    def test_unknown_number_of_classes_stops_when_all_are_about_and_full(self):
        data = Batches(np.arange(10_000) % 10)
        probe = Probe(data, count=20)
        assert len(data.asked) == 7  # 5 samples a class at least
        assert np.bincount(probe.labels).tolist() == [2] * 10

    @pytest.mark.parametrize("known", [True, False])
    def test_a_sorted_stream_is_covered(self, known):
        data = Batches(np.repeat(np.arange(5), 70))
        probe = Probe(data, count=10, class_names=list("abcde") if known else None)
        assert probe.labels.tolist() == [0, 1, 2, 3, 4] * 2
        assert len(data.asked) == (282 // 8 + 1 if known else 44)

    @pytest.mark.parametrize("buffer", [1, 40])
    @pytest.mark.parametrize("batch", first([8, 1]))
    def test_a_sorted_stream_of_unknown_classes_does_not_end_with_the_second(self, batch, buffer):
        rng = np.random.default_rng(0)
        labels = np.repeat(np.arange(8), 300)
        labels = labels[np.argsort(np.arange(len(labels)) + rng.uniform(0, buffer, len(labels)))]
        assert np.bincount(Probe(Batches(labels, batch=batch), count=500).labels).min() >= 62

    def test_the_limit(self):
        data = Batches([0] * 10_000)
        probe = Probe(data, count=4)
        assert data.asked == list(range(25))  # 50 * 4 samples
        assert probe.labels.tolist() == [0] * 4

    def test_beyond_the_limit_nothing_is_used(self):
        data = Batches([0] * 200 + [1] * 800, batch=1000)
        probe = Probe(data, count=4, class_names=["a", "b"])
        assert probe.labels.tolist() == [0] * 4
        assert repr(probe) == "Probe(4 of 200 read, labels 0..0)"

    def test_an_endless_stream_ends(self):
        data = Batches([0, 0, 0, 7], endless=True)
        assert sorted(set(Probe(data, count=6).labels.tolist())) == [0, 7]
        assert len(data.asked) <= 50 * 6 / 8 + 1

    def test_more_classes_than_places(self):
        data = Batches(np.arange(100_000) % 1000)
        probe = Probe(data, count=16, class_names=[str(k) for k in range(1000)])
        assert len(set(probe.labels.tolist())) == 16
        assert len(data.asked) == 3

    def test_labels_that_turn_out_to_be_numbers(self):
        y = np.array([0.0] * 30 + [0.5] * 30)
        probe = Probe(Batches(y, batch=10), count=16)
        assert probe.labels is None
        assert "neither class numbers" in probe.why_no_labels
        assert probe.index.tolist() == list(range(16)) == value(probe)


@given(
    labels=st.lists(st.integers(0, 5), min_size=1, max_size=200),
    count=st.integers(1, 12),
    batch=st.integers(1, 9),
    known=st.booleans(),
)
def test_laws_of_the_pool(labels, count, batch, known):
    pool, most = Pool(count, 6 if known else None), 0
    for start in range(0, len(labels), batch):
        part = np.asarray(labels[start : start + batch])
        pool.add(np.arange(start, start + len(part)), None, Labels(part))
        most = max(most, len(pool._rows))
        if pool.full:
            break
    chosen = pool.chosen(0, "data")
    assert most < 3 * count + 6
    assert len(set(chosen.index.tolist())) == len(chosen.index) == min(count, len(labels))
    np.testing.assert_array_equal(chosen.inputs, chosen.index)
    np.testing.assert_array_equal(chosen.labels, np.asarray(labels)[chosen.index])
    there = np.bincount(labels[: pool.seen], minlength=6)
    captured = np.bincount(chosen.labels, minlength=6)
    short = captured < there
    assert not short.any() or captured[short].min() >= captured.max() - 1
    if len(labels) <= count:
        assert chosen.index.tolist() == list(range(len(labels)))


class TestPyDataset:
    def test_class_names_are_read_from_it(self):
        assert Probe(Batches([0, 1], class_names=["a", "b"])).class_names == ("a", "b")
        assert Probe(Batches([0, 1], class_names=["a", "b"]), class_names=["xy", "z"]).class_names == (
            "xy",
            "z",
        )
        assert Probe(Batches([0, 1], class_names=7)).class_names is None
        with pytest.raises(ValueError, match=r"class_names \(those that the data set carries\): .* 1 names"):
            Probe(Batches([0, 1], class_names=["a"]))

    def test_its_state_is_put_back(self):
        class Moving(Batches):
            def __getitem__(self, place):
                self.calls = getattr(self, "calls", 0) + 1
                self.own.random(), self.old.random(), self.plain.random()
                np.random.random(), random.random(), keras.random.uniform(())
                return super().__getitem__(place)

        states = {"own": np.random.default_rng(1), "old": np.random.RandomState(1), "plain": random.Random(1)}
        data = Moving(np.arange(100) % 4, **states)
        keras.utils.set_random_seed(5)

        def draw():
            shared = np.random.random(), random.random(), float(keras.random.uniform(()))
            return [*shared, *(state.random() for state in states.values())]

        expected = draw()
        data = Moving(np.arange(100) % 4, **states)
        for state in states.values():
            rewind(state)
        keras.utils.set_random_seed(5)
        Probe(data, count=8)
        assert data.asked
        assert not hasattr(data, "calls")
        assert draw() == expected

    def test_a_legacy_image_generator_keeps_its_order(self):
        from keras.src.legacy.preprocessing.image import ImageDataGenerator

        def epochs(look):
            np.random.seed(4)
            x = np.arange(40.0).reshape(40, 1, 1, 1)
            data = ImageDataGenerator().flow(x, np.arange(40) % 2, batch_size=8, shuffle=True)
            if look:
                assert Probe(data, count=4).labels.tolist() == [0, 1, 0, 1]
            orders = []
            for _ in range(2):
                orders.append([data[place][0].ravel().tolist() for place in range(len(data))])
                data.on_epoch_end()
            return orders, np.random.random()

        assert epochs(True) == epochs(False)

    def test_labels_given_apart_go_by_place(self):
        labels = np.arange(100) % 3
        probe = Probe(Batches(np.zeros((100, 7))), labels, count=6)
        np.testing.assert_array_equal(probe.labels, probe.index % 3)
        assert probe.targets.shape == (6, 7)

    @pytest.mark.parametrize(("n", "words"), [(99, "got 99 labels and at least"), (101, "got 101 for 100")])
    def test_labels_given_apart_of_wrong_length(self, n, words):
        with pytest.raises(ValueError, match=f"labels: .*{words}"):
            Probe(Batches(np.zeros(100)), np.zeros(n, int), count=50)

    def test_no_batches(self):
        with pytest.raises(ValueError, match="data: must hold at least one sample, got an empty data set"):
            Probe(Batches([]))

    def test_rows_of_different_shape(self):
        class Growing(Batches):
            def __getitem__(self, place):
                return np.zeros((8, place + 1))

        with pytest.raises(ValueError, match=r"data: x: all rows must have one shape, got \(1,\) and \(2,\)"):
            Probe(Growing(np.zeros(100)), count=16)

    def test_x_and_y_of_different_length(self):
        class Torn(Batches):
            def __getitem__(self, place):
                return np.zeros((8, 2)), np.zeros(7)

        with pytest.raises(ValueError, match=r"data: y of a batch: .* got 7 for 8 samples"):
            Probe(Torn(np.zeros(100)))


def rewind(state):
    fresh = {np.random.Generator: np.random.default_rng, random.Random: random.Random}
    if isinstance(state, np.random.RandomState):
        state.set_state(np.random.RandomState(1).get_state())
    elif isinstance(state, np.random.Generator):
        state.bit_generator.state = fresh[np.random.Generator](1).bit_generator.state
    else:
        state.setstate(random.Random(1).getstate())


def numbers(n=40):
    return tf.data.Dataset.range(n)


def with_folder(folder):
    for name in "ab":
        (folder / name).mkdir(exist_ok=True)
        for place in range(12):
            Image.fromarray(np.full((8, 8, 3), place * 10, np.uint8)).save(folder / name / f"{place}.png")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow and Keras while they read; not what is tested here
        return keras.utils.image_dataset_from_directory(
            folder, image_size=(8, 8), batch_size=4, label_mode="int", verbose=False
        )


def augmented(_):
    layer = keras.layers.RandomTranslation(0.5, 0.5, seed=3)
    x = np.random.default_rng(0).random((40, 4, 4, 1)).astype("float32")
    return tf.data.Dataset.from_tensor_slices(x).shuffle(9).batch(4).map(lambda x: layer(x, training=True))


def looked_up(_):
    keys = tf.range(40, dtype=tf.int64)
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, keys * 2), -1)
    return numbers().shuffle(20).map(table.lookup).batch(4)


def drawn(_):
    generator = tf.random.Generator.from_seed(1)
    return numbers().map(lambda x: generator.uniform(())).batch(4)


def generated(_):
    def rows():
        yield from np.arange(40)

    signature = tf.TensorSpec((), tf.int64)
    return tf.data.Dataset.from_generator(rows, output_signature=signature).shuffle(10).batch(4)


def interleaved(_):
    return (
        numbers(8)
        .shuffle(8)
        .interleave(lambda i: tf.data.Dataset.range(5).shuffle(5).map(lambda j: i * 5 + j), cycle_length=3)
        .batch(4)
    )


PIPELINES = {
    "plain": lambda _: numbers().batch(4),
    "shuffle": lambda _: numbers().shuffle(40).batch(4),
    "shuffle with seed": lambda _: numbers().shuffle(40, seed=3).batch(4),
    "shuffle once": lambda _: numbers().shuffle(40, reshuffle_each_iteration=False).batch(4),
    "repeat": lambda _: numbers().shuffle(40, seed=3).repeat().batch(4).take(12),
    "random map": lambda _: numbers().map(lambda x: tf.random.uniform(())).batch(4),
    "random map, seed": lambda _: numbers().shuffle(9).map(lambda x: tf.random.uniform((), seed=5)).batch(4),
    "random numbers": lambda _: tf.data.Dataset.random(4, rerandomize_each_iteration=True).take(40).batch(4),
    "prefetch": lambda _: numbers().shuffle(40).batch(4).prefetch(tf.data.AUTOTUNE),
    "parallel map": lambda _: numbers().shuffle(9).map(lambda x: x + 1, num_parallel_calls=2).batch(4),
    "cache, shuffle": lambda _: numbers().cache().shuffle(20).batch(4),
    "shuffle, cache": lambda _: numbers().shuffle(20).cache().batch(4),
    "cache in a file": lambda folder: numbers().cache(str(folder / "c")).shuffle(20).batch(4),
    "snapshot": lambda folder: numbers().snapshot(str(folder / "s")).shuffle(20).batch(4),
    "interleave": interleaved,
    "generator": generated,
    "numpy function": lambda _: (
        numbers().shuffle(9).map(lambda x: tf.numpy_function(np.negative, [x], tf.int64)).batch(4)
    ),
    "python function": lambda _: (
        numbers().shuffle(9).map(lambda x: tf.py_function(lambda v: -v, [x], tf.int64)).batch(4)
    ),
    "sampled": lambda _: (
        tf.data.Dataset.sample_from_datasets([numbers().shuffle(40).repeat(), numbers().repeat()], seed=3)
        .take(40)
        .batch(4)
    ),
    "zip": lambda _: tf.data.Dataset.zip(numbers().shuffle(10), numbers().shuffle(10)).batch(4),
    "concatenate": lambda _: numbers().shuffle(10).concatenate(numbers().shuffle(10)).batch(4),
    "window": lambda _: numbers().shuffle(10).window(4).flat_map(lambda w: w.batch(4)),
    "unbatch": lambda _: numbers().batch(8).shuffle(3).unbatch().shuffle(5).batch(4),
    "filter": lambda _: numbers().shuffle(10).filter(lambda x: x % 2 == 0).batch(4),
    "strings": lambda _: tf.data.Dataset.from_tensor_slices(list("abcdefgh") * 5).shuffle(10).batch(4),
    "layer that augments": augmented,
    "table": looked_up,
    "random generator": drawn,
    "pictures in folders": with_folder,
}


def as_bytes(dataset):
    return [[np.asarray(part).tolist() for part in tf.nest.flatten(element)] for element in dataset]


@pytest.mark.parametrize(
    "name", quick(PIPELINES, "shuffle", "random map, seed", "cache, shuffle", "generator", "random generator", "window")
)
def test_fit_gets_what_it_would_have_got(name, tmp_path):
    def epochs(look):
        folder = tmp_path / str(look)
        folder.mkdir()
        keras.utils.set_random_seed(11)
        dataset = PIPELINES[name](folder)
        if look:
            Probe(dataset, count=3)
        return as_bytes(dataset), as_bytes(dataset), float(tf.random.uniform(())), np.random.random()

    without, with_probe = epochs(False), epochs(True)
    assert with_probe == without


@pytest.mark.slow
def test_fit_ends_with_the_same_weights():
    def train(look):
        keras.utils.set_random_seed(2)
        x = np.random.default_rng(0).random((64, 3)).astype("float32")
        dataset = tf.data.Dataset.from_tensor_slices((x, x.sum(axis=1))).shuffle(64).batch(8)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.3), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        if look:
            Probe(dataset, count=20)
        model.fit(dataset, epochs=2, shuffle=False, verbose=0)
        return [weight.tolist() for weight in model.get_weights()]

    assert train(True) == train(False)


def test_the_harness_would_notice():
    keras.utils.set_random_seed(11)
    dataset = numbers().shuffle(40).batch(4)
    expected = as_bytes(dataset)
    keras.utils.set_random_seed(11)
    dataset = numbers().shuffle(40).batch(4)
    next(iter(dataset))
    assert as_bytes(dataset) != expected


def test_numpy_random_within_the_set_is_put_back():
    def epochs(look):
        keras.utils.set_random_seed(11)
        dataset = numbers().map(lambda x: tf.numpy_function(lambda v: np.random.random(), [x], tf.float64)).batch(4)
        if look:
            Probe(dataset, count=3)
        return as_bytes(dataset), np.random.random()

    assert epochs(True) == epochs(False)


class TestTfData:
    def pairs(self, n=100, k=4):
        x = np.broadcast_to(np.arange(n)[:, None, None], (n, 2, 2)).astype("uint8")
        return tf.data.Dataset.from_tensor_slices((x, np.arange(n) % k))

    def test_pairs(self):
        probe = Probe(self.pairs().batch(8), count=8)
        assert probe.images.dtype == np.uint8
        assert probe.labels.tolist() == [0, 1, 2, 3] * 2
        assert value(probe) == probe.index.tolist()

    def test_weights_and_one_member(self):
        three = self.pairs().map(lambda x, y: (x, y, 1.0)).batch(8)
        assert Probe(three, count=8).labels.tolist() == [0, 1, 2, 3] * 2
        assert Probe(self.pairs().map(lambda x, y: (x,)).batch(8)).targets is None

    def test_several_inputs(self):
        probe = Probe(self.pairs().map(lambda x, y: ({"a": x, "b": y}, y)).batch(8), count=8)
        assert list(probe.inputs) == ["a", "b"]
        np.testing.assert_array_equal(probe.inputs["b"], probe.index % 4)
        nested = Probe(self.pairs().map(lambda x, y: ((x, y), x)).batch(8), count=8)
        assert isinstance(nested.inputs, tuple)
        assert nested.why_no_labels == "y has the shape of x: a reconstruction target"

    def test_strings(self):
        probe = Probe(tf.data.Dataset.from_tensor_slices((["a", "bc"] * 20, [0, 1] * 20)).batch(4), count=4)
        assert sorted(probe.images.tolist()) == [b"a", b"a", b"bc", b"bc"]
        assert probe.labels.tolist() == [0, 1, 0, 1]

    def test_an_endless_set_ends(self):
        assert len(Probe(self.pairs(k=1).repeat().batch(8))) == 16

    def test_no_more_is_asked_of_a_generator_than_needed(self):
        asked = []

        def rows():
            for place in range(10_000):
                asked.append(place)
                yield np.full(2, place, "float32")

        signature = tf.TensorSpec((2,), tf.float32)
        Probe(tf.data.Dataset.from_generator(rows, output_signature=signature).batch(4), count=8)
        assert len(asked) <= 24  # tf.data reads a few batches ahead

    def test_class_names_of_folders(self, tmp_path):
        probe = Probe(with_folder(tmp_path), count=4)
        assert probe.class_names == ("a", "b")
        assert probe.labels.tolist() == [0, 1, 0, 1]

    @pytest.mark.parametrize(
        ("change", "error", "words"),
        [
            (lambda d: d, ValueError, r"data: a tf.data.Dataset must be batched, got element\[1\] of shape"),
            (lambda d: d.map(lambda x, y: (x, tf.one_hot(y, 4))), ValueError, "with 2 and 4 rows .*batch"),
            (
                lambda d: d.map(lambda x, y: (tf.RaggedTensor.from_tensor(x), y)).batch(4),
                TypeError,
                r"data: its elements must be dense tensors, got a RaggedTensor in element\[0\]; .*to_tensor",
            ),
            (
                lambda d: d.map(lambda x, y: tf.sparse.from_dense(x)).batch(4),
                TypeError,
                "got a SparseTensor in element; .*tf.sparse.to_dense",
            ),
            (lambda d: d.batch(4).map(lambda x, y: (x, y, y, y)), ValueError, "data: a tuple must .* 4 mem"),
            (lambda d: d.batch(4).take(0), ValueError, "data: must hold at least one sample, got an empty"),
            (lambda d: d.batch(4).map(lambda x, y: (x, y[1:])), ValueError, "y of a batch: .* got 3 for 4"),
        ],
    )
    def test_errors(self, change, error, words):
        with pytest.raises(error, match=words):
            Probe(change(self.pairs()))

    def test_an_error_within_the_set_is_told_with_its_name(self):
        broken = self.pairs().map(lambda x, y: tf.numpy_function(lambda v: 1 // 0, [x], tf.int64)).batch(4)
        with pytest.raises(ValueError, match=r"data: cannot be read, batch 0 raised .*ZeroDivisionError.*") as raised:
            Probe(broken)
        assert isinstance(raised.value.__cause__, tf.errors.OpError)

    def test_a_set_that_cannot_be_copied_is_read_with_a_warning(self, monkeypatch):
        monkeypatch.setattr(streams, "LARGEST_COPY", 100)
        with pytest.warns(UserWarning, match="data: this tf.data.Dataset could not be copied .* Remedy"):
            probe = Probe(self.pairs().batch(8), count=8)
        assert probe.labels.tolist() == [0, 1, 2, 3] * 2

    def test_what_is_held_in_memory_is_counted(self):
        assert streams._bytes_in_memory(self.pairs(n=100).shuffle(3).batch(2).prefetch(1)) == 100 * (4 + 8)

    def test_a_distribution_that_is_no_data_set(self):
        with pytest.raises(TypeError, match="data: must be an array, got an OwnedIterator; wrap it in"):
            Probe(iter(numbers().batch(4)))
        with pytest.raises(TypeError, match=r"data: must be an array, got a ragged tensor; .*to_tensor"):
            Probe(tf.ragged.constant([[1], [2, 3]]))


class TestDataLoader:
    def loader(self, n=100, **options):
        torch = pytest.importorskip("torch")
        x = torch.arange(n).reshape(n, 1, 1).expand(n, 2, 2).to(torch.float16)
        data = torch.utils.data.TensorDataset(x, torch.arange(n) % 4)
        return torch.utils.data.DataLoader(data, batch_size=8, **options)

    def test_pairs(self):
        probe = Probe(self.loader(), count=8)
        assert probe.images.dtype == np.float16
        assert probe.labels.tolist() == [0, 1, 2, 3] * 2
        assert value(probe) == probe.index.tolist()

    def test_the_names_of_the_data(self):
        loader = self.loader()
        loader.dataset.classes = list("abcd")
        assert Probe(loader).class_names == ("a", "b", "c", "d")

    @pytest.mark.parametrize("own", [True, False])
    def test_random_states_are_put_back(self, own):
        torch = pytest.importorskip("torch")

        def epochs(look):
            torch.manual_seed(3)
            loader = self.loader(shuffle=True, generator=torch.Generator().manual_seed(7) if own else None)
            if look:
                Probe(loader, count=8)
            return [[y.tolist() for _, y in loader] for _ in range(2)], float(torch.rand(()))

        assert epochs(True) == epochs(False)


def test_torch_is_recognised_without_being_imported(monkeypatch):
    kept = []

    class Random:
        get_rng_state = staticmethod(lambda: 5)
        set_rng_state = staticmethod(kept.append)

    class Generator:
        state = 1

        def get_state(self):
            return self.state

        def set_state(self, state):
            self.state = state

    class DataLoader:
        dataset = type("Folder", (), {"classes": ["cat", "dog"]})
        generator = Generator()

        def __iter__(self):
            self.generator.state += 1
            yield from ([np.full((4, 2), i), np.array([0, 1, 0, 1])] for i in range(3))

    data = type("data", (), {"DataLoader": DataLoader})
    module = type("torch", (), {"utils": type("utils", (), {"data": data}), "random": Random})
    monkeypatch.setitem(sys.modules, "torch", module)
    probe = Probe(DataLoader(), count=4)
    assert probe.labels.tolist() == [0, 1, 0, 1]
    assert probe.class_names == ("cat", "dog")
    assert kept == [5]
    assert DataLoader.generator.state == 1
