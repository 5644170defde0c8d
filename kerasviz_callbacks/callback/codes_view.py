"""`CodesView`: a view of an autoencoder's codes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from typing import Any, ClassVar

import keras
import numpy as np

from ..fit_context import Request
from ..maths.classes import knn_accuracy
from ..maths.latent import active_units, mean_shift, move, participation_ratio, spread
from ..taps.layer_selection import bottleneck, samples
from ..taps.layers import list_layers
from ..taps.reader import OUTPUT, Capture, Captured, Reader
from .probe_view import ProbeView
from .types import VALIDATION

Array = np.ndarray[Any, Any]
_METRICS = {
    "spread": "Root mean square distance of the codes from their mean.",
    "move": "Mean distance moved since the step before, centred, beside the spread.",
    "drift": "How far the cloud moved as a whole since the step before, beside the spread.",
    "active_units": "Latent variables in use: variance above 0.01 (means of a VAE), else above 0.01 of the largest.",
    "participation_ratio": "In how many dimensions the codes spread. Look at it only beside `spread`: it rises as "
    "codes collapse to noise.",
    "knn": "Leave-one-out share of the 5 nearest codes that have the same label.",
}


class CodesView(ProbeView):
    """A view of an autoencoder's codes: finds them, and measures the figures `latent/...`.

    Every view of codes gives the figures, so that each may stand alone; of several that log to one place the first
    that draws a step writes them.

    Args:
        log_dir: where TensorBoard looks.
        validation_data: what the model is fed, with labels for colours; see `ProbeView`.
        layer: whose output are the codes, or an encoder `Model`; `None`: the narrowest output between the input and an
            output of the input's shape, the first called on a tie (a VAE's mean).
        options: `training_data`, `count` (500), `class_names`, and those of `View`.

    Attributes:
        path: the layer whose output are the codes.
        posterior: whether they are the means of a VAE. It is known by what samples: a layer that holds a
            `keras.random.SeedGenerator` and gives an output of the codes' shape, or a model that holds one itself and
            has a second layer of their kind and shape (the log-variances).
    """

    default_count: ClassVar[int] = 500
    least_dimensions: ClassVar[int] = 1
    tag: ClassVar[str]  # of its picture

    def __init__(self, log_dir: Any, validation_data: Any, *, layer: Any = None, **options: Any):
        super().__init__(log_dir, validation_data, **options)
        self.layer = layer

    def read_model(self) -> Any:
        """The model being trained; an encoder where it is not one of its layers, or where that model has no `call`."""
        if not isinstance(self.layer, keras.Model):
            return self.model
        inside = any(ref.layer is self.layer for ref in list_layers(self.model))
        # A VAE that is all `train_step`, with an encoder and a decoder, is often written without a `call`.
        return self.model if inside and type(self.model).call is not keras.Model.call else self.layer

    def find_layers(self, reader: Reader) -> None:
        """Find the codes.

        Raises:
            ValueError: an unknown layer, no bottleneck to be found, or codes of fewer dimensions than the view needs.
        """
        if self.layer is not None and reader.model is self.layer:
            self.path, shape, capture = self.layer.name, reader.output_shapes[0], OUTPUT
        else:
            inputs = self.probes[VALIDATION].inputs
            call = bottleneck(reader, inputs) if self.layer is None else reader.resolve(self.layer)
            self.path, shape, capture = call.path, call.shape, call.path
        self._capture = Capture(capture, reduce=_flat)
        least = self.least_dimensions
        if shape and None not in shape and int(np.prod(shape)) < least:  # type: ignore[arg-type]
            what = type(self).__name__
            raise ValueError(
                f'layer="{self.path}": its codes have {int(np.prod(shape))} dimension, {what} needs at least {least}; '  # type: ignore[arg-type]
                "name a wider layer."
            )
        self.posterior = _is_posterior(reader, self.path, shape)

    def summary(self) -> str:
        """The view and its layers."""
        return f"{type(self).__name__} of {self.path}"

    def tags(self) -> Mapping[str, Hashable]:
        """Its picture, and the scalars, which other views of the same codes give as well."""
        of = (self.path, *(id(probe) for probe in self.probes.values()))
        return {self.tag: None, **{f"latent/{name}": of for name in _METRICS}}

    def request(self, source: str) -> Request:
        """The codes `(n, d)`."""
        return Request((self._capture,))

    def codes(self, captured: dict[Capture, Captured]) -> Array:
        """The codes `(n, d)`, float64; they may hold NaN and infinity."""
        codes: Array = captured[self._capture].output.astype(np.float64)
        return codes

    def metrics(self, codes: Array, before: Array | None, source: str) -> dict[str, float]:
        """The figures by tag.

        Args:
            codes: `(n, d)`, now.
            before: the same rows at the step before; `None` at the first.
            source: whose labels say who is a neighbour.
        """
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
        """How many classes any of the probes has."""
        labelled = [probe.labels for probe in self.probes.values() if probe.labels is not None]
        return max((int(labels.max()) + 1 for labels in labelled), default=0)

    def describe(self, tag: str) -> str:
        """What the scalar means."""
        return _METRICS[tag.rsplit("/", 1)[-1]]


def _flat(output: Any, choice: Any) -> Any:
    return keras.ops.reshape(output, (keras.ops.shape(output)[0], -1))


def _is_posterior(reader: Reader, path: str, shape: tuple[int | None, ...]) -> bool:
    """Whether the codes are a VAE's means."""
    alike = [call for call in reader.calls if call.shape == shape]
    if any(samples(call.ref.layer) for call in alike if call.path != path):
        return True
    heads = Counter(type(layer) for layer in {id(call.ref.layer): call.ref.layer for call in alike}.values())
    models = [reader.model, *(ref.layer for ref in reader.layers if isinstance(ref.layer, keras.Model))]
    return max(heads.values(), default=0) > 1 and any(getattr(model, "_seed_generators", None) for model in models)
