"""Pictures that a model generates: sampled with the same random numbers at every call, without changing the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np

from .. import _keras
from .._autodiff import framework
from .._typing import Array
from ..probe.messages import short_message
from .layers import list_layers
from .parts import Part, generators, input_shapes
from .reader import all_variables

ONLY = ""  # the name of the samples of a callable that returns an array

_PICTURES = "pictures (n, h, w) or (n, h, w, 1, 3 or 4), an array or a dict of them by name"
_EXPECTED = f"expected {_PICTURES}"


class Sampler:
    """Samples pictures of a model; what differs from call to call is what its weights make of the same numbers.

    Args:
        model: the model.
        sample: a callable `model -> pictures`, or a dict of such callables by name; `None`: the parts of the model that
            make pictures of a vector are fed standard normal numbers.
        part: what is sampled in place of the model, and passed to `sample`.
        count: how many pictures each of these parts makes.
        seed: of all random numbers.
        classes: how many classes the data have. Parts fed as many numbers more than the model's attribute `latent_dim`
            says are fed one-hot classes in turn behind the normal numbers.

    Attributes:
        fed: what the parts are fed, by path, in words.
        conditions: the classes that they are fed `(count,)`, by path.

    Raises:
        ValueError: `sample=None`, and no part of the model makes pictures of a vector.
    """

    def __init__(self, model: Any, sample: Any, *, part: Part | None = None, count: int, seed: int, classes: int = 0):
        framework()  # raises on another backend
        self._model, self._sample = model, sample
        self._sampled_model = model if part is None else part.layer
        within = "" if part is None else f"{part.path}/"
        parts = [one for one in generators(model) if f"{one.path}/".startswith(within)] if sample is None else []
        if sample is None and not parts:
            raise ValueError(
                f'sample=None: no part of model "{model.name}" takes one vector (n, d) and makes pictures '
                "(n, h, w, 1, 3 or 4); pass sample=, a callable from the model to pictures, such as "
                "lambda model: model.generator(keras.random.normal((16, 64)))."
            )
        self._parts, self.fed = dict[str, tuple[Any, Array]](), dict[str, str]()
        self.conditions: dict[str, Array] = {}
        for one in parts:
            vectors = _noise(one.layer, count, seed)
            normal = vectors.shape[1]
            if classes and getattr(model, "latent_dim", None) == normal - classes:
                normal -= classes
                self.conditions[one.path] = np.arange(count) % classes
                vectors[:, normal:] = np.eye(classes)[self.conditions[one.path]]
            self._parts[one.path] = one.layer, vectors
            self.fed[one.path] = f"{normal} normal numbers" + (" and a class" if one.path in self.conditions else "")
        run = framework().Repeatable
        self._run = run(self._sampled, self._variables, self._seed_states, self._generators, seed)

    def __call__(self) -> dict[str, Array]:
        """Return pictures `(n, h, w)` or `(n, h, w, c)` by name.

        Raises:
            ValueError: `sample` raised, or returned something else, or built layers or optimizers.
        """
        shared = _keras.global_seed_generator()
        if shared is None:
            _keras.set_global_seed_generator(keras.random.SeedGenerator(0))
        before = sum(1 for _ in self._variables())
        restore_losses = _keras.keep_losses(self._layers())
        try:
            found: dict[str, Array] = self._run()
            made = sum(1 for _ in self._variables()) - before
        finally:
            restore_losses()
            _keras.set_global_seed_generator(shared)
        if made:
            raise ValueError(
                f"sample: it made {made} variables of the model or of an optimizer, so training would begin from other "
                "values; build layers before fit (with an Input, or by one call), and train nothing in it."
            )
        return found

    def _sampled(self) -> dict[str, Array]:
        if self._sample is None:
            return {name: _of_part(name, part, noise) for name, (part, noise) in self._parts.items()}
        wanted = self._sample if isinstance(self._sample, Mapping) else {ONLY: self._sample}
        found: dict[str, Array] = {}
        for name, sample in wanted.items():
            try:
                result = sample(self._sampled_model)
            except Exception as error:
                raise ValueError(
                    f"{_of(name)}: raised {type(error).__name__} ({short_message(error)}); it is called with the "
                    f"model, and must return {_PICTURES}."
                ) from error
            several = result if isinstance(result, Mapping) else {ONLY: result}
            for key, value in several.items():
                joined = "/".join(part for part in (str(name), str(key)) if part)
                found[joined] = _pictures(value, joined)
        if not found:
            raise ValueError(f"sample: returned nothing; {_EXPECTED}.")
        return found

    def _variables(self) -> Iterator[Any]:
        """Every variable of the model and its optimizers."""
        yield from all_variables(self._model)
        for value in self._attributes():
            if isinstance(value, keras.optimizers.Optimizer):
                yield from value.variables

    def _seed_states(self) -> Iterator[Any]:
        """The states of Keras' seed generators: the global one, then the model's."""
        shared = _keras.global_seed_generator()
        if shared is not None:
            yield shared.state
        own = [one for layer in self._layers() for one in _keras.seed_generators(layer)]
        yield from {id(one): one.state for one in own}.values()

    def _generators(self) -> Iterator[Any]:
        """The random number generators of the framework that the model or its layers hold as attributes."""
        found = {id(one): one for one in self._attributes() if framework().is_generator(one)}
        yield from found.values()

    def _attributes(self) -> Iterator[Any]:
        for layer in self._layers():
            yield from list(vars(layer).values())

    def _layers(self) -> list[Any]:
        return [self._model, *(ref.layer for ref in list_layers(self._model))]


def _noise(part: Any, count: int, seed: int) -> Array:
    ((size,),) = input_shapes(part) or [(1,)]
    return np.random.default_rng(seed).standard_normal((count, size or 1)).astype(np.float32)


def _of_part(name: str, part: Any, noise: Array) -> Array:
    try:
        made = part(noise, training=False)
    except Exception as error:
        raise ValueError(
            f'sample=None: part "{name}" raised {type(error).__name__} ({short_message(error)}) on standard normal '
            "numbers; pass sample=, a callable from the model to pictures."
        ) from error
    return _pictures(made, name, any_channels=True)


def _of(name: str) -> str:
    return f'sample["{name}"]' if name else "sample"


def _pictures(value: Any, name: str, *, any_channels: bool = False) -> Array:
    """Samples as an array of pictures, channels last; of a part that was found by its shapes with any number."""
    try:
        array = np.asarray(keras.ops.convert_to_numpy(value) if keras.ops.is_tensor(value) else value)
    except Exception as error:  # a list of pictures of several sizes
        raise ValueError(f"{_of(name)}: returned no array ({short_message(error)}); {_EXPECTED}.") from error
    if array.ndim == 4 and array.shape[-1] not in (1, 3, 4) and array.shape[1] in (1, 3, 4):
        array = np.moveaxis(array, 1, -1)
    array = array.astype(np.float32) if array.dtype.name in ("float16", "bfloat16") else array
    fits = array.ndim == 3 or (array.ndim == 4 and (any_channels or array.shape[-1] in (1, 3, 4)))
    if not fits or not array.size or array.dtype.kind not in "buif":
        raise ValueError(f"{_of(name)}: returned {array.dtype} of shape {array.shape}; {_EXPECTED}.")
    return array
