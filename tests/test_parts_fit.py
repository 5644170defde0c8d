"""`fit` of models of parts without `call`: shown by their parts, trained as without us, said what they are."""

import copy

import keras
import numpy as np
import pytest
import trained_parts as made
from harness import check_each, pictures, quick, runs, same_weights

import kerasviz_callbacks as kv
from kerasviz_callbacks.callback.view_context import ViewContext
from kerasviz_callbacks.fit_context import FitContext

DATA = pictures()
VALIDATION = (DATA.x_val, DATA.y_val)
KINDS = {
    "vae": made.Vae,
    "vae that samples in train_step": made.VaeThatSamples,
    "gan": made.Gan,
    "wgan": made.Wgan,
    "cyclegan": made.CycleGan,
    "diffusion": made.Diffusion,
    "distiller": made.Distiller,
    "classifier and augmentation": made.Classified,
    "parts of parts": made.PartsOfParts,
    "unbuilt": made.Unbuilt,
}
SAID = {
    "vae": "LatentTrajectory of encoder/z_mean, LatentProfiles of encoder/z_mean, Reconstructions with interpolation "
    "in encoder/z_mean, OverfittingMonitor (encoder: encoder, decoder: decoder).",
    "vae that samples in train_step": "(encoder: encoder, decoder: decoder).",
    "gan": "(generator: generator, critic: discriminator).",
    "wgan": "(generator: generator, critic: discriminator).",
    "cyclegan": "(critic: disc_X and disc_Y, image to image: gen_G and gen_F).",
    "diffusion": "(image to image: networks.0 and networks.1).",
    "distiller": "left out: views of the data (several of its parts take inputs of shape (None, 8, 8, 1): "
    '"teacher", "student"; name one of them in model=); OverfittingMonitor (',
    "classifier and augmentation": "ActivationMaps of classifier/conv, classifier/answer, GradCAM of classifier/conv, "
    "OverfittingMonitor of classifier/",
    "parts of parts": "(generator: gan.generator, critic: gan.discriminator).",
    "unbuilt": 'left out: views of the data ("encoder", "decoder", "unused" have no weights before training; call them '
    "once on data, or give each an Input); OverfittingMonitor (",
}
TAGS = {  # parts, or layers of them, that some picture must be of
    "vae": {"filters/encoder", "filters/decoder", "activations/encoder", "latent/trajectory", "latent/profiles"},
    "vae that samples in train_step": {"latent/trajectory", "reconstructions/pictures", "reconstructions/walk"},
    "gan": {"filters/discriminator", "filters/generator", "grad_cam/discriminator"},
    "wgan": {"filters/discriminator", "filters/generator", "activations/discriminator"},
    "cyclegan": {"filters/gen_G/conv", "filters/gen_F/conv", "filters/disc_X", "filters/disc_Y"},
    "diffusion": {"filters/networks/0/conv", "filters/networks/1/conv"},
    "distiller": {"filters/teacher/conv", "filters/student/conv"},
    "classifier and augmentation": {"filters/classifier/conv", "grad_cam/classifier/conv", "overfitting/summary"},
    "parts of parts": {"filters/gan/discriminator", "filters/gan/generator", "weights/helper/more"},
    "unbuilt": {"weights/encoder/z", "weights/decoder"},
}


def trained(kind, callbacks=(), epochs=2, verbose=0):
    """Make and train a model of a kind, from the same random state each time, and draw a number afterwards."""
    keras.utils.set_random_seed(8)
    model = KINDS[kind]()
    model.compile("adam")
    data = (DATA.x, DATA.y) if model.labelled else (DATA.x,)
    history = model.fit(*data, batch_size=12, epochs=epochs, verbose=verbose, callbacks=list(callbacks)).history
    return model, history, keras.random.normal((2,)).numpy()


def tags_of(log_dir) -> set[str]:
    return {tag for run in runs(log_dir).values() for tag in run.pictures}


@pytest.mark.parametrize("kind", quick(KINDS, "gan"))
def test_a_model_of_parts_is_shown_and_trains_as_without_us(kind, tmp_path, capsys):
    alone, history, drawn = trained(kind)
    options = {"on_error": "raise", "training_data": (DATA.x, DATA.y)}
    watched, seen, drawn_too = trained(kind, [kv.Visualizer(tmp_path, VALIDATION, **options)], verbose=2)
    assert same_weights(alone.get_weights(), watched.get_weights())
    assert seen == history
    assert np.array_equal(drawn, drawn_too)
    assert SAID[kind] in capsys.readouterr().out
    tags = tags_of(tmp_path)
    assert [wanted for wanted in TAGS[kind] if not any(f"{tag}/".startswith(wanted) for tag in tags)] == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["vae", "cyclegan", "diffusion", "unbuilt"])
def test_without_data_the_weights_of_all_parts_are_shown(kind, tmp_path):
    trained(kind, [kv.WeightHeatmaps(tmp_path, on_error="raise")])
    shown = {tag.split("/")[1] for tag in tags_of(tmp_path)}
    held = {"vae": {"encoder", "decoder"}, "cyclegan": {"gen_G", "gen_F", "disc_X", "disc_Y"}}
    assert shown == held.get(kind, {"networks"} if kind == "diffusion" else {"encoder", "decoder"})


@pytest.mark.slow
def test_the_codes_of_parts_are_the_means_and_their_reconstructions_those_of_the_parts(tmp_path):
    for kind in ("vae", "vae that samples in train_step"):
        view, shown = (
            view(tmp_path / kind / view.__name__, VALIDATION, count=6, on_error="raise")
            for view in (kv.LatentProfiles, kv.Reconstructions)
        )
        model, _, _ = trained(kind, [view, shown])
        x = view.probes["validation"].inputs
        means = model.encoder(x)[0]
        newest = view.result.last.measured["validation"]
        active = float(np.sum(np.var(means, axis=0) > 0.01))  # of posterior means, absolute
        assert newest.scalars["latent/active_units"] == active
        spread = np.sqrt(np.square(means - np.mean(means, axis=0)).sum(axis=1).mean())
        np.testing.assert_allclose(newest.scalars["latent/spread"], spread, rtol=1e-5)
        error = np.square(model.decoder(means) - x).mean()
        found = shown.result.last.measured["validation"].scalars["reconstructions/error"]
        np.testing.assert_allclose(found, error, rtol=1e-4)


class Scaled(made.Sampling):
    """Samples of a distribution whose mean is no output of a layer."""

    def call(self, inputs):
        return inputs * keras.random.normal(keras.ops.shape(inputs), mean=1.0, seed=self.generator)


@pytest.mark.slow
def test_the_caption_says_whether_means_or_samples_are_decoded(tmp_path):
    inputs = keras.Input(made.SHAPE)
    drawn = [Scaled(name=name)(keras.layers.Dense(4)(keras.layers.Flatten()(inputs))) for name in ("first", "second")]
    encoders = {
        "decoded from the means encoder/z_mean": made.encoder("z_mean", "z_log_var", sampled=True),
        "decoded from samples": keras.Model(inputs, drawn),
        "": made.encoder("code"),  # one output, which has no distribution
    }

    def check(said):
        model = made.Trained()
        model.encoder, model.decoder = encoders[said], made.decoder()
        view = kv.Reconstructions(tmp_path / said.replace("/", "_"), VALIDATION, count=6, on_error="raise")
        with FitContext.alone(model) as fit:
            context = ViewContext(view, model, {}, fit=fit)
            context.view.prepare()
            lines = context.view._caption("validation").splitlines()
        assert [line for line in lines if line.startswith("decoded")] == ([said] if said else [])

    check_each(encoders, check)


@pytest.mark.slow
def test_a_part_is_looked_at_in_place_of_the_model_and_begins_the_tags(tmp_path):
    views = [
        kv.FilterImages(tmp_path, model="generator", on_error="raise"),
        kv.GradCAM(tmp_path, VALIDATION, model="discriminator", on_error="raise"),
        kv.Attribution(tmp_path, VALIDATION, model="discriminator", method="gradient", on_error="raise"),
    ]
    model, _, _ = trained("gan", views)
    tags = tags_of(tmp_path)
    assert any(tag.startswith("filters/generator/") for tag in tags)
    assert not any(tag.startswith("filters/discriminator/") for tag in tags)
    assert any(tag.startswith("grad_cam/discriminator/") for tag in tags)
    assert any(tag.startswith("gradient/discriminator/") for tag in tags)
    picture = kv.GradCAM(tmp_path, VALIDATION).picture(model.discriminator)
    assert picture.size == kv.GradCAM(tmp_path, VALIDATION, model=model.discriminator).picture(model).size


@pytest.mark.slow
def test_a_part_of_a_model_that_has_a_call_is_looked_at_too(tmp_path):
    inner, inputs = made.classifier(), keras.Input(made.SHAPE)
    inner.name = "inner"
    model = keras.Model(inputs, keras.layers.Dense(2)(inner(inputs)))
    model.compile("sgd", "mse")
    y = np.zeros((len(DATA.x), 2))
    views = [kv.WeightHeatmaps(tmp_path, (DATA.x_val, y[: len(DATA.x_val)]), model=inner, on_error="raise")]
    views += [kv.OverfittingMonitor(tmp_path, VALIDATION, model="inner", on_error="raise")]
    model.fit(DATA.x, y, verbose=0, callbacks=views)
    assert tags_of(tmp_path) == {"weights/inner/conv", "weights/inner/answer", "overfitting/inner/summary"}
    step = views[0].result.last.measured["model"].data["inner/conv"]
    assert step.after is not None, "the step is that of the whole model, which has the loss"


def test_copies_of_a_callback_find_the_part_of_another_model(tmp_path):
    model = made.Gan()
    view = copy.deepcopy(kv.FilterImages(tmp_path, model=model.generator, on_error="raise"))
    model.generator.name = "painter"  # a copy made before any fit knows the part by name
    with pytest.raises(ValueError, match=r'model="sequential.*not a part of model .*"discriminator", "generator"'):
        view.picture(model)
    first = kv.FilterImages(tmp_path, model=model.generator)
    first.picture(model)
    found = copy.deepcopy(first).pictures(made.Gan())
    assert found
    assert all(key.startswith("model/filters/generator/") for key in found)


ERRORS = {
    "an unknown part": (
        lambda d: kv.FilterImages(d, model="Generator"),
        'model="Generator": not a part of model "gan.*"discriminator", "generator"',
    ),
    "no part": (lambda d: kv.FilterImages(d, model="z"), 'model="z": not a part of'),
    "no part takes the data": (
        lambda d: kv.ActivationMaps(d, np.zeros((4, 5, 5, 1))),
        r"has no `call`, and none of its parts takes inputs of shape \(None, 5, 5, 1\).*Say which part.*model=",
    ),
    "a part without what the view needs": (
        lambda d: kv.Reconstructions(d, VALIDATION, model="discriminator"),
        "none of its outputs .* has the shape of its input",
    ),
}


def test_a_named_view_that_does_not_fit_says_what_to_do_before_training(tmp_path):
    def check(case):
        make, message = ERRORS[case]
        with pytest.raises(ValueError, match=message):
            trained("gan", [make(tmp_path)])

    check_each(ERRORS, check)
    with pytest.raises(TypeError, match=r"model=3: expected a part of the trained model or its name"):
        kv.FilterImages(tmp_path, model=3)


@pytest.mark.slow
def test_several_parts_that_take_the_data_are_named_with_the_remedy(tmp_path):
    with pytest.raises(ValueError, match=r'several of its parts .*"teacher", "student".*model="teacher"'):
        trained("distiller", [kv.GradCAM(tmp_path, VALIDATION)])
    trained("distiller", [kv.Visualizer(tmp_path, VALIDATION, model="student", on_error="raise")])
    assert {"grad_cam/student/conv", "overfitting/student/summary"} <= tags_of(tmp_path)
