"""Attributions through real models: closed forms of linear models, else the paper's loop written out here.

Tolerances are shares of a map's largest magnitude: 1e-6 is what float32 leaves of one pass, 1e-5 of sums of passes.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from harness import first, quick
from keras import layers, ops
from keras.src.random.seed_generator import global_seed_generator
from mapped import Sampling, close, dense, draw
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import kerasviz_callbacks as kv
from kerasviz_callbacks.explain.input_maps import InputMaps
from kerasviz_callbacks.maths.attribution_methods import METHODS
from kerasviz_callbacks.maths.perturbation import rise_masks
from kerasviz_callbacks.taps.reader import Reader
from kerasviz_callbacks.taps.scores import Score

ROWS, SHAPE, CLASSES = 4, (5, 7, 2), 3
TARGETS = np.array([2, 0, 1, 1])
FEW = {"rise": {"samples": 7}, "smooth_grad": {"samples": 3}, "integrated_gradients": {"steps": 3}}
EACH_KIND_OF_PASS = ("gradient", "guided_backprop", "integrated_gradients", "occlusion")


def strongest(values):
    """The channel's value of largest magnitude, position by position."""
    found = np.zeros(values.shape[:-1])
    for place in np.ndindex(*found.shape):
        found[place] = max(values[place], key=abs)
    return found


@pytest.fixture(autouse=True)
def _seeded():
    keras.utils.set_random_seed(1)


# A linear model: each method has its closed form.


def linear_model(shape, end="softmax", units=CLASSES):
    """Every number of the input goes straight into the logits; beside it the kernel `(*shape, units)`."""
    inputs = keras.Input(shape)
    x = inputs if len(shape) == 1 else layers.Flatten()(inputs)
    model = keras.Model(inputs, dense(units, "answer", end)(x))
    return model, model.get_layer("answer").kernel.numpy().astype(np.float64).reshape(*shape, units)


@pytest.fixture(scope="module")
def linear():
    keras.utils.set_random_seed(2)
    return linear_model(SHAPE)


def own(kernel, classes=TARGETS):
    """Each row's kernel `(n, *shape)`, that of its class."""
    return np.moveaxis(kernel[..., classes], -1, 0)


def covered_by_loop(scores, x, patch, stride, baseline):
    """Zeiler and Fergus: over every place of the patch, the last ones shifted back to the border."""
    height, width = x.shape[1:3]
    total, count = np.zeros(x.shape[:3]), np.zeros((height, width))
    tops = sorted({min(top, height - patch[0]) for top in range(0, height, stride[0])})
    lefts = sorted({min(left, width - patch[1]) for left in range(0, width, stride[1])})
    whole = scores(x)
    for top in tops:
        for left in lefts:
            seen = x.copy()
            seen[:, top : top + patch[0], left : left + patch[1]] = baseline[
                top : top + patch[0], left : left + patch[1]
            ]
            total[:, top : top + patch[0], left : left + patch[1]] += (whole - scores(seen))[:, None, None]
            count[top : top + patch[0], left : left + patch[1]] += 1
    return total / count


def test_of_a_linear_model_every_method_is_its_closed_form(linear):
    model, kernel = linear
    x, away = draw(ROWS, *SHAPE), draw(*SHAPE, seed=1)

    def of(method, **options):
        return kv.attribution(model, x, method=method, target=TARGETS, **options)

    close(of("gradient"), strongest(own(kernel)))
    close(of("smooth_grad", samples=3), strongest(own(kernel)))
    close(of("input_x_gradient"), (x * own(kernel)).sum(-1))
    close(of("integrated_gradients", steps=2), (x * own(kernel)).sum(-1))
    close(of("integrated_gradients", steps=1, baseline=away), ((x - away) * own(kernel)).sum(-1))
    close(of("occlusion", patch=1, stride=1, baseline=away), ((x - away) * own(kernel)).sum(-1), 1e-5)

    def scores(seen):
        return np.einsum("nhwc,nhwc->n", seen, own(kernel))

    zeros = np.zeros(SHAPE)
    close(of("occlusion", patch=(2, 3), stride=(1, 2)), covered_by_loop(scores, x, (2, 3), (1, 2), zeros), 1e-5)
    close(of("occlusion"), covered_by_loop(scores, x, (1, 1), (1, 1), zeros), 1e-5)


def test_rise_of_a_linear_model_is_the_mean_score_of_what_was_kept():
    model, kernel = linear_model((6,))
    bias = model.get_layer("answer").bias.numpy()
    x, bits = draw(ROWS, 6), np.random.default_rng(3)
    total, kept = np.zeros((ROWS, 6)), np.zeros(6)
    for _ in range(40):
        mask = bits.random(6) < 0.4
        scores = (x * mask * own(kernel)).sum(-1) + bias[TARGETS]
        total += scores[:, None] * mask
        kept += mask
    found = kv.attribution(model, x, method="rise", target=TARGETS, samples=40, keep=0.4, seed=3)
    close(found, total / kept, 1e-5)


SHAPES = {
    "features": ((9,), (9,)),
    "signal": ((9, 3), (9,)),
    "grey picture": ((8, 9), (8, 9)),
    "colour picture": ((4, 6, 3), (4, 6)),
    "volume": ((3, 4, 2, 2), (3, 4, 2)),
}


@pytest.mark.parametrize("kind", quick(SHAPES, "colour picture", "signal"))
def test_a_map_has_the_positions_of_the_input_and_its_channels_summed_or_the_strongest_kept(kind):
    shape, positions = SHAPES[kind]
    inputs = keras.Input(shape)
    x = layers.Reshape((*shape, 1))(inputs) if kind == "grey picture" else inputs
    model = keras.Model(inputs, dense(CLASSES, "answer", "softmax")(layers.Flatten()(x)))
    kernel = own(model.get_layer("answer").kernel.numpy().astype(np.float64).reshape(*shape, CLASSES))
    x, channels = draw(ROWS, *shape), len(shape) > len(positions)
    summed = (x * kernel).sum(-1) if channels else x * kernel
    assert summed.shape == (ROWS, *positions)
    close(kv.attribution(model, x, method="gradient", target=TARGETS), strongest(kernel) if channels else kernel)
    close(kv.attribution(model, x, method="integrated_gradients", target=TARGETS, steps=1), summed)
    close(kv.attribution(model, x, method="occlusion", target=TARGETS, patch=1, stride=1), summed, 1e-5)


# A model that bends, not square, in colour.


class Bent:
    """conv - pool - dense - dense, in softmax; `logits` is the same model before it."""

    def __init__(self):
        keras.utils.set_random_seed(3)
        inputs = keras.Input(SHAPE)
        x = layers.Conv2D(4, 3, activation="tanh", padding="same", name="conv")(inputs)
        x = layers.Flatten()(layers.MaxPooling2D((2, 2))(x))
        x = dense(CLASSES, "logits")(dense(5, "hidden", "gelu")(x))
        self.model, self.logits = keras.Model(inputs, layers.Softmax()(x)), keras.Model(inputs, x)
        self.x = draw(ROWS, *SHAPE, seed=5)

    def scores(self, x):
        return np.asarray(self.logits(x.astype(np.float32)), np.float64)[np.arange(len(x)), TARGETS]

    def slopes(self, x):
        return tape_slopes(self.logits, x, TARGETS)

    def of(self, method, **options):
        return kv.attribution(self.model, self.x, method=method, target=TARGETS, **options)


def tape_slopes(logits, x, classes):
    x = tf.convert_to_tensor(x, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(tf.gather(logits(x), classes, axis=1, batch_dims=1))
    return np.asarray(tape.gradient(total, x), np.float64)


@pytest.fixture(scope="module")
def bent():
    return Bent()


def test_gradients_are_those_of_a_tape(bent):
    slopes = bent.slopes(bent.x)
    close(bent.of("gradient"), strongest(slopes), 1e-5)
    close(bent.of("input_x_gradient"), (bent.x * slopes).sum(-1), 1e-5)


def test_smooth_grad_is_the_mean_gradient_of_noisy_copies_whose_noise_goes_by_each_pictures_range(bent):
    draws, total = np.random.default_rng(9), np.zeros(bent.x.shape)
    spread = bent.x.max((1, 2, 3), keepdims=True) - bent.x.min((1, 2, 3), keepdims=True)
    for _ in range(5):
        total += bent.slopes(bent.x + 0.3 * spread * draws.standard_normal(SHAPE))
    close(bent.of("smooth_grad", samples=5, noise=0.3, seed=9), strongest(total / 5), 1e-5)


@pytest.mark.slow
def test_integrated_gradients_are_the_mean_gradient_on_the_way_from_the_baseline(bent):
    away, total = draw(*SHAPE, seed=6), np.zeros(bent.x.shape)
    for step in range(4):
        total += bent.slopes(away + (step + 0.5) / 4 * (bent.x - away))
    close(bent.of("integrated_gradients", steps=4, baseline=away), ((bent.x - away) * total / 4).sum(-1), 1e-5)


def test_occlusion_is_the_drop_of_the_score_averaged_over_the_patches_that_cover(bent):
    away = draw(*SHAPE, seed=7)
    expected = covered_by_loop(bent.scores, bent.x, (2, 3), (2, 2), away)
    close(bent.of("occlusion", patch=(2, 3), stride=2, baseline=away), expected, 1e-5)


def test_rise_is_the_score_weighted_mean_of_the_masks(bent):
    total, kept = np.zeros((ROWS, *SHAPE[:2])), np.zeros(SHAPE[:2])
    for mask in rise_masks(SHAPE[:2], samples=20, cells=3, keep=0.6, seed=4):
        seen = bent.x * mask[..., None] + 0.5 * (1 - mask[..., None])
        total += bent.scores(seen)[:, None, None] * mask
        kept += mask
    close(bent.of("rise", samples=20, cells=3, keep=0.6, seed=4, baseline=0.5), total / kept, 1e-5)


@pytest.mark.slow
def test_integrated_gradients_of_a_trained_network_miss_the_rise_of_the_score_by_a_quarter_for_twice_the_steps():
    """The midpoint rule's own law, where the network is smooth."""
    rng = np.random.default_rng(0)
    y = np.arange(48) % CLASSES
    x = rng.random((48, 6, 8, 1)).astype(np.float32)
    x[np.arange(48), 2 * y] += 1  # the class is where it is bright
    inputs = keras.Input((6, 8, 1))
    hidden = layers.Conv2D(6, 3, activation="gelu", name="conv")(inputs)
    logits = dense(CLASSES, "logits")(dense(8, "hidden", "gelu")(layers.Flatten()(hidden)))
    model, before = keras.Model(inputs, layers.Softmax()(logits)), keras.Model(inputs, logits)
    model.compile(keras.optimizers.SGD(0.3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, epochs=12, batch_size=12, verbose=0, shuffle=False).history
    assert history["accuracy"][-1] > 0.9

    shown, classes, errors = x[:6], y[:6], {}
    rise = np.take_along_axis(np.asarray(before(shown) - before(0 * shown), np.float64), classes[:, None], 1)[:, 0]
    for steps in (4, 8, 16, 128):
        maps = kv.attribution(model, shown, method="integrated_gradients", target=classes, steps=steps)
        errors[steps] = np.abs(maps.sum((1, 2), dtype=np.float64) - rise).sum() / np.abs(rise).sum()
    assert 0.002 < errors[4] < 0.02, "four steps are not enough for what this network has learnt"
    assert 3.5 < errors[4] / errors[8] < 4.5
    assert 3.5 < errors[8] / errors[16] < 4.5
    assert errors[128] < 2e-5
    explained = InputMaps(Reader(model, shown), Score(), "integrated_gradients", {"steps": 8}, shown)
    said = explained.of(Reader(model, shown), shown, classes).completeness
    assert said == pytest.approx(errors[8], rel=1e-3)


# Guided backpropagation: beside it the same network with a ReLU whose gradient is written out.


@tf.custom_gradient
def guided(x):
    return tf.nn.relu(x), lambda back: back * tf.cast(back > 0, tf.float32) * tf.cast(x > 0, tf.float32)


@tf.custom_gradient
def guided_up_to_6(x):
    inside = (x > 0) & (x < 6)
    return tf.nn.relu6(x), lambda back: back * tf.cast((back > 0) & inside, tf.float32)


class WithOps(keras.Model):
    """Its rectifiers are function calls."""

    def __init__(self, rule):
        super().__init__()
        self.first, self.second = layers.Conv2D(4, 3), layers.Conv2D(5, 2)
        self.flat, self.answer, self.rule = layers.Flatten(), dense(CLASSES, "answer"), rule

    def call(self, x):
        return self.answer(self.flat(self.rule(self.second(self.rule(self.first(x))))))


class Rule(layers.Layer):
    """A function of tensors, which cannot be applied to the symbols of a functional model by itself."""

    def __init__(self, rule):
        super().__init__()
        self.rule = rule

    def call(self, x):
        return self.rule(x)


def chain(*parts):
    inputs = keras.Input(SHAPE)
    x = inputs
    first, second = (part if isinstance(part, layers.Layer) or part is ops.relu else Rule(part) for part in parts)
    for part in (layers.Conv2D(4, 3), first, layers.Conv2D(5, 2), second, layers.Flatten(), dense(CLASSES, "z")):
        x = part(x)
    return keras.Model(inputs, x)


def by_argument(rule):
    parts = [layers.Conv2D(4, 3, activation=rule), layers.Conv2D(5, 2, activation=rule)]
    return keras.Sequential([keras.Input(SHAPE), *parts, layers.Flatten(), dense(CLASSES, "answer", "softmax")])


def nested(make):
    inner = keras.Input((3, 5, 4))
    backbone = keras.Model(inner, layers.Conv2D(4, 1)(make()(inner)), name="backbone")
    return chain(backbone, make())


# What the user writes, and the same with the rule that replaces it.
RELU = {
    "activation argument": (lambda: by_argument("relu"), lambda: by_argument(guided)),
    "Activation": (lambda: chain(*[layers.Activation("relu") for _ in "ab"]), lambda: chain(guided, guided)),
    "ReLU": (lambda: chain(layers.ReLU(), layers.ReLU()), lambda: chain(guided, guided)),
    "ReLU up to 6": (
        lambda: chain(layers.ReLU(max_value=6), layers.ReLU(max_value=6.0)),
        lambda: chain(guided_up_to_6, guided_up_to_6),
    ),
    "ReLU up to 3": (
        lambda: chain(layers.ReLU(max_value=3), layers.ReLU()),
        lambda: chain(lambda x: ops.minimum(guided(x), 3.0), guided),
    ),
    "ops.relu": (lambda: chain(ops.relu, ops.relu), lambda: chain(guided, guided)),
    "ops.relu in a subclassed model": (lambda: WithOps(ops.relu), lambda: WithOps(guided)),
    "in a nested model": (lambda: nested(layers.ReLU), lambda: nested(lambda: Rule(guided))),
}


@pytest.mark.parametrize(
    "kind",
    quick(RELU, "in a nested model"),
)
def test_guided_backprop_is_the_gradient_that_every_relu_lets_through_only_where_it_speaks_for_the_score(kind):
    asked, replaced = (make() for make in RELU[kind])
    x = 6 * draw(ROWS, *SHAPE)  # beyond 6 after a convolution
    replaced(x), asked(x)
    replaced.set_weights(asked.get_weights())
    replaced.layers[-1].activation = keras.activations.linear
    expected = strongest(tape_slopes(replaced, x, TARGETS))
    found = kv.attribution(asked, x, method="guided_backprop", target=TARGETS)
    close(found, expected, 1e-5)
    plain = kv.attribution(asked, x, method="gradient", target=TARGETS)
    assert np.abs(found - plain).max() > 0.1 * np.abs(expected).max(), "guiding changes something here"


class Hidden(layers.Layer):
    """A rectifier that is compiled within the model."""

    @tf.function
    def call(self, x):
        return ops.relu(x)


def rnn():
    inputs = keras.Input((6, 4))
    return keras.Model(inputs, dense(CLASSES, "z")(layers.SimpleRNN(5, activation="relu")(inputs)))


def run_eagerly():
    model = by_argument("relu")
    model.compile(loss="mse", run_eagerly=True)
    return model


@pytest.mark.parametrize(
    ("make", "words"),
    first(
        [
            (run_eagerly, "needs a model that can be compiled, without run_eagerly=True"),
            (lambda: chain(Hidden(), ops.relu), "cannot guide a ReLU within a @tf.function or a loop"),
            (lambda: by_argument("leaky_relu"), "is defined by what ReLU lets through, and the model has none"),
            (lambda: by_argument("gelu"), "is defined by what ReLU lets through, and the model has none"),
            (rnn, "cannot guide a ReLU within a @tf.function or a loop"),
        ],
        3,
    ),
    ids=["eager", "tf.function", "leaky ReLU", "no ReLU", "recurrent"],
)
def test_where_a_relu_cannot_be_guided_the_error_says_why_and_no_map_is_given(make, words):
    model = make()
    with pytest.raises(ValueError, match=words):
        kv.attribution(model, draw(2, *model.input_shape[1:]), method="guided_backprop")


@pytest.mark.slow
@pytest.mark.parametrize("method", ["gradient", "guided_backprop"])
def test_in_half_precision_small_gradients_are_not_lost(method):
    """Below 6e-8 float16 knows nothing: a gradient that is as small on its way is scaled up for it."""

    def made(policy):
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(policy)
        try:
            inputs = keras.Input(SHAPE)
            x = layers.Conv2D(4, 3, activation="relu", padding="same")(inputs)
            x = layers.GlobalAveragePooling2D()(x)
            return keras.Model(inputs, layers.Dense(CLASSES, dtype="float32", name="answer")(x))
        finally:
            keras.config.set_dtype_policy(before)

    half, whole = made("mixed_float16"), made("float32")
    answer = half.get_layer("answer")
    answer.kernel.assign(1e-5 * answer.kernel)
    whole.set_weights(half.get_weights())
    x = draw(ROWS, *SHAPE)
    found, expected = (kv.attribution(one, x, method=method, target=TARGETS) for one in (half, whole))
    assert 0 < np.abs(expected).max() < 1e-6
    close(found, expected, 5e-3)  # float16 rounds to 1e-3


# What is explained.


@pytest.mark.slow
def test_the_class_is_predicted_once_on_the_inputs_as_they_are():
    """Without its first feature, or from the baseline half way, the model would predict another class."""
    model, _ = linear_model((4,), units=2)
    answer = model.get_layer("answer")
    answer.kernel.assign([[3.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.2, 0.1]])
    answer.bias.assign([0.0, 0.5])
    x = np.ones((1, 4), np.float32)
    predicted = [int(np.argmax(model(seen.astype(np.float32)))) for seen in (x, x * [0, 1, 1, 1], 0 * x, 0.1 * x)]
    assert predicted == [0, 1, 1, 1]
    for method in ("integrated_gradients", "occlusion", "rise", "smooth_grad"):
        options = FEW.get(method, {}) | ({"noise": 5.0} if method == "smooth_grad" else {})
        found, fixed = (kv.attribution(model, x, method=method, target=target, **options) for target in (None, 0))
        np.testing.assert_array_equal(found, fixed, err_msg=method)
    close(kv.attribution(model, x, method="occlusion"), np.array([[3.0, 0.0, 0.0, 0.2]]))


@pytest.mark.parametrize(
    "target", [1, TARGETS, TARGETS.tolist(), TARGETS.astype(np.uint8)], ids=["int", "", "", "uint8"]
)
def test_targets_are_a_class_for_all_or_one_for_each(linear, target):
    model, kernel = linear
    x = draw(ROWS, *SHAPE)
    expected = (x * own(kernel, np.broadcast_to(target, ROWS))).sum(-1)
    close(kv.attribution(model, x, method="input_x_gradient", target=target), expected)


def test_of_one_sigmoid_unit_class_0_is_minus_the_logit_and_the_predicted_one_is_explained():
    model, kernel = linear_model((4,), "sigmoid", 1)
    x = draw(ROWS, 4)
    share = np.asarray(model(x), np.float64)
    assert (share < 0.5).any()
    assert (share >= 0.5).any()
    signs = {1: 1.0, 0: -1.0, None: np.where(share >= 0.5, 1.0, -1.0)}
    for target, sign in signs.items():
        close(kv.attribution(model, x, method="input_x_gradient", target=target), sign * x * kernel[:, 0])
        close(kv.attribution(model, x, method="occlusion", target=target), sign * x * kernel[:, 0], 1e-5)


def test_a_single_linear_unit_is_itself_the_score():
    model, kernel = linear_model((4,), None, 1)
    x = draw(ROWS, 4)
    for method in ("input_x_gradient", "occlusion"):
        close(kv.attribution(model, x, method=method), x * kernel[:, 0], 1e-5)


def test_the_output_itself_is_explained_where_it_is_the_score(linear):
    model, kernel = linear
    x = draw(ROWS, *SHAPE)
    p, flat = np.asarray(model(x), np.float64), kernel.reshape(-1, CLASSES)
    slopes = p[np.arange(ROWS), TARGETS, None] * (flat[:, TARGETS].T - p @ flat.T)
    given = {"target": TARGETS, "score": "output"}
    expected = (x * slopes.reshape(x.shape)).sum(-1)
    close(kv.attribution(model, x, method="input_x_gradient", **given), expected, 1e-5)

    def scores(seen):
        return np.asarray(model(seen.astype(np.float32)), np.float64)[np.arange(ROWS), TARGETS]

    expected = covered_by_loop(scores, x, (2, 2), (2, 2), np.zeros(SHAPE))
    close(kv.attribution(model, x, method="occlusion", patch=2, stride=2, **given), expected, 1e-5)


@pytest.mark.parametrize("method", quick(["input_x_gradient", "integrated_gradients", "occlusion"], "occlusion"))
def test_of_a_segmentation_a_callable_explains_one_class_within_a_region(method):
    inputs = keras.Input(SHAPE)
    model = keras.Model(inputs, layers.Conv2D(CLASSES, 1, activation="softmax", name="pixels")(inputs))
    kernel = model.get_layer("pixels").kernel.numpy()[0, 0].astype(np.float64)
    region = np.zeros(SHAPE[:2], np.float32)
    region[1:4, 2:6] = 1
    x = draw(ROWS, *SHAPE)
    options = {"occlusion": {"patch": 1}, "integrated_gradients": {"steps": 2}}.get(method, {})
    found = kv.attribution(
        model, x, method=method, target=lambda z: ops.sum(z[..., 1] * region, axis=(1, 2)) / region.sum(), **options
    )
    close(found, x @ kernel[:, 1] * region / region.sum(), 1e-5)
    whole = kv.attribution(model, x, method=method, target=1, **options)  # a class: its mean over all pixels
    close(whole, x @ kernel[:, 1] / region.size, 1e-5)


@pytest.mark.slow
def test_a_callable_chooses_one_of_several_outputs():
    inputs = keras.Input((4,))
    outputs = {"kind": dense(CLASSES, "kind", "softmax")(inputs), "amount": dense(2, "amount")(inputs)}
    model, x = keras.Model(inputs, outputs), draw(ROWS, 4)
    for name, number in (("kind", 2), ("amount", 1)):
        kernel = model.get_layer(name).kernel.numpy()[:, number]
        for method in ("input_x_gradient", "occlusion", "integrated_gradients"):
            found = kv.attribution(model, x, method=method, target=lambda z, n=name, k=number: z[n][:, k])
            close(found, x * kernel, 1e-5)
    # A class is that of the first, which of a dict is the first by name, as in `model.outputs`.
    close(kv.attribution(model, x, method="input_x_gradient", target=1), x * kernel)


# Inputs of every kind.


@pytest.mark.slow
def test_bytes_are_explained_as_the_numbers_that_they_are_also_covered_by_what_no_byte_holds(linear):
    model, kernel = linear
    x = np.random.default_rng(0).integers(0, 256, (ROWS, *SHAPE), np.uint8)
    weights, numbers = own(kernel), x.astype(np.float64)
    for method in ("input_x_gradient", "integrated_gradients"):
        close(kv.attribution(model, x, method=method, target=TARGETS), (numbers * weights).sum(-1), 1e-5)
    for baseline in (0, 7, -1, 300, 0.5):
        found = kv.attribution(model, x, method="occlusion", target=TARGETS, patch=1, stride=1, baseline=baseline)
        close(found, ((numbers - baseline) * weights).sum(-1), 1e-5)


def words():
    ids = keras.Input((6,), dtype="int32", name="words")
    return ids, layers.GlobalAveragePooling1D()(layers.Embedding(9, 4, name="look_up")(ids))


def test_numbers_of_words_can_be_covered_by_another_word():
    ids, mean = words()
    model = keras.Model(ids, dense(CLASSES, "answer", "softmax")(mean))
    x = np.random.default_rng(1).integers(0, 9, (ROWS, 6))
    meaning = model.get_layer("look_up").embeddings.numpy() @ model.get_layer("answer").kernel.numpy() / 6
    for cover in (0, 5):
        found = kv.attribution(model, x, method="occlusion", target=TARGETS, baseline=cover)
        close(found, meaning[x, TARGETS[:, None]] - meaning[cover, TARGETS][:, None], 1e-5)


@pytest.mark.parametrize("method", ["gradient", "integrated_gradients", "smooth_grad"])
def test_numbers_of_words_have_no_gradient_and_the_error_names_what_needs_none(method):
    ids, mean = words()
    model = keras.Model(ids, dense(CLASSES, "answer", "softmax")(mean))
    said = 'no gradient by any input: the model takes them as whole numbers or text.* Use method="occlusion" or "rise"'
    with pytest.raises(ValueError, match=said):
        kv.attribution(model, np.ones((2, 6), np.int32), method=method)


def test_truth_values_stay_truth_values():
    """A mask that the model uses as one: covered, it is False and not 0.0."""
    inputs = keras.Input((5,), dtype="bool")
    model = keras.Model(inputs, dense(CLASSES, "answer")(ops.where(inputs, 1.0, 0.0)))
    x = np.random.default_rng(2).random((ROWS, 5)) < 0.5
    kernel = model.get_layer("answer").kernel.numpy()
    close(kv.attribution(model, x, method="occlusion", target=TARGETS), x * kernel[:, TARGETS].T, 1e-5)


class Mixed:
    """A picture, numbers and one number a row, multiplied, so that the parts are not those of each input alone."""

    def __init__(self):
        keras.utils.set_random_seed(8)
        self.shapes = {"amount": (), "numbers": (3,), "picture": (4, 6, 2)}
        made = {name: keras.Input(shape, name=name) for name, shape in self.shapes.items()}
        self.answer = dense(CLASSES, "answer")
        parts = layers.Flatten()(made["picture"])[:, :3] * made["numbers"] * ops.expand_dims(made["amount"], -1)
        parts = ops.concatenate([parts, layers.Flatten()(made["picture"])], axis=-1)
        self.logits = keras.Model(made, self.answer(parts))
        self.model = keras.Model(made, layers.Softmax()(self.answer(parts)))
        self.x = {name: draw(ROWS, *shape, seed=n) for n, (name, shape) in enumerate(self.shapes.items())}

    def scores(self, x):
        return np.asarray(self.logits(x), np.float64)[np.arange(ROWS), TARGETS]

    def slopes(self):
        fed = {name: tf.constant(array) for name, array in self.x.items()}
        with tf.GradientTape() as tape:
            tape.watch(fed)
            total = tf.reduce_sum(tf.gather(self.logits(fed), TARGETS, axis=1, batch_dims=1))
        return {name: np.asarray(slope, np.float64) for name, slope in tape.gradient(total, fed).items()}


@pytest.fixture(scope="module")
def mixed():
    return Mixed()


def test_several_inputs_have_a_map_each_by_their_names(mixed):
    found = kv.attribution(mixed.model, mixed.x, method="gradient", target=TARGETS)
    slopes = mixed.slopes()
    assert list(found) == ["amount", "numbers", "picture"]
    close(found["amount"], slopes["amount"], 1e-5)
    close(found["numbers"], slopes["numbers"], 1e-5)
    close(found["picture"], strongest(slopes["picture"]), 1e-5)


@pytest.mark.parametrize(
    "baseline", first([0.25, {"picture": 0.5, "numbers": np.array([1.0, 0.0, -1.0])}]), ids=["one", "dict"]
)
def test_integrated_gradients_of_all_inputs_together_sum_to_the_rise_of_the_score(mixed, baseline):
    start = {name: baseline if np.isscalar(baseline) else baseline.get(name, 0.0) for name in mixed.x}
    start = {name: np.broadcast_to(np.float32(one), mixed.x[name].shape) for name, one in start.items()}
    options = {"steps": 16, "baseline": baseline}
    found = kv.attribution(mixed.model, mixed.x, method="integrated_gradients", target=TARGETS, **options)
    total = sum(one.reshape(ROWS, -1).sum(1, dtype=np.float64) for one in found.values())
    rise = mixed.scores(mixed.x) - mixed.scores(start)
    np.testing.assert_allclose(total, rise, rtol=0, atol=2e-3 * np.abs(rise).max())  # cubic, in 16 steps
    alone = kv.attribution(mixed.model, mixed.x, method="input_x_gradient", target=TARGETS)
    assert np.abs(sum(one.reshape(ROWS, -1).sum(1) for one in alone.values()) - rise).max() > 0.1 * np.abs(rise).max()


def kinked(at):
    """The score of class 1 is relu(1000 (a + b) - 1000 at) of two inputs, that of class 0 is 0."""
    a, b = keras.Input((2,), name="a"), keras.Input((1,), name="b")
    total = ops.sum(a, axis=-1, keepdims=True) + b
    hidden = dense(1, "hidden", "relu")(total)
    model = keras.Model([a, b], layers.Dense(2, "softmax", use_bias=False, name="answer")(hidden))
    model.get_layer("hidden").set_weights([np.full((1, 1), 1e3), np.full(1, -1e3 * at)])
    model.get_layer("answer").set_weights([np.array([[0.0, 1.0]])])
    return model


@pytest.mark.slow
def test_unless_steps_are_given_each_row_of_several_inputs_sums_to_the_rise_of_its_score():
    model, x = kinked(1.8), [draw(ROWS, 2) ** 2, draw(ROWS, 1) ** 2]
    x = [part * np.float32(2) / (x[0].sum(1) + x[1][:, 0])[:, None] for part in x]  # each row sums to 2
    x = [part * np.linspace(1, 2, ROWS, dtype=np.float32)[:, None] for part in x]
    given = {"method": "integrated_gradients", "target": 1}
    rise = 1e3 * (x[0].sum(1) + x[1][:, 0] - 1.8)
    parts = kv.attribution(model, x, **given)
    total = parts["a"].sum(1) + parts["b"][:, 0]
    assert (np.abs(total - rise) <= 0.05 * rise).all()
    fixed = kv.attribution(model, x, steps=32, **given)
    missed = np.abs(fixed["a"].sum(1) + fixed["b"][:, 0] - rise) > 0.05 * rise
    assert missed.any(), "for some rows 32 steps are too few"
    assert not missed.all()
    for name in parts:  # where they are enough, no more are taken
        np.testing.assert_allclose(parts[name][~missed], fixed[name][~missed], rtol=1e-6)


@pytest.mark.slow
def test_maps_that_stay_incomplete_are_reported_once_a_call_and_not_where_the_user_chose_the_steps():
    model, x = kinked(2.9995), [np.ones((2, 2), np.float32), np.ones((2, 1), np.float32)]
    x[0][1] = 3
    said = r"after 512 steps, the maps of 1 of 2 rows miss the change of their score by more than 5%; pass steps=1024"
    with pytest.warns(UserWarning, match=said) as warned:
        kv.attribution(model, x, method="integrated_gradients", target=1)
    assert len(warned) == 1
    kv.attribution(model, x, method="integrated_gradients", target=1, steps=4)


@pytest.mark.slow
def test_a_view_reports_incomplete_maps_once_a_fit_and_keeps_the_error_as_a_scalar(tmp_path, capsys):
    model, x = kinked(2.9995), {"a": np.ones((8, 2), np.float32), "b": np.ones((8, 1), np.float32)}
    model.compile(keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy")
    y = np.ones(8, int)
    view = kv.Attribution(tmp_path, (x, y), target=1, training_data=(x, y), on_error="raise")
    model.fit(x, y, epochs=2, verbose=2, callbacks=[view])
    assert capsys.readouterr().out.count("Attribution, step -1: integrated gradients: after 512 steps") == 1
    events = EventAccumulator(str(tmp_path / "views/validation"), size_guidance={"tensors": 0})
    events.Reload()
    errors = [tf.make_ndarray(one.tensor_proto) for one in events.Tensors("integrated_gradients/completeness_error")]
    np.testing.assert_allclose(errors, [1.0] * 3)  # every row misses its whole change


@pytest.mark.parametrize("form", quick(["dict", "list"], "dict"))
def test_occlusion_takes_a_patch_and_a_stride_of_each_input(mixed, form):
    patch, stride = {"picture": (2, 3), "numbers": 2}, {"picture": (1, 3)}
    if form == "list":
        patch, stride = ([given.get(name) for name in mixed.x] for given in (patch, stride))
    found = kv.attribution(mixed.model, mixed.x, method="occlusion", target=TARGETS, patch=patch, stride=stride)

    pictures, numbers = mixed.x["picture"], mixed.x["numbers"][:, None]  # one row high
    expected = covered_by_loop(
        lambda x: mixed.scores(mixed.x | {"picture": x}), pictures, (2, 3), (1, 3), np.zeros(pictures.shape[1:])
    )
    close(found["picture"], expected, 1e-5)
    expected = covered_by_loop(
        lambda x: mixed.scores(mixed.x | {"numbers": x[:, 0]}), numbers, (1, 2), (1, 1), np.zeros((1, 3))
    )
    close(found["numbers"], expected[:, 0], 1e-5)
    close(found["amount"], kv.attribution(mixed.model, mixed.x, method="occlusion", target=TARGETS)["amount"], 0)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"patch": {"image": 2}},
            r"patch: names \['image'\]; the model's inputs are \['amount', 'numbers', 'picture'\]",
        ),
        ({"patch": [2, 2]}, r"patch=\[2, 2\]: a list holds one for each of the model's inputs, \['amount', .* a tuple"),
        ({"patch": 4}, r'input "amount": patch=4: larger than the positions \(1,\)'),
        ({"stride": [None, (0, 1), None]}, r"stride=\(0, 1\): expected at least 1"),
    ],
)
def test_a_patch_that_does_not_fit_its_input_is_named(mixed, given, words):
    with pytest.raises(ValueError, match=words):
        kv.attribution(mixed.model, mixed.x, method="occlusion", target=TARGETS, **given)


def test_each_input_is_covered_alone_the_others_as_they_are(mixed):
    found = kv.attribution(mixed.model, mixed.x, method="occlusion", target=TARGETS, patch=1, stride=1)
    whole = mixed.scores(mixed.x)
    without = {name: mixed.scores(mixed.x | {name: 0 * mixed.x[name]}) for name in ("amount",)}
    close(found["amount"], whole - without["amount"], 1e-5)
    for place in range(3):
        seen = mixed.x["numbers"].copy()
        seen[:, place] = 0
        close(found["numbers"][:, place], whole - mixed.scores(mixed.x | {"numbers": seen}), 1e-5)
    assert found["picture"].shape == (ROWS, 4, 6)


@pytest.mark.slow
def test_inputs_in_a_list_have_the_names_that_they_were_given_and_words_have_no_gradient_beside_them():
    ids, mean = words()
    numbers = keras.Input((4,), name="numbers")
    model = keras.Model([ids, numbers], dense(CLASSES, "answer")(mean * numbers))
    x, values = np.random.default_rng(1).integers(0, 9, (ROWS, 6)), draw(ROWS, 4)
    means = model.get_layer("look_up").embeddings.numpy()[x].mean(1)
    expected = values * means * model.get_layer("answer").kernel.numpy()[:, TARGETS].T
    for method in ("input_x_gradient", "integrated_gradients"):
        found = kv.attribution(model, [x, values], method=method, target=TARGETS)
        assert list(found) == ["numbers"]
        close(found["numbers"], expected, 1e-5)
    assert list(kv.attribution(model, [x, values], method="occlusion")) == ["words", "numbers"]


def test_a_grey_picture_among_several_inputs_is_still_a_picture():
    """The first layer to change a shape belongs to the other input."""
    numbers, picture = keras.Input((3,), name="numbers"), keras.Input((8, 9), name="picture")
    first = dense(4, "first")(numbers)
    flat = layers.Flatten()(layers.Reshape((8, 9, 1))(picture))
    model = keras.Model([numbers, picture], dense(CLASSES, "answer")(ops.concatenate([first, flat], -1)))
    x = [draw(ROWS, 3), draw(ROWS, 8, 9)]
    kernel = model.get_layer("answer").kernel.numpy()[4:].reshape(8, 9, CLASSES)
    close(kv.attribution(model, x, method="gradient", target=TARGETS)["picture"], own(kernel))


def test_a_baseline_for_an_input_that_there_is_not_is_an_error_that_lists_those_there_are(mixed):
    with pytest.raises(
        ValueError, match=r"baseline: names \['image'\]; the model's inputs are \['amount', 'numbers', "
    ):
        kv.attribution(mixed.model, mixed.x, method="occlusion", baseline={"image": 0.0})


# A method of the user's own.


def test_a_callable_is_given_the_model_the_inputs_and_the_classes(linear):
    model, kernel = linear
    x, asked = draw(ROWS, *SHAPE), []

    def method(*given):
        asked.append(given)
        return given[1] * kernel[..., 0]

    found = kv.attribution(model, x, method=method)
    assert asked[0][0] is model
    np.testing.assert_array_equal(asked[0][1], x)
    np.testing.assert_array_equal(asked[0][2], np.argmax(model(x), axis=-1))
    close(found, (x * kernel[..., 0]).sum(-1))  # an answer for each channel is summed

    def target(outputs):
        return outputs[:, 1]

    kv.attribution(model, x, method=method, target=target)
    assert asked[1][2] is target


@pytest.mark.parametrize(
    "turn",
    [np.asarray, tf.convert_to_tensor, lambda maps: maps[..., None], np.float64],
    ids=["array", "tensor", "with an axis of channels", "float64"],
)
def test_a_callable_may_answer_by_position_in_any_kind_of_array(linear, turn):
    maps = draw(ROWS, *SHAPE[:2])
    found = kv.attribution(linear[0], draw(ROWS, *SHAPE), method=lambda model, x, targets: turn(maps))
    np.testing.assert_array_equal(found, maps)


def test_a_callable_may_answer_for_some_of_several_inputs(mixed):
    maps = {"picture": draw(ROWS, 4, 6), "amount": draw(ROWS)}
    found = kv.attribution(mixed.model, mixed.x, method=lambda model, x, targets: maps)
    assert list(found) == ["amount", "picture"]
    for name, one in found.items():
        np.testing.assert_array_equal(one, maps[name])


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            np.zeros((ROWS, 7, 5)),
            r'float64 of shape \(4, 7, 5\) for input "input" .*expected numbers \(4, 5, 7\) or \(4, 5,',
        ),
        (np.zeros((ROWS, 5, 7), "U1"), "method: returned <U1"),
        ({"image": 0}, r"method: returned maps of \['image'\]; the model's inputs are \['input'\]"),
        ({}, r"method: returned maps of \[\]; the model's inputs"),
    ],
    ids=["shape", "text", "name", "nothing"],
)
def test_what_a_callable_gives_is_checked(linear, answer, words):
    with pytest.raises(ValueError, match=words):
        kv.attribution(linear[0], draw(ROWS, *SHAPE), method=lambda model, x, targets: answer)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"method": "lime"}, ValueError, r"method='lime': expected one of 'gradient', .*'rise'"),
        ({"method": "gradient", "steps": 3}, TypeError, r"steps: not an option of method='gradient'; it takes none"),
        ({"method": "rise", "patch": 3}, TypeError, "patch: not an option of method='rise'; expected one of samples"),
        ({"method": abs, "steps": 3}, TypeError, "steps: not an option of a callable method"),
        ({"method": "occlusion", "patch": 9}, ValueError, r"patch=9: larger than the positions \(5, 7\)"),
        ({"method": "occlusion", "baseline": {"input": "0"}}, TypeError, "baseline: expected a number or an array"),
        (
            {"method": "gradient", "target": 3},
            ValueError,
            "target=3: the model's output has 3 classes; expected 0 to 2",
        ),
        ({"method": "gradient", "target": "true"}, ValueError, 'target="true": labels are not known here'),
    ],
)
def test_what_is_wrong_is_said_with_the_argument_and_the_remedy(linear, given, error, words):
    with pytest.raises(error, match=words):
        kv.attribution(linear[0], draw(ROWS, *SHAPE), **given)


# Whichever way the model is built, and whatever it does besides.


class Subclassed(keras.Model):
    """The layers of `flat_model` as attributes, the head in a model of its own."""

    def __init__(self):
        super().__init__()
        self.conv = layers.Conv2D(4, 3, activation="relu")
        self.top = keras.Sequential([layers.Flatten(), dense(CLASSES, "answer", "softmax")])

    def call(self, x):
        return self.top(self.conv(x))


def by_every_method(model, x):
    """As `attribution` does it, with one reader for all methods: each of its passes is compiled once."""
    reader = Reader(model, x)
    return {
        method: InputMaps(reader, Score(), method, FEW.get(method, {}), x).of(reader, x, TARGETS).maps["input"]
        for method in METHODS
    }


@pytest.mark.slow
def test_flat_nested_and_subclassed_models_of_equal_weights_give_the_same_map_by_every_method():
    x = draw(ROWS, *SHAPE)
    parts = [layers.Conv2D(4, 3, activation="relu"), layers.Flatten(), dense(CLASSES, "answer", "softmax")]
    flat = keras.Sequential([keras.Input(SHAPE), *parts])
    inner = keras.Input(SHAPE)
    backbone = keras.Model(inner, layers.Conv2D(4, 3, activation="relu")(inner))
    head = keras.Sequential([layers.Flatten(), dense(CLASSES, "answer", "softmax")])
    inputs = keras.Input(SHAPE)
    nested, subclassed = keras.Model(inputs, head(backbone(inputs))), Subclassed()
    subclassed(x)
    expected = by_every_method(flat, x)
    for model in (nested, subclassed):
        model.set_weights(flat.get_weights())
        for method, found in by_every_method(model, x).items():
            np.testing.assert_array_equal(found, expected[method], err_msg=f"{model.name} {method}")
    close(expected["rise"], kv.attribution(flat, x, method="rise", target=TARGETS, **FEW["rise"]), 0)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["compiled", "eagerly"])
def test_the_model_is_left_to_the_bit_by_every_method_also_where_it_samples(how):
    eagerly = how == "eagerly"
    inputs = keras.Input(SHAPE)
    x = layers.Conv2D(3, 3, activation="relu")(Sampling()(inputs))
    x = layers.Flatten()(layers.Dropout(0.5)(layers.BatchNormalization()(x)))
    model = keras.Model(inputs, dense(CLASSES, "answer", "softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy", run_eagerly=eagerly)
    given = draw(3, *SHAPE)
    model.train_on_batch(given, np.arange(3))  # the optimizer has a state
    state = [*model.variables, *model.optimizer.variables, global_seed_generator().state]
    before = [variable.numpy().tobytes() for variable in state]
    for method in METHODS if eagerly else EACH_KIND_OF_PASS:
        if method == "guided_backprop" and eagerly:
            continue  # refused there
        found = kv.attribution(model, given, method=method, **FEW.get(method, {}))
        assert [variable.numpy().tobytes() for variable in state] == before, method
    again = kv.attribution(model, given, method=method, **FEW.get(method, {}))
    np.testing.assert_array_equal(again, found)  # the same numbers are drawn, in every pass
