"""One attribution method on the inputs of one model, prepared once and evaluated at every step."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from .._typing import Array
from ..maths.attribution import (
    MOST_STEPS,
    TOLERANCE,
    complete_gradients,
    completeness_error,
    integrated_gradients,
    reduce_channels,
)
from ..maths.attribution_checks import baseline_like
from ..maths.attribution_methods import METHODS, attribution_method, check_options
from ..probe.messages import short_message
from ..taps.extra_passes import input_gradients, resolve_classes, scores
from ..taps.input_spec import input_names, position_axes
from ..taps.layer_selection import check_scored
from ..taps.layouts import channels_last
from ..taps.reader import Reader
from ..taps.scores import Score

BY_INPUT = {"baseline": 0.0, "patch": None, "stride": None}  # options that may differ by input, and their defaults


@dataclass(frozen=True)
class Attributed:
    """The result of an attribution.

    Attributes:
        maps: by the name of the input, `(n, *spatial)` float32, not rescaled.
        completeness: for integrated gradients, the fraction of the score's change from the baseline that the maps do
            not add up to; NaN for other methods.
        incomplete: for integrated gradients whose number of steps was not given, how many rows still miss more than
            5 % of that change after the largest number of steps.
    """

    maps: dict[str, Array]
    completeness: float = float("nan")
    incomplete: int = 0

    def shortcoming(self) -> str:
        """What to tell the user about rows whose maps are incomplete; empty if there are none."""
        if not self.incomplete:
            return ""
        return (
            f"integrated gradients: after {MOST_STEPS} steps, the maps of {self.incomplete} of "
            f"{len(next(iter(self.maps.values())))} rows miss the change of their score by more than {TOLERANCE:.0%}; "
            f"pass steps={2 * MOST_STEPS} or more, or another baseline"
        )


class InputMaps:
    """An attribution method with its options.

    Args:
        reader: of the model.
        wanted: the score that is explained.
        method: a name, or a callable `(model, inputs, targets) -> maps`.
        options: of the method.
        inputs: as the model takes them, for their structure.

    Attributes:
        names: of the inputs, in the order of `keras.tree.flatten`.
    """

    def __init__(self, reader: Reader, wanted: Score, method: Any, options: Mapping[str, Any], inputs: Any):
        self.method, self.options = checked_method(method, options)
        self.names = input_names(reader.model, inputs)
        self._score, self._axes = wanted, reader.input_axes
        check_scored(reader, wanted)
        self._spatial = [tuple(range(1, 1 + position_axes(reader, shape))) for shape in reader.input_shapes]
        self._by_input = {name: self._of_inputs(name) for name in BY_INPUT if name in self.options}
        if "baseline" in self._by_input:
            given = zip(self._by_input["baseline"], self._axes, strict=True)
            self._by_input["baseline"] = [self._moved(baseline, axis) for baseline, axis in given]

    def of(self, reader: Reader, inputs: Any, classes: Array) -> Attributed:
        """Compute the maps of inputs, in as many passes as the method needs.

        `classes` are `(n,)`, `PREDICTED` for the class predicted from the unchanged inputs.
        """
        wanted = self._score
        fixed = classes if wanted.function else resolve_classes(reader, inputs, classes, wanted.background)
        if callable(self.method):
            return Attributed(self._foreign(reader, inputs, fixed))
        inputs = reader.to_channels_last(inputs)
        if self.method is METHODS["integrated_gradients"]:
            return self._integrated(reader, inputs, fixed)
        if self.method.needs == "scores":
            return Attributed(self._perturbed(reader, inputs, fixed))
        return Attributed(self._by_gradients(reader, inputs, fixed))

    def _by_gradients(self, reader: Reader, inputs: Any, classes: Array) -> dict[str, Array]:
        """Maps of one input at a time, with the others unchanged."""
        flat, guided = keras.tree.flatten(inputs), self.method.needs == "guided gradients"
        found = {}
        for number, slope in self._slopes(reader, inputs, classes, guided=guided).items():

            def by_this(x: Array, number: int = number, slope: Array = slope) -> Array:
                if np.array_equal(x, flat[number]):
                    return slope  # the inputs are unchanged: no second pass
                return self._slopes(reader, _with(inputs, {number: x}), classes, guided=guided)[number]

            maps = self.method.function(by_this, flat[number], **self._options(number))
            found[self.names[number]] = self._reduced(number, maps, largest=bool(self.method.largest))
        return found

    def _integrated(self, reader: Reader, inputs: Any, classes: Array) -> Attributed:
        """Maps of all inputs along one common path, joined to one row each, so that completeness holds."""
        flat = [np.asarray(array) for array in keras.tree.flatten(inputs)]
        numbers = list(self._slopes(reader, inputs, classes))
        parts = [flat[number].astype(np.float32) for number in numbers]
        baselines = self._by_input["baseline"]
        starts = [baseline_like(baselines[n], part) for n, part in zip(numbers, parts, strict=True)]

        def split(rows: Array) -> dict[int, Array]:
            ends = np.cumsum([part[0].size for part in parts])[:-1]
            pieces = np.split(rows, ends, axis=1)
            return {n: one.reshape(-1, *part.shape[1:]) for n, one, part in zip(numbers, pieces, parts, strict=True)}

        def slopes(points: Array, which: Array) -> Array:
            others = keras.tree.map_structure(lambda array: np.asarray(array)[which], inputs)
            found = self._slopes(reader, _with(others, split(points)), classes[which])
            return _joined([found[number] for number in numbers])

        rows, start = _joined(parts), _joined(starts)
        ends = [self._scores(reader, given, classes) for given in (inputs, _with(inputs, split(start)))]
        steps, every, missing = self.options["steps"], np.arange(len(rows)), np.zeros(0, np.bool_)
        if steps is None:
            whole, missing = complete_gradients(slopes, rows, ends[0] - ends[1], baseline=start)
        else:
            whole = integrated_gradients(lambda x: slopes(x, every), rows, baseline=start, steps=steps)
        maps = {self.names[n]: self._reduced(n, part, largest=False) for n, part in split(whole).items()}
        return Attributed(maps, completeness_error(whole, *ends), int(missing.sum()))

    def _perturbed(self, reader: Reader, inputs: Any, classes: Array) -> dict[str, Array]:
        """Maps of one input at a time, with the others unchanged; integer inputs stay integers where possible."""
        found = {}
        for number, given in enumerate(map(np.asarray, keras.tree.flatten(inputs))):
            if given.dtype.kind not in "biuf":
                continue  # text has no baseline

            def changed(x: Array, number: int = number, given: Array = given) -> Array:
                fed = _as_fed(x.reshape(given.shape), given.dtype)
                return self._scores(reader, _with(inputs, {number: fed}), classes)

            options = {**self._options(number), "spatial": self._spatial[number] or (1,)}
            try:
                maps = self.method.function(changed, given if given.ndim > 1 else given[:, None], **options)
            except ValueError as error:
                if len(self.names) == 1:
                    raise
                raise ValueError(f'input "{self.names[number]}": {error}') from error
            found[self.names[number]] = maps.reshape(len(given)) if given.ndim == 1 else maps
        if not found:
            raise ValueError(f"inputs: {', '.join(self.names)} hold no numbers, so they cannot be perturbed.")
        return found

    def _foreign(self, reader: Reader, inputs: Any, classes: Array) -> dict[str, Array]:
        """Call the user's method and check its result."""
        targets = classes if self._score.function is None else self._score.function
        try:
            given = self.method(reader.model, inputs, targets)
        except Exception as error:
            raise ValueError(
                f"method=<callable>: raised {type(error).__name__} ({short_message(error)}); it is called with (model, "
                "inputs, targets) and must return maps of the inputs' shape or of their positions."
            ) from error
        by_name = given if isinstance(given, Mapping) else {self.names[0]: given}
        if not by_name or set(by_name) - set(self.names):
            raise ValueError(
                f"method: returned maps of {sorted(map(str, by_name))}; the model's inputs are {self.names}."
            )
        found = {}
        raw, moved = keras.tree.flatten(inputs), keras.tree.flatten(reader.to_channels_last(inputs))
        for number, (name, fed) in enumerate(zip(self.names, moved, strict=True)):
            if name in by_name:
                maps = to_array(by_name[name])
                if maps.shape == np.shape(raw[number]):
                    maps = channels_last(maps, self._axes[number], np.moveaxis)
                found[name] = self._reduced(number, self._fitting(name, maps, np.shape(fed)), largest=False)
        return found

    def _fitting(self, name: str, maps: Array, fed: tuple[int, ...]) -> Array:
        """Check that maps have the shape of the input, or of its positions."""
        positions = (fed[0], *(fed[axis] for axis in self._spatial[self.names.index(name)]))
        if maps.dtype.kind not in "biuf" or maps.shape not in (fed, positions, (*positions, 1)):
            raise ValueError(
                f'method: returned {maps.dtype} of shape {maps.shape} for input "{name}" {fed}; expected numbers '
                f"{positions} or {fed}."
            )
        return maps

    def _reduced(self, number: int, maps: Array, *, largest: bool) -> Array:
        if not self._spatial[number]:  # one number per row
            return np.asarray(maps, np.float32).reshape(len(maps))
        return reduce_channels(maps, spatial=self._spatial[number], largest=largest)

    def _slopes(self, reader: Reader, inputs: Any, classes: Array, *, guided: bool = False) -> dict[int, Array]:
        return input_gradients(reader, self._score, reader.from_channels_last(inputs), classes, guided=guided)

    def _scores(self, reader: Reader, inputs: Any, classes: Array) -> Array:
        return scores(reader, self._score, reader.from_channels_last(inputs), classes)

    def _options(self, number: int) -> dict[str, Any]:
        """The options of the method for one input."""
        return self.options | {name: values[number] for name, values in self._by_input.items()}

    def _of_inputs(self, option: str) -> list[Any]:
        """An option of each input, from one for all, a dict by name, or (`patch`, `stride`) a list in their order."""
        value, names = self.options[option], self.names
        if isinstance(value, Mapping):
            unknown = set(value) - set(names)
            if unknown:
                raise ValueError(f"{option}: names {sorted(map(str, unknown))}; the model's inputs are {names}.")
            return [value.get(name, BY_INPUT[option]) for name in names]
        if option == "baseline" or not isinstance(value, list) or (len(names) == 1 and not _lists_inputs(value)):
            return [value] * len(names)
        if len(value) != len(names):
            raise ValueError(
                f"{option}={value}: a list holds one for each of the model's inputs, {names}; lengths along the axes "
                "of an input are a tuple."
            )
        return value

    @staticmethod
    def _moved(baseline: Any, axis: int | None) -> Any:
        """A baseline, which has the layout of the model's input, channels last."""
        return baseline if axis is None or np.ndim(baseline) < -axis else channels_last(baseline, axis, np.moveaxis)


def to_array(given: Any) -> Array:
    """What the user passed or returned as an array; an object array, which is refused, if it cannot be converted."""
    try:
        return np.asarray(given)
    except Exception:  # lists of unequal length, or whatever its `__array__` raises
        return np.asarray(None)


def checked_method(method: Any, options: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Look up a method by name (or take the user's callable), with all its options.

    TypeError for an option that the method does not have or of the wrong type, ValueError for one out of its range or
    no such method.
    """
    if callable(method):
        if options:
            raise TypeError(f"{next(iter(options))}: not an option of a callable method; set it within the callable.")
        return method, {}
    found, by_input, rest = attribution_method(method), {}, {}
    for name, value in options.items():
        mapping = name in BY_INPUT and isinstance(value, Mapping)
        if mapping or (name in BY_INPUT and name != "baseline" and _lists_inputs(value)):
            by_input[name] = dict(value) if mapping else list(value)
            for one in value.values() if mapping else value:
                check_options(method, {name: one})
        else:
            rest[name] = value
    return found, {**check_options(method, rest), **by_input}


def _lists_inputs(value: Any) -> bool:
    """Whether a list holds an option of each input, rather than a number for each axis."""
    return isinstance(value, list) and any(one is None or isinstance(one, tuple | list) for one in value)


def method_title(method: Any) -> str:
    """The name of a method in tags and captions."""
    own: Callable[..., Any] | None = method if callable(method) else None
    if own is None:
        return str(method)
    name = str(getattr(own, "__name__", type(own).__name__))
    return name if name.isidentifier() else "attribution"


def _with(inputs: Any, changed: Mapping[int, Array]) -> Any:
    flat = [changed.get(number, array) for number, array in enumerate(keras.tree.flatten(inputs))]
    return keras.tree.pack_sequence_as(inputs, flat)


def _as_fed(x: Array, dtype: np.dtype[Any]) -> Array:
    """Cast to the dtype of the inputs; to float32 if that is an integer type that cannot hold the values."""
    if dtype.kind == "f":
        return x.astype(dtype)
    low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    held = (np.rint(x) == x) & (x >= low) & (x <= high)
    return x.astype(dtype if held.all() else np.float32)


def _joined(parts: Sequence[Array]) -> Array:
    return np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
