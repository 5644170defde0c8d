"""Vision transformers: their tokens folded back onto the picture, and what is no patch left out.

Expected maps are of gradients by a tape through the layers applied one by one here; within 1e-4 of the largest value,
as the normalised tokens and their gradients cancel to a hundredth in the sums.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from harness import quick
from keras import layers, ops

import kerasviz_callbacks as kv
from kerasviz_callbacks.taps.layer_selection import map_layer
from kerasviz_callbacks.taps.reader import Reader
from kerasviz_callbacks.taps.scores import Score
from kerasviz_callbacks.taps.tokens import patches_of

HEIGHT, WIDTH, PATCH, WIDE, CLASSES = 8, 12, 2, 6, 3
GRID = (HEIGHT // PATCH, WIDTH // PATCH)
PICTURES = np.random.default_rng(0).normal(size=(3, HEIGHT, WIDTH, 1)).astype(np.float32)
TARGETS = np.array([2, 0, 1])


class Leading(layers.Layer):
    """Puts learned tokens, such as the class token, before the others."""

    def __init__(self, count, **options):
        super().__init__(**options)
        self.count = count

    def build(self, shape):
        self.tokens = self.add_weight(shape=(1, self.count, shape[-1]), initializer="random_normal", name="tokens")

    def call(self, x):
        first = ops.broadcast_to(self.tokens, (ops.shape(x)[0], self.count, x.shape[-1]))
        return ops.concatenate([first, x], axis=1)


class Gate(layers.Layer):
    """A factor for each channel that starts at zero, as deep transformers have it."""

    def build(self, shape):
        self.factor = self.add_weight(shape=(shape[-1],), initializer="zeros", name="factor")

    def call(self, x):
        return x * self.factor


class Vit:
    """Two blocks. `leading` 0: the mean of the patches is classified, 1: a class token, 2: one for distillation too."""

    def __init__(self, leading, *, head="glorot_uniform", gates=False):
        keras.utils.set_random_seed(2)
        self.leading, self.gates = leading, gates
        made = [layers.Conv2D(WIDE, PATCH, strides=PATCH, name="patches"), layers.Reshape((-1, WIDE), name="tokens")]
        made += [Leading(leading, name="leading")] if leading else []
        for block in ("one", "two"):
            made += [
                layers.LayerNormalization(name=f"{block}_before"),
                layers.LayerNormalization(name=f"{block}_after"),
            ]
            made += [layers.MultiHeadAttention(2, 3, name=f"{block}_attention"), layers.Add(name=f"{block}_sum")]
            made += [layers.Dense(WIDE, "gelu", name=f"{block}_dense"), layers.Add(name=f"{block}_out")]
            made += [Gate(name=f"{block}_gate")] if gates else []
        made += [layers.LayerNormalization(name="norm"), layers.Average(name="both"), layers.Softmax(name="shares")]
        made += [layers.Dense(CLASSES, kernel_initializer=head, name=f"head_{n}") for n in range(max(leading, 1))]
        self.layers = {layer.name: layer for layer in made}
        inputs = keras.Input((HEIGHT, WIDTH, 1))
        self.model = keras.Model(inputs, self.layers["shares"](self.logits(inputs)))

    def logits(self, x, at=None, change=None):
        """By the layers one after the other; what layer `at` puts out goes through `change`."""

        def through(name, *given):
            result = self.layers[name](*given)
            return change(result) if name == at else result

        x = through("tokens", through("patches", x))
        x = through("leading", x) if self.leading else x
        for block in ("one", "two"):
            normal = through(f"{block}_before", x)
            seen = through(f"{block}_attention", normal, normal)
            x = through(f"{block}_sum", [x, through(f"{block}_gate", seen) if self.gates else seen])
            x = through(f"{block}_out", [x, through(f"{block}_dense", through(f"{block}_after", x))])
        x = through("norm", x)
        if not self.leading:
            return through("head_0", ops.mean(x, axis=1))
        answers = [through(f"head_{number}", x[:, number]) for number in range(self.leading)]
        return through("both", answers) if len(answers) > 1 else answers[0]

    def seen(self, layer):
        """What a layer puts out and the gradient of each row's logit by it, both without the leading tokens."""
        noted = []
        with tf.GradientTape() as tape:

            def watch(tokens):
                tape.watch(tokens)
                noted.append(tokens)
                return tokens

            total = tf.reduce_sum(tf.gather(self.logits(PICTURES, layer, watch), TARGETS, axis=1, batch_dims=1))
        return self.folded(noted[0]), self.folded(tape.gradient(total, noted[0]))

    def folded(self, tokens):
        return np.asarray(tokens, np.float64)[:, self.leading :].reshape(len(PICTURES), *GRID, WIDE)

    def scores(self, x, layer=None, change=None):
        return np.asarray(self.logits(x, layer, change), np.float64)[np.arange(len(x)), TARGETS]


def close(found, expected, tolerance=1e-4):
    assert found.shape == expected.shape == (len(PICTURES), *GRID)
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def explained(vit, method="grad_cam", layer=None):
    return kv.class_activation_map(vit.model, PICTURES, target=TARGETS, method=method, layer=layer)


def chosen(model, x=PICTURES):
    """The layer that stands for `layer=None`, and how its tokens lie."""
    reader = Reader(model, x)
    call = map_layer(reader, None, Score())
    patches = patches_of(reader, call)
    return call.path, patches and (patches.first, patches.grid)


# The last patches on which the answer depends: with a class token what the last attention reads, not what comes of it.
LAST = {0: "norm", 1: "two_before", 2: "two_before"}


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(0, id="mean of patches"),
        pytest.param(1, id="class token", marks=pytest.mark.slow),
        pytest.param(2, id="class and distillation token", marks=pytest.mark.slow),
    ],
)
def vit(request):
    return Vit(request.param)


def test_the_map_is_that_of_the_patches_of_the_last_layer_on_which_the_answer_depends(vit):
    layer = LAST[vit.leading]
    assert chosen(vit.model) == (layer, (vit.leading, GRID))
    a, slopes = vit.seen(layer)
    close(explained(vit), np.maximum((a * slopes.mean((1, 2), keepdims=True)).sum(-1), 0))


@pytest.mark.slow
@pytest.mark.parametrize("leading", [1, 2])
def test_patches_of_the_last_block_do_not_count_where_a_token_is_classified(leading):
    """Why they are not chosen: the gradient by every patch is 0 there, and the map would be empty for ever."""
    vit = Vit(leading)
    for layer in ("two_sum", "two_out", "norm"):
        assert not vit.seen(layer)[1].any()
    assert not explained(vit, layer="two_out").any()
    assert explained(vit).any()


@pytest.mark.slow
def test_a_named_layer_is_folded_by_every_method():
    vit, layer = Vit(1), "one_out"
    a, slopes = vit.seen(layer)
    close(explained(vit, "hires_cam", layer), (a * slopes).sum(-1))
    close(explained(vit, "layer_cam", layer), np.maximum((a * np.maximum(slopes, 0)).sum(-1), 0))

    u, s, _ = np.linalg.svd(a.reshape(len(a), -1, WIDE), full_matrices=False)
    first = (u[..., 0] * s[:, :1]).reshape(a.shape[:-1])
    close(explained(vit, "eigen_cam", layer), first * np.sign(first.sum((1, 2), keepdims=True)))

    whole, lost = vit.scores(PICTURES), []
    for channel in range(WIDE):  # of all tokens, the class token too: the layer loses the channel
        kept = (np.arange(WIDE) != channel).astype(np.float32)
        lost.append(whole - vit.scores(PICTURES, layer, lambda tokens, kept=kept: tokens * kept))
    weights = (np.stack(lost, axis=-1) / np.abs(whole)[:, None])[:, None, None]
    close(explained(vit, "ablation_cam", layer), np.maximum((a * weights).sum(-1), 0))

    masks = tf.image.resize(a, (HEIGHT, WIDTH), "bilinear").numpy()
    low, high = masks.min((1, 2), keepdims=True), masks.max((1, 2), keepdims=True)
    masks = (masks - low) / (high - low)
    seen = np.stack([vit.scores((PICTURES * masks[..., c : c + 1]).astype(np.float32)) for c in range(WIDE)], axis=-1)
    shares = np.exp(seen - seen.max(-1, keepdims=True))
    shares = (shares / shares.sum(-1, keepdims=True))[:, None, None]
    close(explained(vit, "score_cam", layer), np.maximum((a * shares).sum(-1), 0))


@pytest.mark.slow
@pytest.mark.parametrize(
    "made",
    [pytest.param({"head": "zeros"}, id="head"), pytest.param({"gates": True}, id="gates")],
)
def test_weights_that_are_still_zero_do_not_hide_what_the_answer_will_depend_on(made):
    vit = Vit(1, **made)
    before = [weight.numpy().tobytes() for weight in vit.model.weights]
    assert chosen(vit.model) == ("two_before", (1, GRID))
    assert [weight.numpy().tobytes() for weight in vit.model.weights] == before


def ending(shape, *made):
    """A classifier of what `made` puts out, averaged over its steps."""
    x = inputs = keras.Input(shape)
    for layer in made:
        x = layer(x)
    return keras.Model(inputs, layers.Dense(CLASSES, "softmax", name="head")(layers.GlobalAveragePooling1D()(x)))


def noise(*shape):
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def patch_layers():
    return layers.Conv2D(WIDE, PATCH, strides=PATCH, name="patches"), layers.Reshape((-1, WIDE), name="tokens")


class SelfAttention(layers.Layer):
    """Attention over one input, so that it fits into a chain."""

    def __init__(self, **options):
        super().__init__(**options)
        self.attention = layers.MultiHeadAttention(2, 3, name="attention")

    def call(self, x):
        return self.attention(x, x)


def test_the_heads_within_an_attention_are_not_chosen():
    """Their outputs `(tokens, heads, width)` look like maps, and the last ones are called within the last layer."""
    model = ending((HEIGHT, WIDTH, 1), *patch_layers(), SelfAttention(name="mix"))
    within = [call.shape for call in Reader(model, PICTURES).calls if "/attention/" in call.path]
    assert (24, 2, 3) in within
    assert chosen(model)[0] in ("mix", "mix/attention")
    assert chosen(model)[1] == (0, GRID)


def heads_by_reshape():
    """An attention written with layers: its heads are laid out as maps, and joined again."""
    x = inputs = keras.Input((HEIGHT, WIDTH, 1))
    for layer in patch_layers():
        x = layer(x)
    heads = layers.Reshape((24, 2, 3), name="heads")(layers.Dense(WIDE, name="query")(x))
    heads = layers.Permute((2, 1, 3), name="by_head")(heads)
    joined = layers.Reshape((24, WIDE), name="joined")(layers.Permute((2, 1, 3), name="back")(heads))
    mixed = layers.Dense(WIDE, "gelu", name="mixed")(joined)
    return keras.Model(inputs, layers.Dense(CLASSES, "softmax")(layers.GlobalAveragePooling1D()(mixed)))


def test_heads_that_are_joined_are_not_taken_for_rows_of_a_picture():
    assert chosen(heads_by_reshape()) == ("mixed", (0, GRID))


def test_as_many_patches_as_the_picture_has_rows_are_folded_all_the_same():
    """4 x 4 patches of a 16 x 16 picture: 16 tokens of 16 numbers, which is also the shape of its rows."""
    cut, order = layers.Reshape((4, 4, 4, 4), name="cut"), layers.Permute((1, 3, 2, 4), name="order")
    patches = layers.Reshape((16, 16), name="tokens")
    model = ending((16, 16, 1), cut, order, patches, layers.Dense(5, "gelu", name="mixed"))
    assert chosen(model, noise(2, 16, 16, 1)) == ("mixed", (0, (4, 4)))


SERIES = {
    "rows": ((16, 16, 1), [layers.Reshape, (16, 16)], lambda: layers.Conv1D(5, 3, padding="same", name="last")),
    "every fourth row": ((16, 16, 1), [layers.Reshape, (16, 16)], lambda: layers.Conv1D(5, 4, strides=4, name="last")),
    "rows of colours": ((16, 8, 3), [layers.Reshape, (16, 24)], lambda: layers.SimpleRNN(5, return_sequences=True)),
    "columns": ((8, 16, 1), [layers.Permute, (2, 1, 3), layers.Reshape, (16, 8)], lambda: layers.Conv1D(5, 1)),
    "columns of maps": (
        (32, 128, 1),
        [layers.AveragePooling2D, 4, layers.Permute, (2, 1, 3), layers.Reshape, (32, 8)],
        lambda: layers.Conv1D(5, 1),
    ),
}


@pytest.mark.parametrize("kind", quick(SERIES, "rows", "columns of maps"))
def test_rows_or_columns_taken_for_a_series_are_no_patches(kind):
    shape, before, last = SERIES[kind]
    made = [layer(given) for layer, given in zip(before[::2], before[1::2], strict=True)]
    model, x = ending(shape, *made, last()), noise(2, *shape)
    assert chosen(model, x)[1] is None
    found = kv.class_activation_map(model, x, target=1, method="hires_cam")
    steps = kv.activations(model, x, [model.layers[-3].name])[model.layers[-3].name].astype(np.float64)
    expected = steps @ model.get_layer("head").kernel.numpy()[:, 1] / steps.shape[1]
    assert found.shape == (2, steps.shape[1])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max())
