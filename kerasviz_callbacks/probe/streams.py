"""The batches of datasets that can only be read in order, read without side effects."""

import random
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count
from typing import Any

import numpy as np

from .. import _keras
from .structures import instance_of, loaded, named_leaves

# Copying a tf.data dataset copies its tensors in memory, several times on the way, and fails beyond 2 GB.
LARGEST_COPY = 2**30

# These operations hold a resource: a counter of iterations, or a cache. The serialised dataset refers to it, so a copy
# would share it; with the operations on the right, the copy creates its own.
_OWN_STATE = {
    "ShuffleDatasetV3": "DummySeedGenerator",
    "ShuffleAndRepeatDatasetV2": "DummySeedGenerator",
    "RandomDatasetV2": "DummySeedGenerator",
    "CacheDatasetV2": "DummyMemoryCache",
}


def is_tf_data(data: Any) -> bool:
    """Say whether data is a `tf.data.Dataset`, without importing TensorFlow."""
    return instance_of(data, "tensorflow", "data", "Dataset")


def is_stream(data: Any) -> bool:
    """Say whether data is a `tf.data.Dataset`, a `PyDataset` or a `DataLoader`, without importing any."""
    return is_tf_data(data) or _is_py_dataset(data) or _is_loader(data)


def batches(data: Any) -> Generator[Any, None, None]:
    """Yield the batches of a stream in order; a list from a `DataLoader` is converted to a tuple."""
    if _is_py_dataset(data):
        last = data.num_batches
        for place in count() if last is None else range(last):
            yield data[place]
    elif _is_loader(data):
        for batch in data:
            yield tuple(batch) if isinstance(batch, list) else batch
    else:
        yield from data


def has_known_length(data: Any) -> bool:
    """Say whether the length of a stream is known."""
    if _is_py_dataset(data):
        return data.num_batches is not None
    if is_tf_data(data):
        return int(data.cardinality()) >= 0
    return hasattr(type(data.dataset), "__len__")


def own_class_names(data: Any) -> Any:
    """Look up the class names of a dataset: `class_names`, or `classes` as in torchvision."""
    names = getattr(data, "class_names", None)
    if names is None and _is_loader(data):
        names = getattr(data.dataset, "class_names", getattr(data.dataset, "classes", None))
    return names


def check_element_spec(dataset: Any, name: str) -> None:
    """Check, as far as possible before it is read, that a `tf.data.Dataset` is batched and holds dense tensors only."""
    sizes = {}
    for path, spec in named_leaves(dataset.element_spec, "element"):
        if not instance_of(spec, "tensorflow", "TensorSpec"):
            kind = type(spec).__name__.removesuffix("Spec")
            raise TypeError(
                f"{name}: its elements must be dense tensors, got a {kind} in {path}; "
                "map it to a dense tensor first (.to_tensor(), tf.sparse.to_dense), or leave it out"
            )
        if spec.shape.rank == 0:
            raise ValueError(f"{name}: a tf.data.Dataset must be batched, got {path} of shape (); use .batch(32)")
        if spec.shape.rank is not None:
            sizes[path] = spec.shape[0]
    known = sorted({size for size in sizes.values() if size is not None})
    if len(known) > 1:
        raise ValueError(
            f"{name}: a tf.data.Dataset must be batched, got elements with {known[0]} and {known[-1]} rows "
            f"({', '.join(sizes)}); use .batch(32)"
        )


def copy_dataset(dataset: Any) -> Any:
    """Copy a `tf.data.Dataset` such that the copy shares no state with it.

    Reading a dataset that reshuffles changes the order in which `fit` will get it; reading the copy does not. The copy
    has its own variables, tables, caches, shuffle orders and random operations. State of Python code inside the
    dataset (a generator that continues where it stopped) is still shared. None if the dataset cannot be serialised or
    holds more than 1 GiB in memory.
    """
    tf = loaded("tensorflow")
    if _bytes_in_memory(dataset) > LARGEST_COPY:
        return None
    try:
        with tf.device("/CPU:0"):
            graph = tf.raw_ops.DatasetToGraphV2(
                input_dataset=tf.data.experimental.to_variant(dataset),
                external_state_policy=1,  # copy what has a state, and do not warn
                strip_device_assignment=True,
            )
            variant = tf.raw_ops.DatasetFromGraph(graph_def=_with_own_state(tf, graph.numpy()))
            return tf.data.experimental.from_variant(variant, dataset.element_spec)
    except Exception:  # for any reason: the dataset itself can be read, and the caller warns
        return None


def _with_own_state(tf: Any, text: bytes) -> bytes:
    graph = tf.compat.v1.GraphDef.FromString(text)
    resource = tf.resource.as_datatype_enum
    by_name = {node.name: node for node in graph.node}
    for node in graph.node:
        for source in [by_name[name] for name in node.input if name in by_name]:
            if source.op == "Const" and source.attr["dtype"].type == resource and node.op in _OWN_STATE:
                source.op = _OWN_STATE[node.op]
                source.attr.clear()
    # Stripping devices leaves "/device::0" on tf.py_function, which cannot be parsed.
    for node in [*graph.node, *(node for one in graph.library.function for node in one.node_def)]:
        node.device = ""
    done: bytes = graph.SerializeToString()
    return done


def _bytes_in_memory(dataset: Any) -> int:
    """Estimate the bytes that the sources of a data set hold; 0 where that is not known."""
    tensors = _keras.dataset_tensors(dataset)
    held = sum((tensor.shape.num_elements() or 0) * tensor.dtype.size for tensor in tensors)
    return int(held) + sum(_bytes_in_memory(one) for one in _keras.dataset_inputs(dataset))


@contextmanager
def restored_random_states(data: Any) -> Iterator[None]:
    """Restore all random states that reading may change: Python's, numpy's, Keras', torch's, the data's own.

    Of a `PyDataset` all attributes are restored (a legacy `ImageDataGenerator` keeps its order there), and the state of
    generators among them; of a `DataLoader` the state of its generators. The state of TensorFlow's eager random
    operations cannot be restored: a `PyDataset` that augments with them draws other numbers afterwards.
    """
    with ExitStack() as stack:
        for get, put in [*_global_states(), *_own_states(data)]:
            stack.callback(put, get())
        yield


_State = tuple[Callable[[], Any], Callable[[Any], Any]]


def _global_states() -> Iterator[_State]:
    yield random.getstate, random.setstate
    yield np.random.get_state, np.random.set_state  # the users' code may use it
    if (torch := loaded("torch")) is not None:
        yield torch.random.get_rng_state, torch.random.set_rng_state
    generator = _keras.global_seed_generator()
    yield lambda: generator, _keras.set_global_seed_generator
    if generator is not None:
        yield lambda: np.array(generator.state), generator.state.assign


def _own_states(data: Any) -> Iterator[_State]:
    if _is_loader(data):
        for owner in [data, getattr(data, "sampler", None)]:
            generator = getattr(owner, "generator", None)
            if generator is not None:
                yield generator.get_state, generator.set_state
    elif _is_py_dataset(data):
        own = vars(data)
        yield own.copy, lambda kept: (own.clear(), own.update(kept))
        for value in own.values():
            if isinstance(value, np.random.Generator):
                bits = value.bit_generator
                yield partial(getattr, bits, "state"), partial(setattr, bits, "state")
            elif isinstance(value, np.random.RandomState):
                yield value.get_state, value.set_state
            elif isinstance(value, random.Random):
                yield value.getstate, value.setstate


def _is_py_dataset(data: Any) -> bool:
    return instance_of(data, "keras", "utils", "PyDataset")


def _is_loader(data: Any) -> bool:
    return instance_of(data, "torch", "utils", "data", "DataLoader")


def has_sample_weights(batch: Any) -> bool:
    """Whether what Keras takes is `(x, y, w)`."""
    return isinstance(batch, tuple) and len(batch) == 3 and batch[2] is not None


def parts_of(batch: Any, name: str) -> tuple[Any, Any]:
    """Take x and y out of what Keras takes: `x`, `(x,)`, `(x, y)` or `(x, y, w)`.

    Raises:
        ValueError: If a tuple has no or more than three members.
    """
    if not isinstance(batch, tuple):
        return batch, None
    if not 1 <= len(batch) <= 3:
        raise ValueError(
            f"{name}: a tuple must be (x,), (x, y) or (x, y, w), got {len(batch)} members; "
            "give several inputs as a list or dict: ([a, b], y)"
        )
    if batch[0] is None:
        raise TypeError(f"{name}: x must be an array, got None; the first member of a tuple is x")
    return batch[0], batch[1] if len(batch) > 1 else None
