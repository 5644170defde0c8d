"""One further step on copies is the step that the model makes, and leaves the model as it was."""

import keras
import numpy as np
import pytest
from harness import autoencoder, classifier, first, pictures, quick
from keras import layers, ops, optimizers
from keras.src.random.seed_generator import global_seed_generator

from kerasviz_callbacks.taps.layers import list_layers
from kerasviz_callbacks.taps.optimizers import NoStepError
from kerasviz_callbacks.taps.reader import Reader
from kerasviz_callbacks.taps.step import Step, check_clip
from kerasviz_callbacks.taps.trial_step import TrialStep, step_targets
from kerasviz_callbacks.taps.weights import weight_matrices

DATA = pictures(n=24)
X, Y = DATA.x, DATA.y
CLIPS = ({}, {"clipnorm": 0.05}, {"clipvalue": 0.003}, {"global_clipnorm": 0.05})
KINDS = {
    "sgd": lambda **o: optimizers.SGD(0.3, **o),
    "momentum": lambda **o: optimizers.SGD(0.1, momentum=0.9, nesterov=True, **o),
    "adam": lambda **o: optimizers.Adam(0.01, **o),
}


def words(**o):
    return optimizers.Adam(0.05, **o)


def noisy():
    """All that a training step moves beside the weights: dropout, batch averages, a loss of its own."""
    inputs = keras.Input((8, 8, 1))
    x = layers.GaussianNoise(0.1, seed=2)(inputs)
    x = layers.Conv2D(4, 3, name="conv", kernel_regularizer=keras.regularizers.L2(0.1))(x)
    x = layers.ReLU()(layers.BatchNormalization(name="normal")(x))
    x = layers.Dropout(0.3, seed=4)(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(3, activation="softmax", name="answer")(x))


def compiled(optimizer, build=noisy, loss="sparse_categorical_crossentropy", seed=3, **options):
    keras.utils.set_random_seed(seed)
    model = build()
    model.compile(optimizer, loss, **{"jit_compile": False, **options})
    return model


def kernels(model):
    return [matrix.variable for matrix in weight_matrices(list_layers(model)) if matrix.variable.trainable]


def stepped(model, x=X, y=Y, clip=None):
    step = Step(model, x, y, kernels(model), clip)
    return step, step()


def arrays(model):
    return [variable.numpy() for variable in kernels(model)]


def assert_is_the_models_own_step(model, x=X, y=Y, clip=None, rtol=1e-5):
    """What the step shows, and then the model's own; the tolerance is a share of the change."""
    before = arrays(model)
    _, found = stepped(model, x, y, clip)
    model.train_on_batch(x, y)
    for one, start, end in zip(found, before, arrays(model), strict=True):
        change = np.abs(end - start).max()
        assert change > 0
        np.testing.assert_allclose(one.weights, end, rtol=0, atol=rtol * change + 2e-7 * np.abs(end).max())
    return found


@pytest.mark.parametrize("kind", quick(KINDS, "adam"))
@pytest.mark.parametrize("clip", first(reversed(CLIPS)), ids=lambda clip: next(iter(clip), "none"))
def test_it_is_the_step_that_the_model_then_makes_the_first_one_and_a_later_one(kind, clip):
    model = compiled(KINDS[kind](**clip))
    step = Step(model, X, Y, kernels(model))
    for _ in range(2):
        before, found = arrays(model), step()
        for _ in range(2):  # asked twice, it is the same, as nothing has changed
            for one, again in zip(found, step(), strict=True):
                np.testing.assert_array_equal(one.weights, again.weights)
        model.train_on_batch(X, Y)
        for one, start, end in zip(found, before, arrays(model), strict=True):
            np.testing.assert_allclose(one.weights, end, atol=1e-4 * np.abs(end - start).max() + 1e-7, rtol=0)
            assert (one.clipped_norm < one.norm * 0.99) == bool(clip)
        model.train_on_batch(X[:5], Y[:5])  # the optimizer goes on, and the copy with it
    assert step.clip == clip


@pytest.mark.parametrize("clip", first(CLIPS[1:]), ids=lambda clip: next(iter(clip)))
def test_a_clip_in_place_of_the_optimizers_is_that_of_an_optimizer_that_has_it(clip):
    own = stepped(compiled(optimizers.Adam(0.01, **clip)))[1]
    other = stepped(compiled(optimizers.Adam(0.01, clipnorm=7.0)), clip=clip)[1]
    for one, two in zip(own, other, strict=True):
        np.testing.assert_array_equal(one.weights, two.weights)
        assert (one.norm, one.clipped_norm) == (two.norm, two.clipped_norm)


def linear():
    return keras.Sequential([keras.Input((3,)), layers.Dense(2, name="only", bias_initializer="ones")])


@pytest.mark.parametrize("clip", CLIPS[1:], ids=lambda clip: next(iter(clip)))
def test_a_linear_models_step_is_that_of_the_closed_form(clip):
    """mse of xW + b: the gradients are 2 x'(xW + b - y) / n / k and 2 sum(xW + b - y) / n / k."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(10, 3)), rng.normal(size=(10, 2))
    model = compiled(optimizers.SGD(0.5), linear, "mse")
    kernel, bias = (weight.astype(np.float64) for weight in model.get_weights())
    error = (x @ kernel + bias - y) * 2 / y.size
    gradient, of_bias = x.T @ error, error.sum(axis=0)
    ((name, most),) = clip.items()
    whole = {
        "clipnorm": np.sqrt((gradient**2).sum()),
        "global_clipnorm": np.sqrt((gradient**2).sum() + (of_bias**2).sum()),
        "clipvalue": 1.0,
    }[name]
    assert whole > most
    clipped = np.clip(gradient, -most, most) if name == "clipvalue" else gradient * most / whole
    (found,) = stepped(model, x.astype(np.float32), y.astype(np.float32), clip)[1]
    np.testing.assert_allclose(found.weights, kernel - 0.5 * clipped, rtol=1e-5)
    share = np.linalg.norm(clipped) / np.linalg.norm(gradient)
    assert found.clipped_norm / found.norm == pytest.approx(share, rel=1e-5)


def state(model):
    """Every number that a training step could move, and what the layers hold."""
    metrics = [variable for metric in model.metrics for variable in metric.variables]
    held = [*model.variables, *model.optimizer.variables, *metrics, global_seed_generator().state]
    return {
        "numbers": [variable.numpy().tobytes() for variable in held],
        "built": (model.optimizer.built, model._compile_loss.built, model._compile_metrics.built),
        "losses": [id(loss) for layer in (model, *model.layers) for loss in layer._losses],
        "attributes": sorted(vars(model)),
    }


@pytest.mark.parametrize("eagerly", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("trained", first([False, True]))
def test_the_model_its_optimizer_metrics_and_random_states_are_left_as_they_were(eagerly, trained):
    model = compiled(optimizers.Adam(0.01, clipnorm=0.1, use_ema=True), metrics=["accuracy"], run_eagerly=eagerly)
    if trained:
        model.train_on_batch(X, Y)
    before = state(model)
    step, found = stepped(model)
    again = step()
    assert state(model) == before
    for one, two in zip(found, again, strict=True):
        np.testing.assert_array_equal(one.weights, two.weights)


def test_run_eagerly_is_the_same_step():
    assert_is_the_models_own_step(compiled(optimizers.Adam(0.01, clipnorm=0.05), run_eagerly=True), rtol=1e-4)


@pytest.mark.slow
def test_a_learning_rate_that_a_callback_sets_is_followed_and_so_is_a_schedule():
    model = compiled(optimizers.SGD(0.3))
    step = Step(model, X, Y, kernels(model))
    start = arrays(model)[0]
    whole = step()[0].weights - start
    model.optimizer.learning_rate = 0.03
    np.testing.assert_allclose(step()[0].weights - start, whole / 10, atol=1e-6)
    schedule = optimizers.schedules.ExponentialDecay(0.3, decay_steps=1, decay_rate=0.1)
    model = compiled(optimizers.SGD(schedule))
    step = Step(model, X, Y, kernels(model))
    start = arrays(model)[0]
    np.testing.assert_allclose(step()[0].weights - start, whole, atol=1e-6)
    model.optimizer.iterations.assign(1)
    np.testing.assert_allclose(step()[0].weights - start, whole / 10, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("steps", [2, 3])
def test_accumulated_gradients_make_the_next_update_as_if_every_batch_were_this_one(steps):
    plain = stepped(compiled(optimizers.Adam(0.01, clipnorm=0.05)))[1]
    model = compiled(optimizers.Adam(0.01, clipnorm=0.05, gradient_accumulation_steps=steps))
    found = stepped(model)[1]
    for one, two in zip(found, plain, strict=True):
        np.testing.assert_allclose(one.weights, two.weights, atol=1e-6)
        assert one.clipped_norm / one.norm == pytest.approx(two.clipped_norm / two.norm, rel=1e-5)
    model.train_on_batch(X[:5], Y[:5])  # half an update waits in the optimizer, and changes nothing here
    before = arrays(model)
    assert all((one.weights != start).any() for one, start in zip(stepped(model)[1], before, strict=True))


class Halved(keras.constraints.Constraint):
    def __call__(self, w):
        return w / 2


def test_constraints_weight_decay_and_what_is_excluded_from_it_count():
    def build():
        return keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                layers.Flatten(),
                layers.Dense(4, name="free", kernel_constraint=Halved()),
                layers.Dense(3, name="kept", activation="softmax"),
            ]
        )

    optimizer = optimizers.AdamW(0.01, weight_decay=0.5)
    model = compiled(optimizer, build)
    optimizer.exclude_from_weight_decay(var_list=[model.get_layer("kept").kernel])
    assert_is_the_models_own_step(model, rtol=1e-4)
    optimizer = optimizers.SGD(0.01, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["kernel"])
    assert_is_the_models_own_step(compiled(optimizer, build), rtol=1e-4)


@pytest.mark.slow
def test_rows_of_an_embedding_that_are_looked_up_twice_are_clipped_as_keras_does():
    def build():
        embedding = layers.Embedding(12, 3, name="words")
        return keras.Sequential([keras.Input((4,), dtype="int32"), embedding, layers.Flatten(), layers.Dense(2)])

    x = np.random.default_rng(0).integers(0, 5, (8, 4)).astype(np.int32)
    y = np.arange(8) % 2
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    found = assert_is_the_models_own_step(compiled(words(clipnorm=0.01), build, loss), x, y, rtol=1e-4)
    assert found[0].weights.shape == (12, 3)
    assert found[0].clipped_norm < 0.5 * found[0].norm


def half():
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        return classifier()
    finally:
        keras.mixed_precision.set_global_policy("float32")


@pytest.mark.slow
def test_the_loss_scale_of_half_precision_is_taken_out_again():
    scaled = optimizers.LossScaleOptimizer(optimizers.SGD(0.3, clipnorm=0.01), initial_scale=64.0)
    found = assert_is_the_models_own_step(compiled(scaled, half), rtol=0.02)
    assert found[-1].clipped_norm < 0.5 * found[-1].norm
    fixed = optimizers.SGD(0.3, clipnorm=0.05, loss_scale_factor=128.0)
    assert_is_the_models_own_step(compiled(fixed, classifier), rtol=1e-4)


@pytest.mark.slow
def test_a_step_that_overflows_half_precision_is_left_out_as_the_model_leaves_it_out():
    scaled = optimizers.LossScaleOptimizer(optimizers.SGD(0.3), initial_scale=2.0**24)
    model = compiled(scaled, half)
    before = arrays(model)
    found = stepped(model)[1]
    model.train_on_batch(X, Y)
    for one, start, end in zip(found, before, arrays(model), strict=True):
        np.testing.assert_array_equal(one.weights, start)
        np.testing.assert_array_equal(end, start)


def two_answers():
    inputs = keras.Input((8, 8, 1))
    x = layers.Dense(4, name="first")(layers.Flatten()(inputs))
    return keras.Model(inputs, {"kind": layers.Dense(3, name="kind")(x), "size": layers.Dense(1, name="size")(x)})


@pytest.mark.slow
@pytest.mark.parametrize("eagerly", [True, False])
def test_several_outputs_with_weighted_losses(eagerly):
    loss = {"kind": keras.losses.SparseCategoricalCrossentropy(from_logits=True), "size": "mse"}
    model = compiled(
        words(clipvalue=0.01), two_answers, loss, loss_weights={"kind": 1.0, "size": 0.3}, run_eagerly=eagerly
    )
    assert_is_the_models_own_step(model, X, {"kind": Y, "size": X.mean(axis=(1, 2))}, rtol=1e-3)
    assert "kind_loss" in model.train_on_batch(X, {"kind": Y, "size": X.mean(axis=(1, 2))}, return_dict=True)


class Penalised(layers.Layer):
    def call(self, x):
        self.add_loss(ops.mean(ops.square(x)))
        return x


def test_added_losses_need_no_targets():
    def build():
        return keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(3, name="only"), Penalised()])

    model = compiled(optimizers.SGD(0.1), build, None)
    assert_is_the_models_own_step(model, X, None)


class OwnLoss(keras.Model):
    """Its own loss, without `training` as older models have it, and its own tracker."""

    def __init__(self):
        super().__init__()
        self.flat, self.only = layers.Flatten(), layers.Dense(1, name="only")
        self.seen = keras.metrics.Mean(name="seen")

    def call(self, x):
        return self.only(self.flat(x))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
        loss = ops.mean(ops.abs(y_pred[:, 0] - ops.cast(y, "float32")))
        self.seen.update_state(loss)
        return loss


@pytest.mark.slow
@pytest.mark.parametrize("eagerly", [False, True])
def test_a_loss_of_the_models_own_counts_and_its_tracker_is_not_moved(eagerly):
    model = compiled(optimizers.SGD(0.1), OwnLoss, None, run_eagerly=eagerly)
    model(X)
    model.train_on_batch(X, Y)
    before = [variable.numpy() for variable in model.seen.variables]
    stepped(model)
    np.testing.assert_array_equal([variable.numpy() for variable in model.seen.variables], before)
    assert_is_the_models_own_step(model)


def test_a_model_of_one_batch_size_steps_on_whole_batches():
    def build():
        inputs = keras.Input(batch_shape=(6, 8, 8, 1))
        return keras.Model(inputs, layers.Dense(3, activation="softmax")(layers.Flatten()(inputs)))

    model = compiled(optimizers.SGD(0.1), build)
    found = stepped(model, X[:4], Y[:4])[1]
    model.train_on_batch(X[[0, 1, 2, 3, 0, 1]], Y[[0, 1, 2, 3, 0, 1]])
    np.testing.assert_allclose(found[0].weights, arrays(model)[0], atol=1e-6)


def test_weights_that_the_loss_does_not_reach_stay_and_have_no_gradient():
    def build():
        inputs = keras.Input((8, 8, 1))
        flat = layers.Flatten()(inputs)
        spare = layers.Dense(2, name="spare")(flat)
        return keras.Model(inputs, [layers.Dense(3, activation="softmax", name="answer")(flat), spare])

    model = compiled(optimizers.Adam(0.1), build, ["sparse_categorical_crossentropy", None])
    found = stepped(model, X, [Y, Y.astype(np.float32)])[1]
    by_path = dict(zip([variable.path for variable in kernels(model)], found, strict=True))
    spare = by_path["spare/kernel"]
    np.testing.assert_array_equal(spare.weights, model.get_layer("spare").kernel.numpy())
    assert spare.norm == spare.clipped_norm == 0


def test_nan_weights_give_a_nan_step_and_no_warning():
    model = compiled(optimizers.SGD(0.1, global_clipnorm=1.0))
    model.get_layer("conv").kernel.assign(np.full((3, 3, 1, 4), np.nan))
    found = stepped(model)[1]
    assert all(np.isnan(one.weights).all() and np.isnan(one.norm) for one in found)


class OwnStep(keras.Model):
    def train_step(self, data):
        return super().train_step(data)


class Unsaved(optimizers.SGD):
    """Its config does not make it again."""

    def __init__(self, rate, beside):
        super().__init__(rate)


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("uncompiled", "the model is not compiled"),
        ("own step", "a train_step of its own"),
        ("own step on the instance", "a train_step of its own"),
        ("no targets", "the data have no targets"),
        ("frozen", "no weight of the model is trained"),
        ("unsaved", "the optimizer Unsaved cannot be copied: .*argument"),
        ("several", "the optimizer MultiOptimizer delegates to other optimizers"),
    ],
)
def test_it_says_why_there_is_no_step(case, words):
    inputs = keras.Input((8, 8, 1))
    outputs = layers.Dense(3, name="only", trainable=case != "frozen")(layers.Flatten()(inputs))
    model = (OwnStep if case == "own step" else keras.Model)(inputs, outputs)
    special = {"unsaved": Unsaved(0.1, 2), "several": optimizers.MultiOptimizer(lambda variable: Unsaved(0.1, 2))}
    if case != "uncompiled":
        model.compile(special.get(case, "sgd"), "mse")
    if case == "own step on the instance":
        vars(model)["train_step"] = lambda data: {}
    with pytest.raises(NoStepError, match=words):
        Step(model, X, None if case == "no targets" else Y, kernels(model))


def test_an_attempt_that_fails_the_first_time_says_why_and_a_later_failure_is_raised(monkeypatch):
    model = compiled("sgd", linear, "mse")
    matrices = {matrix.path: matrix for matrix in weight_matrices(list_layers(model))}
    x = np.ones((4, 3), np.float32)
    wrong = TrialStep(model, matrices, None)
    assert wrong() == {}
    assert wrong.why == {"only": "no data given"}
    wrong.begin(Reader(model, x), x, np.ones((4, 5), np.float32), has_labels=False)
    assert wrong.reason == ""
    assert wrong() == {}
    assert "must be" in wrong.why["only"] or "ncompatible" in wrong.why["only"]
    right = TrialStep(model, matrices, {"clipnorm": 1.0})
    right.begin(Reader(model, x), x, np.ones((4, 2), np.float32), has_labels=False)
    assert list(right()) == ["only"]
    assert right.clip == {"clipnorm": 1.0}
    monkeypatch.setattr(Step, "_copy_state", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        right()


def test_kernels_that_are_frozen_have_no_step_and_the_others_do():
    model = keras.Sequential(
        [keras.Input((3,)), layers.Dense(4, name="frozen", trainable=False), layers.Dense(2, name="trained")]
    )
    model.compile("sgd", "mse")
    trial_step = TrialStep(model, {matrix.path: matrix for matrix in weight_matrices(list_layers(model))}, None)
    x = np.ones((4, 3), np.float32)
    trial_step.begin(Reader(model, x), x, np.ones((4, 2), np.float32), has_labels=False)
    assert list(trial_step()) == ["trained"]
    assert trial_step.why == {"frozen": "not trained", "trained": ""}


def sparse_of_four():
    """As many classes as inputs, and linear: only the loss tells it from an autoencoder."""
    return keras.Sequential([keras.Input((4,)), layers.Dense(4)])


@pytest.mark.parametrize(
    ("build", "loss", "y", "own"),
    [
        (autoencoder, "mse", Y, False),  # labels that only colour it: the inputs are what it is trained on
        (autoencoder, "mse", X, True),
        (classifier, "sparse_categorical_crossentropy", Y, True),
        (sparse_of_four, keras.losses.SparseCategoricalCrossentropy(from_logits=True), Y, True),
        (sparse_of_four, "mse", Y, False),
    ],
)
def test_labels_beside_an_autoencoder_are_not_what_it_is_trained_on(build, loss, y, own):
    model = compiled("sgd", build, loss)
    x = X if build is not sparse_of_four else X[:, 0, :4, 0]
    found = step_targets(Reader(model, x), x, y, has_labels=y is Y)
    assert found is (y if own else x)


@pytest.mark.parametrize("clip", [None, {"clipnorm": 1}, {"clipvalue": np.float32(0.5)}, {"global_clipnorm": 1e-3}])
def test_a_clip_that_can_be_made(clip):
    assert check_clip(clip) == clip


@pytest.mark.parametrize(
    ("clip", "error", "words"),
    [
        (1.0, TypeError, r'clip=1.0: expected a dict with one of "clipnorm", "clipvalue", "global_clipnorm"'),
        ({"norm": 1.0}, ValueError, r"expected exactly one of .*; 'norm' is none of them"),
        ({}, ValueError, "expected exactly one of .*; got 0"),
        ({"clipnorm": 1.0, "clipvalue": 1.0}, ValueError, "expected exactly one of .*; got 2"),
        ({"clipnorm": "1"}, TypeError, r'clip\["clipnorm"\]=\'1\': expected a positive number, got str'),
        ({"clipnorm": True}, TypeError, "got bool"),
        ({"clipnorm": 0}, ValueError, "expected a positive, finite number"),
        ({"clipvalue": float("nan")}, ValueError, "expected a positive, finite number"),
        ({"global_clipnorm": float("inf")}, ValueError, "expected a positive, finite number"),
    ],
)
def test_a_clip_that_cannot(clip, error, words):
    with pytest.raises(error, match=words):
        check_clip(clip)
