"""What `Visualizer` chooses, what it leaves out and why, and that its choice never stops a training."""

from pathlib import Path

import keras
import numpy as np
import pytest
from harness import pictures, quick, runs
from keras import layers

import kerasviz_callbacks as kv

TABLE = Path(__file__).parents[1] / "docs" / "models.md"
DATA = pictures()
HOT = np.eye(3, dtype="float32")
SOFT = 0.8 * HOT[DATA.y] + 0.2 * HOT[DATA.y[::-1]]


def network(*made, shape=DATA.x.shape[1:], loss="mse"):
    model = keras.Sequential([keras.Input(shape), *made])
    model.compile("sgd", loss)
    return model


def convolutional(loss="categorical_crossentropy"):
    return network(layers.Conv2D(3, 3), layers.GlobalAveragePooling2D(), layers.Dense(3, "softmax"), loss=loss)


def flat(x):
    return x.reshape(len(x), -1)


class Bare(keras.Model):
    """It has no parts."""

    def __init__(self):
        super().__init__()
        self.scale = self.add_weight(shape=())

    def train_step(self, data):
        return {"loss": keras.ops.mean(data[0])}


def bare():
    model = Bare()
    model.compile("sgd")
    return model


class Coded(keras.Sequential):
    """An encoder that is trained without labels."""

    train_step = Bare.train_step


def coded(loss=None, *more):
    model = Coded([keras.Input((5,)), *(more or [layers.Dense(16, "relu", name="codes")])])
    model.compile("sgd", loss)
    return model


class Coder(keras.Model):
    """An autoencoder that puts out its codes before the reconstruction."""

    train_step = Bare.train_step

    def __init__(self):
        inputs = keras.Input((5,))
        codes = layers.Dense(2, name="codes")(inputs)
        super().__init__(inputs, [codes, layers.Dense(5)(layers.Dense(3)(codes))])
        self.compile("sgd")


class Translators(keras.Model):
    """Two parts make pictures of pictures, each of others."""

    train_step = Bare.train_step

    def __init__(self):
        super().__init__()
        self.there, self.back = (
            keras.Sequential([keras.Input(DATA.x.shape[1:]), layers.Conv2D(1, 1)]) for _ in range(2)
        )
        self.compile("sgd")


class Adversaries(keras.Model):
    """A generator of pictures and a critic of them."""

    train_step = Bare.train_step

    def __init__(self):
        super().__init__()
        shape = DATA.x.shape[1:]
        self.generator = keras.Sequential(
            [keras.Input((4,)), layers.Dense(int(np.prod(shape))), layers.Reshape(shape), layers.Conv2D(1, 1)]
        )
        self.critic = keras.Sequential([keras.Input(shape), layers.Conv2D(3, 3), layers.Flatten(), layers.Dense(1)])
        self.compile("sgd")


class Towers(keras.Model):
    """Images and their texts are embedded side by side."""

    def __init__(self):
        super().__init__()
        self.image = keras.Sequential([keras.Input(DATA.x.shape[1:]), layers.Conv2D(2, 3), layers.Flatten()])
        self.text = keras.Sequential([keras.Input((2,)), layers.Embedding(30, 3), layers.Flatten(), layers.Dense(4)])
        self.compile("sgd")

    def train_step(self, data):
        return {"loss": keras.ops.mean(data[0][0])}


class Diffusion(Translators):
    def generate(self, count):
        return self.back(keras.random.normal((count, *DATA.x.shape[1:])))


class Steps(layers.Layer):
    """A codebook, which no kernel multiplies."""

    def build(self, shape):
        self.codebook = self.add_weight(shape=(4, shape[-1]), trainable=False)

    def call(self, x):
        nearest = keras.ops.argmin(keras.ops.abs(x - self.codebook[:, 0]), axis=-1)
        return x + keras.ops.stop_gradient(keras.ops.take(self.codebook, nearest, axis=0) - x)


def two_outputs(number="a", classes="b"):
    inputs = keras.Input((5,))
    outputs = {
        name: layers.Dense(units, kind, name=name)(inputs)
        for name, units, kind in sorted([(number, 1, None), (classes, 3, "softmax")])
    }
    model = keras.Model(inputs, outputs)
    model.compile("sgd", {number: "mse", classes: "sparse_categorical_crossentropy"})
    return model


def quantity():
    model = keras.Sequential([keras.Input(DATA.x.shape[1:]), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def next_tokens():
    model = keras.Sequential([keras.Input((2,), dtype="int32"), layers.Embedding(30, 4), layers.Dense(30, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def hidden_softmax():
    """A softmax that the output does not show: evidence for it cannot be read from logits."""
    inputs = keras.Input(DATA.x.shape[1:])
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(3, 3)(inputs))
    model = keras.Model(inputs, keras.ops.clip(layers.Dense(3, "softmax")(x), 0.0, 1.0))
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def embeddings():
    inputs = keras.Input((2,), dtype="int32")
    users, items = (
        layers.Embedding(20, 4, name="users")(inputs[:, 0]),
        layers.Embedding(30, 4, name="items")(inputs[:, 1]),
    )
    model = keras.Model(inputs, layers.Activation("sigmoid")(keras.ops.sum(users * items, -1, keepdims=True)))
    model.compile("sgd", "binary_crossentropy")
    return model


PAIRS = np.stack([np.arange(36) % 20, np.arange(36) % 30], axis=1)
VECTORS = flat(DATA.x)[:, :5]
LOSSES = "; keras.callbacks.TensorBoard shows the losses of its train_step"
CASES = {  # the model, what it is fitted on, training data for the views, the views chosen, what is left out
    "soft training labels": (
        lambda: (convolutional(), (DATA.x, HOT[DATA.y]), (DATA.x, SOFT)),
        "FilterImages ActivationMaps GradCAM OverfittingMonitor ConfusionMatrix",
        "OverfittingMonitor of the training data (soft labels)",
    ),
    "soft labels": (
        lambda: (convolutional(), (DATA.x, SOFT), None),
        "FilterImages ActivationMaps GradCAM",
        "OverfittingMonitor (soft labels)",
    ),
    "dense classifier": (
        lambda: (
            network(layers.Dense(4), layers.Dense(3, "softmax"), shape=(5,), loss="sparse_categorical_crossentropy"),
            (VECTORS, DATA.y),
            None,
        ),
        "WeightHeatmaps ActivationMaps OverfittingMonitor ConfusionMatrix",
        "GradCAM (no layer has feature maps)",
    ),
    "codes of one dimension": (
        lambda: (network(layers.Dense(1), layers.Dense(5), shape=(5,)), (VECTORS, VECTORS), None),
        "WeightHeatmaps LatentProfiles Reconstructions OverfittingMonitor",
        "LatentTrajectory (codes of one dimension)",
    ),
    "a number for one of another shape": (
        lambda: (network(layers.Dense(2), shape=(5,)), (VECTORS, 100 + VECTORS[:, :1]), None),
        "WeightHeatmaps",
        "Predictions (an output of shape (n, 2) has no picture); "
        "OverfittingMonitor (y of shape (n, 1) for an output of shape (n, 2))",
    ),
    "a number for each picture": (
        lambda: (quantity(), (DATA.x, 10.0 + DATA.y), None),
        "FilterImages ActivationMaps GradCAM OverfittingMonitor",
        "Predictions (an output of shape (n, 1) has no picture; OverfittingMonitor compares it with y)",
    ),
    "codes that a train_step of one's own compares": (
        lambda: (coded(keras.losses.SparseCategoricalCrossentropy(from_logits=True)), (VECTORS, DATA.y), None),
        "WeightHeatmaps LatentTrajectory",
        f"OverfittingMonitor (16 outputs for 3 classes: codes{LOSSES})",
    ),
    "codes of unit norm, nearly as many as the classes": (
        lambda: (coded(None, layers.Dense(4), layers.UnitNormalization()), (VECTORS, DATA.y), None),
        "WeightHeatmaps LatentTrajectory",
        f"OverfittingMonitor (4 outputs for 3 classes: codes{LOSSES})",
    ),
    "a flow": (
        lambda: (coded(None, layers.Dense(16, "tanh"), layers.Dense(5)), (VECTORS,), None),
        "WeightHeatmaps",
        f"OverfittingMonitor (no y{LOSSES})",
    ),
    "codes that labels colour": (
        lambda: (coded(), (VECTORS, DATA.y), None),
        "WeightHeatmaps LatentTrajectory",
        f"OverfittingMonitor (16 outputs for 3 classes: codes{LOSSES})",
    ),
    "no bottleneck": (
        lambda: (network(layers.Conv2D(8, 3, padding="same"), layers.Conv2D(1, 1)), (DATA.x, DATA.x), None),
        "FilterImages ActivationMaps Reconstructions OverfittingMonitor",
        "LatentTrajectory and LatentProfiles (no bottleneck)",
    ),
    "embeddings alone": (
        lambda: (embeddings(), (PAIRS, DATA.y % 2), None),
        "WeightHeatmaps OverfittingMonitor ConfusionMatrix",
        "ActivationMaps (no convolution and no dense layer); GradCAM (no layer has feature maps)",
    ),
    "regression": (
        lambda: (network(layers.Dense(2), shape=(5,)), (VECTORS, 100 + VECTORS[:, :2]), None),
        "WeightHeatmaps OverfittingMonitor",
        "Predictions (an output of shape (n, 2) has no picture; OverfittingMonitor compares it with y)",
    ),
    "classes are the second output": (
        lambda: (two_outputs(), (VECTORS, {"a": VECTORS[:, :1], "b": DATA.y}), None),
        "WeightHeatmaps Predictions",
        'GradCAM, OverfittingMonitor and ConfusionMatrix (only the first output is judged, "a", which gives no '
        "classes)",
    ),
    "numbers are the second output": (
        lambda: (two_outputs("b", "a"), (VECTORS, {"a": DATA.y, "b": VECTORS[:, :1]}), None),
        "WeightHeatmaps ActivationMaps OverfittingMonitor ConfusionMatrix",
        "GradCAM (no layer has feature maps); OverfittingMonitor of other outputs (only the first output is judged, "
        '"a")',
    ),
    "texts": (
        lambda: (next_tokens(), (PAIRS, PAIRS), None),
        "WeightHeatmaps",
        'Predictions (kind="text" and to_text= show texts); OverfittingMonitor (it judges one answer per row, this '
        "output has one class per position)",
    ),
    "several numbers at several places": (
        lambda: (
            network(layers.Dense(8), layers.Reshape((4, 2)), shape=(5,)),
            (VECTORS, np.repeat(VECTORS[:, :4, None], 2, axis=2)),
            None,
        ),
        "WeightHeatmaps",
        "Predictions (an output of shape (n, 4, 2) has no picture); OverfittingMonitor (it judges one answer per row, "
        "this output is (4, 2) numbers)",
    ),
    "translators of two sets of pictures": (
        lambda: (Translators(), (DATA.x, DATA.x[::-1]), None),
        "FilterImages",
        f"views of the data (several of its parts take inputs of shape {(None, *DATA.x.shape[1:])}: "
        '"there", "back"; name one of them in model=); Predictions (pass one for each part, with '
        'the pictures that it takes and model="there" or "back"); OverfittingMonitor (no part of the model runs on the '
        f"data{LOSSES})",
    ),
    "a part that generates": (
        lambda: (Diffusion(), (DATA.x, DATA.x[::-1]), None),
        "FilterImages",
        f"views of the data (several of its parts take inputs of shape {(None, *DATA.x.shape[1:])}: "
        '"there", "back"; name one of them in model=); GeneratedImages (pass sample=, such as '
        f"lambda model: model.generate(16)); OverfittingMonitor (no part of the model runs on the data{LOSSES})",
    ),
    "a pair of towers that neither takes both inputs of": (
        lambda: (Towers(), ((DATA.x, PAIRS),), None),
        "FilterImages WeightHeatmaps",
        f"views of the data (none of its parts takes inputs of shape {(None, *DATA.x.shape[1:])} and (None, 2); it has "
        f'"image" of {(None, *DATA.x.shape[1:])}, "text" of (None, 2); pass data that one of them takes, and name it '
        f"in model=); OverfittingMonitor (no part of the model runs on the data{LOSSES})",
    ),
    "nothing at all": (
        lambda: (bare(), (DATA.x, DATA.y), None),
        "",
        "views of the weights (no layer has a kernel); views of the data (it has neither parts nor a `call`); "
        f"OverfittingMonitor (no part of the model runs on the data{LOSSES})",
    ),
    "a generator and its critic": (
        lambda: (Adversaries(), (DATA.x,), None),
        "FilterImages ActivationMaps GradCAM GeneratedImages",
        f"OverfittingMonitor (the output of a critic has no true value{LOSSES})",
    ),
    "an autoencoder whose first output are the codes": (
        lambda: (Coder(), (VECTORS,), None),
        "WeightHeatmaps LatentTrajectory LatentProfiles Reconstructions",
        f"OverfittingMonitor (no y{LOSSES})",
    ),
    "codes that are quantised": (
        lambda: (network(layers.Conv2D(1, 1), Steps(), layers.Conv2D(1, 1)), (DATA.x, DATA.x), None),
        "FilterImages WeightHeatmaps ActivationMaps Reconstructions OverfittingMonitor",
        "LatentTrajectory and LatentProfiles (no bottleneck)",
    ),
    "all fit": (
        lambda: (convolutional(), (DATA.x, HOT[DATA.y]), None),
        "FilterImages ActivationMaps GradCAM OverfittingMonitor ConfusionMatrix",
        "",
    ),
}


@pytest.mark.parametrize(
    "case", quick(CASES, "codes that labels colour", "no bottleneck", "regression", "a part that generates")
)
def test_the_line_says_what_is_left_out_and_why(case, tmp_path, capsys):
    make, chosen, left_out = CASES[case]
    model, data, training = make()
    view = kv.Visualizer(tmp_path, data, training_data=training, on_error="raise")
    model.fit(*data, verbose=2, callbacks=[view])
    lines = capsys.readouterr().out.splitlines()
    found = [line for line in lines if line.startswith("kerasviz_callbacks: left out")]
    assert found == ([f"kerasviz_callbacks: left out: {left_out}."] if left_out else [])
    assert [type(one).__name__ for one in view._running] == chosen.split()
    assert "OverfittingMonitor" in chosen + left_out, "each model without it gets a reason"


def test_each_row_of_the_table_of_models_has_the_monitor_or_the_reason_why_not():
    rows = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if "../examples/models/" in line]
    assert len(rows) > 40
    assert [row for row in rows if "OverfittingMonitor" not in row] == []


@pytest.mark.slow
def test_nothing_is_printed_at_verbose_0(tmp_path, capfd):
    convolutional().fit(DATA.x, SOFT, verbose=0, callbacks=[kv.Visualizer(tmp_path, (DATA.x, SOFT))])
    assert "kerasviz_callbacks" not in capfd.readouterr().out


@pytest.mark.slow
def test_a_chosen_view_that_refuses_is_left_out_and_training_goes_on(tmp_path, capsys):
    view = kv.Visualizer(tmp_path, (DATA.x_val, DATA.y_val), on_error="raise")
    history = hidden_softmax().fit(DATA.x, DATA.y, verbose=2, callbacks=[view]).history
    assert np.isfinite(history["loss"]).all()
    out = capsys.readouterr().out
    assert "left out: GradCAM (" in out
    tags = {tag.split("/")[0] for run in runs(tmp_path).values() for tag in run.pictures}
    assert {"filters", "activations"} <= tags
    assert "grad_cam" not in tags
    with pytest.raises(ValueError, match="softmax"):
        hidden_softmax().fit(
            DATA.x, DATA.y, verbose=0, callbacks=[kv.Visualizer(tmp_path, (DATA.x_val, DATA.y_val), views=["GradCAM"])]
        )
