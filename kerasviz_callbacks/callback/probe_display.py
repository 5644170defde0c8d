"""How a probe is shown: its pictures on one scale, its classes in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..draw.inputs import IntensityRange
from ..draw.traces import trace_pictures
from ..maths.geometry import image_shape
from ..probe import Probe
from ..probe.messages import short_message
from .types import VALIDATION

Array = np.ndarray[Any, Any]


class ProbeDisplay:
    """The probes of a view, as a person should see them.

    Args:
        probes: by source.
        display: what the model is fed -> what is shown; `None`: the inputs themselves.

    Raises:
        ValueError: `display` gives no pictures.
    """

    def __init__(self, probes: Mapping[str, Probe], display: Callable[[Any], Any] | None):
        self.probes, self.display = probes, display
        self._pictures: dict[str, Array | None] = {}
        self._scale: IntensityRange | None = None
        self._check()

    def label_names(self, source: str) -> list[str] | None:
        """The class of each row in words; `None` without labels."""
        probe = self.probes[source]
        return None if probe.labels is None else [self.class_name(int(label)) for label in probe.labels]

    def class_name(self, label: int) -> str:
        """A class in words, its number where it has no name."""
        names = self.probes[VALIDATION].class_names
        return names[label] if names is not None and 0 <= label < len(names) else str(label)

    def pictures(self, source: str) -> Array | None:
        """The probe as a person should see it, uint8 `(n, h, w, 3)` or `(n, d, h, w, 3)`; `None`: no pictures.

        The range is decided once, on validation data, and then kept for both sources.
        """
        if source not in self._pictures:
            images = self._images(source)
            if images is not None and self._scale is None:
                first = self._images(VALIDATION)
                self._scale = IntensityRange.of(images if first is None else first)
            self._pictures[source] = None if images is None or self._scale is None else self._scale(images)
        return self._pictures[source]

    def tiles(self, source: str, rows: Array) -> Array | None:
        """Some rows as small pictures, uint8 `(k, h, w, 3)`: signals as lines, of volumes the slice in the middle.

        Args:
            source: of which data.
            rows: which, `(k,)` integers.

        Returns:
            `None` where the inputs are neither.
        """
        pictures, fed = self.pictures(source), self.probes[source].images
        if pictures is not None:
            return pictures[rows] if pictures.ndim == 4 else pictures[rows, pictures.shape[1] // 2]
        if fed.dtype.kind not in "buif" or fed.ndim != 3:
            return None
        finite = fed[np.isfinite(fed)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        return trace_pictures(fed[rows], low=low, high=high, size=(84, 84))

    def images(self, values: Array) -> Array | None:
        """Anything of the inputs' shape as it is shown, such as reconstructions; `None`: no pictures.

        What `display` is given lies in the range of the validation data and is of their type, so that it may assume
        both.

        Args:
            values: `(n, ...)`, numbers as the model is fed.

        Returns:
            float64 `(n, h, w)`, `(n, h, w, c)` or `(n, d, h, w, c)`; NaN where a value is not finite.
        """
        if self.display is None:
            images = self._as_images(np.asarray(values, np.float64))
            return None if images is None else np.where(np.isfinite(images), images, np.nan)
        fed = self.probes[VALIDATION].images
        finite = np.isfinite(values)
        lowest, highest = _range(fed)
        within = np.clip(np.where(finite, values, lowest), lowest, highest)
        within = within if fed.dtype.kind == "f" else np.rint(within)
        images = self._displayed(within.astype(fed.dtype)).astype(np.float64)
        same = images.shape[: np.ndim(values) - 1] == np.shape(values)[:-1] and np.ndim(values) > 3
        bad = ~(finite.all(axis=-1) if same else finite.reshape(len(finite), -1).all(axis=1))
        images[bad] = np.nan
        return images

    def _images(self, source: str) -> Array | None:
        """Numbers `(n, h, w)`, `(n, h, w, c)` or `(n, d, h, w, c)` to be shown."""
        fed = self.probes[source].images
        return self._as_images(fed) if self.display is None else self._displayed(fed)

    def _displayed(self, fed: Array) -> Array:
        """What `display` makes of inputs, checked: it may give anything, or raise; it gets a copy.

        Raises:
            ValueError: it raises, or gives no pictures.
        """
        try:
            given = np.asarray(self.display(fed.copy()))  # type: ignore[misc]  # asked only where there is one
        except Exception as error:
            raise ValueError(
                f"display: raised {type(error).__name__} ({short_message(error)}) on inputs of shape {fed.shape}; it is "
                "given what the model is fed, any number of rows, and must give pictures."
            ) from error
        if given.ndim not in (3, 4, 5) or len(given) != len(fed) or not given.size:
            raise ValueError(
                f"display: gave an array of shape {given.shape} for {len(fed)} inputs; expected ({len(fed)}, h, w) or "
                f"({len(fed)}, h, w, channels), for any number of inputs."
            )
        if given.dtype.kind not in "buif":
            raise ValueError(f"display: gave an array of {given.dtype}; expected real numbers, such as uint8.")
        return given

    def _as_images(self, values: Array) -> Array | None:
        if values.dtype.kind not in "buif":
            return None
        if values.ndim == 5:
            return values
        shape = image_shape(values.shape[1:])
        return None if shape is None else values.reshape(len(values), *shape)

    def _check(self) -> None:
        """What `display` gives must be pictures, of one input too: reconstructions come in other numbers of rows."""
        for source, probe in self.probes.items() if self.display is not None else ():
            self._images(source)
            self._displayed(probe.images[:1])


def _range(fed: Array) -> tuple[Array, Array]:
    """The least and the largest finite number, of each colour by itself."""
    colours = fed.ndim > 3 and fed.shape[-1] <= 4
    axes = tuple(range(fed.ndim - 1)) if colours else None
    values = fed.astype(np.float64)
    finite = np.isfinite(values)
    least = np.min(values, axis=axes, initial=np.inf, where=finite)
    most = np.max(values, axis=axes, initial=-np.inf, where=finite)
    return np.where(least <= most, least, 0.0), np.where(least <= most, most, 0.0)
