"""`Reconstructions`: what an autoencoder gives back, and what lies between two of its codes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...callback import VALIDATION, Image, Measured, ProbeView
from ...callback.markdown import code_span
from ...draw.colour import count_non_finite
from ...draw.reconstructions import reconstruction_tiles, reconstruction_traces, walk_tiles
from ...draw.sheet import Scale
from ...draw.text import format_number, join_notes, shape_text
from ...fit_context import Request
from ...maths.reconstruction import (
    differences,
    interpolate,
    interpolation_pairs,
    mean_baseline_mse,
    mean_squared_error,
    walk_metrics,
)
from ...maths.scale import count_clipped, robust_max
from ...taps.decoding import Decoder, decoded, gives_logits, repeated, wanted_of
from ...taps.input_spec import position_axes
from ...taps.layer_selection import find_decoder, reconstruction
from ...taps.passes import output_path
from ...taps.reader import Capture, Reader
from .reconstruction_display import MOST_LINES, ReconstructionDisplay, as_signals, middle

Array = np.ndarray[Any, Any]
MOST_ROWS = 32
_DESCRIPTION = """**What the model gives back** for each {thing} of the probe ({shape}), and where it is wrong.

*How to read it:* {layout}, and below the error, reconstruction - {wanted}: red where it is too high, blue where too
low, of several colours or channels the one that is furthest off. The scale of errors only grows, as far as twice what
always giving the mean {thing} costs (root mean square), and is shared by training and validation.{means}
*Good signs:* errors fade to the colour of nothing.
*Bad signs:* all reconstructions alike (the codes say nothing: collapse), blurred edges that stay, one class that is
drawn as another, a training error that goes on falling while that of validation rises. At the bottom stands the mean
squared error (MSE), and how it compares with that of always giving the probe's mean {thing}: 1 is no better."""
_WALK = """**What the decoder makes of codes between two {thing}s**: {positions} codes at equal steps on the straight
line between those of {codes}.

*How to read it:* each row goes from the {thing} at the left to the one at the right, of another class where there are
labels; next to each stands its own code, decoded. The same pairs at every step.
*Good signs:* one shape turns into the other, and what lies between could be a {thing} of the data.
*Bad signs:* the two laid over each other (the codes hold pixels, not shapes), nonsense or nothing in the middle (holes
in the latent space), a sudden jump (the largest step is many times the mean one), a row that does not change
(collapse: its ends are nearly 0 times as far apart as the originals)."""
_SCALARS = {"error": "Mean squared error of the reconstructions, over all of the probe."}


@dataclass(frozen=True)
class ReconstructionsData:
    """What is drawn of one source.

    Attributes:
        reconstructions: `(n, *shape)` of the first rows.
        errors: `(n, h, w)` or `(n, t)`, signed, as they are shown.
        walks: `(pairs, positions, *shape)`, or `None` where no decoder can be told apart.
        note: how large the error is.
    """

    reconstructions: Array
    errors: Array
    walks: Array | None
    note: str


class Reconstructions(ProbeView):
    """See what an autoencoder gives back: picture, reconstruction and error; and walks between pairs of codes.

    A step takes the pass that all views share and one further pass over each source, of the codes between pictures.
    The walk is left out where no decoder can be told apart, as in a U-Net. Of a variational autoencoder means are
    decoded, not samples, so that a tile changes only when the model does.

    Args:
        log_dir: where TensorBoard looks.
        validation_data: what the model is fed; of `(x, y)`, y of x's shape is what it should give back. Labels name
            the pictures and choose the ends of the walks. See `ProbeView`.
        layer: whose output are the codes; `None`: the narrowest one between the input and the reconstruction.
        options: `training_data`, `count` (16), `class_names`, `display` (reconstructions go through it as well), and
            those of `View`.

    Raises:
        ValueError: before the first batch: no output of the model has its input's shape, or an unknown layer.

    Example:
        >>> autoencoder.fit(x, x, callbacks=[kv.Reconstructions("logs", (x_val, y_val))])  # doctest: +SKIP
    """

    def __init__(self, log_dir: Any, validation_data: Any, *, layer: Any = None, **options: Any):
        super().__init__(log_dir, validation_data, **options)
        self.layer = layer

    def find_layers(self, reader: Reader) -> None:
        """Find the reconstruction, the codes, and the decoder."""
        inputs = self.probes[VALIDATION].inputs
        number = reconstruction(reader, inputs)
        if number is None:
            raise ValueError(
                f'model "{self.model.name}": none of its outputs {reader.output_shapes} has the shape of its input '
                f"{reader.input_shapes[0]}, so there is no reconstruction; Reconstructions is for autoencoders. Let "
                "what is reconstructed be the first input."
            )
        self._number, self._given_back = number, Capture(output_path(number))
        self._from_logits = gives_logits(self.model, number, len(reader.output_shapes))
        self._decoder = find_decoder(reader, inputs, number, self.layer)
        self._pairs = {source: interpolation_pairs(probe.labels, len(probe)) for source, probe in self.probes.items()}
        self._wanted = {source: wanted_of(probe.images, probe.targets) for source, probe in self.probes.items()}
        self._of_the_mean = {source: mean_baseline_mse(wanted) for source, wanted in self._wanted.items()}
        shape = reader.input_shapes[0]
        series = self.display is None and len(shape) == 2 and position_axes(reader, shape) == 1
        self._shown_as = ReconstructionDisplay(self.probe_display, self._wanted[VALIDATION], series=series)

    def summary(self) -> str:
        """The view, and whether there is a walk."""
        if self._decoder is None:
            return f"{type(self).__name__} (no walk: no decoder to be told apart)"
        return f"{type(self).__name__} with a walk in {self._decoder.codes.path}"

    def request(self, source: str) -> Request:
        """The reconstructions, and the codes where they can be decoded."""
        return Request((self._given_back, *([] if self._decoder is None else [self._decoder.capture])))

    def tags(self) -> Mapping[str, None]:
        """The reconstructions."""
        return {"reconstructions/pictures": None}

    def capture(self, step: int) -> dict[str, Any]:
        """One pass, and one further pass of codes between pictures, together with the means of a sampling model."""
        found: dict[str, Any] = {}
        for source, captured in super().capture(step).items():
            found[source] = {"given back": captured[self._given_back].output}
            if self._decoder is not None:
                found[source].update(self._decoded(source, self._decoder, captured[self._decoder.capture].output))
        return found

    def _decoded(self, source: str, decoder: Decoder, codes: Array) -> dict[str, Array]:
        """The walks between pairs of codes, and of a model that samples what it gives back for the codes themselves."""
        lines = interpolate(codes, self._pairs[source])
        between = lines.reshape(-1, *codes.shape[1:])
        asked = np.concatenate([between, codes]) if decoder.samples else between
        if not len(asked):  # a single picture
            return {}
        inputs = repeated(self.probes[source].inputs, len(asked))
        answer = decoded(self.readers[source], inputs, decoder.entry, asked, self._number)
        walks = answer[: len(between)].reshape(*lines.shape[:2], *answer.shape[1:])
        return {"walks": walks, **({"given back": answer[len(between) :]} if decoder.samples else {})}

    def measure(self, captured: dict[str, Array], source: str, step: int) -> Measured:
        """The reconstructions, their errors as they are shown, and the mean squared error."""
        given_back, wanted = self._as_fed(captured["given back"]), self._wanted[source]
        error = mean_squared_error(differences(given_back, wanted))
        given_back, wanted = given_back[:MOST_ROWS], wanted[:MOST_ROWS]
        errors = self._shown_as.errors(given_back, wanted)
        self.memory.extend_scale("error", min(robust_max(errors), self._shown_as.largest_error))
        walks = self._as_fed(captured["walks"]) if "walks" in captured else None
        note = "" if np.isnan(error) else f"MSE {error:.3g}"
        if note and self._of_the_mean[source] > 0:
            note += f", {error / self._of_the_mean[source]:.2g} × the mean {self._shown_as.what}'s"
        return Measured(step, ReconstructionsData(given_back, errors, walks, note), {"reconstructions/error": error})

    def _as_fed(self, values: Array) -> Array:
        """Logits through the sigmoid that the loss puts behind them."""
        if not self._from_logits:
            return values
        with np.errstate(over="ignore"):
            squashed: Array = 1 / (1 + np.exp(-values.astype(np.float64)))
        return squashed

    def draw(self, measured: Mapping[str, Measured]) -> Iterator[Image]:
        """Reconstructions of each source, and its walks."""
        for source, one in measured.items():
            seen: ReconstructionsData = one.data
            yield Image(source, "reconstructions/pictures", self._drawn(source, seen, one.note), self._about(source))
            if self._decoder is not None and seen.walks is not None and len(seen.walks):
                codes, positions = self._decoder.codes.path, seen.walks.shape[1]
                about = _WALK.format(positions=positions, codes=code_span(codes), thing=self._shown_as.what)
                yield Image(source, "reconstructions/walk", self._walk(source, seen.walks, one.note), about)

    def _drawn(self, source: str, seen: ReconstructionsData, note: str) -> Array:
        rows = len(seen.reconstructions)
        names, wanted = self.probe_display.label_names(source), self._wanted[source][:rows]
        scale = self.memory.scales.get("error", 0.0)
        given: dict[str, Any] = {
            "scale": scale,
            "caption": self._caption(source),
            "names": None if names is None else names[:rows],
            "note": join_notes(seen.note, count_clipped(seen.errors, scale), note),
            "bad": count_non_finite(seen.reconstructions),
        }
        look = self._shown_as
        if look.signals:
            lines, over = look.traces(wanted), look.traces(seen.reconstructions)
            return reconstruction_traces(lines, over, seen.errors, low=look.scale.low, high=look.scale.high, **given)
        other = None if self._wanted[source] is self.probes[source].images else look.pictures(wanted)
        fed, given_back = self._originals(source)[:rows], look.pictures(seen.reconstructions)
        return reconstruction_tiles(fed, given_back, seen.errors, targets=other, **given)

    def _originals(self, source: str) -> Array:
        """What the model is fed, as tiles."""
        if self._shown_as.signals:
            return self._shown_as.tiles(self.probes[source].images)
        return middle(self.probe_display.pictures(source))

    def _walk(self, source: str, walks: Array, note: str) -> Array:
        between, names, scale = self._pairs[source], self.probe_display.label_names(source), self._shown_as.scale
        ends, tiles = self._originals(source)[between], self._shown_as.tiles(walks.reshape(-1, *walks.shape[2:]))
        return walk_tiles(
            ends,
            tiles.reshape(*walks.shape[:2], *tiles.shape[1:]),
            caption=f"walks between the codes of {self._decoder.codes.path if self._decoder else ''}",
            what=self._shown_as.what,
            legend=None if self._shown_as.signals or self.display else Scale(scale.low, scale.high, "grey", "value"),
            names=None if names is None else [(names[a], names[b]) for a, b in between.tolist()],
            note=join_notes(_metrics(walks, self._wanted[source][between]), note),
            bad=count_non_finite(walks),
        )

    def _caption(self, source: str) -> str:
        probe = self.probes[source]
        rows = f"{min(len(probe), MOST_ROWS)} of {len(probe)} rows" if len(probe) > MOST_ROWS else ""
        channels = as_signals(probe.images[:1]).shape[-1] if self._shown_as.signals else 0
        lines = f"{MOST_LINES} of {channels} channels drawn" if channels > MOST_LINES else ""
        title = join_notes(f"reconstructions of {shape_text(probe.images.shape[1:])}", rows, lines)
        return "\n".join([title, *self._how()])

    def _how(self) -> list[str]:
        """What else is to be known of the picture."""
        told = []
        if self._shown_as.signals:
            told.append(
                f"traces from {format_number(self._shown_as.scale.low)} to {format_number(self._shown_as.scale.high)}"
            )
        if self._decoder is None:
            told.append("no walk: no layer's output alone decides the reconstruction")
        elif self._decoder.samples:
            told.append(f"decoded from the means {self._decoder.codes.path}")
        return told

    def _about(self, source: str) -> str:
        probe = self.probes[source]
        sampled = self._decoder is not None and self._decoder.samples
        means = " The codes' means are decoded, not samples drawn round them." if sampled else ""
        thing, shape = self._shown_as.what, shape_text(probe.images.shape[1:])
        wanted = thing if self._wanted[source] is probe.images else "what was wanted"
        layout = f"the {thing}, below it its reconstruction on the same scale"
        layout = "what was wanted, over it what was given back" if self._shown_as.signals else layout
        return _DESCRIPTION.format(thing=thing, shape=shape, layout=layout, means=means, wanted=wanted)

    def describe(self, tag: str) -> str:
        """What the scalar means."""
        return _SCALARS[tag.rsplit("/", 1)[-1]]


def _metrics(walks: Array, ends: Array) -> str:
    """How far the walks lead and how evenly, in words."""
    apart, largest = walk_metrics(walks, ends)
    told = [] if np.isnan(apart) else [f"ends {apart:.2g} × as far apart as the originals"]
    return ", ".join(told + ([] if np.isnan(largest) else [f"largest step {largest:.2g} × the mean"]))
