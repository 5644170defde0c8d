"""Compares models that take channels first with twins that take them last; run by `test_channels_first`.

A process of its own, since TensorFlow on a processor runs such convolutions only with oneDNN. Prints a line of JSON for
each kind of model: what differs.
"""

import json
import os
import sys
import tempfile

os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"

import keras
import numpy as np
from keras import layers

import kerasviz_callbacks as kv

DRAWS = np.random.default_rng(0)


def plain(form, axis):
    own = {"data_format": form}
    return [
        layers.Conv2D(5, 3, activation="relu", name="c1", **own),
        layers.BatchNormalization(axis=axis, name="norm"),
        layers.Activation("tanh", name="bend"),
        layers.Conv2D(6, 3, name="c2", **own),
        layers.ReLU(name="relu"),
        layers.GlobalAveragePooling2D(name="mean", **own),
        layers.Dense(3, "softmax", name="answer"),
    ]


def shapes(form, axis):
    own = {"data_format": form}
    return [
        layers.Rescaling(2.0, name="scale"),
        layers.ZeroPadding2D(2, name="pad", **own),
        layers.Cropping2D(((1, 0), (0, 1)), name="crop", **own),
        layers.Conv2D(4, 3, padding="same", strides=2, activation="relu", name="c1", **own),
        layers.SpatialDropout2D(0.1, name="drop", **own),
        layers.MaxPooling2D(2, name="largest", **own),
        layers.UpSampling2D(2, name="up", **own),
        layers.AveragePooling2D(2, name="mean", **own),
        layers.Flatten(name="flat", **own),
        layers.Dense(3, "softmax", name="answer"),
    ]


def pieces(form, axis):
    own = {"data_format": form}
    return [
        layers.DepthwiseConv2D(3, depth_multiplier=2, name="depth", **own),
        layers.SeparableConv2D(4, 3, name="apart", activation="gelu", **own),
        layers.Conv2DTranspose(3, 3, strides=2, padding="same", name="back", activation="relu", **own),
        layers.GlobalMaxPooling2D(name="largest", keepdims=True, **own),
        layers.Flatten(name="flat", **own),
        layers.Dense(3, "softmax", name="answer"),
    ]


def one_axis(form, axis):
    own = {"data_format": form}
    return [
        layers.Conv1D(4, 3, activation="relu", name="c1", **own),
        layers.MaxPooling1D(2, name="largest", **own),
        layers.SeparableConv1D(4, 3, activation="relu", name="c2", **own),
        layers.GlobalAveragePooling1D(name="mean", **own),
        layers.Dense(3, "softmax", name="answer"),
    ]


def volumes(form, axis):
    own = {"data_format": form}
    return [
        layers.Conv3D(4, 3, activation="relu", name="c1", **own),
        layers.AveragePooling3D(2, name="mean", **own),
        layers.GlobalAveragePooling3D(name="pool", **own),
        layers.Dense(3, "softmax", name="answer"),
    ]


def moving(form, axis):
    own = {"data_format": form}
    return [
        layers.ConvLSTM2D(3, 3, return_sequences=True, name="clip", **own),
        layers.ConvLSTM2D(4, 3, name="last", **own),
        layers.GlobalAveragePooling2D(name="pool", **own),
        layers.Dense(3, "softmax", name="answer"),
    ]


def frames(form, axis):
    own = {"data_format": form}
    return [
        layers.TimeDistributed(layers.Conv2D(3, 3, activation="relu", name="c", **own), name="each"),
        layers.TimeDistributed(layers.GlobalAveragePooling2D(name="pool", **own), name="means"),
        layers.LSTM(4, name="memory"),
        layers.Dense(3, "softmax", name="answer"),
    ]


def stacked(parts):
    def make(form, shape):
        axis = 1 if form == "channels_first" else -1
        return keras.Sequential([keras.Input(shape), *parts(form, axis)])

    return make


def residual(form, shape):
    """A nested block, a sum, a concatenation, an operation without a layer, and normalisation over groups."""
    axis, own = (1 if form == "channels_first" else -1), {"data_format": form, "padding": "same"}
    given = keras.Input(shape)
    width = keras.Input((5, *shape[1:]) if axis == 1 else (*shape[:-1], 5))
    block = keras.Model(width, layers.Conv2D(5, 3, activation="relu", name="inner", **own)(width), name="block")
    x = layers.Conv2D(5, 3, name="c1", **own)(given)
    x = layers.Add(name="sum")([x, block(x)])
    x = keras.ops.relu(layers.GroupNormalization(5, axis=axis, name="groups")(x))
    x = layers.Concatenate(axis=axis, name="both")([x, layers.Conv2D(3, 1, name="c2", **own)(x)])
    x = layers.GlobalAveragePooling2D(data_format=form, name="mean")(layers.LeakyReLU(name="leaky")(x))
    return keras.Model(given, layers.Dense(3, "softmax", name="answer")(x))


class Written(keras.Model):
    """A subclassed model whose sums are no layers."""

    def __init__(self, form):
        super().__init__()
        own = {"data_format": form, "padding": "same", "activation": "relu"}
        self.first, self.second = layers.Conv2D(4, 3, name="c1", **own), layers.Conv2D(4, 3, name="c2", **own)
        self.bend = layers.Activation("tanh", name="bend")
        self.mean = layers.GlobalAveragePooling2D(data_format=form, name="mean")
        self.answer = layers.Dense(3, "softmax", name="answer")

    def call(self, x):
        x = self.first(x)
        return self.answer(self.mean(self.bend(x + self.second(x))))


def written(form, shape):
    model = Written(form)
    model(np.zeros((1, *shape), "float32"))
    return model


def codes(form, shape):
    """An autoencoder, whose codes are flattened from maps and whose output is made by a transposed convolution."""
    own, first = {"data_format": form, "padding": "same", "strides": 2}, form == "channels_first"
    given = keras.Input(shape)
    x = layers.Conv2D(4, 3, activation="relu", name="down", **own)(given)
    z = layers.Dense(3, name="codes")(layers.Flatten(data_format=form)(x))
    x = layers.Reshape((4, 5, 2))(layers.Dense(40, activation="relu")(z))
    x = layers.Permute((3, 1, 2))(x) if first else x
    return keras.Model(given, layers.Conv2DTranspose(1, 3, name="picture", **own)(x))


OF_CODES = (kv.Reconstructions, kv.LatentTrajectory, kv.LatentProfiles, kv.OverfittingMonitor)
KINDS = {
    "codes": (codes, (8, 10, 1)),
    "plain": (stacked(plain), (14, 12, 2)),
    "shapes": (stacked(shapes), (14, 12, 3)),
    "pieces": (stacked(pieces), (10, 12, 2)),
    "residual": (residual, (10, 12, 2)),
    "written": (written, (10, 12, 1)),
    "one axis": (stacked(one_axis), (20, 2)),
    "volumes": (stacked(volumes), (8, 9, 10, 2)),
    "moving": (stacked(moving), (3, 9, 10, 2)),
    "frames": (stacked(frames), (3, 9, 10, 2)),
}
VIEWS = (
    *(kv.ActivationMaps, kv.NeuronResponses, kv.FilterOverlap, kv.GradCAM, kv.Attribution, kv.FilterImages),
    *(kv.WeightHeatmaps, kv.Coefficients, kv.OverfittingMonitor),
)
CAMS = ("grad_cam", "grad_cam++", "hires_cam", "eigen_cam", "ablation_cam")
ATTRIBUTIONS = {
    "gradient": {}, "smooth_grad": {"samples": 3}, "integrated_gradients": {"steps": 4}, "occlusion": {},
    "rise": {"samples": 20},
}  # fmt: skip


def compared(first, last, x, moved, whole):
    """What differs between the twins: layers and a few methods, or `whole`, all of them and the pictures."""
    found, classes = [], np.arange(len(x)) % 3

    def compare(what, one, other, most=2e-4):
        if one.shape != other.shape or not np.allclose(one, other, atol=most * max(1.0, np.abs(other).max())):
            found.append(f"{what}: {one.shape} and {other.shape}")

    ours, theirs = kv.activations(first, moved), kv.activations(last, x)
    if list(ours) != list(theirs):
        found.append(f"activations: {list(ours)}")
    for path in ours.keys() & theirs.keys():
        compare(f"activations of {path}", ours[path], theirs[path])
    for method in (*CAMS, "score_cam") if whole else ("grad_cam", "ablation_cam"):
        maps = [kv.class_activation_map(m, given, target=1, method=method) for m, given in ((first, moved), (last, x))]
        compare(method, *maps)
    for method, options in ATTRIBUTIONS.items() if whole else [("integrated_gradients", {"steps": 2})]:
        maps = [
            kv.attribution(m, given, method=method, target=1, **options) for m, given in ((first, moved), (last, x))
        ]
        compare(method, *maps)
    if not whole:
        return found
    baseline = DRAWS.random(x.shape[1:]).astype("float32")
    pairs = ((first, moved, np.moveaxis(baseline, -1, x.ndim - moved_places(x) - 2)), (last, x, baseline))
    maps = [kv.attribution(m, g, method="integrated_gradients", target=1, steps=3, baseline=b) for m, g, b in pairs]
    compare("baseline", *maps)
    drawn(first, last, moved, x, classes, found, VIEWS)
    return found


def drawn(first, last, moved, x, classes, found, views):
    """Note what differs in the pictures."""
    for view in views:
        given = [
            view(tempfile.mkdtemp(), *(() if view in (kv.FilterImages, kv.Coefficients) else ((data, classes),)))
            for data in (moved, x)
        ]
        one, other = (v.pictures(model) for v, model in zip(given, (first, last), strict=True))
        if one.keys() != other.keys():
            found.append(f"{view.__name__}: {sorted(one)}")
        for tag in one.keys() & other.keys():
            same = one[tag].shape == other[tag].shape
            if not same or np.abs(one[tag].astype(int) - other[tag]).mean() > 0.3:
                found.append(f"{view.__name__} {tag}")


def moved_places(x):
    """How many axes follow the channels."""
    return {3: 1, 4: 2}.get(x.ndim, 2 if x.shape[1] == 3 else 3)


def main(name):
    make, shape = KINDS[name]
    x = DRAWS.random((6, *shape)).astype("float32")
    axis = -1 - moved_places(x)
    moved = np.moveaxis(x, -1, axis)
    keras.utils.set_random_seed(1)
    last, first = make("channels_last", shape), make("channels_first", moved.shape[1:])
    first.set_weights(last.get_weights())
    of_codes = name == "codes"
    for model in (first, last):
        model.compile("sgd", "mse" if of_codes else "sparse_categorical_crossentropy")
    try:
        first.train_on_batch(moved, moved if of_codes else np.zeros(6, int))
    except Exception as error:
        return f"cannot run: {str(error)[:100]}"
    first.set_weights(last.get_weights())
    if of_codes:
        drawn(first, last, moved, x, np.arange(6) % 3, found := [], OF_CODES)
        return found
    return compared(first, last, x, moved, name == "plain")


for kind in sys.argv[1:] or KINDS:
    print("RESULT", json.dumps([kind, main(kind)]), flush=True)
