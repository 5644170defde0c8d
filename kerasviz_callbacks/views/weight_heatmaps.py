"""`WeightHeatmaps`: kernels as matrices, and the update of one training step with gradient clipping."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from .._typing import Array
from ..callback import ARGUMENTS, MODEL, TRAINING, UNTRAINED, VALIDATION, Image, Measured, ProbeView
from ..callback.markdown import code_span
from ..draw.colour import count_non_finite
from ..draw.text import format_number, join_notes, plural, shape_text
from ..draw.weights import SIDE, Panel, weight_panels
from ..fit_context import Request
from ..maths.clipping import share_removed
from ..maths.matrices import block_extremes, block_of, fold, largest, unfolded_index
from ..maths.scale import count_clipped, reach_within, robust_max
from ..record.console import say
from ..taps.layers import has_call, listed, named
from ..taps.step import check_clip
from ..taps.trial_step import TrialStep
from ..taps.weights import Blocks, WeightMatrix, matrices_named, weight_matrices

_DESCRIPTION = """**Weights of {path}**, {name} {shape} as a matrix of {inputs} {rows} by {outputs} {columns}.

*How to read it:* red is positive, blue negative, white zero; the frame marks the weight of largest magnitude, printed
below.{axes}{parts}{blocks} The colour scale never shrinks and covers 99.5 % of the values.{step}
*Good signs:* structure emerges from the noise; rows of uninformative inputs fade.
*Bad signs:* single weights that outgrow all others, whole columns that fade to white (dead units) or are identical,
weights that never change.{bad_step}"""
_BLOCKS = " If the matrix is larger than the image, each cell is the weight of largest magnitude in a block."
_AXES = " {sides} run over the kernel's axes {axes}, the last one fastest."
_PARTS = " Thin lines separate each {what} from the next."
_STEP = """ Middle: the weights after one further training step with gradient clipping, with the model's own loss and
optimizer ({how}), on copies. Right: the difference, on its own scale, printed below with the largest change and, if
gradients are clipped, the share of this kernel's that clipping removed, 1 - ||clipped g|| / ||g||. That scale leaves
out the model before training, where the first step of an optimizer such as Adam moves every weight alike. The title
says *weak now* where all but 0.5 % of the changes are below a tenth of that scale, as after a fall of the learning
rate."""
_NO_STEP = " Only the weights are shown ({how})."
_BAD_STEP = """ Clipping that removes almost the entire gradient at every step (the clipping threshold then determines
the step size, not the learning rate), or a difference of only a few cells."""


@dataclass(frozen=True)
class WeightHeatmapsData:
    """The data to draw of one kernel."""

    weights: Array  # `(inputs, outputs)`, reduced to at most `SIDE` rows and columns
    mark: tuple[int, int] | None  # row and column of the cell with the largest |weight|; `None` if no weight is finite
    how: str  # the data and clipping of the training step, or why there is none, in words
    note: str  # what clipping removed and the largest weight, in words
    bad: str  # number of non-finite weights, before and after the step, in words
    after: Array | None = None  # the matrix after the training step; `None` without one
    difference: Array | None = None  # `after` minus `weights`, computed before the reduction
    removed: float = float("nan")  # share of the gradient that clipping removed, 0 to 1; NaN without clipping


class WeightHeatmaps(ProbeView):
    """See weight matrices, inputs by outputs, and how one training step with gradient clipping updates them.

    Left: the current kernel. With labelled data also, in the middle, the weights after one further training step with
    the model's own loss, optimizer and clipping on the `count` rows of `training_data` (else `validation_data`), and
    on the right the difference. The step runs on copies, as in `fit`: dropout and batch statistics in training mode,
    with the current state of the optimizer, but without sample or class weights, which only `fit` knows. It costs one
    training step at each drawn epoch, and memory for copies of the trainable weights and the optimizer's state. Without
    data, targets or an optimizer that can be copied, or with a custom `train_step`, only the weights are shown, and the
    caption says why.

    Args:
        log_dir: the TensorBoard log directory.
        validation_data: `(x, y)` as for `fit`; `None`: show only the weights. See `ProbeView`.
        layers: layer names or paths; `None`: all kernels (dense, convolutional, recurrent, embedding, attention) and
            the matrices of custom layers without one (codebooks), at most eight, evenly spaced by depth.
        clip: replaces the optimizer's clipping: `{"clipnorm": c}`, `{"clipvalue": c}` or `{"global_clipnorm": c}`,
            c > 0.
        options: `training_data`, `count` (16), and those of `View`.

    Raises:
        TypeError: `clip` is not a dict with a number.
        ValueError: an invalid `clip`; before the first batch, an unknown layer or one without a kernel.

    Example:
        >>> view = kv.WeightHeatmaps("logs", (x_val, y_val), clip={"clipnorm": 1.0})  # doctest: +SKIP
        >>> model.fit(x, y, callbacks=[view])  # doctest: +SKIP
    """

    scalar_descriptions: ClassVar[Mapping[str, str]] = {
        "removed": "Share of this kernel's gradient that clipping removes in one further step, 1 - ||clipped g|| / "
        "||g||: 0 is no clipping. Near 1 at every epoch, the clipping threshold determines the step size, not the "
        "learning rate.",
    }
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

    def can_prepare(self) -> bool:
        """Return whether the model is built, or there is data to build it with."""
        return self.has_weights() or (has_call(self.model) and self._source() is not None)

    def prepare(self) -> None:
        """Read the data, if given, find the kernels, and prepare the training step; without data there is none."""
        self.read_data()
        model, known = self.read_model(), self.list_layers()
        if self.layers is None:
            found = {matrix.path: matrix for matrix in weight_matrices(known, custom=True)}
            chosen = [found[path] for path in self.evenly(list(found), "kernels")]
            if not chosen:
                raise ValueError(
                    f'layers=None: model "{model.name}" has no layer with a kernel, so there are no weights to '
                    f"show; leave {type(self).__name__} out."
                )
        else:
            chosen = [one for name in self.layers for one in matrices_named(known, name, argument="layers")]
        self._matrices = {matrix.path: matrix for matrix in chosen}
        self._trial_step = TrialStep(self.model, self._matrices, self.clip)
        source = self._source()
        if source is not None:
            reader, probe = self.readers.get(source), self.probes[source]
            self._trial_step.begin(reader, probe.inputs, probe.targets, has_labels=probe.labels is not None)
            self._report(self._trial_step.reason)

    def run_model(self) -> Any:
        """Return the trained model, whose training step is shown, whichever part is looked at."""
        return self.model if has_call(self.model) else None

    def _report(self, reason: str) -> None:
        if reason and self.fit_context.verbose:
            say(f"kerasviz_callbacks: {type(self).__name__} shows the weights alone, no training step: {reason}")

    def _source(self) -> str | None:
        """Return the data source of the training step: training data if given."""
        if self.training_data is not None:
            return TRAINING
        return None if self.validation_data is None else VALIDATION

    def request(self, source: str) -> Request:
        """Request nothing from the shared forward passes."""
        return Request(())

    def summary(self) -> str:
        """Return the name of the view and its layers."""
        return f"{type(self).__name__} of {listed(list(self._matrices), self.selection)}"

    def tags(self) -> Mapping[str, None]:
        """Return one image tag per kernel."""
        return dict.fromkeys(f"weights/{path}" for path in self._matrices)

    def capture(self, step: int) -> dict[str, Any]:
        """Copy the kernels, and their values after one further training step."""
        trial_step = self._trial_step
        if trial_step is None:
            raise RuntimeError(f"{type(self).__name__} has no model yet; pass it to fit or call picture(model).")
        known, stepped = trial_step.reason, trial_step()
        if not known:
            self._report(trial_step.reason)
        captured: dict[str, dict[str, Any]] = {}
        for path, matrix in self._matrices.items():
            captured[path] = {"weights": matrix.array(), "how": f"no training step: {trial_step.why[path]}"}
            if path in stepped:
                after, clip, source = stepped[path], trial_step.clip, self._source() or VALIDATION
                norms = np.array([after.norm, after.clipped_norm])
                clips = ", ".join(f"{name} {format_number(value)}" for name, value in clip.items())
                rows = f"{len(self.probes[source])} rows of {ARGUMENTS[source]}"
                how = f"step on {rows}, {clips or 'no gradient clipping'}"
                captured[path] |= {"after": after.weights, "norms": norms, "how": how, "clipped": bool(clip)}
        return {MODEL: captured}

    def measure(self, captured: dict[str, dict[str, Any]], source: str, step: int) -> Measured:
        """Return the matrices to draw, and the share of the gradient that clipping removed."""
        data, scalars = {}, {}
        for path, found in captured.items():
            one = data[path] = _kernel_data(self._matrices[path], found)
            drawn = [one.weights] if one.after is None else [one.weights, one.after]
            self.memory.extend_scale(path, robust_max(np.stack(drawn)))
            if one.difference is not None:
                key = f"{path} untrained difference" if step == UNTRAINED else f"{path} difference"
                self.memory.extend_scale(key, robust_max(one.difference))
            if found.get("clipped"):
                scalars[f"health/{path}/removed"] = one.removed
        return Measured(step, data, scalars)

    def draw(self, measured: Mapping[str, Measured]) -> Iterator[Image]:
        """Draw one image per kernel."""
        one = measured[MODEL]
        for path, data in one.data.items():
            yield Image(MODEL, f"weights/{path}", self._picture(path, data, one.note), self._about(path, data))

    def _picture(self, path: str, data: WeightHeatmapsData, further: str) -> Array:
        matrix = self._matrices[path]
        panels, note = self._panels(path, data)
        rows, columns = matrix.row_blocks, matrix.column_blocks
        parts = next((f"{one.what}s: {one.meaning}" for one in (rows, columns) if one and one.meaning), "")
        blocks = "each cell the largest |weight| of a block" if _is_reduced(matrix, data) else ""
        name = matrix.attribute if matrix.is_table else f"kernel {shape_text(matrix.shape)}"
        inputs, outputs = matrix.sides
        down, across = (plural("row", inputs), plural("column", outputs)) if matrix.is_table else ("in", "out")
        caption = f"{path}   {name}   {inputs:,} {down} × {outputs:,} {across}"
        return weight_panels(
            panels,
            inputs=inputs,
            outputs=outputs,
            caption=f"{caption}\n{join_notes(data.how, parts, blocks)}",
            row_name="row" if matrix.is_table else "in",
            row_blocks=_named(rows),
            column_blocks=_named(columns),
            note=join_notes(note, further),
            bad=data.bad,
        )

    def _about(self, path: str, data: WeightHeatmapsData) -> str:
        matrix = self._matrices[path]
        inputs, outputs = matrix.sides
        blocks = (matrix.row_blocks, matrix.column_blocks)
        return _DESCRIPTION.format(
            path=code_span(path),
            name=code_span(matrix.attribute) if matrix.is_table else "kernel",
            rows="rows" if matrix.is_table else "inputs",
            columns="columns" if matrix.is_table else "outputs",
            shape=shape_text(matrix.shape),
            inputs=f"{inputs:,}",
            outputs=f"{outputs:,}",
            blocks=_BLOCKS * _is_reduced(matrix, data),
            axes=_axes_text("Rows", matrix.inputs) + _axes_text("Columns", matrix.outputs),
            parts="".join(_PARTS.format(what=one.what) for one in blocks if one),
            step=_NO_STEP.format(how=code_span(data.how)) if data.after is None else _STEP.format(how=data.how),
            bad_step="" if data.after is None else _BAD_STEP,
        )

    def _panels(self, path: str, data: WeightHeatmapsData) -> tuple[list[Panel], str]:
        """Return the panels, and in words the scale of the difference, the largest change, and how much is clipped."""
        scales = self.memory.scales
        scale, beyond = scales.get(path, 0.0), count_clipped(data.weights, scales.get(path, 0.0), "cell")
        panels = [Panel("weights", data.weights, scale, data.mark)]
        if data.after is None or data.difference is None:
            return panels, join_notes(data.note, beyond)
        step_scale = scales.get(f"{path} difference", scales.get(f"{path} untrained difference", 0.0))
        panels.append(Panel("after one step", data.after, scale))
        most = float(np.abs(data.difference).max(initial=0.0, where=np.isfinite(data.difference)))
        panels.append(Panel(_difference_title(data.difference, step_scale), data.difference, step_scale))
        change = f"difference ± {format_number(step_scale)}, now at most {format_number(most)}"
        further = count_clipped(data.difference, step_scale, "cell")
        return panels, join_notes(change + (further and f", {further}"), data.note, beyond and f"weights: {beyond}")


def _is_reduced(matrix: WeightMatrix, data: WeightHeatmapsData) -> bool:
    """Whether a cell stands for several weights."""
    return tuple(data.weights.shape) != matrix.sides


def _difference_title(difference: Array, scale: float) -> str:
    """Return the title of a difference, which says why its panel looks empty; no title is longer than the usual one."""
    if np.isfinite(difference).any() and not np.any(difference):
        return "no difference now"
    return "difference, magnified" if reach_within(difference, scale) is None else "difference, weak now"


def _kernel_data(matrix: WeightMatrix, found: Mapping[str, Any]) -> WeightHeatmapsData:
    """Return what is drawn of a kernel, from what `capture` found."""
    weights, axes = found["weights"], (matrix.inputs, matrix.outputs)
    full, sides = fold(weights, *axes), (_most_cells(matrix.row_blocks), _most_cells(matrix.column_blocks))
    at, text, mark = largest(full), "", None
    if at is not None:
        ref = unfolded_index(weights.shape, *axes, at.row, at.column)
        text = f"largest {format_number(at.value)} at {list(ref)}"
        mark = (block_of(at.row, full.shape[0], sides[0]), block_of(at.column, full.shape[1], sides[1]))
    data = WeightHeatmapsData(block_extremes(full, *sides), mark, found["how"], text, count_non_finite(weights))
    if "after" not in found:
        return data
    after, norms, clipped = found["after"], found["norms"], found["clipped"]
    with np.errstate(invalid="ignore", over="ignore"):  # infinity minus infinity gives NaN, which is drawn
        difference = fold(after - weights, *axes)
    removed = share_removed(*norms.tolist()) if clipped else float("nan")
    clipping = _clipping_text(removed, float(norms[0])) if clipped else ""
    return replace(
        data,
        note=join_notes(clipping, text),
        bad=count_non_finite(weights, after),
        after=block_extremes(fold(after, *axes), *sides),
        difference=block_extremes(difference, *sides),
        removed=removed,
    )


def _axes_text(sides: str, axes: tuple[int, ...]) -> str:
    """Return in which order rows or columns stand, if they run over several axes of the kernel."""
    return _AXES.format(sides=sides, axes=", ".join(map(str, axes))) if len(axes) > 1 else ""


def _named(parts: Blocks | None) -> tuple[str, tuple[str, ...]] | None:
    return None if parts is None else (parts.what, parts.names)


def _most_cells(parts: Blocks | None) -> int:
    """Return how many rows or columns are drawn at most, such that no cell belongs to two parts."""
    return SIDE if parts is None else SIDE // len(parts.names) * len(parts.names)


def _clipping_text(removed: float, norm: float) -> str:
    if np.isnan(removed):
        return "no gradient" if norm == 0 else "gradient not finite"
    return "clipping removed over 99%" if removed > 0.995 else f"clipping removed {removed:.0%}"
