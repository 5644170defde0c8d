"""`FilterOverlap` in the harness."""

import keras
import numpy as np
from harness import STEPS, Entry, Run, classifier, footer_height, read
from numpy.lib.stride_tricks import sliding_window_view

import kerasviz_callbacks as kv
from kerasviz_callbacks.draw.colour import table
from kerasviz_callbacks.draw.overlap import DEAD
from kerasviz_callbacks.draw.text import PAPER

LAYERS = ("conv1", "conv2", "answer")
CELL = 36


def correlations_are_those_of_all_numbers(run: Run) -> None:
    """They are numpy's, of all numbers that a channel put out; the pictures show them in the order of the first."""
    logged = {source: read(run.log_dir / "views" / source) for source in run.view.probes}
    for step in STEPS:
        model = run.model_at(step)
        for source, probe in run.view.probes.items():
            for path in LAYERS:
                outputs = keras.Model(model.input, model.get_layer(path).output)(probe.inputs).numpy()
                with np.errstate(invalid="ignore"):  # a filter that is dead from the beginning has none
                    direct = np.corrcoef(outputs.reshape(-1, outputs.shape[-1]).astype(np.float64), rowvar=False)
                measured = run.view.measured[source, step]
                np.testing.assert_allclose(measured.data[path].correlation, direct, atol=1e-4)
                alive = [k for k, row in enumerate(direct) if not np.isnan(row).all()]
                assert len(alive) >= 3
                largest = [max(abs(direct[k, other]) for other in alive if other != k) for k in alive]
                scalar = measured.scalars[f"health/{path}/overlap"]
                np.testing.assert_allclose(scalar, sum(largest) / len(largest), atol=1e-4)
                picture = logged[source].picture(f"overlap/{path}", step)
                are_in_the_pixels(picture, direct, run.view.memory.shared["order"][path])


def corner(picture: np.ndarray) -> tuple[int, int]:
    """The first row and column within the frame of the matrix."""
    painted = (picture[: -footer_height(picture.shape[1])] != PAPER).any(axis=-1)
    runs = [sliding_window_view(painted, 2 * CELL, axis=axis).all(axis=-1) for axis in (1, 0)]
    return np.flatnonzero(runs[0].any(axis=1))[0] + 1, np.flatnonzero(runs[1].any(axis=0))[0] + 1


def are_in_the_pixels(picture: np.ndarray, correlation: np.ndarray, order: np.ndarray) -> None:
    """In the middle of each cell but the diagonal's is the colour of the correlation, or the grey of the dead."""
    assert sorted(order.tolist()) == list(range(len(correlation)))
    middles = CELL * np.arange(len(order)) + CELL // 2
    top, left = corner(picture)
    seen = picture[np.ix_(top + middles, left + middles)].astype(int)
    steps = np.abs(seen[..., None, :] - table("RdBu_r").astype(int)).sum(axis=-1).argmin(axis=-1)
    wanted = correlation[np.ix_(order, order)]
    np.testing.assert_array_equal((seen == DEAD).all(axis=-1), np.isnan(wanted))
    pairs = ~np.eye(len(order), dtype=bool) & ~np.isnan(wanted)
    np.testing.assert_allclose((steps / 128 - 1)[pairs], wanted[pairs], atol=0.012)


def numbers_of_the_channels(run: Run, tag: str, picture: np.ndarray) -> np.ndarray:
    """Beside the rows and above the columns, in the order of the first step."""
    top, left = corner(picture)
    beside = picture[: -footer_height(picture.shape[1]), : left - 2]
    return np.concatenate([beside.ravel(), picture[: top - 2, :].ravel()])


ENTRY = Entry(
    kv.FilterOverlap,
    classifier,
    tags=frozenset(f"overlap/{path}" for path in LAYERS),
    scalars=frozenset(f"health/{path}/overlap" for path in LAYERS),
    poison="conv1",
    known=correlations_are_those_of_all_numbers,
    largest=lambda measured: {},
    still=numbers_of_the_channels,
)
