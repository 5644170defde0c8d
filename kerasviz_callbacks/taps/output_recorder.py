"""The outputs of layers in one forward pass, and the properties of each call that are known from a trace."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras

from .._autodiff import framework
from .call_hooks import call_hooks
from .layers import LayerRef


@dataclass(frozen=True)
class Call:
    """One call of one layer, recorded while tracing.

    Attributes:
        path: the layer's path, with `:k` for the k-th call of a layer that is called more than once.
        ref: the layer.
        shape: shape of its (first) output, without the batch.
        visible: False if its output cannot be read: it is called inside a compiled function within the model, or at
            least once inside a loop (the cell of an LSTM, which also runs once before the loop).
        repeats: the path of an earlier call that returned the same tensor (a nested model's last layer), or `None`.
        is_output: whether the output is the model's own, or the input of its softmax.
    """

    path: str
    ref: LayerRef
    shape: tuple[int | None, ...]
    visible: bool = True
    repeats: str | None = None
    is_output: bool = False

    @property
    def size(self) -> int:
        """The number of values per row."""
        return math.prod(n or 1 for n in self.shape)


@dataclass
class OutputRecorder:
    """Records the outputs of layers in one pass, by path, in the order of the calls."""

    model: Any
    watched: Iterable[LayerRef]
    outputs: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    record: list[tuple[LayerRef, Any]] = field(default_factory=list)

    def forward(
        self,
        inputs: Any,
        watch: Callable[[Any], Any] = lambda tensor: tensor,
        changed: Mapping[str, Callable[[Any], Any]] | None = None,
    ) -> Any:
        """Run the model; every visible output of a watched layer passes through `watch`.

        `changed` holds, by the path of a call, a function that replaces its output for the layers that follow.
        """

        def note(ref: LayerRef, output: Any) -> Any:
            flat = keras.tree.flatten(output)
            if flat and framework().visible(flat[0]):
                number = len(self.outputs[ref.path])
                change = (changed or {}).get(f"{ref.path}:{number}" if number else ref.path)
                flat[0] = watch(change(flat[0]) if change else flat[0])
                output = keras.tree.pack_sequence_as(output, flat)
            first = flat[0] if flat else None
            self.outputs[ref.path].append(first)
            self.record.append((ref, first))
            return output

        with call_hooks(self.model, list(self.watched), note):
            return self.model(inputs, training=False)

    def tensor(self, path: str) -> Any:
        """The output of a call: the first one of `path`, the k-th of `path:k`."""
        name, _, index = path.rpartition(":")
        if name in self.outputs and index.isdecimal():
            return self.outputs[name][int(index)]
        return self.outputs[path][0]

    def listed(self, output_tensors: Sequence[Any]) -> list[Call]:
        """The calls in the order in which they ended, given the tensors that are the model's own output."""
        seen: list[tuple[Any, str]] = []
        counted: dict[str, int] = defaultdict(int)
        calls = []
        for ref, output in self.record:
            number, many = counted[ref.path], len(self.outputs[ref.path]) > 1
            counted[ref.path] += 1
            visible = all(map(framework().visible, self.outputs[ref.path]))
            path = f"{ref.path}:{number}" if many and number else ref.path
            calls.append(
                Call(
                    path=path,
                    ref=ref,
                    shape=tuple(output.shape[1:]) if visible else (),
                    visible=visible,
                    repeats=next((name for earlier, name in seen if output is earlier), None),
                    is_output=any(output is one for one in output_tensors),
                )
            )
            seen.append((output, path))
        return calls
