"""Whether targets are labels: one class index per row."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .structures import Array, Structure, as_array, describe, leaves

IntArray = NDArray[np.int64]
LARGEST_LABEL = 10**6  # larger ones are ids, not classes; views allocate memory for every class up to the largest


class Labels(NamedTuple):
    """Class indices, or the reason why there are none."""

    numbers: IntArray | None
    """`(n,)`, from 0."""
    classes: int | None = None
    """The number of classes if known from the form: the width of one-hot rows, 2 for booleans."""
    why_none: str = ""
    """Why `numbers` is None, such as `y is float32 of shape (64, 3), neither integers nor one-hot rows`."""


def labels_of(y: Structure | None, x: Structure) -> Labels:
    """Read class indices from targets.

    Args:
        y: The targets as arrays; of several outputs the first is used.
        x: The inputs as arrays. A `y` of the shape of one of them is a reconstruction target, unless each row is a
            single number or a string.

    Returns:
        The labels; `numbers` is None unless y holds integers from 0 to a million or booleans (also as 0.0 and 1.0),
        `(n,)` or `(n, 1)`, or one-hot rows `(n, k)`.
    """
    if y is None:
        return Labels(None, why_none="there is no y")
    first = leaves(y)[0]
    if any(_reconstructs(first, array) for array in leaves(x)):
        return Labels(None, why_none="y has the shape of x: a reconstruction target")
    found = _class_numbers(first)
    if found.numbers is not None and len(found.numbers):
        if found.numbers.min() < 0:
            return Labels(None, why_none=f"y holds {found.numbers.min()}, and class numbers count from 0")
        if found.numbers.max() > LARGEST_LABEL:
            return Labels(None, why_none=f"y holds {found.numbers.max()}, too large for a class number")
    if found.numbers is None:
        form = f"y is {first.dtype} of shape {first.shape}"
        return Labels(None, why_none=f"{form}, neither class numbers nor one-hot rows")
    return found


def given_labels(labels: Any) -> Labels:
    """Read labels that the user passed as such; anything else is an error.

    Args:
        labels: `(n,)` or `(n, 1)` integers from 0 or booleans, or one-hot rows `(n, k)`.

    Raises:
        TypeError: If they are neither an array nor a list of numbers.
        ValueError: If they are not class indices.
    """
    form = "must be class numbers (n,) from 0 or one-hot rows (n, k)"
    if isinstance(labels, list | tuple):
        try:
            labels = np.asarray(labels)
        except ValueError as error:
            raise ValueError(f"labels: {form}, got lists of different lengths") from error
    if not hasattr(labels, "__array__"):
        raise TypeError(f"labels: {form}, got {describe(labels)}; pass them as an array")
    array = as_array(labels, "labels")
    found = _class_numbers(array)
    if found.numbers is None:
        remedy = (
            "number the names with np.unique(names, return_inverse=True)[1] and pass them as class_names"
            if array.dtype.kind in "SUTO"
            else "round soft labels with labels.argmax(-1)"
        )
        raise ValueError(f"labels: {form}, got {array.dtype} of shape {array.shape}; {remedy}")
    if len(found.numbers) and found.numbers.min() < 0:
        raise ValueError(
            f"labels: {form}, got {found.numbers.min()}; leave rows without a class out of data and labels"
        )
    if len(found.numbers) and found.numbers.max() > LARGEST_LABEL:
        raise ValueError(
            f"labels: {form}, got {found.numbers.max()}; number the classes with np.unique(..., return_inverse=True)[1]"
        )
    return found


def _reconstructs(y: Array, x: Array) -> bool:
    single = x.size == len(x) or x.dtype.kind in "SUTO"
    return y.shape == x.shape and not single


def _class_numbers(y: Array) -> Labels:
    if y.dtype.kind in "SUTO" or y.ndim not in (1, 2) or (y.ndim == 2 and y.shape[1] == 0):
        return Labels(None)
    whole = y.dtype.kind in "iu"
    if y.ndim == 1 or y.shape[1] == 1:
        column = y.reshape(-1)
        if whole:
            return Labels(column.astype(np.int64))
        return Labels(column.astype(np.int64), 2) if _yes_or_no(column) else Labels(None)
    if _yes_or_no(y) and (y.astype(bool).sum(axis=1) == 1).all():
        return Labels(y.astype(bool).argmax(axis=1).astype(np.int64), y.shape[1])
    return Labels(None)


def _yes_or_no(y: Array) -> bool:
    return bool(((y == 0) | (y == 1)).all())
