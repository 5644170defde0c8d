"""`Coefficients`: the weights of each unit of a layer, and which units are still learning."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from .._typing import Array
from ..callback import MODEL, Image, Measured, View
from ..callback.markdown import code_span
from ..draw.coefficients import ACROSS, Heat, coefficient_panels, input_ticks, step_ticks
from ..draw.colour import DIVERGING, HEAT, SEQUENTIAL, count_non_finite
from ..draw.sheet import Scale
from ..draw.text import format_number, join_notes, shape_text
from ..draw.ticks import round_up
from ..maths.choice import largest_norm
from ..maths.health import norm, turn
from ..maths.matrices import block_extremes, fold
from ..maths.scale import robust_max
from ..maths.units import along_steps, directions, lengths, log_turn
from ..taps.weights import WeightMatrix, matrices_named, narrowest_hidden

MAX_UNITS = 128
LOWEST_TURN = -8.0  # log10; a unit that turns less counts as not moving
_DESCRIPTION = """**Weights of each unit of {path}**, kernel {shape}: {units} units with {inputs} inputs{chosen}.

*How to read it:* one row per unit, the same in all four panels. Top: raw and normalised weights (scaled to unit
length); red is positive, blue negative{blocks}. Bottom: one column per step up to the last epoch (future steps are
white). Left: the norm of the weights. Right: how far they turned since the previous drawn step, log10(1 - cos), from
1e-8 or less (black: not moving) to 1 (bright: a right angle or more). A dark row has stopped learning; a bright row is
still learning.
*Good signs:* all rows turn at first and darken together as the loss levels off.
*Bad signs:* rows that turn black early (dead units), rows that stay bright to the end (learning rate too high), norms
that keep growing or fall to zero, identical rows in the top panels."""
_BLOCKS = "; each cell is the weight of largest magnitude in a block"
_TURN = Scale(LOWEST_TURN, 0.0, HEAT, "turn, log₁₀(1 − cos)")


@dataclass(frozen=True)
class CoefficientsData:
    """The data to draw."""

    units: Array  # `(units,)`, index of each unit shown
    weights: Array  # `(units, inputs)`, reduced to at most `ACROSS` columns
    directions: Array  # the same, with each unit scaled to unit length before the reduction
    lengths: Array  # `(units, columns)`, norms over all steps
    has_length: Array  # `(columns,)` bool, which columns have data
    turns: Array  # `(units, columns)`, log10(1 - cos) over all steps
    has_turn: Array  # `(columns,)` bool, which columns have data
    span: tuple[int, int]  # the first and last step of the axis
    note: str  # scalars of this step
    bad: str  # number of non-finite weights of the units shown, in words


class Coefficients(View):
    """See which units of a layer are still learning: norm and change of direction of each unit's weights over time.

    Top: raw and normalised weights of each unit. Bottom: their norm and how far they turned, over all steps. Of a layer
    with more than 128 units, the 128 with the largest norm at the first step are shown at every step.

    Args:
        log_dir: the TensorBoard log directory.
        layer: any layer with a kernel; for a layer with sublayers (an LSTM), the kernel of its sublayer. `None`: the
            bottleneck, the hidden dense layer with the fewest units (the first on a tie); without one, the last hidden
            convolution, with its filters as units; in a model of one layer, that layer.
        options: `freq`, `start_from_epoch`, `save_dir`, `on_error`; see `View`.

    Raises:
        ValueError: before the first batch, if the model has no kernel, or `layer` has no kernel or several.

    Example:
        >>> autoencoder.fit(x, x, callbacks=[kv.Coefficients("logs", layer="bottleneck")])  # doctest: +SKIP
    """

    scalar_descriptions: ClassVar[Mapping[str, str]] = {
        "norm": "Mean norm ||w|| of the weights of a unit.",
        "turn": "Mean of 1 - cosine between a unit's weights now and at the previous step: how much the units still "
        "learn.",
    }

    def __init__(self, log_dir: Any = "logs", *, layer: Any = None, **options: Any):
        super().__init__(log_dir, **options)
        self.layer = layer
        self._matrix: WeightMatrix | None = None

    def can_prepare(self) -> bool:
        """Return whether the model is built; without an `Input` it has no weights until it is called."""
        return self.has_weights()

    def prepare(self) -> None:
        """Find the kernel."""
        model, known = self.read_model(), self.list_layers()
        if self.layer is None:
            self._matrix = narrowest_hidden(model, known)
            if self._matrix is None:
                raise ValueError(
                    f'layer=None: model "{model.name}" has no layer with a kernel, so there are no coefficients '
                    f"to show; leave {type(self).__name__} out."
                )
            return
        found = matrices_named(known, self.layer, argument="layer")
        several = list(dict.fromkeys(matrix.ref.path for matrix in found))
        if len(several) > 1:
            raise ValueError(f'layer="{self.layer}": several of its layers have a kernel; name one of {several}.')
        self._matrix = found[0]

    @property
    def matrix(self) -> WeightMatrix:
        """The displayed kernel."""
        if self._matrix is None:
            raise RuntimeError(f"{type(self).__name__} has no model yet; pass it to fit or call picture(model).")
        return self._matrix

    def summary(self) -> str:
        """Return the name of the view and its layer."""
        return type(self).__name__ if self._matrix is None else f"{type(self).__name__} of {self._matrix.path}"

    def tags(self) -> Mapping[str, None]:
        """Return the image tag."""
        return {f"coefficients/{self.matrix.path}": None}

    def capture(self, step: int) -> dict[str, Array]:
        """Copy the kernel."""
        return {MODEL: self.matrix.array()}

    def measure(self, captured: Array, source: str, step: int) -> Measured:
        """Return the weights of the units, their history, and their mean norm and turn."""
        rows = fold(captured, self.matrix.inputs, self.matrix.outputs).T
        history, path = self.memory.for_source(source), self.matrix.path
        before = history.get("previous")
        history["previous"] = rows
        if "units" not in self.memory.shared:
            self.memory.shared["units"] = largest_norm(lengths(rows), MAX_UNITS)
        units = self.memory.shared["units"]
        shown = rows[units]
        self._remember(history, step, shown, None if before is None else before[units])
        metrics = {"norm": norm(rows), "turn": np.nan if before is None else turn(rows, before)}
        data = self._data(history, units, shown, **metrics)
        self.memory.extend_scale(path, robust_max(data.weights))
        self.memory.extend_scale(f"{path} direction", robust_max(data.directions))
        self.memory.extend_scale(f"{path} length", robust_max(history["lengths"][-1], share=1.0))
        return Measured(step, data, {f"health/{path}/{name}": value for name, value in metrics.items()})

    def _remember(self, history: dict[str, Any], step: int, units: Array, before: Array | None) -> None:
        """Append the norms and turns of this step to the history."""
        steps, norms, turns = (history.setdefault(name, []) for name in ("steps", "lengths", "turns"))
        while steps and steps[-1] >= step:  # a fit that is resumed at an earlier step
            for values in (steps, norms, turns):
                values.pop()
        steps.append(step)
        norms.append(lengths(units).astype(np.float32))
        unknown = np.full(len(units), np.nan)
        turns.append((unknown if before is None else log_turn(units, before)).astype(np.float32))

    def _data(self, history: dict[str, Any], units: Array, shown: Array, norm: float, turn: float) -> CoefficientsData:
        steps = history["steps"]
        first = min(self.schedule.first, steps[0])
        last = max(self.schedule.last, steps[-1])
        axis: dict[str, Any] = {"first": first, "last": last, "columns": ACROSS}
        # A column extends from the previous drawn step to this one.
        starts, ends = [steps[0] - 1, *steps[:-1]], steps
        norms, has_length = along_steps(np.stack(history["lengths"]), starts, ends, **axis, fold="mean")
        turns, has_turn = along_steps(np.stack(history["turns"])[1:], starts[1:], ends[1:], **axis, fold="largest")
        still = int(np.count_nonzero(history["turns"][-1] <= LOWEST_TURN))
        note = join_notes(
            f"mean norm {format_number(norm)}" if np.isfinite(norm) else "",
            f"mean turn {format_number(turn)}" if np.isfinite(turn) else "",
            f"{still} of {len(shown)} not moving" if still else "",
        )
        return CoefficientsData(
            units=units,
            weights=block_extremes(shown, len(shown), ACROSS),
            directions=block_extremes(directions(shown), len(shown), ACROSS),
            lengths=norms,
            has_length=has_length,
            turns=turns,
            has_turn=has_turn,
            span=(first, last),
            note=note,
            bad=count_non_finite(shown),
        )

    def draw(self, measured: Mapping[str, Measured]) -> Iterator[Image]:
        """Draw one image with four panels."""
        one, (inputs, outputs) = measured[MODEL], self.matrix.sides
        data: CoefficientsData = one.data
        path, shape = self.matrix.path, shape_text(self.matrix.shape)
        chosen = f"the {len(data.units)} of largest norm at the first step" if len(data.units) < outputs else ""
        caption = f"{path}   kernel {shape}   {outputs:,} units of {inputs:,} inputs"
        picture = coefficient_panels(
            self._panels(data, inputs),
            units=data.units.tolist(),
            caption=join_notes(caption, chosen),
            note=join_notes(data.note, one.note),
            bad=data.bad,
        )
        about = _DESCRIPTION.format(
            path=code_span(path),
            shape=shape,
            units=f"{outputs:,}",
            inputs=f"{inputs:,}",
            blocks=_BLOCKS if inputs > ACROSS else "",
            chosen=f" (showing {chosen})" if chosen else "",
        )
        yield Image(MODEL, f"coefficients/{path}", picture, about)

    def _panels(self, data: CoefficientsData, inputs: int) -> list[Heat]:
        path = self.matrix.path
        widest, unit, longest = (
            round_up(self.memory.scales.get(key, 0.0)) for key in (path, f"{path} direction", f"{path} length")
        )
        across, along = input_ticks(inputs), step_ticks(*data.span)
        return [
            Heat("weights", data.weights, Scale(-widest, widest, DIVERGING), across, "input"),
            Heat("normalised", data.directions, Scale(-unit, unit, DIVERGING), across, "input"),
            Heat("norm ‖w‖", data.lengths, Scale(0.0, longest, SEQUENTIAL), along, self.schedule.unit, data.has_length),
            Heat("turn since the previous step", data.turns, _TURN, along, self.schedule.unit, data.has_turn),
        ]
