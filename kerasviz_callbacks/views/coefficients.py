"""`Coefficients`: the weights of each unit of a layer, and which units still learn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

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

Array = np.ndarray[Any, Any]
MOST_UNITS = 128
LOWEST_TURN = -8.0  # log10: what turns less is as good as still
_DESCRIPTION = """**The coefficients of {path}**, kernel {shape}: {units} units of {inputs} inputs{chosen}.

*How to read it:* every row is a unit, the same one in all four panels. Above its weights, as they are and scaled to
unit length; red is positive, blue negative{blocks}. Below, one column a step up to the last epoch (what is still to
come stays white): left the length of its weights, right how far they turned since the step drawn before,
log10(1 - cos), from 1e-8 or less (black, it stands still) to 1 (bright, a right angle or more). A dark row has stopped
learning, a bright one still learns.
*Good signs:* all rows turn at first and darken together as the loss levels off.
*Bad signs:* rows that go black early (dead units), rows that stay bright to the end (a learning rate too high), lengths
that grow without end or fall to zero, rows above that are all alike."""
_BLOCKS = ", a cell the weight of largest magnitude of its block"
_TURN = Scale(LOWEST_TURN, 0.0, HEAT, "turn, log₁₀(1 − cos)")
_SCALARS = {
    "norm": "Mean length of the weights of a unit, ||w||.",
    "turn": "Mean of 1 - cosine between a unit's weights now and at the step before: how much the units still learn.",
}


@dataclass(frozen=True)
class CoefficientsData:
    """What is drawn.

    Attributes:
        units: the number of each unit shown.
        weights: `(units, inputs)`, at most `ACROSS` columns.
        directions: the same, each unit scaled to unit length before anything was shrunk.
        lengths: `(units, columns)` over all steps.
        has_length: `(columns,)`, which of them hold anything.
        turns: `(units, columns)` over all steps, log10.
        has_turn: `(columns,)`.
        span: the first and the last step of the axis.
        note: figures of this step.
        bad: how many weights of the units shown are not finite.
    """

    units: Array
    weights: Array
    directions: Array
    lengths: Array
    has_length: Array
    turns: Array
    has_turn: Array
    span: tuple[int, int]
    note: str
    bad: str


class Coefficients(View):
    """See which units of a layer still learn: the length and the turn of each unit's weights, over all epochs.

    Above the weights of every unit, as they are and scaled to unit length; below, over all steps, how long they are and
    how far they turned. Of more than 128 units the 128 of largest length at the first step, kept from then on.

    Args:
        log_dir: where TensorBoard looks.
        layer: any layer with a kernel; of one that holds others (an LSTM) theirs. `None`: the bottleneck, the hidden
            dense layer of fewest units, the first on a tie; without one the last hidden convolution, whose filters are
            the units; a model of one layer shows that.
        options: `freq`, `start_from_epoch`, `save_dir`, `on_error`; see `View`.

    Raises:
        ValueError: before the first batch, if the model has no kernel, or the layer named has none or several.

    Example:
        >>> autoencoder.fit(x, x, callbacks=[kv.Coefficients("logs", layer="bottleneck")])  # doctest: +SKIP
    """

    def __init__(self, log_dir: Any = "logs", *, layer: Any = None, **options: Any):
        super().__init__(log_dir, **options)
        self.layer = layer
        self._matrix: WeightMatrix | None = None

    def can_prepare(self) -> bool:
        """A model without an `Input` has no weights before it is called; its untrained units cannot be shown."""
        return bool(self.model.built)

    def prepare(self) -> None:
        """Find the kernel."""
        known = self.fit_context.layers()
        if self.layer is None:
            self._matrix = narrowest_hidden(self.model, known)
            if self._matrix is None:
                raise ValueError(
                    f'layer=None: model "{self.model.name}" has no layer with a kernel, so there are no coefficients '
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
        """The kernel that is shown."""
        if self._matrix is None:
            raise RuntimeError(f"{type(self).__name__} has not looked at a model yet.")
        return self._matrix

    def summary(self) -> str:
        """The view and its layer."""
        return type(self).__name__ if self._matrix is None else f"{type(self).__name__} of {self._matrix.path}"

    def tags(self) -> Mapping[str, None]:
        """A picture a kernel."""
        return {f"coefficients/{self.matrix.path}": None}

    def capture(self, step: int) -> dict[str, Array]:
        """A copy of the kernel."""
        return {MODEL: self.matrix.array()}

    def measure(self, captured: Array, source: str, step: int) -> Measured:
        """The units now, their history, and their mean length and turn."""
        rows = fold(captured, self.matrix.inputs, self.matrix.outputs).T
        own, path = self.memory.for_source(source), self.matrix.path
        before = own.get("previous")
        own["previous"] = rows
        if "units" not in self.memory.shared:
            self.memory.shared["units"] = largest_norm(lengths(rows), MOST_UNITS)
        units = self.memory.shared["units"]
        shown = rows[units]
        self._remember(own, step, shown, None if before is None else before[units])
        metrics = {"norm": norm(rows), "turn": np.nan if before is None else turn(rows, before)}
        portrait = self._portrait(own, units, shown, self._in_words(own, **metrics))
        self.memory.extend_scale(path, robust_max(portrait.weights))
        self.memory.extend_scale(f"{path} direction", robust_max(portrait.directions))
        self.memory.extend_scale(f"{path} length", robust_max(own["lengths"][-1], share=1.0))
        return Measured(step, portrait, {f"health/{path}/{name}": value for name, value in metrics.items()})

    def _remember(self, own: dict[str, Any], step: int, units: Array, before: Array | None) -> None:
        """Lengths and turns, a thin row each a step."""
        steps, long, turned = (own.setdefault(name, []) for name in ("steps", "lengths", "turns"))
        while steps and steps[-1] >= step:  # a fit that begins again at an earlier step
            for history in (steps, long, turned):
                history.pop()
        steps.append(step)
        long.append(lengths(units).astype(np.float32))
        still = np.full(len(units), np.nan)
        turned.append((still if before is None else log_turn(units, before)).astype(np.float32))

    def _portrait(self, own: dict[str, Any], units: Array, shown: Array, note: str) -> CoefficientsData:
        steps = own["steps"]
        first = min(self.schedule.first, steps[0])
        last = max(self.schedule.last, steps[-1])
        axis: dict[str, Any] = {"first": first, "last": last, "columns": ACROSS}
        # What is drawn at a step holds since the step drawn before it; at the first it holds of no other.
        starts, ends = [steps[0] - 1, *steps[:-1]], steps
        long, has_length = along_steps(np.stack(own["lengths"]), starts, ends, **axis, fold="mean")
        turned, has_turn = along_steps(np.stack(own["turns"])[1:], starts[1:], ends[1:], **axis, fold="largest")
        return CoefficientsData(
            units=units,
            weights=block_extremes(shown, len(shown), ACROSS),
            directions=block_extremes(directions(shown), len(shown), ACROSS),
            lengths=long,
            has_length=has_length,
            turns=turned,
            has_turn=has_turn,
            span=(first, last),
            note=note,
            bad=count_non_finite(shown),
        )

    def _in_words(self, own: dict[str, Any], norm: float, turn: float) -> str:
        """What stands in the strip."""
        still = int(np.count_nonzero(own["turns"][-1] <= LOWEST_TURN))
        return join_notes(
            f"mean length {format_number(norm)}" if np.isfinite(norm) else "",
            f"mean turn {format_number(turn)}" if np.isfinite(turn) else "",
            f"{still} of {len(own['turns'][-1])} stand still" if still else "",
        )

    def draw(self, measured: Mapping[str, Measured]) -> Iterator[Image]:
        """One picture of four panels."""
        one, (inputs, outputs) = measured[MODEL], self.matrix.sides
        portrait: CoefficientsData = one.data
        path, shape = self.matrix.path, shape_text(self.matrix.shape)
        chosen = f"   the {len(portrait.units)} longest at first" if len(portrait.units) < outputs else ""
        picture = coefficient_panels(
            self._panels(portrait, inputs),
            units=portrait.units.tolist(),
            caption=f"{path}   kernel {shape}   {outputs:,} units of {inputs:,} inputs{chosen}",
            note=join_notes(portrait.note, one.note),
            bad=portrait.bad,
        )
        about = _DESCRIPTION.format(
            path=code_span(path),
            shape=shape,
            units=f"{outputs:,}",
            inputs=f"{inputs:,}",
            blocks=_BLOCKS if inputs > ACROSS else "",
            chosen=f" (shown are the {len(portrait.units)} longest at the first step)" if chosen else "",
        )
        yield Image(MODEL, f"coefficients/{path}", picture, about)

    def _panels(self, portrait: CoefficientsData, inputs: int) -> list[Heat]:
        path = self.matrix.path
        widest, unit, longest = (
            round_up(self.memory.scales.get(key, 0.0)) for key in (path, f"{path} direction", f"{path} length")
        )
        across, along = input_ticks(inputs), step_ticks(*portrait.span)
        return [
            Heat("weights", portrait.weights, Scale(-widest, widest, DIVERGING), across, "input"),
            Heat("of unit length", portrait.directions, Scale(-unit, unit, DIVERGING), across, "input"),
            Heat("length ‖w‖", portrait.lengths, Scale(0.0, longest, SEQUENTIAL), along, "epoch", portrait.has_length),
            Heat("turn since the step before", portrait.turns, _TURN, along, "epoch", portrait.has_turn),
        ]

    def describe(self, tag: str) -> str:
        """What the scalar means."""
        return _SCALARS[tag.rsplit("/", 1)[-1]]
