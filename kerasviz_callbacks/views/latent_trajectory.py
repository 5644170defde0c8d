"""`LatentTrajectory`: how the latent codes of an autoencoder move during training."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from .._typing import Array
from ..callback import COMPARED_SOURCES, COMPARISON, TRAINING, UNTRAINED, VALIDATION, CodesView, Image, Measured
from ..callback.markdown import code_span
from ..draw.clouds import Cloud
from ..draw.text import format_number, join_notes
from ..draw.trails import extend_window, trajectories, trajectory
from ..draw.volumes import middle_slice
from ..maths.history import StepHistory
from ..maths.latent import active, spread
from ..maths.projection import POOLED_STEPS, SPREAD_FLOOR, Plane, hold_plane, project, shares
from ..record.projector import Points
from ..taps.reader import Capture, Captured

TAIL = 9  # steps: the dots and the eight before them
_DESCRIPTION = """**Movement of the latent codes of {path}** ({d} dimensions, {n} rows of the probe).

*How to read it:* dots are codes, coloured by class, with the last 8 steps as tails; thick lines trace the class means
over the whole training. The mean of all codes is subtracted at every step: the scalar *latent/drift* tells how the
whole cloud moves. The axis range only grows, so a collapsing cloud shrinks (see the scale bar). The axes
({axes}) are kept as long as they show at least 90 % of the variance that the best ones would, so that movement is that
of the codes, not of the axes. The tab *Projector* has the codes of the newest step in all dimensions (restart
TensorBoard to see newer ones there).
*Good signs:* classes separate, tails shorten as the codes converge.
*Bad signs:* the cloud shrinks to a point ("collapsed": its spread is below 5 % of the largest so far, or no unit of a
VAE is active; the class means then bear no numbers), classes stay mixed, tails stay long and irregular (learning rate
too high), validation codes spread far less than training codes."""
_COMPARED = """**Movement of the latent codes of {path}: training and validation data** ({d} dimensions, {n} and {m}
rows).

*How to read it:* training data on the left, validation data on the right, with the same axes ({axes}) and the same axis
range, which only grows. The mean of the codes of each is subtracted at every step. Dots are codes, coloured by class,
with the last 8 steps as tails; thick lines trace the class means over the whole training. Below, left | right: the
fractions of variance and of movement that the axes show, and the spread.
*Good signs:* both clouds have the same shape and spread, each class in the same place.
*Bad signs:* classes separated on the left and mixed on the right, a much smaller or larger spread on the right, class
means (numbered discs) in different places."""


@dataclass(frozen=True)
class Trail:
    """What is drawn of one source, projected to the current plane."""

    tails: Array  # `(t, n, 2)`, the newest last
    means: Array | None  # `(T, classes, 2)` of the steps in the history (`maths.history`), or `None` without labels
    fitted_at: int  # the step of the axes
    variance: float  # the share of variance shown, 0 to 1
    movement: float  # the share of movement shown; NaN at the first step
    spread: float  # of the codes, in all dimensions
    codes: Array  # `(n, d)`, the newest, not projected
    collapsed: bool  # the spread is below the floor, or no unit of a posterior is active

    @staticmethod
    def note(unit: str, *trails: "Trail") -> str:
        """The line below the image; of several trails from left to right. `unit` is what a step is."""
        variance = " | ".join(f"{one.variance:.0%}" for one in trails)
        movement = " | ".join(f"{one.movement:.0%}" for one in trails)
        shown = f"axes of {unit} {format_number(trails[0].fitted_at)}, which show {variance} of the variance"
        if not any(np.isnan(one.movement) for one in trails):
            shown += f" and {movement} of the last movement"
        if any(one.collapsed for one in trails):  # the axes fit nothing any more
            shown = "collapsed"
        return f"{shown}   spread {' | '.join(f'{one.spread:.3g}' for one in trails)}"


class LatentTrajectory(CodesView):
    """Show how latent codes move: dots coloured by class, fading tails, the paths of the class means.

    The axes are principal components that are kept while they show at least 90 % of the variance that the best two
    would; otherwise they are refitted to the last five steps and rotated to match the old ones. The class means of all
    steps are kept in at most 32 MiB per source, and of at most 2,048 steps: beyond that, every second of the older
    steps is dropped again and again, the first and the newest never.

    With `training_data` the run of validation data has another image, `latent/trajectory/train_and_validation`: both
    side by side with the same axis range.

    The files of TensorBoard's projector are written next to the event files at each drawn step: the codes, their labels
    and their images. Of codes of more than 512 dimensions they hold the 512 of largest variance. The scalars
    `latent/...` (spread, move, drift, active units, participation ratio, nearest neighbours) are written too; if
    several views of the codes are used, once per step.

    Args:
        log_dir: where TensorBoard looks.
        validation_data: model inputs, with labels for colours; see `ProbeView`.
        layer: the layer whose output are the codes, or an encoder `Model`; `None`: the output of an encoder trained by
            itself, else the narrowest output between the input and an output of the input's shape, the first called on
            a tie (a VAE's mean).
        options: `training_data`, `count` (500), `class_names`, and those of `View`.

    Raises:
        ValueError: before the first batch: an unknown layer, no bottleneck found, codes of one dimension.

    Example:
        >>> autoencoder.fit(x, x, callbacks=[kv.LatentTrajectory("logs", (x_val, y_val))])  # doctest: +SKIP
    """

    least_dimensions: ClassVar[int] = 2
    tag: ClassVar[str] = "latent/trajectory"

    def measure(self, captured: dict[Capture, Captured], source: str, step: int) -> Measured:
        """The history of the codes, projected to the plane, and the scalars."""
        codes = self.codes(captured)
        if not np.isfinite(codes).all():
            raise FloatingPointError(f"codes of {source} at step {step} are NaN or infinite; the step is left out")
        own = self.memory.for_source(source)
        # A fit resumed from an earlier epoch replaces what came after that epoch.
        recent: list[tuple[int, Array]] = [past for past in own.get("codes", []) if past[0] < step]
        before = recent[-1][1] if recent else None
        own["codes"] = recent = [*recent, (step, codes)][-TAIL:]
        labels = self.probes[source].labels
        if labels is not None:
            own.setdefault("means", StepHistory()).append(step, _class_means(codes, labels, self.classes()))
        if source == VALIDATION:
            newest = [past for _, past in recent[-POOLED_STEPS:]]
            self.memory.shared["plane"] = hold_plane(self.memory.shared.get("plane"), newest, step)[0]
        plane = self.memory.shared["plane"]
        tails = np.stack([project(past, plane.basis) for _, past in recent])
        reach = float(np.abs(tails[-1]).max(initial=0))
        self.memory.scales["window"] = extend_window(self.memory.scales.get("window", 0.0), reach)
        means = _paths(own, plane) if "means" in own else None
        width = spread(codes)
        own["largest spread"] = max(own.get("largest spread", 0.0), width)
        inactive = self.posterior and step > UNTRAINED and not active(codes, absolute=True).any()
        collapsed = width < SPREAD_FLOOR * own["largest spread"] or inactive
        shown = shares(codes, before, plane.basis)
        trail = Trail(tails, means, plane.fitted_at, *shown, width, codes, collapsed)
        return Measured(step, trail, self.metrics(codes, before, source))

    def draw(self, measured: Mapping[str, Measured]) -> Iterator[Image]:
        """One image per source, and one of both side by side, with the same axis range."""
        dimensions = self.memory.shared["plane"].basis.shape[0]
        classes = self.classes()
        names = [self.probe_display.class_name(label) for label in range(classes)] if classes else None
        options: dict[str, Any] = {"half_width": self.memory.scales["window"], "names": names}
        title = f"codes of {self.path} less their mean   {dimensions} dimensions"
        axes = "the codes' own" if dimensions == 2 else "principal components"
        words = {"path": code_span(self.path), "d": dimensions, "axes": axes}
        rows = {source: len(self.probes[source]) for source in measured}
        for source, one in measured.items():
            picture = trajectory(
                one.data.tails,
                one.data.means,
                self.probes[source].labels,
                title=self.titled(f"{title}   {rows[source]} rows"),
                note=join_notes(Trail.note(self.schedule.unit, one.data), one.note),
                collapsed=one.data.collapsed,
                **options,
            )
            yield Image(source, self.tag, picture, _DESCRIPTION.format(n=rows[source], **words))
        if TRAINING in measured:
            trails = {source: measured[source].data for source in COMPARED_SOURCES}
            picture = trajectories(
                [
                    Cloud.of(
                        trail.tails,
                        trail.means,
                        self.probes[source].labels,
                        COMPARED_SOURCES[source],
                        collapsed=trail.collapsed,
                    )
                    for source, trail in trails.items()
                ],
                title=self.titled(f"{title}   {rows[TRAINING]} and {rows[VALIDATION]} rows"),
                note=join_notes(Trail.note(self.schedule.unit, *trails.values()), measured[VALIDATION].note),
                **options,
            )
            about = _COMPARED.format(n=rows[TRAINING], m=rows[VALIDATION], **words)
            yield Image(VALIDATION, f"{self.tag}/{COMPARISON}", picture, about)

    def points(self, measured: Mapping[str, Measured]) -> Iterator[tuple[str, Points]]:
        """The codes for TensorBoard's projector, each with its class, label, row in the data, and image."""
        for source, one in measured.items():
            probe, names = self.probes[source], self.probe_display.label_names(source)
            known: dict[str, list[Any]] = {"row": probe.index.tolist()}
            if probe.labels is not None and names is not None:
                known = {"class": names, "label": probe.labels.tolist(), **known}
            pictures = self.probe_display.pictures(source)
            if pictures is not None and pictures.ndim == 5:
                pictures = middle_slice(pictures)
            yield source, Points("latent_codes", one.data.codes, known, pictures)


def _paths(own: dict[str, Any], plane: Plane) -> Array:
    """The class means of all steps held, in the plane; those of earlier steps anew only if the plane was refitted."""
    means = own["means"]
    basis, known = own.get("projected", (None, {}))
    if basis is not plane.basis:
        known = {}
    newest = means.steps[-1]  # it may replace one of the same step
    # Step by step: class means in all their dimensions are large.
    rows = zip(means.steps, means.values, strict=True)
    paths = {step: known[step] if step in known and step < newest else row @ plane.basis for step, row in rows}
    own["projected"] = plane.basis, paths
    return np.stack(list(paths.values()))


def _class_means(codes: Array, labels: Array, classes: int) -> Array:
    """`(classes, d)`, relative to the mean of all codes; NaN for classes without codes."""
    centred = codes - codes.mean(axis=0)
    means = np.full((classes, codes.shape[1]), np.nan)
    for label in np.unique(labels):
        means[label] = centred[labels == label].mean(axis=0)
    return means
