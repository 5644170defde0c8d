"""`NeuronResponses` in the harness."""

import keras
import numpy as np
from harness import STEPS, Entry, Run, classifier, footer_height, reach_of, read

import kerasviz_callbacks as kv
from kerasviz_callbacks.draw.responses import strengths_as_colours
from kerasviz_callbacks.draw.text import LINE

LAYERS = ("conv1", "conv2", "answer")


def strengths_are_mean_magnitudes(run: Run) -> None:
    """They are the means of |a| of what the layers put out, and the pictures show them by class."""
    logged = {source: read(run.log_dir / "views" / source) for source in run.view.probes}
    for step in STEPS:
        model = run.model_at(step)
        for source, probe in run.view.probes.items():
            for path in LAYERS:
                outputs = keras.Model(model.input, model.get_layer(path).output)(probe.inputs).numpy()
                direct = np.stack([np.abs(one.reshape(-1, one.shape[-1])).mean(axis=0) for one in outputs])
                shown = run.view.measured[source, step].data[path].strengths
                np.testing.assert_allclose(shown, direct, rtol=1e-5, atol=1e-7)
                picture = logged[source].picture(f"responses/{path}", step)
                are_in_the_pixels(picture, shown, probe.labels, run.view.drawn_with[step][path])


def frames(picture: np.ndarray) -> tuple[list[int], int]:
    """The first rows within the two panels, and their first column."""
    line = (picture[: -footer_height(picture.shape[1])] == LINE).all(axis=-1)
    rows = np.flatnonzero(line.sum(axis=1) > 40)
    assert len(rows) == 4, "the frames of two panels"
    return [rows[0] + 1, rows[2] + 1], np.flatnonzero(line.sum(axis=0) > 40)[0] + 1


def are_in_the_pixels(picture: np.ndarray, strengths: np.ndarray, labels: np.ndarray, scale: float) -> None:
    """Above 18 pixels a picture, classes one after the other and 3 apart; below 16 pixels a class, its means."""
    classes = sorted(set(labels.tolist()))
    (top, below), left = frames(picture)
    columns = left + 24 * np.arange(strengths.shape[1]) + 12
    means = np.zeros((len(classes), strengths.shape[1]))
    for number, one in enumerate(classes):
        rows = np.flatnonzero(labels == one)
        means[number] = sum(strengths[row].astype(np.float64) for row in rows) / len(rows)
        seen = picture[np.ix_(top + 18 * np.arange(len(rows)) + 9, columns)]
        np.testing.assert_array_equal(seen, strengths_as_colours(strengths[rows], scale))
        top += 18 * len(rows) + 3
    seen = picture[np.ix_(below + 16 * np.arange(len(classes)) + 8, columns)]
    np.testing.assert_array_equal(seen, strengths_as_colours(means, scale))


def words_around(run: Run, tag: str, picture: np.ndarray) -> np.ndarray:
    """Neurons above, classes at the left: all that is outside of the panels, down to the strip."""
    _, left = frames(picture)
    return picture[: -footer_height(picture.shape[1]), : left - 1]


ENTRY = Entry(
    kv.NeuronResponses,
    classifier,
    tags=frozenset(f"responses/{path}" for path in LAYERS),
    scalars=frozenset(),
    poison="conv1",
    known=strengths_are_mean_magnitudes,
    largest=lambda measured: {path: reach_of(one.strengths) for path, one in measured.data.items()},
    still=words_around,
)
