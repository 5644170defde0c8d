"""`GeneratedImages`: steps differ by the model alone, training is the same, collapse is seen, errors come early."""

import random
import threading
import warnings
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from harness import EPOCHS, STEPS, check_each, fit, pictures, recorded, runs, same_weights
from scipy.spatial.distance import pdist

import kerasviz_callbacks as kv
from kerasviz_callbacks._autodiff import tensorflow_private
from kerasviz_callbacks._autodiff.tensorflow_private import PRIVATE_NAMES
from kerasviz_callbacks.draw.generated import Diversity, sample_grid
from kerasviz_callbacks.maths.diversity import diversity, diversity_within
from kerasviz_callbacks.views import generated_images

L = keras.layers
DATA = pictures(n=24)
TAG = "generated/generator"


class Noisy(keras.layers.Layer):
    """Adds noise from a seed generator of its own, at inference too."""

    def __init__(self):
        super().__init__()
        self.seeds = keras.random.SeedGenerator(5)

    def call(self, x):
        return x + 0.1 * keras.random.normal(keras.ops.shape(x), seed=self.seeds)


def noisy_generator(name="generator"):
    layers = [L.Dense(16, "relu"), L.Dropout(0.2), Noisy(), L.BatchNormalization(), L.Dense(64, "tanh")]
    return keras.Sequential([keras.Input((6,)), *layers, L.Reshape((8, 8, 1))], name=name)


def plain_generator():
    return keras.Sequential(
        [keras.Input((6,)), L.Dense(32, "relu"), L.Dense(64, "tanh"), L.Reshape((8, 8, 1))], name="generator"
    )


class GAN(keras.Model):
    """Two parts, two optimizers, a `train_step`, no `call`; dropout and noise in the generator."""

    def __init__(self, rate=0.01, generator=noisy_generator):
        super().__init__(name="gan")
        self.discriminator = keras.Sequential(
            [keras.Input((8, 8, 1)), L.Flatten(), L.Dense(8, "relu"), L.Dropout(0.2), L.Dense(1)], name="discriminator"
        )
        self.generator = generator()
        self.seeds = keras.random.SeedGenerator(3)
        self.generator_optimizer = keras.optimizers.Adam(rate)
        self.discriminator_optimizer = keras.optimizers.Adam(rate)
        self.generator_optimizer.build(self.generator.trainable_variables)
        self.discriminator_optimizer.build(self.discriminator.trainable_variables)
        self.compile()

    def train_step(self, data):
        real = data[0] if isinstance(data, tuple) else data
        noise = keras.random.normal((tf.shape(real)[0], 6), seed=self.seeds) + tf.random.normal((1, 6), stddev=0.1)
        with tf.GradientTape(persistent=True) as tape:
            fake = self.generator(noise, training=True)
            of_real, of_fake = (self.discriminator(x, training=True) for x in (real, fake))
            critic = tf.reduce_mean(tf.nn.softplus(-of_real) + tf.nn.softplus(of_fake))
            loss = tf.reduce_mean(tf.nn.softplus(-of_fake))
        for optimizer, value, part in (
            (self.discriminator_optimizer, critic, self.discriminator),
            (self.generator_optimizer, loss, self.generator),
        ):
            optimizer.apply_gradients(
                zip(tape.gradient(value, part.trainable_variables), part.trainable_variables, strict=True)
            )
        return {"critic": critic, "generator": loss}


def keras_draws(model):
    return model.generator(keras.random.normal((9, 6)), training=True)


def tensorflow_draws(model):
    noise = tf.random.normal((9, 6)) + tf.random.uniform((9, 6), seed=4) + tf.random.truncated_normal((9, 6))
    noise += tf.random.get_global_generator().normal((9, 6)) + tf.random.gamma((9, 6), 2.0)
    noise += tf.cast(tf.random.uniform((9, 6), 0, 5, tf.int32) + tf.random.poisson((9, 6), 2.0, tf.int32), tf.float32)
    noise += tf.cast(tf.random.categorical(tf.zeros((9, 4)), 6), tf.float32)
    return model.generator(tf.random.shuffle(noise), training=True)


def globals_draw(model):
    noise = np.random.standard_normal((9, 6)) + random.random()  # noqa: NPY002
    return model.generator(noise, training=True)


def everything(model):
    """Draws from everything, and trains."""
    model.train_step(tf.zeros((4, 8, 8, 1)))
    noise = keras.random.normal((9, 6)) + tf.random.normal((9, 6)) + np.random.standard_normal((9, 6))  # noqa: NPY002
    model.generator.layers[0].kernel.assign_add(tf.ones((6, 16)))
    return {"a": model.generator(noise + random.random(), training=True), "b": globals_draw(model)[:4]}


SAMPLERS = {
    "none": None,
    "keras": keras_draws,
    "tensorflow": tensorflow_draws,
    "globals": globals_draw,
    "everything": everything,
}


def trained(callbacks, rate=0.01, seed=1):
    """The model after a fit, and every state that sampling could change."""
    keras.utils.set_random_seed(seed)
    tf.random.get_global_generator().reset_from_seed(seed)
    model = GAN(rate)
    history = fit(model, DATA.x, None, callbacks).history
    drawn = [keras.random.normal((3,)).numpy(), tf.random.normal((3,)).numpy(), np.random.random(3)]  # noqa: NPY002
    drawn += [np.array(random.random()), tf.random.get_global_generator().normal((3,)).numpy()]
    states = [*model.generator_optimizer.variables, *model.discriminator_optimizer.variables, *model.variables]
    return [*[np.asarray(one) for one in states], *drawn], history


@pytest.mark.slow
def test_the_same_weights_give_the_same_pixels_at_every_step(tmp_path):
    def check(name):
        view = kv.GeneratedImages(tmp_path / name, DATA.x_val, sample=SAMPLERS[name], on_error="raise")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            trained([view], rate=0.0)
        logged = runs(tmp_path / name)["views/model"]
        for tag in logged.pictures:
            shown = [logged.picture(tag, step) for step in STEPS]
            # Batch normalization's averages are of the model, and move at a rate of 0 too; in training mode they rest.
            same = shown if SAMPLERS[name] is not None else shown[:1]
            assert len({picture.tobytes() for picture in same}) == 1, tag
            for step in STEPS[1:]:
                assert name == "none" or logged.scalars[scalar_of(tag)][step] == logged.scalars[scalar_of(tag)][-1]

    check_each(SAMPLERS, check)


def scalar_of(tag):
    return f"{tag}/diversity" if tag in ("generated/a", "generated/b") else "generated/diversity"


@pytest.mark.slow
def test_training_is_the_same_whatever_is_drawn_or_assigned(tmp_path):
    plain, history = trained([])

    def check(name):
        view = kv.GeneratedImages(tmp_path / name, DATA.x_val, sample=SAMPLERS[name], on_error="raise")
        states, with_view = trained([view])
        assert same_weights(plain, states)
        assert with_view == history
        assert set(runs(tmp_path / name)) == {"views/model"}

    check_each(SAMPLERS, check)


@pytest.mark.slow
def test_steps_differ_where_the_weights_do_and_noise_is_that_of_the_seed(tmp_path):
    view = kv.GeneratedImages(tmp_path, value_range=(-1, 1), on_error="raise")
    trained([view])
    logged = runs(tmp_path)["views/model"]
    assert set(logged.pictures) == {TAG}
    assert len({logged.picture(TAG, step).tobytes() for step in STEPS}) == len(STEPS)
    other = kv.GeneratedImages(tmp_path / "other", value_range=(-1, 1), seed=8, on_error="raise")
    trained([other])
    assert (runs(tmp_path / "other")["views/model"].picture(TAG, 0) != logged.picture(TAG, 0)).any()


# Diversity and range.


def test_diversity_is_the_mean_distance_in_shares_of_the_range():
    black_and_white = np.array([np.zeros((4, 4, 1)), np.ones((4, 4, 1))])
    assert diversity(black_and_white, 0, 1) == 1
    assert diversity(black_and_white * 255, 0, 255) == 1
    assert diversity(np.ones((5, 3, 3)), 0, 1) == 0
    assert diversity(np.array([[0.0], [0.0], [1.0]]), 0, 2) == pytest.approx(1 / 3)  # distances 0, 1, 1, halved
    samples = np.random.default_rng(0).random((7, 5, 5, 3))
    assert diversity(samples, -1, 1) == pytest.approx(pdist(samples.reshape(7, -1)).mean() / np.sqrt(75) / 2)
    for unknown in (samples[:1], np.full((3, 2, 2), np.nan), samples[:0]):
        assert np.isnan(diversity(unknown, 0, 1))
    assert np.isnan(diversity(samples, 1, 1))


def test_diversity_within_classes_is_the_mean_of_those_that_have_two_samples():
    samples = np.array([[0.0], [0.5], [1.0], [1.0], [0.25]])
    assert diversity_within(samples, [0, 1, 0, 1, 2], 0, 1) == 0.75  # 1 of class 0, 0.5 of class 1
    assert np.isnan(diversity_within(samples, [0, 1, 2, 3, 4], 0, 1))
    assert np.isnan(diversity_within([[np.nan], [0.0]], [0, 0], 0, 1))


def class_pictures(noise):
    """A generator of 3 numbers and 3 classes: a stripe for each class, of which the noise changes a share."""
    generator = plain_generator()
    kernel, last = np.zeros((6, 32)), np.zeros((32, 64))
    kernel[:3, :3], kernel[3:, 3:6] = noise * np.eye(3), np.eye(3)
    last[:3, 48:51], last[3:6] = np.eye(3), 4.0 * (np.arange(64) // 16 == np.arange(3)[:, None])
    generator.set_weights([kernel, np.zeros(32), last, np.zeros(64)])
    return generator


@pytest.mark.slow
@pytest.mark.parametrize(("noise", "same"), [(0.0, True), (1.0, True), (30.0, False)])
def test_a_generator_of_one_picture_per_class_is_seen_though_the_classes_differ(noise, same, tmp_path, monkeypatch):
    told = []

    def noted(samples, real, shown, **given):
        told.append(shown)
        return sample_grid(samples, real, shown, **given)

    monkeypatch.setattr(generated_images, "sample_grid", noted)
    model = GAN(generator=lambda: class_pictures(noise))
    model.latent_dim = 3
    if not same:
        kernel = model.generator.layers[1].kernel
        kernel.assign(
            np.where(np.arange(32)[:, None] < 3, 0.1 * np.random.default_rng(0).normal(size=(32, 64)), kernel)
        )
    view = recorded(kv.GeneratedImages)(tmp_path, (DATA.x, DATA.y), value_range=(-1, 1), on_error="raise")
    view.picture(model)
    assert told[-1].value >= 0.2 * told[-1].reference, "all samples together differ"
    assert (told[-1].headline[1] == "samples of a class are nearly all the same") == same
    share = told[-1].value / told[-1].reference
    assert told[-1].headline[0].endswith(f": {share:.0%} of real images (noise and contrast count too)")


@pytest.mark.parametrize("value", [0.5, 1.2, 1.4])
def test_a_bar_that_is_cut_ends_in_an_arrowhead(value):
    shown = Diversity(value, 1.0, "real images 1", ("diversity", ""))
    picture = sample_grid(np.zeros((4, 8, 8, 3), np.uint8), None, shown, caption="generated")
    orange = (picture == (0xEE, 0x77, 0x33)).all(axis=-1)
    rows = np.flatnonzero(orange.any(axis=1) & (orange.sum(axis=1) > 50))
    ends = [int(np.flatnonzero(orange[row])[-1]) for row in rows]
    tip = ends[len(ends) // 2]
    assert [tip - end for end in ends] == ([4, 3, 2, 1, 0, 1, 2, 3, 4] if value > 1.25 else [0] * 9)


class Collapse(keras.callbacks.Callback):
    """Takes the dependence on the noise away, step by step."""

    def on_epoch_end(self, epoch, logs=None):
        kernel = self.model.generator.layers[0].kernel
        kernel.assign(kernel * 0.05)


def bars(shown):
    """How long the bar of diversity is in each picture, in pixels."""
    marked = [(picture == (0xEE, 0x77, 0x33)).all(axis=-1).sum(axis=1) for picture in shown]
    return [int(rows[marked[0].argmax()]) for rows in marked]


def test_a_generator_that_collapses_is_seen_to(tmp_path):
    keras.utils.set_random_seed(1)
    view = kv.GeneratedImages(tmp_path, DATA.x_val, on_error="raise")
    fit(GAN(0.0, plain_generator), DATA.x, None, [Collapse(), view])
    logged = runs(tmp_path)["views/model"]
    (tag,) = logged.pictures
    values = logged.scalars["generated/diversity"]
    for step in range(EPOCHS):
        assert values[step] < 0.2 * values[step - 1]
    assert len(set(logged.scalars["generated/diversity_of_data"].values())) == 1
    lengths = bars([logged.picture(tag, step) for step in STEPS])
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] > 20 * lengths[-1]
    assert logged.picture(tag, 2).shape == logged.picture(tag, -1).shape


@pytest.mark.slow
def test_the_range_is_told_at_the_first_step_and_kept(tmp_path):
    at = iter((1.0, 1.0, 1.0, 0.5, 0.25, 0.0))  # twice before the first batch, then at every step

    def sample(model):
        return np.full((4, 8, 8, 1), next(at)) * np.array([0, 1, 1, 0]).reshape(4, 1, 1, 1)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trained([kv.GeneratedImages(tmp_path, sample=sample, on_error="raise")])
    logged = runs(tmp_path)["views/model"]
    for step, value in zip(STEPS, (1.0, 0.5, 0.25, 0.0), strict=True):
        grey = round(value * 255)
        assert (logged.picture("generated/samples", step) == (grey, grey, grey)).all(axis=-1).mean() > 0.05


# Names.


@pytest.mark.slow
def test_several_generators_have_a_picture_each(tmp_path):
    class Two(GAN):
        def __init__(self):
            super().__init__()
            self.back = noisy_generator("back")

    model = Two()
    view = kv.GeneratedImages(tmp_path, on_error="raise")
    fit(model, DATA.x, None, [view], 1, verbose=2)
    logged = runs(tmp_path)["views/model"]
    assert set(logged.pictures) == {"generated/generator", "generated/back"}
    assert set(logged.scalars) == {"generated/generator/diversity", "generated/back/diversity"}


@pytest.mark.slow
def test_visualizer_shows_what_a_part_makes_of_noise(tmp_path, capsys):
    fit(GAN(), DATA.x, None, [kv.Visualizer(tmp_path, on_error="raise")], 1, verbose=2)
    said = capsys.readouterr().out
    assert "GeneratedImages of generator" in said
    assert "samples 16 of generator, each of 6 normal numbers, in" in said
    assert "generated/generator" in runs(tmp_path)["views/model"].pictures


# What is wrong with the request.


def raises(model):
    raise KeyError("codes")


def builds(model):
    model.extra = L.Dense(2)
    model.extra(np.ones((1, 3)))
    return np.zeros((2, 8, 8))


REFUSED = {
    "raises": (raises, ("sample: raised KeyError", "codes", "must return pictures")),
    "a vector": (lambda model: np.zeros((4, 64)), ("sample: returned float64 of shape (4, 64)", "(n, h, w)")),
    "two channels": (lambda model: np.zeros((4, 8, 8, 2)), ("(4, 8, 8, 2)", "1, 3 or 4")),
    "text": (lambda model: "pictures", ("sample: returned", "expected pictures")),
    "nothing": (lambda model: None, ("sample: returned", "expected pictures")),
    "an empty dict": (lambda model: {}, ("sample: returned nothing", "expected pictures")),
    "one of a dict": ({"good": keras_draws, "bad": raises}, ('sample["bad"]: raised KeyError',)),
    "builds": (builds, ("sample: it made 2 variables", "build layers before fit")),
}


@pytest.mark.slow
def test_what_sample_does_wrong_is_raised_before_the_first_batch(tmp_path):
    def check(case):
        sample, words = REFUSED[case]
        model = GAN()
        before = [np.asarray(one) for one in model.generator.weights]
        with pytest.raises(ValueError, match="sample") as raised:
            fit(model, DATA.x, None, [kv.GeneratedImages(tmp_path, sample=sample)])
        assert all(word in str(raised.value) for word in words), str(raised.value)
        assert same_weights(before, [np.asarray(one) for one in model.generator.weights[: len(before)]])

    check_each(REFUSED, check)


@pytest.mark.slow
def test_a_generator_that_takes_a_class_is_fed_all_classes_in_turn(tmp_path, capsys):
    model, names = GAN(generator=plain_generator), ["one", "two", "three"]
    model.latent_dim = 3
    sizes = {}
    for y in (None, DATA.y, np.eye(3)[DATA.y]):
        view = recorded(kv.GeneratedImages)(tmp_path, (DATA.x, y), class_names=None if y is None else names)
        sizes[y is None] = view.picture(model).shape[0]
        noise = np.random.default_rng(0).standard_normal((16, 6))
        if y is not None:
            noise[:, 3:] = np.eye(3)[np.arange(16) % 3]
        fit(model, DATA.x, None, [view], 1, verbose=2)
        told = "6 normal numbers" if y is None else "3 normal numbers and a class"
        assert f"samples 16 of generator, each of {told}, in" in capsys.readouterr().out
        wanted = model.generator(noise).numpy()
        np.testing.assert_allclose(view.measured["model", 0].data["generator"].samples, wanted, atol=1e-6)
    assert sizes[False] - sizes[True] == 4 * 15, "their names stand above four rows of pictures"


def test_arguments_are_checked_where_they_are_given(tmp_path):
    for sample in ("noise", 3, {}, {"a": 3}):
        with pytest.raises(TypeError, match=r"sample=.*: expected a callable from the model to images"):
            kv.GeneratedImages(tmp_path, sample=sample)
    for given in (3, (1, 2, 3), "ab", (None, 1)):
        with pytest.raises(TypeError, match=r"value_range=.*the values of black and white, such as \(-1, 1\)"):
            kv.GeneratedImages(tmp_path, value_range=given)
    for given in ((1, 1), (2, 1), (0, float("nan"))):
        with pytest.raises(ValueError, match=r"value_range=.*the first must be less than the second"):
            kv.GeneratedImages(tmp_path, value_range=given)
    with pytest.raises(TypeError, match="seed"):
        kv.GeneratedImages(tmp_path, seed=1.5)


def test_a_model_without_a_generator_is_told_what_to_pass(tmp_path):
    from harness import classifier

    with pytest.raises(ValueError, match=r'sample=None: no part of model "classifier".*pass sample='):
        fit(classifier(), DATA.x, DATA.y, [kv.GeneratedImages(tmp_path)])


@pytest.mark.slow
def test_a_sampler_with_numbers_of_its_own_is_warned_of(tmp_path):
    own = np.random.default_rng(0)
    with pytest.warns(UserWarning, match="a second call of `sample` gave other pictures"):
        trained([kv.GeneratedImages(tmp_path, sample=lambda model: own.random((4, 8, 8)), on_error="raise")])


@pytest.mark.slow
def test_global_states_that_another_thread_may_use_are_left_alone(tmp_path):
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    try:
        with pytest.raises(ValueError, match=r"global random state.*numpy\.random\.default_rng\(0\)"):
            trained([kv.GeneratedImages(tmp_path, sample=globals_draw, on_error="raise")])
        trained([kv.GeneratedImages(tmp_path / "keras", sample=keras_draws, on_error="raise")])
        assert runs(tmp_path / "keras")
    finally:
        over.set()
        thread.join()


@pytest.mark.slow
def test_without_the_private_name_of_the_operations_a_fit_ends_as_ever(tmp_path, monkeypatch):
    known = PRIVATE_NAMES["gen_random_ops"]
    monkeypatch.setattr(tensorflow_private, "_warned", set())
    monkeypatch.setitem(PRIVATE_NAMES, "gen_random_ops", replace(known, attribute="gen_random_ops_that_is_gone"))
    with pytest.warns(UserWarning, match="that_is_gone: pictures that are sampled"):
        states, _ = trained([kv.GeneratedImages(tmp_path, sample=keras_draws, on_error="raise")])
    assert same_weights(trained([])[0], states)
    assert list(runs(tmp_path)["views/model"].pictures["generated/samples"]) == STEPS
