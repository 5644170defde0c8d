"""TensorFlow: run the user's own sampling code so that it draws the same numbers at every call, and changes nothing.

The random operations of TensorFlow count in their kernels what they have drawn, and nothing but a new graph sets these
back. So, in one thread, the operations that run eagerly are replaced by their stateless twins with seeds of our own.
"""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import numpy as np
import tensorflow as tf

from . import ImpossibleError
from .tensorflow_private import private
from .tensorflow_random import kept_eager_stream, may_draw_elsewhere

_MOVED = (
    "it draws from Python's or numpy's global random state, from which a data set or another thread may draw too, so "
    "to draw the same numbers at every step would change the training; draw from keras.random or from a generator "
    "made within it, such as numpy.random.default_rng(0)"
)


class Repeatable:
    """`function()` with the same random numbers at every call; afterwards all that it drew from is as before.

    Covered are Python's and numpy's global states, TensorFlow's eager operations and generators, and, as they are among
    `variables`, Keras' seed generators. A `tf.function` of the user's keeps the numbers that it draws in its graph.

    Args:
        function: takes nothing; what it returns is returned.
        variables: gives every variable that it might assign, at each call anew.
        seeds: gives those of them that hold the state of a seed generator of Keras.
        generators: gives the `tf.random.Generator`s that it might use.
        seed: of all that it draws.
    """

    def __init__(
        self,
        function: Callable[[], Any],
        variables: Callable[[], Iterable[Any]],
        seeds: Callable[[], Iterable[Any]],
        generators: Callable[[], Iterable[Any]],
        seed: int,
    ):
        self._function, self._variables, self._seeds = function, variables, seeds
        self._generators, self._seed = generators, seed
        self._draws_globally: bool | None = None  # not known before the first call

    def __call__(self) -> Any:
        """Call the function.

        ImpossibleError: it draws from a global random state that another thread may be using.
        """
        generators = [*self._generators(), *_global_generator()]
        kept = [(one, one.numpy().copy()) for one in [*self._variables(), *(each.state for each in generators)]]
        try:
            for number, state in enumerate(self._seeds()):
                state.assign([self._seed, number])
            for number, generator in enumerate(generators):
                generator.reset_from_seed(self._seed + number)
            with kept_eager_stream(), _stateless_operations(self._seed):
                return self._with_global_states()
        finally:
            for variable, value in kept:
                if not np.array_equal(variable.numpy(), value, equal_nan=value.dtype.kind in "fc"):
                    variable.assign(value)

    def _with_global_states(self) -> Any:
        """Call the function with Python's and numpy's states seeded, if it draws from them and nobody else may."""
        if self._draws_globally is False:
            return self._function()
        if may_draw_elsewhere():
            if self._draws_globally:
                raise ImpossibleError(_MOVED)
            before = _global_states()
            result = self._function()
            if _global_states() != before:
                raise ImpossibleError(_MOVED)
            self._draws_globally = False
            return result
        python, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - the global one is meant
        try:
            random.seed(self._seed)
            np.random.seed(self._seed)  # noqa: NPY002
            before = _global_states()
            result = self._function()
            self._draws_globally = _global_states() != before
            return result
        finally:
            random.setstate(python)
            np.random.set_state(of_numpy)  # noqa: NPY002


def _global_states() -> Any:
    state = np.random.get_state(legacy=False)  # noqa: NPY002
    return random.getstate(), {key: repr(value) for key, value in _flat(state)}


def _flat(state: Any) -> Iterator[tuple[str, Any]]:
    for key, value in state.items():
        if isinstance(value, dict):
            yield from _flat(value)
        else:
            yield key, value.tobytes() if isinstance(value, np.ndarray) else value


def _global_generator() -> list[Any]:
    with suppress(RuntimeError):  # where TensorFlow must be deterministic, there is none
        return [tf.random.get_global_generator()]
    return []


def is_generator(value: Any) -> bool:
    """Whether this is a generator of random numbers that holds its state in a variable of TensorFlow."""
    return isinstance(value, tf.random.Generator)


def _shape_of_each(shape: Any, parameter: Any) -> Any:
    return tf.concat([shape, tf.cast(tf.shape(parameter), shape.dtype)], 0)


# By the name of an operation, its stateless twin: the seed, then the operation's own arguments.
_STATELESS: dict[str, Callable[..., Any]] = {
    "random_standard_normal": lambda own, shape, dtype, **_: tf.random.stateless_normal(shape, own, dtype=dtype),
    "truncated_normal": lambda own, shape, dtype, **_: tf.random.stateless_truncated_normal(shape, own, dtype=dtype),
    "random_uniform": lambda own, shape, dtype, **_: tf.random.stateless_uniform(shape, own, dtype=dtype),
    "random_uniform_int": lambda own, shape, minval, maxval, **_: tf.random.stateless_uniform(
        shape, own, minval, maxval, tf.convert_to_tensor(minval).dtype
    ),
    "random_shuffle": lambda own, value, **_: tf.random.experimental.stateless_shuffle(value, own),
    "multinomial": lambda own, logits, num_samples, output_dtype=tf.int64, **_: tf.random.stateless_categorical(
        logits, num_samples, own, output_dtype
    ),
    "random_gamma": lambda own, shape, alpha, **_: tf.random.stateless_gamma(
        _shape_of_each(shape, alpha), own, alpha, dtype=alpha.dtype
    ),
    "random_poisson_v2": lambda own, shape, rate, dtype=tf.int64, **_: tf.random.stateless_poisson(
        _shape_of_each(shape, rate), own, rate, dtype
    ),
}


@contextmanager
def _stateless_operations(seed: int) -> Iterator[None]:
    """Meanwhile TensorFlow's random operations that run eagerly in this thread draw from `seed`, always the same."""
    module = private("gen_random_ops")
    drawn, thread = itertools.count(), threading.get_ident()

    def replaced(original: Callable[..., Any], twin: Callable[..., Any]) -> Callable[..., Any]:
        def operation(*args: Any, **kwargs: Any) -> Any:
            if threading.get_ident() != thread or not tf.executing_eagerly():
                return original(*args, **kwargs)
            return twin((seed, next(drawn)), *args, **kwargs)

        return operation

    with ExitStack() as restored:
        for name, twin in _STATELESS.items():
            original = getattr(module, name, None)
            if original is not None:
                restored.callback(setattr, module, name, original)
                setattr(module, name, replaced(original, twin))
        yield
