"""`LatentProfiles`: where an autoencoder's codes lie in each latent variable, over the whole training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..callback import COMPARED_SOURCES, COMPARISON, TRAINING, UNTRAINED, VALIDATION, CodesView, Image, Measured
from ..callback.markdown import code_span
from ..draw.colour import count_non_finite
from ..draw.lines import horizon
from ..draw.profiles import MOST_PANELS, Lines, Window, profiles
from ..draw.text import format_number, join_notes
from ..draw.trails import extend_window
from ..maths.choice import most_variable
from ..maths.history import StepHistory
from ..maths.latent import QUANTILES, active, quantiles, variances
from ..taps.reader import Capture, Captured

Array = np.ndarray[Any, Any]
_DESCRIPTION = """**Where the codes of {path} lie**, in each latent variable, at every step ({n} rows of the probe).

*How to read it:* the light band holds 90 % of the codes, the darker one half of them, the line is their median; from
left to right all epochs of the training. All panels have one scale, which only grows. A unit that tells the rows apart
has a wide band. It is drawn grey while it is inactive ({rule}), and its panel is grey if it is inactive now.
*Good signs:* bands open early and then run level; as many units are active as the data need.
*Bad signs:* all panels turn grey and all bands close at one step (posterior collapse: the KL term weighs too much), one
unit's band grows without end, medians that keep drifting, magenta (NaN or infinity)."""
_BESIDE = """**Where the codes of {path} lie on training and on validation data**, at every step ({n} and {m} rows).

*How to read it:* the blue bands are of the validation data: the light one holds 90 % of the codes, the darker one half
of them, the dark line is their median. Over them are three orange lines of the training data: its median, thick, which
rims the blue one where they agree, and the borders of the half of its codes in the middle. All panels have one scale,
which only grows; a unit is drawn grey while it is inactive on validation data ({rule}).
*Good signs:* the lines run along the borders of the darker band and its median.
*Bad signs:* lines that leave the bands as training goes on (the codes of the training data become another kind), lines
apart where the band is narrow (units that only tell training rows apart), magenta (NaN or infinity in either set)."""
TAG = "latent/profiles"
_ABSOLUTE = "its means vary by less than 0.01, beside the prior's 1"
_RELATIVE = "its variance is below 0.01 of the largest"


@dataclass(frozen=True)
class Profile:
    """What is drawn of one source.

    Attributes:
        steps: those in the history (`maths.history`), increasing, `(t,)`.
        quantiles: `(t, 5, k)`, float32, of the units shown; NaN where a unit is not finite.
        active: `(t, k)`, whether the unit was in use.
        units: the numbers of the units shown, `(k,)`; `None` before they are chosen.
        in_use: how many units of all are active now.
        note: the same, and which varies most.
        bad: how many codes are not finite now.
    """

    steps: Array
    quantiles: Array
    active: Array
    units: Array | None
    in_use: int
    note: str
    bad: str


class LatentProfiles(CodesView):
    """See each latent variable over the whole training: ribbons of 5-95 % and 25-75 % and the median, grey if unused.

    With `training_data` the run of validation data has one more picture, `latent/profiles/train_and_validation`: the
    median and the 25-75 % of the training data as lines over the ribbons of the validation data.

    A VAE whose KL term takes over is seen to collapse: all bands close, and the panels turn grey.

    Of more than 32 variables the 32 of largest variance are shown: chosen once, at the end of the first epoch drawn,
    since before training the variance says nothing, and then kept. So the untrained model has no picture of its own
    then; it is the first point of each curve.

    The figures `latent/...` (spread, move, drift, active units, participation ratio, nearest neighbours) are written
    too, once a step beside other views of the codes.

    Args:
        log_dir: where TensorBoard looks.
        validation_data: what the model is fed; see `ProbeView`.
        layer: whose output are the codes, or an encoder `Model`; `None`: the narrowest output between the input and an
            output of the input's shape, the first called on a tie (a VAE's mean).
        options: `training_data`, `count` (500), and those of `View`.

    Raises:
        ValueError: before the first batch: an unknown layer, or no bottleneck to be found.

    Reference:
        What is active: Burda et al., "Importance Weighted Autoencoders", ICLR 2016, section 5.2.

    Example:
        >>> vae.fit(x, x, callbacks=[kv.LatentProfiles("logs", (x_val, y_val))])  # doctest: +SKIP
    """

    _planned: int = UNTRAINED

    def prepare(self) -> None:
        """Also note how many epochs there will be: the x axis."""
        super().prepare()
        self._planned = ((self.params or {}).get("epochs") or 0) - 1

    def measure(self, captured: dict[Capture, Captured], source: str, step: int) -> Measured:
        """The quantiles of every step so far, and the latent figures."""
        codes = self.codes(captured)
        own, shared = self.memory.for_source(source), self.memory.shared
        # A fit resumed from an earlier epoch replaces what came after that epoch.
        past, own["before"] = own.get("before"), (step, codes)
        before = past[1] if past is not None and past[0] < step else None
        shared["dimensions"] = codes.shape[1]
        if source == VALIDATION and "units" not in shared and self._may_choose(codes, step):
            shared["units"], shared["chosen"] = most_variable(variances(codes), MOST_PANELS), step
        in_use = active(codes, absolute=self.posterior)
        units, history = shared.get("units"), own.setdefault("history", StepHistory())
        if units is None:
            own["untrained"] = step, codes, in_use  # one step at most: after it the units are chosen
        else:
            at, then, used = own.pop("untrained", (step, codes, in_use))
            if at < step:
                history.append(at, _profile_of(then, used, units))
            history.append(step, _profile_of(codes, in_use, units))
            self._widen(history.values[-1, :-1])
        count = int(np.count_nonzero(in_use))
        note = f"active {count} of {codes.shape[1]}   {_widest(codes)}"
        profile = Profile(*_unpacked(history), units, count, note, count_non_finite(codes))
        return Measured(step, profile, self.metrics(codes, before, source))

    def _may_choose(self, codes: Array, step: int) -> bool:
        """Whether there is nothing to choose, or training to judge by, or none to come."""
        return codes.shape[1] <= MOST_PANELS or step > UNTRAINED or self._planned <= UNTRAINED

    def _widen(self, newest: Array) -> None:
        scales = self.memory.scales
        for key, reach in (("window above", newest), ("window below", -newest)):
            needed = float(np.max(reach, initial=0.0, where=np.isfinite(reach)))
            scales[key] = extend_window(scales.get(key, 0.0), needed)

    def draw(self, measured: Mapping[str, Measured]) -> Iterator[Image]:
        """A picture a source, and one of both over each other, on one scale."""
        if self.memory.shared.get("units") is None:
            return
        rows = {source: len(self.probes[source]) for source in measured}
        rule = _ABSOLUTE if self.posterior else _RELATIVE
        words = {"path": code_span(self.path), "rule": rule}
        for source, one in measured.items():
            note = join_notes(one.data.note, one.note)
            picture = self._drawn(one.data, f"{rows[source]} rows", note, one.data.bad)
            yield Image(source, TAG, picture, _DESCRIPTION.format(n=rows[source], **words))
        if TRAINING in measured:
            training, validation = (measured[source].data for source in COMPARED_SOURCES)
            lines = Lines(training.quantiles, training.steps, COMPARED_SOURCES[TRAINING], COMPARED_SOURCES[VALIDATION])
            counted = zip(COMPARED_SOURCES.values(), (training.bad, validation.bad), strict=True)
            bad = ", ".join(f"{name} {count}" for name, count in counted if count)
            active = f"active {training.in_use} | {validation.in_use} of {self.memory.shared['dimensions']}"
            note = join_notes(active, measured[VALIDATION].note)
            said = f"{rows[TRAINING]} and {rows[VALIDATION]} rows"
            picture = self._drawn(validation, said, note, bad, lines=lines)
            about = _BESIDE.format(n=rows[TRAINING], m=rows[VALIDATION], **words)
            yield Image(VALIDATION, f"{TAG}/{COMPARISON}", picture, about)

    def _drawn(self, profile: Profile, rows: str, note: str, bad: str, lines: Lines | None = None) -> Array:
        scales = self.memory.scales
        last = horizon(self._planned, int(profile.steps[-1]))
        return profiles(
            profile.quantiles,
            profile.active,
            profile.steps,
            window=Window(-scales["window below"], scales["window above"], int(profile.steps[0]), last),
            units=self.memory.shared["units"].tolist(),
            title=self._title(rows),
            note=note,
            bad=bad,
            lines=lines,
        )

    def _title(self, rows: str) -> str:
        units, dimensions = self.memory.shared["units"], self.memory.shared["dimensions"]
        title = f"profiles of {self.path}   {dimensions} units   {rows}"
        if len(units) == dimensions:
            return title
        chosen = self.memory.shared["chosen"]
        when = "before training" if chosen == UNTRAINED else f"at epoch {chosen}"
        return f"{title}\nthe {len(units)} of largest variance {when}"


def _profile_of(codes: Array, in_use: Array, units: Array) -> Array:
    """What the history holds of a step, `(6, k)`: the quantiles of the units shown, and whether each was in use."""
    return np.concatenate([quantiles(codes[:, units]), in_use[None, units]])


def _unpacked(history: StepHistory) -> tuple[Array, Array, Array]:
    """Steps `(t,)`, quantiles `(t, 5, k)` and what was active `(t, k)`."""
    if not history.steps:
        return np.zeros(0, int), np.zeros((0, len(QUANTILES), 0), np.float32), np.zeros((0, 0), bool)
    values = history.values
    return np.array(history.steps), values[:, :-1].copy(), values[:, -1] == 1


def _widest(codes: Array) -> str:
    """The largest standard deviation and whose it is."""
    found = np.sqrt(variances(codes))
    if np.isnan(found).all():
        return ""
    widest = int(np.nanargmax(found))
    return f"largest sd {format_number(found[widest])} (unit {widest})"
