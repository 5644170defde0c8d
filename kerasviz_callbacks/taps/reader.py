"""Reading a model: the layers it calls and their outputs, in one compiled pass for all requests."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from .. import _keras
from .._autodiff import ImpossibleError, framework
from .._typing import Array
from ..probe.messages import short_message
from .batches import cut_rows, fixed_rows, remove_padding
from .heads import Head, heads_of, output_names
from .input_errors import check_types
from .layers import below, find, list_layers
from .layouts import channels_back, channels_last, moved_shape
from .output_recorder import Call, OutputRecorder
from .passes import OUTPUT, Capture, Captured, output_path, run_captures
from .scores import PREDICTED, Score, score
from .training_mode import check_training_only

__all__ = ["OUTPUT", "Capture", "Captured", "Reader"]

MEMORY = 2**30  # bytes that one batch of a pass may take, approximately


class Reader:
    """Reads one model on inputs of one structure, with fixed dtypes and shapes.

    Args:
        model: any Keras model.
        inputs: an array, list or dict of arrays `(n, ...)`, as the model takes them.
        paths: paths of layers that are not those of their names, see `list_layers`.
    """

    def __init__(self, model: Any, inputs: Any, paths: Mapping[int, str] | None = None):
        framework()  # raises on another backend
        self.model = model
        self.heads = [Head(None, 1, False)]  # of the outputs, flattened
        self.output_names: list[Any] = []  # their keys in y
        self.output_shapes: list[tuple[int | None, ...]] = []
        self.calls: list[Call] = []
        self._example = keras.tree.map_structure(np.asarray, inputs)
        self.input_axes: list[int | None] = [None] * len(keras.tree.flatten(self._example))
        self.output_axes: list[int | None] = []
        check_types(model, self._example)
        self._fixed_rows: int | None = None
        self._passes: dict[Hashable, Callable[..., Any]] = {}
        self._connections: dict[tuple[tuple[str, ...], Score], list[bool]] = {}
        self._separations: dict[Hashable, list[bool]] = {}
        # The first trace, its recorder and the model's symbolic outputs: later questions need no trace of their own.
        self._first_trace: tuple[Any, OutputRecorder, Any] | None = None
        try:
            if not getattr(model, "built", True):
                self._build()
            self.layers = list_layers(model, paths)
            self._fixed_rows = fixed_rows([model, *(ref.layer for ref in self.layers)])
            self._survey()
            self.input_shapes = [array.shape[1:] for array in keras.tree.flatten(self.to_channels_last(self._example))]
        except Exception:
            check_training_only(model, lambda body: self.abstractly(body, (self.few(),)))
            raise

    @property
    def head(self) -> Head:
        """The kind of the first output."""
        return self.heads[0]

    @property
    def first_output(self) -> Any:
        """The key of the first output in y; `None` if it has no name."""
        return self.output_names[0] if self.output_names else None

    def resolve(self, wanted: Any, *, argument: str = "layer", last: bool = False) -> Call:
        """The call meant by a name, a path, `path:k` or a layer.

        Without `:k`, of a layer that is called several times, it is the first call; the last if `last`.

        Raises:
            ValueError: no such layer, an ambiguous name, or a layer or call that cannot be read.
        """
        ref, index = find(self.layers, wanted, argument=argument)
        calls = [call for call in self.calls if call.ref is ref]
        if ref.frames is not None and not all(call.visible for call in calls):
            raise ValueError(
                f'{argument}="{ref.path}": is called once a frame by "{ref.frames.path}", and the number of frames is '
                "not known before the model runs, so there is no output for each; give Input, or the layer before, a "
                f'fixed number of frames, or name "{ref.frames.path}".'
            )
        if not calls or not all(call.visible for call in calls):
            raise ValueError(
                f'{argument}="{ref.path}": is not called where it can be read: it is unused, returns no row for '
                "each input, or is hidden inside a @tf.function (or a loop) within the model. Remove @tf.function from "
                "`call` (fit compiles it anyway), or name the layer that contains it."
            )
        if index is not None and index >= len(calls):
            raise ValueError(f'{argument}="{wanted}": the layer is called {len(calls)} times, counted from 0.')
        return calls[(-1 if last else 0) if index is None else index]

    @property
    def axes(self) -> dict[str, int | None]:
        """The axis of channels, counted from the end, of the calls and outputs that do not have them last, by path."""
        outputs = {output_path(number): axis for number, axis in enumerate(self.output_axes)}
        found = {call.path: call.channel_axis for call in self.calls} | outputs
        return {path: axis for path, axis in found.items() if axis is not None}

    def to_channels_last(self, inputs: Any) -> Any:
        """Inputs of the model as arrays, each `(n, *spatial, channels)`."""
        return self._moved(inputs, channels_last)

    def from_channels_last(self, inputs: Any) -> Any:
        """Arrays `(n, *spatial, channels)` as the model takes them."""
        return self._moved(inputs, channels_back)

    def _moved(self, inputs: Any, move: Callable[..., Any]) -> Any:
        pairs = zip(keras.tree.flatten(inputs), self.input_axes, strict=True)
        return keras.tree.pack_sequence_as(inputs, [move(np.asarray(one), axis, np.moveaxis) for one, axis in pairs])

    def leaves(self) -> list[Call]:
        """The calls of layers without readable sublayers, in execution order."""
        readable = [call for call in self.calls if call.visible and isinstance(call.ref.layer, keras.layers.Layer)]
        known = {id(call.ref.layer) for call in readable}
        return [c for c in readable if not any(id(layer) in known for layer in below(c.ref.layer))]

    def read(
        self,
        captures: Iterable[Capture],
        inputs: Any,
        *,
        targets: Mapping[str, Array] | None = None,
        choices: Mapping[Capture, Array] | None = None,
    ) -> dict[Capture, Captured]:
        """Run the model once on `inputs` (in batches of bounded memory) and return the result of each capture.

        Args:
            captures: what is requested; each set of captures is compiled once.
            inputs: as in the constructor, any number of rows.
            targets: by the name that the scores use, the class of each row `(n,)`.
            choices: an array of integers that the `reduce` of a capture receives with the output.
        """
        wanted = frozenset(captures)
        ordered = sorted(wanted, key=repr)
        classes = {name: np.asarray(row, np.int32) for name, row in (targets or {}).items()}
        given = choices or {}
        chosen = {str(n): np.asarray(given[one], np.int32) for n, one in enumerate(ordered) if one in given}

        def body(inputs: Any, targets: Any, choices: Any) -> list[tuple[Any, Any]]:
            return run_captures(self.model, self.layers, ordered, inputs, targets, choices, self.axes)

        self._first_trace = None  # its symbols take memory, and are of no use once layers are chosen
        found = self.run(wanted, body, (inputs, classes), chosen)
        return {capture: Captured(output, *slope) for capture, (output, slope) in zip(ordered, found, strict=True)}

    def run(self, key: Hashable, body: Callable[..., Any], rows: tuple[Any, ...], *constants: Any) -> Any:
        """`body(*rows, *constants)` over all rows, in batches of bounded memory; no variable of the model changes.

        Args:
            key: identifies `body`, which is compiled once for each key.
            body: tensors -> a structure of tensors, each with the rows as its first axis; returned as numpy arrays.
            rows: arrays of one length, in any structure.
            constants: arrays that every batch receives whole.
        """
        gathered: list[Any] = []
        for start, stop in self._batches(len(keras.tree.flatten(rows)[0])):
            batch = cut_rows(rows, start, stop, pad=self._fixed_rows)
            given = (*batch, *constants)
            if key not in self._passes:
                self._passes[key] = self._compile(body, given)
            gathered.append(remove_padding(self._passes[key](*given), stop - start, self._fixed_rows))
        return keras.tree.map_structure(lambda *parts: np.concatenate(parts) if parts[1:] else parts[0], *gathered)

    def connected(self, calls: Sequence[Call], wanted: Score) -> list[Call]:
        """The calls on whose output the score depends; found by tracing once, without computing anything."""
        key = (tuple(call.path for call in calls), wanted)
        if key not in self._connections:
            self._connections[key] = self._trace_connections(calls, wanted)
        return [call for call, is_connected in zip(calls, self._connections[key], strict=True) if is_connected]

    def _trace_connections(self, calls: Sequence[Call], wanted: Score) -> list[bool]:
        if self._first_trace is not None and all(call.visible for call in calls):
            trace, recorded, outputs = self._first_trace

            def scored() -> Any:
                rows = keras.ops.shape(keras.tree.flatten(outputs)[0])[:1]
                return score(wanted, outputs, keras.ops.full(rows, PREDICTED, "int32"), self.model)

            try:
                return recorded.any_frame(calls, lambda tensors: trace.depends(scored, tensors))
            except Exception:  # the score cannot be added to the trace; the trace below gives the result, or the reason
                self._first_trace = None
        found: list[bool] = []

        def body(inputs: Any, targets: Any) -> None:
            recorder = OutputRecorder(self.model, {call.ref.path: call.ref for call in calls}.values())
            _, slopes = framework().gradients(
                lambda watch: recorder.forward(inputs, watch),
                lambda outputs: [score(wanted, outputs, targets, self.model)],
                lambda: [[tensor for call in calls for tensor in recorder.tensors(call.path)]],
            )
            found[:] = recorder.any_frame(calls, lambda tensors: [slope is not None for slope in slopes[0]])

        rows = self.few()
        targets = np.full(len(keras.tree.flatten(rows)[0]), PREDICTED, np.int32)
        self.abstractly(body, (rows, targets))
        return found

    def separating(self, groups: Sequence[Sequence[Call]], wanted: Score, *, of_first: bool = False) -> list[bool]:
        """Whether a score depends on each group of calls, and on the inputs through the group alone; see `connected`.

        With `of_first` other inputs than the first may go by the group.

        NotImplementedError: the model cannot be traced.
        """
        key = (tuple(tuple(call.path for call in group) for group in groups), wanted, of_first)
        if key not in self._separations:
            trace, recorder, outputs = self._first_trace or self._trace_calls()
            if trace is None:
                raise NotImplementedError("the model runs eagerly, where no graph tells what depends on what")
            tensors = [[recorder.tensor(call.path) for call in group] for group in groups]
            self._separations[key] = trace.separates(
                lambda: score(wanted, outputs, None, self.model), tensors, of_first=of_first
            )
        return self._separations[key]

    def _compile(self, body: Callable[..., Any], example: tuple[Any, ...]) -> Callable[..., Any]:
        fixed, what = self._fixed_rows is not None, (f'model "{self.model.name}"', "read")
        return compiled_or_eager(self.model, body, example, self._eager(body), fixed_rows=fixed, what=what)

    def _eager(self, body: Callable[..., Any], *, builds: bool = False) -> Callable[..., Any]:
        eager: Callable[..., Any] = framework().Eager(body, lambda: all_variables(self.model), builds=builds)
        return eager

    def abstractly(self, body: Callable[..., Any], example: tuple[Any, ...], *, builds: bool = False) -> Any:
        """Run `body(*example)` on symbols, for what it records; eagerly where the model cannot be traced.

        Where `body` builds the model, its layers keep the random numbers that they draw. Returns the trace, `None` if
        the model was run eagerly.
        """
        if not getattr(self.model, "run_eagerly", False):
            try:
                return framework().Traced(body, example, fixed_rows=self._fixed_rows is not None, builds=builds)
            except Exception:  # not traceable: the eager run below records the same, or raises the reason
                pass
        self._eager(lambda *arguments: body(*arguments) or [], builds=builds)(*example)
        return None

    def _build(self) -> None:
        """Build the variables on symbols, as `fit` does: no random number is drawn, no loss remains."""

        def body(inputs: Any) -> None:
            self.model(inputs, training=False)

        self.abstractly(body, (self.few(),), builds=True)
        _keras.clear_losses(self.model)

    def _survey(self) -> None:
        def described(recorder: OutputRecorder, inputs: Any, outputs: Any) -> None:
            self.heads, self.output_names = heads_of(outputs, self.model), output_names(self.model, outputs)
            flat = keras.tree.flatten(outputs)
            answers = [tensor for output in flat for tensor in framework().made_from(output)]
            self.calls, self.input_axes, self.output_axes = recorder.listed(inputs, outputs, answers)
            axes = zip(flat, self.output_axes, strict=True)
            self.output_shapes = [moved_shape(one.shape[1:], axis) for one, axis in axes]

        found = self._trace_calls(described)
        self._first_trace = None if found[0] is None else found

    def _trace_calls(
        self, described: Callable[[OutputRecorder, Any, Any], None] = lambda recorder, inputs, outputs: None
    ) -> tuple[Any, OutputRecorder, Any]:
        """A trace, `None` of an eager run, with its recorder and the model's outputs.

        Within it, `described` gets the recorder, the inputs and the outputs.
        """

        def body(inputs: Any) -> None:
            recorder = OutputRecorder(self.model, self.layers)
            outputs = recorder.forward(inputs)
            described(recorder, inputs, outputs)
            met.append((recorder, outputs))

        met: list[tuple[OutputRecorder, Any]] = []
        trace = self.abstractly(body, (self.few(),))
        return (trace, *met[-1])

    def few(self) -> Any:
        """The example, cut to as few rows as the model takes."""
        return cut_rows(self._example, 0, self._fixed_rows or 1, pad=self._fixed_rows)

    def _batches(self, rows: int) -> list[tuple[int, int]]:
        """Batches of equal size as far as possible, so that the last one costs no more than its share."""
        if self._fixed_rows:
            size = self._fixed_rows
        else:
            held = 4 * sum(call.size for call in self.leaves())
            most = max(1, MEMORY // max(1, held))
            size = math.ceil(rows / math.ceil(rows / most)) if rows else 1
        return [(start, min(start + size, rows)) for start in range(0, max(rows, 1), size)]


def compiled_or_eager(
    model: Any,
    body: Callable[..., Any],
    example: tuple[Any, ...],
    eager: Callable[..., Any],
    *,
    fixed_rows: bool,
    what: tuple[str, str],
) -> Callable[..., Any]:
    """`body` as a graph; `eager`, with a warning, where it cannot be traced. `what` is the warning's noun and verb."""
    if getattr(model, "run_eagerly", False):
        return eager
    try:
        run: Callable[..., Any] = framework().Compiled(body, example, fixed_rows=fixed_rows)
    except (ImpossibleError, _keras.MissingNameError):
        raise
    except Exception as error:
        eager(*example)  # raises if the fault is not in the tracing alone
        warnings.warn(
            f"{what[0]} cannot be compiled ({type(error).__name__}: {short_message(error)}); it is {what[1]} eagerly, "
            "which is slower.",
            stacklevel=3,
        )
        return eager
    return run


def all_variables(model: Any) -> list[Any]:
    """The model's variables, and the state of Keras' global seed generator, which belongs to no model."""
    shared = _keras.global_seed_generator()
    return [*model.variables, *([shared.state] if shared is not None else [])]
