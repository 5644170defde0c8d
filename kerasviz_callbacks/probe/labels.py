"""Whether targets are labels: one class index per row."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .structures import Array, Structure, as_array, describe, leaves

IntArray = NDArray[np.int64]
NO_CLASS = -1
ONLY_NO_CLASS = "y holds -1 only, which is no class"
LARGEST_LABEL = 10**6  # larger ones are ids, not classes; views allocate memory for every class up to the largest


class Labels(NamedTuple):
    """Class indices, or the reason why there are none."""

    numbers: IntArray | None  # `(n,)`, from 0
    classes: int | None = None  # their number if known from the form: the width of one-hot rows, 2 for booleans
    why_none: str = ""  # such as `y is float32 of shape (64, 3), neither integers nor one-hot rows`
    soft: bool = False  # whether they are the largest classes of rows of probabilities, such as those of mixup
    weighted: bool = False  # whether sample weights stand beside them

    @property
    def hard(self) -> IntArray | None:
        """The class indices, unless they come from soft labels."""
        return None if self.soft else self.numbers

    @property
    def why_not_hard(self) -> str:
        """Why the labels cannot be compared with predictions; empty if they can."""
        return "y holds soft labels, whose largest class is shown but no ground truth" if self.soft else self.why_none


def labels_of(y: Structure | None, x: Structure) -> Labels:
    """Read class indices from the targets y (of several outputs the first) of the inputs x.

    A `y` of the shape of an input is a reconstruction target, unless each row is a single number or a string.

    Returns:
        The labels; `numbers` is None unless y holds whole numbers of any dtype from 0 to a million, or booleans, `(n,)`
        or `(n, 1)`; or rows `(n, k)` that are one-hot or, soft labels, not negative and of sum 1. A number of -1 says
        that the row has no class.
    """
    if y is None:
        return Labels(None, why_none="there is no y")
    first = leaves(y)[0]
    if any(_reconstructs(first, array) for array in leaves(x)):
        return Labels(None, why_none="y has the shape of x: a reconstruction target")
    found = _class_numbers(first)
    if found.numbers is None:
        form = f"y is {first.dtype} of shape {first.shape}"
        return Labels(None, why_none=f"{form}, neither class numbers nor one-hot rows")
    if found.numbers.min(initial=0) < NO_CLASS:
        return Labels(None, why_none=f"y holds {found.numbers.min()}, and class numbers count from 0")
    if found.numbers.max(initial=0) > LARGEST_LABEL:
        return Labels(None, why_none=f"y holds {found.numbers.max()}, too large for a class number")
    return found


def given_labels(labels: Any) -> Labels:
    """Read labels that the user passed as such.

    They are as in `labels_of`, but for soft ones. TypeError if they are neither an array nor a list of numbers,
    ValueError if they are not class indices.
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
    if found.numbers is None or found.soft:
        remedy = (
            "number the names with np.unique(names, return_inverse=True)[1] and pass them as class_names"
            if array.dtype.kind in "SUTO"
            else "round soft labels with labels.argmax(-1)"
        )
        raise ValueError(f"labels: {form}, got {array.dtype} of shape {array.shape}; {remedy}")
    lowest, highest = found.numbers.min(initial=0), found.numbers.max(initial=0)
    if lowest < NO_CLASS:
        raise ValueError(f"labels: {form}, got {lowest}; rows without a class are -1")
    if highest > LARGEST_LABEL:
        raise ValueError(
            f"labels: {form}, got {highest}; number the classes with np.unique(..., return_inverse=True)[1]"
        )
    return found


def _reconstructs(y: Array, x: Array) -> bool:
    single = x.size == len(x) or x.dtype.kind in "SUTO"
    return y.shape == x.shape and not single


def classes_of(numbers: IntArray, *, of_signs: bool = False) -> IntArray | None:
    """The class of each row, -1 where it has none, of all labels of the data; None if no row has a class.

    Labels that are only -1 and 1, as of a hinge loss, are two classes; with `of_signs` those that are only -1 too.
    """
    held = set(np.unique(numbers).tolist())
    if held == {NO_CLASS, 1} or (of_signs and held == {NO_CLASS}):
        return (numbers > 0).astype(np.int64)
    return numbers if (numbers != NO_CLASS).any() else None


def _class_numbers(y: Array) -> Labels:
    if y.dtype.kind in "SUTO" or y.ndim not in (1, 2) or (y.ndim == 2 and y.shape[1] == 0):
        return Labels(None)
    values = y if y.dtype.kind in "iub" else y.astype(np.float64)
    yes_or_no = bool(((values == 0) | (values == 1)).all())
    if y.ndim == 1 or y.shape[1] == 1:
        whole = bool((np.isfinite(values) & (values == np.rint(values)) & (np.abs(values) < 2**53)).all())
        numbers = values.reshape(-1).astype(np.int64) if whole or y.dtype.kind in "iu" else None
        return Labels(numbers, 2 if yes_or_no and y.dtype.kind not in "iu" else None)
    if yes_or_no and (values.astype(bool).sum(axis=1) == 1).all():
        return Labels(values.astype(bool).argmax(axis=1).astype(np.int64), y.shape[1])
    if y.dtype.kind not in "iub" and (values >= 0).all() and np.allclose(values.sum(axis=1), 1, rtol=0, atol=1e-3):
        return Labels(values.argmax(axis=1).astype(np.int64), y.shape[1], soft=True)
    return Labels(None)
