"""A fixed set of inputs that is looked at again at every step of the training.

    structures    arrays in lists, tuples and dicts; everything made a numpy array of its own dtype
    labels        which targets are class numbers
    streams       tf.data, PyDataset and DataLoader, read without anybody noticing
    choice        which rows are looked at, evenly over the classes
    pool          what is kept of a stream while it is read once
    reading       from data to the rows that are looked at
    messages      what an error says, in one line

A probe knows no model, no picture and no file.
"""

import operator
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from .labels import IntArray, given_labels
from .reading import read
from .streams import is_stream, own_class_names
from .structures import Array, Structure, described, leaves

__all__ = ["Probe", "as_probe", "check_count"]


class Probe:
    """The inputs that are looked at again at every step, so that a picture in one place is always the same.

    With no more data than `count`, all are taken in their order. Else the choice is fixed, spread evenly over
    the classes where there are labels, and the classes take turns, so that the first rows are a fair choice
    too. A stream (`tf.data.Dataset`, `PyDataset`, `DataLoader`) is read once, no further than needed, and at
    most `50 * count` samples of it; without labels its first `count` are taken.

    Reading changes nothing for anyone else: global random states are put back, a `PyDataset` gets its
    attributes back, and of a `tf.data.Dataset` a copy is read, because reading a set that reshuffles would
    change the order in which `fit` gets it. The one exception: where no copy can be made (the set cannot be
    serialised, or holds more than 1 GiB in memory) the set itself is read, and a warning says so. A Python
    generator that cannot start anew (behind `from_generator`) loses what is read.

    Args:
        data: What the model is fed: an array (numpy, a tensor, anything with `__array__`) `(n, ...)`, a list
            or dict of arrays (several inputs), `(x,)`, `(x, y)`, `(x, y, w)`, a batched `tf.data.Dataset`, a
            `keras.utils.PyDataset`, a torch `DataLoader`, or another probe. y is taken for labels where it
            holds integers `(n,)` or `(n, 1)`, yes and no, or one-hot rows `(n, k)`, and has not the shape of
            x; of several outputs the first counts.
        labels: `(n,)` class numbers from 0 or one-hot rows, in place of those in data. For a stream one for
            each sample in the order of the stream.
        count: How many samples are looked at, at least 1.
        class_names: What the classes are called, at least as many as there are. None: those the data set
            carries (`image_dataset_from_directory`), if any.

    Attributes:
        inputs: What the model is fed, of the structure of x, `count` rows, dtype untouched.
        images: The inputs; of several the first, `(count, ...)`.
        labels: Class numbers, int64 `(count,)`, or None.
        targets: y of the chosen rows, untouched, or None.
        index: Where the rows stood in the data or the stream, int64 `(count,)`.
        class_names: A tuple of str, or None.
        why_no_labels: Half a sentence that says why labels are None; empty where there are labels.

    Raises:
        TypeError: If data, labels, count or class_names are of a kind that cannot be read.
        ValueError: If they are empty, do not fit together, or are out of range.

    Example:
        >>> probe = Probe(np.zeros((100, 8, 8, 1)), np.arange(100) % 10, count=20)
        >>> probe
        Probe(20 of 100, labels 0..9)
        >>> np.bincount(probe.labels).tolist()
        [2, 2, 2, 2, 2, 2, 2, 2, 2, 2]
    """

    def __init__(
        self,
        data: Any,
        labels: Any = None,
        *,
        count: int = 16,
        class_names: Iterable[str] | None = None,
    ) -> None:
        if isinstance(data, Probe):
            _nothing_beside_a_probe("data", labels=labels, class_names=class_names)
            if count != 16:
                raise ValueError(f"count={count} beside a Probe: data has its own {len(data)} samples; leave it out")
            vars(self).update(vars(data))
            return
        self._read(data, labels, check_count(count), class_names, "data")

    def _read(self, data: Any, labels: Any, count: int, class_names: Any, name: str) -> None:
        names = _checked_names(class_names)
        if names is None:
            names = _names_of_the_data(data)
        given = None if labels is None else given_labels(labels)
        chosen, found, total = read(data, given, count, len(names) if names else None, name)
        if found.numbers is not None:
            _check_enough_names(names, class_names is not None, found.numbers)
        self.inputs: Structure = chosen.inputs
        self.targets: Structure | None = chosen.targets
        self.labels: IntArray | None = chosen.labels
        self.index: IntArray = chosen.index
        self.class_names: tuple[str, ...] | None = names
        self.why_no_labels: str = found.why_none if chosen.labels is None else ""
        self._total = f"{total} read" if is_stream(data) else str(total)

    @property
    def images(self) -> Array:
        """The inputs; of several the first, `(count, ...)`."""
        first: Array = leaves(self.inputs)[0]
        return first

    def __len__(self) -> int:
        return len(self.index)

    def __repr__(self) -> str:
        if self.labels is None:
            return f"Probe({len(self)} of {self._total})"
        return f"Probe({len(self)} of {self._total}, labels {self.labels.min()}..{self.labels.max()})"


def as_probe(
    data: Any,
    *,
    count: int | None,
    default_count: int,
    class_names: Iterable[str] | None,
    argument: str = "validation_data",
) -> Probe:
    """Make a probe of what a callback was given, or take the one it was given.

    Args:
        data: Whatever `Probe` takes, or a `Probe`.
        count: What the user asked for; None means `default_count`.
        default_count: How many samples the view looks at by itself.
        class_names: What the user asked for, or None.
        argument: What the callback calls the data, for the errors.

    Raises:
        TypeError: As `Probe`.
        ValueError: As `Probe`; also if count or class_names is given beside a `Probe`, which has its own.
    """
    if isinstance(data, Probe):
        _nothing_beside_a_probe(argument, count=count, class_names=class_names)
        return data
    probe = Probe.__new__(Probe)
    probe._read(data, None, check_count(default_count if count is None else count), class_names, argument)
    return probe


def check_count(count: Any) -> int:
    """Check how many samples are wanted, before any data are read.

    Returns:
        The count as a plain int.

    Raises:
        TypeError: If it is no whole number (True is none).
        ValueError: If it is less than 1.
    """
    try:
        whole = operator.index(count)
    except TypeError:
        whole = None
    if whole is None or isinstance(count, bool | np.bool_):
        raise TypeError(f"count: must be a whole number of samples, got {described(count)}; try count=16")
    if whole < 1:
        raise ValueError(f"count: must be at least 1, got {whole}; try count=16")
    return whole


def _nothing_beside_a_probe(argument: str, **given: Any) -> None:
    for name, value in given.items():
        if value is not None:
            raise ValueError(
                f"{name}={value!r} beside a Probe: {argument} is a Probe and has its own {name}; "
                f"pass {name} to kv.Probe(...) instead"
            )


def _checked_names(class_names: Any) -> tuple[str, ...] | None:
    if class_names is None:
        return None
    if isinstance(class_names, str | bytes | dict) or not isinstance(class_names, Iterable):
        raise TypeError(
            f"class_names: must be a list of str, one a class, got {described(class_names)}; "
            'for instance ["cat", "dog"]'
        )
    if isinstance(class_names, Iterator) or getattr(class_names, "shape", None) == ():
        raise TypeError(
            f"class_names: must be a list of str, one a class, got {described(class_names)}, which cannot be read "
            "again and again; use list(...)"
        )
    names = tuple(class_names)
    for name in names:
        if not isinstance(name, str):
            raise TypeError(
                f"class_names: must be a list of str, got {described(name)} among them; use [str(c) for c in ...]"
            )
    return tuple(str(name) for name in names)


def _names_of_the_data(data: Any) -> tuple[str, ...] | None:
    names = own_class_names(data) if is_stream(data) else None
    if not isinstance(names, list | tuple | np.ndarray) or len(names) == 0:
        return None
    return _checked_names(names) if all(isinstance(name, str) for name in names) else None


def _check_enough_names(names: tuple[str, ...] | None, given: bool, labels: IntArray) -> None:
    if names is not None and len(labels) and labels.max() >= len(names):
        whose = "class_names" if given else "class_names (those that the data set carries)"
        raise ValueError(
            f"{whose}: must be as many as the classes, got {len(names)} names and label {labels.max()}; "
            f"pass at least {labels.max() + 1} names"
        )
