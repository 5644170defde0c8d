"""`WeightHeatmaps`: kernels as matrices, and what one clipped training step does to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from ..callback import ARGUMENTS, MODEL, TRAINING, VALIDATION, Image, Measured, ProbeView
from ..callback.markdown import code_span
from ..draw.colour import count_non_finite
from ..draw.text import format_number, join_notes, shape_text
from ..draw.weights import SIDE, Panel, weight_panels
from ..fit_context import Request, say
from ..maths.choice import evenly_by_depth
from ..maths.clipping import share_removed
from ..maths.matrices import block_extremes, block_of, fold, largest, unfolded_index
from ..maths.scale import robust_max
from ..taps.layers import listed, named
from ..taps.reader import Reader
from ..taps.step import check_clip
from ..taps.trial_step import TrialStep
from ..taps.weights import WeightMatrix, matrices_named, weight_matrices

Array = np.ndarray[Any, Any]
_DESCRIPTION = """**The weights of {path}**, kernel {shape} as a matrix of {inputs} inputs by {outputs} outputs.

*How to read it:* red is positive, blue negative, white zero; the frame is round the weight of largest magnitude, named
below.{blocks} The scale grows and never shrinks, and reaches 99.5 % of what is drawn.{step}
*Good signs:* structure grows out of the noise; rows of inputs that carry nothing fade.
*Bad signs:* single weights that outgrow all others, whole columns that fade to white (dead units) or are all alike,
weights that never change.{bad_step}"""
_BLOCKS = " Where the matrix is larger than the picture, a cell is the weight of largest magnitude in its block."
_STEP = """ In the middle the weights right after gradient clipping: after one further step of the model's own loss and
optimizer ({how}), made on copies. Right the difference, magnified: its own scale stands below, with the share of this
kernel's gradient that clipping removed, 1 - ||clipped g|| / ||g||."""
_NO_STEP = " They stand alone ({how})."
_BAD_STEP = """ Clipping that removes nearly everything at every step (the threshold, not the learning rate, then sets
the pace), or a difference that is a few single cells."""
_REMOVED = (
    "The share of this kernel's gradient that clipping removes in one further step, 1 - ||clipped g|| / ||g||: 0 "
    "leaves it whole. Near 1 at every epoch, the threshold sets the pace of training and not the learning rate."
)


@dataclass(frozen=True)
class WeightHeatmapsData:
    """What is drawn of one kernel.

    Attributes:
        weights: the matrix, at most `SIDE` a side.
        mark: the cell that holds the largest weight; `None` where no weight is finite.
        how: the step that was made, or why none was.
        note: what clipping removed, and the largest weight.
        bad: how many weights are not finite, before and after.
        after: the matrix right after a step; `None` without one.
        difference: `after` minus `weights`, taken before anything was shrunk.
        removed: the share of the gradient that clipping removed; NaN where nothing clips.
    """

    weights: Array
    mark: tuple[int, int] | None
    how: str
    note: str
    bad: str
    after: Array | None = None
    difference: Array | None = None
    removed: float = float("nan")


class WeightHeatmaps(ProbeView):
    """See the weights themselves, inputs by outputs, and what one training step with gradient clipping does to them.

    Left the kernel as it is. With labelled data also, in the middle, the weights after one further step of the model's
    own loss and optimizer on the rows that are looked at (`training_data`, else `validation_data`), with the clipping
    in force, and right the difference. The step is made on copies, as `fit` makes it: dropout and batch statistics as
    in training, with the optimizer's moments of the moment, but without weights of samples or classes, which only
    `fit` knows. It costs one training step at each drawn epoch, and copies of the trained weights and of the
    optimizer's state in memory.

    Without data, targets or an optimizer that can be copied, or where the model has a `train_step` of its own, the
    weights are shown alone, and the caption says why.

    Args:
        log_dir: where TensorBoard looks.
        validation_data: `(x, y)` as `fit` is given; `None`: the weights alone. See `ProbeView`.
        layers: names or paths; `None`: every kernel, at most eight, evenly by depth (dense, convolutions of all kinds,
            recurrent, embeddings, attention).
        clip: in place of the optimizer's own clipping: `{"clipnorm": c}`, `{"clipvalue": c}` or
            `{"global_clipnorm": c}`, c > 0.
        options: `training_data`, `count` (16), and those of `View`.

    Raises:
        TypeError: `clip` is no dict of a number.
        ValueError: another `clip`; before the first batch, a layer that is not there or has no kernel.

    Example:
        >>> view = kv.WeightHeatmaps("logs", (x_val, y_val), clip={"clipnorm": 1.0})  # doctest: +SKIP
        >>> model.fit(x, y, callbacks=[view])  # doctest: +SKIP
    """

    needs_data: ClassVar[bool] = False

    def __init__(
        self,
        log_dir: Any = "logs",
        validation_data: Any = None,
        *,
        layers: Sequence[Any] | None = None,
        clip: Mapping[str, float] | None = None,
        **options: Any,
    ):
        super().__init__(log_dir, validation_data, **options)
        self.layers = None if layers is None else named(layers)
        self.clip = check_clip(clip)
        self._matrices: dict[str, WeightMatrix] = {}
        self._trial_step: TrialStep | None = None

    def ready(self) -> bool:
        """Without data to build it with, a model without an `Input` has no weights before it is called."""
        return bool(self.model.built) or self._source() is not None

    def prepare(self) -> None:
        """Read the data, if there are any, and find the kernels."""
        self.read(self.fit_context)
        source = self._source()
        self.choose(None if source is None else self.readers[source])

    def choose(self, reader: Reader | None) -> None:
        """Find the kernels, and make what makes the step; without a reader (no data) there is none."""
        known = self.fit_context.layers()
        if self.layers is None:
            chosen = evenly_by_depth(weight_matrices(known))
            if not chosen:
                raise ValueError(
                    f'layers=None: model "{self.model.name}" has no layer with a kernel, so there are no weights to '
                    f"show; leave {type(self).__name__} out."
                )
        else:
            chosen = [one for wanted in self.layers for one in matrices_named(known, wanted, argument="layers")]
        self._matrices = {matrix.path: matrix for matrix in chosen}
        self._trial_step = TrialStep(self.model, self._matrices, self.clip)
        if reader is not None:
            probe = self.probes[str(self._source())]
            self._trial_step.begin(reader, probe.inputs, probe.targets, has_labels=probe.labels is not None)
            self._tell_why()

    def _tell_why(self) -> None:
        reason = "" if self._trial_step is None else self._trial_step.reason
        if reason and self.fit_context.verbose:
            say(f"kerasviz_callbacks: {type(self).__name__} shows the weights alone, no step: {reason}")

    def _source(self) -> str | None:
        """The data that the step looks at: a step is what training does."""
        if self.training_data is not None:
            return TRAINING
        return None if self.validation_data is None else VALIDATION

    def request(self, source: str) -> Request:
        """Nothing of the pass that callbacks share."""
        return Request(())

    def summary(self) -> str:
        """The view and its layers."""
        return f"{type(self).__name__} of {listed(list(self._matrices))}"

    def capture(self, step: int) -> dict[str, Any]:
        """Copies of the kernels, and of what a step would make of them."""
        trial_step = self._trial_step
        if trial_step is None:
            raise RuntimeError(f"{type(self).__name__} has not looked at a model yet.")
        could = not trial_step.reason
        stepped = trial_step()
        if could:
            self._tell_why()
        captured: dict[str, dict[str, Any]] = {}
        for path, matrix in self._matrices.items():
            captured[path] = {"weights": matrix.array(), "how": f"no step: {trial_step.why[path]}"}
            if path in stepped:
                after = stepped[path]
                norms = np.array([after.norm, after.clipped_norm])
                how = self._in_words(trial_step.clip)
                captured[path] |= {"after": after.weights, "norms": norms, "how": how, "clipped": bool(trial_step.clip)}
        return {MODEL: captured}

    def _in_words(self, clip: Mapping[str, float]) -> str:
        """The step: of which rows, clipped how."""
        source = self._source() or VALIDATION
        clips = "".join(f", {name} {format_number(value)}" for name, value in clip.items())
        return f"step on {len(self.probes[source])} rows of {ARGUMENTS[source]}{clips}"

    def measure(self, captured: dict[str, dict[str, Any]], source: str, step: int) -> Measured:
        """The matrices as they are drawn, and the share that clipping removed."""
        numbers, scalars = {}, {}
        for path, found in captured.items():
            seen = _seen(self._matrices[path], **found)
            drawn = [seen.weights] if seen.after is None else [seen.weights, seen.after]
            self.memory.extend_scale(path, robust_max(np.stack(drawn)))
            if seen.difference is not None:
                self.memory.extend_scale(f"{path} difference", robust_max(seen.difference))
            if found.get("clipped"):
                scalars[f"weights/{path}/removed"] = seen.removed
            numbers[path] = seen
        return Measured(step, numbers, scalars)

    def draw(self, measured: Mapping[str, Measured]) -> Iterator[Image]:
        """A picture a kernel."""
        one = measured[MODEL]
        for path, seen in one.data.items():
            matrix = self._matrices[path]
            inputs, outputs = matrix.sides
            blocks = "each cell the largest |weight| of a block" if max(inputs, outputs) > SIDE else ""
            first = f"{path}   kernel {shape_text(matrix.shape)}   {inputs:,} in × {outputs:,} out"
            picture = weight_panels(
                self._panels(path, seen),
                inputs=inputs,
                outputs=outputs,
                caption=f"{first}\n{join_notes(seen.how, blocks)}",
                note=join_notes(self._magnified(path, seen), seen.note, one.note),
                bad=seen.bad,
            )
            about = _DESCRIPTION.format(
                path=code_span(path),
                shape=shape_text(matrix.shape),
                inputs=f"{inputs:,}",
                outputs=f"{outputs:,}",
                blocks=_BLOCKS if blocks else "",
                step=_NO_STEP.format(how=code_span(seen.how)) if seen.after is None else _STEP.format(how=seen.how),
                bad_step="" if seen.after is None else _BAD_STEP,
            )
            yield Image(MODEL, f"weights/{path}", picture, about)

    def _panels(self, path: str, seen: WeightHeatmapsData) -> list[Panel]:
        scale = self.memory.scales.get(path, 0.0)
        panels = [Panel("weights", seen.weights, scale, seen.mark)]
        if seen.after is not None and seen.difference is not None:
            panels.append(Panel("after one step", seen.after, scale))
            panels.append(
                Panel("difference, magnified", seen.difference, self.memory.scales.get(f"{path} difference", 0.0))
            )
        return panels

    def _magnified(self, path: str, seen: WeightHeatmapsData) -> str:
        """The scale of the difference, and how much finer it is."""
        if seen.difference is None:
            return ""
        scale, of_step = (self.memory.scales.get(key, 0.0) for key in (path, f"{path} difference"))
        return f"difference ± {format_number(of_step)}" + (f", × {format_number(scale / of_step)}" if of_step else "")

    def describe(self, tag: str) -> str:
        """What the scalar means."""
        return _REMOVED

    def _leave(self, *, quietly: bool = False) -> None:
        """The compiled step and its copies go with the fit."""
        super()._leave(quietly=quietly)
        self._trial_step = None

    def __getstate__(self) -> dict[str, Any]:
        """As for `ProbeView`; layers and step belong to the model, and are found again."""
        return {**super().__getstate__(), "_matrices": {}, "_trial_step": None}


def _seen(
    matrix: WeightMatrix,
    weights: Array,
    how: str,
    after: Array | None = None,
    norms: Array | None = None,
    clipped: bool = False,
) -> WeightHeatmapsData:
    full = fold(weights, matrix.inputs, matrix.outputs)
    at, words, mark = largest(full), "", None
    if at is not None:
        ref = unfolded_index(weights.shape, matrix.inputs, matrix.outputs, at.row, at.column)
        words = f"largest {format_number(at.value)} at {list(ref)}"
        mark = (block_of(at.row, full.shape[0], SIDE), block_of(at.column, full.shape[1], SIDE))
    seen = WeightHeatmapsData(block_extremes(full, SIDE, SIDE), mark, how, words, count_non_finite(weights))
    if after is None or norms is None:
        return seen
    with np.errstate(invalid="ignore", over="ignore"):  # infinity minus infinity: NaN, which is shown
        difference = fold(after - weights, matrix.inputs, matrix.outputs)
    removed = share_removed(*norms.tolist()) if clipped else float("nan")
    clipping = _clipping_in_words(removed, float(norms[0])) if clipped else "no clipping in force"
    return replace(
        seen,
        note=join_notes(clipping, words),
        bad=count_non_finite(weights, after),
        after=block_extremes(fold(after, matrix.inputs, matrix.outputs), SIDE, SIDE),
        difference=block_extremes(difference, SIDE, SIDE),
        removed=removed,
    )


def _clipping_in_words(removed: float, norm: float) -> str:
    if np.isnan(removed):
        return "no gradient" if norm == 0 else "gradient not finite"
    return "clipping removed over 99%" if removed > 0.995 else f"clipping removed {removed:.0%}"
