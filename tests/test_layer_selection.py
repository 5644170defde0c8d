"""Which layer is chosen when the user names none: the last maps on the way to the score, and the bottleneck."""

import keras
import models
import numpy as np
import pytest
import tensorflow as tf
from harness import first
from keras import layers, ops

import kerasviz_callbacks as kv
from kerasviz_callbacks.callback.snapshot import snapshot
from kerasviz_callbacks.maths.choice import evenly_by_depth
from kerasviz_callbacks.maths.class_activation import grad_cam
from kerasviz_callbacks.taps.layer_selection import activation_layers, bottleneck, last_maps, penultimate
from kerasviz_callbacks.taps.reader import Capture, Reader
from kerasviz_callbacks.taps.scores import Score, score_for


@pytest.fixture(autouse=True)
def _seeded():
    keras.utils.set_random_seed(1)


def _chosen(model, x, score=None):
    return last_maps(Reader(model, x), score or Score()).path


# Grad-CAM.


@pytest.mark.slow
def test_an_auxiliary_branch_that_is_called_later_is_not_chosen():
    class TwoBranches(keras.Model):
        def __init__(self):
            super().__init__()
            self.parts, self.aside = models.four(), models.convolution("aside")
            self.pool, self.other = layers.GlobalMaxPooling2D(name="max"), models.head(None, 2, name="other")

        def call(self, x):
            first = self.parts[0](x)
            main = models.applied(self.parts[1:], first)
            return main, self.other(self.pool(self.aside(first)))

    model = TwoBranches()
    x = models.pictures()
    maps = kv.activations(model, x)
    assert list(maps)[-4:] == ["head", "aside", "max", "other"]
    models.assert_maps_equal(
        kv.class_activation_map(model, x, target=1), models.closed_form(maps["conv2"], model.parts[-1], 1)
    )
    assert _chosen(model, x, Score(function=lambda outputs: outputs[1][:, 0])) == "aside"


def test_the_way_back_to_the_maps_may_be_long():
    parts = models.four()
    deep = [layers.Dense(4, name=f"dense{k}") for k in range(3)]
    steps = [layers.UpSampling2D(name=f"aside{k}") for k in range(6)]
    inputs = keras.Input((models.SIDE, models.SIDE, 3))
    main = models.applied([*parts[:3], *deep, models.head()], inputs)
    model = keras.Model(inputs, [main, models.applied(steps[:2], inputs)])
    assert _chosen(model, models.pictures()) == "conv2"


def _pixels(end):
    inputs = keras.Input((models.SIDE, models.SIDE, 3))
    return keras.Model(inputs, end(models.convolution("maps")(inputs)))


@pytest.mark.parametrize(
    "end",
    [
        lambda x: layers.Conv2D(2, 1, activation="softmax", name="pixels")(x),
        lambda x: layers.Softmax(name="top")(layers.Conv2D(2, 1, name="pixels")(x)),
        lambda x: ops.softmax(layers.Conv2D(2, 1, name="pixels")(x)),
        lambda x: layers.Activation("sigmoid", name="top", dtype="float32")(layers.Conv2D(1, 1, name="pixels")(x)),
        lambda x: layers.Conv2D(2, 1, name="pixels")(x),
        lambda x: layers.Reshape((64, 2), name="rows")(layers.Conv2D(2, 1, activation="softmax", name="pixels")(x)),
    ],
)
@pytest.mark.parametrize("kind", ["float32", "mixed_float16"])
def test_the_answer_for_each_pixel_and_what_feeds_its_softmax_are_left_out(end, kind):
    with models.policy(kind):
        assert _chosen(_pixels(end), models.pictures()) == "maps"


def test_a_fully_convolutional_head_of_one_position_is_left_out():
    inputs = keras.Input((models.SIDE, models.SIDE, 3))
    pooled = layers.GlobalAveragePooling2D(keepdims=True, name="gap")(models.convolution("maps")(inputs))
    top = layers.Conv2D(3, 1, name="top")
    model = keras.Model(inputs, layers.Softmax()(layers.Flatten()(top(pooled))))
    maps = kv.activations(model, models.pictures(), ["maps"])["maps"]
    kernel = np.asarray(top.kernel).astype(float)[0, 0, :, 2]
    models.assert_maps_equal(
        kv.class_activation_map(model, models.pictures(), target=2), np.maximum(maps @ kernel, 0) / models.SIDE**2
    )


def test_a_sum_of_two_branches_is_chosen_and_not_one_of_them():
    inputs = keras.Input((models.SIDE, models.SIDE, 3))
    one, two, top = models.convolution("one"), models.convolution("two"), models.head()
    both = layers.Add(name="both")([one(inputs), two(inputs)])
    model = keras.Model(inputs, top(layers.GlobalAveragePooling2D()(both)))
    maps = kv.activations(model, models.pictures(), ["both"])["both"]
    models.assert_maps_equal(
        kv.class_activation_map(model, models.pictures(), target=0), models.closed_form(maps, top, 0)
    )


# Activations.


def test_of_many_layers_eight_are_shown_first_and_last_included():
    steps = [layers.Dense(3, name=f"d{k}") for k in range(20)]
    model = keras.Sequential([keras.Input((3,)), *steps])
    found = [call.path for call in activation_layers(Reader(model, np.ones((2, 3), np.float32)))]
    assert found == [step.name for step in steps]
    shown = evenly_by_depth(found)
    assert len(shown) == 8
    assert (shown[0], shown[-1]) == ("d0", "d19")
    assert shown == sorted(shown, key=lambda path: int(path[1:]))


def _convolutions(count):
    steps = [layers.Conv2D(2, 1, name=f"c{k}") for k in range(count)]
    model = keras.Sequential([keras.Input((3, 3, 1)), *steps, layers.Conv2D(1, 1, name="last")])
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize(
    ("view", "said", "of"),
    first(
        [
            (kv.FilterImages, "c0 to last (8 of 12 layers, ", ()),
            (kv.WeightHeatmaps, "c0 to last (8 of 12 kernels, ", ()),
            (kv.ActivationMaps, "c0 to last (8 of 12 layers, ", (np.ones((2, 3, 3, 1)),)),
            (kv.NeuronResponses, "c0 to last (8 of 12 layers, ", (np.ones((2, 3, 3, 1)),)),
            (kv.FilterOverlap, "c0 to c10 (8 of 11 layers, ", (np.ones((2, 3, 3, 1)),)),  # not that of a single channel
        ]
    ),
)
def test_how_many_layers_are_left_out_is_printed_and_described(view, said, of, tmp_path, capsys):
    model, shown, x = _convolutions(11), view(tmp_path, *of), np.ones((2, 3, 3, 1), np.float32)
    model.fit(x, x, epochs=1, callbacks=[kv.Visualizer(tmp_path, views=[shown])])
    line = f"{view.__name__} of {said}evenly spaced by depth; name others in layers=)."
    assert line in capsys.readouterr().out
    about = [one.description for one in snapshot([shown], model)]
    assert len(about) == 8
    assert {text.rpartition("\n\n")[2] for text in about} == {
        f"*Layers shown:* {said.partition('(')[2]}evenly spaced by depth; name others in layers=."
    }


@pytest.mark.slow
@pytest.mark.parametrize("given", [{}, {"layers": ["c0", "c1"]}])
def test_where_no_layer_is_left_out_nothing_is_said_of_it(given, tmp_path):
    for view in (kv.FilterImages(tmp_path, **given), kv.ActivationMaps(tmp_path, np.ones((2, 3, 3, 1)), **given)):
        assert not any("evenly" in one.description for one in snapshot([view], _convolutions(11 if given else 3)))


@pytest.mark.slow
def test_calls_of_a_shared_layer_are_counted_as_calls(tmp_path):
    shared, inputs = layers.Dense(3, name="shared"), keras.Input((3,))
    answer = inputs
    for _ in range(9):
        answer = shared(answer)
    view = kv.ActivationMaps(tmp_path, np.ones((2, 3), np.float32))
    about = snapshot([view], keras.Model(inputs, answer))[0].description
    assert "8 of 9 calls of layers, evenly spaced by depth" in about


def test_a_model_with_neither_convolution_nor_dense_layer_is_an_error_that_names_what_there_is():
    model = keras.Sequential([keras.Input((4, 3)), layers.LSTM(3, name="read")])
    with pytest.raises(ValueError, match=r"layers=None: .* no convolution and no dense layer.*such as .'read'"):
        activation_layers(Reader(model, np.ones((2, 4, 3), np.float32)))


# The bottleneck.


class Sampling(layers.Layer):
    """Draws a code; from a generator of its own, or from Keras' own."""

    def __init__(self, own, **options):
        super().__init__(**options)
        self.generator = keras.random.SeedGenerator(7) if own else None

    def call(self, inputs):
        mean, log_var = inputs
        return mean + ops.exp(log_var / 2) * keras.random.normal(ops.shape(mean), seed=self.generator)


def _dense(units, name, activation=None):
    return layers.Dense(units, activation, name=name)


def dense_autoencoder():
    steps = [layers.Flatten(), _dense(16, "in", "relu"), _dense(4, "code"), _dense(16, "out", "relu")]
    return keras.Sequential([keras.Input((6, 6)), *steps, _dense(36, "pixels"), layers.Reshape((6, 6))])


def convolutional_autoencoder():
    down = [layers.Conv2D(n, 3, 2, "same", name=f"down{n}") for n in (4, 2)]
    up = [layers.Conv2DTranspose(n, 3, 2, "same", name=f"up{n}") for n in (4, 1)]
    return keras.Sequential([keras.Input((8, 8, 1)), *down, *up])


class Vae(keras.Model):
    """A variational autoencoder, nested encoder and decoder, subclassed."""

    def __init__(self, own):
        super().__init__()
        inputs = keras.Input((12,))
        hidden = _dense(8, "hidden", "relu")(inputs)
        mean, log_var = _dense(3, "z_mean")(hidden), _dense(3, "z_log_var")(hidden)
        codes = Sampling(own, name="z")([mean, log_var])
        self.encoder = keras.Model(inputs, [mean, log_var, codes], name="encoder")
        self.decoder = keras.Sequential([keras.Input((3,)), _dense(8, "up", "relu"), _dense(12, "out")], name="decoder")

    def call(self, x):
        return self.decoder(self.encoder(x)[2])


def autoencoder_with_a_classifier_aside():
    inputs = keras.Input((12,))
    code = _dense(4, "code")(_dense(8, "in", "relu")(inputs))
    classes = _dense(2, "classes", "softmax")(_dense(3, "aside")(code))
    return keras.Model(inputs, [classes, _dense(12, "out")(_dense(8, "up", "relu")(code))])


@pytest.mark.parametrize(
    ("made", "shape", "path"),
    [
        (dense_autoencoder, (6, 6), "code"),
        (convolutional_autoencoder, (8, 8, 1), "down2"),
        pytest.param(lambda: Vae(own=True), (12,), "encoder/z_mean", marks=pytest.mark.slow),
        (lambda: Vae(own=False), (12,), "encoder/z_mean"),
        (autoencoder_with_a_classifier_aside, (12,), "code"),
    ],
)
def test_the_bottleneck_is_the_narrowest_output_on_the_way_to_the_reconstruction(made, shape, path):
    x = np.random.default_rng(0).random((5, *shape), np.float32)
    assert bottleneck(Reader(made(), x), x).path == path


def test_a_layer_that_samples_is_not_the_bottleneck_even_if_it_is_narrower():
    class Narrow(Sampling):
        def call(self, inputs):
            return super().call(inputs)[:, :2]

    inputs = keras.Input((12,))
    mean, log_var = _dense(4, "mean")(inputs), _dense(4, "log_var")(inputs)
    model = keras.Model(inputs, _dense(12, "out")(Narrow(own=True, name="z")([mean, log_var])))
    x = np.ones((3, 12), np.float32)
    assert bottleneck(Reader(model, x), x).path == "mean"


def test_noise_that_is_off_outside_training_is_no_sampling():
    code, noise = _dense(3, "code"), layers.GaussianNoise(0.1, name="noise")
    model = keras.Sequential([keras.Input((12,)), layers.Dropout(0.1), code, noise, _dense(12, "out")])
    x = np.ones((3, 12), np.float32)
    assert bottleneck(Reader(model, x), x).path == "code"


def test_a_classifier_has_no_bottleneck_and_the_error_says_why():
    made = models.functional()
    with pytest.raises(ValueError, match=r"layer=None: no output of the model has the shape of its input \(8, 8, 3\)"):
        bottleneck(Reader(made.model, made.inputs), made.inputs)


def test_a_model_of_one_layer_has_nothing_between_and_the_error_says_so():
    model = keras.Sequential([keras.Input((4,)), _dense(4, "all")])
    x = np.ones((2, 4), np.float32)
    with pytest.raises(ValueError, match="layer=None: no layer lies between"):
        bottleneck(Reader(model, x), x)


def _net(shape, outputs, dtype="float32"):
    inputs = keras.Input(shape, dtype=dtype)
    return keras.Model(inputs, outputs(inputs))


def _around(inputs):
    """A skip connection goes by the code, but not by what comes before it."""
    wide = _dense(9, "wide")(layers.Rescaling(1.0)(inputs))
    return _dense(12, "out")(layers.Concatenate()([wide, _dense(3, "code")(wide)]))


def _shared_twice(inputs):
    half = _dense(6, "half")
    return _dense(12, "out")(half(half(_dense(6, "in")(inputs))))


def _of_steps(inputs):
    steps = layers.LSTM(8, return_sequences=True)(layers.RepeatVector(4)(layers.LSTM(5, name="code")(inputs)))
    return layers.TimeDistributed(layers.Dense(3, name="step"))(steps)


def _two_branches(inputs):
    return _dense(12, "out")(layers.Concatenate(name="both")([_dense(2, "one")(inputs), _dense(2, "two")(inputs)]))


@pytest.mark.parametrize(
    ("outputs", "shape", "dtype", "path"),
    [
        (_around, (12,), "float32", "wide"),
        (_around, (12,), "uint8", "wide"),  # whole numbers have no gradients
        (_shared_twice, (12,), "float32", "in"),
        pytest.param(_of_steps, (4, 3), "float32", "code", marks=pytest.mark.slow),
        (_two_branches, (12,), "float32", "both"),  # neither branch alone decides
    ],
)
def test_everything_passes_through_the_bottleneck(outputs, shape, dtype, path):
    model = _net(shape, outputs, dtype)
    x = np.ones((3, *shape), dtype)
    assert bottleneck(Reader(model, x), x).path == path
    model.compile(run_eagerly=True)
    assert dtype != "float32" or bottleneck(Reader(model, x), x).path == path


@pytest.mark.parametrize(
    "outputs",
    [
        lambda x: x + layers.Conv2D(2, 3, padding="same")(layers.Conv2D(8, 3, padding="same")(x)),  # an enhancer
        lambda x: layers.Conv2D(2, 1)(layers.Concatenate()([x, layers.UpSampling2D()(layers.AveragePooling2D(2)(x))])),
        lambda x: layers.Conv2D(2, 3, padding="same")(layers.Conv2D(4, 3, padding="same")(x)),  # nothing is narrower
    ],
)
def test_a_network_from_image_to_image_has_no_bottleneck_and_the_error_says_so(outputs):
    x = np.ones((3, 8, 8, 2), np.float32)
    with pytest.raises(ValueError, match="layer=None: the model has no bottleneck, an output of fewer values"):
        bottleneck(Reader(_net((8, 8, 2), outputs), x), x)


def test_the_condition_of_a_conditional_autoencoder_may_go_by_its_bottleneck():
    one, two = keras.Input((12,)), keras.Input((4,))
    code = _dense(3, "code")(layers.Concatenate()([one, two]))
    model = keras.Model([one, two], _dense(12, "out")(layers.Concatenate()([code, two])))
    x = [np.ones((3, 12), np.float32), np.ones((3, 4), np.float32)]
    assert bottleneck(Reader(model, x), x).path == "code"


# Networks as they are.

NETWORKS = {
    "MobileNetV2": ("out_relu", {"alpha": 0.35}),
    "EfficientNetV2B0": ("top_activation", {}),
    "ResNet50": ("conv5_block3_out", {}),
    "ConvNeXtTiny": (None, {}),
}
FED = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_as_it_is_has_the_closed_form_of_its_last_maps(name):
    last, options = NETWORKS[name]
    network = getattr(keras.applications, name)(weights=None, input_shape=(64, 64, 3), classes=3, **options)
    path, maps, found = _explained(network)
    assert last is None or path == last
    assert maps.shape[1:3] == (2, 2)
    models.assert_maps_equal(found, _closed_form(network, maps, 1), 1e-6)


def _explained(model):
    """The layer that is chosen, its maps, and Grad-CAM of class 1: one survey and one pass, as in a callback."""
    reader, score = Reader(model, FED), score_for(1, "logits")
    capture = Capture(last_maps(reader, score).path, score=score)
    captured = reader.read([capture], FED, targets={score.targets: np.array([1, 1])})[capture]
    return capture.path, captured.output, grad_cam(captured.output, captured.gradient)


def _closed_form(network, maps, target):
    """Through the mean, a layer normalisation where there is one, and the dense layer."""
    top = network.layers[-1]
    weights = np.broadcast_to(models.kernel_of(top)[:, target], (len(maps), maps.shape[-1]))
    normal = network.layers[-2]
    if isinstance(normal, layers.LayerNormalization):
        mean = maps.astype(np.float64).mean((1, 2))
        centred = mean - mean.mean(-1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(-1, keepdims=True) + normal.epsilon)
        slope = weights * np.asarray(normal.gamma).astype(np.float64)
        direction = centred / deviation
        slope = slope - slope.mean(-1, keepdims=True) - direction * (slope * direction).mean(-1, keepdims=True)
        weights = slope / deviation
    evidence = (maps.astype(np.float64) * weights[:, None, None]).sum(-1)
    return np.maximum(evidence, 0) / 4


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_as_a_nested_backbone_gives_the_maps_that_it_gives_by_itself(name):
    last, options = NETWORKS[name]
    network = getattr(keras.applications, name)
    backbone = network(weights=None, input_shape=(64, 64, 3), include_top=False, **options)
    backbone.trainable = False
    top = models.head()
    inputs = keras.Input((64, 64, 3))
    model = keras.Model(inputs, top(layers.GlobalAveragePooling2D()(backbone(inputs, training=False))))
    path, maps, found = _explained(model)
    assert path.startswith(f"{backbone.name}/")
    assert last is None or path == f"{backbone.name}/{last}"
    by_itself = tf.function(backbone)(FED, training=False).numpy()
    models.assert_maps_equal(maps, by_itself, 1e-5)
    models.assert_maps_equal(found, models.closed_form(maps, top, 1), 1e-6)
    models.assert_maps_equal(found, models.closed_form(by_itself, top, 1), 1e-5)


# What feeds the answer: the features of the overfitting monitor.


def _features(*layers_after, first=None):
    """The path of the features of convolutions with an ending."""
    inputs = keras.Input((models.SIDE, models.SIDE, 3))
    x = layers.Conv2D(4, 3, activation="relu", name="conv1")(inputs) if first is None else first(inputs)
    for layer in layers_after:
        x = layer(x)
    found = penultimate(Reader(keras.Model(inputs, x), models.pictures()))
    return None if found is None else found.path


def _mean():
    return layers.GlobalAveragePooling2D(name="mean")


def test_the_features_are_what_feeds_the_layer_that_makes_the_logits():
    assert _features(_mean(), layers.Dense(3, "softmax")) == "mean"
    assert _features(_mean(), layers.Dense(3), layers.Softmax()) == "mean"
    assert _features(_mean(), layers.Dense(8, "relu", name="hidden"), layers.Dense(3)) == "hidden"
    assert _features(_mean(), layers.Dense(8, name="hidden"), layers.ReLU(name="relu"), layers.Dense(1)) == "relu"
    assert _features(_mean(), layers.Dropout(0.5, name="drop"), layers.Dense(3, "softmax")) == "drop"
    assert _features(layers.Flatten(name="flat"), layers.Dense(3, "softmax")) == "flat"


def test_what_comes_after_the_logits_makes_no_features():
    scaled = [layers.Dense(3, name="logits"), layers.Rescaling(0.5, name="temperature"), layers.Softmax()]
    assert _features(_mean(), *scaled) == "mean"
    by_place = [layers.Conv2D(3, 1, name="logits"), layers.GlobalAveragePooling2D(), layers.Softmax()]
    assert _features(*by_place) == "conv1"


def test_the_features_may_lie_in_a_nested_model():
    inputs = keras.Input((models.SIDE, models.SIDE, 3))
    body = keras.Sequential([inputs, layers.Conv2D(4, 3, name="conv"), _mean()], name="backbone")
    head = keras.Sequential([keras.Input((4,)), layers.Dense(6, "relu", name="hidden"), layers.Dense(3)], name="head")
    model = keras.Sequential([keras.Input((models.SIDE, models.SIDE, 3)), body, head])
    assert penultimate(Reader(model, models.pictures())).path == "head/hidden"
    model = keras.Sequential([keras.Input((models.SIDE, models.SIDE, 3)), body, layers.Dense(3, "softmax")])
    assert penultimate(Reader(model, models.pictures())).path == "backbone/mean"


def test_an_answer_made_by_a_product_of_the_models_own_leaves_the_last_layer_as_features():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.conv, self.mean = layers.Conv2D(4, 3, name="conv"), layers.GlobalMaxPooling2D(name="max")
            self.hidden = layers.Dense(6, "relu", name="hidden")
            self.kernel = self.add_weight(shape=(6, 3), name="kernel")

        def call(self, x):
            return ops.softmax(ops.matmul(self.hidden(self.mean(self.conv(x))), self.kernel))

    assert penultimate(Reader(Own(), models.pictures())).path == "hidden"


def test_without_a_layer_that_learns_before_the_answer_there_are_no_features():
    assert _features(layers.Dense(3, "softmax"), first=layers.Flatten()) is None
    assert _features(layers.BatchNormalization(), layers.Dense(3), first=layers.Flatten()) is None


def test_of_two_outputs_only_the_way_to_the_first_counts():
    inputs = keras.Input((models.SIDE, models.SIDE, 3))
    x = layers.Conv2D(4, 3, name="conv")(inputs)
    first = layers.Dense(3, "softmax")(layers.GlobalAveragePooling2D(name="mean")(x))
    other = layers.Dense(1)(layers.Dense(5, name="aside")(layers.GlobalMaxPooling2D(name="max")(x)))
    assert penultimate(Reader(keras.Model(inputs, [first, other]), models.pictures())).path == "mean"
