"""`Reconstructions` on many kinds of autoencoders: it shows what the model outputs and describes it correctly."""

import copy

import keras
import numpy as np
import pytest
from harness import autoencoder, classifier, first, fit, places_of, recorded, runs
from keras import layers, ops

import kerasviz_callbacks as kv
from kerasviz_callbacks.views.reconstructions import reconstructions
from kerasviz_callbacks.views.reconstructions.reconstructions import walk_headline

SHAPE = (8, 8, 1)


def pictures(n=6, shape=SHAPE, seed=0):
    return np.random.default_rng(seed).random((n, *shape)).astype(np.float32)


def seen(model, data, log_dir, epochs=1, **options):
    """The view after a fit at a learning rate of 0, so that the model is still the one that was seen."""
    model.compile(keras.optimizers.SGD(0.0), getattr(model, "loss", None) or "mse")
    view = recorded(kv.Reconstructions)(log_dir, data, on_error="raise", **options)
    x = data[0] if isinstance(data, tuple) else data
    outputs = keras.tree.map_structure(np.asarray, model(x))
    fit(model, x, outputs, [view], epochs=epochs)
    return view.at_work[0]


def numbers(view, step=0):
    return view.measured["validation", step].data


def dense(shape, codes=3, end=None):
    """A dense autoencoder of anything."""
    size = int(np.prod(shape))
    steps = [layers.Flatten(), layers.Dense(codes, name="codes"), layers.Dense(size, end), layers.Reshape(shape)]
    return keras.Sequential([keras.Input(shape), *steps])


class Sampling(layers.Layer):
    def __init__(self, **options):
        super().__init__(**options)
        self.generator = keras.random.SeedGenerator(5)

    def call(self, inputs):
        mean, log_var = inputs
        return mean + ops.exp(log_var / 2) * keras.random.normal(ops.shape(mean), seed=self.generator)


def vae():
    inputs = keras.Input(SHAPE)
    flat = layers.Flatten()(inputs)
    mean, log_var = layers.Dense(3, name="z_mean")(flat), layers.Dense(3, name="z_log_var")(flat)
    out = layers.Dense(64, "sigmoid", name="pixels")(Sampling(name="z")([mean, log_var]))
    return keras.Model(inputs, layers.Reshape(SHAPE, name="picture")(out))


def unet():
    inputs = keras.Input(SHAPE)
    down = layers.Conv2D(2, 3, 4, "same", name="down")(inputs)
    up = layers.Conv2DTranspose(2, 3, 4, "same")(down)
    return keras.Model(inputs, layers.Conv2D(1, 3, padding="same", name="out")(layers.Concatenate()([up, inputs])))


@pytest.fixture(autouse=True)
def _seeded():
    keras.utils.set_random_seed(2)


@pytest.mark.slow
def test_of_a_sampling_model_means_are_decoded_so_that_only_the_model_moves_a_tile(tmp_path):
    model, x = vae(), pictures()
    view = seen(model, (x, np.arange(6)), tmp_path, epochs=3)
    mean = keras.Model(model.input, model.get_layer("z_mean").output)(x)
    decoded = model.get_layer("picture")(model.get_layer("pixels")(mean)).numpy()
    np.testing.assert_allclose(numbers(view).reconstructions, decoded, atol=1e-6)
    assert np.abs(model(x).numpy() - decoded).max() > 0.05, "what the model itself gives is a sample"
    middle = model.get_layer("picture")(model.get_layer("pixels")(mean[:1] * 4 / 7 + mean[1:2] * 3 / 7)).numpy()
    np.testing.assert_allclose(numbers(view).walks[0, 3:4], middle, atol=1e-6)
    assert view._caption("validation").splitlines()[1:] == ["decoded from the means z_mean", "input values 0 to 1"]
    assert view.summary() == "Reconstructions with interpolation in z_mean"
    found = runs(tmp_path)["views/validation"]
    for steps in found.pictures.values():
        assert len(steps) == 4
        assert len(set(steps.values())) == 1, "the weights stayed, the random state moved on"


@pytest.mark.slow
def test_where_there_are_ways_round_the_codes_there_is_no_walk_and_the_caption_says_why(tmp_path):
    model, x = unet(), pictures()
    view = seen(model, (x, np.arange(6)), tmp_path)
    np.testing.assert_allclose(numbers(view).reconstructions, model(x), atol=1e-6)
    assert set(runs(tmp_path)["views/validation"].pictures) == {"reconstructions/pictures"}
    assert view.summary() == "Reconstructions (no interpolation: the model has no separable decoder)"
    said = "no interpolation: no bottleneck layer that can be decoded alone"
    assert f"{said}   copying the input may suffice\n" in view._caption("validation")
    assert numbers(view).note == f"over 6 rows: MSE {((model(x) - x) ** 2).numpy().mean():.3g}"
    assert "copies its input" in view._about("validation")
    view = seen(model, (x, 1 - x), tmp_path / "targets")  # these are not the input, so copying it is far off
    assert f"{said}\n" in view._caption("validation")
    assert numbers(view).note.endswith("× that of the mean image")
    assert seen(model, (x, x.copy()), tmp_path / "equal")._may_copy


@pytest.mark.slow
def test_the_output_of_the_inputs_shape_is_the_reconstruction_wherever_it_stands(tmp_path):
    inputs = keras.Input(SHAPE)
    code = layers.Dense(3, name="codes")(layers.Flatten()(inputs))
    back = layers.Reshape(SHAPE)(layers.Dense(64, name="pixels")(code))
    model, x = keras.Model(inputs, [layers.Dense(2, "softmax", name="classes")(code), back]), pictures()
    model.loss = ["mse", "mse"]
    view = seen(model, x, tmp_path)
    np.testing.assert_allclose(numbers(view).reconstructions, model(x)[1], atol=1e-6)
    assert set(runs(tmp_path)["views/validation"].pictures) == {"reconstructions/pictures", "reconstructions/walk"}


def test_targets_of_the_inputs_shape_are_what_is_wanted_and_are_shown(tmp_path):
    clean = pictures(seed=1)
    noisy = clean + np.random.default_rng(2).normal(0, 0.3, clean.shape).astype(np.float32)
    model = dense(SHAPE)
    view = seen(model, (noisy, clean), tmp_path / "noisy")
    error = model(noisy).numpy().astype(np.float64) - clean
    np.testing.assert_allclose(numbers(view).errors, error[..., 0], atol=1e-6)
    assert view.measured["validation", 0].scalars["reconstructions/error"] == pytest.approx((error**2).mean())
    picture = runs(tmp_path / "noisy")["views/validation"].picture("reconstructions/pictures", 0)
    shown = np.rint(clean[0] * 255).astype(np.uint8).repeat(3, -1).repeat(12, 0).repeat(12, 1)
    assert len(places_of(shown, picture)) == 1
    same = seen(dense(SHAPE), (clean, clean.copy()), tmp_path / "same")
    plain = runs(tmp_path / "same")["views/validation"].picture("reconstructions/pictures", 0)
    assert len(picture) == len(plain) + 8 * 12 + 3, "a strip more, of what was wanted"
    assert same._targets["validation"] is same.probes["validation"].images


def test_logits_are_shown_as_the_loss_sees_them(tmp_path):
    model, x = dense(SHAPE), pictures()
    model.loss = keras.losses.BinaryCrossentropy(from_logits=True)
    view = seen(model, x, tmp_path)
    logits = model(x).numpy().astype(np.float64)
    np.testing.assert_allclose(numbers(view).reconstructions, 1 / (1 + np.exp(-logits)), atol=1e-6)
    codes = keras.Model(model.inputs[0], model.get_layer("codes").output)(x)
    decoded = keras.ops.sigmoid(model.layers[-1](model.layers[-2](codes))).numpy()
    np.testing.assert_allclose(numbers(view).walks[:, 0], decoded[[0, 2, 4]], atol=1e-6)


def test_what_display_makes_of_a_picture_it_makes_of_its_reconstruction(tmp_path):
    """A model that gives back its input: below each picture stands the same picture, to the pixel."""
    colours = pictures(3, (8, 8, 3))
    fed = (colours - [0.4, 0.5, 0.6]) / [0.2, 0.25, 0.3]
    same = [layers.Dense(3, kernel_initializer="identity", name=name) for name in ("codes", "out")]
    model = keras.Sequential([keras.Input((8, 8, 3)), *same])

    def display(x):
        assert np.isfinite(x).all()
        shown = (x * np.float32([0.2, 0.25, 0.3]) + np.float32([0.4, 0.5, 0.6])) * 255
        assert shown.min() > -1e-3, "bytes would wrap round"
        assert shown.max() < 256
        return shown.clip(0, 255).astype(np.uint8)

    view = seen(model, fed.astype(np.float32), tmp_path, display=display)
    picture = runs(tmp_path)["views/validation"].picture("reconstructions/pictures", 0)
    for one in display(fed.astype(np.float32)):
        corners = places_of(one.repeat(18, 0).repeat(18, 1), picture)
        assert len(corners) == 2
        assert corners[1][0] - corners[0][0] == 8 * 18 + 3
    assert numbers(view).errors.max() == 0
    far = np.full((3, 8, 8, 3), np.nan, np.float32)
    far[:, :2] = 1e6
    seen_far = view.probe_display.images(far)
    assert seen_far.shape == (3, 8, 8, 3)
    assert np.isnan(seen_far[:, 2:]).all()
    assert np.isfinite(seen_far[:, :2]).all()


def test_display_may_lay_a_picture_out_anew_and_what_is_not_finite_marks_all_of_it(tmp_path):
    model, x = dense((3, 8, 8)), pictures(4, (3, 8, 8))
    view = seen(model, x, tmp_path, display=lambda fed: np.moveaxis(fed, 1, -1))
    error = np.moveaxis(np.clip(model(x).numpy(), x.min(), x.max()) - x.astype(np.float64), 1, -1)
    strongest = np.take_along_axis(error, np.abs(error).argmax(-1)[..., None], -1)[..., 0]
    np.testing.assert_allclose(numbers(view).errors, strongest, atol=1e-6)
    broken = x.copy()
    broken[2, 0, 0, 0] = np.inf
    assert np.isnan(view.probe_display.images(broken)).all(axis=(1, 2, 3)).tolist() == [False, False, True, False]


@pytest.mark.parametrize(
    ("shape", "errors"),
    first(
        [
            ((13,), (13,)),
            ((784,), (28, 28)),
            ((40, 2), (40,)),
            ((2, 2, 5), (20,)),
            ((4, 8, 8, 1), (8, 8)),
            ((9, 9), (9, 9)),
        ],
        2,
    ),
)
def test_anything_can_be_given_back(shape, errors, tmp_path):
    model, x = dense(shape), pictures(5, shape)
    view = seen(model, (x, np.array([0, 1, 0, 1, 0])), tmp_path)
    direct = model(x).numpy().astype(np.float64)
    np.testing.assert_allclose(numbers(view).reconstructions, direct, atol=1e-6)
    assert numbers(view).errors.shape == (5, *errors)
    wrong = direct - x
    if shape == (4, 8, 8, 1):
        np.testing.assert_allclose(numbers(view).errors, wrong[:, 2, ..., 0], atol=1e-6)
    elif shape == (40, 2):
        strongest = np.where(np.abs(wrong[..., 0]) >= np.abs(wrong[..., 1]), wrong[..., 0], wrong[..., 1])
        np.testing.assert_allclose(numbers(view).errors, strongest, atol=1e-6)
    else:
        np.testing.assert_allclose(numbers(view).errors.reshape(5, -1), wrong.reshape(5, -1), atol=1e-6)
    found = runs(tmp_path)["views/validation"]
    assert set(found.pictures) == {"reconstructions/pictures", "reconstructions/walk"}
    assert view._output_display.signals == (len(errors) == 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parts", "errors"),
    [
        ([layers.Conv1D(2, 3, 3, name="codes"), layers.Conv1DTranspose(9, 3, 3)], (9,)),
        (
            [
                layers.Reshape((9, 9, 1)),
                layers.Conv2D(2, 3, 3, name="codes"),
                layers.Conv2DTranspose(1, 3, 3),
                layers.Reshape((9, 9)),
            ],
            (9, 9),
        ),
    ],
)
def test_rows_and_columns_are_a_picture_where_the_model_takes_them_for_one(parts, errors, tmp_path):
    view = seen(keras.Sequential([keras.Input((9, 9)), *parts]), pictures(2, (9, 9)), tmp_path)
    assert view._output_display.signals == (len(errors) == 1)
    assert numbers(view).errors.shape == (2, *errors)


@pytest.mark.slow
def test_many_channels_are_drawn_by_those_that_vary_most(tmp_path):
    x = pictures(3, (40, 9)) * np.array([1, 9, 1, 8, 1, 7, 1, 6, 1], np.float32)
    view = seen(dense((40, 9)), x, tmp_path)
    assert view._output_display.lines.tolist() == [1, 3, 5, 7]
    assert "4 of 9 channels drawn" in view._caption("validation")
    assert "error: at each moment the largest of all channels" in view._caption("validation")


@pytest.mark.slow
def test_what_of_the_traces_lies_outside_their_range_is_counted_and_their_range_and_colours_are_said(
    tmp_path, monkeypatch
):
    model, x = dense((10, 2), end="linear"), pictures(3, (10, 2))
    x[0, 0], x[0, 1] = 0, 1
    model.layers[-2].kernel.assign(np.zeros((3, 20)))
    model.layers[-2].bias.assign([2, 1, -1, 0, *([0.5] * 16)])  # two of twenty are outside 0 to 1
    view = seen(model, (x,), tmp_path)
    one = numbers(view).reconstructions
    assert view._output_display.clipped(x, one) == "6 trace values beyond the scale"
    assert view._output_display.clipped(x, x) == ""
    assert sorted(view._output_display.lines.tolist()) == [0, 1]
    first, second = view._output_display.lines
    assert f"traces from 0 to 1   channel {first} blue, {second} orange" in view._caption("validation")
    drawn = {}
    monkeypatch.setattr(
        reconstructions, "walk_tiles", lambda *tiles, **options: drawn.update(options) or np.zeros((4, 4, 3), np.uint8)
    )
    view._interpolation_image("validation", numbers(view).walks, "codes", "")
    assert drawn["caption"].splitlines()[1] == f"traces from 0 to 1   channel {first} blue, {second} orange"
    walks, positions = numbers(view).walks.shape[:2]
    assert drawn["note"].endswith(f"{2 * walks * positions} trace values beyond the scale")


@pytest.mark.slow
def test_bytes_and_several_inputs(tmp_path):
    fed, aside = keras.Input(SHAPE, dtype="uint8", name="fed"), keras.Input((4,), name="aside")
    flat = layers.Flatten()(layers.Rescaling(1 / 255)(fed))
    code = layers.Dense(3, name="codes")(layers.Concatenate()([flat, aside]))
    back = layers.Reshape(SHAPE)(layers.Rescaling(255)(layers.Dense(64, "sigmoid")(code)))
    model = keras.Model({"fed": fed, "aside": aside}, back)
    x = {"fed": np.uint8(pictures() * 255), "aside": pictures(6, (4,))}
    # In the order of their names, the first is "aside".
    with pytest.raises(ValueError, match=r"none of its outputs \[\(8, 8, 1\)\] has the shape of its input \(4,\)"):
        seen(model, (x,), tmp_path / "aside")
    model = keras.Model([fed, aside], back)
    x = [x["fed"], x["aside"]]
    view = seen(model, (x,), tmp_path)
    np.testing.assert_allclose(numbers(view).reconstructions, model(x), atol=1e-4)
    np.testing.assert_allclose(numbers(view).errors, model(x).numpy()[..., 0] - x[0][..., 0].astype(float), atol=1e-4)
    assert set(runs(tmp_path)["views/validation"].pictures) == {"reconstructions/pictures", "reconstructions/walk"}


@pytest.mark.slow
def test_a_single_picture_has_no_walk_and_a_model_of_one_layer_neither(tmp_path):
    seen(dense(SHAPE), pictures(1), tmp_path / "one")
    assert set(runs(tmp_path / "one")["views/validation"].pictures) == {"reconstructions/pictures"}
    model = keras.Sequential([keras.Input((12,)), layers.Dense(12, name="all")])
    view = seen(model, pictures(4, (12,)), tmp_path / "layer")
    assert view._decoder is None
    assert set(runs(tmp_path / "layer")["views/validation"].pictures) == {"reconstructions/pictures"}


@pytest.mark.slow
def test_of_many_rows_the_first_are_drawn_and_all_are_counted(tmp_path):
    model, x = dense(SHAPE), pictures(40)
    view = seen(model, x, tmp_path, count=40)
    assert len(numbers(view).reconstructions) == 32
    error = ((model(x).numpy().astype(np.float64) - x) ** 2).mean()
    assert view.measured["validation", 0].scalars["reconstructions/error"] == pytest.approx(error)
    assert "32 of 40 rows" in view._caption("validation")
    assert numbers(view).note.startswith(f"over 40 rows: MSE {error:.3g}, ")


@pytest.mark.slow
def test_an_error_beyond_all_measure_does_not_stretch_the_scale(tmp_path):
    model, x = dense(SHAPE), pictures()
    model.layers[-2].bias.assign(np.full(64, 1e6))
    view = seen(model, x, tmp_path)
    typical = np.sqrt(x.astype(np.float64).var(axis=0).mean())
    assert view.memory.scales["error"] == pytest.approx(2 * typical)
    one = seen(model, x[:1], tmp_path / "one")
    assert one.memory.scales["error"] == 1, "a single picture has no other mean; all are from 0 to 1"


def test_how_large_the_error_is_stands_below_beside_that_of_the_mean_picture(tmp_path):
    model, x = dense(SHAPE), pictures()
    model.layers[-2].kernel.assign(np.zeros((3, 64)))
    model.layers[-2].bias.assign(x.mean(axis=0).ravel())
    view = seen(model, x, tmp_path)
    error = x.astype(np.float64).var(axis=0).mean()
    assert numbers(view).note == f"over 6 rows: MSE {error:.3g}, 1 × that of the mean image"


def test_what_cannot_be_shown_is_said_before_training(tmp_path):
    x, y = pictures(), np.arange(6) % 3
    for model, options, message in (
        (classifier(), {}, r"model .classifier.: none of its outputs \[\(3,\)\] .* input \(8, 8, 1\).*autoencoders"),
        (autoencoder(), {"layer": "cods"}, 'layer="cods": no such layer; nearest: "codes"'),
    ):
        before = model.get_weights()
        with pytest.raises(ValueError, match=message):
            fit(model, x, y, [kv.Reconstructions(tmp_path, (x, y), **options)])
        for one, other in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_codes_can_be_named(tmp_path):
    model, x = autoencoder(), pictures()
    view = seen(model, x, tmp_path, layer="decoder")
    wide = keras.Model(model.input, model.get_layer("decoder").output)(x).numpy()
    mixed = np.array([wide[2] + k / 7 * (wide[3] - wide[2]) for k in range(8)])
    decoded = model.get_layer("picture")(model.get_layer("pixels")(mixed)).numpy()
    np.testing.assert_allclose(numbers(view).walks[1], decoded, atol=1e-6)


@pytest.mark.slow
def test_a_copy_takes_no_model_along(tmp_path):
    model, x = dense(SHAPE), pictures()
    model.compile("sgd", "mse")
    view = kv.Reconstructions(tmp_path, x, on_error="raise")
    fit(model, x, x, [view], epochs=1)
    assert len(view.probes["validation"]) == len(x)
    other = copy.deepcopy(view)
    assert other.probes == {}
    assert other.result is None
    assert other.model is None


@pytest.mark.slow
def test_picture_works_without_a_fit(tmp_path):
    """The same pixels as those of a fit that changes nothing."""
    model, data = dense(SHAPE), (pictures(), np.arange(6))
    seen(model, data, tmp_path)
    logged = runs(tmp_path)["views/validation"]
    for tag in ("reconstructions/pictures", "reconstructions/walk"):
        now = kv.Reconstructions(tmp_path, data).picture(model, tag)
        np.testing.assert_array_equal(now, logged.picture(tag, 0))


@pytest.mark.parametrize(
    ("apart", "said"),
    [
        (0.83, "ends 83% as far apart as the originals"),
        (0.03, "hardly changes: ends 3% as far apart as the originals"),
        (0.0004, "hardly changes: ends 0.04% as far apart as the originals"),
        (np.nan, "decoded from interpolated codes"),
    ],
)
def test_the_headline_of_a_walk_says_how_far_it_goes(apart, said):
    assert walk_headline(apart) == said
