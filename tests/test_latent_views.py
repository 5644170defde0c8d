"""The views of codes on the models that people write, and what the harness does not ask of them."""

import csv

import keras
import numpy as np
import pytest
from harness import EPOCHS, STEPS, autoencoder, first, fit, header, pictures, quick, recorded, runs
from keras import layers, ops
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import kerasviz_callbacks as kv
from kerasviz_callbacks.views.latent_trajectory import Trail

DATA = pictures()
VALIDATION = (DATA.x_val, DATA.y_val)
RELATIVE, ABSOLUTE = False, True


class Sampling(layers.Layer):
    """Draws z."""

    def __init__(self, **options):
        super().__init__(**options)
        self.seed = keras.random.SeedGenerator(1)

    def call(self, inputs):
        mean, log_variance = inputs
        return mean + ops.exp(log_variance / 2) * keras.random.normal(ops.shape(mean), seed=self.seed)


def encoder_and_decoder():
    """As in Keras' own example: the encoder gives mean, log-variance and sample."""
    inputs = keras.Input((8, 8, 1))
    x = layers.Dense(12, activation="relu", name="hidden")(layers.Flatten()(inputs))
    mean, log_variance = (layers.Dense(3, name=name)(x) for name in ("z_mean", "z_log_var"))
    encoder = keras.Model(inputs, [mean, log_variance, Sampling(name="z")([mean, log_variance])], name="encoder")
    codes = keras.Input((3,))
    decoder = keras.Model(codes, layers.Reshape((8, 8, 1))(layers.Dense(64)(codes)), name="decoder")
    return encoder, decoder


class OwnStep(keras.Model):
    """All in `train_step`, and no `call`, as Keras' own example is written."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = encoder_and_decoder()

    def train_step(self, data):
        import tensorflow as tf

        data = data[0] if isinstance(data, tuple) else data
        with tf.GradientTape() as tape:
            _, _, z = self.encoder(data)
            loss = ops.mean(ops.square(self.decoder(z) - data))
        self.optimizer.apply_gradients(
            zip(tape.gradient(loss, self.trainable_weights), self.trainable_weights, strict=True)
        )
        return {"loss": loss}


class Inline(keras.Model):
    """Samples in its own `call`."""

    def __init__(self):
        super().__init__()
        self.flat, self.hidden = layers.Flatten(), layers.Dense(12, activation="relu", name="hidden")
        self.mean, self.log_variance = layers.Dense(3, name="z_mean"), layers.Dense(3, name="z_log_var")
        self.pixels, self.shape_of = layers.Dense(64, name="pixels"), layers.Reshape((8, 8, 1))
        self.seed = keras.random.SeedGenerator(1)

    def call(self, x):
        x = self.hidden(self.flat(x))
        mean, log_variance = self.mean(x), self.log_variance(x)
        z = mean + ops.exp(log_variance / 2) * keras.random.normal(ops.shape(mean), seed=self.seed)
        return self.shape_of(self.pixels(z))


def own_step():
    model = OwnStep()
    return model, model.encoder


def inline():
    return Inline(), None


def nested():
    encoder, decoder = encoder_and_decoder()
    inputs = keras.Input((8, 8, 1))
    return keras.Model(inputs, decoder(encoder(inputs)[2])), None


def plain():
    return autoencoder(), None


def narrow():
    return autoencoder(codes=1), None


FOUND = {
    "all in train_step": (own_step, "encoder", ABSOLUTE),
    "sampling in its own call": (inline, "z_mean", ABSOLUTE),
    "encoder and decoder nested": (nested, "encoder/z_mean", ABSOLUTE),
    "no VAE": (plain, "codes", RELATIVE),
    "codes of one dimension": (narrow, "codes", RELATIVE),
}


@pytest.mark.parametrize("case", quick(FOUND, "all in train_step", "no VAE"))
def test_codes_are_found_and_their_active_units_counted_by_the_rule_of_their_kind(case, tmp_path):
    build, path, rule = FOUND[case]
    model, layer = build()
    model.compile(keras.optimizers.SGD(0.1), "mse")
    kind = [kv.LatentProfiles] if case == "codes of one dimension" else [kv.LatentProfiles, kv.LatentTrajectory]
    views = [recorded(view)(tmp_path, VALIDATION, layer=layer, on_error="raise") for view in kind]
    fit(model, DATA.x, DATA.x, views, 2)
    for view in views:
        assert view.at_work[0].path == path
        assert view.at_work[0].posterior is rule
    found = runs(tmp_path)["views/validation"]
    for view in kind:
        assert list(found.pictures[f"latent/{view.__name__.removeprefix('Latent').lower()}"]) == [-1, 0, 1]
    profile = views[0].measured["validation", 1].data
    assert found.scalars["latent/active_units"][1] == profile.active[-1].sum()


def wide(units=40, active=5):
    """An autoencoder of which only some units, scattered, tell the inputs apart."""
    model = autoencoder(codes=units)
    kernel, bias = model.get_layer("codes").get_weights()
    kernel[:, np.arange(units) % 8 != 3] *= 1e-3
    model.get_layer("codes").set_weights([kernel, bias])
    return model


class Widen(keras.callbacks.Callback):
    """In the first epoch other units become wide than those that were before training."""

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 0:
            layer = self.model.get_layer("codes")
            kernel, bias = layer.get_weights()
            kernel[:, -20:] = np.random.default_rng(0).normal(0, 0.5, (16, 20))
            layer.set_weights([kernel, bias])


def test_of_many_units_the_widest_after_the_first_epoch_are_shown_and_kept(tmp_path):
    keras.utils.set_random_seed(4)
    model = wide()
    given = {"training_data": (DATA.x, DATA.y), "on_error": "raise"}
    view = recorded(kv.LatentProfiles)(tmp_path, VALIDATION, layer="codes", **given)
    fit(model, DATA.x, DATA.x, [Widen(), view])
    codes = {}

    def after_first(source):
        return view.measured[source, EPOCHS - 1].data

    for source in ("validation", "train"):
        found = runs(tmp_path)[f"views/{source}"]
        assert list(found.pictures["latent/profiles"]) == STEPS[1:], "the untrained model has no picture of its own"
        assert list(found.scalars["latent/active_units"]) == STEPS
        profile = after_first(source)
        assert profile.steps.tolist() == STEPS, "but its codes are the first of the curves"
        assert profile.quantiles.shape == (len(STEPS), 5, 32)
        shown = [found.picture("latent/profiles", step) for step in STEPS[1:]]
        assert len({header(picture).tobytes() for picture in shown}) == 1
        codes[source] = profile.units
    assert codes["validation"].tolist() == codes["train"].tolist()
    assert set(range(20, 40)) <= set(codes["validation"].tolist())
    encoder = keras.Model(model.input, model.get_layer("codes").output)
    final = encoder(DATA.x_val).numpy()[:, codes["validation"]]
    np.testing.assert_allclose(after_first("validation").quantiles[-1, 2], np.median(final, axis=0), atol=1e-4)


def test_without_a_fit_the_widest_units_of_the_model_as_it_is_are_shown(tmp_path):
    model = wide()
    picture = kv.LatentProfiles(tmp_path, VALIDATION, layer="codes").picture(model)
    assert picture.shape == kv.LatentProfiles(tmp_path, VALIDATION, layer="codes").picture(wide(50)).shape
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_units_that_become_nan_are_counted_and_the_others_go_on(tmp_path):
    class Break(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                layer = self.model.get_layer("codes")
                kernel, bias = layer.get_weights()
                bias[2] = np.nan
                layer.set_weights([kernel, bias])

    view = recorded(kv.LatentProfiles)(tmp_path, VALIDATION, on_error="raise")
    fit(autoencoder(), DATA.x, DATA.x, [Break(), view], 2)
    profile = view.measured["validation", 1].data
    assert np.isnan(profile.quantiles[-1, :, 2]).all()
    assert np.isfinite(profile.quantiles[-1][:, [0, 1, 3]]).all()
    assert profile.bad == "12 NaN"
    assert profile.note.startswith("active ")
    assert not profile.active[-1, 2]
    assert 1 not in runs(tmp_path)["views/validation"].scalars["latent/active_units"]


@pytest.mark.slow
def test_the_axis_holds_all_epochs_and_a_resumed_fit_goes_on(tmp_path):
    keras.utils.set_random_seed(5)
    model, view = autoencoder(), recorded(kv.LatentProfiles)(tmp_path, VALIDATION, on_error="raise")
    fit(model, DATA.x, DATA.x, [view], epochs=4)
    fit(model, DATA.x, DATA.x, [view], epochs=6, initial_epoch=3)  # an epoch once more
    profile = view.measured["validation", 5].data
    assert profile.steps.tolist() == [-1, 0, 1, 2, 3, 4, 5]
    early = view.measured["validation", 2].data
    np.testing.assert_array_equal(profile.quantiles[:4], early.quantiles)


@pytest.mark.slow
def test_the_paths_of_a_resumed_fit_have_each_step_once_as_it_was_last(tmp_path):
    keras.utils.set_random_seed(5)
    model, view = autoencoder(), recorded(kv.LatentTrajectory)(tmp_path, VALIDATION, on_error="raise")
    fit(model, DATA.x, DATA.x, [view], epochs=6)
    replaced = view.measured["validation", 4].data.codes
    fit(model, DATA.x, DATA.x, [view], epochs=6, initial_epoch=2)  # four epochs once more
    steps, basis = range(-1, 6), view.memory.shared["plane"].basis
    codes = [view.measured["validation", step].data.codes for step in steps]
    assert not np.allclose(codes[5], replaced, atol=1e-3)
    centred = [one - one.mean(axis=0) for one in codes]
    trail, labels = view.measured["validation", 5].data, view.probes["validation"].labels
    assert trail.means.shape[0] == len(steps)
    for label in np.unique(labels):
        path = [one[labels == label].mean(axis=0) @ basis for one in centred]
        np.testing.assert_allclose(trail.means[:, label], path, atol=1e-5)
    # Of the first fit's tails, those of the last 9 steps, only the ones before the resume are left.
    np.testing.assert_allclose(trail.tails, [one @ basis for one in centred], atol=1e-5)
    assert view.memory.per_source["validation"]["means"].nbytes <= 2**25


def test_a_step_is_remembered_as_five_numbers_a_unit_shown(tmp_path):
    view = kv.LatentProfiles(tmp_path, VALIDATION, layer="codes", on_error="raise")
    fit(autoencoder(codes=40), DATA.x, DATA.x, [view])
    own = view.memory.per_source["validation"]
    assert own["history"].steps == STEPS
    assert own["history"].values.nbytes == len(STEPS) * 6 * 32 * 4, "five quantiles, and whether it is in use"
    assert set(own) == {"history", "before"}, "codes of one step alone"


@pytest.mark.slow
def test_the_strip_says_how_many_are_active_and_which_varies_most(tmp_path):
    view = recorded(kv.LatentProfiles)(tmp_path, VALIDATION, on_error="raise")
    model = autoencoder()
    fit(model, DATA.x, DATA.x, [view])
    codes = keras.Model(model.input, model.get_layer("codes").output)(DATA.x_val).numpy()
    widest = codes.std(axis=0).argmax()
    said = view.measured["validation", EPOCHS - 1].data.note
    count = (codes.var(axis=0) > 0.01 * codes.var(axis=0).max()).sum()
    assert said == f"active {count} of 4   largest sd {codes.std(axis=0)[widest]:.3g} (unit {widest})"


@pytest.mark.slow
def test_each_scalar_is_written_once_though_two_views_give_it(tmp_path):
    both = [
        kv.LatentProfiles(tmp_path / "both", VALIDATION, on_error="raise"),
        kv.LatentTrajectory(tmp_path / "both", VALIDATION, freq=2, on_error="raise"),
        kv.LatentProfiles(tmp_path / "alone", VALIDATION, on_error="raise"),
    ]
    fit(autoencoder(), DATA.x, DATA.x, both)
    for name in ("both", "alone"):
        accumulator = EventAccumulator(str(tmp_path / name / "views/validation"), size_guidance={"tensors": 0}).Reload()
        for format_number in ("spread", "move", "drift", "active_units", "participation_ratio", "knn"):
            steps = [event.step for event in accumulator.Tensors(f"latent/{format_number}")]
            assert steps == STEPS[format_number in ("move", "drift") :], format_number
    assert runs(tmp_path / "both")["views/validation"].scalars == runs(tmp_path / "alone")["views/validation"].scalars


def test_the_projector_has_the_newest_codes_of_both_sources_and_whose_they_are(tmp_path):
    keras.utils.set_random_seed(6)
    model = autoencoder()
    names = ["left", "mid\tdle", "right"]
    given = {"training_data": (DATA.x, DATA.y), "class_names": names, "count": 10, "on_error": "raise"}
    view = kv.LatentTrajectory(tmp_path, VALIDATION, **given)
    fit(model, DATA.x, DATA.x, [view])
    encoder = keras.Model(model.input, model.get_layer("codes").output)
    for source, x, y in (("validation", DATA.x_val, DATA.y_val), ("train", DATA.x, DATA.y)):
        directory = tmp_path / "views" / source
        with (directory / "metadata.tsv").open(newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        chosen = [int(row["row"]) for row in rows]
        assert len(set(chosen)) == 10
        assert [int(row["label"]) for row in rows] == y[chosen].tolist()
        assert [row["class"] for row in rows] == [["left", "mid dle", "right"][label] for label in y[chosen]]
        codes = np.loadtxt(directory / "latent_codes.tsv", delimiter="\t")
        np.testing.assert_allclose(codes, encoder(x[chosen]).numpy(), atol=1e-5)
        assert (directory / "sprite.png").exists()


@pytest.mark.slow
def test_a_projector_that_cannot_be_written_is_told_once_and_training_goes_on(tmp_path):
    class Block(keras.callbacks.Callback):
        """A directory where a file should go."""

        def on_epoch_begin(self, epoch, logs=None):
            (tmp_path / "views/validation/latent_codes.tsv").mkdir(parents=True, exist_ok=True)

    view = kv.LatentTrajectory(tmp_path, VALIDATION)
    model = autoencoder()
    with pytest.warns(UserWarning, match="could not write to .*latent_codes.tsv"):
        fit(model, DATA.x, DATA.x, [Block(), view])
    assert len(model.history.epoch) == EPOCHS
    assert list(runs(tmp_path)["views/validation"].pictures["latent/trajectory"]) == STEPS


@pytest.mark.slow
def test_inputs_that_are_no_pictures_have_no_sprite(tmp_path):
    inputs = keras.Input((9,))
    outputs = layers.Dense(9, name="back")(layers.Dense(3, name="codes")(inputs))
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).random((20, 9)).astype(np.float32)
    fit(model, x, x, [kv.LatentTrajectory(tmp_path, x, on_error="raise")], 1)
    names = {path.name for path in (tmp_path / "views/validation").iterdir() if "tfevents" not in path.name}
    assert names == {"latent_codes.tsv", "metadata.tsv", "projector_config.pbtxt"}
    assert (tmp_path / "views/validation/metadata.tsv").read_text().splitlines() == [str(row) for row in range(20)]


def test_below_the_trajectory_stands_what_the_axes_show_and_when_they_were_fitted():
    def trail(variance, movement, *, collapsed=False):
        return Trail(np.zeros((1, 2, 2)), None, -1, variance, movement, 1.5, np.zeros((2, 4)), collapsed)

    before, later = trail(0.9, np.nan), trail(0.85, 0.09)
    assert Trail.note("epoch", before) == "axes of epoch −1, which show 90% of the variance   spread 1.5"
    assert Trail.note("batch", later, trail(0.8, 0.1)) == (
        "axes of batch −1, which show 85% | 80% of the variance and 9% | 10% of the last movement   spread 1.5 | 1.5"
    )
    assert Trail.note("epoch", trail(0.9, 0.1, collapsed=True)) == "collapsed   spread 1.5"


@pytest.mark.parametrize("named", first([False, True]))
def test_an_encoder_trained_by_itself_is_shown_by_its_output(named, tmp_path):
    x = DATA.x.reshape(len(DATA.x), -1)
    model = keras.Sequential([keras.Input(x.shape[1:]), layers.Dense(8, "relu"), layers.Dense(3, name="code")])
    model.compile("sgd", "mse")  # towards the embeddings of another model
    view = kv.LatentTrajectory(tmp_path, (x, DATA.y), on_error="raise")
    watched = kv.Visualizer(tmp_path, (x, DATA.y), views=["LatentTrajectory"], on_error="raise") if named else view
    model.fit(x, x[:, :3], epochs=1, verbose=0, callbacks=[watched])
    view = watched._running[0] if named else view
    codes = model.predict(view.probes["validation"].inputs, verbose=0)
    np.testing.assert_allclose(view.result.last.measured["validation"].data.codes, codes, rtol=1e-5, atol=1e-6)


def test_the_scores_of_a_classifier_are_no_codes_and_a_layer_is_named_that_may_be(tmp_path):
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(5, name="features")])
    model.add(layers.Dense(3, "softmax"))
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match='name the layer that outputs the codes, such as layer="features", or pass'):
        model.fit(*VALIDATION, verbose=0, callbacks=[kv.LatentTrajectory(tmp_path, VALIDATION)])
