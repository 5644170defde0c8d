"""`Predictions` in the harness."""

import keras
import numpy as np
import pytest
from harness import STEPS, Entry, Run, decoded, masks, probe_pictures_stay, segmenter

import kerasviz_callbacks as kv
from kerasviz_callbacks.draw.colour import class_colours


def masks_are_those_of_the_model(run: Run) -> None:
    """IoU as Keras' metrics have it, and the colours in the picture those of the class numbers."""
    for step in STEPS:
        model = run.model_at(step)
        for source, probe in run.view.probes.items():
            found, scalars = model(probe.inputs).numpy().argmax(axis=-1), run.view.measured[source, step].scalars
            metric = keras.metrics.MeanIoU(3)
            metric.update_state(probe.targets, found)
            assert scalars["predictions/mean_iou"] == pytest.approx(float(metric.result()), abs=1e-6)
            for number in range(3):
                metric = keras.metrics.IoU(3, [number])
                metric.update_state(probe.targets, found)
                assert scalars[f"predictions/iou/class {number}"] == pytest.approx(float(metric.result()), abs=1e-6)
            file = run.save_dir / f"views/{source}/predictions/mask/{step:06d}.png"
            picture = decoded(file.read_bytes())
            for row, (true, predicted) in enumerate(zip(probe.targets, found, strict=True)):
                for column, classes in ((1, true), (2, predicted)):
                    np.testing.assert_array_equal(tile(picture, row, column), class_colours(3)[classes])


def tile(picture: np.ndarray, row: int, column: int) -> np.ndarray:
    """One pixel of each cell of an 8x8 mask, from where the first cell of its tile is seen."""
    left, top = 13 + (row % 2) * 410 + column * 100, 87 + (row // 2) * 118
    return picture[top + 6 : top + 96 : 12, left + 6 : left + 96 : 12]


ENTRY = Entry(
    kv.Predictions,
    segmenter,
    data=masks,
    tags=frozenset({"predictions/mask"}),
    scalars=frozenset({"predictions/mean_iou", *(f"predictions/iou/class {number}" for number in range(3))}),
    poison="conv1",
    known=masks_are_those_of_the_model,
    largest=lambda measured: {},
    still=probe_pictures_stay,
)
