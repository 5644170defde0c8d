"""`GeneratedImages` in the harness."""

import itertools

import keras
import numpy as np
from harness import STEPS, Entry, Run, autoencoder, places_of

import kerasviz_callbacks as kv


def codes() -> np.ndarray:
    """What is decoded, the same at every step."""
    return np.random.default_rng(3).standard_normal((6, 4)).astype(np.float32)


def decoded(model: keras.Model, given) -> np.ndarray:
    """What the layers after the codes make of it."""
    for name in ("decoder", "pixels", "picture"):
        given = model.get_layer(name)(given)
    return given


def pairwise(pictures) -> float:
    """The mean root mean square difference, pair by pair."""
    flat = np.asarray(pictures, np.float64).reshape(len(pictures), -1)
    return np.mean([np.sqrt(np.mean((a - b) ** 2)) for a, b in itertools.combinations(flat, 2)])


def what_the_decoder_makes(run: Run) -> None:
    """Samples are what the layers make of the codes; their diversity, pair by pair, in shares of -2 to 2."""
    data = run.view.probes["validation"].images
    ranges = [np.percentile(probe.images, [0.5, 99.5]) for probe in run.view.probes.values()]
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    real = np.rint(np.clip((data - low) / (high - low), 0, 1) * 255)
    for step in STEPS:
        measured = run.view.measured["model", step]
        direct = decoded(run.model_at(step), codes()).numpy()
        np.testing.assert_allclose(measured.data[""].samples, direct, atol=1e-6)
        np.testing.assert_allclose(measured.scalars["generated/diversity"], pairwise(direct) / 4, rtol=1e-5)
        np.testing.assert_allclose(measured.scalars["generated/diversity_of_data"], pairwise(real) / 255, rtol=1e-3)


def real_pictures_stay(run: Run, tag: str, picture: np.ndarray):
    """Where each real picture stands."""
    shown = run.view.probe_display.pictures("validation")
    found = [places_of(one.repeat(11, 0).repeat(11, 1), picture) for one in shown]
    assert [len(at) for at in found] == [1] * len(shown), "each real picture is shown once"
    return np.array(found)


ENTRY = Entry(
    kv.GeneratedImages,
    autoencoder,
    options={"sample": lambda model: decoded(model, codes()), "value_range": (-2, 2)},
    target="x",
    tags=frozenset({"generated/samples"}),
    scalars=frozenset({"generated/diversity", "generated/diversity_of_data"}),
    poison="codes",
    known=what_the_decoder_makes,
    largest=lambda measured: {"diversity ": measured.data[""].diversity},
    still=real_pictures_stay,
    sources=("model",),
)
