"""What is requested of a pass, and the body of a pass: reduced outputs of layers and gradients with respect to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from .._autodiff import framework
from .._typing import Array
from .layers import LayerRef
from .layouts import Frames, channels_last
from .output_recorder import OutputRecorder, stacked
from .scores import Score, score

OUTPUT = ""  # the path of the model's first output; ":k" is the path of its k-th, counted from 0


@dataclass(frozen=True)
class Capture:
    """What is requested of one layer in a pass.

    Attributes:
        path: a path from `Reader.resolve`, or `OUTPUT`, or one from `output_path`.
        reduce: runs inside the pass, so that only small arrays are transferred: `(output, choice) -> tensor or dict of
            tensors`, each with the rows as its first axis. `None`: the output itself.
        score: also return the gradient of this score with respect to the layer's output.
        maps: runs inside the pass in place of `reduce`: `(output, gradient) -> tensor`; no gradient is returned.
        owner: distinguishes equal captures with different choices (`choices` of `Reader.read`).
    """

    path: str
    reduce: Callable[[Any, Any], Any] | None = None
    score: Score | None = None
    maps: Callable[[Any, Any], Any] | None = None
    owner: int = 0


@dataclass(frozen=True, eq=False)
class Captured:
    """The result of one capture: numpy arrays with a row per input; half precision as float32."""

    output: Any
    gradient: Array | None = None

    @property
    def required_gradient(self) -> Array:
        """The gradient of a capture that requests one."""
        if self.gradient is None:
            raise ValueError("the capture requests no score, so there is no gradient")
        return self.gradient


def output_path(number: int) -> str:
    """The path of one of the model's flattened outputs; of the first it is `OUTPUT`."""
    return f":{number}" if number else OUTPUT


def run_captures(
    model: Any,
    known: Sequence[LayerRef],
    captures: Sequence[Capture],
    inputs: Any,
    targets: Any,
    choices: Any,
    axes: Mapping[str, int | None],
) -> list[tuple[Any, Any]]:
    """The body of a pass: for each capture its (reduced) output and the gradient with respect to it.

    `axes` are those of channels, by the paths of captures that do not have them last.
    """
    paths = {path for capture in captures for path in (capture.path, capture.path.rpartition(":")[0])}
    recorder = OutputRecorder(model, [ref for ref in known if ref.path in paths])
    scores = sorted({capture.score for capture in captures if capture.score}, key=repr)
    if scores:
        outputs, slopes = framework().gradients(
            lambda watch: recorder.forward(inputs, watch),
            lambda outputs: [score(one, outputs, targets.get(one.targets), model) for one in scores],
            lambda: [[t for c in captures if c.score == one for t in recorder.tensors(c.path)] for one in scores],
        )
    else:
        outputs, slopes = recorder.forward(inputs), []
    remaining = {one: iter(found) for one, found in zip(scores, slopes, strict=True)}
    results = []
    for number, capture in enumerate(captures):
        of_model = capture.path == OUTPUT or capture.path.startswith(":")
        path, axis = capture.path, axes.get(capture.path)
        tensors = [keras.tree.flatten(outputs)[int(path[1:] or 0)]] if of_model else recorder.tensors(path)
        output = channels_last(stacked(tensors), axis)
        gradient: list[Any] = []
        if capture.score is not None:
            filled = _with_zeros([next(remaining[capture.score]) for _ in tensors], tensors)
            gradient = [channels_last(stacked(filled), axis)]
        reduced = capture.reduce(output, choices.get(str(number))) if capture.reduce else output
        if capture.maps is not None:
            reduced, gradient = capture.maps(output, *gradient), []
        results.append((reduced, gradient))
    return list(keras.tree.map_structure(half_to_float32, results))


def _with_zeros(gradients: Sequence[Any], tensors: Sequence[Any]) -> Sequence[Any]:
    """Gradients with zeros where they are `None`: of tensors on which the score does not depend."""
    pairs = zip(gradients, tensors, strict=True)
    filled = [keras.ops.zeros_like(tensor) if gradient is None else gradient for gradient, tensor in pairs]
    return Frames(filled) if isinstance(tensors, Frames) else filled


def half_to_float32(tensor: Any) -> Any:
    """Cast half precision to float32 (exact); leave other types unchanged."""
    return keras.ops.cast(tensor, "float32") if tensor.dtype in ("float16", "bfloat16") else tensor
