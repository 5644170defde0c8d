"""`CodesView`: base class of views of an autoencoder's latent codes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping
from typing import Any, ClassVar

import keras
import numpy as np

from .. import _keras
from .._typing import Array
from ..fit_context import Request
from ..maths.classes import knn_accuracy
from ..maths.latent import active_units, mean_shift, move, participation_ratio, spread
from ..probe import Probe
from ..taps.decoding import quantizer
from ..taps.layer_selection import bottleneck, reconstruction, samples
from ..taps.layers import has_call, list_layers
from ..taps.output_labels import labels_of_output
from ..taps.output_recorder import Call
from ..taps.reader import OUTPUT, Capture, Captured, Reader
from ..taps.roles import decoded_kind
from ..taps.task import task_of
from .probe_view import ProbeView
from .types import VALIDATION

_METRICS = {
    "spread": "Root mean square distance of the latent codes from their mean.",
    "move": "Mean distance that the centred codes moved since the previous step, divided by `spread`.",
    "drift": "Distance that the mean code moved since the previous step, divided by `spread`.",
    "active_units": "Number of active latent dimensions: variance above 0.01 (VAE means), else above 0.01 times the "
    "largest variance.",
    "participation_ratio": "Effective number of dimensions that the codes span. Compare it with `spread`: it also "
    "rises when the codes collapse to noise.",
    "knn": "Share of the 5 nearest neighbours of each code that have the same label (leave-one-out), averaged over "
    "classes.",
}


class CodesView(ProbeView):
    """A view of an autoencoder's latent codes: finds them, and logs the scalars `latent/...`.

    Every view of latent codes logs these scalars, so each works alone. When several log to the same directory, the
    first one that draws a step writes them.

    Args:
        validation_data: model inputs, with labels for the colours; see `ProbeView`.
        layer: the layer whose output is the latent code, or an encoder `Model`. `None`: the output of an encoder
            given as `model` or trained by itself; else the narrowest output through which everything passes on the
            way to an output of the input's shape; on a tie the first one called (a VAE's mean).
        options: `training_data`, `count` (500), `class_names`, and those of `View`.

    Attributes:
        path: path of the layer whose output is the latent code.
        quantized: in words, the layer that quantises the codes (VQ-VAE); empty without.
        posterior: whether the codes are the means of a VAE: a layer with a `keras.random.SeedGenerator` has an output
            of the codes' shape, or the model has a `SeedGenerator` and a second layer of the same type and output
            shape (the log-variances).
    """

    scalar_descriptions: ClassVar[Mapping[str, str]] = _METRICS

    default_count: ClassVar[int] = 500
    least_dimensions: ClassVar[int] = 1
    tag: ClassVar[str]  # of the image

    def __init__(self, log_dir: Any, validation_data: Any, *, layer: Any = None, **options: Any):
        super().__init__(log_dir, validation_data, **options)
        self.layer = layer

    def read_model(self) -> Any:
        """Return the trained model; the encoder if the model has no `call` or does not contain the encoder."""
        if not isinstance(self.layer, keras.Model):
            return super().read_model()
        inside = any(ref.layer is self.layer for ref in list_layers(self.model))
        # A VAE with a custom `train_step`, an encoder and a decoder often has no `call`.
        return super().read_model() if inside and has_call(self.model) else self.layer

    def find_layers(self, reader: Reader) -> None:
        """Find the layer whose output is the latent code."""
        inputs = self.probes[VALIDATION].inputs
        if self._reads_encoder(reader):
            self.path, self.quantized = self.part_path or self.layer.name, ""
            shape, capture = reader.output_shapes[0], OUTPUT
        else:
            call = self._codes_call(reader, inputs)
            self.path, shape, capture = call.path, call.shape, call.path
            after = quantizer(reader, inputs, call)
            self.quantized = "" if after is None else f"before quantisation by {after.path}"
        self._capture = Capture(capture, reduce=_flat)
        least = self.least_dimensions
        if shape and None not in shape and (dimensions := math.prod(shape)) < least:  # type: ignore[arg-type]
            raise ValueError(
                f'layer="{self.path}": its codes have {dimensions} dimension, {type(self).__name__} needs at least '
                f"{least}; name a wider layer."
            )
        self.posterior = _is_posterior(reader, self.path, shape)

    def _codes_call(self, reader: Reader, inputs: Any) -> Call:
        """Return the call that outputs the codes: the one named, an encoder's output, or the bottleneck."""
        if self.layer is not None:
            return reader.resolve(self.layer)
        return _encoder_output(reader, self.probes[VALIDATION]) or bottleneck(reader, inputs)

    def titled(self, title: str) -> str:
        """Return the caption of an image of the codes, which says what quantises them afterwards."""
        return f"{title}\n{self.quantized}" if self.quantized else title

    def _reads_encoder(self, reader: Reader) -> bool:
        """Whether the model that is read is an encoder, whose first output are the codes."""
        if self.layer is None:
            return self.part is not None and reconstruction(reader) is None
        return reader.model is self.layer

    def summary(self) -> str:
        """Return the name of the view and its layer."""
        return f"{type(self).__name__} of {self.path}"

    def tags(self) -> Mapping[str, Hashable]:
        """Return the tags of the image and of the scalars; other views of the same codes write the same scalars."""
        of = (self.path, *(id(probe) for probe in self.probes.values()))
        return {self.tag: None, **{f"latent/{name}": of for name in _METRICS}}

    def request(self, source: str) -> Request:
        """Request the latent codes `(n, d)`."""
        return Request((self._capture,))

    def codes(self, captured: dict[Capture, Captured]) -> Array:
        """Return the latent codes, float64 `(n, d)`; they may contain NaN and infinity."""
        codes: Array = captured[self._capture].output.astype(np.float64)
        return codes

    def metrics(self, codes: Array, before: Array | None, source: str) -> dict[str, float]:
        """Return the scalars by tag, of the codes `(n, d)` and those of the same rows at the previous step, if any."""
        labels = self.probes[source].labels
        return {
            "latent/spread": spread(codes),
            "latent/move": np.nan if before is None else move(codes, before),
            "latent/drift": np.nan if before is None else mean_shift(codes, before),
            "latent/active_units": active_units(codes, absolute=self.posterior),
            "latent/participation_ratio": participation_ratio(codes),
            "latent/knn": np.nan if labels is None else knn_accuracy(codes, labels),
        }

    def classes(self) -> int:
        """Return the largest number of classes among the data sources."""
        labelled = [probe.labels for probe in self.probes.values() if probe.labels is not None]
        return max((int(labels.max()) + 1 for labels in labelled), default=0)


def _flat(output: Any, choice: Any) -> Any:
    return keras.ops.reshape(output, (keras.ops.shape(output)[0], -1))


def _encoder_output(reader: Reader, probe: Probe) -> Call | None:
    """The output of a model that is an encoder by itself: a vector that says no classes and is not the input again."""
    if reconstruction(reader) is not None or len(reader.output_shapes[0]) != 1:
        return None
    if task_of(reader, probe, labels_of_output(reader, probe).hard).kind != "values":
        return None
    return next((call for call in reversed(reader.calls) if call.is_output and call.visible), None)


def _is_posterior(reader: Reader, path: str, shape: tuple[int | None, ...]) -> bool:
    """Whether the latent codes are the means of a VAE."""
    same_shape = [call for call in reader.calls if call.shape == shape]
    if any(samples(call.ref.layer) for call in same_shape if call.path != path):
        return True
    heads = Counter(type(layer) for layer in {id(call.ref.layer): call.ref.layer for call in same_shape}.values())
    if decoded_kind(reader.model):
        return True
    models = [reader.model, *(ref.layer for ref in reader.layers if isinstance(ref.layer, keras.Model))]
    return max(heads.values(), default=0) > 1 and any(_keras.seed_generators(model) for model in models)
