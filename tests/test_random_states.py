"""Random states outside Keras: given back where a model draws from them, left alone where a data set may draw.

Each training is run once without callbacks and once with them; one that does not repeat by itself would fail too.
"""

# ruff: noqa: NPY002 - the global state is what is watched here

import gc
import queue
import random
import threading
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from harness import pictures, quick, same_weights

import kerasviz_callbacks as kv
from kerasviz_callbacks._autodiff import tensorflow_random
from kerasviz_callbacks._autodiff.tensorflow import Compiled, Eager, Traced
from kerasviz_callbacks._autodiff.tensorflow_private import PRIVATE_NAMES
from kerasviz_callbacks._autodiff.tensorflow_random import kept_eager_stream, kept_global_states, may_draw_elsewhere

DATA = pictures()
EPOCHS = 3


def of_python():
    return random.random()


def of_numpy():
    return float(np.random.rand())


def of_tensorflow():
    return tf.random.uniform(())


class AtTracing(keras.layers.Layer):
    """Draws a number each time it is traced, or run eagerly."""

    def __init__(self, draw, **options):
        super().__init__(**options)
        self.draw = draw

    def call(self, x):
        return x * (1 + 0.1 * self.draw())


class InGraph(AtTracing):
    """Draws in a Python function of the graph, in a thread of TensorFlow's."""

    def call(self, x):
        factor = tf.numpy_function(lambda: np.float32(1 + 0.1 * self.draw()), [], tf.float32)
        return x * tf.ensure_shape(factor, ())


class InLibrary(AtTracing):
    """Likewise, in a function that the graph calls, with a Python function that runs operations eagerly."""

    def __init__(self, draw, **options):
        super().__init__(draw, **options)
        self.factor = tf.function(lambda: tf.py_function(lambda: tf.constant(1 + 0.1 * draw()), [], tf.float32))

    def call(self, x):
        return x * tf.ensure_shape(self.factor(), ())


class Watching(keras.layers.Layer):
    """Runs a Python function that draws nothing, but lets a loader draw while a callback of ours runs the model."""

    def __init__(self, loader, **options):
        super().__init__(**options)
        self.loader = loader

    def call(self, x):
        def factor():
            self.loader.let_draw()
            return np.float32(0.9)

        return x * tf.ensure_shape(tf.numpy_function(factor, [], tf.float32), ())


def model_with(layer=None, **compiled):
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(4, 3, activation="relu", name="conv1")(inputs)
    x = x if layer is None else layer(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax", name="answer")(x))
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", **compiled)
    return model


def trained(build, data, where=None, around=(), **options):
    """Weights and losses after a fit; with a callback of ours where there is a directory."""
    keras.backend.clear_session()
    gc.collect()
    keras.utils.set_random_seed(3)
    views = list(around)
    if where is not None:
        given = {"count": 4, "on_error": "raise"}
        views.insert(len(views) // 2, kv.GradCAM(where, (DATA.x_val, DATA.y_val), layer="conv1", **given))
    model = build()
    history = model.fit(*data(), epochs=EPOCHS, verbose=0, callbacks=views, **options)
    return [*model.get_weights(), np.array(history.history["loss"])]


def assert_the_same(build, data, where, *, beside=lambda: None, **options):
    def run(where=None):
        return trained(build, data, where, **options), beside()

    (alone, after), (watched, after_watched) = run(), run(where)
    assert same_weights(alone, watched)
    assert after == after_watched


def next_numbers():
    return [of_python(), of_numpy(), float(of_tensorflow())]


LAYERS = {
    "at tracing": (AtTracing, {}, (of_python, of_numpy)),
    "in a graph": (InGraph, {}, (of_python, of_numpy)),
    "in a function of a graph": (InLibrary, {}, (of_python, of_numpy, of_tensorflow)),
    "eagerly": (AtTracing, {"run_eagerly": True}, (of_python, of_numpy, of_tensorflow)),
}


CASES = {f"{kind} {draw.__name__}": (kind, draw) for kind, (_, _, draws) in LAYERS.items() for draw in draws}


@pytest.mark.parametrize("name", quick(CASES, "in a graph of_numpy"))
def test_a_model_that_draws_from_a_global_random_state_is_trained_the_same(name, tmp_path):
    kind, draw = CASES[name]
    layer, compiled, _ = LAYERS[kind]

    def build():
        return model_with(layer(draw), **compiled)

    assert_the_same(build, lambda: (DATA.x, DATA.y), tmp_path, beside=next_numbers, batch_size=12)


# Data that are drawn in another thread, ahead of the training.


class Loader:
    """Draws in a thread that is not ours; slowly, so that it is not far ahead of the training."""

    def __init__(self, draw, waits=False):
        self.draw, self.drawn, self.watched = draw, 0, 0
        self.looking = False
        self.started, self.stopped = threading.Event(), threading.Event()
        if not waits:
            self.started.set()

    def number(self):
        if self.drawn > 3:  # Keras takes the first before any callback is called
            self.started.wait()
        time.sleep(0.01)
        number = np.float32(self.draw())
        self.drawn += 1
        return number

    def let_draw(self):
        """While a callback of ours runs the model, wait until some numbers were drawn."""
        if self.looking:
            self.started.set()
            before, until = self.drawn, time.monotonic() + 1
            while self.drawn < before + 3 and time.monotonic() < until:
                time.sleep(0.001)
            self.watched += self.drawn - before

    def around(self):
        """Callbacks that stand before and after ours."""
        return [Look(self, True), Look(self, False)]

    def examples(self):
        for x, y in zip(DATA.x, DATA.y, strict=True):
            yield x + self.number(), y

    def data_set(self):
        signature = (tf.TensorSpec((8, 8, 1), tf.float32), tf.TensorSpec((), tf.int32))
        return tf.data.Dataset.from_generator(self.examples, output_signature=signature)

    def batches(self):
        """A generator over what a thread makes that runs from now on."""
        made = queue.Queue()

        def fill():
            while not self.stopped.is_set():
                made.put((DATA.x[:4] + self.number(), DATA.y[:4]))
            made.put(None)

        threading.Thread(target=fill, daemon=True).start()
        return iter(made.get, None)


class Look(keras.callbacks.Callback):
    """Says to a loader that a callback of ours runs the model, or has done so."""

    def __init__(self, loader, looking):
        super().__init__()
        self.loader, self.looking = loader, looking

    def on_epoch_begin(self, epoch, logs=None):
        self.loader.looking = self.looking

    on_epoch_end = on_epoch_begin

    def on_train_batch_begin(self, batch, logs=None):
        self.loader.started.set()


def assert_not_rewound(loader, build, data, where, **options):
    def run(where=None):
        used = loader()
        return trained(lambda: build(used), lambda: (data(used),), where, used.around(), shuffle=False, **options), used

    (alone, _), (watched, used) = run(), run(where)
    assert same_weights(alone, watched)
    return used


LOADED = {
    "compiled": (lambda loader: model_with(), of_numpy),
    "with a Python function": (lambda loader: model_with(Watching(loader)), of_numpy),
    "eager": (lambda loader: model_with(Watching(loader), run_eagerly=True), of_python),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LOADED)
def test_a_data_set_that_draws_ahead_of_the_training_is_not_rewound(name, tmp_path):
    build, draw = LOADED[name]

    def repeated(loader):
        return loader.data_set().repeat().batch(4).prefetch(2000)

    used = assert_not_rewound(lambda: Loader(draw), build, repeated, tmp_path, steps_per_epoch=3)
    assert used.watched or name == "compiled", "it did draw while the model was looked at"


@pytest.mark.slow
def test_a_data_set_that_ends_with_the_epoch_is_not_rewound(tmp_path):
    def plain(loader):
        return loader.data_set().apply(tf.data.experimental.assert_cardinality(36)).batch(12).prefetch(4)

    build, draw = LOADED["with a Python function"]
    assert_not_rewound(lambda: Loader(draw), build, plain, tmp_path)


@pytest.mark.slow
def test_a_thread_of_the_users_that_draws_before_the_first_batch_is_not_rewound(tmp_path):
    build, draw = LOADED["with a Python function"]
    loaders = []

    def loader():
        for one in loaders:
            one.stopped.set()
        loaders.append(Loader(draw, waits=True))
        return loaders[-1]

    def batches(loader):
        made = loader.batches()
        return (batch for batch in made)

    used = assert_not_rewound(loader, build, batches, tmp_path, steps_per_epoch=3)
    used.stopped.set()
    assert used.watched


# Who may draw.


@pytest.fixture
def _alone():
    gc.collect()
    assert not may_draw_elsewhere()


def _numpy_of(x):
    return tf.ensure_shape(tf.numpy_function(lambda one: one, [x], tf.int64), ())


NUMBERS = tf.data.Dataset.range(4)
PIPELINES = {
    "numbers": (NUMBERS, False),
    "arrays, mapped and shuffled": (tf.data.Dataset.from_tensor_slices(DATA.x).map(tf.abs).shuffle(9).batch(2), False),
    "interleaved": (NUMBERS.interleave(lambda x: tf.data.Dataset.range(x)), False),
    "a generator": (tf.data.Dataset.from_generator(lambda: [1], output_signature=tf.TensorSpec((), tf.int32)), True),
    "a generator under others": (Loader(of_numpy).data_set().repeat().batch(4).prefetch(2), True),
    "numpy in a map": (NUMBERS.map(_numpy_of), True),
    "numpy in an interleaved map": (NUMBERS.interleave(lambda x: tf.data.Dataset.range(x).map(_numpy_of)), True),
    "numpy in one of two": (tf.data.Dataset.zip((NUMBERS, NUMBERS.map(_numpy_of))), True),
    "numpy in one of several": (tf.data.Dataset.sample_from_datasets([NUMBERS, NUMBERS.map(_numpy_of)]), True),
}


@pytest.mark.usefixtures("_alone")
@pytest.mark.parametrize("name", list(PIPELINES))
@pytest.mark.parametrize("begin", [iter, lambda data: data.as_numpy_iterator()], ids=["tensors", "arrays"])
def test_a_live_iterator_may_draw_if_its_pipeline_runs_python(name, begin):
    data, runs_python = PIPELINES[name]
    iterator = begin(data)
    assert may_draw_elsewhere() == runs_python
    del iterator
    gc.collect()
    assert not may_draw_elsewhere(), "a data set that nobody reads draws nothing"


@pytest.mark.usefixtures("_alone")
@pytest.mark.parametrize("name", ["_dataset", "_inputs", "_functions"])
def test_of_an_iterator_that_cannot_be_known_it_is_taken_that_it_may_draw(name, monkeypatch):
    iterator = iter(NUMBERS)
    assert not may_draw_elsewhere()
    monkeypatch.setattr(tensorflow_random, "private", lambda wanted, owner: None if wanted == name else owner)
    assert may_draw_elsewhere()
    del iterator


@pytest.mark.usefixtures("_alone")
def test_a_thread_may_draw_unless_it_is_known_to_load_nothing(monkeypatch):
    stop = threading.Event()

    def waits():
        stop.wait()

    thread = threading.Thread(target=waits)
    thread.start()
    try:
        assert may_draw_elsewhere()
        monkeypatch.setattr(tensorflow_random, "_NO_LOADERS", tensorflow_random._NO_LOADERS | {__name__})
        assert not may_draw_elsewhere()
        monkeypatch.delattr("sys._current_frames")
        assert may_draw_elsewhere()
    finally:
        stop.set()
        thread.join()


# What is kept, and when.


def all_draw():
    return [of_python(), of_numpy()]


def draw_and_fail():
    all_draw()
    np.random.normal()  # keeps a second number for the next call
    return 1 / 0


@pytest.mark.usefixtures("_alone")
@pytest.mark.parametrize("generator", ["MT19937", "PCG64"])
def test_states_are_restored_also_after_an_error(generator):
    before = np.random.get_bit_generator()
    try:
        np.random.set_bit_generator(getattr(np.random, generator)(4))
        random.seed(4)
        expected = all_draw() + all_draw()
        np.random.set_bit_generator(getattr(np.random, generator)(4))
        random.seed(4)
        found = all_draw()
        with pytest.raises(ZeroDivisionError), kept_global_states():
            draw_and_fail()
        assert found + all_draw() == expected
    finally:
        np.random.set_bit_generator(before)


def test_states_are_not_restored_while_another_may_draw(monkeypatch):
    monkeypatch.setattr(tensorflow_random, "may_draw_elsewhere", lambda: True)
    random.seed(4)
    np.random.seed(4)
    expected = all_draw() + all_draw()
    random.seed(4)
    np.random.seed(4)
    with kept_global_states():
        found = all_draw()
    assert found + all_draw() == expected


def test_nothing_is_searched_where_nothing_was_drawn(monkeypatch):
    monkeypatch.setattr(tensorflow_random, "may_draw_elsewhere", lambda: pytest.fail("searched"))
    with kept_global_states():
        np.random.default_rng().random()


def test_a_graph_without_python_functions_does_not_touch_the_states(monkeypatch):
    row = np.ones((2, 3), np.float32)
    plain = Compiled(lambda x: tf.function(tf.abs)(x) + tf.random.normal(tf.shape(x)), (row,))
    of_python_functions = Compiled(lambda x: tf.numpy_function(lambda a: a, [x], tf.float32), (row,))
    monkeypatch.setattr("random.getstate", lambda: pytest.fail("touched"))
    plain(row)
    with pytest.raises(pytest.fail.Exception, match="touched"):
        of_python_functions(row)


@pytest.mark.usefixtures("_alone")
def test_the_numbers_by_which_a_model_is_built_stay_drawn():
    row = np.ones((2, 3), np.float32)

    def state_after(builds):
        random.seed(4)
        Traced(lambda x: x * random.random(), (row,), builds=builds)
        after_tracing = random.random()
        random.seed(4)
        Eager(lambda x: x * random.random(), list, builds=builds)(row)
        return after_tracing, random.random()

    random.seed(4)
    first, second = random.random(), random.random()
    assert state_after(builds=False) == (first, first)
    assert state_after(builds=True) == (second, second)


def test_seeds_of_eager_operations_are_ours_in_this_thread_only():
    def drawn(use):
        tf.random.set_seed(5)
        numbers = [of_tensorflow()]
        use(numbers)
        return list(map(float, [*numbers, of_tensorflow()]))

    def in_another_thread(numbers):
        thread = threading.Thread(target=lambda: numbers.append(of_tensorflow()))
        thread.start()
        thread.join()

    def meanwhile(numbers):
        with kept_eager_stream():
            of_tensorflow()
            in_another_thread(numbers)
            of_tensorflow()

    assert drawn(meanwhile) == drawn(in_another_thread)


def test_every_private_name_that_is_asked_for_is_in_the_table():
    assert {"context", "_seed", "_rng", "_dataset", "_inputs", "_functions"} <= set(PRIVATE_NAMES)
