"""Small models and data, reading back what was logged, and `Entry`: what a view says of itself to be tested.

The entries are in `entries/`, one file a view; the tests that all of them pass are in `test_views.py`.
"""

import io
import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from scipy import ndimage
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from kerasviz_callbacks.draw.colour import NON_FINITE, table
from kerasviz_callbacks.draw.sheet import footer_height, header_height

EPOCHS = 3
STEPS = list(range(-1, EPOCHS))
BOTH = ("validation", "train")


# Models and data, small enough that a fit takes a second; plain SGD, since tracing Adam's step takes as long again.


@dataclass(frozen=True)
class Data:
    """Training and validation data of one kind."""

    x: np.ndarray
    y: np.ndarray
    x_val: np.ndarray
    y_val: np.ndarray


def pictures(classes=3, n=36, n_val=12, shape=(8, 8, 1), seed=0) -> Data:
    """Pictures whose class is where they are bright."""
    rng = np.random.default_rng(seed)
    y = np.arange(n + n_val) % classes
    x = rng.random((n + n_val, *shape)).astype(np.float32)
    x[np.arange(len(y)), 2 * y] += 1
    return Data(x[:n], y[:n], x[n:], y[n:])


def classifier(shape=(8, 8, 1), classes=3, **compiled) -> keras.Model:
    """Two convolutions, a global mean and a dense layer: its Grad-CAM has a closed form."""
    inputs = keras.Input(shape)
    x = keras.layers.Conv2D(4, 3, activation="relu", name="conv1")(inputs)
    x = keras.layers.Conv2D(5, 3, activation="relu", name="conv2")(x)
    x = keras.layers.GlobalAveragePooling2D(name="mean")(x)
    outputs = keras.layers.Dense(classes, activation="softmax", name="answer")(x)
    model = keras.Model(inputs, outputs, name="classifier")
    model.compile(keras.optimizers.SGD(0.3), "sparse_categorical_crossentropy", **compiled)
    return model


def autoencoder(shape=(8, 8, 1), codes=4, **compiled) -> keras.Model:
    """A dense autoencoder of pictures."""
    inputs = keras.Input(shape)
    x = keras.layers.Flatten(name="flat")(inputs)
    x = keras.layers.Dense(16, activation="relu", name="encoder")(x)
    x = keras.layers.Dense(codes, name="codes")(x)
    x = keras.layers.Dense(16, activation="relu", name="decoder")(x)
    x = keras.layers.Dense(int(np.prod(shape)), name="pixels")(x)
    model = keras.Model(inputs, keras.layers.Reshape(shape, name="picture")(x), name="autoencoder")
    model.compile(keras.optimizers.SGD(0.3), "mse", **compiled)
    return model


def masks() -> Data:
    """Pictures and a class for each pixel, 0 to 2: how bright it is."""
    data = pictures()
    classes = [np.digitize(x[..., 0], [0.4, 0.8]) for x in (data.x, data.x_val)]
    return Data(data.x, classes[0], data.x_val, classes[1])


def segmenter(**compiled) -> keras.Model:
    """A class for each pixel, from its neighbours."""
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(8, 3, padding="same", activation="relu", name="conv1")(inputs)
    model = keras.Model(inputs, keras.layers.Conv2D(3, 1, activation="softmax", name="mask")(x), name="segmenter")
    model.compile(keras.optimizers.SGD(0.3), "sparse_categorical_crossentropy", **compiled)
    return model


class Weights(keras.callbacks.Callback):
    """The weights at every step, as a callback at this place in the list sees them."""

    def __init__(self):
        super().__init__()
        self.at: dict[int, list[np.ndarray]] = {}

    def on_epoch_begin(self, epoch, logs=None):
        if not self.at:
            self.at[epoch - 1] = self.model.get_weights()

    def on_epoch_end(self, epoch, logs=None):
        self.at[epoch] = self.model.get_weights()


class Poison(keras.callbacks.Callback):
    """Makes a kernel NaN before an epoch."""

    def __init__(self, layer, epoch=1):
        super().__init__()
        self.layer, self.epoch = layer, epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            kernel = self.model.get_layer(self.layer).kernel
            kernel.assign(np.full(kernel.shape, np.nan))


def fit(model, x, y, callbacks=(), epochs=EPOCHS, **options):
    """A quiet fit whose order of batches is fixed."""
    given = {"epochs": epochs, "batch_size": 12, "shuffle": False, "verbose": 0, **options}
    return model.fit(x, y, callbacks=list(callbacks), **given)


def same_weights(one, other) -> bool:
    """Bit for bit."""
    pairs = list(zip(one, other, strict=True))
    return all(a.dtype == b.dtype and a.tobytes() == b.tobytes() for a, b in pairs) and bool(pairs)


# Many cases of one test.


def quick(cases, *names) -> list:
    """Parameters of which only those named are run by default, the others with `-m slow`; ids as the cases' names."""
    assert set(names) <= set(cases), names
    return [pytest.param(case, id=case, marks=[] if case in names else pytest.mark.slow) for case in cases]


def first(cases, count=1) -> list:
    """Parameters of which only the first ones run by default, the others with `-m slow`."""
    cases = list(cases)
    values = [case if isinstance(case, tuple) else (case,) for case in cases[count:]]
    return [*cases[:count], *(pytest.param(*given, marks=pytest.mark.slow) for given in values)]


def check_each(cases, check) -> None:
    """Call `check(case)` for every case, and raise what failed, each named: cheaper than a test for every case."""
    failed = []
    for case in cases:
        try:
            check(case)
        except (Exception, pytest.fail.Exception) as error:  # pytest's own is no Exception
            kept = (
                error
                if isinstance(error, Exception)
                else AssertionError(str(error)).with_traceback(error.__traceback__)
            )
            kept.add_note(f"case: {case!r}")
            failed.append(kept)
    if failed:
        raise ExceptionGroup(f"{len(failed)} of {len(cases)} cases failed", failed)


# Reading back, with TensorBoard's own reader.


@dataclass
class Read:
    """What a run directory holds, by tag and step."""

    pictures: dict[str, dict[int, bytes]] = field(default_factory=dict)
    scalars: dict[str, dict[int, float]] = field(default_factory=dict)
    descriptions: dict[str, str] = field(default_factory=dict)

    def picture(self, tag: str, step: int) -> np.ndarray:
        return decoded(self.pictures[tag][step])


def read(directory) -> Read:
    """All that TensorBoard finds in one run directory."""
    accumulator = EventAccumulator(str(directory), size_guidance={"tensors": 0})
    accumulator.Reload()
    found = Read()
    for tag in accumulator.Tags()["tensors"]:
        about = accumulator.SummaryMetadata(tag)
        events = accumulator.Tensors(tag)
        found.descriptions[tag] = about.summary_description
        if about.plugin_data.plugin_name == "images":
            assert {len(event.tensor_proto.string_val) for event in events} == {3}, "one picture a card"
            found.pictures[tag] = {event.step: event.tensor_proto.string_val[2] for event in events}
        else:
            assert about.plugin_data.plugin_name == "scalars", tag
            found.scalars[tag] = {event.step: float(tf.make_ndarray(event.tensor_proto)) for event in events}
    return found


def runs(log_dir) -> dict[str, Read]:
    """Every run below a log directory, by the name that TensorBoard gives it."""
    found = sorted({path.parent for path in Path(log_dir).rglob("*tfevents*")})
    return {path.relative_to(log_dir).as_posix(): read(path) for path in found}


def decoded(png: bytes) -> np.ndarray:
    """A PNG's pixels."""
    with Image.open(io.BytesIO(png)) as picture:
        return np.asarray(picture.convert("RGB"))


def pixels_of(pictures: dict[str, dict[int, bytes]]) -> dict[str, dict[int, tuple]]:
    """What pictures show, to be compared: ISA-L now and then packs the same pixels in other bytes."""
    return {
        tag: {step: (decoded(png).shape, decoded(png).tobytes()) for step, png in steps.items()}
        for tag, steps in pictures.items()
    }


# Looking at pictures.


def magenta(picture: np.ndarray) -> np.ndarray:
    """Where the body of a picture has the colour of NaN."""
    marked = (picture == NON_FINITE).all(axis=-1)
    marked[-footer_height(picture.shape[1]) :] = False
    return marked


def boxes(marked: np.ndarray) -> list[tuple[slice, slice]]:
    """The rectangles of a mask, in the order in which one reads."""
    found = ndimage.find_objects(ndimage.label(marked)[0])
    return sorted(found, key=lambda box: (box[0].start, box[1].start))


def values_of(picture, box, shape, colours, scale) -> np.ndarray:
    """The numbers `shape` that a tile shows, from the colours in the middle of its cells."""
    tile = picture[box]
    rows = ((np.arange(shape[0]) + 0.5) * tile.shape[0] / shape[0]).astype(int)
    columns = ((np.arange(shape[1]) + 0.5) * tile.shape[1] / shape[1]).astype(int)
    seen = tile[np.ix_(rows, columns)].astype(int)
    steps = np.abs(seen[..., None, :] - table(colours).astype(int)).sum(axis=-1).argmin(axis=-1)
    return (steps / (len(table(colours)) - 1) * 2 - 1) * scale


def places_of(tile: np.ndarray, picture: np.ndarray) -> list[tuple[int, int]]:
    """Where a picture contains exactly these pixels."""
    height, width = tile.shape[:2]
    rarest = (tile[:, 1:] != tile[:, :-1]).any(axis=-1).sum(axis=1).argmax()  # a blank row is found everywhere
    wanted, found = np.ascontiguousarray(tile[rarest]).tobytes(), []
    for y in range(len(picture) - height + 1):
        line, start = picture[y + rarest].tobytes(), 0
        while (at := line.find(wanted, start)) >= 0:
            x, start = at // 3, at + 1
            if at % 3 == 0 and np.array_equal(picture[y : y + height, x : x + width], tile):
                found.append((y, x))
    return found


def header(picture) -> np.ndarray:
    """The caption, which never changes."""
    return picture[: header_height(picture.shape[1], "")]


def legend(picture) -> np.ndarray:
    """The scale in the strip, without the text below it."""
    high = footer_height(picture.shape[1])
    return picture[-high : -high // 2]


# Recording what a view computes, in a real fit.


def recorded(view: type) -> type:
    """The view itself, and beside it what it measured, and the scales with which it drew."""

    class Recorded(view):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.measured, self.drawn_with = {}, {}
            self.at_work = []  # the copy of the view that a fit works with

        def measure(self, captured, source, step):
            self.at_work[:] = [self]
            self.measured[source, step] = super().measure(captured, source, step)
            return self.measured[source, step]

        def draw(self, measured):
            step = next(iter(measured.values())).step
            self.measured.update({(source, step): one for source, one in measured.items()})  # with their notes
            self.drawn_with[step] = dict(self.memory.scales)
            return super().draw(measured)

    Recorded.__name__ = view.__name__
    return Recorded


@dataclass
class Run:
    """One recorded fit and all that is known of it."""

    entry: "Entry"
    view: Any
    model: keras.Model
    weights: dict[int, list[np.ndarray]]
    final: list[np.ndarray]
    history: dict[str, list[float]]
    log_dir: Path
    save_dir: Path

    def model_at(self, step: int) -> keras.Model:
        """The model as it was."""
        self.model.set_weights(self.weights[step])
        return self.model


@dataclass(frozen=True)
class Entry:
    """A view in the harness.

    Attributes:
        view: the class.
        build: makes the compiled model.
        options: what the view is given beside log_dir, data and `count`.
        target: what the model is trained to give: `"y"` or `"x"`.
        data: makes the data.
        tags: picture tags.
        scalars: scalar tags that are there at every step (those that need a step before: at all but the first).
        poison: the layer whose kernel becomes NaN.
        known: asserts a run's numbers (or the picture's own pixels) against another way to them.
        largest: by key of the scale, what one `Measured` needs of it.
        still: pixels of a picture that must be the same at every step.
        skips_nan: a step whose numbers are not finite is left out with a warning, not drawn.
        sources: the runs it writes: `BOTH`, or `("model",)` for what shows weights.
        needs_data: whether the view is given validation and training data.
        beside: picture tags that the run of validation data has beside the others: those of both sets of data.
    """

    view: type
    build: Callable[[], keras.Model]
    tags: frozenset[str]
    scalars: frozenset[str]
    poison: str
    known: Callable[[Run], None]
    largest: Callable[[Any], dict[str, float]]
    still: Callable[[Run, str, np.ndarray], Any]
    options: dict[str, Any] = field(default_factory=dict)
    target: str = "y"
    data: Callable[[], Data] = pictures
    skips_nan: bool = False
    sources: tuple[str, ...] = BOTH
    needs_data: bool = True
    beside: frozenset[str] = frozenset()

    def tags_of(self, run: str) -> frozenset[str]:
        """The picture tags of a run of ours."""
        return self.tags | self.beside if run == "views/validation" else self.tags

    def made(self, log_dir, data: Data, view: type | None = None, **options):
        """The callback."""
        kind = view or self.view
        if not self.needs_data:
            return kind(log_dir, **self.options, **options)
        given = {"training_data": (data.x, data.y), "count": 6, **self.options, **options}
        return kind(log_dir, (data.x_val, data.y_val), **given)

    def run(self, directory: Path, extra=(), seed=7, **options) -> Run:
        """One fit with the view in it."""
        keras.utils.set_random_seed(seed)
        data, model, weights = self.data(), self.build(), Weights()
        log_dir, save_dir = directory / "logs", directory / "pictures"
        view = self.made(log_dir, data, recorded(self.view), save_dir=save_dir, on_error="raise", **options)
        history = fit(model, data.x, getattr(data, self.target), [*extra, weights, view])
        return Run(self, view.at_work[0], model, weights.at, model.get_weights(), history.history, log_dir, save_dir)


# What is shown, and what stays.


def reach_of(array) -> float:
    """The magnitude that no more than 0.5 % of the numbers exceed, by sorting."""
    ordered = np.sort(np.abs(array), axis=None)
    return float(ordered[math.ceil(0.995 * (ordered.size - 1))])


def reached(measured) -> dict[str, float]:
    """How far the scale of each layer must reach."""
    return {path: reach_of(array) for path, array in measured.data.items()}


def probe_pictures_stay(run: Run, tag: str, picture: np.ndarray) -> np.ndarray | None:
    """Where each probe picture of validation data stands, enlarged by a whole factor; a dense layer shows none."""
    if tag.endswith("answer"):
        return None
    shown = run.view.probe_display.pictures("validation")
    for factor in range(16, 3, -1):
        found = [places_of(one.repeat(factor, 0).repeat(factor, 1), picture) for one in shown]
        if any(found):
            assert [len(at) for at in found] == [1] * len(shown), "each probe picture is shown once"
            return np.array([[factor, *at[0]] for at in found])
    raise AssertionError(f"{tag}: the probe pictures are not shown")


NEEDS_A_STEP_BEFORE = ("turn", "move", "drift")
OF_CODES = frozenset(
    f"latent/{name}" for name in ("spread", "move", "drift", "active_units", "participation_ratio", "knn")
)
"""The scalar tags of every view of codes."""
