"""`LatentTrajectory` in the harness."""

import keras
import numpy as np
from harness import OF_CODES, STEPS, Entry, Run, autoencoder

import kerasviz_callbacks as kv


def codes_are_in_the_plane(run: Run) -> None:
    """Dots, tails and class means are the encoder's codes, centred, seen in one orthonormal plane."""
    probes = run.view.probes
    centred = {}
    for step in STEPS:
        model = run.model_at(step)
        encoder = keras.Model(model.input, model.get_layer("codes").output)
        for source, probe in probes.items():
            codes = encoder(probe.inputs).numpy().astype(np.float64)
            centred[source, step] = codes - codes.mean(axis=0)
    basis = run.view.memory.shared["plane"].basis
    np.testing.assert_allclose(basis.T @ basis, np.eye(2), atol=1e-12)
    last = STEPS[-1]
    for source, probe in probes.items():
        trail = run.view.measured[source, last].data
        np.testing.assert_allclose(
            trail.tails, [centred[source, step] @ basis for step in STEPS], atol=1e-5 * trail.tails.max()
        )
        for label in np.unique(probe.labels):
            path = [centred[source, step][probe.labels == label].mean(axis=0) @ basis for step in STEPS]
            np.testing.assert_allclose(trail.means[:, label], path, atol=1e-5 * trail.tails.max())
    cloud = centred["validation", -1]  # the first plane is the principal one of validation data, whatever comes later
    best = np.square(np.linalg.svd(cloud, compute_uv=False)[:2]).sum()
    first = run.view.measured["validation", -1].data.tails[0]
    np.testing.assert_allclose(np.square(first).sum(), best, rtol=1e-4)


ENTRY = Entry(
    kv.LatentTrajectory,
    autoencoder,
    target="x",
    options={"count": 500},
    tags=frozenset({"latent/trajectory"}),
    beside=frozenset({"latent/trajectory/train_and_validation"}),
    scalars=OF_CODES,
    poison="codes",
    known=codes_are_in_the_plane,
    largest=lambda measured: {"window": float(np.abs(measured.data.tails[-1]).max())},
    still=lambda run, tag, picture: picture[70:500, 940:] if tag.endswith("validation") else picture[40:600, 640:],
    skips_nan=True,
)
