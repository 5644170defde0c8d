"""Arrays alone or in lists, tuples and dicts, as the inputs and outputs of models."""

import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Structure = Any  # an array, or lists, tuples and dicts of structures


def loaded(module: str, *path: str) -> Any:
    """Look up `module.path` without importing anything; None if the module, such as `"tensorflow"`, is not imported.

    An object can be of a framework's type only if that framework is imported.
    """
    found: Any = sys.modules.get(module)
    for name in path:
        found = getattr(found, name, None)
    return found


def instance_of(value: Any, module: str, *path: str) -> bool:
    """Say whether a value is an instance of a type in a module that may not be imported."""
    kind = loaded(module, *path)
    return isinstance(kind, type) and isinstance(value, kind)


def mapped(function: Callable[[Any], Any], structure: Structure) -> Structure:
    """Apply a function to each leaf, and keep the structure (named tuples too)."""
    if isinstance(structure, dict):
        return {key: mapped(function, part) for key, part in structure.items()}
    if isinstance(structure, tuple) and hasattr(structure, "_fields"):
        return type(structure)(*(mapped(function, part) for part in structure))
    if isinstance(structure, list | tuple):
        return type(structure)([mapped(function, part) for part in structure])
    return function(structure)


def named_leaves(structure: Structure, name: str) -> Iterator[tuple[str, Any]]:
    """Yield the leaves, each with the expression by which a user would access it, such as `x["depth"]`."""
    if isinstance(structure, dict):
        for key, part in structure.items():
            yield from named_leaves(part, f"{name}[{key!r}]".replace("'", '"'))
    elif isinstance(structure, list | tuple):
        for place, part in enumerate(structure):
            yield from named_leaves(part, f"{name}[{place}]")
    else:
        yield name, structure


def leaves(structure: Structure) -> list[Any]:
    """List the leaves in their order."""
    return [leaf for _, leaf in named_leaves(structure, "")]


def ordered_like(structure: Structure, example: Structure) -> Structure:
    """The same structure with its dicts in the order of the example's, which has the same keys."""
    if isinstance(structure, dict):
        return {key: ordered_like(structure[key], part) for key, part in example.items()}
    if isinstance(structure, tuple) and hasattr(structure, "_fields"):
        return type(structure)(*map(ordered_like, structure, example))
    if isinstance(structure, list | tuple):
        return type(structure)(map(ordered_like, structure, example))
    return structure


def structure_text(structure: Structure, *, sizes: bool = True) -> str:
    """Describe a batch: structure, dtypes and shapes, such as `(float32 (32, 8), {"a": int64 (32,)})`.

    Without sizes: the number of axes in their place, and the keys of dicts in alphabetical order, so that two batches
    of one kind have one text.
    """

    def part(value: Structure) -> str:
        return structure_text(value, sizes=sizes)

    if isinstance(structure, dict):
        items = structure.items() if sizes else sorted(structure.items(), key=lambda item: repr(item[0]))
        return "{" + ", ".join(f"{key!r}: {part(value)}" for key, value in items) + "}"
    if isinstance(structure, tuple):
        return f"({', '.join(map(part, structure))}{',' if len(structure) == 1 else ''})"
    if isinstance(structure, list):
        return f"[{', '.join(map(part, structure))}]"
    shape, dtype = getattr(structure, "shape", None), getattr(structure, "dtype", None)
    if shape is None or dtype is None:
        return describe(structure)
    kind = str(getattr(dtype, "name", dtype)).removeprefix("torch.")
    if getattr(dtype, "kind", "") in ("S", "U", "O", "T"):
        kind = "text"  # numpy's dtype names the longest of them
    axes = tuple(shape)
    return f"{kind} {axes if sizes else len(axes)}"


def take(structure: Structure, index: NDArray[np.intp]) -> Structure:
    """Copy the rows of an index out of every array."""
    return mapped(lambda array: array[index], structure)


def concatenate(parts: Sequence[Structure], name: str) -> Structure:
    """Concatenate structures of equal form along the first axis; ValueError if their rows differ in shape."""
    arrays = []
    for place, (path, _) in enumerate(named_leaves(parts[0], name)):
        column = [leaves(part)[place] for part in parts]
        shapes = sorted({array.shape[1:] for array in column})
        if len(shapes) > 1:
            both = f"{shapes[0]} and {shapes[-1]}"
            raise ValueError(f"{path}: all rows must have one shape, got {both}; resize or pad them to one size")
        arrays.append(np.concatenate(column))
    left = iter(arrays)
    return mapped(lambda _: next(left), parts[0])


def as_arrays(structure: Structure, name: str) -> Structure:
    """Turn every leaf (anything with `__array__`) into a numpy array of its own dtype; errors call it `name`.

    Raises:
        TypeError: If a leaf is not an array, or an array of objects, dates or complex numbers.
        ValueError: If there is no leaf, a leaf has no axis, or the numbers of rows differ.
    """
    if isinstance(structure, list | tuple | dict) and not leaves(structure):
        raise ValueError(f"{name}: must hold at least one array, got an empty {type(structure).__name__}")
    names = iter([path for path, _ in named_leaves(structure, name)])
    arrays = mapped(lambda leaf: as_array(leaf, next(names)), structure)
    rows_of(arrays, name)
    return arrays


def rows_of(structure: Structure, name: str) -> int:
    """The number of rows, which must be equal in all arrays of the structure."""
    sizes = {path: len(array) for path, array in named_leaves(structure, name)}
    (first, rows), *others = sizes.items()
    for path, size in others:
        if size != rows:
            raise ValueError(
                f"{name}: all inputs must have as many rows, got {rows} in {first} and {size} in {path}; "
                "a list or dict is several inputs, one array each"
            )
    return rows


def as_array(value: Any, name: str) -> Array:
    """Turn one leaf into a numpy array of its own dtype, `(n, ...)`; errors as of `as_arrays`."""
    _refuse_sparse(value, name)
    if instance_of(value, "torch", "Tensor"):
        value = value.detach().cpu().numpy()
    if not hasattr(value, "__array__"):
        raise TypeError(f"{name}: must be an array, got {describe(value)}; {_remedy(value)}")
    try:
        array: Array = np.asarray(value)
    except Exception as error:  # whatever its `__array__` raises
        raise TypeError(
            f"{name}: must be an array, but {describe(value)} cannot be made one ({type(error).__name__}: {error})"
        ) from error
    if array.ndim == 0:
        raise ValueError(f"{name}: must have one row per sample, got a single value of shape (); add an axis")
    _check_dtype(array, name)
    return array


def describe(value: Any) -> str:
    """Describe a value in a few words."""
    if value is None:
        return "None"
    if isinstance(value, str | bytes | int | float | complex):
        text = repr(value)
        return f"{text if len(text) <= 40 else text[:37] + '...'} ({type(value).__name__})"
    shape = getattr(value, "shape", None)
    of_shape = f" of shape {tuple(shape)}" if isinstance(shape, tuple) else ""
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}{of_shape}"


def _remedy(value: Any) -> str:
    if inspect.isgenerator(value) or isinstance(value, Iterator):
        return "wrap it in tf.data.Dataset.from_generator or a keras.utils.PyDataset, which can be read again"
    if isinstance(value, bool | int | float | complex):
        return "turn lists of numbers into an array with np.asarray"
    if isinstance(value, set | frozenset):
        return "a set has no order: turn it into an array with np.asarray(sorted(...))"
    return (
        "pass arrays, (x, y), a tf.data.Dataset, a keras.utils.PyDataset, a torch DataLoader or a kv.Probe "
        "(turn lists of numbers into an array with np.asarray)"
    )


def _refuse_sparse(value: Any, name: str) -> None:
    if instance_of(value, "tensorflow", "RaggedTensor"):
        raise TypeError(f"{name}: must be an array, got a ragged tensor; make it dense with .to_tensor()")
    if instance_of(value, "tensorflow", "sparse", "SparseTensor"):
        raise TypeError(f"{name}: must be an array, got a sparse tensor; make it dense: tf.sparse.to_dense")
    if hasattr(value, "tocsr") or getattr(value, "is_sparse", False) is True:
        kind = type(value).__name__
        raise TypeError(f"{name}: must be an array, got a sparse {kind}; make it dense with .toarray() or .to_dense()")


def _check_dtype(array: Array, name: str) -> None:
    kind = array.dtype.kind
    if kind == "O" and all(isinstance(value, str | bytes) for value in array.ravel()):
        return  # TensorFlow's strings are bytes objects in numpy
    if kind in "biufSUT" or (kind == "V" and array.dtype.type is not np.void):  # V: bfloat16 and its kin
        return
    how = 'convert it, for instance with .astype("float32")'
    raise TypeError(f"{name}: must hold numbers or strings, got dtype {array.dtype}; {how}")
