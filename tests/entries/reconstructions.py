"""`Reconstructions` in the harness."""

import math

import keras
import numpy as np
from harness import STEPS, Entry, Run, autoencoder, pictures, probe_pictures_stay

import kerasviz_callbacks as kv


def decoder_of(model: keras.Model):
    """What follows the codes, by the layers themselves."""
    return lambda codes: model.get_layer("picture")(model.get_layer("pixels")(model.get_layer("decoder")(codes)))


def what_the_model_gives_back(run: Run) -> None:
    """Reconstructions are `model(x)`, walks what the decoder's layers make of codes mixed by hand."""
    for step in STEPS:
        model = run.model_at(step)
        encoder = keras.Model(model.input, model.get_layer("codes").output)
        for source, probe in run.view.probes.items():
            measured = run.view.measured[source, step]
            direct = model(probe.inputs).numpy()
            np.testing.assert_allclose(measured.data.reconstructions, direct, atol=1e-6)
            error = direct.astype(np.float64) - probe.images
            np.testing.assert_allclose(measured.data.errors, error[..., 0], atol=1e-6)
            assert math.isclose(measured.scalars["reconstructions/error"], (error**2).mean(), rel_tol=1e-6)
            codes = encoder(probe.inputs).numpy()
            # Labels 0 1 2 0 1 2: neighbours differ.
            mixed = [[codes[a] + k / 7 * (codes[b] - codes[a]) for k in range(8)] for a, b in ((0, 1), (2, 3), (4, 5))]
            for walk, points in zip(measured.data.walks, mixed, strict=True):
                np.testing.assert_allclose(walk, decoder_of(model)(np.array(points)).numpy(), atol=1e-6)


def largest(measured) -> dict[str, float]:
    """What 99.5 % of the errors do not exceed, and no more than two standard deviations of the validation pictures."""
    data = pictures()
    fed = kv.Probe((data.x_val, data.y_val), count=6).images
    ordered = np.sort(np.abs(measured.data.errors), axis=None)
    reached = float(ordered[math.ceil(0.995 * (ordered.size - 1))])
    return {"error": min(reached, 2 * math.sqrt(fed.astype(np.float64).var(axis=0).mean()))}


ENTRY = Entry(
    kv.Reconstructions,
    autoencoder,
    target="x",
    tags=frozenset({"reconstructions/pictures", "reconstructions/walk"}),
    scalars=frozenset({"reconstructions/error"}),
    poison="codes",
    known=what_the_model_gives_back,
    largest=largest,
    still=probe_pictures_stay,
)
