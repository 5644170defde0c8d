"""What is asked of a pass, and the body of one: outputs of layers, reduced, and gradients by them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from .._autodiff import framework
from .layers import Place
from .noting import Noted
from .scores import Score, score

Array = np.ndarray[Any, Any]
OUTPUT = ""  # the path of the model itself: its first output, as it gives it; ":k" is its k-th, counted from 0


@dataclass(frozen=True)
class Tap:
    """What is wanted of one layer in a pass.

    Attributes:
        path: a path from `Reader.resolve`, or `OUTPUT`, or one from `output_path`.
        reduce: runs inside the pass, so that little travels: `(output, choice) -> tensor or dict of tensors`, the
            first axis of each the rows. `None`: the output itself.
        score: also the gradient of this score by the layer's output.
        maps: runs inside the pass in place of `reduce`: `(output, gradient) -> tensor`, and no gradient is given back.
        owner: tells apart taps that are alike but make a choice of their own (`choices` of `Reader.read`).
    """

    path: str
    reduce: Callable[[Any, Any], Any] | None = None
    score: Score | None = None
    maps: Callable[[Any, Any], Any] | None = None
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


def output_path(number: int) -> str:
    """The path of one of the model's outputs, flattened; that of the first is `OUTPUT`, as others ask for it too."""
    return f":{number}" if number else OUTPUT


def tapped(
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
        of_model = tap.path == OUTPUT or tap.path.startswith(":")
        output = keras.tree.flatten(outputs)[int(tap.path[1:] or 0)] if of_model else noted.tensor(tap.path)
        gradient: list[Any] = []
        if tap.score is not None:
            slope = next(remaining[tap.score])
            gradient = [keras.ops.zeros_like(output) if slope is None else slope]
        reduced = tap.reduce(output, choices.get(str(number))) if tap.reduce else output
        if tap.maps is not None:
            reduced, gradient = tap.maps(output, *gradient), []
        results.append((keras.tree.map_structure(travelling, reduced), keras.tree.map_structure(travelling, gradient)))
    return results


def travelling(tensor: Any) -> Any:
    """Half precision as float32 (exact), the rest as it is."""
    return keras.ops.cast(tensor, "float32") if tensor.dtype in ("float16", "bfloat16") else tensor
