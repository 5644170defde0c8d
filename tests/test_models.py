"""Any Keras model: what its layers put out, and where it looks, against what is known by other means."""

import warnings

import keras
import models
import numpy as np
import pytest
import tensorflow as tf
from harness import first, quick

import kerasviz_callbacks as kv


@pytest.fixture(autouse=True)
def _seeded():
    keras.utils.set_random_seed(1)


BY_DEFAULT = (
    "sequential_never_called",
    "functional",
    "nested",
    "subclassed_with_lists_and_dicts",
    "custom_layer_with_layers",
    "shared_layer",
    "inputs_in_a_dict",
    "outputs_in_a_list",
    "mixed_float16",
    "normalised_and_dropped_out",
    "loaded_functional",
)


@pytest.fixture(scope="module", params=quick([*models.ANY, *models.LOADED], *BY_DEFAULT))
def made(request, tmp_path_factory):
    keras.utils.set_random_seed(1)
    if request.param in models.LOADED:
        return models.LOADED[request.param](tmp_path_factory.mktemp("saved"))
    return models.ANY[request.param]()


@pytest.fixture(scope="module")
def seen(made):
    return kv.activations(made.model, made.inputs)


def _replayed(made):
    """Batch by batch, where the model takes one size only, and compiled unless the model runs eagerly."""
    run = made.replay if made.model.run_eagerly else tf.function(made.replay)
    size = 4 if made.model.name == "of_four" else None
    fed = tf.nest.map_structure(tf.convert_to_tensor, made.inputs)
    if size is None:
        return run(fed)
    last = tf.concat([fed[size:], tf.repeat(fed[-1:], 2 * size - len(fed), axis=0)], 0)
    parts = [run(fed[:size]), run(last)]
    return {path: tf.concat([part[path] for part in parts], 0)[: len(fed)] for path in parts[0]}


def test_activations_are_what_the_layers_compute_to_the_bit_in_the_order_they_run(made, seen):
    expected = _replayed(made)
    assert list(seen) == list(expected)
    for path, tensor in expected.items():
        wide = tf.cast(tensor, tf.float32) if tensor.dtype in (tf.float16, tf.bfloat16) else tensor
        np.testing.assert_array_equal(seen[path], wide.numpy(), err_msg=path, strict=True)


def test_the_class_activation_map_is_the_closed_form(made, seen):
    target = np.arange(models.ROWS) % models.CLASSES
    found = kv.class_activation_map(made.model, made.inputs, target=target)
    models.assert_maps_equal(found, models.closed_form(_maps(made, seen), made.head, target))


def _maps(made, seen):
    """The last maps: a leaf's own, or a custom layer's."""
    return seen[made.maps] if made.maps in seen else kv.activations(made.model, made.inputs, [made.maps])[made.maps]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["functional", "nested", "subclassed", "float64"])
def test_of_probabilities_it_is_the_closed_form_too(kind):
    made = models.ANY[kind]()
    maps = kv.activations(made.model, made.inputs, [made.maps])[made.maps]
    expected, p = models.closed_form_of_probability(maps, made.head, 1)
    assert p.max() < 0.9
    found = kv.class_activation_map(made.model, made.inputs, target=1, score="output")
    models.assert_maps_equal(found, expected)


# What only some of them have.


@pytest.fixture(scope="module")
def shared():
    return models.shared_layer()


@pytest.mark.parametrize(("named", "path"), [("sh", "sh:1"), ("sh:1", "sh:1"), ("sh:0", "sh"), (None, "sh:1")])
def test_of_a_layer_called_twice_the_last_call_is_explained_unless_another_is_named(shared, named, path):
    maps = kv.activations(shared.model, shared.inputs)
    found = kv.class_activation_map(shared.model, shared.inputs, layer=named, target=1)
    if path == "sh:1":
        models.assert_maps_equal(found, models.closed_form(maps["sh:1"], shared.head, 1))
        return
    with tf.GradientTape() as tape:  # the first call: by TensorFlow itself
        first = tf.constant(maps["sh"])
        tape.watch(first)
        mean = tf.reduce_mean(shared.model.get_layer("sh")(first), (1, 2))
        score = tf.reduce_sum((mean @ shared.head.kernel + shared.head.bias)[:, 1])
    weights = tape.gradient(score, first).numpy().astype(float).mean((1, 2), keepdims=True)
    models.assert_maps_equal(found, np.maximum((maps["sh"] * weights).sum(-1), 0))


def test_a_layer_that_is_called_twice_has_two_paths_and_the_plain_one_is_the_first_call(shared):
    both = kv.activations(shared.model, shared.inputs)
    one = kv.activations(shared.model, shared.inputs, ["sh"])
    two = kv.activations(shared.model, shared.inputs, [shared.model.get_layer("sh"), "sh:1"])
    assert list(one) == ["sh"]
    assert list(two) == ["sh", "sh:1"]
    np.testing.assert_array_equal(one["sh"], both["sh"])
    np.testing.assert_array_equal(two["sh:1"], both["sh:1"])
    assert not np.array_equal(both["sh"], both["sh:1"])


@pytest.mark.slow
def test_nested_equals_flat_to_the_bit():
    made = models.nested_twice()
    parts = [made.model.get_layer("backbone").get_layer("core").get_layer(name) for name in ("conv1", "conv2")]
    parts += [made.model.get_layer("backbone").get_layer("gap"), made.head]
    inputs = keras.Input((models.SIDE, models.SIDE, 3))
    flat = keras.Model(inputs, models.applied(parts, inputs))
    nested, plain = kv.activations(made.model, made.inputs), kv.activations(flat, made.inputs)
    assert [path.rsplit("/")[-1] for path in nested] == list(plain)
    for one, other in zip(nested.values(), plain.values(), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(
        kv.class_activation_map(made.model, made.inputs), kv.class_activation_map(flat, made.inputs)
    )


@pytest.mark.slow
def test_a_model_whose_input_is_a_list_of_one_is_read_without_a_warning():
    inputs, parts = keras.Input((models.SIDE, models.SIDE, 3)), models.four()
    model = keras.Model([inputs], models.applied(parts, inputs))
    assert isinstance(model.input, list)
    for fed in (models.pictures(), [models.pictures()]):
        maps = kv.activations(model, fed)["conv2"]
        found = kv.class_activation_map(model, fed, target=1)
        models.assert_maps_equal(found, models.closed_form(maps, parts[-1], 1))


def test_a_sequential_model_without_input_takes_any_number_of_rows_after_its_first_call():
    made = models.sequential_after_its_first_call()
    assert made.model.inputs[0].shape[0] == 2  # so Keras notes it
    assert kv.activations(made.model, models.pictures(5))["head"].shape == (5, models.CLASSES)


def test_fewer_rows_than_a_model_of_one_batch_size_takes_are_read_too():
    made = models.of_one_batch_size()
    whole, few = kv.activations(made.model, made.inputs[:4]), kv.activations(made.model, made.inputs[:3])
    np.testing.assert_array_equal(few["head"], whole["head"][:3])


def test_a_model_that_has_one_batch_size_within_is_read_in_batches_of_that_size():
    inner = keras.Input(batch_shape=(4, 6))
    half = keras.Model(inner, keras.ops.reshape(inner, (4, 2, 3)), name="half")

    class Holder(keras.Model):
        def __init__(self):
            super().__init__()
            self.half, self.last = half, keras.layers.Dense(2, name="last")

        def call(self, x):
            return self.last(self.half(x))

    x = np.random.default_rng(0).random((6, 6), np.float32)
    model = Holder()
    model(x[:4])
    found = kv.activations(model, x, ["last"])["last"]
    kernel = np.asarray(model.last.kernel).astype(float)
    np.testing.assert_allclose(found, x.reshape(6, 2, 3) @ kernel, atol=1e-6)


def test_a_layer_that_puts_out_more_rows_than_it_gets_is_given_whole():
    inputs = keras.Input((4, 3))
    windows = keras.layers.Lambda(lambda x: keras.ops.reshape(x, (-1, 2, 3)), output_shape=(2, 3), name="windows")
    back = keras.layers.Lambda(lambda x: keras.ops.reshape(x, (-1, 12)), output_shape=(12,), name="back")
    model = keras.Model(inputs, back(windows(inputs)))
    x = np.random.default_rng(0).random((5, 4, 3), np.float32)
    found = kv.activations(model, x)
    np.testing.assert_array_equal(found["windows"], x.reshape(10, 2, 3))
    np.testing.assert_array_equal(found["back"], x.reshape(5, 12))


class Scalar(keras.layers.Layer):
    def call(self, x):
        return keras.ops.mean(x)


def test_a_layer_that_puts_out_one_number_for_all_rows_is_left_out():
    class Measuring(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense, self.mean = keras.layers.Dense(2, name="dense"), Scalar(name="mean")

        def call(self, x):
            self.mean(x)
            return self.dense(x)

    assert list(kv.activations(Measuring(), np.ones((3, 4), np.float32))) == ["dense"]


class Hidden(models.Subclassed):
    """Its layers are called inside a function that is compiled already."""

    @tf.function
    def call(self, x):
        return super().call(x)


@pytest.mark.parametrize("eagerly", [False, True])
def test_layers_hidden_in_a_tf_function_are_an_error_that_names_the_remedy(eagerly):
    model = Hidden()
    model.compile(loss="mse", run_eagerly=eagerly)
    assert kv.activations(model, models.pictures()) == {}
    with pytest.raises(ValueError, match=r'layers="conv2": is not called where .* Remove @tf.function from `call`'):
        kv.activations(model, models.pictures(), ["conv2"])
    with pytest.raises(ValueError, match=r'layer="conv2": is not called where .* Remove @tf.function from `call`'):
        kv.class_activation_map(model, models.pictures(), layer="conv2")
    with pytest.raises(ValueError, match=r"layer=None: .*@tf\.function"):
        kv.class_activation_map(model, models.pictures())


class OfNodes(keras.Model):
    """It classifies the nodes of a graph that it holds; x are the numbers of nodes."""

    def __init__(self):
        super().__init__()
        self.nodes = keras.ops.convert_to_tensor(np.eye(40, 6, dtype=np.float32))
        self.inner, self.logits = keras.layers.Dense(5, name="inner"), keras.layers.Dense(3, name="logits")

    def call(self, numbers):
        return self.logits(keras.ops.take(self.inner(self.nodes), numbers, axis=0))


def test_outputs_whose_rows_are_not_those_of_the_inputs_are_not_read():
    model, numbers = OfNodes(), np.arange(12)
    found = kv.activations(model, numbers)
    assert {path: array.shape for path, array in found.items()} == {"logits": (12, 3)}
    with pytest.raises(ValueError, match=r'layers="inner": .* returns no row for each input'):
        kv.activations(model, numbers, ["inner"])


def test_text_is_read_word_by_word():
    words = keras.layers.TextVectorization(vocabulary=["cat", "dog"], output_sequence_length=3, name="words")
    table = keras.layers.Embedding(4, 2, name="table")
    model = keras.Sequential([keras.Input((1,), dtype="string"), words, table, keras.layers.Flatten()])
    texts = np.array([["cat dog"], ["dog"], ["a cat"]])
    found = kv.activations(model, texts) | kv.activations(model, texts, ["words"])
    np.testing.assert_array_equal(found["words"], [[2, 3, 0], [3, 0, 0], [1, 2, 0]])
    np.testing.assert_array_equal(found["table"], np.asarray(table.embeddings)[found["words"]])


def test_a_map_over_words_is_the_closed_form():
    words = keras.layers.TextVectorization(vocabulary=["cat", "dog"], output_sequence_length=3, name="words")
    table, pool, top = keras.layers.Embedding(4, 5, name="table"), keras.layers.GlobalAveragePooling1D(), models.head()
    model = keras.Sequential([keras.Input((1,), dtype="string"), words, table, pool, top])
    texts = np.array([["cat dog"], ["dog"], ["a cat"]])
    maps = kv.activations(model, texts)["table"]
    models.assert_maps_equal(kv.class_activation_map(model, texts, target=1), models.closed_form(maps, top, 1))


def _sequence_models():
    layers = keras.layers
    attend = keras.Input((5, 4))
    return {
        "lstm": keras.Sequential([keras.Input((5, 4)), layers.LSTM(3, return_sequences=True, name="read")]),
        "bidirectional": keras.Sequential(
            [keras.Input((5, 4)), layers.Bidirectional(layers.GRU(3, return_sequences=True, name="gru"), name="read")]
        ),
        "time distributed": keras.Sequential(
            [keras.Input((5, 4)), layers.TimeDistributed(layers.Dense(3, name="inner"), name="read")]
        ),
        "attention": keras.Model(attend, layers.MultiHeadAttention(2, 3, name="read")(attend, attend)),
    }


LEAVES = {
    "lstm": {"read", "gap", "head"},
    "bidirectional": {"forward_gru", "backward_gru", "gap", "head"},
    "time distributed": {"inner", "gap", "head"},
}


@pytest.mark.parametrize("eagerly", first([True, False]))
@pytest.mark.parametrize("kind", quick(["lstm", "bidirectional", "time distributed", "attention"], "lstm", "attention"))
def test_sequences_and_attention_are_read_and_explained(kind, eagerly):
    core, top = _sequence_models()[kind], models.head()
    inputs = keras.Input((5, 4))
    model = keras.Model(inputs, top(keras.layers.GlobalAveragePooling1D(name="gap")(core(inputs))))
    model.compile(loss="mse", run_eagerly=eagerly)
    x = np.random.default_rng(0).standard_normal((6, 5, 4)).astype(np.float32)
    seen = kv.activations(model, x)
    if not eagerly and kind != "attention":  # the cells run inside a loop, so the layer itself is the leaf
        assert {path.split("/")[-1] for path in seen} == LEAVES[kind]
    steps = np.asarray(core(x))
    np.testing.assert_allclose(seen["gap"], steps.mean(1), atol=1e-6)
    assert all(np.isfinite(one).all() for one in seen.values())
    named = kv.class_activation_map(model, x, layer="read", target=0)
    np.testing.assert_allclose(named, models.closed_form(steps, top, 0), atol=1e-6)
    by_itself = kv.class_activation_map(model, x, target=0)
    np.testing.assert_allclose(by_itself, named, atol=1e-7)


def test_a_quantised_model_is_read_as_it_computes():
    made = models.functional()
    with warnings.catch_warnings(action="ignore"):  # Keras: some layers have nothing to quantise
        made.model.quantize("int8")
    assert made.head.quantization_mode == "int8"
    seen = kv.activations(made.model, made.inputs)
    expected = tf.function(made.replay)(tf.constant(made.inputs))
    assert list(seen) == list(expected)
    for path, tensor in expected.items():
        np.testing.assert_array_equal(seen[path], tensor.numpy(), err_msg=path)
    found = kv.class_activation_map(made.model, made.inputs, target=1)
    kernel = np.asarray(made.head.kernel).astype(float) / np.asarray(made.head.kernel_scale).astype(float)
    evidence = (seen["conv2"].astype(float) @ kernel)[..., 1] / models.SIDE**2
    models.assert_maps_equal(found, np.maximum(evidence, 0), 1e-5)


def test_a_model_that_cannot_be_compiled_is_read_eagerly_with_one_warning():
    model = models.Untraceable()
    with pytest.warns(UserWarning, match="cannot be compiled .* it is read eagerly") as warned:
        seen = kv.activations(model, models.pictures())
    assert len(warned) == 1
    np.testing.assert_array_equal(seen["head"], model(models.pictures()).numpy())
