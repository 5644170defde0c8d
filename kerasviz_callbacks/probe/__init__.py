"""A fixed set of samples on which a model is observed at every step of the training.

    structures    arrays in lists, tuples and dicts, converted to numpy with their own dtypes
    labels        whether targets are class indices
    streams       tf.data, PyDataset and DataLoader, read without side effects
    choice        the choice of rows, evenly over the classes
    pool          the rows kept of a stream while it is read once
    reading       from data to the chosen rows
    messages      the message of an error in one line

Nothing here knows models, images or files.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._arguments import integer
from .choice import weights_of_proportions
from .labels import NO_CLASS, IntArray, given_labels
from .reading import read
from .streams import is_stream, own_class_names
from .structures import Array, Structure, describe, leaves

__all__ = ["Probe", "as_probe", "check_count"]


class Probe:
    """The samples on which a model is observed at every step; they stay the same, in the same order.

    With at most `count` samples in the data, all are taken in their order. Otherwise the choice is fixed and, with
    labels, spread evenly over the classes; the classes alternate, so that the first rows are evenly spread too. A
    stream (`tf.data.Dataset`, `PyDataset`, `DataLoader`) is read once, as far as necessary and up to `50 * count`
    samples; without labels the first `count` are taken. All its batches must have the same structure.

    Reading has no side effects: global random states are restored, and so are the attributes of a `PyDataset`. Of a
    `tf.data.Dataset` a copy is read, since reading a dataset that reshuffles would change the order in which `fit`
    gets it. The exception: if no copy can be made (the dataset cannot be serialised, or holds more than 1 GiB in
    memory), the dataset itself is read, and a warning says so. A Python generator that cannot be restarted (behind
    `from_generator`) loses what is read.

    Args:
        data: The model's inputs: an array (numpy, a tensor, anything with `__array__`) `(n, ...)`, a list or dict of
            arrays (several inputs), `(x,)`, `(x, y)`, `(x, y, w)`, a batched `tf.data.Dataset`, a
            `keras.utils.PyDataset`, a torch `DataLoader`, or another probe. y holds labels if it contains whole numbers
            `(n,)` or `(n, 1)` of any dtype, booleans, or one-hot or soft rows `(n, k)`, and does not have the shape of
            x; of several outputs the first is used. Rows of -1 have no class, and are not chosen; where all are -1 or
            1, as for a hinge loss, these are two classes.
        labels: `(n,)` class indices from 0 or one-hot rows, in place of those in data; for a stream one per sample,
            in the order of the stream.
        count: Number of samples, at least 1.
        class_names: Names of the classes, at least one per class. None: those of the dataset
            (`image_dataset_from_directory`), if any.

    Attributes:
        inputs: The chosen inputs in the structure of x, `count` rows, with their own dtypes.
        images: The inputs; of several the first, `(count, ...)`.
        labels: Class indices, int64 `(count,)`, or None; of soft labels the largest class.
        soft_labels: Whether y holds probabilities of classes, with which no prediction is compared.
        targets: y of the chosen rows, unchanged, or None.
        sample_weighted: Whether the data hold sample weights `(x, y, w)`, which are not read.
        index: Positions of the rows in the data or the stream, int64 `(count,)`.
        class_names: A tuple of str, or None.
        class_sizes: The number of rows of each class in the data, as far as they were read, int64 `(classes,)`, or None
            without labels.
        row_weights: `(count,)`, mean 1: what each row counts for if every class is to count as in the data; all 1
            without labels.
        why_no_labels: Why labels are None, as half a sentence; empty if there are labels.
        most_frequent: Share of the most frequent class in all data that were read, 0 to 1: the accuracy of always
            answering with it. NaN without labels.

    Raises:
        TypeError: If data, labels, count or class_names have an unsupported type.
        ValueError: If they are empty, do not fit together, or are out of range.

    Example:
        >>> probe = Probe(np.zeros((100, 8, 8, 1)), np.arange(100) % 10, count=20)
        >>> probe
        Probe(20 of 100, labels 0..9)
        >>> np.bincount(probe.labels).tolist()
        [2, 2, 2, 2, 2, 2, 2, 2, 2, 2]
    """

    inputs: Structure
    targets: Structure | None
    labels: IntArray | None
    index: IntArray
    class_names: tuple[str, ...] | None
    class_sizes: IntArray | None
    why_no_labels: str
    soft_labels: bool
    sample_weighted: bool
    _total: int  # the number of samples in the data, or read from a stream
    _is_stream: bool

    def __init__(
        self, data: Any, labels: Any = None, *, count: int = 16, class_names: Iterable[str] | None = None
    ) -> None:
        if isinstance(data, Probe):
            _nothing_beside_a_probe("data", labels=labels, class_names=class_names)
            if count != 16:
                raise ValueError(f"count={count} beside a Probe: data has its own {len(data)} samples; leave it out")
            vars(self).update(vars(data))
        else:
            vars(self).update(_read_attributes(data, labels, check_count(count), class_names, "data"))

    @property
    def images(self) -> Array:
        """The inputs; of several the first, `(count, ...)`."""
        first: Array = leaves(self.inputs)[0]
        return first

    @property
    def most_frequent(self) -> float:
        """The share of the most frequent class in the data; NaN without labels."""
        return float("nan") if self.class_sizes is None else float(self.class_sizes.max() / self.class_sizes.sum())

    @property
    def row_weights(self) -> NDArray[np.float64]:
        """What each row counts for if every class is to count as in the data, `(count,)`, mean 1."""
        if self.class_sizes is None or self.labels is None:
            return np.ones(len(self))
        return weights_of_proportions(self.labels, self.class_sizes)

    @property
    def size(self) -> str:
        """How many samples of how many: `"500 of 4000"`, of a stream `"500 of the first 4000"`; `"500"` if all."""
        if self._total == len(self):
            return f"{len(self)}"
        return f"{len(self)} of {'the first ' if self._is_stream else ''}{self._total}"

    def __len__(self) -> int:
        return len(self.index)

    def __repr__(self) -> str:
        labels = "" if self.labels is None else f", labels {self.labels.min()}..{self.labels.max()}"
        return f"Probe({len(self)} of {self._total}{' read' if self._is_stream else ''}{labels})"


def as_probe(
    data: Any,
    *,
    count: int | None,
    default_count: int,
    class_names: Iterable[str] | None,
    argument: str = "validation_data",
    random: bool = False,
) -> Probe:
    """Make a probe of a callback's data, or return the data if they are a probe; errors call the data `argument`.

    A `random` choice of rows has the proportions of the data, instead of being even over the classes.

    Raises:
        TypeError: As `Probe`.
        ValueError: As `Probe`; also if count or class_names is given beside a `Probe`, which has its own.
    """
    if isinstance(data, Probe):
        _nothing_beside_a_probe(argument, count=count, class_names=class_names)
        return data
    probe = Probe.__new__(Probe)
    wanted = check_count(default_count if count is None else count)
    vars(probe).update(_read_attributes(data, None, wanted, class_names, argument, random))
    return probe


def check_count(count: Any) -> int:
    """Check the number of samples before any data are read, and return it as a plain int.

    TypeError if it is not a whole number (booleans are not), ValueError if it is less than 1.
    """
    whole = integer(count)
    if whole is None:
        raise TypeError(f"count: must be a whole number of samples, got {describe(count)}; try count=16")
    if whole < 1:
        raise ValueError(f"count: must be at least 1, got {whole}; try count=16")
    return whole


def _read_attributes(
    data: Any, labels: Any, count: int, class_names: Any, name: str, random: bool = False
) -> dict[str, Any]:
    """Compute the attributes of a `Probe` of data; `name` is the user's name for them."""
    names = _checked_names(class_names)
    if names is None:
        names = _names_of_the_data(data)
    given = None if labels is None else given_labels(labels)
    chosen, found, total = read(data, given, count, len(names) if names else None, name, random=random)
    if names is not None and found.numbers is not None and len(found.numbers) and found.numbers.max() >= len(names):
        whose = "class_names" if class_names is not None else "class_names (those that the data set carries)"
        largest = found.numbers.max()
        raise ValueError(
            f"{whose}: must be as many as the classes, got {len(names)} names and label {largest}; "
            f"pass at least {largest + 1} names"
        )
    return vars(chosen) | {
        "class_names": names,
        "class_sizes": _class_sizes(None if chosen.labels is None else found.numbers),
        "why_no_labels": found.why_none if chosen.labels is None else "",
        "sample_weighted": found.weighted,
        "soft_labels": found.soft and chosen.labels is not None,
        "_total": total,
        "_is_stream": is_stream(data),
    }


def _class_sizes(labels: IntArray | None) -> IntArray | None:
    return None if labels is None else np.bincount(labels[labels != NO_CLASS])


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
    got = f"class_names: must be a list of str, one a class, got {describe(class_names)}"
    if isinstance(class_names, str | bytes | dict) or not isinstance(class_names, Iterable):
        raise TypeError(f'{got}; for instance ["cat", "dog"]')
    if isinstance(class_names, Iterator) or getattr(class_names, "shape", None) == ():
        raise TypeError(f"{got}, which cannot be read again and again; use list(...)")
    names = tuple(class_names)
    for name in names:
        if not isinstance(name, str):
            raise TypeError(
                f"class_names: must be a list of str, got {describe(name)} among them; use [str(c) for c in ...]"
            )
    return tuple(str(name) for name in names)


def _names_of_the_data(data: Any) -> tuple[str, ...] | None:
    names = own_class_names(data) if is_stream(data) else None
    if not isinstance(names, list | tuple | np.ndarray) or len(names) == 0:
        return None
    return _checked_names(names) if all(isinstance(name, str) for name in names) else None
