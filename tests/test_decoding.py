"""The decoder is told apart in every kind of autoencoder, and what it gives is what its own layers give."""

import keras
import models
import numpy as np
import pytest
from harness import first
from keras import layers, ops

from kerasviz_callbacks.taps.batches import repeated
from kerasviz_callbacks.taps.decoding import decoded, decoder_input, posterior_mean, quantizer
from kerasviz_callbacks.taps.layer_selection import bottleneck, reconstruction
from kerasviz_callbacks.taps.passes import OUTPUT, Capture, output_path
from kerasviz_callbacks.taps.reader import Reader

ROWS, WIDTH, CODES = 5, 12, 3


@pytest.fixture(autouse=True)
def _seeded():
    keras.utils.set_random_seed(3)


def dense(units, name, activation=None, **options):
    return layers.Dense(units, activation, name=name, bias_initializer="random_normal", **options)


def vectors(rows=ROWS, width=WIDTH, seed=0):
    return np.random.default_rng(seed).uniform(0, 1, (rows, width)).astype(np.float32)


class Sampling(layers.Layer):
    """Draws a code; from a generator of its own, or from Keras' own."""

    def __init__(self, own=True, **options):
        super().__init__(**options)
        self.generator = keras.random.SeedGenerator(7) if own else None

    def call(self, inputs):
        mean, log_var = inputs
        return mean + ops.exp(log_var / 2) * keras.random.normal(ops.shape(mean), seed=self.generator)


class Noise(layers.Layer):
    """Random numbers of its input's shape."""

    def __init__(self, **options):
        super().__init__(**options)
        self.generator = keras.random.SeedGenerator(7)

    def call(self, x):
        return keras.random.normal(ops.shape(x), seed=self.generator)


def decoder_steps(width=WIDTH):
    return [dense(8, "up", "relu"), dense(width, "out", "sigmoid")]


def chain(steps):
    """Layers one after the other, as a decoder to compare with."""
    return lambda codes: np.asarray(models.applied(steps, ops.convert_to_tensor(codes)))


# Each gives the model, its inputs, the layer where codes are put in (`None`: nowhere), and the decoder by itself.


def sequential():
    steps = decoder_steps()
    model = keras.Sequential([keras.Input((WIDTH,)), dense(8, "in", "relu"), dense(CODES, "code"), *steps])
    return model, vectors(), "code", chain(steps)


def convolutional():
    up = [layers.Conv2DTranspose(n, 3, 2, "same", name=f"up{n}") for n in (4, 1)]
    down = [layers.Conv2D(n, 3, 2, "same", name=f"down{n}") for n in (4, 2)]
    model = keras.Sequential([keras.Input((8, 8, 1)), *down, *up])
    return model, vectors(width=64).reshape(-1, 8, 8, 1), "down2", chain(up)


def codes_that_are_rectified_afterwards():
    steps = [layers.Activation("relu", name="rectified"), *decoder_steps()]
    inputs = keras.Input((WIDTH,))
    model = keras.Model(inputs, models.applied([dense(8, "in", "relu"), dense(CODES, "code"), *steps], inputs))
    return model, vectors(), "code", chain(steps)


def a_decoder_whose_first_layer_is_as_narrow():
    steps = [dense(CODES, "turn"), *decoder_steps()]
    model = keras.Sequential([keras.Input((WIDTH,)), dense(8, "in", "relu"), dense(CODES, "code"), *steps])
    return model, vectors(), "code", chain(steps)


def nested():
    steps = decoder_steps()
    encoder = keras.Sequential([keras.Input((WIDTH,)), dense(8, "in", "relu"), dense(CODES, "code")], name="encoder")
    decoder = keras.Sequential([keras.Input((CODES,)), *steps], name="decoder")
    inputs = keras.Input((WIDTH,))
    return keras.Model(inputs, decoder(encoder(inputs))), vectors(), "encoder/code", chain(steps)


class Vae(keras.Model):
    """Nested encoder and decoder, a layer that samples."""

    def __init__(self, own, steps):
        super().__init__()
        inputs = keras.Input((WIDTH,))
        hidden = dense(8, "hidden", "relu")(inputs)
        mean, log_var = dense(CODES, "z_mean")(hidden), dense(CODES, "z_log_var")(hidden)
        self.encoder = keras.Model(inputs, [mean, log_var, Sampling(own, name="z")([mean, log_var])], name="encoder")
        self.decoder = keras.Sequential([keras.Input((CODES,)), *steps], name="decoder")

    def call(self, x):
        return self.decoder(self.encoder(x)[2])


def vae_with_a_generator_of_its_own():
    steps = decoder_steps()
    return Vae(True, steps), vectors(), "encoder/z", chain(steps)


def vae_with_keras_own_generator():
    steps = decoder_steps()
    return Vae(False, steps), vectors(), "encoder/z", chain(steps)


def vae_of_operations():
    steps = decoder_steps()
    inputs = keras.Input((WIDTH,))
    hidden = dense(8, "hidden", "relu")(inputs)
    mean, log_var = dense(CODES, "z_mean")(hidden), dense(CODES, "z_log_var")(hidden)
    codes = mean + ops.exp(log_var / 2) * Noise(name="noise")(mean)
    drawn = codes._keras_history.operation.name
    return keras.Model(inputs, models.applied(steps, codes)), vectors(), drawn, chain(steps)


def vae_of_one_spread():
    """By slopes the mean alone decides; only the noise tells that the sample comes in between."""
    steps = decoder_steps()
    inputs = keras.Input((WIDTH,))
    mean = dense(CODES, "z_mean")(dense(8, "hidden", "relu")(inputs))
    codes = layers.Add(name="z")([mean, Noise(name="noise")(mean)])
    return keras.Model(inputs, models.applied(steps, codes)), vectors(), "z", chain(steps)


class Quantised(layers.Layer):
    """The nearest whole numbers, with the slope of what came in, as in a VQ-VAE."""

    def call(self, x):
        return x + ops.stop_gradient(ops.round(x) - x)


def quantised():
    steps = [Quantised(name="quantised"), *decoder_steps()]
    model = keras.Sequential([keras.Input((WIDTH,)), dense(8, "in", "relu"), dense(CODES, "code"), *steps])
    return model, vectors(), "code", chain(steps)


def a_classifier_beside():
    steps = decoder_steps()
    inputs = keras.Input((WIDTH,))
    code = dense(CODES, "code")(dense(8, "in", "relu")(inputs))
    model = keras.Model(inputs, [dense(2, "classes", "softmax")(code), models.applied(steps, code)])
    return model, vectors(), "code", chain(steps)


def two_inputs():
    steps = decoder_steps()
    one, two = keras.Input((WIDTH,), name="one"), keras.Input((4,), name="two")
    code = dense(CODES, "code")(layers.Concatenate()([one, two]))
    given = {"one": vectors(), "two": vectors(width=4, seed=1)}
    return keras.Model({"one": one, "two": two}, models.applied(steps, code)), given, "code", chain(steps)


def of_bytes():
    steps = decoder_steps()
    parts = [layers.Rescaling(1 / 255, name="scale"), dense(8, "in", "relu"), dense(CODES, "code"), *steps]
    inputs = keras.Input((WIDTH,), dtype="uint8")
    return keras.Model(inputs, models.applied(parts, inputs)), (vectors() * 255).astype(np.uint8), "code", chain(steps)


def of_one_batch_size():
    steps = decoder_steps()
    inputs = keras.Input((WIDTH,), batch_size=4)
    code = dense(CODES, "code")(dense(8, "in", "relu")(inputs))
    return keras.Model(inputs, models.applied(steps, code)), vectors(), "code", chain(steps)


def run_eagerly():
    made = sequential()
    made[0].compile(loss="mse", run_eagerly=True)
    return made


def vae_run_eagerly():
    made = vae_with_a_generator_of_its_own()
    made[0].compile(loss="mse", run_eagerly=True)
    return made


def unet():
    inputs = keras.Input((WIDTH,))
    wide = dense(8, "in", "relu")(inputs)
    joined = layers.Concatenate(name="join")([wide, dense(8, "up", "relu")(dense(CODES, "code")(wide))])
    return keras.Model(inputs, dense(WIDTH, "out")(joined)), vectors(), None, None


def unet_of_bytes():
    """Whole numbers have no slopes; only the numbers tell that there is a way round the codes."""
    inputs = keras.Input((WIDTH,), dtype="uint8")
    wide = dense(8, "in", "relu")(layers.Rescaling(1 / 255)(inputs))
    joined = layers.Concatenate(name="join")([wide, dense(8, "up", "relu")(dense(CODES, "code")(wide))])
    return keras.Model(inputs, dense(WIDTH, "out")(joined)), (vectors() * 255).astype(np.uint8), None, None


def a_residual_that_begins_at_nothing():
    """The way round the codes is multiplied with 0 as long as nothing is learned: only the slopes tell."""
    inputs = keras.Input((WIDTH,))
    around = layers.Dense(WIDTH, kernel_initializer="zeros", name="around")(inputs)
    straight = models.applied([dense(CODES, "code"), *decoder_steps()], inputs)
    return keras.Model(inputs, layers.Add()([around, straight])), vectors(), None, None


def conditional():
    one, two = keras.Input((WIDTH,)), keras.Input((4,))
    code = dense(CODES, "code")(dense(8, "in", "relu")(one))
    joined = layers.Concatenate()([code, two])
    return keras.Model([one, two], models.applied(decoder_steps(), joined)), [vectors(), vectors(width=4)], None, None


ALL = [
    sequential,
    codes_that_are_rectified_afterwards,
    nested,
    quantised,
    two_inputs,
    unet,
    vae_with_a_generator_of_its_own,
    convolutional,
    a_decoder_whose_first_layer_is_as_narrow,
    vae_with_keras_own_generator,
    vae_of_operations,
    vae_of_one_spread,
    a_classifier_beside,
    of_bytes,
    of_one_batch_size,
    run_eagerly,
    vae_run_eagerly,
    unet_of_bytes,
    a_residual_that_begins_at_nothing,
    conditional,
]


@pytest.mark.parametrize("made", first(ALL, 6), ids=lambda made: made.__name__)
def test_the_decoder_is_told_apart_and_gives_what_its_layers_give(made):
    model, x, path, decode = made()
    reader = Reader(model, x)
    number = reconstruction(reader)
    codes = reader.resolve("code") if path is None else bottleneck(reader, x)
    before = [ops.convert_to_numpy(variable).copy() for variable in model.variables]
    call = decoder_input(reader, x, codes, number)
    assert (call.path if call else None) == path
    if call is not None:
        wanted = np.random.default_rng(5).normal(size=(7, *call.shape)).astype(np.float32)
        found = decoded(reader, repeated(x, 7), call, wanted, number)
        np.testing.assert_allclose(found, decode(wanted), atol=1e-6)
    for variable, kept in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(variable), kept)


@pytest.mark.parametrize("made", first([nested, sequential, quantised, a_classifier_beside]))
def test_codes_decoded_where_they_were_taken_are_the_models_reconstruction(made):
    model, x, _, _ = made()
    reader = Reader(model, x)
    number, codes = reconstruction(reader), bottleneck(reader, x)
    captures = [Capture(codes.path), Capture(output_path(number))]
    captured = reader.read(captures, x)
    direct = keras.tree.flatten(model(x))[number]
    np.testing.assert_allclose(captured[captures[1]].output, direct, atol=1e-6)
    np.testing.assert_allclose(decoded(reader, x, codes, captured[captures[0]].output, number), direct, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "tolerance"), first([("mixed_float16", 2e-3), ("mixed_bfloat16", 2e-2), ("float64", 1e-14)])
)
def test_codes_keep_the_models_type_of_numbers(kind, tolerance):
    with models.policy(kind):
        model, x, path, decode = vae_of_one_spread()
    reader = Reader(model, x.astype(np.float64) if kind == "float64" else x)
    call = decoder_input(reader, x, reader.resolve("z_mean"), 0)
    assert call.path == path
    wanted = np.random.default_rng(5).normal(size=(4, CODES))
    found = decoded(reader, repeated(x, 4), call, wanted, 0)
    assert found.dtype == (np.float64 if kind == "float64" else np.float32)
    given = ops.cast(wanted, "float64" if kind == "float64" else kind.removeprefix("mixed_"))
    np.testing.assert_allclose(found, decode(given).astype(np.float64), atol=tolerance)


class Product(layers.Layer):
    """Noise scaled by the input."""

    def call(self, inputs):
        return inputs[0] * inputs[1]


def vae_whose_spread_runs_first():
    """The noise, scaled, moves the code one for one too; but it is touched by chance, which a mean is not."""
    inputs = keras.Input((WIDTH,))
    hidden = dense(8, "hidden", "relu")(inputs)
    spread = Product(name="spread")([dense(CODES, "scale", "softplus")(hidden), Noise(name="noise")(hidden[:, :CODES])])
    code = layers.Add(name="z")([spread, dense(CODES, "z_mean")(hidden)])
    return keras.Model(inputs, models.applied(decoder_steps(), code)), vectors()


@pytest.mark.parametrize(
    ("made", "path"),
    [
        (vae_whose_spread_runs_first, "z_mean"),
        pytest.param(vae_of_operations, "z_mean", marks=pytest.mark.slow),
        pytest.param(vae_of_one_spread, "z_mean", marks=pytest.mark.slow),
        pytest.param(vae_with_a_generator_of_its_own, "encoder/z_mean", marks=pytest.mark.slow),
        pytest.param(vae_with_keras_own_generator, "encoder/z_mean", marks=pytest.mark.slow),
        (codes_that_are_rectified_afterwards, None),
        pytest.param(quantised, None, marks=pytest.mark.slow),
        (sequential, None),
    ],
)
def test_the_mean_is_told_from_spread_and_noise_of_the_same_shape(made, path):
    model, x = made()[:2]
    reader = Reader(model, x)
    for code in [call for call in reader.calls if call.shape == (CODES,)]:
        found = posterior_mean(reader, x, code)
        assert (found.path if found else None) == path
    assert bottleneck(reader, x).path == (path or "code")


@pytest.mark.slow
def test_an_encoder_as_a_whole_stands_for_its_first_output():
    model, x, _, decode = vae_with_a_generator_of_its_own()
    reader = Reader(model, x)
    assert decoder_input(reader, x, reader.resolve("encoder"), 0).path == "encoder/z"
    model, x, _, decode = nested()
    reader = Reader(model, x)
    call = decoder_input(reader, x, reader.resolve("encoder"), 0)
    assert call.path == "encoder"
    codes = np.ones((2, CODES), np.float32)
    np.testing.assert_allclose(decoded(reader, x[:2], call, codes, 0), decode(codes), atol=1e-6)


def test_a_layer_beside_the_way_and_whole_numbers_are_no_codes_of_a_decoder():
    inputs = keras.Input((WIDTH,))
    hidden = dense(8, "hidden", "relu")(inputs)
    word = ops.argmax(dense(6, "words")(hidden), axis=-1)
    vector = layers.Embedding(6, CODES, name="book")(layers.Reshape((1,), name="word")(word))
    out = models.applied([layers.Flatten(), *decoder_steps()], vector)
    aside = dense(CODES, "aside")(hidden)
    model, x = keras.Model(inputs, [out, aside]), vectors()
    reader = Reader(model, x)
    assert decoder_input(reader, x, reader.resolve("aside"), 0) is None
    assert decoder_input(reader, x, reader.resolve("word"), 0) is None
    assert decoder_input(reader, x, reader.resolve("book"), 0).path == "book"


@pytest.mark.slow
@pytest.mark.parametrize("rows", [1, 2])
def test_few_rows_are_enough(rows):
    for made, path in ((sequential, "code"), (vae_of_one_spread, "z"), (unet, None)):
        model, x, _, _ = made()
        reader = Reader(model, x[:rows])
        codes = reader.resolve("code") if path is None else bottleneck(reader, x[:rows])
        call = decoder_input(reader, x[:rows], codes, 0)
        assert (call.path if call else None) == path


def test_a_model_whose_weights_are_nan_has_a_decoder_nevertheless():
    model, x, path, _ = sequential()
    model.get_layer("out").kernel.assign(np.full((8, WIDTH), np.nan))
    reader = Reader(model, x)
    assert decoder_input(reader, x, reader.resolve("code"), 0).path == path


def test_any_of_the_models_outputs_can_be_taken_beside_layers():
    model, x, _, _ = a_classifier_beside()
    reader = Reader(model, x)
    assert output_path(0) == OUTPUT
    captures = [Capture(OUTPUT), Capture(output_path(1)), Capture("code")]
    captured = reader.read(captures, x)
    classes, out = model(x)
    code = keras.Model(model.input, model.get_layer("code").output)(x)
    for capture, direct in zip(captures, (classes, out, code), strict=True):
        np.testing.assert_allclose(captured[capture].output, direct, atol=1e-6)


class Straight(layers.Layer):
    """Adds what does not depend on the gradient: with `kind="rounded"` it rounds, as if it were the identity."""

    def __init__(self, kind, **options):
        super().__init__(**options)
        self.kind, self.generator = kind, keras.random.SeedGenerator(7)

    def call(self, x):
        noise = keras.random.normal(ops.shape(x), seed=self.generator)
        further = {"rounded": ops.round(x) - x, "constant": ops.ones_like(x), "noise": noise, "nothing": 0 * x}
        return x + ops.stop_gradient(further[self.kind])


@pytest.mark.parametrize("kind", first(["rounded", "constant", "noise", "nothing"], 2))
def test_what_quantises_codes_follows_them_and_is_not_them(kind):
    steps = [dense(CODES, "codes"), Straight(kind, name="next"), *decoder_steps()]
    model = keras.Sequential([keras.Input((WIDTH,)), *steps])
    x = vectors()
    reader = Reader(model, x)
    found = quantizer(reader, x, reader.resolve("codes"))
    assert (found.path if found else None) == ("next" if kind == "rounded" else None)
    assert quantizer(reader, x, reader.resolve("up")) is None
