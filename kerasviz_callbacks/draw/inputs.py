"""Model inputs as images, on one intensity range that is decided once."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kerasviz_callbacks.draw.colour import Picture, rgb


@dataclass(frozen=True)
class IntensityRange:
    """Shows model inputs as images, always on the range found in the first ones.

    A picture's brightness therefore means the same at every step and in both data sets.

    Attributes:
        low: the value shown as black.
        high: the value shown as white.
    """

    low: float
    high: float

    @classmethod
    def of(cls, images: ArrayLike) -> Self:
        """Decides the range from the first images, `(n, h, w)` or `(n, ..., h, w, c)`.

        Bytes are 0 to 255. Other numbers are 0 to 1, -1 to 1 or 0 to 255 if all lie in that range (the last
        only if some exceed 2), else from the least to the largest, as standardised pictures are.
        """
        values = np.asarray(images)
        if values.dtype == np.uint8:
            return cls(0.0, 255.0)
        numbers = values.astype(np.float64)
        numbers = numbers[np.isfinite(numbers)]
        if not numbers.size:
            return cls(0.0, 1.0)
        low, high = float(numbers.min()), float(numbers.max())
        if low >= 0 and high <= 1:
            return cls(0.0, 1.0)
        if low >= -1 and high <= 1:
            return cls(-1.0, 1.0)
        if low >= 0 and 2 < high <= 255:
            return cls(0.0, 255.0)
        return cls(low, high)

    def __call__(self, images: ArrayLike) -> Picture:
        """Pictures as bytes: `(n, h, w)` or `(n, ..., h, w, c)` become `(n, h, w, 3)` or `(n, ..., h, w, 3)`.

        One channel is grey, three are red, green and blue, of four the first three; of any other number the
        mean is shown. A pixel with a NaN or infinity in it gets the colour of what is not finite.
        """
        values = np.asarray(images)
        if values.ndim < 3:
            raise ValueError(f"images: must be (n, h, w) or (n, h, w, channels), got shape {values.shape}")
        return rgb(_three_channels(values.astype(np.float64)), self.low, self.high)


def _three_channels(values: NDArray[np.float64]) -> NDArray[np.float64]:
    if values.ndim == 3:
        values = values[..., None]
    channels = values.shape[-1]
    if channels in (3, 4):
        return values[..., :3]
    with np.errstate(invalid="ignore", over="ignore"):  # what comes out not finite is shown as such
        grey = values if channels == 1 else values.mean(axis=-1, keepdims=True)
    return np.repeat(grey, 3, axis=-1)
