"""Class activation maps through real models: closed forms where there are any, else the paper's loop written out here.

`MAX` is what float32 leaves of a map of other means in float64: 1e-6 of its largest magnitude; 1e-5 where whole passes
of the model are compared, whose sums are in another order.
"""

import contextlib
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from harness import quick
from keras import layers, ops
from keras.src.random.seed_generator import global_seed_generator
from mapped import Sampling, close, dense, draw

import kerasviz_callbacks as kv
from kerasviz_callbacks.explain.layer_maps import LayerMaps
from kerasviz_callbacks.maths.class_activation import METHODS
from kerasviz_callbacks.taps.reader import Reader
from kerasviz_callbacks.taps.scores import Score

BY_GRADIENT = ("grad_cam", "grad_cam++", "hires_cam", "layer_cam", "xgrad_cam")
EACH_KIND_OF_PASS = ("grad_cam", "eigen_cam", "score_cam", "ablation_cam")
ROWS, SHAPE, CLASSES = 4, (6, 9, 3), 3
EACH_CLASS = np.tile(np.arange(CLASSES), ROWS)  # every row is asked for every class


def relu(values):
    return np.maximum(values, 0)


def conv(filters, name, axes=2, activation="relu", **options):
    kind = {1: layers.Conv1D, 2: layers.Conv2D, 3: layers.Conv3D}[axes]
    return kind(
        filters, 3, activation=activation, padding="same", bias_initializer="random_normal", name=name, **options
    )


def global_mean(axes=2):
    return {1: layers.GlobalAveragePooling1D, 2: layers.GlobalAveragePooling2D, 3: layers.GlobalAveragePooling3D}[axes](
        name="mean"
    )


@pytest.fixture(autouse=True)
def _seeded():
    keras.utils.set_random_seed(1)


# A head of a global mean and one dense layer: every method has a closed form.


class Linear:
    """conv - relu - global mean - dense, and what its maps must be, from the kernel and the activations alone."""

    def __init__(self, shape):
        keras.utils.set_random_seed(4)
        axes = len(shape) - 1
        inputs = keras.Input(shape)
        x = conv(4, "first", axes)(inputs)
        x = conv(5, "last", axes, strides=2)(x)
        x = dense(CLASSES, "answer", "softmax")(global_mean(axes)(x))
        self.model = keras.Model(inputs, x)
        self.x = np.repeat(draw(ROWS, *shape), CLASSES, axis=0)
        self.maps = kv.activations(self.model, self.x, ["last"])["last"].astype(np.float64)
        answer = self.model.get_layer("answer")
        self.bias = answer.bias.numpy().astype(np.float64)
        self.kernel = answer.kernel.numpy().astype(np.float64)  # (channels, classes)

    def expected(self, method):
        a, flat = self.maps, self.maps.reshape(len(self.maps), -1, self.maps.shape[-1])
        w = self.kernel[:, EACH_CLASS].T.reshape(len(a), *[1] * (a.ndim - 2), -1)  # each row's own class
        positions, mean = flat.shape[1], flat.mean(axis=1).reshape(w.shape)
        if method in ("grad_cam", "xgrad_cam"):  # the gradient is W / positions everywhere
            return relu((a * w).sum(-1)) / positions
        if method == "hires_cam":
            return (a * w).sum(-1) / positions
        if method == "layer_cam":
            return (a * relu(w)).sum(-1) / positions
        if method == "grad_cam++":  # alpha relu(g), the same at every position, summed over them
            return relu((a * (relu(w) / (2 + w * mean))).sum(-1))
        if method == "ablation_cam":  # without channel c the logit loses W_c times its mean
            logit = flat.mean(axis=1) @ self.kernel + self.bias
            own = logit[np.arange(len(a)), EACH_CLASS].reshape(-1, *[1] * (a.ndim - 2))
            return relu((a * w * mean).sum(-1) / np.abs(own))
        assert method == "eigen_cam"
        u, s, _ = np.linalg.svd(flat, full_matrices=False)
        found = u[:, :, 0] * s[:, :1]
        return (found * np.sign(found.sum(1, keepdims=True))).reshape(a.shape[:-1])


@pytest.fixture(scope="module")
def pictures():
    return Linear(SHAPE)


def of(linear, method, **given):
    return kv.class_activation_map(linear.model, linear.x, **{"target": EACH_CLASS, "method": method, **given})


@pytest.mark.parametrize("method", [*BY_GRADIENT, "eigen_cam", "ablation_cam"])
def test_where_a_mean_and_one_dense_layer_follow_the_map_is_the_closed_form_for_every_class(pictures, method):
    found, expected = of(pictures, method), pictures.expected(method)
    close(found, expected, 1e-5 if method == "ablation_cam" else 1e-6)
    assert found.min() < 0 if method == "hires_cam" else found.min() >= 0  # of ReLU, eigen-CAM is positive too
    logits = pictures.maps.mean((1, 2)) @ pictures.kernel + pictures.bias
    assert (logits[np.arange(len(logits)), EACH_CLASS] < 0).any(), "negative logits are among them"


@pytest.mark.parametrize(
    "shape", [pytest.param((10, 3), id="signal", marks=pytest.mark.slow), pytest.param((4, 6, 5, 2), id="volume")]
)
def test_signals_and_volumes_have_the_closed_forms_too(shape):
    linear = Linear(shape)
    for method in ("grad_cam++", "eigen_cam", "ablation_cam"):
        close(of(linear, method), linear.expected(method), 1e-5)
    x, classes = linear.x[:3], EACH_CLASS[:3]
    expected = score_cam(linear.model, x, linear.maps[:3], classes)
    close(kv.class_activation_map(linear.model, x, target=classes, method="score_cam"), expected, 1e-5)


# A head that bends: gradients by a tape through the layers that follow, and the paper's sums position by position.


def bent_model(activation="tanh"):
    inputs = keras.Input(SHAPE)
    x = conv(4, "mid", activation=activation)(inputs)
    mid = x
    x = conv(5, "late", activation="relu")(layers.AveragePooling2D(2, name="pool")(x))
    x = dense(6, "hidden", "gelu")(layers.Flatten(name="flat")(x))
    logits = dense(CLASSES, "logits")(x)
    model = keras.Model(inputs, layers.Softmax(name="shares")(logits))
    return model, keras.Model(inputs, logits), keras.Model(inputs, mid), keras.Model(mid, logits)


@pytest.fixture(scope="module")
def bent():
    keras.utils.set_random_seed(5)
    return bent_model()


def logits_of(model, x, classes):
    return np.asarray(model(x), np.float64)[np.arange(len(x)), classes]


def by_the_paper(method, a, g):
    """One picture's map, position by position: `a` and `g` are `(h, w, channels)`."""
    h, w, channels = a.shape
    places = [(i, j) for i in range(h) for j in range(w)]
    weight = np.zeros(channels)
    for c in range(channels):
        total = sum(a[p][c] for p in places)
        for p in places:
            slope = g[p][c]
            if method == "grad_cam":
                weight[c] += slope / len(places)
            elif method == "grad_cam++" and slope != 0:
                alpha = slope**2 / (2 * slope**2 + slope**3 * total)
                weight[c] += alpha * max(slope, 0)
            elif method == "xgrad_cam":
                weight[c] += slope * a[p][c] / total
    found = np.zeros((h, w))
    for p in places:
        for c in range(channels):
            factor = {"hires_cam": g[p][c], "layer_cam": max(g[p][c], 0)}.get(method, weight[c])
            found[p] += factor * a[p][c]
    return found if method == "hires_cam" else relu(found)


@pytest.mark.parametrize("method", quick(BY_GRADIENT, "grad_cam", "grad_cam++"))
def test_where_the_head_bends_the_map_is_the_papers_sums_over_gradients_by_a_tape(bent, method):
    model, _, up_to, rest = bent
    x, classes = draw(ROWS, *SHAPE), np.array([0, 1, 2, 1])
    a = up_to(x)
    with tf.GradientTape() as tape:
        tape.watch(a)
        total = tf.reduce_sum(tf.gather(rest(a), classes, axis=1, batch_dims=1))
    slopes = np.asarray(tape.gradient(total, a), np.float64)
    assert np.asarray(a).min() < 0 < np.asarray(a).max(), "activations of either sign"
    expected = np.stack([by_the_paper(method, *one) for one in zip(np.asarray(a, np.float64), slopes, strict=True)])
    # XGrad-CAM and Grad-CAM++ divide by sums of either sign, which come close to 0.
    divides = method in ("xgrad_cam", "grad_cam++")
    said = f'method="{re.escape(method)}": it divides by sums .* activations of "mid" are negative, .* after its ReLU'
    with pytest.warns(UserWarning, match=said) if divides else contextlib.nullcontext():
        found = kv.class_activation_map(model, x, layer="mid", target=classes, method=method)
    close(found, expected, 1e-4 if divides else 1e-5)


@pytest.mark.parametrize("activation", quick(["relu", "tanh"], "tanh"))
@pytest.mark.parametrize("method", quick(["grad_cam++", "layer_cam"], "grad_cam++"))
def test_a_view_says_once_a_fit_that_a_method_is_unreliable_for_signed_activations(
    tmp_path, capsys, activation, method
):
    pooled = [layers.GlobalAveragePooling2D(), dense(CLASSES, "answer", "softmax")]
    model = keras.Sequential([keras.Input(SHAPE), layers.Conv2D(3, 3, activation=activation, name="maps"), *pooled])
    model.compile("sgd", "sparse_categorical_crossentropy")
    data = draw(ROWS, *SHAPE), np.arange(ROWS) % CLASSES
    view = kv.GradCAM(tmp_path, data, training_data=data, method=method, on_error="raise")
    model.fit(*data, epochs=2, verbose=2, callbacks=[view])
    warned = capsys.readouterr().out.count('GradCAM, method="grad_cam++": it divides by sums')
    assert warned == (method == "grad_cam++" and activation == "tanh")


def test_eigen_cam_of_activations_of_either_sign_is_the_first_singular_vector(bent):
    model, _, up_to, _ = bent
    x = draw(ROWS, *SHAPE)
    found = kv.class_activation_map(model, x, layer="mid", method="eigen_cam")
    for one, a in zip(found, np.asarray(up_to(x), np.float64), strict=True):
        u, s, _ = np.linalg.svd(a.reshape(-1, a.shape[-1]), full_matrices=False)
        expected = u[:, 0].reshape(a.shape[:2]) * s[0]
        close(one, expected * np.sign(expected.sum()))


# Score-CAM and ablation-CAM ask the model again: here by a loop over channels that runs the model itself.


def resized(mask, shape):
    """As TensorFlow resizes pictures; of a signal along its one axis, of a volume plane by plane."""
    for axis, side in enumerate(shape):
        lines = np.moveaxis(mask, axis, -1)
        flat = lines.reshape(1, -1, lines.shape[-1], 1).astype(np.float32)
        grown = tf.image.resize(flat, (flat.shape[1], side), "bilinear").numpy()
        mask = np.moveaxis(grown.reshape(*lines.shape[:-1], side), -1, axis)
    return mask


def score_cam(model, x, activations, classes, score=None):
    """Algorithm 1 of the paper, one picture and channel at a time; `model` gives what the score is taken of."""
    logits = score or (lambda x, classes: logits_of(without_softmax(model), x, classes))
    found = np.zeros(activations.shape[:-1])
    for row, a in enumerate(activations):
        varying = [c for c in range(a.shape[-1]) if a[..., c].max() > a[..., c].min()]
        gains = []
        for c in varying:
            mask = resized(a[..., c], x.shape[1:-1])
            seen = x[row] * ((mask - mask.min()) / np.ptp(mask))[..., None]
            gains.append(logits(seen[None].astype(np.float32), classes[row : row + 1])[0])
        shares = np.exp(np.array(gains) - max(gains))
        for c, share in zip(varying, shares / shares.sum(), strict=True):
            found[row] += share * a[..., c]
    return relu(found)


def without_softmax(model):
    """The same weights, the last layer without its activation."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    copy.layers[-1].activation = keras.activations.linear
    return copy


def test_score_cam_is_the_papers_loop_over_masked_pictures(pictures, bent):
    x, maps = pictures.x[2:5], pictures.maps[2:5]
    found = kv.class_activation_map(pictures.model, x, target=EACH_CLASS[2:5], method="score_cam")
    close(found, score_cam(pictures.model, x, maps, EACH_CLASS[2:5]), 1e-5)
    model, logits, up_to, _ = bent
    x = draw(2, *SHAPE)
    own = np.asarray(logits(x)).argmax(-1)
    expected = score_cam(None, x, np.asarray(up_to(x)), own, lambda x, classes: logits_of(logits, x, classes))
    close(kv.class_activation_map(model, x, layer="mid", method="score_cam"), expected, 1e-5)


def ablation_cam(rest, activations, classes):
    """Equation 5 of the paper, by the layers that follow on their own."""
    activations = np.asarray(activations)
    whole = logits_of(rest, activations, classes)
    found = np.zeros(activations.shape[:-1])
    for c in range(activations.shape[-1]):
        without = activations.copy()
        without[..., c] = 0
        weight = (whole - logits_of(rest, without, classes)) / np.abs(whole)
        found += weight[:, None, None] * activations[..., c]
    return relu(found)


def test_ablation_cam_is_the_papers_loop_over_channels_set_to_zero(bent):
    model, logits, up_to, rest = bent
    x = draw(ROWS, *SHAPE)
    classes = np.asarray(logits(x)).argmin(-1)
    found = kv.class_activation_map(model, x, layer="mid", target=classes, method="ablation_cam")
    close(found, ablation_cam(rest, up_to(x), classes), 1e-5)


@pytest.mark.slow
def test_ablation_cam_is_that_of_a_model_whose_kernel_lacks_the_channel(pictures):
    """Of ReLU, a channel without kernel and bias is 0: another way to the same weights, through the model's start."""
    x, classes = pictures.x[::3], np.array([2, 0, 1, 2])
    whole = without_softmax(pictures.model)
    before = logits_of(whole, x, classes)
    last = whole.get_layer("last")
    kernel, bias = (variable.numpy() for variable in (last.kernel, last.bias))
    expected = np.zeros(pictures.maps[::3].shape[:-1])
    for c in range(kernel.shape[-1]):
        kept = np.arange(kernel.shape[-1]) != c
        last.kernel.assign(kernel * kept)
        last.bias.assign(bias * kept)
        expected += ((before - logits_of(whole, x, classes)) / np.abs(before))[:, None, None] * pictures.maps[
            ::3, ..., c
        ]
    found = kv.class_activation_map(pictures.model, x, target=classes, method="ablation_cam")
    close(found, relu(expected), 1e-5)


def two_rivals():
    """Class 0 answers to what channel 0 shows, class 1 to the rest: without channel 0, class 1 is predicted."""
    inputs = keras.Input((2, 4, 2))
    maps = layers.Conv2D(2, 1, use_bias=False, name="maps")(inputs)
    model = keras.Model(inputs, layers.Dense(2, "softmax", name="answer")(global_mean()(maps)))
    model.get_layer("maps").kernel.assign(np.eye(2)[None, None])
    model.get_layer("answer").kernel.assign([[3.0, 0.5], [0.5, 2.0]])
    return model


@pytest.mark.slow
def test_the_predicted_class_is_that_of_the_whole_picture_also_where_a_channel_or_half_the_picture_is_gone():
    model = two_rivals()
    x = np.zeros((1, 2, 4, 2), np.float32)
    x[..., :2, 0], x[..., 2:, 1] = 1.0, 1.2  # left speaks for class 0, right for class 1
    logits = without_softmax(model)
    assert np.argmax(logits(x)) == 0
    assert np.argmax(logits(x * [0.0, 1.0])) == 1, "without channel 0 it would be the other class"
    right = np.repeat([0.0, 1.0], 2)[None, None, :, None]
    assert np.argmax(logits((x * right).astype(np.float32))) == 1, "and so seen through channel 1"
    for method in ("score_cam", "ablation_cam"):
        predicted = kv.class_activation_map(model, x, layer="maps", method=method)
        close(predicted, kv.class_activation_map(model, x, layer="maps", method=method, target=0))
    expected = score_cam(model, x, x, np.zeros(1, int))
    close(kv.class_activation_map(model, x, layer="maps", method="score_cam"), expected, 1e-5)


@pytest.mark.parametrize("method", quick(["grad_cam", "score_cam", "ablation_cam"], "grad_cam"))
def test_the_output_itself_is_explained_where_it_is_the_score(pictures, method):
    x, maps, classes = pictures.x[:3], pictures.maps[:3], np.array([1, 1, 0])

    def share(x, classes):
        return logits_of(pictures.model, x, classes)

    if method == "score_cam":
        expected = score_cam(None, x, maps, classes, share)
    elif method == "ablation_cam":
        head = keras.Sequential([keras.Input(maps.shape[1:]), global_mean(), pictures.model.get_layer("answer")])
        expected = ablation_cam(head, maps, classes)
    else:
        p = np.asarray(pictures.model(x), np.float64)
        w = p[range(3), classes, None] * (pictures.kernel[:, classes].T - p @ pictures.kernel.T)
        expected = relu((maps * w[:, None, None]).sum(-1)) / maps[0, ..., 0].size
    close(kv.class_activation_map(pictures.model, x, target=classes, method=method, score="output"), expected, 1e-5)


# What is explained: several outputs, pixels, quantities, one unit. The perturbing methods go their own way to a score.


class Branching:
    """Maps, and of their mean a classifier, a quantity and one sigmoid unit; beside it a class for each pixel."""

    def __init__(self):
        keras.utils.set_random_seed(6)
        inputs = keras.Input(SHAPE)
        maps = conv(4, "maps")(inputs)
        mean = global_mean()(maps)
        outputs = {
            "kind": dense(CLASSES, "kind", "softmax")(mean),
            "amount": dense(1, "amount")(mean),
            "whether": dense(1, "whether", "sigmoid")(mean),
            "pixels": layers.Conv2D(2, 1, activation="softmax", name="pixels", bias_initializer="random_normal")(maps),
        }
        self.whole = keras.Model(inputs, outputs)
        self.only = {name: keras.Model(inputs, output) for name, output in outputs.items()}
        self.x = draw(ROWS, *SHAPE)
        self.maps = kv.activations(self.whole, self.x, ["maps"])["maps"].astype(np.float64)

    def kernel(self, name):
        layer = self.whole.get_layer(name)
        return layer.kernel.numpy().astype(np.float64).reshape(self.maps.shape[-1], -1), layer.bias.numpy()

    def ablated(self, weights, bias):
        """The closed form for a score that is linear in the means of the maps."""
        lost = self.maps.mean((1, 2)) * weights
        return relu((self.maps * (lost / np.abs(lost.sum(-1, keepdims=True) + bias))[:, None, None]).sum(-1))

    def weighed(self, weights):
        """The closed form of Grad-CAM for such a score."""
        return relu((self.maps * weights).sum(-1)) / self.maps[0, ..., 0].size


@pytest.fixture(scope="module")
def branching():
    return Branching()


@pytest.mark.parametrize("name", ["amount", "kind"])
def test_a_callable_chooses_one_of_several_outputs(branching, name):
    weights, bias = branching.kernel(name)
    given = {"layer": "maps", "target": lambda outputs: outputs[name][:, 0]}
    close(kv.class_activation_map(branching.whole, branching.x, **given), branching.weighed(weights[:, 0]))
    found = kv.class_activation_map(branching.whole, branching.x, method="ablation_cam", **given)
    close(found, branching.ablated(weights[:, 0], bias[0]), 1e-5)


def test_a_quantity_is_itself_the_score(branching):
    weights, bias = branching.kernel("amount")
    found = kv.class_activation_map(branching.only["amount"], branching.x, layer="maps", method="ablation_cam")
    close(found, branching.ablated(weights[:, 0], bias[0]), 1e-5)


def test_of_one_sigmoid_unit_class_0_is_minus_the_logit(branching):
    weights, bias = branching.kernel("whether")
    for target, sign in ((1, 1), (0, -1)):
        for method, expected in (("grad_cam", branching.weighed), ("ablation_cam", branching.ablated)):
            given = {"target": target, "method": method, "layer": "maps"}
            found = kv.class_activation_map(branching.only["whether"], branching.x, **given)
            more = (sign * bias[0],) if method == "ablation_cam" else ()
            close(found, expected(sign * weights[:, 0], *more), 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["grad_cam", "hires_cam", "ablation_cam"])
def test_of_a_segmentation_a_callable_explains_one_class_within_a_region(branching, method):
    """Only within it do the maps matter, by the kernel of a 1 x 1 convolution."""
    weights, bias = branching.kernel("pixels")
    region = np.zeros(SHAPE[:2])
    region[1:4, 2:8] = 1
    count = region.sum()

    def mean_logit(outputs):
        pixels = outputs["pixels"] if isinstance(outputs, dict) else outputs
        return ops.sum(pixels[..., 1] * region.astype(np.float32), axis=(1, 2)) / count

    found = kv.class_activation_map(branching.whole, branching.x, layer="maps", target=mean_logit, method=method)
    if method == "hires_cam":
        expected = (branching.maps * weights[:, 1]).sum(-1) * region / count
    elif method == "grad_cam":  # the gradient's mean over all positions is W / positions again
        expected = branching.weighed(weights[:, 1])
    else:
        within = (branching.maps * region[..., None]).sum((1, 2)) / count * weights[:, 1]
        lost = within / np.abs(within.sum(-1, keepdims=True) + bias[1])
        expected = relu((branching.maps * lost[:, None, None]).sum(-1))
    close(found, expected, 1e-5)


# Inputs other than one float picture.


@pytest.mark.slow
def test_whole_numbers_are_masked_as_the_model_computes_with_them():
    """Bytes that the model rescales itself: score-CAM feeds it the picture masked, not bytes that wrap around."""
    inputs = keras.Input((5, 8, 1))
    maps = conv(3, "maps")(layers.Rescaling(1 / 255)(inputs))
    model = keras.Model(inputs, dense(CLASSES, "answer", "softmax")(global_mean()(maps)))
    x = np.random.default_rng(0).integers(0, 256, (2, 5, 8, 1), np.uint8)
    for method in EACH_KIND_OF_PASS:
        found = kv.class_activation_map(model, x, method=method, target=1)
        close(found, kv.class_activation_map(model, x.astype(np.float32), method=method, target=1))


@pytest.mark.slow
def test_a_grey_picture_without_an_axis_of_channels_can_be_masked_too():
    inputs = keras.Input((5, 8))
    maps = conv(3, "maps")(layers.Reshape((5, 8, 1))(inputs))
    head = dense(CLASSES, "answer", "softmax")
    model = keras.Model(inputs, head(global_mean()(maps)))
    whole = keras.Input((5, 8, 1))
    same = keras.Model(whole, head(global_mean()(model.get_layer("maps")(whole))))
    x = draw(2, 5, 8)
    maps = kv.activations(model, x, ["maps"])["maps"]
    expected = score_cam(same, x[..., None], maps, np.array([2, 0]))
    close(kv.class_activation_map(model, x, target=[2, 0], method="score_cam"), expected, 1e-5)


@pytest.mark.slow
def test_of_several_inputs_the_first_is_masked():
    picture, number = keras.Input((5, 8, 1), name="a_picture"), keras.Input((3,), name="numbers")
    joined = layers.Concatenate()([global_mean()(conv(3, "maps")(picture)), number])
    model = keras.Model({"a_picture": picture, "numbers": number}, dense(CLASSES, "answer", "softmax")(joined))
    logits = without_softmax(model)
    x, numbers = draw(2, 5, 8, 1), draw(2, 3, seed=1)
    fed = {"a_picture": x, "numbers": numbers}
    maps, rows = kv.activations(model, fed, ["maps"])["maps"], iter([0] * 3 + [1] * 3)

    def score(seen, classes):
        row = next(rows)
        return logits_of(lambda x: logits({"a_picture": x, "numbers": numbers[row : row + 1]}), seen, classes)

    expected = score_cam(None, x, maps, np.array([2, 0]), score)
    close(kv.class_activation_map(model, fed, target=[2, 0], method="score_cam"), expected, 1e-5)


def test_maps_that_do_not_lie_on_the_input_cannot_mask_it_and_the_error_says_so():
    words = keras.Input((7,), dtype="int32")
    maps = layers.Reshape((7, 2, 2), name="maps")(layers.Embedding(9, 4, name="look_up")(words))
    model = keras.Model(words, layers.Dense(2, "softmax")(global_mean()(maps)))
    with pytest.raises(
        ValueError,
        match=r'method="score_cam": it masks the input with the maps of "maps" \(7, 2\), but the .* \(7,\) has',
    ):
        kv.class_activation_map(model, np.ones((2, 7), np.int32), method="score_cam")


def test_an_unknown_method_lists_those_there_are(pictures):
    with pytest.raises(ValueError, match=r"method='cam': expected one of 'grad_cam', .*'ablation_cam'\."):
        kv.class_activation_map(pictures.model, pictures.x, method="cam")


# Whichever way the model is built, and whatever it does besides.


class Subclassed(keras.Model):
    """`first` and `last` as attributes, the head in a model of its own."""

    def __init__(self, head):
        super().__init__()
        self.first, self.last, self.top = conv(4, "first"), conv(5, "last", strides=2), head

    def call(self, x):
        return self.top(self.last(self.first(x)))


def by_every_method(model, x, layer):
    """As `class_activation_map` does it, with one reader for all methods: each of its passes is compiled once."""
    reader, score, classes, found = Reader(model, x), Score(), EACH_CLASS[: len(x)], {}
    for method in METHODS:
        explained = LayerMaps(reader, layer, score, method)
        captured = reader.read([explained.capture], x, targets={score.targets: classes})[explained.capture]
        found[method] = explained.maps(captured, explained.weights(reader, captured, x, classes))
    return found


@pytest.mark.slow
def test_flat_nested_and_subclassed_models_of_equal_weights_give_the_same_map_by_every_method(pictures):
    flat = pictures.model
    inner = keras.Input(SHAPE)
    backbone = keras.Model(inner, conv(5, "last", strides=2)(conv(4, "first")(inner)), name="backbone")
    head = keras.Sequential([global_mean(), dense(CLASSES, "answer", "softmax")], name="head")
    inputs = keras.Input(SHAPE)
    nested = keras.Model(inputs, head(backbone(inputs)))
    nested.set_weights(flat.get_weights())
    subclassed = Subclassed(keras.Sequential([global_mean(), dense(CLASSES, "answer", "softmax")], name="head"))
    x = pictures.x[:3]
    subclassed(x)
    subclassed.set_weights(flat.get_weights())
    expected = by_every_method(flat, x, "last")
    for model, path in ((nested, "backbone/last"), (subclassed, "last")):
        for method, found in by_every_method(model, x, path).items():
            np.testing.assert_array_equal(found, expected[method], err_msg=f"{method} {path}")
    close(expected["ablation_cam"], kv.class_activation_map(flat, x, target=EACH_CLASS[:3], method="ablation_cam"), 0)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["compiled", "eagerly"])
def test_the_model_is_left_to_the_bit_by_every_method_also_where_it_samples(how):
    eagerly = how == "eagerly"
    inputs = keras.Input((5, 6, 2))
    x = layers.Dropout(0.5)(layers.BatchNormalization()(conv(3, "maps")(Sampling()(inputs))))
    model = keras.Model(inputs, dense(CLASSES, "answer", "softmax")(global_mean()(x)))
    model.compile("adam", "sparse_categorical_crossentropy", run_eagerly=eagerly)
    given = draw(3, 5, 6, 2)
    model.train_on_batch(given, np.arange(3))  # the optimizer has a state
    state = [*model.variables, *model.optimizer.variables, global_seed_generator().state]
    before = [variable.numpy().tobytes() for variable in state]
    for method in METHODS if eagerly else EACH_KIND_OF_PASS:
        found = kv.class_activation_map(model, given, layer="maps", method=method)
        assert [variable.numpy().tobytes() for variable in state] == before, method
    again = kv.class_activation_map(model, given, layer="maps", method=method)
    np.testing.assert_array_equal(again, found)  # the same numbers are drawn, in every pass
