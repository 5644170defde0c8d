"""`GeneratedImages`: what a generator makes of the same random numbers, step by step."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np

from .._arguments import whole_number
from .._typing import Array
from ..callback import MODEL, TRAINING, VALIDATION, Image, Measured, ProbeView
from ..callback.markdown import code_span
from ..draw.colour import count_non_finite
from ..draw.generated import Diversity, sample_grid
from ..draw.inputs import IntensityRange
from ..draw.sheet import Scale
from ..draw.text import format_number, shape_text
from ..fit_context import Request
from ..maths.diversity import diversity, diversity_within
from ..record.console import say
from ..taps.parts import find_part
from ..taps.sampling import ONLY, Sampler

MAX_SHOWN = 64
_DESCRIPTION = """**Generated images** of {name}: what the model makes of the same random numbers at every step.

*How to read it:* each tile is one sample, in the same place at every step; tiles differ from step to step because the
weights do. Black is {low}, white is {high}, at every step. The bar is the diversity: the mean difference (root mean
square, in shares of the value range) of two samples{real}.
*Good signs:* the samples become like the data, and differ from each other as much as the data do.
*Bad signs:* the bar shrinks and all tiles, or all of one class, become alike (mode collapse); all tiles change together
from step to step (the generator runs from mode to mode); noise or a pattern of the grid that stays."""
_REAL = "; beside them real images, whose diversity is marked"
_SAME = 0.2  # of the reference: below it, samples look like copies of one with a little noise
_NOT_REPEATABLE = (
    "kerasviz_callbacks: GeneratedImages: with the same weights, a second call of `sample` gave other pictures, so "
    "steps differ by its random numbers too. Draw from keras.random, or from a generator made within `sample`, "
    "not from one outside it or within a tf.function."
)


@dataclass(frozen=True)
class GeneratedImagesData:
    """The samples of one generator, `(n, h, w)` or `(n, h, w, c)`, their value range, and their diversity.

    `within` is that of the samples of one class, the mean over classes; NaN where the classes are not known.
    """

    samples: Array
    range: tuple[float, float]
    diversity: float
    within: float = math.nan


class GeneratedImages(ProbeView):
    """See what a generator makes of the same random numbers at every step, and whether its samples become all alike.

    The samples are made on the training thread, with the same random states before each call (Python's, numpy's,
    TensorFlow's, Keras' seed generators). Afterwards these and all variables are restored, so `sample` may draw from
    anything and training is not changed; its time is printed once.

    Args:
        log_dir: the TensorBoard log directory.
        validation_data: real images, shown beside the samples; their diversity is the reference. See `ProbeView`.
        sample: a callable `model -> images`, `(n, h, w)` or `(n, h, w, 1, 3 or 4)`, or a dict of images by name; or a
            dict of such callables. At most 64 images are shown. `None`: each part of the model that makes images of
            one vector is fed `count` vectors of standard normal numbers; behind `latent_dim` of them (an attribute of
            the model) one-hot classes in turn, if the data have as many as the vector is longer.
        value_range: `(low, high)`, the values of black and white. `None`: 0 to 1, -1 to 1 or 0 to 255, whichever holds
            all values of the first step, else their least and largest; then kept.
        seed: of all random numbers.
        options: `training_data` (used without `validation_data`), `count` (16), `display` (of the real images), and
            those of `View`.

    Raises:
        TypeError: `sample` is neither a callable nor a dict of them, or `value_range` is no pair of numbers.
        ValueError: `value_range` is empty; before the first batch: `sample` raises, or returns no images, or no part of
            the model makes images of a vector.

    Example:
        >>> gan.fit(x, callbacks=[kv.GeneratedImages("logs", x_val)])  # doctest: +SKIP
        >>> view = kv.GeneratedImages("logs", sample=lambda model: model.generate(16))  # doctest: +SKIP
    """

    scalar_descriptions: ClassVar[Mapping[str, str]] = {
        "diversity": "Mean difference of two samples: the root mean square over their values, in shares of the value "
        "range. Near 0 all samples are the same (mode collapse).",
        "diversity_of_data": "The same of as many real images: what the diversity of the samples should come to.",
    }
    needs_data: ClassVar[bool] = False

    def __init__(
        self,
        log_dir: Any = "logs",
        validation_data: Any = None,
        *,
        sample: Callable[[Any], Any] | Mapping[str, Callable[[Any], Any]] | None = None,
        value_range: tuple[float, float] | None = None,
        seed: int = 0,
        **options: Any,
    ):
        super().__init__(log_dir, validation_data, **options)
        callables = list(sample.values()) if isinstance(sample, Mapping) else [sample]
        if sample is not None and not (callables and all(callable(one) for one in callables)):
            raise TypeError(f"sample={sample!r}: expected a callable from the model to images, or a dict of them.")
        self.sample, self.value_range = sample, _checked_range(value_range)
        self.seed = whole_number(seed, "seed", minimum=0)
        self._sampler: Sampler | None = None
        self._names: tuple[str, ...] = ()
        self._conditions: Mapping[str, Array] = {}

    def can_prepare(self) -> bool:
        """Return whether the model is built; after the first epoch, whether some of its parts are."""
        return self.has_weights()

    def prepare(self) -> None:
        """Read the data, if given, and sample twice: to raise errors, and to compare."""
        self.read_data()
        part = None if self.part is None else find_part(self.model, self.part)
        count = self.count or self.default_count
        sampler = Sampler(self.model, self.sample, part=part, count=count, seed=self.seed, classes=self._classes())
        first, began = sampler(), time.perf_counter()
        second, took = sampler(), time.perf_counter() - began
        self._sampler, self._names, self._conditions = sampler, tuple(first), sampler.conditions
        if not all(_alike(first[name], second.get(name)) for name in first):
            warnings.warn(_NOT_REPEATABLE, stacklevel=2)
        if self.fit_context.verbose:
            fed = {name: f", each of {text}," for name, text in sampler.fed.items()}
            made = ", ".join(f"{len(samples)} of {_label(name)}{fed.get(name, '')}" for name, samples in first.items())
            say(f"kerasviz_callbacks: GeneratedImages samples {made} in {took:.2g} s at each step that is drawn.")

    def _classes(self) -> int:
        """Return how many classes the data have; 0 if they have no labels."""
        probe = self.probes.get(VALIDATION)
        if probe is None or probe.labels is None:
            return 0
        y = np.asarray(keras.tree.flatten(probe.targets)[0])
        named = len(probe.class_names or ()) or int(probe.labels.max()) + 1
        return y.shape[1] if y.ndim == 2 and y.shape[1] > 1 else named

    def run_model(self) -> None:
        """Return `None`: the data are not run through the model."""

    def read_data(self) -> None:
        """Read the real images."""
        super().read_data()
        if VALIDATION not in self.probes and TRAINING in self.probes:
            self.probes = {VALIDATION: self.probes[TRAINING]}
        self.probe_display = type(self.probe_display)(
            self.probes, self.display, {source: probe.images for source, probe in self.probes.items()}
        )

    def request(self, source: str) -> Request:
        """Request nothing from the shared forward passes."""
        return Request(())

    def summary(self) -> str:
        """Return the name of the view and of the generators."""
        return f"{type(self).__name__} of {', '.join(map(_label, self._names))}"

    def tags(self) -> Mapping[str, None]:
        """Return one image tag per generator."""
        return dict.fromkeys(f"generated/{_label(name)}" for name in self._names)

    def capture(self, step: int) -> dict[str, Any]:
        """Sample."""
        if self._sampler is None:
            raise RuntimeError(f"{type(self).__name__} has no model yet; pass it to fit or call picture(model).")
        found = self._sampler()
        return {MODEL: {name: found[name] for name in self._names if name in found}}

    def measure(self, captured: dict[str, Array], source: str, step: int) -> Measured:
        """Compute the diversity of the samples, and of as many real images."""
        data, scalars = {}, {}
        for name, samples in captured.items():
            low, high = self.memory.shared.setdefault(f"range {name}", self._range_of(samples))
            within = math.nan
            if name in self._conditions:
                within = diversity_within(samples, self._conditions[name], low, high)
            differ = diversity(samples, low, high)
            data[name] = GeneratedImagesData(samples[:MAX_SHOWN], (low, high), differ, within)
            self.memory.extend_scale(f"diversity {name}", data[name].diversity)
            section = "generated" if len(self._names) == 1 else f"generated/{_label(name)}"
            scalars[f"{section}/diversity"] = data[name].diversity
            if self.probes:
                scalars[f"{section}/diversity_of_data"] = self._diversity_of_data(len(samples))
        return Measured(step, data, scalars)

    def draw(self, measured: Mapping[str, Measured]) -> Iterator[Image]:
        """Draw one image per generator."""
        one = measured[MODEL]
        for name, data in one.data.items():
            (low, high), shape = data.range, shape_text(data.samples.shape[1:])
            real = self._real(len(data.samples))
            named = name in self._conditions
            grey = data.samples.ndim == 3 or data.samples.shape[-1] == 1
            picture = sample_grid(
                IntensityRange(low, high)(data.samples),
                real,
                self._told(name, data),
                caption=f"{_label(name)}   {shape}\nthe same random numbers{' and classes' * named} at every step, "
                f"values from {format_number(low)} to {format_number(high)}",
                names=self._class_names(name, len(data.samples)) if named else (),
                legend=Scale(low, high, "grey", "value") if grey else None,
                note=one.note,
                bad=count_non_finite(data.samples),
            )
            about = _DESCRIPTION.format(
                name=code_span(_label(name)),
                low=format_number(low),
                high=format_number(high),
                real="" if real is None else _REAL,
            )
            yield Image(MODEL, f"generated/{_label(name)}", picture, about)

    def _class_names(self, name: str, count: int) -> list[list[str] | None]:
        """Return the class that each sample was made of, and that of each real image."""
        of_samples = [self.probe_display.class_name(number) for number in self._conditions[name][:count]]
        of_real = self.probe_display.label_names(VALIDATION)
        return [of_samples, None if of_real is None else of_real[:count]]

    def _told(self, name: str, data: GeneratedImagesData) -> Diversity:
        """Return the diversity and its reference, in words."""
        if self._real(len(data.samples)) is None:
            reference, of = self.memory.scales.get(f"diversity {name}", 0.0), "the most so far"
        else:
            reference, of = self._diversity_of_data(len(data.samples)), "real images"
        value, reference = data.diversity, 0.0 if math.isnan(reference) else reference
        if math.isnan(value):
            why = "the samples are not finite" if count_non_finite(data.samples) else "of one sample there is none"
            return Diversity(value, reference, of, ("diversity unknown", why))
        share = f": {value / reference:.0%} of {of} (noise and contrast count too)" if reference else ""
        second = "root mean square difference of two samples, in shares of the range"
        if reference and value < _SAME * reference:
            second = "the samples are nearly all the same"
        elif reference and data.within < _SAME * reference:
            second = "samples of a class are nearly all the same"
        mark = f"{of} {format_number(reference)}"
        return Diversity(value, reference, mark, (f"diversity {format_number(value)}{share}", second))

    def _range_of(self, samples: Array) -> tuple[float, float]:
        if self.value_range is not None:
            return self.value_range
        found = IntensityRange.of(samples)
        return found.low, found.high

    def _real(self, count: int) -> Array | None:
        """Return as many real images as there are samples, uint8 `(m, h, w, 3)`; `None` without data or images."""
        return self.probe_display.tiles(VALIDATION, np.arange(min(count, self._rows()))) if self.probes else None

    def _rows(self) -> int:
        return len(self.probes[VALIDATION])

    def _diversity_of_data(self, count: int) -> float:
        real = self._real(count)
        return float("nan") if real is None else diversity(real, 0, 255)


def _label(name: str) -> str:
    return "samples" if name == ONLY else name


def _alike(first: Array, second: Array | None) -> bool:
    """Return whether two samplings are the same but for rounding, which may differ on a GPU."""
    if second is None or first.shape != second.shape:
        return False
    return bool(np.allclose(first, second, rtol=1e-3, atol=1e-3 * float(np.ptp(first)), equal_nan=True))


def _checked_range(given: Any) -> tuple[float, float] | None:
    if given is None:
        return None
    remedy = "expected None or the values of black and white, such as (-1, 1)."
    try:
        low, high = (float(value) for value in given)
    except (TypeError, ValueError):
        raise TypeError(f"value_range={given!r}: {remedy}") from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"value_range={given!r}: the first must be less than the second; {remedy}")
    return low, high
