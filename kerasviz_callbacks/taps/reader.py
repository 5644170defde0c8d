"""Reading a model: which layers it calls, and what they put out, in one compiled pass for all who ask."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from .._autodiff import framework
from .batches import cut_rows, fixed_rows, unpadded
from .layers import Place, below, find, places
from .noting import Call, Noted
from .scores import Head, Score, head_of, score

Array = np.ndarray[Any, Any]
OUTPUT = ""  # the path of the model itself: its first output, as it gives it
MEMORY = 2**30  # bytes that one batch of a pass may take, roughly


@dataclass(frozen=True)
class Tap:
    """What is wanted of one layer in a pass.

    Attributes:
        path: a path from `Reader.resolve`, or `OUTPUT`.
        reduce: runs inside the pass, so that little travels: `(output, choice) -> tensor or dict of tensors`, the
            first axis of each the rows. `None`: the output itself.
        score: also the gradient of this score by the layer's output.
        owner: tells apart taps that are alike but make a choice of their own (`choices` of `Reader.read`).
    """

    path: str
    reduce: Callable[[Any, Any], Any] | None = None
    score: Score | None = None
    owner: int = 0


@dataclass(frozen=True)
class Taken:
    """What one tap gave: numpy arrays with a row for each input; half precision travels as float32."""

    output: Any
    gradient: Array | None = None

    @property
    def slope(self) -> Array:
        """The gradient of a tap that asked for one."""
        if self.gradient is None:
            raise ValueError("no score was named, so there is no gradient")
        return self.gradient


class Reader:
    """Reads one model on inputs of one kind (structure, types and shapes).

    Args:
        model: any Keras model.
        inputs: an array, list or dict of arrays `(n, ...)`, as the model is fed.
    """

    def __init__(self, model: Any, inputs: Any):
        self.model = model
        self.head = Head(None, 1, False)
        self.output_shapes: list[tuple[int | None, ...]] = []
        self._example = keras.tree.map_structure(np.asarray, inputs)
        self._fixed_rows: int | None = None
        self._passes: dict[frozenset[Tap], Callable[..., Any]] = {}
        self._connections: dict[tuple[tuple[str, ...], Score], list[bool]] = {}
        if not getattr(model, "built", True):
            self._build()
        self.places = places(model)
        self._fixed_rows = fixed_rows([model, *(place.layer for place in self.places)])
        self.calls: list[Call] = self._survey()

    def resolve(self, wanted: Any, *, argument: str = "layer", last: bool = False) -> Call:
        """The call that a name, a path, `path:k` or a layer means.

        Args:
            wanted: what the user named.
            argument: what the user calls it, for the error.
            last: of a layer that is called several times, the last call and not the first, where no `:k` is given.

        Raises:
            ValueError: no such layer, an ambiguous name, a layer or call that the pass never reaches.
        """
        place, index = find(self.places, wanted, argument=argument)
        calls = [call for call in self.calls if call.place is place]
        if not calls or not all(call.visible for call in calls):
            raise ValueError(
                f'{argument}="{place.path}": is not called where it can be read: it is unused, puts out no rows, or is '
                "hidden inside a @tf.function (or a loop) within the model. Take @tf.function off `call` (fit compiles "
                "it anyway), or name the layer that holds it."
            )
        if index is not None and index >= len(calls):
            raise ValueError(f'{argument}="{wanted}": the layer is called {len(calls)} times, counted from 0.')
        return calls[(-1 if last else 0) if index is None else index]

    def leaves(self) -> list[Call]:
        """The calls of layers that hold no others (none that can be read), in the order in which they run."""
        readable = [call for call in self.calls if call.visible and isinstance(call.place.layer, keras.layers.Layer)]
        known = {id(call.place.layer) for call in readable}
        return [c for c in readable if not any(id(layer) in known for layer in below(c.place.layer))]

    def read(
        self,
        taps: Iterable[Tap],
        inputs: Any,
        *,
        targets: Mapping[str, Array] | None = None,
        choices: Mapping[Tap, Array] | None = None,
    ) -> dict[Tap, Taken]:
        """Run the model once on `inputs` (in batches of bounded memory) and give what each tap asked for.

        Args:
            taps: what is wanted; compiled once for each set of them.
            inputs: as in the constructor, any number of rows.
            targets: the rows of classes `(n,)` that the scores name.
            choices: what the `reduce` of a tap is given beside the output, an array of integers.
        """
        wanted = frozenset(taps)
        ordered = sorted(wanted, key=repr)
        rows = len(keras.tree.flatten(inputs)[0])
        classes = {name: np.asarray(row, np.int32) for name, row in (targets or {}).items()}
        chosen = {
            str(ordered.index(tap)): np.asarray(c, np.int32) for tap, c in (choices or {}).items() if tap in wanted
        }
        gathered: list[list[Any]] = []
        for start, stop in self._batches(rows):
            batch, given = cut_rows((inputs, classes), start, stop, pad=self._fixed_rows)
            run = self._passes.get(wanted) or self._compile(wanted, ordered, (batch, given, chosen))
            gathered.append(unpadded(run(batch, given, chosen), stop - start, self._fixed_rows))
        joined = keras.tree.map_structure(lambda *parts: np.concatenate(parts) if parts[1:] else parts[0], *gathered)
        return {tap: Taken(output, *slope) for tap, (output, slope) in zip(ordered, joined, strict=True)}

    def connected(self, calls: Sequence[Call], wanted: Score) -> list[bool]:
        """Whether the score depends on what each of these calls puts out; traced once, and nothing is computed."""
        key = (tuple(call.path for call in calls), wanted)
        if key not in self._connections:
            self._connections[key] = self._trace_connections(calls, wanted)
        return self._connections[key]

    def _trace_connections(self, calls: Sequence[Call], wanted: Score) -> list[bool]:
        found: list[bool] = []

        def body(inputs: Any, targets: Any) -> None:
            noted = Noted(self.model, {call.place.path: call.place for call in calls}.values())
            _, slopes = framework().gradients(
                lambda watch: noted.forward(inputs, watch),
                lambda outputs: [score(wanted, outputs, targets)],
                lambda: [[noted.tensor(call.path) for call in calls]],
            )
            found[:] = [slope is not None for slope in slopes[0]]

        rows = self._few()
        targets = np.full(len(keras.tree.flatten(rows)[0]), -1, np.int32)
        self._abstractly(body, (rows, targets))
        return found

    def _compile(self, wanted: frozenset[Tap], ordered: list[Tap], example: tuple[Any, ...]) -> Callable[..., Any]:
        def body(inputs: Any, targets: Any, choices: Any) -> list[tuple[Any, Any]]:
            return _pass(self.model, self.places, ordered, inputs, targets, choices)

        run: Callable[..., Any] = self._eager(body)
        if not getattr(self.model, "run_eagerly", False):
            try:
                run = framework().Compiled(body, example, fixed_rows=self._fixed_rows is not None)
            except Exception as error:
                run(*example)  # raises what is wrong with the model or the request, if it is more than the tracing
                warnings.warn(
                    f'model "{self.model.name}" cannot be compiled ({type(error).__name__}: {first_line(error)}); '
                    "it is read eagerly, which is slower.",
                    stacklevel=2,
                )
        self._passes[wanted] = run
        return run

    def _eager(self, body: Callable[..., Any]) -> Callable[..., Any]:
        eager: Callable[..., Any] = framework().Eager(body, lambda: _all_variables(self.model))
        return eager

    def _abstractly(self, body: Callable[..., Any], example: tuple[Any, ...]) -> None:
        if not getattr(self.model, "run_eagerly", False):
            try:
                framework().trace(body, example, fixed_rows=self._fixed_rows is not None)
                return
            except Exception:  # not traceable: the eager run below gives the same notes, or the reason
                pass
        self._eager(lambda *arguments: body(*arguments) or [])(*example)

    def _build(self) -> None:
        """Make the variables as `fit` does, on symbols: no random number is drawn, no loss is left behind."""

        def body(inputs: Any) -> None:
            self.model(inputs, training=False)

        self._abstractly(body, (self._few(),))
        self.model._clear_losses()

    def _survey(self) -> list[Call]:
        noted = Noted(self.model, self.places)

        def body(inputs: Any) -> None:
            noted.clear()
            outputs = noted.forward(inputs, lambda tensor: tensor)
            self.head = head_of(outputs)
            self.output_shapes = [tuple(output.shape[1:]) for output in keras.tree.flatten(outputs)]
            noted.answers = [t for output in keras.tree.flatten(outputs) for t in framework().made_from(output)]
            noted.calls = noted.listed()

        self._abstractly(body, (self._few(),))
        return noted.calls

    def _few(self) -> Any:
        """As few rows of the example as the model takes."""
        return cut_rows(self._example, 0, self._fixed_rows or 1, pad=self._fixed_rows)

    def _batches(self, rows: int) -> list[tuple[int, int]]:
        """Equal batches, so that the last is compiled for no other size and costs no more than its share."""
        if self._fixed_rows:
            size = self._fixed_rows
        else:
            held = 4 * sum(call.size for call in self.leaves())
            most = max(1, MEMORY // max(1, held))
            size = math.ceil(rows / math.ceil(rows / most)) if rows else 1
        return [(start, min(start + size, rows)) for start in range(0, max(rows, 1), size)]


def _pass(
    model: Any, known: Sequence[Place], taps: Sequence[Tap], inputs: Any, targets: Any, choices: Any
) -> list[tuple[Any, Any]]:
    """The body of a pass: for each tap its (reduced) output and the gradient by it."""
    paths = {tap.path.rpartition(":")[0] or tap.path for tap in taps} | {tap.path for tap in taps}
    noted = Noted(model, [place for place in known if place.path in paths])
    scores = sorted({tap.score for tap in taps if tap.score}, key=repr)
    if scores:
        outputs, slopes = framework().gradients(
            lambda watch: noted.forward(inputs, watch),
            lambda outputs: [score(one, outputs, targets.get(one.targets)) for one in scores],
            lambda: [[noted.tensor(tap.path) for tap in taps if tap.score == one] for one in scores],
        )
    else:
        outputs, slopes = noted.forward(inputs, lambda tensor: tensor), []
    remaining = {one: iter(found) for one, found in zip(scores, slopes, strict=True)}
    results = []
    for number, tap in enumerate(taps):
        output = keras.tree.flatten(outputs)[0] if tap.path == OUTPUT else noted.tensor(tap.path)
        gradient: list[Any] = []
        if tap.score is not None:
            slope = next(remaining[tap.score])
            gradient = [keras.ops.zeros_like(output) if slope is None else slope]
        reduced = tap.reduce(output, choices.get(str(number))) if tap.reduce else output
        results.append(
            (keras.tree.map_structure(_travelling, reduced), keras.tree.map_structure(_travelling, gradient))
        )
    return results


def first_line(error: BaseException) -> str:
    """What an error says, without what Keras adds below."""
    return (str(error).strip().splitlines() or [""])[0]


def _travelling(tensor: Any) -> Any:
    return keras.ops.cast(tensor, "float32") if tensor.dtype in ("float16", "bfloat16") else tensor


def _all_variables(model: Any) -> list[Any]:
    """The model's variables and the state of Keras' own random numbers, which no model lists."""
    from keras.src.backend.common import global_state
    from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR

    shared = global_state.get_global_attribute(GLOBAL_SEED_GENERATOR)
    return [*model.variables, *([shared.state] if shared is not None else [])]
