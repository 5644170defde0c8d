"""`LatentProfiles`: the distribution of each latent variable of an autoencoder over the training."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .._typing import Array
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

_DESCRIPTION = """**Distribution of each latent variable of {path}** at every step ({n} rows of the probe).

*How to read it:* the light band contains 90 % of the codes, the darker one 50 %, the line is the median; the x-axis has
all epochs of the training. All panels share one scale, which only grows. A unit that distinguishes the rows has a wide
band. It is grey, and so is the ground, at the steps at which it is inactive ({rule}).
*Good signs:* bands widen early and then stay constant; as many units are active as the data need.
*Bad signs:* all panels turn grey and all bands close at one step (posterior collapse: the weight of the KL term is too
high), the band of one unit grows without limit, medians keep drifting, magenta (NaN or infinity)."""
_COMPARED = """**Distribution of each latent variable of {path} on training and validation data** at every step ({n} and
{m} rows).

*How to read it:* the blue bands are the validation data: the light one contains 90 % of the codes, the darker one 50 %,
the dark line is the median. The three orange lines are the training data: the median (thick, around the blue one where
both agree) and the 25 % and 75 % quantiles. All panels share one scale, which only grows; a unit is drawn grey while it
is inactive on validation data ({rule}).
*Good signs:* the lines follow the borders of the darker band and its median.
*Bad signs:* lines that leave the bands during training (the codes of training and validation data diverge), lines far
apart where the band is narrow (units that only distinguish training rows), magenta (NaN or infinity in either set)."""
_ABSOLUTE = "the variance of its posterior mean is below 0.01; that of the prior is 1"
_RELATIVE = "its variance is below 0.01 of the largest"


@dataclass(frozen=True)
class Profile:
    """What is drawn of one source."""

    steps: Array  # those in the history, increasing, `(t,)`
    quantiles: Array  # `(t, 5, k)`, float32, of the units shown; NaN where a unit is not finite
    active: Array  # `(t, k)`, whether the unit was active
    units: Array | None  # the indices of the units shown, `(k,)`; `None` before they are chosen
    in_use: int  # the number of all units that are active now
    note: str  # the same in words, and the unit of largest variance
    bad: str  # the number of codes that are not finite now, in words


class LatentProfiles(CodesView):
    """Show each latent variable over the training: bands of 5-95 % and 25-75 % and the median, grey while inactive.

    Posterior collapse of a VAE shows as bands that all close and panels that turn grey. With `training_data` the run of
    validation data has another image, `latent/profiles/train_and_validation`: the median and the 25-75 % range of the
    training data as lines over the bands of the validation data.

    Of more than 32 variables the 32 of largest variance are shown: chosen once, at the end of the first epoch drawn, as
    the variance before training is not informative, and then kept. The model before training then has no image of its
    own; it is the first point of each curve. A step is kept as 6 x 32 numbers in float32 (768 bytes) per source, and at
    most 2,048 steps (1.5 MiB): beyond that, every second of the older steps is dropped again and again, the first
    and the newest never.

    The scalars `latent/...` (spread, move, drift, active units, participation ratio, nearest neighbours) are written
    too; if several views of the codes are used, once per step.

    Args:
        log_dir: where TensorBoard looks.
        validation_data: model inputs; see `ProbeView`.
        layer: the layer whose output are the codes, or an encoder `Model`; `None`: the output of an encoder trained by
            itself, else the narrowest output between the input and an output of the input's shape, the first called on
            a tie (a VAE's mean).
        options: `training_data`, `count` (500), and those of `View`.

    Raises:
        ValueError: before the first batch: an unknown layer, or no bottleneck found.

    Reference:
        Active units: Burda et al., "Importance Weighted Autoencoders", ICLR 2016, section 5.2.

    Example:
        >>> vae.fit(x, x, callbacks=[kv.LatentProfiles("logs", (x_val, y_val))])  # doctest: +SKIP
    """

    tag: ClassVar[str] = "latent/profiles"

    def measure(self, captured: dict[Capture, Captured], source: str, step: int) -> Measured:
        """The quantiles of every step so far, and the scalars."""
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
            newest, scales = history.values[-1, :-1], self.memory.scales
            for key, reach in (("window above", newest), ("window below", -newest)):
                needed = float(np.max(reach, initial=0.0, where=np.isfinite(reach)))
                scales[key] = extend_window(scales.get(key, 0.0), needed)
        count = int(np.count_nonzero(in_use))
        note = f"active {count} of {codes.shape[1]}   {_widest(codes)}"
        profile = Profile(*_unpacked(history), units, count, note, count_non_finite(codes))
        return Measured(step, profile, self.metrics(codes, before, source))

    def _may_choose(self, codes: Array, step: int) -> bool:
        """Whether all units are shown, or an epoch was trained, or none will be."""
        return codes.shape[1] <= MOST_PANELS or step > UNTRAINED or self.schedule.last <= UNTRAINED

    def draw(self, measured: Mapping[str, Measured]) -> Iterator[Image]:
        """One image per source, and one of both in the same panels, on one scale."""
        if self.memory.shared.get("units") is None:
            return
        rows = {source: len(self.probes[source]) for source in measured}
        words = {"path": code_span(self.path), "rule": _ABSOLUTE if self.posterior else _RELATIVE}
        for source, one in measured.items():
            note = join_notes(one.data.note, one.note)
            picture = self._drawn(one.data, f"{rows[source]} rows", note, one.data.bad)
            yield Image(source, self.tag, picture, _DESCRIPTION.format(n=rows[source], **words))
        if TRAINING in measured:
            training, validation = (measured[source].data for source in COMPARED_SOURCES)
            lines = Lines(training.quantiles, training.steps, COMPARED_SOURCES[TRAINING], COMPARED_SOURCES[VALIDATION])
            counted = zip(COMPARED_SOURCES.values(), (training.bad, validation.bad), strict=True)
            bad = ", ".join(f"{name} {count}" for name, count in counted if count)
            counts = f"{training.in_use} in training, {validation.in_use} in validation data"
            active = f"active of {self.memory.shared['dimensions']}: {counts}"
            note = join_notes(active, measured[VALIDATION].note)
            caption = f"{rows[TRAINING]} and {rows[VALIDATION]} rows"
            picture = self._drawn(validation, caption, note, bad, lines=lines)
            about = _COMPARED.format(n=rows[TRAINING], m=rows[VALIDATION], **words)
            yield Image(VALIDATION, f"{self.tag}/{COMPARISON}", picture, about)

    def _drawn(self, profile: Profile, rows: str, note: str, bad: str, lines: Lines | None = None) -> Array:
        scales, shared = self.memory.scales, self.memory.shared
        last = horizon(self.schedule.last, int(profile.steps[-1]))
        title = self.titled(f"profiles of {self.path}   {shared['dimensions']} units   {rows}")
        if len(shared["units"]) < shared["dimensions"]:
            when = "before training" if shared["chosen"] == UNTRAINED else f"at {self.schedule.unit} {shared['chosen']}"
            title += f"\nthe {len(shared['units'])} of largest variance {when}"
        return profiles(
            profile.quantiles,
            profile.active,
            profile.steps,
            window=Window(-scales["window below"], scales["window above"], int(profile.steps[0]), last),
            units=shared["units"].tolist(),
            title=title,
            note=note,
            bad=bad,
            lines=lines,
            axis=self.schedule.unit,
        )


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
    """The largest standard deviation, and its unit."""
    found = np.sqrt(variances(codes))
    if np.isnan(found).all():
        return ""
    widest = int(np.nanargmax(found))
    return f"largest sd {format_number(found[widest])} (unit {widest})"
