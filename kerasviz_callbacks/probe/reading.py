"""From the user's data to the chosen rows."""

import itertools
import warnings
from collections.abc import Generator
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from .choice import spread_over_classes, spread_without_classes
from .labels import NO_CLASS, ONLY_NO_CLASS, Labels, classes_of, labels_of
from .messages import short_message
from .pool import Chosen, Pool
from .streams import (
    batches,
    check_element_spec,
    copy_dataset,
    has_known_length,
    has_sample_weights,
    is_stream,
    is_tf_data,
    parts_of,
    restored_random_states,
)
from .structures import as_arrays, leaves, mapped, ordered_like, rows_of, structure_text, take

MOST_EMPTY = 1000  # batches without rows, before the stream counts as empty
MOST_OF_ENDLESS = 100_000  # the largest `count` for a stream of unknown length
_SEED = 0  # the same data give the same choice, in every run


@dataclass(frozen=True)
class _FirstBatch:
    """The first batch of a stream that has rows."""

    place: int  # its number, from 0
    text: str  # its structure, for errors
    kind: str  # what the structure of every other batch must be
    structure: Any  # the same structure without the arrays


class UnreadableError(ValueError):
    """A data set raised while it was read; the message says which and what."""


def read(
    data: Any, given: Labels | None, count: int, classes: int | None, name: str, *, random: bool = False
) -> tuple[Chosen, Labels, int]:
    """Choose the rows of a probe.

    Args:
        data: Arrays or a stream, as `Probe` takes them.
        given: Labels that replace those in data, or None.
        count: Number of rows to choose.
        classes: The number of class names that the user passed, or None.
        name: The user's name for the data, for the errors (as `Probe` raises them).
        random: Choose at random, in the proportions of the data, instead of evenly over the classes.

    Returns:
        The chosen rows; the labels of all rows that were read, or why there are none; the number of rows read.
    """
    if is_stream(data):
        return _read_stream(data, given, count, classes, name, random)
    return _read_arrays(data, given, count, name, random)


def _read_arrays(data: Any, given: Labels | None, count: int, name: str, random: bool) -> tuple[Chosen, Labels, int]:
    x, y = parts_of(data, name)
    inputs = as_arrays(x, f"{name}: x" if isinstance(data, tuple) else name)
    targets = None if y is None else as_arrays(y, f"{name}: y")
    n = rows_of(inputs, name)
    if has_sample_weights(data):
        _check_as_many(f"{name}: w", rows_of(as_arrays(data[2], f"{name}: w"), name), n)
    if n == 0:
        raise ValueError(f"{name}: must hold at least one sample, got an array of shape {leaves(inputs)[0].shape}")
    if targets is not None:
        _check_as_many(f"{name}: y", rows_of(targets, name), n)
    found = (labels_of(targets, inputs) if given is None else given)._replace(weighted=has_sample_weights(data))
    if found.numbers is not None:
        _check_as_many("labels" if given else f"{name}: y", len(found.numbers), n)
        found = found._replace(numbers=classes_of(found.numbers), why_none=ONLY_NO_CLASS)
    labelled = np.arange(n) if found.numbers is None else np.flatnonzero(found.numbers != NO_CLASS)
    if len(labelled) <= count:
        index = labelled
    elif found.numbers is None or random:
        index = labelled[spread_without_classes(len(labelled), count, _SEED)]
    else:
        index = labelled[spread_over_classes(found.numbers[labelled], count, _SEED)]
    chosen = Chosen(
        take(inputs, index),
        None if targets is None else take(targets, index),
        None if found.numbers is None else found.numbers[index],
        index.astype(np.int64),
    )
    return chosen, found, n


def _read_stream(
    data: Any, given: Labels | None, count: int, classes: int | None, name: str, random: bool
) -> tuple[Chosen, Labels, int]:
    classes = classes or (given.classes if given else None)
    endless = not has_known_length(data)
    if count > MOST_OF_ENDLESS and endless:
        raise ValueError(
            f"count={count}: at most {MOST_OF_ENDLESS:,} of a data set that may have no end, as {name}; pass fewer, or "
            "a set whose length is known"
        )

    def new_pool() -> Pool:
        return Pool(count, classes, random=random, endless=endless)

    pool = None
    if is_tf_data(data):
        check_element_spec(data, name)
        copy = copy_dataset(data)
        with suppress(UnreadableError):  # if the dataset itself is at fault, reading it raises the same
            pool = None if copy is None else _filled(new_pool(), copy, given, name)
    if pool is None:
        pool = _filled(new_pool(), data, given, name)
        if is_tf_data(data):
            warnings.warn(
                f"{name}: this tf.data.Dataset could not be copied and was read itself; if it reshuffles at each "
                "iteration, fit gets another order than without this. Remedy: pass arrays, or a data set of its own",
                stacklevel=5,
            )
    chosen = pool.chosen(_SEED, name)
    found = Labels(pool.classes_seen(), why_none=pool.why_none, soft=pool.soft, weighted=pool.weighted)
    return chosen, found, pool.seen


def _filled(pool: Pool, data: Any, given: Labels | None, name: str) -> Pool:
    """Read a stream until the pool has enough, and restore all random states."""
    ended = True
    first: _FirstBatch | None = None
    with restored_random_states(data), closing(_read_batches(batches(data), name)) as stream:
        for place, given_batch in enumerate(stream):
            batch = given_batch if first is None else _of_one_structure(first, place, given_batch, name)
            _add(pool, batch, given, name)
            if pool.full:
                ended = False
                break
            if pool.seen and first is None:
                kind = structure_text(batch, sizes=False)
                first = _FirstBatch(place, structure_text(batch), kind, mapped(type, batch))
            if place + 1 == MOST_EMPTY and not pool.seen:
                raise ValueError(f"{name}: must hold at least one sample, got {MOST_EMPTY:,} batches without any")
    if given is not None and given.numbers is not None and ended:
        _check_as_many("labels", len(given.numbers), pool.seen)
    return pool


def _read_batches(stream: Generator[Any, None, None], name: str) -> Generator[Any, None, None]:
    """Yield the batches; errors in reading them are reported under the name of the data as UnreadableError."""
    with closing(stream):
        for place in itertools.count():
            try:
                batch = next(stream)
            except StopIteration:
                return
            except Exception as error:
                raise UnreadableError(
                    f"{name}: cannot be read, batch {place} raised {type(error).__name__} ({short_message(error)}); "
                    "fit would meet the same, so mend the data set"
                ) from error
            yield batch


def _of_one_structure(first: _FirstBatch, place: int, batch: Any, name: str) -> Any:
    """A batch with its dicts in the order of the first batch's; ValueError if structure, axes or dtypes differ."""
    if structure_text(batch, sizes=False) != first.kind:
        raise ValueError(
            f"{name}: every batch must have the same structure, numbers of axes and dtypes, got {first.text} in batch "
            f"{first.place} and {structure_text(batch)} in batch {place} (counted from 0); make the data set give all "
            "its batches alike, or pass arrays"
        )
    return ordered_like(batch, first.structure)


def _add(pool: Pool, batch: Any, given: Labels | None, name: str) -> None:
    x, y = parts_of(batch, name)
    pool.weighted = pool.weighted or has_sample_weights(batch)
    inputs = as_arrays(x, f"{name}: x")
    targets = None if y is None else as_arrays(y, f"{name}: y")
    size = rows_of(inputs, name)
    if targets is not None:
        _check_as_many(f"{name}: y of a batch", rows_of(targets, name), size)
    if given is None or given.numbers is None:
        pool.add(inputs, targets, labels_of(targets, inputs))
        return
    numbers = given.numbers[pool.seen : pool.seen + size]
    if len(numbers) < size:
        raise ValueError(
            f"labels: must be as many as the samples of the stream, got {len(given.numbers)} labels and at "
            f"least {pool.seen + size} samples; pass one label a sample, in the order of the stream"
        )
    pool.add(inputs, targets, given._replace(numbers=numbers))


def _check_as_many(what: str, received: int, samples: int) -> None:
    if received != samples:
        raise ValueError(
            f"{what}: must have one row per sample, got {received} for {samples} samples; "
            "a tuple is (x, y), several inputs are a list or dict"
        )
