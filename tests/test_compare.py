"""Our numbers beside those of other packages that get them right, on the same weights; skipped where they are absent.

The maps are compared as they come out of the formula: upsampling and scaling differ from package to package. On this
model ours and theirs are 0 to 3e-7 of the map's largest value apart. What is left out is not the same thing:

- Grad-CAM++: Xplique takes means where the paper has sums, also within the denominator; tf-keras-vis multiplies by the
  exponential of the score and divides each channel's alphas by their sum. The two differ from each other as well.
- Score-CAM: tf-keras-vis weighs by the softmax over the classes, and resizes masks before it scales them.
- RISE and SmoothGrad: their random numbers are not ours.
- Occlusion: Xplique sums over the patches that cover a position where we take the mean, the same for disjoint patches.
"""

import keras
import numpy as np
import pytest

import kerasviz_callbacks as kv

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs, of every kind
TOLERANCE = 1e-6  # beside the largest value of the map


@pytest.fixture(scope="module")
def model():
    """Convolutions that keep the size, so that a package that always upsamples has nothing to do; a linear head."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input((9, 7, 3))
    x = keras.layers.Conv2D(6, 3, padding="same", activation="relu", name="conv1")(inputs)
    x = keras.layers.Conv2D(8, 3, padding="same", activation="relu", name="conv2")(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(12, activation="tanh")(x)
    return keras.Model(inputs, keras.layers.Dense(4)(x))


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).random((5, 9, 7, 3)).astype(np.float32)


CLASSES = [0, 1, 2, 3, 1]


def assert_same(ours, theirs, tolerance=TOLERANCE):
    theirs = np.asarray(theirs).reshape(ours.shape)
    assert np.abs(theirs).max() > 0
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * np.abs(theirs).max())


def strongest(channels):
    """Of each position the channel's value of largest magnitude, its sign kept."""
    return np.take_along_axis(channels, np.abs(channels).argmax(axis=-1)[..., None], axis=-1)[..., 0]


@pytest.mark.parametrize(("method", "name"), [("grad_cam", "gradcam.Gradcam"), ("layer_cam", "layercam.Layercam")])
@pytest.mark.parametrize("layer", ["conv1", "conv2"])
def test_tf_keras_vis(method, name, layer, model, x):
    pytest.importorskip("tf_keras_vis")
    from importlib import import_module

    from tf_keras_vis.utils.scores import CategoricalScore

    module, kind = name.split(".")
    theirs = getattr(import_module(f"tf_keras_vis.{module}"), kind)(model, clone=False)(
        CategoricalScore(CLASSES), x, penultimate_layer=layer, expand_cam=False, normalize_cam=False
    )
    assert_same(kv.class_activation_map(model, x, layer=layer, target=CLASSES, method=method), theirs)


@pytest.mark.parametrize("layer", ["conv1", "conv2"])
def test_xplique_grad_cam(layer, model, x):
    attributions = pytest.importorskip("xplique.attributions")
    theirs = attributions.GradCAM(model, conv_layer=layer)(x, np.eye(4, dtype=np.float32)[CLASSES])
    assert_same(kv.class_activation_map(model, x, layer=layer, target=CLASSES), theirs)


def test_xplique_layer_cam_by_its_gradients(model, x):
    """Xplique has no Layer-CAM; its Grad-CAM's own activations and gradients make one."""
    attributions = pytest.importorskip("xplique.attributions")
    explainer = attributions.GradCAM(model, conv_layer="conv2")
    maps, slopes = explainer._gradient(x, np.eye(4, dtype=np.float32)[CLASSES])
    theirs = np.maximum((np.maximum(slopes, 0) * maps).numpy().sum(axis=-1), 0)
    assert_same(kv.class_activation_map(model, x, layer="conv2", target=CLASSES, method="layer_cam"), theirs)


def test_xplique_gradients(model, x):
    """Its saliency is the largest magnitude over the channels, its gradient x input the sum over them."""
    attributions = pytest.importorskip("xplique.attributions")
    targets = np.eye(4, dtype=np.float32)[CLASSES]
    ours = kv.attribution(model, x, method="gradient", target=CLASSES)
    assert_same(np.abs(ours), attributions.Saliency(model, reducer="max")(x, targets))
    theirs = np.asarray(attributions.GradientInput(model, reducer=None)(x, targets)).sum(axis=-1)
    assert_same(kv.attribution(model, x, method="input_x_gradient", target=CLASSES), theirs)


def test_tf_keras_vis_gradients(model, x):
    saliency = pytest.importorskip("tf_keras_vis.saliency")
    from tf_keras_vis.utils.scores import CategoricalScore

    options = {"gradient_modifier": None, "keepdims": True, "normalize_map": False}
    theirs = np.asarray(saliency.Saliency(model, clone=False)(CategoricalScore(CLASSES), x, **options))
    assert_same(kv.attribution(model, x, method="gradient", target=CLASSES), strongest(theirs))


def test_xplique_guided_backprop(model, x):
    attributions = pytest.importorskip("xplique.attributions")
    theirs = attributions.GuidedBackprop(model, reducer=None)(x, np.eye(4, dtype=np.float32)[CLASSES])
    assert_same(kv.attribution(model, x, method="guided_backprop", target=CLASSES), strongest(np.asarray(theirs)))


@pytest.mark.parametrize("patch", [(3, 7), (3, 1)], ids=str)
def test_xplique_occlusion_by_disjoint_patches(patch, model, x):
    """Differences of scores, whose rounding is a larger share of them."""
    attributions = pytest.importorskip("xplique.attributions")
    explainer = attributions.Occlusion(model, patch_size=patch, patch_stride=patch)
    theirs = np.asarray(explainer(x, np.eye(4, dtype=np.float32)[CLASSES]))
    ours = kv.attribution(model, x, method="occlusion", target=CLASSES, patch=patch, stride=patch)
    assert_same(ours, theirs, tolerance=1e-5)


def test_xplique_integrated_gradients(model, x):
    """It takes trapezoids, we the midpoints: with many steps both come to the same, here to two thousandths."""
    attributions = pytest.importorskip("xplique.attributions")
    theirs = attributions.IntegratedGradients(model, steps=400, reducer=None)(x, np.eye(4, dtype=np.float32)[CLASSES])
    theirs = np.asarray(theirs).sum(axis=-1)
    ours = kv.attribution(model, x, method="integrated_gradients", target=CLASSES, steps=400)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-3 * np.abs(theirs).max())


@pytest.mark.parametrize(("method", "figure"), [("self_confidence", "confidence"), ("normalized_margin", "margin")])
def test_after_one_epoch_labels_have_the_quality_scores_of_cleanlab(method, figure, tmp_path):
    """Of one epoch, the mean probability is cleanlab's self-confidence, and margins order labels as its margins do."""
    rank = pytest.importorskip("cleanlab.rank")
    draws = np.random.default_rng(4)
    x, y = draws.random((60, 8)).astype(np.float32), np.append(draws.integers(0, 3, 57), [0, 1, 2])
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(3, activation="softmax")])
    model.compile(keras.optimizers.SGD(1.0), "sparse_categorical_crossentropy")
    view = kv.DataMap(tmp_path, training_data=(x, y), on_error="raise")
    model.fit(x, y, epochs=1, verbose=0, callbacks=[view])
    ours, theirs = view.table()[figure], rank.get_label_quality_scores(y, model.predict(x, verbose=0), method=method)
    if figure == "confidence":
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    else:  # cleanlab's is (1 + probability of the label - largest other one) / 2
        np.testing.assert_array_equal(ours < 0, theirs < 0.5)
