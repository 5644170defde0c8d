"""TensorFlow: random states outside Keras, which a pass over a model must leave as they were.

Python's `random` and `numpy.random` are global, and a data set may draw from them in a thread of its own at any time
(`tf.data.Dataset.from_generator(...).prefetch(...)`, `keras.utils.PyDataset`): to save and restore them around a pass
would take back what that thread drew. So they are restored only after a pass during which they changed, and only if
no other thread can have changed them (`may_draw_elsewhere`).
"""

from __future__ import annotations

import gc
import random
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

import numpy as np
import tensorflow as tf

from .tensorflow_private import PRIVATE_NAMES, private

RUNS_EAGERLY = "EagerPyFunc"
_PYTHON_FUNCTIONS = frozenset({"PyFunc", "PyFuncStateless", RUNS_EAGERLY})
# Threads that these start load no data. TensorFlow's own are not among them: those that run Python are data sets'.
_NO_LOADERS = {
    *("IPython", "asyncio", "google", "ipykernel", "jupyter_client", "tornado", "zmq"),  # notebooks
    *("coverage", "debugpy", "execnet", "pydevd", "pytest_timeout"),  # debuggers and test runners
    *("kerasviz_callbacks", "tensorboard", "tqdm", "wandb"),  # what writes, or shows progress
}


@contextmanager
def kept_global_states() -> Iterator[None]:
    """Restore Python's and numpy's global random states afterwards, if only the code within can have changed them."""
    python, of_numpy = random.getstate(), np.random.get_state(legacy=False)  # noqa: NPY002 - the global one is meant
    try:
        yield
    finally:
        python_moved = random.getstate() != python
        numpy_moved = not _equal(np.random.get_state(legacy=False), of_numpy)  # noqa: NPY002
        if (python_moved or numpy_moved) and not may_draw_elsewhere():
            if python_moved:
                random.setstate(python)
            if numpy_moved:
                np.random.set_state(of_numpy)  # noqa: NPY002


@contextmanager
def kept_eager_stream(*, in_all_threads: bool = False) -> Iterator[None]:
    """Meanwhile the random operations of TensorFlow that run eagerly take their seeds from a stream of our own.

    TensorFlow numbers these operations from one generator once a global seed is set; ours must not move it. Other
    threads, such as those in which TensorFlow runs a graph's Python functions, go on drawing from TensorFlow's, unless
    `in_all_threads`.
    """
    get_context = private("context")
    context = None if get_context is None else get_context()
    # Without a seed nothing repeats, and there is no generator.
    theirs = None if context is None or private("_seed", context) is None else private("_rng", context)
    if theirs is None:
        yield
        return
    # A kernel is kept by its seed and counts what it drew: ours must never get a seed of the user's.
    ours = random.Random("kerasviz_callbacks")
    attribute = PRIVATE_NAMES["_rng"].attribute
    setattr(context, attribute, ours if in_all_threads else _OfThisThread(ours, theirs))
    try:
        yield
    finally:
        setattr(context, attribute, theirs)


class _OfThisThread:
    """One generator for the thread that made this object, another for all others."""

    def __init__(self, ours: random.Random, theirs: random.Random):
        self._thread, self._ours, self._theirs = threading.get_ident(), ours, theirs

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ours if threading.get_ident() == self._thread else self._theirs, name)


def python_functions(graph: Any) -> set[str]:
    """The types of the operations by which a graph, or a function in it, runs Python."""
    found = {operation.type for operation in graph.get_operations()}
    for function in graph.as_graph_def().library.function:
        found |= {node.op for node in function.node_def}
    return found & _PYTHON_FUNCTIONS


def may_draw_elsewhere() -> bool:
    """Whether another thread may be drawing from the global random states: one that loads data, or is unknown.

    Looks at the live `tf.data` iterators, Keras' own among them, and at the threads that run Python. Takes 0.05 s.
    """
    if any(map(_may_load, _other_threads())):
        return True
    kinds = _subclasses(tf.data.Iterator) | _subclasses(tf.distribute.DistributedIterator)
    return any(_runs_python(iterator) for iterator in gc.get_objects() if type(iterator) in kinds)


def _other_threads() -> list[FrameType | None]:
    """What the other threads are running now, `None` where it cannot be known."""
    frames = getattr(sys, "_current_frames", None)
    if frames is None:
        return [None] * (threading.active_count() - 1)
    return [frame for thread, frame in frames().items() if thread != threading.get_ident()]


def _may_load(frame: FrameType | None) -> bool:
    """Whether a thread may load data, by the package whose code it was started with."""
    started_by = ""
    while frame is not None:
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        started_by = package if package != "threading" else started_by
        frame = frame.f_back
    return started_by not in _NO_LOADERS


def _runs_python(iterator: Any) -> bool:
    """Whether an iterator of `tf.data` runs Python functions, which may draw; `True` if it cannot be known."""
    try:
        dataset = private("_dataset", iterator)
        return dataset is None or _pipeline_runs_python(dataset)
    except Exception:  # a data set of another kind
        return True


def _pipeline_runs_python(dataset: Any) -> bool:
    functions, inputs = private("_functions", dataset), private("_inputs", dataset)
    if functions is None or inputs is None:
        return True
    return any(python_functions(one.function.graph) for one in functions()) or any(map(_pipeline_runs_python, inputs()))


def _subclasses(kind: type) -> set[type]:
    return {kind}.union(*map(_subclasses, kind.__subclasses__()))


def _equal(one: Any, other: Any) -> bool:
    """Whether two states of numpy's generator are the same: dicts of numbers and arrays."""
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(_equal(value, other[key]) for key, value in one.items())
    return bool(np.array_equal(one, other))
