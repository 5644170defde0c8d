"""`LatentProfiles` in the harness."""

import keras
import numpy as np
from harness import EPOCHS, OF_CODES, STEPS, Entry, Run, autoencoder, read

import kerasviz_callbacks as kv
from kerasviz_callbacks.draw.profiles import _BLUES

SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
PANEL = (44, 292)  # left edge and width of the first panel, of four in two columns
TOP, HEIGHT = 10 + 21 + 6 + 22 + 19, 140


def by_sorting(codes: np.ndarray) -> np.ndarray:
    """Quantiles `(5, d)`: the share of the way through the rows in order, straight between two of them."""
    ordered = np.sort(codes, axis=0)
    list_layers = np.array(SHARES) * (len(codes) - 1)
    below = np.floor(list_layers).astype(int)
    step = ordered[np.minimum(below + 1, len(codes) - 1)] - ordered[below]
    return ordered[below] + step * (list_layers - below)[:, None]


def quantiles_are_those_of_the_encoder(run: Run) -> None:
    """Every step's quantiles and active units are those of the encoder's codes, and the picture shows them."""
    seen = {}
    for step in STEPS:
        model = run.model_at(step)
        encoder = keras.Model(model.input, model.get_layer("codes").output)
        for source, probe in run.view.probes.items():
            seen[source, step] = encoder(probe.inputs).numpy().astype(np.float64)
    for source in run.view.probes:
        profile = run.view.measured[source, STEPS[-1]].data
        assert profile.steps.tolist() == STEPS
        assert profile.units.tolist() == [0, 1, 2, 3]
        for step, quantiles, active in zip(STEPS, profile.quantiles, profile.active, strict=True):
            codes = seen[source, step]
            np.testing.assert_allclose(quantiles, by_sorting(codes), rtol=1e-4, atol=1e-5)
            variance = codes.var(axis=0)
            assert active.tolist() == (variance > 0.01 * variance.max()).tolist()
    bands_are_in_the_pixels(run)
    lines_of_training_are_in_the_pixels(run)


def bands_are_in_the_pixels(run: Run) -> None:
    """In the middle of each step's column the light band reaches from the 5 % to the 95 % quantile of unit 0."""
    found = read(run.log_dir / "views" / "validation")
    picture = found.picture("latent/profiles", STEPS[-1])
    scales = run.view.drawn_with[STEPS[-1]]
    high, low = scales["window above"], -scales["window below"]
    profile = run.view.measured["validation", STEPS[-1]].data
    left, width = PANEL[0] + 12, PANEL[1]
    for number, step in enumerate(STEPS):
        column = picture[TOP : TOP + HEIGHT, left + int((step + 1.5) * width / (EPOCHS + 1))]
        blue = np.flatnonzero(np.isin(column @ [65536, 256, 1], np.array(_BLUES) @ [65536, 256, 1]))
        rows = (high - profile.quantiles[number, [4, 0], 0]) / (high - low) * HEIGHT
        np.testing.assert_allclose([blue[0], blue[-1] + 1], rows, atol=2.5)


def lines_of_training_are_in_the_pixels(run: Run) -> None:
    """Over the same column the lines of the training data reach from its 75 % to its 25 % quantile of unit 0."""
    picture = read(run.log_dir / "views" / "validation").picture("latent/profiles/train_and_validation", STEPS[-1])
    scales = run.view.drawn_with[STEPS[-1]]
    high, low = scales["window above"], -scales["window below"]
    profile = run.view.measured["train", STEPS[-1]].data
    left, width, top = PANEL[0] + 12, PANEL[1], TOP + 18
    for number, step in enumerate(STEPS):
        column = picture[top : top + HEIGHT, left + int((step + 1.5) * width / (EPOCHS + 1))].astype(int)
        orange = np.flatnonzero(column[:, 0] - column[:, 2] > 60)
        median = np.flatnonzero(np.isin(column @ [65536, 256, 1], np.array(_BLUES[2:]) @ [65536, 256, 1]))  # lies above
        rows = (high - profile.quantiles[number, 3:0:-1, 0]) / (high - low) * HEIGHT
        for row in rows:
            assert np.abs(np.concatenate([orange, median]) + 0.5 - row).min() < 2.5
        assert orange.min() + 0.5 > min(rows[0], rows[1] - 1.5) - 2.5
        assert orange.max() + 0.5 < max(rows[2], rows[1] + 1.5) + 2.5


def window(measured) -> dict[str, float]:
    """What the newest quantiles need on either side of zero."""
    newest = measured.data.quantiles[-1]
    return {"window above": max(float(newest.max()), 0.0), "window below": max(float(-newest.min()), 0.0)}


def words_of(run: Run, tag: str, picture: np.ndarray) -> np.ndarray:
    """The legend, the numbers of the units, the epochs."""
    more = 18 if tag.endswith("validation") else 0  # the second line of the legend
    rows = [(36, 78 + more), (218 + more, 237 + more), (377 + more, 392 + more)]
    return np.concatenate([picture[first:last, 50:] for first, last in rows])


ENTRY = Entry(
    kv.LatentProfiles,
    autoencoder,
    target="x",
    options={"count": 500},
    tags=frozenset({"latent/profiles"}),
    beside=frozenset({"latent/profiles/train_and_validation"}),
    scalars=OF_CODES,
    poison="codes",
    known=quantiles_are_those_of_the_encoder,
    largest=window,
    still=words_of,
)
