"""Small models of every kind, each with what is needed to know its answers by other means."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

SIDE, CLASSES, ROWS = 8, 3, 6


@dataclass
class Known:
    """A classifier: maps, their mean over positions, a dense layer; and what it should be seen to do.

    Attributes:
        model: the model.
        inputs: what it is fed.
        replay: inputs (as a tensor) -> {path: tensor}, by the layers themselves, in the order in which they run.
        maps: the path of the last maps.
        head: the dense layer after the mean.
    """

    model: Any
    inputs: Any
    replay: Callable[[Any], dict[str, Any]]
    maps: str
    head: Any


def pictures(n: int = ROWS, seed: int = 0) -> np.ndarray:
    """`(n, 8, 8, 3)`, float32, from -1 to 1."""
    return np.random.default_rng(seed).uniform(-1, 1, (n, SIDE, SIDE, 3)).astype(np.float32)


@contextmanager
def policy(name: str):
    """Build layers of another type of numbers."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def convolution(name: str, filters: int = 4, **options: Any) -> Any:
    """3x3, ReLU, with a bias that is not zero."""
    options = {"activation": "relu", "padding": "same", "bias_initializer": "random_normal"} | options
    return layers.Conv2D(filters, 3, name=name, **options)


def head(activation: str | None = "softmax", units: int = CLASSES, **options: Any) -> Any:
    """A dense layer with a bias that is not zero."""
    options = {"name": "head", "bias_initializer": "random_normal"} | options
    return layers.Dense(units, activation=activation, **options)


def four(activation: str | None = "softmax") -> list[Any]:
    """The four layers of most classifiers here."""
    return [convolution("conv1"), convolution("conv2", 5), layers.GlobalAveragePooling2D(name="gap"), head(activation)]


def chain(steps: Sequence[tuple[str, Any]]) -> Callable[[Any], dict[str, Any]]:
    """Layers applied one after the other."""

    def replay(x: Any) -> dict[str, Any]:
        found = {}
        for path, layer in steps:
            x = found[path] = layer(x, training=False)
        return found

    return replay


def known(model: Any, parts: Sequence[Any], inputs: Any = None, *, under: Sequence[str] = ("", "", "", "")) -> Known:
    """A chain whose second last but one gives the maps; `under` are the paths that the parts stand below."""
    steps = [(prefix + part.name, part) for prefix, part in zip(under, parts, strict=True)]
    return Known(model, pictures() if inputs is None else inputs, chain(steps), steps[-3][0], parts[-1])


# Every kind of model.


def sequential() -> Known:
    parts = four()
    return known(keras.Sequential([keras.Input((SIDE, SIDE, 3)), *parts]), parts)


def sequential_never_called() -> Known:
    parts = four()
    return known(keras.Sequential(parts), parts)


def sequential_after_its_first_call() -> Known:
    made = sequential_never_called()
    made.model(made.inputs[:2])
    return made


def _loaded(made: Known, path: Any) -> Known:
    made.model.save(path)
    model = keras.models.load_model(path)
    parts = [model.get_layer(name) for name in ("conv1", "conv2", "gap", "head")]
    return known(model, parts)


def loaded_sequential(folder: Any) -> Known:
    return _loaded(sequential(), folder / "s.keras")


def loaded_sequential_h5(folder: Any) -> Known:
    return _loaded(sequential(), folder / "s.h5")


def loaded_functional(folder: Any) -> Known:
    return _loaded(functional(), folder / "f.keras")


def loaded_functional_h5(folder: Any) -> Known:
    return _loaded(functional(), folder / "f.h5")


def applied(parts: Sequence[Any], x: Any) -> Any:
    """`parts` one after the other."""
    for part in parts:
        x = part(x)
    return x


def functional(name: str | None = None, **options: Any) -> Known:
    parts = four()
    inputs = keras.Input((SIDE, SIDE, 3), **options)
    return known(keras.Model(inputs, applied(parts, inputs), name=name), parts)


def nested() -> Known:
    parts = four()
    inner = keras.Input((SIDE, SIDE, 3))
    backbone = keras.Model(inner, applied(parts[:2], inner), name="backbone")
    inputs = keras.Input((SIDE, SIDE, 3))
    outputs = applied(parts[2:], backbone(inputs))
    return known(keras.Model(inputs, outputs), parts, under=("backbone/", "backbone/", "", ""))


def nested_twice() -> Known:
    parts = four()
    inner = keras.Input((SIDE, SIDE, 3))
    core = keras.Model(inner, applied(parts[:2], inner), name="core")
    backbone = keras.Sequential([keras.Input((SIDE, SIDE, 3)), core, parts[2]], name="backbone")
    inputs = keras.Input((SIDE, SIDE, 3))
    under = ("backbone/core/", "backbone/core/", "backbone/", "")
    return known(keras.Model(inputs, parts[3](backbone(inputs))), parts, under=under)


class Subclassed(keras.Model):
    """Layers as attributes."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.pool, self.top = four()

    def call(self, x):
        return self.top(self.pool(self.second(self.first(x))))


def subclassed() -> Known:
    model = Subclassed()
    return known(model, [model.first, model.second, model.pool, model.top])


class InLists(keras.Model):
    """Layers in a list and in a dict."""

    def __init__(self):
        super().__init__()
        first, second, pool, top = four()
        self.blocks, self.tops = [first, second, pool], {"main": top}

    def call(self, x):
        for block in self.blocks:
            x = block(x)
        return self.tops["main"](x)


def subclassed_with_lists_and_dicts() -> Known:
    model = InLists()
    return known(model, [*model.blocks, model.tops["main"]])


class Twins(keras.Model):
    """Two layers of one name."""

    def __init__(self):
        super().__init__()
        self.first, self.second = convolution("conv"), convolution("conv", 5)
        self.pool, self.top = four()[2:]

    def call(self, x):
        return self.top(self.pool(self.second(self.first(x))))


def two_layers_of_one_name() -> Known:
    model = Twins()
    paths = ("conv", "conv_2", "gap", "head")
    parts = [model.first, model.second, model.pool, model.top]
    return Known(model, pictures(), chain(list(zip(paths, parts, strict=True))), "conv_2", model.top)


class Block(layers.Layer):
    """A custom layer with layers of its own: two convolutions and a sum."""

    def __init__(self, **options: Any):
        super().__init__(**options)
        self.inner = [convolution("a"), convolution("b", 3)]

    def call(self, x):
        return x + self.inner[1](self.inner[0](x))


def custom_layer_with_layers() -> Known:
    block, (pool, top) = Block(name="block"), four()[2:]
    model = keras.Sequential([keras.Input((SIDE, SIDE, 3)), block, pool, top])

    def replay(x: Any) -> dict[str, Any]:
        a = block.inner[0](x)
        b = block.inner[1](a)
        mean = pool(x + b)
        return {"block/a": a, "block/b": b, "gap": mean, "head": top(mean)}

    return Known(model, pictures(), replay, "block", top)


def shared_layer() -> Known:
    shared, (pool, top) = convolution("sh", 3), four()[2:]
    inputs = keras.Input((SIDE, SIDE, 3))
    model = keras.Model(inputs, top(pool(shared(shared(inputs)))))
    return Known(
        model, pictures(), chain([("sh", shared), ("sh:1", shared), ("gap", pool), ("head", top)]), "sh:1", top
    )


def _two_inputs(structure: Callable[[Any, Any], Any]) -> Known:
    one, two = keras.Input((SIDE, SIDE, 3), name="left"), keras.Input((SIDE, SIDE, 3), name="right")
    first, second, pool, top = four()
    joined = layers.Concatenate(name="join")
    model = keras.Model(structure(one, two), top(pool(second(joined([first(one), two])))))

    def replay(given: Any) -> dict[str, Any]:
        left, right = (given["left"], given["right"]) if isinstance(given, dict) else given
        found = {"conv1": first(left)}
        found["join"] = joined([found["conv1"], right])
        found["conv2"] = second(found["join"])
        found["gap"] = pool(found["conv2"])
        return found | {"head": top(found["gap"])}

    return Known(model, structure(pictures(seed=1), pictures(seed=2)), replay, "conv2", top)


def inputs_in_a_list() -> Known:
    return _two_inputs(lambda one, two: [one, two])


def inputs_in_a_dict() -> Known:
    return _two_inputs(lambda one, two: {"left": one, "right": two})


def outputs_in_a_list() -> Known:
    parts, other = four(), head(None, 2, name="other")
    inputs = keras.Input((SIDE, SIDE, 3))
    mean = applied(parts[:3], inputs)
    made = known(keras.Model(inputs, [parts[3](mean), other(mean)]), parts)
    replay = chain([(part.name, part) for part in parts[:3]])

    def both(x: Any) -> dict[str, Any]:
        found = replay(x)
        return found | {"other": other(found["gap"]), "head": parts[3](found["gap"])}

    made.replay = both
    return made


def mixed_float16() -> Known:
    with policy("mixed_float16"):
        return functional()


def mixed_bfloat16() -> Known:
    with policy("mixed_bfloat16"):
        return nested()


def float64() -> Known:
    with policy("float64"):
        made = functional(dtype="float64")
    made.inputs = made.inputs.astype(np.float64)
    return made


def frozen() -> Known:
    made = nested()
    made.model.trainable = False
    return made


def of_one_batch_size() -> Known:
    return functional("of_four", batch_size=4)  # of six rows the last batch is half empty


class Untraceable(Subclassed):
    """A call that looks at values."""

    def call(self, x):
        if float(ops.mean(x)) > 1e6:
            raise AssertionError
        return super().call(x)


def untraceable() -> Known:
    model = Untraceable()
    model.compile(loss="mse", run_eagerly=True)
    return known(model, [model.first, model.second, model.pool, model.top])


def jit_compiled() -> Known:
    made = functional()
    made.model.compile(loss="sparse_categorical_crossentropy", jit_compile=True)
    return made


def rescaled_bytes() -> Known:
    scale, parts = layers.Rescaling(1 / 255, name="scale"), four()
    inputs = keras.Input((SIDE, SIDE, 3), dtype="uint8")
    fed = np.random.default_rng(0).integers(0, 256, (ROWS, SIDE, SIDE, 3), np.uint8)
    model = keras.Model(inputs, applied([scale, *parts], inputs))
    return known(model, [scale, *parts], fed, under=("",) * 5)


def normalised_and_dropped_out() -> Known:
    first, second, pool, top = four()
    normal, drop = layers.BatchNormalization(name="bn"), layers.Dropout(0.5, name="drop")
    inputs = keras.Input((SIDE, SIDE, 3))
    model = keras.Model(inputs, applied([first, normal, drop, second, pool, top], inputs))
    normal.moving_mean.assign([0.1, 0.2, 0.3, 0.4])
    return known(model, [first, normal, drop, second, pool, top], under=("",) * 6)


ANY: dict[str, Callable[[], Known]] = {
    made.__name__: made
    for made in (
        sequential,
        sequential_never_called,
        sequential_after_its_first_call,
        functional,
        nested,
        nested_twice,
        subclassed,
        subclassed_with_lists_and_dicts,
        two_layers_of_one_name,
        custom_layer_with_layers,
        shared_layer,
        inputs_in_a_list,
        inputs_in_a_dict,
        outputs_in_a_list,
        mixed_float16,
        mixed_bfloat16,
        float64,
        frozen,
        of_one_batch_size,
        untraceable,
        jit_compiled,
        rescaled_bytes,
        normalised_and_dropped_out,
    )
}
LOADED = {
    made.__name__: made for made in (loaded_sequential, loaded_sequential_h5, loaded_functional, loaded_functional_h5)
}


# What the answer must be.


def closed_form(maps: np.ndarray, head: Any, classes: Any) -> np.ndarray:
    """Grad-CAM of logits where the maps go through their mean into a dense layer (FIELD_NOTES, oracles)."""
    kernel = kernel_of(head)
    channels, positions = maps.shape[-1], maps[0, ..., 0].size
    weights = np.take(kernel, np.broadcast_to(classes, len(maps)), axis=1).T  # (n, c)
    evidence = (maps.reshape(len(maps), -1, channels).astype(np.float64) * weights[:, None]).sum(-1)
    return np.maximum(evidence, 0).reshape(maps.shape[:-1]) / positions


def closed_form_of_probability(maps: np.ndarray, head: Any, classes: Any) -> tuple[np.ndarray, np.ndarray]:
    """The same of the softmax' output; beside it the probability of each row's class."""
    kernel = kernel_of(head)
    p = softmax(logits(maps, head))
    rows, classes = np.arange(len(maps)), np.broadcast_to(classes, len(maps))
    weights = p[rows, classes][:, None] * (kernel[:, classes].T - p @ kernel.T)
    positions = maps[0, ..., 0].size
    evidence = (maps.reshape(len(maps), -1, maps.shape[-1]).astype(np.float64) * weights[:, None]).sum(-1)
    return np.maximum(evidence, 0).reshape(maps.shape[:-1]) / positions, p[rows, classes]


def kernel_of(head: Any) -> np.ndarray:
    """The kernel as the layer uses it, in float64."""
    return np.asarray(tf.cast(tf.cast(head.kernel.value, head.compute_dtype), tf.float64))


def logits(maps: np.ndarray, head: Any) -> np.ndarray:
    """`(n, classes)` in float64."""
    bias = np.asarray(tf.cast(head.bias.value, tf.float64))
    return maps.reshape(len(maps), -1, maps.shape[-1]).astype(np.float64).mean(1) @ kernel_of(head) + bias


def softmax(values: np.ndarray) -> np.ndarray:
    """Shares over the last axis."""
    shifted = np.exp(values - values.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


def assert_maps_equal(found: np.ndarray, expected: np.ndarray, tolerance: float = 1e-6) -> None:
    """Equal within `tolerance` of the largest value, and not all zeros."""
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    assert expected.max() > 0
    assert np.abs(found - expected).max() <= tolerance * expected.max()
