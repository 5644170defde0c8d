"""`LatentTrajectory`: how an autoencoder's codes move."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np

from ..callback import VALIDATION, Drawn, Measured, ProbeView
from ..draw.text import together
from ..draw.trails import grow, trajectory
from ..maths.latent import active_units, drift, knn_accuracy, move, participation_ratio, spread
from ..maths.projection import POOLED_STEPS, hold_plane, project, shares
from ..observer import Request
from ..taps.choosing import bottleneck, samples
from ..taps.layers import places
from ..taps.reader import OUTPUT, Reader, Taken, Tap

Array = np.ndarray[Any, Any]
TAIL = 9  # steps: the dots and the eight before them
_DESCRIPTION = """**How the codes of `{path}` move** ({d} dimensions, {n} rows of the probe).

*How to read it:* dots are codes, coloured by class, their tails the last 8 steps; thick lines are the whole paths of
the class means. The window only grows, so a cloud that collapses is seen to shrink (see the scale bar). The axes are
held ({axes}) as long as they show nearly as much as any could, so what is seen moving are the codes.
*Good signs:* classes drift apart, tails shorten as the codes settle.
*Bad signs:* the cloud shrinks to a point (collapse), all classes stay mixed, tails stay long and ragged (learning rate
too high), validation codes far narrower than training codes."""
_SCALARS = {
    "spread": "Root mean square distance of the codes from their mean.",
    "move": "Mean distance moved since the step before, centred, beside the spread.",
    "drift": "How far the cloud moved as a whole since the step before, beside the spread.",
    "active_units": "Latent variables in use: variance above 0.01 (means of a VAE), else above 0.01 of the largest.",
    "participation_ratio": "In how many dimensions the codes spread. Look at it only beside `spread`: it rises as "
    "codes collapse to noise.",
    "knn": "Leave-one-out share of the 5 nearest codes that have the same label.",
}


@dataclass(frozen=True)
class Trail:
    """What is drawn: all in the current plane.

    Attributes:
        tails: `(t, n, 2)`, the newest last.
        means: `(T, classes, 2)`, or `None` without labels.
        note: share of variance and movement shown, spread, step of the axes.
    """

    tails: Array
    means: Array | None
    note: str


class LatentTrajectory(ProbeView):
    """See how an autoencoder's codes move: dots by class, fading tails, the whole paths of the class means.

    The axes are those of a "held" principal component analysis: kept while they show at least 90 % of what the best
    two would, refitted on the last five steps otherwise, and then turned onto the old ones.

    Args:
        log_dir: where TensorBoard looks.
        validation_data: what the model is fed, with labels for colours; see `ProbeView`.
        layer: whose output are the codes, or an encoder `Model`; `None`: the narrowest output between the input and an
            output of the input's shape, the first called on a tie (a VAE's mean).
        options: `training_data`, `count` (500), `class_names`, and those of `View`.

    Raises:
        ValueError: before the first batch: an unknown layer, no bottleneck to be found, codes of one dimension.

    Example:
        >>> autoencoder.fit(x, x, callbacks=[kv.LatentTrajectory("logs", (x_val, y_val))])  # doctest: +SKIP
    """

    default_count: ClassVar[int] = 500

    def __init__(self, log_dir: Any, validation_data: Any, *, layer: Any = None, **options: Any):
        super().__init__(log_dir, validation_data, **options)
        self.layer = layer

    def read_model(self) -> Any:
        """The model being trained, or an encoder that is not one of its layers."""
        if not isinstance(self.layer, keras.Model):
            return self.model
        inside = any(place.layer is self.layer for place in places(self.model))
        return self.model if inside else self.layer

    def choose(self, reader: Reader) -> None:
        """Find the bottleneck."""
        if self.layer is not None and reader.model is self.layer:
            self.path, shape, tap = self.layer.name, reader.output_shapes[0], OUTPUT
        else:
            inputs = self.probes[VALIDATION].inputs
            call = bottleneck(reader, inputs) if self.layer is None else reader.resolve(self.layer)
            self.path, shape, tap = call.path, call.shape, call.path
        self._tap = Tap(tap, reduce=_flat)
        if shape and None not in shape and int(np.prod(shape)) < 2:  # type: ignore[arg-type]
            raise ValueError(
                f'layer="{self.path}": its codes have 1 dimension, a trajectory needs at least 2; name a wider layer.'
            )
        self._sampled = _has_posterior(reader, self.path, shape)

    def shows(self) -> str:
        """The view and its layers."""
        return f"{type(self).__name__} of {self.path}"

    def request(self, source: str) -> Request:
        """The codes `(n, d)`."""
        return Request((self._tap,))

    def measure(self, taken: dict[Tap, Taken], source: str, step: int) -> Measured:
        """The codes' history seen in the plane that is held, and the latent figures."""
        codes = taken[self._tap].output.astype(np.float64)
        own = self.memory.of(source)
        if not np.isfinite(codes).all():
            raise FloatingPointError(f"codes of {source} at step {step} are NaN or infinite; the step is left out")
        recent: list[Array] = own.setdefault("codes", [])
        before = recent[-1] if recent else None
        recent.append(codes)
        del recent[:-TAIL]
        labels = self.probes[source].labels
        if labels is not None:
            own.setdefault("means", []).append(_class_means(codes, labels, self._classes()))
        if source == VALIDATION:
            plane = self.memory.shared.get("plane")
            self.memory.shared["plane"] = hold_plane(plane, recent[-POOLED_STEPS:], step)[0]
        trail = self._trail(own, codes, before)
        reach = float(np.abs(trail.tails[-1]).max(initial=0))
        self.memory.scales["window"] = grow(self.memory.scales.get("window", 0.0), reach)
        return Measured(step, trail, self._figures(codes, before, labels))

    def _trail(self, own: dict[str, Any], codes: Array, before: Array | None) -> Trail:
        plane = self.memory.shared["plane"]
        tails = np.stack([project(one, plane.basis) for one in own["codes"]])
        means = np.stack(own["means"]) @ plane.basis if "means" in own else None
        variance, movement = shares(codes, before, plane.basis)
        shown = f"axes of step {plane.fitted_at}: {variance:.0%} of variance"
        shown += "" if np.isnan(movement) else f", {movement:.0%} of movement"
        return Trail(tails, means, f"{shown}   spread {spread(codes):.3g}")

    def _figures(self, codes: Array, before: Array | None, labels: Array | None) -> dict[str, float]:
        return {
            "latent/spread": spread(codes),
            "latent/move": np.nan if before is None else move(codes, before),
            "latent/drift": np.nan if before is None else drift(codes, before),
            "latent/active_units": active_units(codes, absolute=self._sampled),
            "latent/participation_ratio": participation_ratio(codes),
            "latent/knn": np.nan if labels is None else knn_accuracy(codes, labels),
        }

    def draw(self, measured: Mapping[str, Measured]) -> Iterator[Drawn]:
        """A picture a source, in one window."""
        dimensions = self.memory.shared["plane"].basis.shape[0]
        classes = self._classes()
        names = [self.shown.class_name(label) for label in range(classes)] if classes else None
        for source, one in measured.items():
            rows = len(self.probes[source])
            axes = "the codes' own" if dimensions == 2 else "principal components"
            picture = trajectory(
                one.numbers.tails,
                one.numbers.means,
                self.probes[source].labels,
                half_width=self.memory.scales["window"],
                names=names,
                title=f"codes of {self.path}   {dimensions} dimensions   {rows} rows",
                note=together(one.numbers.note, one.note),
            )
            about = _DESCRIPTION.format(path=self.path, d=dimensions, n=rows, axes=axes)
            yield Drawn(source, "latent/trajectory", picture, about)

    def _classes(self) -> int:
        """How many classes any of the probes has."""
        labelled = [probe.labels for probe in self.probes.values() if probe.labels is not None]
        return max((int(labels.max()) + 1 for labels in labelled), default=0)

    def describe(self, tag: str) -> str:
        """What the scalar means."""
        return _SCALARS[tag.rsplit("/", 1)[-1]]


def _flat(output: Any, choice: Any) -> Any:
    return keras.ops.reshape(output, (keras.ops.shape(output)[0], -1))


def _class_means(codes: Array, labels: Array, classes: int) -> Array:
    """`(classes, d)`, round the mean of all codes; NaN where a class has no code."""
    centred = codes - codes.mean(axis=0)
    means = np.full((classes, codes.shape[1]), np.nan)
    for label in np.unique(labels):
        means[label] = centred[labels == label].mean(axis=0)
    return means


def _has_posterior(reader: Reader, path: str, shape: tuple[int | None, ...]) -> bool:
    """Whether the codes are a VAE's means: a layer that draws random numbers gives an output of their shape."""
    return any(call.shape == shape and call.path != path and samples(call.place.layer) for call in reader.calls)
