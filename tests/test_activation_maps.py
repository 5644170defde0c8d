"""Maps of layers with more positions than are drawn: oscillations stay, and what is drawn is said."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from harness import first

import kerasviz_callbacks as kv
from kerasviz_callbacks.callback.snapshot import snapshot
from kerasviz_callbacks.callback.types import Memory
from kerasviz_callbacks.draw.traces import envelope
from kerasviz_callbacks.taps.smaller_maps import MAX_LENGTH, reduction, smaller
from kerasviz_callbacks.views import activation_maps
from kerasviz_callbacks.views.activation_maps import _dead_drawn

DRAWS = np.random.default_rng(0)


@pytest.fixture
def drawn(monkeypatch):
    """What `activation_tiles` is given, newest last."""
    found, real = [], activation_maps.activation_tiles

    def record(pictures, maps, **options):
        found.append((np.array(maps), options))
        return real(pictures, maps, **options)

    monkeypatch.setattr(activation_maps, "activation_tiles", record)
    return found


def identity(shape, rank):
    """A linear convolution that gives its single channel back."""
    kind = {1: keras.layers.Conv1D, 2: keras.layers.Conv2D}[rank]
    return keras.Sequential([keras.Input(shape), kind(1, 1, kernel_initializer="ones", name="maps")])


def test_an_oscillation_is_drawn_as_high_as_it_is(tmp_path, drawn):
    """Means of four neighbours of this signal are 0 everywhere."""
    signals = np.tile(np.array([1, -1], np.float32), (3, 128))[..., None] * np.array([1, 2, 0.5])[:, None, None]
    kv.ActivationMaps(tmp_path, signals, layers=["maps"]).picture(identity((256, 1), 1))
    maps, options = drawn[-1]
    np.testing.assert_array_equal(maps, np.moveaxis(signals, -1, 1))
    assert (options["low"], options["high"]) == (-2, 2)
    assert "positions" not in options["caption"]
    assert "beyond" not in options["note"]
    least, most = envelope(maps, 80)
    np.testing.assert_array_equal(least[:, 0], np.repeat([[-1], [-2], [-0.5]], 80, axis=1))
    np.testing.assert_array_equal(most[:, 0], np.repeat([[1], [2], [0.5]], 80, axis=1))


@pytest.mark.parametrize("length", [MAX_LENGTH, MAX_LENGTH + 1, 10_007, 4 * MAX_LENGTH])
def test_of_a_long_signal_the_extremes_of_each_stretch_stay(length):
    signals = DRAWS.normal(size=(2, length, 3)).astype(np.float32)
    found = keras.ops.convert_to_numpy(smaller(signals))
    if length == MAX_LENGTH:
        np.testing.assert_array_equal(found, signals)
        assert reduction((length, 3)) == ""
        return
    stride = -(-2 * length // MAX_LENGTH)
    parts = [signals[:, start : start + stride] for start in range(0, length, stride)]
    expected = np.stack([end(part, axis=1) for part in parts for end in (np.min, np.max)], axis=1)
    np.testing.assert_array_equal(found, expected)
    assert found.shape[1] <= MAX_LENGTH
    assert reduction((length, 3)) == f"least and largest of each {stride} positions"


def test_a_moment_that_is_nan_stays():
    signals = np.zeros((1, 2 * MAX_LENGTH, 2), np.float32)
    signals[0, 5000, 1] = np.nan
    bad = np.isnan(keras.ops.convert_to_numpy(smaller(signals)))
    assert np.argwhere(bad).tolist() == [[0, 2 * (5000 // 4), 1], [0, 2 * (5000 // 4) + 1, 1]]


def test_of_long_signals_and_of_large_maps_it_is_said_what_is_drawn(tmp_path, drawn):
    signal = DRAWS.normal(size=(2, 3 * MAX_LENGTH, 1)).astype(np.float32)
    kv.ActivationMaps(tmp_path, signal, layers=["maps"]).picture(identity(signal.shape[1:], 1))
    maps, options = drawn[-1]
    assert np.abs(maps).max() == np.abs(signal).max()
    assert options["caption"].endswith("   least and largest of each 6 positions")
    pictures = DRAWS.normal(size=(2, 96, 64, 1)).astype(np.float32)
    view = kv.ActivationMaps(tmp_path, pictures, layers=["maps"])
    view.picture(identity(pictures.shape[1:], 2))
    maps, options = drawn[-1]
    np.testing.assert_allclose(maps[:, 0], pictures[..., 0].reshape(2, 48, 2, 64).mean(axis=2), atol=1e-6)
    assert "columns: channels   means of 2 × 1 positions\n" in options["caption"]
    assert reduction((64, 64, 8)) == reduction((10,)) == reduction((None, 8)) == reduction((None, None, 8)) == ""


WEIGHTS = DRAWS.normal(size=(3, 200)).astype(np.float32)


def shared_layer():
    """A dense layer of 200 units that is called on two inputs."""
    shared = keras.layers.Dense(200, use_bias=False, name="shared")
    one, two = keras.Input((3,), name="one"), keras.Input((3,), name="two")
    model = keras.Model([one, two], keras.layers.Add()([shared(one), shared(two)]))
    shared.set_weights([WEIGHTS])
    return model


@pytest.mark.slow
def test_maps_that_training_cannot_change_are_said_to_be_frozen(tmp_path, drawn):
    first, second = (keras.layers.Conv2D(2, 3, name=name) for name in ("first", "second"))
    model = keras.Sequential([keras.Input((9, 9, 1)), first, second, keras.layers.Flatten(), keras.layers.Dense(2)])
    view, words = kv.ActivationMaps(tmp_path, np.ones((2, 9, 9, 1), np.float32), layers=["first", "second"]), []
    for trainable in (True, False):
        first.trainable = trainable
        view.pictures(model)
        words.append(["frozen: training does not change it" in options["caption"] for _, options in drawn[-2:]])
    assert words == [[False, False], [True, False]]


def test_units_of_the_output_carry_the_names_of_their_classes(tmp_path, monkeypatch):
    drawn = {}

    def record(values, **options):
        drawn[options["caption"].partition("   ")[0]] = options
        return np.zeros((4, 4, 3), np.uint8)

    monkeypatch.setattr(activation_maps, "response_matrix", record)
    hidden, answer = keras.layers.Dense(3, name="hidden"), keras.layers.Dense(3, "softmax", name="answer")
    model = keras.Sequential([keras.Input((2,)), hidden, answer])
    data = np.zeros((3, 2), np.float32), np.arange(3)
    kv.ActivationMaps(tmp_path, data, layers=["hidden", "answer"], class_names=["cat", "dog", "5"]).pictures(model)
    assert {path: options["names"] for path, options in drawn.items()} == {
        "hidden": None,
        "answer": ["cat", "dog", "class 5"],
    }
    assert drawn["answer"]["caption"].endswith("columns: classes")
    kv.ActivationMaps(tmp_path, data, layers=["answer"]).pictures(model)
    assert drawn["answer"]["names"] is None


@pytest.mark.parametrize("activation", ["sigmoid", None])
def test_a_single_unit_carries_the_name_of_the_class_that_it_answers_for(activation, tmp_path, monkeypatch):
    names = []

    def record(values, **options):
        names.append(options["names"])
        return np.zeros((4, 4, 3), np.uint8)

    monkeypatch.setattr(activation_maps, "response_matrix", record)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, activation, name="answer")])
    model.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=activation is None))
    data = np.zeros((4, 2), np.float32), np.arange(4) % 2
    kv.ActivationMaps(tmp_path, data, layers=["answer"], class_names=["other", "shoe"]).pictures(model)
    assert names == [["shoe"]]


@pytest.mark.parametrize("order", [["shared", "shared:1"], ["shared:1", "shared"]])
def test_calls_of_a_shared_layer_show_the_same_units_on_one_scale(order, tmp_path, monkeypatch):
    one, two = DRAWS.normal(size=(2, 8, 3)).astype(np.float32) * [[[1, 1, 0]], [[0, 3, 5]]]
    drawn, real = {}, activation_maps.response_matrix

    def record(values, **options):
        drawn[options["caption"].partition("   ")[0]] = np.array(values), options
        return real(values, **options)

    monkeypatch.setattr(activation_maps, "response_matrix", record)
    shown = kv.ActivationMaps(tmp_path, [one, two], layers=order).pictures(shared_layer())
    assert set(shown) == {"validation/activations/shared", "validation/activations/shared:1"}
    units = np.sort(np.argsort((one @ WEIGHTS).var(axis=0))[-128:])
    assert units.tolist() != np.sort(np.argsort((two @ WEIGHTS).var(axis=0))[-128:]).tolist()
    largest = np.sort(np.abs(two @ WEIGHTS)[:, units], axis=None)[-6]  # 5 of 1,024 are beyond: 0.5 %
    assert set(drawn) == {"call 1 of 2 of shared", "call 2 of 2 of shared"}
    for name, inputs in (("call 1 of 2 of shared", one), ("call 2 of 2 of shared", two)):
        values, options = drawn[name]
        np.testing.assert_allclose(values, (inputs @ WEIGHTS)[:, units], rtol=1e-5, atol=1e-5)
        assert options["channels"] == units.tolist()
        assert options["high"] == -options["low"] == pytest.approx(largest, rel=1e-5)
    assert "128 of 200 units, which varied most at the first step   " in drawn["call 1 of 2 of shared"][1]["caption"]
    assert "which varied most at the first step in call 1   " in drawn["call 2 of 2 of shared"][1]["caption"]


@pytest.mark.parametrize("view", first([kv.ActivationMaps, kv.NeuronResponses, kv.FilterOverlap]))
def test_the_images_of_a_shared_layer_say_that_they_can_be_compared(view, tmp_path):
    inputs = list(DRAWS.normal(size=(2, 8, 3)).astype(np.float32))
    both = view(tmp_path, inputs, layers=["shared", "shared:1"])
    about = [one.description for one in snapshot([both], shared_layer())]
    for number, text in enumerate(about, 1):
        assert f" call {number} of 2 of `shared`" in text
        assert text.endswith("show the channels chosen in call 1, on one scale, so that they can be compared.")
    alone = snapshot([view(tmp_path, inputs, layers=["shared:1"])], shared_layer())[0].description
    assert "call 2 of 2 of `shared`" in alone
    assert "Shared layer" not in alone


@pytest.mark.parametrize("order", first([["shared:1", "shared"], ["shared", "shared:1"]]))
def test_a_shared_layer_has_one_choice_and_order_of_channels(order, tmp_path):
    one, two = DRAWS.normal(size=(2, 8, 3)).astype(np.float32) * [[[1, 1, 0]], [[0, 3, 5]]]
    overlap, responses = (view(tmp_path, [one, two], layers=order) for view in (kv.FilterOverlap, kv.NeuronResponses))
    model = shared_layer()
    for view in (overlap, responses):
        model.compile("sgd", "mse")
        model.fit([one, two], np.zeros((8, 200)), epochs=1, verbose=0, callbacks=[view])
    units = np.sort(np.argsort((one @ WEIGHTS).var(axis=0))[-128:])
    assert list(overlap.memory.shared["order"]) == list(responses.memory.shared["neurons"]) == ["shared"]
    assert overlap.memory.shared["channels"]["shared"].tolist() == units.tolist()
    shown = np.abs(two @ WEIGHTS)[:, responses.memory.shared["neurons"]["shared"]]
    assert responses.memory.scales["shared"] >= np.quantile(shown, 0.995)
    assert list(responses.memory.scales) == ["shared"]


def test_calls_of_a_layer_without_weights_have_channels_and_scales_of_their_own(tmp_path, drawn):
    relu, given = keras.layers.ReLU(name="relu"), keras.Input((4, 4, 1))
    wide = keras.layers.Conv2D(3, 1, kernel_initializer=keras.initializers.Constant(2), name="wide")(relu(given))
    model = keras.Model(given, relu(wide))
    kv.ActivationMaps(tmp_path, np.full((2, 4, 4, 1), 2, np.float32), layers=["relu", "relu:1"]).pictures(model)
    assert [(options["high"], len(options["channels"])) for _, options in drawn] == [(2, 1), (4, 3)]


def deaths(counts, of):
    """What is said at each step of a training, from -1, of which the counts of dead channels are given."""
    view = SimpleNamespace(memory=Memory(), schedule=SimpleNamespace(unit="epoch"))
    for step, count in enumerate(counts, start=-1):
        yield kv.ActivationMaps._deaths(view, "train", "conv", step, np.arange(of) < count, 16, "units")


def test_counts_of_dead_channels_are_written_alike_at_all_steps():
    assert list(deaths((1007, 1568), 2000))[-1] == "dead on 16 inputs: 1,568 of 2,000 units, before: 1,007 at epoch −1"


def test_counts_of_dead_channels_at_earlier_steps_are_written_once_a_channel_has_been_dead():
    assert list(deaths((0, 0, 3, 0), 16)) == [
        "dead on 16 inputs: 0 of 16 units",
        "dead on 16 inputs: 0 of 16 units",
        "dead on 16 inputs: 3 of 16 units, before: 0 at epoch −1, 0 at epoch 0",
        "dead on 16 inputs: 0 of 16 units, before: 0 at epoch −1, 0 at epoch 0, 3 at epoch 1",
    ]


def test_of_many_earlier_steps_the_first_the_last_and_two_between_are_written():
    told = list(deaths(range(11), 16))[-1].partition(", some before: ")[2]
    assert told == "0 at epoch −1, 3 at epoch 2, 6 at epoch 5, 9 at epoch 8"


@pytest.mark.parametrize(
    ("chosen", "in_orange", "said"),
    [
        ([0, 1], True, " (none of those drawn)"),
        ([0, 3, 4], True, " (2 of those drawn, in orange)"),
        ([0, 3], False, " (1 of those drawn)"),
        (range(5), True, " (in orange)"),
        (range(5), False, ""),
    ],
)
def test_dead_channels_are_called_orange_only_where_one_is_drawn(chosen, in_orange, said):
    gone = np.array([False, False, False, True, True])
    assert _dead_drawn(gone, np.array(chosen), in_orange=in_orange) == said
    assert _dead_drawn(np.zeros(5, bool), np.array(chosen), in_orange=in_orange) == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("activation", "values", "least"),
    [
        ("gelu", [-0.7518, 2.0], -0.169971),  # the least value of GELU
        ("gelu", [-0.7518, 0.5], None),  # it uses more than a quarter of the scale
        ("silu", [-1.2785, 3.0], -0.278465),
        ("relu", [-1.0, 3.0], None),
        ("linear", [-2.0, 3.0], None),
    ],
)
def test_the_legend_begins_at_the_least_value_where_negative_ones_use_little_of_the_scale(
    activation, values, least, tmp_path, drawn
):
    given = np.reshape(values, (1, 2, 1, 1)).astype(np.float32)
    layer = keras.layers.Conv2D(1, 1, kernel_initializer="ones", activation=activation, name="maps")
    kv.ActivationMaps(tmp_path, given, layers=["maps"]).pictures(keras.Sequential([keras.Input((2, 1, 1)), layer]))
    maps, options = drawn[-1]
    assert options["least"] == (None if least is None else pytest.approx(least, abs=2e-4))  # Keras' GELU may be tanh's
    assert options["high"] == maps.max()
    assert options["low"] == (0 if activation == "relu" else -maps.max())


def test_probabilities_are_on_the_scale_from_0_to_1_from_the_first_step_on(tmp_path, drawn):
    given = keras.Input((4, 4, 1))
    undecided = keras.layers.Conv2D(3, 1, activation="softmax", name="softmax")(given)
    logits = keras.layers.Conv2D(2, 1, kernel_initializer="zeros", name="logits")(undecided)
    outputs = keras.layers.Activation("sigmoid", name="sigmoid")(logits)
    model = keras.Model(given, outputs)
    shown = kv.ActivationMaps(tmp_path, np.zeros((3, 4, 4, 1), np.float32), layers=["softmax", "logits", "sigmoid"])
    shown.pictures(model)
    assert [(round(float(maps.max()), 6), options["low"], options["high"]) for maps, options in drawn] == [
        (round(1 / 3, 6), 0.0, 1.0),
        (0.0, 0.0, 0.0),
        (0.5, 0.0, 1.0),
    ]
