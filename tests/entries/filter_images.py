"""`FilterImages` in the harness."""

import numpy as np
from harness import STEPS, Entry, Run, boxes, classifier, magenta, reached, read, values_of

import kerasviz_callbacks as kv
from kerasviz_callbacks.callback import Measured


def kernels_are_in_the_pixels(run: Run) -> None:
    """The first layer's grey tiles and the second's matrix of tiles, decoded, are the kernels."""
    found = read(run.log_dir / "views" / "model")
    for layer, colours, number in (("conv1", "grey", 0), ("conv2", "RdBu_r", 2)):
        blank = Measured(-1, _all_nan(run.view.measured["model", -1].data))
        drawn = kv.FilterImages.draw(run.view, {"model": blank})
        laid_out = next(one.picture for one in drawn if one.tag == f"filters/{layer}")
        tiles = boxes(magenta(laid_out))
        for step in STEPS:
            kernel = run.weights[step][number]  # (3, 3, in, out)
            scale = run.view.drawn_with[step][layer]
            wanted = np.moveaxis(kernel, (2, 3), (0, 1)).reshape(-1, 3, 3)  # rows: inputs, columns: filters
            assert len(tiles) == len(wanted)
            picture = found.picture(f"filters/{layer}", step)
            shown = [values_of(picture, box, (3, 3), colours, scale) for box in tiles]
            np.testing.assert_allclose(shown, wanted, atol=1.6 * scale / 128)  # neighbours may share a colour


def _all_nan(numbers):
    return {path: np.full_like(array, np.nan) for path, array in numbers.items()}


ENTRY = Entry(
    kv.FilterImages,
    classifier,
    tags=frozenset({"filters/conv1", "filters/conv2"}),
    scalars=frozenset(f"health/conv{n}/{name}" for n in (1, 2) for name in ("redundancy", "norm", "turn")),
    poison="conv1",
    sources=("model",),
    needs_data=False,
    known=kernels_are_in_the_pixels,
    largest=reached,
    still=lambda run, tag, picture: None,
)
