"""What the pass over a model brings for `FilterOverlap` and `NeuronResponses`, for every kind of model and probe."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from harness import recorded
from keras import layers

import kerasviz_callbacks as kv
from kerasviz_callbacks.maths.overlap import channel_overlap
from kerasviz_callbacks.taps import reader as reading
from kerasviz_callbacks.views import filter_overlap

RNG = np.random.default_rng(0)


def shown_of(view, model):
    """What a view measures of a model outside of any fit, and its pictures."""
    return view, view.pictures(model), dict(view.measured)


def measured(kind, model, x, **options):
    view = recorded(kind)("logs", x, **options)
    return shown_of(view, model)[2]["validation", -1]


def output_of(model, path, x):
    return keras.Model(model.inputs[0], model.get_layer(path).output)(x).numpy().astype(np.float64)


def correlation_of(maps):
    return np.corrcoef(maps.reshape(-1, maps.shape[-1]), rowvar=False)


def network(*stack, shape=(12, 12, 2), rows=None):
    keras.utils.set_random_seed(3)
    return keras.Sequential([keras.Input(shape, batch_size=rows), *stack])


def convolution(**options):
    return layers.Conv2D(6, 3, name="conv", **{"activation": "tanh", **options})


@pytest.mark.slow
def test_a_probe_read_in_several_batches_gives_the_same(monkeypatch):
    x = RNG.normal(size=(10, 12, 12, 2)).astype(np.float32)
    model = network(convolution(), layers.Flatten(), layers.Dense(9, name="dense"))
    whole = measured(kv.FilterOverlap, model, x)
    strengths = measured(kv.NeuronResponses, model, x)
    sizes = []
    compiled = reading.Reader._batches
    monkeypatch.setattr(reading, "MEMORY", 4 * 3 * (10 * 10 * 6 + 600 + 9))

    def batches(reader, rows):
        sizes.append([stop - start for start, stop in compiled(reader, rows)])
        return compiled(reader, rows)

    monkeypatch.setattr(reading.Reader, "_batches", batches)
    parts = measured(kv.FilterOverlap, model, x)
    assert [3, 3, 3, 1] in sizes
    for path in ("conv", "dense"):
        np.testing.assert_allclose(parts.data[path].correlation, whole.data[path].correlation, atol=1e-6)
        direct = correlation_of(output_of(model, path, x))
        np.testing.assert_allclose(whole.data[path].correlation, direct, atol=1e-5)
    again = measured(kv.NeuronResponses, model, x)
    np.testing.assert_allclose(again.data["conv"].strengths, strengths.data["conv"].strengths, rtol=1e-5)


def test_rows_that_fill_up_a_fixed_batch_do_not_count():
    x = RNG.normal(size=(7, 12, 12, 2)).astype(np.float32)
    x[-1] *= 9  # the last one is repeated to fill the batch: it would weigh three times
    free, fixed = network(convolution()), network(convolution(), rows=5)
    fixed.set_weights(free.get_weights())
    direct = correlation_of(output_of(free, "conv", x))
    found = measured(kv.FilterOverlap, fixed, x).data["conv"].correlation
    np.testing.assert_allclose(found, direct, atol=1e-5)
    strengths = measured(kv.NeuronResponses, fixed, x).data["conv"].strengths
    np.testing.assert_allclose(strengths, np.abs(output_of(free, "conv", x)).mean(axis=(1, 2)), rtol=1e-5)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.Conv1D(4, 3, name="layer"), (20, 2)),
        (layers.Conv3D(4, 2, name="layer"), (4, 5, 6, 1)),
        (layers.Dense(4, name="layer"), (7,)),
        pytest.param(layers.LSTM(4, return_sequences=True, name="layer"), (6, 2), marks=pytest.mark.slow),
        (layers.Lambda(lambda x: keras.ops.sum(x, axis=1), output_shape=(), name="layer"), (5,)),
    ],
    ids=["signals", "volumes", "vectors", "sequences", "numbers"],
)
def test_outputs_of_any_rank(layer, shape):
    x = RNG.normal(size=(9, *shape)).astype(np.float32)
    model = network(layer, shape=shape)
    output = output_of(model, "layer", x)
    maps = output.reshape(9, -1, output.shape[-1] if output.ndim > 1 else 1)
    found = measured(kv.FilterOverlap, model, x, layers=["layer"])
    np.testing.assert_allclose(found.data["layer"].correlation, np.atleast_2d(correlation_of(maps)), atol=1e-5)
    strengths = measured(kv.NeuronResponses, model, x, layers=["layer"]).data["layer"].strengths
    np.testing.assert_allclose(strengths, np.abs(maps).mean(axis=1), rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("scale", "level"), [(1.0, 0.0), (1.0, 1e5), (1e25, 0.0), (1e-3, 10.0)])
def test_large_means_and_magnitudes_cost_no_digits(scale, level):
    x = (RNG.normal(size=(6, 8, 8, 3)) @ RNG.normal(size=(3, 3)) * scale + level * scale).astype(np.float32)
    x[:, 0, 0] = 0  # as at the edge of a padded picture
    model = network(layers.Activation("linear", name="same"), shape=(8, 8, 3))
    found = measured(kv.FilterOverlap, model, x, layers=["same"]).data["same"]
    np.testing.assert_allclose(found.correlation, correlation_of(x.astype(np.float64)), atol=1e-5)
    away = x[:, 1:]
    model = network(layers.Activation("linear", name="same"), shape=(7, 8, 3))
    found = measured(kv.FilterOverlap, model, away, layers=["same"]).data["same"]
    np.testing.assert_allclose(found.correlation, correlation_of(away.astype(np.float64)), atol=2e-5)


def test_a_doubled_filter_is_named_and_a_constant_one_left_out():
    model = network(convolution(activation="relu"))
    kernel, bias = model.get_layer("conv").get_weights()
    kernel[..., 4] = 2 * kernel[..., 1]
    kernel[..., 2], bias[2] = 0, -1
    model.get_layer("conv").set_weights([kernel, bias])
    x = RNG.normal(size=(6, 12, 12, 2)).astype(np.float32)
    view, pictures, found = shown_of(recorded(kv.FilterOverlap)("logs", x), model)
    one = found["validation", -1]
    overlap = one.data["conv"]
    assert overlap.constant.tolist() == [False, False, True, False, False, False]
    np.testing.assert_array_equal(overlap.dead, overlap.constant)  # an output that is rectified may be dead codes
    assert overlap.correlation[1, 4] == pytest.approx(1, abs=1e-6)
    alive = [0, 1, 3, 4, 5]
    direct = np.abs(correlation_of(output_of(model, "conv", x)[..., alive])) - np.eye(5)
    assert one.scalars["health/conv/overlap"] == pytest.approx(direct.max(axis=1).mean(), abs=1e-5)
    assert list(pictures) == ["validation/overlap/conv"]
    assert "Constant channels are excluded" in view.describe("health/conv/overlap")


def test_of_a_wide_layer_the_channels_that_vary_most_are_shown():
    wide = network(layers.Conv2D(200, 1, name="wide"), layers.GlobalMaxPooling2D(), layers.Dense(300, name="dense"))
    x = RNG.normal(size=(5, 12, 12, 2)).astype(np.float32)
    for name, kind, most in (("wide", kv.FilterOverlap, 128), ("dense", kv.NeuronResponses, 256)):
        _, pictures, found = shown_of(recorded(kind)("logs", x), wide)
        output = output_of(wide, name, x)
        spread = output.reshape(-1, output.shape[-1]).var(axis=0) if name == "wide" else np.abs(output).var(axis=0)
        best = np.sort(np.argsort(-spread, kind="stable")[:most])
        numbers = found["validation", -1].data[name]
        if name == "wide":
            np.testing.assert_allclose(numbers.correlation, correlation_of(output[..., best]), atol=1e-4)
        else:
            np.testing.assert_allclose(numbers.strengths, np.abs(output)[:, best], rtol=1e-5)
        assert len(pictures) == 2


def test_what_travels_is_bounded_for_large_probes(monkeypatch):
    monkeypatch.setattr(filter_overlap, "MAX_PRODUCTS", 9 * 4 * 4 + 5)
    x = RNG.normal(size=(9, 12, 12, 2)).astype(np.float32)
    model = network(convolution(), layers.Flatten(), layers.Dense(20, name="dense"))
    one = measured(kv.FilterOverlap, model, x)
    assert one.data["conv"].correlation.shape == (4, 4)
    assert one.data["dense"].correlation.shape == (20, 20), "of vectors no products travel"


def test_nan_and_infinity_spoil_their_own_channel_alone():
    model = network(convolution(activation=None))
    kernel, bias = model.get_layer("conv").get_weights()
    bias[[1, 3]] = np.nan, np.inf
    model.get_layer("conv").set_weights([kernel, bias])
    x = RNG.normal(size=(6, 12, 12, 2)).astype(np.float32)
    found = measured(kv.FilterOverlap, model, x).data["conv"]
    assert np.isnan(np.diagonal(found.correlation)).tolist() == [False, True, False, True, False, False]
    assert not found.constant.any()
    assert not found.dead.any()
    alive = [0, 2, 4, 5]
    direct = correlation_of(output_of(model, "conv", x)[..., alive])
    np.testing.assert_allclose(found.correlation[np.ix_(alive, alive)], direct, atol=1e-5)
    strengths = measured(kv.NeuronResponses, model, x).data["conv"].strengths
    assert np.isfinite(strengths).all(axis=0).tolist() == [True, False, True, False, True, True]


@pytest.mark.slow
def test_the_order_is_decided_once_on_validation_data(tmp_path):
    model = network(convolution(), layers.GlobalAveragePooling2D(), layers.Dense(2, name="answer"))
    model.compile(keras.optimizers.SGD(0.5), "mse")
    x, other = RNG.normal(size=(2, 8, 12, 12, 2)).astype(np.float32)
    view = recorded(kv.FilterOverlap)(tmp_path, x, training_data=other, on_error="raise", start_from_epoch=1)
    model.fit(x, RNG.normal(size=(8, 2)), epochs=3, verbose=0, callbacks=[view])
    assert sorted(view.measured) == [("train", 1), ("train", 2), ("validation", 1), ("validation", 2)]
    first = view.measured["validation", 1].data["conv"].correlation
    order = view.memory.shared["order"]["conv"]
    np.testing.assert_array_equal(order, filter_overlap.clustered_order(first))
    last = view.measured["validation", 2].data["conv"].correlation
    assert not np.allclose(first, last, atol=1e-3)


def test_a_layer_of_unknown_width_is_told_before_the_first_batch():
    some = layers.Lambda(lambda x: tf.boolean_mask(x, x[0] > 0, axis=1), output_shape=(None,), name="some")
    total = layers.Lambda(lambda x: keras.ops.sum(x, axis=1, keepdims=True), output_shape=(1,), name="total")
    view = kv.FilterOverlap("logs", RNG.normal(size=(4, 5)).astype(np.float32), layers=["some"])
    with pytest.raises(ValueError, match=r'layers: "some" has output shape \(None, None\), .* name a layer'):
        view.picture(network(some, total, shape=(5,)))


@pytest.mark.parametrize("kind", [kv.FilterOverlap, kv.NeuronResponses])
def test_an_unknown_layer_is_told_with_the_nearest(kind):
    with pytest.raises(ValueError, match='layers="cov"'):
        kind("logs", RNG.normal(size=(4, 12, 12, 2)), layers=["cov"]).picture(network(convolution()))


@pytest.mark.parametrize("kind", [kv.FilterOverlap, kv.NeuronResponses])
def test_a_single_picture_and_a_single_channel_make_a_picture(kind):
    model = network(layers.Conv2D(1, 3, name="conv"))
    picture = kind("logs", RNG.normal(size=(1, 12, 12, 2)).astype(np.float32)).picture(model)
    assert picture.shape[2] == 3
    assert channel_overlap([[1.0]]).constant.tolist() == [True]


@pytest.mark.slow
def test_a_pass_that_another_view_began_is_read_anew_once_the_channels_are_chosen(tmp_path):
    model = network(layers.Conv2D(200, 1, name="wide"), layers.GlobalAveragePooling2D(), layers.Dense(2, name="answer"))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    x = RNG.normal(size=(8, 12, 12, 2)).astype(np.float32)
    data = (x, np.arange(8) % 2)
    output = output_of(model, "wide", x)
    first = kv.NeuronResponses(tmp_path, data, on_error="raise")
    view = recorded(kv.FilterOverlap)(tmp_path, data, on_error="raise")
    model.fit(x, RNG.normal(size=(8, 2)), epochs=1, verbose=0, callbacks=[first, view])
    best = np.sort(np.argsort(-output.reshape(-1, 200).var(axis=0), kind="stable")[:128])
    assert best[-1] > 128
    found = view.measured["validation", -1].data["wide"].correlation
    np.testing.assert_allclose(found, correlation_of(output[..., best]), atol=1e-4)


def test_a_layer_of_one_channel_is_shown_only_if_it_is_named():
    layers = [keras.Input((8, 8, 1)), keras.layers.Conv2D(3, 3, name="conv"), keras.layers.GlobalAveragePooling2D()]
    model = keras.Sequential([*layers, keras.layers.Dense(1, name="amount")])
    x = np.random.default_rng(0).random((4, 8, 8, 1)).astype(np.float32)
    assert list(kv.FilterOverlap("logs", x).pictures(model)) == ["validation/overlap/conv"]
    assert list(kv.FilterOverlap("logs", x, layers=["amount"]).pictures(model)) == ["validation/overlap/amount"]


@pytest.mark.slow
def test_dead_channels_are_counted_for_the_whole_layer_at_every_step(tmp_path):
    """Of 20 channels, 16 of which are drawn, more die at every epoch; Keras' own output says how many."""
    x = RNG.normal(size=(9, 8, 8, 1)).astype(np.float32)
    conv = layers.Conv2D(20, 3, activation="relu", name="conv")
    model = network(conv, layers.GlobalAveragePooling2D(), layers.Dense(1), shape=(8, 8, 1))
    model.compile("sgd", "mse")

    class Kill(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            kernel, bias = self.model.get_layer("conv").get_weights()
            bias[: 4 * (epoch + 1)] = -1e3
            self.model.get_layer("conv").set_weights([kernel, bias])

    view = recorded(kv.ActivationMaps)(tmp_path, x, layers=["conv"], on_error="raise")
    model.fit(x, np.zeros(9), epochs=3, verbose=0, callbacks=[Kill(), view])
    for step, count in ((-1, 0), (0, 4), (1, 8), (2, 12)):
        data = view.measured["validation", step].data
        assert data.deaths["conv"].startswith(f"dead on 9 inputs: {count} of 20")
        channels = view.at_work[0].memory.shared["channels"]["conv"]
        assert data.dead["conv"].tolist() == [channel < count for channel in channels]
    assert data.deaths["conv"].endswith(", before: 0 at epoch −1, 4 at epoch 0, 8 at epoch 1")
