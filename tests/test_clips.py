"""Layers within `TimeDistributed`, tokens of volumes, and towers called on several inputs: maps by closed forms."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from harness import recorded
from keras import layers

import kerasviz_callbacks as kv
from kerasviz_callbacks.draw.overfitting_charts import most_degraded
from kerasviz_callbacks.views import activation_maps, confusion_matrix
from kerasviz_callbacks.views.overfitting_monitor import monitor

FRAMES, CHANNELS = 4, 5


def tower():
    given = keras.Input((6, 7, 2))
    maps = layers.Conv2D(CHANNELS, 3, padding="same", activation="relu", name="maps")(given)
    return keras.Model(given, layers.GlobalAveragePooling2D()(maps), name="tower")


def clips(frames=FRAMES, name="each"):
    """Means of maps of each frame, each with weights of its own in the answer."""
    keras.utils.set_random_seed(0)
    given = keras.Input((frames, 6, 7, 2))
    flat = layers.Flatten()(layers.TimeDistributed(tower(), name=name)(given))
    return keras.Model(given, layers.Dense(3, "softmax", name="answer")(flat))


def data(rows=6, frames=FRAMES):
    return np.random.default_rng(0).random((rows, frames, 6, 7, 2)).astype("float32")


def closed_form(model, x, target, path="each"):
    inner = model.get_layer(path).layer.get_layer("maps")
    maps = np.stack([inner(frame).numpy() for frame in x.swapaxes(0, 1)], axis=1)
    weights = model.get_layer("answer").kernel.numpy()[:, target].reshape(x.shape[1], CHANNELS)
    return maps, np.einsum("nthwc,tc->nthw", maps, weights) / (6 * 7)


@pytest.mark.slow
@pytest.mark.parametrize("frames", [FRAMES, 1])
def test_each_frame_has_a_map_with_weights_of_its_own(frames):
    model, x = clips(frames), data(frames=frames)
    maps, expected = closed_form(model, x, 2)
    np.testing.assert_allclose(kv.activations(model, x, ["maps"])["each/tower/maps"], maps, atol=1e-6)
    for layer in ("maps", None) if frames > 1 else ("maps",):
        found = kv.class_activation_map(model, x, layer=layer, target=2)
        np.testing.assert_allclose(found, np.maximum(expected, 0), atol=1e-6)
    np.testing.assert_allclose(
        kv.class_activation_map(model, x, layer="maps", target=2, method="hires_cam"), expected, atol=1e-6
    )


def test_a_map_of_each_frame_is_drawn_and_summed_up(tmp_path):
    model, x = clips(), data()
    y = np.arange(6) % 3
    model.compile("sgd", "sparse_categorical_crossentropy")
    monitor = kv.OverfittingMonitor(tmp_path, (x, y), on_error="raise")
    views = [kv.GradCAM(tmp_path, (x, y), on_error="raise"), kv.ActivationMaps(tmp_path, (x, y), on_error="raise")]
    model.fit(x, y, epochs=2, verbose=0, validation_data=(x, y), callbacks=[monitor, *views])
    assert list(views[0].pictures(model)) == ["validation/grad_cam/each/tower/maps"]
    assert "validation/activations/each/tower/maps" in views[1].pictures(model)
    assert model.history.history["val_cam_true_vs_predicted"][-1] >= 0


@pytest.mark.slow
def test_an_example_that_got_worse_is_the_frame_with_most_heat_then_or_now(tmp_path, monkeypatch):
    model, x, y = clips(), data(), np.arange(6) % 3
    scores, heat, sheets = [], [], []

    class Worse(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["val_loss"] = float(epoch)
            kernel = model.get_layer("answer").kernel
            kernel.assign(kernel * (1, -2)[epoch])
            scores.append(model.predict(x, verbose=0)[range(6), y])
            maps = [kv.class_activation_map(model, x, layer="maps", target=int(label)) for label in y]
            heat.append(np.stack([maps[row][row] for row in range(6)]))

    def record(shown, caption, note):
        sheets.append((shown.degraded, caption))
        return np.zeros((9, 9, 3), np.uint8)

    monkeypatch.setattr(monitor, "overfitting_sheet", record)
    model.compile(keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy")
    view = recorded(kv.OverfittingMonitor)(tmp_path, (x, y), on_error="raise")
    model.fit(x, y, epochs=2, verbose=0, callbacks=[Worse(), view])
    degraded, caption = sheets[-1]
    assert "\nexamples: the frame with most heat\n" in caption
    rows = most_degraded(scores[1], scores[0], 0.01)
    frames = np.maximum(*heat)[rows].max(axis=(2, 3)).argmax(axis=1)
    assert len(rows) > 1
    assert (frames != FRAMES // 2).any(), "else the middle frame would do"
    assert [second.split("   ")[1] for _, second in degraded.titles] == [f"frame {one + 1} of 4" for one in frames]
    every = view.at_work[0].probe_display.pictures("validation")
    np.testing.assert_array_equal(degraded.pictures, every[rows, frames])


@pytest.mark.slow
def test_a_layer_called_twice_a_frame_is_two_calls():
    given = keras.Input((6, 7, 2))
    conv = layers.Conv2D(2, 3, padding="same", name="twice")
    inner = keras.Model(given, layers.GlobalAveragePooling2D()(conv(conv(given))), name="inner")
    clip = keras.Input((FRAMES, 6, 7, 2))
    model = keras.Model(clip, layers.Dense(2)(layers.GRU(3)(layers.TimeDistributed(inner, name="each")(clip))))
    found = kv.activations(model, x := data(), ["each/inner/twice", "each/inner/twice:1"])
    first = np.stack([conv(frame).numpy() for frame in x.swapaxes(0, 1)], axis=1)
    second = np.stack([conv(frame).numpy() for frame in first.swapaxes(0, 1)], axis=1)
    np.testing.assert_allclose(found["each/inner/twice"], first, atol=1e-6)
    np.testing.assert_allclose(found["each/inner/twice:1"], second, atol=1e-6)


def test_an_unknown_number_of_frames_is_refused():
    class Cut(layers.Layer):
        def call(self, x):
            return tf.reshape(x, tf.concat([tf.shape(x)[:1], [-1, 6, 7, 2]], 0))

        def compute_output_shape(self, shape):
            return (shape[0], None, 6, 7, 2)

    given = keras.Input((6 * FRAMES, 7, 2))
    frames = Cut()(given)
    model = keras.Model(given, layers.Dense(2)(layers.LSTM(3)(layers.TimeDistributed(tower(), name="each")(frames))))
    x = data().reshape(6, 6 * FRAMES, 7, 2)
    with pytest.raises(ValueError, match=r'layer="each/tower/maps": .* number of frames is not known .*Input'):
        kv.class_activation_map(model, x, layer="maps")


def test_maps_of_tokens_of_volumes_are_the_closed_form():
    keras.utils.set_random_seed(1)
    given = keras.Input((6, 8, 8, 1))
    tokens = layers.Reshape((-1, CHANNELS), name="tokens")(layers.Conv3D(CHANNELS, (3, 2, 2), strides=(3, 2, 2))(given))
    model = keras.Model(given, layers.Dense(3)(layers.GlobalAveragePooling1D()(tokens)))
    x = np.random.default_rng(1).random((3, 6, 8, 8, 1)).astype("float32")
    values = kv.activations(model, x, ["tokens"])["tokens"].reshape(3, 2, 4, 4, CHANNELS)
    expected = np.maximum(values @ model.layers[-1].kernel.numpy()[:, 1], 0) / 32
    np.testing.assert_allclose(kv.class_activation_map(model, x, layer="tokens", target=1), expected, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_a_tower_on_several_inputs_has_a_picture_over_each(tmp_path, dtype):
    shared = tower()
    inputs = [keras.Input((6, 7, 2), name=name, dtype=dtype) for name in ("left", "right")]
    both = layers.Concatenate()([shared(layers.Rescaling(1 / 255)(one)) for one in inputs])
    sure = keras.initializers.Constant([0.0, 90.0, 0.0])  # so that titles stay
    model = keras.Model(inputs, layers.Dense(3, "softmax", bias_initializer=sure)(both))
    x = (255 * np.random.default_rng(2).random((2, 5, 6, 7, 2))).astype(dtype)
    view = kv.GradCAM(tmp_path, ([*x], np.arange(5) % 3), target=1)
    found = view.pictures(model)
    assert sorted(found) == ["validation/grad_cam/tower/maps", "validation/grad_cam/tower/maps:1"]
    swapped = kv.GradCAM(tmp_path, ([x[0], x[1][::-1]], np.arange(5) % 3), target=1).pictures(model)
    assert [tag for tag in found if (found[tag] != swapped[tag]).any()] == ["validation/grad_cam/tower/maps:1"]
    named = kv.GradCAM(tmp_path, ([*x], np.arange(5) % 3), target=1, layer="tower/maps:1").pictures(model)
    assert list(named) == ["validation/grad_cam/tower/maps:1"]
    shown = kv.ActivationMaps(tmp_path, [*x], layers=["tower/maps", "tower/maps:1"])
    before = shown.pictures(model)
    after = kv.ActivationMaps(tmp_path, [x[0], x[1][::-1]], layers=["tower/maps", "tower/maps:1"]).pictures(model)
    assert [tag for tag in before if (before[tag] != after[tag]).any()] == ["validation/activations/tower/maps:1"]


@pytest.mark.slow
def test_the_frame_that_stands_for_a_clip_is_named(monkeypatch):
    said, written, x, blank = [], [], data(), np.zeros((9, 9, 3), np.uint8)
    given = keras.Input((FRAMES, 6, 7, 2))
    each = layers.TimeDistributed(layers.Dense(CHANNELS), name="each")(layers.Reshape((FRAMES, -1))(given))
    long = layers.Conv1D(CHANNELS, 3, name="long")(layers.Reshape((FRAMES * 3, -1))(given))
    both = [layers.GRU(3)(each), layers.GlobalAveragePooling1D()(long)]
    model = keras.Model(given, layers.Dense(3, "softmax")(layers.Concatenate()(both)))
    monkeypatch.setattr(activation_maps, "activation_tiles", lambda *_, caption, **__: said.append(caption) or blank)
    monkeypatch.setattr(confusion_matrix, "confusion_sheet", lambda *_, caption, **__: written.append(caption) or blank)
    kv.ActivationMaps("logs", x, layers=["each", "long"]).pictures(model)
    assert [one.split("\n")[1] for one in said] == [
        "columns: channels   each along 4 frames   input: frame 3 of 4",
        "columns: channels   input: frame 3 of 4",
    ]
    kv.ConfusionMatrix("logs", (x, np.arange(6) % 3)).pictures(model)
    assert written[0].endswith("\n6 rows   examples: frame 3 of 4")


def drawn_of(monkeypatch, model, inputs, layers=None):
    """The maps and the second line of the caption, by layer, that are drawn of a model's activations."""
    found = {}

    def record(pictures, maps, caption, **others):
        path, line = caption.split("\n")[:2]
        found[path.split("   ")[0]] = maps, line
        return np.zeros((9, 9, 3), np.uint8)

    monkeypatch.setattr(activation_maps, "activation_tiles", record)
    kv.ActivationMaps("logs", inputs, layers=layers).pictures(model)
    return found


@pytest.mark.slow
def test_the_middle_frame_of_activations_is_drawn_and_named(monkeypatch):
    model, x = clips(), data()
    maps, line = drawn_of(monkeypatch, model, x)["each/tower/maps"]
    assert line == "columns: channels   frame 3 of 4"
    expected = kv.activations(model, x, ["maps"])["each/tower/maps"][:, 2]
    np.testing.assert_allclose(maps, np.moveaxis(expected, -1, 1), atol=1e-6)


def test_activations_of_several_inputs_say_of_which(monkeypatch):
    names = ["left", "right"]
    shared, inputs = tower(), [keras.Input((6, 7, 2), name=name) for name in names]
    model = keras.Model(inputs, layers.Concatenate()([shared(one) for one in inputs]))
    found = drawn_of(monkeypatch, model, [data()[:, 0], data()[:, 1]], ["tower/maps", "tower/maps:1"])
    assert list(found) == ["call 1 of 2 of tower/maps", "call 2 of 2 of tower/maps"]
    assert [line for _, line in found.values()] == [f"columns: channels   on input {name}" for name in names]


@pytest.mark.slow
def test_activations_of_patches_are_maps_however_many_there_are(monkeypatch):
    given = keras.Input((32, 48, 1))
    tokens = layers.Reshape((-1, 24))(layers.Conv2D(24, 4, strides=4)(given))
    mixed = layers.Dense(20, name="mixed")(layers.Permute((2, 1))(tokens))  # 24 channels, as many as 4 x 6 patches
    tokens = layers.Dense(20, name="each")(tokens)
    model = keras.Model(given, [layers.Flatten()(one) for one in (tokens, mixed)])
    x = np.random.default_rng(1).random((3, 32, 48, 1)).astype("float32")
    found = drawn_of(monkeypatch, model, x, ["each", "mixed"])
    chosen = "columns: 16 of 20 channels, which varied most at the first step"
    assert [line for _, line in found.values()] == [f"{chosen}   8 × 12 patches", chosen]
    assert found["mixed"][0].shape == (3, 16, 24)
    every = kv.activations(model, x, ["each"])["each"]
    best = np.sort(np.argsort(-every.var(axis=(0, 1)))[:16])
    expected = np.moveaxis(every.reshape(3, 8, 12, 20)[..., best], -1, 1)
    np.testing.assert_allclose(found["each"][0], expected, atol=1e-5)
