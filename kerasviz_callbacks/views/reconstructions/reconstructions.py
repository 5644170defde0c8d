"""`Reconstructions`: the reconstructions of an autoencoder, and interpolations between latent codes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np

from ..._typing import Array
from ...callback import VALIDATION, Image, Measured, ProbeView
from ...callback.markdown import code_span
from ...draw.colour import count_non_finite
from ...draw.reconstructions import reconstruction_tiles, reconstruction_traces, walk_tiles
from ...draw.sheet import Scale
from ...draw.text import counted_rows, join_notes, shape_text
from ...draw.volumes import middle_slice
from ...fit_context import Request
from ...maths.confidence import sigmoid
from ...maths.reconstruction import (
    differences,
    interpolate,
    interpolation_pairs,
    mean_baseline_mse,
    mean_squared_error,
    walk_metrics,
)
from ...maths.scale import count_clipped, robust_max
from ...taps.batches import repeated
from ...taps.decoding import Decoder, decoded, gives_logits, wanted_of
from ...taps.input_spec import position_axes
from ...taps.layer_selection import find_decoder, reconstruction
from ...taps.layouts import channels_last
from ...taps.passes import output_path
from ...taps.reader import Capture, Reader
from ...taps.roles import decoded_kind
from .reconstruction_display import MAX_LINES, ReconstructionDisplay, as_signals

MAX_ROWS = 32
_LITTLE = 0.1
_DESCRIPTION = """**Reconstruction** of each {thing} ({shape}), and its error.

*How to read it:* {layout}; below it the error, reconstruction - {target}: red is too high, blue too low; of several
colours or channels, the one with the largest error. The error scale never shrinks, ends at most at twice the root mean
square error of always predicting the mean {thing}, and is shared by training and validation data.{means} At the bottom:
the mean squared error (MSE) over the rows of the probe, fewer than val_loss may be of{compared}.
*Good signs:* the errors fade.
*Bad signs:* identical reconstructions (latent collapse), edges that stay blurred, one class reconstructed as another,
a training error that keeps falling while the validation error rises."""
_INTERPOLATION_DESCRIPTION = """**Latent interpolation between two {thing}s**: {positions} codes, evenly spaced on the
straight line between two latent codes of {codes}, decoded.

*How to read it:* each row goes from the {thing} on the left to the one on the right, which has another class if there
are labels; next to each of them is its own reconstruction. The pairs are the same at every step.
*Good signs:* one shape morphs into the other, and every {thing} between them looks like one from the data.
*Bad signs:* a cross-fade of the two (the code stores pixels, not shapes), implausible or empty reconstructions in the
middle (holes in the latent space), a sudden jump (the largest step is many times the mean step), a row that does not
change (collapse: above it stands how far apart its ends are, in % of the distance of the originals)."""
_COMPARED = ", and its ratio to that of always predicting the mean {thing} (1 is no better)"
_COPY = """. No bottleneck that can be decoded alone was found: a model that copies its input may reach 0 without having
learned what the data are like"""
_DECODED = {
    "means": " The means of the latent distribution are decoded, not samples from it.",
    "samples": " Samples of the latent distribution are decoded: the encoder puts out no means.",
}
_SCALARS = {"error": "Mean squared error of the reconstructions, over all inputs of the probe."}


@dataclass(frozen=True)
class ReconstructionsData:
    """The data to draw of one data source."""

    reconstructions: Array  # `(n, *shape)`, of the first rows
    errors: Array  # `(n, h, w)` or `(n, t)`, signed
    walks: Array | None  # decoded interpolations, `(pairs, positions, *shape)`; `None` without a decoder
    note: str  # the mean squared error, in words


class Reconstructions(ProbeView):
    """See how an autoencoder reconstructs its inputs: input, reconstruction and error; and latent interpolations.

    Each step takes the forward pass that all views share, and one further pass per data source to decode the
    interpolated codes. There is no interpolation for models without a separable decoder, such as a U-Net. For a
    variational autoencoder the means are decoded, not samples, so a tile changes only when the model does.

    Args:
        log_dir: the TensorBoard log directory.
        validation_data: model inputs, or `(x, y)`; a `y` of the shape of `x` is the reconstruction target. Labels
            become titles, and interpolations then go between two classes. See `ProbeView`.
        layer: the layer whose output is the latent code; `None`: the output with the fewest values between the input
            and the reconstruction.
        options: `training_data`, `count` (16), `class_names`, `display` (reconstructions go through it as well), and
            those of `View`.

    Raises:
        ValueError: before the first batch: no output of the model has the shape of its input, or an unknown layer.

    Example:
        >>> autoencoder.fit(x, x, callbacks=[kv.Reconstructions("logs", (x_val, y_val))])  # doctest: +SKIP
    """

    scalar_descriptions: ClassVar[Mapping[str, str]] = _SCALARS

    def __init__(self, log_dir: Any, validation_data: Any, *, layer: Any = None, **options: Any):
        super().__init__(log_dir, validation_data, **options)
        self.layer = layer

    def find_layers(self, reader: Reader) -> None:
        """Find the reconstruction, the latent code, and the decoder."""
        inputs = self.probes[VALIDATION].inputs
        number = reconstruction(reader)
        if number is None:
            raise ValueError(
                f'model "{reader.model.name}": none of its outputs {reader.output_shapes} has the shape of its input '
                f"{reader.input_shapes[0]}, so there is no reconstruction; Reconstructions is for autoencoders. Make "
                "the reconstructed input the first one."
            )
        self._number, self._reconstruction = number, Capture(output_path(number))
        self._from_logits = gives_logits(reader.model, number, len(reader.output_shapes))
        self._decoder = find_decoder(reader, inputs, number, self.layer)
        self._decodes = "means" if self._decoder is not None and self._decoder.samples else decoded_kind(reader.model)
        self._pairs = {source: interpolation_pairs(probe.labels, len(probe)) for source, probe in self.probes.items()}
        self._fed = self.inputs(0)
        self._targets = {source: self._target_of(source) for source in self.probes}
        fed, wanted = self._fed[VALIDATION], self._targets[VALIDATION]
        self._may_copy = self._decoder is None and (fed is wanted or np.array_equal(fed, wanted))
        self._baseline_mse = {source: mean_baseline_mse(targets) for source, targets in self._targets.items()}
        shape = reader.input_shapes[0]
        series = self.display is None and len(shape) == 2 and position_axes(reader, shape) == 1
        drawn = {"series": series, "of_inputs": self._targets[VALIDATION] is self._fed[VALIDATION]}
        self._output_display = ReconstructionDisplay(self.probe_display, self._targets[VALIDATION], **drawn)

    def _target_of(self, source: str) -> Array:
        """Return what is to be reconstructed, channels last: y if it has the shape of the input, else the input."""
        probe, axis = self.probes[source], self.readers[source].input_axes[0]
        raw = keras.tree.flatten(probe.inputs)[0]
        target = wanted_of(raw, probe.targets)
        return self._fed[source] if target is raw else channels_last(target, axis, np.moveaxis)

    def summary(self) -> str:
        """Return the name of the view, and the layer of the interpolation."""
        if self._decoder is None:
            return f"{type(self).__name__} (no interpolation: the model has no separable decoder)"
        return f"{type(self).__name__} with interpolation in {self._decoder.codes.path}"

    def request(self, source: str) -> Request:
        """Request the reconstructions, and the latent codes if there is a decoder."""
        return Request((self._reconstruction, *([] if self._decoder is None else [self._decoder.capture])))

    def tags(self) -> Mapping[str, None]:
        """Return the tag of the reconstructions."""
        return {"reconstructions/pictures": None}

    def capture(self, step: int) -> dict[str, Any]:
        """Run the shared forward pass, and one to decode interpolated codes and, for a VAE, the means."""
        found: dict[str, Any] = {}
        for source, captured in super().capture(step).items():
            found[source] = {"reconstructed": captured[self._reconstruction].output}
            if self._decoder is not None:
                found[source] |= self._decoded(source, self._decoder, captured[self._decoder.capture].output)
        return found

    def _decoded(self, source: str, decoder: Decoder, codes: Array) -> dict[str, Array]:
        """Decode the interpolations between pairs of codes and, for a model that samples, the codes themselves."""
        lines = interpolate(codes, self._pairs[source])
        between = lines.reshape(-1, *codes.shape[1:])
        to_decode = np.concatenate([between, codes]) if decoder.samples else between
        if not len(to_decode):  # a single input
            return {}
        inputs = repeated(self.probes[source].inputs, len(to_decode))
        output = decoded(self.readers[source], inputs, decoder.entry, to_decode, self._number)
        walks = output[: len(between)].reshape(*lines.shape[:2], *output.shape[1:])
        return {"walks": walks, **({"reconstructed": output[len(between) :]} if decoder.samples else {})}

    def measure(self, captured: dict[str, Array], source: str, step: int) -> Measured:
        """Return the reconstructions, their errors and the mean squared error."""
        reconstructed, target_rows = self._in_input_units(captured["reconstructed"]), self._targets[source]
        error = mean_squared_error(differences(reconstructed, target_rows))
        reconstructed = reconstructed[:MAX_ROWS]
        errors = self._output_display.errors(reconstructed, target_rows[:MAX_ROWS])
        self.memory.extend_scale("error", min(robust_max(errors), self._output_display.largest_error))
        walks = self._in_input_units(captured["walks"]) if "walks" in captured else None
        note = "" if np.isnan(error) else f"over {counted_rows(len(target_rows))}: MSE {error:.3g}"
        if note and self._baseline_mse[source] > 0 and not self._may_copy:
            note += f", {error / self._baseline_mse[source]:.2g} × that of the mean {self._output_display.what}"
        return Measured(step, ReconstructionsData(reconstructed, errors, walks, note), {"reconstructions/error": error})

    def _in_input_units(self, values: Array) -> Array:
        """Apply the sigmoid to logits of a loss with `from_logits=True`; return other outputs unchanged."""
        return sigmoid(values) if self._from_logits else values

    def draw(self, measured: Mapping[str, Measured]) -> Iterator[Image]:
        """Draw the reconstructions and interpolations of each data source."""
        thing = self._output_display.what
        for source, one in measured.items():
            picture, walks = self._reconstruction_image(source, one.data, one.note), one.data.walks
            yield Image(source, "reconstructions/pictures", picture, self._about(source))
            if self._decoder is not None and walks is not None and len(walks):
                path = self._decoder.codes.path
                about = _INTERPOLATION_DESCRIPTION.format(positions=walks.shape[1], codes=code_span(path), thing=thing)
                picture = self._interpolation_image(source, walks, path, one.note)
                yield Image(source, "reconstructions/walk", picture, about)

    def _reconstruction_image(self, source: str, data: ReconstructionsData, note: str) -> Array:
        rows, scale, display = len(data.reconstructions), self.memory.scales.get("error", 0.0), self._output_display
        names, target_rows = self.probe_display.label_names(source), self._targets[source][:rows]
        clipped = display.clipped(target_rows, data.reconstructions)
        options: dict[str, Any] = {
            "scale": scale,
            "caption": self._caption(source),
            "names": None if names is None else names[:rows],
            "note": join_notes(data.note, clipped, count_clipped(data.errors, scale, "error"), note),
            "bad": count_non_finite(data.reconstructions),
        }
        if display.signals:
            lines, over = display.traces(target_rows), display.traces(data.reconstructions)
            options |= {"low": display.scale.low, "high": display.scale.high}
            return reconstruction_traces(lines, over, data.errors, **options)
        targets = None if self._targets[source] is self._fed[source] else display.pictures(target_rows)
        inputs, reconstructed = self._originals(source)[:rows], display.pictures(data.reconstructions)
        return reconstruction_tiles(inputs, reconstructed, data.errors, targets=targets, **options)

    def _originals(self, source: str) -> Array:
        """Return the model inputs as small images."""
        if self._output_display.signals:
            return self._output_display.tiles(self._fed[source])
        pictures: Any = self.probe_display.pictures(source)
        return middle_slice(pictures) if pictures.ndim == 5 else pictures

    def _interpolation_image(self, source: str, walks: Array, path: str, note: str) -> Array:
        between, names, display = self._pairs[source], self.probe_display.label_names(source), self._output_display
        tiles, legend = display.tiles(walks.reshape(-1, *walks.shape[2:])), None
        apart, largest = walk_metrics(walks, self._targets[source][between])
        if not display.signals and self.display is None:
            legend = Scale(display.scale.low, display.scale.high, "grey", "value")
        caption = f"interpolation between latent codes of {path}"
        largest_step = "" if np.isnan(largest) else f"largest step {largest:.2g} × the mean step"
        clipped = display.clipped(self._fed[source][between.ravel()], walks.reshape(-1, *walks.shape[2:]))
        return walk_tiles(
            self._originals(source)[between],
            tiles.reshape(*walks.shape[:2], *tiles.shape[1:]),
            caption=f"{caption}\n{display.traces_in_words()}" if display.signals else caption,
            what=display.what,
            headline=walk_headline(apart),
            legend=legend,
            names=None if names is None else [(names[a], names[b]) for a, b in between.tolist()],
            note=join_notes(largest_step, clipped, note),
            bad=count_non_finite(walks),
        )

    def _caption(self, source: str) -> str:
        probe, display = self.probes[source], self._output_display
        rows = f"{MAX_ROWS} of {len(probe)} rows" if len(probe) > MAX_ROWS else ""
        channels = as_signals(self._fed[source][:1]).shape[-1] if display.signals else 0
        drawn = f"{MAX_LINES} of {channels} channels drawn" if channels > MAX_LINES else ""
        cut = "" if display.signals else self.probe_display.slice_in_words()
        lines = [join_notes(f"reconstructions of {shape_text(self._fed[source].shape[1:])}", cut, rows, drawn)]
        if display.signals:
            lines.append(
                join_notes(
                    display.traces_in_words(),
                    "error: at each moment the largest of all channels" if channels > 1 else "",
                )
            )
        if self._decoder is None:
            copying = "   copying the input may suffice" if self._may_copy else ""
            lines.append(f"no interpolation: no bottleneck layer that can be decoded alone{copying}")
        if self._decodes:
            path = self._decoder.codes.path if self._decoder is not None and self.layer is None else ""
            lines.append(f"decoded from {'the means' if self._decodes == 'means' else 'samples'} {path}".rstrip())
        caption = "\n".join(lines)
        return caption if display.signals else self.probe_display.captioned(caption, source)

    def _about(self, source: str) -> str:
        means = _DECODED.get(self._decodes, "")
        thing, shape = self._output_display.what, shape_text(self._fed[source].shape[1:])
        target = thing if self._targets[source] is self._fed[source] else "target"
        layout = f"the {thing}, below it its reconstruction on the same scale"
        layout = "the target, with the reconstruction drawn over it" if self._output_display.signals else layout
        compared = _COPY if self._may_copy else _COMPARED.format(thing=thing)
        told = {"means": means, "target": target, "compared": compared}
        return _DESCRIPTION.format(thing=thing, shape=shape, layout=layout, **told)


def walk_headline(apart: float) -> str:
    """Say how far apart the ends of the walks are, relative to the originals: below a tenth they hardly change."""
    if np.isnan(apart):
        return "decoded from interpolated codes"
    share = f"{apart:.2%}" if apart < 0.01 else f"{apart:.0%}"
    return f"{'hardly changes: ' if apart < _LITTLE else ''}ends {share} as far apart as the originals"
