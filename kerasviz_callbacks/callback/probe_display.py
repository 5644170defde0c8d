"""Images and class names of a probe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from .._typing import Array
from ..draw.inputs import IntensityRange, common_range, far_apart
from ..draw.points import projections
from ..draw.sheet import ALERT
from ..draw.text import format_number
from ..draw.traces import trace_pictures
from ..draw.volumes import middle_slice, slices_first
from ..maths.geometry import image_shape
from ..probe import Probe
from ..probe.messages import short_message
from .types import COMPARED_SOURCES, VALIDATION


class ProbeDisplay:
    """Images and class names of the probes of a view, by data source, for display.

    Args:
        probes: by data source.
        display: maps model inputs to images, token ids also to words of their shape; `None`: inputs that have the
            shape of images are shown as they are.
        inputs: by data source, the input that is displayed, `(n, ...)`, channels last.
        form: what it holds, from `input_form`; `""`: what its shape says.
        quantities: whether whole numbers in y are the values of a regression, not classes.
        range_of: by data source, the intensity range of inputs shown as they are; default: that of their own rows.
        slice_name: what a slice of a volume is called: `"slice"`, or of clips `"frame"`.

    Attributes:
        main_source: validation data, unless there are none.
        words: of token ids, by data source, the word of each, `(n, t)`; empty if not known.

    Raises:
        ValueError: `display`, which maps model inputs to images, does not return images for any number of rows.
    """

    def __init__(
        self,
        probes: Mapping[str, Probe],
        display: Callable[[Any], Any] | None,
        inputs: Mapping[str, Array],
        form: str = "",
        slice_name: str = "slice",
        *,
        quantities: bool = False,
        range_of: Callable[[str], IntensityRange] | None = None,
    ):
        self.probes, self.display, self.inputs, self.form = probes, display, inputs, "" if display else form
        self.slice_name, self.quantities = slice_name, quantities
        self.main_source = next(iter(probes), VALIDATION)
        self._range_of = range_of if display is None else None
        self._pictures: dict[str, Array | None] = {}
        self.words = _words(display, inputs) if form == "ids" else {}
        if self.words:
            self.display, self.form = None, form
        for source in probes if self.display is not None else ():
            self._images(source)
            self._displayed(self.inputs[source][:1])  # reconstructions use other numbers of rows

    def label_names(self, source: str) -> list[str] | None:
        """Return the class name of each row; `None` without labels."""
        probe = self.probes[source]
        return None if probe.labels is None else [self.class_name(label) for label in probe.labels]

    def class_name(self, label: int) -> str:
        """Return the name of a class; a number, its own or a name that is one, reads `"class 3"`."""
        names, label = self.probes[self.main_source].class_names, int(label)
        if self.quantities:
            return format_number(label)
        if label < 0:
            return "no class"
        name = names[label] if names is not None and label < len(names) else str(label)
        return f"class {name}" if name.lstrip("-").isdecimal() else name

    def pictures(self, source: str) -> Array | None:
        """Return the probe as images, uint8 `(n, h, w, 3)` or `(n, d, h, w, 3)`; `None` if inputs are not images.

        The intensity range is decided once. All data sources share it, unless their ranges are far apart.
        """
        if source not in self._pictures and self.form == "points":
            self._pictures[source] = projections(self.inputs[source], *self.limits)
        if source not in self._pictures:
            images = self._images(source)
            self._pictures[source] = None if images is None else self._ranges[source](images)
        return self._pictures[source]

    @cached_property
    def limits(self) -> tuple[float, float]:
        """The least and the largest finite value of the validation data, the scale of signals and points."""
        values = self.inputs[self.main_source]
        finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
        return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)

    def captioned(self, caption: str, source: str) -> str:
        """Add a line to a caption: the intensity range of the inputs, if they are images, and where those differ.

        A warning if training and validation inputs lie in different ranges, each of which is then shown on its own.
        """
        if self.form == "points":
            low, high = map(format_number, self.limits)
            return f"{caption}\nprojections x-y, x-z, y-z from {low} to {high}"
        found = self._found_ranges
        if source not in found:
            return caption
        texts = {one: f"{'' if found[one].usual else '99% in '}{found[one].text()}" for one in (source, *found)}
        if len(set(texts.values())) == 1:
            return f"{caption}\ninput values {texts[source]}"
        listed = ", ".join(f"{COMPARED_SOURCES[one]} {text}" for one, text in texts.items())
        if far_apart(list(found.values())):
            return f"{caption}\n{ALERT}input values on different scales: {listed}"
        return f"{caption}\ninput values: {listed}"

    @cached_property
    def _found_ranges(self) -> dict[str, IntensityRange]:
        """By data source, the range of its images, where it has any."""
        images = {source: self._images(source) for source in self.probes}
        given = self._range_of
        return {
            source: IntensityRange.of(one) if given is None else given(source)
            for source, one in images.items()
            if one is not None
        }

    @cached_property
    def _ranges(self) -> dict[str, IntensityRange]:
        """By data source, the range on which it is shown."""
        found = self._found_ranges
        several = list(found.values())
        return found if far_apart(several) else dict.fromkeys(found, common_range(several)) if several else {}

    def shown_range(self, source: str) -> IntensityRange:
        """Return the range on which the images of a data source are shown; they must be images."""
        return self._ranges[source]

    @property
    def depth(self) -> int:
        """How many slices an image of a volume has; 0 if images are flat, or there are none."""
        pictures = self.pictures(self.main_source) if self.probes else None
        return 0 if pictures is None or pictures.ndim < 5 else pictures.shape[1]

    def slice_in_words(self, number: int | None = None) -> str:
        """Return which slice stands for a volume, `"frame 5 of 8"`, by default the middle one; empty of flat images."""
        depth = self.depth
        place = depth // 2 if number is None else number
        return f"{self.slice_name} {place + 1} of {depth}" if depth > 1 else ""

    def tiles(self, source: str, rows: Array, slices: Array | None = None) -> Array | None:
        """Return some rows as small images, uint8 `(k, h, w, 3)`: signals as line plots, volumes as one slice.

        `rows` are their indices, `(k,)`, `slices` the numbers of those slices, `(k,)`; `None`: the middle one. The
        result is `None` if inputs are neither images nor signals.
        """
        pictures, inputs = self.pictures(source), self.inputs[source]
        if pictures is not None and pictures.ndim == 5 and slices is not None:
            return pictures[rows, slices]
        if pictures is not None:
            return pictures[rows] if pictures.ndim == 4 else middle_slice(pictures[rows])
        if inputs.dtype.kind not in "buif" or inputs.ndim != 3 or self.form:
            return None
        finite = inputs[np.isfinite(inputs)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        return trace_pictures(inputs[rows], low=low, high=high, size=(84, 84))

    def slices_first(self, maps: Array, axis: int = 1) -> Array:
        """Return maps of volumes, whose three axes begin at `axis`, with that axis first along which inputs are cut.

        With `display` that is the first, as in the images that it returns. Maps of fewer axes are left as they are.
        """
        inputs = self.inputs[self.main_source]
        if self.display is not None or maps.ndim < axis + 3:
            return maps
        return slices_first(maps, axis, sides=inputs.shape[1:4] if inputs.ndim == 5 else None)

    def images(self, values: Array) -> Array | None:
        """Convert arrays of the inputs' shape, such as reconstructions, to images.

        Before they are passed to `display`, values `(n, ...)` are clipped to the range of the validation data and cast
        to its dtype, so `display` may rely on both.

        Returns:
            float64 `(n, h, w)`, `(n, h, w, c)` or `(n, d, h, w, c)`, NaN where a value is not finite; `None` if inputs
            are not images.
        """
        if self.display is None:
            images = None if self.form else as_images(np.asarray(values, np.float64))
            return None if images is None else np.where(np.isfinite(images), images, np.nan)
        inputs = self.inputs[self.main_source]
        finite = np.isfinite(values)
        lowest, highest = _range(inputs)
        within = np.clip(np.where(finite, values, lowest), lowest, highest)
        within = within if inputs.dtype.kind == "f" else np.rint(within)
        images = self._displayed(within.astype(inputs.dtype)).astype(np.float64)
        same = images.shape[: np.ndim(values) - 1] == np.shape(values)[:-1] and np.ndim(values) > 3
        bad = ~(finite.all(axis=-1) if same else finite.reshape(len(finite), -1).all(axis=1))
        images[bad] = np.nan
        return images

    def _images(self, source: str) -> Array | None:
        """Return unscaled images `(n, h, w)`, `(n, h, w, c)` or `(n, d, h, w, c)`."""
        if self.form:
            return None
        inputs = self.inputs[source]
        return as_images(inputs) if self.display is None else self._displayed(inputs)

    def _displayed(self, inputs: Array) -> Array:
        """Apply `display` to a copy of the inputs, and check the result."""
        try:
            result = np.asarray(self.display(inputs.copy()))  # type: ignore[misc]  # called only if it is set
        except Exception as error:
            raise ValueError(
                f"display: raised {type(error).__name__} ({short_message(error)}) on inputs of shape {inputs.shape}; "
                "it receives model inputs, any number of rows, and must return images."
            ) from error
        if result.ndim not in (3, 4, 5) or len(result) != len(inputs) or not result.size:
            raise ValueError(
                f"display: returned an array of shape {result.shape} for {len(inputs)} inputs; expected "
                f"({len(inputs)}, h, w) or ({len(inputs)}, h, w, channels), for any number of inputs."
            )
        if result.dtype.kind not in "buif":
            raise ValueError(f"display: returned an array of {result.dtype}; expected real numbers, such as uint8.")
        return result


def is_picture(inputs: Array) -> bool:
    """Whether inputs `(n, ...)` are displayed as images."""
    return as_images(inputs[:1]) is not None


def _words(display: Callable[[Any], Any] | None, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Return by data source the word of each token id, `(n, t)`, if `display` returns words; else nothing."""
    found = {}
    for source, ids in inputs.items() if display is not None else ():
        try:
            words = np.asarray(display(ids.copy()))  # type: ignore[misc]  # not `None`
        except Exception:  # reported where images are asked for
            return {}
        if words.shape != ids.shape or words.dtype.kind not in "OSU":
            return {}
        found[source] = np.array([[_word(word) for word in row] for row in words])
    return found


def _word(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def as_images(values: Array) -> Array | None:
    """Inputs `(n, ...)` as images `(n, h, w, c)` or volumes of them; `None` if they have not the shape of any."""
    if values.dtype.kind not in "buif":
        return None
    if values.ndim == 5:
        return slices_first(values)
    shape = image_shape(values.shape[1:])
    return None if shape is None else values.reshape(len(values), *shape)


def _range(inputs: Array) -> tuple[Array, Array]:
    """Return the smallest and largest finite value, per colour channel."""
    colours = inputs.ndim > 3 and inputs.shape[-1] <= 4
    axes = tuple(range(inputs.ndim - 1)) if colours else None
    values = inputs.astype(np.float64)
    finite = np.isfinite(values)
    low = np.min(values, axis=axes, initial=np.inf, where=finite)
    high = np.max(values, axis=axes, initial=-np.inf, where=finite)
    return np.where(low <= high, low, 0.0), np.where(low <= high, high, 0.0)
