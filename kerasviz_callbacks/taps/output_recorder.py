"""The outputs of layers in one forward pass, and the properties of each call that are known from a trace."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import keras

from .._autodiff import framework
from .call_hooks import call_hooks
from .layers import LayerRef
from .layouts import Frames, Layouts, Traced, any_channels_first, moved_shape


@dataclass(frozen=True)
class Call:
    """One call of one layer, recorded while tracing.

    The calls of a layer within a `TimeDistributed`, one a frame, are one call.

    Attributes:
        path: the layer's path, with `:k` for the k-th call of a layer that is called more than once.
        ref: the layer.
        shape: shape of its (first) output, without the batch, channels last.
        visible: False if its output cannot be read: it is called inside a compiled function within the model, or at
            least once inside a loop (the cell of an LSTM, which also runs once before the loop), or its rows are
            others than those of the inputs.
        repeats: the path of an earlier call that returned the same tensor (a nested model's last layer), or `None`.
        is_output: whether the output is the model's own, or the input of its softmax.
        channel_axis: the axis that holds the channels in the pass, counted from the end; `None`: the last one.
        of_frames: whether the output has maps for each of several frames, `(time, *spatial, channels)`.
        number: how many calls of the layer were before it.
        times: how many calls of the layer there are.
    """

    path: str
    ref: LayerRef
    shape: tuple[int | None, ...]
    visible: bool = True
    repeats: str | None = None
    is_output: bool = False
    channel_axis: int | None = None
    of_frames: bool = False
    number: int = 0
    times: int = 1

    def title(self, styled: Callable[[str], str] = str) -> str:
        """The layer's path, `styled`; of a layer that is called more than once which of its calls it is, in words."""
        return f"call {self.number + 1} of {self.times} of " * (self.times > 1) + styled(self.ref.path)

    @property
    def size(self) -> int:
        """The number of values per row."""
        return math.prod(n or 1 for n in self.shape)


@dataclass
class OutputRecorder:
    """Records the outputs of layers in one pass, by path, in the order of the calls."""

    model: Any
    watched: Iterable[LayerRef]
    outputs: dict[str, list[Sequence[Any]]] = field(default_factory=lambda: defaultdict(list))
    record: list[Traced] = field(default_factory=list)
    _frames: dict[str, list[Traced]] = field(default_factory=lambda: defaultdict(list))  # by path, until all are there

    def forward(
        self,
        inputs: Any,
        watch: Callable[[Any], Any] = lambda tensor: tensor,
        changed: Mapping[str, Callable[[Any], Any]] | None = None,
    ) -> Any:
        """Run the model; every visible output of a watched layer passes through `watch`.

        `changed` holds, by the path of a call, a function that replaces its output for the layers that follow.
        """

        def note(ref: LayerRef, output: Any, given: Any) -> Any:
            flat = keras.tree.flatten(output)
            if flat and framework().visible(flat[0]):
                number = len(self.outputs[ref.path])
                change = (changed or {}).get(f"{ref.path}:{number}" if number else ref.path)
                flat[0] = watch(change(flat[0]) if change else flat[0])
                output = keras.tree.pack_sequence_as(output, flat)
            call = Traced(ref, [flat[0] if flat else None], keras.tree.flatten(given))
            if ref.frames is None:
                self._join_frames(call)
                self._add(call)
            else:
                self._frames[ref.frames.path].append(call)
            return output

        watched = {ref.path: ref for ref in self.watched}
        around = {ref.frames.path: ref.frames for ref in watched.values() if ref.frames is not None}
        with call_hooks(self.model, list({**around, **watched}.values()), note):
            outputs = self.model(inputs, training=False)
        for call in [call for calls in self._frames.values() for call in calls]:
            self._add(call)  # a layer that is also called outside of its `TimeDistributed`
        return outputs

    def _add(self, call: Traced) -> None:
        self.outputs[call.ref.path].append(call.outputs)
        self.record.append(call)

    def _join_frames(self, around: Traced) -> None:
        """Join the calls within a `TimeDistributed` that has ended: as many as there are frames, or k times as many."""
        by_path: dict[str, list[Traced]] = defaultdict(list)
        for call in self._frames.pop(around.ref.path, ()):
            by_path[call.ref.path].append(call)
        output = around.outputs[0]
        frames = output.shape[1] if output is not None and len(output.shape) > 1 else None
        for calls in by_path.values():
            many = len(calls) // frames if frames and len(calls) % frames == 0 else 0
            for number in range(many or len(calls)):
                same = Frames(one.outputs[0] for one in calls[number::many]) if many else [None]  # None: of a loop
                self._add(calls[number]._replace(outputs=same))

    def tensors(self, path: str) -> Sequence[Any]:
        """The output of a call, the first one of `path`, the k-th of `path:k`: one tensor, or one for each frame."""
        name, _, index = path.rpartition(":")
        if name in self.outputs and index.isdecimal():
            return self.outputs[name][int(index)]
        return self.outputs[path][0]

    def tensor(self, path: str) -> Any:
        """The output of a call as one tensor; frames are stacked on the axis behind the rows."""
        return stacked(self.tensors(path))

    def any_frame(self, calls: Sequence[Call], of: Callable[[list[Any]], Iterable[bool]]) -> list[bool]:
        """For each call whether something holds of any of its tensors, given `of`, which says it of all of them."""
        tensors = [self.tensors(call.path) for call in calls]
        found = iter(of([tensor for own in tensors for tensor in own]))
        return [any(list(islice(found, len(own)))) for own in tensors]

    def listed(self, inputs: Any, outputs: Any, answers: Sequence[Any]) -> tuple[list[Call], list[Any], list[Any]]:
        """The calls in the order in which they ended, and the axes of channels of the model's inputs and outputs.

        `answers` are the tensors that are the model's own output.
        """
        flat, results = keras.tree.flatten(inputs), keras.tree.flatten(outputs)
        layouts = Layouts(flat, self.record) if any_channels_first(self.watched) else None
        seen: list[tuple[Any, str]] = []
        counted: dict[str, int] = defaultdict(int)
        calls = []
        for ref, tensors, _ in self.record:
            number, times, output = counted[ref.path], len(self.outputs[ref.path]), tensors[0]
            counted[ref.path] += 1
            visible = all(_readable(one, flat) for call in self.outputs[ref.path] for one in call)
            path = f"{ref.path}:{number}" if number else ref.path
            axis = layouts.axis(output) if visible and layouts is not None else None
            shape = moved_shape(output.shape[1:], axis) if visible else ()
            joined = isinstance(tensors, Frames)
            shape = (len(tensors), *shape) if joined else shape
            timed = joined or isinstance(ref.layer, keras.layers.TimeDistributed)
            calls.append(
                Call(
                    path=path,
                    ref=ref,
                    shape=shape,
                    visible=visible,
                    repeats=next((name for earlier, name in seen if output is earlier), None),
                    is_output=any(output is one for one in answers),
                    channel_axis=axis,
                    of_frames=timed and len(shape) > 2,
                    number=number,
                    times=times,
                )
            )
            seen.append((output, path))
        return calls, *_axes(layouts, flat, results)


def _readable(output: Any, inputs: list[Any]) -> bool:
    """Whether an output can be read, and may hold a row for each row of the inputs: the nodes of a graph are others."""
    return framework().visible(output) and output.shape[0] in (None, inputs[0].shape[0] if inputs else None)


def _axes(layouts: Layouts | None, inputs: list[Any], outputs: list[Any]) -> tuple[list[Any], list[Any]]:
    if layouts is None:
        return [None for _ in inputs], [None for _ in outputs]
    axes = [layouts.axis(one) for one in inputs]
    # What a model reshapes to the shape of its first input has the same layout, as a reconstruction.
    like = tuple(inputs[0].shape[1:])
    return axes, [layouts.axis(one) or (axes[0] if tuple(one.shape[1:]) == like else None) for one in outputs]


def stacked(tensors: Sequence[Any]) -> Any:
    """One tensor as it is; those of frames on an axis behind the rows."""
    return keras.ops.stack(tensors, axis=1) if isinstance(tensors, Frames) else tensors[0]
